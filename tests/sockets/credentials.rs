//! Who sent it.

use crate::support::*;
use crate::tests;
use ancillary::message::{EncodeMessage, ScmCredentials, ScmRights};
use ancillary::socket::sendmsg;
use ancillary::{ControlBuffer, Message, Received, control_space};
use rustix::fd::AsFd;
use rustix::io::{Errno, IoSlice};
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

tests![
    explicit_credentials_make_the_round_trip,
    before_the_option_is_on_nobody_is_known,
    an_option_on_the_senders_end_is_enough_to_be_known,
    nobody_may_name_a_process_that_is_not,
    an_unprivileged_sender_may_only_be_itself if can_change_user,
    any_other_length_is_refused,
    credentials_arrive_before_descriptors,
    an_accepted_socket_inherits_the_option,
    two_writers_on_one_stream_are_not_merged if can_change_user,
    the_end_of_a_stream_carries_credentials_and_of_a_seqpacket_none,
];

const SPACE: usize = control_space!(ScmCredentials, ScmRights[2]);

fn send_as(socket: impl AsFd, who: ScmCredentials) -> Result<usize, Errno> {
    let mut space = ControlBuffer::<SPACE>::new();
    let mut control = space.writer();
    control.push(who).unwrap();
    sendmsg(socket, &[IoSlice::new(b"x")], &control, SendFlags::NOSIGNAL)
}

fn credentials(received: &mut Received<'_>) -> Option<ScmCredentials> {
    received.messages().find_map(|message| match message.unwrap() {
        Message::ScmCredentials(who) => Some(who),
        _ => None,
    })
}

fn explicit_credentials_make_the_round_trip() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        set_socket_passcred(&there, true).unwrap();
        let own = ScmCredentials::of_this_process();
        send_as(&here, own).unwrap();
        let mut room = [0xff; SPACE];
        let mut received = receive(&there, &mut [0; 4], &mut room).complete().unwrap();
        assert_eq!(credentials(&mut received), Some(own));
    }
}

/// To be said: turn it on before, or ask `SO_PEERCRED`.
fn before_the_option_is_on_nobody_is_known() {
    let nobody = ScmCredentials { pid: 0, uid: 65534, gid: 65534 };
    for kind in TYPES {
        let (here, there) = pair(kind);
        let mut room = [0xff; SPACE];
        send_plain(&here, b"x").unwrap();
        assert_eq!(credentials(&mut receive(&there, &mut [0], &mut room)), None);
        send_plain(&here, b"x").unwrap();
        set_socket_passcred(&there, true).unwrap();
        assert_eq!(credentials(&mut receive(&there, &mut [0], &mut room)), Some(nobody));
        send_plain(&here, b"x").unwrap();
        assert_eq!(credentials(&mut receive(&there, &mut [0], &mut room)), Some(ScmCredentials::of_this_process()));
    }
}

/// The kernel notes the sender if either end has the option on, and tells it to a receiver that has.
fn an_option_on_the_senders_end_is_enough_to_be_known() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        set_socket_passcred(&here, true).unwrap();
        send_plain(&here, b"x").unwrap();
        set_socket_passcred(&there, true).unwrap();
        let mut room = [0xff; SPACE];
        assert_eq!(credentials(&mut receive(&there, &mut [0], &mut room)), Some(ScmCredentials::of_this_process()));
    }
}

fn nobody_may_name_a_process_that_is_not() {
    let (here, _there) = pair(SocketType::DGRAM);
    let own = ScmCredentials::of_this_process();
    // Who may name others is told that there is no such process.
    let refusals = [Err(Errno::SRCH), Err(Errno::PERM)];
    for pid in [0, i32::MAX] {
        assert!(refusals.contains(&send_as(&here, ScmCredentials { pid, ..own })));
    }
}

