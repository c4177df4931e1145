//! A prepared header for a multishot RECVMSG, and how to split what that leaves in a buffer.

use super::backend;
use super::header::MsgHdr;
use super::recvmsg_out::{Fields, RecvmsgOut, RecvmsgOutError};
use core::fmt;
use core::ops::Range;
use core::ptr;
use rustix::io::Errno;

/// A prepared header for a multishot RECVMSG of io_uring: how much room each message has for a name and for control
/// messages.
///
/// Such a request receives one message after the other, each into a buffer of its own that the ring has been provided
/// with. The system takes two lengths from the header and nothing else, so it borrows nothing. Every buffer that is
/// filled is laid out by them:
///
/// ```text
/// struct io_uring_recvmsg_out    16 bytes: four lengths and flags
/// room for the name              name_room bytes, whatever the name has
/// room for control messages      control_capacity bytes, whatever they have, and at any address
/// data                           from payload_offset on
/// ```
///
/// [`split`](Self::split) reads such a buffer. It is safe and owns nothing: for sockets that pass no descriptors. What
/// may hold descriptors is for [`received`](Self::received), once.
///
/// # The request
///
/// Linux 6.0. It needs `IOSQE_BUFFER_SELECT` and `IORING_RECV_MULTISHOT`, refuses `MSG_WAITALL`, and takes
/// [`CLOEXEC_ON_RECEIVE`](super::CLOEXEC_ON_RECEIVE) in `msg_flags`: without it, descriptors are inherited across
/// `exec`. It has ended with the first completion that has no `IORING_CQE_F_MORE`. That may be an error: `ENOBUFS` if no
/// buffer was left, `EFAULT` if one was shorter than [`payload_offset`](Self::payload_offset). An empty datagram also
/// ends it, like the end of a stream.
///
/// Of a buffer that holds many messages (`IOU_PBUF_RING_INC`), what is left counts as one. Where that is too short, the
/// system does not go on to the next buffer: every request on the group ends with `EFAULT`.
///
/// Every completion whose result is not negative has filled as many bytes of its buffer as the result says, and may have
/// brought descriptors. A completion that nobody looks at leaves them open: cancel the request, and look at what it has
/// still brought, before the ring is closed. And keep the buffers until the request has ended: to close the ring does not
/// end it at once.
///
/// Source of truth: Linux `io_recvmsg_multishot`, `io_uring/net.c`, and io_uring_prep_recvmsg_multishot(3).
///
/// ```
/// use ancillary::message::ScmRights;
/// use ancillary::socket::MultishotMsgHdr;
/// use ancillary::control_space;
///
/// let header = MultishotMsgHdr::new(0, control_space!(ScmRights[1]))?;
/// let msghdr = header.as_ptr(); // for the ring
/// let least = header.payload_offset(); // a buffer has to have more
/// # assert_eq!(least, 16 + control_space!(ScmRights[1]));
/// # Ok::<(), rustix::io::Errno>(())
/// ```
#[doc(alias = "io_uring_recvmsg_out")]
#[doc(alias = "IORING_RECV_MULTISHOT")]
pub struct MultishotMsgHdr {
    raw: backend::MsgHdr,
    name_room: usize,
    control_capacity: usize,
}

// SAFETY: the pointers in the header are null.
unsafe impl Send for MultishotMsgHdr {}
// SAFETY: as above.
unsafe impl Sync for MultishotMsgHdr {}

/// Where everything lies in a buffer, as far as the buffer goes, and what is wrong with it.
pub(crate) struct Parts {
    pub(crate) fields: Fields,
    pub(crate) name: Range<usize>,
    pub(crate) control: Range<usize>,
    pub(crate) payload: Range<usize>,
    pub(crate) error: Option<RecvmsgOutError>,
}

