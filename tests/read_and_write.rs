//! What the writer writes, the reader reads: for any messages, any layout, any address and over dirty memory.

use ancillary::control::{StopReason, TranslateError};
use ancillary::layout::{ByteOrder, LayoutParts, LengthWidth};
use ancillary::{ControlMessages, ControlWriter, Layout, PushError};
use quickcheck::{Arbitrary, Gen, quickcheck};
use std::mem::MaybeUninit;

const ROOM: usize = 1024;
const NATIVE_HEADER: usize = Layout::NATIVE.data_offset();
const MISALIGNMENTS: usize = 16;

#[repr(align(16))]
struct Memory([u8; ROOM + MISALIGNMENTS]);

impl Memory {
    fn dirty() -> Self {
        Memory([0xff; ROOM + MISALIGNMENTS])
    }

    fn at(&mut self, misalignment: usize) -> &mut [u8] {
        &mut self.0[misalignment..misalignment + ROOM]
    }
}

#[derive(Clone, Debug)]
struct AnyLayout(Layout);

impl Arbitrary for AnyLayout {
    fn arbitrary(g: &mut Gen) -> Self {
        if u8::arbitrary(g) % 4 == 0 {
            return AnyLayout(made_of_any_parts(g));
        }
        let (_, layout) = *g.choose(Layout::NAMED).unwrap();
        // musl's layouts each exist in one byte order.
        if layout == Layout::MUSL_64_LE || layout == Layout::MUSL_64_BE {
            return AnyLayout(layout);
        }
        AnyLayout(layout.with_byte_order(*g.choose(&[ByteOrder::Little, ByteOrder::Big]).unwrap()))
    }
}

/// Fields in any order and at any distance, a payload or a header anywhere behind the one before.
fn made_of_any_parts(g: &mut Gen) -> Layout {
    loop {
        let alignments = [1, 2, 4, 8, 16, 32, 64];
        let mut offset = || u8::arbitrary(g) % 61;
        let [len_offset, level_offset, type_offset, size] = [offset(), offset(), offset(), offset()];
        let parts = LayoutParts {
            header_size: 4 + size,
            len_offset,
            len_width: *g.choose(&[LengthWidth::Four, LengthWidth::Eight]).unwrap(),
            level_offset,
            type_offset,
            header_align: *g.choose(&alignments).unwrap(),
            data_align: *g.choose(&alignments).unwrap(),
            byte_order: *g.choose(&[ByteOrder::Little, ByteOrder::Big]).unwrap(),
        };
        if let Some(layout) = Layout::from_parts(parts) {
            return layout;
        }
    }
}

#[derive(Clone, Debug)]
struct AnyMessage {
    level: i32,
    message_type: i32,
    payload: Vec<u8>,
    in_place: bool,
}

