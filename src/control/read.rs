//! Reading a control buffer.
//!
//! What changes with this file: `.ci/lemmas` has `frame` once more, in its own words, and says so when it is another;
//! `.ci/symbolic` plants bugs here, by the text of these lines, and has a model of the walk; `received/messages.rs`
//! walks in the same way over memory that it owns. The models in `tests/small_scope.rs`, `tests/every_layout.rs` and
//! `fuzz/src/buffers.rs` share no code with it, and change only if what is read does.

use super::{ControlError, ControlMessage};
use crate::layout::{ControlHeader, Layout, LayoutChoice, Native};
use core::iter::FusedIterator;

/// Where a message lies behind its header, once the length in that has been found to be true. All in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    /// How long the payload is: at most what follows the header.
    pub(crate) payload: usize,
    /// The distance from this header to the next, unless the bytes end before: at least the message.
    pub(crate) step: usize,
}

/// A header whose length cannot be true.
#[derive(Clone, Copy)]
pub(crate) struct FalseLength {
    pub(crate) header: ControlHeader,
}

impl FalseLength {
    /// Whether the header claims more than there is, rather than less than itself.
    pub(crate) fn is_beyond(self, layout: Layout) -> bool {
        self.header.cmsg_len >= layout.data_offset() as u64
    }

    pub(crate) fn error(self, layout: Layout, offset: usize, remaining: usize) -> ControlError {
        let claimed = self.header.cmsg_len;
        if self.is_beyond(layout) {
            ControlError::LengthBeyondBuffer { offset, claimed, remaining }
        } else {
            ControlError::LengthBelowHeader { offset, claimed, remaining }
        }
    }
}

/// Judges the length in a header, when so many bytes follow it: those after the layout's data offset.
///
/// This is the one place where a length is believed or not: it is compared with what there is before anything is rounded
/// up.
#[inline]
pub(crate) fn frame(layout: Layout, header: ControlHeader, following: usize) -> Result<Frame, FalseLength> {
    // One comparison for both ends: a length below the header's own wraps around to more than there can be.
    let payload = header.cmsg_len.wrapping_sub(layout.data_offset() as u64);
    if payload > following as u64 {
        return Err(FalseLength { header });
    }
    // Both are exact: neither is more than what a slice can have, and a few bytes.
    Ok(Frame { payload: payload as usize, step: layout.padded(header.cmsg_len as usize) })
}

/// How a walk over a control buffer ended.
///
/// Example: [`ControlMessages::stop_reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopReason {
    /// All bytes belong to messages. (The padding of the last one may be missing.)
    EndOfBuffer,
    /// After the last message come bytes that are too few for another one. A system that is sent them ignores them, or
    /// refuses the call: Linux ignores them, and refuses those of a 32-bit process on a 64-bit kernel; NetBSD ignores
    /// them on UNIX-domain sockets and refuses them on IPv6 UDP with `EINVAL` (both measured); FreeBSD refuses them (read
    /// in its source).
    TrailingBytes {
        /// Where they begin in the buffer, in bytes.
        offset: usize,
        /// How many there are.
        len: usize,
    },
    /// A header claims a length that cannot be true.
    Malformed(ControlError),
}

/// Reads a control buffer: an iterator over the messages in any bytes, at any address, of any layout.
///
/// Each step yields a borrowed message, or the error that ends the walk. The walk
///
/// - ends after at most `bytes.len() / data_offset + 1` steps, and yields `None` from then on;
/// - never panics, never reads outside `bytes`, and never yields a message that claims more than there is;
/// - takes a last message without its padding as it is, and does not read the padding of any;
/// - is not ended by a message without a payload.
///
/// Its [`Display`](core::fmt::Display) draws the buffer.
///
/// It makes no promise about meaning: descriptors in a payload are numbers. What a call of this process received is
/// read through [`Received`](crate::Received), which owns them.
///
/// Source of truth: cmsg(3), and the kernels' own walks (Linux `CMSG_OK`, `include/linux/socket.h`).
///
/// ```
/// use ancillary::{ControlMessages, ControlWriter, Layout};
///
/// let mut bytes = [0; 64];
/// let mut writer = ControlWriter::with_layout(Layout::NATIVE, &mut bytes);
/// writer.push_raw(41, 50, b"four")?;
/// writer.push_raw(0, 8, &[])?;
///
/// let mut messages = ControlMessages::new(writer.as_bytes());
/// let first = messages.next().unwrap()?;
/// assert_eq!((first.level(), first.message_type(), first.payload()), (41, 50, &b"four"[..]));
/// let second = messages.next().unwrap()?;
/// assert_eq!(second.payload(), b"");
/// assert!(messages.next().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "CMSG_FIRSTHDR")]
#[doc(alias = "CMSG_NXTHDR")]
#[must_use = "an iterator does nothing until it is walked"]
pub struct ControlMessages<'a, A = Native> {
    rest: &'a [u8],
    total: usize,
    error: Option<ControlError>,
    layout: A,
}

