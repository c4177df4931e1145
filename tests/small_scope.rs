//! Every buffer of a few words, each word one of a few numbers, cut at every byte, against an interpreter in plain
//! arithmetic. It reads one byte at a time with numbers that cannot overflow, and shares nothing with the crate.
//!
//! A release build walks the full scope, a debug build one of fewer numbers, and Miri, which takes far longer for each step,
//! one of three.

use ancillary::control::StopReason;
use ancillary::layout::{ByteOrder, LayoutParts, LengthWidth};
use ancillary::{ControlError, ControlMessages, ControlWriter, Layout, PushError};
use core::ops::Range;

/// The numbers of one system, as its headers give them, and the buffers to walk.
struct Scope {
    layout: Layout,
    big_endian: bool,
    len: Range<usize>,
    level: usize,
    message_type: usize,
    data_offset: usize,
    header_align: usize,
    /// The size of a word in bytes, and how many words there are.
    word: usize,
    words: usize,
    /// What a word may be. The first few only, in a debug build.
    letters: &'static [u64],
    in_debug: usize,
}

const BIG: bool = cfg!(target_endian = "big");

/// `SOL_SOCKET` and `SCM_RIGHTS` in one word of eight bytes, on Linux, in the order in which they lie in memory.
const RIGHTS: u64 = 1 << 32 | 1;

/// Lengths around those of the smallest messages and of the buffer; and as level, type or payload, whatever they are.
const LINUX_32: Scope = Scope {
    layout: Layout::LINUX_32,
    big_endian: BIG,
    len: 0..4,
    level: 4,
    message_type: 8,
    data_offset: 12,
    header_align: 4,
    word: 4,
    words: 6,
    letters: &[12, 1, 13, 24, 16, u32::MAX as u64, 11, 25, 23, 0x0c00_0000, 0x8000_000c, 0],
    in_debug: 6,
};

const LINUX_64: Scope = Scope {
    layout: Layout::LINUX_64,
    big_endian: BIG,
    len: 0..8,
    level: 8,
    message_type: 12,
    data_offset: 16,
    header_align: 8,
    word: 8,
    words: 6,
    letters: &[16, RIGHTS, 17, 32, 24, u64::MAX, 15, 49, 48, 16 << 32, 1 << 63 | 16, 0],
    in_debug: 6,
};

/// Padding between the header and the payload.
const BSD_ALIGN_8: Scope = Scope {
    layout: Layout::BSD_ALIGN_8,
    big_endian: BIG,
    len: 0..4,
    level: 4,
    message_type: 8,
    data_offset: 16,
    header_align: 8,
    word: 4,
    words: 8,
    letters: &[16, 17, 32, 12, 24, u32::MAX as u64, 0],
    in_debug: 3,
};

/// Headers at any address.
const AIX: Scope = Scope {
    layout: Layout::AIX,
    big_endian: true,
    len: 0..4,
    level: 4,
    message_type: 8,
    data_offset: 12,
    header_align: 1,
    word: 4,
    words: 7,
    letters: &[12, 13, 0x0d00_0000, 0x000c_0000, 15, 28, u32::MAX as u64, 0],
    in_debug: 4,
};

/// The payload is not where a header could be.
const SOLARIS_SPARC: Scope = Scope {
    layout: Layout::SOLARIS_SPARC,
    big_endian: true,
    len: 0..4,
    level: 4,
    message_type: 8,
    data_offset: 12,
    header_align: 8,
    word: 4,
    words: 7,
    letters: &[12, 13, 16, 28, 17, 24, u32::MAX as u64, 0],
    in_debug: 4,
};

/// No system's: headers further apart than one is long, and fields at odd places with padding between them. To write.
const FAR_APART: Scope = Scope {
    layout: made_of(LayoutParts {
        header_size: 29,
        len_offset: 13,
        len_width: LengthWidth::Eight,
        level_offset: 3,
        type_offset: 24,
        header_align: 64,
        data_align: 2,
        byte_order: ByteOrder::Little,
    }),
    big_endian: false,
    len: 13..21,
    level: 3,
    message_type: 24,
    data_offset: 30,
    header_align: 64,
    word: 1,
    words: 0,
    letters: &[0],
    in_debug: 1,
};

/// No system's: the payload is aligned more than headers are. To write.
const PAYLOAD_ALIGNED: Scope = Scope {
    layout: made_of(LayoutParts { header_align: 2, data_align: 16, ..Layout::AIX.parts() }),
    data_offset: 16,
    header_align: 2,
    word: 1,
    words: 0,
    letters: &[0],
    in_debug: 1,
    ..AIX
};

const fn made_of(parts: LayoutParts) -> Layout {
    match Layout::from_parts(parts) {
        Some(layout) => layout,
        None => panic!("the parts contradict each other"),
    }
}