impl Arbitrary for AnyMessage {
    fn arbitrary(g: &mut Gen) -> Self {
        let len = usize::arbitrary(g) % 48;
        AnyMessage {
            level: i32::arbitrary(g),
            message_type: i32::arbitrary(g),
            payload: (0..len).map(|_| u8::arbitrary(g)).collect(),
            in_place: bool::arbitrary(g),
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let message = self.clone();
        Box::new(self.payload.shrink().map(move |payload| AnyMessage { payload, ..message.clone() }))
    }
}

fn push(writer: &mut ControlWriter<'_, Layout>, message: &AnyMessage) -> Result<(), PushError> {
    if message.in_place {
        let payload = writer.reserve(message.level, message.message_type, message.payload.len())?;
        assert!(payload.iter().all(|byte| *byte == 0), "what is reserved is zero");
        payload.copy_from_slice(&message.payload);
        Ok(())
    } else {
        writer.push_raw(message.level, message.message_type, &message.payload)
    }
}

fn push_what_fits(writer: &mut ControlWriter<'_, Layout>, messages: &[AnyMessage]) {
    for message in messages {
        let _ = push(writer, message);
    }
}

quickcheck! {
    fn what_was_written_is_read(layout: AnyLayout, messages: Vec<AnyMessage>, room: u16, misalignment: u8) -> bool {
        let layout = layout.0;
        let room = usize::from(room) % (ROOM + 1);
        let mut memory = Memory::dirty();
        let place = memory.at(usize::from(misalignment) % MISALIGNMENTS);
        let mut accepted = Vec::new();
        let used = {
            let mut writer = ControlWriter::with_layout(layout, &mut place[..room]);
            for message in &messages {
                let before = writer.as_bytes().to_vec();
                // Plain arithmetic, not the library's: the least room is a header, its padding and the payload.
                let needed = layout.data_offset() + message.payload.len();
                let available = room - before.len();
                match push(&mut writer, message) {
                    Ok(()) => {
                        assert!(needed <= available);
                        assert_eq!(&writer.as_bytes()[..before.len()], before);
                        accepted.push(message);
                    }
                    Err(error) => {
                        assert_eq!(error, PushError::BufferTooSmall { needed, available });
                        assert_eq!(writer.as_bytes(), before, "a push that fails changes nothing");
                    }
                }
                assert_eq!(writer.used() + writer.available(), room);
            }
            writer.used()
        };
        assert!(place[used..].iter().all(|byte| *byte == 0xff), "only its own messages are touched");

        let mut read = ControlMessages::with_layout(layout, &place[..used]);
        for message in &accepted {
            let found = read.next().unwrap().unwrap();
            assert_eq!((found.level(), found.message_type()), (message.level, message.message_type));
            assert_eq!(found.payload(), message.payload);
        }
        read.next().is_none() && read.stop_reason() == Some(StopReason::EndOfBuffer)
    }

    fn the_same_bytes_at_every_address_over_any_memory(layout: AnyLayout, messages: Vec<AnyMessage>) -> bool {
        let mut reference: Option<Vec<u8>> = None;
        for misalignment in 0..MISALIGNMENTS {
            for fill in [0x00, 0xff] {
                let mut memory = Memory([fill; ROOM + MISALIGNMENTS]);
                let mut writer = ControlWriter::with_layout(layout.0, memory.at(misalignment));
                push_what_fits(&mut writer, &messages);
                let bytes = writer.as_bytes().to_vec();
                assert_eq!(*reference.get_or_insert_with(|| bytes.clone()), bytes);
            }
        }
        true
    }

    fn uninitialised_memory_is_as_good(messages: Vec<AnyMessage>) -> bool {
        let mut bytes = [0xff; ROOM];
        let mut uninit = [MaybeUninit::<u8>::uninit(); ROOM];
        let mut over_bytes = ControlWriter::with_layout(Layout::NATIVE, &mut bytes);
        let mut over_uninit = ControlWriter::with_layout(Layout::NATIVE, &mut uninit);
        for message in &messages {
            assert_eq!(push(&mut over_bytes, message), push(&mut over_uninit, message));
        }
        over_bytes.as_bytes() == over_uninit.as_bytes()
    }

    fn padding_is_zero(layout: AnyLayout, messages: Vec<AnyMessage>) -> bool {
        let layout = layout.0;
        let mut memory = Memory::dirty();
        let mut writer = ControlWriter::with_layout(layout, memory.at(0));
        push_what_fits(&mut writer, &messages);
        // A byte that is not zero and belongs to no field and no payload would survive this.
        let mut bytes = writer.as_bytes().to_vec();
        let parts = layout.parts();
        let mut at = 0;
        for message in ControlMessages::with_layout(layout, writer.as_bytes()) {
            let payload_len = message.unwrap().payload().len();
            let fields = [
                (parts.len_offset, parts.len_width.bytes()),
                (parts.level_offset, 4),
                (parts.type_offset, 4),
                (layout.data_offset() as u8, payload_len),
            ];
            for (offset, width) in fields {
                let from = at + usize::from(offset);
                bytes[from..from + width].fill(0);
            }
            at = (at + layout.data_offset() + payload_len).next_multiple_of(layout.header_align());
        }
        bytes.iter().all(|byte| *byte == 0)
    }

    fn a_translated_buffer_says_the_same(from: AnyLayout, to: AnyLayout, messages: Vec<AnyMessage>, room: u16) -> bool {
        let (from, to) = (from.0, to.0);
        let mut memory = Memory::dirty();
        let mut writer = ControlWriter::with_layout(from, memory.at(0));
        push_what_fits(&mut writer, &messages);
        let source = ControlMessages::with_layout(from, writer.as_bytes());

        let mut other = Memory::dirty();
        let room = usize::from(room) % (ROOM + 1);
        let mut translated = ControlWriter::with_layout(to, &mut other.at(0)[..room]);
        let before = (translated.push_raw(280, 7, b"before").is_ok(), translated.as_bytes().to_vec());
        match translated.push_all(source.clone()) {
            Ok(end) => {
                assert_eq!(end, StopReason::EndOfBuffer);
                let skip = usize::from(before.0);
                source.eq(ControlMessages::with_layout(to, translated.as_bytes()).skip(skip))
            }
            // All or nothing.
            Err(_) => translated.as_bytes() == before.1,
        }
    }

    fn any_bytes_are_read_to_an_end(layout: AnyLayout, bytes: Vec<u8>) -> bool {
        let layout = layout.0;
        let mut messages = ControlMessages::with_layout(layout, &bytes);
        let mut steps = 0;
        while messages.next().is_some() {
            steps += 1;
        }
        assert!(steps <= bytes.len() / layout.data_offset() + 1);
        assert!(messages.stop_reason().is_some());
        assert!(messages.next().is_none(), "fused");
        assert!(!ControlMessages::with_layout(layout, &bytes).to_string().is_empty());
        let remainder = messages.remainder();
        bytes.ends_with(remainder) && messages.offset() + remainder.len() == bytes.len()
    }

    // What comes before an error does not depend on it.
    fn messages_before_an_error_stand(layout: AnyLayout, messages: Vec<AnyMessage>, damage: u16, length: u64) -> bool {
        let layout = layout.0;
        let mut memory = Memory::dirty();
        let mut writer = ControlWriter::with_layout(layout, memory.at(0));
        push_what_fits(&mut writer, &messages);
        let mut bytes = writer.as_bytes().to_vec();
        let starts: Vec<usize> = {
            let mut read = ControlMessages::with_layout(layout, &bytes);
            let mut starts = Vec::new();
            loop {
                let start = read.offset();
                if read.next().is_none() { break starts }
                starts.push(start);
            }
        };
        let Some(damaged) = starts.get(usize::from(damage) % starts.len().max(1)).copied() else { return true };
        let header = ancillary::layout::ControlHeader { cmsg_len: length, level: 0, message_type: 0 };
        if !layout.write_header(header, &mut bytes[damaged..]) {
            return true;
        }
        let whole = ControlMessages::with_layout(layout, &bytes);
        let prefix = ControlMessages::with_layout(layout, &bytes[..damaged]);
        let before: Vec<_> = prefix.map(Result::unwrap).collect();
        let found: Vec<_> = whole.take(before.len()).map(Result::unwrap).collect();
        before == found
    }
}

#[test]
fn a_length_that_overflows_is_refused_and_changes_nothing() {
    let mut bytes = [0xff; 64];
    let mut writer = ControlWriter::new(&mut bytes);
    for payload in [usize::MAX, usize::MAX - 7, usize::MAX - NATIVE_HEADER + 1] {
        assert_eq!(writer.reserve(280, 7, payload).err(), Some(PushError::TooLong { payload }));
    }
    let payload = isize::MAX as usize;
    assert!(matches!(
        writer.reserve(280, 7, payload).err(),
        Some(PushError::BufferTooSmall { .. } | PushError::TooLong { .. })
    ));
    assert!(writer.is_empty());
    assert_eq!(bytes, [0xff; 64]);
}

#[test]
fn what_cannot_be_read_is_not_translated() {
    let mut bytes = [0xff; 128];
    let mut writer = ControlWriter::with_layout(Layout::LINUX_32, &mut bytes);
    writer.push_raw(0, 1, &[0x10]).unwrap();
    let used = writer.used();
    let mut other = [0xff; 128];
    let mut translated = ControlWriter::with_layout(Layout::LINUX_64, &mut other);

    // Stray bytes are told: a native kernel ignores them, a 32-bit process is refused for them.
    let stray = ControlMessages::with_layout(Layout::LINUX_32, &bytes[..used + 3]);
    assert_eq!(translated.push_all(stray), Ok(StopReason::TrailingBytes { offset: used, len: 3 }));
    let written = translated.used();

    let malformed = ControlMessages::with_layout(Layout::LINUX_32, &bytes[..used + 12]);
    assert!(matches!(translated.push_all(malformed), Err(TranslateError::Malformed(error)) if error.offset() == used));
    assert_eq!(translated.used(), written);
}

#[test]
fn an_empty_buffer_takes_nothing() {
    let mut writer = ControlWriter::new(&mut [0u8; 0]);
    assert!(matches!(writer.push_raw(280, 7, b""), Err(PushError::BufferTooSmall { available: 0, .. })));
    assert_eq!((writer.used(), writer.as_bytes()), (0, &b""[..]));
}

#[test]
fn a_cleared_writer_leaves_no_remnant() {
    let mut bytes = [0xff; 128];
    let mut writer = ControlWriter::new(&mut bytes);
    writer.push_raw(280, 7, &[0xaa; 60]).unwrap();
    writer.clear();
    writer.push_raw(280, 8, &[0xbb; 5]).unwrap();
    let mut fresh = [0; 128];
    let mut other = ControlWriter::new(&mut fresh);
    other.push_raw(280, 8, &[0xbb; 5]).unwrap();
    assert_eq!(writer.as_bytes(), other.as_bytes());
}

/// Exactly `CMSG_LEN`: the last message is accepted without its padding. One byte less: refused.
#[test]
fn the_last_message_may_be_unpadded() {
    let layout = Layout::LINUX_64;
    let mut bytes = [0xff; 24 + 21];
    let mut writer = ControlWriter::with_layout(layout, &mut bytes);
    writer.push_raw(280, 7, &[1; 4]).unwrap();
    writer.push_raw(280, 8, &[2; 5]).unwrap();
    assert_eq!((writer.used(), writer.available()), (45, 0));
    assert_eq!(writer.push_raw(280, 9, &[]), Err(PushError::BufferTooSmall { needed: 16, available: 0 }));

    let mut writer = ControlWriter::with_layout(layout, &mut bytes[..24 + 20]);
    writer.push_raw(280, 7, &[1; 4]).unwrap();
    assert_eq!(writer.push_raw(280, 8, &[2; 5]), Err(PushError::BufferTooSmall { needed: 21, available: 20 }));
}
