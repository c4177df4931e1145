//! System calls through the C library.

use core::ffi::{c_int, c_void};
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;

/// The target's `struct msghdr`.
pub(in crate::socket) type MsgHdr = ::libc::msghdr;

#[cfg(cloexec_on_receive)]
pub(in crate::socket) const CLOEXEC_ON_RECEIVE: u32 = ::libc::MSG_CMSG_CLOEXEC as u32;
#[cfg(not(cloexec_on_receive))]
pub(in crate::socket) const CLOEXEC_ON_RECEIVE: u32 = 0;

/// A header of its parts, padding zeroed; `None` if a length does not fit the field it belongs to.
///
/// An empty control buffer has no address: some systems refuse a pointer with length 0.
#[inline]
#[allow(clippy::useless_conversion, reason = "the fields are narrower on other systems")]
pub(in crate::socket) fn message_header(
    name: (*mut c_void, u32),
    data: (*mut c_void, usize),
    control: (*mut c_void, usize),
) -> Option<MsgHdr> {
    // SAFETY: every field of `msghdr` is an integer or a raw pointer, for which zero is a value.
    let mut header: MsgHdr = unsafe { core::mem::zeroed() };
    if !name.0.is_null() {
        header.msg_name = name.0.cast();
        header.msg_namelen = name.1.try_into().ok()?;
    }
    header.msg_iov = data.0.cast();
    header.msg_iovlen = data.1.try_into().ok()?;
    if control.1 > 0 {
        header.msg_control = control.0.cast();
        header.msg_controllen = control.1.try_into().ok()?;
    }
    Some(header)
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
    Errno::from_raw_os_error(unsafe { *errno_location() })
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
