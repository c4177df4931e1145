//! OpenBSD. Source of the numbers: `sys/sys/socket.h`.

use core::ffi::c_int;

/// The level of messages that sockets of every family can have.
pub const SOL_SOCKET: c_int = 0xffff;
/// Open descriptors.
pub const SCM_RIGHTS: c_int = 0x01;
/// When a datagram arrived: a `struct timeval`.
pub const SCM_TIMESTAMP: c_int = 0x04;

/// As many `struct fdpass` of 16 bytes as fit in one mbuf cluster of 2048: `sys/kern/uipc_usrreq.c`.
pub(crate) const SCM_MAX_FD: usize = 127;

same_in_libc!(SOL_SOCKET, SCM_RIGHTS, SCM_TIMESTAMP);
