//! Too little room: what arrives is owned, and that something is missing is told.

use crate::support::*;
use crate::tests;
use ancillary::control::ControlSliceMut;
use ancillary::message::{DecodeError, DescriptorError, ScmCredentials, ScmRights};
use ancillary::received::recvmsg;
use ancillary::socket::sendmsg;
use ancillary::socket::{RecvMsgHdr, recvmsg_raw};
use ancillary::{ControlBuffer, Message, control_len, control_space};
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{RecvFlags, SendFlags, SocketType};

tests![
    room_for_no_descriptor if the_kernels_truncation,
    room_for_as_many_as_fit_at_every_length if the_kernels_truncation,
    room_for_one_by_space_is_room_for_two if room_for_two_or_the_kernels_truncation,
    room_for_one_by_length_is_room_for_one if the_kernels_truncation,
    a_full_table_of_descriptors_shows_as_truncation if a_limit_of_descriptors,
    one_free_number_for_three_descriptors if a_limit_of_descriptors,
    credentials_are_cut_at_every_byte if the_kernels_truncation,
    credentials_come_first_and_eat_the_room if the_kernels_truncation,
    cut_data_still_brings_descriptors,
    memory_that_is_not_there if the_kernels_truncation,
    a_peek_with_little_room_loses_nothing if the_kernels_truncation,
    after_a_truncated_call_the_next_is_clean if the_kernels_truncation,
    padding_is_not_written_by_the_kernel,
    every_room_is_parsed_to_a_clean_end if the_kernels_truncation,
    an_incomplete_result_closes_what_arrived if the_kernels_truncation,
    an_error_in_a_slot_is_not_complete if pidfds_and_a_limit,
    what_the_system_keeps_back_is_not_a_lack_of_room if a_limit_and_the_kernels_truncation,
    what_is_said_of_it if the_kernels_truncation,
];

const HEADER: usize = NATIVE.data_offset();

fn room_for_no_descriptor() {
    for kind in TYPES {
        for room_len in 0..NATIVE.len(4).unwrap() {
            let (here, there) = pair(kind);
            send(&here, b"data", &borrowed(&files(1))).unwrap();
            let mut room = vec![0xff; room_len];
            let received = receive(&there, &mut [0; 8], &mut room);
            assert_eq!((received.bytes(), lost(received.incomplete())), (4, CONTROL));
            assert!(received.messages().next().is_none());
        }
    }
}

fn room_for_as_many_as_fit_at_every_length() {
    for kind in TYPES {
        for room_len in HEADER..=HEADER + 24 {
            let (here, there) = pair(kind);
            let sent = files(4);
            send(&here, b"x", &borrowed(&sent)).unwrap();
            let mut room = vec![0xff; room_len];
            let mut received = receive(&there, &mut [0], &mut room);
            let fitting = ((room_len - HEADER) / 4).min(4);
            assert_eq!(received.control_truncated(), fitting < 4, "{room_len}");
            let arrived = take_all(&mut received);
            assert_eq!(arrived.len(), fitting, "{room_len}");
            assert!(sent.iter().zip(&arrived).all(|(sent, arrived)| same_file(sent, arrived)));
        }
    }
}

fn room_for_one_by_space_is_room_for_two() {
    let (here, there) = pair(SocketType::STREAM);
    send(&here, b"x", &borrowed(&files(2))).unwrap();
    let mut space = ControlBuffer::<{ control_space!(ScmRights[1]) }>::new();
    let mut data = [0; 1];
    let mut received = recvmsg(&there, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty()).unwrap();
    // On 32 bits there is no padding after one descriptor.
    let fitting = (control_space!(ScmRights[1]) - HEADER) / 4;
    assert_eq!(received.control_truncated(), fitting < 2);
    assert_eq!(take_all(&mut received).len(), fitting);
}

fn room_for_one_by_length_is_room_for_one() {
    for wanted in [control_len!(ScmRights[1]), control_len!(ScmRights[3])] {
        let (here, there) = pair(SocketType::SEQPACKET);
        send(&here, b"x", &borrowed(&files(8))).unwrap();
        let mut room = vec![0; wanted];
        let mut received = receive(&there, &mut [0], &mut room);
        assert_eq!(lost(received.incomplete()), CONTROL);
        assert_eq!(take_all(&mut received).len(), (wanted - HEADER) / 4);
    }
}