#[cfg(has_native_layout)]
impl<'a> ControlMessages<'a> {
    /// Reads `bytes` as a control buffer of the target's own layout.
    ///
    /// After a system call, `bytes` is what the call says it filled, not the whole buffer: the lesser of `msg_controllen`
    /// and the length of the buffer. (NetBSD's `msg_controllen` may be up to 7 bytes more than the buffer has.)
    ///
    /// ```
    /// use ancillary::{ControlMessages, ControlWriter};
    ///
    /// let mut bytes = [0; 64];
    /// let mut writer = ControlWriter::new(&mut bytes);
    /// writer.push_raw(280, 7, b"payload")?;
    /// assert_eq!(ControlMessages::new(writer.as_bytes()).count(), 1);
    /// # Ok::<(), ancillary::PushError>(())
    /// ```
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        ControlMessages { rest: bytes, total: bytes.len(), error: None, layout: Native }
    }
}

impl<'a, A: LayoutChoice> ControlMessages<'a, A> {
    /// Reads `bytes` as a control buffer of any layout.
    ///
    /// ```
    /// use ancillary::{ControlMessages, Layout};
    ///
    /// // One descriptor, number 5, as a 32-bit little-endian process has it.
    /// let bytes = [16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0];
    /// let message = ControlMessages::with_layout(Layout::DARWIN, &bytes).next().unwrap()?;
    /// assert_eq!(message.payload(), [5, 0, 0, 0]);
    /// # Ok::<(), ancillary::ControlError>(())
    /// ```
    #[inline]
    pub const fn with_layout(layout: A, bytes: &'a [u8]) -> Self {
        ControlMessages { rest: bytes, total: bytes.len(), error: None, layout }
    }

    /// Where the next header is expected, in bytes from the start of the buffer; at the end, where the walk stopped.
    ///
    /// ```
    /// let mut messages = ancillary::ControlMessages::new(&[]);
    /// assert_eq!(messages.offset(), 0);
    /// ```
    #[inline]
    pub const fn offset(&self) -> usize {
        // `rest` is always a tail of the buffer.
        self.total - self.rest.len()
    }

    /// The bytes that have not been walked: after the end, those that belong to no message.
    ///
    /// ```
    /// let mut messages = ancillary::ControlMessages::new(&[1, 2, 3]);
    /// assert!(messages.next().is_none());
    /// assert_eq!(messages.remainder(), [1, 2, 3]);
    /// ```
    #[inline]
    pub const fn remainder(&self) -> &'a [u8] {
        self.rest
    }

    /// How the walk ended, or `None` if it has not.
    ///
    /// ```
    /// use ancillary::ControlMessages;
    /// use ancillary::control::StopReason;
    ///
    /// let mut messages = ControlMessages::new(&[0; 3]);
    /// assert_eq!(messages.by_ref().count(), 0);
    /// assert_eq!(messages.stop_reason(), Some(StopReason::TrailingBytes { offset: 0, len: 3 }));
    /// ```
    pub fn stop_reason(&self) -> Option<StopReason> {
        match (self.error, self.rest.len()) {
            (Some(error), _) => Some(StopReason::Malformed(error)),
            (None, 0) => Some(StopReason::EndOfBuffer),
            (None, len) if len < self.layout.layout().data_offset() => {
                Some(StopReason::TrailingBytes { offset: self.offset(), len })
            }
            _ => None,
        }
    }

    /// After [`ControlError::LengthBeyondBuffer`]: the message that claims too much, with the payload that is really
    /// there.
    ///
    /// Apple's kernel truncates a message without lowering its length, and NetBSD's does so with all but `SCM_RIGHTS`
    /// (measured), so there such a message is real. From Linux it is a sign that the bytes did not come from the kernel.
    /// `None` at any other time.
    ///
    /// ```
    /// use ancillary::{ControlMessages, Layout};
    ///
    /// // 4 of 64 bytes are there.
    /// let bytes = [76, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0];
    /// let mut messages = ControlMessages::with_layout(Layout::DARWIN, &bytes);
    /// assert!(messages.next().unwrap().is_err());
    /// assert_eq!(messages.truncated_message().unwrap().payload(), [5, 0, 0, 0]);
    /// ```
    pub fn truncated_message(&self) -> Option<ControlMessage<'a>> {
        let Some(ControlError::LengthBeyondBuffer { .. }) = self.error else { return None };
        let layout = self.layout.layout();
        let header = layout.read_header(self.rest)?;
        let payload = self.rest.get(layout.data_offset()..)?;
        Some(ControlMessage::new(header.level, header.message_type, payload))
    }
}

impl<'a, A: LayoutChoice> Iterator for ControlMessages<'a, A> {
    type Item = Result<ControlMessage<'a>, ControlError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.error.is_some() {
            return None;
        }
        let layout = self.layout.layout();
        let (header, following) = self.rest.split_at_checked(layout.data_offset())?;
        let header = layout.read_header(header)?;
        match frame(layout, header, following.len()) {
            Ok(Frame { payload, step }) => {
                // The padding of the last message may be missing, whole or in part.
                self.rest = self.rest.get(step.min(self.rest.len())..)?;
                Some(Ok(ControlMessage::new(header.level, header.message_type, following.get(..payload)?)))
            }
            Err(length) => {
                let error = length.error(layout, self.offset(), self.rest.len());
                self.error = Some(error);
                Some(Err(error))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // No layout has a data offset of 0, which the compiler cannot know of one that is chosen when the program runs.
        let whole = self.rest.len().checked_div(self.layout.layout().data_offset());
        (0, whole.map(|messages| messages + 1))
    }
}

impl<A: LayoutChoice> FusedIterator for ControlMessages<'_, A> {}
