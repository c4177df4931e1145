//! What each message of a received batch says.

use super::*;
use crate::tests;

tests![
    each_message_has_its_own_result,
    what_one_call_changed_the_next_sets_anew,
    each_message_is_truncated_by_itself if the_kernels_truncation,
    fewer_rooms_than_slots_and_the_other_way_round,
    more_than_the_system_sends_in_one_call if a_batch_of_any_size,
    many_slices_for_each_message,
    no_slices_for_a_message if calls_without_data,
    each_sender_has_its_address,
    the_longest_name,
    credentials_beside_every_message,
    a_peeked_batch_owns_what_it_was_shown,
];

fn a_batch_of_any_size() -> Result<(), String> {
    if cfg!(batched_receiving) { the_kernel_itself("a batch has no more than 1024 messages") } else { Ok(()) }
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
            batch.map(|mut message| (message.data().to_vec(), take_all(&mut message).len())).collect();
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
            assert_eq!(message.data(), b"seventeen letter");
            assert_eq!(take_all(&mut message).len(), 4);
            let address = SocketAddrUnix::try_from(message.address().unwrap().clone()).unwrap();
            assert_eq!(address, abstract_name("a-rather-long-name"));
        }
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
    assert_eq!(lost(batch.next().unwrap().complete().err()), BOTH);
    let (mut whole, data) = batch.next().unwrap().complete().unwrap().into_parts();
    assert_eq!(open_descriptors().len(), before.len() + 1, "what was not whole is closed");
    assert_eq!((&data[..], take_all(&mut whole).len()), (&b"last"[..], 1));
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

/// That takes 1024. Of a stream, a room for one byte takes one byte: no queue is too short for so many messages.
fn more_than_the_system_sends_in_one_call() {
    const COUNT: usize = 1100;
    let (here, there) = pair(SocketType::STREAM);
    let sent: Vec<u8> = (0..COUNT).map(|number| number as u8).collect();
    let (last, others) = sent.split_last().unwrap();
    assert_eq!(send_plain(&here, others), Ok(COUNT - 1));
    send(&here, &[*last], &borrowed(&files(2))).unwrap();

    let mut bytes = vec![0; COUNT];
    let mut slices: Vec<_> = bytes.chunks_mut(1).map(|byte| [IoSliceMut::new(byte)]).collect();
    let mut spaces = vec![[0xff; ROOM]; COUNT];
    let mut rooms: Vec<_> =
        slices.iter_mut().zip(&mut spaces).map(|(slices, space)| RecvRoom::new(slices, space)).collect();
    let mut slots: Vec<_> = (0..COUNT).map(|_| RecvSlot::new()).collect();
    let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    assert_eq!((batch.len(), batch.error()), (COUNT, None));
    let mut descriptors = Vec::new();
    for (mut message, sent) in batch.zip(&sent) {
        assert_eq!(message.data(), [*sent]);
        descriptors.push(take_all(&mut message).len());
    }
    assert_eq!(descriptors.pop(), Some(2));
    assert!(descriptors.iter().all(|count| *count == 0));
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
    let mut rooms = slices.each_mut().map(|slices| RecvRoom::new(slices, ControlSliceMut::none()));
    let mut slots = slots::<4>();
    let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
    let messages: Vec<_> = recvmmsg(&there, &mut slots, &mut rooms, flags, None).unwrap().collect();
    let found: Vec<(usize, Vec<&[u8]>)> =
        messages.iter().map(|message| (message.bytes(), message.slices().collect())).collect();
    // With MSG_TRUNC the length is that of the datagram, but the data is what fits.
    let expected: [(usize, Vec<&[u8]>); 4] = [
        (8, vec![b"ab", b"", b"cdef", b"gh"]),
        (3, vec![b"ab", b"", b"c"]),
        (0, vec![]),
        (12, vec![b"ab", b"", b"cdef", b"ghij"]),
    ];
    assert_eq!(found, expected);
    drop(messages);
    // Only the first slice.
    send_plain(&here, b"abcdefgh").unwrap();
    let mut batch = recvmmsg(&there, &mut slots, &mut rooms, flags, None).unwrap();
    let mut message = batch.next().unwrap();
    assert_eq!(message.data(), b"ab");
    // It can be changed where it is.
    message.data_mut().reverse();
    assert!(message.slices().eq([&b"ba"[..], b"", b"cdef", b"gh"]));
    assert_eq!(message.into_parts().1, b"ba");
}

/// There is no part of a datagram then, however long it was.
fn no_slices_for_a_message() {
    let (here, there) = pair(SocketType::DGRAM);
    send_plain(&here, b"abc").unwrap();
    let mut rooms = [RecvRoom::new(&mut [], ControlSliceMut::none())];
    let mut slots = slots::<1>();
    let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
    let mut batch = recvmmsg(&there, &mut slots, &mut rooms, flags, None).unwrap();
    let message = batch.next().unwrap();
    assert_eq!((message.bytes(), message.data(), message.slices().count()), (3, &b""[..], 0));
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
        .map(|(data, address)| SendSlot::new(data, &control).with_address(address))
        .collect();
    assert_eq!(sendmmsg(&there, &mut answers, SendFlags::empty()), Ok(3));
    for (sender, answer) in senders.iter().zip(data) {
        let mut data = [0; 8];
        recv(sender, &mut data[..], RecvFlags::DONTWAIT).unwrap();
        assert_eq!(data[..1], *answer[0]);
    }
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

fn credentials_beside_every_message() {
    let (here, there) = pair(SocketType::SEQPACKET);
    set_delivery::<ScmCredentials>(&there, true).unwrap();
    send_numbered(&here, 3, 1);
    rooms!(rooms: 3 of 8 bytes, control_space!(ScmCredentials, ScmRights[1]));
    let mut slots = slots::<3>();
    for message in recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap() {
        assert_eq!(message.find::<ScmCredentials>(), Some(Ok(ScmCredentials::of_this_process())));
        assert_eq!(message.messages().filter(|message| matches!(message, Ok(Message::ScmRights(_)))).count(), 1);
    }
    set_delivery::<ScmCredentials>(&there, false).unwrap();
    send_plain(&here, b"x").unwrap();
    let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    assert!(batch.map(|message| message.messages().count()).eq([0]));
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
    assert!(batch.map(|message| message.data()[0]).eq([0, 0, 0]));
    assert_eq!(open_descriptors(), before);
    assert_eq!(recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap().len(), 1);
}
