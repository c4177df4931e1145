//! Who owns what arrived: whatever the caller does, every descriptor is closed once.

use crate::support::*;
use ancillary::Received;
use rustix::fd::{FromRawFd, OwnedFd, RawFd};
use rustix::net::SocketType;

pub mod bytes;
pub mod counting;
pub mod dropping;
pub mod forgetting;
pub mod looking;
pub mod made_up;
pub mod slots;
pub mod taking;

const PIDFD: (i32, i32) = (libc::SOL_SOCKET, 4);
const OTHER: (i32, i32) = (41, 50);

fn received_with<'c>(count: usize, room: &'c mut [u8]) -> Received<'c> {
    let (here, there) = pair(SocketType::DGRAM);
    send(&here, b"x", &borrowed(&files(count))).unwrap();
    receive(&there, &mut [0], room)
}

fn payload_of(numbers: &[RawFd]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

/// One message of these numbers.
fn rights_of(numbers: &[RawFd]) -> Vec<u8> {
    message_bytes(RIGHTS, &payload_of(numbers))
}

/// Two messages of two descriptors, and another between them.
fn two_messages(sent: &[OwnedFd]) -> Vec<u8> {
    two_messages_of(&ownerless_duplicates(sent))
}

fn two_messages_of(numbers: &[RawFd]) -> Vec<u8> {
    [rights_of(&numbers[..2]), message_bytes(OTHER, b"other"), rights_of(&numbers[2..])].concat()
}

/// Which of these numbers are open.
fn open_of(numbers: &[RawFd]) -> Vec<RawFd> {
    let open = open_descriptors();
    numbers.iter().copied().filter(|number| open.contains(number)).collect()
}

/// Closes what was leaked. Each has to be open, and to have no owner.
fn close_leaked(numbers: &[RawFd]) {
    assert_eq!(open_of(numbers), numbers);
    for number in numbers {
        // SAFETY: what could have owned it was forgotten.
        drop(unsafe { OwnedFd::from_raw_fd(*number) });
    }
}
