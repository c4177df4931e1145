//! Bytes to messages and back: reading any control buffer, writing one into the caller's buffer.
//!
//! | type | what it is |
//! |---|---|
//! | [`ControlMessages`] | an iterator over the messages in any bytes; its `Display` draws them |
//! | [`ControlMessage`] | one message: level, type, payload |
//! | [`ControlError`], [`StopReason`] | what is wrong with the bytes, and where; how a walk ended |
//! | [`ControlWriter`], [`PushError`] | appends messages; why one was not appended |
//! | [`TranslateError`] | why the messages of another buffer were not appended |
//! | [`ControlKind`], [`FixedPayload`], [`ListPayload`] | the numbers and the size of a kind of message |
//! | [`ControlSliceMut`], [`ControlBuffer`] | a control buffer to write to: the caller's bytes, or aligned storage for a stack |
//! | [`control_space!`](crate::control_space), [`control_len!`](crate::control_len) | the room for a set of messages, as a constant |
//!
//! On a target without control messages of its own, all that speaks of the target's layout is absent: `new` of reader and
//! writer, and the two macros. `with_layout` takes a [`Layout`](crate::Layout) there.
//!
//! `unsafe` is in one file, `uninit.rs`, and in the calls to it: memory that may not have been written yet.

mod draw;
mod error;
mod kind;
mod message;
mod read;
mod room;
mod translate;
pub(crate) mod uninit;
mod write;
#[cfg(sockets)]
mod write_descriptors;

pub use error::{ControlError, PushError};
#[doc(hidden)]
pub use kind::payload_size_of_list;
pub use kind::{ControlKind, FixedPayload, ListPayload};
pub use message::ControlMessage;
pub use read::{ControlMessages, StopReason};
#[cfg(has_native_layout)]
#[doc(hidden)]
pub use room::computed;
pub use room::{ControlBuffer, ControlSliceMut};
pub use translate::TranslateError;
pub use write::ControlWriter;

#[cfg(sockets)]
pub(crate) use read::{Frame, frame};
#[cfg(sockets)]
pub(crate) use write_descriptors::SLOT;
