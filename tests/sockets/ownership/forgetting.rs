//! What takes can be forgotten. What it has not yielded then leaks, and never has a second owner.

use super::{close_leaked, open_of, rights_of, two_messages_of};
use crate::support::*;
use crate::tests;
use ancillary::Message;
use rustix::fd::{AsRawFd, OwnedFd};

tests![
    a_walk_over_messages,
    a_walk_over_messages_that_was_taken_whole,
    a_walk_over_descriptors,
    a_list_of_descriptors,
    a_list_of_slots,
    what_a_batch_or_a_call_has_returned,
];

/// Neither the `Received` nor what is taken from it afterwards knows of these descriptors.
fn nothing_is_left_in(mut received: ancillary::Received<'_>, leaked: &[i32]) {
    assert_eq!(open_of(leaked), leaked);
    assert!(received.messages().all(|message| matches!(message, Ok(Message::Other(_)))));
    assert!(received.take_messages().all(|message| matches!(message, Ok(Message::Other(_)))));
    assert_eq!(received.take_descriptors().unwrap().count(), 0);
    drop(received.take_messages());
    assert_eq!(open_of(leaked), leaked);
    drop(received);
    close_leaked(leaked);
}

fn a_walk_over_messages() {
    let sent = files(4);
    for walked in 0..=4 {
        let numbers = ownerless_duplicates(&sent);
        let mut control = two_messages_of(&numbers);
        let mut received = received_of(&mut control);
        let mut taking = received.take_messages();
        taking.by_ref().take(walked).for_each(|message| drop(message.unwrap()));
        std::mem::forget(taking);
        let yielded = [0, 2, 2, 4, 4][walked];
        assert_eq!(open_of(&numbers), numbers[yielded..]);
        nothing_is_left_in(received, &numbers[yielded..]);
    }
}

fn a_walk_over_messages_that_was_taken_whole() {
    let sent = files(4);
    let numbers = ownerless_duplicates(&sent);
    let mut control = two_messages_of(&numbers);
    let mut messages = received_of(&mut control).into_messages();
    drop(messages.next());
    std::mem::forget(messages);
    nothing_is_left_in_bytes(&control, &numbers[2..]);
}

/// The same where the owner is gone: what is there is bytes.
fn nothing_is_left_in_bytes(control: &[u8], leaked: &[i32]) {
    assert_eq!(ancillary::ControlMessages::new(control).count(), 3);
    close_leaked(leaked);
}

fn a_walk_over_descriptors() {
    let sent = files(4);
    for walked in 0..=5 {
        let numbers = ownerless_duplicates(&sent);
        let mut control = two_messages_of(&numbers);
        let mut received = received_of(&mut control);
        let mut taking = received.take_descriptors().unwrap();
        let kept: Vec<OwnedFd> = taking.by_ref().take(walked).collect();
        std::mem::forget(taking);
        let yielded = walked.min(4);
        assert!(kept.iter().map(AsRawFd::as_raw_fd).eq(numbers[..yielded].iter().copied()));
        drop(kept);
        nothing_is_left_in(received, &numbers[yielded..]);
    }
}

/// The walk it came from closes what is its own.
fn a_list_of_descriptors() {
    let sent = files(4);
    for walked in 0..=2 {
        let numbers = ownerless_duplicates(&sent);
        let mut control = two_messages_of(&numbers);
        let mut received = received_of(&mut control);
        let mut taking = received.take_messages();
        let Some(Ok(Message::ScmRights(mut descriptors))) = taking.next() else { panic!() };
        drop(descriptors.by_ref().take(walked).collect::<Vec<_>>());
        std::mem::forget(descriptors);
        drop(taking);
        assert_eq!(open_of(&numbers), numbers[walked..2]);
        nothing_is_left_in(received, &numbers[walked..2]);
    }
}

fn a_list_of_slots() {
    let sent = files(2);
    for walked in 0..=4 {
        let numbers = ownerless_duplicates(&sent);
        let mut control = rights_of(&[-1, numbers[0], -2, numbers[1]]);
        let mut received = received_of(&mut control);
        let mut taking = received.take_messages();
        let Some(Ok(Message::ScmRightsWithErrors(mut slots))) = taking.next() else { panic!() };
        drop(slots.by_ref().take(walked).collect::<Vec<_>>());
        std::mem::forget(slots);
        drop(taking);
        nothing_is_left_in(received, &numbers[walked / 2..]);
    }
}

/// These are owners, too.
fn what_a_batch_or_a_call_has_returned() {
    let sent = files(2);
    let numbers = ownerless_duplicates(&sent);
    let mut control = rights_of(&numbers);
    std::mem::forget(received_of(&mut control));
    close_leaked(&numbers);
}
