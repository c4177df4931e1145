//! nix. What it writes goes into memory that it allocates itself, and it reads only what it has received. In a batch it sends
//! the same control messages with every datagram.

use ancillary_benches::{BATCH, DATA, Engine, Look, mix, run};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, recvmsg, sendmmsg, sendmsg,
};
use nix::{cmsg_space, unistd::close};
use std::io::{IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

const ENGINE: Engine = Engine {
    pass_one: Some(pass::<1>),
    pass_253: Some(pass::<253>),
    keep_253: Some(|from, to, descriptors, look| keep::<_, 253>(from, to, descriptors, look)),
    forward_28: Some(keep::<_, 28>),
    batch: Some(batch),
    batch_of_one: Some(batch_of_one),
    ..Engine::NOTHING
}
.of_this_program();

fn pass<const COUNT: usize>(from: &UnixStream, to: &UnixStream, descriptors: &[BorrowedFd<'_>; COUNT]) -> usize {
    let numbers = descriptors.map(|descriptor| descriptor.as_raw_fd());
    let control = [ControlMessage::ScmRights(&numbers)];
    let sent = sendmsg::<()>(from.as_raw_fd(), &[IoSlice::new(b"d")], &control, MsgFlags::empty(), None);
    if sent != Ok(1) {
        return 0;
    }
    let (mut data, mut space) = ([0], cmsg_space!([RawFd; COUNT]));
    let mut slices = [IoSliceMut::new(&mut data)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let Ok(received) = recvmsg::<()>(to.as_raw_fd(), &mut slices, Some(&mut space), flags) else { return 0 };
    let Ok(messages) = received.cmsgs() else { return 0 };
    let mut closed = 0;
    for message in messages {
        if let ControlMessageOwned::ScmRights(numbers) = message {
            for number in numbers {
                closed += usize::from(close(number).is_ok());
            }
        }
    }
    closed
}

fn keep<T: AsRawFd, const COUNT: usize>(from: &UnixStream, to: &UnixStream, descriptors: &[T], look: Look) -> usize {
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let control = [ControlMessage::ScmRights(&numbers)];
    let sent = sendmsg::<()>(from.as_raw_fd(), &[IoSlice::new(b"d")], &control, MsgFlags::empty(), None);
    if sent != Ok(1) {
        return 0;
    }
    let (mut data, mut space) = ([0], cmsg_space!([RawFd; COUNT]));
    let mut slices = [IoSliceMut::new(&mut data)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let Ok(received) = recvmsg::<()>(to.as_raw_fd(), &mut slices, Some(&mut space), flags) else { return 0 };
    let Ok(messages) = received.cmsgs() else { return 0 };
    let mut kept: Vec<OwnedFd> = Vec::new();
    for message in messages {
        if let ControlMessageOwned::ScmRights(numbers) = message {
            // SAFETY: they have just been received, and nothing else owns them.
            kept.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
    look(kept.as_ptr(), kept.len())
}

fn batch_of_one(from: &UdpSocket, to: &UdpSocket, turns: usize) -> u64 {
    let mut data = [0; DATA];
    let mut receiving = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let mut buffers = [[0; DATA]; BATCH];
    let mut digest = 0;
    for turn in 0..turns {
        data[0] = turn as u8;
        assert_eq!(from.send(&data).expect("it is sent"), DATA);
        let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_WAITFORONE;
        let received = recvmmsg(to.as_raw_fd(), &mut receiving, &mut slices, flags, None);
        for message in received.expect("it was sent") {
            let first = message.iovs().next().map_or(0, |data| u32::from(data[0]));
            digest = mix(mix(mix(digest, message.bytes as u32), first), 0);
        }
    }
    digest
}

fn batch(from: &UdpSocket, to: &UdpSocket, turns: usize) -> u64 {
    let numbered: [[u8; DATA]; BATCH] = std::array::from_fn(|index| [index as u8; DATA]);
    let mut sending = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let mut receiving = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let slices = numbered.each_ref().map(|data| [IoSlice::new(data)]);
    let mut buffers = [[0; DATA]; BATCH];
    let mut digest = 0;
    for _ in 0..turns {
        let sent = sendmmsg(from.as_raw_fd(), &mut sending, &slices, [None; BATCH], [], MsgFlags::empty());
        assert_eq!(sent.expect("they are sent").count(), BATCH);
        // These it borrows for as long as the results live.
        let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let received = recvmmsg(to.as_raw_fd(), &mut receiving, &mut slices, MsgFlags::MSG_CMSG_CLOEXEC, None);
        for message in received.expect("they were sent") {
            let first = message.iovs().next().map_or(0, |data| u32::from(data[0]));
            digest = mix(mix(mix(digest, message.bytes as u32), first), 0);
        }
    }
    digest
}

fn main() {
    run(&ENGINE);
}