fn a_full_table_of_descriptors_shows_as_truncation() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        send(&here, b"data", &borrowed(&files(1))).unwrap();
        let limit = DescriptorLimit::numbers_below(lowest_free_number());
        let mut room = [0xff; 64];
        let mut received = receive(&there, &mut [0; 8], &mut room);
        drop(limit);
        assert_eq!((received.bytes(), lost(received.incomplete())), (4, CONTROL));
        assert!(received.take_descriptors().unwrap().next().is_none());
    }
}

fn one_free_number_for_three_descriptors() {
    let (here, there) = pair(SocketType::STREAM);
    let sent = files(3);
    send(&here, b"x", &borrowed(&sent)).unwrap();
    drop(sent);
    // Fill every gap, so that the limit leaves exactly one number.
    let open = open_descriptors();
    let highest = *open.last().unwrap();
    let filling: Vec<_> = (open.len() as i32..=highest).map(|_| files(1)).collect();
    let free = lowest_free_number();
    let limit = DescriptorLimit::numbers_below(free + 1);
    let mut room = [0xff; 64];
    let mut received = receive(&there, &mut [0], &mut room);
    drop(limit);
    assert_eq!(lost(received.incomplete()), CONTROL);
    assert_eq!(take_all(&mut received).len(), 1);
    drop(filling);
}

fn credentials_are_cut_at_every_byte() {
    for kind in TYPES {
        for room_len in HEADER..=NATIVE.space(12).unwrap() {
            let (here, there) = pair(kind);
            set_socket_passcred(&there, true).unwrap();
            send_plain(&here, b"x").unwrap();
            let mut room = vec![0xff; room_len];
            let received = receive(&there, &mut [0], &mut room);
            let whole = room_len >= NATIVE.len(12).unwrap();
            assert_eq!(received.control_truncated(), !whole);
            let mut messages = received.messages();
            match messages.next().unwrap().unwrap() {
                Message::ScmCredentials(who) => {
                    assert!(whole);
                    assert_eq!(who, ScmCredentials::of_this_process());
                }
                Message::Other(message) => {
                    assert!(!whole);
                    assert!(message.is::<ScmCredentials>());
                    assert_eq!(message.payload().len(), room_len - HEADER);
                    let error = message.decode::<ScmCredentials>().unwrap().unwrap_err();
                    assert!(
                        matches!(error, DecodeError::WrongLength { expected: 12, actual, .. } if actual == room_len - HEADER)
                    );
                }
                other => panic!("{other:?}"),
            }
            assert!(messages.next().is_none());
        }
    }
}

fn credentials_come_first_and_eat_the_room() {
    let (here, there) = pair(SocketType::STREAM);
    set_socket_passcred(&there, true).unwrap();
    for (room_len, descriptors) in [
        (control_space!(ScmRights[1]), 0),
        (control_space!(ScmCredentials), 0),
        (control_len!(ScmCredentials, ScmRights[1]), 1),
        (control_space!(ScmCredentials, ScmRights[1]), 1),
    ] {
        send(&here, b"x", &borrowed(&files(1))).unwrap();
        let mut room = vec![0xff; room_len];
        let mut received = receive(&there, &mut [0], &mut room);
        assert_eq!(received.control_truncated(), descriptors == 0, "{room_len}");
        assert_eq!(take_all(&mut received).len(), descriptors, "{room_len}");
    }
}

fn cut_data_still_brings_descriptors() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        send(&here, b"data", &borrowed(&files(1))).unwrap();
        let mut room = [0; 64];
        let mut received = receive(&there, &mut [0; 2], &mut room);
        // A stream keeps the rest.
        assert_eq!(received.data_truncated(), kind != SocketType::STREAM);
        assert_eq!((received.bytes(), take_all(&mut received).len()), (2, 1));
        drop(received);
        if kind == SocketType::STREAM {
            let mut rest = [0; 8];
            let received = receive(&there, &mut rest, &mut room);
            assert_eq!(received.filled(&rest), b"ta");
        }
    }
}

