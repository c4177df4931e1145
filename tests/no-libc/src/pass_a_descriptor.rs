//! Sends the writing end of a pipe over a socket pair, receives it, and writes through it: a static program for Linux
//! with no C library at all. Exits with 0 if it works.
//!
//! Needs `panic = "abort"`: the release profile has it.
#![no_std]
#![no_main]

mod platform;

use ancillary::message::ScmRights;
use ancillary::received::recvmsg;
use ancillary::socket::sendmsg;
use ancillary::{ControlBuffer, control_space};
use rustix::fd::AsFd;
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};

/// What the program is for, from where it starts.
fn run() -> Option<()> {
    let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()?;
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).ok()?;
    let mut space = ControlBuffer::<{ control_space!(ScmRights[2]) }>::new();
    let mut control = space.writer();
    control.push(ScmRights([writer.as_fd()])).ok()?;
    sendmsg(&here, &[IoSlice::new(b"a pipe")], &control, SendFlags::empty()).ok()?;
    drop(writer);

    let mut data = [0; 16];
    let received = recvmsg(&there, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty()).ok()?;
    let arrived = received.complete().ok()?.take_descriptors().ok()?.next()?;
    rustix::io::write(arrived, b"through it").ok()?;
    (rustix::io::read(&reader, &mut data) == Ok(10)).then_some(())
}
