//! Too little room.

use super::{assert_closed, in_flight, message_with, scenarios};
use crate::kernel::message::{Item, Message};
use crate::kernel::{Connected, Kind, abi, kernel};
use crate::receive::{Ask, every_room, receive};
use crate::rules::{CHOSEN, TooLong};
use ancillary::{ControlError, Message as Arrived, Received};
use rustix::io::Errno;

scenarios![
    descriptors_in_every_room if |rules| rules.is_known,
    another_message_in_every_room if |rules| rules.is_known && rules.name != "openbsd",
    a_clamped_message_has_descriptors if |rules| rules.long_rights == TooLong::FullLength,
    padding_is_room_for_another if |rules| rules.name == "linux" && size_of::<usize>() == 8,
    the_room_ends_with_a_message if |rules| rules.is_known,
    the_kernel_counts_more_than_there_is if |rules| rules.cut_is_rounded_up,
    the_last_message_is_not_padded,
    another_message_takes_the_room,
    data_is_cut,
];

const COUNT: usize = 3;

/// What a `Received` that is asked to be complete says was lost: of the data, and of the control messages.
fn lost(received: Received<'_>) -> (bool, bool) {
    received.complete().err().map_or((false, false), |incomplete| (incomplete.data, incomplete.control))
}

/// What a system makes of three descriptors in so much room: how many are delivered, whether it says that it was not all,
/// and how many stay open under numbers that are in no buffer. `None` if the call fails.
fn outcome(room: usize) -> Option<(usize, bool, usize)> {
    let (header, len, space) = (abi::header(), abi::len(COUNT * 4), abi::space(COUNT * 4));
    let slots = room.saturating_sub(header) / 4;
    let all = (COUNT, false, 0);
    let none = |is_reported| (0, is_reported, 0);
    match CHOSEN.name {
        "linux" if slots < COUNT => Some((slots, true, 0)),
        "apple" if room > 0 && room < len => Some((slots, true, COUNT - slots)),
        "apple" if room >= len && room < space => Some((COUNT, true, 0)),
        "freebsd" | "netbsd" if room > 0 && room < space => Some(none(true)),
        "openbsd" if room > 0 && room < len => None,
        "linux" => Some(all),
        _ if room == 0 => Some(none(false)),
        _ => Some(all),
    }
}

fn descriptors_in_every_room() {
    for ask in every_room(abi::space(COUNT * 4) + 10) {
        let room = ask.room;
        let (_here, there) = Connected::pair(Kind::Datagram);
        let (files, message) = message_with(COUNT);
        there.deliver(message);
        receive(&there, ask, |received| match outcome(room) {
            None => assert_eq!(received.err(), Some(Errno::MSGSIZE), "{room}"),
            Some((count, is_reported, _)) => {
                let mut received = received.unwrap();
                assert_eq!(received.control_truncated(), is_reported, "{room}");
                assert_eq!(received.take_descriptors().unwrap().count(), count, "{room}");
                assert_eq!(lost(received), (false, is_reported));
            }
        });
        let lost = kernel().close_unreported();
        assert_eq!(lost, outcome(room).map_or(0, |outcome| outcome.2), "{room}");
        assert_closed(&files);
    }
}

fn another_message_in_every_room() {
    let payload = b"twelve bytes";
    let (header, len, space) = (abi::header(), abi::len(payload.len()), abi::space(payload.len()));
    for ask in every_room(space + 10) {
        let room = ask.room;
        let (_here, there) = Connected::pair(Kind::Datagram);
        there.deliver(Message::new(b"data", vec![Item::other(payload)]));
        receive(&there, ask, |received| {
            let received = received.unwrap();
            let is_cut = room < if CHOSEN.name == "linux" { len } else { space };
            assert_eq!(received.control_truncated(), is_cut && (room > 0 || CHOSEN.name == "linux"));
            let mut messages = received.messages();
            let message = messages.next();
            let message = match (CHOSEN.name, message) {
                ("linux" | "apple" | "netbsd", None) if room < header => return,
                ("freebsd", None) if room < space => return,
                // Apple's and NetBSD's kernels cut it and leave the length.
                ("apple" | "netbsd", Some(Err(ControlError::LengthBeyondBuffer { claimed, remaining, .. }))) => {
                    assert!(room < len);
                    assert_eq!((claimed, remaining), (len as u64, room));
                    messages.truncated_message().unwrap()
                }
                (_, message) => message.unwrap().unwrap(),
            };
            let Arrived::Other(message) = message else { panic!("{message:?}") };
            assert_eq!(message.payload(), &payload[..payload.len().min(room - header)]);
            assert!(messages.next().is_none());
        });
    }
}

