//! What the crate has to say of a message that the kernel has delivered, by what the kernel has written: who owns what,
//! in which order, and which flags there are. It shares no code with the crate.

use crate::kernel::abi::{self, RIGHTS};
use crate::kernel::copy_out::numbers_in;
use crate::kernel::{Delivery, kernel};
use crate::rules::{Echo, Rules};
use ancillary::message::DescriptorError;
use ancillary::{ControlError, Message, Received};
use libc::c_int;
use std::os::fd::{AsRawFd, BorrowedFd};

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
    /// How much of the control buffer was filled, and how much there is of it.
    control: (usize, usize),
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
            control: (end, delivery.room),
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

    /// What is in the first slot that holds no descriptor.
    pub fn first_error(&self) -> Option<DescriptorError> {
        self.slots.iter().find(|slot| **slot < 0).map(|slot| DescriptorError { raw: *slot })
    }

    /// Whether there is a message that claims more than there is of it, or less than was sent.
    pub fn is_cut(&self) -> bool {
        self.beyond.is_some() || self.flags & libc::MSG_CTRUNC as u32 != 0 && !self.messages.is_empty()
    }

    /// Looks at all of what was received, and takes nothing.
    pub fn compare(&self, received: &Received<'_>) {
        assert_eq!(received.flags().bits(), self.flags, "flags");
        let lost = [libc::MSG_TRUNC, libc::MSG_CTRUNC].map(|flag| self.flags & flag as u32 != 0);
        let error = self.first_error();
        assert_eq!([received.data_truncated(), received.control_truncated()], lost);
        assert_eq!((received.control_len(), received.control_capacity()), self.control);
        let incomplete = received.incomplete();
        assert_eq!(incomplete.is_some(), lost != [false; 2] || error.is_some());
        if let Some(incomplete) = incomplete {
            assert_eq!(([incomplete.data, incomplete.control], incomplete.descriptor), (lost, error));
            assert_eq!((incomplete.control_len, incomplete.control_capacity), self.control);
        }
        assert_eq!(received.address().is_some(), self.has_name, "{:?}", received.address());

        let mut messages = received.messages();
        for expected in &self.messages {
            let message = messages.next().expect("there is another message");
            assert_eq!(&seen(message.unwrap()), expected);
            assert!(messages.truncated_message().is_none());
        }
        let error = messages.next().map(|message| match message.map(seen) {
            Err(ControlError::LengthBeyondBuffer { offset, claimed, remaining }) => (offset, claimed, remaining),
            other => panic!("{other:?}, where messages end"),
        });
        assert_eq!(error, self.beyond);
        assert_eq!(messages.truncated_message().map(seen), self.clamped.as_ref().map(Seen::again));
        assert!(messages.next().is_none() && messages.truncated_message().is_none());
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
fn seen(message: Message<'_, BorrowedFd<'_>>) -> Seen {
    match message {
        Message::Other(message) => Seen {
            kind: (message.level(), message.message_type()),
            payload: message.payload().to_vec(),
            has_descriptors: false,
        },
        Message::ScmRights(descriptors) => {
            let rest = descriptors.remainder();
            seen_slots(RIGHTS, descriptors.map(Ok), rest)
        }
        Message::ScmRightsWithErrors(slots) => {
            let rest = slots.remainder();
            let seen = seen_slots(RIGHTS, slots, rest);
            assert!(numbers_in(&seen.payload).any(|slot| slot < 0), "no slot holds an error");
            seen
        }
        #[cfg(target_os = "linux")]
        Message::ScmPidfd(pidfd) => {
            seen_slots((libc::SOL_SOCKET, ancillary::platform::SCM_PIDFD), std::iter::once(pidfd), &[])
        }
        other => panic!("{other:?} was not sent"),
    }
}

fn seen_slots<'r>(
    kind: (c_int, c_int),
    slots: impl ExactSizeIterator<Item = Result<BorrowedFd<'r>, DescriptorError>>,
    remainder: &[u8],
) -> Seen {
    let number = |slot: Result<BorrowedFd<'_>, DescriptorError>| match slot {
        Ok(descriptor) => descriptor.as_raw_fd(),
        Err(none) => none.raw,
    };
    let len = slots.len();
    let slots: Vec<_> = slots.map(number).collect();
    assert_eq!(slots.len(), len);
    let mut payload: Vec<u8> = slots.iter().flat_map(|slot| slot.to_ne_bytes()).collect();
    payload.extend(remainder);
    Seen { kind, payload, has_descriptors: true }
}

/// What has to be seen of the last message that was received.
pub fn expected() -> Expected {
    let kernel = kernel();
    Expected::of(kernel.rules, kernel.last())
}
