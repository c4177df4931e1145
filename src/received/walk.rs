use crate::control::{ControlError, ControlMessage, Frame, frame, uninit};
use crate::layout::{ControlHeader, Layout};
use core::mem::MaybeUninit;

const NATIVE: Layout = Layout::NATIVE;

/// A walk over the control messages that the system has written to a buffer.
///
/// As [`ControlMessages`](crate::ControlMessages), over bytes whose padding may not be initialised.
#[derive(Clone)]
pub(super) struct Walk<'r> {
    /// What was not walked. It begins where a message does, and headers and payloads are initialised.
    rest: &'r [MaybeUninit<u8>],
    total: usize,
    /// The message that claims more than there is, after its error was returned, with its header. Empty at any other time.
    truncated: &'r [MaybeUninit<u8>],
}

impl<'r> Walk<'r> {
    /// # Safety
    ///
    /// `control` holds control messages that the system has written, every header and payload initialised.
    #[inline]
    pub(super) const unsafe fn new(control: &'r [MaybeUninit<u8>]) -> Self {
        Walk { rest: control, total: control.len(), truncated: &[] }
    }

    /// Where the next header is expected, in bytes from the start of the buffer.
    #[inline]
    pub(super) const fn offset(&self) -> usize {
        self.total - self.rest.len()
    }

    /// Whether no message is left, and no truncated one either.
    #[inline]
    pub(super) const fn is_done(&self) -> bool {
        self.rest.len() < NATIVE.data_offset() && self.truncated.is_empty()
    }

    /// After [`ControlError::LengthBeyondBuffer`], the message that claims too much, once.
    #[inline]
    pub(super) fn take_truncated(&mut self) -> Option<ControlMessage<'r>> {
        let (header, payload) = core::mem::take(&mut self.truncated).split_at_checked(NATIVE.data_offset())?;
        // SAFETY: this is where a message begins.
        let ControlHeader { level, message_type, .. } = unsafe { read_header(header) }?;
        // SAFETY: the system has cut this message where the buffer ends and written it up to there.
        Some(ControlMessage::new(level, message_type, unsafe { uninit::assume_init(payload) }))
    }

    /// The next message, or what is there of one that claims more than there is.
    #[inline]
    pub(super) fn next_or_truncated(&mut self) -> Option<ControlMessage<'r>> {
        match self.next() {
            Some(Ok(message)) => Some(message),
            Some(Err(_)) | None => self.take_truncated(),
        }
    }
}

/// The header at the front of `bytes`.
///
/// # Safety
///
/// A message that the system has written begins there.
#[inline]
unsafe fn read_header(bytes: &[MaybeUninit<u8>]) -> Option<ControlHeader> {
    let header = bytes.get(..NATIVE.header_size())?;
    // SAFETY: the caller promises that the system has written the header.
    NATIVE.read_header(unsafe { uninit::assume_init(header) })
}

impl<'r> Iterator for Walk<'r> {
    type Item = Result<ControlMessage<'r>, ControlError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // Bytes that are too few for a message stay where they are.
        let (header, following) = self.rest.split_at_checked(NATIVE.data_offset())?;
        // SAFETY: `rest` begins where a message does, as `new` was promised.
        let header = unsafe { read_header(header) }?;
        let ControlHeader { level, message_type, .. } = header;
        match frame(NATIVE, header, following.len()) {
            Ok(Frame { payload, step }) => {
                // The padding of the last message may be missing, whole or in part.
                let step = (step - NATIVE.data_offset()).min(following.len());
                let (message, rest) = following.split_at_checked(step)?;
                self.rest = rest;
                // SAFETY: the system has written the payload of a message up to the length in its header.
                let payload = unsafe { uninit::assume_init(message.get(..payload)?) };
                Some(Ok(ControlMessage::new(level, message_type, payload)))
            }
            Err(length) => {
                let error = length.error(NATIVE, self.offset(), self.rest.len());
                let rest = core::mem::take(&mut self.rest);
                if length.is_beyond(NATIVE) {
                    self.truncated = rest;
                }
                Some(Err(error))
            }
        }
    }
}
