//! System calls made directly, without a C library: with the structures that the kernel reads and writes, whatever a C
//! library has made of them, and with no point where a thread can be cancelled.
//!
//! - `arch/` has one file for each processor, with its instruction and nothing else.
//! - `direct.rs` makes each call by its own number, `socketcall.rs` all of them through one.
//!
//! No piece of assembly says that it only reads memory (`readonly`). Of these calls only `sendmsg` and `setsockopt` do
//! no more, and while the former waits others may write what is read after it.
#![cfg_attr(
    not(batched_sending),
    allow(dead_code, unused_imports, reason = "whoever tests the loop does without these")
)]

#[cfg_attr(target_arch = "x86_64", path = "arch/x86_64.rs")]
#[cfg_attr(target_arch = "x86", path = "arch/x86.rs")]
#[cfg_attr(target_arch = "aarch64", path = "arch/aarch64.rs")]
#[cfg_attr(target_arch = "arm", path = "arch/arm.rs")]
#[cfg_attr(target_arch = "riscv64", path = "arch/riscv64.rs")]
#[cfg_attr(target_arch = "loongarch64", path = "arch/loongarch64.rs")]
#[cfg_attr(target_arch = "s390x", path = "arch/s390x.rs")]
mod arch;
#[cfg_attr(any(target_arch = "x86", target_arch = "s390x"), path = "socketcall.rs")]
#[cfg_attr(not(any(target_arch = "x86", target_arch = "s390x")), path = "direct.rs")]
mod calls;

use super::{MMsgHdr, without_erestartsys};
use core::ffi::{c_int, c_long, c_uint, c_void};
use core::ptr;
use core::time::Duration;
use linux_raw_sys::general::timespec;
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;

/// The kernel's `struct user_msghdr` (`include/linux/socket.h`).
///
/// What is padding in C is a field here: it is zero from the start, and stays so when the header is moved.
#[repr(C)]
pub(in crate::socket) struct MsgHdr {
    pub(in crate::socket) msg_name: *mut c_void,
    pub(in crate::socket) msg_namelen: c_int,
    #[cfg(target_pointer_width = "64")]
    after_namelen: [u8; 4],
    pub(in crate::socket) msg_iov: *mut c_void,
    pub(in crate::socket) msg_iovlen: usize,
    pub(in crate::socket) msg_control: *mut c_void,
    pub(in crate::socket) msg_controllen: usize,
    pub(in crate::socket) msg_flags: c_uint,
    #[cfg(target_pointer_width = "64")]
    after_flags: [u8; 4],
}

/// The kernel's `struct iovec`.
pub(in crate::socket) type Iovec = linux_raw_sys::general::iovec;

pub(in crate::socket) const CLOEXEC_ON_RECEIVE: u32 = linux_raw_sys::net::MSG_CMSG_CLOEXEC;

/// A header of its parts, padding zeroed.
///
/// An empty control buffer has no address.
#[inline]
pub(in crate::socket) const fn message_header(
    name: (*mut c_void, u32),
    data: (*mut c_void, usize),
    control: (*mut c_void, usize),
) -> MsgHdr {
    MsgHdr {
        msg_name: name.0,
        msg_namelen: name.1 as c_int,
        #[cfg(target_pointer_width = "64")]
        after_namelen: [0; 4],
        msg_iov: data.0,
        msg_iovlen: data.1,
        msg_control: if control.1 > 0 { control.0 } else { ptr::null_mut() },
        msg_controllen: control.1,
        msg_flags: 0,
        #[cfg(target_pointer_width = "64")]
        after_flags: [0; 4],
    }
}

/// How many bytes of control messages a call says it has received.
#[inline]
pub(in crate::socket) fn received_control_len(header: &MsgHdr) -> usize {
    header.msg_controllen
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
    // SAFETY: the call reads the header and what that points to, which the caller promises can be read.
    result(unsafe { calls::sendmsg(descriptor(socket), header.cast_mut().cast(), word(flags)) })
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
    // SAFETY: the call writes the header and what that points to, which the caller promises can be written.
    result(unsafe { calls::recvmsg(descriptor(socket), header.cast(), word(flags)) })
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
    result(unsafe { calls::sendmmsg(descriptor(socket), headers.cast(), word(clamped(count)), word(flags)) })
}

