//! A caller who looks at what has arrived and takes it, or stops, in every way that safe code has.
#![forbid(unsafe_code)]

use crate::decoding;
use crate::held::{Held, Kept};
use crate::measure::{File, Watch, file_at};
use crate::rounds::{Random, happened, plant, planted, rounds};
use crate::taking::{exchange, take_messages, take_some};
use crate::tests;
use crate::world::{LENT, QUIETLY, RIGHTS, World, owned_by, the_kernels_truncation};
use ancillary::message::ScmRights;
use ancillary::received::recvmsg;
use ancillary::socket::sendmsg;
use ancillary::socket::set_delivery;
use ancillary::{ControlWriter, Message};
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::RecvFlags;
use std::mem::{forget, take};

tests![each_alone if the_kernels_truncation, at_random if the_kernels_truncation];

pub const WAYS: usize = 32;

/// Looks at one of these in one way, or at two of them, or takes what they own.
pub fn look<'c>(way: usize, random: &mut Random, held: &mut Vec<Held<'c>>, kept: &mut Kept) {
    if held.is_empty() {
        return;
    }
    let count = random.below(5);
    let index = random.below(held.len());
    match way {
        0..12 => take_some(way, count, &mut held[index], kept),
        12..17 => take_messages(way, count, &mut held[index], kept),
        17..21 => exchange(way, count, held, kept),
        21 => drop(held.swap_remove(index)),
        22 => {
            happened("an owner that was forgotten");
            kept.forgotten.extend(held.swap_remove(index).forget());
        }
        23 => {
            let Held { received, left } = held.swap_remove(index);
            let incomplete = received.incomplete();
            assert_eq!(incomplete.is_some(), received.data_truncated() || received.control_truncated());
            match received.complete() {
                Ok(received) => held.push(Held { received, left }),
                Err(error) => {
                    assert_eq!(Some(error), incomplete);
                    happened("an owner that was refused for being incomplete");
                }
            }
        }
        24 => {
            happened("an owner in another thread");
            let Held { received, left } = &mut held[index];
            let sent = crate::world::sent_among(received);
            let mut files = sent.into_iter().map(|index| left[index]).collect();
            left.clear();
            let taken = std::thread::scope(|scope| {
                let taking = scope.spawn(|| received.take_descriptors().unwrap().take(count).collect());
                taking.join().unwrap()
            });
            kept.keep(taken, &mut files);
        }
        25 => {
            let Held { received, left } = held.swap_remove(index);
            of_a_walk_that_outlives_the_owner(count, received, left, kept);
        }
        26..31 => look_only(way, count, &held[index]),
        _ => decoding::find(random, &held[index].received),
    }
    for one in held {
        assert_eq!(owned_by(&one.received), one.left, "after way {way}");
        let _ = (format!("{:?}", one.received), format!("{:?}", one.received.messages()));
        if one.left.is_empty() && count == 0 {
            // A second taking finds nothing.
            assert_eq!(one.received.take_descriptors().unwrap().len(), 0);
            assert_eq!(one.received.take_messages().flatten().filter(has_descriptors).count(), 0);
        }
    }
}

fn has_descriptors(message: &Message<'_>) -> bool {
    match message {
        Message::ScmRights(descriptors) => descriptors.len() > 0,
        Message::ScmRightsWithErrors(_) | Message::ScmPidfd(_) => true,
        _ => false,
    }
}

/// Takes a few messages after what owned them is gone, and leaves the rest.
fn of_a_walk_that_outlives_the_owner(
    count: usize,
    received: ancillary::Received<'_>,
    mut left: Vec<File>,
    kept: &mut Kept,
) {
    happened("a walk that outlived its owner");
    let mut messages = received.into_messages();
    for message in messages.by_ref().take(count / 2).flatten() {
        match message {
            Message::ScmRights(descriptors) => kept.keep(descriptors.collect(), &mut left),
            Message::ScmPidfd(pidfd) => kept.keep(vec![pidfd.unwrap()], &mut left),
            _ => {}
        }
    }
    if count % 2 == 1 {
        kept.forgotten.extend(take(&mut left));
        forget(messages);
    }
}