/// Linux delivers the data, tells that the control messages are lost, and closes the descriptors.
fn memory_that_is_not_there() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        send(&here, b"data", &borrowed(&files(2))).unwrap();
        let mut data = [0; 8];
        let mut slices = [IoSliceMut::new(&mut data)];
        let mut header = RecvMsgHdr::new(&mut slices, ControlSliceMut::none());
        let pointer = header.as_mut_ptr().cast::<libc::msghdr>();
        // SAFETY: the pointer is to a `struct msghdr` that lives until the end of this block.
        unsafe {
            (*pointer).msg_control = std::ptr::without_provenance_mut(16);
            (*pointer).msg_controllen = 64;
        }
        // SAFETY: the kernel checks the pointers it is given, and this one is what the test is about.
        let bytes = unsafe { recvmsg_raw(&there, pointer.cast(), RecvFlags::empty()) }.unwrap();
        // SAFETY: the call has succeeded with these flags.
        let received = unsafe { header.into_received(bytes, RecvFlags::empty()) };
        assert_eq!((received.bytes(), lost(received.incomplete())), (4, CONTROL));
    }
}

fn a_peek_with_little_room_loses_nothing() {
    let (here, there) = pair(SocketType::STREAM);
    send(&here, b"x", &borrowed(&files(2))).unwrap();
    let mut room = [0; 64];
    let mut data = [0; 1];
    let small = receive_flags(&there, &mut data, &mut room[..NATIVE.len(4).unwrap()], RecvFlags::PEEK).unwrap();
    assert!(small.control_truncated());
    drop(small);
    let mut received = receive(&there, &mut [0], &mut room).complete().unwrap();
    assert_eq!(take_all(&mut received).len(), 2);
}

fn after_a_truncated_call_the_next_is_clean() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        let mut room = [0xff; 64];
        for (room_len, truncated) in [(HEADER, true), (64, false), (NATIVE.len(4).unwrap(), true), (64, false)] {
            send(&here, b"x", &borrowed(&files(2))).unwrap();
            let received = receive(&there, &mut [0], &mut room[..room_len]);
            assert_eq!(received.control_truncated(), truncated);
        }
    }
}

fn padding_is_not_written_by_the_kernel() {
    let (here, there) = pair(SocketType::STREAM);
    send(&here, b"x", &borrowed(&files(1))).unwrap();
    let mut room = [0xaa; 64];
    let received = receive(&there, &mut [0], &mut room);
    let Some(Ok(Message::ScmRights(descriptors))) = received.messages().next() else { panic!() };
    assert_eq!((descriptors.len(), descriptors.remainder()), (1, &[][..]));
    drop(received);
    let space = NATIVE.space(4).unwrap();
    assert!(room[NATIVE.len(4).unwrap()..].iter().all(|byte| *byte == 0xaa), "{:?}", &room[..space]);
}

/// Whatever the room, what the kernel leaves in it is read to a clean end.
fn every_room_is_parsed_to_a_clean_end() {
    for room_len in 0..=128 {
        let (here, there) = pair(SocketType::DGRAM);
        set_socket_passcred(&there, true).unwrap();
        let mut space = ControlBuffer::<{ control_space!(ScmRights[5]) }>::new();
        let mut control = space.writer();
        let sent = files(5);
        let descriptors = borrowed(&sent);
        control.push(ScmRights(&descriptors)).unwrap();
        sendmsg(&here, &[IoSlice::new(b"x")], &control, SendFlags::empty()).unwrap();
        let mut room = vec![0xff; room_len];
        let received = receive(&there, &mut [0], &mut room);
        for message in received.messages() {
            message.unwrap();
        }
    }
}

fn an_incomplete_result_closes_what_arrived() {
    let (here, there) = pair(SocketType::DGRAM);
    send(&here, b"data", &borrowed(&files(3))).unwrap();
    let before = open_descriptors();
    let mut room = [0; NATIVE.data_offset() + 8];
    let received = receive(&there, &mut [0; 2], &mut room);
    assert_eq!(lost(received.complete().err()), BOTH);
    assert_eq!(open_descriptors(), before);

    send(&here, b"data", &borrowed(&files(3))).unwrap();
    let received = recvmsg(&there, &mut [], ControlSliceMut::none(), RecvFlags::empty()).unwrap();
    assert_eq!(lost(received.incomplete()), BOTH);
}

