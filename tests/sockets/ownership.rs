//! Who owns what arrived: whatever the caller does, every descriptor is closed once.

use crate::support::*;
use crate::tests;
use ancillary::control::ControlMemory;
use ancillary::layout::ControlHeader;
use ancillary::message::{NoDescriptor, ScmCredentials, ScmRights};
use ancillary::socket::{CLOEXEC_ON_RECEIVE, RecvHeader, RecvRoom, RecvSlot, recvmsg_raw};
use ancillary::{ControlError, ControlSpace, Message, Received, Truncated, control_space};
use rustix::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{AddressFamily, RecvFlags, SocketType};
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

tests![
    nobody_looks,
    messages_are_walked_and_nothing_is_taken,
    some_are_taken_and_the_rest_is_closed,
    taken_ones_outlive_what_they_came_from,
    what_was_taken_is_gone_from_the_next_walk,
    a_panic_in_the_caller,
    a_panic_in_what_is_done_with_each,
    one_by_one_and_then_the_rest,
    iterators_that_are_forgotten,
    an_early_return,
    the_loop_is_left_half_way,
    closing_twice_would_be_seen,
    numbers_that_are_used_again_are_left_alone,
    negative_slots_are_values,
    a_taken_slot_is_no_error,
    a_slot_that_was_cut_is_told,
    a_message_that_claims_too_much_is_owned,
    a_message_after_nonsense_cannot_be_found,
    unknown_neighbours,
    a_message_is_what_its_level_and_type_say,
    a_socket_that_panics_when_it_is_dropped,
    number_zero_is_a_descriptor,
    how_many_can_still_be_taken,
    what_is_shown_of_it,
    close_on_exec_that_is_asked_for_twice,
    a_buffer_is_used_again,
    a_header_is_used_again,
    an_address_of_any_length,
    at_every_misalignment,
    a_reply_that_is_dropped_unblocks_the_peer,
];

fn received_with<'c>(count: usize, room: &'c mut [u8]) -> Received<'c> {
    let (here, there) = pair(SocketType::DGRAM);
    send(&here, b"x", &borrowed(&files(count))).unwrap();
    receive(&there, &mut [0], room)
}

fn nobody_looks() {
    for count in [1, 2, 253] {
        let mut room = [0xff; 2048];
        drop(received_with(count, &mut room));
    }
}

fn messages_are_walked_and_nothing_is_taken() {
    let mut room = [0xff; 64];
    let mut received = received_with(3, &mut room);
    let before = open_descriptors();
    for message in received.messages() {
        let Message::ScmRights(descriptors) = message.unwrap() else { panic!() };
        assert_eq!(descriptors.len(), 3);
        descriptors.iter().for_each(|descriptor| assert!(rustix::fs::fstat(descriptor.unwrap()).is_ok()));
    }
    assert_eq!(open_descriptors(), before, "walking closes nothing");
}

fn some_are_taken_and_the_rest_is_closed() {
    let mut room = [0xff; 64];
    let mut received = received_with(4, &mut room);
    let before = open_descriptors().len();
    let taken: Vec<_> = received.take_descriptors().take(2).collect();
    drop(received);
    assert_eq!(open_descriptors().len(), before - 2);
    assert!(taken.iter().all(|descriptor| rustix::fs::fstat(descriptor.as_ref().unwrap()).is_ok()));
}

fn taken_ones_outlive_what_they_came_from() {
    let (here, there) = pair(SocketType::STREAM);
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    send(&here, b"x", &[writer.as_fd()]).unwrap();
    drop(writer);
    let pipe = {
        let mut room = [0; 64];
        take_all(&mut receive(&there, &mut [0], &mut room)).pop().unwrap()
    };
    drop((here, there));
    rustix::io::write(&pipe, b"x").unwrap();
    assert_eq!(rustix::io::read(&reader, &mut [0; 4]), Ok(1));
}

fn what_was_taken_is_gone_from_the_next_walk() {
    let mut room = [0xff; 64];
    let mut received = received_with(3, &mut room);
    for left in [3, 2, 1, 0] {
        let Some(Ok(Message::ScmRights(mut descriptors))) = received.messages().next() else { panic!() };
        assert_eq!((descriptors.len(), descriptors.iter().count(), descriptors.is_empty()), (left, left, left == 0));
        drop(descriptors.next());
    }
}

