//! Every error of this crate is an `io::Error` where the standard library is used: with a kind, and itself as the source.

#![cfg(feature = "std")]

use ancillary::control::TranslateError;
use ancillary::{ControlError, ControlMessages, ControlWriter, Layout, PushError};
use std::error::Error;
use std::fmt::Debug;
use std::io::{self, ErrorKind};

/// As `?` converts it.
fn converted<E: Error + Into<io::Error>>(error: E) -> io::Error {
    error.into()
}

/// It has the kind, is what the `io::Error` holds, and says the same.
fn assert_is_source<E>(error: E, kind: ErrorKind)
where
    E: Error + Into<io::Error> + Copy + Debug + PartialEq + Send + Sync + 'static,
{
    let io_error = converted(error);
    assert_eq!((io_error.kind(), io_error.raw_os_error()), (kind, None));
    assert_eq!(io_error.get_ref().and_then(|held| held.downcast_ref::<E>()), Some(&error));
    assert_eq!(io_error.to_string(), error.to_string());
    assert_eq!(io_error.downcast::<E>().unwrap(), error);
}

#[test]
fn what_does_not_fit_is_invalid_input() {
    for error in [
        PushError::BufferTooSmall { needed: 20, available: 19 },
        PushError::TooLong { payload: 7 },
        PushError::TooManyDescriptors { count: 254, max: 253 },
        PushError::UnsafePayload { level: 1, message_type: 1 },
        PushError::InvalidValue { level: 17, message_type: 103 },
    ] {
        assert_is_source(error, ErrorKind::InvalidInput);
    }
}

#[test]
fn what_makes_no_sense_is_invalid_data() {
    for error in [
        ControlError::LengthBelowHeader { offset: 24, claimed: 3, remaining: 40 },
        ControlError::LengthBeyondBuffer { offset: 24, claimed: 76, remaining: 32 },
    ] {
        assert_is_source(error, ErrorKind::InvalidData);
        assert_is_source(TranslateError::Malformed(error), ErrorKind::InvalidData);
    }
    let error = TranslateError::Push { offset: 12, error: PushError::TooLong { payload: 7 } };
    assert_is_source(error, ErrorKind::InvalidData);
}

#[test]
fn a_question_mark_converts() {
    fn push(memory: &mut [u8], bytes: &[u8]) -> io::Result<usize> {
        let mut writer = ControlWriter::with_layout(Layout::LINUX_64, memory);
        writer.push_raw(280, 7, b"four")?;
        writer.push_all(ControlMessages::with_layout(Layout::LINUX_64, bytes))?;
        ControlMessages::with_layout(Layout::LINUX_64, bytes).try_for_each(|message| message.map(drop))?;
        Ok(writer.used())
    }
    assert_eq!(push(&mut [0; 64], b"").unwrap(), 24);
    assert_eq!(push(&mut [0; 19], b"").unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(push(&mut [0; 64], &[0; 16]).unwrap_err().kind(), ErrorKind::InvalidData);
}

#[cfg(has_native_layout)]
#[test]
fn a_wrong_payload_is_invalid_data() {
    use ancillary::message::DecodeError;
    for error in [
        DecodeError::WrongLength { expected: 4, actual: 2 },
        DecodeError::TooShort { least: 4, actual: 2 },
        DecodeError::WrongContent { offset: 2 },
    ] {
        assert_is_source(error, ErrorKind::InvalidData);
    }
}

#[cfg(sockets)]
mod sockets {
    use super::*;
    use ancillary::control::ControlSliceMut;
    use ancillary::message::DescriptorError;
    use ancillary::received::recvmsg;
    use rustix::net::RecvFlags;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn what_did_not_arrive_is_invalid_data() {
        let (here, there) = UnixDatagram::pair().unwrap();
        here.send(b"data").unwrap();
        let mut data = [0; 3];
        let mut slices = [rustix::io::IoSliceMut::new(&mut data)];
        let received = recvmsg(&there, &mut slices, ControlSliceMut::none(), RecvFlags::empty()).unwrap();
        assert_is_source(received.complete().unwrap_err(), ErrorKind::InvalidData);
    }

    /// An error of the system's stays one.
    #[test]
    fn a_slot_with_an_error_is_that_error() {
        for (number, kind) in
            [(13, ErrorKind::PermissionDenied), (1, ErrorKind::PermissionDenied), (4095, ErrorKind::Other)]
        {
            let error = converted(DescriptorError { raw: -number });
            assert_eq!(error.raw_os_error(), Some(number));
            if number != 4095 {
                assert_eq!(error.kind(), kind);
            }
            assert!(error.get_ref().is_none());
        }
        for raw in [-4096, i32::MIN] {
            assert_is_source(DescriptorError { raw }, ErrorKind::InvalidData);
        }
    }
}

#[cfg(linux_kernel)]
#[test]
fn what_a_ring_cannot_have_left_is_invalid_data() {
    use ancillary::socket::RecvmsgOutError;
    for error in
        [RecvmsgOutError::TooShort { needed: 80, len: 3 }, RecvmsgOutError::ControlBeyondRoom { claimed: 9, room: 8 }]
    {
        assert_is_source(error, ErrorKind::InvalidData);
    }
}
