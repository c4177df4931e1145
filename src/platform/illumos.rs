//! illumos and Solaris. Source of the numbers: illumos `usr/src/uts/common/sys/socket.h`.

use core::ffi::c_int;

/// The level of messages that sockets of every family can have.
pub const SOL_SOCKET: c_int = 0xffff;
/// Open descriptors.
pub const SCM_RIGHTS: c_int = 0x1010;
/// Who sent a message: a `ucred_t`, which only the functions of ucred(3C) can read.
pub const SCM_UCRED: c_int = 0x1012;
/// When a datagram arrived: a `struct timeval`.
pub const SCM_TIMESTAMP: c_int = 0x1013;

/// No limit is known: the kernel judges.
pub(crate) const SCM_MAX_FD: usize = usize::MAX;

same_in_libc!(SOL_SOCKET, SCM_RIGHTS, SCM_UCRED, SCM_TIMESTAMP);
