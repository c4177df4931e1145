//! A writer that goes on where another one stopped, over bytes of every kind.

use ancillary::control::TranslateError;
use ancillary::layout::Native;
use ancillary::{ControlError, ControlMessages, ControlWriter, Layout, PushError};
use quickcheck::{TestResult, quickcheck};

fn layout_of(index: usize) -> Layout {
    Layout::NAMED[index % Layout::NAMED.len()].1
}

quickcheck! {
    fn a_writer_resumed_for_each_message_writes_what_one_writer_writes(
        layout: usize,
        messages: Vec<(i32, i32, Vec<u8>)>,
        len: u8
    ) -> bool {
        let layout = layout_of(layout);
        let (mut at_once, mut resumed) = (vec![0xff; len.into()], vec![0xff; len.into()]);
        let mut writer = ControlWriter::with_layout(layout, &mut at_once[..]);
        let mut used = 0;
        for (level, message_type, payload) in &messages {
            let mut other = ControlWriter::resume(layout, &mut resumed, used).unwrap();
            assert_eq!(other.as_bytes(), writer.as_bytes());
            assert_eq!(
                other.push_raw(*level, *message_type, payload),
                writer.push_raw(*level, *message_type, payload)
            );
            used = other.used();
        }
        writer.used() == used && at_once == resumed
    }

    fn any_bytes_are_resumed_after_their_messages_or_refused(layout: usize, bytes: Vec<u8>, used: usize) -> TestResult {
        let layout = layout_of(layout);
        let used = used % (bytes.len() + 2);
        let told = &bytes[..used.min(bytes.len())];
        let found: Result<Vec<_>, _> = ControlMessages::with_layout(layout, told).collect();
        let mut buffer = bytes.clone();
        match (ControlWriter::resume(layout, &mut buffer, used), found) {
            (Ok(writer), Ok(found)) => {
                let again: Result<Vec<_>, _> = ControlMessages::with_layout(layout, writer.as_bytes()).collect();
                TestResult::from_bool(again == Ok(found) && writer.as_bytes().len() + writer.available() == bytes.len())
            }
            (Err(TranslateError::Malformed(error)), Err(expected)) => TestResult::from_bool(error == expected),
            (resumed, found) => TestResult::error(format!("{resumed:?}, {found:?}")),
        }
    }
}

#[test]
fn missing_padding_is_added_and_stray_bytes_are_written_over() {
    let layout = Layout::LINUX_64;
    let mut buffer = [0xff; 64];
    ControlWriter::with_layout(layout, &mut buffer).push_raw(280, 7, b"five!").unwrap();
    buffer[21..].fill(0xff);
    assert_eq!(ControlWriter::resume(layout, &mut buffer, 21).unwrap().used(), 24);
    assert_eq!(buffer[21..25], [0, 0, 0, 0xff]);
    // A message and seven bytes of what is no header.
    buffer[24..].fill(0xff);
    let mut writer = ControlWriter::resume(layout, &mut buffer, 31).unwrap();
    assert_eq!(writer.used(), 24);
    writer.push_raw(280, 7, b"more").unwrap();
    let payloads = ControlMessages::with_layout(layout, writer.as_bytes()).map(|message| message.unwrap().payload());
    assert!(payloads.eq([&b"five!"[..], b"more"]));
}

#[test]
fn a_number_of_bytes_that_is_more_than_there_are_is_all_there_are() {
    let mut buffer = [0; 24];
    assert_eq!(ControlWriter::with_layout(Layout::LINUX_64, &mut buffer).push_raw(280, 7, b"payload"), Ok(()));
    assert_eq!(ControlWriter::resume(Layout::LINUX_64, &mut buffer, usize::MAX).unwrap().available(), 0);
}

#[test]
fn what_is_malformed_is_told_with_its_place() {
    let mut buffer = [0; 64];
    ControlWriter::with_layout(Layout::LINUX_64, &mut buffer).push_raw(280, 7, b"four").unwrap();
    let error = ControlError::LengthBelowHeader { offset: 24, claimed: 0, remaining: 40 };
    let resumed = ControlWriter::resume(Layout::LINUX_64, &mut buffer, 64).map(|writer| writer.used());
    assert_eq!(resumed, Err(TranslateError::Malformed(error)));
}

#[test]
#[cfg(sockets)]
fn safe_code_cannot_resume_a_native_writer_over_numbers_of_descriptors() {
    use ancillary::platform::{SCM_RIGHTS, SOL_SOCKET};

    let mut buffer = [0; 64];
    let mut writer = ControlWriter::with_layout(Layout::NATIVE, &mut buffer);
    writer.push_raw(280, 7, b"").unwrap();
    let offset = writer.used();
    writer.push_raw(SOL_SOCKET, SCM_RIGHTS, &0i32.to_ne_bytes()).unwrap();
    let used = writer.used();
    let error = PushError::UnsafePayload { level: SOL_SOCKET, message_type: SCM_RIGHTS };
    let resumed = ControlWriter::resume(Native, &mut buffer, used).map(|writer| writer.used());
    assert_eq!(resumed, Err(TranslateError::Push { offset, error }));
    // Before them it can, and plain data is plain data to a layout that is named.
    assert!(ControlWriter::resume(Native, &mut buffer, offset).is_ok());
    assert!(ControlWriter::resume(Layout::NATIVE, &mut buffer, used).is_ok());
}
