//! Close-on-exec on what is received, from sockets of every family.

use super::backend;
use rustix::net::RecvFlags;

#[cfg(linux_kernel)]
use crate::platform::{AF_UNIX, SO_DOMAIN, SOL_SOCKET};
#[cfg(linux_kernel)]
use rustix::{fd::BorrowedFd, io::Errno};

/// The flag that has the system set close-on-exec on every descriptor it receives, in the same step:
/// `MSG_CMSG_CLOEXEC`.
///
/// Empty where the system has no such flag: Apple's, Solaris, AIX and some smaller ones.
///
/// On Linux a few families, which pass no descriptors, refuse it with `EINVAL` or `EOPNOTSUPP`: `AF_PACKET`, `AF_KEY`,
/// CAN ISO-TP, CAN J1939, Phonet and MCTP. Leave it out for their sockets.
///
/// ```
/// # #[cfg(target_os = "linux")]
/// assert_eq!(ancillary::socket::CLOEXEC_ON_RECEIVE, rustix::net::RecvFlags::CMSG_CLOEXEC);
/// ```
#[doc(alias = "MSG_CMSG_CLOEXEC")]
pub const CLOEXEC_ON_RECEIVE: RecvFlags = RecvFlags::from_bits_retain(backend::CLOEXEC_ON_RECEIVE);

/// Whether descriptors that arrive are close-on-exec.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseOnExec {
    /// They are: [`CLOEXEC_ON_RECEIVE`] is added to the flags of the call, unless the socket refuses it.
    Set,
    /// As the flags of the call say.
    AsFlagsSay,
}

impl CloseOnExec {
    /// The flags to make the call with.
    #[inline]
    pub(super) const fn add_to(self, flags: RecvFlags) -> RecvFlags {
        match self {
            CloseOnExec::Set => flags.union(CLOEXEC_ON_RECEIVE),
            CloseOnExec::AsFlagsSay => flags,
        }
    }

    /// Whether a call has failed because the socket refuses the flag that this has added: the call is then made again
    /// without it.
    ///
    /// Only sockets of the UNIX family pass descriptors (Linux `net/core/scm.c`, `__scm_send`), and their calls are never
    /// made again. An error of theirs has another cause, which may be gone by then: a socket that another thread has
    /// connected since would deliver descriptors without the flag.
    #[cfg(linux_kernel)]
    #[cold]
    pub(super) fn is_refused(self, socket: BorrowedFd<'_>, error: Errno) -> bool {
        self == CloseOnExec::Set
            && matches!(error, Errno::INVAL | Errno::OPNOTSUPP)
            && backend::option(socket, SOL_SOCKET, SO_DOMAIN).is_ok_and(|family| family != AF_UNIX)
    }
}
