//! Messages of level `SOL_SOCKET`.

use super::{ControlKind, DecodeError, DecodeMessage, EncodeMessage, exactly};
use crate::control::{ControlWriter, FixedPayload, ListPayload, PushError};
use crate::platform;
use core::error::Error;
use core::ffi::c_int;
use core::fmt;
use core::iter::FusedIterator;
use rustix::fd::{BorrowedFd, RawFd};
use rustix::io::Errno;

/// The most descriptors the system takes in one call, over all `SCM_RIGHTS` messages in it.
///
/// Linux 253, macOS and FreeBSD 254, OpenBSD 127; `usize::MAX` where no limit is known. More are refused by
/// [`ControlWriter::push`], before any call. (musl's own wrapper of the call refuses a little less, with `ENOMEM`.)
///
/// Source: Linux `include/net/scm.h`; `unp_internalize` in the BSDs' and Apple's `uipc_usrreq.c`.
///
/// ```
/// # #[cfg(target_os = "linux")]
/// assert_eq!(ancillary::message::SCM_MAX_FD, 253);
/// ```
pub const SCM_MAX_FD: usize = platform::SCM_MAX_FD;

/// `SCM_RIGHTS`, to send: open descriptors, passed on to the receiver over a UNIX-domain socket.
///
/// The kernel duplicates them when the call is made. The sender may close its own at once after it; the open files stay
/// open. An empty list is sent as it is, and on Linux arrives as nothing. On a stream, at least one byte of data must
/// go with them.
///
/// Source of truth: unix(7).
///
/// Example: [`ControlWriter::push`].
#[derive(Clone, Copy, Debug)]
#[doc(alias = "SCM_RIGHTS")]
pub struct ScmRights<'s, 'fd> {
    descriptors: &'s [BorrowedFd<'fd>],
}

impl<'s, 'fd> ScmRights<'s, 'fd> {
    /// A message that passes these descriptors on, in this order.
    ///
    /// ```
    /// use ancillary::message::ScmRights;
    /// use rustix::fd::AsFd;
    ///
    /// let (reader, _writer) = rustix::pipe::pipe()?;
    /// let message = ScmRights::new(&[reader.as_fd()]);
    /// # Ok::<(), rustix::io::Errno>(())
    /// ```
    #[inline]
    pub const fn new(descriptors: &'s [BorrowedFd<'fd>]) -> Self {
        ScmRights { descriptors }
    }
}

impl ControlKind for ScmRights<'_, '_> {
    const LEVEL: c_int = platform::SOL_SOCKET;
    const TYPE: c_int = platform::SCM_RIGHTS;
}

impl ListPayload for ScmRights<'_, '_> {
    const ELEMENT_SIZE: usize = size_of::<c_int>();
}

impl<'fd> EncodeMessage<'fd> for ScmRights<'_, 'fd> {
    #[inline]
    fn push_to(&self, control: &mut ControlWriter<'fd>) -> Result<(), PushError> {
        control.push_descriptors(Self::LEVEL, Self::TYPE, self.descriptors, SCM_MAX_FD)
    }
}

/// A slot for a descriptor that has none: the kernel put a negative number there, usually an error.
///
/// Linux leaves `-errno` in an `SCM_PIDFD` that could not be made, and, where a socket asks for it with
/// `SO_RIGHTS_NOTRUNC`, in the slot of a file that a security module kept back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NoDescriptor {
    /// What the slot holds: a negative number.
    pub slot: c_int,
}

impl NoDescriptor {
    /// The error the slot stands for, if it is in the range of errors: from −1 to −4095.
    ///
    /// ```
    /// use ancillary::message::NoDescriptor;
    /// use rustix::io::Errno;
    ///
    /// let kept_back = NoDescriptor { slot: -Errno::PERM.raw_os_error() };
    /// assert_eq!(kept_back.errno(), Some(Errno::PERM));
    /// assert_eq!(NoDescriptor { slot: i32::MIN }.errno(), None);
    /// ```
    pub const fn errno(self) -> Option<Errno> {
        match self.slot {
            -4095..=-1 => Some(Errno::from_raw_os_error(-self.slot)),
            _ => None,
        }
    }
}

impl fmt::Display for NoDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errno() {
            Some(errno) => write!(f, "the slot holds no descriptor but an error: {errno}"),
            None => write!(f, "the slot holds no descriptor but {}", self.slot),
        }
    }
}

impl Error for NoDescriptor {}

