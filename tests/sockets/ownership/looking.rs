//! Looking borrows: as often as the caller likes, several walks at once, and nothing is closed or taken by it.

use super::{OTHER, payload_of, received_with, rights_of, two_messages, two_messages_of};
use crate::support::*;
use crate::tests;
use ancillary::control::ControlSliceMut;
use ancillary::message::{ScmCredentials, ScmPidfd, ScmRightsNumbers};
use ancillary::socket::RecvMsgHdr;
use ancillary::{ControlMessage, Message, Received};
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::net::RecvFlags;

tests![
    messages_are_walked_and_nothing_is_taken,
    two_walks_at_once,
    a_borrowed_descriptor_outlives_its_walk,
    after_taking_there_are_plain_numbers,
    numbers_that_are_used_again_are_left_alone,
    a_message_is_what_its_level_and_type_say,
    what_comes_from_an_internet_address_is_not_owned,
    what_is_shown_of_it,
];

fn messages_are_walked_and_nothing_is_taken() {
    let mut room = [0xff; 64];
    let mut received = received_with(3, &mut room);
    let before = open_descriptors();
    for _ in 0..3 {
        for message in received.messages() {
            let Message::ScmRights(descriptors) = message.unwrap() else { panic!() };
            assert_eq!(descriptors.len(), 3);
            descriptors.for_each(|descriptor| assert!(rustix::fs::fstat(descriptor).is_ok()));
        }
        // A list that is dropped before its end, and a walk that is.
        let Some(Ok(Message::ScmRights(mut descriptors))) = received.messages().next() else { panic!() };
        assert!(descriptors.next().is_some());
        assert_eq!(received.raw_messages().count(), 1);
    }
    assert_eq!(open_descriptors(), before, "walking closes nothing");
    assert_eq!(take_all(&mut received).len(), 3, "and takes nothing");
}

