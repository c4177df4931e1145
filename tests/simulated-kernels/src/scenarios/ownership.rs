//! Who owns what has arrived.

use super::{Bystander, assert_closed, in_flight, message_with, scenarios};
use crate::kernel::message::{Item, Message, Payload, Slot};
use crate::kernel::{Connected, Kind, abi, assert_leads_to, kernel};
use crate::model::expected;
use crate::receive::{Ask, EVERY_WAY, every_way, receive};
use crate::rules::FullTable;
use ancillary::control::ControlSliceMut;
use ancillary::message::DescriptorError;
use ancillary::socket::{CLOEXEC_ON_RECEIVE, RecvMsgHdr, RecvOptions, recvmsg_raw};
use ancillary::{Message as Arrived, Received};
use rustix::io::{Errno, IoSliceMut};
use std::os::fd::{AsFd, OwnedFd};

scenarios![
    descriptors_arrive_in_order,
    what_was_not_looked_at_is_closed,
    what_was_taken_is_closed_once,
    a_walk_may_end_anywhere,
    messages_come_in_any_order,
    a_slot_without_a_descriptor,
    a_pidfd_without_a_descriptor if |rules| cfg!(target_os = "linux") && rules.name == "linux",
    a_full_table,
    nothing_is_owned_after_an_error,
    what_is_refused_for_being_incomplete_is_closed,
    a_header_is_used_again,
    without_room_nothing_is_owned,
];

fn descriptors_arrive_in_order() {
    for how in EVERY_WAY {
        let (_here, there) = Connected::pair(Kind::Datagram);
        let (files, message) = message_with(3);
        there.deliver(message);
        let taken: Vec<OwnedFd> = receive(&there, Ask { how, ..Ask::default() }, |received| {
            received.unwrap().complete().unwrap().take_descriptors().unwrap().collect()
        });
        assert_eq!(taken.len(), 3);
        for (descriptor, file) in taken.iter().zip(&files) {
            assert_leads_to(descriptor.as_fd(), *file);
        }
        drop(taken);
        assert_closed(&files);
    }
}

fn what_was_not_looked_at_is_closed() {
    let (_here, there) = Connected::pair(Kind::Datagram);
    let (files, message) = message_with(2);
    there.deliver(message);
    // Not even by the model.
    let (mut data, mut control) = ([0; 4], [0; 64]);
    let mut slices = [IoSliceMut::new(&mut data)];
    drop(
        ancillary::received::recvmsg(
            &there,
            &mut slices,
            &mut control,
            RecvOptions::from(CLOEXEC_ON_RECEIVE).inheritable(),
        )
        .unwrap(),
    );
    assert_closed(&files);
}

fn what_was_taken_is_closed_once() {
    for count in 0..=3 {
        for how in every_way(count) {
            let (_here, there) = Connected::pair(Kind::Datagram);
            let (files, message) = message_with(3);
            there.deliver(message);
            receive(&there, Ask { how, ..Ask::default() }, |received| {
                let mut received = received.unwrap();
                let mut taking = received.take_descriptors().unwrap();
                for file in &files[..count] {
                    assert_leads_to(taking.next().unwrap().as_fd(), *file);
                }
                assert_closed(&files[..count]);
                let bystanders = [(); 3].map(|()| Bystander::new());
                drop(taking);
                assert_closed(&files);
                let more = [(); 3].map(|()| Bystander::new());
                assert_eq!(received.take_descriptors().unwrap().count(), 0);
                drop(received);
                drop((bystanders, more));
            });
        }
    }
}

fn a_walk_may_end_anywhere() {
    let (_here, there) = Connected::pair(Kind::Datagram);
    let (files, message) = message_with(3);
    there.deliver(message);
    receive(&there, Ask::default(), |received| {
        let mut received: Received<'_> = received.unwrap();
        let Some(Ok(Arrived::ScmRights(mut shown))) = received.messages().next() else { panic!() };
        assert_leads_to(shown.next().unwrap(), files[0]);
        assert_eq!(shown.len(), 2);
        // A later look has all of it again.
        let Some(Ok(Arrived::ScmRights(again))) = received.messages().next() else { panic!() };
        assert_eq!((again.len(), again.count()), (3, 3));
        let mut messages = received.take_messages();
        let Some(Ok(Arrived::ScmRights(mut descriptors))) = messages.next() else { panic!() };
        let first = descriptors.next().unwrap();
        let second = descriptors.next().unwrap();
        assert_eq!(descriptors.len(), 1);
        drop((descriptors, messages));
        assert_closed(&files[2..]);
        let bystander = Bystander::new();
        // All was handed over, and a later walk has plain numbers.
        assert!(matches!(received.messages().next(), Some(Ok(Arrived::Other(_)))));
        assert!(matches!(received.take_messages().next(), Some(Ok(Arrived::Other(_)))));
        drop(received);
        assert_leads_to(first.as_fd(), files[0]);
        assert_leads_to(second.as_fd(), files[1]);
        drop(bystander);
    });
    assert_closed(&files);
}

