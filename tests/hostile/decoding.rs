//! Kinds with false numbers and sizes, decoders that misbehave, and buffers of a ring with anything in them.
#![forbid(unsafe_code)]

use crate::rounds::{Random, happened, plant, planted, rounds};
use crate::tests;
use crate::world::{NATIVE, RIGHTS, World};
use ancillary::control::{FixedPayload, ListPayload, payload_size_of_list};
use ancillary::message::{ControlKind, DecodeError, DecodeMessage, ScmPidfd, ScmRightsNumbers, payload_array};
use ancillary::socket::{MultishotMsgHdr, RecvmsgOutError};
use ancillary::{ControlBuffer, ControlMessage, ControlMessages, ControlWriter, PushError, Received, control_space};

tests![sizes_that_no_payload_has, decoders_of_any_message, a_ring_buffer_of_any_bytes];

/// Kinds with such numbers, whose decoders do such things.
macro_rules! kinds {
    ($($name:ident: $numbers:expr, |$payload:ident| $decode:expr;)*) => {$(
        #[derive(Debug)]
        #[allow(dead_code, reason = "of some only that they are made is of interest")]
        struct $name<'m>(&'m [u8]);

        impl ControlKind for $name<'_> {
            const LEVEL: i32 = $numbers.0;
            const TYPE: i32 = $numbers.1;
        }

        impl<'m> DecodeMessage<'m> for $name<'m> {
            fn decode($payload: &'m [u8]) -> Result<Self, DecodeError> {
                $decode
            }
        }
    )*};
}

kinds! {
    Numbers: RIGHTS, |payload| Ok(Numbers(payload));
    OtherNumbers: (ScmPidfd::LEVEL, ScmPidfd::TYPE), |payload| Ok(OtherNumbers(payload));
    Lies: RIGHTS, |_payload| Ok(Lies(b"not what is there"));
    Refuses: RIGHTS, |payload| payload_array::<4321>(payload).map(|_| Refuses(payload));
    Panics: RIGHTS, |payload| {
        happened("a decoder that panicked");
        plant();
        Ok(Panics(payload))
    };
    Extreme: (i32::MIN, i32::MAX), |payload| Ok(Extreme(payload));
    Negative: (-1, -1), |payload| Ok(Negative(payload));
}

