//! The iterators know how many are left, at every step, and give the same whichever way they are walked.

use super::{OTHER, PIDFD, open_of, payload_of, received_with, rights_of};
use crate::support::*;
use crate::tests;
use ancillary::message::DescriptorError;
use ancillary::{Message, Received};
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

tests![
    how_many_are_left_in_a_list,
    how_many_are_left_among_slots,
    how_many_are_left_in_all_messages,
    all_ways_to_walk_give_the_same,
    what_is_skipped_is_closed_at_once,
];

/// The exact length at each step, and none after the end, however often it is asked.
fn assert_counts_down<T>(mut iterator: impl ExactSizeIterator<Item = T>, count: usize) -> Vec<T> {
    let mut all = Vec::new();
    for left in (0..=count).rev() {
        assert_eq!((iterator.len(), iterator.size_hint()), (left, (left, Some(left))));
        all.extend(iterator.next());
    }
    assert_eq!(all.len(), count);
    for _ in 0..2 {
        assert!(iterator.next().is_none());
        assert_eq!(iterator.len(), 0);
    }
    all
}

fn how_many_are_left_in_a_list() {
    for count in [1, 2, 3, 4, 5, 253] {
        let mut room = [0xff; 2048];
        let mut received = received_with(count, &mut room);
        let Some(Ok(Message::ScmRights(looking))) = received.messages().next() else { panic!() };
        assert_counts_down(looking, count);
        let Some(Ok(Message::ScmRights(taking))) = received.take_messages().next() else { panic!() };
        assert_counts_down(taking, count);
    }
    let mut room = [0xff; 2048];
    assert_counts_down(received_with(253, &mut room).take_descriptors().unwrap(), 253);
    // Without any message.
    assert_counts_down(received_of(&mut []).take_descriptors().unwrap(), 0);
}

fn how_many_are_left_among_slots() {
    let file = files(3);
    let numbers = ownerless_duplicates(&file);
    let slots = [-1, numbers[0], numbers[1], -libc::EACCES, i32::MIN, numbers[2], -1];
    let mut control = message_bytes(RIGHTS, &[&payload_of(&slots)[..], &[1, 2, 3]].concat());
    let mut received = received_of(&mut control);
    let slot_of = |slot: Result<RawFd, DescriptorError>| slot.unwrap_or_else(|none| none.raw);
    let Some(Ok(Message::ScmRightsWithErrors(looking))) = received.messages().next() else { panic!() };
    let looked_at = assert_counts_down(looking, slots.len());
    assert!(looked_at.into_iter().map(|slot| slot_of(slot.map(|fd| fd.as_raw_fd()))).eq(slots));
    let Some(Ok(Message::ScmRightsWithErrors(taking))) = received.take_messages().next() else { panic!() };
    let taken = assert_counts_down(taking, slots.len());
    assert!(taken.into_iter().map(|slot| slot_of(slot.map(|fd| fd.as_raw_fd()))).eq(slots));
}

/// Several messages of descriptors, which Linux does not send, but FreeBSD does: empty ones, ones with bytes left over, and
/// other messages before, between and after.
fn several_messages(sent: &[OwnedFd]) -> (Vec<u8>, Vec<RawFd>, Vec<RawFd>) {
    let (numbers, pidfds) = (ownerless_duplicates(sent), ownerless_duplicates(&sent[..2]));
    let rights = |range: std::ops::Range<usize>, rest: &[u8]| {
        message_bytes(RIGHTS, &[&payload_of(&numbers[range])[..], rest].concat())
    };
    let messages = [
        message_bytes(OTHER, b"other"),
        rights(0..3, &[]),
        rights(3..3, &[]),
        message_bytes(PIDFD, &payload_of(&pidfds[..1])),
        rights(3..4, &[1]),
        rights(4..4, &[1, 2, 3]),
        message_bytes(OTHER, b""),
        rights(4..6, &[1, 2]),
        message_bytes(PIDFD, &payload_of(&pidfds[1..])),
    ];
    (messages.concat(), numbers, pidfds)
}

fn how_many_are_left_in_all_messages() {
    let sent = files(6);
    let (mut control, numbers, pidfds) = several_messages(&sent);
    let mut received = received_of(&mut control);
    let taken = assert_counts_down(received.take_descriptors().unwrap(), 6);
    assert!(open_of(&pidfds).is_empty(), "pidfds are not the peer's");
    drop(received);
    assert!(taken.iter().map(AsRawFd::as_raw_fd).eq(numbers));

    for walked in 0..=6 {
        let (mut control, numbers, pidfds) = several_messages(&sent);
        let mut received = received_of(&mut control);
        let mut taking = received.take_descriptors().unwrap();
        let kept: Vec<OwnedFd> = taking.by_ref().take(walked).collect();
        assert_eq!((taking.len(), open_of(&numbers).len()), (6 - walked, 6));
        drop(taking);
        assert_eq!((open_of(&numbers), open_of(&pidfds)), (numbers[..walked].to_vec(), Vec::new()));
        drop(kept);
    }
}

