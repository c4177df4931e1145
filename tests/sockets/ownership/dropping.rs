//! What the caller does not take is closed, whatever else the caller does.

use super::received_with;
use crate::support::*;
use crate::tests;
use ancillary::control::ControlSliceMut;
use ancillary::message::{ScmCredentials, ScmRights};
use ancillary::socket::{CLOEXEC_ON_RECEIVE, RecvMsgHdr, RecvRoom, RecvSlot, recvmsg_raw};
use ancillary::{ControlBuffer, Message, control_space};
use rustix::fd::{AsFd, AsRawFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{AddressFamily, RecvFlags, SocketType};
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

tests![
    nobody_looks,
    a_panic_in_the_caller,
    an_early_return,
    the_loop_is_left_half_way,
    a_socket_that_panics_when_it_is_dropped,
    number_zero_is_a_descriptor,
    close_on_exec_that_is_asked_for_twice,
    a_buffer_is_used_again,
    a_header_is_used_again,
    an_address_of_any_length,
    at_every_misalignment,
    a_reply_that_is_dropped_unblocks_the_peer,
];

fn nobody_looks() {
    for count in [1, 2, 253] {
        let mut room = [0xff; 2048];
        drop(received_with(count, &mut room));
    }
}

fn a_panic_in_the_caller() {
    let mut room = [0xff; 64];
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut received = received_with(3, &mut room);
        let _first = received.take_descriptors().unwrap().next();
        panic!("in the caller");
    }));
    std::panic::set_hook(hook);
    assert!(result.is_err());
}

fn an_early_return() {
    fn refuses() -> Result<(), Errno> {
        let mut room = [0xff; 64];
        let mut received = received_with(3, &mut room);
        for descriptor in received.take_descriptors().unwrap() {
            rustix::io::write(descriptor, b"x")?; // the reading end of a pipe
        }
        Ok(())
    }
    assert_eq!(refuses(), Err(Errno::BADF));
}

fn the_loop_is_left_half_way() {
    let (here, there) = pair(SocketType::DGRAM);
    rustix::net::sockopt::set_socket_passcred(&there, true).unwrap();
    send(&here, b"x", &borrowed(&files(3))).unwrap();
    let mut room = [0xff; 128];
    let mut received = receive(&there, &mut [0], &mut room);
    let before = open_descriptors().len();
    assert!(received.messages().any(|message| matches!(message, Ok(Message::ScmCredentials(_)))));
    assert_eq!(open_descriptors().len(), before, "the walk only looked");
    assert!(received.take_messages().any(|message| matches!(message, Ok(Message::ScmCredentials(_)))));
    assert_eq!(open_descriptors().len(), before - 3, "the walk was to take them");
}

/// What arrived has an owner before anything of the caller's runs.
fn a_socket_that_panics_when_it_is_dropped() {
    let (here, there) = pair(SocketType::DGRAM);
    send(&here, b"x", &borrowed(&files(3))).unwrap();
    let result = catch_unwind(AssertUnwindSafe(|| {
        let (mut data, mut room) = ([0], [0; 64]);
        drop(ancillary::received::recvmsg(
            PanicsWhenDropped(there),
            &mut [IoSliceMut::new(&mut data)],
            &mut room,
            RecvFlags::empty(),
        ));
    }));
    assert!(result.is_err());
}

fn close_on_exec_that_is_asked_for_twice() {
    let (here, there) = pair(SocketType::DGRAM);
    let flags = RecvFlags::DONTWAIT | CLOEXEC_ON_RECEIVE;
    let (mut room, mut data) = ([0xff; 64], [0]);
    send(&here, b"x", &borrowed(&files(1))).unwrap();
    let mut received = receive_flags(&there, &mut data, &mut room, flags).unwrap();
    assert!(take_all(&mut received).iter().all(is_close_on_exec));
    drop(received);

    send(&here, b"x", &borrowed(&files(1))).unwrap();
    let mut slices = [IoSliceMut::new(&mut data)];
    let (mut rooms, mut slots) = ([RecvRoom::new(&mut slices, &mut room)], [RecvSlot::new()]);
    let mut batch = ancillary::received::recvmmsg(&there, &mut slots, &mut rooms, flags, None).unwrap();
    assert_eq!(format!("{batch:?}"), "ReceivedBatch { left: 1, error: None, .. }");
    let mut message = batch.next().unwrap();
    assert!(format!("{message:?}").starts_with("Received { bytes: 1, "), "{message:?}");
    let arrived = take_all(&mut message);
    assert!(arrived.len() == 1 && arrived.iter().all(is_close_on_exec));
}

/// A process without a standard input receives that number.
fn number_zero_is_a_descriptor() {
    let (here, there) = pair(SocketType::DGRAM);
    send(&here, b"x", &borrowed(&files(1))).unwrap();
    let input = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).unwrap();
    // SAFETY: nothing uses the standard input before it is put back below.
    drop(unsafe { rustix::stdio::take_stdin() });
    let mut room = [0; 64];
    let mut received = receive(&there, &mut [0], &mut room);
    let arrived = received.take_descriptors().unwrap().next().unwrap();
    let number = arrived.as_raw_fd();
    drop((arrived, received));
    let closed = !open_descriptors().contains(&0);
    rustix::stdio::dup2_stdin(&input).unwrap();
    assert_eq!((number, closed), (0, true));
}

