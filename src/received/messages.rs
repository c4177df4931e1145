use super::descriptors::{Descriptor, DescriptorSlots, Descriptors, DescriptorsOrSlots};
use super::walk::Walk;
use crate::control::{ControlError, ControlMessage};
#[cfg(linux_kernel)]
use crate::message::{ControlKind, DescriptorError, ScmCredentials, ScmPidfd, ScmSecurity};
use crate::platform;
use core::fmt;
use core::iter::FusedIterator;
use core::mem::MaybeUninit;
use rustix::fd::{BorrowedFd, OwnedFd};

/// A control message that was received.
///
/// `F` is how descriptors are given out: [`BorrowedFd`] by [`messages`](super::ReceivedControl::messages), which looks,
/// [`OwnedFd`] by [`take_messages`](super::ReceivedControl::take_messages).
///
/// The variants are what UNIX-domain sockets deliver, first of all what holds descriptors. Every other message is
/// [`Other`](Message::Other), whatever types this crate comes to know, and [`decode`](ControlMessage::decode) reads it as
/// any of them, or as the caller's.
///
/// Example: [`Received`](crate::Received).
#[derive(Debug)]
#[non_exhaustive]
pub enum Message<'m, F: Descriptor = OwnedFd> {
    /// Open descriptors that the peer has sent.
    #[doc(alias = "SCM_RIGHTS")]
    ScmRights(Descriptors<'m, F>),
    /// Open descriptors that the peer has sent, some of which the system has kept back: a slot of those holds an error.
    ScmRightsWithErrors(DescriptorSlots<'m, F>),
    /// A descriptor for the process of the sender, which the system adds; or why it could not. Linux 6.5.
    #[cfg(linux_kernel)]
    #[doc(alias = "SCM_PIDFD")]
    ScmPidfd(Result<F, DescriptorError>),
    /// Who the sender is. (One that was truncated is [`Other`](Message::Other).) Linux.
    #[cfg(linux_kernel)]
    #[doc(alias = "SCM_CREDENTIALS")]
    ScmCredentials(ScmCredentials),
    /// The label that a security module gives the sender. Linux.
    #[cfg(linux_kernel)]
    #[doc(alias = "SCM_SECURITY")]
    ScmSecurity(ScmSecurity<'m>),
    /// Any other message: its level, type and payload.
    ///
    /// Descriptors are such a message if they are not this walk's to give out: because another walk has taken them, or
    /// because the call was a peek that shows none.
    Other(ControlMessage<'m>),
}

impl<'m, F: Descriptor> Message<'m, F> {
    /// What a message means.
    ///
    /// # Safety
    ///
    /// If `has_descriptors`, and the message is of a kind that holds descriptors, its payload is what
    /// [`DescriptorSlots::new`] asks for.
    #[inline]
    unsafe fn of(message: ControlMessage<'m>, has_descriptors: bool) -> Self {
        if has_descriptors && platform::holds_received_descriptors(message.level(), message.message_type()) {
            // SAFETY: the caller's promise.
            let slots = unsafe { DescriptorSlots::new(message.payload()) };
            #[cfg(linux_kernel)]
            if message.message_type() == ScmPidfd::TYPE {
                let mut slots = slots;
                return slots.next().map_or(Message::Other(message), Message::ScmPidfd);
            }
            return match slots.sorted() {
                DescriptorsOrSlots::Descriptors(descriptors) => Message::ScmRights(descriptors),
                DescriptorsOrSlots::Slots(slots) => Message::ScmRightsWithErrors(slots),
            };
        }
        #[cfg(linux_kernel)]
        if let Some(Ok(credentials)) = message.decode::<ScmCredentials>() {
            return Message::ScmCredentials(credentials);
        } else if let Some(Ok(security)) = message.decode::<ScmSecurity<'m>>() {
            return Message::ScmSecurity(security);
        }
        Message::Other(message)
    }
}

/// The control messages of a [`Received`](crate::Received), to look at: descriptors are borrowed.
///
/// It yields `Err` once, and then ends, if the buffer holds something that is not a message.
///
/// Example: [`ReceivedControl::messages`](super::ReceivedControl::messages).
#[derive(Clone)]
#[must_use = "an iterator does nothing until it is walked"]
pub struct Messages<'r> {
    walk: Walk<'r>,
    has_descriptors: bool,
}

impl<'r> Messages<'r> {
    /// # Safety
    ///
    /// - `control` is what [`Walk::new`] asks for.
    /// - If `has_descriptors`, the numbers in its descriptor messages that are not negative are descriptors that stay
    ///   open for `'r`.
    #[inline]
    pub(super) unsafe fn new(control: &'r [MaybeUninit<u8>], has_descriptors: bool) -> Self {
        // SAFETY: the caller's promise.
        Messages { walk: unsafe { Walk::new(control) }, has_descriptors }
    }

    /// Returns the message that claims too much, with what is really there, after a
    /// [`ControlError::LengthBeyondBuffer`]. `None` at any other time, and the second time.
    ///
    /// Apple's kernel truncates a message without lowering its length; the descriptors in it are real. NetBSD's does so
    /// with every kind but `SCM_RIGHTS`, which it delivers whole or not at all.
    ///
    /// ```
    /// # use ancillary::ControlBuffer;
    /// # use ancillary::received::recvmsg;
    /// # use rustix::io::IoSliceMut;
    /// # use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};
    /// # let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    /// # rustix::io::write(&there, b"data")?;
    /// # let (mut data, mut space) = ([0; 16], ControlBuffer::<64>::new());
    /// let received = recvmsg(&here, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty())?;
    /// let mut messages = received.messages();
    /// while let Some(message) = messages.next() {
    ///     match message.or_else(|error| messages.truncated_message().ok_or(error)) {
    ///         Ok(message) => println!("{message:?}"),
    ///         Err(error) => println!("{error}"),
    ///     }
    /// }
    /// # Ok::<(), rustix::io::Errno>(())
    /// ```
    pub fn truncated_message(&mut self) -> Option<Message<'r, BorrowedFd<'r>>> {
        let message = self.walk.take_truncated()?;
        // SAFETY: the walk is over what `new` was promised.
        Some(unsafe { Message::of(message, self.has_descriptors) })
    }
}

impl<'r> Iterator for Messages<'r> {
    type Item = Result<Message<'r, BorrowedFd<'r>>, ControlError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let message = self.walk.next()?;
        // SAFETY: the walk is over what `new` was promised.
        Some(message.map(|message| unsafe { Message::of(message, self.has_descriptors) }))
    }
}

