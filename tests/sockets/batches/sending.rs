//! Many messages sent in one call.

use super::*;
use crate::tests;

tests![
    an_empty_slot_is_an_empty_message if calls_without_data,
    descriptors_with_every_message,
    an_error_of_a_later_message_ends_the_batch_before_it,
    an_error_of_the_first_message_is_the_error,
    a_full_queue_takes_a_part,
    more_than_the_system_takes_in_one_call,
    a_stream_takes_a_part_of_a_message,
    nothing_follows_a_message_that_was_cut if the_kernels_batches,
    without_data_a_stream_sends_nothing_and_counts_it,
];

/// It has no slices, and not even a pointer to none.
fn an_empty_slot_is_an_empty_message() {
    let (here, there) = pair(SocketType::DGRAM);
    let mut messages = [const { SendSlot::empty() }; 2];
    assert_eq!(sendmmsg(&here, &mut messages, SendFlags::empty()), Ok(2));
    assert_eq!(messages.map(|message| message.sent()), [0, 0]);
    assert_eq!(count_waiting(&there), 2);
}

fn descriptors_with_every_message() {
    let (here, there) = pair(SocketType::SEQPACKET);
    let sent = files(4);
    let mut spaces = [const { ControlBuffer::<ROOM>::new() }; 4];
    let mut controls = spaces.each_mut().map(ControlBuffer::writer);
    let descriptors = borrowed(&sent);
    for (control, count) in controls.iter_mut().zip(1..) {
        control.push(ScmRights(&descriptors[..count])).unwrap();
    }
    let data = [IoSlice::new(b"x")];
    let mut messages = controls.each_ref().map(|control| SendSlot::new(&data, control));
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

fn an_error_of_a_later_message_ends_the_batch_before_it() {
    let (here, there) = pair(SocketType::DGRAM);
    let (control, too_long) = (ControlWriter::empty(), vec![0; 16 << 20]);
    let data = [[IoSlice::new(b"1")], [IoSlice::new(b"22")], [IoSlice::new(&too_long)], [IoSlice::new(b"4")]];
    let mut messages = data.each_ref().map(|data| SendSlot::new(data, &control));
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
    let mut messages = [SendSlot::new(&data, &control), SendSlot::new(&data, &control)];
    assert_eq!(sendmmsg(&here, &mut messages, SendFlags::NOSIGNAL), Err(Errno::CONNREFUSED));
    assert_eq!(messages[0].sent(), 0);
}

fn a_full_queue_takes_a_part() {
    let (here, there) = pair(SocketType::DGRAM);
    let (control, data) = (ControlWriter::empty(), [IoSlice::new(b"1")]);
    let mut messages: Vec<_> = (0..1000).map(|_| SendSlot::new(&data, &control)).collect();
    let sent = sendmmsg(&here, &mut messages, SendFlags::DONTWAIT).unwrap();
    assert!((1..1000).contains(&sent), "{sent}");
    assert_eq!(sendmmsg(&here, &mut messages[sent..], SendFlags::DONTWAIT), Err(Errno::AGAIN));
    assert_eq!(count_waiting(&there), sent);
}

fn more_than_the_system_takes_in_one_call() {
    // What the receiver has no room for is dropped: this socket is never full.
    let there = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let here = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    here.connect(there.local_addr().unwrap()).unwrap();
    let (control, data) = (ControlWriter::empty(), [IoSlice::new(b"1")]);
    let mut messages: Vec<_> = (0..1030).map(|_| SendSlot::new(&data, &control)).collect();
    let sent = sendmmsg(&here, &mut messages, SendFlags::empty()).unwrap();
    // A loop takes them all.
    assert_eq!(sent, if cfg!(batched_sending) { 1024 } else { 1030 });
    assert_eq!(sendmmsg(&here, &mut messages[sent..], SendFlags::empty()), Ok(1030 - sent));
    assert!(messages.iter().all(|message| message.sent() == 1));
}

fn a_stream_takes_a_part_of_a_message() {
    let (here, there) = pair(SocketType::STREAM);
    let long = vec![7; 16 << 20];
    let (control, data) =
        (ControlWriter::empty(), [[IoSlice::new(b"first")], [IoSlice::new(&long)], [IoSlice::new(b"last")]]);
    let mut messages = data.each_ref().map(|data| SendSlot::new(data, &control));
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

/// On a stream the next message would otherwise follow the part that was sent.
fn nothing_follows_a_message_that_was_cut() {
    let (here, _there) = pair(SocketType::STREAM);
    let (long, control) = (vec![7; 16 << 20], ControlWriter::empty());
    // A message without data could always be sent.
    let data = [[IoSlice::new(&long)], [IoSlice::new(b"")]];
    let mut messages = data.each_ref().map(|data| SendSlot::new(data, &control));
    assert_eq!(sendmmsg(&here, &mut messages, SendFlags::DONTWAIT), Ok(1));
    assert!(messages[0].sent() < long.len());
}

/// Case W5: the descriptor goes with the first byte, and there is none. It is the same with `sendmsg`, which says 0 bytes;
/// the batch says that one message was sent, of 0 bytes.
fn without_data_a_stream_sends_nothing_and_counts_it() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        let sent = files(1);
        let descriptors = borrowed(&sent);
        let mut space = ControlBuffer::<ROOM>::new();
        let mut control = space.writer();
        control.push(ScmRights(&descriptors)).unwrap();
        let data = [IoSlice::new(b"")];
        let mut messages = [SendSlot::new(&data, &control)];
        assert_eq!(sendmmsg(&here, &mut messages, SendFlags::empty()), Ok(1));
        assert_eq!(messages[0].sent(), 0);
        assert_eq!(ancillary::socket::sendmsg(&here, &data, &control, SendFlags::empty()), Ok(0));
        let mut room = [0xff; ROOM];
        for _ in 0..2 {
            let mut buffer = [0; 4];
            let arrived = receive_flags(&there, &mut buffer, &mut room, RecvFlags::DONTWAIT)
                .map(|mut received| (received.bytes(), take_all(&mut received).len()));
            assert_eq!(arrived, if kind == SocketType::STREAM { Err(Errno::AGAIN) } else { Ok((0, 1)) });
        }
    }
}
