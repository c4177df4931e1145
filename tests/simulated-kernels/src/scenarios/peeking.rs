//! `MSG_PEEK`.

use super::{Bystander, assert_closed, message_with, scenarios};
use crate::kernel::{Connected, Kind, abi};
use crate::receive::{Ask, EVERY_WAY, every_room, receive};
use crate::rules::{CHOSEN, Peek};
use ancillary::Message;
use ancillary::message::ScmRightsNumbers;
use rustix::net::RecvFlags;

scenarios![
    a_peek_installs_descriptors if |rules| rules.is_known && rules.peek == Peek::Duplicates,
    a_peek_shows_no_descriptors if |rules| rules.peek != Peek::Duplicates,
    a_peek_into_little_room,
];

/// What is peeked is owned as if it had been received, once for each peek.
fn a_peek_installs_descriptors() {
    for how in EVERY_WAY {
        let (_here, there) = Connected::pair(Kind::Datagram);
        let (files, message) = message_with(2);
        there.deliver(message);
        let peek = Ask { how, flags: RecvFlags::PEEK, ..Ask::default() };
        let peeked: Vec<_> = receive(&there, peek, |received| received.unwrap().take_descriptors().unwrap().collect());
        assert_eq!(peeked.len(), 2);
        receive(&there, peek, |received| assert_eq!(received.unwrap().messages().count(), 1));
        receive(&there, Ask { how, ..Ask::default() }, |received| {
            assert_eq!(received.unwrap().take_descriptors().unwrap().count(), 2);
        });
        drop(peeked);
        assert_closed(&files);
    }
}

/// The numbers that a peek shows may be those of descriptors: whose they are, they stay open.
fn a_peek_shows_no_descriptors() {
    for how in EVERY_WAY {
        let (_here, there) = Connected::pair(Kind::Datagram);
        let (files, message) = message_with(2);
        there.deliver(message);
        for _ in 0..2 {
            let bystander = Bystander::new();
            let ask = Ask { how, flags: RecvFlags::PEEK, ..Ask::default() };
            receive(&there, ask, |received| {
                let mut received = received.unwrap();
                assert_eq!(received.take_descriptors().unwrap().count(), 0);
                let Some(Ok(Message::Other(message))) = received.messages().next() else { panic!() };
                let numbers = message.decode::<ScmRightsNumbers<'_>>().unwrap().unwrap();
                if CHOSEN.peek == Peek::Zeros {
                    assert!(numbers.eq([Ok(0), Ok(0)]));
                }
            });
            drop(bystander);
        }
        // On Apple's systems the zeros would be standard input.
        // SAFETY: it has no memory to do with.
        assert!(unsafe { libc::fcntl(0, libc::F_GETFD) } >= 0, "standard input is open");
        receive(&there, Ask { how, ..Ask::default() }, |received| {
            assert_eq!(received.unwrap().take_descriptors().unwrap().count(), 2);
        });
        assert_closed(&files);
    }
}

fn a_peek_into_little_room() {
    for ask in every_room(abi::space(2 * 16) + 2) {
        let (_here, there) = Connected::pair(Kind::Datagram);
        let (files, message) = message_with(2);
        there.deliver(message);
        receive(&there, Ask { flags: RecvFlags::PEEK, ..ask }, |received| {
            let taken = received.map_or(0, |mut received| received.take_descriptors().unwrap().count());
            assert!(taken == 0 || CHOSEN.peek == Peek::Duplicates);
        });
        drop(there);
        assert_closed(&files);
    }
}
