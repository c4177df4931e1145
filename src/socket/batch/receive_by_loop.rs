//! `recvmmsg` where there is none: a loop that means what Linux does.

use super::Batch;
use crate::socket::backend::{self, MMsgHdr};
use crate::socket::room::flags_of;
use core::ffi::c_uint;
use core::time::Duration;
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, ReturnFlags};
use rustix::time::{ClockId, clock_gettime};

/// A bit that no system has a flag for. It is for the loop, and not given to the system.
pub(super) const WAIT_FOR_ONE: u32 = 0x0100_0000;

/// # Safety
///
/// `count` headers, and everything they point to, can be written until this returns.
pub(super) unsafe fn recvmmsg(
    socket: BorrowedFd<'_>,
    headers: *mut MMsgHdr,
    count: usize,
    flags: u32,
    timeout: Option<Duration>,
) -> Result<Batch, Errno> {
    let wait_for_one = flags & WAIT_FOR_ONE != 0;
    let mut flags = flags & !WAIT_FOR_ONE;
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
        if flags_of(&header.msg_hdr) & ReturnFlags::OOB.bits() != 0 {
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