fn a_buffer_is_used_again() {
    let (here, there) = pair(SocketType::SEQPACKET);
    let mut space = ControlBuffer::<{ control_space!(ScmCredentials, ScmRights[3]) }>::new();
    for count in [3, 1, 0, 2] {
        let sent = files(count);
        send(&here, b"x", &borrowed(&sent)).unwrap();
        let mut data = [0; 4];
        let mut slices = [IoSliceMut::new(&mut data)];
        let mut received = ancillary::received::recvmsg(&there, &mut slices, &mut space, RecvFlags::empty()).unwrap();
        assert_eq!(received.take_descriptors().unwrap().take(1).count(), count.min(1));
    }
}

/// Lengths that a call has lowered are full again for the next one, after an error too.
fn a_header_is_used_again() {
    let (here, there) = pair(SocketType::SEQPACKET);
    rustix::io::ioctl_fionbio(&there, true).unwrap();
    let mut data = [0; 4];
    for round in 0..3 {
        let mut room = [0xff; 64];
        let mut slices = [IoSliceMut::new(&mut data)];
        let mut header = RecvMsgHdr::new(&mut slices, &mut room);
        let flags = CLOEXEC_ON_RECEIVE;
        // SAFETY: the header is prepared, lives until after the call and stays where it is.
        let empty = unsafe { recvmsg_raw(&there, header.as_mut_ptr(), flags) };
        assert_eq!(empty, Err(Errno::AGAIN));

        send_plain(&here, b"plain").unwrap();
        // SAFETY: as above.
        let plain = unsafe { recvmsg_raw(&there, header.as_mut_ptr(), flags) };
        assert_eq!(plain, Ok(4));

        send(&here, b"x", &borrowed(&files(round + 1))).unwrap();
        // SAFETY: as above.
        let bytes = unsafe { recvmsg_raw(&there, header.as_mut_ptr(), flags) }.unwrap();
        // SAFETY: the call has succeeded with these flags, and the one before it has brought no descriptor.
        let mut received = unsafe { header.into_received(bytes, flags) }.complete().unwrap();
        assert_eq!((received.bytes(), take_all(&mut received).len()), (1, round + 1));
    }
}

/// What a system says of an address is believed, and no more than there is room for.
fn an_address_of_any_length() {
    let address_of = |family: c_int, len: u32| {
        let mut data = [];
        let mut header = RecvMsgHdr::new(&mut data, ControlSliceMut::none());
        let pointer = header.as_mut_ptr().cast::<libc::msghdr>();
        // SAFETY: the pointer is to a prepared `struct msghdr`, and that has room for any address: all of it is written,
        // in the place of the system.
        unsafe {
            (*pointer).msg_name.cast::<[u8; 128]>().write([0; 128]);
            (*pointer).msg_name.cast::<libc::sa_family_t>().write(family as _);
            (*pointer).msg_namelen = len;
        }
        // SAFETY: that is all a call would have done that received nothing.
        let received = unsafe { header.into_received(0, RecvFlags::empty()) };
        received.address().map(|address| (address.address_family(), address.addr_len()))
    };
    for len in [0, 1, 2] {
        assert_eq!(address_of(libc::AF_UNIX, len), None, "no more than a family: NetBSD's sender without a name");
    }
    for len in [3, 110, 127, 128] {
        assert_eq!(address_of(libc::AF_UNIX, len), Some((AddressFamily::UNIX, len)));
        assert_eq!(address_of(libc::AF_UNSPEC, len), None);
    }
    assert_eq!(address_of(libc::AF_UNIX, 129), Some((AddressFamily::UNIX, 128)), "more than there is");
}

fn at_every_misalignment() {
    for misalignment in 0..16 {
        let (here, there) = pair(SocketType::DGRAM);
        rustix::net::sockopt::set_socket_passcred(&there, true).unwrap();
        let mut memory = [0xff; 128];
        let mut control = ancillary::ControlWriter::new(&mut memory[misalignment..misalignment + 32]);
        let sent = files(3);
        let descriptors = borrowed(&sent);
        control.push(ScmRights(&descriptors)).unwrap();
        ancillary::socket::sendmsg(&here, &[IoSlice::new(b"x")], &control, rustix::net::SendFlags::empty()).unwrap();
        let mut received = receive(&there, &mut [0], &mut memory[misalignment..misalignment + 64]).complete().unwrap();
        assert!(
            matches!(received.messages().next(), Some(Ok(Message::ScmCredentials(who))) if who == ScmCredentials::of_this_process())
        );
        assert_eq!(take_all(&mut received).len(), 3);
    }
}

fn a_reply_that_is_dropped_unblocks_the_peer() {
    let (here, there) = pair(SocketType::STREAM);
    let (reply, waiting) = pair(SocketType::STREAM);
    rustix::io::ioctl_fionbio(&waiting, true).unwrap();
    send(&here, b"x", &[reply.as_fd()]).unwrap();
    drop(reply);
    let mut room = [0; 64];
    drop(receive(&there, &mut [0], &mut room));
    assert_eq!(rustix::io::read(&waiting, &mut [0; 4]), Ok(0));
}