/// What stands at some offset of a buffer.
enum Found {
    Message { level: i32, message_type: i32, payload: Range<usize>, next: usize },
    TooLittle { claimed: u64 },
    TooMuch { claimed: u64, level: i32, message_type: i32, payload: Range<usize> },
    Leftover,
    Nothing,
}

impl Scope {
    /// The number in these bytes.
    fn number(&self, bytes: &[u8]) -> u64 {
        let mut number: u128 = 0;
        for index in 0..bytes.len() {
            let from_most = if self.big_endian { index } else { bytes.len() - 1 - index };
            number = number * 256 + u128::from(bytes[from_most]);
        }
        number as u64
    }

    fn look(&self, bytes: &[u8], at: usize) -> Found {
        let bytes_left = &bytes[at..];
        if bytes_left.is_empty() {
            return Found::Nothing;
        }
        if bytes_left.len() < self.data_offset {
            return Found::Leftover;
        }
        let number = |from: usize, to: usize| self.number(&bytes_left[from..to]);
        let claimed = number(self.len.start, self.len.end);
        let level = number(self.level, self.level + 4) as u32 as i32;
        let message_type = number(self.message_type, self.message_type + 4) as u32 as i32;
        let end = at as u128 + u128::from(claimed);
        if claimed < self.data_offset as u64 {
            return Found::TooLittle { claimed };
        }
        let from = at + self.data_offset;
        if end > bytes.len() as u128 {
            return Found::TooMuch { claimed, level, message_type, payload: from..bytes.len() };
        }
        let end = end as usize;
        // Headers lie at multiples of the alignment from the start of the buffer.
        let next = (end..).find(|next| next % self.header_align == 0 || *next == bytes.len()).unwrap();
        Found::Message { level, message_type, payload: from..end, next }
    }

    /// Walks one buffer with the crate, a step at a time beside this.
    fn walk(&self, bytes: &[u8]) {
        let mut messages = ControlMessages::with_layout(self.layout, bytes);
        let most = messages.size_hint().1.unwrap();
        let (mut at, mut steps) = (0, 0);
        let end = loop {
            assert_eq!((messages.offset(), messages.remainder().len()), (at, bytes.len() - at), "{bytes:?}");
            let found = self.look(bytes, at);
            if let Found::Message { level, message_type, payload, next } = found {
                assert_eq!(messages.stop_reason(), None, "{bytes:?}");
                let message = messages.next().unwrap().unwrap();
                assert_eq!((message.level(), message.message_type()), (level, message_type), "{bytes:?}");
                assert_eq!(message.payload().as_ptr_range(), bytes[payload].as_ptr_range(), "{bytes:?}");
                assert!(next > at, "{bytes:?}");
                (at, steps) = (next, steps + 1);
                continue;
            }
            let remaining = bytes.len() - at;
            let error = match found {
                Found::TooLittle { claimed } => ControlError::LengthBelowHeader { offset: at, claimed, remaining },
                Found::TooMuch { claimed, .. } => ControlError::LengthBeyondBuffer { offset: at, claimed, remaining },
                Found::Leftover => break StopReason::TrailingBytes { offset: at, len: remaining },
                Found::Message { .. } | Found::Nothing => break StopReason::EndOfBuffer,
            };
            assert_eq!(messages.next(), Some(Err(error)), "{bytes:?}");
            let clamped = messages.truncated_message();
            steps += 1;
            if let Found::TooMuch { level, message_type, payload, .. } = found {
                let clamped = clamped.unwrap();
                assert_eq!((clamped.level(), clamped.message_type()), (level, message_type), "{bytes:?}");
                assert_eq!(clamped.payload().as_ptr_range(), bytes[payload].as_ptr_range(), "{bytes:?}");
            } else {
                assert_eq!(clamped, None, "{bytes:?}");
            }
            break StopReason::Malformed(error);
        };
        assert!(messages.next().is_none() && messages.next().is_none(), "{bytes:?}");
        assert_eq!(messages.stop_reason(), Some(end), "{bytes:?}");
        assert_eq!(messages.offset(), at, "{bytes:?}");
        assert!(steps <= most, "{bytes:?}");
    }

