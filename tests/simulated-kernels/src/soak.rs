//! Random rounds: whatever may be on its way, received in whatever way, and given up at whatever point. The model says of
//! each message what there has to be, and at the end of each round every file is closed. The same seed makes the same
//! rounds.

use crate::kernel::message::{Item, Message, Payload, Slot};
use crate::kernel::{Connected, Delivery, Kind, abi, kernel, open};
use crate::model::Expected;
use crate::receive::{Ask, EVERY_WAY, receive};
use crate::rules::{CHOSEN, FullTable, TooLong};
use crate::scenarios::{Bystander, in_flight};
use ancillary::message::{DescriptorError, ScmRights};
use ancillary::received::recvmmsg;
use ancillary::socket::sendmsg;
use ancillary::socket::{RecvOptions, RecvRoom, RecvSlot, WAIT_FOR_ONE};
use ancillary::{ControlWriter, Message as Arrived, Received};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{RecvFlags, SendFlags};
use std::collections::BTreeSet;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn one_in(&mut self, number: usize) -> bool {
        self.below(number) == 0
    }
}

/// What has happened.
type Account = BTreeSet<&'static str>;

/// Runs so many rounds. Returns how many descriptors the kernel has installed.
pub fn run(rounds: u64, seed: u64) -> usize {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut account, mut installed) = (Account::new(), 0);
    for _ in 0..rounds {
        round(&mut random, &mut account);
        installed += kernel().table.installed;
        kernel().reset();
    }
    // In a short run not everything happens.
    if rounds >= 300 {
        let wanted = [
            "a batch",
            "a peek",
            "an error",
            "sent",
            "taken in part",
            "taken",
            "refused",
            "data cut",
            "a slot with an error",
        ];
        let by_rules = [
            ("a cut message", CHOSEN.long_others != TooLong::Dropped),
            ("a full table", CHOSEN.full_table == FullTable::Part),
            ("unreported descriptors", CHOSEN.long_rights == TooLong::FullLength),
            ("no room for descriptors", CHOSEN.long_rights == TooLong::Fails),
        ];
        let by_rules = by_rules.into_iter().filter_map(|(what, happens)| happens.then_some(what));
        for what in wanted.into_iter().chain(by_rules) {
            assert!(account.contains(what), "{what} did not happen");
        }
    }
    installed
}

fn round(random: &mut Random, account: &mut Account) {
    let kind = if random.one_in(3) { Kind::Stream } else { Kind::Datagram };
    let (here, there) = Connected::pair(kind);
    for _ in 0..1 + random.below(3) {
        match random.below(8) {
            0 => there.deliver_error([libc::ECONNRESET, libc::EINTR][random.below(2)]),
            1 | 2 => send(random, &here, account),
            _ => there.deliver(message(random)),
        }
    }
    for _ in 0..6 {
        if random.one_in(6) {
            kernel().table.left = Some(random.below(6));
        }
        if random.one_in(3) {
            batch(random, &there, account);
        } else {
            one(random, &there, account);
        }
        kernel().table.left = None;
        if kernel().close_unreported() > 0 {
            account.insert("unreported descriptors");
        }
    }
}

/// A message of any control messages in any order.
fn message(random: &mut Random) -> Message {
    let items = (0..random.below(4)).map(|_| item(random)).collect();
    Message::new(&b"datagram"[..random.below(9)], items)
}

fn item(random: &mut Random) -> Item {
    if random.one_in(3) {
        return Item::other(&[7; 24][..random.below(25)]);
    }
    let (_, in_flight) = in_flight(random.below(4));
    let mut slots: Vec<_> = in_flight.into_iter().map(Slot::File).collect();
    if random.one_in(4) {
        slots.insert(random.below(slots.len() + 1), Slot::Error(-1 - random.below(100) as i32));
    }
    if let (Some(Slot::File(first)), true) = (slots.first(), random.one_in(4)) {
        let again = first.again();
        slots.push(Slot::File(again));
    }
    Item { kind: abi::RIGHTS, payload: Payload::Slots(slots) }
}

/// Sends descriptors, in as many messages as may be.
fn send(random: &mut Random, here: &Connected, account: &mut Account) {
    let descriptors: Vec<_> = (0..random.below(4)).map(|_| open().1).collect();
    let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut memory = [MaybeUninit::uninit(); 128];
    let start = random.below(8);
    let mut control = ControlWriter::new(&mut memory[start..]);
    for _ in 0..random.below(3) {
        control.push(ScmRights(&borrowed)).unwrap();
    }
    if sendmsg(here, &[IoSlice::new(b"sent")], &control, SendFlags::empty()).is_ok() {
        account.insert("sent");
    }
}

fn flags(random: &mut Random, account: &mut Account) -> RecvFlags {
    let peeks = random.one_in(4);
    account.extend(peeks.then_some("a peek"));
    let mut flags = RecvFlags::empty();
    flags.set(RecvFlags::PEEK, peeks);
    flags.set(RecvFlags::DONTWAIT, random.one_in(2));
    flags.set(RecvFlags::WAITALL, random.one_in(4));
    flags
}

