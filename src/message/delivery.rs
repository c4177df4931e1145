use super::ControlKind;
use core::ffi::c_int;

/// A kind of message that the system delivers on sockets that have asked for it, by turning an option on.
///
/// [`set_delivery`](crate::socket::set_delivery) asks. The option often has another number than the message. Its value is
/// a switch, 0 or 1: never name an option here whose value is something else, such as the number of a descriptor.
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
/// impl DeliveredOnRequest for IpTtl {
///     const OPTION: c_int = 12; // IP_RECVTTL
/// }
///
/// assert_eq!(IpTtl::OPTION_LEVEL, IpTtl::LEVEL);
/// ```
pub trait DeliveredOnRequest: ControlKind {
    /// The level of the option: that of the message, unless another is given.
    const OPTION_LEVEL: c_int = Self::LEVEL;
    /// The name of the option. Its value is an `int`: 1 asks for the message.
    const OPTION: c_int;
}
