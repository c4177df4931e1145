//! Many messages in one call: the system's own, or the crate's loop where there is none.

use super::{Bystander, assert_closed, in_flight, message_with, scenarios};
use crate::kernel::message::{Item, Message};
use crate::kernel::{Connected, Kind, abi, assert_leads_to, kernel};
use crate::rules::{CHOSEN, Kept, TooLong};
use ancillary::message::ScmRights;
use ancillary::received::ReceivedBatch;
use ancillary::received::recvmmsg;
use ancillary::socket::sendmmsg;
use ancillary::socket::{RecvOptions, RecvRoom, RecvSlot, SendSlot, WAIT_FOR_ONE};
use ancillary::{ControlBuffer, ControlWriter};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{RecvFlags, SendFlags};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

scenarios![
    each_message_has_its_room,
    a_batch_that_was_not_walked,
    an_error_ends_a_batch,
    an_error_of_the_first_message,
    the_end_of_what_is_there,
    a_peek_fills_every_room,
    too_little_room_in_the_middle if |rules| rules.is_known,
    slots_are_used_again,
    a_batch_is_sent,
    an_error_ends_what_is_sent,
    a_stream_takes_a_part,
];

const MANY: usize = 4;

/// Receives into as many rooms as there are lengths of control buffers.
fn batch<R>(
    socket: &Connected,
    control: &[usize],
    flags: RecvFlags,
    then: impl FnOnce(Result<ReceivedBatch<'_>, Errno>) -> R,
) -> R {
    let mut memory: Vec<_> = control.iter().map(|len| vec![MaybeUninit::<u8>::uninit(); *len]).collect();
    let mut data = vec![[0; 8]; control.len()];
    let mut slices: Vec<_> = data.iter_mut().map(|data| [IoSliceMut::new(data)]).collect();
    let mut rooms: Vec<_> =
        slices.iter_mut().zip(&mut memory).map(|(data, memory)| RecvRoom::new(data, &mut memory[..])).collect();
    let mut slots: Vec<_> = control.iter().map(|_| RecvSlot::new()).collect();
    then(recvmmsg(socket, &mut slots, &mut rooms, RecvOptions::from(flags | WAIT_FOR_ONE).inheritable(), None))
}

fn each_message_has_its_room() {
    let (_here, there) = Connected::pair(Kind::Datagram);
    let (files, in_flight) = in_flight(MANY);
    for (index, one) in in_flight.into_iter().enumerate() {
        let data = &b"datagram"[..index];
        there.deliver(Message::new(data, vec![Item::other(data), Item::rights([one])]));
    }
    batch(&there, &[64, 80, 96, 128, 64], RecvFlags::empty(), |received| {
        let received = received.unwrap();
        assert_eq!((received.len(), received.error()), (MANY, None));
        for (index, mut message) in received.enumerate() {
            assert_eq!((message.bytes(), message.data()), (index, &b"datagram"[..index]));
            assert_eq!(message.messages().count(), 2);
            let descriptor = message.take_descriptors().unwrap().next().unwrap();
            assert_leads_to(descriptor.as_fd(), files[index]);
        }
    });
    assert_closed(&files);
}

fn a_batch_that_was_not_walked() {
    for walked in 0..MANY {
        let (_here, there) = Connected::pair(Kind::Datagram);
        let (files, messages): (Vec<_>, Vec<_>) = (0..MANY).map(|_| message_with(2)).unzip();
        messages.into_iter().for_each(|message| there.deliver(message));
        batch(&there, &[64; MANY], RecvFlags::empty(), |received| {
            let mut received = received.unwrap();
            received.by_ref().take(walked).for_each(|mut message| {
                // The first is taken, the second is left.
                drop(message.take_descriptors().unwrap().next());
            });
            files[..walked].iter().for_each(|files| assert_closed(files));
            let bystanders = [(); 2].map(|()| Bystander::new());
            drop(received);
            drop(bystanders);
        });
        files.iter().for_each(|files| assert_closed(files));
    }
}

fn an_error_ends_a_batch() {
    let (_here, there) = Connected::pair(Kind::Datagram);
    let (files, messages): (Vec<_>, Vec<_>) = (0..2).map(|_| message_with(1)).unzip();
    let [first, second] = messages.try_into().unwrap();
    there.deliver(first);
    there.deliver_error(libc::ECONNRESET);
    there.deliver(second);
    let is_loop = CHOSEN.kept == Kept::NoBatches;
    batch(&there, &[64; MANY], RecvFlags::empty(), |received| {
        let received = received.unwrap();
        // The system keeps it; the loop reports it.
        assert_eq!((received.len(), received.error()), (1, is_loop.then_some(Errno::CONNRESET)));
    });
    if !is_loop {
        batch(&there, &[64; MANY], RecvFlags::empty(), |received| {
            assert_eq!(received.err(), Some(Errno::CONNRESET));
        });
    }
    batch(&there, &[64; MANY], RecvFlags::empty(), |received| assert_eq!(received.unwrap().len(), 1));
    files.iter().for_each(|files| assert_closed(files));
}

fn an_error_of_the_first_message() {
    let (_here, there) = Connected::pair(Kind::Datagram);
    there.deliver_error(libc::ECONNRESET);
    for error in [Errno::CONNRESET, Errno::AGAIN] {
        batch(&there, &[64; 2], RecvFlags::empty(), |received| assert_eq!(received.err(), Some(error)));
    }
    let calls = kernel().calls;
    batch(&there, &[], RecvFlags::empty(), |received| assert_eq!(received.unwrap().len(), 0));
    assert_eq!(kernel().calls, calls, "without a room there is no call");
}

fn the_end_of_what_is_there() {
    let (_here, there) = Connected::pair(Kind::Datagram);
    let (_, message) = message_with(1);
    there.deliver(message);
    batch(&there, &[64; 2], RecvFlags::empty(), |received| {
        let received = received.unwrap();
        assert_eq!((received.len(), received.error()), (1, None));
    });
    let (_, message) = message_with(1);
    there.deliver(message);
    batch(&there, &[64; 2], RecvFlags::empty(), |received| {
        if CHOSEN.kept == Kept::ErrorsAndAgain {
            assert_eq!(received.err(), Some(Errno::AGAIN));
        } else {
            assert_eq!(received.unwrap().len(), 1);
        }
    });
}

fn a_peek_fills_every_room() {
    let (_here, there) = Connected::pair(Kind::Datagram);
    let (files, message) = message_with(1);
    there.deliver(message);
    let bystander = Bystander::new();
    batch(&there, &[64; 3], RecvFlags::PEEK, |received| {
        let received = received.unwrap();
        assert_eq!(received.len(), 3);
        let taken: usize = received.map(|mut message| message.take_descriptors().unwrap().count()).sum();
        assert_eq!(taken, if CHOSEN.name == "linux" { 3 } else { 0 });
    });
    drop(bystander);
    batch(&there, &[64], RecvFlags::empty(), |received| assert_eq!(received.unwrap().len(), 1));
    assert_closed(&files);
}

fn too_little_room_in_the_middle() {
    let (_here, there) = Connected::pair(Kind::Datagram);
    let (files, messages): (Vec<_>, Vec<_>) = (0..3).map(|_| message_with(2)).unzip();
    messages.into_iter().for_each(|message| there.deliver(message));
    let little = abi::len(4);
    batch(&there, &[64, little, 64], RecvFlags::empty(), |received| {
        let received = received.unwrap();
        let fails = CHOSEN.long_rights == TooLong::Fails;
        assert_eq!(received.len(), if fails { 1 } else { 3 });
        let counts: Vec<_> = received.map(|mut message| message.take_descriptors().unwrap().count()).collect();
        match CHOSEN.name {
            "linux" | "apple" => assert_eq!(counts, [2, 1, 2]),
            "freebsd" | "netbsd" => assert_eq!(counts, [2, 0, 2]),
            _ => assert_eq!(counts, [2]),
        }
    });
    kernel().close_unreported();
    drop(there);
    files.iter().for_each(|files| assert_closed(files));
}

fn slots_are_used_again() {
    let (_here, there) = Connected::pair(Kind::Datagram);
    let (mut data, mut control) = ([0; 8], ControlBuffer::<64>::new());
    let mut slices = [IoSliceMut::new(&mut data)];
    let mut rooms = [RecvRoom::new(&mut slices, &mut control)];
    let mut slots = [RecvSlot::new()];
    for count in [2, 0, 1] {
        let (files, message) = message_with(count);
        there.deliver(message);
        let mut batch =
            recvmmsg(&there, &mut slots, &mut rooms, RecvOptions::from(WAIT_FOR_ONE).inheritable(), None).unwrap();
        assert_eq!(batch.next().unwrap().take_descriptors().unwrap().count(), count);
        drop(batch);
        assert_closed(&files);
    }
}

fn a_batch_is_sent() {
    let (here, there) = Connected::pair(Kind::Datagram);
    let (file, descriptor) = crate::kernel::open();
    let borrowed = [descriptor.as_fd()];
    let mut space = ControlBuffer::<64>::new();
    let mut control = space.writer();
    control.push(ScmRights(&borrowed)).unwrap();
    let (data, empty) = ([IoSlice::new(b"a "), IoSlice::new(b"datagram")], ControlWriter::empty());
    let mut messages = [SendSlot::new(&data, &control), SendSlot::new(&data[..1], &empty), SendSlot::empty()];
    assert_eq!(sendmmsg(&here, &mut messages, SendFlags::empty()), Ok(3));
    assert_eq!(messages.map(|message| message.sent()), [10, 2, 0]);
    assert_eq!(there.waiting(), 3);
    drop(descriptor);
    batch(&there, &[64; 3], RecvFlags::empty(), |received| {
        let descriptors = received.unwrap().map(|mut message| message.take_descriptors().unwrap().next());
        let descriptors: Vec<_> = descriptors.collect();
        assert_leads_to(descriptors[0].as_ref().unwrap().as_fd(), file);
        assert!(descriptors[1..].iter().all(Option::is_none));
    });
}

fn an_error_ends_what_is_sent() {
    let (here, there) = Connected::pair(Kind::Datagram);
    let (data, control) = ([IoSlice::new(b"data")], ControlWriter::empty());
    let mut messages = [const { SendSlot::empty() }; 3].map(|_| SendSlot::new(&data, &control));
    here.fail(libc::ENOBUFS);
    assert_eq!(sendmmsg(&here, &mut messages, SendFlags::empty()), Err(Errno::NOBUFS));
    assert_eq!(sendmmsg(&here, &mut messages, SendFlags::empty()), Ok(3));
    drop(there);
    assert_eq!(sendmmsg(&here, &mut messages, SendFlags::empty()), Err(Errno::PIPE));
    let calls = kernel().calls;
    assert_eq!(sendmmsg(&here, &mut [], SendFlags::empty()), Ok(0));
    assert_eq!(kernel().calls, calls, "without a message there is no call");
}

fn a_stream_takes_a_part() {
    let (here, there) = Connected::pair(Kind::Stream);
    here.takes(3);
    let (short, long, control) = ([IoSlice::new(b"one")], [IoSlice::new(b"three")], ControlWriter::empty());
    let mut messages =
        [SendSlot::new(&short, &control), SendSlot::new(&long, &control), SendSlot::new(&short, &control)];
    assert_eq!(sendmmsg(&here, &mut messages, SendFlags::empty()), Ok(2));
    assert_eq!(messages.map(|message| message.sent()), [3, 3, 0]);
    assert_eq!(there.waiting(), 2);
}