/// What a slot of four bytes holds.
pub(crate) fn descriptor_number(slot: [u8; size_of::<c_int>()]) -> Result<RawFd, NoDescriptor> {
    match c_int::from_ne_bytes(slot) {
        number @ 0.. => Ok(number),
        slot => Err(NoDescriptor { slot }),
    }
}

/// `SCM_RIGHTS`, read from plain bytes: the numbers of descriptors of some process.
///
/// An iterator over the whole slots of the payload. It owns nothing. Those that arrived in this process come from
/// [`Received`](crate::Received), which owns them.
///
/// ```
/// use ancillary::ControlMessage;
/// use ancillary::message::{ControlKind, NoDescriptor, ScmRights, ScmRightsNumbers};
///
/// let payload = [5i32, -13].map(i32::to_ne_bytes).concat();
/// let message = ControlMessage::new(ScmRights::LEVEL, ScmRights::TYPE, &payload);
/// let mut numbers = message.decode::<ScmRightsNumbers>().unwrap()?;
/// assert_eq!(numbers.next(), Some(Ok(5)));
/// assert_eq!(numbers.next(), Some(Err(NoDescriptor { slot: -13 })));
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
    const LEVEL: c_int = ScmRights::LEVEL;
    const TYPE: c_int = ScmRights::TYPE;
}

impl ListPayload for ScmRightsNumbers<'_> {
    const ELEMENT_SIZE: usize = ScmRights::ELEMENT_SIZE;
}

impl<'m> DecodeMessage<'m> for ScmRightsNumbers<'m> {
    fn decode(payload: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(ScmRightsNumbers { payload })
    }
}

impl Iterator for ScmRightsNumbers<'_> {
    type Item = Result<RawFd, NoDescriptor>;

    fn next(&mut self) -> Option<Self::Item> {
        let (slot, rest) = self.payload.split_first_chunk()?;
        self.payload = rest;
        Some(descriptor_number(*slot))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let slots = self.payload.len() / ScmRights::ELEMENT_SIZE;
        (slots, Some(slots))
    }
}

impl ExactSizeIterator for ScmRightsNumbers<'_> {}
impl FusedIterator for ScmRightsNumbers<'_> {}

/// `SCM_CREDENTIALS`: who sent a message, as the kernel has checked it. Linux and Android.
///
/// A receiver that has turned `SO_PASSCRED` on ([`set_socket_passcred`]) gets one with every message, before the
/// descriptors; it takes room in the control buffer. A listening socket hands the option on to those it accepts. A
/// sender without privileges can only send its own numbers: its process id, and any of its real, effective and saved
/// ids.
///
/// A message that was queued before `SO_PASSCRED` was on arrives with pid 0 and the overflow ids (65534): nobody is
/// known then. Pid 0 also stands for a process that the receiver's pid namespace does not show.
///
/// Source of truth: unix(7), `struct ucred`.
///
/// [`set_socket_passcred`]: rustix::net::sockopt::set_socket_passcred
///
/// ```
/// use ancillary::message::ScmCredentials;
/// use ancillary::{ControlMessages, ControlSpace, control_space};
///
/// let mut space = ControlSpace::<{ control_space!(ScmCredentials) }>::new();
/// let mut control = space.writer();
/// control.push(&ScmCredentials::of_this_process())?;
/// let message = ControlMessages::new(control.as_bytes()).next().unwrap()?;
/// assert_eq!(message.decode::<ScmCredentials>().unwrap()?.pid, std::process::id() as i32);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(linux_kernel)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "SCM_CREDENTIALS")]
#[doc(alias = "ucred")]
pub struct ScmCredentials {
    /// The process id of the sender, in the receiver's pid namespace; 0 if it is not known.
    pub pid: i32,
    /// The user id of the sender, in the receiver's user namespace.
    pub uid: u32,
    /// The group id of the sender, in the receiver's user namespace.
    pub gid: u32,
}

#[cfg(linux_kernel)]
impl ControlKind for ScmCredentials {
    const LEVEL: c_int = platform::SOL_SOCKET;
    const TYPE: c_int = platform::SCM_CREDENTIALS;
}

#[cfg(linux_kernel)]
impl FixedPayload for ScmCredentials {
    const PAYLOAD_SIZE: usize = 12;
}

#[cfg(linux_kernel)]
impl EncodeMessage<'_> for ScmCredentials {
    #[inline]
    fn push_to(&self, control: &mut ControlWriter<'_>) -> Result<(), PushError> {
        let mut payload = [0; Self::PAYLOAD_SIZE];
        let fields = [self.pid.to_ne_bytes(), self.uid.to_ne_bytes(), self.gid.to_ne_bytes()];
        for (bytes, field) in payload.chunks_exact_mut(4).zip(fields) {
            bytes.copy_from_slice(&field);
        }
        control.push_raw(Self::LEVEL, Self::TYPE, &payload)
    }
}