impl MultishotMsgHdr {
    /// A header with `name_room` bytes for the name of each sender and `control_capacity` for the control messages.
    ///
    /// Without room for a name, no name is asked for. `size_of::<SocketAddrStorage>()`, 128, holds any.
    ///
    /// # Errors
    ///
    /// `EOVERFLOW` if both and the 16 bytes before them are more than an `int` holds: the system would refuse it.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub fn new(name_room: usize, control_capacity: usize) -> Result<Self, Errno> {
        let most = i32::MAX as usize - Fields::LEN;
        if name_room.checked_add(control_capacity).is_none_or(|rooms| rooms > most) {
            return Err(Errno::OVERFLOW);
        }
        let (name, data, control) = ((ptr::null_mut(), 0), (ptr::null_mut(), 0), (ptr::null_mut(), control_capacity));
        let mut raw = backend::message_header(name, data, control);
        raw.msg_namelen = name_room as _; // no more than an `int` holds
        Ok(MultishotMsgHdr { raw, name_room, control_capacity })
    }

    /// A pointer to the header, for the submission.
    ///
    /// It is valid for as long as this value lives and stays where it is. The system reads the header when it takes the
    /// submission, and does not write to it. (For a request that is not multishot, it would: that takes a
    /// [`RecvMsgHdr`](super::RecvMsgHdr).)
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub const fn as_ptr(&self) -> *const MsgHdr {
        (&raw const self.raw).cast()
    }

    /// How many bytes there are for a name.
    ///
    /// ```
    /// let header = ancillary::socket::MultishotMsgHdr::new(28, 64)?;
    /// assert_eq!((header.name_room(), header.control_capacity(), header.payload_offset()), (28, 64, 108));
    /// # Ok::<(), rustix::io::Errno>(())
    /// ```
    #[inline]
    pub const fn name_room(&self) -> usize {
        self.name_room
    }

    /// How many bytes there are for control messages.
    ///
    /// Example: [`name_room`](Self::name_room).
    #[inline]
    pub const fn control_capacity(&self) -> usize {
        self.control_capacity
    }

    /// Where the data begins in each buffer: no buffer may be shorter, and no completion says less.
    ///
    /// Example: [`name_room`](Self::name_room).
    #[inline]
    pub const fn payload_offset(&self) -> usize {
        self.control_offset() + self.control_capacity
    }

    /// Where the room for control messages begins. The sum is no more than an `int` holds.
    #[inline]
    const fn control_offset(&self) -> usize {
        Fields::LEN + self.name_room
    }

    /// Splits what a request with this header has left in a buffer: any bytes, at any address.
    ///
    /// `buffer` is the part of the provided buffer that the completion says was filled. (All of the provided buffer will
    /// do as well: what stands after the message is left out.)
    ///
    /// Nothing owns descriptors that are in it: they are numbers here. Of a socket that may receive descriptors, give the
    /// buffer to [`received`](Self::received).
    ///
    /// # Errors
    ///
    /// [`RecvmsgOutError`] if the buffer cannot be what a request with this header has left.
    ///
    /// Example: [`RecvmsgOut`].
    #[inline]
    pub fn split<'b>(&self, buffer: &'b [u8]) -> Result<RecvmsgOut<'b>, RecvmsgOutError> {
        let Parts { fields, name, control, payload, error } = self.parts(buffer);
        let part = |range| buffer.get(range).unwrap_or_default();
        match error {
            None => Ok(RecvmsgOut { fields, name: part(name), control: part(control), payload: part(payload) }),
            Some(error) => Err(error),
        }
    }

    /// Where everything lies in a buffer. Every range lies in the buffer, and no two have a byte in common. (`.ci/lemmas`
    /// has this once more, and `.ci/symbolic` plants a bug in it by its text.)
    ///
    /// A length that says more than there is room for is cut to that: of a name and of data, the lengths are true all the
    /// same, as they were before the system cut.
    #[inline]
    pub(crate) fn parts(&self, buffer: &[u8]) -> Parts {
        let len = buffer.len();
        let fields = Fields::read(buffer).unwrap_or_default(); // it is too short then, whatever the rooms
        let part = |start: usize, says: usize, room: usize| {
            let start = start.min(len);
            start..start + says.min(room).min(len - start)
        };
        let error = if len < self.payload_offset() {
            Some(RecvmsgOutError::TooShort { needed: self.payload_offset(), len })
        } else if fields.control_len > self.control_capacity {
            Some(RecvmsgOutError::ControlBeyondRoom { claimed: fields.control_len, room: self.control_capacity })
        } else {
            None
        };
        Parts {
            name: part(Fields::LEN, fields.name_len, self.name_room),
            control: part(self.control_offset(), fields.control_len, self.control_capacity),
            payload: part(self.payload_offset(), fields.payload_len, len),
            fields,
            error,
        }
    }
}

impl fmt::Debug for MultishotMsgHdr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultishotMsgHdr")
            .field("name_room", &self.name_room)
            .field("control_capacity", &self.control_capacity)
            .finish_non_exhaustive()
    }
}
