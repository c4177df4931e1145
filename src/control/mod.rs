//! Bytes to messages and back: reading any control buffer, writing one into memory of the caller's.
//!
//! | type | what it is |
//! |---|---|
//! | [`ControlMessages`] | an iterator over the messages in any bytes; its `Display` draws them |
//! | [`ControlMessage`] | one message: level, type, payload |
//! | [`ControlError`], [`End`] | what is wrong with the bytes, and where; how a walk ended |
//! | [`ControlWriter`], [`PushError`] | appends messages; why one was not appended |
//! | [`ControlRoom`], [`ControlSpace`] | memory to write to: the caller's, or aligned storage for a stack |
//! | [`control_space!`](crate::control_space), [`control_len!`](crate::control_len) | the room for a set of messages, as a constant |
//!
//! `unsafe` is in one file, `uninit.rs`, and in the calls to it: memory that may not have been written yet.

mod draw;
mod error;
mod message;
mod read;
mod room;
pub(crate) mod uninit;
mod write;

pub use error::{ControlError, PushError};
pub use message::ControlMessage;
pub use read::{ControlMessages, End};
pub use room::{ControlRoom, ControlSpace};
pub use write::ControlWriter;

#[cfg(sockets)]
pub(crate) use read::frame;