/// Looks, in ways that change nothing.
fn look_only(way: usize, count: usize, held: &Held<'_>) {
    let received = &held.received;
    let numbers = || -> Vec<RawFd> {
        let rights = |message: Message<'_, BorrowedFd<'_>>| match message {
            Message::ScmRights(descriptors) => descriptors.map(|one: BorrowedFd<'_>| one.as_raw_fd()).collect(),
            Message::ScmPidfd(pidfd) => vec![pidfd.unwrap().as_raw_fd()],
            _ => Vec::new(),
        };
        received.messages().flatten().flat_map(rights).collect()
    };
    match way {
        26 => {
            // Two at once, and what they show stays after them.
            let (mut first, mut second) = (received.messages(), received.messages().skip(count));
            let mut borrowed: Vec<BorrowedFd<'_>> = Vec::new();
            for message in first.by_ref().chain(second.by_ref()).flatten() {
                if let Message::ScmRights(descriptors) = message {
                    borrowed.extend(descriptors);
                }
            }
            forget((first, second));
            for one in borrowed {
                assert!(held.left.contains(&file_at(one.as_raw_fd()).expect("it is open")));
                let copy: OwnedFd = one.try_clone_to_owned().unwrap();
                assert_ne!(copy.as_raw_fd(), one.as_raw_fd());
            }
        }
        27 => {
            let mut seen = 0;
            planted(|| {
                received.messages().flatten().for_each(|message| {
                    let _message = message;
                    seen += 1;
                    if seen > count / 2 {
                        happened("a panic while looking");
                        plant();
                    }
                });
            });
        }
        28 => {
            happened("looking that was forgotten");
            let mut messages = received.messages();
            let _ = messages.next().map(forget);
            let _ = messages.truncated_message().map(forget);
            forget(messages.clone());
            forget(messages);
        }
        29 => {
            happened("two threads that looked");
            let (one, other) = std::thread::scope(|scope| {
                let (one, other) = (scope.spawn(numbers), scope.spawn(numbers));
                (one.join().unwrap(), other.join().unwrap())
            });
            assert_eq!(one, other);
        }
        _ => {
            // Plain numbers are the same numbers, and are no owners.
            let raw: usize = received
                .raw_messages()
                .flatten()
                .filter(|message| (message.level(), message.message_type()) == RIGHTS)
                .map(|message| message.payload().len() / 4)
                .sum();
            assert!(held.left.is_empty() || (numbers().len() - raw) < 2);
        }
    }
}

/// A few messages, each received into a room that may be too small, and looked at in these ways.
fn a_look(random: &mut Random, ways: &[usize], roomy: bool) {
    let world = World::new();
    let _ = set_delivery::<ancillary::message::ScmCredentials>(&world.there, random.one_in(3));
    let _ = set_delivery::<ancillary::message::ScmPidfd>(&world.there, random.one_in(3));
    let mut memories = [[0xff; 400]; 4];
    let watch = Watch::begin();
    let (mut held, mut kept) = (Vec::new(), Kept::default());
    let (mut lent, mut peeked) = (Vec::new(), false);
    for memory in &mut memories {
        // What was peeked at arrives once more.
        if !peeked {
            let sent: Vec<usize> = (0..random.below(9)).map(|_| random.below(LENT)).collect();
            lent = world.some(&sent);
            let mut bytes = [0; 64];
            let mut control = ControlWriter::new(&mut bytes);
            control.push(ScmRights(&lent)).unwrap();
            assert_eq!(sendmsg(&world.here, &[IoSlice::new(b"x")], &control, QUIETLY), Ok(1));
        }
        peeked = random.one_in(5);
        let flags = if peeked { RecvFlags::DONTWAIT | RecvFlags::PEEK } else { RecvFlags::DONTWAIT };
        let room = if roomy { 400 } else { random.below(100) };
        let mut data = [0; 4];
        let received = recvmsg(&world.there, &mut [IoSliceMut::new(&mut data)], &mut memory[..room], flags).unwrap();
        assert_eq!((received.control_capacity(), received.control_len() <= room), (room, true));
        let one = Held::new(received);
        // A descriptor of this process that nothing has sent is that of the sender.
        let arrived: Vec<File> = one.left.iter().copied().filter(|file| world.is_lent(*file)).collect();
        let sent: Vec<File> = lent.iter().map(|one| file_at(one.as_raw_fd()).unwrap()).collect();
        assert!(sent.starts_with(&arrived) && one.left.len() <= arrived.len() + 1);
        assert!(one.received.control_truncated() || sent == arrived);
        held.push(one);
    }
    for way in ways {
        look(*way, random, &mut held, &mut kept);
    }
    drop(held);
    kept.end(&watch);
}

fn each_alone() {
    let mut random = Random::new(3);
    for way in 0..WAYS {
        for again in 0..12 {
            a_look(&mut random, &[way], again > 3);
        }
    }
}

fn at_random() {
    let expected = [
        "a descriptor that was peeked at and forgotten",
        "a message that was forgotten",
        "a panic in a message",
        "a panic in an iterator",
        "a panic while looking",
        "a panic with a message in hand",
        "a walk that outlived its owner",
        "an iterator that was forgotten",
        "an owner in another thread",
        "an owner that was forgotten",
        "an owner that was refused for being incomplete",
        "control messages that were swapped",
        "iterators that were swapped",
        "looking that was forgotten",
        "messages that were forgotten",
        "messages that were swapped",
        "owners that were swapped",
        "two threads that looked",
    ];
    rounds(&expected, |random| {
        let ways: Vec<usize> = (0..1 + random.below(8)).map(|_| random.below(WAYS)).collect();
        let roomy = random.one_in(2);
        a_look(random, &ways, roomy);
    });
}
