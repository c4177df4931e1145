//! What the bytes mean: the traits every message type is written with, and the types this crate knows.
//!
//! The layer is open. A type of yours that implements the traits is used exactly like one of these, and a message
//! nobody has a type for goes in through [`ControlWriter::push_raw`] and comes out as a [`ControlMessage`].
//!
//! A payload is in the target's own form: typed messages are for what this process sends and receives. Bytes of another
//! system have [layouts](crate::layout) and raw payloads.
//!
//! ```
//! use ancillary::message::{ControlKind, DecodeMessage, EncodeMessage, WrongLength};
//! use ancillary::{ControlMessages, ControlSpace, ControlWriter, PushError, control_space};
//! use core::ffi::c_int;
//!
//! /// A message that this crate has never heard of.
//! #[derive(Debug, PartialEq)]
//! struct Priority(u32);
//!
//! impl ControlKind for Priority {
//!     const LEVEL: c_int = 280;
//!     const TYPE: c_int = 7;
//!     const PAYLOAD_SIZE: usize = 4;
//! }
//!
//! impl EncodeMessage<'_> for Priority {
//!     fn push_to(&self, control: &mut ControlWriter<'_>) -> Result<(), PushError> {
//!         control.push_raw(Self::LEVEL, Self::TYPE, &self.0.to_ne_bytes())
//!     }
//! }
//!
//! impl DecodeMessage<'_> for Priority {
//!     fn decode(payload: &[u8]) -> Result<Self, WrongLength> {
//!         WrongLength::exactly(payload).map(|bytes| Priority(u32::from_ne_bytes(*bytes)))
//!     }
//! }
//!
//! let mut space = ControlSpace::<{ control_space!(Priority) }>::new();
//! let mut control = space.writer();
//! control.push(&Priority(6))?;
//!
//! let message = ControlMessages::new(control.as_bytes()).next().unwrap()?;
//! assert_eq!(message.decode::<Priority>(), Some(Ok(Priority(6))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

#[cfg(sockets)]
mod socket;

use crate::control::{ControlMessage, ControlWriter, PushError};
use core::error::Error;
use core::ffi::c_int;
use core::fmt;

#[cfg(sockets)]
pub(crate) use socket::descriptor_number;
#[cfg(sockets)]
pub use socket::{NoDescriptor, SCM_MAX_FD, ScmRights, ScmRightsNumbers};
#[cfg(linux_kernel)]
pub use socket::{ScmCredentials, ScmPidfd, ScmSecurity};

/// A kind of control message: its numbers.
///
/// Example: [the module's](self).
pub trait ControlKind {
    /// The protocol the message belongs to, such as `SOL_SOCKET`.
    #[doc(alias = "cmsg_level")]
    const LEVEL: c_int;
    /// The type of the message within its level.
    #[doc(alias = "cmsg_type")]
    const TYPE: c_int;
    /// The size of the payload in bytes; for a payload that is a list, the size of one element.
    const PAYLOAD_SIZE: usize;
}

/// A message that can be written.
///
/// `'fd` is how long the descriptors it passes on stay open: for as long as the writer they are pushed to lives. Most
/// messages pass none and implement it for every lifetime.
///
/// Example: [the module's](self).
pub trait EncodeMessage<'fd>: ControlKind {
    /// Appends this message, or fails and leaves the writer as it was.
    ///
    /// # Errors
    ///
    /// Those of [`ControlWriter::push_raw`].
    fn push_to(&self, control: &mut ControlWriter<'fd>) -> Result<(), PushError>;
}

/// A message that can be read from a payload.
///
/// Example: [the module's](self).
pub trait DecodeMessage<'m>: ControlKind + Sized {
    /// Reads the payload, which may be of any length and at any address.
    ///
    /// # Errors
    ///
    /// [`WrongLength`] if the payload is not as long as such a message is. A truncated message is shorter.
    fn decode(payload: &'m [u8]) -> Result<Self, WrongLength>;
}

/// A payload that is not as long as its type asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WrongLength {
    /// What the type asks for, in bytes.
    pub expected: usize,
    /// What there is, in bytes.
    pub actual: usize,
}

impl WrongLength {
    /// The payload as an array of exactly `SIZE` bytes.
    ///
    /// # Errors
    ///
    /// `WrongLength` if it is shorter or longer.
    ///
    /// ```
    /// use ancillary::message::WrongLength;
    ///
    /// assert_eq!(WrongLength::exactly(&[1, 2]), Ok(&[1, 2]));
    /// assert_eq!(WrongLength::exactly::<4>(&[1, 2]), Err(WrongLength { expected: 4, actual: 2 }));
    /// ```
    #[inline]
    pub fn exactly<const SIZE: usize>(payload: &[u8]) -> Result<&[u8; SIZE], WrongLength> {
        payload.try_into().map_err(|_| WrongLength { expected: SIZE, actual: payload.len() })
    }
}

impl fmt::Display for WrongLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the payload has {} bytes where its type has {}", self.actual, self.expected)
    }
}

impl Error for WrongLength {}

impl<'a> ControlWriter<'a> {
    /// Appends a typed message.
    ///
    /// # Errors
    ///
    /// Those of [`push_raw`](Self::push_raw), and [`PushError::TooManyDescriptors`]. Nothing has changed then.
    ///
    /// ```
    /// use ancillary::message::ScmRights;
    /// use ancillary::{ControlSpace, control_space};
    /// use rustix::fd::AsFd;
    ///
    /// let (reader, writer) = rustix::pipe::pipe()?;
    /// let mut space = ControlSpace::<{ control_space!(ScmRights[2]) }>::new();
    /// let mut control = space.writer();
    /// control.push(&ScmRights::new(&[reader.as_fd(), writer.as_fd()]))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn push<M: EncodeMessage<'a>>(&mut self, message: &M) -> Result<(), PushError> {
        message.push_to(self)
    }
}

impl<'a> ControlMessage<'a> {
    /// Whether the message has the level and type of `K`.
    ///
    /// Its payload may still be of any length.
    ///
    /// ```
    /// use ancillary::ControlMessage;
    /// use ancillary::message::{ControlKind, ScmRights};
    ///
    /// assert!(ControlMessage::new(ScmRights::LEVEL, ScmRights::TYPE, b"").is::<ScmRights>());
    /// assert!(!ControlMessage::new(41, ScmRights::TYPE, b"").is::<ScmRights>());
    /// ```
    #[inline]
    pub fn is<K: ControlKind>(&self) -> bool {
        self.level() == K::LEVEL && self.message_type() == K::TYPE
    }

    /// The message as an `M`, or `None` if it is another kind.
    ///
    /// # Errors
    ///
    /// [`WrongLength`] if it is of the kind, but its payload is not as long as that asks.
    ///
    /// Example: [the module's](crate::message).
    #[inline]
    pub fn decode<M: DecodeMessage<'a>>(&self) -> Option<Result<M, WrongLength>> {
        self.is::<M>().then(|| M::decode(self.payload()))
    }
}

/// The payload size of a list of `count` elements; one that is more than a `usize` holds does not compile in a
/// constant.
#[doc(hidden)]
pub const fn payload_size_of_list<K: ControlKind>(count: usize) -> usize {
    match K::PAYLOAD_SIZE.checked_mul(count) {
        Some(size) => size,
        // No layout has room for it, so the macros that call this refuse it.
        None => usize::MAX,
    }
}
