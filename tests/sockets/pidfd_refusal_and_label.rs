//! The process of the sender as a descriptor, receivers that refuse, labels.

use crate::kernel::needs_kernel;
use crate::support::*;
use crate::tests;
use ancillary::message::{DescriptorError, ScmCredentials, ScmRights};
use ancillary::{Message, control_space};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::SocketType;
use rustix::net::sockopt::set_socket_passcred;

tests![
    a_pidfd_comes_without_credentials_and_is_close_on_exec if pidfds,
    the_order_is_credentials_rights_pidfd if pidfds,
    the_pidfd_of_a_sender_that_was_reaped if pidfd_of_the_reaped,
    without_a_free_number_the_slot_holds_an_error if pidfd_and_a_limit,
    rights_can_take_the_room_of_the_pidfd if pidfds,
    a_receiver_can_refuse_descriptors if refusal,
    without_a_security_module_there_is_no_label if no_label,
    a_label_is_a_message if a_security_module,
    a_label_on_a_stream_needs_credentials if a_security_module,
    an_option_the_kernel_does_not_know_is_refused if slots_cannot_be_kept,
    a_receiver_that_keeps_every_slot if slots_can_be_kept,
];

fn pidfd_and_a_limit() -> Result<(), String> {
    pidfds()?;
    a_limit_of_descriptors()
}

fn pidfd_of_the_reaped() -> Result<(), String> {
    pidfds()?;
    needs_kernel(6, 17, "a pidfd of a reaped process")
}

fn refusal() -> Result<(), String> {
    has_option(SO_PASSRIGHTS, "SO_PASSRIGHTS (Linux 6.16)")
}

fn no_label() -> Result<(), String> {
    if has_label() { Err("a security module here gives a label".into()) } else { Ok(()) }
}

fn slots_can_be_kept() -> Result<(), String> {
    has_option(SO_RIGHTS_NOTRUNC, "SO_RIGHTS_NOTRUNC (Linux 7.3)")
}

fn slots_cannot_be_kept() -> Result<(), String> {
    if slots_can_be_kept().is_err() { Ok(()) } else { Err("this kernel has SO_RIGHTS_NOTRUNC".into()) }
}

fn an_option_the_kernel_does_not_know_is_refused() {
    let (here, _there) = pair(SocketType::STREAM);
    assert_eq!(set_option(&here, SO_RIGHTS_NOTRUNC, 1), Err(Errno::NOPROTOOPT));
}

fn receiver_of_pidfds(kind: SocketType) -> (OwnedFd, OwnedFd) {
    let (here, there) = pair(kind);
    set_option(&there, SO_PASSPIDFD, 1).unwrap();
    (here, there)
}

fn a_pidfd_comes_without_credentials_and_is_close_on_exec() {
    for kind in TYPES {
        let (here, there) = receiver_of_pidfds(kind);
        send_plain(&here, b"x").unwrap();
        let mut room = [0xff; 64];
        let mut received = receive(&there, &mut [0], &mut room).complete().unwrap();
        let Some(Ok(Message::ScmPidfd(Ok(looked_at)))) = received.messages().next() else { panic!() };
        let number = looked_at.as_raw_fd();
        let mut messages = received.take_messages();
        let Some(Ok(Message::ScmPidfd(Ok(pidfd)))) = messages.next() else { panic!() };
        assert!(is_close_on_exec(&pidfd) && pidfd.as_raw_fd() == number);
        assert!(messages.next().is_none());
    }
}

fn the_order_is_credentials_rights_pidfd() {
    let (here, there) = receiver_of_pidfds(SocketType::STREAM);
    set_socket_passcred(&there, true).unwrap();
    send(&here, b"x", &borrowed(&files(1))).unwrap();
    let mut room = [0xff; control_space!(ScmCredentials, ScmRights[1], ancillary::message::ScmPidfd)];
    let received = receive(&there, &mut [0], &mut room).complete().unwrap();
    let mut messages = received.messages().map(Result::unwrap);
    assert!(matches!(messages.next(), Some(Message::ScmCredentials(_))));
    assert!(matches!(messages.next(), Some(Message::ScmRights(_))));
    assert!(matches!(messages.next(), Some(Message::ScmPidfd(_))));
    assert!(messages.next().is_none());
}