fn an_unprivileged_sender_may_only_be_itself() {
    let (here, there) = pair(SocketType::DGRAM);
    set_socket_passcred(&there, true).unwrap();
    let root = ScmCredentials::of_this_process();
    as_user(1000, || {
        let own = ScmCredentials { pid: root.pid, uid: 1000, gid: 1000 };
        assert_eq!(send_as(&here, own), Ok(1));
        for other in
            [ScmCredentials { pid: 1, ..own }, ScmCredentials { uid: 0, ..own }, ScmCredentials { gid: 0, ..own }]
        {
            assert_eq!(send_as(&here, other), Err(Errno::PERM));
        }
    })
    .unwrap();
    let mut room = [0; SPACE];
    let who = credentials(&mut receive(&there, &mut [0], &mut room)).unwrap();
    assert_eq!((who.uid, who.gid), (1000, 1000));
}

fn any_other_length_is_refused() {
    let (here, _there) = pair(SocketType::STREAM);
    for payload_len in [0, 4, 8, 11, 13, 16] {
        let control = message_bytes((libc::SOL_SOCKET, libc::SCM_CREDENTIALS), &vec![0; payload_len]);
        assert_eq!(send_bytes(&here, b"x", &control), Err(Errno::INVAL), "{payload_len}");
    }
}

fn credentials_arrive_before_descriptors() {
    for kind in TYPES {
        for descriptors_first in [false, true] {
            let (here, there) = pair(kind);
            set_socket_passcred(&there, true).unwrap();
            let file = files(1);
            let descriptors = borrowed(&file);
            let mut space = ControlBuffer::<SPACE>::new();
            let mut control = space.writer();
            let (rights, own) = (ScmRights(&descriptors), ScmCredentials::of_this_process());
            if descriptors_first {
                control.push(rights).unwrap();
                control.push(own).unwrap();
            } else {
                own.push_to(&mut control).unwrap();
                rights.push_to(&mut control).unwrap();
            }
            sendmsg(&here, &[IoSlice::new(b"x")], &control, SendFlags::empty()).unwrap();
            let mut room = [0xff; SPACE];
            let received = receive(&there, &mut [0], &mut room).complete().unwrap();
            let mut messages = received.messages();
            assert!(matches!(messages.next(), Some(Ok(Message::ScmCredentials(who))) if who == own));
            assert!(matches!(messages.next(), Some(Ok(Message::ScmRights(list))) if list.len() == 1));
            assert!(messages.next().is_none());
        }
    }
}

fn an_accepted_socket_inherits_the_option() {
    let socket =
        || rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
    let (listener, client) = (socket(), socket());
    rustix::net::bind(&listener, &SocketAddrUnix::new_unnamed()).unwrap();
    set_socket_passcred(&listener, true).unwrap();
    rustix::net::listen(&listener, 1).unwrap();
    rustix::net::connect(&client, &rustix::net::getsockname(&listener).unwrap()).unwrap();
    send_plain(&client, b"x").unwrap();
    let accepted = rustix::net::accept_with(&listener, SocketFlags::CLOEXEC).unwrap();
    let mut room = [0; SPACE];
    let who = credentials(&mut receive(&accepted, &mut [0], &mut room));
    assert_eq!(who, Some(ScmCredentials::of_this_process()));
}

fn two_writers_on_one_stream_are_not_merged() {
    let (here, there) = pair(SocketType::STREAM);
    set_socket_passcred(&there, true).unwrap();
    send_plain(&here, b"root").unwrap();
    as_user(1000, || send_plain(&here, b"user").unwrap()).unwrap();
    let mut room = [0; SPACE];
    for uid in [0, 1000] {
        let mut received = receive(&there, &mut [0; 20], &mut room);
        assert_eq!((received.bytes(), credentials(&mut received).unwrap().uid), (4, uid));
    }
}

/// To be said: those of the end are root's, not those of an unknown sender. A program that trusts user 0 must not trust the end.
fn the_end_of_a_stream_carries_credentials_and_of_a_seqpacket_none() {
    let root = ScmCredentials { pid: 0, uid: 0, gid: 0 };
    for (kind, carried) in [(SocketType::STREAM, Some(root)), (SocketType::SEQPACKET, None)] {
        let (here, there) = pair(kind);
        set_socket_passcred(&there, true).unwrap();
        drop(here);
        let mut room = [0; SPACE];
        let mut received = receive(&there, &mut [0; 4], &mut room);
        assert_eq!((received.bytes(), credentials(&mut received)), (0, carried));
    }
}
