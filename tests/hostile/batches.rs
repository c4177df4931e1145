//! Batches over memory that is used again in other places, and left in every way that safe code has.
#![forbid(unsafe_code)]

use crate::calls::{Conduct, Others, Socket};
use crate::held::{Held, Kept};
use crate::looking::{WAYS, look};
use crate::measure::{File, Watch, file_at};
use crate::rounds::{Random, happened, plant, planted, rounds};
use crate::tests;
use crate::world::{LENT, QUIETLY, World, the_kernels_truncation};
use ancillary::ControlWriter;
use ancillary::control::ControlSliceMut;
use ancillary::message::ScmRights;
use ancillary::received::recvmmsg;
use ancillary::received::{ReceivedBatch, ReceivedWithData};
use ancillary::socket::sendmmsg;
use ancillary::socket::{RecvRoom, RecvSlot, SendSlot};
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::RecvFlags;
use std::collections::VecDeque;
use std::mem::{forget, swap};
use std::ops::DerefMut;

tests![each_alone if the_kernels_truncation, at_random if the_kernels_truncation];

/// A message on its way: its data, and its files.
#[derive(Clone, Debug)]
struct Sent {
    data: Vec<u8>,
    files: Vec<File>,
}

const MOST: usize = 4;

/// Sends some messages, a few of them twice, and empty ones.
fn send_some(random: &mut Random, world: &World, under_way: &mut VecDeque<Sent>) {
    let bytes: Vec<Vec<u8>> = (0..MOST).map(|_| vec![random.number() as u8; random.below(8)]).collect();
    let data: Vec<[IoSlice<'_>; 1]> = bytes.iter().map(|bytes| [IoSlice::new(bytes)]).collect();
    let lent: Vec<Vec<BorrowedFd<'_>>> =
        (0..MOST).map(|_| (0..random.below(5)).map(|_| world.lent(random.below(LENT))).collect()).collect();
    let mut memories = [[0xff; 48]; MOST];
    let controls: Vec<ControlWriter<'_>> = memories
        .iter_mut()
        .zip(&lent)
        .map(|(memory, lent)| {
            let mut control = ControlWriter::new(memory);
            control.push(ScmRights(lent)).unwrap();
            control
        })
        .collect();
    let mut slots = [const { SendSlot::empty() }; MOST];
    let mut messages = [const { None }; MOST];
    for (slot, message) in slots.iter_mut().zip(&mut messages) {
        if random.one_in(6) {
            continue;
        }
        // One writer may be in several.
        let (with, beside) = (random.below(MOST), random.below(MOST));
        *slot = SendSlot::new(&data[with], &controls[beside]);
        *message = Some((with, beside));
    }
    let (index, other) = (random.below(MOST), random.below(MOST));
    slots.swap(index, other);
    messages.swap(index, other);
    for _ in 0..1 + random.below(2) {
        let count = random.below(MOST + 1);
        let sent = sendmmsg(&world.here, &mut slots[..count], QUIETLY).unwrap_or_default();
        for (message, slot) in messages.iter().zip(&slots).take(sent) {
            let (data, files) = match message {
                Some((with, beside)) => (bytes[*with].clone(), lent[*beside].clone()),
                None => (Vec::new(), Vec::new()),
            };
            assert_eq!(slot.sent(), data.len());
            let files = files.iter().map(|one| file_at(one.as_raw_fd()).unwrap()).collect();
            under_way.push_back(Sent { data, files });
        }
    }
}

/// Looks at what a message is, before anything is done with it.
fn check(message: &mut ReceivedWithData<'_>, sent: &Sent) {
    let data = message.data().to_vec();
    assert!(sent.data.starts_with(&data));
    assert!(message.data_truncated() || message.slices().flatten().eq(&sent.data));
    let arrived = crate::world::owned_by(message);
    assert!(sent.files.starts_with(&arrived) && (message.control_truncated() || sent.files == arrived));
}

const WAYS_OF_BATCHES: usize = 9;

/// Goes through a batch in one way.
fn walk(way: usize, random: &mut Random, mut batch: ReceivedBatch<'_>, sent: &[Sent], roomy: bool, kept: &mut Kept) {
    assert_eq!((batch.len(), batch.error()), (sent.len(), None));
    let some = random.below(MOST + 1);
    match way {
        0 => drop(batch),
        1 if roomy => {
            assert_eq!(batch.by_ref().take(some).count(), some.min(sent.len()));
            happened("a batch that was forgotten");
            kept.forgotten.extend(sent.iter().skip(some).flat_map(|sent| &sent.files));
            forget(batch);
        }
        2 => {
            planted(|| {
                batch.zip(sent).enumerate().for_each(|(index, (mut message, sent))| {
                    check(&mut message, sent);
                    if index == some {
                        happened("a panic in a batch");
                        plant();
                    }
                });
            });
        }
        3 => {
            if let Some(mut message) = batch.nth(some) {
                check(&mut message, &sent[some]);
            }
            assert!(batch.last().is_none() || sent.len() > some + 1);
        }
        4 => {
            for (index, mut message) in batch.step_by(2).take(some).enumerate() {
                check(&mut message, &sent[2 * index]);
            }
        }
        _ => {
            let mut messages: Vec<ReceivedWithData<'_>> = batch.collect();
            let mut sent = sent.to_vec();
            for (message, sent) in messages.iter_mut().zip(&sent) {
                check(message, sent);
            }
            if let [first, .., last] = &mut messages[..] {
                if way > 6 {
                    happened("messages of a batch that were swapped");
                    swap(first, last);
                    let end = sent.len() - 1;
                    sent.swap(0, end);
                } else {
                    // The data stays where it is.
                    happened("owners in a batch that were swapped");
                    let data = (first.data().to_vec(), last.data().to_vec());
                    swap(first.deref_mut(), last.deref_mut());
                    assert_eq!((first.data(), last.data()), (&data.0[..], &data.1[..]));
                    let _ = (first.slices().count(), last.slices().count());
                    let end = sent.len() - 1;
                    let files = sent[0].files.clone();
                    sent[0].files = std::mem::replace(&mut sent[end].files, files);
                }
            }
            if random.one_in(4) {
                if let Some(mut message) = messages.pop() {
                    happened("a message of a batch that was forgotten");
                    message.data_mut().fill(0xff);
                    kept.forgotten.extend(Held::new(message.into_parts().0).forget());
                }
            }
            let mut held: Vec<Held<'_>> =
                messages.into_iter().map(|message| Held::new(message.into_parts().0)).collect();
            for (held, sent) in held.iter().zip(&sent) {
                assert!(sent.files.starts_with(&held.left) && (!roomy || sent.files == held.left));
            }
            for _ in 0..random.below(4) {
                look(random.below(WAYS), random, &mut held, kept);
            }
        }
    }
}

/// Receives a few times over the same slots and rooms, which change places.
fn some_batches(random: &mut Random, ways: &[usize], roomy: bool) {
    let (world, others) = (World::new(), Others::new());
    let mut under_way = VecDeque::new();
    let (mut data, mut more, mut controls) = ([[0; 8]; MOST], [[0; 8]; MOST], [[0xff; 64]; MOST]);
    let mut slices: Vec<Vec<IoSliceMut<'_>>> = data
        .iter_mut()
        .zip(&mut more)
        .map(|(data, more)| {
            let len = if roomy { 8 } else { random.below(9) };
            let both = [IoSliceMut::new(&mut data[..len]), IoSliceMut::new(more)];
            both.into_iter().take(if roomy { 2 } else { random.below(3) }).collect()
        })
        .collect();
    let mut rooms: Vec<RecvRoom<'_, '_>> = slices
        .iter_mut()
        .zip(&mut controls)
        .map(|(slices, control)| match random.below(if roomy { 1 } else { 4 }) {
            1 => RecvRoom::new(slices, ControlSliceMut::none()),
            2 => RecvRoom::new(slices, &mut control[..random.below(40)]),
            _ => RecvRoom::new(slices, control),
        })
        .collect();
    let (mut slots, mut other_slots) = ([const { RecvSlot::new() }; MOST], [const { RecvSlot::new() }; 2]);
    let watch = Watch::begin();
    let mut kept = Kept::default();
    for way in ways {
        send_some(random, &world, &mut under_way);
        rooms.swap(random.below(MOST), random.below(MOST));
        slots.swap(random.below(MOST), random.below(MOST));
        swap(&mut slots[random.below(MOST)], &mut other_slots[random.below(2)]);
        let (of_slots, of_rooms) = (random.below(MOST + 1), random.below(MOST + 1));
        let (slots, rooms) = (&mut slots[..of_slots], &mut rooms[..of_rooms]);
        let peek = random.one_in(6);
        let mut flags = RecvFlags::DONTWAIT;
        flags.set(RecvFlags::PEEK, peek);
        // How long a message was is returned even where less of it has arrived.
        flags.set(RecvFlags::TRUNC, random.one_in(3));
        let panics = random.one_in(5);
        let wanted = of_slots.min(of_rooms);
        let sent: Vec<Sent> = match under_way.front() {
            Some(first) if peek => vec![first.clone(); wanted],
            _ => under_way.drain(..wanted.min(under_way.len())).collect(),
        };
        let socket = Socket::new(&world, &others, &world.there, Conduct::Honest, panics);
        match planted(|| recvmmsg(socket, slots, rooms, flags, None)) {
            None => assert!(panics),
            Some(Ok(batch)) => walk(*way, random, batch, &sent, roomy, &mut kept),
            Some(Err(error)) => assert_eq!((error, sent.len(), wanted > 0), (Errno::AGAIN, 0, true)),
        }
    }
    kept.end(&watch);
}

fn each_alone() {
    let mut random = Random::new(4);
    for way in 0..WAYS_OF_BATCHES {
        for again in 0..20 {
            some_batches(&mut random, &[way], again > 9);
        }
    }
}

fn at_random() {
    let expected = [
        "a batch that was forgotten",
        "a message of a batch that was forgotten",
        "a panic in a batch",
        "a socket that panicked when it was dropped",
        "messages of a batch that were swapped",
        "owners in a batch that were swapped",
    ];
    rounds(&expected, |random| {
        let ways: Vec<usize> = (0..1 + random.below(4)).map(|_| random.below(WAYS_OF_BATCHES)).collect();
        let roomy = random.one_in(2);
        some_batches(random, &ways, roomy);
    });
}
