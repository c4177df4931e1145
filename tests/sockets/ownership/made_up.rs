//! What Linux does not write but other systems may: messages that claim too much, nonsense, and neighbours of any kind.

use super::{OTHER, PIDFD, open_of, payload_of, rights_of};
use crate::support::*;
use crate::tests;
use ancillary::message::ScmRightsNumbers;
use ancillary::{ControlError, Message};
use rustix::fd::{AsRawFd, RawFd};

tests![
    a_message_that_claims_too_much_is_looked_at,
    a_message_that_claims_too_much_is_taken,
    a_message_that_claims_too_much_is_closed,
    a_pidfd_that_claims_too_much,
    a_message_after_nonsense_cannot_be_found,
    unknown_neighbours,
];

/// The shape Apple's kernel returns: five descriptors of sixteen, the length of sixteen, and bytes left over. Before it there
/// may be other messages.
fn clamped(before: &[u8], numbers: &[RawFd], left_over: usize) -> Vec<u8> {
    let payload = [&payload_of(numbers)[..], &[0xff; 3][..left_over]].concat();
    let mut bytes = message_claiming(claimed(), RIGHTS, &payload);
    bytes.truncate(NATIVE.len(payload.len()).unwrap());
    [before, &bytes].concat()
}

fn claimed() -> u64 {
    NATIVE.len(16 * 4).unwrap() as u64
}

