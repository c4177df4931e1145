//! Many messages in one call.

use super::backend::{MMsgHdr, MsgHdr};
use super::header::SendMsgHdr;
use super::options::RecvOptions;
use super::room::{Filled, RecvRoom, passed_on};
use crate::control::ControlWriter;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::time::Duration;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::{Errno, IoSlice};
use rustix::net::{RecvFlags, SendFlags, SocketAddrAny};

#[cfg(not(batched_receiving))]
mod receive_by_loop;
#[cfg(not(batched_sending))]
mod send_by_loop;

/// One message of a batch to send: data, control messages and perhaps an address, all borrowed for as long as it lives.
///
/// An array of these is what the system's call takes: each is a `struct mmsghdr`.
///
/// Example: [`sendmmsg`].
#[repr(transparent)]
#[doc(alias = "mmsghdr")]
pub struct SendSlot<'a> {
    raw: MMsgHdr,
    borrowed: PhantomData<&'a ()>,
}

// SAFETY: what the pointers in the header lead to is borrowed, and only read.
unsafe impl Send for SendSlot<'_> {}
// SAFETY: as above.
unsafe impl Sync for SendSlot<'_> {}

impl<'a> SendSlot<'a> {
    /// A message without an address.
    ///
    /// Example: [`sendmmsg`].
    #[inline]
    pub fn new(data: &'a [IoSlice<'a>], control: &'a ControlWriter<'a>) -> Self {
        SendSlot { raw: batched(SendMsgHdr::new(data, control).into_raw()), borrowed: PhantomData }
    }

    /// A message without data, control messages and address: to fill an array with.
    ///
    /// ```
    /// use ancillary::socket::SendSlot;
    ///
    /// let messages = [const { SendSlot::empty() }; 64];
    /// assert_eq!(messages[0].sent(), 0);
    /// ```
    #[inline]
    pub const fn empty() -> Self {
        // SAFETY: every field is an integer or a raw pointer, for which zero is a value.
        SendSlot { raw: unsafe { core::mem::zeroed() }, borrowed: PhantomData }
    }

    /// The same message with an address to send to.
    ///
    /// ```
    /// use ancillary::{ControlWriter, socket::SendSlot};
    /// use ancillary::socket::sendmmsg;
    /// use rustix::io::IoSlice;
    /// use rustix::net::{AddressFamily, SendFlags, SocketAddrAny, SocketType, bind, getsockname, socket};
    /// use std::net::{Ipv4Addr, SocketAddrV4};
    ///
    /// let (here, there) = (
    ///     socket(AddressFamily::INET, SocketType::DGRAM, None)?,
    ///     socket(AddressFamily::INET, SocketType::DGRAM, None)?,
    /// );
    /// bind(&there, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    /// let address = getsockname(&there)?;
    ///
    /// let (data, control) = ([IoSlice::new(b"data")], ControlWriter::empty());
    /// let mut messages = [SendSlot::new(&data, &control).with_address(&address)];
    /// assert_eq!(sendmmsg(&here, &mut messages, SendFlags::empty())?, 1);
    /// # Ok::<(), rustix::io::Errno>(())
    /// ```
    #[inline]
    pub fn with_address(mut self, address: &'a SocketAddrAny) -> Self {
        self.raw.msg_hdr.msg_name = address.as_ptr().cast_mut().cast();
        self.raw.msg_hdr.msg_namelen = address.addr_len() as _;
        self
    }

    /// How many bytes of its data the last call has sent, if that has sent this message.
    ///
    /// Example: [`sendmmsg`].
    #[inline]
    pub const fn sent(&self) -> usize {
        self.raw.msg_len as usize
    }
}

impl fmt::Debug for SendSlot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendSlot").field("sent", &self.sent()).finish_non_exhaustive()
    }
}

