//! Who owns what arrived.
//!
//! [`recvmsg`] returns a [`Received`], and that owns every descriptor the call has put into this process, from the
//! instant the system returns: those of `SCM_RIGHTS` and of `SCM_PIDFD`, whether anybody looks at them or not. There is
//! no list of them anywhere: the control buffer itself is the state. A descriptor that is taken is overwritten with a
//! mark, and what is not marked when the `Received` drops is closed. So nothing leaks through an early return, a loop
//! that stops half-way, a truncated or unknown neighbour, or a panic.
//!
//! # Rules
//!
//! - *Close-on-exec* is set on every descriptor before the caller can see it: by the kernel in the same step where it
//!   can, by `fcntl` before [`recvmsg`] returns where it cannot (Apple's systems, Solaris, AIX and some smaller ones);
//!   there, another thread that forks at that moment still inherits it. [`recvmsg_inheritable`] and
//!   [`recvmmsg_inheritable`] opt out. ([Families that refuse the kernel's flag](recvmsg#sockets-of-other-families) pass no
//!   descriptors.)
//! - *A slot without a descriptor* holds a negative number, usually an error. It is a value, [`NoDescriptor`], and
//!   never a descriptor.
//! - *`MSG_PEEK`*: on Linux every peek installs new descriptors, so they are owned like any other, and the same message
//!   peeked twice and then received has arrived three times. (On a stream, a peek that
//!   fills its slices before it comes to a descriptor shows those that come next in the queue, however far.) On other systems what a peek shows is not a descriptor
//!   (zeros on Apple's, kernel pointers on FreeBSD and NetBSD): nothing is owned, and the message is
//!   [`Message::Other`].
//! - *Room for one can be room for two*: padding is room to a kernel. All that fit are owned and handed over. For
//!   exactly one, on Linux: a `ControlSpace::<{ control_len!(ScmRights[1]) }>` has no padding;
//!   [`complete`](Received::complete) fails if there were more; the first of
//!   [`take_descriptors`](Received::take_descriptors) is `None` if there was none.
//! - *Truncation*: on Linux what fits is delivered and the rest closed by the kernel. An exhausted descriptor table
//!   also shows as truncation, without an error. For other systems, see [below](#other-systems).
//! - *After an error* nothing is owned.
//!
//! # Other systems
//!
//! *Measured* is what the system's own kernel did when it was run; *read* is what its source says.
//!
//! | | what happens to control messages that do not fit |
//! |---|---|
//! | Apple's (read) | All descriptors are installed, then what fits is copied out: the others stay open under unknown numbers. Give the call room for [`SCM_MAX_FD`](crate::message::SCM_MAX_FD). `cmsg_len` is not lowered. A full table fails with `EMSGSIZE`. |
//! | FreeBSD (read) | A message that does not fit is dropped whole, its descriptors closed, and truncation reported. |
//! | NetBSD (measured, 7.99.34) | `SCM_RIGHTS` that does not fit is dropped whole, its descriptors closed; any other kind is cut, and `cmsg_len` not lowered. **Truncation is not always reported**: not if there is no room at all, and not if what is there ends exactly where a message ends. So [`complete`](Received::complete) can be `Ok` when messages were lost: give the call room for all that the socket has turned on. |
//! | OpenBSD (read) | The call fails with `EMSGSIZE`, and all descriptors are closed. |
//!
//! More of NetBSD, measured:
//! - `msg_flags` comes back with every flag that the call was given. The calls of this crate take those out again, and do
//!   not give the system `MSG_TRUNC`, which there does not ask for the true length of a datagram. After a call of the
//!   caller's with `MSG_TRUNC`, data always looks truncated.
//! - `msg_controllen` may be up to 7 bytes more than the buffer has. The calls of this crate take the lesser.
//! - On a stream, descriptors are sent without data, and arrive in a receive of 0 bytes, which is not the end there.
//! - A full descriptor table fails the call with `EMSGSIZE`.

mod batch;
mod descriptors;
mod header;
mod messages;
#[cfg(linux_kernel)]
mod multishot;
mod receive;
mod truncated;
mod with_data;

pub use crate::message::NoDescriptor;
pub use batch::{ReceivedBatch, recvmmsg, recvmmsg_inheritable};
pub use descriptors::{Descriptors, TakeDescriptors};
pub use messages::{Message, Messages};
pub use receive::{recvmsg, recvmsg_inheritable};
pub use truncated::Truncated;
pub use with_data::ReceivedMessage;

