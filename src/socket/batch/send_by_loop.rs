//! `sendmmsg` where there is none: a loop that means what Linux does.

use crate::socket::backend::{self, MMsgHdr};
use core::ffi::c_uint;
use rustix::fd::BorrowedFd;
use rustix::io::Errno;

/// # Safety
///
/// `count` headers, and everything they point to, can be read until this returns, and the headers written. Every
/// descriptor number in an `SCM_RIGHTS` message is one the caller may use.
pub(super) unsafe fn sendmmsg(
    socket: BorrowedFd<'_>,
    headers: *mut MMsgHdr,
    count: usize,
    flags: u32,
) -> Result<usize, Errno> {
    for index in 0..count {
        // SAFETY: it is one of the `count` headers.
        let header = unsafe { &mut *headers.add(index) };
        // SAFETY: the caller's promise is the backend's, for each header.
        match unsafe { backend::sendmsg(socket, &header.msg_hdr, flags) } {
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
        // The pointer may be null: that of an empty `SendSlot` is.
        return 0;
    }
    // SAFETY: there are so many slices, as the caller promises; where there is one, pointer and number come from a Rust
    // slice of them.
    let slices = unsafe { core::slice::from_raw_parts(header.msg_iov.cast::<backend::Iovec>(), count) };
    // Together they are in memory, so that the sum is no more than a `usize` holds, unless they overlap.
    #[allow(clippy::unnecessary_cast, reason = "as above")]
    slices.iter().fold(0, |sum: usize, slice| sum.saturating_add(slice.iov_len as usize))
}
