//! Messages of IPv6: where a datagram came in or is to go out, and its traffic class.

use super::number::{int_or_byte, kind_of_one_number, sent_as_one_number};
use super::{ControlKind, DecodeError, DecodeMessage, DeliveredOnRequest, EncodeMessage, payload_array};
use crate::control::{ControlWriter, FixedPayload, PushError};
use crate::platform;
use core::ffi::c_int;
use core::net::Ipv6Addr;

/// `IPV6_PKTINFO`: the interface and the address of an IPv6 datagram. Linux, Android, Apple's systems, the BSDs, illumos
/// and Solaris.
///
/// A server with many addresses that answers a datagram from the address it was sent to sends it back:
/// [`from_source`](Self::from_source); to a link-local address, with the interface.
///
/// A socket of the IPv6 family gives one for IPv4 datagrams too, with a mapped address, and sends to IPv4 peers with one
/// whose address is mapped. On a socket of the IPv4 family Linux ignores it without an error: send an `IpPktinfo`
/// there.
///
/// Source of truth: RFC 3542 section 6; ipv6(7), `struct in6_pktinfo`.
///
/// ```
/// use ancillary::message::Ipv6Pktinfo;
/// use ancillary::{ControlMessages, ControlBuffer, control_space};
/// use core::net::Ipv6Addr;
///
/// let mut space = ControlBuffer::<{ control_space!(Ipv6Pktinfo) }>::new();
/// let mut control = space.writer();
/// control.push(Ipv6Pktinfo::from_source(Ipv6Addr::LOCALHOST))?;
/// let message = ControlMessages::new(control.as_bytes()).next().unwrap()?;
/// assert_eq!(message.decode::<Ipv6Pktinfo>().unwrap()?.addr, Ipv6Addr::LOCALHOST);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "IPV6_PKTINFO")]
#[doc(alias = "in6_pktinfo")]
pub struct Ipv6Pktinfo {
    /// The destination of a datagram that was received; the source, if specified, of one that is sent.
    pub addr: Ipv6Addr,
    /// The index of the interface: the one a datagram came in on, or, if not 0, is to go out on.
    pub ifindex: u32,
}

impl Ipv6Pktinfo {
    /// To be sent: a datagram from this address, out on whatever interface the route says.
    ///
    /// Example: [the type's](Self).
    pub const fn from_source(source: Ipv6Addr) -> Self {
        Ipv6Pktinfo { addr: source, ifindex: 0 }
    }
}

impl ControlKind for Ipv6Pktinfo {
    const LEVEL: c_int = platform::IPPROTO_IPV6;
    const TYPE: c_int = platform::IPV6_PKTINFO;
}

impl FixedPayload for Ipv6Pktinfo {
    const PAYLOAD_SIZE: usize = 20;
}

// SAFETY: `IPV6_RECVPKTINFO` is a switch (RFC 3542 section 6).
#[allow(unsafe_code, reason = "an option is named")]
unsafe impl DeliveredOnRequest for Ipv6Pktinfo {
    const OPTION: c_int = platform::IPV6_RECVPKTINFO;
}

impl EncodeMessage<'_> for Ipv6Pktinfo {
    #[inline]
    fn push_to(self, control: &mut ControlWriter<'_>) -> Result<(), PushError> {
        let mut payload = [0; Self::PAYLOAD_SIZE];
        let (addr, ifindex) = payload.split_at_mut(16);
        addr.copy_from_slice(&self.addr.octets());
        ifindex.copy_from_slice(&self.ifindex.to_ne_bytes());
        control.push_raw(Self::LEVEL, Self::TYPE, &payload)
    }
}

impl DecodeMessage<'_> for Ipv6Pktinfo {
    #[inline]
    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let (addr, ifindex) = payload_array::<{ Self::PAYLOAD_SIZE }>(payload)?.split_at(16);
        let addr = Ipv6Addr::from(*payload_array::<16>(addr)?);
        Ok(Ipv6Pktinfo { addr, ifindex: u32::from_ne_bytes(*payload_array(ifindex)?) })
    }
}

/// `IPV6_TCLASS`: the traffic class of an IPv6 datagram: six bits of DSCP, then two of ECN. Linux, Android, Apple's
/// systems, the BSDs, illumos and Solaris.
///
/// An IPv4 peer of an IPv6 socket neither sends nor gets this: it takes an `IpTos`, and Linux ignores an
/// `Ipv6Tclass` that is sent to one, without an error.
///
/// It is sent as an `int`. One that is received is an `int`, or one byte (Apple's kernel): both are read.
///
/// From 0 to 255. RFC 3542 lets −1 in one that is sent stand for the default. Linux 6.12 to 7.3 send 255 then, 5.10 and
/// 6.1 what the socket's own option says (measured).
///
/// Source of truth: RFC 3542 section 6.5; ipv6(7).
///
/// ```
/// use ancillary::message::{DecodeMessage, Ipv6Tclass};
///
/// let class = Ipv6Tclass::decode(&0xba_i32.to_ne_bytes())?;
/// assert_eq!((class, class.ecn()), (Ipv6Tclass(0xba), 2));
/// assert_eq!(Ipv6Tclass::decode(&[0xba])?, class);
/// # Ok::<(), ancillary::message::DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "IPV6_TCLASS")]
pub struct Ipv6Tclass(pub c_int);

impl Ipv6Tclass {
    /// The two bits of explicit congestion notification: 0 not capable, 1 ECT(1), 2 ECT(0), 3 congestion experienced
    /// (RFC 3168).
    ///
    /// Example: [the type's](Self).
    pub const fn ecn(self) -> u8 {
        (self.0 & 3) as u8
    }
}

kind_of_one_number!(Ipv6Tclass(c_int), IPPROTO_IPV6, IPV6_TCLASS);
sent_as_one_number!(Ipv6Tclass);

impl DecodeMessage<'_> for Ipv6Tclass {
    #[inline]
    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        int_or_byte(payload).map(Ipv6Tclass)
    }
}

// SAFETY: `IPV6_RECVTCLASS` is a switch (RFC 3542 section 6.5).
#[allow(unsafe_code, reason = "an option is named")]
unsafe impl DeliveredOnRequest for Ipv6Tclass {
    const OPTION: c_int = platform::IPV6_RECVTCLASS;
}
