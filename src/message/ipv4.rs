//! Messages of IPv4: where a datagram came in or is to go out, and its type of service.

#[cfg(linux_kernel)]
use super::number::int_or_byte;
use super::{ControlKind, DecodeError, DecodeMessage, DeliveredOnRequest, EncodeMessage, payload_array};
use crate::control::{ControlWriter, FixedPayload, PushError};
use crate::platform;
use core::ffi::c_int;
use core::net::Ipv4Addr;

/// `IP_PKTINFO`: the interface and the addresses of an IPv4 datagram. Linux, Android, Apple's systems, illumos and
/// Solaris.
///
/// A server with many addresses that answers a datagram from the address it was sent to sends `spec_dst` back:
/// [`from_source`](Self::from_source).
///
/// A socket of the IPv6 family gives [`Ipv6Pktinfo`](super::Ipv6Pktinfo) for IPv4 datagrams too, with a mapped address
/// (`::ffff:192.0.2.1`). If this is turned on there as well, such a datagram comes with both, and needs room for both. To
/// send, take the one of the socket's own family: an `Ipv6Pktinfo` that is sent on a socket of the IPv4 family is ignored
/// without an error, so the datagram leaves from an address of the kernel's choice.
///
/// Source of truth: ip(7), `struct in_pktinfo`.
///
/// ```
/// use ancillary::message::IpPktinfo;
/// use ancillary::{ControlMessages, ControlBuffer, control_space};
/// use core::net::Ipv4Addr;
///
/// let mut space = ControlBuffer::<{ control_space!(IpPktinfo) }>::new();
/// let mut control = space.writer();
/// control.push(IpPktinfo::from_source(Ipv4Addr::LOCALHOST))?;
/// let message = ControlMessages::new(control.as_bytes()).next().unwrap()?;
/// assert_eq!(message.decode::<IpPktinfo>().unwrap()?.spec_dst, Ipv4Addr::LOCALHOST);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "IP_PKTINFO")]
#[doc(alias = "in_pktinfo")]
pub struct IpPktinfo {
    /// The index of the interface: the one a datagram came in on, or, if not 0, is to go out on.
    pub ifindex: u32,
    /// The local address: the one a datagram was received for, or, if specified, is to be sent from.
    pub spec_dst: Ipv4Addr,
    /// The destination in the header of a datagram that was received. Of no effect when one is sent.
    pub addr: Ipv4Addr,
}

impl IpPktinfo {
    /// To be sent: a datagram from this address, out on whatever interface the route says.
    ///
    /// Example: [the type's](Self).
    pub const fn from_source(source: Ipv4Addr) -> Self {
        IpPktinfo { ifindex: 0, spec_dst: source, addr: Ipv4Addr::UNSPECIFIED }
    }
}

impl ControlKind for IpPktinfo {
    const LEVEL: c_int = platform::IPPROTO_IP;
    const TYPE: c_int = platform::IP_PKTINFO;
}

impl FixedPayload for IpPktinfo {
    const PAYLOAD_SIZE: usize = 12;
}

// SAFETY: `IP_PKTINFO` is a switch (ip(7)), on every system that has it.
#[allow(unsafe_code, reason = "an option is named")]
unsafe impl DeliveredOnRequest for IpPktinfo {
    const OPTION: c_int = platform::IP_RECVPKTINFO;
}

impl EncodeMessage<'_> for IpPktinfo {
    #[inline]
    fn push_to(self, control: &mut ControlWriter<'_>) -> Result<(), PushError> {
        let [i0, i1, i2, i3] = self.ifindex.to_ne_bytes();
        let [s0, s1, s2, s3] = self.spec_dst.octets();
        let [a0, a1, a2, a3] = self.addr.octets();
        control.push_raw(Self::LEVEL, Self::TYPE, &[i0, i1, i2, i3, s0, s1, s2, s3, a0, a1, a2, a3])
    }
}

impl DecodeMessage<'_> for IpPktinfo {
    #[inline]
    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let [i0, i1, i2, i3, s0, s1, s2, s3, a0, a1, a2, a3] = *payload_array::<{ Self::PAYLOAD_SIZE }>(payload)?;
        Ok(IpPktinfo {
            ifindex: u32::from_ne_bytes([i0, i1, i2, i3]),
            spec_dst: Ipv4Addr::new(s0, s1, s2, s3),
            addr: Ipv4Addr::new(a0, a1, a2, a3),
        })
    }
}

/// `IP_TOS`: the type of service of an IPv4 datagram: six bits of DSCP, then two of ECN. Linux and Android.
///
/// It is received as one byte and sent as an `int`, which kernels take since 3.13 (one byte, since 4.9).
///
/// An IPv6 socket has IPv4 peers too, under mapped addresses (`::ffff:192.0.2.1`), unless it is `IPV6_V6ONLY`. The mark
/// of their datagrams is an `IpTos`, both ways, and never an [`Ipv6Tclass`](super::Ipv6Tclass): turn on the delivery of
/// both, make room for both, and send the one that the peer's address asks for.
///
/// Source of truth: ip(7); Linux `net/ipv4/ip_sockglue.c`, `ip_cmsg_send` and `ip_cmsg_recv_tos`.
///
/// ```
/// use ancillary::message::{DecodeMessage, IpTos};
///
/// let tos = IpTos::decode(&[0b101110_10])?;
/// assert_eq!((tos, tos.ecn()), (IpTos(0xba), 2));
/// assert!(IpTos::decode(&[0, 0]).is_err());
/// # Ok::<(), ancillary::message::DecodeError>(())
/// ```
#[cfg(linux_kernel)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "IP_TOS")]
pub struct IpTos(pub u8);

#[cfg(linux_kernel)]
impl IpTos {
    /// The two bits of explicit congestion notification: 0 not capable, 1 ECT(1), 2 ECT(0), 3 congestion
    /// experienced (RFC 3168).
    ///
    /// Example: [the type's](Self).
    pub const fn ecn(self) -> u8 {
        self.0 & 3
    }
}

#[cfg(linux_kernel)]
impl ControlKind for IpTos {
    const LEVEL: c_int = platform::IPPROTO_IP;
    const TYPE: c_int = platform::IP_TOS;
}

#[cfg(linux_kernel)]
impl FixedPayload for IpTos {
    /// As it is sent; one that is received has 1.
    const PAYLOAD_SIZE: usize = size_of::<c_int>();
}

#[cfg(linux_kernel)]
// SAFETY: `IP_RECVTOS` is a switch (ip(7)).
#[allow(unsafe_code, reason = "an option is named")]
unsafe impl DeliveredOnRequest for IpTos {
    const OPTION: c_int = platform::IP_RECVTOS;
}

#[cfg(linux_kernel)]
impl EncodeMessage<'_> for IpTos {
    #[inline]
    fn push_to(self, control: &mut ControlWriter<'_>) -> Result<(), PushError> {
        control.push_raw(Self::LEVEL, Self::TYPE, &c_int::from(self.0).to_ne_bytes())
    }
}

#[cfg(linux_kernel)]
impl DecodeMessage<'_> for IpTos {
    #[inline]
    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        // The kernel refuses to send what is not a byte, so the lowest byte of an `int` is all there is.
        int_or_byte(payload).map(|tos| IpTos(tos as u8))
    }
}
