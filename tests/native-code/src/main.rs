//! The reader and the writer in the target's own layout, in one that is chosen when the program runs, and by hand for
//! 64-bit Linux alone. Each function is a symbol of its own, for a disassembler to read and a profiler to count.

use ancillary::{ControlMessages, ControlWriter, Layout};
use std::hint::black_box;

const HEADER: usize = 16;

fn count(payload: &[u8], level: i32, sum: u64) -> u64 {
    sum.wrapping_mul(31).wrapping_add(payload.len() as u64 ^ level as u64)
}

#[unsafe(no_mangle)]
#[inline(never)]
fn read_native(bytes: &[u8]) -> u64 {
    let mut sum = 0;
    for message in ControlMessages::new(bytes) {
        let Ok(message) = message else { break };
        sum = count(message.payload(), message.level() ^ message.message_type(), sum);
    }
    sum
}

#[unsafe(no_mangle)]
#[inline(never)]
fn read_chosen(layout: Layout, bytes: &[u8]) -> u64 {
    let mut sum = 0;
    for message in ControlMessages::with_layout(layout, bytes) {
        let Ok(message) = message else { break };
        sum = count(message.payload(), message.level() ^ message.message_type(), sum);
    }
    sum
}

/// Nothing but slices, and the numbers of 64-bit Linux.
#[unsafe(no_mangle)]
#[inline(never)]
fn read_by_hand(bytes: &[u8]) -> u64 {
    let (mut sum, mut rest) = (0, bytes);
    while let Some((header, _)) = rest.split_first_chunk::<HEADER>() {
        let (len, numbers) = header.split_first_chunk::<8>().unwrap();
        let (level, message_type) = numbers.split_first_chunk::<4>().unwrap();
        let len = u64::from_ne_bytes(*len);
        if len < HEADER as u64 || len > rest.len() as u64 {
            break;
        }
        let len = len as usize;
        let (level, message_type) = (i32::from_ne_bytes(*level), i32::from_ne_bytes(message_type.try_into().unwrap()));
        sum = count(&rest[HEADER..len], level ^ message_type, sum);
        rest = rest.get((len + 7) & !7..).unwrap_or_default();
    }
    sum
}

#[unsafe(no_mangle)]
#[inline(never)]
fn write_native(bytes: &mut [u8], payload: &[u8; 12], messages: u32) -> usize {
    let mut writer = ControlWriter::new(bytes);
    for _ in 0..messages {
        if writer.push_raw(280, 7, payload).is_err() {
            break;
        }
    }
    writer.used()
}

#[unsafe(no_mangle)]
#[inline(never)]
fn write_chosen(layout: Layout, bytes: &mut [u8], payload: &[u8; 12], messages: u32) -> usize {
    let mut writer = ControlWriter::with_layout(layout, bytes);
    for _ in 0..messages {
        if writer.push_raw(280, 7, payload).is_err() {
            break;
        }
    }
    writer.used()
}

#[unsafe(no_mangle)]
#[inline(never)]
fn write_by_hand(bytes: &mut [u8], payload: &[u8; 12], messages: u32) -> usize {
    let mut used = 0;
    for _ in 0..messages {
        let Some(message) = bytes.get_mut(used..used + HEADER + 12) else { break };
        message[..8].copy_from_slice(&(HEADER as u64 + 12).to_ne_bytes());
        message[8..12].copy_from_slice(&280i32.to_ne_bytes());
        message[12..16].copy_from_slice(&7i32.to_ne_bytes());
        message[16..].copy_from_slice(payload);
        used += HEADER + 12;
        let padding = (bytes.len() - used).min(4);
        bytes[used..used + padding].fill(0);
        used += padding;
    }
    used
}

/// Messages in each buffer, and how often each function is called.
const MESSAGES: u32 = 32;
const CALLS: u32 = 1000;

fn main() {
    assert_eq!(Layout::NATIVE, Layout::LINUX_64, "the functions by hand are for this layout");
    let payload = black_box([7; 12]);
    let mut buffers = [[0xff; MESSAGES as usize * 32]; 3];
    let [native, chosen, by_hand] = &mut buffers;
    for _ in 0..CALLS {
        let written = [
            write_native(black_box(native), &payload, MESSAGES),
            write_chosen(black_box(Layout::NATIVE), black_box(chosen), &payload, MESSAGES),
            write_by_hand(black_box(by_hand), &payload, MESSAGES),
        ];
        assert_eq!(written, [native.len(); 3]);
    }
    assert!(native == chosen && chosen == by_hand);
    let expected = read_by_hand(native);
    for _ in 0..CALLS {
        assert_eq!(read_native(black_box(native)), expected);
        assert_eq!(read_chosen(black_box(Layout::NATIVE), black_box(native)), expected);
        assert_eq!(read_by_hand(black_box(native)), expected);
    }
    println!("{CALLS} calls with {MESSAGES} messages each");
}
