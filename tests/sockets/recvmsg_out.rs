//! What a multishot RECVMSG leaves in a buffer, made by hand: no ring is needed to split it. (`ring/multishot.rs` has the
//! kernel's own.)

use crate::support::*;
use crate::tests;
use ancillary::message::ScmRights;
use ancillary::socket::{CLOEXEC_ON_RECEIVE, MultishotMsgHdr, RecvmsgOutError};
use ancillary::{ControlError, Message, control_space};
use linux_raw_sys::io_uring::io_uring_recvmsg_out;
use rustix::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use rustix::io::Errno;
use rustix::net::{ReturnFlags, SocketAddrAny, SocketAddrUnix};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;

tests![
    a_header_is_two_lengths,
    rooms_that_an_int_does_not_hold,
    every_part_is_found,
    a_message_without_anything,
    every_cut_of_a_buffer,
    all_of_the_provided_buffer_will_do,
    hostile_lengths,
    flags_are_told,
    a_name_that_was_cut_is_no_address,
    what_errors_say,
    what_is_shown,
    descriptors_are_owned_and_closed,
    descriptors_are_taken_beside_the_data,
    at_every_misalignment,
    what_lies_beside_the_control_messages_is_not_owned,
    every_cut_of_a_buffer_with_descriptors,
    more_control_messages_than_there_is_room_for,
    a_control_message_that_claims_too_much,
    the_request_was_made_with_another_header,
];

const FIXED: usize = size_of::<io_uring_recvmsg_out>();

/// A buffer as the kernel lays it out, with rooms that it has not written to full of dirt.
struct Plan<'a> {
    name_room: usize,
    control_capacity: usize,
    name: &'a [u8],
    control: &'a [u8],
    payload: &'a [u8],
    flags: u32,
}

const PLAIN: Plan<'static> =
    Plan { name_room: 0, control_capacity: 0, name: &[], control: &[], payload: &[], flags: 0 };
const DIRT: u8 = 0xdd;

impl Plan<'_> {
    fn header(&self) -> MultishotMsgHdr {
        MultishotMsgHdr::new(self.name_room, self.control_capacity).unwrap()
    }

    fn fields(&self) -> io_uring_recvmsg_out {
        io_uring_recvmsg_out {
            namelen: self.name.len() as u32,
            controllen: self.control.len() as u32,
            payloadlen: self.payload.len() as u32,
            flags: self.flags,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes_saying(self.fields())
    }

    fn bytes_saying(&self, fields: io_uring_recvmsg_out) -> Vec<u8> {
        // SAFETY: the structure is four integers without padding.
        let fields: [u8; FIXED] = unsafe { std::mem::transmute(fields) };
        let mut bytes = fields.to_vec();
        for (part, room) in [(self.name, self.name_room), (self.control, self.control_capacity)] {
            let part = &part[..part.len().min(room)];
            bytes.extend(part);
            bytes.resize(bytes.len() + room - part.len(), DIRT);
        }
        bytes.extend(self.payload);
        bytes
    }
}

/// One message with duplicates of these files that nothing owns but what the control messages are given to.
fn rights(files: &[OwnedFd]) -> (Vec<u8>, Vec<RawFd>) {
    let numbers = ownerless_duplicates(files);
    let payload: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
    (message_bytes(RIGHTS, &payload), numbers)
}

fn is_open(number: RawFd) -> bool {
    open_descriptors().contains(&number)
}

/// Closes what a test knows that nobody owns.
fn close(number: RawFd) {
    // SAFETY: see above.
    drop(unsafe { OwnedFd::from_raw_fd(number) });
}

#[allow(clippy::unnecessary_cast, reason = "the fields have other types in other C libraries")]
fn a_header_is_two_lengths() {
    for (name_room, control_capacity) in [(0, 0), (16, 0), (0, 24), (128, 4096), (i32::MAX as usize - FIXED, 0)] {
        let header = MultishotMsgHdr::new(name_room, control_capacity).unwrap();
        // SAFETY: the pointer is to a header that lives, a `struct msghdr`.
        let raw = unsafe { header.as_ptr().cast::<libc::msghdr>().read() };
        assert_eq!((raw.msg_namelen as usize, raw.msg_controllen as usize), (name_room, control_capacity));
        assert!(raw.msg_name.is_null() && raw.msg_control.is_null() && raw.msg_iov.is_null());
        assert_eq!((raw.msg_iovlen as usize, raw.msg_flags), (0, 0));
        assert_eq!((header.name_room(), header.control_capacity()), (name_room, control_capacity));
        assert_eq!(header.payload_offset(), FIXED + name_room + control_capacity);
    }
}