fn a_clamped_message_has_descriptors() {
    let (_here, there) = Connected::pair(Kind::Datagram);
    let (files, message) = message_with(3);
    there.deliver(message);
    receive(&there, Ask::room(abi::len(8)), |received| {
        let mut received = received.unwrap();
        let mut messages = received.take_messages();
        assert!(matches!(messages.next(), Some(Err(ControlError::LengthBeyondBuffer { .. }))));
        let Some(Arrived::ScmRights(mut descriptors)) = messages.truncated_message() else { panic!() };
        assert_eq!(descriptors.len(), 2);
        drop(descriptors.next());
        assert_closed(&files[..1]);
    });
    assert_closed(&files[..2]);
    assert_eq!(kernel().close_unreported(), 1);
    assert_closed(&files);
}

fn padding_is_room_for_another() {
    let (_here, there) = Connected::pair(Kind::Datagram);
    for (room, count) in [(ancillary::control_space!(raw[4]), 2), (ancillary::control_len!(raw[4]), 1)] {
        let (files, message) = message_with(2);
        there.deliver(message);
        receive(&there, Ask::room(room), |received| {
            let mut received = received.unwrap();
            assert_eq!(received.control_truncated(), count < 2);
            assert_eq!(received.take_descriptors().unwrap().count(), count);
        });
        assert_closed(&files);
    }
}

fn the_room_ends_with_a_message() {
    let (_here, there) = Connected::pair(Kind::Datagram);
    let (files, in_flight) = in_flight(1);
    there.deliver(Message::new(b"data", vec![Item::other(b"eight by"), Item::rights(in_flight)]));
    receive(&there, Ask::room(abi::space(8)), |received| {
        let received = received.unwrap();
        assert_eq!(received.messages().count(), 1);
        match CHOSEN.name {
            "linux" | "freebsd" => assert_eq!(lost(received), (false, true)),
            // What is lost is not reported.
            "netbsd" => assert!(received.complete().is_ok()),
            _ => {}
        }
    });
    kernel().close_unreported();
    assert_closed(&files);
}

fn the_kernel_counts_more_than_there_is() {
    for ask in every_room(abi::space(24)).filter(|ask| ask.room >= abi::header()) {
        let room = ask.room;
        let (_here, there) = Connected::pair(Kind::Datagram);
        there.deliver(Message::new(b"data", vec![Item::other(&[7; 24]), Item::other(b"lost")]));
        receive(&there, ask, |received| {
            let received = received.unwrap();
            assert!(received.control_truncated());
            let seen = received.messages().filter_map(Result::ok).count();
            let counted = kernel().last().control.len;
            assert!(counted >= room && counted - room < 8);
            assert_eq!(seen, usize::from(room >= abi::len(24)));
        });
    }
}

fn the_last_message_is_not_padded() {
    // Room for it without its padding; and with it, where a system counts it or not.
    for room in [abi::len(1), abi::space(1), 64] {
        let (_here, there) = Connected::pair(Kind::Datagram);
        there.deliver(Message::new(b"data", vec![Item::other(b"1")]));
        receive(&there, Ask::room(room), |received| {
            let received = received.unwrap();
            let whole = !CHOSEN.padding_has_to_fit || room >= abi::space(1);
            assert_eq!(
                received.messages().filter_map(Result::ok).count(),
                usize::from(whole || CHOSEN.long_others != TooLong::Dropped)
            );
        });
        let counted = kernel().last().control.len;
        if CHOSEN.name == "openbsd" {
            assert_eq!(counted, abi::len(1));
        }
    }
}

fn another_message_takes_the_room() {
    for ask in every_room(abi::space(12) + abi::space(8) + 4) {
        let (_here, there) = Connected::pair(Kind::Datagram);
        let (files, in_flight) = in_flight(2);
        there.deliver(Message::new(b"data", vec![Item::other(b"twelve bytes"), Item::rights(in_flight)]));
        // The model knows what there is to see.
        receive(&there, ask, |received| {
            if let Ok(received) = received {
                let whole = ask.room >= abi::space(12) + abi::space(8);
                assert!(
                    !whole || received.complete().is_ok_and(|mut all| all.take_descriptors().unwrap().count() == 2)
                );
            } else {
                assert_eq!(CHOSEN.long_rights, TooLong::Fails);
            }
        });
        kernel().close_unreported();
        assert_closed(&files);
    }
}

fn data_is_cut() {
    for (kind, is_cut) in [(Kind::Datagram, true), (Kind::Stream, false)] {
        let (_here, there) = Connected::pair(kind);
        let (files, message) = message_with(1);
        there.deliver(message);
        receive(&there, Ask { data: 2, room: 0, ..Ask::default() }, |received| {
            let received = received.unwrap();
            assert_eq!((received.bytes(), received.data_truncated()), (2, is_cut));
            assert_eq!(lost(received), (is_cut, CHOSEN.no_room_is_reported));
        });
        assert_closed(&files);
    }
}
