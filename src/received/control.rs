use super::descriptors::{DescriptorSlots, SLOT, first_error};
use super::walk::Walk;
use super::{DescriptorError, Messages, RawMessages, TakeDescriptors, TakeMessages};
use crate::control::uninit;
use crate::layout::Layout;
use crate::message::{DecodeError, DecodeMessage, ScmRights};
use crate::platform;
use core::fmt;
use core::mem::{MaybeUninit, take};
use core::ops::Range;
use rustix::fd::OwnedFd;

const NATIVE: Layout = Layout::NATIVE;

/// The control messages that a call has received: the owner of every descriptor in them.
///
/// It is a part of whatever stands for what was received: [`Received`](crate::Received),
/// [`ReceivedWithData`](super::ReceivedWithData). Both dereference to it.
///
/// *Looking* ([`messages`](Self::messages), [`raw_messages`](Self::raw_messages), [`find`](Self::find)) borrows, as often
/// as the caller likes. *Taking* ([`take_messages`](Self::take_messages), [`take_descriptors`](Self::take_descriptors),
/// [`Received::into_messages`](crate::Received::into_messages)) hands the descriptors over to what it returns, all of them
/// when it begins: from then on this owns none, and looking shows their numbers as plain bytes. What a taking walk has not
/// yielded when it is dropped is closed.
///
/// Dropping this closes every descriptor that was not taken.
pub struct ReceivedControl<'c> {
    /// What the system has filled: walkable, every header and payload initialised, padding perhaps not.
    control: &'c mut [MaybeUninit<u8>],
    /// Whether the numbers in descriptor messages are descriptors of this process that belong to this alone.
    owns: bool,
}

impl<'c> ReceivedControl<'c> {
    /// # Safety
    ///
    /// - `control` holds control messages that the system has written; every header and payload in it is initialised.
    /// - If `owns`, the numbers in its descriptor messages that are not negative are open descriptors without another
    ///   owner.
    #[inline]
    pub(super) const unsafe fn new(control: &'c mut [MaybeUninit<u8>], owns: bool) -> Self {
        ReceivedControl { control, owns }
    }