fn the_pidfd_of_a_sender_that_was_reaped() {
    let (here, there) = receiver_of_pidfds(SocketType::DGRAM);
    set_socket_passcred(&there, true).unwrap();
    assert!(sending_child(here, 0).wait().unwrap().success());
    let mut room = [0xff; 128];
    let mut received = receive(&there, &mut [0; 64], &mut room);
    let mut pidfds = received.take_messages().filter_map(|message| match message.unwrap() {
        Message::ScmPidfd(pidfd) => Some(pidfd.unwrap()),
        _ => None,
    });
    let pidfd = pidfds.next().unwrap();
    let facts = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).unwrap();
    assert!(facts.contains("Pid:\t-1"), "{facts}");
}

fn without_a_free_number_the_slot_holds_an_error() {
    let (here, there) = receiver_of_pidfds(SocketType::STREAM);
    send_plain(&here, b"x").unwrap();
    let limit = DescriptorLimit::numbers_below(lowest_free_number());
    let mut room = [0xff; 64];
    let mut received = receive(&there, &mut [0], &mut room);
    drop(limit);
    assert!(!received.data_truncated() && !received.control_truncated());
    let Some(Ok(Message::ScmPidfd(Err(none)))) = received.messages().next() else { panic!() };
    assert_eq!((none.errno(), none), (Some(Errno::MFILE), DescriptorError { raw: -libc::EMFILE }));
    // That is nothing the peer has sent.
    assert_eq!(received.take_descriptors().unwrap().len(), 0);
    drop(received);

    send_plain(&here, b"x").unwrap();
    let limit = DescriptorLimit::numbers_below(lowest_free_number());
    let mut received = receive(&there, &mut [0], &mut room);
    drop(limit);
    let Some(Ok(Message::ScmPidfd(Err(taken)))) = received.take_messages().next() else { panic!() };
    assert_eq!(taken, none);
}

fn rights_can_take_the_room_of_the_pidfd() {
    let (here, there) = receiver_of_pidfds(SocketType::STREAM);
    send(&here, b"x", &borrowed(&files(1))).unwrap();
    let mut room = vec![0xff; NATIVE.len(4).unwrap()];
    let mut received = receive(&there, &mut [0], &mut room);
    assert_eq!(lost(received.incomplete()), CONTROL);
    assert_eq!(take_all(&mut received).len(), 1);
}

fn a_receiver_can_refuse_descriptors() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        set_option(&there, SO_PASSRIGHTS, 0).unwrap();
        assert_eq!(send(&here, b"x", &borrowed(&files(1))), Err(Errno::PERM));
        assert_eq!(send_plain(&here, b"x"), Ok(1));
    }
}

fn without_a_security_module_there_is_no_label() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        set_option(&there, libc::SO_PASSSEC, 1).unwrap();
        send_plain(&here, b"x").unwrap();
        let mut room = [0; 4096];
        assert!(receive(&there, &mut [0], &mut room).complete().unwrap().messages().next().is_none());
    }
}

fn a_label_is_a_message() {
    let (here, there) = pair(SocketType::DGRAM);
    set_option(&there, libc::SO_PASSSEC, 1).unwrap();
    send_plain(&here, b"x").unwrap();
    let mut room = [0; 4096];
    let received = receive(&there, &mut [0], &mut room).complete().unwrap();
    let Some(Ok(Message::ScmSecurity(security))) = received.messages().next() else { panic!() };
    assert!(!security.label().is_empty());
}

/// Finding C: with `SO_PASSSEC` alone, datagrams and records of a seqpacket socket have a label, and a stream has none, on
/// every kernel up to 7.3.
fn a_label_on_a_stream_needs_credentials() {
    for kind in TYPES {
        for with_credentials in [false, true] {
            let (here, there) = pair(kind);
            set_option(&there, libc::SO_PASSSEC, 1).unwrap();
            set_socket_passcred(&there, with_credentials).unwrap();
            send_plain(&here, b"x").unwrap();
            let mut room = [0; 4096];
            let received = receive(&there, &mut [0], &mut room).complete().unwrap();
            let has_label = received.messages().any(|message| matches!(message, Ok(Message::ScmSecurity(_))));
            assert_eq!(has_label, kind != SocketType::STREAM || with_credentials, "{kind:?}, {with_credentials}");
        }
    }
}

/// With `SO_RIGHTS_NOTRUNC`, a file that a security module keeps back leaves its error in the slot. That slot is the test
/// `ownership::negative_slots_are_values`; here no module keeps anything back.
fn a_receiver_that_keeps_every_slot() {
    let (here, there) = pair(SocketType::STREAM);
    set_option(&there, SO_RIGHTS_NOTRUNC, 1).unwrap();
    send(&here, b"x", &borrowed(&files(2))).unwrap();
    let mut room = [0; 64];
    let mut received = receive(&there, &mut [0], &mut room).complete().unwrap();
    assert_eq!(take_all(&mut received).len(), 2);
}
