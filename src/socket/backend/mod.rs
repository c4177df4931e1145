//! The one door to the system. Nothing outside this folder names a foreign function.

mod libc;

pub(super) use self::libc::{
    CLOEXEC_ON_RECEIVE, MsgHdr, gid, message_header, pid, received_control_len, recvmsg, sendmsg, uid,
};
