//! What a multishot RECVMSG leaves in a buffer: `struct io_uring_recvmsg_out` (`include/uapi/linux/io_uring.h`), and
//! after it a name, control messages and data.

use super::CLOEXEC_ON_RECEIVE;
use crate::control::ControlMessages;
use core::error::Error;
use core::fmt;
use rustix::net::ReturnFlags;

/// Where the fields of the structure lie, each of them a `__u32` in the machine's own byte order.
const NAMELEN: usize = 0;
const CONTROLLEN: usize = 4;
const PAYLOADLEN: usize = 8;
const FLAGS: usize = 12;

/// The structure, with what it means.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fields {
    /// How long the name was: more than there is room for if it was cut.
    pub(crate) name_len: usize,
    /// How many bytes of control messages there are, padding included.
    pub(crate) control_len: usize,
    /// What the call has returned: more than there is room for if it was asked for the true length of a datagram.
    pub(crate) payload_len: usize,
    flags: u32,
}

impl Fields {
    /// The size of the structure in bytes.
    pub(crate) const LEN: usize = 16;

    /// The structure at the front of some bytes; `None` if there are too few.
    #[inline]
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.first_chunk::<{ Self::LEN }>()?;
        let field = |offset| Some(u32::from_ne_bytes(*bytes.get(offset..)?.first_chunk()?));
        // No system with sockets has a `usize` of less than 32 bits.
        Some(Fields {
            name_len: field(NAMELEN)? as usize,
            control_len: field(CONTROLLEN)? as usize,
            payload_len: field(PAYLOADLEN)? as usize,
            flags: field(FLAGS)?,
        })
    }

    /// The flags the call has returned, without `MSG_CMSG_CLOEXEC`, which Linux echoes.
    #[inline]
    pub(crate) const fn flags(&self) -> ReturnFlags {
        ReturnFlags::from_bits_retain(self.flags & !CLOEXEC_ON_RECEIVE.bits())
    }
}

/// One message as a multishot RECVMSG has left it in a buffer, split into its parts. It borrows the buffer and owns
/// nothing.
///
/// [`MultishotMsgHdr::split`](super::MultishotMsgHdr::split) makes it.
///
/// ```
/// use ancillary::socket::MultishotMsgHdr;
///
/// let header = MultishotMsgHdr::new(16, 32)?;
/// // As it comes from a socket that is not connected and has nothing to say but its data.
/// let mut buffer = Vec::new();
/// buffer.extend([16u32, 0, 4, 0].iter().flat_map(|field| field.to_ne_bytes()));
/// buffer.extend([0; 16 + 32]);
/// buffer.extend(b"data");
///
/// let message = header.split(&buffer)?;
/// assert_eq!((message.payload(), message.payload_len()), (&b"data"[..], 4));
/// assert_eq!((message.name(), message.name_len()), (&[0; 16][..], 16));
/// assert!(message.control().is_empty() && message.messages().next().is_none());
/// assert!(message.flags().is_empty());
/// assert!(!message.data_truncated() && !message.control_truncated() && !message.name_truncated());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
#[doc(alias = "io_uring_recvmsg_out")]
#[doc(alias = "io_uring_recvmsg_validate")]
pub struct RecvmsgOut<'b> {
    pub(super) fields: Fields,
    pub(super) name: &'b [u8],
    pub(super) control: &'b [u8],
    pub(super) payload: &'b [u8],
}

