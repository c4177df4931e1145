use super::{ControlError, Descriptors, uninit};
use crate::control::{ControlMessage, Frame, frame};
use crate::layout::{ControlHeader, Layout};
#[cfg(linux_kernel)]
use crate::message::{ControlKind, ScmCredentials, ScmPidfd, ScmSecurity};
use crate::message::{DecodeError, DecodeMessage};
use crate::platform;
use core::ffi::c_int;
use core::fmt;
use core::iter::FusedIterator;
use core::mem::MaybeUninit;

const NATIVE: Layout = Layout::NATIVE;

/// A control message that was received.
///
/// The variants are what UNIX-domain sockets deliver, first of all what holds descriptors and so has to have an owner.
/// Every other message is [`Other`](Message::Other), whatever types this crate comes to know, and
/// [`decode`](ControlMessage::decode) reads it as any of them, or as yours.
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
    /// The messages of a `Received`.
    ///
    /// # Safety
    ///
    /// - `control` holds control messages that the system has written, every header and payload initialised.
    /// - If `owns_descriptors`, the numbers in its `SCM_RIGHTS` and `SCM_PIDFD` that are not negative are open
    ///   descriptors that belong to the `Received` alone.
    #[inline]
    pub(super) unsafe fn new(control: &'r mut [MaybeUninit<u8>], owns_descriptors: bool) -> Self {
        let total = control.len();
        Messages { rest: control, total, owns_descriptors, clamped: None }
    }

    /// After [`ControlError::LengthBeyondBuffer`]: the message that claims too much, with what is really there. `None`
    /// at any other time, and the second time.
    ///
    /// Apple's kernel truncates a message without lowering its length; the descriptors in it are real. NetBSD's does so
    /// with every kind but `SCM_RIGHTS`, which it delivers whole or not at all.
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
                // SAFETY: the numbers in such a message are what `new` was promised, as it is owned.
                return Some(unsafe { Descriptors::new(raw.payload) });
            }
        }
    }

    /// The first message of a kind, up to where the buffer stops making sense.
    pub(super) fn find_kind<M: DecodeMessage<'r>>(mut self) -> Option<Result<M, DecodeError>> {
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
        // What is too short for a message stays where it is.
        if self.rest.len() < NATIVE.data_offset() {
            return None;
        }
        let remaining = self.rest.len();
        let (header, following) = core::mem::take(&mut self.rest).split_at_mut_checked(NATIVE.data_offset())?;
        let header = header.get(..NATIVE.header_size())?;
        // SAFETY: `rest` began where a message does, and the system has written every message, as `new` was promised.
        // What is as long as the smallest message begins with a header.
        let header = NATIVE.read_header(unsafe { uninit::assume_init(header) })?;
        let ControlHeader { level, message_type, .. } = header;
        match frame(NATIVE, header, following.len()) {
            Ok(Frame { payload, step }) => {
                // The padding of the last message may be missing, whole or in part.
                let step = (step - NATIVE.data_offset()).min(following.len());
                let (message, rest) = following.split_at_mut_checked(step)?;
                self.rest = rest;
                // SAFETY: the system has written the payload of a message up to the length its header says.
                let payload = unsafe { uninit::assume_init_mut(message.get_mut(..payload)?) };
                Some(Ok(RawMessage { level, message_type, payload }))
            }
            Err(length) => {
                if length.is_beyond(NATIVE) {
                    // SAFETY: the system has cut this message where the buffer ends and written it up to there.
                    let payload = unsafe { uninit::assume_init_mut(following) };
                    self.clamped = Some(RawMessage { level, message_type, payload });
                }
                Some(Err(length.error(NATIVE, self.total - remaining, remaining)))
            }
        }
    }

    /// What the message means.
    fn message(&self, raw: RawMessage<'r>) -> Message<'r> {
        let RawMessage { level, message_type, payload } = raw;
        if self.owns_descriptors && platform::holds_received_descriptors(level, message_type) {
            // SAFETY: the numbers in such a message are what `new` was promised, as it is owned.
            let descriptors = unsafe { Descriptors::new(payload) };
            return match message_type {
                #[cfg(linux_kernel)]
                ScmPidfd::TYPE => Message::ScmPidfd(descriptors),
                _ => Message::ScmRights(descriptors),
            };
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
