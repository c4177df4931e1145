//! Many messages in one call.

use crate::harness::the_kernel_itself;
use crate::support::*;
use crate::tests;
use ancillary::message::{ScmCredentials, ScmRights};
use ancillary::socket::{RecvRoom, RecvSlot, SendSlot, WAIT_FOR_ONE, set_delivery};
use ancillary::{ControlSpace, ControlWriter, Message, Truncated, control_len, control_space, recvmmsg, sendmmsg};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    AddressFamily, RecvFlags, ReturnFlags, SendFlags, SocketAddrUnix, SocketType, bind, connect, recv,
    send as plain_send, socket,
};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

tests![
    each_message_has_its_own_result,
    what_one_call_changed_the_next_sets_anew,
    descriptors_nobody_looked_at_are_closed,
    a_walk_that_stops_closes_the_rest,
    a_panic_while_walking_closes_the_rest,
    an_owner_outlives_the_walk_but_not_the_rooms,
    descriptors_are_close_on_exec,
    each_message_is_truncated_by_itself if the_kernels_truncation,
    fewer_rooms_than_slots_and_the_other_way_round,
    no_messages_at_all,
    an_empty_slot_is_an_empty_message if calls_without_data,
    waiting_for_one,
    a_timeout_ends_after_a_message if the_kernels_timeouts,
    a_timeout_that_is_shorter_than_a_call if a_clock_that_tells,
    urgent_data_ends_a_batch if the_kernels_batches,
    nothing_there_is_an_error,
    a_peeked_batch_owns_what_it_was_shown,
    each_sender_has_its_address,
    credentials_beside_every_message,
    many_slices_for_each_message,
    an_error_of_a_later_message_ends_the_batch_before_it,
    an_error_of_the_first_message_is_the_error,
    a_full_queue_takes_a_part,
    more_than_the_system_takes_in_one_call,
    nothing_follows_a_message_that_was_cut if the_kernels_batches,
    an_error_that_the_system_does_not_keep_is_told if batches_are_a_loop,
    a_socket_that_panics_when_it_is_dropped,
    the_longest_name,
    descriptors_with_every_message,
    a_stream_takes_a_part_of_a_message,
    an_exhausted_table_in_the_middle_of_a_batch if a_limit_of_descriptors,
    a_thousand_batches_over_the_same_memory,
];

const ROOM: usize = control_space!(ScmRights[4]);

fn the_kernels_batches() -> Result<(), String> {
    the_kernel_itself("a batch goes on after a message that was sent in part")
}

fn the_kernels_timeouts() -> Result<(), String> {
    the_kernel_itself("a batch waits for all its messages, whatever the timeout")
}

/// The time after a call is another than before it.
fn a_clock_that_tells() -> Result<(), String> {
    the_kernels_timeouts()?;
    let resolution = rustix::time::clock_getres(rustix::time::ClockId::Monotonic);
    if (resolution.tv_sec, resolution.tv_nsec) == (0, 1) {
        Ok(())
    } else {
        Err(format!("the clock has steps of {resolution:?}"))
    }
}

fn slots<const N: usize>() -> [RecvSlot; N] {
    [const { RecvSlot::new() }; N]
}

/// Rooms of one slice each.
macro_rules! rooms {
    ($name:ident: $count:literal of $size:literal bytes, $room:expr) => {
        let mut buffers = [[0u8; $size]; $count];
        let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let mut spaces = [const { ControlSpace::<{ $room }>::new() }; $count];
        let mut spaces = spaces.iter_mut();
        let mut $name = slices.each_mut().map(|slices| RecvRoom::new(slices, spaces.next().unwrap()));
    };
}

/// A name in no file system, of this process.
fn abstract_name(name: &str) -> SocketAddrUnix {
    let name = format!("ancillary-test-{}-{name}", std::process::id());
    SocketAddrUnix::new_abstract_name(name.as_bytes()).unwrap()
}

fn send_numbered(socket: impl AsFd, count: usize, descriptors: usize) {
    let sent = files(descriptors);
    for number in 0..count {
        send(&socket, &[number as u8], &borrowed(&sent)).unwrap();
    }
}

