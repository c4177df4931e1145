use crate::Arithmetic;
use ancillary::ControlError;
use ancillary::control::StopReason;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use std::ops::Range;

/// A control buffer of any bytes, which may begin with messages, so that a walk gets further than to the first header.
#[derive(Arbitrary, Debug)]
pub struct AnyBuffer<'a> {
    planned: Vec<Planned>,
    /// How many bytes are cut off at the end.
    cut: u8,
    rest: &'a [u8],
}

#[derive(Arbitrary, Debug)]
struct Planned {
    level: i32,
    message_type: i32,
    claim: Claim,
}

#[derive(Arbitrary, Debug)]
enum Claim {
    /// What is true for a payload of this length, which follows.
    Payload(u8),
    /// As much as the data offset and this, wherever that leads; nothing follows.
    Near(i8),
    /// Anything; nothing follows.
    Any(u64),
}

impl AnyBuffer<'_> {
    pub fn bytes(&self, arithmetic: Arithmetic) -> Vec<u8> {
        let mut bytes = Vec::new();
        let data_offset = arithmetic.data_offset();
        for Planned { level, message_type, claim } in &self.planned {
            let (claimed, padded) = match *claim {
                Claim::Payload(len) => {
                    let len = data_offset + usize::from(len);
                    (len as u64, arithmetic.padded(len) as usize)
                }
                Claim::Near(distance) => ((data_offset as u64).wrapping_add_signed(distance.into()), data_offset),
                Claim::Any(claimed) => (claimed, data_offset),
            };
            bytes.extend(arithmetic.encode((claimed, *level, *message_type), 0xDD));
            bytes.resize(bytes.len() + padded - data_offset, 0xEE);
        }
        bytes.extend(self.rest);
        bytes.truncate(bytes.len().saturating_sub(usize::from(self.cut)));
        bytes
    }
}

/// A message in a buffer.
#[derive(Debug)]
pub struct Found {
    pub offset: usize,
    pub level: i32,
    pub message_type: i32,
    pub payload: Range<usize>,
}

/// The messages in a buffer, and how it ends, by plain arithmetic.
pub fn walk(arithmetic: Arithmetic, bytes: &[u8]) -> (Vec<Found>, StopReason) {
    let data_offset = arithmetic.data_offset();
    let (mut found, mut offset) = (Vec::new(), 0);
    loop {
        let remaining = bytes.len() - offset;
        if remaining == 0 {
            return (found, StopReason::EndOfBuffer);
        } else if remaining < data_offset {
            return (found, StopReason::TrailingBytes { offset, len: remaining });
        }
        let (claimed, level, message_type) = arithmetic.decode(&bytes[offset..]);
        if u128::from(claimed) < data_offset as u128 {
            return (found, StopReason::Malformed(ControlError::LengthBelowHeader { offset, claimed, remaining }));
        } else if u128::from(claimed) > remaining as u128 {
            return (found, StopReason::Malformed(ControlError::LengthBeyondBuffer { offset, claimed, remaining }));
        }
        let len = claimed as usize;
        found.push(Found { offset, level, message_type, payload: offset + data_offset..offset + len });
        offset += arithmetic.padded(len).min(remaining as u128) as usize;
    }
}
