//! What a socket keeps of errors, timestamps and data that was sent without a copy: `MSG_ERRQUEUE`.
//!
//! Each row of the table "The error queue" is a test here, and what follows from errors that come later.

pub mod datagrams;
pub mod streams;

use crate::kernel::the_kernels_error_queue;
use crate::support::*;
use crate::waiting::interrupted;
use ancillary::Message;
use ancillary::received::recvmsg;
use rustix::fd::AsFd;
use rustix::io::{Errno, IoSliceMut};
use rustix::net::{RecvFlags, ReturnFlags, SocketAddrAny};

// Options and flags are by the kernel's numbers (`include/uapi/linux/in.h`, `in6.h`, `net_tstamp.h`).
const IP_RECVERR: (i32, i32) = (libc::IPPROTO_IP, 11);
/// A `struct sock_extended_err` (`include/uapi/linux/errqueue.h`): 16 bytes, in the order of these fields, with one byte
/// of padding after `code`.
#[derive(Debug, Default, PartialEq)]
struct ExtendedError {
    /// 0..4
    errno: u32,
    /// 4
    origin: u8,
    /// 5
    kind: u8,
    /// 6
    code: u8,
    /// 8..12
    info: u32,
    /// 12..16
    data: u32,
}

impl ExtendedError {
    const LEN: usize = 16;

    /// Returns the error, and the address after it: where it was found.
    fn split(payload: &[u8]) -> (Self, &[u8]) {
        let word = |at: usize| u32::from_ne_bytes(payload[at..at + 4].try_into().unwrap());
        let (origin, kind, code) = (payload[4], payload[5], payload[6]);
        let error = ExtendedError { errno: word(0), origin, kind, code, info: word(8), data: word(12) };
        (error, &payload[Self::LEN..])
    }
}

fn family_of(address: &[u8]) -> i32 {
    u16::from_ne_bytes(*address.first_chunk().unwrap()).into()
}

type Raw = ((i32, i32), Vec<u8>);

/// What one call has taken from an error queue.
struct Taken {
    bytes: usize,
    data: Vec<u8>,
    address: Option<SocketAddrAny>,
    messages: Vec<Raw>,
}

impl Taken {
    /// The error, what offender comes with it, and its kind and length.
    #[track_caller]
    fn error(&self) -> (ExtendedError, &[u8], (i32, i32), usize) {
        let (kind, payload) = self.messages.last().expect("a control message");
        let (error, offender) = ExtendedError::split(payload);
        (error, offender, *kind, payload.len())
    }
}

fn take(socket: impl AsFd) -> Result<Taken, Errno> {
    let (mut data, mut room) = ([0; 128], [0xff; 256]);
    let mut slices = [IoSliceMut::new(&mut data)];
    let received = recvmsg(socket, &mut slices, &mut room, RecvFlags::ERRQUEUE)?.complete().unwrap();
    assert_eq!(received.flags(), ReturnFlags::ERRQUEUE);
    let messages = received
        .messages()
        .map(|message| match message.unwrap() {
            Message::Other(message) => ((message.level(), message.message_type()), message.payload().to_vec()),
            other => panic!("{other:?}"),
        })
        .collect();
    let (bytes, address) = (received.bytes(), received.address().cloned());
    drop(received);
    Ok(Taken { bytes, data: data[..bytes].to_vec(), address, messages })
}

/// Waits for an entry, and takes it.
#[track_caller]
fn next(socket: impl AsFd) -> Taken {
    wait_for(&socket, libc::POLLERR);
    take(socket).unwrap()
}

/// `EAGAIN`, also on a socket that blocks: were the call to wait, a signal would end it.
#[track_caller]
fn assert_no_more(socket: impl AsFd + Sync) {
    assert_eq!(interrupted(|| take(socket.as_fd()).map(|_| ())), Err(Errno::AGAIN));
}

#[track_caller]
fn turn_on(socket: impl AsFd, option: (i32, i32), value: i32) {
    set_option_of(socket, option, value).unwrap();
}