fn each_message_has_its_own_result() {
    for kind in [SocketType::DGRAM, SocketType::SEQPACKET] {
        let (here, there) = pair(kind);
        let sent = files(3);
        send(&here, b"none", &[]).unwrap();
        send(&here, b"two of them", &borrowed(&sent[..2])).unwrap();
        send(&here, b"", &borrowed(&sent[2..])).unwrap();

        rooms!(rooms: 4 of 16 bytes, ROOM);
        let mut slots = slots::<4>();
        let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
        assert_eq!((batch.len(), batch.error()), (3, None));
        let found: Vec<(Vec<u8>, usize)> =
            batch.map(|mut message| (message.filled().to_vec(), take_all(&mut message).len())).collect();
        assert_eq!(found, [(b"none".to_vec(), 0), (b"two of them".to_vec(), 2), (vec![], 1)]);
    }
}

/// A call lowers the lengths in the headers; were they given to the next one, it would have no room.
fn what_one_call_changed_the_next_sets_anew() {
    let there = socket(AddressFamily::UNIX, SocketType::DGRAM, None).unwrap();
    let name = abstract_name("there");
    bind(&there, &name).unwrap();
    let unnamed = socket(AddressFamily::UNIX, SocketType::DGRAM, None).unwrap();
    connect(&unnamed, &name).unwrap();
    let named = socket(AddressFamily::UNIX, SocketType::DGRAM, None).unwrap();
    bind(&named, &abstract_name("a-rather-long-name")).unwrap();
    connect(&named, &name).unwrap();

    rooms!(rooms: 2 of 16 bytes, ROOM);
    let mut slots = slots::<2>();
    let sent = files(4);
    for _ in 0..3 {
        // Neither address nor control messages nor much data.
        send(&unnamed, b"a", &[]).unwrap();
        send(&unnamed, b"b", &[]).unwrap();
        for message in recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap() {
            assert_eq!((message.bytes(), message.address().is_none()), (1, true));
        }
        // All of them, and more data than fits: the flags are set.
        send(&named, b"seventeen letters", &borrowed(&sent)).unwrap();
        send(&named, b"seventeen letters", &borrowed(&sent)).unwrap();
        for mut message in recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap() {
            assert!(message.data_truncated() && !message.control_truncated());
            assert_eq!(message.filled(), b"seventeen letter");
            assert_eq!(take_all(&mut message).len(), 4);
            let address = SocketAddrUnix::try_from(message.address().unwrap().clone()).unwrap();
            assert_eq!(address, abstract_name("a-rather-long-name"));
        }
    }
}

fn descriptors_nobody_looked_at_are_closed() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 4, 3);
    rooms!(rooms: 4 of 4 bytes, ROOM);
    let mut slots = slots::<4>();
    let before = open_descriptors();
    let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    assert_eq!(open_descriptors().len(), before.len() + 12);
    drop(batch);
    assert_eq!(open_descriptors(), before);
}

fn a_walk_that_stops_closes_the_rest() {
    let (here, there) = pair(SocketType::DGRAM);
    rooms!(rooms: 4 of 4 bytes, ROOM);
    let mut slots = slots::<4>();
    let before = open_descriptors();
    for stop in 0..=4 {
        send_numbered(&here, 4, 2);
        let mut batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
        let mut taken: Vec<OwnedFd> = Vec::new();
        for mut message in batch.by_ref().take(stop) {
            // One of two is taken, the other is closed with its message.
            taken.extend(message.take_descriptors().next().unwrap());
        }
        assert_eq!(batch.len(), 4 - stop);
        drop(batch);
        assert_eq!(open_descriptors().len(), before.len() + stop);
    }
    assert_eq!(open_descriptors(), before);
}

fn a_panic_while_walking_closes_the_rest() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 4, 2);
    rooms!(rooms: 4 of 4 bytes, ROOM);
    let mut slots = slots::<4>();
    let before = open_descriptors();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        for message in recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap() {
            if message.filled() == [1] {
                std::panic::resume_unwind(Box::new("in the middle"));
            }
        }
    }));
    assert!(unwound.is_err());
    assert_eq!(open_descriptors(), before);
}

fn an_owner_outlives_the_walk_but_not_the_rooms() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 3, 1);
    rooms!(rooms: 3 of 4 bytes, ROOM);
    let mut slots = slots::<3>();
    let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    let mut kept: Vec<_> = batch.collect();
    kept.reverse();
    for (mut message, number) in kept.into_iter().zip([2, 1, 0]) {
        assert_eq!(message.filled(), [number]);
        assert_eq!(take_all(&mut message).len(), 1);
    }
}

