//! SENDMSG, RECVMSG and SENDMSG_ZC on prepared headers.

use super::{Ring, a_ring, fd, has_more, zero_copy};
use crate::harness::not_watched_by;
use crate::kernel::no_unasked_messages_of_a_ring;
use crate::support::*;
use crate::tests;
use ancillary::control::ControlSliceMut;
use ancillary::message::{IpTos, ScmRights};
use ancillary::received::recvmsg;
use ancillary::socket::{CLOEXEC_ON_RECEIVE, RecvMsgHdr, SendMsgHdr, set_delivery};
use ancillary::{ControlBuffer, ControlWriter, control_space};
use io_uring::{cqueue, opcode, squeue};
use rustix::fd::AsFd;
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{RecvFlags, SendFlags, SocketAddrAny, SocketType};
use std::net::{Ipv4Addr, UdpSocket};

tests![
    descriptors_are_sent if a_ring,
    descriptors_are_received if a_ring,
    the_request_comes_before_the_message if a_ring_without_unasked_messages,
    nobody_looks if a_ring,
    close_on_exec_is_the_flags_to_say if a_ring,
    truncation_is_told if a_ring,
    an_error_has_brought_nothing if a_ring,
    a_header_to_send_is_used_again if a_ring,
    a_header_to_receive_is_used_again if a_ring,
    many_headers_at_once if a_ring,
    headers_on_other_threads if a_ring,
    who_has_sent_a_datagram if a_ring_that_is_seen_to_write,
    zero_copy_until_the_notification if zero_copy,
    zero_copy_with_a_control_message if zero_copy,
    zero_copy_of_descriptors_is_refused if zero_copy,
];

/// Finding A.
fn a_ring_without_unasked_messages() -> Result<(), String> {
    a_ring()?;
    no_unasked_messages_of_a_ring()
}

fn sendmsg(socket: impl AsFd, header: &SendMsgHdr<'_>) -> squeue::Entry {
    opcode::SendMsg::new(fd(socket), header.as_ptr().cast()).flags(SendFlags::NOSIGNAL.bits()).build()
}

fn sendmsg_zc(socket: impl AsFd, header: &SendMsgHdr<'_>) -> squeue::Entry {
    opcode::SendMsgZc::new(fd(socket), header.as_ptr().cast()).build()
}

fn recvmsg_with(socket: impl AsFd, header: &mut RecvMsgHdr<'_, '_>, flags: RecvFlags) -> squeue::Entry {
    opcode::RecvMsg::new(fd(socket), header.as_mut_ptr().cast()).flags(flags.bits()).build()
}

fn descriptors_are_sent() {
    for kind in TYPES {
        let ((here, there), mut ring, sent) = (pair(kind), Ring::new(), files(2));
        let descriptors = borrowed(&sent);
        let mut space = ControlBuffer::<{ control_space!(ScmRights[2]) }>::new();
        let mut control = space.writer();
        control.push(ScmRights(&descriptors)).unwrap();
        let data = [IoSlice::new(b"two "), IoSlice::new(b"files")];
        let header = SendMsgHdr::new(&data, &control);
        // SAFETY: the header, and what it has borrowed, lives until after the completion.
        unsafe { ring.submit(sendmsg(&here, &header)) };
        assert_eq!(ring.wait(), (Ok(9), 0));

        let (mut data, mut room) = ([0; 16], [0xff; 64]);
        let mut received = receive(&there, &mut data, &mut room).complete().unwrap();
        let arrived = take_all(&mut received);
        assert_eq!(received.filled(&data), b"two files");
        assert!(arrived.len() == 2 && arrived.iter().zip(&sent).all(|(arrived, sent)| same_file(arrived, sent)));
    }
}

