//! The one door to the system. Nothing outside this folder names a foreign function or holds assembly.
//!
//! There are two backends with the same items. `build.rs` says when each is chosen, and the table in
//! [`socket`](crate::socket) what calls they make.

#[cfg_attr(backend = "linux_raw", path = "linux_raw/mod.rs")]
#[cfg_attr(backend = "libc", path = "libc.rs")]
mod chosen;

pub(super) use self::chosen::{
    CLOEXEC_ON_RECEIVE, MsgHdr, message_header, received_control_len, received_flags, recvmsg, sendmsg, set_option,
};
#[cfg(batched_calls)]
pub(super) use self::chosen::{MMsgHdr, batch_header, recvmmsg, sendmmsg};
