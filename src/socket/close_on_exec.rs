//! Close-on-exec on what is received, from sockets of every family.

use super::backend;
use rustix::net::RecvFlags;

#[cfg(linux_kernel)]
use crate::platform::{AF_ATMPVC, AF_ATMSVC, AF_CAN, AF_KEY, AF_MCTP, AF_PACKET, AF_PHONET, SO_DOMAIN, SOL_SOCKET};
#[cfg(linux_kernel)]
use {
    core::ffi::c_int,
    rustix::{fd::BorrowedFd, io::Errno},
};

/// The families that refuse flags that they do not know, each before it looks at the socket. None passes descriptors.
///
/// `net/packet/af_packet.c`, `packet_recvmsg`; `net/key/af_key.c`, `pfkey_recvmsg`; `net/can/isotp.c`, `isotp_recvmsg`, and
/// `net/can/j1939/socket.c`, `j1939_sk_recvmsg`; `net/phonet/datagram.c`, `pn_recvmsg`, and `pep.c`, `pep_recvmsg`;
/// `net/mctp/af_mctp.c`, `mctp_recvmsg`; `net/atm/common.c`, `vcc_recvmsg`.
#[cfg(linux_kernel)]
const REFUSING: [c_int; 7] = [AF_PACKET, AF_KEY, AF_CAN, AF_PHONET, AF_MCTP, AF_ATMPVC, AF_ATMSVC];

/// The flag that has the system set close-on-exec on every descriptor it receives, in the same step:
/// `MSG_CMSG_CLOEXEC`.
///
/// Empty where the system has no such flag: Apple's, Solaris, AIX and some smaller ones.
///
/// On Linux a few families, which pass no descriptors, refuse it with `EINVAL` or `EOPNOTSUPP`: `AF_PACKET`, `AF_KEY`,
/// CAN ISO-TP, CAN J1939, Phonet, MCTP and ATM. Leave it out for their sockets.
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

    /// Whether close-on-exec is still to be set on what a call with these flags has received: where the system has no flag
    /// for it, or the socket has refused it. (Another thread may have put another socket in its place by then.)
    #[inline]
    pub(crate) const fn is_left_after(self, flags: RecvFlags) -> bool {
        matches!(self, CloseOnExec::Set) && (CLOEXEC_ON_RECEIVE.is_empty() || !flags.contains(CLOEXEC_ON_RECEIVE))
    }

    /// Whether a call has failed because the socket refuses the flag that this has added: the call is then made again
    /// without it.
    ///
    /// Only for families that look at the flags of a call before anything else ([`REFUSING`]). Any other error of theirs, and
    /// every error of another family, may have been taken from the socket by the first call, or have taken data with it:
    /// a second call would wait, or find nothing.
    #[cfg(linux_kernel)]
    #[cold]
    pub(super) fn is_refused(self, socket: BorrowedFd<'_>, error: Errno) -> bool {
        self == CloseOnExec::Set
            && matches!(error, Errno::INVAL | Errno::OPNOTSUPP)
            && backend::option(socket, SOL_SOCKET, SO_DOMAIN).is_ok_and(|family| REFUSING.contains(&family))
    }
}