fn all_ways_to_walk_give_the_same() {
    type Walking = fn(&mut Received<'_>) -> Vec<RawFd>;
    fn raw(descriptor: OwnedFd) -> RawFd {
        descriptor.as_raw_fd()
    }
    let all = [0, 1, 2, 3, 4, 5];
    let ways: [(&str, Walking, &[usize]); 11] = [
        (
            "next",
            |received| {
                let (mut taking, mut all) = (received.take_descriptors().unwrap(), Vec::new());
                #[expect(clippy::while_let_on_iterator, reason = "a `for` could walk by another method")]
                while let Some(descriptor) = taking.next() {
                    all.push(raw(descriptor));
                }
                all
            },
            &all,
        ),
        ("collect", |received| take_all(received).into_iter().map(raw).collect(), &all),
        (
            "fold",
            |received| {
                received.take_descriptors().unwrap().fold(Vec::new(), |mut all, descriptor| {
                    all.push(raw(descriptor));
                    all
                })
            },
            &all,
        ),
        (
            "for_each",
            |received| {
                let mut all = Vec::new();
                received.take_descriptors().unwrap().for_each(|descriptor| all.push(raw(descriptor)));
                all
            },
            &all,
        ),
        ("nth", |received| received.take_descriptors().unwrap().nth(3).map(raw).into_iter().collect(), &[3]),
        ("nth beyond", |received| received.take_descriptors().unwrap().nth(6).map(raw).into_iter().collect(), &[]),
        ("skip", |received| received.take_descriptors().unwrap().skip(2).map(raw).collect(), &[2, 3, 4, 5]),
        ("step_by", |received| received.take_descriptors().unwrap().step_by(2).map(raw).collect(), &[0, 2, 4]),
        ("last", |received| received.take_descriptors().unwrap().last().map(raw).into_iter().collect(), &[5]),
        (
            "next, then fold",
            |received| {
                let mut taking = received.take_descriptors().unwrap();
                let first: Vec<RawFd> = taking.by_ref().take(4).map(raw).collect();
                taking.fold(first, |mut all, descriptor| {
                    all.push(raw(descriptor));
                    all
                })
            },
            &all,
        ),
        (
            "lists",
            |received| {
                let lists = received.take_messages().filter_map(|message| match message.unwrap() {
                    Message::ScmRights(descriptors) => Some(descriptors),
                    _ => None,
                });
                lists.flatten().map(raw).collect()
            },
            &all,
        ),
    ];
    let sent = files(6);
    for (name, walk, expected) in ways {
        let (mut control, numbers, pidfds) = several_messages(&sent);
        let mut received = received_of(&mut control);
        let looked_at = received.messages().filter_map(|message| match message.unwrap() {
            Message::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        assert!(looked_at.flatten().map(|fd: BorrowedFd<'_>| fd.as_raw_fd()).eq(numbers.iter().copied()));
        let walked = walk(&mut received);
        assert!(walked.into_iter().eq(expected.iter().map(|index| numbers[*index])), "{name}");
        assert!(open_of(&numbers).is_empty() && open_of(&pidfds).is_empty(), "{name}");
    }
    // Counting is a fold as well.
    let (mut control, ..) = several_messages(&sent);
    assert_eq!(received_of(&mut control).take_descriptors().unwrap().count(), 6);
}

#[expect(clippy::iter_nth_zero, reason = "it is a way to walk")]
fn what_is_skipped_is_closed_at_once() {
    let sent = files(4);
    let numbers = ownerless_duplicates(&sent);
    let mut control = [rights_of(&numbers[..3]), rights_of(&numbers[3..])].concat();
    let mut received = received_of(&mut control);
    let mut taking = received.take_descriptors().unwrap();
    let third = taking.nth(2).unwrap();
    assert_eq!((taking.len(), open_of(&numbers)), (1, numbers[2..].to_vec()));
    let fourth = taking.nth(0).unwrap();
    assert!(taking.nth(0).is_none());
    assert_eq!([third.as_raw_fd(), fourth.as_raw_fd()], numbers[2..]);
}
