//! The Hurd. Source of the numbers: glibc `sysdeps/mach/hurd/bits/socket.h`.

use core::ffi::c_int;

/// The level of messages that sockets of every family can have.
pub const SOL_SOCKET: c_int = 0xffff;
/// Open descriptors.
pub const SCM_RIGHTS: c_int = 1;
/// When a datagram arrived: a `struct timeval`.
pub const SCM_TIMESTAMP: c_int = 2;
/// Who sent a message: a `struct cmsgcred`.
pub const SCM_CREDS: c_int = 3;

/// No limit is known: the kernel judges.
pub(crate) const SCM_MAX_FD: usize = usize::MAX;

same_in_libc!(SOL_SOCKET, SCM_RIGHTS, SCM_TIMESTAMP, SCM_CREDS);
