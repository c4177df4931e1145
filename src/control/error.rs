use core::error::Error;
use core::ffi::c_int;
use core::fmt;

/// A control buffer that holds something that is not a message, and where.
///
/// Messages before it stand. What comes after it cannot be found.
///
/// Example: [`offset`](Self::offset).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ControlError {
    /// A header claims a length that does not even cover itself and the padding before its payload.
    LengthBelowHeader {
        /// Where the header begins in the buffer, in bytes.
        offset: usize,
        /// What its `cmsg_len` says, in bytes.
        claimed: u64,
        /// How many bytes the buffer has from the header on.
        remaining: usize,
    },
    /// A header claims more bytes than the buffer has.
    ///
    /// Apple's kernel and NetBSD's do this when they truncate. What is really there comes from
    /// [`ControlMessages::truncated_message`](super::ControlMessages::truncated_message).
    LengthBeyondBuffer {
        /// Where the header begins in the buffer, in bytes.
        offset: usize,
        /// What its `cmsg_len` says, in bytes.
        claimed: u64,
        /// How many bytes the buffer has from the header on.
        remaining: usize,
    },
}

impl ControlError {
    /// Where the header begins in the buffer, in bytes.
    ///
    /// ```
    /// use ancillary::ControlMessages;
    ///
    /// let error = ControlMessages::new(&[0; 16]).next().unwrap().unwrap_err();
    /// assert_eq!((error.offset(), error.claimed(), error.remaining()), (0, 0, 16));
    /// ```
    pub const fn offset(&self) -> usize {
        match *self {
            Self::LengthBelowHeader { offset, .. } | Self::LengthBeyondBuffer { offset, .. } => offset,
        }
    }

    /// What the header's `cmsg_len` says, in bytes.
    ///
    /// Example: [`offset`](Self::offset).
    pub const fn claimed(&self) -> u64 {
        match *self {
            Self::LengthBelowHeader { claimed, .. } | Self::LengthBeyondBuffer { claimed, .. } => claimed,
        }
    }

    /// How many bytes the buffer has from the header on.
    ///
    /// Example: [`offset`](Self::offset).
    pub const fn remaining(&self) -> usize {
        match *self {
            Self::LengthBelowHeader { remaining, .. } | Self::LengthBeyondBuffer { remaining, .. } => remaining,
        }
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offset, claimed, remaining) = (self.offset(), self.claimed(), self.remaining());
        match self {
            Self::LengthBelowHeader { .. } => {
                write!(f, "control message at byte {offset} claims {claimed} bytes, fewer than its header")
            }
            Self::LengthBeyondBuffer { .. } => {
                write!(f, "control message at byte {offset} claims {claimed} bytes, but {remaining} are left")
            }
        }
    }
}

impl Error for ControlError {}

/// Why a message was not pushed. The buffer is as it was.
///
/// Example: [`push_raw`](super::ControlWriter::push_raw).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PushError {
    /// The message does not fit into what is left of the buffer.
    BufferTooSmall {
        /// How many bytes the message takes at least: its `CMSG_LEN`. (Another message after it needs this one's
        /// `CMSG_SPACE`.)
        needed: usize,
        /// How many bytes of the buffer are left.
        available: usize,
    },
    /// The payload is so long that the length of the message is more than `cmsg_len` or a `usize` can hold.
    TooLong {
        /// The length of the payload in bytes.
        payload: usize,
    },
    /// More descriptors than the system takes in one call. A kernel would refuse the call, with `EINVAL`, `EMSGSIZE` or
    /// `E2BIG`.
    TooManyDescriptors {
        /// How many there would be in the buffer with this message.
        count: usize,
        /// How many there may be: [`SCM_MAX_FD`](crate::message::SCM_MAX_FD).
        max: usize,
    },
    /// Plain bytes were pushed as a kind whose payload is a promise, into a buffer that safe code can send.
    ///
    /// Such a payload holds the numbers of descriptors (`SCM_RIGHTS`), or addresses of memory that the kernel reads and
    /// writes, perhaps after the call (Linux, level `SOL_RDS`: types 1, 3 and 6 to 9).
    ///
    /// A descriptor that is sent must be borrowed until then: push a [`ScmRights`](crate::message::ScmRights). A writer
    /// with a [`Layout`](crate::Layout) value ([`with_layout`](super::ControlWriter::with_layout)) takes any bytes, and
    /// what it writes is sent by the `unsafe` raw call.
    UnsafePayload {
        /// The level that was asked for.
        level: c_int,
        /// The type that was asked for.
        message_type: c_int,
    },
    /// The message's type does not send this value: the system would refuse it, or take it for something else without
    /// an error.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use ancillary::message::UdpSegment;
    /// use ancillary::{ControlWriter, PushError};
    ///
    /// // The kernel would send all of the data as one datagram.
    /// let pushed = ControlWriter::new(&mut [0; 64]).push(UdpSegment(0));
    /// assert_eq!(pushed, Err(PushError::InvalidValue { level: 17, message_type: 103 }));
    /// # }
    /// ```
    InvalidValue {
        /// The level of the message.
        level: c_int,
        /// The type of the message.
        message_type: c_int,
    },
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferTooSmall { needed, available } => {
                write!(f, "control message needs {needed} bytes, but {available} are left")
            }
            Self::TooLong { payload } => write!(f, "a payload of {payload} bytes is too long for a control message"),
            Self::TooManyDescriptors { count, max } => {
                write!(f, "{count} descriptors in one call, but the system takes {max}")
            }
            Self::UnsafePayload { level, message_type } => {
                write!(
                    f,
                    "plain bytes are not a safe payload for level {level} and type {message_type}: it names descriptors or memory"
                )
            }
            Self::InvalidValue { level, message_type } => {
                write!(f, "the value is not valid for a control message of level {level} and type {message_type}")
            }
        }
    }
}

impl Error for PushError {}