/// Linux refuses them with the same error (`io_recvmsg_mshot_prep`, `io_uring/net.c`).
fn rooms_that_an_int_does_not_hold() {
    const MOST: usize = i32::MAX as usize - FIXED;
    for (name_room, control_capacity) in
        [(MOST + 1, 0), (0, MOST + 1), (MOST, 1), (1, MOST), (usize::MAX, 0), (0, usize::MAX), (usize::MAX, usize::MAX)]
    {
        assert_eq!(MultishotMsgHdr::new(name_room, control_capacity).err(), Some(Errno::OVERFLOW));
    }
    assert!(MultishotMsgHdr::new(MOST - 1, 1).is_ok());
}

fn every_part_is_found() {
    let control = message_bytes((280, 7), b"unheard of");
    for name_room in [4, 5, 28, 128] {
        for control_capacity in [control.len(), control.len() + 1, control.len() + 64] {
            for payload in [&b""[..], b"1", b"some data"] {
                let plan = Plan { name_room, control_capacity, name: b"name", control: &control, payload, flags: 0 };
                let bytes = plan.bytes();
                let message = plan.header().split(&bytes).unwrap();
                assert_eq!((message.name(), message.name_len()), (&b"name"[..], 4));
                assert_eq!(message.control(), control);
                assert_eq!((message.payload(), message.payload_len()), (payload, payload.len()));
                assert!(!message.name_truncated() && !message.data_truncated() && !message.control_truncated());
                let mut messages = message.messages();
                let first = messages.next().unwrap().unwrap();
                assert_eq!((first.level(), first.message_type(), first.payload()), (280, 7, &b"unheard of"[..]));
                assert!(messages.next().is_none());
            }
        }
    }
}

fn a_message_without_anything() {
    let bytes = PLAIN.bytes();
    assert_eq!(bytes, [0; FIXED]);
    let message = PLAIN.header().split(&bytes).unwrap();
    assert!(message.name().is_empty() && message.control().is_empty() && message.payload().is_empty());
    assert_eq!(message.messages().count(), 0);
}

fn every_cut_of_a_buffer() {
    let control = message_bytes((280, 7), b"4444");
    let plan =
        Plan { name_room: 5, control_capacity: 40, name: b"name", control: &control, payload: b"data", flags: 0 };
    let (header, bytes) = (plan.header(), plan.bytes());
    for len in 0..=bytes.len() {
        match header.split(&bytes[..len]) {
            Ok(message) => {
                assert!(len >= header.payload_offset());
                assert_eq!(message.payload(), &b"data"[..len - header.payload_offset()]);
                assert_eq!((message.payload_len(), message.data_truncated()), (4, len < bytes.len()));
                assert_eq!((message.name(), message.control()), (&b"name"[..], &control[..]));
            }
            Err(error) => {
                assert!(len < header.payload_offset());
                assert_eq!(error, RecvmsgOutError::TooShort { needed: header.payload_offset(), len });
            }
        }
    }
}

fn all_of_the_provided_buffer_will_do() {
    let plan = Plan { name_room: 28, control_capacity: 24, payload: b"data", ..PLAIN };
    let mut bytes = plan.bytes();
    bytes.extend([DIRT; 100]);
    let message = plan.header().split(&bytes).unwrap();
    assert_eq!((message.payload(), message.data_truncated()), (&b"data"[..], false));
    // SAFETY: there is nothing in it that could be owned.
    let (received, data) = unsafe { plan.header().received(&mut bytes) }.unwrap().into_parts();
    assert_eq!((received.bytes(), &*data), (4, &b"data"[..]));
    assert!(received.complete().is_ok());
}