fn descriptors_are_close_on_exec() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 2, 2);
    rooms!(rooms: 2 of 4 bytes, ROOM);
    let mut slots = slots::<2>();
    for mut message in recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap() {
        assert!(message.flags().is_empty());
        assert!(take_all(&mut message).iter().all(is_close_on_exec));
    }
}

fn each_message_is_truncated_by_itself() {
    let (here, there) = pair(SocketType::DGRAM);
    let sent = files(3);
    send(&here, b"four", &borrowed(&sent[..1])).unwrap();
    send(&here, b"and five", &borrowed(&sent)).unwrap();
    send(&here, b"last", &[]).unwrap();
    rooms!(rooms: 3 of 4 bytes, control_len!(ScmRights[1]));
    let mut slots = slots::<3>();
    let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    let found: Vec<_> = batch
        .map(|mut message| (message.data_truncated(), message.control_truncated(), take_all(&mut message).len()))
        .collect();
    assert_eq!(found, [(false, false, 1), (true, true, 1), (false, false, 0)]);

    send(&here, b"and five", &borrowed(&sent)).unwrap();
    send(&here, b"last", &borrowed(&sent[..1])).unwrap();
    let before = open_descriptors();
    let mut batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    assert_eq!(batch.next().unwrap().complete().err(), Some(Truncated::DATA | Truncated::CONTROL));
    let mut whole = batch.next().unwrap().complete().unwrap();
    assert_eq!(open_descriptors().len(), before.len() + 1, "what was not whole is closed");
    assert_eq!((whole.filled(), take_all(&mut whole).len()), (&b"last"[..], 1));
}

fn fewer_rooms_than_slots_and_the_other_way_round() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 5, 1);
    rooms!(rooms: 4 of 4 bytes, ROOM);
    let mut slots = slots::<4>();
    assert_eq!(recvmmsg(&there, &mut slots, &mut rooms[..1], RecvFlags::DONTWAIT, None).unwrap().len(), 1);
    assert_eq!(recvmmsg(&there, &mut slots[..2], &mut rooms, RecvFlags::DONTWAIT, None).unwrap().len(), 2);
    assert_eq!(recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap().len(), 2);
}

fn no_messages_at_all() {
    let (here, there) = pair(SocketType::DGRAM);
    send_plain(&here, b"stays").unwrap();
    assert_eq!(sendmmsg(&here, &mut [], SendFlags::empty()), Ok(0));
    assert_eq!(recvmmsg(&there, &mut [], &mut [], RecvFlags::DONTWAIT, None).unwrap().count(), 0);
    let mut data = [0; 16];
    assert_eq!(recv(&there, &mut data[..], RecvFlags::DONTWAIT).unwrap().1, 5);
}

/// It has no slices, and not even a pointer to none.
fn an_empty_slot_is_an_empty_message() {
    let (here, there) = pair(SocketType::DGRAM);
    let mut messages = [const { SendSlot::empty() }; 2];
    assert_eq!(sendmmsg(&here, &mut messages, SendFlags::empty()), Ok(2));
    assert_eq!(messages.map(|message| message.sent()), [0, 0]);
    assert_eq!(count_waiting(&there), 2);
}

/// The socket blocks: without the flag this would wait for ever.
fn waiting_for_one() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 2, 1);
    rooms!(rooms: 4 of 4 bytes, ROOM);
    let mut slots = slots::<4>();
    let batch = recvmmsg(&there, &mut slots, &mut rooms, WAIT_FOR_ONE, None).unwrap();
    assert!(batch.map(|message| message.filled()[0]).eq([0, 1]));
}

/// The time has run out before anything arrived, and is looked at after the first message.
fn a_timeout_ends_after_a_message() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 3, 1);
    rooms!(rooms: 4 of 4 bytes, ROOM);
    let mut slots = slots::<4>();
    for expected in 0..3 {
        let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::empty(), Some(Duration::ZERO)).unwrap();
        assert!(batch.map(|message| message.filled()[0]).eq([expected]));
    }
    // Time enough for what is there, however slow this machine: the number of rooms ends the batch.
    for timeout in [Duration::from_secs(3600), Duration::from_secs(u64::MAX), Duration::MAX] {
        send_numbered(&here, 4, 0);
        let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::empty(), Some(timeout));
        assert_eq!(batch.unwrap().len(), 4, "{timeout:?}");
    }
}

