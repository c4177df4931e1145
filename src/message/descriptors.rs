//! Open descriptors as a message, and what stands in the place of one that could not be passed.

use super::{ControlKind, DecodeError, DecodeMessage, EncodeMessage};
use crate::control::{ControlWriter, ListPayload, PushError};
use crate::platform;
use core::error::Error;
use core::ffi::c_int;
use core::fmt;
use core::iter::FusedIterator;
use rustix::fd::{AsFd, BorrowedFd, RawFd};
use rustix::io::Errno;

/// The most descriptors the system takes in one call, over all `SCM_RIGHTS` messages in it. (Not every system sends more
/// than one: [`ScmRights`].)
///
/// Linux 253, macOS and FreeBSD 254, OpenBSD 127, NetBSD 1020; `usize::MAX` where no limit is known. More are refused by
/// [`ControlWriter::push`], before any call. (musl's own wrapper of the call refuses a little less, with `ENOMEM`.)
///
/// On NetBSD fewer arrive: if control messages (16 bytes and 8 for each descriptor, as its kernel keeps them) and data
/// are longer than the receiver's buffer, which has 4096 bytes unless it was changed, `sendmsg` on a stream or a
/// seqpacket socket returns `Ok` and nothing arrives. The default carries 508 descriptors.
///
/// Source: Linux `include/net/scm.h`; `unp_internalize` in the BSDs' and Apple's `uipc_usrreq.c`; NetBSD: measured.
///
/// ```
/// # #[cfg(target_os = "linux")]
/// assert_eq!(ancillary::message::SCM_MAX_FD, 253);
/// ```
pub const SCM_MAX_FD: usize = platform::SCM_MAX_FD;

/// `SCM_RIGHTS`, to send: open descriptors, passed on to the receiver over a UNIX-domain socket.
///
/// It holds whatever has the descriptors: anything that can be iterated over and [lends](LendFd) them, for as long as the
/// control buffer is borrowed. That is a reference to a list of files (`&[OwnedFd]`, `&Vec<File>`), an array of
/// [`BorrowedFd`]s or of references, an iterator over any of these, or the descriptors that were just received, to
/// forward them. An iterator that gives an `OwnedFd` or a `File` away does not compile: that would be closed before it is
/// sent.
///
/// The kernel duplicates them when the call is made. The sender may close its own at once after it; the open files stay
/// open. An empty list is sent as it is, and on Linux arrives as nothing. On a stream, at least one byte of data must
/// go with them. (On NetBSD they are sent without, and arrive in a receive of 0 bytes.)
///
/// Push one such message for a call. Linux puts several together, FreeBSD sends each; NetBSD drops all but the first
/// *control message* of a call on a UNIX-domain socket, without an error and whatever it is (measured); Apple's kernel
/// and OpenBSD refuse more than one (read in their sources).
///
/// Not every descriptor can be passed: Linux refuses those of io_uring, with `EINVAL` (since 6.8).
///
/// A program that has plain numbers borrows them, which is `unsafe`: [`BorrowedFd::borrow_raw`].
///
/// Source of truth: unix(7).
///
/// ```
/// use ancillary::message::ScmRights;
/// use ancillary::{ControlBuffer, control_space};
/// use rustix::fd::OwnedFd;
///
/// let (reader, writer) = rustix::pipe::pipe()?;
/// let files: [OwnedFd; 2] = [rustix::io::dup(&reader)?, rustix::io::dup(&writer)?];
///
/// let mut space = ControlBuffer::<{ control_space!(ScmRights[2], ScmRights[2], ScmRights[1]) }>::new();
/// let mut control = space.writer();
/// control.push(ScmRights(&files))?;
/// control.push(ScmRights([&reader, &writer]))?;
/// control.push(ScmRights(files.iter().take(1)))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[doc(alias = "SCM_RIGHTS")]
pub struct ScmRights<I = [BorrowedFd<'static>; 0]>(
    /// What has the descriptors, in the order in which they are passed.
    pub I,
);

/// Lends a descriptor for `'fd`: a reference to what [has one](AsFd), or a [`BorrowedFd`].
///
/// Example: [`ScmRights`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not lend a descriptor for as long as the control buffer is borrowed",
    note = "a descriptor that is given away is closed before it is sent: iterate over references, such as `&files`"
)]
pub trait LendFd<'fd> {
    /// Returns the descriptor.
    ///
    /// ```
    /// use ancillary::message::LendFd;
    /// use rustix::fd::AsRawFd;
    ///
    /// let (reader, _writer) = rustix::pipe::pipe()?;
    /// assert_eq!((&reader).lend_fd().as_raw_fd(), reader.as_raw_fd());
    /// # Ok::<(), rustix::io::Errno>(())
    /// ```
    fn lend_fd(self) -> BorrowedFd<'fd>;
}

impl<'fd> LendFd<'fd> for BorrowedFd<'fd> {
    #[inline]
    fn lend_fd(self) -> BorrowedFd<'fd> {
        self
    }
}

impl<'fd, T: AsFd + ?Sized> LendFd<'fd> for &'fd T {
    #[inline]
    fn lend_fd(self) -> BorrowedFd<'fd> {
        self.as_fd()
    }
}