fn descriptors_are_received() {
    for kind in TYPES {
        let ((here, there), mut ring, sent) = (pair(kind), Ring::new(), files(3));
        send(&here, b"three files", &borrowed(&sent)).unwrap();
        let (mut first, mut second, mut room) = ([0; 5], [0; 16], [0xff; 64]);
        let mut slices = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        let mut header = RecvMsgHdr::new(&mut slices, &mut room);
        // SAFETY: the header lives until after the completion, and stays where it is.
        unsafe { ring.submit(recvmsg_with(&there, &mut header, CLOEXEC_ON_RECEIVE)) };
        let bytes = ring.wait().0.unwrap();
        // SAFETY: that call has succeeded with these flags.
        let mut received = unsafe { header.into_received(bytes, CLOEXEC_ON_RECEIVE) }.complete().unwrap();
        let arrived = take_all(&mut received);
        assert_eq!((received.bytes(), first, &second[..6]), (11, *b"three", &b" files"[..]));
        assert!(arrived.len() == 3 && arrived.iter().zip(&sent).all(|(arrived, sent)| same_file(arrived, sent)));
    }
}

fn the_request_comes_before_the_message() {
    let ((here, there), mut ring) = (pair(SocketType::STREAM), Ring::new());
    let (mut data, mut room) = ([0; 16], [0xff; 64]);
    let mut slices = [IoSliceMut::new(&mut data)];
    let mut header = RecvMsgHdr::new(&mut slices, &mut room);
    // SAFETY: the header lives until after the completion, and stays where it is.
    unsafe { ring.submit(recvmsg_with(&there, &mut header, CLOEXEC_ON_RECEIVE)) };
    assert!(ring.is_idle());
    send(&here, b"x", &borrowed(&files(2))).unwrap();
    let bytes = ring.wait().0.unwrap();
    // SAFETY: that call has succeeded with these flags.
    let mut received = unsafe { header.into_received(bytes, CLOEXEC_ON_RECEIVE) };
    assert_eq!((received.bytes(), take_all(&mut received).len()), (1, 2));
}

fn nobody_looks() {
    let ((here, there), mut ring) = (pair(SocketType::DGRAM), Ring::new());
    send(&here, b"x", &borrowed(&files(3))).unwrap();
    let mut room = [0xff; 64];
    let mut header = RecvMsgHdr::new(&mut [], &mut room);
    let before = open_descriptors().len();
    // SAFETY: the header lives until after the completion, and stays where it is.
    unsafe { ring.submit(recvmsg_with(&there, &mut header, CLOEXEC_ON_RECEIVE)) };
    let bytes = ring.wait().0.unwrap();
    assert_eq!(open_descriptors().len(), before + 3);
    // SAFETY: that call has succeeded with these flags.
    drop(unsafe { header.into_received(bytes, CLOEXEC_ON_RECEIVE) });
    assert_eq!(open_descriptors().len(), before);
}

fn close_on_exec_is_the_flags_to_say() {
    for flags in [CLOEXEC_ON_RECEIVE, RecvFlags::empty()] {
        let ((here, there), mut ring) = (pair(SocketType::DGRAM), Ring::new());
        send(&here, b"x", &borrowed(&files(1))).unwrap();
        let mut room = [0xff; 64];
        let mut header = RecvMsgHdr::new(&mut [], &mut room);
        // SAFETY: the header lives until after the completion, and stays where it is.
        unsafe { ring.submit(recvmsg_with(&there, &mut header, flags)) };
        let bytes = ring.wait().0.unwrap();
        // SAFETY: that call has succeeded with these flags.
        let mut received = unsafe { header.into_received(bytes, flags) };
        assert_eq!(is_close_on_exec(&take_all(&mut received)[0]), flags == CLOEXEC_ON_RECEIVE);
    }
}

fn truncation_is_told() {
    let ((here, there), mut ring) = (pair(SocketType::DGRAM), Ring::new());
    send(&here, b"too long", &borrowed(&files(3))).unwrap();
    let (mut data, mut room) = ([0; 3], [0xff; ancillary::control_len!(ScmRights[1])]);
    let mut slices = [IoSliceMut::new(&mut data)];
    let mut header = RecvMsgHdr::new(&mut slices, &mut room);
    // SAFETY: the header lives until after the completion, and stays where it is.
    unsafe { ring.submit(recvmsg_with(&there, &mut header, CLOEXEC_ON_RECEIVE)) };
    let bytes = ring.wait().0.unwrap();
    // SAFETY: that call has succeeded with these flags.
    let mut received = unsafe { header.into_received(bytes, CLOEXEC_ON_RECEIVE) };
    assert_eq!((lost(received.incomplete()), take_all(&mut received).len()), (BOTH, 1));
    assert_eq!(data, *b"too");
}