fn one(random: &mut Random, there: &Connected, account: &mut Account) {
    let ask = Ask {
        how: EVERY_WAY[random.below(4)],
        room: random.below(140),
        offset: random.below(8),
        data: random.below(10),
        flags: flags(random, account),
    };
    receive(there, ask, |received| match received {
        Ok(received) => {
            let expected = crate::model::expected();
            consume(random, received, &expected, account);
        }
        Err(error) => note(error, account),
    });
}

fn note(error: Errno, account: &mut Account) {
    account.extend((error == Errno::CONNRESET).then_some("an error"));
    account.extend((error == Errno::MSGSIZE).then_some("no room for descriptors"));
}

fn batch(random: &mut Random, there: &Connected, account: &mut Account) {
    let count = 1 + random.below(3);
    let mut memory: Vec<_> = (0..count).map(|_| vec![MaybeUninit::<u8>::uninit(); random.below(140)]).collect();
    let mut data = vec![[0; 8]; count];
    let mut slices: Vec<_> = data.iter_mut().map(|data| [IoSliceMut::new(data)]).collect();
    let mut rooms: Vec<_> =
        slices.iter_mut().zip(&mut memory).map(|(data, memory)| RecvRoom::new(data, &mut memory[..])).collect();
    let mut slots: Vec<_> = (0..count).map(|_| RecvSlot::new()).collect();
    let before = kernel().deliveries.len();
    let flags = flags(random, account) | WAIT_FOR_ONE;
    match recvmmsg(there, &mut slots, &mut rooms, RecvOptions::from(flags).inheritable(), None) {
        Err(error) => note(error, account),
        Ok(mut batch) => {
            let deliveries: Vec<Delivery> = kernel().deliveries[before..].to_vec();
            assert_eq!(batch.len(), deliveries.len());
            account.extend((batch.len() > 1).then_some("a batch"));
            let walked = random.below(deliveries.len() + 1);
            for (message, delivery) in batch.by_ref().zip(deliveries).take(walked) {
                assert_eq!(message.data(), delivery.data);
                let expected = Expected::of(CHOSEN, &delivery);
                expected.compare(&message);
                consume(random, message.into_parts().0, &expected, account);
            }
            let bystander = Bystander::new();
            drop(batch);
            drop(bystander);
        }
    }
}

/// Does with a message what a program may do.
fn consume(random: &mut Random, mut received: Received<'_>, expected: &Expected, account: &mut Account) {
    account.extend(received.data_truncated().then_some("data cut"));
    account.extend(expected.is_cut().then_some("a cut message"));
    account.extend((kernel().table.left == Some(0) && received.control_truncated()).then_some("a full table"));
    match random.below(4) {
        0 => drop(received),
        1 | 2 if expected.first_error().is_some() => {
            // Nothing is taken.
            assert_eq!(received.take_descriptors().err(), expected.first_error());
            let mut taken = Vec::new();
            let mut messages = received.into_messages();
            while let Some(message) = messages.next() {
                match message.or_else(|error| messages.truncated_message().ok_or(error)) {
                    Ok(Arrived::ScmRights(descriptors)) => taken.extend(descriptors.map(|one| one.as_raw_fd())),
                    Ok(Arrived::ScmRightsWithErrors(slots)) => taken.extend(slots.map(number)),
                    _ => {}
                }
            }
            assert_eq!(taken, expected.slots);
            account.insert("a slot with an error");
        }
        1 => {
            let taken: Vec<_> = received.take_descriptors().unwrap().collect();
            // What was taken is gone, and stays open.
            assert_eq!(received.take_descriptors().unwrap().count(), 0);
            drop(received);
            let numbers: Vec<_> = taken.into_iter().map(|one| number(Ok(one))).collect();
            assert_eq!(numbers, expected.slots);
            account.insert("taken");
        }
        2 => {
            let count = random.below(expected.slots.len() + 1);
            let mut taking = received.take_descriptors().unwrap();
            assert_eq!(taking.len(), expected.slots.len());
            let taken: Vec<_> = taking.by_ref().take(count).map(|one| number(Ok(one))).collect();
            // They are closed: others get their numbers, before the rest is.
            let bystanders: Vec<_> = taken.iter().map(|_| Bystander::new()).collect();
            assert_eq!(taken, expected.slots[..count]);
            drop(taking);
            let more: Vec<_> = expected.slots.iter().map(|_| Bystander::new()).collect();
            drop(received);
            drop((bystanders, more));
            account.extend((0 < count && count < expected.slots.len()).then_some("taken in part"));
        }
        _ => match received.complete() {
            Ok(mut all) => assert_eq!(all.take_descriptors().unwrap().count(), expected.owned().count()),
            Err(_) => drop(account.insert("refused")),
        },
    }
}

/// The number in a slot. What owns it is closed.
fn number(slot: Result<std::os::fd::OwnedFd, DescriptorError>) -> std::os::fd::RawFd {
    slot.map_or_else(|none| none.raw, |descriptor| descriptor.as_raw_fd())
}