fn a_panic_in_the_caller() {
    let mut room = [0xff; 64];
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut received = received_with(3, &mut room);
        let _first = received.take_descriptors().next();
        panic!("in the caller");
    }));
    std::panic::set_hook(hook);
    assert!(result.is_err());
}

/// Two messages of two descriptors, and another between them.
fn two_messages(sent: &[OwnedFd]) -> Vec<u8> {
    let numbers: Vec<u8> = ownerless_duplicates(sent).into_iter().flat_map(i32::to_ne_bytes).collect();
    let (first, second) = numbers.split_at(8);
    [message_bytes(RIGHTS, first), message_bytes((41, 50), b"other"), message_bytes(RIGHTS, second)].concat()
}

/// What it has not come to is still owned, whoever looks at it afterwards.
fn a_panic_in_what_is_done_with_each() {
    let sent = files(4);
    let cases = [(0, 1), (0, 2), (0, 3), (0, 4), (1, 1), (1, 3), (2, 1), (3, 1)];
    for ((walked, done), is_taken) in cases.into_iter().flat_map(|case| [(case, false), (case, true)]) {
        let mut control = two_messages(&sent);
        let mut received = received_of(&mut control);
        let before = open_descriptors().len();
        let mut taking = received.take_descriptors();
        taking.by_ref().take(walked).for_each(drop);
        let mut seen = 0;
        let result = catch_unwind(AssertUnwindSafe(|| {
            taking.for_each(|_| {
                seen += 1;
                if seen == done {
                    resume_unwind(Box::new("in the caller"));
                }
            });
        }));
        assert!(result.is_err());
        assert_eq!(open_descriptors().len(), before - walked - done);
        if is_taken {
            let rest = take_all(&mut received);
            assert_eq!(rest.len(), 4 - walked - done);
            assert!(rest.iter().zip(&sent[walked + done..]).all(|(arrived, sent)| same_file(arrived, sent)));
        }
    }
}

fn one_by_one_and_then_the_rest() {
    let sent = files(4);
    for walked in 0..=5 {
        let mut control = two_messages(&sent);
        let mut received = received_of(&mut control);
        let mut taking = received.take_descriptors();
        let first: Vec<OwnedFd> = taking.by_ref().take(walked).map(Result::unwrap).collect();
        let taken = taking.fold(first, |mut taken, descriptor| {
            taken.push(descriptor.unwrap());
            taken
        });
        assert_eq!(taken.len(), 4);
        assert!(received.take_descriptors().next().is_none());
        drop(received);
        assert!(taken.iter().zip(&sent).all(|(arrived, sent)| same_file(arrived, sent)));
    }
}

#[allow(clippy::forget_non_drop, reason = "should one of them come to have a destructor, nothing may depend on it")]
fn iterators_that_are_forgotten() {
    let sent = files(4);
    let mut control = two_messages(&sent);
    let mut received = received_of(&mut control);
    let mut taking = received.take_descriptors();
    drop(taking.next().unwrap().unwrap());
    std::mem::forget(taking);
    let mut messages = received.messages();
    let Some(Ok(Message::ScmRights(mut descriptors))) = messages.next() else { panic!() };
    drop(descriptors.next().unwrap().unwrap());
    std::mem::forget((descriptors, messages));
    let before = open_descriptors().len();
    drop(received);
    assert_eq!(open_descriptors().len(), before - 2);
}

fn an_early_return() {
    fn refuses() -> Result<(), Errno> {
        let mut room = [0xff; 64];
        let mut received = received_with(3, &mut room);
        for descriptor in received.take_descriptors() {
            rustix::io::write(descriptor.unwrap(), b"x")?; // the reading end of a pipe
        }
        Ok(())
    }
    assert_eq!(refuses(), Err(Errno::BADF));
}

fn the_loop_is_left_half_way() {
    let (here, there) = pair(SocketType::DGRAM);
    rustix::net::sockopt::set_socket_passcred(&there, true).unwrap();
    send(&here, b"x", &borrowed(&files(3))).unwrap();
    let mut room = [0xff; 128];
    let mut received = receive(&there, &mut [0], &mut room);
    assert!(received.messages().any(|message| matches!(message, Ok(Message::ScmCredentials(_)))));
}

