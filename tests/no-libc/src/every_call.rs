//! Makes every system call of the crate: asks for credentials, sends two messages at once, receives them, and compares
//! who the kernel says has sent them with who this process says it is. Exits with 0 if it works.
#![no_std]
#![no_main]

mod platform;

use ancillary::message::{ScmCredentials, ScmRights};
use ancillary::received::{recvmmsg, recvmsg};
use ancillary::socket::{RecvRoom, RecvSlot, SendSlot, set_delivery};
use ancillary::socket::{sendmmsg, sendmsg};
use ancillary::{ControlBuffer, ControlWriter, control_space};
use core::time::Duration;
use rustix::fd::AsFd;
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};

fn run() -> Option<()> {
    let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()?;
    set_delivery::<ScmCredentials>(&there, true).ok()?;
    batch(&here, &there)?;
    one(&here, &there)?;
    let nothing = recvmsg(&there, &mut [IoSliceMut::new(&mut [0])], &mut [0u8; 0], RecvFlags::DONTWAIT);
    (nothing.err() == Some(Errno::AGAIN)).then_some(())
}

fn batch(here: impl AsFd, there: impl AsFd) -> Option<()> {
    let who = ScmCredentials::of_this_process();
    let control = ControlWriter::empty();
    let data = [[IoSlice::new(b"one")], [IoSlice::new(b"three")]];
    let mut messages = [SendSlot::new(&data[0], &control), SendSlot::new(&data[1], &control)];
    if sendmmsg(here, &mut messages, SendFlags::empty()) != Ok(2) || messages.map(|message| message.sent()) != [3, 5] {
        return None;
    }
    let (mut first, mut second) = ([0; 8], [0; 8]);
    let (mut first, mut second) = ([IoSliceMut::new(&mut first)], [IoSliceMut::new(&mut second)]);
    let [mut beside_first, mut beside_second] =
        [const { ControlBuffer::<{ control_space!(ScmCredentials) }>::new() }; 2];
    let mut rooms = [RecvRoom::new(&mut first, &mut beside_first), RecvRoom::new(&mut second, &mut beside_second)];
    let mut slots = [const { RecvSlot::new() }; 2];
    let timeout = Some(Duration::from_secs(3600));
    let mut batch = recvmmsg(there, &mut slots, &mut rooms, RecvFlags::empty(), timeout).ok()?;
    for sent in [&b"one"[..], b"three"] {
        let message = batch.next()?;
        if message.data() != sent || message.find::<ScmCredentials>()?.ok()? != who {
            return None;
        }
    }
    batch.next().is_none().then_some(())
}

fn one(here: impl AsFd, there: impl AsFd) -> Option<()> {
    let mut space = ControlBuffer::<{ control_space!(ScmCredentials, ScmRights[1]) }>::new();
    let mut control = space.writer();
    control.push(ScmCredentials::of_this_process()).ok()?;
    control.push(ScmRights([here.as_fd()])).ok()?;
    sendmsg(&here, &[IoSlice::new(b"one")], &control, SendFlags::empty()).ok()?;
    let mut data = [0; 8];
    let received = recvmsg(there, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty()).ok()?;
    let mut received = received.complete().ok()?;
    let sender: ScmCredentials = received.find()?.ok()?;
    let descriptors = received.take_descriptors().ok()?.count();
    (sender == ScmCredentials::of_this_process() && descriptors == 1).then_some(())
}
