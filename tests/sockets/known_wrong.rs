//! What is wrong today and mended by a later change: each test asserts what is right, and passes while it is not so.

use crate::harness::still_wrong;
use crate::support::*;
use crate::tests;
use ancillary::{Message, Received};
use rustix::net::SocketType;

tests![
    w6_complete_means_that_everything_arrived if pidfds_and_a_limit,
    w7_what_the_system_keeps_back_is_not_a_lack_of_room if a_limit_of_descriptors,
];

fn pidfds_and_a_limit() -> Result<(), String> {
    pidfds()?;
    a_limit_of_descriptors()
}

/// Whether there is a slot without a descriptor in it.
fn lacks_a_descriptor(received: &mut Received<'_>) -> bool {
    received.messages().any(|message| match message.unwrap() {
        Message::ScmRights(list) | Message::ScmPidfd(list) => list.iter().any(|slot| slot.is_err()),
        _ => false,
    })
}

/// Case W6: the table of descriptors is full, so the slot of `SCM_PIDFD` has an error. Either `complete` fails, or what it
/// returns is whole.
fn w6_complete_means_that_everything_arrived() {
    let (here, there) = pair(SocketType::STREAM);
    set_option(&there, SO_PASSPIDFD, 1).unwrap();
    send_plain(&here, b"x").unwrap();
    let limit = DescriptorLimit::numbers_below(lowest_free_number());
    let mut room = [0xff; 64];
    let received = receive(&there, &mut [0], &mut room);
    drop(limit);
    still_wrong("W6", || {
        if let Ok(mut complete) = received.complete() {
            assert!(!lacks_a_descriptor(&mut complete), "W6: all of it has arrived, and a descriptor is lacking");
        }
    });
}

/// Case W7: 3 descriptors, and either room for 60 and one free number, or room for one and free numbers enough. One
/// descriptor arrives both times; the result does not show for which reason the others were lost.
///
/// (If it is mended by something else than what is compared here, compare that.)
fn w7_what_the_system_keeps_back_is_not_a_lack_of_room() {
    let (here, there) = pair(SocketType::STREAM);
    let sent = files(3);
    let (mut long, mut short) = ([0xff; 256], [0xff; NATIVE.data_offset() + 4]);
    send(&here, b"x", &borrowed(&sent)).unwrap();
    let mut short_of_room = receive(&there, &mut [0], &mut short);
    assert_eq!(take_all(&mut short_of_room).len(), 1);
    send(&here, b"x", &borrowed(&sent)).unwrap();
    drop(sent);
    let (limit, filling) = with_free_numbers(1);
    let mut kept_back = receive(&there, &mut [0], &mut long);
    drop((limit, filling));
    assert_eq!(take_all(&mut kept_back).len(), 1);
    assert!(kept_back.control_truncated() && short_of_room.control_truncated());
    still_wrong("W7", || {
        assert_ne!(kept_back.truncated(), short_of_room.truncated(), "W7: both results are the same");
    });
}
