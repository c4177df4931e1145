//! A caller who looks at what has arrived, or stops looking, in every way that safe code has.
#![forbid(unsafe_code)]

use crate::decoding;
use crate::held::{Held, Kept};
use crate::measure::{File, Watch, file_at};
use crate::rounds::{Random, happened, plant, planted, rounds};
use crate::tests;
use crate::world::{LENT, QUIETLY, World, owned_by, the_kernels_truncation};
use ancillary::message::ScmRights;
use ancillary::received::Descriptors;
use ancillary::socket::set_delivery;
use ancillary::{ControlWriter, Message, recvmsg, sendmsg};
use rustix::fd::{AsRawFd, OwnedFd, RawFd};
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::RecvFlags;
use std::mem::{forget, swap};

tests![each_alone if the_kernels_truncation, at_random if the_kernels_truncation];

pub const WAYS: usize = 25;

/// Looks at one of these in one way, or at two of them.
pub fn look<'c>(way: usize, random: &mut Random, held: &mut Vec<Held<'c>>, kept: &mut Kept) {
    if held.is_empty() {
        return;
    }
    let count = random.below(5);
    let index = random.below(held.len());
    match way {
        0..12 => take_some(way, count, &mut held[index], kept),
        12..17 => look_at_messages(way, count, &mut held[index], kept),
        17..20 => exchange(way, count, held, kept),
        20 => drop(held.swap_remove(index)),
        21 => {
            happened("an owner that was forgotten");
            kept.forgotten.extend(held.swap_remove(index).forget());
        }
        22 => {
            let Held { received, left } = held.swap_remove(index);
            let truncated = received.truncated();
            match received.complete() {
                Ok(received) => held.push(Held { received, left }),
                Err(error) => {
                    assert_eq!(error, truncated);
                    happened("an owner that was refused for being incomplete");
                }
            }
        }
        23 => {
            happened("an owner in another thread");
            let Held { received, left } = &mut held[index];
            let taken = std::thread::scope(|scope| {
                let taking = scope.spawn(|| received.take_descriptors().take(count).map(ok).collect());
                taking.join().unwrap()
            });
            kept.keep(taken, left);
        }
        _ => decoding::find(random, &mut held[index].received),
    }
    for one in held {
        assert_eq!(owned_by(&mut one.received), one.left, "after way {way}");
        let _ = (format!("{:?}", one.received), format!("{:?}", one.received.messages()));
    }
}

fn ok<E: std::fmt::Debug>(result: Result<OwnedFd, E>) -> OwnedFd {
    result.unwrap()
}

/// Takes descriptors from the front.
fn take_some(way: usize, count: usize, held: &mut Held<'_>, kept: &mut Kept) {
    let (received, left) = (&mut held.received, &mut held.left);
    let few = count.min(left.len());
    let mut owners: Vec<OwnedFd> = Vec::new();
    match way {
        0 => owners.extend(received.take_descriptors().take(count).map(ok)),
        1 => {
            let last = received.take_descriptors().nth(count).map(ok);
            left.drain(..few);
            owners.extend(last);
        }
        2 => {
            let stepping: Vec<OwnedFd> = received.take_descriptors().step_by(2).take(count).map(ok).collect();
            // What is stepped over is closed.
            let ended = !stepping.is_empty() && stepping.len() < count;
            for (step, owner) in stepping.into_iter().enumerate() {
                left.drain(..step.min(1));
                kept.keep(vec![owner], left);
            }
            if ended {
                assert!(left.len() < 2);
                left.clear();
            }
        }
        3 => {
            // The iterator is asked first: one more is taken, and closed.
            owners.extend(received.take_descriptors().zip(0..count).map(|(owner, _)| ok(owner)));
            if left.len() > count {
                left.remove(count);
            }
        }
        4 => owners.extend((0..count).zip(received.take_descriptors()).map(|(_, owner)| ok(owner))),
        5 => {
            let mut taking = received.take_descriptors();
            owners.extend(taking.by_ref().take(count).map(ok));
            owners.extend(taking.next().map(ok));
        }
        6 => {
            happened("an iterator that was forgotten");
            let mut taking = received.take_descriptors();
            owners.extend(taking.by_ref().take(count).map(ok));
            forget(taking);
        }
        7..10 => {
            let mut taken = 0;
            let each = |owner| {
                let owner = ok(owner);
                taken += 1;
                if taken > count {
                    happened("a panic in an iterator");
                    plant();
                }
                owners.push(owner);
            };
            let taking = received.take_descriptors();
            planted(|| match way {
                7 => taking.for_each(each),
                8 => taking.map(each).collect(),
                _ => taking.peekable().map(each).for_each(|()| ()),
            });
            // The one in hand was closed.
            if left.len() > count {
                left.remove(count);
            }
        }
        10 => {
            let mut peeking = received.take_descriptors().peekable();
            if peeking.peek().is_some() {
                happened("a descriptor that was peeked at and forgotten");
                kept.forgotten.push(left.remove(0));
            }
            forget(peeking);
        }
        _ => {
            let all = left.len();
            owners.extend(received.take_descriptors().last().map(ok));
            left.drain(..all.saturating_sub(1));
            assert!(received.take_descriptors().next().is_none());
        }
    }
    kept.keep(owners, left);
}

