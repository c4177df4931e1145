//! Who owns what arrived.
//!
//! [`recvmsg`] returns a [`Received`], and that owns every descriptor the call has put into this process, from the
//! instant the system returns: those of `SCM_RIGHTS` and of `SCM_PIDFD`, whether the caller looks at them or not. There is
//! no list of them anywhere: the control buffer has the numbers, and one flag says whether they are still owned. So nothing
//! leaks through an early return, a loop that stops half-way, a truncated or unknown neighbour, or a panic.
//!
//! # Looking and taking
//!
//! - *Looking* borrows: [`messages`](ReceivedControl::messages) yields each descriptor as a `BorrowedFd`,
//!   [`raw_messages`](ReceivedControl::raw_messages) and [`find`](ReceivedControl::find) show payloads as bytes. It can be
//!   done any number of times, and changes nothing.
//! - *Taking* ([`take_messages`](ReceivedControl::take_messages), [`into_messages`](Received::into_messages),
//!   [`take_descriptors`](ReceivedControl::take_descriptors)) moves *all* descriptors to the iterator when it begins. Each
//!   one that the iterator yields is the caller's, as an `OwnedFd`; what it has not yielded when it drops is closed then.
//!   An iterator that is forgotten leaks them.
//! - After taking, nothing is owned here: looking shows an `SCM_RIGHTS` as [`Message::Other`], with plain numbers.
//!
//! # Rules
//!
//! - *Close-on-exec* is set on every descriptor before the caller can see it: by the kernel in the same step where it
//!   can, by `fcntl` before [`recvmsg`] returns where it cannot (Apple's systems, Solaris, AIX and some smaller ones);
//!   there, another thread that forks at that moment still inherits it. [`RecvOptions::inheritable`](crate::socket::RecvOptions::inheritable)
//!   opts out. ([Families that refuse the kernel's flag](recvmsg#sockets-of-other-families) pass no
//!   descriptors.)
//! - *A slot without a descriptor* holds a negative number, usually an error. It is a value, [`DescriptorError`], and
//!   never a descriptor. A message with such a slot is a [`Message::ScmRightsWithErrors`], so that the code for
//!   [`Message::ScmRights`] has none to handle, and [`take_descriptors`](ReceivedControl::take_descriptors) refuses it.
//! - *`MSG_PEEK`*: on Linux every peek installs new descriptors, so they are owned like any other, and the same message
//!   peeked twice and then received has arrived three times. (On a stream, a peek that
//!   fills its slices before it comes to a descriptor shows those that come next in the queue, however far.) On other systems what a peek shows is not a descriptor
//!   (zeros on Apple's, kernel pointers on FreeBSD and NetBSD): nothing is owned, and the message is
//!   [`Message::Other`].
//! - *Room for one can be room for two*: padding is room to a kernel. All that fit are owned and handed over. For
//!   exactly one, on Linux: a `ControlBuffer::<{ control_len!(ScmRights[1]) }>` has no padding;
//!   [`complete`](Received::complete) fails if there were more; the first of
//!   [`take_descriptors`](ReceivedControl::take_descriptors) is `None` if there was none.
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
mod control;
mod descriptors;
mod header;
mod incomplete;
mod messages;
#[cfg(linux_kernel)]
mod multishot;
mod receive;
mod walk;
mod with_data;

pub use crate::message::DescriptorError;
pub use batch::{ReceivedBatch, recvmmsg};
pub use control::ReceivedControl;
pub use descriptors::{Descriptor, DescriptorSlots, Descriptors};
pub use incomplete::Incomplete;
pub use messages::{Message, Messages, RawMessages, TakeDescriptors, TakeMessages};
pub use receive::recvmsg;
pub use with_data::ReceivedWithData;

use crate::control::ControlSliceMut;
use crate::socket::{Filled, Slice, without_echo};
use core::fmt;
use core::ops::{Deref, DerefMut};
use rustix::net::{AddressFamily, RecvFlags, ReturnFlags, SocketAddrAny};

