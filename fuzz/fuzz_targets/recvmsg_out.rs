//! Splitting what a multishot RECVMSG has left in a buffer: any bytes, any header, at any address; and with descriptors
//! that are real, cut anywhere (Linux).
//!
//! Held are
//!
//! - that a header is refused if the kernel would refuse it, and no other;
//! - where name, control messages and data lie, to the byte, whatever the lengths say; or the error, with its numbers;
//! - that the whole of a buffer, what is after the message too, is split into the same parts;
//! - that exactly those descriptors are owned which lie in the control messages that are there, and closed, an error or
//!   not; that no others are touched; and that those which are taken are the taker's.
#![no_main]

use ancillary::message::{ControlKind, ScmRights};
use ancillary::received::ReceivedWithData;
use ancillary::socket::{MultishotMsgHdr, RecvmsgOut, RecvmsgOutError};
use ancillary::{ControlMessages, Layout};
use ancillary_fuzz::table::{self, Open, open, set_of};
use ancillary_fuzz::{Arithmetic, Memory, lines};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use std::ops::Range;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Rooms { name: u64, control: u64 },
    Bytes { name_room: u8, control_capacity: u8, misalignment: u8, fields: [Field; 4], rest: &'a [u8] },
    Descriptors(Plan),
}

/// A length that is true or almost so, or any.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Field {
    Near(i8),
    Any(u32),
}

