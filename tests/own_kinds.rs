//! Kinds of the caller's own: named in the macros that compute rooms (case W11), with errors of their own (case W12).

#![cfg(has_native_layout)]

use ancillary::control::{ControlKind, FixedPayload, ListPayload};
use ancillary::message::{DecodeError, DecodeMessage};
use ancillary::{ControlMessage, Layout, control_len, control_space};
use core::ffi::c_int;
use core::marker::PhantomData;

/// As long as a `T`.
struct Generic<T: ?Sized>(PhantomData<T>);

impl<T: ?Sized> ControlKind for Generic<T> {
    const LEVEL: c_int = 280;
    const TYPE: c_int = 7;
}

impl<T> FixedPayload for Generic<T> {
    const PAYLOAD_SIZE: usize = size_of::<T>();
}

impl<T> ListPayload for Generic<[T]> {
    const ELEMENT_SIZE: usize = size_of::<T>();
}

struct Numbered<const LEVEL: c_int, const TYPE: c_int>;

impl<const LEVEL: c_int, const TYPE: c_int> ControlKind for Numbered<LEVEL, TYPE> {
    const LEVEL: c_int = LEVEL;
    const TYPE: c_int = TYPE;
}

impl<const LEVEL: c_int, const TYPE: c_int> FixedPayload for Numbered<LEVEL, TYPE> {
    const PAYLOAD_SIZE: usize = 4;
}

/// A kind that only its trait names.
trait Names {
    type Kind;
}

impl Names for () {
    type Kind = Generic<u16>;
}

fn space(len: usize) -> usize {
    Layout::NATIVE.space(len).unwrap()
}

fn len(len: usize) -> usize {
    Layout::NATIVE.len(len).unwrap()
}

#[test]
fn w11_a_room_for_every_type_that_names_a_kind() {
    assert_eq!(control_space!(Generic<u8>), space(1));
    assert_eq!(control_space!(Generic<[u8; 20]>), space(20));
    assert_eq!(control_space!(Generic<[u16]>[3]), space(6));
    assert_eq!(control_space!(Numbered<0, 2>), space(4));
    assert_eq!(control_space!(Numbered<{ 1 - 2 }, 2>), space(4));
    assert_eq!(control_space!(self::Generic<u8>, crate::Numbered<0, 2>, raw[7]), space(1) + space(4) + space(7));
    assert_eq!(control_space!(<() as Names>::Kind), space(2));
    assert_eq!(control_len!(Generic<(u64, u64)>, Numbered<0, 2>), space(16) + len(4));
    assert_eq!(control_len!(<() as Names>::Kind, Generic<[u8]>[5],), space(2) + len(5));
}

#[cfg(sockets)]
#[test]
fn w11_a_room_for_every_path() {
    use ancillary::message::ScmRights;
    use rustix::fd::{BorrowedFd, OwnedFd};
    assert_eq!(control_space!(::ancillary::message::ScmRights[1]), space(4));
    assert_eq!(control_len!(::ancillary::message::ScmRights[2], ScmRights[1]), space(8) + len(4));
    assert_eq!(control_space!(ScmRights<&'static [OwnedFd]>[3]), space(12));
    assert_eq!(control_space!(ScmRights<[BorrowedFd<'static>; 2]>[2]), space(8));
}

#[test]
fn w11_a_room_for_what_a_macro_has_matched() {
    macro_rules! room {
        (ident $kind:ident) => {
            (control_space!($kind), control_len!($kind))
        };
        (path $kind:path) => {
            (control_space!($kind), control_len!($kind))
        };
        (ty $kind:ty) => {
            (control_space!($kind), control_len!($kind))
        };
        (list $kind:ty, $count:expr) => {
            (control_space!($kind[$count]), control_len!($kind[$count]))
        };
    }
    type OfByte = Generic<u8>;
    assert_eq!(room!(ident OfByte), (space(1), len(1)));
    assert_eq!(room!(path self::Generic<u8>), (space(1), len(1)));
    assert_eq!(room!(ty <() as Names>::Kind), (space(2), len(2)));
    assert_eq!(room!(list Generic<[u8]>, 2 + 3), (space(5), len(5)));
}

/// A constant in a pattern is compared, not bound: none of the macros' own names may be one.
#[test]
#[allow(non_upper_case_globals, reason = "they are names that a macro could use")]
fn w11_no_constant_of_the_callers_changes_the_meaning() {
    const room: usize = 5;
    const len: usize = 6;
    const size: usize = 7;
    const sizes: usize = 8;
    const count: usize = 9;
    const Some: usize = 10;
    const None: usize = 11;
    assert_eq!(control_space!(Numbered<0, 2>, raw[room]), space(4) + space(5));
    assert_eq!(control_len!(raw[len], Generic<[u8]>[size + sizes + count]), space(6) + Layout::NATIVE.len(24).unwrap());
    assert_eq!(control_space!(raw[Some + None]), space(21));
}

/// An even number, of four bytes or more.
#[derive(Debug, PartialEq)]
struct Even(u32);

impl ControlKind for Even {
    const LEVEL: c_int = 280;
    const TYPE: c_int = 7;
}

impl DecodeMessage<'_> for Even {
    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let too_short = DecodeError::TooShort { least: 4, actual: payload.len() };
        let (bytes, rest) = payload.split_first_chunk().ok_or(too_short)?;
        if rest.len() > 4 {
            return Err(DecodeError::WrongLength { expected: 8, actual: payload.len() });
        }
        match u32::from_ne_bytes(*bytes) {
            number if number % 2 == 0 => Ok(Even(number)),
            _ => Err(DecodeError::WrongContent { offset: 0 }),
        }
    }
}

#[test]
fn w12_a_message_of_the_callers_has_errors_of_its_own() {
    let decode = |payload: &[u8]| ControlMessage::new(280, 7, payload).decode::<Even>().unwrap();
    let payload = |number: u32, more: usize| [&number.to_ne_bytes()[..], &vec![0; more]].concat();
    assert_eq!(decode(&payload(6, 0)), Ok(Even(6)));
    assert_eq!(decode(&payload(6, 4)), Ok(Even(6)));
    let errors = [&payload(6, 5)[..], &[0; 3], &payload(7, 0)].map(|payload| decode(payload).unwrap_err());
    let expected = [
        DecodeError::WrongLength { expected: 8, actual: 9 },
        DecodeError::TooShort { least: 4, actual: 3 },
        DecodeError::WrongContent { offset: 0 },
    ];
    assert_eq!(errors, expected);
    assert_eq!(
        errors.map(|error| error.to_string()),
        [
            "the payload has 9 bytes where its type has 8",
            "the payload has 3 bytes where its type has 4 or more",
            "the payload has a wrong content at byte 0",
        ]
    );
}
