use super::{ControlError, ControlMessages, ControlWriter, PushError, StopReason};
use crate::layout::LayoutChoice;
use core::error::Error;
use core::fmt;

/// Why the messages of a control buffer were not appended, or a writer not resumed after them.
///
/// ```
/// use ancillary::control::TranslateError;
/// use ancillary::{ControlMessages, ControlWriter, Layout, PushError};
///
/// let bytes = [12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// let translated = ControlWriter::empty().push_all(ControlMessages::with_layout(Layout::DARWIN, &bytes));
/// let error = PushError::BufferTooSmall { needed: Layout::NATIVE.len(0).unwrap(), available: 0 };
/// assert_eq!(translated, Err(TranslateError::Push { offset: 0, error }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TranslateError {
    /// The buffer that was read holds something that is not a message.
    Malformed(ControlError),
    /// A message could not be written.
    Push {
        /// Where the message begins in the buffer that was read, in bytes.
        offset: usize,
        /// Why.
        error: PushError,
    },
}

impl fmt::Display for TranslateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::Push { offset, error } => write!(f, "control message at byte {offset}: {error}"),
        }
    }
}

// Without a `source`: the text has it already.
impl Error for TranslateError {}

impl<A: LayoutChoice> ControlWriter<'_, A> {
    /// Appends every message that another buffer holds, of whatever layout: what a supervisor does with the control
    /// messages of a process of another kind.
    ///
    /// Headers, alignment and padding become those of this writer. Payloads are copied as they are: numbers in them
    /// that mean something to one process only, such as descriptors, and structures that are laid out differently on
    /// the other side, are the caller's to rewrite.
    ///
    /// The length that results is exact, without a byte after the last message that is not its padding. That is what
    /// every receiver takes: a 32-bit process on a 64-bit Linux kernel may not send even one stray byte, while a native
    /// one may send fewer than a header has.
    ///
    /// Returns how the walk over the other buffer ended: [`StopReason::EndOfBuffer`], or [`StopReason::TrailingBytes`] if there are such stray
    /// bytes. Whoever stands in for a kernel that refuses them refuses now.
    ///
    /// # Errors
    ///
    /// The first message that is malformed, or that cannot be pushed. Then none of them was appended.
    ///
    /// ```
    /// use ancillary::control::StopReason;
    /// use ancillary::{ControlMessages, ControlWriter, Layout};
    ///
    /// // IP_TOS, one byte, as a 32-bit process sends it.
    /// let mut small = [0; 16];
    /// let mut writer = ControlWriter::with_layout(Layout::LINUX_32, &mut small);
    /// writer.push_raw(0, 1, &[0x10])?;
    ///
    /// let mut large = [0; 64];
    /// let mut writer = ControlWriter::with_layout(Layout::LINUX_64, &mut large);
    /// assert_eq!(writer.push_all(ControlMessages::with_layout(Layout::LINUX_32, &small)), Ok(StopReason::EndOfBuffer));
    /// assert_eq!(writer.used(), 24);
    /// # Ok::<(), ancillary::PushError>(())
    /// ```
    pub fn push_all<B: LayoutChoice>(
        &mut self,
        mut messages: ControlMessages<'_, B>,
    ) -> Result<StopReason, TranslateError> {
        let before = self.checkpoint();
        loop {
            let offset = messages.offset();
            let pushed = match messages.next() {
                Some(Ok(message)) => self
                    .push_raw(message.level(), message.message_type(), message.payload())
                    .map_err(|error| TranslateError::Push { offset, error }),
                Some(Err(error)) => Err(TranslateError::Malformed(error)),
                None => break,
            };
            if let Err(error) = pushed {
                self.rollback(before);
                return Err(error);
            }
        }
        Ok(messages.stop_reason().unwrap_or(StopReason::EndOfBuffer))
    }
}