/// Finds a message by a decoder that misbehaves. It is given numbers, and owns nothing.
pub fn find(random: &mut Random, received: &Received<'_>) {
    match random.below(7) {
        0 => drop(received.find::<Numbers<'_>>().map(Result::unwrap)),
        1 => drop(received.find::<OtherNumbers<'_>>().map(Result::unwrap)),
        2 => {
            if let Some(found) = received.find::<Lies<'_>>() {
                assert_eq!(found.unwrap().0, b"not what is there");
            }
        }
        3 => assert!(received.find::<Refuses<'_>>().is_none_or(|found| found.is_err())),
        4 => drop(planted(|| received.find::<Panics<'_>>().map(drop))),
        5 => assert!(received.find::<Extreme<'_>>().is_none() && received.find::<Negative<'_>>().is_none()),
        _ => {
            if let Some(numbers) = received.find::<ScmRightsNumbers<'_>>() {
                let _ = numbers.unwrap().next();
            }
        }
    }
}

/// A kind whose payload is said to have such sizes.
macro_rules! sizes {
    ($($name:ident: $fixed:expr, $prefix:expr, $element:expr;)*) => {$(
        struct $name;

        impl ControlKind for $name {
            const LEVEL: i32 = 280;
            const TYPE: i32 = 7;
        }

        impl FixedPayload for $name {
            const PAYLOAD_SIZE: usize = $fixed;
        }

        impl ListPayload for $name {
            const PREFIX_SIZE: usize = $prefix;
            const ELEMENT_SIZE: usize = $element;
        }
    )*};
}

sizes! {
    Nothing: 0, 0, 0;
    Everything: usize::MAX, usize::MAX, usize::MAX;
    Half: usize::MAX / 2 + 1, 1, usize::MAX / 2 + 1;
    AlmostAll: usize::MAX - 15, usize::MAX - 15, 1;
}

/// What every public function makes of the sizes of a kind.
fn every_use_of<K: FixedPayload + ListPayload>() {
    let counts = [0, 1, 2, 16, usize::MAX / 2, usize::MAX];
    let sizes =
        counts.map(payload_size_of_list::<K>).into_iter().chain([K::PAYLOAD_SIZE, K::PREFIX_SIZE, K::ELEMENT_SIZE]);
    for size in sizes {
        let (space, len) = (NATIVE.space(size), NATIVE.len(size));
        assert!(len.is_none_or(|len| len >= size && space.is_none_or(|space| space >= len)));
        let _ = (NATIVE.space_of_all(&[size, size, size]), NATIVE.len_of_all(&[size, size]), NATIVE.align(size));
        let _ = NATIVE.next_header(size, size as u64, size);
        let mut bytes = [0xff; 32];
        let mut writer = ControlWriter::new(&mut bytes);
        writer.push_raw(K::LEVEL, K::TYPE, b"").unwrap();
        let before = writer.as_bytes().to_vec();
        match writer.reserve(K::LEVEL, K::TYPE, size) {
            Ok(payload) => assert!(payload.len() == size && size <= 16),
            Err(PushError::BufferTooSmall { needed, available }) => assert!(needed > available),
            Err(error) => assert_eq!((error, len), (PushError::TooLong { payload: size }, None)),
        }
        assert!(writer.as_bytes().starts_with(&before));
    }
}

fn sizes_that_no_payload_has() {
    every_use_of::<Nothing>();
    every_use_of::<Everything>();
    every_use_of::<Half>();
    every_use_of::<AlmostAll>();
    let mut space = ControlBuffer::<{ control_space!(Nothing, Nothing[usize::MAX], Half[0]) }>::new();
    assert_eq!(space.writer().available(), 2 * NATIVE.space(0).unwrap() + NATIVE.space(1).unwrap());
}

/// Bytes in which headers are likely, and lengths that are nearly right.
fn likely_bytes(random: &mut Random, world: &World, len: usize) -> Vec<u8> {
    let mut bytes = world.forged(random.below(3) * 8, len);
    for _ in 0..random.below(6) {
        if len > 0 {
            bytes[random.below(len)] = random.of(&[0, 1, 0x10, 0x11, 0x7f, 0x80, 0xff]);
        }
    }
    bytes
}

fn decoders_of_any_message() {
    let expected = ["a decoder that panicked", "a message that was decoded"];
    rounds(&expected, |random| {
        let world = World::new();
        let len = random.below(160);
        let bytes = likely_bytes(random, &world, len);
        let mut messages = ControlMessages::new(&bytes);
        while let Some(Ok(message)) = messages.next() {
            decode(&message, &bytes);
            // Reading goes on after a panic where it was.
            planted(|| {
                let _ = messages.next();
                plant();
            });
        }
        assert!(messages.stop_reason().is_some() || messages.next().is_some());
        let _ = messages.truncated_message().is_some_and(|message| decode(&message, &bytes));
        let made = ControlMessage::new(random.number() as i32, random.number() as i32, &bytes);
        decode(&made, &bytes);
    });
}

fn decode(message: &ControlMessage<'_>, bytes: &[u8]) -> bool {
    let within = bytes.as_ptr_range();
    if let Some(Ok(numbers)) = message.decode::<Numbers<'_>>() {
        happened("a message that was decoded");
        assert_eq!(numbers.0, message.payload());
        let range = numbers.0.as_ptr_range();
        assert!(numbers.0.is_empty() || (within.start <= range.start && range.end <= within.end));
        assert!(message.decode::<Refuses<'_>>().unwrap().is_err());
        assert!(message.decode::<Lies<'_>>().unwrap().unwrap().0 != numbers.0);
    }
    planted(|| message.decode::<Panics<'_>>().map(drop));
    let _ = (message.decode::<OtherNumbers<'_>>().map(|numbers| numbers.unwrap().0), message.decode::<Negative<'_>>());
    message.is::<Extreme<'_>>()
}

fn a_ring_buffer_of_any_bytes() {
    let expected = ["a buffer that was split", "a buffer that was too short", "a false length of control messages"];
    rounds(&expected, |random| {
        let world = World::new();
        let few = [0, 1, 16, 24, 64, 128];
        let huge = [usize::MAX, i32::MAX as usize - 16, 1 << 31, i32::MAX as usize];
        let mut room = || if random.one_in(12) { random.of(&huge) } else { random.of(&few) };
        let (name_room, control_capacity) = (room(), room());
        let Ok(header) = MultishotMsgHdr::new(name_room, control_capacity) else { return };
        let len = random.below(400);
        let mut bytes = likely_bytes(random, &world, len);
        for field in bytes.chunks_exact_mut(4).take(4) {
            let near = [name_room as u32, control_capacity as u32, len as u32, 0, 1, u32::MAX, 1 << 31];
            let value = random.of(&near).wrapping_add(random.below(3) as u32).wrapping_sub(1);
            field.copy_from_slice(&value.to_ne_bytes());
        }
        match header.split(&bytes) {
            Ok(out) => {
                happened("a buffer that was split");
                assert!(len >= header.payload_offset());
                assert!(out.name().len() <= name_room.min(out.name_len()) && out.control().len() <= control_capacity);
                let payload = &bytes[header.payload_offset()..];
                assert_eq!(out.payload(), &payload[..out.payload_len().min(payload.len())]);
                assert_eq!(out.name(), &bytes[16..][..out.name().len()]);
                assert_eq!(out.control(), &bytes[16 + name_room..][..out.control().len()]);
                for message in out.messages().flatten() {
                    decode(&message, &bytes);
                }
                let _ = format!("{out:?} {} {:?}", out.messages(), out.flags());
            }
            Err(RecvmsgOutError::TooShort { needed, len }) => {
                happened("a buffer that was too short");
                assert!(needed > len && len == bytes.len());
            }
            Err(error) => {
                happened("a false length of control messages");
                assert!(matches!(error, RecvmsgOutError::ControlBeyondRoom { claimed, room } if claimed > room));
            }
        }
    });
}
