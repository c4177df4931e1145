//! Linux and Android. Source of the numbers: `include/linux/socket.h`, each
//! architecture's `include/uapi/asm/socket.h`, `include/uapi/linux/in.h` and `in6.h`, and what is named at a number.

use core::ffi::c_int;

/// A number that some processors' `asm/socket.h` has differently.
const fn by_header(generic: c_int, mips: c_int, sparc: c_int, powerpc: c_int) -> c_int {
    if cfg!(linux_socket_header = "mips") {
        mips
    } else if cfg!(linux_socket_header = "sparc") {
        sparc
    } else if cfg!(linux_socket_header = "powerpc") {
        powerpc
    } else {
        generic
    }
}

/// The level of messages that sockets of every family can have: 1, but 0xffff on MIPS and SPARC.
///
/// The `libc` crate (0.2.191) has 1 on 64-bit MIPS. By the same mistake it exchanges `SOCK_STREAM` and `SOCK_DGRAM` there
/// with glibc.
pub const SOL_SOCKET: c_int = by_header(1, 0xffff, 0xffff, 1);
/// The level of messages of IPv4.
pub const IPPROTO_IP: c_int = 0;
/// The level of messages of IPv6.
pub const IPPROTO_IPV6: c_int = 41;
/// The level of messages of UDP.
pub const IPPROTO_UDP: c_int = 17;

/// Open descriptors.
pub const SCM_RIGHTS: c_int = 1;
/// Who sent a message: process, user and group id. Delivered with [`SO_PASSCRED`].
pub const SCM_CREDENTIALS: c_int = 2;
/// The label that a security module gives the sender. Delivered with [`SO_PASSSEC`].
pub const SCM_SECURITY: c_int = 3;
/// A descriptor for the process of the sender. Delivered with [`SO_PASSPIDFD`]. Linux 6.5.
pub const SCM_PIDFD: c_int = 4;

/// The option of level [`SOL_SOCKET`] that has [`SCM_CREDENTIALS`] delivered.
pub const SO_PASSCRED: c_int = by_header(16, 17, 2, 20);
/// The option of level [`SOL_SOCKET`] that has [`SCM_SECURITY`] delivered.
pub const SO_PASSSEC: c_int = by_header(34, 34, 31, 34);
/// The option of level [`SOL_SOCKET`] that has [`SCM_PIDFD`] delivered. Linux 6.5.
pub const SO_PASSPIDFD: c_int = by_header(76, 76, 85, 76);

/// The type of service of an IPv4 datagram. Delivered with [`IP_RECVTOS`].
pub const IP_TOS: c_int = 1;
/// The option of level [`IPPROTO_IP`] that has [`IP_TOS`] delivered.
pub const IP_RECVTOS: c_int = 13;
/// Interface and addresses of an IPv4 datagram: a `struct in_pktinfo`.
pub const IP_PKTINFO: c_int = 8;
/// The option of level [`IPPROTO_IP`] that has [`IP_PKTINFO`] delivered: the same number.
pub const IP_RECVPKTINFO: c_int = IP_PKTINFO;

/// Interface and address of an IPv6 datagram: a `struct in6_pktinfo`. Delivered with [`IPV6_RECVPKTINFO`].
pub const IPV6_PKTINFO: c_int = 50;
/// The option of level [`IPPROTO_IPV6`] that has [`IPV6_PKTINFO`] delivered.
pub const IPV6_RECVPKTINFO: c_int = 49;
/// The traffic class of an IPv6 datagram. Delivered with [`IPV6_RECVTCLASS`].
pub const IPV6_TCLASS: c_int = 67;
/// The option of level [`IPPROTO_IPV6`] that has [`IPV6_TCLASS`] delivered.
pub const IPV6_RECVTCLASS: c_int = 66;

/// To be sent: how many bytes of the data each datagram is to have. `include/uapi/linux/udp.h`, since Linux 4.18.
pub const UDP_SEGMENT: c_int = 103;
/// How many bytes of the data each datagram had; also the option of level [`IPPROTO_UDP`] that has it delivered.
/// `include/uapi/linux/udp.h`, since Linux 5.0.
pub const UDP_GRO: c_int = 104;

/// A flag of recvmmsg(2): wait for the first message of a batch only. For this crate's call, which may be a loop, there
/// is [`WAIT_FOR_ONE`](crate::socket::WAIT_FOR_ONE).
pub const MSG_WAITFORONE: c_int = 0x10000;

