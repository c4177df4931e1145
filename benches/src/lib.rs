//! The interface that every rival stands behind: what it can do, as functions, and a program that does one of them so many
//! times. `compare` runs the programs and counts.
//!
//! The functions are called through pointers, so that none is compiled into the loop and all pay the same for the call.

mod arriving;
mod fixture;
mod program;

use std::mem::MaybeUninit;
use std::net::UdpSocket;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

pub use arriving::{Arriving, MOST, Meta, SEGMENT, SEGMENTS};
pub use fixture::{Credentials, Echo};
pub use program::run;

/// What a rival can do. What it cannot is `None`: it has no such operation, or only one that does less.
pub struct Engine {
    /// Walks a control buffer with messages of descriptors and of credentials and [mixes](mix) every number in them: the
    /// descriptors of one, `pid`, `uid` and `gid` of the other. A rival that reads only what it has received itself has no
    /// such operation.
    pub read: Option<fn(&mut [u8]) -> u64>,
    /// Writes so many messages, two descriptors and credentials in turns, and says how long they are.
    pub write: Option<Write>,
    /// Passes one descriptor beside a byte, receives it into room for one, and closes it. How many were closed.
    pub pass_one: Option<Pass<1>>,
    /// The same with as many as Linux takes.
    pub pass_253: Option<Pass<253>>,
    /// Passes as many as Linux takes, and keeps what arrives in a `Vec` (C: in an array of `malloc`'s) until [`Look`] has seen
    /// it. All buffers are new in each turn.
    pub keep_253: Option<Keep<[BorrowedFd<'static>; 253]>>,
    /// The same with 28, Wayland's most, which the sender has as a slice of `OwnedFd`s: how many, it learns at run time.
    pub forward_28: Option<Keep<[OwnedFd]>>,
    /// Sends [`BATCH`] datagrams of [`DATA`] bytes with one call, the first byte of each its number, and receives them
    /// with another, each with its sender's address, so many times. What stays the same is made once. Mixes for each
    /// datagram the length, the first byte and 0.
    pub batch: Option<fn(&UdpSocket, &UdpSocket, usize) -> u64>,
    /// The same, with `IP_TOS` (the number's last two bits) sent with each, `IP_PKTINFO` and `IP_TOS` received and read,
    /// and the mark mixed in place of 0.
    pub batch_with_control: Option<fn(&UdpSocket, &UdpSocket, usize) -> u64>,
    /// Sends one datagram of [`DATA`] bytes, the first of them the turn's number, and receives it with a call that has room
    /// for [`BATCH`], with its sender's address, so many times. What stays the same is made once. Mixes as `batch`.
    pub batch_of_one: Option<fn(&UdpSocket, &UdpSocket, usize) -> u64>,
    /// Receives what [`Arriving`] brings as quinn-udp does: into buffers and room for metadata that a caller has brought,
    /// and that a call knows nothing of before, up to [`MOST`] with one call.
    pub udp: Option<fn(&mut Arriving)>,
    /// Walks a control buffer with what comes beside a datagram and matches each message with every kind that this crate
    /// can read, and `SCM_TIMESTAMPNS`. Mixes the numbers of each as they stand in its payload.
    pub match_kinds: Option<fn(&mut [u8]) -> u64>,
    /// Serves: answers what [`Echo`] brings, each datagram from the address it was sent to and with its mark.
    pub echo: Option<fn(&mut Echo)>,
}

impl Engine {
    pub const NOTHING: Self = Engine {
        read: None,
        write: None,
        pass_one: None,
        pass_253: None,
        keep_253: None,
        forward_28: None,
        batch: None,
        batch_with_control: None,
        batch_of_one: None,
        udp: None,
        match_kinds: None,
        echo: None,
    };

    /// Without the operations of the other program: that with the feature `apart` has some, that without it the rest. A
    /// function of a rival's with more callers is compiled otherwise, and more operations would change what the first cost.
    pub const fn of_this_program(self) -> Self {
        let Engine { keep_253, forward_28, batch_of_one, udp, match_kinds, .. } = self;
        if cfg!(feature = "apart") {
            Engine { keep_253, forward_28, batch_of_one, udp, match_kinds, ..Engine::NOTHING }
        } else {
            Engine { keep_253: None, forward_28: None, batch_of_one: None, udp: None, match_kinds: None, ..self }
        }
    }
}

/// Writes messages and says how long they are. (The arguments are C's, in C's order: what stands in C behind such a pointer
/// is one jump away.)
pub type Write = fn(&mut [MaybeUninit<u8>], &[BorrowedFd<'_>; 2], &Credentials, usize) -> usize;
/// Passes descriptors and says how many have arrived and were closed.
pub type Pass<const COUNT: usize> = fn(&UnixStream, &UnixStream, &[BorrowedFd<'_>; COUNT]) -> usize;

/// Passes descriptors, keeps what arrives, shows it, closes it, and says what [`Look`] says.
pub type Keep<T> = fn(&UnixStream, &UnixStream, &T, Look) -> usize;
/// What a program does with the descriptors it has kept. (It is C's so that C can call it.)
pub type Look = extern "C" fn(*const OwnedFd, usize) -> usize;

pub const BATCH: usize = 64;
pub const DATA: usize = 64;

/// Takes one more number into a digest.
#[inline(always)]
pub fn mix(digest: u64, number: u32) -> u64 {
    digest.wrapping_mul(31).wrapping_add(u64::from(number))
}