impl<I> ControlKind for ScmRights<I> {
    const LEVEL: c_int = platform::SOL_SOCKET;
    const TYPE: c_int = platform::SCM_RIGHTS;
}

impl<I> ListPayload for ScmRights<I> {
    const ELEMENT_SIZE: usize = size_of::<c_int>();
}

impl<'fd, I: IntoIterator<Item: LendFd<'fd>>> EncodeMessage<'fd> for ScmRights<I> {
    #[inline]
    fn push_to(self, control: &mut ControlWriter<'fd>) -> Result<(), PushError> {
        let descriptors = self.0.into_iter().map(LendFd::lend_fd);
        control.push_descriptors(<Self as ControlKind>::LEVEL, <Self as ControlKind>::TYPE, descriptors, SCM_MAX_FD)
    }
}

/// A slot for a descriptor that has none: the kernel put a negative number there, usually an error.
///
/// Linux leaves `-errno` in an `SCM_PIDFD` that could not be made, and, where a socket asks for it with
/// `SO_RIGHTS_NOTRUNC`, in the slot of a file that a security module kept back.
///
/// Example: [`errno`](Self::errno).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DescriptorError {
    /// What the slot holds: a negative number.
    pub raw: c_int,
}

impl DescriptorError {
    /// The error the slot stands for, if it is in the range of errors: from −1 to −4095.
    ///
    /// ```
    /// use ancillary::message::DescriptorError;
    /// use rustix::io::Errno;
    ///
    /// let kept_back = DescriptorError { raw: -Errno::PERM.raw_os_error() };
    /// assert_eq!(kept_back.errno(), Some(Errno::PERM));
    /// assert_eq!(DescriptorError { raw: i32::MIN }.errno(), None);
    /// ```
    pub const fn errno(self) -> Option<Errno> {
        match self.raw {
            -4095..=-1 => Some(Errno::from_raw_os_error(-self.raw)),
            _ => None,
        }
    }
}

impl fmt::Display for DescriptorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errno() {
            Some(errno) => write!(f, "the slot holds no descriptor but an error: {errno}"),
            None => write!(f, "the slot holds no descriptor but {}", self.raw),
        }
    }
}

impl Error for DescriptorError {}

/// What a slot of four bytes holds.
#[inline]
pub(crate) fn descriptor_number(slot: [u8; size_of::<c_int>()]) -> Result<RawFd, DescriptorError> {
    match c_int::from_ne_bytes(slot) {
        number @ 0.. => Ok(number),
        raw => Err(DescriptorError { raw }),
    }
}

/// `SCM_RIGHTS`, read from plain bytes: the numbers of descriptors of some process.
///
/// An iterator over the whole slots of the payload. It owns nothing. Those that arrived in this process come from
/// [`Received`](crate::Received), which owns them.
///
/// ```
/// use ancillary::ControlMessage;
/// use ancillary::message::{ControlKind, DescriptorError, ScmRightsNumbers};
///
/// let payload = [5i32, -13].map(i32::to_ne_bytes).concat();
/// let message = ControlMessage::new(ScmRightsNumbers::LEVEL, ScmRightsNumbers::TYPE, &payload);
/// let mut numbers = message.decode::<ScmRightsNumbers>().unwrap()?;
/// assert_eq!(numbers.next(), Some(Ok(5)));
/// assert_eq!(numbers.next(), Some(Err(DescriptorError { raw: -13 })));
/// assert_eq!(numbers.next(), None);
/// # Ok::<(), ancillary::message::DecodeError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "an iterator does nothing until it is walked"]
pub struct ScmRightsNumbers<'m> {
    payload: &'m [u8],
}

impl<'m> ScmRightsNumbers<'m> {
    /// The bytes of the payload that have not been walked: after the last whole slot, what is left of a slot that was
    /// cut.
    ///
    /// ```
    /// use ancillary::message::{DecodeMessage, ScmRightsNumbers};
    ///
    /// let mut numbers = ScmRightsNumbers::decode(&[5, 6, 7])?;
    /// assert_eq!(numbers.next(), None);
    /// assert_eq!(numbers.remainder(), [5, 6, 7]);
    /// # Ok::<(), ancillary::message::DecodeError>(())
    /// ```
    pub const fn remainder(&self) -> &'m [u8] {
        self.payload
    }
}

impl ControlKind for ScmRightsNumbers<'_> {
    const LEVEL: c_int = platform::SOL_SOCKET;
    const TYPE: c_int = platform::SCM_RIGHTS;
}

impl ListPayload for ScmRightsNumbers<'_> {
    const ELEMENT_SIZE: usize = size_of::<c_int>();
}

impl<'m> DecodeMessage<'m> for ScmRightsNumbers<'m> {
    #[inline]
    fn decode(payload: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(ScmRightsNumbers { payload })
    }
}

impl Iterator for ScmRightsNumbers<'_> {
    type Item = Result<RawFd, DescriptorError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (slot, rest) = self.payload.split_first_chunk()?;
        self.payload = rest;
        Some(descriptor_number(*slot))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let slots = self.payload.len() / Self::ELEMENT_SIZE;
        (slots, Some(slots))
    }
}

impl ExactSizeIterator for ScmRightsNumbers<'_> {}
impl FusedIterator for ScmRightsNumbers<'_> {}
