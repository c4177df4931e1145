//! Reading a control buffer: any bytes, of any layout, at any address.
//!
//! The walk is compared with one in plain arithmetic. Held are
//!
//! - every message with its offset, level, type and the very bytes of its payload, all inside the input;
//! - the error with its offset, claim and remainder, and how the walk ends; that it has ended for good;
//! - the number of steps: at most `len / data_offset + 1`, and no more than `size_hint` has said;
//! - `offset`, `remainder` and `clamped` after every kind of end, and that drawing shows a line for each message;
//! - that what stands before an error is a buffer of its own, with the same messages and no error;
//! - the same answers at another address, from the constant native layout, and from `next_header`.
#![no_main]

use ancillary::control::StopReason;
use ancillary::layout::{Layout, LayoutChoice, Native};
use ancillary::{ControlError, ControlMessages};
use ancillary_fuzz::{AnyBuffer, AnyLayout, Arithmetic, Found, Memory, lines, walk};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use std::fmt::Debug;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    layout: AnyLayout,
    misalignments: [u8; 2],
    buffer: AnyBuffer<'a>,
}

fn compare(layout: impl LayoutChoice + Debug, bytes: &[u8], expected: &[Found], end: StopReason) {
    let data_offset = Arithmetic::of(layout.layout()).data_offset();
    let position = |part: &[u8]| part.as_ptr() as usize - bytes.as_ptr() as usize;
    let mut messages = ControlMessages::with_layout(layout, bytes);

    let steps = expected.len() + usize::from(matches!(end, StopReason::Malformed(_)));
    assert!(steps <= bytes.len() / data_offset + 1);
    let (least, most) = messages.size_hint();
    assert!(least <= steps && most.is_some_and(|most| steps <= most));

    for found in expected {
        assert_eq!((messages.offset(), messages.stop_reason()), (found.offset, None));
        assert_eq!(messages.truncated_message(), None);
        let message = messages.next().expect("a message").expect("no error");
        assert_eq!((message.level(), message.message_type()), (found.level, found.message_type));
        let start = position(message.payload());
        assert_eq!(start..start + message.payload().len(), found.payload);
    }
    let stop = match end {
        StopReason::EndOfBuffer => bytes.len(),
        StopReason::TrailingBytes { offset, len } => {
            assert_eq!(offset + len, bytes.len());
            offset
        }
        StopReason::Malformed(error) => {
            assert_eq!((messages.offset(), messages.stop_reason()), (error.offset(), None));
            assert_eq!(messages.next(), Some(Err(error)));
            error.offset()
        }
    };
    for _ in 0..3 {
        assert_eq!(messages.next(), None);
        assert_eq!(messages.stop_reason(), Some(end));
        assert_eq!(messages.offset(), stop);
        assert_eq!((position(messages.remainder()), messages.remainder().len()), (stop, bytes.len() - stop));
    }

    match (messages.truncated_message(), end) {
        (Some(message), StopReason::Malformed(ControlError::LengthBeyondBuffer { .. })) => {
            let (_, level, message_type) = Arithmetic::of(layout.layout()).decode(&bytes[stop..]);
            assert_eq!((message.level(), message.message_type()), (level, message_type));
            assert_eq!(position(message.payload()), stop + data_offset);
            assert_eq!(message.payload().len(), bytes.len() - stop - data_offset);
        }
        (None, StopReason::Malformed(ControlError::LengthBeyondBuffer { .. })) => panic!("nothing is clamped"),
        (clamped, _) => assert_eq!(clamped, None),
    }
}

/// Draws the buffer, from its start and from its end, and what is wrong with it.
fn draw(layout: Layout, bytes: &[u8], expected: &[Found], end: StopReason) {
    let mut messages = ControlMessages::with_layout(layout, bytes);
    assert_eq!(lines(format_args!("{messages}")), expected.len() + 1);
    messages.by_ref().for_each(drop);
    assert_eq!(lines(format_args!("{messages}")), 1);
    assert_eq!(lines(format_args!("{messages:?}")), 1);
    if let StopReason::Malformed(error) = end {
        assert_eq!(lines(format_args!("{error}")), 1);
    }
}

/// The functions of a layout lead from header to header as the walk does.
fn compare_steps(layout: Layout, total: usize, expected: &[Found]) {
    let arithmetic = Arithmetic::of(layout);
    let data_offset = arithmetic.data_offset();
    assert_eq!(layout.first_header(total), (total >= data_offset).then_some(0));
    for found in expected {
        let len = found.payload.end - found.offset;
        let next = found.offset as u128 + arithmetic.padded(len);
        let has_room = next + data_offset as u128 <= total as u128;
        assert_eq!(layout.next_header(found.offset, len as u64, total), has_room.then_some(next as usize));
    }
}

fuzz_target!(|input: Input<'_>| {
    let Some(layout) = input.layout.layout() else { return };
    let arithmetic = Arithmetic::of(layout);
    let bytes = input.buffer.bytes(arithmetic);
    let (expected, end) = walk(arithmetic, &bytes);
    for misalignment in input.misalignments {
        let memory = Memory::copy_of(&bytes, misalignment);
        compare(layout, memory.bytes(), &expected, end);
        if layout == Layout::NATIVE {
            compare(Native, memory.bytes(), &expected, end);
        }
    }
    compare_steps(layout, bytes.len(), &expected);
    draw(layout, &bytes, &expected, end);
    if let StopReason::Malformed(error) = end {
        let memory = Memory::copy_of(&bytes[..error.offset()], input.misalignments[0]);
        compare(layout, memory.bytes(), &expected, StopReason::EndOfBuffer);
    }
});
