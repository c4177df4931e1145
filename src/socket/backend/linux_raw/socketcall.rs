//! Every call through the one that takes the others' arguments in memory.
//!
//! Where it exists, `sendmsg` and `recvmsg` had no numbers of their own before Linux 4.3, and Rust's programs run on
//! older ones. This number has been there since the first, and stays: there is nothing to try in turn. On 32-bit x86 it
//! also needs no more registers than `asm!` can name, and takes a timeout with 32-bit seconds on every kernel, which
//! for a span of time are enough.

use super::arch::syscall2;
use core::ffi::c_void;
use core::ptr;
use linux_raw_sys::general::__NR_socketcall;
use linux_raw_sys::net::{SYS_GETSOCKOPT, SYS_RECVMMSG, SYS_RECVMSG, SYS_SENDMMSG, SYS_SENDMSG, SYS_SETSOCKOPT};

/// # Safety
///
/// The call of this number does nothing that the caller may not do. It has no arguments.
#[inline]
pub(super) unsafe fn without_arguments(number: u32) -> isize {
    // SAFETY: the caller answers for it, and the kernel does not look at the arguments.
    unsafe { syscall2(number, ptr::null_mut(), ptr::null_mut()) }
}

/// # Safety
///
/// The call of this name, with these arguments, does nothing that the caller may not do.
#[inline]
unsafe fn socketcall<const COUNT: usize>(call: u32, mut arguments: [*mut c_void; COUNT]) -> isize {
    // SAFETY: the kernel reads as many words as the call has arguments, and the caller answers for the rest.
    unsafe { syscall2(__NR_socketcall, ptr::without_provenance_mut(call as usize), (&raw mut arguments).cast()) }
}

/// # Safety
///
/// `header` is a pointer to a header, and what that points to can be read.
#[inline]
pub(super) unsafe fn sendmsg(socket: *mut c_void, header: *mut c_void, flags: *mut c_void) -> isize {
    // SAFETY: the call reads what the caller says can be read.
    unsafe { socketcall(SYS_SENDMSG, [socket, header, flags]) }
}

/// # Safety
///
/// `header` is a pointer to a header, and it and what that points to can be written.
#[inline]
pub(super) unsafe fn recvmsg(socket: *mut c_void, header: *mut c_void, flags: *mut c_void) -> isize {
    // SAFETY: the call writes what the caller says can be written.
    unsafe { socketcall(SYS_RECVMSG, [socket, header, flags]) }
}

/// # Safety
///
/// `headers` is a pointer to so many headers that can be written, and what they point to can be read.
#[inline]
pub(super) unsafe fn sendmmsg(
    socket: *mut c_void,
    headers: *mut c_void,
    count: *mut c_void,
    flags: *mut c_void,
) -> isize {
    // SAFETY: the call reads and writes what the caller says can be read and written.
    unsafe { socketcall(SYS_SENDMMSG, [socket, headers, count, flags]) }
}

/// # Safety
///
/// `headers` is a pointer to so many headers, which and what they point to can be written. `timeout` is null or a
/// pointer to a `timespec` that can be written.
#[inline]
pub(super) unsafe fn recvmmsg(
    socket: *mut c_void,
    headers: *mut c_void,
    count: *mut c_void,
    flags: *mut c_void,
    timeout: *mut c_void,
) -> isize {
    // With this bit, which is for the kernel's own use, the headers would be those of a 32-bit process. Every other call
    // refuses it, this one not (`net/socket.c`, `socketcall`).
    const MSG_CMSG_COMPAT: usize = 0x8000_0000;
    if flags.addr() & MSG_CMSG_COMPAT != 0 {
        return -(linux_raw_sys::errno::EINVAL as isize);
    }
    // SAFETY: the call writes what the caller says can be written.
    unsafe { socketcall(SYS_RECVMMSG, [socket, headers, count, flags, timeout]) }
}

/// # Safety
///
/// `value` is a pointer to so many bytes that can be read.
#[inline]
pub(super) unsafe fn setsockopt(
    socket: *mut c_void,
    level: *mut c_void,
    name: *mut c_void,
    value: *mut c_void,
    len: *mut c_void,
) -> isize {
    // SAFETY: the call reads what the caller says can be read.
    unsafe { socketcall(SYS_SETSOCKOPT, [socket, level, name, value, len]) }
}

/// # Safety
///
/// `value` is a pointer to so many bytes that can be written as `len` says, which is a pointer to an `int` that can be
/// written.
#[inline]
pub(super) unsafe fn getsockopt(
    socket: *mut c_void,
    level: *mut c_void,
    name: *mut c_void,
    value: *mut c_void,
    len: *mut c_void,
) -> isize {
    // SAFETY: the call writes what the caller says can be written.
    unsafe { socketcall(SYS_GETSOCKOPT, [socket, level, name, value, len]) }
}
