//! rustix, making the system calls directly. Bytes that it has not received itself are read by `AncillaryDrain::parse`.

use ancillary_benches::{Credentials, Engine, Look, mix, run};
use rustix::cmsg_space;
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::{
    AncillaryDrain, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, UCred, sendmsg,
};
use rustix::process::{Gid, Pid, Uid};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

const ENGINE: Engine = Engine {
    read: Some(read),
    write: Some(write),
    pass_one: Some(pass::<1, { cmsg_space!(ScmRights(1)) }>),
    pass_253: Some(pass::<253, { cmsg_space!(ScmRights(253)) }>),
    keep_253: Some(|from, to, descriptors, look| keep::<{ cmsg_space!(ScmRights(253)) }>(from, to, descriptors, look)),
    // It takes a slice of borrows, which has to be made of what is owned.
    forward_28: Some(|from, to, descriptors, look| {
        let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
        keep::<{ cmsg_space!(ScmRights(28)) }>(from, to, &borrowed, look)
    }),
    ..Engine::NOTHING
}
.of_this_program();

fn read(bytes: &mut [u8]) -> u64 {
    let mut digest = 0;
    // SAFETY: the messages are well-formed, and the numbers in them are taken out again before anything is closed.
    for message in unsafe { AncillaryDrain::parse(bytes) } {
        match message {
            RecvAncillaryMessage::ScmRights(descriptors) => {
                for descriptor in descriptors {
                    digest = mix(digest, descriptor.into_raw_fd() as u32);
                }
            }
            RecvAncillaryMessage::ScmCredentials(UCred { pid, uid, gid }) => {
                digest = mix(mix(mix(digest, pid.as_raw_nonzero().get() as u32), uid.as_raw()), gid.as_raw());
            }
            _ => {}
        }
    }
    digest
}

fn write(
    bytes: &mut [MaybeUninit<u8>],
    descriptors: &[BorrowedFd<'_>; 2],
    credentials: &Credentials,
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

fn keep<const SPACE: usize>(from: &UnixStream, to: &UnixStream, descriptors: &[BorrowedFd<'_>], look: Look) -> usize {
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
    let mut kept: Vec<OwnedFd> = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            kept.extend(descriptors);
        }
    }
    look(kept.as_ptr(), kept.len())
}

fn main() {
    run(&ENGINE);
}
