//! What ancillary makes of some bytes, told to functions that `.ci/symbolic` puts in place of those named here: it
//! executes this machine code with bytes that may be anything, and compares what it is told with a model.
#![no_std]

use ancillary::control::StopReason;
use ancillary::layout::{LayoutChoice, Native};
use ancillary::socket::MultishotMsgHdr;
use ancillary::{ControlError, ControlMessages, Layout};

unsafe extern "C" {
    /// A message with its payload.
    safe fn told_message(level: i32, message_type: i32, payload: *const u8, payload_len: usize);
    /// What is there of the message that an error was about.
    safe fn told_clamped(level: i32, message_type: i32, payload: *const u8, payload_len: usize);
    /// An error: 0 is a length below its header, 1 one beyond the buffer.
    safe fn told_error(kind: u32, offset: usize, claimed: u64, remaining: usize);
    /// The walk is over: 0 clean, 1 with bytes left over, 2 malformed; how many bytes belong to no message.
    safe fn told_end(how: u32, offset: usize, left: usize);
    /// A part of a buffer that a multishot RECVMSG has left.
    safe fn told_part(part: *const u8, len: usize, says: usize);
    /// It cannot be such a buffer: 0 it is too short, 1 there would be more control messages than room.
    safe fn told_refusal(kind: u32, first: usize, second: usize);
    /// Nowhere: the executor stops at it.
    safe fn told_panic() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    told_panic()
}

/// The bytes of a buffer.
///
/// # Safety
///
/// There are so many, to be read for as long as the result is used.
unsafe fn bytes_at<'a>(pointer: *const u8, len: usize) -> &'a [u8] {
    // SAFETY: the caller's promise.
    unsafe { core::slice::from_raw_parts(pointer, len) }
}

#[inline(always)]
fn walk(layout: impl LayoutChoice, bytes: &[u8]) {
    let mut messages = ControlMessages::with_layout(layout, bytes);
    while let Some(message) = messages.next() {
        match message {
            Ok(message) => {
                let payload = message.payload();
                told_message(message.level(), message.message_type(), payload.as_ptr(), payload.len());
            }
            Err(error) => {
                let kind = matches!(error, ControlError::LengthBeyondBuffer { .. }).into();
                told_error(kind, error.offset(), error.claimed(), error.remaining());
                if let Some(clamped) = messages.truncated_message() {
                    let payload = clamped.payload();
                    told_clamped(clamped.level(), clamped.message_type(), payload.as_ptr(), payload.len());
                }
            }
        }
    }
    let how = match messages.stop_reason() {
        Some(StopReason::EndOfBuffer) => 0,
        Some(StopReason::TrailingBytes { .. }) => 1,
        Some(StopReason::Malformed(_)) => 2,
        None => 3,
    };
    told_end(how, messages.offset(), messages.remainder().len());
}

/// Walks a buffer of the target's own layout.
///
/// # Safety
///
/// That of `bytes_at`. (So of the others.)
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn walk_native(pointer: *const u8, len: usize) {
    // SAFETY: the caller's promise.
    walk(Native, unsafe { bytes_at(pointer, len) });
}

/// Walks a buffer of a layout that is chosen when the program runs.
///
/// # Safety
///
/// That of `bytes_at`.
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn walk_named(pointer: *const u8, len: usize, name: usize) {
    if let Some((_, layout)) = Layout::NAMED.get(name) {
        // SAFETY: the caller's promise.
        walk(*layout, unsafe { bytes_at(pointer, len) });
    }
}

/// Splits a buffer that a multishot RECVMSG has left.
///
/// # Safety
///
/// That of `bytes_at`.
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn split(pointer: *const u8, len: usize, name_room: usize, control_capacity: usize) {
    use ancillary::socket::RecvmsgOutError::{ControlBeyondRoom, TooShort};

    let Ok(header) = MultishotMsgHdr::new(name_room, control_capacity) else { return };
    // SAFETY: the caller's promise.
    match header.split(unsafe { bytes_at(pointer, len) }) {
        Ok(message) => {
            told_part(message.name().as_ptr(), message.name().len(), message.name_len());
            told_part(message.control().as_ptr(), message.control().len(), message.control().len());
            told_part(message.payload().as_ptr(), message.payload().len(), message.payload_len());
        }
        Err(TooShort { needed, len }) => told_refusal(0, needed, len),
        Err(ControlBeyondRoom { claimed, room }) => told_refusal(1, claimed, room),
        Err(_) => told_panic(),
    }
}
