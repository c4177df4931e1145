//! rustix, making the system calls directly.
//!
//! It reads only what its own `recvmsg` has received. With the feature `made-up-receive` it is built for the C library,
//! and the function it calls there is this program's: it brings the bytes that are to be read.

use ancillary_benches::{Credentials, Engine, run};
use rustix::cmsg_space;
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, UCred, sendmsg,
};
use rustix::process::{Gid, Pid, Uid};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;

const ENGINE: Engine = Engine {
    #[cfg(feature = "made-up-receive")]
    read: Some(made_up::read),
    write: Some(write),
    pass_one: Some(pass::<1, { cmsg_space!(ScmRights(1)) }>),
    pass_253: Some(pass::<253, { cmsg_space!(ScmRights(253)) }>),
    ..Engine::NOTHING
};

fn write(
    bytes: &mut [MaybeUninit<u8>],
    descriptors: &[BorrowedFd<'_>; 2],
    credentials: Credentials,
    messages: usize,
) -> usize {
    let credentials = UCred {
        pid: Pid::from_raw(credentials.pid as i32).expect("not 0"),
        uid: Uid::from_raw(credentials.uid),
        gid: Gid::from_raw(credentials.gid),
    };
    // What is written can only be sent, so its length is known from what was asked for.
    let len = bytes.len();
    let mut control = SendAncillaryBuffer::new(bytes);
    for index in 0..messages {
        let pushed = match index % 2 {
            0 => control.push(SendAncillaryMessage::ScmRights(descriptors)),
            _ => control.push(SendAncillaryMessage::ScmCredentials(credentials)),
        };
        if !pushed {
            return 0;
        }
    }
    len
}

fn pass<const COUNT: usize, const SPACE: usize>(
    from: &UnixStream,
    to: &UnixStream,
    descriptors: &[BorrowedFd<'_>; COUNT],
) -> usize {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return 0;
    }
    if sendmsg(from, &[IoSlice::new(b"d")], &mut control, SendFlags::empty()) != Ok(1) {
        return 0;
    }
    let (mut data, mut space) = ([0], [MaybeUninit::uninit(); SPACE]);
    let mut control = RecvAncillaryBuffer::new(&mut space);
    match rustix::net::recvmsg(to, &mut [IoSliceMut::new(&mut data)], &mut control, RecvFlags::CMSG_CLOEXEC) {
        Ok(received) if !received.flags.contains(ReturnFlags::CTRUNC) => {}
        _ => return 0,
    }
    let messages = control.drain().map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => descriptors.map(drop).count(),
        _ => 0,
    });
    messages.sum()
}

#[cfg(feature = "made-up-receive")]
mod made_up {
    use super::*;
    use ancillary_benches::mix;
    use std::cell::Cell;
    use std::ffi::c_int;
    use std::os::fd::IntoRawFd;

    thread_local! {
        static BYTES: Cell<(*const u8, usize)> = const { Cell::new((std::ptr::null(), 0)) };
    }

    pub fn read(bytes: &mut [u8]) -> u64 {
        BYTES.set((bytes.as_ptr(), bytes.len()));
        let mut space = [MaybeUninit::uninit(); 1024];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::net::recvmsg(rustix::stdio::stdin(), &mut [], &mut control, RecvFlags::empty());
        received.expect("bytes are brought");
        let mut digest = 0;
        for message in control.drain() {
            match message {
                RecvAncillaryMessage::ScmRights(descriptors) => {
                    for descriptor in descriptors {
                        // It is a number and no more: nothing is to be closed.
                        digest = mix(digest, descriptor.into_raw_fd() as u32);
                    }
                }
                RecvAncillaryMessage::ScmCredentials(UCred { pid, uid, gid }) => {
                    let pid = pid.as_raw_nonzero().get() as u32;
                    digest = mix(mix(mix(digest, pid), uid.as_raw()), gid.as_raw());
                }
                _ => {}
            }
        }
        digest
    }

    /// # Safety
    ///
    /// `header` is one for receiving.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn recvmsg(_socket: c_int, header: *mut libc::msghdr, _flags: c_int) -> isize {
        let (bytes, len) = BYTES.get();
        // SAFETY: the header has room for 1024 bytes, which no buffer here exceeds.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes, (*header).msg_control.cast(), len);
            (*header).msg_controllen = len;
            (*header).msg_flags = 0;
            (*header).msg_namelen = 0;
        }
        0
    }
}

fn main() {
    run(&ENGINE);
}
