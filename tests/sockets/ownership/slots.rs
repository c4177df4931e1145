//! Slots that hold an error, slots that were cut, and the descriptor that the system adds.

use super::{OTHER, PIDFD, open_of, payload_of, rights_of};
use crate::support::*;
use crate::tests;
use ancillary::Message;
use ancillary::message::DescriptorError;
use rustix::fd::{AsRawFd, OwnedFd, RawFd};
use rustix::io::Errno;

tests![
    errors_keep_their_positions,
    an_error_in_any_position_is_found,
    taking_descriptors_is_refused_as_a_whole,
    an_error_in_a_later_message_refuses_too,
    slots_that_are_left_are_closed,
    slots_that_were_cut_are_told,
    a_pidfd_beside_rights,
    a_pidfd_that_is_an_error_refuses_nothing,
    a_pidfd_of_another_length,
];

fn errors_keep_their_positions() {
    let sent = files(2);
    let numbers = ownerless_duplicates(&sent);
    let slots = [-1, numbers[0], -libc::EACCES, i32::MIN, numbers[1], i32::MIN + 1];
    let mut control = rights_of(&slots);
    let mut received = received_of(&mut control);
    let none = |raw| Err(DescriptorError { raw });
    let expected = [none(-1), Ok(numbers[0]), none(-libc::EACCES), none(i32::MIN), Ok(numbers[1]), none(i32::MIN + 1)];
    for _ in 0..2 {
        let Some(Ok(Message::ScmRightsWithErrors(looking))) = received.messages().next() else { panic!() };
        assert!(looking.map(|slot| slot.map(|fd| fd.as_raw_fd())).eq(expected));
    }
    let Some(Ok(Message::ScmRightsWithErrors(mut looking))) = received.messages().next() else { panic!() };
    assert_eq!(looking.nth(2).unwrap().unwrap_err().errno(), Some(Errno::ACCESS));
    assert_eq!(looking.nth(1).unwrap().unwrap().as_raw_fd(), numbers[1]);
    assert_eq!(open_of(&numbers), numbers, "what looking skips stays open");
    let Some(Ok(Message::ScmRightsWithErrors(taking))) = received.take_messages().next() else { panic!() };
    let taken: Vec<_> = taking.collect();
    drop(received);
    assert_eq!(open_of(&numbers), numbers);
    assert!(taken.iter().map(|slot| slot.as_ref().map(AsRawFd::as_raw_fd).map_err(|none| *none)).eq(expected));
}

/// Slots are looked at by fours: every position in lists of every length up to three of these and a rest.
fn an_error_in_any_position_is_found() {
    let sent = files(13);
    for count in 1..=13 {
        for position in 0..count {
            for error in [-1, -libc::EACCES, i32::MIN] {
                let numbers = ownerless_duplicates(&sent[..count - 1]);
                let mut slots = numbers.clone();
                slots.insert(position, error);
                let mut control = rights_of(&slots);
                let mut received = received_of(&mut control);
                assert_eq!(received.take_descriptors().unwrap_err(), DescriptorError { raw: error });
                let Some(Ok(Message::ScmRightsWithErrors(list))) = received.messages().next() else { panic!() };
                assert_eq!((list.len(), list.flatten().count()), (count, count - 1), "{count}, {position}");
                drop(received);
                assert!(open_of(&numbers).is_empty(), "{count}, {position}");
            }
        }
    }
}

fn taking_descriptors_is_refused_as_a_whole() {
    let sent = files(2);
    let numbers = ownerless_duplicates(&sent);
    let mut control = rights_of(&[numbers[0], -libc::EACCES, numbers[1], -1]);
    let mut received = received_of(&mut control);
    for _ in 0..2 {
        assert_eq!(received.take_descriptors().unwrap_err().errno(), Some(Errno::ACCESS), "the first of them");
        assert_eq!(open_of(&numbers), numbers, "nothing was taken");
        let Some(Ok(Message::ScmRightsWithErrors(slots))) = received.messages().next() else { panic!() };
        assert!(slots.flatten().map(|fd| fd.as_raw_fd()).eq(numbers.iter().copied()));
    }
    // By messages it can still be taken.
    let Some(Ok(Message::ScmRightsWithErrors(slots))) = received.take_messages().next() else { panic!() };
    assert!(slots.flatten().map(|fd| fd.as_raw_fd()).eq(numbers.iter().copied()));
    // And nothing refuses when nothing is owned.
    assert_eq!(received.take_descriptors().unwrap().len(), 0);
}

