//! Sends the writing end of a pipe over a socket pair, receives it, and writes through it: a static program for Linux
//! with no C library at all. Exits with 0 if it works.
//!
//! Needs `panic = "abort"`: the release profile has it.
#![no_std]
#![no_main]

/// The crate's own assembly: it ends the program as well.
#[cfg_attr(target_arch = "x86_64", path = "../../../src/socket/backend/linux_raw/arch/x86_64.rs")]
#[cfg_attr(target_arch = "x86", path = "../../../src/socket/backend/linux_raw/arch/x86.rs")]
#[cfg_attr(target_arch = "aarch64", path = "../../../src/socket/backend/linux_raw/arch/aarch64.rs")]
#[cfg_attr(target_arch = "arm", path = "../../../src/socket/backend/linux_raw/arch/arm.rs")]
#[cfg_attr(target_arch = "riscv64", path = "../../../src/socket/backend/linux_raw/arch/riscv64.rs")]
#[cfg_attr(target_arch = "loongarch64", path = "../../../src/socket/backend/linux_raw/arch/loongarch64.rs")]
#[cfg_attr(target_arch = "s390x", path = "../../../src/socket/backend/linux_raw/arch/s390x.rs")]
#[allow(dead_code, reason = "the program itself needs one call only")]
mod arch;
#[cfg(target_arch = "loongarch64")]
mod c_functions;
mod memory;
mod start;

use ancillary::message::ScmRights;
use ancillary::{ControlSpace, control_space, recvmsg, sendmsg};
use rustix::fd::AsFd;
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};

fn pass_a_descriptor() -> Option<()> {
    let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()?;
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).ok()?;
    let mut space = ControlSpace::<{ control_space!(ScmRights[2]) }>::new();
    let mut control = space.writer();
    control.push(&ScmRights::new(&[writer.as_fd()])).ok()?;
    sendmsg(&here, &[IoSlice::new(b"a pipe")], &control, SendFlags::empty()).ok()?;
    drop(writer);

    let mut data = [0; 16];
    let received = recvmsg(&there, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty()).ok()?;
    let arrived = received.complete().ok()?.take_descriptors().next()?.ok()?;
    rustix::io::write(arrived, b"through it").ok()?;
    (rustix::io::read(&reader, &mut data) == Ok(10)).then_some(())
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    start::exit(101)
}