fn a_timeout_that_is_shorter_than_a_call() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 4, 0);
    rooms!(rooms: 4 of 4 bytes, ROOM);
    let mut slots = slots::<4>();
    for expected in 0..4 {
        let timeout = Some(Duration::from_nanos(1));
        let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::empty(), timeout).unwrap();
        assert!(batch.map(|message| message.filled()[0]).eq([expected]));
    }
}

/// There is one urgent byte at most: the call does not ask for another.
fn urgent_data_ends_a_batch() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (there, _) = listener.accept().unwrap();
    plain_send(&here, b"!", SendFlags::OOB).unwrap();
    wait_for(&there, libc::POLLPRI);

    rooms!(rooms: 3 of 4 bytes, ROOM);
    let mut slots = slots::<3>();
    let mut batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::OOB, None).unwrap();
    assert_eq!((batch.len(), batch.error()), (1, None));
    let message = batch.next().unwrap();
    assert_eq!((message.filled(), message.flags()), (&b"!"[..], ReturnFlags::OOB));
}

fn nothing_there_is_an_error() {
    let (here, there) = pair(SocketType::DGRAM);
    rooms!(rooms: 2 of 4 bytes, ROOM);
    let mut slots = slots::<2>();
    let error = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap_err();
    assert_eq!(error, Errno::AGAIN);
    let not_a_socket = &files(1)[0];
    assert_eq!(recvmmsg(not_a_socket, &mut slots, &mut rooms, RecvFlags::empty(), None).unwrap_err(), Errno::NOTSOCK);
    // The rooms are as good as before.
    send_numbered(&here, 2, 4);
    let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    assert!(batch.map(|mut message| take_all(&mut message).len()).eq([4, 4]));
}

fn a_peeked_batch_owns_what_it_was_shown() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 1, 2);
    rooms!(rooms: 3 of 4 bytes, ROOM);
    let mut slots = slots::<3>();
    let before = open_descriptors();
    let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT | RecvFlags::PEEK, None).unwrap();
    // The same message three times, with descriptors of its own each time.
    assert_eq!(open_descriptors().len(), before.len() + 6);
    assert!(batch.map(|message| message.filled()[0]).eq([0, 0, 0]));
    assert_eq!(open_descriptors(), before);
    assert_eq!(recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap().len(), 1);
}

fn each_sender_has_its_address() {
    let there = socket(AddressFamily::UNIX, SocketType::DGRAM, None).unwrap();
    let name = abstract_name("there");
    bind(&there, &name).unwrap();
    let senders = ["a", "bb", "ccc"].map(|name| {
        let socket = socket(AddressFamily::UNIX, SocketType::DGRAM, None).unwrap();
        bind(&socket, &abstract_name(name)).unwrap();
        socket
    });
    for sender in &senders {
        connect(sender, &name).unwrap();
        plain_send(sender, b"data", SendFlags::empty()).unwrap();
    }
    rooms!(rooms: 3 of 8 bytes, ROOM);
    let mut slots = slots::<3>();
    let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    // They are answered in a batch.
    let addresses: Vec<_> = batch.map(|message| message.address().unwrap().clone()).collect();
    let (control, data) = (ControlWriter::empty(), [[IoSlice::new(b"1")], [IoSlice::new(b"2")], [IoSlice::new(b"3")]]);
    let mut answers: Vec<_> = data
        .iter()
        .zip(&addresses)
        .map(|(data, address)| SendSlot::new(data, &control).unwrap().with_address(address))
        .collect();
    assert_eq!(sendmmsg(&there, &mut answers, SendFlags::empty()), Ok(3));
    for (sender, answer) in senders.iter().zip(data) {
        let mut data = [0; 8];
        recv(sender, &mut data[..], RecvFlags::DONTWAIT).unwrap();
        assert_eq!(data[..1], *answer[0]);
    }
}

fn credentials_beside_every_message() {
    let (here, there) = pair(SocketType::SEQPACKET);
    set_delivery::<ScmCredentials>(&there, true).unwrap();
    send_numbered(&here, 3, 1);
    rooms!(rooms: 3 of 8 bytes, control_space!(ScmCredentials, ScmRights[1]));
    let mut slots = slots::<3>();
    for mut message in recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap() {
        assert_eq!(message.find::<ScmCredentials>(), Some(Ok(ScmCredentials::of_this_process())));
        assert_eq!(message.messages().filter(|message| matches!(message, Ok(Message::ScmRights(_)))).count(), 1);
    }
    set_delivery::<ScmCredentials>(&there, false).unwrap();
    send_plain(&here, b"x").unwrap();
    let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    assert!(batch.map(|mut message| message.messages().count()).eq([0]));
}