/// Any lengths at all, against plain arithmetic: every part lies where it has to and nowhere else.
fn hostile_lengths() {
    let position = |bytes: &[u8], part: &[u8]| {
        let start = part.as_ptr() as usize - bytes.as_ptr() as usize;
        start..start + part.len()
    };
    let expected = |start: i128, says: u32, room: i128| -> Range<usize> {
        start as usize..(start + i128::from(says).min(room)) as usize
    };
    for (name_room, control_capacity) in [(0, 0), (0, 20), (28, 0), (28, 20), (3, 17)] {
        let header = MultishotMsgHdr::new(name_room, control_capacity).unwrap();
        let (name_end, control_end) = (FIXED + name_room, FIXED + name_room + control_capacity);
        let lengths = |room: usize| {
            let near = [0, 1, room.wrapping_sub(1), room, room + 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
            near.map(|length| length as u32)
        };
        for len in [0, 1, FIXED - 1, FIXED, name_end, control_end.saturating_sub(1), control_end, control_end + 9] {
            for namelen in lengths(name_room) {
                for controllen in lengths(control_capacity) {
                    for payloadlen in lengths(9) {
                        let fields = io_uring_recvmsg_out { namelen, controllen, payloadlen, flags: u32::MAX };
                        let mut bytes = PLAIN.bytes_saying(fields);
                        bytes.resize(len, DIRT);
                        let split = header.split(&bytes);
                        if len < control_end {
                            let error = RecvmsgOutError::TooShort { needed: control_end, len };
                            assert_eq!(split.unwrap_err(), error);
                            continue;
                        } else if controllen as usize > control_capacity {
                            let (claimed, room) = (controllen as usize, control_capacity);
                            assert_eq!(split.unwrap_err(), RecvmsgOutError::ControlBeyondRoom { claimed, room });
                            continue;
                        }
                        let message = split.unwrap();
                        let name = expected(FIXED as i128, namelen, name_room as i128);
                        let control = expected(name_end as i128, controllen, control_capacity as i128);
                        let payload = expected(control_end as i128, payloadlen, (len - control_end) as i128);
                        assert_eq!(position(&bytes, message.name()), name);
                        assert_eq!(position(&bytes, message.control()), control);
                        assert_eq!(position(&bytes, message.payload()), payload);
                        assert_eq!(message.name_len(), namelen as usize);
                        assert_eq!(message.payload_len(), payloadlen as usize);
                        assert_eq!(message.name_truncated(), namelen as usize > name_room);
                        assert!(message.messages().all(|message| message.is_err()), "dirt is no message");
                    }
                }
            }
        }
    }
}

fn flags_are_told() {
    for (flags, expected) in [
        (0, NOTHING),
        (libc::MSG_TRUNC, DATA),
        (libc::MSG_CTRUNC, CONTROL),
        (libc::MSG_TRUNC | libc::MSG_CTRUNC | libc::MSG_EOR, BOTH),
    ] {
        // Linux echoes this one.
        let plan = Plan { payload: b"data", flags: flags as u32 | CLOEXEC_ON_RECEIVE.bits(), ..PLAIN };
        let mut bytes = plan.bytes();
        let message = plan.header().split(&bytes).unwrap();
        assert_eq!(message.flags(), ReturnFlags::from_bits_retain(flags as u32));
        assert_eq!((message.data_truncated(), message.control_truncated()), expected);
        // SAFETY: there is nothing in it that could be owned.
        let received = unsafe { plan.header().received(&mut bytes) }.unwrap();
        assert_eq!(received.flags(), ReturnFlags::from_bits_retain(flags as u32));
        assert_eq!(lost(received.incomplete()), expected);
    }

    // The true length of a datagram, as `MSG_TRUNC` asks for it, and a buffer that somebody has cut.
    let plan = Plan { payload: b"data", flags: libc::MSG_TRUNC as u32, ..PLAIN };
    for flags in [libc::MSG_TRUNC as u32, 0] {
        let mut bytes = plan.bytes_saying(io_uring_recvmsg_out { payloadlen: 1000, flags, ..plan.fields() });
        let message = plan.header().split(&bytes).unwrap();
        assert_eq!((message.payload(), message.payload_len()), (&b"data"[..], 1000));
        assert!(message.data_truncated());
        // SAFETY: there is nothing in it that could be owned.
        let (received, data) = unsafe { plan.header().received(&mut bytes) }.unwrap().into_parts();
        assert_eq!((received.bytes(), &*data), (1000, &b"data"[..]));
        assert_eq!(lost(received.complete().err()), DATA);
    }
}

fn a_name_that_was_cut_is_no_address() {
    let address_of = |name: &[u8], name_room| {
        let plan = Plan { name_room, name, payload: b"data", ..PLAIN };
        let mut bytes = plan.bytes();
        assert_eq!(plan.header().split(&bytes).unwrap().name_truncated(), name.len() > name_room);
        // SAFETY: the name is an address, or too short to be one, or an address that is cut.
        let received = unsafe { plan.header().received(&mut bytes) }.unwrap();
        received.address().cloned()
    };
    for address in [
        SocketAddrAny::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7)),
        SocketAddrAny::from(SocketAddrUnix::new("/run/example").unwrap()),
    ] {
        let len = address.addr_len() as usize;
        // SAFETY: the address has that many bytes.
        let name = unsafe { std::slice::from_raw_parts(address.as_ptr().cast::<u8>(), len) };
        for name_room in 0..len {
            assert_eq!(address_of(name, name_room), None);
        }
        for name_room in [len, len + 1, 128, 1000] {
            assert_eq!(address_of(name, name_room).as_ref(), Some(&address));
        }
    }
    assert_eq!(address_of(&[], 128), None, "a sender without a name");
    assert_eq!(address_of(&[1], 128), None, "less than a family");
    assert_eq!(address_of(&[1, 0], 128), None, "a family and no name");
    assert_eq!(address_of(&[0; 16], 128), None, "no family");
    assert_eq!(address_of(&[1; 128], 200).map(|address| address.addr_len()), Some(128), "the longest there can be");
    assert_eq!(address_of(&[1; 129], 200), None, "longer than any address");
}

