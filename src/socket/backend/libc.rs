//! System calls through the C library.

#[cfg(any(batched_sending, batched_receiving))]
use super::MMsgHdr;
use core::ffi::{c_int, c_void};
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;

/// The target's `struct msghdr`.
pub(in crate::socket) type MsgHdr = ::libc::msghdr;

/// The target's `struct iovec`.
pub(in crate::socket) type Iovec = ::libc::iovec;

#[cfg(cloexec_on_receive)]
pub(in crate::socket) const CLOEXEC_ON_RECEIVE: u32 = ::libc::MSG_CMSG_CLOEXEC as u32;
#[cfg(not(cloexec_on_receive))]
pub(in crate::socket) const CLOEXEC_ON_RECEIVE: u32 = 0;

/// A header of its parts, padding zeroed.
///
/// An empty control buffer has no address: some systems refuse a pointer with length 0. A length that is more than its
/// field holds becomes the most that an `int` does: the system refuses that as well.
#[inline]
#[allow(clippy::useless_conversion, reason = "the fields are narrower on other systems")]
pub(in crate::socket) fn message_header(
    name: (*mut c_void, u32),
    data: (*mut c_void, usize),
    control: (*mut c_void, usize),
) -> MsgHdr {
    // SAFETY: every field of `msghdr` is an integer or a raw pointer, for which zero is a value.
    let mut header: MsgHdr = unsafe { core::mem::zeroed() };
    header.msg_name = name.0.cast();
    header.msg_namelen = name.1 as _;
    header.msg_iov = data.0.cast();
    header.msg_iovlen = data.1.try_into().unwrap_or(i32::MAX as _);
    if control.1 > 0 {
        header.msg_control = control.0.cast();
        header.msg_controllen = control.1.try_into().unwrap_or(i32::MAX as _);
    }
    header
}

/// How many bytes of control messages a call says it has received.
#[inline]
#[allow(clippy::unnecessary_cast, reason = "the field is a size_t on some systems, a socklen_t on others")]
pub(in crate::socket) fn received_control_len(header: &MsgHdr) -> usize {
    header.msg_controllen as usize
}

/// # Safety
///
/// As [`crate::socket::sendmsg_raw`].
#[inline]
pub(in crate::socket) unsafe fn sendmsg(
    socket: BorrowedFd<'_>,
    header: *const MsgHdr,
    flags: u32,
) -> Result<usize, Errno> {
    // SAFETY: the caller promises that the header and what it points to can be read.
    result(unsafe { ::libc::sendmsg(socket.as_raw_fd(), header, flags as c_int) })
}

/// # Safety
///
/// As [`crate::socket::recvmsg_raw`].
#[inline]
pub(in crate::socket) unsafe fn recvmsg(
    socket: BorrowedFd<'_>,
    header: *mut MsgHdr,
    flags: u32,
) -> Result<usize, Errno> {
    // SAFETY: the caller promises that the header and what it points to can be written.
    result(unsafe { ::libc::recvmsg(socket.as_raw_fd(), header, flags as c_int) })
}

/// Sends several messages. Returns how many were sent, and writes to each header how many bytes of it.
///
/// # Safety
///
/// `headers` points at `count` headers that can be written, of each of which [`sendmsg`]'s promise holds.
#[cfg(batched_sending)]
#[inline]
pub(in crate::socket) unsafe fn sendmmsg(
    socket: BorrowedFd<'_>,
    headers: *mut MMsgHdr,
    count: usize,
    flags: u32,
) -> Result<usize, Errno> {
    // SAFETY: the call reads as many headers as it is told of, at most so many as there are, and what they point to, and
    // writes their lengths: the caller promises that it may.
    result(
        unsafe { ::libc::sendmmsg(socket.as_raw_fd(), headers.cast(), clamped(count), flags as _) } as ::libc::ssize_t
    )
}