/// The option of level [`SOL_SOCKET`] that has the family of the socket as its value.
pub(crate) const SO_DOMAIN: c_int = by_header(39, 0x1029, 0x1029, 39);
// Families, as that option has them: `include/linux/socket.h`.
pub(crate) const AF_ATMPVC: c_int = 8;
pub(crate) const AF_KEY: c_int = 15;
pub(crate) const AF_PACKET: c_int = 17;
pub(crate) const AF_ATMSVC: c_int = 20;
pub(crate) const AF_CAN: c_int = 29;
pub(crate) const AF_PHONET: c_int = 35;
pub(crate) const AF_MCTP: c_int = 45;

/// A flag of sendmsg(2): the kernel reads the data when it sends it, perhaps after the call. Linux 4.14.
pub(crate) const MSG_ZEROCOPY: c_int = 0x400_0000;

/// The level of messages of RDS.
const SOL_RDS: c_int = 276;

/// Whether the payload of a message that is sent holds addresses of memory that the kernel reads or writes, perhaps
/// after the call.
///
/// These are the kinds of `net/rds/send.c`, `rds_cmsg_send`, that lead to a `struct rds_iovec` or an address of the
/// caller's: `RDS_CMSG_RDMA_ARGS` (1), `RDS_CMSG_RDMA_MAP` (3), and the four atomic operations (6 to 9). No other parser
/// of control messages in Linux takes an address: `net/core/scm.c`, `net/core/sock.c`, `net/ipv4/ip_sockglue.c`,
/// `net/ipv4/udp.c`, `net/ipv6/datagram.c`, `net/tls/tls_sw.c`, `net/sctp/socket.c`, `net/rxrpc/sendmsg.c`,
/// `net/iucv/af_iucv.c`, `crypto/af_alg.c`. `RDS_CMSG_RDMA_DEST` (2) is a key of memory that was registered before.
/// `SCM_DEVMEM_DMABUF` and `RDS_CMSG_ZCOPY_COOKIE` have a meaning with `MSG_ZEROCOPY` only.
#[inline]
pub(crate) const fn names_memory(level: c_int, message_type: c_int) -> bool {
    level == SOL_RDS && matches!(message_type, 1 | 3 | 6..=9)
}

/// `include/net/scm.h`.
pub(crate) const SCM_MAX_FD: usize = 253;

// libc 0.2.191 has 1 and 16 on 64-bit MIPS: its list of architectures names the 32-bit ones twice.
// `arch/mips/include/uapi/asm/socket.h` says 0xffff and 17 for all of them.
#[cfg(not(any(target_arch = "mips64", target_arch = "mips64r6")))]
same_in_libc!(SOL_SOCKET, SO_PASSCRED);
// It does not have SCM_SECURITY, SCM_PIDFD and SO_PASSPIDFD, and IP_RECVPKTINFO is a name of other systems.
same_in_libc!(SCM_RIGHTS, SCM_CREDENTIALS, SO_PASSSEC);
same_in_libc!(IPPROTO_IP, IP_TOS, IP_RECVTOS, IP_PKTINFO);
same_in_libc!(IPPROTO_IPV6, IPV6_PKTINFO, IPV6_RECVPKTINFO, IPV6_TCLASS, IPV6_RECVTCLASS);
same_in_libc!(IPPROTO_UDP, UDP_SEGMENT, UDP_GRO);
same_in_libc!(MSG_WAITFORONE, AF_ATMPVC, AF_KEY, AF_PACKET, AF_ATMSVC, AF_CAN, AF_PHONET);
#[cfg(not(any(target_arch = "mips64", target_arch = "mips64r6")))]
same_in_libc!(SO_DOMAIN);
// linux-raw-sys does not have SCM_PIDFD, UDP_SEGMENT, UDP_GRO and MSG_WAITFORONE.
same_in_the_kernel!(SO_DOMAIN, AF_ATMPVC, AF_KEY, AF_PACKET, AF_ATMSVC, AF_CAN, AF_PHONET, AF_MCTP);
same_in_the_kernel!(SOL_SOCKET, SCM_RIGHTS, SCM_CREDENTIALS, SCM_SECURITY, SO_PASSCRED, SO_PASSSEC, SO_PASSPIDFD);
same_in_the_kernel!(IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP, IP_TOS, IP_RECVTOS, IP_PKTINFO);
same_in_the_kernel!(IPV6_PKTINFO, IPV6_RECVPKTINFO, IPV6_TCLASS, IPV6_RECVTCLASS);