/// Receives several messages. Returns how many were received, and writes to each header how many bytes of data.
///
/// The kernel looks at the timeout after each message only.
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
    timeout: Option<Duration>,
) -> Result<usize, Errno> {
    // The kernel writes what is left of the time.
    let mut left = timeout.map(|timeout| timespec {
        tv_sec: c_long::try_from(timeout.as_secs()).unwrap_or(c_long::MAX),
        tv_nsec: timeout.subsec_nanos() as c_long,
    });
    let left = left.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    let (count, flags) = (word(clamped(count)), word(flags));
    // SAFETY: the call writes as many headers as it is told of, at most so many as there are, and what they point to: the
    // caller promises that it may. The timeout is null or lives until after the call.
    let returned = unsafe { calls::recvmmsg(descriptor(socket), headers.cast(), count, flags, left.cast()) };
    result(returned)
}

/// Sets a socket option whose value is an `int`.
#[inline]
pub(in crate::socket) fn set_option(
    socket: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: c_int,
) -> Result<(), Errno> {
    let (level, name, len) = (word(level as u32), word(name as u32), word(size_of::<c_int>() as u32));
    // SAFETY: the call reads so many bytes of `value`.
    let returned =
        unsafe { calls::setsockopt(descriptor(socket), level, name, (&raw const value).cast_mut().cast(), len) };
    result(returned).map(|_| ())
}

/// Reads a socket option whose value is an `int`. (rustix's own calls panic if the system says another length.)
pub(in crate::socket) fn option(socket: BorrowedFd<'_>, level: c_int, name: c_int) -> Result<c_int, Errno> {
    let (mut value, mut len): (c_int, c_int) = (0, size_of::<c_int>() as c_int);
    let (level, name) = (word(level as u32), word(name as u32));
    let (pointer, len) = ((&raw mut value).cast(), (&raw mut len).cast());
    // SAFETY: the call writes at most so many bytes to `value` as `len` says, and the length.
    let returned = unsafe { calls::getsockopt(descriptor(socket), level, name, pointer, len) };
    result(returned).map(|_| value)
}

/// The process id, real user id and real group id of this process.
pub(in crate::socket) fn ids() -> (i32, u32, u32) {
    use linux_raw_sys::general::__NR_getpid;
    #[cfg(not(any(target_arch = "x86", target_arch = "arm")))]
    use linux_raw_sys::general::{__NR_getgid, __NR_getuid};
    // The older calls give ids of 16 bits there.
    #[cfg(any(target_arch = "x86", target_arch = "arm"))]
    use linux_raw_sys::general::{__NR_getgid32 as __NR_getgid, __NR_getuid32 as __NR_getuid};

    // SAFETY: these calls take nothing and change nothing.
    let get = |number| unsafe { calls::without_arguments(number) };
    (get(__NR_getpid) as i32, get(__NR_getuid) as u32, get(__NR_getgid) as u32)
}

/// A descriptor as an argument.
#[inline]
fn descriptor(socket: BorrowedFd<'_>) -> *mut c_void {
    ptr::without_provenance_mut(socket.as_raw_fd() as usize)
}

/// A number as an argument.
#[inline]
fn word(number: u32) -> *mut c_void {
    ptr::without_provenance_mut(number as usize)
}

/// The kernel takes an `unsigned int`.
#[inline]
fn clamped(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// What the kernel returns for an error is its number, negated. None is greater than this: `include/linux/err.h`.
const MAX_ERRNO: usize = 4095;

/// A result in the kernel's way.
#[inline]
fn result(returned: isize) -> Result<usize, Errno> {
    usize::try_from(returned).map_err(|_| error(returned))
}

#[cold]
fn error(returned: isize) -> Errno {
    // With the comparison the compiler sees that rustix's assertion on the number holds.
    without_erestartsys(Errno::from_raw_os_error(returned.unsigned_abs().min(MAX_ERRNO) as i32))
}