fn an_error_in_a_later_message_refuses_too() {
    let sent = files(4);
    for is_clamped in [false, true] {
        let numbers = ownerless_duplicates(&sent);
        let mut control =
            [rights_of(&numbers[..2]), message_bytes(OTHER, b"other"), rights_of(&numbers[2..3])].concat();
        let slots = payload_of(&[numbers[3], -libc::EPERM]);
        if is_clamped {
            control.extend(message_claiming(4000, RIGHTS, &slots));
        } else {
            control.extend(message_bytes(RIGHTS, &slots));
        }
        let mut received = received_of(&mut control);
        assert_eq!(received.take_descriptors().unwrap_err().errno(), Some(Errno::PERM));
        assert_eq!(open_of(&numbers), numbers);
        let mut messages = received.take_messages();
        let mut kept = Vec::new();
        while let Some(message) = messages.next() {
            match message.ok().or_else(|| messages.truncated_message()) {
                Some(Message::ScmRights(descriptors)) => kept.extend(descriptors),
                Some(Message::ScmRightsWithErrors(slots)) => {
                    assert_eq!(slots.len(), 2);
                    kept.extend(slots.flatten());
                }
                Some(Message::Other(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(kept.iter().map(AsRawFd::as_raw_fd).eq(numbers.iter().copied()));
        drop(messages);
    }
}

fn slots_that_are_left_are_closed() {
    let sent = files(3);
    for walked in 0..=5 {
        let numbers = ownerless_duplicates(&sent);
        let mut control = rights_of(&[numbers[0], -1, numbers[1], -2, numbers[2]]);
        let mut received = received_of(&mut control);
        let Some(Ok(Message::ScmRightsWithErrors(slots))) = received.take_messages().next() else { panic!() };
        let kept: Vec<OwnedFd> = slots.take(walked).flatten().collect();
        assert_eq!(open_of(&numbers), numbers[..walked.div_ceil(2)]);
        drop(kept);
    }
}

fn slots_that_were_cut_are_told() {
    let sent = files(5);
    for left_over in 1..=3 {
        for count in 0..=5 {
            for has_error in [false, true] {
                let numbers = ownerless_duplicates(&sent[..count]);
                let rest = &[0xff, 0xfe, 0xfd][..left_over];
                let mut payload = payload_of(&numbers);
                if has_error {
                    payload.extend((-1i32).to_ne_bytes());
                }
                payload.extend(rest);
                let mut control = message_bytes(RIGHTS, &payload);
                let mut received = received_of(&mut control);
                assert_eq!(received.take_descriptors().is_err(), has_error);
                drop(received);
                assert!(open_of(&numbers).is_empty());

                let numbers = ownerless_duplicates(&sent[..count]);
                payload[..4 * count].copy_from_slice(&payload_of(&numbers));
                let mut control = message_bytes(RIGHTS, &payload);
                let mut received = received_of(&mut control);
                match received.messages().next().unwrap().unwrap() {
                    Message::ScmRights(mut list) if !has_error => {
                        assert_eq!((list.remainder(), list.by_ref().count()), (rest, count));
                        assert_eq!((list.remainder(), list.len()), (rest, 0));
                    }
                    Message::ScmRightsWithErrors(mut list) if has_error => {
                        assert_eq!((list.remainder(), list.by_ref().count()), (rest, count + 1));
                        assert_eq!((list.remainder(), list.len()), (rest, 0));
                    }
                    other => panic!("{other:?}"),
                }
                match received.take_messages().next().unwrap().unwrap() {
                    Message::ScmRights(mut list) if !has_error => {
                        assert_eq!((list.remainder(), list.by_ref().count()), (rest, count));
                        assert_eq!((list.remainder(), list.len()), (rest, 0));
                    }
                    Message::ScmRightsWithErrors(list) if has_error => {
                        assert_eq!((list.remainder(), list.flatten().count()), (rest, count));
                    }
                    other => panic!("{other:?}"),
                }
                assert!(open_of(&numbers).is_empty());
            }
        }
    }
}

/// The peer has sent the rights; the pidfd is the system's. One call gives the former alone, the other both.
fn a_pidfd_beside_rights() {
    let sent = files(3);
    for pidfd_first in [false, true] {
        let build = |numbers: &[RawFd]| {
            let (rights, pidfd) = (rights_of(&numbers[..2]), message_bytes(PIDFD, &payload_of(&numbers[2..])));
            if pidfd_first { [pidfd, rights].concat() } else { [rights, pidfd].concat() }
        };
        let numbers = ownerless_duplicates(&sent);
        let mut control = build(&numbers);
        let mut received = received_of(&mut control);
        let taken = take_all(&mut received);
        assert!(taken.iter().map(AsRawFd::as_raw_fd).eq(numbers[..2].iter().copied()));
        assert_eq!(open_of(&numbers), numbers[..2], "the pidfd is closed at once");
        drop((received, taken));

        let numbers = ownerless_duplicates(&sent);
        let mut control = build(&numbers);
        let (mut rights, mut pidfds) = (Vec::new(), Vec::new());
        for message in received_of(&mut control).into_messages() {
            match message.unwrap() {
                Message::ScmRights(descriptors) => rights.extend(descriptors),
                Message::ScmPidfd(pidfd) => pidfds.push(pidfd.unwrap()),
                other => panic!("{other:?}"),
            }
        }
        assert!(rights.iter().chain(&pidfds).map(AsRawFd::as_raw_fd).eq(numbers.iter().copied()));
        assert_eq!((rights.len(), pidfds.len(), open_of(&numbers)), (2, 1, numbers.clone()));
    }
    // Alone.
    let numbers = ownerless_duplicates(&sent[..1]);
    let mut control = message_bytes(PIDFD, &payload_of(&numbers));
    let mut received = received_of(&mut control);
    assert_eq!(received.take_descriptors().unwrap().len(), 0);
    assert!(open_of(&numbers).is_empty());
}

fn a_pidfd_that_is_an_error_refuses_nothing() {
    let sent = files(2);
    for pidfd_first in [false, true] {
        let numbers = ownerless_duplicates(&sent);
        let (rights, pidfd) = (rights_of(&numbers), message_bytes(PIDFD, &(-libc::EMFILE).to_ne_bytes()));
        let mut control = if pidfd_first { [pidfd, rights].concat() } else { [rights, pidfd].concat() };
        let mut received = received_of(&mut control);
        let mut none = received.messages().filter_map(|message| match message.unwrap() {
            Message::ScmPidfd(pidfd) => Some(pidfd.unwrap_err().raw),
            _ => None,
        });
        assert_eq!(none.next(), Some(-libc::EMFILE));
        assert!(take_all(&mut received).iter().map(AsRawFd::as_raw_fd).eq(numbers));
    }
}

/// One that is shorter than a descriptor is none; of what is longer, the first is the pidfd and the rest is closed.
fn a_pidfd_of_another_length() {
    for len in 0..4 {
        let mut control = message_bytes(PIDFD, &[0; 4][..len]);
        let mut received = received_of(&mut control);
        let Some(Ok(Message::Other(message))) = received.messages().next() else { panic!("{len}") };
        assert_eq!(message.payload().len(), len);
        assert!(matches!(received.take_messages().next(), Some(Ok(Message::Other(_)))));
        drop(received);
        assert!(open_descriptors().contains(&0), "the standard input is still open");
    }
    let sent = files(3);
    for left_over in 0..=3 {
        let build =
            |numbers: &[RawFd]| message_bytes(PIDFD, &[&payload_of(numbers)[..], &[0xff; 3][..left_over]].concat());
        let numbers = ownerless_duplicates(&sent);
        let mut control = build(&numbers);
        drop(received_of(&mut control));
        assert!(open_of(&numbers).is_empty());

        let numbers = ownerless_duplicates(&sent);
        let mut control = build(&numbers);
        let mut received = received_of(&mut control);
        let Some(Ok(Message::ScmPidfd(Ok(looked_at)))) = received.messages().next() else { panic!() };
        assert_eq!(looked_at.as_raw_fd(), numbers[0]);
        assert_eq!(open_of(&numbers), numbers, "looking closes nothing");
        let Some(Ok(Message::ScmPidfd(Ok(taken)))) = received.take_messages().next() else { panic!() };
        assert_eq!((taken.as_raw_fd(), open_of(&numbers)), (numbers[0], numbers[..1].to_vec()));

        // An error in front, and a descriptor after it.
        let numbers = ownerless_duplicates(&sent[..1]);
        let mut control = build(&[-1, numbers[0]]);
        let mut received = received_of(&mut control);
        let Some(Ok(Message::ScmPidfd(Err(_)))) = received.take_messages().next() else { panic!() };
        assert!(open_of(&numbers).is_empty());

        let numbers = ownerless_duplicates(&sent);
        let mut control = build(&numbers);
        assert_eq!(received_of(&mut control).take_descriptors().unwrap().len(), 0);
        assert!(open_of(&numbers).is_empty());
    }
}