fn many_slices_for_each_message() {
    let (here, there) = pair(SocketType::DGRAM);
    send_plain(&here, b"abcdefgh").unwrap();
    send_plain(&here, b"abc").unwrap();
    send_plain(&here, b"").unwrap();
    send_plain(&here, b"abcdefghijkl").unwrap();
    let mut buffers = [([0; 2], [0; 0], [0; 4], [0; 4]); 4];
    let mut slices = buffers
        .each_mut()
        .map(|(a, b, c, d)| [IoSliceMut::new(a), IoSliceMut::new(b), IoSliceMut::new(c), IoSliceMut::new(d)]);
    let mut rooms = slices.each_mut().map(|slices| RecvRoom::new(slices, ancillary::control::ControlMemory::none()));
    let mut slots = slots::<4>();
    let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
    let batch = recvmmsg(&there, &mut slots, &mut rooms, flags, None).unwrap();
    let found: Vec<(usize, Vec<&[u8]>)> = batch.map(|message| (message.bytes(), message.data().collect())).collect();
    // With MSG_TRUNC the length is that of the datagram, but the data is what fits.
    let expected: [(usize, Vec<&[u8]>); 4] = [
        (8, vec![b"ab", b"", b"cdef", b"gh"]),
        (3, vec![b"ab", b"", b"c"]),
        (0, vec![]),
        (12, vec![b"ab", b"", b"cdef", b"ghij"]),
    ];
    assert_eq!(found, expected);
    // Only the first slice.
    send_plain(&here, b"abcdefgh").unwrap();
    let batch = recvmmsg(&there, &mut slots, &mut rooms, flags, None).unwrap();
    assert!(batch.map(|message| message.filled()).eq([b"ab"]));
}

fn an_error_of_a_later_message_ends_the_batch_before_it() {
    let (here, there) = pair(SocketType::DGRAM);
    let (control, too_long) = (ControlWriter::empty(), vec![0; 16 << 20]);
    let data = [[IoSlice::new(b"1")], [IoSlice::new(b"22")], [IoSlice::new(&too_long)], [IoSlice::new(b"4")]];
    let mut messages = data.each_ref().map(|data| SendSlot::new(data, &control).unwrap());
    assert_eq!(sendmmsg(&here, &mut messages, SendFlags::DONTWAIT), Ok(2));
    assert_eq!([messages[0].sent(), messages[1].sent()], [1, 2]);
    // With the rest it is the error of the first message.
    assert_eq!(sendmmsg(&here, &mut messages[2..], SendFlags::DONTWAIT), Err(Errno::MSGSIZE));
    assert_eq!(sendmmsg(&here, &mut messages[3..], SendFlags::DONTWAIT), Ok(1));
    rooms!(rooms: 4 of 4 bytes, ROOM);
    let mut slots = slots::<4>();
    let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    assert!(batch.map(|message| message.bytes()).eq([1, 2, 1]));
}

fn an_error_of_the_first_message_is_the_error() {
    let (here, there) = pair(SocketType::DGRAM);
    drop(there);
    let (control, data) = (ControlWriter::empty(), [IoSlice::new(b"1")]);
    let mut messages = [SendSlot::new(&data, &control).unwrap(), SendSlot::new(&data, &control).unwrap()];
    assert_eq!(sendmmsg(&here, &mut messages, SendFlags::NOSIGNAL), Err(Errno::CONNREFUSED));
    assert_eq!(messages[0].sent(), 0);
}

fn a_full_queue_takes_a_part() {
    let (here, there) = pair(SocketType::DGRAM);
    let (control, data) = (ControlWriter::empty(), [IoSlice::new(b"1")]);
    let mut messages: Vec<_> = (0..1000).map(|_| SendSlot::new(&data, &control).unwrap()).collect();
    let sent = sendmmsg(&here, &mut messages, SendFlags::DONTWAIT).unwrap();
    assert!((1..1000).contains(&sent), "{sent}");
    assert_eq!(sendmmsg(&here, &mut messages[sent..], SendFlags::DONTWAIT), Err(Errno::AGAIN));
    assert_eq!(count_waiting(&there), sent);
}

