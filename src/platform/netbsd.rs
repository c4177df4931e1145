//! NetBSD. Source of the numbers: `sys/sys/socket.h`, `sys/netinet6/in6.h`.

use core::ffi::c_int;

/// The level of messages that sockets of every family can have.
pub const SOL_SOCKET: c_int = 0xffff;
/// Open descriptors.
pub const SCM_RIGHTS: c_int = 0x01;
/// When a datagram arrived: a `struct timeval`.
pub const SCM_TIMESTAMP: c_int = 0x08;
/// Who sent a message: a `struct sockcred`. It was 0x04, of an older structure, before NetBSD 8. The option that asks for
/// it, `LOCAL_CREDS`, has level 0; at [`SOL_SOCKET`] its number is that of `SO_REUSEADDR` (measured).
pub const SCM_CREDS: c_int = 0x10;

/// The level of messages of IPv6.
pub const IPPROTO_IPV6: c_int = 41;
/// Interface and address of an IPv6 datagram: a `struct in6_pktinfo`. Delivered with [`IPV6_RECVPKTINFO`].
pub const IPV6_PKTINFO: c_int = 46;
/// The option of level [`IPPROTO_IPV6`] that has [`IPV6_PKTINFO`] delivered.
pub const IPV6_RECVPKTINFO: c_int = 36;
/// The traffic class of an IPv6 datagram. Delivered with [`IPV6_RECVTCLASS`].
pub const IPV6_TCLASS: c_int = 61;
/// The option of level [`IPPROTO_IPV6`] that has [`IPV6_TCLASS`] delivered.
pub const IPV6_RECVTCLASS: c_int = 57;

/// A flag of recvmmsg(2): wait for the first message of a batch only. For this crate's call, which may be a loop, there
/// is [`WAIT_FOR_ONE`](crate::socket::WAIT_FOR_ONE).
pub const MSG_WAITFORONE: c_int = 0x2000;

/// As many as fit in 4096 bytes of control messages with a header, which is all that `sendmsg` takes (measured on NetBSD
/// 7.99.34; `sys/kern/uipc_syscalls.c` 1.211 says the same).
pub(crate) const SCM_MAX_FD: usize = 1020;

same_in_libc!(SOL_SOCKET, SCM_RIGHTS, SCM_TIMESTAMP, SCM_CREDS);
same_in_libc!(IPPROTO_IPV6, IPV6_PKTINFO, IPV6_RECVPKTINFO, IPV6_TCLASS, IPV6_RECVTCLASS);
same_in_libc!(MSG_WAITFORONE);
