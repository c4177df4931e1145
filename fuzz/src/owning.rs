//! The model of what a `Received` owns, shows and gives out.

use crate::table::{Open, set_of};
use ancillary::message::DescriptorError;
use ancillary::received::TakeMessages;
use ancillary::{Message, Received};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

/// What a walk shows of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// The slots, and how many bytes are left over.
    Rights(Vec<RawFd>, usize),
    /// The first slot.
    Pidfd(RawFd),
    Other,
}

/// A message with slots, and how many bytes are left over; `None` for one that has none.
pub type Modelled = Option<(Kind, Vec<RawFd>, usize)>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Rights,
    Pidfd,
}

/// The model of a `Received`.
#[derive(Debug)]
pub struct Model {
    pub messages: Vec<Modelled>,
    pub owns: bool,
}

impl Model {
    /// Of what the kernel has written, in which a pidfd is one slot.
    pub fn of(received: &Received<'_>) -> Self {
        let modelled = |shown| match shown {
            Shown::Rights(slots, rest) => Some((Kind::Rights, slots, rest)),
            Shown::Pidfd(slot) => Some((Kind::Pidfd, vec![slot], 0)),
            Shown::Other => None,
        };
        Model { messages: look(received).into_iter().map(modelled).collect(), owns: true }
    }

    /// What a walk is to show.
    pub fn shown(&self) -> Vec<Shown> {
        let shown = |message: &Modelled| match message {
            Some((Kind::Rights, slots, rest)) if self.owns => Shown::Rights(slots.clone(), *rest),
            Some((Kind::Pidfd, slots, _)) if self.owns && !slots.is_empty() => Shown::Pidfd(slots[0]),
            _ => Shown::Other,
        };
        self.messages.iter().map(shown).collect()
    }

    /// What the peer has sent, in order.
    pub fn rights(&self) -> Vec<RawFd> {
        let rights = |message: &Modelled| match message {
            Some((Kind::Rights, slots, _)) if self.owns => slots.clone(),
            _ => Vec::new(),
        };
        self.messages.iter().flat_map(rights).collect()
    }

    /// What is in the first slot that holds no descriptor, of those that are owned.
    pub fn first_error(&self) -> Option<RawFd> {
        let slots = self.messages.iter().flatten().filter(|_| self.owns).flat_map(|(_, slots, _)| slots);
        slots.copied().find(|slot| *slot < 0)
    }

    pub fn owned(&self) -> Open {
        self.owned_from(0)
    }

    /// Those of the messages from this one on.
    pub fn owned_from(&self, start: usize) -> Open {
        let messages = self.messages.iter().skip(start).flatten().filter(|_| self.owns);
        set_of(messages.flat_map(|(_, slots, _)| slots).copied().filter(|slot| *slot >= 0))
    }
}

/// The number of a descriptor, or of the error in its place.
pub fn slot_of(descriptor: Result<impl AsFd, DescriptorError>) -> RawFd {
    descriptor.map_or_else(|none| none.raw, |descriptor| descriptor.as_fd().as_raw_fd())
}

/// What walks that look show, a clamped message too.
pub fn look(received: &Received<'_>) -> Vec<Shown> {
    let (mut messages, mut raw, mut all) = (received.messages(), received.raw_messages(), Vec::new());
    while let Some(message) = messages.next() {
        let plain = raw.next().expect("both see the same");
        assert_eq!(message.as_ref().err(), plain.as_ref().err());
        let plain = plain.or_else(|error| raw.truncated_message().ok_or(error));
        let shown = match message.or_else(|error| messages.truncated_message().ok_or(error)) {
            Ok(Message::ScmRights(descriptors)) => {
                let rest = descriptors.remainder().len();
                Shown::Rights(descriptors.map(|descriptor| descriptor.as_raw_fd()).collect(), rest)
            }
            Ok(Message::ScmRightsWithErrors(slots)) => {
                let (rest, slots) = (slots.remainder().len(), slots.map(slot_of).collect::<Vec<_>>());
                assert!(slots.iter().any(|slot| *slot < 0));
                Shown::Rights(slots, rest)
            }
            Ok(Message::ScmPidfd(pidfd)) => Shown::Pidfd(slot_of(pidfd)),
            Ok(_) => Shown::Other,
            Err(error) => {
                assert_eq!(plain, Err(error));
                continue;
            }
        };
        let payload = plain.expect("both see the same").payload();
        let slots = payload.chunks_exact(4).map(|slot| RawFd::from_ne_bytes(slot.try_into().expect("four")));
        match &shown {
            Shown::Rights(shown, rest) => assert!(slots.eq(shown.iter().copied()) && payload.len() % 4 == *rest),
            Shown::Pidfd(first) => assert_eq!(slots.take(1).next(), Some(*first)),
            Shown::Other => {}
        }
        all.push(shown);
    }
    assert!(raw.next().is_none());
    all
}

/// Walks over so many messages, and takes so many slots of each, in this order or from the last one on. The rest of what
/// they hold is closed with each.
pub fn walk(
    mut messages: TakeMessages<'_>,
    shown: Vec<Shown>,
    takes: &[u8],
    last_first: bool,
    taken: &mut Vec<OwnedFd>,
) {
    let mut walked = Vec::new();
    for (count, shown) in takes.iter().zip(shown) {
        match messages.next().expect("as many as were shown").or_else(|error| messages.truncated_message().ok_or(error))
        {
            Ok(message) => walked.push((message, shown, usize::from(*count))),
            Err(error) => panic!("{error} is not shown by looking"),
        }
    }
    if last_first {
        walked.reverse();
    }
    for (message, shown, count) in walked {
        match (message, shown) {
            (Message::ScmRights(mut descriptors), Shown::Rights(slots, rest)) => {
                for (index, slot) in slots.iter().enumerate().take(count) {
                    assert_eq!(descriptors.len(), slots.len() - index);
                    let descriptor = descriptors.next().expect("as many as there are slots");
                    assert_eq!(descriptor.as_raw_fd(), *slot);
                    taken.push(descriptor);
                }
                assert_eq!(
                    (descriptors.len(), descriptors.remainder().len()),
                    (slots.len().saturating_sub(count), rest)
                );
            }
            (Message::ScmRightsWithErrors(mut list), Shown::Rights(slots, rest)) => {
                for (index, slot) in slots.iter().enumerate().take(count) {
                    assert_eq!(list.len(), slots.len() - index);
                    let descriptor = list.next().expect("as many as there are slots");
                    assert_eq!(slot_of(descriptor.as_ref().map_err(|none| *none)), *slot);
                    taken.extend(descriptor);
                }
                assert_eq!((list.len(), list.remainder().len()), (slots.len().saturating_sub(count), rest));
            }
            (Message::ScmPidfd(pidfd), Shown::Pidfd(slot)) => {
                assert_eq!(slot_of(pidfd.as_ref().map_err(|none| *none)), slot);
                taken.extend(pidfd.ok().filter(|_| count > 0));
            }
            (message, shown) => assert_eq!(shown, Shown::Other, "{message:?}"),
        }
    }
}
