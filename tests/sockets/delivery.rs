//! Which descriptors arrive with which bytes.

use crate::kernel::urgent_data_on_unix_sockets;
use crate::support::*;
use crate::tests;
use ancillary::message::ScmRights;
use ancillary::received::recvmsg;
use ancillary::socket::RecvOptions;
use ancillary::socket::sendmsg;
use ancillary::{ControlBuffer, Message, control_space};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{SeekFrom, seek};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{RecvFlags, ReturnFlags, SendFlags, SocketType};

tests![
    descriptors_keep_their_order,
    the_sender_closes_and_the_file_stays_open,
    close_on_exec_is_the_default_and_not_inherited,
    an_empty_list_arrives_as_nothing,
    without_data_a_stream_delivers_nothing,
    a_plain_read_drops_the_descriptor,
    earlier_bytes_carry_no_descriptor,
    two_writes_with_descriptors_never_merge,
    bytes_before_are_glued_and_bytes_after_are_not,
    a_descriptor_belongs_to_the_first_byte,
    an_empty_read_can_deliver_a_descriptor,
    out_of_band_data_carries_no_descriptor if urgent_data_on_unix_sockets,
    every_peek_installs_descriptors_that_are_owned,
    a_peek_shows_descriptors_of_the_byte_after_it,
    a_socket_passed_over_itself_stays_alive,
    ten_of_room_for_twenty,
    a_full_socket_passes_nothing,
    waiting_for_all_stops_at_a_descriptor,
    the_open_file_is_shared,
    from_a_process_that_is_gone,
    a_descriptor_then_the_end,
    an_empty_datagram_is_not_an_end,
    nothing_there_is_an_error_and_nothing_is_owned,
    not_a_socket,
    flags_do_not_echo_close_on_exec,
    pending_descriptors_are_not_ours,
];

fn descriptors_keep_their_order() {
    for kind in TYPES {
        for count in 1..=3 {
            let (here, there) = pair(kind);
            let sent = files(count);
            send(&here, b"x", &borrowed(&sent)).unwrap();
            let mut room = [0xff; 64];
            let mut received = receive(&there, &mut [0], &mut room).complete().unwrap();
            assert_eq!((received.bytes(), received.flags()), (1, ReturnFlags::empty()));
            // The room was dirty: had the kernel's length not been believed, this would be no clean end.
            assert_eq!(received.messages().map(Result::unwrap).count(), 1);
            let arrived = take_all(&mut received);
            assert_eq!(arrived.len(), count);
            for (sent, arrived) in sent.iter().zip(&arrived) {
                assert!(same_file(sent, arrived));
                assert_ne!(sent.as_raw_fd(), arrived.as_raw_fd());
            }
        }
    }
}

fn the_sender_closes_and_the_file_stays_open() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        send(&here, b"x", &[writer.as_fd()]).unwrap();
        drop((writer, here));
        let mut room = [0; 64];
        let arrived = take_all(&mut receive(&there, &mut [0], &mut room));
        rustix::io::write(&arrived[0], b"still open").unwrap();
        let mut data = [0; 16];
        assert_eq!(rustix::io::read(&reader, &mut data).unwrap(), 10);
    }
}

fn close_on_exec_is_the_default_and_not_inherited() {
    let (here, there) = pair(SocketType::STREAM);
    let file = files(1);
    rustix::io::fcntl_setfd(&file[0], rustix::io::FdFlags::CLOEXEC).unwrap();
    send(&here, b"x", &borrowed(&file)).unwrap();
    let mut room = [0; 64];
    let mut data = [0; 1];
    let mut slices = [IoSliceMut::new(&mut data)];
    let mut received = recvmsg(&there, &mut slices, &mut room, RecvOptions::new().inheritable()).unwrap();
    assert!(!is_close_on_exec(&take_all(&mut received)[0]));
    drop(received);

    send(&here, b"x", &borrowed(&files(2))).unwrap();
    for descriptor in take_all(&mut receive(&there, &mut [0], &mut room)) {
        assert!(is_close_on_exec(descriptor));
    }
}

