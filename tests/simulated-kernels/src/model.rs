//! What the crate has to say of a message that the kernel has delivered, by what the kernel has written: who owns what,
//! in which order, and which flags there are. It shares no code with the crate.

use crate::kernel::abi::{self, RIGHTS};
use crate::kernel::copy_out::numbers_in;
use crate::kernel::{Delivery, kernel};
use crate::rules::{Echo, Rules};
use ancillary::message::NoDescriptor;
use ancillary::{ControlError, Message, Received, Truncated};
use libc::c_int;
use std::os::fd::AsRawFd;

/// A control message that is seen.
#[derive(Debug, PartialEq)]
pub struct Seen {
    kind: (c_int, c_int),
    payload: Vec<u8>,
    has_descriptors: bool,
}

#[derive(Debug)]
pub struct Expected {
    flags: u32,
    has_name: bool,
    messages: Vec<Seen>,
    /// Of a message that claims more than there is: where it is, what it claims, and how much there is.
    beyond: Option<(usize, u64, usize)>,
    clamped: Option<Seen>,
    /// The slots of all messages with descriptors, in order.
    pub slots: Vec<c_int>,
}

impl Expected {
    pub fn of(rules: &Rules, delivery: &Delivery) -> Expected {
        let end = delivery.control.len.min(delivery.room);
        let mut expected = Expected {
            flags: flags(rules, delivery),
            // A family alone is no name.
            has_name: delivery.name.len() > 2,
            messages: Vec::new(),
            beyond: None,
            clamped: None,
            slots: Vec::new(),
        };
        for message in &delivery.control.messages {
            let there = end - message.offset;
            if there < abi::header() {
                break;
            }
            if message.has_descriptors {
                expected.slots.extend(numbers_in(&message.payload));
            }
            let (kind, has_descriptors) = (message.kind, message.has_descriptors);
            let seen = Seen { kind, payload: message.payload.clone(), has_descriptors };
            if message.claimed > there {
                expected.beyond = Some((message.offset, message.claimed as u64, there));
                expected.clamped = Some(seen);
                break;
            }
            expected.messages.push(seen);
        }
        expected
    }

    /// The descriptors that belong to the result.
    pub fn owned(&self) -> impl Iterator<Item = c_int> {
        self.slots.iter().copied().filter(|slot| *slot >= 0)
    }

    /// Whether there is a message that claims more than there is of it, or less than was sent.
    pub fn is_cut(&self) -> bool {
        self.beyond.is_some() || self.flags & libc::MSG_CTRUNC as u32 != 0 && !self.messages.is_empty()
    }

    /// Looks at all of what was received, and takes nothing.
    pub fn compare(&self, received: &mut Received<'_>) {
        assert_eq!(received.flags().bits(), self.flags, "flags");
        let mut truncated = Truncated::empty();
        truncated.set(Truncated::DATA, self.flags & libc::MSG_TRUNC as u32 != 0);
        truncated.set(Truncated::CONTROL, self.flags & libc::MSG_CTRUNC as u32 != 0);
        assert_eq!(received.truncated(), truncated);
        assert_eq!(received.address().is_some(), self.has_name, "{:?}", received.address());

        let mut messages = received.messages();
        for expected in &self.messages {
            let message = messages.next().expect("there is another message");
            assert_eq!(&seen(message.unwrap()), expected);
            assert!(messages.clamped().is_none());
        }
        let error = messages.next().map(|message| match message.map(seen) {
            Err(ControlError::LengthBeyondBuffer { offset, claimed, remaining }) => (offset, claimed, remaining),
            other => panic!("{other:?}, where messages end"),
        });
        assert_eq!(error, self.beyond);
        assert_eq!(messages.clamped().map(seen), self.clamped.as_ref().map(Seen::again));
        assert!(messages.next().is_none() && messages.clamped().is_none());
    }
}

impl Seen {
    fn again(&self) -> Seen {
        Seen { payload: self.payload.clone(), ..*self }
    }
}

/// The flags that are not an echo.
fn flags(rules: &Rules, delivery: &Delivery) -> u32 {
    let lengths = libc::MSG_TRUNC | libc::MSG_CTRUNC;
    let echo = match rules.echo {
        Echo::All => delivery.asked & !lengths,
        Echo::CloseOnExec => delivery.asked & ancillary::socket::CLOEXEC_ON_RECEIVE.bits() as c_int,
        Echo::None => 0,
    };
    (delivery.flags & !echo) as u32
}

/// What the crate shows of a message.
fn seen(message: Message<'_>) -> Seen {
    match message {
        Message::Other(message) => Seen {
            kind: (message.level(), message.message_type()),
            payload: message.payload().to_vec(),
            has_descriptors: false,
        },
        Message::ScmRights(descriptors) => seen_slots(RIGHTS, &descriptors),
        #[cfg(target_os = "linux")]
        Message::ScmPidfd(descriptors) => seen_slots((libc::SOL_SOCKET, ancillary::platform::SCM_PIDFD), &descriptors),
        other => panic!("{other:?} was not sent"),
    }
}

fn seen_slots(kind: (c_int, c_int), descriptors: &ancillary::received::Descriptors<'_>) -> Seen {
    let number = |slot: Result<std::os::fd::BorrowedFd<'_>, NoDescriptor>| match slot {
        Ok(descriptor) => descriptor.as_raw_fd(),
        Err(none) => none.slot,
    };
    let slots: Vec<_> = descriptors.iter().map(number).collect();
    assert_eq!((descriptors.len(), descriptors.is_empty()), (slots.len(), slots.is_empty()));
    let mut payload: Vec<u8> = slots.iter().flat_map(|slot| slot.to_ne_bytes()).collect();
    payload.extend(descriptors.remainder());
    Seen { kind, payload, has_descriptors: true }
}

/// What has to be seen of the last message that was received.
pub fn expected() -> Expected {
    let kernel = kernel();
    Expected::of(kernel.rules, kernel.last())
}
