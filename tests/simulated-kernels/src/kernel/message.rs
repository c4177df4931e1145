//! What is on its way to a socket.

use super::abi;
use super::table::InFlight;
use libc::c_int;

#[derive(Debug)]
pub struct Message {
    pub data: Vec<u8>,
    /// The bytes of the sender's address, none if it has no name.
    pub name: Vec<u8>,
    pub control: Control,
}

#[derive(Debug)]
pub enum Control {
    Items(Vec<Item>),
    /// A control buffer as it is to be written, whatever the rules, and what `msg_controllen` is to say.
    Image(abi::Image, usize),
}

/// A control message.
#[derive(Debug)]
pub struct Item {
    pub kind: (c_int, c_int),
    pub payload: Payload,
}

#[derive(Debug)]
pub enum Payload {
    Bytes(Vec<u8>),
    Slots(Vec<Slot>),
}

#[derive(Debug)]
pub enum Slot {
    File(InFlight),
    /// The number, negative, that stands where no descriptor could be made.
    Error(c_int),
}

impl Item {
    pub fn rights(files: impl IntoIterator<Item = InFlight>) -> Item {
        Item { kind: abi::RIGHTS, payload: Payload::Slots(files.into_iter().map(Slot::File).collect()) }
    }

    /// A message of a kind that is for UDP, and that the crate has no type for.
    pub fn other(payload: &[u8]) -> Item {
        Item { kind: (17, 99), payload: Payload::Bytes(payload.to_vec()) }
    }

    pub fn has_descriptors(&self) -> bool {
        matches!(self.payload, Payload::Slots(_))
    }
}

impl Message {
    pub fn new(data: &[u8], items: Vec<Item>) -> Message {
        Message { data: data.to_vec(), name: Vec::new(), control: Control::Items(items) }
    }
}