fn an_empty_list_arrives_as_nothing() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        send(&here, b"x", &[]).unwrap();
        let mut room = [0xff; 64];
        assert!(receive(&there, &mut [0], &mut room).complete().unwrap().messages().next().is_none());

        let file = files(1);
        let descriptors = borrowed(&file);
        for lists in [[&descriptors[..], &[]], [&[], &descriptors[..]]] {
            let mut space = ControlBuffer::<{ control_space!(ScmRights[0], ScmRights[1]) }>::new();
            let mut control = space.writer();
            lists.iter().for_each(|list| control.push(ScmRights(*list)).unwrap());
            sendmsg(&here, &[IoSlice::new(b"x")], &control, SendFlags::empty()).unwrap();
            let mut received = receive(&there, &mut [0], &mut room);
            assert_eq!(received.messages().count(), 1);
            assert_eq!(take_all(&mut received).len(), 1);
        }
    }
}

fn without_data_a_stream_delivers_nothing() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        let file = files(1);
        assert_eq!(send(&here, b"", &borrowed(&file)), Ok(0));
        let mut room = [0; 64];
        let mut data = [0; 4];
        let result = receive_flags(&there, &mut data, &mut room, RecvFlags::DONTWAIT);
        if kind == SocketType::STREAM {
            assert_eq!(result.err(), Some(Errno::AGAIN));
        } else {
            let mut received = result.unwrap();
            assert_eq!((received.bytes(), take_all(&mut received).len()), (0, 1));
        }
    }
}

fn a_plain_read_drops_the_descriptor() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        send(&here, b"x", &borrowed(&files(1))).unwrap();
        assert_eq!(rustix::io::read(&there, &mut [0; 4]), Ok(1));
        send(&here, b"y", &borrowed(&files(1))).unwrap();
        let mut room = [0; 64];
        assert_eq!(take_all(&mut receive(&there, &mut [0; 4], &mut room)).len(), 1);
    }
}

fn earlier_bytes_carry_no_descriptor() {
    let (here, there) = pair(SocketType::STREAM);
    send_plain(&here, b"aa").unwrap();
    send(&here, b"BB", &borrowed(&files(1))).unwrap();
    let mut room = [0; 64];
    let received = receive(&there, &mut [0; 2], &mut room).complete().unwrap();
    assert_eq!((received.bytes(), received.messages().count()), (2, 0));
    drop(received);
    assert_eq!(take_all(&mut receive(&there, &mut [0; 2], &mut room)).len(), 1);
}

fn two_writes_with_descriptors_never_merge() {
    let (here, there) = pair(SocketType::STREAM);
    send(&here, b"aa", &borrowed(&files(1))).unwrap();
    send(&here, b"BB", &borrowed(&files(2))).unwrap();
    let mut room = [0; 64];
    for count in [1, 2] {
        let mut received = receive(&there, &mut [0; 20], &mut room);
        assert_eq!((received.bytes(), take_all(&mut received).len()), (2, count));
    }
}

/// To be said ("gluing"): of 4 plain bytes, and one with a descriptor, one call gives 5 with a descriptor. What is glued so
/// the receiver cannot tell apart.
fn bytes_before_are_glued_and_bytes_after_are_not() {
    let (here, there) = pair(SocketType::STREAM);
    send_plain(&here, b"aaaa").unwrap();
    send(&here, b"B", &borrowed(&files(1))).unwrap();
    send_plain(&here, b"cccc").unwrap();
    let mut room = [0; 64];
    for (bytes, count) in [(5, 1), (4, 0)] {
        let mut received = receive(&there, &mut [0; 20], &mut room);
        assert_eq!((received.bytes(), take_all(&mut received).len()), (bytes, count));
    }
}

fn a_descriptor_belongs_to_the_first_byte() {
    let (here, there) = pair(SocketType::STREAM);
    send(&here, b"abcd", &borrowed(&files(1))).unwrap();
    let mut room = [0; 64];
    for (len, bytes, count) in [(1, 1, 1), (1, 1, 0), (20, 2, 0)] {
        let mut received = receive(&there, &mut vec![0; len], &mut room);
        assert_eq!((received.bytes(), take_all(&mut received).len()), (bytes, count));
    }
}

fn an_empty_read_can_deliver_a_descriptor() {
    let (here, there) = pair(SocketType::STREAM);
    send(&here, b"abcd", &borrowed(&files(1))).unwrap();
    let mut room = [0; 64];
    let mut received = receive(&there, &mut [], &mut room);
    assert_eq!((received.bytes(), take_all(&mut received).len()), (0, 1));
}

