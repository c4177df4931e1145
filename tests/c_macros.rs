//! The crate's arithmetic and walk against the system's own macros, compiled from its C headers.

use ancillary::control::StopReason;
use ancillary::message::{ControlKind, ScmRights};
use ancillary::{ControlMessages, Layout};
use c_oracle::Control;

const NATIVE: Layout = Layout::NATIVE;

#[test]
fn the_header_is_the_systems() {
    let c = c_oracle::header();
    let ours = NATIVE.parts();
    assert_eq!(NATIVE.header_size(), c.size);
    assert_eq!(usize::from(ours.level_offset), c.level_offset);
    assert_eq!(usize::from(ours.type_offset), c.type_offset);
    // musl declares half of the length as padding: the half where the kernel's number has its zeros.
    let padding = ours.len_width.bytes() - c.len_width;
    let before = if cfg!(target_endian = "big") { padding } else { 0 };
    assert_eq!(usize::from(ours.len_offset) + before, c.len_offset);
    if cfg!(not(target_env = "musl")) {
        assert_eq!(padding, 0);
    }
}

#[test]
fn the_numbers_are_the_systems() {
    assert_eq!(<ScmRights>::LEVEL, c_oracle::sol_socket());
    assert_eq!(<ScmRights>::TYPE, c_oracle::scm_rights());
}

#[test]
fn lengths_and_spaces_are_the_systems() {
    for payload_len in (0..=4096).chain([65_535, 65_536, 1 << 20, u32::MAX as usize / 2]) {
        assert_eq!(NATIVE.len(payload_len), Some(c_oracle::len(payload_len)), "{payload_len}");
        assert_eq!(NATIVE.space(payload_len), Some(c_oracle::space(payload_len)), "{payload_len}");
    }
}

/// Where C wraps around, the crate refuses, and nowhere else.
#[test]
fn what_c_wraps_is_refused() {
    for below in 0..64 {
        let payload_len = usize::MAX - below;
        let (c_len, c_space) = (c_oracle::len(payload_len), c_oracle::space(payload_len));
        assert_eq!(NATIVE.len(payload_len), (c_len >= payload_len).then_some(c_len), "MAX - {below}");
        assert_eq!(NATIVE.space(payload_len), (c_space >= payload_len).then_some(c_space), "MAX - {below}");
    }
}

#[test]
fn the_payload_is_where_the_system_says() {
    let mut control = Control([0; 256]);
    for header in 0..64 {
        assert_eq!(control.data_offset(header), NATIVE.data_offset(), "{header}");
    }
}

#[test]
fn the_first_header_is_the_systems() {
    let mut control = Control([0; 256]);
    for control_len in 0..=256 {
        assert_eq!(NATIVE.first_header(control_len), control.first_header(control_len), "{control_len}");
    }
}

/// All lengths of one header and all cuts of the buffer after it, where the macro is defined: a length that covers the
/// header and fits in the buffer.
#[test]
fn the_next_header_is_the_systems() {
    let mut defined = 0;
    for control_len in 16..=160 {
        for cmsg_len in NATIVE.data_offset()..=control_len {
            // What an old C library would read of the next header: something harmless.
            let mut control = Control([0; 256]);
            write_length(&mut control, 0, cmsg_len);
            let c = control.next_header(control_len, 0);
            let ours = NATIVE.next_header(0, cmsg_len as u64, control_len);
            // musl does not show a header without payload at the very end; kernels and the other libraries do.
            let at_the_very_end = ours.is_some_and(|next| next + NATIVE.data_offset() == control_len);
            let expected = if cfg!(target_env = "musl") && at_the_very_end { None } else { ours };
            assert_eq!(c, expected, "cmsg_len {cmsg_len} of {control_len}");
            defined += 1;
        }
    }
    assert!(defined > 10_000, "{defined} cases");
}

/// Two messages and every cut: the walk meets the headers that C meets, and stops where C stops.
#[test]
fn the_walk_is_the_systems() {
    let header = NATIVE.data_offset();
    for first in header..=header + 24 {
        for second in header..=header + 24 {
            let start = NATIVE.align(first).unwrap();
            for control_len in start + header..=start + NATIVE.align(second).unwrap() + 40 {
                let mut control = Control([0; 256]);
                write_length(&mut control, 0, first);
                write_length(&mut control, start, second);
                let mut ours = ControlMessages::new(&control.0[..control_len]);
                assert_eq!(ours.next().unwrap().unwrap().payload().len(), first - header);
                let at_the_very_end = start + header == control_len;
                if !(cfg!(target_env = "musl") && at_the_very_end) {
                    assert_eq!(ours.offset(), start);
                    let mut same = Control(control.0);
                    assert_eq!(same.next_header(control_len, 0), Some(start));
                }
                match ours.next().unwrap() {
                    Ok(message) => assert_eq!(message.payload().len(), second - header),
                    Err(error) => {
                        // C hands such a header out and leaves the check to its caller.
                        assert!(start + second > control_len);
                        assert_eq!(ours.stop_reason(), Some(StopReason::Malformed(error)));
                    }
                }
            }
        }
    }
}

fn write_length(control: &mut Control, offset: usize, cmsg_len: usize) {
    let header = ancillary::layout::ControlHeader { cmsg_len: cmsg_len as u64, level: 0, message_type: 0 };
    assert!(NATIVE.write_header(header, &mut control.0[offset..]));
}