fn count_waiting(socket: &OwnedFd) -> usize {
    rooms!(rooms: 64 of 1 bytes, ROOM);
    let (mut slots, mut count) = (slots::<64>(), 0);
    while let Ok(batch) = recvmmsg(socket, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None) {
        count += batch.len();
    }
    count
}

fn more_than_the_system_takes_in_one_call() {
    // What the receiver has no room for is dropped: this socket is never full.
    let there = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let here = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    here.connect(there.local_addr().unwrap()).unwrap();
    let (control, data) = (ControlWriter::empty(), [IoSlice::new(b"1")]);
    let mut messages: Vec<_> = (0..1030).map(|_| SendSlot::new(&data, &control).unwrap()).collect();
    let sent = sendmmsg(&here, &mut messages, SendFlags::empty()).unwrap();
    // A loop takes them all.
    assert_eq!(sent, if cfg!(batched_calls) { 1024 } else { 1030 });
    assert_eq!(sendmmsg(&here, &mut messages[sent..], SendFlags::empty()), Ok(1030 - sent));
    assert!(messages.iter().all(|message| message.sent() == 1));
}

/// On a stream the next message would otherwise follow the part that was sent.
fn nothing_follows_a_message_that_was_cut() {
    let (here, _there) = pair(SocketType::STREAM);
    let (long, control) = (vec![7; 16 << 20], ControlWriter::empty());
    // A message without data could always be sent.
    let data = [[IoSlice::new(&long)], [IoSlice::new(b"")]];
    let mut messages = data.each_ref().map(|data| SendSlot::new(data, &control).unwrap());
    assert_eq!(sendmmsg(&here, &mut messages, SendFlags::DONTWAIT), Ok(1));
    assert!(messages[0].sent() < long.len());
}

fn batches_are_a_loop() -> Result<(), String> {
    if cfg!(batched_calls) { Err("the system keeps it for the next call".into()) } else { Ok(()) }
}

fn an_error_that_the_system_does_not_keep_is_told() {
    let (here, there) = pair(SocketType::DGRAM);
    send_plain(&here, b"one").unwrap();
    let (mut first, mut second) = ([0; 4], [0; 4]);
    // More slices than the system takes.
    let mut too_many: Vec<_> = (0..1025).map(|_| IoSliceMut::new(&mut [])).collect();
    let (mut first, mut second) = ([IoSliceMut::new(&mut first)], [IoSliceMut::new(&mut second)]);
    let none = ancillary::control::ControlMemory::none;
    let mut rooms =
        [RecvRoom::new(&mut first, none()), RecvRoom::new(&mut too_many, none()), RecvRoom::new(&mut second, none())];
    let mut slots = slots::<3>();
    let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    assert_eq!((batch.len(), batch.error()), (1, Some(Errno::MSGSIZE)));
}

/// What has arrived is owned before the socket is dropped, which may be anybody's type.
fn a_socket_that_panics_when_it_is_dropped() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 2, 2);
    rooms!(rooms: 2 of 4 bytes, ROOM);
    let mut slots = slots::<2>();
    let before = open_descriptors().len();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        recvmmsg(PanicsWhenDropped(there), &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).map(drop)
    }));
    assert!(unwound.is_err());
    assert_eq!(open_descriptors().len(), before - 1, "the socket alone is gone");
}

fn the_longest_name() {
    let there = socket(AddressFamily::UNIX, SocketType::DGRAM, None).unwrap();
    let name = abstract_name("longest-there");
    bind(&there, &name).unwrap();
    // All of `sun_path`.
    let mut longest = format!("ancillary-test-{}-", std::process::id()).into_bytes();
    longest.resize(107, b'x');
    let longest = SocketAddrUnix::new_abstract_name(&longest).unwrap();
    let here = socket(AddressFamily::UNIX, SocketType::DGRAM, None).unwrap();
    bind(&here, &longest).unwrap();
    connect(&here, &name).unwrap();
    send_plain(&here, b"x").unwrap();
    rooms!(rooms: 1 of 4 bytes, ROOM);
    let mut slots = slots::<1>();
    let mut batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    let address = batch.next().unwrap().address().unwrap().clone();
    assert_eq!(SocketAddrUnix::try_from(address).unwrap(), longest);
}