/// What a call has received: owner of every descriptor in it.
///
/// The data is in the caller's slices. The control messages are a [`ReceivedControl`], to which this dereferences: its
/// methods look at them and take them. Dropping this closes every descriptor that was not taken.
///
/// ```
/// use ancillary::message::ScmRights;
/// use ancillary::{ControlBuffer, Message, control_space};
/// use ancillary::received::recvmsg;
/// use ancillary::socket::sendmsg;
/// use rustix::fd::AsFd;
/// use rustix::io::{IoSlice, IoSliceMut};
/// use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
///
/// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
/// let (reader, writer) = rustix::pipe::pipe()?;
///
/// let mut space = ControlBuffer::<{ control_space!(ScmRights[2]) }>::new();
/// let mut control = space.writer();
/// control.push(ScmRights([writer.as_fd()]))?;
/// sendmsg(&there, &[IoSlice::new(b"a pipe")], &control, SendFlags::empty())?;
///
/// let mut data = [0; 16];
/// let received = recvmsg(&here, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty())?.complete()?;
/// for message in received.into_messages() {
///     match message? {
///         Message::ScmRights(descriptors) => {
///             for descriptor in descriptors {
///                 rustix::io::write(descriptor, b"through it")?; // an `OwnedFd`
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
    control: ReceivedControl<'c>,
    /// How many bytes of control buffer the call was given.
    control_capacity: usize,
}