fn out_of_band_data_carries_no_descriptor() {
    let (here, there) = pair(SocketType::STREAM);
    let file = files(1);
    let descriptors = borrowed(&file);
    let mut space = ControlBuffer::<{ control_space!(ScmRights[1]) }>::new();
    let mut control = space.writer();
    control.push(ScmRights(&descriptors)).unwrap();
    assert_eq!(sendmsg(&here, &[IoSlice::new(b"x")], &control, SendFlags::OOB), Ok(1));
    let mut room = [0; 64];
    let mut data = [0; 4];
    let mut received = receive_flags(&there, &mut data, &mut room, RecvFlags::OOB).unwrap();
    assert_eq!((received.bytes(), take_all(&mut received).len()), (1, 0));
}

fn every_peek_installs_descriptors_that_are_owned() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        let file = files(1);
        send(&here, b"x", &borrowed(&file)).unwrap();
        let before = open_descriptors().len();
        let mut rooms = [[0; 64]; 3];
        let mut data = [0; 1];
        let mut kept = Vec::new();
        for (room, flags) in rooms.iter_mut().zip([RecvFlags::PEEK, RecvFlags::PEEK, RecvFlags::empty()]) {
            kept.push(receive_flags(&there, &mut data, room, flags).unwrap());
        }
        assert_eq!(open_descriptors().len(), before + 3);
        for received in &mut kept {
            assert!(same_file(&take_all(received)[0], &file[0]));
        }
        assert_eq!(open_descriptors().len(), before);
    }
}

/// On a stream: Linux `unix_stream_read_generic` has looked at the next message before it finds that nothing is wanted of it.
/// What is received instead of peeked brings none.
fn a_peek_shows_descriptors_of_the_byte_after_it() {
    let (here, there) = pair(SocketType::STREAM);
    send_plain(&here, b"a").unwrap();
    send(&here, b"b", &borrowed(&files(2))).unwrap();
    let (mut room, mut data) = ([0xff; 64], [0]);
    for (flags, byte, count) in
        [(RecvFlags::PEEK, b"a", 2), (RecvFlags::empty(), b"a", 0), (RecvFlags::empty(), b"b", 2)]
    {
        let mut received = receive_flags(&there, &mut data, &mut room, flags).unwrap().complete().unwrap();
        assert_eq!((received.bytes(), take_all(&mut received).len()), (1, count));
        drop(received);
        assert_eq!(data, *byte);
    }
}

fn a_socket_passed_over_itself_stays_alive() {
    let (here, there) = pair(SocketType::STREAM);
    send(&here, b"x", &[there.as_fd()]).unwrap();
    let mut room = [0; 64];
    let arrived = take_all(&mut receive(&there, &mut [0], &mut room));
    drop(there);
    send_plain(&here, b"y").unwrap();
    assert_eq!(rustix::io::read(&arrived[0], &mut [0; 4]), Ok(1));
}

fn ten_of_room_for_twenty() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        let sent = files(10);
        send(&here, b"x", &borrowed(&sent)).unwrap();
        let mut room = [0xff; control_space!(ScmRights[20])];
        let mut received = receive(&there, &mut [0], &mut room).complete().unwrap();
        let arrived = take_all(&mut received);
        assert_eq!(arrived.len(), 10);
        assert!(sent.iter().zip(&arrived).all(|(sent, arrived)| same_file(sent, arrived)));
    }
}

fn a_full_socket_passes_nothing() {
    let (here, there) = pair(SocketType::DGRAM);
    rustix::io::ioctl_fionbio(&here, true).unwrap();
    while send_plain(&here, &[0; 1024]).is_ok() {}
    let file = files(1);
    assert_eq!(send(&here, b"x", &borrowed(&file)), Err(Errno::AGAIN));
    let mut room = [0; 64];
    let mut data = [0; 1024];
    while let Ok(mut received) = receive_flags(&there, &mut data, &mut room, RecvFlags::DONTWAIT) {
        assert!(received.take_descriptors().unwrap().next().is_none());
    }
}