/// Sends many messages, in order.
///
/// Returns how many were sent: fewer than there are if one could not be, if a stream took only a part of one, which is
/// then the last, or if there are more than the system takes in one call (1024 on Linux). Of each that was,
/// [`SendSlot::sent`] tells the bytes. If there are none, no call is made.
///
/// Linux, Android, NetBSD and OpenBSD have a call of this name. [Elsewhere](crate::socket#who-makes-the-calls) it is a
/// loop of [`sendmsg`](crate::socket::sendmsg) with the same meaning.
///
/// # Errors
///
/// Those of [`sendmsg`](crate::socket::sendmsg), of the *first* message: none was sent then. An error of a later one ends the
/// batch before it and is not returned; to get it, or to go on, call again with the rest: `&mut messages[sent..]`.
///
/// As with [`sendmsg`](crate::socket::sendmsg), a message without data sends no descriptors on a stream: it counts as sent, and
/// nothing arrives.
///
/// Manual pages: [Linux], [NetBSD], [OpenBSD].
///
/// [Linux]: https://man7.org/linux/man-pages/man2/sendmmsg.2.html
/// [NetBSD]: https://man.netbsd.org/sendmmsg.2
/// [OpenBSD]: https://man.openbsd.org/sendmmsg.2
///
/// ```
/// use ancillary::{ControlWriter, socket::SendSlot};
/// use ancillary::socket::sendmmsg;
/// use rustix::io::IoSlice;
/// use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, socketpair};
///
/// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
/// let control = ControlWriter::empty();
/// let data = [[IoSlice::new(b"one")], [IoSlice::new(b"three")]];
/// let mut messages = [SendSlot::new(&data[0], &control), SendSlot::new(&data[1], &control)];
///
/// let mut rest = &mut messages[..];
/// while !rest.is_empty() {
///     let sent = sendmmsg(&here, rest, SendFlags::empty())?;
///     rest = &mut rest[sent..];
/// }
/// assert_eq!(messages.map(|message| message.sent()), [3, 5]);
/// # Ok::<(), rustix::io::Errno>(())
/// ```
#[inline]
pub fn sendmmsg(socket: impl AsFd, messages: &mut [SendSlot<'_>], flags: SendFlags) -> Result<usize, Errno> {
    super::refuse_zerocopy(flags)?;
    if messages.is_empty() {
        return Ok(0);
    }
    // A `SendSlot` is a `MMsgHdr`.
    let (headers, count) = (messages.as_mut_ptr().cast(), messages.len());
    // SAFETY: the headers are prepared, and what they point to is borrowed until after the call, which copies it. So are
    // the descriptors in them: a native writer takes no others, and no payload that names memory.
    unsafe { call::sendmmsg(socket.as_fd(), headers, count, flags.bits()) }
}

/// Memory for the header of one message that is received in a batch: a `struct mmsghdr`.
///
/// An array of these is what the system's call takes. What is in one is set anew by each call, from the
/// [room](RecvRoom) of the same number: it need not be kept, but can be.
///
/// Example: [`recvmmsg`](crate::received::recvmmsg).
#[repr(transparent)]
#[doc(alias = "mmsghdr")]
pub struct RecvSlot {
    raw: MaybeUninit<MMsgHdr>,
}

// SAFETY: this is memory; nobody is given the pointers in it but who has the room they were made of.
unsafe impl Send for RecvSlot {}
// SAFETY: as above.
unsafe impl Sync for RecvSlot {}

impl RecvSlot {
    /// Memory that holds nothing yet.
    ///
    /// ```
    /// use ancillary::socket::RecvSlot;
    ///
    /// let slots = [const { RecvSlot::new() }; 64];
    /// assert_eq!(slots.len(), 64);
    /// ```
    #[inline]
    pub const fn new() -> Self {
        RecvSlot { raw: MaybeUninit::uninit() }
    }

    /// What a call has filled of the room whose header this was, and how many bytes of data it says there are.
    ///
    /// # Safety
    ///
    /// [`receive`] was called with both, has said that it received this message, and nothing else has changed them
    /// since.
    #[inline]
    pub(crate) unsafe fn filled<'b>(&self, room: &'b mut RecvRoom<'_, '_>) -> (Filled<'b, 'b>, usize) {
        // SAFETY: `receive` has written it.
        let raw = unsafe { self.raw.assume_init_ref() };
        // SAFETY: `receive` has made this header of that room, and the call has succeeded.
        let filled = unsafe { room.filled(&raw.msg_hdr) };
        (filled, raw.msg_len as usize)
    }
}

impl Default for RecvSlot {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RecvSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvSlot").finish_non_exhaustive()
    }
}

