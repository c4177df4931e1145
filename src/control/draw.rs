use super::{ControlMessages, StopReason};
use crate::layout::LayoutChoice;
use core::fmt;

/// How many bytes of a payload are drawn.
const SHOWN: usize = 16;

/// Draws what is left of the buffer, a line for each message and one for how it ends.
///
/// ```
/// use ancillary::{ControlMessages, Layout};
///
/// let bytes = [18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 9];
/// assert_eq!(
///     ControlMessages::with_layout(Layout::DARWIN, &bytes).to_string(),
///     "     0: level 1, type 2, 6 bytes: 01 02 03 04 05 06\n    20: 1 byte left over"
/// );
/// ```
impl<A: LayoutChoice> fmt::Display for ControlMessages<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut messages = self.clone();
        loop {
            let offset = messages.offset();
            let Some(Ok(message)) = messages.next() else { break };
            let (level, message_type, payload) = (message.level(), message.message_type(), message.payload());
            write!(f, "{offset:6}: level {level}, type {message_type}, {}", Bytes(payload.len()))?;
            for (index, byte) in payload.iter().take(SHOWN).enumerate() {
                write!(f, "{}{byte:02x}", if index == 0 { ": " } else { " " })?;
            }
            writeln!(f, "{}", if payload.len() > SHOWN { " …" } else { "" })?;
        }
        let offset = messages.offset();
        match messages.stop_reason() {
            Some(StopReason::TrailingBytes { len, .. }) => write!(f, "{offset:6}: {} left over", Bytes(len)),
            Some(StopReason::Malformed(error)) => write!(f, "{offset:6}: {error}"),
            Some(StopReason::EndOfBuffer) | None => write!(f, "{offset:6}: end"),
        }
    }
}

struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} byte{plural}", self.0)
    }
}
