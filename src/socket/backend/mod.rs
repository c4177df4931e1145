//! The one door to the system. Nothing outside this folder names a foreign function or holds assembly.
//!
//! There are two backends with the same items. `build.rs` says when each is chosen, and the table in
//! [`socket`](crate::socket) what calls they make.

#[cfg_attr(backend = "linux_raw", path = "linux_raw/mod.rs")]
#[cfg_attr(backend = "libc", path = "libc.rs")]
mod chosen;

pub(super) use self::chosen::{
    CLOEXEC_ON_RECEIVE, Iovec, MsgHdr, message_header, received_control_len, recvmsg, sendmsg, set_option,
};

#[cfg(batched_receiving)]
pub(super) use self::chosen::recvmmsg;
#[cfg(batched_sending)]
pub(super) use self::chosen::sendmmsg;
#[cfg(linux_kernel)]
pub(super) use self::chosen::{ids, option};

use core::ffi::c_uint;
#[cfg(linux_kernel)]
use rustix::io::Errno;

/// A message of a batch: the system's `struct mmsghdr`, where it has one.
#[repr(C)]
pub(super) struct MMsgHdr {
    pub(super) msg_hdr: MsgHdr,
    /// How many bytes of data the call says there are.
    pub(super) msg_len: c_uint,
}

/// Linux's own word for a call that a signal has ended, `ERESTARTSYS`, is `EINTR` to a program. But where the call was a
/// `recvmmsg` that already had messages, Linux keeps the word as it is, and says it in the next call on the socket.
#[cfg(linux_kernel)]
fn without_erestartsys(error: Errno) -> Errno {
    const ERESTARTSYS: i32 = 512;
    if error.raw_os_error() == ERESTARTSYS { Errno::INTR } else { error }
}
