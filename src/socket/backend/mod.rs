//! The one door to the system. Nothing outside this folder names a foreign function.

mod libc;

#[cfg(linux_kernel)]
pub(super) use self::libc::ids;
pub(super) use self::libc::{CLOEXEC_ON_RECEIVE, MsgHdr, message_header, received_control_len, recvmsg, sendmsg};