impl<'b> RecvmsgOut<'b> {
    /// The sender's name, a `struct sockaddr`, as far as there was room for it.
    ///
    /// Example: [the type's](Self).
    #[inline]
    #[doc(alias = "io_uring_recvmsg_name")]
    pub const fn name(&self) -> &'b [u8] {
        self.name
    }

    /// How many bytes the name had, whether there was room for it or not.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub const fn name_len(&self) -> usize {
        self.fields.name_len
    }

    /// The control messages, as bytes at any address: the part of their room that was filled.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub const fn control(&self) -> &'b [u8] {
        self.control
    }

    /// The control messages.
    ///
    /// Example: [the type's](Self).
    #[inline]
    #[doc(alias = "io_uring_recvmsg_cmsg_firsthdr")]
    #[doc(alias = "io_uring_recvmsg_cmsg_nexthdr")]
    pub const fn messages(&self) -> ControlMessages<'b> {
        ControlMessages::new(self.control)
    }

    /// The data that is there, as far as the lengths say.
    ///
    /// On a TCP stream Linux takes `MSG_TRUNC` in a request to mean that the bytes are to be thrown away: none of them is
    /// here then, but what lay in the buffer before.
    ///
    /// Example: [the type's](Self).
    #[inline]
    #[doc(alias = "io_uring_recvmsg_payload")]
    pub const fn payload(&self) -> &'b [u8] {
        self.payload
    }

    /// How many bytes of data the call returned: more than are there if it was asked for the true length of a datagram
    /// (`MSG_TRUNC`).
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub const fn payload_len(&self) -> usize {
        self.fields.payload_len
    }

    /// The flags the system returned, without `MSG_CMSG_CLOEXEC`, which Linux echoes.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub const fn flags(&self) -> ReturnFlags {
        self.fields.flags()
    }

    /// Whether a datagram was longer than its room (`MSG_TRUNC`), or than what is here of the buffer.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub const fn data_truncated(&self) -> bool {
        self.flags().contains(ReturnFlags::TRUNC) || self.payload.len() < self.payload_len()
    }

    /// Whether control messages were lost or cut (`MSG_CTRUNC`).
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub const fn control_truncated(&self) -> bool {
        self.flags().contains(ReturnFlags::CTRUNC)
    }

    /// Whether the name was longer than its room. The system has no flag for it.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub const fn name_truncated(&self) -> bool {
        self.name.len() < self.name_len()
    }
}

impl fmt::Debug for RecvmsgOut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvmsgOut")
            .field("name_len", &self.name_len())
            .field("control", &self.control.len())
            .field("payload_len", &self.payload_len())
            .field("flags", &self.flags())
            .finish_non_exhaustive()
    }
}

/// A buffer that cannot be what a multishot RECVMSG with this header has left.
///
/// ```
/// use ancillary::socket::{MultishotMsgHdr, RecvmsgOutError};
///
/// let header = MultishotMsgHdr::new(0, 64)?;
/// assert_eq!(header.split(b"").unwrap_err(), RecvmsgOutError::TooShort { needed: 16 + 64, len: 0 });
/// # Ok::<(), rustix::io::Errno>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecvmsgOutError {
    /// There are fewer bytes than even an empty message takes.
    TooShort {
        /// The least there can be, in bytes: [`payload_offset`](super::MultishotMsgHdr::payload_offset).
        needed: usize,
        /// How many there are.
        len: usize,
    },
    /// There would be more control messages than there is room for. The request was made with another header.
    ControlBeyondRoom {
        /// How many bytes the buffer says there are.
        claimed: usize,
        /// How many there are at most.
        room: usize,
    },
}

impl fmt::Display for RecvmsgOutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { needed, len } => {
                write!(f, "a message of a multishot RECVMSG takes {needed} bytes or more, but {len} are there")
            }
            Self::ControlBeyondRoom { claimed, room } => {
                write!(f, "control messages of {claimed} bytes are claimed, but there is room for {room}")
            }
        }
    }
}

impl Error for RecvmsgOutError {}

/// The kernel's own definition. (It is a dependency of the tests only.)
#[cfg(all(test, target_os = "linux"))]
mod kernel_definition {
    use super::{CONTROLLEN, FLAGS, Fields, NAMELEN, PAYLOADLEN};
    use core::mem::offset_of;
    use linux_raw_sys::io_uring::io_uring_recvmsg_out;
    use static_assertions::const_assert_eq;

    const_assert_eq!(Fields::LEN, size_of::<io_uring_recvmsg_out>());
    const_assert_eq!(NAMELEN, offset_of!(io_uring_recvmsg_out, namelen));
    const_assert_eq!(CONTROLLEN, offset_of!(io_uring_recvmsg_out, controllen));
    const_assert_eq!(PAYLOADLEN, offset_of!(io_uring_recvmsg_out, payloadlen));
    const_assert_eq!(FLAGS, offset_of!(io_uring_recvmsg_out, flags));

    /// Every field is a `u32`, and there is no other.
    fn _fields(namelen: u32, controllen: u32, payloadlen: u32, flags: u32) -> io_uring_recvmsg_out {
        io_uring_recvmsg_out { namelen, controllen, payloadlen, flags }
    }
}