fn descriptors_with_every_message() {
    let (here, there) = pair(SocketType::SEQPACKET);
    let sent = files(4);
    let mut spaces = [const { ControlSpace::<ROOM>::new() }; 4];
    let mut controls = spaces.each_mut().map(ControlSpace::writer);
    let descriptors = borrowed(&sent);
    for (control, count) in controls.iter_mut().zip(1..) {
        control.push(&ScmRights::new(&descriptors[..count])).unwrap();
    }
    let data = [IoSlice::new(b"x")];
    let mut messages = controls.each_ref().map(|control| SendSlot::new(&data, control).unwrap());
    assert_eq!(sendmmsg(&here, &mut messages, SendFlags::empty()), Ok(4));
    assert!(messages.iter().all(|message| message.sent() == 1));
    rooms!(rooms: 4 of 4 bytes, ROOM);
    let mut slots = slots::<4>();
    let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    for (mut message, count) in batch.zip(1..) {
        let arrived = take_all(&mut message);
        assert_eq!(arrived.len(), count);
        assert!(arrived.iter().zip(&sent).all(|(arrived, sent)| same_file(arrived, sent)));
    }
}

fn a_stream_takes_a_part_of_a_message() {
    let (here, there) = pair(SocketType::STREAM);
    let long = vec![7; 16 << 20];
    let (control, data) =
        (ControlWriter::empty(), [[IoSlice::new(b"first")], [IoSlice::new(&long)], [IoSlice::new(b"last")]]);
    let mut messages = data.each_ref().map(|data| SendSlot::new(data, &control).unwrap());
    let sent = sendmmsg(&here, &mut messages, SendFlags::DONTWAIT).unwrap();
    // The second one was cut, and nothing comes after it.
    assert_eq!((sent, messages[0].sent()), (2, 5));
    let cut = messages[1].sent();
    assert!((1..long.len()).contains(&cut), "{cut}");
    assert_eq!(messages[2].sent(), 0);
    let mut all = vec![0; 5 + cut + 1];
    let mut arrived = 0;
    while let Ok((_, bytes)) = recv(&there, &mut all[arrived..], RecvFlags::DONTWAIT) {
        arrived += bytes;
    }
    assert_eq!(arrived, 5 + cut);
}

fn an_exhausted_table_in_the_middle_of_a_batch() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 4, 2);
    rooms!(rooms: 4 of 4 bytes, ROOM);
    let mut slots = slots::<4>();
    let limit = open_descriptors().last().unwrap() + 10;
    let found: Vec<(bool, usize)> = {
        let _limit = DescriptorLimit::numbers_below(limit as u64);
        let mut filling: Vec<OwnedFd> = Vec::new();
        while let Ok(duplicate) = rustix::io::fcntl_dupfd_cloexec(&here, 0) {
            filling.push(duplicate);
        }
        // There is place for three.
        filling.truncate(filling.len() - 3);
        let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
        let mut messages: Vec<_> = batch.collect();
        let taken: Vec<_> = messages.iter_mut().map(|message| take_all(message)).collect();
        messages.iter().map(|message| message.control_truncated()).zip(taken.iter().map(Vec::len)).collect()
    };
    assert_eq!(found, [(false, 2), (true, 1), (true, 0), (true, 0)]);
}

fn a_thousand_batches_over_the_same_memory() {
    let (here, there) = pair(SocketType::SEQPACKET);
    rooms!(rooms: 8 of 8 bytes, ROOM);
    let mut slots = slots::<8>();
    let sent = files(4);
    let before = open_descriptors();
    let mut state = 1_u32;
    let mut random = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % below
    };
    for _ in 0..1000 {
        let counts: Vec<usize> = (0..1 + random(7)).map(|_| random(5) as usize).collect();
        for count in &counts {
            send(&here, b"x", &borrowed(&sent[..*count])).unwrap();
        }
        let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
        assert_eq!(batch.len(), counts.len());
        let looked_at = random(9) as usize;
        for (mut message, count) in batch.zip(counts).take(looked_at) {
            match random(3) {
                0 => drop(message),
                1 => assert_eq!(take_all(&mut message).len(), count),
                _ => assert_eq!(message.take_descriptors().take(1).count(), count.min(1)),
            }
        }
    }
    assert_eq!(open_descriptors(), before);
}