fn two_walks_at_once() {
    let sent = files(4);
    let numbers = ownerless_duplicates(&sent);
    let mut control = two_messages_of(&numbers);
    let received = received_of(&mut control);
    let (mut first, mut second, mut raw) = (received.messages(), received.messages(), received.raw_messages());
    let mut seen: Vec<(BorrowedFd<'_>, BorrowedFd<'_>)> = Vec::new();
    let mut copy = first.clone();
    while let Some(message) = first.next() {
        let raw = raw.next().unwrap().unwrap();
        assert!(received.find::<ScmRightsNumbers<'_>>().is_some());
        match (message.unwrap(), second.next().unwrap().unwrap()) {
            (Message::ScmRights(one), Message::ScmRights(other)) => {
                assert_eq!(raw.payload(), payload_of(&one_numbers(&received, seen.len())));
                seen.extend(one.zip(other));
            }
            (Message::Other(one), Message::Other(other)) => assert_eq!((one, one), (other, raw)),
            pair => panic!("{pair:?}"),
        }
        assert!(copy.next().is_some());
        copy = first.clone();
    }
    assert!(second.next().is_none() && raw.next().is_none() && copy.next().is_none());
    let seen: Vec<(RawFd, RawFd)> = seen.iter().map(|(one, other)| (one.as_raw_fd(), other.as_raw_fd())).collect();
    assert!(seen.into_iter().eq(numbers.iter().map(|number| (*number, *number))));
}

/// The two numbers from `start` on, by a walk of their own.
fn one_numbers(received: &Received<'_>, start: usize) -> Vec<RawFd> {
    let rights = received.messages().filter_map(|message| match message {
        Ok(Message::ScmRights(descriptors)) => Some(descriptors),
        _ => None,
    });
    rights.flatten().map(|descriptor| descriptor.as_raw_fd()).skip(start).take(2).collect()
}

fn a_borrowed_descriptor_outlives_its_walk() {
    let sent = files(4);
    let mut control = two_messages(&sent);
    let received = received_of(&mut control);
    let borrowed: Vec<BorrowedFd<'_>> = received
        .messages()
        .filter_map(|message| match message.unwrap() {
            Message::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(borrowed.len(), 4);
    assert!(borrowed.iter().zip(&sent).all(|(arrived, sent)| same_file(arrived, sent)));
}

/// Level, type and payload are still there, and the payload is the numbers: that is all a walk after taking shows.
fn after_taking_there_are_plain_numbers() {
    type Taking = fn(&mut Received<'_>) -> Vec<OwnedFd>;
    let ways: [(&str, Taking); 4] = [
        ("nothing", |received| {
            drop(received.take_messages());
            Vec::new()
        }),
        ("messages", |received| {
            let rights = received.take_messages().filter_map(|message| match message.unwrap() {
                Message::ScmRights(descriptors) => Some(descriptors),
                _ => None,
            });
            rights.flatten().collect()
        }),
        ("descriptors", take_all),
        ("one descriptor", |received| received.take_descriptors().unwrap().take(1).collect()),
    ];
    let sent = files(4);
    for (name, take) in ways {
        let numbers = ownerless_duplicates(&sent);
        let mut control = two_messages_of(&numbers);
        let mut received = received_of(&mut control);
        let _taken = take(&mut received);
        let (first, second) = (payload_of(&numbers[..2]), payload_of(&numbers[2..]));
        let expected = [
            ControlMessage::new(RIGHTS.0, RIGHTS.1, &first),
            ControlMessage::new(OTHER.0, OTHER.1, b"other"),
            ControlMessage::new(RIGHTS.0, RIGHTS.1, &second),
        ];
        for _ in 0..2 {
            let mut shown = received.messages().map(|message| match message.unwrap() {
                Message::Other(message) => message,
                other => panic!("{name}: {other:?}"),
            });
            assert!(expected.iter().all(|message| shown.next() == Some(*message)) && shown.next().is_none(), "{name}");
            assert!(received.raw_messages().map(Result::unwrap).eq(expected), "{name}");
            let found = received.find::<ScmRightsNumbers<'_>>().unwrap().unwrap();
            assert!(found.map(Result::unwrap).eq(numbers[..2].iter().copied()), "{name}");
            // Nor is there anything to take.
            assert_eq!(received.take_descriptors().unwrap().len(), 0, "{name}");
            assert!(received.take_messages().all(|message| matches!(message, Ok(Message::Other(_)))), "{name}");
        }
        assert!(received.into_messages().all(|message| matches!(message, Ok(Message::Other(_)))), "{name}");
    }
}

/// A file that has come to have the number of a descriptor that was taken and closed: where the buffer ends well, with a
/// message that claims too much, and with nonsense.
fn numbers_that_are_used_again_are_left_alone() {
    let sent = files(4);
    for end in ["good", "clamped", "nonsense"] {
        let numbers = ownerless_duplicates(&sent);
        let mut control = two_messages_of(&numbers);
        match end {
            "clamped" => {
                control.truncate(control.len() - NATIVE.space(8).unwrap());
                let too_much = NATIVE.len(64).unwrap() as u64;
                control.extend(message_claiming(too_much, RIGHTS, &payload_of(&numbers[2..])));
            }
            "nonsense" => control.extend(message_claiming(3, RIGHTS, &(-1i32).to_ne_bytes())),
            _ => {}
        }
        let mut received = received_of(&mut control);
        let closed = received.take_descriptors().unwrap().map(|taken| taken.as_raw_fd()).collect::<Vec<_>>();
        assert_eq!(closed, numbers, "{end}");
        let reused = files(8);
        assert!(numbers.iter().all(|number| reused.iter().any(|file| file.as_raw_fd() == *number)), "{end}");

        let (mut messages, mut lists) = (received.messages(), 0);
        while let Some(message) = messages.next() {
            if let Some(message) = message.ok().or_else(|| messages.truncated_message()) {
                let Message::Other(message) = message else { panic!("{end}: {message:?}") };
                lists += usize::from((message.level(), message.message_type()) == RIGHTS);
            }
        }
        assert_eq!(lists, 2, "{end}");
        let (mut messages, mut lists) = (received.take_messages(), 0);
        while let Some(message) = messages.next() {
            if let Some(message) = message.ok().or_else(|| messages.truncated_message()) {
                let Message::Other(message) = message else { panic!("{end}: {message:?}") };
                lists += usize::from((message.level(), message.message_type()) == RIGHTS);
            }
        }
        drop(messages);
        assert_eq!(lists, 2, "{end}");
        assert!(received.take_descriptors().unwrap().next().is_none());
        drop(received);
        assert!(reused.iter().all(|file| rustix::io::fcntl_getfd(file).is_ok()), "{end}");
    }
}

fn a_message_is_what_its_level_and_type_say() {
    let credentials = [1i32, 2, 3].map(i32::to_ne_bytes).concat();
    let mut control = message_bytes(OTHER, &credentials);
    control.extend(message_bytes((libc::SOL_SOCKET, libc::SCM_CREDENTIALS), &credentials));
    let received = received_of(&mut control);
    let mut messages = received.messages().map(Result::unwrap);
    assert!(matches!(messages.next(), Some(Message::Other(message)) if message.level() == OTHER.0));
    let who = ScmCredentials { pid: 1, uid: 2, gid: 3 };
    assert!(matches!(messages.next(), Some(Message::ScmCredentials(found)) if found == who));
    assert_eq!(received.find::<ScmCredentials>(), Some(Ok(who)));
    assert!(received.find::<ScmPidfd>().is_none());
}

/// Numbers that came from such an address are no descriptors, whatever message they are in.
fn what_comes_from_an_internet_address_is_not_owned() {
    let sent = files(2);
    for (family, is_owned) in [(libc::AF_INET, false), (libc::AF_INET6, false), (libc::AF_UNIX, true)] {
        let numbers = ownerless_duplicates(&sent);
        let mut control = rights_of(&numbers);
        let mut data = [];
        let mut header = RecvMsgHdr::new(&mut data, ControlSliceMut::from(control.as_mut_slice()));
        let pointer = header.as_mut_ptr().cast::<libc::msghdr>();
        // SAFETY: the pointer is to a prepared `struct msghdr`, and that has room for any address: all of it is written,
        // in the place of the system.
        unsafe {
            (*pointer).msg_name.cast::<[u8; 128]>().write([0; 128]);
            (*pointer).msg_name.cast::<libc::sa_family_t>().write(family as _);
            (*pointer).msg_namelen = size_of::<libc::sockaddr_in6>() as _;
        }
        // SAFETY: that is what a call would have left, and nothing else owns the descriptors, if it is a UNIX address.
        let mut received = unsafe { header.into_received(0, RecvFlags::empty()) };
        assert!(received.address().is_some());
        let shown_owned = matches!(received.messages().next(), Some(Ok(Message::ScmRights(_))));
        let shown_plain = matches!(received.messages().next(), Some(Ok(Message::Other(_))));
        assert_eq!((shown_owned, shown_plain), (is_owned, !is_owned));
        if !is_owned {
            assert_eq!(received.take_descriptors().unwrap().len(), 0);
            assert!(matches!(received.take_messages().next(), Some(Ok(Message::Other(_)))));
        }
        drop(received);
        assert_eq!(super::open_of(&numbers).is_empty(), is_owned);
        if !is_owned {
            super::close_leaked(&numbers);
        }
    }
}

fn what_is_shown_of_it() {
    let mut room = [0xff; 64];
    let mut received = received_with(2, &mut room);
    let len = NATIVE.space(8).unwrap();
    let shown = format!("{received:?}");
    assert!(shown.starts_with("Received { bytes: 1, flags: ReturnFlags("), "{shown}");
    assert!(shown.ends_with(&format!(", control: {len}, .. }}")), "{shown}");
    let Some(Ok(Message::ScmRights(descriptors))) = received.messages().next() else { panic!() };
    let list = format!("{descriptors:?}");
    let numbers: Vec<RawFd> = descriptors.map(|descriptor| descriptor.as_raw_fd()).collect();
    assert_eq!(list, format!("{numbers:?}"));
    assert_eq!(format!("{:?}", *received), format!("[Ok(ScmRights({numbers:?}))]"));
    let (mut looking, mut raw) = (received.messages(), received.raw_messages());
    assert_eq!(format!("{looking:?}, {raw:?}"), "Messages { offset: 0, .. }, RawMessages { offset: 0, .. }");
    assert!(looking.next().is_some() && raw.next().is_some());
    let shown = format!("Messages {{ offset: {len}, .. }}, RawMessages {{ offset: {len}, .. }}");
    assert_eq!(format!("{looking:?}, {raw:?}"), shown);
    let mut taking = received.take_messages();
    assert_eq!(format!("{taking:?}"), "TakeMessages { offset: 0, owns: true }");
    assert!(taking.next().is_some());
    assert_eq!(format!("{taking:?}"), format!("TakeMessages {{ offset: {len}, owns: true }}"));
    drop(taking);
    assert_eq!(format!("{:?}", received.take_messages()), "TakeMessages { offset: 0, owns: false }");
    assert!(format!("{:?}", *received).starts_with("[Ok(Other("), "{:?}", *received);

    let mut control = rights_of(&[-1, i32::MIN]);
    let received = received_of(&mut control);
    let Some(Ok(Message::ScmRightsWithErrors(slots))) = received.messages().next() else { panic!() };
    assert_eq!(
        format!("{slots:?}"),
        format!("[Err(DescriptorError {{ raw: -1 }}), Err(DescriptorError {{ raw: {} }})]", i32::MIN)
    );
}