impl FusedIterator for Messages<'_> {}

impl fmt::Debug for Messages<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("offset", &self.walk.offset()).finish_non_exhaustive()
    }
}

/// The control messages of a [`Received`](crate::Received) as level, type and payload, whatever their kinds.
///
/// Descriptors are plain numbers here. It yields `Err` once, and then ends, if the buffer holds something that is not a
/// message.
///
/// Example: [`ReceivedControl::raw_messages`](super::ReceivedControl::raw_messages).
#[derive(Clone)]
#[must_use = "an iterator does nothing until it is walked"]
pub struct RawMessages<'r> {
    walk: Walk<'r>,
}

impl<'r> RawMessages<'r> {
    #[inline]
    pub(super) const fn new(walk: Walk<'r>) -> Self {
        RawMessages { walk }
    }

    /// Returns the message that claims too much, with what is really there, after a
    /// [`ControlError::LengthBeyondBuffer`]. `None` at any other time, and the second time.
    ///
    /// Example: [`Messages::truncated_message`].
    pub fn truncated_message(&mut self) -> Option<ControlMessage<'r>> {
        self.walk.take_truncated()
    }
}

impl<'r> Iterator for RawMessages<'r> {
    type Item = Result<ControlMessage<'r>, ControlError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.walk.next()
    }
}

impl FusedIterator for RawMessages<'_> {}

impl fmt::Debug for RawMessages<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawMessages").field("offset", &self.walk.offset()).finish_non_exhaustive()
    }
}

/// The control messages of a [`Received`](crate::Received), to take: each step gives the descriptors of a message to the
/// caller.
///
/// Dropping this closes the descriptors of the messages that it has not yielded. Forgetting it leaks them.
///
/// It yields `Err` once, and then ends, if the buffer holds something that is not a message. Descriptors in a message that
/// claims more than there is are those of [`truncated_message`](Self::truncated_message), or closed.
///
/// Example: [`Received`](crate::Received).
#[must_use = "dropping it closes every descriptor that arrived"]
pub struct TakeMessages<'r> {
    walk: Walk<'r>,
    owns: bool,
}

impl<'r> TakeMessages<'r> {
    /// # Safety
    ///
    /// - `control` is what [`Walk::new`] asks for.
    /// - If `owns`, the numbers in its descriptor messages that are not negative are open descriptors without another
    ///   owner.
    #[inline]
    pub(super) unsafe fn new(control: &'r [MaybeUninit<u8>], owns: bool) -> Self {
        // SAFETY: the caller's promise.
        TakeMessages { walk: unsafe { Walk::new(control) }, owns }
    }

    /// The same after some steps of a walk.
    ///
    /// # Safety
    ///
    /// As [`new`](Self::new), for the messages that were not walked.
    #[inline]
    pub(super) const unsafe fn of_walk(walk: Walk<'r>, owns: bool) -> Self {
        TakeMessages { walk, owns }
    }