use crate::control::{ControlError, ControlMemory, uninit};
use crate::message::{DecodeError, DecodeMessage};
use crate::socket::{Filled, Slice, without_echo};
use core::fmt;
use core::mem::MaybeUninit;
use rustix::net::{RecvFlags, ReturnFlags, SocketAddrAny};

/// What a call has received: owner of every descriptor in it.
///
/// The data is in the caller's slices. Dropping this closes every descriptor that was not taken.
///
/// ```
/// use ancillary::message::ScmRights;
/// use ancillary::{ControlSpace, Message, control_space, recvmsg, sendmsg};
/// use rustix::fd::AsFd;
/// use rustix::io::{IoSlice, IoSliceMut};
/// use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
///
/// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
/// let (reader, writer) = rustix::pipe::pipe()?;
///
/// let mut space = ControlSpace::<{ control_space!(ScmRights[2]) }>::new();
/// let mut control = space.writer();
/// control.push(&ScmRights::new(&[writer.as_fd()]))?;
/// sendmsg(&there, &[IoSlice::new(b"a pipe")], &control, SendFlags::empty())?;
///
/// let mut data = [0; 16];
/// let mut received = recvmsg(&here, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty())?.complete()?;
/// for message in received.messages() {
///     match message? {
///         Message::ScmRights(descriptors) => {
///             for descriptor in descriptors {
///                 rustix::io::write(descriptor?, b"through it")?;
///             }
///         }
///         other => println!("{other:?}"),
///     }
/// }
/// assert_eq!(rustix::io::read(&reader, &mut data)?, 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it closes every descriptor that arrived"]
pub struct Received<'c> {
    bytes: usize,
    flags: ReturnFlags,
    address: Option<SocketAddrAny>,
    /// What the system has filled: walkable, every header and payload initialised, padding perhaps not.
    control: &'c mut [MaybeUninit<u8>],
    /// Whether the numbers in `SCM_RIGHTS` are descriptors of this process.
    owns_descriptors: bool,
    /// Whether a walk to the end has taken every descriptor: then there is nothing left to close.
    emptied: bool,
}

