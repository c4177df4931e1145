//! What the bytes mean: the traits every message type is written with, and the types this crate knows.
//!
//! The layer is open. A type of yours that implements the traits is used exactly like one of these, and a message
//! nobody has a type for goes in through [`ControlWriter::push_raw`] and comes out as a [`ControlMessage`].
//!
//! A payload is in the target's own form: typed messages are for what this process sends and receives. Bytes of another
//! system have [layouts](crate::layout) and raw payloads.
//!
//! ```
//! use ancillary::control::FixedPayload;
//! use ancillary::message::{ControlKind, DecodeError, DecodeMessage, EncodeMessage, payload_array};
//! use ancillary::{ControlMessages, ControlBuffer, ControlWriter, PushError, control_space};
//! use core::ffi::c_int;
//!
//! /// A message that this crate has never heard of.
//! #[derive(Debug, PartialEq)]
//! struct Priority(u32);
//!
//! impl ControlKind for Priority {
//!     const LEVEL: c_int = 280;
//!     const TYPE: c_int = 7;
//! }
//!
//! impl FixedPayload for Priority {
//!     const PAYLOAD_SIZE: usize = 4;
//! }
//!
//! impl EncodeMessage<'_> for Priority {
//!     fn push_to(self, control: &mut ControlWriter<'_>) -> Result<(), PushError> {
//!         control.push_raw(Self::LEVEL, Self::TYPE, &self.0.to_ne_bytes())
//!     }
//! }
//!
//! impl DecodeMessage<'_> for Priority {
//!     fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
//!         payload_array(payload).map(|bytes| Priority(u32::from_ne_bytes(*bytes)))
//!     }
//! }
//!
//! let mut space = ControlBuffer::<{ control_space!(Priority) }>::new();
//! let mut control = space.writer();
//! control.push(Priority(6))?;
//!
//! let message = ControlMessages::new(control.as_bytes()).next().unwrap()?;
//! assert_eq!(message.decode::<Priority>(), Some(Ok(Priority(6))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(unsafe_code)]

mod delivery;
#[cfg(sockets)]
mod descriptors;
#[cfg(ip_pktinfo)]
mod ipv4;
#[cfg(rfc_3542)]
mod ipv6;
#[cfg(rfc_3542)]
mod number;
#[cfg(linux_kernel)]
mod socket;
#[cfg(linux_kernel)]
mod udp;

use crate::control::{ControlMessage, ControlWriter, PushError};
use core::error::Error;
use core::ffi::c_int;
use core::fmt;

pub use crate::control::ControlKind;
pub use delivery::DeliveredOnRequest;
#[cfg(sockets)]
pub(crate) use descriptors::descriptor_number;
#[cfg(sockets)]
pub use descriptors::{DescriptorError, LendFd, SCM_MAX_FD, ScmRights, ScmRightsNumbers};
#[cfg(ip_pktinfo)]
pub use ipv4::IpPktinfo;
#[cfg(linux_kernel)]
pub use ipv4::IpTos;
#[cfg(rfc_3542)]
pub use ipv6::{Ipv6Pktinfo, Ipv6Tclass};
#[cfg(linux_kernel)]
pub use socket::{ScmCredentials, ScmPidfd, ScmSecurity};
#[cfg(linux_kernel)]
pub use udp::{Segments, UdpGro, UdpSegment};

/// What can be pushed: a control message, or any number of them.
///
/// `'fd` is how long the descriptors it passes on stay open: for as long as the writer they are pushed to lives. Most
/// messages pass none and implement it for every lifetime.
///
/// An `Option` pushes its message, or nothing; a tuple of up to eight pushes each of its members, in order.
///
/// Example: [the module's](self).
pub trait EncodeMessage<'fd> {
    /// Appends this to the writer, or fails and leaves the writer as it was. What has been appended before an error is taken
    /// back by [`push`](ControlWriter::push); if this does something else to the writer and fails, that may leave it empty.
    /// If this panics, what has been appended by then stays in the writer, as whole messages.
    ///
    /// # Errors
    ///
    /// Those of [`ControlWriter::push_raw`].
    ///
    /// Example: [the module's](self).
    fn push_to(self, control: &mut ControlWriter<'fd>) -> Result<(), PushError>;
}

impl<'fd, M: EncodeMessage<'fd>> EncodeMessage<'fd> for Option<M> {
    #[inline]
    fn push_to(self, control: &mut ControlWriter<'fd>) -> Result<(), PushError> {
        match self {
            Some(message) => message.push_to(control),
            None => Ok(()),
        }
    }
}

/// Makes a tuple of messages one that pushes all of them.
macro_rules! tuple_of_messages {
    ($($message:ident)+) => {
        impl<'fd, $($message: EncodeMessage<'fd>),+> EncodeMessage<'fd> for ($($message,)+) {
            #[inline]
            fn push_to(self, control: &mut ControlWriter<'fd>) -> Result<(), PushError> {
                #[allow(non_snake_case, reason = "a value has the name of its type")]
                let ($($message,)+) = self;
                $($message.push_to(control)?;)+
                Ok(())
            }
        }
    };
}