    /// Returns the message that claims too much, with what is really there, after a
    /// [`ControlError::LengthBeyondBuffer`]. `None` at any other time, and the second time.
    ///
    /// Example: [`Messages::truncated_message`].
    pub fn truncated_message(&mut self) -> Option<Message<'r>> {
        let message = self.walk.take_truncated()?;
        // SAFETY: the walk is over what `new` was promised, and gives every message out once.
        Some(unsafe { Message::of(message, self.owns) })
    }

    /// The slots of the next message that the peer has sent descriptors in, a truncated one too. What the system has added is
    /// closed.
    #[inline]
    fn next_rights(&mut self) -> Option<DescriptorSlots<'r>> {
        while self.owns {
            let message = self.walk.next_or_truncated()?;
            if platform::holds_received_descriptors(message.level(), message.message_type()) {
                // SAFETY: the walk is over what `new` was promised, and gives every message out once.
                let slots = unsafe { DescriptorSlots::new(message.payload()) };
                if platform::is_scm_rights(message.level(), message.message_type()) {
                    return Some(slots);
                }
            }
        }
        None
    }

    /// Closes the descriptors of every message that was not yielded.
    fn close_rest(&mut self) {
        while let Some(slots) = self.next_rights() {
            drop(slots);
        }
    }
}

impl<'r> Iterator for TakeMessages<'r> {
    type Item = Result<Message<'r>, ControlError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let message = self.walk.next()?;
        // SAFETY: the walk is over what `new` was promised, and gives every message out once.
        Some(message.map(|message| unsafe { Message::of(message, self.owns) }))
    }
}

impl FusedIterator for TakeMessages<'_> {}

impl Drop for TakeMessages<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.owns && !self.walk.is_done() {
            self.close_rest();
        }
    }
}

impl fmt::Debug for TakeMessages<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TakeMessages").field("offset", &self.walk.offset()).field("owns", &self.owns).finish()
    }
}

/// Every descriptor that the peer has sent, from whatever message, in the order of arrival: an iterator of exact length.
///
/// Dropping this closes the descriptors that it has not yielded, and forgetting it leaks them.
///
/// Example: [`ReceivedControl::take_descriptors`](super::ReceivedControl::take_descriptors).
#[derive(Debug)]
#[must_use = "dropping it closes every descriptor that arrived"]
pub struct TakeDescriptors<'r> {
    current: Descriptors<'r>,
    /// The messages that were not walked, if there may be any.
    rest: Option<TakeMessages<'r>>,
    /// How many descriptors those hold.
    later: usize,
}

impl<'r> TakeDescriptors<'r> {
    /// The descriptors in some slots, and `later` of them in the rest of the messages.
    ///
    /// # Safety
    ///
    /// No slot holds an error, neither here nor in an `SCM_RIGHTS` that is still to come.
    #[inline]
    pub(super) unsafe fn new(rights: DescriptorSlots<'r>, rest: Option<TakeMessages<'r>>, later: usize) -> Self {
        // SAFETY: the caller's promise.
        TakeDescriptors { current: unsafe { rights.without_errors() }, rest, later }
    }

    /// Goes on to the next message with descriptors. Returns whether there is one.
    #[cold]
    fn go_on(&mut self) -> bool {
        let Some(slots) = self.rest.as_mut().and_then(TakeMessages::next_rights) else { return false };
        // SAFETY: no slot holds an error, as `new` was promised.
        self.current = unsafe { slots.without_errors() };
        self.later = self.later.saturating_sub(self.current.len());
        true
    }
}

impl Iterator for TakeDescriptors<'_> {
    type Item = OwnedFd;

    #[inline]
    fn next(&mut self) -> Option<OwnedFd> {
        loop {
            if let Some(descriptor) = self.current.next() {
                return Some(descriptor);
            }
            if self.later == 0 || !self.go_on() {
                return None;
            }
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.current.len() + self.later;
        (left, Some(left))
    }

    // Always inline, so that this stays in registers: the benchmark row `pass 1`.
    #[inline(always)]
    fn fold<B, G: FnMut(B, OwnedFd) -> B>(self, start: B, mut with: G) -> B {
        let TakeDescriptors { current, rest, .. } = self;
        let mut folded = current.fold(start, &mut with);
        if let Some(mut rest) = rest {
            while let Some(slots) = rest.next_rights() {
                // SAFETY: no slot holds an error, as `new` was promised.
                folded = unsafe { slots.without_errors() }.fold(folded, &mut with);
            }
        }
        folded
    }
}

impl ExactSizeIterator for TakeDescriptors<'_> {}
impl FusedIterator for TakeDescriptors<'_> {}