fn what_errors_say() {
    let short = RecvmsgOutError::TooShort { needed: 40, len: 7 };
    assert_eq!(short.to_string(), "a message of a multishot RECVMSG takes 40 bytes or more, but 7 are there");
    let beyond = RecvmsgOutError::ControlBeyondRoom { claimed: 48, room: 24 };
    assert_eq!(beyond.to_string(), "control messages of 48 bytes are claimed, but there is room for 24");
    let _: &dyn std::error::Error = &beyond;
}

fn what_is_shown() {
    let plan =
        Plan { name_room: 3, control_capacity: 24, name: b"name", control: &[0; 20], payload: b"data!", flags: 0 };
    assert_eq!(format!("{:?}", plan.header()), "MultishotMsgHdr { name_room: 3, control_capacity: 24, .. }");
    let shown = format!("{:?}", plan.header().split(&plan.bytes()[..44]).unwrap());
    assert_eq!(shown, "RecvmsgOut { name_len: 4, control: 20, payload_len: 5, flags: ReturnFlags(0x0), .. }");
}

fn descriptors_are_owned_and_closed() {
    let sent = files(3);
    for taken in 0..=3 {
        let (control, numbers) = rights(&sent);
        let plan = Plan { name_room: 28, control_capacity: 128, control: &control, payload: b"data", ..PLAIN };
        let mut bytes = plan.bytes();
        // SAFETY: the bytes stand for a completion, and nothing else owns the descriptors.
        let (mut received, data) = unsafe { plan.header().received(&mut bytes) }.unwrap().into_parts();
        assert_eq!((received.bytes(), &*data), (4, &b"data"[..]));
        let kept: Vec<_> = received.take_descriptors().unwrap().take(taken).collect();
        assert!(kept.iter().zip(&sent).all(|(kept, sent)| same_file(kept, sent)));
        drop(received);
        for (index, number) in numbers.iter().enumerate() {
            assert_eq!(is_open(*number), index < taken);
        }
    }
}

/// The data can be changed in place while the descriptors are still held.
fn descriptors_are_taken_beside_the_data() {
    let sent = files(1);
    let (control, _) = rights(&sent);
    let plan = Plan { control_capacity: control.len(), control: &control, payload: b"data", ..PLAIN };
    let mut bytes = plan.bytes();
    // SAFETY: as above.
    let (mut received, data) = unsafe { plan.header().received(&mut bytes) }.unwrap().into_parts();
    data.make_ascii_uppercase();
    let Some(Ok(Message::ScmRights(descriptors))) = received.messages().next() else { panic!() };
    data[0] = b'd';
    assert_eq!(descriptors.len(), 1);
    assert_eq!(take_all(&mut received).len(), 1);
    drop(received);
    assert_eq!(bytes[plan.header().payload_offset()..], *b"dATA");
}

fn at_every_misalignment() {
    let sent = files(2);
    for misalignment in 0..16 {
        for name_room in 0..16 {
            let (control, _) = rights(&sent);
            let plan = Plan { name_room, control_capacity: control.len(), control: &control, payload: b"x", ..PLAIN };
            let mut memory = [&vec![DIRT; misalignment][..], &plan.bytes()].concat();
            // SAFETY: as above.
            let (mut received, data) =
                unsafe { plan.header().received(&mut memory[misalignment..]) }.unwrap().into_parts();
            assert_eq!((take_all(&mut received).len(), &*data), (2, &b"x"[..]));
        }
    }
}

