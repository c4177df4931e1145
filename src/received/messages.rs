use super::{ControlError, Descriptors, uninit};
use crate::control::{ControlMessage, frame};
use crate::layout::Layout;
use crate::message::{ControlKind, DecodeMessage, ScmRights, WrongLength};
#[cfg(linux_kernel)]
use crate::message::{ScmCredentials, ScmPidfd, ScmSecurity};
use crate::platform;
use core::ffi::c_int;
use core::fmt;
use core::iter::FusedIterator;
use core::mem::MaybeUninit;

const NATIVE: Layout = Layout::NATIVE;

/// A control message that was received.
///
/// More kinds are added as the crate comes to know them, and no kind of message is ever dropped: what is not one of
/// these is [`Other`](Message::Other), which [`decode`](ControlMessage::decode) reads as any type.
///
/// Example: [`Received`](crate::Received).
#[derive(Debug)]
#[non_exhaustive]
pub enum Message<'m> {
    /// Open descriptors, to borrow or to take.
    #[doc(alias = "SCM_RIGHTS")]
    ScmRights(Descriptors<'m>),
    /// A descriptor for the process of the sender, to borrow or to take. Linux 6.5.
    #[cfg(linux_kernel)]
    #[doc(alias = "SCM_PIDFD")]
    ScmPidfd(Descriptors<'m>),
    /// Who the sender is. (One that was truncated is [`Other`](Message::Other).) Linux.
    #[cfg(linux_kernel)]
    #[doc(alias = "SCM_CREDENTIALS")]
    ScmCredentials(ScmCredentials),
    /// The label that a security module gives the sender. Linux.
    #[cfg(linux_kernel)]
    #[doc(alias = "SCM_SECURITY")]
    ScmSecurity(ScmSecurity<'m>),
    /// Any other message: its level, type and payload.
    Other(ControlMessage<'m>),
}

/// The control messages of a [`Received`](crate::Received), each with its part of the buffer.
///
/// It yields `Err` once, and then ends, if the buffer holds something that is not a message. Descriptors before that,
/// and in a message that claims more than there is, are owned and closed all the same; [`clamped`](Self::clamped) gives
/// the latter.
///
/// Example: [`Received`](crate::Received).
#[must_use = "an iterator does nothing until it is walked"]
pub struct Messages<'r> {
    /// What was not walked: headers and payloads are initialised.
    rest: &'r mut [MaybeUninit<u8>],
    total: usize,
    owns_descriptors: bool,
    /// The message that claims more than there is, after its error was told.
    clamped: Option<RawMessage<'r>>,
}

/// A message as it lies in the buffer.
struct RawMessage<'r> {
    level: c_int,
    message_type: c_int,
    payload: &'r mut [u8],
}

impl<'r> Messages<'r> {
    /// The control buffer of a `Received`, and whether that owns the descriptors in it.
    #[inline]
    pub(super) fn new(control: &'r mut [MaybeUninit<u8>], owns_descriptors: bool) -> Self {
        let total = control.len();
        Messages { rest: control, total, owns_descriptors, clamped: None }
    }

    /// After [`ControlError::LengthBeyondBuffer`]: the message that claims too much, with what is really there. `None`
    /// at any other time, and the second time.
    ///
    /// Apple's kernel truncates a message without lowering its length; the descriptors in it are real.
    ///
    /// ```
    /// # use ancillary::{ControlSpace, recvmsg};
    /// # use rustix::io::IoSliceMut;
    /// # use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};
    /// # let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    /// # rustix::io::write(&there, b"data")?;
    /// # let (mut data, mut space) = ([0; 16], ControlSpace::<64>::new());
    /// let mut received = recvmsg(&here, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty())?;
    /// let mut messages = received.messages();
    /// while let Some(message) = messages.next() {
    ///     match message.or_else(|error| messages.clamped().ok_or(error)) {
    ///         Ok(message) => println!("{message:?}"),
    ///         Err(error) => println!("{error}"),
    ///     }
    /// }
    /// # Ok::<(), rustix::io::Errno>(())
    /// ```
    pub fn clamped(&mut self) -> Option<Message<'r>> {
        let raw = self.clamped.take()?;
        Some(self.message(raw))
    }

    /// The descriptors of the next message that has any, a clamped one too.
    #[inline]
    pub(super) fn next_descriptors(&mut self) -> Option<Descriptors<'r>> {
        if !self.owns_descriptors {
            return None;
        }
        loop {
            let raw = match self.next_raw() {
                Some(Ok(raw)) => raw,
                Some(Err(_)) | None => self.clamped.take()?,
            };
            if platform::holds_received_descriptors(raw.level, raw.message_type) {
                return Some(Descriptors::new(raw.payload));
            }
        }
    }

    /// The first message of a kind, up to where the buffer stops making sense.
    pub(super) fn find_kind<M: DecodeMessage<'r>>(mut self) -> Option<Result<M, WrongLength>> {
        while let Some(Ok(raw)) = self.next_raw() {
            let message = ControlMessage::new(raw.level, raw.message_type, raw.payload);
            if let Some(found) = message.decode() {
                return Some(found);
            }
        }
        None
    }

    #[inline]
    fn next_raw(&mut self) -> Option<Result<RawMessage<'r>, ControlError>> {
        let remaining = self.rest.len();
        let front = self.rest.get(..NATIVE.header_size())?;
        // SAFETY: the system has written messages to this buffer, so what begins at a message boundary and is as long
        // as a header is one, initialised.
        let header = unsafe { uninit::init(front) };
        match frame(NATIVE, header, remaining)? {
            Ok(frame) => {
                let rest = core::mem::take(&mut self.rest);
                let (message, rest) = rest.split_at_mut_checked(frame.step)?;
                self.rest = rest;
                let payload = message.get_mut(NATIVE.data_offset()..frame.len)?;
                // SAFETY: the system has written the payload of a message up to the length its header says.
                let payload = unsafe { uninit::init_mut(payload) };
                Some(Ok(RawMessage { level: frame.level, message_type: frame.message_type, payload }))
            }
            Err(length) => {
                let error = length.error(NATIVE, self.total - remaining, remaining);
                let rest = core::mem::take(&mut self.rest);
                if length.is_beyond(NATIVE) {
                    let payload = rest.get_mut(NATIVE.data_offset()..)?;
                    // SAFETY: the system has cut this message where the buffer ends and written it up to there.
                    let payload = unsafe { uninit::init_mut(payload) };
                    self.clamped = Some(RawMessage {
                        level: length.header.level,
                        message_type: length.header.message_type,
                        payload,
                    });
                }
                Some(Err(error))
            }
        }
    }

    /// What the message means.
    fn message(&self, raw: RawMessage<'r>) -> Message<'r> {
        let RawMessage { level, message_type, payload } = raw;
        if level == ScmRights::LEVEL && self.owns_descriptors {
            match message_type {
                ScmRights::TYPE => return Message::ScmRights(Descriptors::new(payload)),
                #[cfg(linux_kernel)]
                ScmPidfd::TYPE => return Message::ScmPidfd(Descriptors::new(payload)),
                _ => {}
            }
        }
        let message = ControlMessage::new(level, message_type, payload);
        #[cfg(linux_kernel)]
        if let Some(Ok(credentials)) = message.decode::<ScmCredentials>() {
            return Message::ScmCredentials(credentials);
        } else if let Some(Ok(security)) = message.decode::<ScmSecurity<'r>>() {
            return Message::ScmSecurity(security);
        }
        Message::Other(message)
    }
}

impl<'r> Iterator for Messages<'r> {
    type Item = Result<Message<'r>, ControlError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        Some(self.next_raw()?.map(|raw| self.message(raw)))
    }
}

impl FusedIterator for Messages<'_> {}

impl fmt::Debug for Messages<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("offset", &(self.total - self.rest.len())).finish_non_exhaustive()
    }
}
