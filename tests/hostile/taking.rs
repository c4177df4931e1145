//! A caller who takes descriptors, and stops, panics or forgets in the middle of it. All are handed over when taking
//! begins: after each of these the owner has none.
#![forbid(unsafe_code)]

use crate::held::{Held, Kept};
use crate::measure::File;
use crate::rounds::{happened, plant, planted};
use crate::world::sent_among;
use ancillary::Message;
use ancillary::received::Descriptors;
use rustix::fd::{AsRawFd, OwnedFd, RawFd};
use std::mem::{forget, swap, take};
use std::ops::DerefMut;

/// Takes the descriptors that were sent.
pub fn take_some(way: usize, count: usize, held: &mut Held<'_>, kept: &mut Kept) {
    let sent = sent_among(&held.received);
    let left = take(&mut held.left);
    let few = count.min(sent.len());
    // What is open for ever if an iterator is forgotten that has yielded so many. What came before is closed.
    let not_walked = |yielded: usize| left[yielded.checked_sub(1).map_or(0, |last| sent[last] + 1)..].to_vec();
    let mut owners: Vec<OwnedFd> = Vec::new();
    let mut taking = held.received.take_descriptors().unwrap();
    assert_eq!(taking.len(), sent.len());
    // The indices of those that are to be kept.
    let kept_ones: Vec<usize> = match way {
        0 => {
            owners.extend(taking.take(count));
            (0..few).collect()
        }
        1 => {
            owners.extend(taking.nth(count));
            assert_eq!(taking.len(), sent.len().saturating_sub(count + 1));
            (count..sent.len()).take(1).collect()
        }
        2 => {
            // What is stepped over is closed.
            owners.extend(taking.step_by(2).take(count));
            (0..sent.len()).step_by(2).take(count).collect()
        }
        3 => {
            // The iterator is asked first: one more is taken, and closed.
            owners.extend(taking.zip(0..count).map(|(owner, _)| owner));
            (0..few).collect()
        }
        4 => {
            owners.extend((0..count).zip(taking).map(|(_, owner)| owner));
            (0..few).collect()
        }
        5 => {
            owners.extend(taking.by_ref().take(count));
            owners.extend(taking.next());
            (0..sent.len().min(count + 1)).collect()
        }
        6 => {
            happened("an iterator that was forgotten");
            owners.extend(taking.by_ref().take(count));
            forget(taking);
            kept.forgotten.extend(not_walked(few));
            (0..few).collect()
        }
        7..10 => {
            let mut taken = 0;
            let each = |owner: OwnedFd| {
                taken += 1;
                if taken > count {
                    happened("a panic in an iterator");
                    plant();
                }
                owners.push(owner);
            };
            planted(|| match way {
                7 => taking.for_each(each),
                8 => taking.map(each).collect(),
                _ => taking.peekable().map(each).for_each(|()| ()),
            });
            // The one in hand was closed, and the rest.
            (0..few).collect()
        }
        10 => {
            let mut peeking = taking.peekable();
            if peeking.peek().is_some() {
                happened("a descriptor that was peeked at and forgotten");
                kept.forgotten.push(left[sent[0]]);
            }
            forget(peeking);
            kept.forgotten.extend(not_walked(sent.len().min(1)));
            Vec::new()
        }
        _ => {
            owners.extend(taking.last());
            assert!(held.received.take_descriptors().unwrap().next().is_none());
            (0..sent.len()).skip(sent.len().saturating_sub(1)).collect()
        }
    };
    let mut files: Vec<File> = kept_ones.into_iter().map(|index| left[sent[index]]).collect();
    assert_eq!(owners.len(), files.len(), "way {way}: more or fewer were taken");
    kept.keep(owners, &mut files);
}

/// What was done with a message: what was taken from its front, of which some was closed, and whether the rest was
/// forgotten.
struct Taken {
    owners: Vec<Option<OwnedFd>>,
    rest_forgotten: bool,
}

/// Gives one of the messages with descriptors to `with`. The others are closed.
fn in_a_message(held: &mut Held<'_>, which: usize, kept: &mut Kept, with: impl FnOnce(Descriptors<'_>) -> Taken) {
    let left = take(&mut held.left);
    let (mut offset, mut index) = (0, 0);
    for message in held.received.take_messages().flatten() {
        let descriptors = match message {
            Message::ScmRights(descriptors) => descriptors,
            Message::ScmPidfd(pidfd) => {
                if index == which {
                    kept.keep(vec![pidfd.unwrap()], &mut vec![left[offset]]);
                    return;
                }
                offset += 1;
                index += 1;
                continue;
            }
            _ => continue,
        };
        let len = descriptors.len();
        if index == which {
            let Taken { owners, rest_forgotten } = with(descriptors);
            if rest_forgotten {
                kept.forgotten.extend(&left[offset + owners.len()..offset + len]);
            }
            for (owner, file) in owners.into_iter().zip(&left[offset..]) {
                kept.keep(owner.into_iter().collect(), &mut vec![*file]);
            }
            return;
        }
        offset += len;
        index += 1;
    }
    assert_eq!(offset, left.len(), "not every descriptor was in a message");
}

