//! Each call by its own number.

use super::arch::{syscall3, syscall5};
use core::ffi::c_void;
use core::ptr;
use linux_raw_sys::general::{
    __NR_getsockopt, __NR_recvmmsg, __NR_recvmsg, __NR_sendmmsg, __NR_sendmsg, __NR_setsockopt,
};

/// # Safety
///
/// The call of this number does nothing that the caller may not do. It has no arguments.
#[inline]
pub(super) unsafe fn without_arguments(number: u32) -> isize {
    // SAFETY: the caller answers for it, and the kernel does not look at the arguments.
    unsafe { syscall3(number, ptr::null_mut(), ptr::null_mut(), ptr::null_mut()) }
}

/// # Safety
///
/// `header` is a pointer to a header, and what that points to can be read.
#[inline]
pub(super) unsafe fn sendmsg(socket: *mut c_void, header: *mut c_void, flags: *mut c_void) -> isize {
    // SAFETY: the call reads what the caller says can be read.
    unsafe { syscall3(__NR_sendmsg, socket, header, flags) }
}

/// # Safety
///
/// `header` is a pointer to a header, and it and what that points to can be written.
#[inline]
pub(super) unsafe fn recvmsg(socket: *mut c_void, header: *mut c_void, flags: *mut c_void) -> isize {
    // SAFETY: the call writes what the caller says can be written.
    unsafe { syscall3(__NR_recvmsg, socket, header, flags) }
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
    // SAFETY: the call reads and writes what the caller says can be read and written. It has four arguments: the kernel
    // does not look at a fifth.
    unsafe { syscall5(__NR_sendmmsg, socket, headers, count, flags, ptr::null_mut()) }
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
    // SAFETY: the call writes what the caller says can be written.
    let returned = unsafe { syscall5(__NR_recvmmsg, socket, headers, count, flags, timeout) };
    #[cfg(target_pointer_width = "32")]
    if returned == -(linux_raw_sys::errno::ENOSYS as isize) {
        // SAFETY: as above.
        return unsafe { recvmmsg_time64(socket, headers, count, flags, timeout.cast()) };
    }
    returned
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
    unsafe { syscall5(__NR_setsockopt, socket, level, name, value, len) }
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
    unsafe { syscall5(__NR_getsockopt, socket, level, name, value, len) }
}

/// The call that Linux 5.1 brought for clocks that pass 2038.
///
/// A timeout is a span of time: that the older call's seconds have 32 bits limits it to 68 years and no more. So the
/// older one is made first, which every kernel has that does not leave out 32-bit times (`COMPAT_32BIT_TIME`), as have
/// the filters of sandboxes.
///
/// # Safety
///
/// As [`recvmmsg`].
#[cfg(target_pointer_width = "32")]
#[cold]
unsafe fn recvmmsg_time64(
    socket: *mut c_void,
    headers: *mut c_void,
    count: *mut c_void,
    flags: *mut c_void,
    timeout: *mut linux_raw_sys::general::timespec,
) -> isize {
    use linux_raw_sys::general::{__NR_recvmmsg_time64, __kernel_timespec};

    // SAFETY: the caller says that it is null or can be read.
    let mut left = unsafe { timeout.as_ref() }
        .map(|timeout| __kernel_timespec { tv_sec: timeout.tv_sec.into(), tv_nsec: timeout.tv_nsec.into() });
    let left = left.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    // SAFETY: the call writes what the caller says can be written, and the time, which lives until after it.
    unsafe { syscall5(__NR_recvmmsg_time64, socket, headers, count, flags, left.cast()) }
}