/// If a number were closed twice, the second time would hit a file that has come to have it.
fn closing_twice_would_be_seen() {
    let mut room = [0xff; 64];
    let mut received = received_with(3, &mut room);
    let numbers: Vec<RawFd> = received.take_descriptors().map(|taken| taken.unwrap().as_raw_fd()).collect(); // closed at once
    let reused: Vec<OwnedFd> = files(8);
    assert!(reused.iter().any(|file| numbers.contains(&file.as_raw_fd())));
    drop(received);
    assert!(reused.iter().all(|file| rustix::io::fcntl_getfd(file).is_ok()));
}

/// The same after a walk to the end that has closed everything, where the buffer ends well, with a message that claims too
/// much, and with nonsense.
fn numbers_that_are_used_again_are_left_alone() {
    let sent = files(4);
    let too_much = NATIVE.len(64).unwrap() as u64;
    for end in ["good", "clamped", "nonsense"] {
        let mut control = two_messages(&sent);
        let last = control.len() - NATIVE.space(8).unwrap();
        let (level, message_type) = RIGHTS;
        match end {
            "clamped" => {
                let header = ControlHeader { cmsg_len: too_much, level, message_type };
                assert!(NATIVE.write_header(header, &mut control[last..]));
            }
            "nonsense" => control.extend(message_claiming(3, RIGHTS, &(-1i32).to_ne_bytes())),
            _ => {}
        }
        let mut received = received_of(&mut control);
        let numbers = received.take_descriptors().fold(Vec::new(), |mut numbers, taken| {
            numbers.push(taken.unwrap().as_raw_fd()); // closed at once
            numbers
        });
        assert_eq!(numbers.len(), 4, "{end}");
        let reused = files(8);
        assert!(reused.iter().any(|file| numbers.contains(&file.as_raw_fd())));
        let (mut messages, mut lists) = (received.messages(), 0);
        while let Some(message) = messages.next() {
            if let Some(Message::ScmRights(descriptors)) = message.ok().or_else(|| messages.clamped()) {
                assert!(descriptors.is_empty() && descriptors.iter().next().is_none(), "{end}");
                lists += 1;
            }
        }
        assert_eq!(lists, 2, "{end}");
        assert!(received.take_descriptors().next().is_none());
        drop(received);
        assert!(reused.iter().all(|file| rustix::io::fcntl_getfd(file).is_ok()), "{end}");
    }
}

fn negative_slots_are_values() {
    let file = files(1);
    let number = ownerless_duplicates(&file)[0];
    let slots = [-1, number, -libc::EACCES, i32::MIN + 1];
    let mut control = message_bytes(RIGHTS, &slots.map(i32::to_ne_bytes).concat());
    let mut received = received_of(&mut control);
    let mut taken = received.take_descriptors();
    assert_eq!(taken.next().unwrap().unwrap_err().errno(), Some(Errno::PERM));
    assert_eq!(taken.next().unwrap().unwrap().as_raw_fd(), number);
    assert_eq!(taken.next().unwrap().unwrap_err().errno(), Some(Errno::ACCESS));
    assert_eq!(taken.next().unwrap().unwrap_err(), NoDescriptor { slot: i32::MIN + 1 });
    assert!(taken.next().is_none());
}

/// −1 is `-EPERM`; what was taken must not come back as that.
fn a_taken_slot_is_no_error() {
    let mut room = [0xff; 64];
    let mut received = received_with(1, &mut room);
    drop(received.take_descriptors().next().unwrap().unwrap());
    assert!(received.take_descriptors().next().is_none());
    let Some(Ok(Message::ScmRights(descriptors))) = received.messages().next() else { panic!() };
    assert_eq!(descriptors.iter().count(), 0);
}

fn a_slot_that_was_cut_is_told() {
    let file = files(1);
    let mut payload = ownerless_duplicates(&file)[0].to_ne_bytes().to_vec();
    payload.extend([7, 7]);
    let mut control = message_bytes(RIGHTS, &payload);
    let mut received = received_of(&mut control);
    let Some(Ok(Message::ScmRights(mut descriptors))) = received.messages().next() else { panic!() };
    assert_eq!(descriptors.remainder(), [7, 7]);
    assert!(descriptors.next().is_some_and(|taken| taken.is_ok()) && descriptors.next().is_none());
    assert_eq!(descriptors.remainder(), [7, 7]);
}

