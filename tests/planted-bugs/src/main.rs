//! Does one thing that is wrong, which the argument names, or `nothing`. What watches the program has to tell.
//!
//! Whatever it is, a descriptor is passed through the library before, and nothing is to be said of that.

use ancillary::message::ScmRights;
use ancillary::received::recvmsg;
use ancillary::socket::sendmsg;
use ancillary::socket::{SendMsgHdr, sendmsg_raw};
use ancillary::{ControlBuffer, ControlWriter, control_space};
use rustix::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
use std::hint::black_box;
use std::mem::MaybeUninit;

fn main() {
    let (here, there) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    pass_a_descriptor(&here, &there);
    match std::env::args().nth(1).as_deref() {
        Some("nothing") => {}
        Some("heap-overflow") => read_behind_the_heap(),
        Some("leak") => leak_memory(),
        Some("race") => race(),
        Some("uninitialised") => decide_by_what_was_never_written(),
        Some("uninitialised-data") => send_what_was_never_written(&here),
        Some("uninitialised-padding") => send_padding_that_was_never_written(&here),
        Some("descriptor") => drop(black_box(there.try_clone().unwrap().into_raw_fd())),
        // A socket that a route is asked for.
        Some("descriptor-of-another-kind") => {
            let socket = rustix::net::socket(AddressFamily::NETLINK, SocketType::RAW, None).unwrap();
            let _open = black_box(socket.into_raw_fd());
        }
        other => panic!("what is {other:?}?"),
    }
}

fn pass_a_descriptor(here: &OwnedFd, there: &OwnedFd) {
    // Uninitialised, as a user has it.
    let mut space = ControlBuffer::<{ control_space!(ScmRights[1]) }>::new();
    let mut control = space.writer();
    control.push(ScmRights([there.as_fd()])).unwrap();
    sendmsg(here, &[IoSlice::new(b"data")], &control, SendFlags::empty()).unwrap();
    let (mut data, mut space) = ([0; 8], ControlBuffer::<64>::new());
    let mut received = recvmsg(there, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty()).unwrap();
    assert!(received.take_descriptors().unwrap().next().is_some());
}

fn read_behind_the_heap() {
    let bytes = black_box(vec![1u8; 24]);
    // SAFETY: none. This is the bug.
    black_box(unsafe { *bytes.as_ptr().add(24) });
}

fn leak_memory() {
    #[inline(never)]
    fn leak() {
        std::mem::forget(black_box(Box::new([1u8; 4321])));
    }
    leak();
    // So that nothing on the stack still leads there.
    black_box([0usize; 512]);
}

static mut COUNTER: usize = 0;

fn race() {
    let count = || {
        for _ in 0..1000 {
            // SAFETY: none. This is the bug.
            unsafe { (&raw mut COUNTER).write((&raw const COUNTER).read() + 1) };
        }
    };
    let other = std::thread::spawn(count);
    count();
    other.join().unwrap();
}

fn decide_by_what_was_never_written() {
    let memory: Box<[MaybeUninit<u8>]> = Box::new_uninit_slice(64);
    // SAFETY: none. This is the bug.
    if unsafe { black_box(memory.as_ptr()).cast::<u8>().add(17).read() } == 17 {
        println!("it happens to be 17");
    }
}

fn send_what_was_never_written(here: &OwnedFd) {
    let memory: Box<[MaybeUninit<u8>]> = Box::new_uninit_slice(64);
    // SAFETY: none. This is the bug.
    let data = unsafe { std::slice::from_raw_parts(memory.as_ptr().cast::<u8>(), 64) };
    sendmsg(here, &[IoSlice::new(black_box(data))], &ControlWriter::empty(), SendFlags::empty()).unwrap();
}

/// The four bytes after one descriptor.
fn send_padding_that_was_never_written(here: &OwnedFd) {
    let mut memory: Box<[MaybeUninit<u8>]> = Box::new_uninit_slice(24);
    let message =
        [&20usize.to_ne_bytes()[..], &1i32.to_ne_bytes(), &1i32.to_ne_bytes(), &here.as_raw_fd().to_ne_bytes()];
    for (byte, value) in memory.iter_mut().zip(message.concat()) {
        byte.write(value);
    }
    // SAFETY: none. This is the bug.
    let control = unsafe { std::slice::from_raw_parts(memory.as_ptr().cast::<u8>(), 24) };
    let data = [IoSlice::new(b"data")];
    let header = SendMsgHdr::with_bytes(&data, black_box(control));
    // SAFETY: the header is prepared, and the descriptor is open.
    unsafe { sendmsg_raw(here, header.as_ptr(), SendFlags::empty()) }.unwrap();
}
