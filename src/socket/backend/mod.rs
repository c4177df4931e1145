//! The one door to the system. Nothing outside this folder names a foreign function.

mod libc;

pub(super) use self::libc::{
    CLOEXEC_ON_RECEIVE, MsgHdr, message_header, received_control_len, recvmsg, sendmsg, set_option,
};
#[cfg(batched_calls)]
pub(super) use self::libc::{MMsgHdr, recvmmsg, sendmmsg};