    /// Calls `act` with every buffer of the scope, and says how many those were.
    fn every_buffer(&self, mut act: impl FnMut(&mut [u8])) -> u64 {
        let letters = if cfg!(miri) {
            &self.letters[..self.in_debug.min(3)]
        } else if cfg!(debug_assertions) {
            &self.letters[..self.in_debug]
        } else {
            self.letters
        };
        let mut buffers = 0;
        for words in 0..=self.words {
            let mut word = vec![0; words];
            let mut whole = vec![0; words * self.word];
            loop {
                for (index, letter) in word.iter().enumerate() {
                    self.put(&mut whole[index * self.word..][..self.word], letters[*letter]);
                }
                // Every length with which the last word is there, whole or in part.
                for missing in 0..self.word.min(whole.len()).max(1) {
                    let cut = whole.len() - missing;
                    act(&mut whole[..cut]);
                    buffers += 1;
                }
                // The next combination, as a counter's.
                let Some(index) = word.iter().rposition(|letter| *letter + 1 < letters.len()) else { break };
                word[index] += 1;
                word[index + 1..].fill(0);
            }
        }
        let cuts = (1..=self.words as u32).map(|words| (letters.len() as u64).pow(words) * self.word as u64);
        assert_eq!(buffers, cuts.sum::<u64>() + 1);
        buffers
    }

    fn put(&self, bytes: &mut [u8], number: u64) {
        let width = bytes.len();
        for (index, byte) in bytes.iter_mut().enumerate() {
            let place = if self.big_endian { width - 1 - index } else { index };
            *byte = (number >> (8 * place)) as u8;
        }
    }

    fn read_all(&self, name: &str) {
        let start = std::time::Instant::now();
        let buffers = self.every_buffer(|bytes| self.walk(bytes));
        println!("{name}: {buffers} buffers in {:.1} s", start.elapsed().as_secs_f32());
    }
}

#[test]
fn every_buffer_of_linux_32() {
    LINUX_32.read_all("LINUX_32");
}

#[test]
fn every_buffer_of_linux_64() {
    LINUX_64.read_all("LINUX_64");
}

#[test]
fn every_buffer_of_bsd_align_8() {
    BSD_ALIGN_8.read_all("BSD_ALIGN_8");
}

#[test]
fn every_buffer_of_aix() {
    AIX.read_all("AIX");
}

#[test]
fn every_buffer_of_solaris_sparc() {
    SOLARIS_SPARC.read_all("SOLARIS_SPARC");
}

/// The same buffers as if a system had filled them: what is read, and what would be owned.
#[cfg(all(target_os = "linux", any(target_env = "gnu", target_env = "musl")))]
mod received {
    use super::{Found, LINUX_32, LINUX_64, Scope};
    use ancillary::platform::{SCM_RIGHTS, SOL_SOCKET};
    use ancillary::rustix::net::ReturnFlags;
    use ancillary::{Layout, Message, Received};

    fn holds_descriptors(level: i32, message_type: i32) -> bool {
        (level, message_type) == (SOL_SOCKET, SCM_RIGHTS)
    }

    /// How many slots there are; `None` if one of them holds the number of a descriptor.
    fn empty_slots(scope: &Scope, payload: &[u8]) -> Option<usize> {
        let mut slots = payload.chunks_exact(4);
        slots.all(|slot| scope.number(slot) >= 1 << 31).then_some(payload.len() / 4)
    }

    /// `false` if it would own descriptors, which are not there.
    fn receive(scope: &Scope, bytes: &mut [u8]) -> bool {
        let mut expected = Vec::new();
        let (mut at, mut malformed) = (0, false);
        loop {
            let (level, message_type, payload, next) = match scope.look(bytes, at) {
                Found::Message { level, message_type, payload, next } => (level, message_type, payload, Some(next)),
                Found::TooMuch { level, message_type, payload, .. } => (level, message_type, payload, None),
                Found::TooLittle { .. } => {
                    malformed = true;
                    break;
                }
                Found::Leftover | Found::Nothing => break,
            };
            malformed |= next.is_none();
            let slots = holds_descriptors(level, message_type).then(|| empty_slots(scope, &bytes[payload.clone()]));
            if slots == Some(None) {
                return false;
            }
            expected.push((level, message_type, payload, slots.flatten()));
            match next {
                Some(next) => at = next,
                None => break,
            }
        }
        let copy = bytes.to_vec();
        // SAFETY: all bytes are initialised, and as the loop above has found, no message that descriptors could be in
        // has a slot with the number of one.
        let mut received = unsafe { Received::from_raw_parts(0, ReturnFlags::empty(), None, &mut *bytes) };
        let (mut messages, mut errors) = (received.messages(), 0);
        let mut expected = expected.into_iter();
        while let Some(message) = messages.next() {
            let message = match message {
                Ok(message) => message,
                Err(_) => {
                    assert!(malformed, "{copy:?}");
                    malformed = false;
                    let Some(message) = messages.truncated_message() else { continue };
                    message
                }
            };
            let (level, message_type, payload, slots) = expected.next().unwrap();
            match message {
                Message::ScmRights(descriptors) => {
                    assert_eq!((Some(descriptors.len()), slots), (Some(0), Some(0)), "{copy:?}");
                    assert_eq!(descriptors.remainder(), &copy[payload]);
                }
                Message::ScmRightsWithErrors(slots_with_errors) => {
                    assert_eq!(Some(slots_with_errors.len()), slots, "{copy:?}");
                    assert_eq!(slots_with_errors.remainder(), &copy[payload.end - payload.len() % 4..payload.end]);
                    assert!(slots_with_errors.into_iter().all(|slot| slot.is_err()), "{copy:?}");
                    errors += slots.unwrap();
                }
                Message::Other(message) => {
                    assert_eq!(slots, None, "{copy:?}");
                    assert_eq!((message.level(), message.message_type()), (level, message_type), "{copy:?}");
                    assert_eq!(message.payload(), &copy[payload], "{copy:?}");
                }
                other => panic!("{other:?} in {copy:?}"),
            }
        }
        assert!(expected.next().is_none() && !malformed, "{copy:?}");
        assert_eq!(received.take_descriptors().map(Iterator::count).ok(), (errors == 0).then_some(0), "{copy:?}");
        drop(received);
        // Neither looking nor taking writes anything.
        assert_eq!(bytes, copy);
        true
    }

