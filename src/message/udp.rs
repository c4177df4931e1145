//! Linux's messages of UDP: many datagrams of one size as one piece of data.

use super::DeliveredOnRequest;
use super::number::{message_of_one_number, sent_as_one_number};
use crate::platform;
use core::ffi::c_int;
use core::num::TryFromIntError;

/// `UDP_SEGMENT`, to send: how many bytes of the data each datagram is to have, the last one perhaps fewer. Linux 4.18.
///
/// Two bytes, although [`UdpGro`], its counterpart, has four. At most 64 datagrams (128 since Linux 6.9), each no
/// longer than the path takes; the call fails otherwise.
///
/// Source of truth: udp(7); Linux `net/ipv4/udp.c`, `__udp_cmsg_send` and `udp_send_skb`.
///
/// ```
/// use ancillary::message::{UdpGro, UdpSegment};
/// use ancillary::{ControlSpace, control_space};
///
/// let mut space = ControlSpace::<{ control_space!(UdpSegment) }>::new();
/// let mut control = space.writer();
/// control.push(&UdpSegment(1200))?;
///
/// // As it came, so it goes back.
/// assert_eq!(UdpSegment::try_from(UdpGro(1200)), Ok(UdpSegment(1200)));
/// # Ok::<(), ancillary::PushError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "UDP_SEGMENT")]
pub struct UdpSegment(pub u16);

message_of_one_number!(UdpSegment(u16), IPPROTO_UDP, UDP_SEGMENT);
sent_as_one_number!(UdpSegment);

impl TryFrom<UdpGro> for UdpSegment {
    type Error = TryFromIntError;

    /// To send data in pieces of the size it came in.
    ///
    /// # Errors
    ///
    /// The size is not that of a datagram: no kernel says so.
    #[inline]
    fn try_from(size: UdpGro) -> Result<Self, TryFromIntError> {
        size.0.try_into().map(UdpSegment)
    }
}

/// `UDP_GRO`: how many bytes of the data each datagram had, the last one perhaps fewer. Linux 5.0.
///
/// It is delivered only beside data that is more than one datagram. Such data is longer than any one of them: give it
/// room for 65,535 bytes.
///
/// Source of truth: udp(7); Linux `include/linux/udp.h`, `udp_cmsg_recv`.
///
/// ```
/// use ancillary::message::{DecodeMessage, UdpGro};
///
/// let size = UdpGro::decode(&4i32.to_ne_bytes())?;
/// assert!(size.segments(b"datagrams").eq([&b"data"[..], b"gram", b"s"]));
/// # Ok::<(), ancillary::message::DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "UDP_GRO")]
pub struct UdpGro(pub c_int);

impl UdpGro {
    /// The datagrams that `data` was put together from.
    ///
    /// All of it is one if the size is not positive, which no kernel says.
    ///
    /// Example: [the type's](Self).
    pub fn segments(self, data: &[u8]) -> impl Iterator<Item = &[u8]> {
        let size = usize::try_from(self.0).ok().filter(|size| *size > 0);
        data.chunks(size.unwrap_or(data.len()).max(1))
    }
}

message_of_one_number!(UdpGro(c_int), IPPROTO_UDP, UDP_GRO);

impl DeliveredOnRequest for UdpGro {
    const OPTION: c_int = platform::UDP_GRO;
}
