//! The same as `pass-a-descriptor` with what rustix itself has for it: what that program's size is compared with.
#![no_std]
#![no_main]

mod platform;

use core::mem::MaybeUninit;
use rustix::cmsg_space;
use rustix::fd::AsFd;
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::pipe::{PipeFlags, pipe_with};

/// What the program is for, from where it starts.
fn run() -> Option<()> {
    let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()?;
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).ok()?;
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [writer.as_fd()];
    if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return None;
    }
    sendmsg(&here, &[IoSlice::new(b"a pipe")], &mut control, SendFlags::empty()).ok()?;
    drop(writer);

    let mut data = [0; 16];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(&there, &mut [IoSliceMut::new(&mut data)], &mut control, RecvFlags::CMSG_CLOEXEC).ok()?;
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return None;
    }
    let rights = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let arrived = rights?.next()?;
    rustix::io::write(arrived, b"through it").ok()?;
    (rustix::io::read(&reader, &mut data) == Ok(10)).then_some(())
}