    #[inline]
    const fn walk(&self) -> Walk<'_> {
        // SAFETY: `new` was promised that the system has written the messages.
        unsafe { Walk::new(self.control) }
    }

    /// Returns how many bytes of the control buffer were filled (`msg_controllen`).
    ///
    /// ```
    /// # use ancillary::control::ControlSliceMut;
    /// # use ancillary::received::recvmsg;
    /// # use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};
    /// # let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    /// # rustix::io::write(&there, b"data")?;
    /// let mut received = recvmsg(&here, &mut [], ControlSliceMut::none(), RecvFlags::empty())?;
    /// assert_eq!(received.control_len(), 0);
    /// assert_eq!(received.control_bytes(), b"");
    /// # Ok::<(), rustix::io::Errno>(())
    /// ```
    #[doc(alias = "msg_controllen")]
    #[inline]
    pub const fn control_len(&self) -> usize {
        self.control.len()
    }

    /// Returns the bytes of the control buffer that were filled, for a reader of the caller's.
    ///
    /// Systems leave the padding of a message as it was, so this writes zeros there first, and after the last message.
    /// Descriptors are plain numbers in these bytes, and belong to this for as long as they are not taken.
    ///
    /// Example: [`control_len`](Self::control_len).
    #[doc(alias = "msg_control")]
    pub fn control_bytes(&mut self) -> &[u8] {
        let mut at = 0;
        loop {
            // SAFETY: `at` is where a message begins, and `new` was promised that the system has written it.
            let mut walk = unsafe { Walk::new(self.control.get(at..).unwrap_or_default()) };
            let message = match walk.next() {
                Some(Ok(message)) => message,
                Some(Err(_)) => match walk.take_truncated() {
                    Some(message) => message,
                    None => {
                        // The header that makes no sense stays: a reader finds the same error there.
                        at += NATIVE.header_size();
                        break;
                    }
                },
                None => break,
            };
            let payload_end = at + NATIVE.data_offset() + message.payload().len();
            let next = at + walk.offset();
            self.write_zeros(at + NATIVE.header_size()..at + NATIVE.data_offset());
            self.write_zeros(payload_end..next);
            at = next;
        }
        self.write_zeros(at..self.control.len());
        // SAFETY: the system has written headers and payloads (a header without sense too, which every walk reads), and
        // everything else has just been zeroed.
        unsafe { uninit::assume_init(self.control) }
    }

    fn write_zeros(&mut self, range: Range<usize>) {
        uninit::zeroed(self.control.get_mut(range).unwrap_or_default());
    }

    /// Returns the control messages, to look at: descriptors are borrowed.
    ///
    /// ```
    /// # use ancillary::message::ScmRights;
    /// # use ancillary::{ControlBuffer, Message, control_space};
    /// # use ancillary::received::recvmsg;
    /// # use ancillary::socket::sendmsg;
    /// # use rustix::fd::AsFd;
    /// # use rustix::io::{IoSlice, IoSliceMut};
    /// # use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
    /// # let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    /// # let (reader, writer) = rustix::pipe::pipe()?;
    /// # let mut space = ControlBuffer::<{ control_space!(ScmRights[2]) }>::new();
    /// # let mut control = space.writer();
    /// # control.push(ScmRights([writer.as_fd()]))?;
    /// # sendmsg(&there, &[IoSlice::new(b"a pipe")], &control, SendFlags::empty())?;
    /// # let mut data = [0; 16];
    /// let received = recvmsg(&here, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty())?;
    /// for message in received.messages() {
    ///     if let Message::ScmRights(descriptors) = message? {
    ///         for descriptor in descriptors {
    ///             rustix::io::write(descriptor, b"through it")?;
    ///         }
    ///     }
    /// }
    /// assert_eq!(received.messages().count(), 1); // nothing was taken
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn messages(&self) -> Messages<'_> {
        // SAFETY: `new` was promised both. What this owns stays open for as long as it is borrowed: taking takes
        // `&mut self`.
        unsafe { Messages::new(self.control, self.owns) }
    }

    /// Returns every control message as level, type and payload, whatever its kind.
    ///
    /// ```
    /// # use ancillary::message::ScmRights;
    /// # use ancillary::{ControlBuffer, control_space};
    /// # use ancillary::received::recvmsg;
    /// # use ancillary::socket::sendmsg;
    /// # use rustix::fd::AsFd;
    /// # use rustix::io::{IoSlice, IoSliceMut};
    /// # use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
    /// # let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    /// # let (reader, writer) = rustix::pipe::pipe()?;
    /// # let mut space = ControlBuffer::<{ control_space!(ScmRights[2]) }>::new();
    /// # let mut control = space.writer();
    /// # control.push(ScmRights([writer.as_fd()]))?;
    /// # sendmsg(&there, &[IoSlice::new(b"a pipe")], &control, SendFlags::empty())?;
    /// # let mut data = [0; 16];
    /// let received = recvmsg(&here, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty())?;
    /// let message = received.raw_messages().next().ok_or("there is one")??;
    /// assert!(message.is::<ScmRights>());
    /// assert_eq!(message.payload().len(), 4); // a number; `received` owns the descriptor
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub const fn raw_messages(&self) -> RawMessages<'_> {
        RawMessages::new(self.walk())
    }

    /// Returns the first message of a kind, or `None` if there is none before the buffer ends or stops making sense.
    /// ([`messages`](Self::messages) tells which.)
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if there is one, but cut or of another length than its kind has.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use ancillary::message::ScmCredentials;
    /// use ancillary::{ControlBuffer, control_space};
    /// use ancillary::received::recvmsg;
    /// use rustix::io::IoSliceMut;
    /// use rustix::net::sockopt::set_socket_passcred;
    /// use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};
    ///
    /// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    /// set_socket_passcred(&here, true)?;
    /// rustix::io::write(&there, b"data")?;
    /// let (mut data, mut space) = ([0; 4], ControlBuffer::<{ control_space!(ScmCredentials) }>::new());
    /// let received = recvmsg(&here, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty())?;
    /// assert_eq!(received.find::<ScmCredentials>(), Some(Ok(ScmCredentials::of_this_process())));
    /// # }
    /// # Ok::<(), rustix::io::Errno>(())
    /// ```
    #[inline]
    pub fn find<'r, M: DecodeMessage<'r>>(&'r self) -> Option<Result<M, DecodeError>> {
        self.walk().map_while(Result::ok).find_map(|message| message.decode())
    }

    /// Takes the control messages: each step of what this returns gives the descriptors of a message to the caller.
    ///
    /// Every descriptor is handed over now. What the walk has not yielded when it is dropped is closed, and a walk that is
    /// forgotten leaks it. A second walk finds plain numbers.
    ///
    /// Example: [`Received`](crate::Received).
    #[inline]
    pub fn take_messages(&mut self) -> TakeMessages<'_> {
        let owns = take(&mut self.owns);
        // SAFETY: `new` was promised both, and this no longer owns what that does.
        unsafe { TakeMessages::new(self.control, owns) }
    }

    /// Takes the control messages, for as long as the control buffer is borrowed.
    #[inline]
    pub(super) fn into_messages(mut self) -> TakeMessages<'c> {
        let (control, owns) = (take(&mut self.control), take(&mut self.owns));
        // SAFETY: `new` was promised both, and nothing is left here.
        unsafe { TakeMessages::new(control, owns) }
    }

    /// Takes every descriptor that the peer has sent (`SCM_RIGHTS`), from whatever message, in the order of arrival.
    ///
    /// A message that was cut gives what is there. What the iterator has not yielded when it is dropped is closed, and so is
    /// a pidfd that the system has added: [`take_messages`](Self::take_messages) gives both.
    ///
    /// # Errors
    ///
    /// [`DescriptorError`] if a slot holds an error in the place of a descriptor. Nothing was taken then: this still owns every
    /// descriptor, and [`messages`](Self::messages) shows which slot it is.
    ///
    /// ```
    /// # use ancillary::message::ScmRights;
    /// # use ancillary::{ControlBuffer, control_space};
    /// # use ancillary::received::recvmsg;
    /// # use ancillary::socket::sendmsg;
    /// # use rustix::fd::AsFd;
    /// # use rustix::io::{IoSlice, IoSliceMut};
    /// # use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
    /// # let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    /// # let (reader, writer) = rustix::pipe::pipe()?;
    /// # let mut space = ControlBuffer::<{ control_space!(ScmRights[2]) }>::new();
    /// # let mut control = space.writer();
    /// # control.push(ScmRights([writer.as_fd()]))?;
    /// # sendmsg(&there, &[IoSlice::new(b"a pipe")], &control, SendFlags::empty())?;
    /// # let mut data = [0; 16];
    /// let mut received = recvmsg(&here, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty())?;
    /// let pipe = received.take_descriptors()?.next().ok_or("the sender passed nothing")?;
    /// rustix::io::write(pipe, b"through it")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    // Always inline: a `Received` whose address is taken is copied. The benchmark row `pass 1`.
    #[inline(always)]
    pub fn take_descriptors(&mut self) -> Result<TakeDescriptors<'_>, DescriptorError> {
        let control = &*self.control;
        // SAFETY: `new` was promised that the system has written the messages.
        let (start, mut walk) = unsafe { (Walk::new(control), Walk::new(control)) };
        let first = if self.owns { walk.next_or_truncated() } else { None };
        let (rights, rest, later) = match first {
            None => (&[][..], None, 0),
            // Nearly always there is one message, and nothing after it.
            Some(first) if first.is::<ScmRights>() && walk.is_done() => (first.payload(), None, 0),
            Some(_) => (&[][..], Some(start.clone()), rights_in(start)?),
        };
        if let Some(error) = first_error(rights) {
            return Err(error);
        }
        self.owns = false;
        // SAFETY: the numbers are those of descriptors that this no longer owns, as `new` was promised that it did.
        let rights = unsafe { DescriptorSlots::<OwnedFd>::new(rights) };
        // SAFETY: the walk is over what `new` was promised, and this no longer owns what that does.
        let rest = rest.map(|walk| unsafe { TakeMessages::of_walk(walk, true) });
        // SAFETY: no slot holds an error.
        Ok(unsafe { TakeDescriptors::new(rights, rest, later) })
    }

    /// The error in the first slot that holds one in the place of a descriptor.
    #[inline]
    pub(super) fn first_error(&self) -> Option<DescriptorError> {
        let mut walk = self.walk();
        while let Some(message) = walk.next_or_truncated().filter(|_| self.owns) {
            if platform::holds_received_descriptors(message.level(), message.message_type()) {
                let error = first_error(message.payload());
                if error.is_some() {
                    return error;
                }
            }
        }
        None
    }

    /// Gives up what this owns: nothing is closed.
    #[inline]
    pub(super) const fn own_nothing(&mut self) {
        self.owns = false;
    }

    /// Sets close-on-exec where the system could not do it while receiving.
    pub(super) fn set_close_on_exec(&mut self) -> Result<(), rustix::io::Errno> {
        let mut walk = self.walk();
        while let Some(message) = walk.next_or_truncated().filter(|_| self.owns) {
            if platform::holds_received_descriptors(message.level(), message.message_type()) {
                // SAFETY: this owns them, and is borrowed.
                let slots = unsafe { DescriptorSlots::<rustix::fd::BorrowedFd<'_>>::new(message.payload()) };
                for descriptor in slots.flatten() {
                    rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC)?;
                }
            }
        }
        Ok(())
    }
}

/// How many descriptors there are in the `SCM_RIGHTS` of a walk.
///
/// # Errors
///
/// A slot holds an error.
#[cold]
fn rights_in(mut walk: Walk<'_>) -> Result<usize, DescriptorError> {
    let mut count = 0;
    while let Some(message) = walk.next_or_truncated() {
        if message.is::<ScmRights>() {
            if let Some(error) = first_error(message.payload()) {
                return Err(error);
            }
            count += message.payload().len() / SLOT;
        }
    }
    Ok(count)
}

impl Drop for ReceivedControl<'_> {
    /// Closes every descriptor that was not taken.
    #[inline]
    fn drop(&mut self) {
        if self.owns && !self.control.is_empty() {
            drop(self.take_messages());
        }
    }
}

impl fmt::Debug for ReceivedControl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.messages()).finish()
    }
}
