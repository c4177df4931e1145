//! Linux's messages of UDP: many datagrams of one size as one piece of data.

use super::number::message_of_one_number;
use super::{ControlKind, DeliveredOnRequest, EncodeMessage};
use crate::control::{ControlWriter, PushError};
use crate::platform;
use core::ffi::c_int;
use core::iter::FusedIterator;
use core::num::{NonZero, TryFromIntError};

/// `UDP_SEGMENT`, to send: how many bytes of the data each datagram is to have, the last one perhaps fewer. Linux 4.18.
///
/// Two bytes, although [`UdpGro`], its counterpart, has four. A size of 0 cannot be pushed: the kernel would send all of
/// the data as one datagram.
///
/// The call fails
///
/// - with `EINVAL` for more than 64 datagrams, or more than 128 on newer kernels (Linux 6.9; 6.1.192 has 128, 5.10.262
///   has 64), and on a socket with `SO_NO_CHECK`;
/// - with `EMSGSIZE` for data of more than 65,507 bytes in all (IPv4), and for a datagram that is longer than the path MTU
///   (`EINVAL` on kernels before 2025);
/// - with `EIO` where the datagrams are to be encrypted (IPsec), and on older kernels where the driver cannot compute
///   checksums.
///
/// Source of truth: udp(7); Linux `net/ipv4/udp.c`, `__udp_cmsg_send` and `udp_send_skb`.
///
/// ```
/// use ancillary::message::{UdpGro, UdpSegment};
/// use ancillary::{ControlBuffer, control_space};
///
/// let mut space = ControlBuffer::<{ control_space!(UdpSegment) }>::new();
/// let mut control = space.writer();
/// control.push(UdpSegment(1200))?;
///
/// // As it came, so it goes back.
/// assert_eq!(UdpSegment::try_from(UdpGro(1200)), Ok(UdpSegment(1200)));
/// # Ok::<(), ancillary::PushError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "UDP_SEGMENT")]
pub struct UdpSegment(pub u16);

message_of_one_number!(UdpSegment(u16), IPPROTO_UDP, UDP_SEGMENT);

impl EncodeMessage<'_> for UdpSegment {
    #[inline]
    fn push_to(self, control: &mut ControlWriter<'_>) -> Result<(), PushError> {
        if self.0 == 0 {
            return Err(PushError::InvalidValue { level: Self::LEVEL, message_type: Self::TYPE });
        }
        control.push_raw(Self::LEVEL, Self::TYPE, &self.0.to_ne_bytes())
    }
}

impl TryFrom<UdpGro> for UdpSegment {
    type Error = TryFromIntError;

    /// To send data in pieces of the size it came in.
    ///
    /// # Errors
    ///
    /// The size is not that of a datagram: it is not positive, or longer than any is. No kernel reports that.
    #[inline]
    fn try_from(size: UdpGro) -> Result<Self, TryFromIntError> {
        NonZero::<u16>::try_from(NonZero::<c_int>::try_from(size.0)?).map(|size| UdpSegment(size.get()))
    }
}

/// `UDP_GRO`: how many bytes of the data each datagram had, the last one perhaps fewer. Linux 5.0.
///
/// It is delivered only beside data that is more than one datagram. Such data is longer than any one of them: give it
/// room for 65,535 bytes. Where it has no room itself, several datagrams look like one: look at
/// [`control_truncated`](crate::Received::control_truncated) before taking its absence for a single datagram.
///
/// Source of truth: udp(7); Linux `include/linux/udp.h`, `udp_cmsg_recv`.
///
/// ```
/// use ancillary::message::{DecodeMessage, UdpGro};
///
/// let size = UdpGro::decode(&4i32.to_ne_bytes())?;
/// assert!(size.segments(b"datagrams", false).eq([&b"data"[..], b"gram", b"s"]));
///
/// // The slices were too short: what is left of the third datagram is not a datagram.
/// let segments = size.segments(b"datagrams", true);
/// assert_eq!(segments.partial(), b"s");
/// assert!(segments.eq([&b"data"[..], b"gram"]));
/// # Ok::<(), ancillary::message::DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "UDP_GRO")]
pub struct UdpGro(pub c_int);

impl UdpGro {
    /// Returns the datagrams that `data` was put together from.
    ///
    /// `data_truncated` is whether the end of the data was lost: [`Received::data_truncated`]. A last segment that is
    /// shorter than the others is then a part of a datagram, and not yielded: [`Segments::partial`].
    ///
    /// All of the data is one datagram if the size is not positive, which no kernel reports.
    ///
    /// Example: [the type's](Self).
    ///
    /// [`Received::data_truncated`]: crate::Received::data_truncated
    pub fn segments(self, data: &[u8], data_truncated: bool) -> Segments<'_> {
        // No data is as long as the largest number.
        let size = usize::try_from(self.0).ok().and_then(NonZero::new).unwrap_or(NonZero::<usize>::MAX);
        let partial_len = if data_truncated { data.len() % size } else { 0 };
        let (whole, partial) = data.split_at(data.len() - partial_len);
        Segments { whole, size, partial }
    }
}

/// The datagrams that a receive with [`UdpGro`] was put together from: an iterator over those that are whole.
///
/// Example: [`UdpGro`].
#[derive(Clone, Debug)]
#[must_use = "an iterator does nothing until it is walked"]
pub struct Segments<'d> {
    whole: &'d [u8],
    size: NonZero<usize>,
    partial: &'d [u8],
}

impl<'d> Segments<'d> {
    /// Returns what is there of the first datagram that is not whole, because the slices were too short for all of the
    /// data. Empty if no datagram was cut in its middle: whole ones may be lost all the same, which
    /// [`Received::data_truncated`](crate::Received::data_truncated) says.
    ///
    /// Example: [`UdpGro`].
    pub const fn partial(&self) -> &'d [u8] {
        self.partial
    }
}

impl<'d> Iterator for Segments<'d> {
    type Item = &'d [u8];

    #[inline]
    fn next(&mut self) -> Option<&'d [u8]> {
        // The last one may be shorter.
        let (segment, rest) = self.whole.split_at_checked(self.size.get()).unwrap_or((self.whole, &[]));
        self.whole = rest;
        (!segment.is_empty()).then_some(segment)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.whole.len() / self.size + usize::from(self.whole.len() % self.size > 0);
        (count, Some(count))
    }
}

impl ExactSizeIterator for Segments<'_> {}
impl FusedIterator for Segments<'_> {}

message_of_one_number!(UdpGro(c_int), IPPROTO_UDP, UDP_GRO);

// SAFETY: `UDP_GRO` is a switch (udp(7)).
#[allow(unsafe_code, reason = "an option is named")]
unsafe impl DeliveredOnRequest for UdpGro {
    const OPTION: c_int = platform::UDP_GRO;
}
