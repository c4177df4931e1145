//! The target's own numbers: one place for what its C headers say.
//!
//! They are `libc`'s where it has them; where it is silent the number stands here with its source.
#![forbid(unsafe_code)]

use core::ffi::c_int;

/// libc 0.2.191 has 1 on 64-bit MIPS, where its list of architectures names the 32-bit ones twice. Linux'
/// `arch/mips/include/uapi/asm/socket.h` says otherwise.
#[cfg(sockets)]
pub(crate) const SOL_SOCKET: c_int = if cfg!(all(linux_kernel, any(target_arch = "mips64", target_arch = "mips64r6"))) {
    0xffff
} else {
    libc::SOL_SOCKET
};
#[cfg(sockets)]
pub(crate) const SCM_RIGHTS: c_int = libc::SCM_RIGHTS;
#[cfg(linux_kernel)]
pub(crate) const SCM_CREDENTIALS: c_int = libc::SCM_CREDENTIALS;
/// Linux `include/linux/socket.h`; not in `libc`.
#[cfg(linux_kernel)]
pub(crate) const SCM_SECURITY: c_int = 3;
/// Linux `include/linux/socket.h`, since 6.5; not in `libc`.
#[cfg(linux_kernel)]
pub(crate) const SCM_PIDFD: c_int = 4;

/// The most descriptors the system takes in one call.
#[cfg(sockets)]
pub(crate) const SCM_MAX_FD: usize = if cfg!(linux_kernel) {
    253 // Linux include/net/scm.h
} else if cfg!(apple) || cfg!(target_os = "freebsd") {
    254 // As many internal pointers of 8 bytes as fit in one mbuf cluster of 2048 with a header: unp_internalize.
} else if cfg!(target_os = "openbsd") {
    127 // As many struct fdpass of 16 bytes as fit in one mbuf cluster of 2048: sys/kern/uipc_usrreq.c.
} else {
    usize::MAX // No constant is known: the kernel judges.
};

/// Whether a message that is sent with these numbers passes the descriptors in its payload on.
#[inline]
pub(crate) const fn is_scm_rights(level: c_int, message_type: c_int) -> bool {
    #[cfg(sockets)]
    return level == SOL_SOCKET && message_type == SCM_RIGHTS;
    #[cfg(not(sockets))]
    {
        let _ = (level, message_type);
        false
    }
}

/// Whether what arrives with these numbers has descriptors for a payload.
#[cfg(sockets)]
#[inline]
pub(crate) const fn holds_received_descriptors(level: c_int, message_type: c_int) -> bool {
    #[cfg(linux_kernel)]
    return level == SOL_SOCKET && matches!(message_type, SCM_RIGHTS | SCM_PIDFD);
    #[cfg(not(linux_kernel))]
    return is_scm_rights(level, message_type);
}