    #[test]
    fn every_buffer_as_if_received() {
        let scope = if Layout::NATIVE == Layout::LINUX_64 { LINUX_64 } else { LINUX_32 };
        let (mut received, start) = (0, std::time::Instant::now());
        let buffers = scope.every_buffer(|bytes| received += u64::from(receive(&scope, bytes)));
        println!("{received} of {buffers} buffers in {:.1} s", start.elapsed().as_secs_f32());
        assert!(received > buffers / 2 && received < buffers);
    }
}

/// Three messages of every small length, into every small room: either all bytes are as plain arithmetic has them, or
/// nothing has changed. What was written is read back.
#[test]
fn every_set_of_messages_in_every_room() {
    const LONGEST: usize = if cfg!(miri) { 2 } else { 5 };
    const LENGTHS: usize = LONGEST + 1;
    let payload = [0xa1, 0xa2, 0xa3, 0xa4, 0xa5];
    let mut sets = 0;
    for scope in [LINUX_32, LINUX_64, BSD_ALIGN_8, AIX, SOLARIS_SPARC, FAR_APART, PAYLOAD_ALIGNED] {
        for room in 0..=3 * (scope.data_offset + LONGEST).next_multiple_of(scope.header_align) {
            for set in 0..LENGTHS.pow(3) {
                let lens = [set % LENGTHS, set / LENGTHS % LENGTHS, set / LENGTHS / LENGTHS];
                let mut memory = [0xee; 200];
                let mut writer = ControlWriter::with_layout(scope.layout, &mut memory[..room]);
                let mut expected: Vec<u8> = Vec::new();
                let mut pushed = Vec::new();
                for (number, len) in lens.into_iter().enumerate() {
                    let (needed, available) = (scope.data_offset + len, room - expected.len());
                    let result = writer.push_raw(7, number as i32, &payload[..len]);
                    if needed > available {
                        assert_eq!(result, Err(PushError::BufferTooSmall { needed, available }));
                    } else {
                        assert_eq!(result, Ok(()));
                        let mut message = vec![0; scope.data_offset];
                        scope.put(&mut message[scope.len.clone()], needed as u64);
                        scope.put(&mut message[scope.level..][..4], 7);
                        scope.put(&mut message[scope.message_type..][..4], number as u64);
                        expected.extend(message);
                        expected.extend(&payload[..len]);
                        while expected.len() % scope.header_align != 0 && expected.len() < room {
                            expected.push(0);
                        }
                        pushed.push((number as i32, len));
                    }
                    assert_eq!((writer.as_bytes(), writer.available()), (&expected[..], room - expected.len()));
                }
                let used = writer.used();
                assert!(memory[used..].iter().all(|byte| *byte == 0xee), "{lens:?} in {room}");
                let read = ControlMessages::with_layout(scope.layout, &memory[..used]);
                let read = read.map(|message| message.map(|message| (message.message_type(), message.payload().len())));
                assert_eq!(read.collect::<Result<Vec<_>, _>>(), Ok(pushed), "{lens:?} in {room}");
                scope.walk(&memory[..used]);
                sets += 1;
            }
        }
    }
    println!("{sets} sets of messages");
}

#[test]
fn the_scopes_are_of_the_layouts_they_name() {
    for scope in [LINUX_32, LINUX_64, BSD_ALIGN_8, AIX, SOLARIS_SPARC, FAR_APART, PAYLOAD_ALIGNED] {
        assert_eq!(scope.layout.parts().byte_order == ByteOrder::Big, scope.big_endian);
        assert!(scope.in_debug <= scope.letters.len());
    }
}