/// Takes descriptors from one message, and leaves it and the others.
pub fn take_messages(way: usize, count: usize, held: &mut Held<'_>, kept: &mut Kept) {
    let which = count % 2;
    match way {
        12 => in_a_message(held, which, kept, |mut descriptors| {
            happened("a message that was forgotten");
            let owners = descriptors.by_ref().take(count).map(Some).collect();
            forget(descriptors);
            Taken { owners, rest_forgotten: true }
        }),
        13 => in_a_message(held, which, kept, |descriptors| {
            let mut owners = Vec::new();
            let ended = planted(|| {
                descriptors.for_each(|owner| {
                    if owners.len() == count {
                        happened("a panic in a message");
                        plant();
                    }
                    owners.push(Some(owner));
                });
            });
            owners.extend(ended.is_none().then_some(None));
            Taken { owners, rest_forgotten: false }
        }),
        14 => in_a_message(held, which, kept, |mut descriptors| {
            // Taken in part, shown, then taken in whole by the other path.
            let mut owners: Vec<Option<OwnedFd>> = descriptors.next().map(Some).into_iter().collect();
            let shown = format!("{descriptors:?}");
            let rest = descriptors.fold(Vec::new(), |mut all, owner| {
                all.push(Some(owner));
                all
            });
            let numbers: Vec<RawFd> = rest.iter().flatten().map(AsRawFd::as_raw_fd).collect();
            assert_eq!(shown, format!("{numbers:?}"));
            owners.extend(rest);
            Taken { owners, rest_forgotten: false }
        }),
        15 => {
            happened("messages that were forgotten");
            let mut messages = held.received.take_messages();
            let _ = messages.next().map(forget);
            let _ = messages.truncated_message().map(forget);
            forget(messages);
            kept.forgotten.append(&mut held.left);
        }
        _ => {
            let mut messages = held.received.take_messages();
            planted(|| {
                messages.by_ref().for_each(|message| {
                    let _message = message;
                    happened("a panic with a message in hand");
                    plant();
                });
            });
            assert!(messages.count() < 4);
            held.left.clear();
        }
    }
}

/// Exchanges two owners, or what walks over them, and takes from both.
pub fn exchange(way: usize, count: usize, held: &mut [Held<'_>], kept: &mut Kept) {
    let [one, other, ..] = held else { return };
    match way {
        17 => {
            happened("owners that were swapped");
            swap(&mut one.received, &mut other.received);
            swap(&mut one.left, &mut other.left);
        }
        18 => {
            // Flags and data stay where they are.
            happened("control messages that were swapped");
            let flags = (one.received.flags(), other.received.flags());
            swap(one.received.deref_mut(), other.received.deref_mut());
            swap(&mut one.left, &mut other.left);
            assert_eq!((one.received.flags(), other.received.flags()), flags);
        }
        19 => {
            happened("iterators that were swapped");
            let sent_to = |held: &mut Held<'_>| -> Vec<File> {
                let sent = sent_among(&held.received);
                let left = take(&mut held.left);
                sent.into_iter().map(|index| left[index]).collect()
            };
            let (mut of_one, mut of_other) = (sent_to(one), sent_to(other));
            let mut first = one.received.take_descriptors().unwrap();
            let mut second = other.received.take_descriptors().unwrap();
            let started: Vec<OwnedFd> = first.next().into_iter().collect();
            swap(&mut first, &mut second);
            // To the end, which only this one has reached.
            let ended: Vec<OwnedFd> = first.collect();
            assert_eq!(ended.len(), of_other.len());
            let more: Vec<OwnedFd> = second.take(count).collect();
            kept.keep(ended, &mut of_other);
            kept.keep(started.into_iter().chain(more).collect(), &mut of_one);
        }
        _ => {
            let (mut of_one, mut of_other) = (take(&mut one.left), take(&mut other.left));
            let (mut first, mut second) = (one.received.take_messages(), other.received.take_messages());
            swap(&mut first, &mut second);
            let mut messages = (first.flatten(), second.flatten());
            if let (Some(Message::ScmRights(mut first)), Some(Message::ScmRights(mut second))) =
                (messages.0.next(), messages.1.next())
            {
                happened("messages that were swapped");
                swap(&mut first, &mut second);
                let (from_one, from_other) = (first.take(count).collect(), second.take(1).collect());
                kept.keep(from_one, &mut of_one);
                kept.keep(from_other, &mut of_other);
            }
        }
    }
}