fn messages_come_in_any_order() {
    for how in EVERY_WAY {
        for offset in if cfg!(miri) { 1..2 } else { 0..5 } {
            let (_here, there) = Connected::pair(Kind::Datagram);
            let (files, in_flight) = in_flight(4);
            let [one, two, three, four] = in_flight.try_into().unwrap();
            let again = one.again();
            let items = vec![
                Item::other(b"a time"),
                Item::rights([one, two]),
                Item::other(b""),
                Item::rights([three]),
                Item::rights([again]),
                Item::other(b"twelve bytes"),
                Item::rights([four]),
            ];
            there.deliver(Message::new(b"data", items));
            let taken: Vec<_> = receive(&there, Ask { how, offset, ..Ask::default() }, |received| {
                received.unwrap().complete().unwrap().take_descriptors().unwrap().collect()
            });
            let order = [files[0], files[1], files[2], files[0], files[3]];
            assert_eq!(taken.len(), order.len());
            taken.iter().zip(order).for_each(|(descriptor, file)| assert_leads_to(descriptor.as_fd(), file));
            drop(taken);
            assert_closed(&files);
        }
    }
}

fn a_slot_without_a_descriptor() {
    for how in EVERY_WAY {
        let (_here, there) = Connected::pair(Kind::Datagram);
        let (files, in_flight) = in_flight(2);
        let [one, two] = in_flight.try_into().unwrap();
        // Also the number with which the crate marks what was taken.
        let slots =
            vec![Slot::Error(-1), Slot::File(one), Slot::Error(-24), Slot::File(two), Slot::Error(i32::MIN + 1)];
        let item = Item { kind: abi::RIGHTS, payload: Payload::Slots(slots) };
        there.deliver(Message::new(b"data", vec![item]));
        let slots = [-1, -24, i32::MIN + 1].map(|raw| DescriptorError { raw });
        receive(&there, Ask { how, ..Ask::default() }, |received| {
            let mut received = received.unwrap();
            // Nothing is taken then, and nothing is closed.
            assert_eq!(received.take_descriptors().err(), Some(slots[0]));
            assert_eq!(received.incomplete().unwrap().descriptor, Some(slots[0]));
            let Some(Ok(Arrived::ScmRightsWithErrors(shown))) = received.messages().next() else { panic!() };
            shown.flatten().zip(&files).for_each(|(descriptor, file)| assert_leads_to(descriptor, *file));
            let mut messages = received.take_messages();
            let Some(Ok(Arrived::ScmRightsWithErrors(taken))) = messages.next() else { panic!() };
            assert_eq!(taken.len(), 5);
            let errors: Vec<_> = taken.filter_map(Result::err).collect();
            assert_eq!(errors, slots);
            assert_closed(&files);
        });
    }
}

fn a_pidfd_without_a_descriptor() {
    let kind = (libc::SOL_SOCKET, 4);
    let (_here, there) = Connected::pair(Kind::Datagram);
    let (files, in_flight) = in_flight(2);
    let error = DescriptorError { raw: -24 };
    for (index, slot) in in_flight.into_iter().map(Slot::File).chain([Slot::Error(error.raw)]).enumerate() {
        let item = Item { kind, payload: Payload::Slots(vec![slot]) };
        there.deliver(Message::new(b"data", vec![item]));
        receive(&there, Ask::default(), |received| {
            let mut received = received.unwrap();
            assert_eq!(
                received.incomplete().and_then(|incomplete| incomplete.descriptor),
                (index == 2).then_some(error)
            );
            if index == 0 {
                // The peer has sent none, and what the system has added is closed.
                assert_eq!(received.take_descriptors().unwrap().count(), 0);
                assert_closed(&files[..1]);
                return;
            }
            match (received.into_messages().next(), files.get(index)) {
                #[cfg(target_os = "linux")]
                (Some(Ok(Arrived::ScmPidfd(Ok(pidfd)))), Some(file)) => assert_leads_to(pidfd.as_fd(), *file),
                #[cfg(target_os = "linux")]
                (Some(Ok(Arrived::ScmPidfd(Err(none)))), None) => assert_eq!(none, error),
                other => panic!("{other:?}"),
            }
        });
    }
    assert_closed(&files);
}

