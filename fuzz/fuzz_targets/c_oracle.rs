//! The same bytes through the platform's own macros, compiled from its C header: `CMSG_FIRSTHDR`, `CMSG_NXTHDR`,
//! `CMSG_DATA`, `CMSG_LEN` and `CMSG_SPACE`.
//!
//! Held are
//!
//! - that a walk over any bytes meets the headers that C meets, each at the same offset, with the same level, type and
//!   length and its payload at the same place, for as long as the lengths are true: where that is so, C is defined;
//! - that what a loop of C writes is, byte for byte, what the writer writes, and that both refuse the same messages;
//! - lengths and spaces, of any payload;
//! - that C reads nothing behind the buffer: it walks twice, with other bytes there. (Its loop stops in front of a header
//!   with a false length and is not asked to follow it, except as below.)
//!
//! Where the two differ:
//!
//! | bytes | C | here |
//! |---|---|---|
//! | a length below the header's own, 0 too | hands the header out, as if it had a payload. glibc and musl then end the walk; a macro without that check, as Android's, Apple's and the BSDs' are, goes round for ever at 0 | an error |
//! | a length beyond the buffer, in the first header or in any | hands it out: who believes it reads outside. glibc from 2.36 and musl then end the walk; before, glibc computes an address outside, which may wrap around | an error |
//! | the same, in the second header or a later one | glibc before 2.36 does not show it, so that the buffer seems to end before | an error |
//! | a last message without its padding, the second or a later one | glibc before 2.36 does not show it | a message |
//! | a header without payload at the very end | musl does not show it | a message |
//! | a length of more than 32 bits, 64-bit | musl reads the lower half of it (as declared, `socklen_t`) | an error |
//! | `CMSG_LEN`, `CMSG_SPACE` of nearly all of memory | wrap around | refused |
#![no_main]

use ancillary::control::StopReason;
use ancillary::{ControlError, ControlMessages, ControlWriter, Layout, PushError};
use ancillary_fuzz::{AnyBuffer, Arithmetic, Memory};
use c_oracle::{Buffer, Met};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

const NATIVE: Layout = Layout::NATIVE;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Walk { misalignment: u8, buffer: AnyBuffer<'a> },
    Bytes { misalignment: u8, bytes: &'a [u8] },
    Write { misalignment: u8, room: u16, messages: Vec<(i32, i32, &'a [u8])> },
    Lengths { payload_len: u64 },
}

/// What the macros show of these bytes.
fn c_walk(bytes: &[u8]) -> Vec<Met> {
    let [met, again] = [0x00, 0xFF].map(|behind| Buffer::copy_of(bytes, behind).walk());
    assert_eq!(met, again, "C has looked behind the buffer");
    met
}

/// Whether C has reasons of its own to show no header at this offset: one that comes after others.
fn is_hidden(bytes: &[u8], offset: usize) -> bool {
    let remaining = bytes.len() - offset;
    let (claimed, ..) = Arithmetic::of(NATIVE).decode(&bytes[offset..]);
    if cfg!(target_env = "musl") {
        remaining == NATIVE.data_offset()
    } else if cfg!(target_env = "gnu") && !c_oracle::is_checked() {
        claimed.checked_next_multiple_of(size_of::<usize>() as u64).is_none_or(|padded| padded > remaining as u64)
    } else {
        false
    }
}

fn walk(bytes: &[u8], misalignment: u8) {
    let memory = Memory::copy_of(bytes, misalignment);
    let bytes = memory.bytes();
    let position = |part: &[u8]| part.as_ptr() as usize - bytes.as_ptr() as usize;
    let mut messages = ControlMessages::new(bytes);
    let met = c_walk(bytes);
    for (index, header) in met.iter().enumerate() {
        assert_eq!(messages.offset(), header.offset);
        let (claimed, ..) = Arithmetic::of(NATIVE).decode(&bytes[header.offset..]);
        if cfg!(target_env = "musl") && claimed > u64::from(u32::MAX) {
            return;
        }
        match messages.next().expect("C has met a header") {
            Ok(message) => {
                assert!(header.is_defined());
                assert_eq!((message.level(), message.message_type()), (header.level, header.message_type));
                assert_eq!(position(message.payload()), header.data_offset);
                assert_eq!(header.data_offset + message.payload().len(), header.offset + header.len);
            }
            Err(error) => {
                // C has handed it out.
                assert!(!header.is_defined() && !header.is_followed());
                assert_eq!((index + 1, messages.stop_reason()), (met.len(), Some(StopReason::Malformed(error))));
                let (offset, claimed, remaining) = (header.offset, header.len as u64, bytes.len() - header.offset);
                assert_eq!(
                    error,
                    if header.len < c_oracle::len(0) {
                        ControlError::LengthBelowHeader { offset, claimed, remaining }
                    } else {
                        ControlError::LengthBeyondBuffer { offset, claimed, remaining }
                    }
                );
                return;
            }
        }
    }
    let end = messages.offset();
    match messages.next() {
        None => {
            assert!(matches!(messages.stop_reason(), Some(StopReason::EndOfBuffer | StopReason::TrailingBytes { .. })))
        }
        Some(more) => assert!(!met.is_empty() && is_hidden(bytes, end), "C does not show {more:?}"),
    }
}

fn write(room: usize, misalignment: u8, messages: &[(i32, i32, &[u8])]) {
    let mut c = Buffer::copy_of(&vec![0; room], 0xFF);
    let mut memory = Memory::filled(0xFF, room, misalignment);
    let mut ours = ControlWriter::with_layout(NATIVE, memory.bytes_mut());
    let (mut last, mut c_used) = (None, 0);
    for (level, message_type, payload) in messages {
        let needed = c_oracle::len(payload.len());
        // Not defined by musl: a header at the very end.
        let skip = cfg!(target_env = "musl") && last.is_some() && ours.available() == NATIVE.data_offset();
        if skip {
            return;
        }
        let pushed = ours.push_raw(*level, *message_type, payload);
        match c.append(last, *level, *message_type, payload) {
            Some(offset) => {
                assert_eq!((pushed, offset), (Ok(()), c_used));
                last = Some(offset);
                c_used = (c_used + c_oracle::space(payload.len())).min(room);
            }
            None => assert_eq!(pushed, Err(PushError::BufferTooSmall { needed, available: room - c_used })),
        }
        assert_eq!(ours.as_bytes(), &c.bytes()[..c_used]);
    }
    walk(ours.as_bytes(), misalignment);
}

/// Where C wraps around, the crate refuses, and nowhere else.
fn lengths(payload_len: usize) {
    let (len, space) = (c_oracle::len(payload_len), c_oracle::space(payload_len));
    assert_eq!(NATIVE.len(payload_len), (len >= payload_len).then_some(len));
    assert_eq!(NATIVE.space(payload_len), (space >= payload_len).then_some(space));
}

fuzz_target!(|input: Input<'_>| {
    match input {
        Input::Walk { misalignment, buffer } => walk(&buffer.bytes(Arithmetic::of(NATIVE)), misalignment),
        Input::Bytes { misalignment, bytes } => walk(bytes, misalignment),
        Input::Write { misalignment, room, messages } => write(usize::from(room % 1536), misalignment, &messages),
        Input::Lengths { payload_len } => lengths(payload_len as usize),
    }
});