/// The flag with which a batch waits for its first message only: `MSG_WAITFORONE`.
///
/// For [`recvmmsg`](crate::received::recvmmsg) only. Where the system has no such flag, this crate's loop understands it.
///
/// ```
/// use ancillary::control::ControlSliceMut;
/// use ancillary::received::recvmmsg;
/// use ancillary::socket::{RecvRoom, RecvSlot, WAIT_FOR_ONE};
/// use rustix::io::IoSliceMut;
/// use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
///
/// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
/// rustix::io::write(&there, b"one")?;
///
/// let mut data = [[0; 16]; 2];
/// let mut slices = data.each_mut().map(|data| [IoSliceMut::new(data)]);
/// let mut rooms = slices.each_mut().map(|slices| RecvRoom::new(slices, ControlSliceMut::none()));
/// let mut slots = [const { RecvSlot::new() }; 2];
/// // There is room for two. One has come, and nobody waits for the other.
/// assert_eq!(recvmmsg(&here, &mut slots, &mut rooms, WAIT_FOR_ONE, None)?.len(), 1);
/// # Ok::<(), rustix::io::Errno>(())
/// ```
#[doc(alias = "MSG_WAITFORONE")]
pub const WAIT_FOR_ONE: RecvFlags = RecvFlags::from_bits_retain(call::WAIT_FOR_ONE);

/// Receives as many messages as there are both slots and rooms for, and says how many, and which flags the system was
/// given.
///
/// Every header is prepared anew from its room. Nothing owns what arrives until it is taken from the rooms.
#[inline]
pub(crate) fn receive(
    socket: BorrowedFd<'_>,
    slots: &mut [RecvSlot],
    rooms: &mut [RecvRoom<'_, '_>],
    options: RecvOptions,
    timeout: Option<Duration>,
) -> Result<(Batch, RecvFlags), Errno> {
    let mut flags = passed_on(options.flags());
    loop {
        let mut count = 0;
        for (slot, room) in slots.iter_mut().zip(&mut *rooms) {
            slot.raw.write(batched(room.prepare()));
            count += 1;
        }
        if count == 0 {
            // There is no header that the system could look at.
            return Ok((Batch { count: 0, error: None }, flags));
        }
        let headers = slots.as_mut_ptr().cast::<MMsgHdr>();
        // SAFETY: the first `count` headers have just been prepared, and what they point to is borrowed until after the
        // call.
        match unsafe { call::recvmmsg(socket, headers, count, flags.bits(), timeout) } {
            Ok(batch) => return Ok((batch, flags)),
            Err(error) => flags = options.again(socket, flags, error)?,
        }
    }
}

/// A header of a batch. The call counts in it.
#[inline]
const fn batched(header: MsgHdr) -> MMsgHdr {
    MMsgHdr { msg_hdr: header, msg_len: 0 }
}

/// How a batch was received.
pub(crate) struct Batch {
    /// How many messages.
    pub(crate) count: usize,
    /// What ended it early, where the system does not keep that for the next call.
    pub(crate) error: Option<Errno>,
}

/// The system's calls, or what stands for them.
mod call {
    #[cfg(not(batched_receiving))]
    pub(super) use super::receive_by_loop::{WAIT_FOR_ONE, recvmmsg};
    #[cfg(not(batched_sending))]
    pub(super) use super::send_by_loop::sendmmsg;
    #[cfg(batched_sending)]
    pub(super) use crate::socket::backend::sendmmsg;
    #[cfg(batched_receiving)]
    use {super::*, crate::socket::backend};

    #[cfg(batched_receiving)]
    pub(super) const WAIT_FOR_ONE: u32 = crate::platform::MSG_WAITFORONE as u32;

    /// # Safety
    ///
    /// `count` headers, and everything they point to, can be written until the call returns.
    #[cfg(batched_receiving)]
    #[inline]
    pub(super) unsafe fn recvmmsg(
        socket: BorrowedFd<'_>,
        headers: *mut MMsgHdr,
        count: usize,
        flags: u32,
        timeout: Option<Duration>,
    ) -> Result<Batch, Errno> {
        // SAFETY: the caller's promise is the backend's.
        let received = unsafe { backend::recvmmsg(socket, headers, count, flags, timeout) }?;
        // More than there are headers are not looked at, whatever is said.
        Ok(Batch { count: received.min(count), error: None })
    }
}