impl Field {
    fn value(self, room: usize) -> u32 {
        match self {
            Field::Near(distance) => (room as u32).wrapping_add_signed(distance.into()),
            Field::Any(value) => value,
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Plan {
    name_room: u8,
    /// How much room there is beside what the messages take: negative for too little.
    spare: i8,
    misalignment: u8,
    /// For each message, how many descriptors and bytes after them.
    messages: Vec<(u8, u8)>,
    controllen: Field,
    payload: u8,
    /// How much of the buffer is there.
    cut: Option<u16>,
    taken: u8,
}

/// The size of `struct io_uring_recvmsg_out`.
const OUT: usize = 16;

/// The structure, in this machine's byte order.
fn out(fields: [u32; 4]) -> Vec<u8> {
    fields.iter().flat_map(|field| field.to_ne_bytes()).collect()
}

/// Where the parts are, or what is wrong, by plain arithmetic.
fn model(
    name_room: usize,
    control_capacity: usize,
    len: usize,
    fields: [u32; 4],
) -> Result<[Range<usize>; 3], RecvmsgOutError> {
    let (control_start, needed) = (OUT + name_room, OUT + name_room + control_capacity);
    let [name, control, payload, _] = fields.map(|field| field as usize);
    if len < needed {
        return Err(RecvmsgOutError::TooShort { needed, len });
    } else if control > control_capacity {
        return Err(RecvmsgOutError::ControlBeyondRoom { claimed: control, room: control_capacity });
    }
    Ok([
        OUT..OUT + name.min(name_room),
        control_start..control_start + control,
        needed..needed + payload.min(len - needed),
    ])
}

fn compare(message: RecvmsgOut<'_>, bytes: &[u8], parts: &[Range<usize>; 3], fields: [u32; 4]) {
    let position = |part: &[u8]| {
        let start = part.as_ptr() as usize - bytes.as_ptr() as usize;
        start..start + part.len()
    };
    assert_eq!([message.name(), message.control(), message.payload()].map(position), *parts);
    let [name_len, _, payload_len, flags] = fields;
    assert_eq!((message.name_len(), message.payload_len()), (name_len as usize, payload_len as usize));
    assert_eq!(message.flags().bits(), flags & !(libc::MSG_CMSG_CLOEXEC as u32));
    assert_eq!(message.name_truncated(), parts[0].len() < name_len as usize);
    let cut = parts[2].len() < payload_len as usize;
    assert_eq!(message.data_truncated(), flags & libc::MSG_TRUNC as u32 != 0 || cut);
    assert_eq!(message.control_truncated(), flags & libc::MSG_CTRUNC as u32 != 0);
    assert!(message.messages().eq(ControlMessages::new(&bytes[parts[1].clone()])));
    assert_eq!(lines(format_args!("{message:?}")), 1);
}

fn any_bytes(name_room: u8, control_capacity: u8, misalignment: u8, fields: [Field; 4], rest: &[u8]) {
    let (name_room, control_capacity) = (usize::from(name_room), usize::from(control_capacity));
    let header = MultishotMsgHdr::new(name_room, control_capacity).expect("an int holds it");
    let payload = rest.len().saturating_sub(name_room + control_capacity);
    let [name, control, data, flags] = fields;
    let fields = [name.value(name_room), control.value(control_capacity), data.value(payload), flags.value(0)];
    let mut bytes = out(fields);
    bytes.extend(rest);
    let memory = Memory::copy_of(&bytes, misalignment);
    for len in [bytes.len(), OUT + name_room + control_capacity, OUT + name_room, OUT, rest.len() % OUT, 0] {
        let Some(bytes) = memory.bytes().get(..len) else { continue };
        match (header.split(bytes), model(name_room, control_capacity, len, fields)) {
            (Ok(message), Ok(parts)) => compare(message, bytes, &parts, fields),
            (Err(error), Err(expected)) => {
                assert_eq!(error, expected);
                assert_eq!(lines(format_args!("{error}")), 1);
            }
            (got, expected) => panic!("{got:?}, not {expected:?}"),
        }
    }
    // What comes after the message belongs to nobody.
    bytes.extend([0xEE; 9]);
    if let Ok(parts) = model(name_room, control_capacity, bytes.len(), fields) {
        compare(header.split(&bytes).expect("as before"), &bytes, &parts, fields);
    }
}

fn rooms(name: u64, control: u64) {
    let (name, control) = (name as usize, control as usize);
    match MultishotMsgHdr::new(name, control) {
        Ok(header) => {
            assert_eq!((header.name_room(), header.control_capacity()), (name, control));
            assert_eq!(header.payload_offset() as u128, OUT as u128 + name as u128 + control as u128);
            assert!(header.payload_offset() <= i32::MAX as usize);
        }
        Err(error) => {
            assert_eq!(error, Errno::OVERFLOW);
            assert!(OUT as u128 + name as u128 + control as u128 > i32::MAX as u128);
        }
    }
}

/// A duplicate that nothing owns.
fn ownerless() -> RawFd {
    static FILE: OnceLock<OwnedFd> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        table::limit(table::WATCHED);
        memfd_create(c"file", MemfdFlags::CLOEXEC).expect("a file")
    });
    fcntl_dupfd_cloexec(file, 0).expect("there are fewer than the table holds").into_raw_fd()
}

fn close(numbers: impl IntoIterator<Item = RawFd>) {
    for number in numbers {
        // SAFETY: it is one that nothing owns, and that nothing has closed.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
    }
}

fn descriptors(plan: &Plan) {
    let arithmetic = Arithmetic::of(Layout::NATIVE);
    // Every descriptor, and where its slot is from the start of the control messages.
    let (mut control, mut slots) = (Vec::new(), Vec::<(usize, RawFd)>::new());
    for (count, remainder) in plan.messages.iter().take(4) {
        let (count, remainder) = (usize::from(count % 8), usize::from(remainder % 4));
        let len = arithmetic.data_offset() + 4 * count + remainder;
        let start = control.len();
        control.extend(arithmetic.encode((len as u64, <ScmRights>::LEVEL, <ScmRights>::TYPE), 0xFF));
        for _ in 0..count {
            let number = ownerless();
            slots.push((control.len(), number));
            control.extend(number.to_ne_bytes());
        }
        control.resize(start + arithmetic.padded(len) as usize, 0xFF);
    }
    let numbers = |slots: &[(usize, RawFd)]| -> Open { set_of(slots.iter().map(|(_, number)| *number)) };
    let (all, before) = (numbers(&slots), open());

    let name_room = usize::from(plan.name_room);
    let control_capacity = control.len().saturating_add_signed(plan.spare.into());
    let header = MultishotMsgHdr::new(name_room, control_capacity).expect("an int holds it");
    let payload = vec![b'd'; usize::from(plan.payload)];
    let controllen = plan.controllen.value(control.len());
    let fields = [0, controllen, payload.len() as u32, 0];
    control.resize(control_capacity, 0xFF);
    let mut bytes = out(fields);
    bytes.resize(OUT + name_room, 0xFF);
    bytes.extend(&control);
    bytes.extend(&payload);
    if let Some(cut) = plan.cut {
        bytes.truncate(cut.into());
    }

    // What of the control messages is there. Without all of the first structure nobody knows.
    let there = if bytes.len() < OUT {
        0
    } else {
        bytes.len().saturating_sub(OUT + name_room).min(control_capacity).min(controllen as usize)
    };
    let (owned, others): (Vec<_>, Vec<_>) = slots.iter().partition(|(offset, _)| offset + 4 <= there);

    let mut memory = Memory::copy_of(&bytes, plan.misalignment);
    // SAFETY: the bytes stand for what a ring has filled: nobody else owns the descriptors in them, and what is not one is
    // negative.
    match unsafe { header.received(memory.bytes_mut()) }.map(ReceivedWithData::into_parts) {
        Ok((mut received, data)) => {
            assert!(model(name_room, control_capacity, bytes.len(), fields).is_ok());
            assert_eq!(received.bytes(), payload.len());
            assert_eq!(received.data_truncated(), data.len() < payload.len());
            assert!(data.iter().all(|byte| *byte == b'd') && received.address().is_none());
            assert_eq!(open(), before);
            // A slot that was cut by the room can be negative, or any number at all; see `there`.
            let taking = received.take_descriptors().expect("no slot is negative");
            assert_eq!(taking.len(), owned.len());
            let taken: Vec<_> = taking.take(plan.taken.into()).map(IntoRawFd::into_raw_fd).collect();
            assert!(taken.iter().eq(owned.iter().map(|(_, number)| number).take(plan.taken.into())));
            // At once: what was not taken does not wait for `received`.
            assert_eq!(open(), before & !numbers(&owned) | set_of(taken.iter().copied()));
            drop(received);
            assert_eq!(open(), before & !numbers(&owned) | set_of(taken.iter().copied()));
            close(taken);
        }
        Err(error) => {
            assert_eq!(Some(error), model(name_room, control_capacity, bytes.len(), fields).err());
            assert_eq!(open(), before & !numbers(&owned));
        }
    }
    assert!(memory.is_untouched_before());
    close(others.into_iter().map(|(_, number)| number));
    assert_eq!(open(), before & !all);
}

fuzz_target!(|input: Input<'_>| {
    match input {
        Input::Rooms { name, control } => rooms(name, control),
        Input::Bytes { name_room, control_capacity, misalignment, fields, rest } => {
            any_bytes(name_room, control_capacity, misalignment, fields, rest);
        }
        Input::Descriptors(plan) => descriptors(&plan),
    }
});
