//! Many messages in one call.

pub mod ending;
pub mod internet;
pub mod owning;
pub mod receiving;
pub mod sending;

use crate::harness::the_kernel_itself;
use crate::support::*;
use ancillary::control::ControlSliceMut;
use ancillary::message::{ScmCredentials, ScmRights};
use ancillary::received::recvmmsg;
use ancillary::socket::sendmmsg;
use ancillary::socket::{RecvOptions, RecvRoom, RecvSlot, SendSlot, WAIT_FOR_ONE, set_delivery};
use ancillary::{ControlBuffer, ControlWriter, Message, control_len, control_space};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    AddressFamily, RecvFlags, ReturnFlags, SendFlags, SocketAddrUnix, SocketType, bind, connect, recv,
    send as plain_send, socket,
};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

const ROOM: usize = control_space!(ScmRights[4]);

fn the_kernels_batches() -> Result<(), String> {
    the_kernel_itself("a batch goes on after a message that was sent in part")
}

fn slots<const N: usize>() -> [RecvSlot; N] {
    [const { RecvSlot::new() }; N]
}

/// Rooms of one slice each.
macro_rules! rooms {
    ($name:ident: $count:literal of $size:literal bytes, $room:expr) => {
        let mut buffers = [[0u8; $size]; $count];
        let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let mut spaces = [const { ControlBuffer::<{ $room }>::new() }; $count];
        let mut spaces = spaces.iter_mut();
        let mut $name = slices.each_mut().map(|slices| RecvRoom::new(slices, spaces.next().unwrap()));
    };
}

use rooms;

/// A name in no file system, of this process.
fn abstract_name(name: &str) -> SocketAddrUnix {
    let name = format!("ancillary-test-{}-{name}", std::process::id());
    SocketAddrUnix::new_abstract_name(name.as_bytes()).unwrap()
}

fn send_numbered(socket: impl AsFd, count: usize, descriptors: usize) {
    let sent = files(descriptors);
    for number in 0..count {
        send(&socket, &[number as u8], &borrowed(&sent)).unwrap();
    }
}

fn count_waiting(socket: &OwnedFd) -> usize {
    rooms!(rooms: 64 of 1 bytes, ROOM);
    let (mut slots, mut count) = (slots::<64>(), 0);
    while let Ok(batch) = recvmmsg(socket, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None) {
        count += batch.len();
    }
    count
}