/// What looks like a descriptor in the room of the name, in the rest of the room for control messages, or in the data.
fn what_lies_beside_the_control_messages_is_not_owned() {
    let sent = files(1);
    let decoy = message_bytes(RIGHTS, &sent[0].as_raw_fd().to_ne_bytes());
    let (mut control, numbers) = rights(&sent);
    let len = control.len();
    control.extend(&decoy);
    let plan = Plan {
        name_room: decoy.len(),
        control_capacity: control.len(),
        name: &decoy,
        control: &control,
        payload: &decoy,
        flags: 0,
    };
    let fields = io_uring_recvmsg_out { namelen: 0, controllen: len as u32, ..plan.fields() };
    let mut bytes = plan.bytes_saying(fields);
    // SAFETY: as above; what is not to be looked at is no part of what was received.
    drop(unsafe { plan.header().received(&mut bytes) }.unwrap());
    assert!(is_open(sent[0].as_raw_fd()) && !is_open(numbers[0]));
}

/// What can be found is closed, though there is an error; what cannot is left alone.
fn every_cut_of_a_buffer_with_descriptors() {
    let sent = files(3);
    let len =
        Plan { name_room: 5, control_capacity: control_space!(ScmRights[3]), payload: b"data", ..PLAIN }.bytes().len();
    for cut in 0..=len {
        let (control, numbers) = rights(&sent);
        let plan = Plan { name_room: 5, control_capacity: control.len(), control: &control, payload: b"data", ..PLAIN };
        let (header, mut bytes) = (plan.header(), plan.bytes());
        // SAFETY: as above.
        let result = unsafe { header.received(&mut bytes[..cut]) };
        assert_eq!(result.is_err(), cut < header.payload_offset());
        drop(result);
        let payload = FIXED + 5 + NATIVE.data_offset();
        for (index, number) in numbers.into_iter().enumerate() {
            let slot_is_there = cut >= payload + 4 * (index + 1);
            assert_eq!(is_open(number), !slot_is_there, "{cut} bytes, descriptor {index}");
            if !slot_is_there {
                close(number);
            }
        }
    }
}

fn more_control_messages_than_there_is_room_for() {
    let sent = files(2);
    for claimed in [65, 0x7fff_ffff, 0xffff_ffff_u32] {
        let (control, numbers) = rights(&sent);
        let plan = Plan { control_capacity: 64, control: &control, payload: b"data", ..PLAIN };
        let mut bytes = plan.bytes_saying(io_uring_recvmsg_out { controllen: claimed, ..plan.fields() });
        // SAFETY: as above.
        let error = unsafe { plan.header().received(&mut bytes) }.unwrap_err();
        assert_eq!(error, RecvmsgOutError::ControlBeyondRoom { claimed: claimed as usize, room: 64 });
        assert!(!numbers.into_iter().any(is_open), "owned first, then told");
    }
}

fn a_control_message_that_claims_too_much() {
    let sent = files(1);
    let numbers = ownerless_duplicates(&sent);
    let mut control = message_claiming(1000, RIGHTS, &numbers[0].to_ne_bytes());
    control.truncate(NATIVE.len(4).unwrap()); // what is there of it is the one descriptor
    let plan = Plan { control_capacity: 64, control: &control, payload: b"data", ..PLAIN };
    let mut bytes = plan.bytes();
    // SAFETY: as above.
    let (received, data) = unsafe { plan.header().received(&mut bytes) }.unwrap().into_parts();
    assert_eq!(&*data, b"data");
    let mut messages = received.messages();
    assert!(matches!(messages.next(), Some(Err(ControlError::LengthBeyondBuffer { claimed: 1000, .. }))));
    drop(received);
    assert!(!is_open(numbers[0]));
}

/// Whoever breaks the promise meets an error here, though that cannot be relied on.
fn the_request_was_made_with_another_header() {
    let control = message_bytes((280, 7), &vec![0; 64 - NATIVE.data_offset()]);
    let plan = Plan { control_capacity: 64, control: &control, payload: b"data", ..PLAIN };
    let bytes = plan.bytes();
    let smaller = MultishotMsgHdr::new(0, 24).unwrap();
    assert!(matches!(smaller.split(&bytes), Err(RecvmsgOutError::ControlBeyondRoom { claimed: 64, room: 24 })));
    let larger = MultishotMsgHdr::new(28, 64).unwrap();
    assert!(matches!(larger.split(&bytes), Err(RecvmsgOutError::TooShort { needed: 108, len: 84 })));
}
