//! QNX. Source of the numbers: the `libc` crate. (`SCM_CREDS` is 4 with the older of its network stacks and 3 with the
//! newer one, so it has no name here.)

use core::ffi::c_int;

/// The level of messages that sockets of every family can have.
pub const SOL_SOCKET: c_int = 0xffff;
/// Open descriptors.
pub const SCM_RIGHTS: c_int = 0x01;
/// When a datagram arrived: a `struct timeval`.
pub const SCM_TIMESTAMP: c_int = 0x02;

/// No limit is known: the kernel judges.
pub(crate) const SCM_MAX_FD: usize = usize::MAX;

same_in_libc!(SOL_SOCKET, SCM_RIGHTS, SCM_TIMESTAMP);
