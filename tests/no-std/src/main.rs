//! Sends the writing end of a pipe over a socket pair, receives it, and writes through it: without `std`, and without an
//! allocator to link to. Exits with 0 if it works.
//!
//! Needs `panic = "abort"`: the release profile has it.
#![no_std]
#![no_main]

use ancillary::message::ScmRights;
use ancillary::received::recvmsg;
use ancillary::socket::sendmsg;
use ancillary::{ControlBuffer, control_space};
use core::ffi::c_int;
use rustix::fd::AsFd;
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};

fn pass_a_descriptor() -> Option<()> {
    let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).ok()?;
    let (reader, writer) = rustix::pipe::pipe().ok()?;
    let mut space = ControlBuffer::<{ control_space!(ScmRights[1]) }>::new();
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

/// What the C runtime calls.
// SAFETY: no other function of the program has this name.
#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    if pass_a_descriptor().is_some() { 0 } else { 1 }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: the call has no precondition.
    unsafe { libc::abort() }
}