fn an_error_has_brought_nothing() {
    let ((here, there), mut ring) = (pair(SocketType::SEQPACKET), Ring::new());
    let mut room = [0xff; 64];
    let mut header = RecvMsgHdr::new(&mut [], &mut room);
    let flags = CLOEXEC_ON_RECEIVE | RecvFlags::DONTWAIT;
    // SAFETY: the header lives until after the completion, and stays where it is.
    unsafe { ring.submit(recvmsg_with(&there, &mut header, flags)) };
    assert_eq!(ring.wait().0, Err(Errno::AGAIN));

    drop(there);
    let (data, control) = ([IoSlice::new(b"x")], ControlWriter::empty());
    let header = SendMsgHdr::new(&data, &control);
    // SAFETY: the header lives until after the completion.
    unsafe { ring.submit(sendmsg(&here, &header)) };
    assert_eq!(ring.wait().0, Err(Errno::PIPE));
}

fn a_header_to_send_is_used_again() {
    let ((here, there), mut ring, sent) = (pair(SocketType::SEQPACKET), Ring::new(), files(1));
    let descriptors = borrowed(&sent);
    let mut space = ControlBuffer::<{ control_space!(ScmRights[1]) }>::new();
    let mut control = space.writer();
    control.push(ScmRights(&descriptors)).unwrap();
    let data = [IoSlice::new(b"again")];
    let header = SendMsgHdr::new(&data, &control);
    for _ in 0..3 {
        // SAFETY: the header, and what it has borrowed, lives until after the completion.
        unsafe { ring.submit(sendmsg(&here, &header)) };
    }
    for _ in 0..3 {
        assert_eq!(ring.wait().0, Ok(5));
        let mut room = [0xff; 64];
        let mut data = [0; 8];
        let arrived = take_all(&mut receive(&there, &mut data, &mut room).complete().unwrap());
        assert!(arrived.len() == 1 && same_file(&arrived[0], &sent[0]));
    }
}

fn a_header_to_receive_is_used_again() {
    let ((here, there), mut ring) = (pair(SocketType::SEQPACKET), Ring::new());
    let (mut data, mut room) = ([0; 16], [0xff; 64]);
    let mut slices = [IoSliceMut::new(&mut data)];
    let mut header = RecvMsgHdr::new(&mut slices, &mut room);
    for count in [3, 0, 1, 4, 0] {
        let flags = CLOEXEC_ON_RECEIVE | RecvFlags::DONTWAIT;
        // SAFETY: the header lives until after the completion, and stays where it is.
        unsafe { ring.submit(recvmsg_with(&there, &mut header, flags)) };
        assert_eq!(ring.wait().0, Err(Errno::AGAIN));

        let text = format!("{count} files");
        if count == 0 {
            send_plain(&here, text.as_bytes()).unwrap();
        } else {
            send(&here, text.as_bytes(), &borrowed(&files(count))).unwrap();
        }
        // SAFETY: as above.
        unsafe { ring.submit(recvmsg_with(&there, &mut header, CLOEXEC_ON_RECEIVE)) };
        let bytes = ring.wait().0.unwrap();
        // SAFETY: that call has succeeded with these flags.
        let (mut received, data) = unsafe { header.received(bytes, CLOEXEC_ON_RECEIVE) }.into_parts();
        assert_eq!((&data[..], take_all(&mut received).len()), (text.as_bytes(), count));
    }
}

