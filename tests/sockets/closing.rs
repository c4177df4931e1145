//! What the closing of a descriptor that has arrived can do.

use crate::support::*;
use crate::tests;
use crate::waiting::{Waiting, meanwhile, threads_that_sleep_in_calls_alone};
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_linger;
use rustix::net::{RecvFlags, SocketType};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

tests![closing_can_wait_for_as_long_as_the_sender_chooses if threads_that_sleep_in_calls_alone];

/// A connection over TCP whose closing waits until the peer has read what was written: the end to close, and the peer.
fn lingering() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    set_socket_linger(&near, Some(Duration::from_secs(60))).unwrap();
    near.set_nonblocking(true).unwrap();
    // More than the peer's queue takes. Neither queue grows any more once nothing goes in.
    while let Ok(written) = near.write(&[7; 1 << 16]) {
        assert!(written > 0);
    }
    (near, far)
}

/// To be said: a sender that passes such a socket decides how long the receiver's `drop` takes, and how long a call that
/// receives without room for it: on a socket that does not block, with a flag that asks it not to wait.
fn closing_can_wait_for_as_long_as_the_sender_chooses() {
    for has_room in [true, false] {
        let (here, there) = pair(SocketType::DGRAM);
        rustix::io::ioctl_fionbio(&there, true).unwrap();
        let (near, mut far) = lingering();
        send(&here, b"x", &[near.as_fd()]).unwrap();
        // The message alone has it now.
        drop(near);
        let (mut room, mut data) = ([0xff; 64], [0; 1]);
        let room = if has_room { &mut room[..] } else { &mut [] };
        let until_it_waits = |receiver: &Waiting| {
            let is_waiting = receiver.until_asleep();
            // What is read makes it return.
            far.set_read_timeout(Some(LIMIT)).unwrap();
            let mut all = Vec::new();
            (is_waiting, far.read_to_end(&mut all).map(|_| all.len()))
        };
        let receive_and_close = || {
            let received = receive_flags(&there, &mut data, room, RecvFlags::DONTWAIT)?;
            Ok::<_, Errno>(lost(received.incomplete()))
        };
        let (received, (is_waiting, read)) = meanwhile(until_it_waits, receive_and_close);
        assert_eq!(received, Ok(if has_room { NOTHING } else { CONTROL }));
        assert!(is_waiting, "nothing waited, with room: {has_room}");
        assert!(read.unwrap() > 0);
    }
}
