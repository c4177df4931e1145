//! Who owns the descriptors that a multishot request has brought.

use super::*;
use crate::kernel::no_unasked_messages_of_a_ring;
use crate::tests;
use ancillary::message::{ScmCredentials, ScmPidfd};
use ancillary::{Message, control_len};
use rustix::net::sockopt::set_socket_passcred;

tests![
    one_request_for_many_messages if multishot_receiving_without_unasked_messages,
    nobody_looks if multishot_receiving,
    close_on_exec_is_the_flags_to_say if multishot_receiving,
    credentials_come_first if multishot_receiving,
    the_process_of_the_sender_is_owned if multishot_receiving_of_processes,
    control_messages_were_cut if multishot_receiving,
    a_full_table_of_descriptors if multishot_receiving_and_a_limit,
    without_room_for_control_messages if multishot_receiving,
    every_peek_is_owned if multishot_receiving,
];

/// Finding A.
fn multishot_receiving_without_unasked_messages() -> Result<(), String> {
    multishot_receiving()?;
    no_unasked_messages_of_a_ring()
}

fn one_request_for_many_messages() {
    for kind in TYPES {
        let ((here, there), sent) = (pair(kind), files(3));
        let mut shots = Shots::new(header(0, RIGHTS_ROOM), 8, 256);
        shots.request(&there, CLOEXEC_ON_RECEIVE);
        for count in [2, 3, 1, 0, 3] {
            let text = format!("{count} files");
            if count == 0 {
                send_plain(&here, text.as_bytes()).unwrap();
            } else {
                send(&here, text.as_bytes(), &borrowed(&sent[..count])).unwrap();
            }
            let ((), more) = shots.next(|received, data| {
                let mut received = received.complete().unwrap();
                assert_eq!((received.bytes(), &*data), (text.len(), text.as_bytes()));
                assert_eq!(received.address(), None);
                let arrived = take_all(&mut received);
                assert_eq!(arrived.len(), count);
                assert!(arrived.iter().zip(&sent).all(|(arrived, sent)| same_file(arrived, sent)));
                assert!(arrived.iter().all(is_close_on_exec));
            });
            assert!(more, "the request is still there");
        }
    }
}

fn nobody_looks() {
    let (here, there) = pair(SocketType::DGRAM);
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 4, 256);
    let before = open_descriptors().len();
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    send(&here, b"x", &borrowed(&files(3))).unwrap();
    let (open, _) = shots.next(|received, _| {
        drop(received);
        open_descriptors().len()
    });
    assert_eq!(open, before);
}

fn close_on_exec_is_the_flags_to_say() {
    for flags in [CLOEXEC_ON_RECEIVE, RecvFlags::empty()] {
        let (here, there) = pair(SocketType::DGRAM);
        let mut shots = Shots::new(header(0, RIGHTS_ROOM), 4, 256);
        shots.request(&there, flags);
        send(&here, b"x", &borrowed(&files(1))).unwrap();
        shots.next(|mut received, _| {
            assert_eq!(received.flags(), ReturnFlags::empty());
            assert_eq!(is_close_on_exec(&take_all(&mut received)[0]), flags == CLOEXEC_ON_RECEIVE);
        });
    }
}