fn many_headers_at_once() {
    let ((here, there), mut ring) = (pair(SocketType::SEQPACKET), Ring::new());
    let mut memory = [([0; 4], [0xff; 64]); 8];
    let mut parts = memory.each_mut().map(|(data, room)| ([IoSliceMut::new(data)], room));
    let mut headers = parts.each_mut().map(|(slices, room)| RecvMsgHdr::new(slices, &mut **room));
    for (index, header) in headers.iter_mut().enumerate() {
        let request = recvmsg_with(&there, header, CLOEXEC_ON_RECEIVE).user_data(index as u64);
        // SAFETY: the header lives until after the completion, and stays where it is.
        unsafe { ring.submit(request) };
    }
    for count in 1..=8 {
        send(&here, &[count], &borrowed(&files(count.into()))).unwrap();
    }
    let mut counts = Vec::new();
    for _ in 0..8 {
        let (result, _, index) = ring.wait_for_any();
        // SAFETY: that call, on this header, has succeeded with these flags.
        let mut message = unsafe { headers[index as usize].received(result.unwrap(), CLOEXEC_ON_RECEIVE) };
        let count = take_all(&mut message).len();
        assert_eq!(message.data(), [count as u8]);
        counts.push(count);
    }
    counts.sort();
    assert_eq!(counts, [1, 2, 3, 4, 5, 6, 7, 8]);
}

/// Prepared on one thread, in flight on another, looked at on a third.
fn headers_on_other_threads() {
    let ((here, there), sent) = (pair(SocketType::SEQPACKET), files(2));
    let descriptors = borrowed(&sent);
    let mut space = ControlBuffer::<{ control_space!(ScmRights[2]) }>::new();
    let mut control = space.writer();
    control.push(ScmRights(&descriptors)).unwrap();
    let data = [IoSlice::new(b"data")];
    let outgoing = SendMsgHdr::new(&data, &control);
    let (mut data, mut room) = ([0; 8], [0xff; 64]);
    let mut slices = [IoSliceMut::new(&mut data)];
    let mut incoming = RecvMsgHdr::new(&mut slices, &mut room);
    std::thread::scope(|scope| {
        let called = scope.spawn(|| {
            let mut ring = Ring::new();
            // SAFETY: the header, and what it has borrowed, lives until after the completion.
            unsafe { ring.submit(sendmsg(&here, &outgoing)) };
            assert_eq!(ring.wait().0, Ok(4));
            // SAFETY: the header lives until after the completion, and stays where it is.
            unsafe { ring.submit(recvmsg_with(&there, &mut incoming, CLOEXEC_ON_RECEIVE)) };
            let bytes = ring.wait().0.unwrap();
            // SAFETY: that call has succeeded with these flags.
            unsafe { incoming.into_received(bytes, CLOEXEC_ON_RECEIVE) }
        });
        let mut received = called.join().unwrap();
        scope.spawn(move || assert_eq!(take_all(&mut received).len(), 2));
    });
}

/// The room for a name is in the header, and only the kernel writes to it. The other tests give rooms of their own, which
/// they have written to.
fn a_ring_that_is_seen_to_write() -> Result<(), String> {
    a_ring()?;
    not_watched_by(
        &["memory"],
        "does not see what the kernel writes for a ring, without a call that is given the memory",
    )
}

fn who_has_sent_a_datagram() {
    let (here, there) = (UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)), UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)));
    let ((here, there), mut ring) = ((here.unwrap(), there.unwrap()), Ring::new());
    let address = SocketAddrAny::from(there.local_addr().unwrap());
    let (data, control) = ([IoSlice::new(b"data")], ControlWriter::empty());
    let header = SendMsgHdr::new(&data, &control).with_address(&address);
    // SAFETY: the header, and what it has borrowed, lives until after the completion.
    unsafe { ring.submit(sendmsg(&here, &header)) };
    assert_eq!(ring.wait().0, Ok(4));

    let mut data = [0; 8];
    let mut slices = [IoSliceMut::new(&mut data)];
    let mut header = RecvMsgHdr::new(&mut slices, ControlSliceMut::none());
    // SAFETY: the header lives until after the completion, and stays where it is.
    unsafe { ring.submit(recvmsg_with(&there, &mut header, RecvFlags::empty())) };
    let bytes = ring.wait().0.unwrap();
    // SAFETY: that call has succeeded with these flags.
    let message = unsafe { header.received(bytes, RecvFlags::empty()) };
    assert_eq!(message.address(), Some(&here.local_addr().unwrap().into()));
    assert_eq!(message.data(), b"data");
}

