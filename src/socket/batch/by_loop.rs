//! The same calls where the system has none: a loop that means what Linux does.

use super::super::backend;
use super::Batch;
use core::ffi::c_uint;
use core::time::Duration;
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, ReturnFlags, SendFlags};
use rustix::time::{ClockId, clock_gettime};

/// What systems with the calls have as `struct mmsghdr`.
#[repr(C)]
pub(super) struct MMsgHdr {
    pub(super) msg_hdr: backend::MsgHdr,
    pub(super) msg_len: c_uint,
}

#[inline]
pub(super) const fn batch_header(header: backend::MsgHdr) -> MMsgHdr {
    MMsgHdr { msg_hdr: header, msg_len: 0 }
}

/// A bit that no system has a flag for. It is for the loop, and not given to the system.
pub(super) const WAIT_FOR_ONE: u32 = 0x0100_0000;

/// # Safety
///
/// `count` headers, and everything they point to, can be read until this returns, and the headers written.
pub(super) unsafe fn sendmmsg(
    socket: BorrowedFd<'_>,
    headers: *mut MMsgHdr,
    count: usize,
    flags: SendFlags,
) -> Result<usize, Errno> {
    for index in 0..count {
        // SAFETY: it is one of the `count` headers.
        let header = unsafe { &mut *headers.add(index) };
        // SAFETY: the caller promises that all it points to can be read.
        match unsafe { backend::sendmsg(socket, &header.msg_hdr, flags.bits()) } {
            Ok(sent) => {
                header.msg_len = sent as c_uint;
                // SAFETY: the caller promises that the slices can be read.
                if sent < unsafe { data_len(&header.msg_hdr) } {
                    // On a stream the next message would follow what was cut.
                    return Ok(index + 1);
                }
            }
            Err(error) if index == 0 => return Err(error),
            Err(_) => return Ok(index),
        }
    }
    Ok(count)
}

/// How many bytes of data a header sends.
///
/// # Safety
///
/// The slices that it points to can be read.
unsafe fn data_len(header: &backend::MsgHdr) -> usize {
    #[allow(clippy::unnecessary_cast, reason = "the fields have other integers on other systems")]
    let count = header.msg_iovlen as usize;
    if count == 0 {
        // Of an empty slot the pointer is null.
        return 0;
    }
    // SAFETY: there are so many slices, as the caller promises; pointer and number come from a Rust slice of them.
    let slices = unsafe { core::slice::from_raw_parts(header.msg_iov.cast::<backend::Iovec>(), count) };
    // Together they are in memory, so that the sum is no more than a `usize` holds, unless they overlap.
    #[allow(clippy::unnecessary_cast, reason = "as above")]
    slices.iter().fold(0, |sum: usize, slice| sum.saturating_add(slice.iov_len as usize))
}

/// # Safety
///
/// `count` headers, and everything they point to, can be written until this returns.
pub(super) unsafe fn recvmmsg(
    socket: BorrowedFd<'_>,
    headers: *mut MMsgHdr,
    count: usize,
    flags: RecvFlags,
    timeout: Option<Duration>,
) -> Result<Batch, Errno> {
    let wait_for_one = flags.bits() & WAIT_FOR_ONE != 0;
    let mut flags = flags.bits() & !WAIT_FOR_ONE;
    let start = timeout.map(|_| now());
    for index in 0..count {
        // SAFETY: it is one of the `count` headers.
        let header = unsafe { &mut *headers.add(index) };
        // SAFETY: the caller promises that all it points to can be written.
        match unsafe { backend::recvmsg(socket, &mut header.msg_hdr, flags) } {
            Ok(received) => header.msg_len = received as c_uint,
            Err(error) if index == 0 => return Err(error),
            Err(error) => return Ok(Batch { count: index, error: (error != Errno::AGAIN).then_some(error) }),
        }
        // As the call itself does after urgent data.
        if header.msg_hdr.msg_flags as u32 & ReturnFlags::OOB.bits() != 0 {
            return Ok(Batch { count: index + 1, error: None });
        }
        if wait_for_one {
            flags |= RecvFlags::DONTWAIT.bits();
        }
        // As in the call itself, the time is looked at only when a message has arrived.
        let elapsed = start.map(|start| now().saturating_sub(start));
        if elapsed.zip(timeout).is_some_and(|(elapsed, timeout)| elapsed >= timeout) {
            return Ok(Batch { count: index + 1, error: None });
        }
    }
    Ok(Batch { count, error: None })
}

/// The time on a clock that is never set.
fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}