impl<'c> Received<'c> {
    /// The owner of what a call that this crate knows nothing of has received.
    ///
    /// `bytes` is what the call returned, `flags` the `msg_flags` it left, and `control` the part of the control buffer
    /// that it has filled, at any address: as many bytes as the lesser of `msg_controllen` and the length of the buffer.
    /// (NetBSD's `msg_controllen` may be more than the buffer has, and its `flags` are those that the call was given as
    /// well.) For calls on a header of this crate, use
    /// [`RecvMsgHdr::into_received`](crate::socket::RecvMsgHdr::into_received).
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
        control: impl Into<ControlSliceMut<'c>>,
    ) -> Received<'c> {
        // SAFETY: only zeros are written to it.
        let control = unsafe { control.into().into_uninit() };
        // SAFETY: the caller's promise.
        let control = unsafe { ReceivedControl::new(control, true) };
        let (flags, control_capacity) = (without_echo(flags, RecvFlags::empty()), control.control_len());
        Received { bytes, flags, address, control, control_capacity }
    }

    /// The owner of what a call with these flags has filled, and the slices with the data.
    ///
    /// # Safety
    ///
    /// A call of this process has filled it, and nobody else owns what is in it.
    #[inline]
    pub(crate) unsafe fn from_call<'d>(
        filled: Filled<'d, 'c>,
        bytes: usize,
        flags: RecvFlags,
    ) -> (Received<'c>, &'d mut [Slice<'d>]) {
        let Filled { data, control, control_capacity, address, flags: returned } = filled;
        let returned = without_echo(ReturnFlags::from_bits_retain(returned), flags);
        let owns = brings_descriptors(flags);
        // SAFETY: the caller's promise.
        let control = unsafe { ReceivedControl::new(control, owns) };
        (Received { bytes, flags: returned, address, control, control_capacity }, data)
    }

    /// Owns nothing if the sender's address says that no descriptor has come with what it sent, so that `drop` need not look:
    /// the benchmark row `64 datagrams with control`.
    ///
    /// Only sockets of the UNIX family deliver descriptors, and no address of theirs is of another family: Linux
    /// `net/unix/af_unix.c`, whose `scm_recv_unix` alone leads to `scm_detach_fds` (`net/core/scm.c`); on the BSDs and
    /// Apple's systems `dom_externalize`, which the local domain alone has (`uipc_domain.c`).
    #[inline]
    fn own_nothing_of_the_internet(&mut self) {
        let is_of_internet =
            |address: &SocketAddrAny| matches!(address.address_family(), AddressFamily::INET | AddressFamily::INET6);
        if self.control.control_len() > 0 && self.address.as_ref().is_some_and(is_of_internet) {
            self.control.own_nothing();
        }
    }

    /// Returns how many bytes of data the call returned.
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

    /// Returns the part of `data` that was filled, if `data` was the only slice given: its first [`bytes`](Self::bytes).
    ///
    /// ```
    /// use ancillary::control::ControlSliceMut;
    /// use ancillary::received::recvmsg;
    /// use rustix::io::IoSliceMut;
    /// use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};
    ///
    /// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    /// rustix::io::write(&there, b"four")?;
    /// let mut data = [0; 16];
    /// let received = recvmsg(&here, &mut [IoSliceMut::new(&mut data)], ControlSliceMut::none(), RecvFlags::empty())?;
    /// assert_eq!(received.filled(&data), b"four");
    /// # Ok::<(), rustix::io::Errno>(())
    /// ```
    #[inline]
    pub fn filled<'d>(&self, data: &'d [u8]) -> &'d [u8] {
        data.get(..self.bytes).unwrap_or(data)
    }

    /// Returns the system's flags (`msg_flags`), without those that it only returns because the call was given them:
    /// `MSG_CMSG_CLOEXEC` on Linux, every flag on NetBSD.
    ///
    /// Example: [`recvmsg`].
    #[inline]
    pub const fn flags(&self) -> ReturnFlags {
        self.flags
    }

    /// Returns where the data came from: on Linux and NetBSD, `None` for a sender without a name. (FreeBSD and OpenBSD give an
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

    /// Returns how many bytes of control buffer the call was given. [`control_len`](ReceivedControl::control_len) is how many of them
    /// were filled.
    ///
    /// For a call of the caller's, [`from_raw_parts`](Self::from_raw_parts), it is what was filled.
    ///
    /// Example: [`Incomplete`].
    #[inline]
    pub const fn control_capacity(&self) -> usize {
        self.control_capacity
    }

    /// Returns what did not arrive, or `None` if all of it did.
    ///
    /// Example: [`Incomplete`].
    pub fn incomplete(&self) -> Option<Incomplete> {
        let (data, control) = (self.data_truncated(), self.control_truncated());
        let descriptor = self.control.first_error();
        (data || control || descriptor.is_some()).then_some(Incomplete {
            data,
            control,
            control_len: self.control.control_len(),
            control_capacity: self.control_capacity,
            descriptor,
        })
    }

    /// Returns whether a datagram was longer than the slices (`MSG_TRUNC`).
    ///
    /// Example: [`recvmsg`].
    #[inline]
    pub fn data_truncated(&self) -> bool {
        self.flags.contains(ReturnFlags::TRUNC)
    }

    /// Returns whether control messages were lost or cut (`MSG_CTRUNC`). Those that arrived are still here.
    ///
    /// Example: [`recvmsg`].
    #[inline]
    pub fn control_truncated(&self) -> bool {
        self.flags.contains(ReturnFlags::CTRUNC)
    }

    /// Returns this, if all of it arrived: the data whole, no control message lost or cut, and a descriptor in every slot.
    ///
    /// A system that [loses messages without reporting it](crate::received#other-systems) is believed. So is Linux about
    /// descriptors that were sent beside urgent data (`MSG_OOB`) on a UNIX-domain stream: it drops them without a report.
    ///
    /// # Errors
    ///
    /// [`Incomplete`] says what did not arrive. The descriptors that did are closed, and the other messages are gone: to see
    /// some of them nevertheless, ask [`incomplete`](Self::incomplete) instead.
    ///
    /// Example: [`Incomplete`].
    pub fn complete(self) -> Result<Self, Incomplete> {
        match self.incomplete() {
            None => Ok(self),
            Some(incomplete) => Err(incomplete),
        }
    }

    /// Takes the control messages, for as long as the control buffer is borrowed.
    ///
    /// As [`ReceivedControl::take_messages`] otherwise. Of a [`ReceivedWithData`], take it
    /// [apart](ReceivedWithData::into_parts) first.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub fn into_messages(self) -> TakeMessages<'c> {
        self.control.into_messages()
    }
}

impl<'c> Deref for Received<'c> {
    type Target = ReceivedControl<'c>;

    #[inline]
    fn deref(&self) -> &ReceivedControl<'c> {
        &self.control
    }
}

impl<'c> DerefMut for Received<'c> {
    #[inline]
    fn deref_mut(&mut self) -> &mut ReceivedControl<'c> {
        &mut self.control
    }
}

/// Whether the numbers that a call with these flags shows are descriptors of this process.
#[inline]
const fn brings_descriptors(flags: RecvFlags) -> bool {
    cfg!(peek_installs_descriptors) || !flags.contains(RecvFlags::PEEK)
}

impl fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("bytes", &self.bytes)
            .field("flags", &self.flags)
            .field("control", &self.control.control_len())
            .finish_non_exhaustive()
    }
}