#[cfg(linux_kernel)]
impl DecodeMessage<'_> for ScmCredentials {
    #[inline]
    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let payload = exactly::<{ Self::PAYLOAD_SIZE }>(payload)?;
        let (pid, ids) = payload.split_at(4);
        let (uid, gid) = ids.split_at(4);
        Ok(ScmCredentials {
            pid: i32::from_ne_bytes(*exactly(pid)?),
            uid: u32::from_ne_bytes(*exactly(uid)?),
            gid: u32::from_ne_bytes(*exactly(gid)?),
        })
    }
}

/// `SCM_PIDFD`, read from plain bytes: the number of a descriptor that stands for the process of the sender. Linux 6.5.
///
/// A receiver that has turned `SO_PASSPIDFD` on gets one with every message, after `SCM_RIGHTS`. It can only be
/// received. One that arrived in this process comes from [`Received`](crate::Received), which owns it: it must be
/// closed like any other descriptor.
///
/// If the kernel could not make the descriptor, the slot holds a negative error.
///
/// Source: Linux `net/core/scm.c`, `scm_pidfd_recv`.
///
/// ```
/// use ancillary::message::{DecodeMessage, NoDescriptor, ScmPidfd};
///
/// assert_eq!(ScmPidfd::decode(&9i32.to_ne_bytes())?.number, Ok(9));
/// assert_eq!(ScmPidfd::decode(&(-24i32).to_ne_bytes())?.number, Err(NoDescriptor { slot: -24 }));
/// # Ok::<(), ancillary::message::DecodeError>(())
/// ```
#[cfg(linux_kernel)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "SCM_PIDFD")]
pub struct ScmPidfd {
    /// The number of the descriptor.
    pub number: Result<RawFd, NoDescriptor>,
}

#[cfg(linux_kernel)]
impl ControlKind for ScmPidfd {
    const LEVEL: c_int = platform::SOL_SOCKET;
    const TYPE: c_int = platform::SCM_PIDFD;
}

#[cfg(linux_kernel)]
impl FixedPayload for ScmPidfd {
    const PAYLOAD_SIZE: usize = size_of::<c_int>();
}

#[cfg(linux_kernel)]
impl DecodeMessage<'_> for ScmPidfd {
    #[inline]
    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        exactly(payload).map(|slot| ScmPidfd { number: descriptor_number(*slot) })
    }
}

/// `SCM_SECURITY`: the label that a security module gives the sender. Linux.
///
/// A receiver that has turned `SO_PASSSEC` on gets one if a security module gives labels (on a stream, older kernels
/// give one only with `SO_PASSCRED` on as well). It can only be received. Its length is that of the label:
/// `control_space!(ScmSecurity[n])` is room for `n` bytes of it.
///
/// Source: Linux `net/unix/af_unix.c` and `include/net/scm.h`, `scm_passec`.
///
/// ```
/// use ancillary::message::{DecodeMessage, ScmSecurity};
///
/// let security = ScmSecurity::decode(b"unconfined\0")?;
/// assert_eq!(security.label(), b"unconfined");
/// assert_eq!(security.payload(), b"unconfined\0");
/// # Ok::<(), ancillary::message::DecodeError>(())
/// ```
#[cfg(linux_kernel)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "SCM_SECURITY")]
pub struct ScmSecurity<'m> {
    payload: &'m [u8],
}

#[cfg(linux_kernel)]
impl<'m> ScmSecurity<'m> {
    /// The label without the NUL byte that security modules by convention end it with. Example: [the type's](Self).
    pub const fn label(&self) -> &'m [u8] {
        match self.payload {
            [label @ .., 0] => label,
            label => label,
        }
    }

    /// All bytes of the payload. Example: [the type's](Self).
    pub const fn payload(&self) -> &'m [u8] {
        self.payload
    }
}

#[cfg(linux_kernel)]
impl ControlKind for ScmSecurity<'_> {
    const LEVEL: c_int = platform::SOL_SOCKET;
    const TYPE: c_int = platform::SCM_SECURITY;
}

#[cfg(linux_kernel)]
impl ListPayload for ScmSecurity<'_> {
    const ELEMENT_SIZE: usize = 1;
}

#[cfg(linux_kernel)]
impl<'m> DecodeMessage<'m> for ScmSecurity<'m> {
    fn decode(payload: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(ScmSecurity { payload })
    }
}
