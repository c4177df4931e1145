//! Typed messages: any level, type and payload, at any address, as each of the types.
//!
//! Held are
//!
//! - that a message decodes as a type exactly if it has the type's level and type;
//! - the lengths: 12 bytes of credentials, 4 of a process descriptor, any of a label, whole slots of descriptors and
//!   what is left of one;
//! - the values, from the bytes; that a negative slot is never a descriptor, and when it is an error;
//! - that credentials are written as they were read.
#![no_main]

use ancillary::message::{DecodeError, NoDescriptor, ScmCredentials, ScmPidfd, ScmRightsNumbers, ScmSecurity};
use ancillary::{ControlMessage, ControlMessages, ControlSpace, control_space};
use ancillary_fuzz::{Memory, lines};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

/// Linux `include/linux/socket.h`; the other numbers are in `libc`.
const SCM_SECURITY: i32 = 3;
const SCM_PIDFD: i32 = 4;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    kind: Kind,
    misalignment: u8,
    payload: &'a [u8],
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Kind {
    Rights,
    Credentials,
    Security,
    Pidfd,
    OfSocketLevel(i32),
    Any(i32, i32),
}

impl Kind {
    fn level_and_type(self) -> (i32, i32) {
        match self {
            Kind::Rights => (libc::SOL_SOCKET, libc::SCM_RIGHTS),
            Kind::Credentials => (libc::SOL_SOCKET, libc::SCM_CREDENTIALS),
            Kind::Security => (libc::SOL_SOCKET, SCM_SECURITY),
            Kind::Pidfd => (libc::SOL_SOCKET, SCM_PIDFD),
            Kind::OfSocketLevel(message_type) => (libc::SOL_SOCKET, message_type),
            Kind::Any(level, message_type) => (level, message_type),
        }
    }
}

fn number(bytes: &[u8]) -> i32 {
    i32::from_ne_bytes(bytes.try_into().expect("four bytes"))
}

fn slot(bytes: &[u8]) -> Result<i32, NoDescriptor> {
    match number(bytes) {
        slot if slot < 0 => Err(NoDescriptor { slot }),
        number => Ok(number),
    }
}

/// The message, which there is exactly if the payload has so many bytes.
fn of_length<M>(expected: usize, payload: &[u8], decoded: Result<M, DecodeError>) -> Option<M> {
    assert_eq!(decoded.is_ok(), payload.len() == expected);
    match decoded {
        Ok(message) => Some(message),
        Err(DecodeError::WrongLength { expected: told, actual, .. }) => {
            assert_eq!((told, actual), (expected, payload.len()));
            None
        }
        Err(other) => panic!("{other}"),
    }
}

fn rights(payload: &[u8], mut numbers: ScmRightsNumbers<'_>) {
    lines(format_args!("{numbers:?}"));
    let slots = payload.chunks_exact(4);
    let remainder = slots.remainder();
    for (index, expected) in slots.map(slot).enumerate() {
        assert_eq!(numbers.len(), payload.len() / 4 - index);
        assert!(std::ptr::eq(numbers.remainder(), &payload[4 * index..]));
        assert_eq!(numbers.next(), Some(expected));
        if let Err(none) = expected {
            let errno = none.errno().map(|errno| -errno.raw_os_error());
            assert_eq!(errno, (none.slot >= -4095).then_some(none.slot));
            lines(format_args!("{none} {none:?}"));
        }
    }
    for _ in 0..3 {
        assert_eq!((numbers.next(), numbers.len()), (None, 0));
        assert_eq!(numbers.remainder(), remainder);
    }
}

fn credentials(payload: &[u8], decoded: Result<ScmCredentials, DecodeError>) {
    let Some(credentials) = of_length(12, payload, decoded) else { return };
    assert_eq!(credentials.pid, number(&payload[..4]));
    assert_eq!(credentials.uid, number(&payload[4..8]) as u32);
    assert_eq!(credentials.gid, number(&payload[8..]) as u32);

    let mut space = ControlSpace::<{ control_space!(ScmCredentials) }>::new();
    let mut control = space.writer();
    control.push(&credentials).expect("the room is for one");
    let message = ControlMessages::new(control.as_bytes()).next().expect("a message").expect("no error");
    assert_eq!(message, ControlMessage::new(libc::SOL_SOCKET, libc::SCM_CREDENTIALS, payload));
}

fn pidfd(payload: &[u8], decoded: Result<ScmPidfd, DecodeError>) {
    if let Some(pidfd) = of_length(4, payload, decoded) {
        assert_eq!(pidfd.number, slot(payload));
    }
}

fn security(payload: &[u8], security: ScmSecurity<'_>) {
    assert!(std::ptr::eq(security.payload(), payload));
    let label = security.label();
    match payload.split_last() {
        Some((0, before)) => assert!(std::ptr::eq(label, before)),
        _ => assert!(std::ptr::eq(label, payload)),
    }
}

fuzz_target!(|input: Input<'_>| {
    let memory = Memory::copy_of(input.payload, input.misalignment);
    let payload = memory.bytes();
    let (level, message_type) = input.kind.level_and_type();
    let message = ControlMessage::new(level, message_type, payload);
    lines(format_args!("{message:?}"));
    let is = |expected_type| (level, message_type) == (libc::SOL_SOCKET, expected_type);

    let decoded = message.decode::<ScmRightsNumbers<'_>>();
    assert_eq!(decoded.is_some(), is(libc::SCM_RIGHTS));
    if let Some(decoded) = decoded {
        rights(payload, decoded.expect("any length"));
    }
    let decoded = message.decode::<ScmCredentials>();
    assert_eq!(decoded.is_some(), is(libc::SCM_CREDENTIALS));
    if let Some(decoded) = decoded {
        credentials(payload, decoded);
    }
    let decoded = message.decode::<ScmPidfd>();
    assert_eq!(decoded.is_some(), is(SCM_PIDFD));
    if let Some(decoded) = decoded {
        pidfd(payload, decoded);
    }
    let decoded = message.decode::<ScmSecurity<'_>>();
    assert_eq!(decoded.is_some(), is(SCM_SECURITY));
    if let Some(decoded) = decoded {
        security(payload, decoded.expect("any length"));
    }
});
