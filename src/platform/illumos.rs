//! illumos and Solaris. Source of the numbers: illumos `usr/src/uts/common/sys/socket.h` and
//! `netinet/in.h`.

use core::ffi::c_int;

/// The level of messages that sockets of every family can have.
pub const SOL_SOCKET: c_int = 0xffff;
/// Open descriptors.
pub const SCM_RIGHTS: c_int = 0x1010;
/// Who sent a message: a `ucred_t`, which only the functions of ucred(3C) can read.
pub const SCM_UCRED: c_int = 0x1012;
/// When a datagram arrived: a `struct timeval`.
pub const SCM_TIMESTAMP: c_int = 0x1013;

/// The level of messages of IPv4.
pub const IPPROTO_IP: c_int = 0;
/// Interface and addresses of an IPv4 datagram: a `struct in_pktinfo`.
pub const IP_PKTINFO: c_int = 0x1a;
/// The option of level [`IPPROTO_IP`] that has [`IP_PKTINFO`] delivered: the same number.
pub const IP_RECVPKTINFO: c_int = IP_PKTINFO;

/// The level of messages of IPv6.
pub const IPPROTO_IPV6: c_int = 41;
/// Interface and address of an IPv6 datagram: a `struct in6_pktinfo`. Delivered with [`IPV6_RECVPKTINFO`].
pub const IPV6_PKTINFO: c_int = 0x0b;
/// The option of level [`IPPROTO_IPV6`] that has [`IPV6_PKTINFO`] delivered.
pub const IPV6_RECVPKTINFO: c_int = 0x12;
/// The traffic class of an IPv6 datagram. Delivered with [`IPV6_RECVTCLASS`].
pub const IPV6_TCLASS: c_int = 0x26;
/// The option of level [`IPPROTO_IPV6`] that has [`IPV6_TCLASS`] delivered.
pub const IPV6_RECVTCLASS: c_int = 0x19;

/// No limit is known: the kernel judges.
pub(crate) const SCM_MAX_FD: usize = usize::MAX;

same_in_libc!(SOL_SOCKET, SCM_RIGHTS, SCM_UCRED, SCM_TIMESTAMP);
same_in_libc!(IPPROTO_IP, IP_PKTINFO);
same_in_libc!(IPPROTO_IPV6, IPV6_PKTINFO, IPV6_RECVPKTINFO, IPV6_TCLASS, IPV6_RECVTCLASS);