tuple_of_messages!(A);
tuple_of_messages!(A B);
tuple_of_messages!(A B C);
tuple_of_messages!(A B C D);
tuple_of_messages!(A B C D E);
tuple_of_messages!(A B C D E F);
tuple_of_messages!(A B C D E F G);
tuple_of_messages!(A B C D E F G H);

/// A message that can be read from a payload.
///
/// Example: [the module's](self).
pub trait DecodeMessage<'m>: ControlKind + Sized {
    /// Reads the payload, which may be of any length and at any address.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the payload is not as long as such a message is. A truncated message is shorter.
    ///
    /// Example: [the module's](self).
    fn decode(payload: &'m [u8]) -> Result<Self, DecodeError>;
}

/// A payload that is not what its type asks for.
///
/// A type of the caller's makes these errors too.
///
/// ```
/// use ancillary::message::{DecodeError, payload_array};
///
/// assert_eq!(payload_array::<4>(&[1, 2]), Err(DecodeError::WrongLength { expected: 4, actual: 2 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeError {
    /// It is shorter or longer. A message that was truncated is shorter.
    WrongLength {
        /// What the type asks for, in bytes.
        expected: usize,
        /// What there is, in bytes.
        actual: usize,
    },
    /// It is shorter than the shortest that its type reads.
    TooShort {
        /// The least that the type asks for, in bytes.
        least: usize,
        /// What there is, in bytes.
        actual: usize,
    },
    /// Its length is right, and its content is not.
    WrongContent {
        /// Where the content that is wrong begins in the payload, in bytes.
        offset: usize,
    },
}

/// The payload as an array of exactly `SIZE` bytes: the first step of most [`DecodeMessage`]s.
///
/// # Errors
///
/// [`DecodeError::WrongLength`] if it is shorter or longer.
///
/// ```
/// use ancillary::message::payload_array;
///
/// assert_eq!(payload_array(&[1, 2]), Ok(&[1, 2]));
/// assert!(payload_array::<4>(&[1, 2]).is_err());
/// ```
#[inline]
pub fn payload_array<const SIZE: usize>(payload: &[u8]) -> Result<&[u8; SIZE], DecodeError> {
    payload.try_into().map_err(|_| DecodeError::WrongLength { expected: SIZE, actual: payload.len() })
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongLength { expected, actual } => {
                write!(f, "the payload has {actual} bytes where its type has {expected}")
            }
            Self::TooShort { least, actual } => {
                write!(f, "the payload has {actual} bytes where its type has {least} or more")
            }
            Self::WrongContent { offset } => write!(f, "the payload has a wrong content at byte {offset}"),
        }
    }
}

impl Error for DecodeError {}

impl<'a> ControlWriter<'a> {
    /// Appends a typed message, an `Option` of one, or a tuple of several: all of it, or nothing.
    ///
    /// # Errors
    ///
    /// Those of [`push_raw`](Self::push_raw), [`PushError::TooManyDescriptors`] and [`PushError::InvalidValue`]. Nothing has
    /// changed then, unless the message does more to the writer than to append.
    ///
    /// ```
    /// use ancillary::message::ScmRights;
    /// use ancillary::{ControlBuffer, control_space};
    ///
    /// let (reader, writer) = rustix::pipe::pipe()?;
    /// let mut space = ControlBuffer::<{ control_space!(ScmRights[2]) }>::new();
    /// let mut control = space.writer();
    /// control.push(ScmRights([&reader, &writer]))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn push(&mut self, message: impl EncodeMessage<'a>) -> Result<(), PushError> {
        let before = self.checkpoint();
        let pushed = message.push_to(self);
        if pushed.is_err() {
            self.rollback(before);
        }
        pushed
    }
}

/// Level and type as one number, to be compared at once: in a header they lie side by side.
#[inline]
const fn kind(level: c_int, message_type: c_int) -> u64 {
    ((message_type as u32 as u64) << 32) + level as u32 as u64
}

impl<'a> ControlMessage<'a> {
    /// Whether the message has the level and type of `K`.
    ///
    /// Its payload may still be of any length.
    ///
    /// ```
    /// use ancillary::ControlMessage;
    /// use ancillary::message::ScmRights;
    /// use ancillary::platform::{SCM_RIGHTS, SOL_SOCKET};
    ///
    /// assert!(ControlMessage::new(SOL_SOCKET, SCM_RIGHTS, b"").is::<ScmRights>());
    /// assert!(!ControlMessage::new(41, SCM_RIGHTS, b"").is::<ScmRights>());
    /// ```
    #[inline]
    pub fn is<K: ControlKind>(&self) -> bool {
        kind(self.level(), self.message_type()) == kind(K::LEVEL, K::TYPE)
    }

    /// The message as an `M`, or `None` if it is another kind.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if it is of the kind, but its payload is not as long as that asks.
    ///
    /// Example: [the module's](crate::message).
    #[inline]
    pub fn decode<M: DecodeMessage<'a>>(&self) -> Option<Result<M, DecodeError>> {
        self.is::<M>().then(|| M::decode(self.payload()))
    }
}