impl<'c> Received<'c> {
    /// The owner of what a call that this crate knows nothing of has received.
    ///
    /// `bytes` is what the call returned, `flags` the `msg_flags` it left, and `control` the part of the control buffer
    /// that it has filled, at any address: as many bytes as the lesser of `msg_controllen` and the length of the buffer.
    /// (NetBSD's `msg_controllen` may be more than the buffer has, and its `flags` are those that the call was given as
    /// well.) For calls on a header of this crate, use
    /// [`RecvHeader::into_received`](crate::socket::RecvHeader::into_received).
    ///
    /// # Safety
    ///
    /// - `control` holds control messages that the system has written to it in a call of this process that has
    ///   succeeded; every header and payload in it is initialised.
    /// - The descriptors in them are owned by nobody else. After a call with `MSG_PEEK` on a system where it shows no
    ///   descriptors (see the [rules](self#rules)) there are none: `control` must be empty.
    ///
    /// ```
    /// use ancillary::Received;
    /// use rustix::net::ReturnFlags;
    ///
    /// let mut filled = [0u8; 0]; // by a call that received no control message
    /// // SAFETY: there is nothing in it.
    /// let received = unsafe { Received::from_raw_parts(5, ReturnFlags::TRUNC, None, &mut filled) };
    /// assert_eq!((received.bytes(), received.data_truncated()), (5, true));
    /// ```
    pub unsafe fn from_raw_parts(
        bytes: usize,
        flags: ReturnFlags,
        address: Option<SocketAddrAny>,
        control: impl Into<ControlMemory<'c>>,
    ) -> Received<'c> {
        // SAFETY: only marks for descriptors that were taken are written to it, as bytes.
        let control = unsafe { control.into().into_uninit() };
        Received {
            bytes,
            flags: without_echo(flags, RecvFlags::empty()),
            address,
            control,
            owns_descriptors: true,
            emptied: false,
        }
    }

    /// The owner of what a call with these flags has filled, and the slices with the data.
    ///
    /// # Safety
    ///
    /// A call of this process has filled it, and nobody else owns what is in it.
    #[inline]
    pub(crate) unsafe fn of_filled<'d>(
        filled: Filled<'d, 'c>,
        bytes: usize,
        flags: RecvFlags,
    ) -> (Received<'c>, &'d mut [Slice<'d>]) {
        let Filled { data, control, address, flags: returned } = filled;
        let returned = without_echo(ReturnFlags::from_bits_retain(returned), flags);
        let owns_descriptors = cfg!(peek_installs_descriptors) || !flags.contains(RecvFlags::PEEK);
        (Received { bytes, flags: returned, address, control, owns_descriptors, emptied: false }, data)
    }

    /// How many bytes of data the call returned.
    ///
    /// At most as many as the slices have, unless the call was asked for the true length of a datagram
    /// (`RecvFlags::TRUNC`). On a TCP stream Linux takes that flag to mean that the bytes are to be thrown away: none of them
    /// is in the slices then.
    ///
    /// 0 is the end of a stream only if
    ///
    /// - the socket is a stream: an empty datagram has 0 bytes. On a seqpacket socket it can be either: with `SO_PASSCRED` on,
    ///   a message that is empty has credentials, and the end has none;
    /// - the slices have room;
    /// - the call did not read the error queue (`RecvFlags::ERRQUEUE`): its entries hold what was sent, or 0 bytes, for
    ///   example those of a TCP socket's zero-copy notifications, and of its timestamps with `SOF_TIMESTAMPING_OPT_TSONLY`;
    /// - no descriptor has arrived: NetBSD passes descriptors on a stream without data.
    ///
    /// Example: [`recvmsg`].
    #[inline]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The part of `data` that was filled, if `data` was the only slice given: its first [`bytes`](Self::bytes).
    ///
    /// ```
    /// use ancillary::control::ControlMemory;
    /// use ancillary::recvmsg;
    /// use rustix::io::IoSliceMut;
    /// use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};
    ///
    /// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    /// rustix::io::write(&there, b"four")?;
    /// let mut data = [0; 16];
    /// let received = recvmsg(&here, &mut [IoSliceMut::new(&mut data)], ControlMemory::none(), RecvFlags::empty())?;
    /// assert_eq!(received.filled(&data), b"four");
    /// # Ok::<(), rustix::io::Errno>(())
    /// ```
    #[inline]
    pub fn filled<'d>(&self, data: &'d [u8]) -> &'d [u8] {
        data.get(..self.bytes).unwrap_or(data)
    }

    /// The flags the system returned (`msg_flags`), without those that it only returns because the call was given them:
    /// `MSG_CMSG_CLOEXEC` on Linux, every flag on NetBSD.
    ///
    /// Example: [`recvmsg`].
    #[inline]
    pub const fn flags(&self) -> ReturnFlags {
        self.flags
    }

    /// Where the data came from: on Linux and NetBSD, `None` for a sender without a name. (FreeBSD and OpenBSD give an
    /// address without a path: read in their sources.) Linux gives the peer's name on connected UNIX-domain sockets too; a
    /// TCP stream has none. From the error queue, it is where the datagram was sent to.
    ///
    /// It is as the system has it, and a sender chooses its own. The longest path of Linux, 108 bytes, comes with a
    /// terminator that `struct sockaddr_un` has no room for: rustix 1.1 panics if such an address is formatted with `{:?}`
    /// or converted to a `SocketAddrUnix`, and nothing can be sent to it (`EINVAL`). Look at its length, 111, first.
    ///
    /// Example: [`recvmsg`].
    #[inline]
    pub const fn address(&self) -> Option<&SocketAddrAny> {
        self.address.as_ref()
    }

    /// What did not fit.
    ///
    /// Example: [`recvmsg`].
    #[inline]
    pub fn truncated(&self) -> Truncated {
        let mut truncated = Truncated::empty();
        truncated.set(Truncated::DATA, self.data_truncated());
        truncated.set(Truncated::CONTROL, self.control_truncated());
        truncated
    }

    /// Whether a datagram was longer than the slices (`MSG_TRUNC`).
    ///
    /// Example: [`recvmsg`].
    #[inline]
    pub fn data_truncated(&self) -> bool {
        self.flags.contains(ReturnFlags::TRUNC)
    }

    /// Whether control messages were lost or cut (`MSG_CTRUNC`). Those that arrived are still here.
    ///
    /// Example: [`recvmsg`].
    #[inline]
    pub fn control_truncated(&self) -> bool {
        self.flags.contains(ReturnFlags::CTRUNC)
    }

    /// This, if all of it arrived.
    ///
    /// # Errors
    ///
    /// What did not fit. The descriptors that did arrive are closed, and the other messages are gone: to see some of them
    /// nevertheless, ask for [`truncated`](Self::truncated) instead, or look before.
    ///
    /// # What `Ok` does not say
    ///
    /// - That every slot has a descriptor: where `SO_PASSPIDFD` is on and the table of descriptors is full, the slot of the
    ///   `SCM_PIDFD` holds an error, and Linux does not report truncation. [`NoDescriptor`] is that error.
    /// - That no message was lost, on a system that [does not report it](crate::received#other-systems).
    /// - That no descriptor was sent beside urgent data (`MSG_OOB`) on a UNIX-domain stream: Linux drops it without a report.
    ///
    /// ```
    /// use ancillary::control::ControlMemory;
    /// use ancillary::{Truncated, recvmsg};
    /// use rustix::io::IoSliceMut;
    /// use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};
    ///
    /// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    /// rustix::io::write(&there, b"five!")?;
    /// let mut data = [0; 4];
    /// let received = recvmsg(&here, &mut [IoSliceMut::new(&mut data)], ControlMemory::none(), RecvFlags::empty())?;
    /// assert_eq!(received.complete().err(), Some(Truncated::DATA));
    /// # Ok::<(), rustix::io::Errno>(())
    /// ```
    pub fn complete(self) -> Result<Self, Truncated> {
        let truncated = self.truncated();
        if truncated.is_empty() { Ok(self) } else { Err(truncated) }
    }

    /// The control messages from the first one on, each with its part of the buffer: descriptors can be taken from one
    /// while the others are still to come.
    ///
    /// Each call starts anew, so walk one iterator: `while let Some(message) = received.messages().next()` would see
    /// the first message for ever.
    ///
    /// What was taken is gone from a later walk. Example: [the type's](Self).
    #[inline]
    pub fn messages(&mut self) -> Messages<'_> {
        // SAFETY: whoever made this has promised that the system has written the messages, and that what descriptors
        // are in them belong to this alone.
        unsafe { Messages::new(self.control, self.owns_descriptors) }
    }

    /// The first message of a kind, or `None` if there is none before the buffer ends or stops making sense.
    /// ([`messages`](Self::messages) tells which.)
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if there is one, but cut or of another length than its kind has.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use ancillary::message::ScmCredentials;
    /// use ancillary::{ControlSpace, control_space, recvmsg};
    /// use rustix::io::IoSliceMut;
    /// use rustix::net::sockopt::set_socket_passcred;
    /// use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};
    ///
    /// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    /// set_socket_passcred(&here, true)?;
    /// rustix::io::write(&there, b"data")?;
    /// let (mut data, mut space) = ([0; 4], ControlSpace::<{ control_space!(ScmCredentials) }>::new());
    /// let mut received = recvmsg(&here, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty())?;
    /// assert_eq!(received.find::<ScmCredentials>(), Some(Ok(ScmCredentials::of_this_process())));
    /// # }
    /// # Ok::<(), rustix::io::Errno>(())
    /// ```
    pub fn find<'r, M: DecodeMessage<'r>>(&'r mut self) -> Option<Result<M, DecodeError>> {
        self.messages().find_kind()
    }

    /// Takes every descriptor, from whatever message, in the order of arrival.
    ///
    /// A message that was cut gives what is there. What the iterator has not yielded when it is dropped is still owned
    /// by this.
    ///
    /// Example: [`TakeDescriptors`].
    #[inline]
    pub fn take_descriptors(&mut self) -> TakeDescriptors<'_> {
        // SAFETY: as in `messages`.
        let messages = unsafe { Messages::new(self.control, self.owns_descriptors) };
        TakeDescriptors::new(messages, &mut self.emptied)
    }

    /// Sets close-on-exec where the system could not do it while receiving.
    fn set_close_on_exec(&mut self) -> Result<(), rustix::io::Errno> {
        let mut messages = self.messages();
        while let Some(descriptors) = messages.next_descriptors() {
            for descriptor in descriptors.iter().flatten() {
                rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC)?;
            }
        }
        Ok(())
    }
}

impl Drop for Received<'_> {
    /// Closes every descriptor that was not taken.
    #[inline]
    fn drop(&mut self) {
        // A walk would find nothing in either case: this only saves it.
        if !self.control.is_empty() && !self.emptied {
            self.take_descriptors().for_each(drop);
        }
    }
}

impl fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("bytes", &self.bytes)
            .field("flags", &self.flags)
            .field("control", &self.control.len())
            .finish_non_exhaustive()
    }
}