fn a_full_table() {
    for left in 0..3 {
        for how in every_way(left) {
            let (_here, there) = Connected::pair(Kind::Datagram);
            let (files, message) = message_with(3);
            there.deliver(message);
            kernel().table.left = Some(left);
            receive(&there, Ask { how, ..Ask::default() }, |received| {
                if kernel().rules.full_table == FullTable::Fails {
                    assert_eq!(received.err(), Some(Errno::MSGSIZE));
                    return;
                }
                // Data and what fits are delivered, and that it is not all is said.
                let mut received = received.unwrap();
                assert!(received.control_truncated());
                assert_eq!(received.take_descriptors().unwrap().count(), left);
                assert!(received.complete().is_err());
            });
            kernel().table.left = None;
            assert_closed(&files);
        }
    }
}

fn nothing_is_owned_after_an_error() {
    for how in EVERY_WAY {
        let (_here, there) = Connected::pair(Kind::Datagram);
        let (files, message) = message_with(1);
        there.deliver_error(libc::ECONNRESET);
        there.deliver(message);
        for error in [Some(Errno::CONNRESET), None, Some(Errno::AGAIN)] {
            receive(&there, Ask { how, ..Ask::default() }, |received| assert_eq!(received.err(), error));
        }
        assert_closed(&files);
    }
}

fn what_is_refused_for_being_incomplete_is_closed() {
    for how in EVERY_WAY {
        let (_here, there) = Connected::pair(Kind::Datagram);
        let (files, message) = message_with(2);
        there.deliver(message);
        receive(&there, Ask { how, data: 3, ..Ask::default() }, |received| {
            let received = received.unwrap();
            assert!(received.data_truncated() && !received.control_truncated());
            let incomplete = received.complete().unwrap_err();
            assert!(incomplete.data && !incomplete.control && incomplete.descriptor.is_none());
            assert_closed(&files);
        });
    }
}

fn a_header_is_used_again() {
    let (_here, there) = Connected::pair(Kind::Datagram);
    let (mut data, mut control) = ([0; 16], [0; 64]);
    let mut slices = [IoSliceMut::new(&mut data)];
    let mut header = RecvMsgHdr::new(&mut slices, &mut control);
    for round in 0..4 {
        let (files, message) = message_with(2);
        match round {
            // An error in between leaves nothing behind.
            1 => there.deliver_error(libc::EINTR),
            _ => there.deliver(message),
        }
        // SAFETY: the header is prepared, lives until after the call, and stays where it is.
        let called = unsafe { recvmsg_raw(&there, header.as_mut_ptr(), CLOEXEC_ON_RECEIVE) };
        let Ok(bytes) = called else { continue };
        // SAFETY: that call has succeeded with these flags.
        let mut message = unsafe { header.received(bytes, CLOEXEC_ON_RECEIVE) };
        expected().compare(&message);
        assert_eq!(message.data(), b"data");
        let first = message.take_descriptors().unwrap().next().unwrap();
        drop(message);
        assert_closed(&files[1..]);
        drop(first);
        assert_closed(&files);
    }
}

fn without_room_nothing_is_owned() {
    let (_here, there) = Connected::pair(Kind::Datagram);
    let (files, message) = message_with(2);
    there.deliver(message);
    let mut data = [0; 16];
    let mut slices = [IoSliceMut::new(&mut data)];
    let received = ancillary::received::recvmsg(
        &there,
        &mut slices,
        ControlSliceMut::none(),
        RecvOptions::from(CLOEXEC_ON_RECEIVE).inheritable(),
    )
    .unwrap();
    assert_eq!(received.control_truncated(), kernel().rules.no_room_is_reported);
    assert_closed(&files);
}