/// The data is the system's until it says so, in a second completion.
fn zero_copy_until_the_notification() {
    let (here, there) = (UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)), UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)));
    let ((here, there), mut ring) = ((here.unwrap(), there.unwrap()), Ring::new());
    let address = SocketAddrAny::from(there.local_addr().unwrap());
    let mut memory = vec![0; 8192];
    for round in 1..=3 {
        memory.fill(round);
        let (data, control) = ([IoSlice::new(&memory)], ControlWriter::empty());
        let header = SendMsgHdr::new(&data, &control).with_address(&address);
        // SAFETY: the header, and what it has borrowed, lives until after the notification.
        unsafe { ring.submit(sendmsg_zc(&here, &header)) };
        let (result, flags) = ring.wait();
        assert_eq!((result, has_more(flags), cqueue::notif(flags)), (Ok(8192), true, false));
        let mut arrived = vec![0; 8192];
        wait_for(&there, libc::POLLIN);
        assert_eq!(there.recv(&mut arrived).unwrap(), 8192);
        assert!(arrived.iter().all(|byte| *byte == round));
        let (result, flags) = ring.wait();
        assert_eq!((result, has_more(flags), cqueue::notif(flags)), (Ok(0), false, true));
    }
}

fn zero_copy_with_a_control_message() {
    let (here, there) = (UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)), UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)));
    let ((here, there), mut ring) = ((here.unwrap(), there.unwrap()), Ring::new());
    set_delivery::<IpTos>(&there, true).unwrap();
    let address = SocketAddrAny::from(there.local_addr().unwrap());
    let mut space = ControlBuffer::<{ control_space!(IpTos) }>::new();
    let mut control = space.writer();
    control.push(IpTos(0x2c)).unwrap();
    let data = [IoSlice::new(b"data")];
    let header = SendMsgHdr::new(&data, &control).with_address(&address);
    // SAFETY: the header, and what it has borrowed, lives until after the notification.
    unsafe { ring.submit(sendmsg_zc(&here, &header)) };
    assert_eq!(ring.wait().0, Ok(4));
    let (mut data, mut space) = ([0; 8], ControlBuffer::<64>::new());
    wait_for(&there, libc::POLLIN);
    let received = recvmsg(&there, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::DONTWAIT)
        .unwrap()
        .complete()
        .unwrap();
    assert_eq!(received.find::<IpTos>(), Some(Ok(IpTos(0x2c))));
    assert!(cqueue::notif(ring.wait().1));
}

/// There is no zero-copy on UNIX-domain sockets, and what was to be sent is still the sender's.
fn zero_copy_of_descriptors_is_refused() {
    let ((here, there), mut ring, sent) = (pair(SocketType::STREAM), Ring::new(), files(1));
    let descriptors = borrowed(&sent);
    let mut space = ControlBuffer::<{ control_space!(ScmRights[1]) }>::new();
    let mut control = space.writer();
    control.push(ScmRights(&descriptors)).unwrap();
    let data = [IoSlice::new(b"data")];
    let header = SendMsgHdr::new(&data, &control);
    // SAFETY: the header, and what it has borrowed, lives until after the last completion.
    unsafe { ring.submit(sendmsg_zc(&here, &header)) };
    let (result, mut flags) = ring.wait();
    assert_eq!(result, Err(Errno::OPNOTSUPP));
    while has_more(flags) {
        flags = ring.wait().1;
    }
    let mut room = [0xff; 64];
    assert_eq!(receive_flags(&there, &mut [0], &mut room, RecvFlags::DONTWAIT).err(), Some(Errno::AGAIN));
}
