//! The target's own numbers: levels and types of control messages, under the names its C headers give them.
//!
//! They are what [`ControlWriter::push_raw`](crate::ControlWriter::push_raw) takes and what
//! [`ControlMessage::level`](crate::ControlMessage::level) and
//! [`message_type`](crate::ControlMessage::message_type) tell, for messages without a type in
//! [`message`](crate::message). Each system has one file, with the source of its numbers; whenever the crate is
//! compiled for a system, they are compared with those of the `libc` crate or the kernel's own headers, and where `libc`
//! is wrong the file says so.
//!
//! ```
//! use ancillary::message::{ControlKind, ScmRights};
//! use ancillary::platform::{SCM_RIGHTS, SOL_SOCKET};
//!
//! assert_eq!((<ScmRights>::LEVEL, <ScmRights>::TYPE), (SOL_SOCKET, SCM_RIGHTS));
//! ```
//!
//! Only the numbers of the target are here. Those of others, for whoever reads [another machine's
//! buffer](crate::layout):
//!
//! | system | `SOL_SOCKET` | `SCM_RIGHTS` | credentials | timestamp |
//! |---|---|---|---|---|
//! | Linux, Android | 1; 0xffff on MIPS, SPARC, Alpha and PA-RISC | 1 | `SCM_CREDENTIALS` 2 | 29; 63 |
//! | Apple's | 0xffff | 1 | (`SCM_CREDS` 3) | 2 |
//! | FreeBSD | 0xffff | 1 | `SCM_CREDS` 3, `SCM_CREDS2` 8 | 2 |
//! | DragonFly | 0xffff | 1 | `SCM_CREDS` 3 | 2 |
//! | NetBSD | 0xffff | 1 | `SCM_CREDS` 0x10, formerly 4 | 8 |
//! | OpenBSD | 0xffff | 1 | none | 4 |
//! | illumos, Solaris | 0xffff | 0x1010 | `SCM_UCRED` 0x1012 | 0x1013 |
//! | Hurd | 0xffff | 1 | `SCM_CREDS` 3 | 2 |
//! | Haiku | -1 | 1 | none | none |
//! | Fuchsia, emscripten | 1 | 1 | `SCM_CREDENTIALS` 2 | 29 |
//! | Redox | 1 | 1 | none | none |
//! | Cygwin | 0xffff | 1 | `SCM_CREDENTIALS` 2 | none |
//! | AIX | 0xffff | 1 | none | none |
//! | QNX | 0xffff | 1 | `SCM_CREDS` 3, or 4 with the older network stack | 2 |
//!
//! A level and a type do not always say what a message is. On Linux level 0 is IPv4's, Bluetooth HCI's, IEEE 802.15.4's
//! and mISDN's: type 1 of it is `IP_TOS` on one socket and `HCI_CMSG_DIR` on another. Who reads such a message must know
//! the family of the socket.
#![forbid(unsafe_code)]

/// Asserts that the `libc` crate has these constants with the same numbers, if it is there.
///
/// With the raw backend it is not: then the test `tests/c_definitions.rs` compares them.
macro_rules! same_in_libc {
    ($($name:ident),*) => {
        $(#[cfg(backend = "libc")] static_assertions::const_assert_eq!($name, libc::$name);)*
    };
}

/// Asserts that the kernel's headers have these constants with the same numbers, with the raw backend.
#[allow(unused_macros, reason = "only Linux has these headers")]
macro_rules! same_in_the_kernel {
    ($($name:ident),*) => {
        $(#[cfg(backend = "linux_raw")] static_assertions::const_assert_eq!($name, linux_raw_sys::net::$name as c_int);)*
    };
}

#[cfg_attr(platform = "linux", path = "linux.rs")]
#[cfg_attr(platform = "apple", path = "apple.rs")]
#[cfg_attr(platform = "freebsd", path = "freebsd.rs")]
#[cfg_attr(platform = "dragonfly", path = "dragonfly.rs")]
#[cfg_attr(platform = "netbsd", path = "netbsd.rs")]
#[cfg_attr(platform = "openbsd", path = "openbsd.rs")]
#[cfg_attr(platform = "illumos", path = "illumos.rs")]
#[cfg_attr(platform = "aix", path = "aix.rs")]
#[cfg_attr(platform = "haiku", path = "haiku.rs")]
#[cfg_attr(platform = "hurd", path = "hurd.rs")]
#[cfg_attr(platform = "qnx", path = "qnx.rs")]
#[cfg_attr(platform = "fuchsia", path = "fuchsia.rs")]
#[cfg_attr(platform = "redox", path = "redox.rs")]
#[cfg_attr(platform = "cygwin", path = "cygwin.rs")]
#[cfg_attr(platform = "emscripten", path = "emscripten.rs")]
mod target;

pub use target::*;

use core::ffi::c_int;

/// Whether a message that is sent with these numbers passes the descriptors in its payload on.
#[inline]
pub(crate) const fn is_scm_rights(level: c_int, message_type: c_int) -> bool {
    level == SOL_SOCKET && message_type == SCM_RIGHTS
}

/// Whether plain bytes are not a safe payload for a message that is sent with these numbers: it names descriptors, or
/// memory that the kernel reads and writes, and so is a promise of the caller's.
///
/// No other system's parser takes an address: FreeBSD, DragonFly and Apple's `uipc_usrreq.c` (`unp_internalize`),
/// NetBSD's and OpenBSD's likewise, `ip_output.c` and `ip6_output.c` (`ip6_setpktopts`), illumos `sockcommon_subr.c`.
#[inline]
pub(crate) const fn is_unsafe_payload(level: c_int, message_type: c_int) -> bool {
    #[cfg(linux_kernel)]
    let names_memory = target::names_memory(level, message_type);
    #[cfg(not(linux_kernel))]
    let names_memory = false;
    is_scm_rights(level, message_type) || names_memory
}

/// Whether what arrives with these numbers has descriptors for a payload.
#[inline]
pub(crate) const fn holds_received_descriptors(level: c_int, message_type: c_int) -> bool {
    #[cfg(linux_kernel)]
    return level == SOL_SOCKET && matches!(message_type, SCM_RIGHTS | SCM_PIDFD);
    #[cfg(not(linux_kernel))]
    return is_scm_rights(level, message_type);
}
