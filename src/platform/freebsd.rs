//! FreeBSD. Source of the numbers: `sys/sys/socket.h`.

use core::ffi::c_int;

/// The level of messages that sockets of every family can have.
pub const SOL_SOCKET: c_int = 0xffff;
/// Open descriptors.
pub const SCM_RIGHTS: c_int = 0x01;
/// When a message was sent or a datagram arrived: a `struct timeval`.
pub const SCM_TIMESTAMP: c_int = 0x02;
/// Who sent a message: a `struct cmsgcred` that the sender asked for, or a `struct sockcred` that the receiver did
/// (`LOCAL_CREDS`). Their lengths tell them apart.
pub const SCM_CREDS: c_int = 0x03;
/// Who sent a message: a `struct sockcred2`, with its process id (`LOCAL_CREDS_PERSISTENT`).
pub const SCM_CREDS2: c_int = 0x08;

/// As many internal pointers of 8 bytes as fit in one mbuf cluster of 2048 with a header: `unp_internalize`.
pub(crate) const SCM_MAX_FD: usize = 254;

same_in_libc!(SOL_SOCKET, SCM_RIGHTS, SCM_TIMESTAMP, SCM_CREDS, SCM_CREDS2);