/// Receives several messages. Returns how many were received, and writes to each header how many bytes of data.
///
/// The system looks at the timeout after each message only.
///
/// # Safety
///
/// `headers` points at `count` headers that can be written, of each of which [`recvmsg`]'s promise holds.
#[cfg(batched_receiving)]
#[inline]
pub(in crate::socket) unsafe fn recvmmsg(
    socket: BorrowedFd<'_>,
    headers: *mut MMsgHdr,
    count: usize,
    flags: u32,
    timeout: Option<core::time::Duration>,
) -> Result<usize, Errno> {
    // The system may write what is left of the time.
    let mut left = timeout.map(|timeout| {
        // SAFETY: every field of `timespec` is an integer, for which zero is a value.
        let mut left: ::libc::timespec = unsafe { core::mem::zeroed() };
        // The type has 32 bits on some systems: 68 years are enough for everybody.
        left.tv_sec = timeout.as_secs().min(i32::MAX as u64) as _;
        left.tv_nsec = timeout.subsec_nanos() as _;
        left
    });
    let left = left.as_mut().map_or(core::ptr::null_mut(), core::ptr::from_mut);
    // SAFETY: the call writes as many headers as it is told of, at most so many as there are, and what they point to: the
    // caller promises that it may. The timeout is null or lives until after the call.
    let returned = unsafe { ::libc::recvmmsg(socket.as_raw_fd(), headers.cast(), clamped(count), flags as _, left) };
    result(returned as ::libc::ssize_t)
}

/// Sets a socket option whose value is an `int`.
#[inline]
pub(in crate::socket) fn set_option(
    socket: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: c_int,
) -> Result<(), Errno> {
    let (pointer, len) = ((&raw const value).cast(), size_of::<c_int>() as ::libc::socklen_t);
    // SAFETY: pointer and length are those of `value`, which the call reads.
    let returned = unsafe { ::libc::setsockopt(socket.as_raw_fd(), level, name, pointer, len) };
    result(returned as ::libc::ssize_t).map(|_| ())
}

/// Reads a socket option whose value is an `int`. (rustix's own calls panic if the system says another length.)
#[cfg(linux_kernel)]
pub(in crate::socket) fn option(socket: BorrowedFd<'_>, level: c_int, name: c_int) -> Result<c_int, Errno> {
    let (mut value, mut len) = (0, size_of::<c_int>() as ::libc::socklen_t);
    let pointer = (&raw mut value).cast();
    // SAFETY: pointer and length are those of `value`, which the call writes; it writes the length too.
    let returned = unsafe { ::libc::getsockopt(socket.as_raw_fd(), level, name, pointer, &raw mut len) };
    result(returned as ::libc::ssize_t).map(|_| value)
}

/// As many headers as the system can be told of.
#[cfg(any(batched_sending, batched_receiving))]
#[inline]
fn clamped(count: usize) -> core::ffi::c_uint {
    count.try_into().unwrap_or(core::ffi::c_uint::MAX)
}

/// The process id, real user id and real group id of this process.
#[cfg(linux_kernel)]
pub(in crate::socket) fn ids() -> (i32, u32, u32) {
    // SAFETY: these calls have no precondition.
    unsafe { (::libc::getpid(), ::libc::getuid(), ::libc::getgid()) }
}

/// A result in C's way: what is negative has left an error behind.
#[inline]
fn result(returned: ::libc::ssize_t) -> Result<usize, Errno> {
    usize::try_from(returned).map_err(|_| last_error())
}

#[cold]
fn last_error() -> Errno {
    // SAFETY: the function has no precondition and returns a pointer to this thread's errno.
    let error = Errno::from_raw_os_error(unsafe { *errno_location() });
    #[cfg(linux_kernel)]
    let error = super::without_erestartsys(error);
    error
}

#[cfg(errno_location = "___errno")]
use ::libc::___errno as errno_location;
#[cfg(errno_location = "__errno")]
use ::libc::__errno as errno_location;
#[cfg(errno_location = "__errno_location")]
use ::libc::__errno_location as errno_location;
#[cfg(errno_location = "__error")]
use ::libc::__error as errno_location;
#[cfg(errno_location = "__get_errno_ptr")]
use ::libc::__get_errno_ptr as errno_location;
#[cfg(errno_location = "_Errno")]
use ::libc::_Errno as errno_location;
#[cfg(errno_location = "_errnop")]
use ::libc::_errnop as errno_location;
