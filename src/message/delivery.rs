use super::ControlKind;
use core::ffi::c_int;

/// A kind of message that the system delivers on sockets that have asked for it, by turning an option on.
///
/// [`set_delivery`](crate::socket::set_delivery) asks. The option often has another number than the message.
///
/// This is one option whose value is a switch. Some kinds ask for more: the value of `SO_TIMESTAMPING` is a set of flags,
/// and on a dual-stack socket the error queue's entry for an IPv4 peer, `IPV6_RECVERR` (level 41, type 25), is turned on by
/// `IP_RECVERR` (level 0). Set such an option with `setsockopt` yourself.
///
/// # Safety
///
/// The system takes the option's value, an `int` of 0 or 1, for a switch, and the switch does nothing but have control
/// messages delivered. In particular
///
/// - the value is not the number of a descriptor, as that of `SO_ATTACH_BPF` and `SO_ATTACH_REUSEPORT_EBPF` is;
/// - with the option on, no call has the system keep, read or write memory of the process after the call. (`SO_ZEROCOPY`
///   does, for a send with `MSG_ZEROCOPY`, and `SO_ZEROCOPY` asks for no message.)
///
/// ```
/// use ancillary::message::{ControlKind, DeliveredOnRequest};
/// use core::ffi::c_int;
///
/// /// `IP_TTL` on Linux, which this crate has no type for.
/// struct IpTtl;
///
/// impl ControlKind for IpTtl {
///     const LEVEL: c_int = 0;
///     const TYPE: c_int = 2;
/// }
///
/// // SAFETY: `IP_RECVTTL` is a switch, which has `IP_TTL` delivered and does nothing else (ip(7)).
/// unsafe impl DeliveredOnRequest for IpTtl {
///     const OPTION: c_int = 12; // IP_RECVTTL
/// }
///
/// assert_eq!(IpTtl::OPTION_LEVEL, IpTtl::LEVEL);
/// ```
#[allow(unsafe_code, reason = "an implementation is a promise about an option")]
pub unsafe trait DeliveredOnRequest: ControlKind {
    /// The level of the option: that of the message, unless another is given.
    const OPTION_LEVEL: c_int = Self::LEVEL;
    /// The name of the option. Its value is an `int`: 1 asks for the message.
    const OPTION: c_int;
}