fn credentials_come_first() {
    let (here, there) = pair(SocketType::DGRAM);
    set_socket_passcred(&there, true).unwrap();
    let mut shots = Shots::new(header(0, control_space!(ScmCredentials, ScmRights[2])), 4, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    send(&here, b"x", &borrowed(&files(2))).unwrap();
    shots.next(|received, _| {
        let received = received.complete().unwrap();
        let mut messages = received.messages();
        let first = messages.next();
        assert!(matches!(first, Some(Ok(Message::ScmCredentials(who))) if who == ScmCredentials::of_this_process()));
        let second = messages.next();
        assert!(matches!(second, Some(Ok(Message::ScmRights(descriptors))) if descriptors.len() == 2));
    });
}

fn multishot_receiving_of_processes() -> Result<(), String> {
    multishot_receiving()?;
    has_option(SO_PASSPIDFD, "SO_PASSPIDFD")
}

/// It is close-on-exec whatever the flags.
fn the_process_of_the_sender_is_owned() {
    let (here, there) = pair(SocketType::DGRAM);
    set_option(&there, SO_PASSPIDFD, 1).unwrap();
    let mut shots = Shots::new(header(0, control_space!(ScmRights[1], ScmPidfd)), 4, 256);
    shots.request(&there, RecvFlags::empty());
    let before = open_descriptors().len();
    for taken in [false, true] {
        send(&here, b"x", &borrowed(&files(1))).unwrap();
        shots.next(|received, _| {
            let received = received.complete().unwrap();
            if taken {
                let mut processes = received.into_messages().filter_map(|message| match message.unwrap() {
                    Message::ScmPidfd(descriptor) => Some(descriptor.unwrap()),
                    _ => None,
                });
                assert!(is_close_on_exec(processes.next().unwrap()));
            } else {
                let mut processes = received.messages().filter_map(|message| match message.unwrap() {
                    Message::ScmPidfd(descriptor) => Some(descriptor.unwrap()),
                    _ => None,
                });
                assert!(is_close_on_exec(processes.next().unwrap()));
            }
        });
        assert_eq!(open_descriptors().len(), before);
    }
}

fn control_messages_were_cut() {
    let (here, there) = pair(SocketType::DGRAM);
    let before = open_descriptors().len();
    let mut shots = Shots::new(header(0, control_len!(ScmRights[1])), 4, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    let sent = files(3);
    send(&here, b"data", &borrowed(&sent)).unwrap();
    shots.next(|mut received, data| {
        assert_eq!((lost(received.incomplete()), &*data), (CONTROL, &b"data"[..]));
        let arrived = take_all(&mut received);
        assert!(arrived.len() == 1 && same_file(&arrived[0], &sent[0]));
    });
    drop((shots, sent));
    assert_eq!(open_descriptors().len(), before);
}

fn multishot_receiving_and_a_limit() -> Result<(), String> {
    multishot_receiving()?;
    a_limit_of_descriptors()
}

/// It shows as truncation, and what there was room for is owned.
fn a_full_table_of_descriptors() {
    let ((here, there), sent) = (pair(SocketType::DGRAM), files(3));
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 4, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    // Every number below the limit is in use, but for the last ones.
    let open = open_descriptors();
    let filling = files((open.last().unwrap() + 1) as usize - open.len());
    let limit = open_descriptors().len() as u64;
    for free in 0..=3 {
        let limit = DescriptorLimit::numbers_below(limit + free);
        send(&here, b"data", &borrowed(&sent)).unwrap();
        shots.next(|mut received, data| {
            drop(limit);
            assert_eq!((received.control_truncated(), &*data), (free < 3, &b"data"[..]));
            assert_eq!(take_all(&mut received).len(), free as usize);
        });
    }
    drop(filling);
}

fn without_room_for_control_messages() {
    let (here, there) = pair(SocketType::STREAM);
    let mut shots = Shots::new(header(0, 0), 4, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    send(&here, b"data", &borrowed(&files(2))).unwrap();
    shots.next(|mut received, data| {
        assert_eq!((lost(received.incomplete()), &*data), (CONTROL, &b"data"[..]));
        assert_eq!(take_all(&mut received).len(), 0);
    });
}

/// The same message again and again, until no buffer is left, and each time with descriptors of its own.
fn every_peek_is_owned() {
    let ((here, there), before) = (pair(SocketType::DGRAM), open_descriptors().len());
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 3, 256);
    send(&here, b"x", &borrowed(&files(2))).unwrap();
    shots.request(&there, CLOEXEC_ON_RECEIVE | RecvFlags::PEEK);
    let mut taken = Vec::new();
    for _ in 0..3 {
        shots.next(|mut received, _| taken.extend(take_all(&mut received)));
    }
    assert_eq!(taken.len(), 6);
    shots.ends_with(Errno::NOBUFS);
    drop((taken, shots));
    assert_eq!(open_descriptors().len(), before);
}