fn a_message_that_claims_too_much_is_looked_at() {
    let sent = files(5);
    for (before, left_over) in [(vec![], 0), (message_bytes(OTHER, b"other"), 0), (message_bytes(OTHER, b""), 3)] {
        let numbers = ownerless_duplicates(&sent);
        let mut control = clamped(&before, &numbers, left_over);
        let remaining = control.len() - before.len();
        let received = received_of(&mut control);
        let expected = ControlError::LengthBeyondBuffer { offset: before.len(), claimed: claimed(), remaining };
        for _ in 0..2 {
            let mut messages = received.messages();
            assert!(messages.truncated_message().is_none(), "not before its error");
            if !before.is_empty() {
                assert!(matches!(messages.next(), Some(Ok(Message::Other(_)))));
            }
            assert_eq!(messages.next().unwrap().unwrap_err(), expected);
            assert!(messages.next().is_none());
            let mut copy = messages.clone();
            let Some(Message::ScmRights(descriptors)) = messages.truncated_message() else { panic!() };
            assert_eq!((descriptors.len(), descriptors.remainder().len()), (5, left_over));
            assert!(descriptors.zip(&sent).all(|(arrived, sent)| same_file(arrived, sent)));
            assert!(messages.truncated_message().is_none() && messages.next().is_none());
            assert!(copy.truncated_message().is_some());

            let mut raw = received.raw_messages().skip(usize::from(!before.is_empty()));
            assert_eq!(raw.next().unwrap().unwrap_err(), expected);
            let mut raw = received.raw_messages();
            assert!(raw.find_map(Result::err).is_some());
            let message = raw.truncated_message().unwrap();
            let mut numbers_shown = message.decode::<ScmRightsNumbers<'_>>().unwrap().unwrap();
            assert!(numbers_shown.by_ref().map(Result::unwrap).eq(numbers.iter().copied()));
            assert_eq!(numbers_shown.remainder().len(), left_over);
            assert!(raw.truncated_message().is_none());
        }
        assert!(received.find::<ScmRightsNumbers<'_>>().is_none(), "where the buffer stops making sense");
        assert_eq!(open_of(&numbers), numbers);
        drop(received);
        assert!(open_of(&numbers).is_empty());
    }
}

fn a_message_that_claims_too_much_is_taken() {
    let sent = files(7);
    for left_over in 0..=3 {
        for taken in 0..=5 {
            let numbers = ownerless_duplicates(&sent);
            let mut control = clamped(&rights_of(&numbers[..2]), &numbers[2..], left_over);
            let mut received = received_of(&mut control);
            let mut messages = received.take_messages();
            let Some(Ok(Message::ScmRights(first))) = messages.next() else { panic!() };
            assert!(messages.truncated_message().is_none(), "not before its error");
            assert!(matches!(messages.next(), Some(Err(ControlError::LengthBeyondBuffer { .. }))));
            let Some(Message::ScmRights(second)) = messages.truncated_message() else { panic!() };
            assert!(messages.truncated_message().is_none() && messages.next().is_none());
            assert_eq!((second.len(), second.remainder().len()), (5, left_over));
            let kept: Vec<_> = second.take(taken).collect();
            drop(messages);
            assert_eq!(open_of(&numbers), numbers[..2 + taken]);
            drop((first, kept));
            // Once it was taken it is bytes like any other.
            let mut messages = received.messages();
            assert!(messages.by_ref().any(|message| message.is_err()));
            assert!(matches!(messages.truncated_message(), Some(Message::Other(_))));
        }
        // Of all that was sent, it is a part.
        let numbers = ownerless_duplicates(&sent);
        let mut control = clamped(&rights_of(&numbers[..2]), &numbers[2..], left_over);
        let mut received = received_of(&mut control);
        let taking = received.take_descriptors().unwrap();
        assert_eq!(taking.len(), 7);
        assert!(taking.map(|descriptor| descriptor.as_raw_fd()).eq(numbers));
        let numbers = ownerless_duplicates(&sent[..5]);
        let mut control = clamped(&[], &numbers, left_over);
        assert!(take_all(&mut received_of(&mut control)).iter().map(AsRawFd::as_raw_fd).eq(numbers));
    }
}

fn a_message_that_claims_too_much_is_closed() {
    let sent = files(7);
    for steps in 0..=4 {
        let numbers = ownerless_duplicates(&sent);
        let mut control = clamped(&rights_of(&numbers[..2]), &numbers[2..], 1);
        let mut received = received_of(&mut control);
        let mut messages = received.take_messages();
        messages.by_ref().take(steps).for_each(drop);
        assert_eq!(open_of(&numbers), numbers[if steps == 0 { 0 } else { 2 }..], "the walk owns it");
        drop(messages);
        assert!(open_of(&numbers).is_empty(), "its error was seen or not, and it was not asked for");
        drop(received);
    }
    let numbers = ownerless_duplicates(&sent);
    drop(received_of(&mut clamped(&rights_of(&numbers[..2]), &numbers[2..], 1)));
    assert!(open_of(&numbers).is_empty());
    let numbers = ownerless_duplicates(&sent);
    let mut control = clamped(&rights_of(&numbers[..2]), &numbers[2..], 1);
    drop(received_of(&mut control).take_descriptors().unwrap().next());
    assert!(open_of(&numbers).is_empty());
}

fn a_pidfd_that_claims_too_much() {
    let sent = files(3);
    let build = |numbers: &[RawFd]| {
        let mut control = rights_of(&numbers[..2]);
        let pidfd = message_claiming(claimed(), PIDFD, &payload_of(&numbers[2..]));
        control.extend(&pidfd[..NATIVE.len(4).unwrap()]);
        control
    };
    let numbers = ownerless_duplicates(&sent);
    let mut control = build(&numbers);
    let mut received = received_of(&mut control);
    let taken = take_all(&mut received);
    assert_eq!((taken.len(), open_of(&numbers)), (2, numbers[..2].to_vec()));
    drop(taken);
    let numbers = ownerless_duplicates(&sent);
    let mut control = build(&numbers);
    let mut messages = received_of(&mut control).into_messages();
    assert!(messages.by_ref().any(|message| message.is_err()));
    let Some(Message::ScmPidfd(Ok(pidfd))) = messages.truncated_message() else { panic!() };
    assert_eq!((pidfd.as_raw_fd(), open_of(&numbers)), (numbers[2], numbers[2..].to_vec()));
}

fn a_message_after_nonsense_cannot_be_found() {
    let file = files(1);
    let number = ownerless_duplicates(&file)[0];
    let mut control = rights_of(&[number]);
    control.extend(message_claiming(3, RIGHTS, &number.to_ne_bytes()));
    let mut received = received_of(&mut control);
    let offset = NATIVE.space(4).unwrap();
    let expected = ControlError::LengthBelowHeader { offset, claimed: 3, remaining: offset };
    let mut messages = received.messages();
    assert!(messages.next().unwrap().is_ok());
    assert_eq!(messages.next().unwrap().unwrap_err(), expected);
    assert!(messages.next().is_none() && messages.truncated_message().is_none());
    let mut messages = received.take_messages();
    assert!(messages.next().unwrap().is_ok());
    assert_eq!(messages.next().unwrap().unwrap_err(), expected);
    assert!(messages.next().is_none() && messages.truncated_message().is_none());
}

fn unknown_neighbours() {
    let sent = files(2);
    let numbers = ownerless_duplicates(&sent);
    let mut control = message_bytes((41, 1), &[0; 5]);
    control.extend(rights_of(&numbers[..1]));
    control.extend(message_bytes((libc::SOL_SOCKET, 9999), &[]));
    control.extend(message_bytes(PIDFD, &numbers[1].to_ne_bytes()));
    control.extend([0; 5]);
    let received = received_of(&mut control);
    let kinds = |message: Message<'_, _>| match message {
        Message::ScmRights(_) => RIGHTS,
        Message::ScmPidfd(_) => PIDFD,
        Message::Other(message) => (message.level(), message.message_type()),
        other => panic!("{other:?}"),
    };
    let expected = [(41, 1), RIGHTS, (libc::SOL_SOCKET, 9999), PIDFD];
    assert!(received.messages().map(|message| kinds(message.unwrap())).eq(expected));
    assert!(!format!("{received:?}").is_empty());
    let taken = received.into_messages().map(|message| match message.unwrap() {
        Message::ScmRights(_) => RIGHTS,
        Message::ScmPidfd(_) => PIDFD,
        Message::Other(message) => (message.level(), message.message_type()),
        other => panic!("{other:?}"),
    });
    assert!(taken.eq(expected));
}
