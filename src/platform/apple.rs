//! macOS, iOS and the other Apple systems. Source of the numbers: XNU `bsd/sys/socket.h`, `bsd/netinet/in.h` and
//! `bsd/netinet6/in6.h`, as a program has them that asks for RFC 3542 (`__APPLE_USE_RFC_3542`).

use core::ffi::c_int;

/// The level of messages that sockets of every family can have.
pub const SOL_SOCKET: c_int = 0xffff;
/// Open descriptors.
pub const SCM_RIGHTS: c_int = 0x01;
/// When a datagram arrived: a `struct timeval`.
pub const SCM_TIMESTAMP: c_int = 0x02;
/// Who sent a message. A name only: UNIX-domain sockets neither take nor give it.
pub const SCM_CREDS: c_int = 0x03;

/// The level of messages of IPv4.
pub const IPPROTO_IP: c_int = 0;
/// Interface and addresses of an IPv4 datagram: a `struct in_pktinfo`.
pub const IP_PKTINFO: c_int = 26;
/// The option of level [`IPPROTO_IP`] that has [`IP_PKTINFO`] delivered: the same number.
pub const IP_RECVPKTINFO: c_int = IP_PKTINFO;

/// The level of messages of IPv6.
pub const IPPROTO_IPV6: c_int = 41;
/// Interface and address of an IPv6 datagram: a `struct in6_pktinfo`. Delivered with [`IPV6_RECVPKTINFO`].
pub const IPV6_PKTINFO: c_int = 46;
/// The option of level [`IPPROTO_IPV6`] that has [`IPV6_PKTINFO`] delivered.
pub const IPV6_RECVPKTINFO: c_int = 61;
/// The traffic class of an IPv6 datagram. Delivered with [`IPV6_RECVTCLASS`].
pub const IPV6_TCLASS: c_int = 36;
/// The option of level [`IPPROTO_IPV6`] that has [`IPV6_TCLASS`] delivered.
pub const IPV6_RECVTCLASS: c_int = 35;

/// As many internal pointers of 8 bytes as fit in one mbuf cluster of 2048 with a header: `unp_internalize`.
pub(crate) const SCM_MAX_FD: usize = 254;

same_in_libc!(SOL_SOCKET, SCM_RIGHTS, SCM_TIMESTAMP, SCM_CREDS);
same_in_libc!(IPPROTO_IP, IP_PKTINFO);
same_in_libc!(IPPROTO_IPV6, IPV6_PKTINFO, IPV6_RECVPKTINFO, IPV6_TCLASS, IPV6_RECVTCLASS);
