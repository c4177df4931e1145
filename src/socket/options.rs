//! How to receive.

use super::CLOEXEC_ON_RECEIVE;
use rustix::net::RecvFlags;

#[cfg(linux_kernel)]
use super::backend;
#[cfg(linux_kernel)]
use crate::platform::{AF_UNIX, SO_DOMAIN, SOL_SOCKET};
use rustix::{fd::BorrowedFd, io::Errno};

/// How [`recvmsg`](crate::recvmsg) and [`recvmmsg`](crate::recvmmsg) receive: the system's flags, and what the call does
/// beside them.
///
/// Flags alone are such options too, and so is the default: no flag, close-on-exec on every descriptor, and an interruption
/// is an error.
///
/// ```
/// use ancillary::control::ControlMemory;
/// use ancillary::recvmsg;
/// use ancillary::socket::RecvOptions;
/// use rustix::io::IoSliceMut;
/// use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};
///
/// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
/// for _ in 0..3 {
///     rustix::io::write(&there, b"data")?;
/// }
/// let mut data = [0; 16];
/// let mut slices = [IoSliceMut::new(&mut data)];
/// recvmsg(&here, &mut slices, ControlMemory::none(), RecvOptions::new().retry_interrupted())?.complete()?;
/// recvmsg(&here, &mut slices, ControlMemory::none(), RecvOptions::from(RecvFlags::DONTWAIT).inheritable())?.complete()?;
/// recvmsg(&here, &mut slices, ControlMemory::none(), RecvFlags::DONTWAIT)?.complete()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[must_use = "these options are for a call that receives"]
pub struct RecvOptions {
    flags: Flags,
    inheritable: bool,
    retry_interrupted: bool,
}

/// rustix's flags have no default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Flags(RecvFlags);

impl Default for Flags {
    fn default() -> Self {
        Flags(RecvFlags::empty())
    }
}

impl RecvOptions {
    /// No flag, close-on-exec on every descriptor, and an interruption is an error.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub const fn new() -> Self {
        Self::with_flags(RecvFlags::empty())
    }

    /// These flags, and otherwise as [`new`](Self::new).
    ///
    /// ```
    /// use ancillary::socket::RecvOptions;
    /// use rustix::net::RecvFlags;
    ///
    /// const OPTIONS: RecvOptions = RecvOptions::with_flags(RecvFlags::PEEK);
    /// assert_eq!(OPTIONS, RecvFlags::PEEK.into());
    /// ```
    #[inline]
    pub const fn with_flags(flags: RecvFlags) -> Self {
        RecvOptions { flags: Flags(flags), inheritable: false, retry_interrupted: false }
    }

    /// Leaves the descriptors that arrive inheritable across `exec`, and gives the system the caller's flags alone.
    ///
    /// (An `SCM_PIDFD` is close-on-exec all the same: Linux makes it so.)
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub const fn inheritable(mut self) -> Self {
        self.inheritable = true;
        self
    }

    /// Makes the call again when a signal has interrupted it before anything was received (`EINTR`).
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub const fn retry_interrupted(mut self) -> Self {
        self.retry_interrupted = true;
        self
    }

    /// The flags to give the system.
    #[inline]
    pub(crate) const fn flags(self) -> RecvFlags {
        if self.inheritable { self.flags.0 } else { self.flags.0.union(CLOEXEC_ON_RECEIVE) }
    }

    /// Whether descriptors are to be close-on-exec.
    #[cfg(not(cloexec_on_receive))]
    #[inline]
    pub(crate) const fn close_on_exec(self) -> bool {
        !self.inheritable
    }

    /// The flags to make a call again with that has failed with these; or the error, if it is not to be made again.
    ///
    /// A call that was interrupted may be made again. So is one that failed because the socket refuses the flag for
    /// close-on-exec, which this has added, and then without it. Only sockets of the UNIX family pass descriptors (Linux
    /// `net/core/scm.c`, `__scm_send`), and their calls are not made again for that. An error of theirs has another cause,
    /// which may be gone by then: a socket that another thread has connected since would deliver descriptors without the
    /// flag.
    #[cold]
    pub(super) fn again(self, socket: BorrowedFd<'_>, flags: RecvFlags, error: Errno) -> Result<RecvFlags, Errno> {
        match error {
            Errno::INTR if self.retry_interrupted => return Ok(flags),
            #[cfg(linux_kernel)]
            Errno::INVAL | Errno::OPNOTSUPP if !self.inheritable && flags.contains(CLOEXEC_ON_RECEIVE) => {
                if backend::option(socket, SOL_SOCKET, SO_DOMAIN).is_ok_and(|family| family != AF_UNIX) {
                    return Ok(flags.difference(CLOEXEC_ON_RECEIVE));
                }
            }
            _ => {}
        }
        let _ = socket;
        Err(error)
    }
}

impl From<RecvFlags> for RecvOptions {
    #[inline]
    fn from(flags: RecvFlags) -> Self {
        Self::with_flags(flags)
    }
}