/// The shape Apple's kernel returns: five descriptors of sixteen, and the length of sixteen.
fn a_message_that_claims_too_much_is_owned() {
    let sent = files(5);
    let claimed = NATIVE.len(16 * 4).unwrap();
    let build = || {
        let numbers: Vec<u8> = ownerless_duplicates(&sent).into_iter().flat_map(i32::to_ne_bytes).collect();
        let mut bytes = message_claiming(claimed as u64, RIGHTS, &numbers);
        bytes.truncate(NATIVE.len(5 * 4).unwrap());
        bytes
    };
    drop(received_of(&mut build()));

    let mut control = build();
    let mut received = received_of(&mut control);
    let mut messages = received.messages();
    let expected =
        ControlError::LengthBeyondBuffer { offset: 0, claimed: claimed as u64, remaining: NATIVE.len(5 * 4).unwrap() };
    assert_eq!(messages.next().unwrap().unwrap_err(), expected);
    assert!(messages.next().is_none());
    let Some(Message::ScmRights(descriptors)) = messages.clamped() else { panic!() };
    assert!(descriptors.zip(&sent).all(|(arrived, sent)| same_file(arrived.unwrap(), sent)));
    assert!(messages.clamped().is_none());

    let mut control = build();
    assert_eq!(take_all(&mut received_of(&mut control)).len(), 5);
}

fn a_message_after_nonsense_cannot_be_found() {
    let file = files(1);
    let number = ownerless_duplicates(&file)[0];
    let mut control = message_bytes(RIGHTS, &number.to_ne_bytes());
    control.extend(message_claiming(3, RIGHTS, &number.to_ne_bytes()));
    let mut received = received_of(&mut control);
    let mut messages = received.messages();
    assert!(messages.next().unwrap().is_ok());
    let offset = NATIVE.space(4).unwrap();
    let error = messages.next().unwrap().unwrap_err();
    assert!(matches!(error, ControlError::LengthBelowHeader { claimed: 3, .. }));
    assert_eq!((error.offset(), error.remaining()), (offset, offset));
    assert!(messages.next().is_none() && messages.clamped().is_none());
}

