//! macOS, iOS and the other Apple systems. Source of the numbers: XNU `bsd/sys/socket.h`.

use core::ffi::c_int;

/// The level of messages that sockets of every family can have.
pub const SOL_SOCKET: c_int = 0xffff;
/// Open descriptors.
pub const SCM_RIGHTS: c_int = 0x01;
/// When a datagram arrived: a `struct timeval`.
pub const SCM_TIMESTAMP: c_int = 0x02;
/// Who sent a message. A name only: UNIX-domain sockets neither take nor give it.
pub const SCM_CREDS: c_int = 0x03;

/// As many internal pointers of 8 bytes as fit in one mbuf cluster of 2048 with a header: `unp_internalize`.
pub(crate) const SCM_MAX_FD: usize = 254;

same_in_libc!(SOL_SOCKET, SCM_RIGHTS, SCM_TIMESTAMP, SCM_CREDS);
