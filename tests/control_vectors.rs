//! Every vector of `data/control-buffers.json`, read at every misalignment, and its rows of arithmetic.

use ancillary::control::StopReason;
use ancillary::layout::ByteOrder;
use ancillary::{ControlError, ControlMessages, Layout};
use serde::Deserialize;

/// The vectors are those of a little-endian 64-bit Linux, on whatever machine this runs.
const LAYOUT: Layout = Layout::LINUX_64.with_byte_order(ByteOrder::Little);

#[derive(Deserialize)]
struct File {
    arith: Vec<Arithmetic>,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Arithmetic {
    payload: u64,
    checked_len: Option<u64>,
    checked_space: Option<u64>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    abi: String,
    control: String,
    controllen: usize,
    strict: Strict,
}

#[derive(Deserialize)]
struct Strict {
    messages: Vec<Message>,
    end: Ending,
}

#[derive(Deserialize)]
struct Message {
    level: i32,
    r#type: i32,
    payload: String,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Ending {
    Clean,
    ShortTail { offset: usize, bytes: usize },
    Error { error: Fault, offset: usize, cmsg_len: u64, remaining: Option<usize>, clamped_payload: Option<String> },
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Fault {
    LenBelowHeader,
    LenBeyondBuffer,
}

fn file() -> File {
    serde_json::from_str(include_str!("data/control-buffers.json")).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len() % 2 == 0, "hex digits come in pairs");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn vectors_are_read_strictly_at_every_misalignment() {
    let vectors = file().vectors;
    assert_eq!(vectors.len(), 73);
    for vector in vectors {
        assert_eq!(vector.abi, "linux64le");
        let control = bytes(&vector.control);
        assert_eq!(control.len(), vector.controllen);
        for misalignment in 0..8 {
            check(&vector, &control, misalignment);
        }
    }
}

#[repr(align(16))]
struct Aligned([u8; 2048]);

fn check(vector: &Vector, control: &[u8], misalignment: usize) {
    let name = &vector.name;
    let mut memory = Aligned([0xee; 2048]);
    let place = &mut memory.0[misalignment..misalignment + control.len()];
    place.copy_from_slice(control);

    let mut messages = ControlMessages::with_layout(LAYOUT, place);
    for expected in &vector.strict.messages {
        let message = messages.next().expect(name).expect(name);
        assert_eq!((message.level(), message.message_type()), (expected.level, expected.r#type), "{name}");
        assert_eq!(message.payload(), bytes(&expected.payload), "{name}");
    }
    match &vector.strict.end {
        Ending::Clean => {
            assert_eq!(messages.next(), None, "{name}");
            assert_eq!(messages.stop_reason(), Some(StopReason::EndOfBuffer), "{name}");
        }
        Ending::ShortTail { offset, bytes } => {
            assert_eq!(messages.next(), None, "{name}");
            assert_eq!(
                messages.stop_reason(),
                Some(StopReason::TrailingBytes { offset: *offset, len: *bytes }),
                "{name}"
            );
        }
        Ending::Error { error: fault, offset, cmsg_len, remaining, clamped_payload } => {
            let error = messages.next().expect(name).unwrap_err();
            let beyond = matches!(error, ControlError::LengthBeyondBuffer { .. });
            assert_eq!(beyond, *fault == Fault::LenBeyondBuffer, "{name}");
            assert_eq!((error.offset(), error.claimed()), (*offset, *cmsg_len), "{name}");
            assert_eq!(error.remaining(), remaining.unwrap_or(control.len() - offset), "{name}");
            assert_eq!(messages.stop_reason(), Some(StopReason::Malformed(error)), "{name}");
            let clamped = messages.truncated_message().map(|message| message.payload());
            assert_eq!(clamped, clamped_payload.as_deref().map(bytes).as_deref(), "{name}");
        }
    }
    assert_eq!(messages.next(), None, "{name}: fused");
}

#[test]
fn arithmetic_refuses_what_the_macros_wrap() {
    let rows = file().arith;
    assert_eq!(rows.len(), 98);
    let fits = |number: Option<u64>| number.and_then(|number| usize::try_from(number).ok());
    for Arithmetic { payload, checked_len, checked_space } in rows {
        // On a 32-bit host the large rows cannot be asked.
        let Ok(payload) = usize::try_from(payload) else { continue };
        assert_eq!(LAYOUT.len(payload), fits(checked_len), "len({payload})");
        assert_eq!(LAYOUT.space(payload), fits(checked_space), "space({payload})");
    }
}
