//! Linux and Android. Source of the numbers: `include/linux/socket.h`, `include/net/scm.h` and
//! each architecture's `include/uapi/asm/socket.h`.

use core::ffi::c_int;

/// The level of messages that sockets of every family can have: 1, but 0xffff on MIPS and SPARC.
pub const SOL_SOCKET: c_int = if cfg!(mips_or_sparc) { 0xffff } else { 1 };
/// Open descriptors.
pub const SCM_RIGHTS: c_int = 1;
/// Who sent a message: process, user and group id.
pub const SCM_CREDENTIALS: c_int = 2;
/// The label that a security module gives the sender.
pub const SCM_SECURITY: c_int = 3;
/// A descriptor for the process of the sender. Linux 6.5.
pub const SCM_PIDFD: c_int = 4;

/// `include/net/scm.h`.
pub(crate) const SCM_MAX_FD: usize = 253;

// libc 0.2.191 has 1 on 64-bit MIPS: its list of architectures names the 32-bit ones twice.
// `arch/mips/include/uapi/asm/socket.h` says 0xffff for all of them.
#[cfg(not(any(target_arch = "mips64", target_arch = "mips64r6")))]
same_in_libc!(SOL_SOCKET);
// It does not have SCM_SECURITY and SCM_PIDFD.
same_in_libc!(SCM_RIGHTS, SCM_CREDENTIALS);
same_in_the_kernel!(SOL_SOCKET, SCM_RIGHTS, SCM_CREDENTIALS, SCM_SECURITY);
