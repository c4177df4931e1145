//! Cygwin. Source of the numbers: `winsup/cygwin/include/cygwin/socket.h`.

use core::ffi::c_int;

/// The level of messages that sockets of every family can have.
pub const SOL_SOCKET: c_int = 0xffff;
/// Open descriptors.
pub const SCM_RIGHTS: c_int = 0x01;
/// Who sent a message: process, user and group id.
pub const SCM_CREDENTIALS: c_int = 0x02;

/// No limit is known: the kernel judges.
pub(crate) const SCM_MAX_FD: usize = usize::MAX;

same_in_libc!(SOL_SOCKET, SCM_RIGHTS, SCM_CREDENTIALS);