fn waiting_for_all_stops_at_a_descriptor() {
    let (here, there) = pair(SocketType::STREAM);
    send(&here, b"aa", &borrowed(&files(1))).unwrap();
    send(&here, b"bb", &borrowed(&files(1))).unwrap();
    let mut room = [0; 64];
    let received = receive_flags(&there, &mut [0; 4], &mut room, RecvFlags::WAITALL).unwrap();
    assert_eq!(received.bytes(), 2);
}

fn the_open_file_is_shared() {
    let file = tempfile();
    rustix::io::write(&file, b"0123456789").unwrap();
    let (here, there) = pair(SocketType::STREAM);
    send(&here, b"x", &[file.as_fd()]).unwrap();
    let mut room = [0; 64];
    let arrived = take_all(&mut receive(&there, &mut [0], &mut room));
    seek(&arrived[0], SeekFrom::Start(3)).unwrap();
    assert_eq!(seek(&file, SeekFrom::Current(0)), Ok(3));
}

fn tempfile() -> OwnedFd {
    use rustix::fs::{MemfdFlags, memfd_create};
    memfd_create("ancillary", MemfdFlags::CLOEXEC).unwrap()
}

fn from_a_process_that_is_gone() {
    let (here, there) = pair(SocketType::STREAM);
    assert!(sending_child(here, 2).wait().unwrap().success());
    let mut room = [0; 64];
    let mut received = receive(&there, &mut [0; 64], &mut room).complete().unwrap();
    assert_eq!((received.bytes(), take_all(&mut received).len()), (12, 2));
}

fn a_descriptor_then_the_end() {
    let (here, there) = pair(SocketType::STREAM);
    send(&here, b"x", &borrowed(&files(1))).unwrap();
    rustix::net::shutdown(&here, rustix::net::Shutdown::Write).unwrap();
    let mut room = [0; 64];
    assert_eq!(take_all(&mut receive(&there, &mut [0], &mut room)).len(), 1);
    let received = receive(&there, &mut [0], &mut room);
    assert_eq!((received.bytes(), received.flags(), received.messages().count()), (0, ReturnFlags::empty(), 0));
}

fn an_empty_datagram_is_not_an_end() {
    let (here, there) = pair(SocketType::DGRAM);
    send_plain(&here, b"").unwrap();
    send_plain(&here, b"x").unwrap();
    let mut room = [0; 64];
    assert_eq!(receive(&there, &mut [0; 4], &mut room).bytes(), 0);
    assert_eq!(receive(&there, &mut [0; 4], &mut room).bytes(), 1);
}

fn nothing_there_is_an_error_and_nothing_is_owned() {
    for kind in TYPES {
        let (_here, there) = pair(kind);
        for (len, flags) in [(0, RecvFlags::empty()), (4, RecvFlags::empty()), (4, RecvFlags::PEEK)] {
            for room_len in [0, 64] {
                // If an error were taken for an answer, this memory would hold a descriptor to close.
                let mut room = message_bytes(RIGHTS, &there.as_raw_fd().to_ne_bytes());
                room.resize(room_len, 0);
                let mut data = vec![0; len];
                let result = receive_flags(&there, &mut data, &mut room, flags | RecvFlags::DONTWAIT);
                assert_eq!(result.err(), Some(Errno::AGAIN));
            }
        }
    }
}

fn not_a_socket() {
    let file = files(1);
    let mut room = [0; 64];
    assert_eq!(receive_flags(&file[0], &mut [0], &mut room, RecvFlags::empty()).err(), Some(Errno::NOTSOCK));
    assert_eq!(send_plain(&file[0], b"x"), Err(Errno::NOTSOCK));
}

fn flags_do_not_echo_close_on_exec() {
    let (here, there) = pair(SocketType::STREAM);
    send(&here, b"x", &borrowed(&files(1))).unwrap();
    let mut room = [0; 64];
    let received = receive(&there, &mut [0], &mut room);
    assert_eq!(received.flags(), ReturnFlags::empty());
    assert!(matches!(received.messages().next(), Some(Ok(Message::ScmRights(_)))));
}

fn pending_descriptors_are_not_ours() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        for _ in 0..8 {
            send(&here, b"x", &borrowed(&files(3))).unwrap();
        }
        let mut room = [0; 64];
        drop(receive(&there, &mut [0], &mut room));
    }
}