fn pidfds_and_a_limit() -> Result<(), String> {
    pidfds()?;
    a_limit_of_descriptors()
}

fn a_limit_and_the_kernels_truncation() -> Result<(), String> {
    a_limit_of_descriptors()?;
    the_kernels_truncation()
}

/// Case W6: the table of descriptors is full, so the slot of `SCM_PIDFD` has an error, and no flag says so.
fn an_error_in_a_slot_is_not_complete() {
    let (here, there) = pair(SocketType::STREAM);
    set_option(&there, SO_PASSPIDFD, 1).unwrap();
    send_plain(&here, b"x").unwrap();
    let limit = DescriptorLimit::numbers_below(lowest_free_number());
    let mut room = [0xff; 64];
    let received = receive(&there, &mut [0], &mut room);
    drop(limit);
    let incomplete = received.incomplete().unwrap();
    assert_eq!(received.complete().err(), Some(incomplete));
    let none = DescriptorError { raw: -libc::EMFILE };
    assert_eq!((incomplete.data, incomplete.control, incomplete.descriptor), (false, false, Some(none)));
    assert_eq!(incomplete.to_string(), none.to_string());

    // With a free number, the same is complete, before it is taken and after.
    send_plain(&here, b"x").unwrap();
    let mut received = receive(&there, &mut [0], &mut room).complete().unwrap();
    assert_eq!(received.take_messages().count(), 1);
    assert!(received.complete().is_ok());

    // A result that owns nothing has numbers in its slots, and no errors.
    let mut control = message_bytes(RIGHTS, &(-libc::EACCES).to_ne_bytes());
    let mut received = received_of(&mut control);
    let none = DescriptorError { raw: -libc::EACCES };
    assert_eq!(received.incomplete().and_then(|incomplete| incomplete.descriptor), Some(none));
    drop(received.take_messages());
    assert_eq!(received.incomplete(), None);
}

/// Case W7: 3 descriptors, and either room for 60 and one free number, or room for one and free numbers enough. One
/// descriptor arrives both times, and the result shows for which reason the others were lost.
fn what_the_system_keeps_back_is_not_a_lack_of_room() {
    let (here, there) = pair(SocketType::STREAM);
    let sent = files(3);
    let (mut long, mut short) = ([0xff; 256], [0xff; HEADER + 4]);
    send(&here, b"x", &borrowed(&sent)).unwrap();
    let mut short_of_room = receive(&there, &mut [0], &mut short);
    assert_eq!(take_all(&mut short_of_room).len(), 1);
    send(&here, b"x", &borrowed(&sent)).unwrap();
    drop(sent);
    let (limit, filling) = with_free_numbers(1);
    let mut kept_back = receive(&there, &mut [0], &mut long);
    drop((limit, filling));
    assert_eq!(take_all(&mut kept_back).len(), 1);
    let rooms = [short_of_room, kept_back].map(|received| {
        assert_eq!(lost(received.incomplete()), CONTROL);
        let incomplete = received.incomplete().unwrap();
        assert_eq!(incomplete.control_len, received.control_len());
        (incomplete.control_len, incomplete.control_capacity)
    });
    // There was room for more.
    assert_eq!(rooms, [(HEADER + 4, HEADER + 4), (NATIVE.space(4).unwrap(), 256)]);
}

fn what_is_said_of_it() {
    let (here, there) = pair(SocketType::DGRAM);
    let mut said = Vec::new();
    for (data_room, control_capacity) in [(4, 64), (3, 64), (4, HEADER), (3, 0)] {
        send(&here, b"data", &borrowed(&files(1))).unwrap();
        let (mut data, mut room) = (vec![0; data_room], vec![0xff; control_capacity]);
        said.push(receive(&there, &mut data, &mut room).complete().err().map(|incomplete| incomplete.to_string()));
    }
    let lost = |used, room| format!("control messages or descriptors were lost ({used} of {room} bytes used)");
    let data = "the data was truncated".to_owned();
    assert_eq!(said, [None, Some(data.clone()), Some(lost(0, HEADER)), Some(format!("{data}, and {}", lost(0, 0)))]);
}