/// Gives one of the messages with descriptors to `with`, which says how many it has taken from its front.
fn in_a_message(
    held: &mut Held<'_>,
    which: usize,
    with: impl FnOnce(Descriptors<'_>) -> Vec<Option<OwnedFd>>,
) -> Vec<OwnedFd> {
    let (mut offset, mut index) = (0, 0);
    for message in held.received.messages().flatten() {
        let (Message::ScmRights(descriptors) | Message::ScmPidfd(descriptors)) = message else { continue };
        if index == which {
            let taken = with(descriptors);
            let mut files = held.left.drain(offset..offset + taken.len());
            let check = |owner: Option<OwnedFd>| {
                let file = files.next().unwrap();
                owner.inspect(|owner| assert_eq!(file_at(owner.as_raw_fd()), Some(file)))
            };
            return taken.into_iter().filter_map(check).collect();
        }
        offset += descriptors.len();
        index += 1;
    }
    Vec::new()
}

/// Takes descriptors from one message, and leaves it.
fn look_at_messages(way: usize, count: usize, held: &mut Held<'_>, kept: &mut Kept) {
    let which = count % 2;
    let owners = match way {
        12 => in_a_message(held, which, |mut descriptors| {
            let taken = descriptors.by_ref().take(count).map(|owner| Some(ok(owner))).collect();
            forget(descriptors);
            taken
        }),
        13 => in_a_message(held, which, |descriptors| {
            let mut taken = Vec::new();
            let panicked = planted(|| {
                descriptors.for_each(|owner| {
                    let owner = ok(owner);
                    if taken.len() == count {
                        happened("a panic in a message");
                        plant();
                    }
                    taken.push(Some(owner));
                });
            });
            taken.extend(panicked.is_none().then_some(None));
            taken
        }),
        14 => in_a_message(held, which, |mut descriptors| {
            // Taken in part, borrowed, then taken in whole by the other path.
            let mut taken: Vec<Option<OwnedFd>> = descriptors.next().map(|owner| Some(ok(owner))).into_iter().collect();
            let shown: Vec<RawFd> = descriptors.iter().map(|one| one.unwrap().as_raw_fd()).collect();
            let rest = descriptors.fold(Vec::new(), |mut all, owner| {
                all.push(Some(ok(owner)));
                all
            });
            assert!(shown.iter().eq(rest.iter().flatten().map(AsRawFd::as_raw_fd).collect::<Vec<_>>().iter()));
            taken.extend(rest);
            taken
        }),
        15 => {
            happened("messages that were forgotten");
            let mut messages = held.received.messages();
            let _ = messages.next().map(forget);
            let _ = messages.clamped().map(forget);
            forget(messages);
            Vec::new()
        }
        _ => {
            let mut messages = held.received.messages();
            planted(|| {
                messages.by_ref().for_each(|message| {
                    let _message = message;
                    happened("a panic with a message in hand");
                    plant();
                });
            });
            assert!(messages.count() < 4);
            Vec::new()
        }
    };
    // They are no longer among what is left.
    let mut files = owners.iter().map(|owner| file_at(owner.as_raw_fd()).unwrap()).collect();
    kept.keep(owners, &mut files);
}

/// Exchanges two owners, or what walks over them, and takes from both.
fn exchange(way: usize, count: usize, held: &mut [Held<'_>], kept: &mut Kept) {
    let [one, other, ..] = held else { return };
    match way {
        17 => {
            happened("owners that were swapped");
            swap(&mut one.received, &mut other.received);
            swap(&mut one.left, &mut other.left);
        }
        18 => {
            happened("iterators that were swapped");
            let (mut first, mut second) = (one.received.take_descriptors(), other.received.take_descriptors());
            let started: Vec<OwnedFd> = first.next().map(ok).into_iter().collect();
            swap(&mut first, &mut second);
            // To the end, which only this one has reached.
            let ended: Vec<OwnedFd> = first.map(ok).collect();
            let more: Vec<OwnedFd> = second.take(count).map(ok).collect();
            kept.keep(ended, &mut other.left);
            kept.keep(started.into_iter().chain(more).collect(), &mut one.left);
        }
        _ => {
            let (mut first, mut second) = (one.received.messages(), other.received.messages());
            swap(&mut first, &mut second);
            let mut messages = (first.flatten(), second.flatten());
            if let (Some(Message::ScmRights(mut first)), Some(Message::ScmRights(mut second))) =
                (messages.0.next(), messages.1.next())
            {
                happened("messages that were swapped");
                swap(&mut first, &mut second);
                let (of_one, of_other) =
                    (first.take(count).map(ok).collect::<Vec<_>>(), second.take(1).map(ok).collect::<Vec<_>>());
                kept.keep(of_one, &mut one.left);
                kept.keep(of_other, &mut other.left);
            }
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
        "a panic in a message",
        "a panic in an iterator",
        "a panic with a message in hand",
        "an iterator that was forgotten",
        "an owner in another thread",
        "an owner that was forgotten",
        "an owner that was refused for being incomplete",
        "iterators that were swapped",
        "messages that were forgotten",
        "messages that were swapped",
        "owners that were swapped",
    ];
    rounds(&expected, |random| {
        let ways: Vec<usize> = (0..1 + random.below(8)).map(|_| random.below(WAYS)).collect();
        let roomy = random.one_in(2);
        a_look(random, &ways, roomy);
    });
}
