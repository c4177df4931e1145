use core::ffi::c_int;

/// A kind of control message: its numbers.
///
/// Together with [`FixedPayload`] or [`ListPayload`] it can stand in [`control_space!`](crate::control_space). Example:
/// the [`message`](crate::message) module.
pub trait ControlKind {
    /// The protocol the message belongs to, such as `SOL_SOCKET`.
    #[doc(alias = "cmsg_level")]
    const LEVEL: c_int;
    /// The type of the message within its level.
    #[doc(alias = "cmsg_type")]
    const TYPE: c_int;
}

/// A kind whose payload always has the same size.
///
/// ```
/// use ancillary::control::FixedPayload;
///
/// # #[cfg(target_os = "linux")]
/// assert_eq!(ancillary::message::ScmCredentials::PAYLOAD_SIZE, 12);
/// ```
pub trait FixedPayload: ControlKind {
    /// The size of the payload in bytes.
    const PAYLOAD_SIZE: usize;
}

/// A kind whose payload is a list: perhaps a part of fixed size, then any number of elements.
///
/// ```
/// use ancillary::control::{ControlKind, ListPayload};
/// use ancillary::{Layout, control_space};
/// use core::ffi::c_int;
///
/// /// The initialisation vector of a cipher: its length, and its bytes.
/// struct InitialisationVector;
///
/// impl ControlKind for InitialisationVector {
///     const LEVEL: c_int = 279;
///     const TYPE: c_int = 2;
/// }
///
/// impl ListPayload for InitialisationVector {
///     const PREFIX_SIZE: usize = 4;
///     const ELEMENT_SIZE: usize = 1;
/// }
///
/// assert_eq!(Some(control_space!(InitialisationVector[16])), Layout::NATIVE.space(20));
/// ```
pub trait ListPayload: ControlKind {
    /// The size in bytes of what comes before the elements.
    const PREFIX_SIZE: usize = 0;
    /// The size of one element in bytes.
    const ELEMENT_SIZE: usize;
}

/// The size in bytes of a list of `count` elements; the largest number if it is larger than that, for which no layout
/// has room.
#[doc(hidden)]
pub const fn payload_size_of_list<K: ListPayload>(count: usize) -> usize {
    K::ELEMENT_SIZE.saturating_mul(count).saturating_add(K::PREFIX_SIZE)
}
