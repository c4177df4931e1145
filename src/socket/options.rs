//! How to receive.

use super::CLOEXEC_ON_RECEIVE;
use rustix::net::RecvFlags;

#[cfg(linux_kernel)]
use super::backend;
#[cfg(linux_kernel)]
use crate::platform::{AF_ATMPVC, AF_ATMSVC, AF_CAN, AF_KEY, AF_MCTP, AF_PACKET, AF_PHONET, SO_DOMAIN, SOL_SOCKET};
#[cfg(linux_kernel)]
use core::ffi::c_int;
use rustix::{fd::BorrowedFd, io::Errno};

/// The families that refuse flags that they do not know, each before it looks at the socket. None passes descriptors.
///
/// `net/packet/af_packet.c`, `packet_recvmsg`; `net/key/af_key.c`, `pfkey_recvmsg`; `net/can/isotp.c`, `isotp_recvmsg`, and
/// `net/can/j1939/socket.c`, `j1939_sk_recvmsg`; `net/phonet/datagram.c`, `pn_recvmsg`, and `pep.c`, `pep_recvmsg`;
/// `net/mctp/af_mctp.c`, `mctp_recvmsg`; `net/atm/common.c`, `vcc_recvmsg`.
#[cfg(linux_kernel)]
const REFUSING: [c_int; 7] = [AF_PACKET, AF_KEY, AF_CAN, AF_PHONET, AF_MCTP, AF_ATMPVC, AF_ATMSVC];

/// How [`recvmsg`](crate::received::recvmsg) and [`recvmmsg`](crate::received::recvmmsg) receive: the system's flags, and what the call does
/// beside them.
///
/// Flags alone are such options too, and so is the default: no flag, close-on-exec on every descriptor, and an interruption
/// is an error.
///
/// ```
/// use ancillary::control::ControlSliceMut;
/// use ancillary::received::recvmsg;
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
/// recvmsg(&here, &mut slices, ControlSliceMut::none(), RecvOptions::new().retry_interrupted())?.complete()?;
/// recvmsg(&here, &mut slices, ControlSliceMut::none(), RecvOptions::from(RecvFlags::DONTWAIT).inheritable())?.complete()?;
/// recvmsg(&here, &mut slices, ControlSliceMut::none(), RecvFlags::DONTWAIT)?.complete()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "these options are for a call that receives"]
pub struct RecvOptions {
    flags: RecvFlags,
    inheritable: bool,
    retry_interrupted: bool,
}

impl Default for RecvOptions {
    #[inline]
    fn default() -> Self {
        Self::new()
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
        RecvOptions { flags, inheritable: false, retry_interrupted: false }
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
        if self.inheritable { self.flags } else { self.flags.union(CLOEXEC_ON_RECEIVE) }
    }

    /// Whether close-on-exec is still to be set on what a call with these flags has received: where the system has no flag
    /// for it, or the socket has refused it. (Another thread may have put another socket in its place by then.)
    #[inline]
    pub(crate) const fn leaves_inheritable(self, flags: RecvFlags) -> bool {
        !self.inheritable && (CLOEXEC_ON_RECEIVE.is_empty() || !flags.contains(CLOEXEC_ON_RECEIVE))
    }

    /// The flags to make a call again with that has failed with these; or the error, if it is not to be made again.
    ///
    /// A call that was interrupted may be made again. So is one that failed because the socket refuses the flag for
    /// close-on-exec, which this has added, and then without it: only for families that look at the flags of a call before
    /// anything else ([`REFUSING`]). Any other error of theirs, and every error of another family, may have been taken from
    /// the socket by the first call, or have taken data with it: a second call would wait, or find nothing.
    #[cold]
    pub(super) fn again(self, socket: BorrowedFd<'_>, flags: RecvFlags, error: Errno) -> Result<RecvFlags, Errno> {
        if error == Errno::INTR && self.retry_interrupted {
            return Ok(flags);
        }
        #[cfg(linux_kernel)]
        if !self.inheritable
            && matches!(error, Errno::INVAL | Errno::OPNOTSUPP)
            && flags.contains(CLOEXEC_ON_RECEIVE)
            && backend::option(socket, SOL_SOCKET, SO_DOMAIN).is_ok_and(|family| REFUSING.contains(&family))
        {
            return Ok(flags.difference(CLOEXEC_ON_RECEIVE));
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