fn unknown_neighbours() {
    let sent = files(2);
    let numbers = ownerless_duplicates(&sent);
    let mut control = message_bytes((41, 1), &[0; 5]);
    control.extend(message_bytes(RIGHTS, &numbers[0].to_ne_bytes()));
    control.extend(message_bytes((libc::SOL_SOCKET, 9999), &[]));
    control.extend(message_bytes((libc::SOL_SOCKET, 4), &numbers[1].to_ne_bytes()));
    control.extend([0; 5]);
    let mut received = received_of(&mut control);
    let kinds: Vec<(i32, i32)> = received
        .messages()
        .map(|message| match message.unwrap() {
            Message::ScmRights(_) => RIGHTS,
            Message::ScmPidfd(_) => (libc::SOL_SOCKET, 4),
            Message::Other(message) => (message.level(), message.message_type()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, [(41, 1), RIGHTS, (libc::SOL_SOCKET, 9999), (libc::SOL_SOCKET, 4)]);
    assert!(!format!("{received:?}").is_empty());
}

fn a_message_is_what_its_level_and_type_say() {
    let credentials = [1i32, 2, 3].map(i32::to_ne_bytes).concat();
    let mut control = message_bytes((41, 50), &credentials);
    control.extend(message_bytes((libc::SOL_SOCKET, libc::SCM_CREDENTIALS), &credentials));
    let mut received = received_of(&mut control);
    let mut messages = received.messages().map(Result::unwrap);
    assert!(matches!(messages.next(), Some(Message::Other(message)) if message.level() == 41));
    let who = ScmCredentials { pid: 1, uid: 2, gid: 3 };
    assert!(matches!(messages.next(), Some(Message::ScmCredentials(found)) if found == who));
    drop(messages);
    assert_eq!(received.find::<ScmCredentials>(), Some(Ok(who)));
    assert!(received.find::<ancillary::message::ScmPidfd>().is_none());
}

/// What arrived has an owner before anything of the caller's runs.
fn a_socket_that_panics_when_it_is_dropped() {
    let (here, there) = pair(SocketType::DGRAM);
    send(&here, b"x", &borrowed(&files(3))).unwrap();
    let result = catch_unwind(AssertUnwindSafe(|| {
        let (mut data, mut room) = ([0], [0; 64]);
        drop(ancillary::recvmsg(
            PanicsWhenDropped(there),
            &mut [IoSliceMut::new(&mut data)],
            &mut room,
            RecvFlags::empty(),
        ));
    }));
    assert!(result.is_err());
}

fn how_many_can_still_be_taken() {
    let mut room = [0xff; 64];
    let mut received = received_with(3, &mut room);
    let Some(Ok(Message::ScmRights(mut descriptors))) = received.messages().next() else { panic!() };
    for left in [3, 2, 1, 0] {
        assert_eq!((descriptors.size_hint(), descriptors.len()), ((0, Some(left)), left));
        drop(descriptors.next());
    }
}

fn what_is_shown_of_it() {
    let mut room = [0xff; 64];
    let mut received = received_with(2, &mut room);
    let len = NATIVE.space(8).unwrap();
    let shown = format!("{received:?}");
    assert!(shown.starts_with("Received { bytes: 1, flags: ReturnFlags("), "{shown}");
    assert!(shown.ends_with(&format!(", control: {len}, .. }}")), "{shown}");
    let mut messages = received.messages();
    assert_eq!(format!("{messages:?}"), "Messages { offset: 0, .. }");
    let Some(Ok(Message::ScmRights(descriptors))) = messages.next() else { panic!() };
    let numbers: Vec<RawFd> = descriptors.iter().map(|descriptor| descriptor.unwrap().as_raw_fd()).collect();
    let shown = format!("{descriptors:?}");
    assert!(numbers.iter().all(|number| shown.contains(&number.to_string())), "{shown} without {numbers:?}");
    assert_eq!(format!("{messages:?}"), format!("Messages {{ offset: {len}, .. }}"));
    assert_eq!(Truncated::empty().to_string(), "nothing was lost");
    assert_eq!(Truncated::CONTROL.to_string(), "control messages or descriptors were lost");
    assert_eq!(Truncated::all().to_string(), "the data was cut, and control messages or descriptors were lost");
}

fn close_on_exec_that_is_asked_for_twice() {
    let (here, there) = pair(SocketType::DGRAM);
    let flags = RecvFlags::DONTWAIT | CLOEXEC_ON_RECEIVE;
    let (mut room, mut data) = ([0xff; 64], [0]);
    send(&here, b"x", &borrowed(&files(1))).unwrap();
    let mut received = receive_flags(&there, &mut data, &mut room, flags).unwrap();
    assert!(take_all(&mut received).iter().all(is_close_on_exec));
    drop(received);

    send(&here, b"x", &borrowed(&files(1))).unwrap();
    let mut slices = [IoSliceMut::new(&mut data)];
    let (mut rooms, mut slots) = ([RecvRoom::new(&mut slices, &mut room)], [RecvSlot::new()]);
    let mut batch = ancillary::recvmmsg(&there, &mut slots, &mut rooms, flags, None).unwrap();
    assert_eq!(format!("{batch:?}"), "ReceivedBatch { left: 1, error: None, .. }");
    let mut message = batch.next().unwrap();
    assert!(format!("{message:?}").starts_with("Received { bytes: 1, "), "{message:?}");
    let arrived = take_all(&mut message);
    assert!(arrived.len() == 1 && arrived.iter().all(is_close_on_exec));
}

/// A process without a standard input receives that number.
fn number_zero_is_a_descriptor() {
    let (here, there) = pair(SocketType::DGRAM);
    send(&here, b"x", &borrowed(&files(1))).unwrap();
    let input = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).unwrap();
    // SAFETY: nothing uses the standard input before it is put back below.
    drop(unsafe { rustix::stdio::take_stdin() });
    let mut room = [0; 64];
    let mut received = receive(&there, &mut [0], &mut room);
    let arrived = received.take_descriptors().next().unwrap().unwrap();
    let number = arrived.as_raw_fd();
    drop((arrived, received));
    let closed = !open_descriptors().contains(&0);
    rustix::stdio::dup2_stdin(&input).unwrap();
    assert_eq!((number, closed), (0, true));
}

fn a_buffer_is_used_again() {
    let (here, there) = pair(SocketType::SEQPACKET);
    let mut space = ControlSpace::<{ control_space!(ScmCredentials, ScmRights[3]) }>::new();
    for count in [3, 1, 0, 2] {
        let sent = files(count);
        send(&here, b"x", &borrowed(&sent)).unwrap();
        let mut data = [0; 4];
        let mut slices = [IoSliceMut::new(&mut data)];
        let mut received = ancillary::recvmsg(&there, &mut slices, &mut space, RecvFlags::empty()).unwrap();
        assert_eq!(received.take_descriptors().take(1).count(), count.min(1));
    }
}

/// Lengths that a call has lowered are full again for the next one, after an error too.
fn a_header_is_used_again() {
    let (here, there) = pair(SocketType::SEQPACKET);
    rustix::io::ioctl_fionbio(&there, true).unwrap();
    let mut data = [0; 4];
    for round in 0..3 {
        let mut room = [0xff; 64];
        let mut slices = [IoSliceMut::new(&mut data)];
        let mut header = RecvHeader::new(&mut slices, &mut room);
        let flags = CLOEXEC_ON_RECEIVE;
        // SAFETY: the header is prepared, lives until after the call and stays where it is.
        let empty = unsafe { recvmsg_raw(&there, header.as_mut_ptr(), flags) };
        assert_eq!(empty, Err(Errno::AGAIN));

        send_plain(&here, b"plain").unwrap();
        // SAFETY: as above.
        let plain = unsafe { recvmsg_raw(&there, header.as_mut_ptr(), flags) };
        assert_eq!(plain, Ok(4));

        send(&here, b"x", &borrowed(&files(round + 1))).unwrap();
        // SAFETY: as above.
        let bytes = unsafe { recvmsg_raw(&there, header.as_mut_ptr(), flags) }.unwrap();
        // SAFETY: the call has succeeded with these flags, and the one before it has brought no descriptor.
        let mut received = unsafe { header.into_received(bytes, flags) }.complete().unwrap();
        assert_eq!((received.bytes(), take_all(&mut received).len()), (1, round + 1));
    }
}

/// What a system says of an address is believed, and no more than there is room for.
fn an_address_of_any_length() {
    let address_of = |family: c_int, len: u32| {
        let mut data = [];
        let mut header = RecvHeader::new(&mut data, ControlMemory::none());
        let pointer = header.as_mut_ptr().cast::<libc::msghdr>();
        // SAFETY: the pointer is to a prepared `struct msghdr`, and that has room for any address: all of it is written,
        // in the place of the system.
        unsafe {
            (*pointer).msg_name.cast::<[u8; 128]>().write([0; 128]);
            (*pointer).msg_name.cast::<libc::sa_family_t>().write(family as _);
            (*pointer).msg_namelen = len;
        }
        // SAFETY: that is all a call would have done that received nothing.
        let received = unsafe { header.into_received(0, RecvFlags::empty()) };
        received.address().map(|address| (address.address_family(), address.addr_len()))
    };
    for len in [0, 1, 2] {
        assert_eq!(address_of(libc::AF_UNIX, len), None, "no more than a family: NetBSD's sender without a name");
    }
    for len in [3, 110, 127, 128] {
        assert_eq!(address_of(libc::AF_UNIX, len), Some((AddressFamily::UNIX, len)));
        assert_eq!(address_of(libc::AF_UNSPEC, len), None);
    }
    assert_eq!(address_of(libc::AF_UNIX, 129), Some((AddressFamily::UNIX, 128)), "more than there is");
}

fn at_every_misalignment() {
    for misalignment in 0..16 {
        let (here, there) = pair(SocketType::DGRAM);
        rustix::net::sockopt::set_socket_passcred(&there, true).unwrap();
        let mut memory = [0xff; 128];
        let mut control = ancillary::ControlWriter::new(&mut memory[misalignment..misalignment + 32]);
        let sent = files(3);
        let descriptors = borrowed(&sent);
        control.push(&ScmRights::new(&descriptors)).unwrap();
        ancillary::sendmsg(&here, &[IoSlice::new(b"x")], &control, rustix::net::SendFlags::empty()).unwrap();
        let mut received = receive(&there, &mut [0], &mut memory[misalignment..misalignment + 64]).complete().unwrap();
        let first = received.messages().next();
        assert!(matches!(first, Some(Ok(Message::ScmCredentials(who))) if who == ScmCredentials::of_this_process()));
        assert_eq!(take_all(&mut received).len(), 3);
    }
}

fn a_reply_that_is_dropped_unblocks_the_peer() {
    let (here, there) = pair(SocketType::STREAM);
    let (reply, waiting) = pair(SocketType::STREAM);
    send(&here, b"x", &[reply.as_fd()]).unwrap();
    drop(reply);
    let mut room = [0; 64];
    drop(receive(&there, &mut [0], &mut room));
    assert_eq!(rustix::io::read(&waiting, &mut [0; 4]), Ok(0));
}
