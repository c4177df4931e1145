use super::{Received, ReceivedWithData};
use crate::socket::{self, RecvOptions, RecvRoom, RecvSlot};
use core::fmt;
use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::time::Duration;
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::net::RecvFlags;

/// Receives many messages: as many as there are both slots and rooms for.
///
/// Every room is used as if for the first time, whatever the call before has left in it, and every descriptor that
/// arrives is owned by the result, whether the caller looks at its message or not. They are close-on-exec, unless the
/// [`RecvOptions`] say otherwise. If there is no slot or no room, no call is made. Sockets of [other families](crate::received::recvmsg#sockets-of-other-families) are received
/// from as with [`recvmsg`](crate::received::recvmsg): a packet capture receives with [`RecvOptions::inheritable`].
///
/// It is a call for datagrams. The end of a stream is a message without data, and fills one room after the other. With
/// `MSG_PEEK`, each room gets the first message again (and on Linux descriptors of its own).
///
/// Linux, Android, NetBSD and OpenBSD have a call of this name. [Elsewhere](crate::socket#who-makes-the-calls) it is a
/// loop of [`recvmsg`](crate::received::recvmsg) with the same meaning, on FreeBSD too, where the C library's own looks at the
/// timeout before the first message only.
///
/// # Waiting
///
/// On a socket that blocks, the call waits until *all* rooms are filled. (NetBSD and OpenBSD fill no more than 1024.)
/// - With [`WAIT_FOR_ONE`](crate::socket::WAIT_FOR_ONE) it waits for the first message, and then takes what is there.
/// - `timeout` does less than it promises: the system looks at the time only when a message has arrived. If none comes
///   any more, the call waits for ever, with the messages it already has. A time limit that holds is the socket's own
///   (`SO_RCVTIMEO`) or that of `poll`.
///
/// # Errors
///
/// Those of [`recvmsg`](crate::received::recvmsg), of the *first* message: nothing was received then, and nothing is owned. An
/// error of a later one ends the batch before it. Where the call is the system's, the socket keeps it: `poll` says
/// `POLLERR`, and the next call returns it (on a stream, the first that finds no more data), unless another error comes
/// between. Where it is a loop, [`ReceivedBatch::error`] tells it.
///
/// NetBSD (measured) keeps every error that ends a batch: after `EWOULDBLOCK` the socket polls readable, so that a loop of
/// `poll` and this call does not come to rest, and an error of `sendmmsg` is returned by the next call of any kind. There,
/// a timeout is up to a second late.
///
/// A signal ends a batch in the same way, and so can what a ring of io_uring has its thread do, which interrupts a call
/// like a signal. What Linux then keeps is a number of its own, 512 (`ERESTARTSYS`). This crate's calls make `EINTR` of
/// it; other functions, rustix's for example, return 512.
///
/// Manual pages: [Linux], [NetBSD], [OpenBSD].
///
/// [Linux]: https://man7.org/linux/man-pages/man2/recvmmsg.2.html
/// [NetBSD]: https://man.netbsd.org/recvmmsg.2
/// [OpenBSD]: https://man.openbsd.org/recvmmsg.2
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// use ancillary::message::ScmCredentials;
/// use ancillary::socket::{RecvRoom, RecvSlot, WAIT_FOR_ONE, set_delivery};
/// use ancillary::{ControlBuffer, control_space};
/// use ancillary::received::recvmmsg;
/// use rustix::io::IoSliceMut;
/// use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
///
/// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
/// set_delivery::<ScmCredentials>(&here, true)?;
///
/// // All memory is the caller's, and laid out once.
/// let mut buffers = [[0; 16]; 4];
/// let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
/// let mut spaces = [const { ControlBuffer::<{ control_space!(ScmCredentials) }>::new() }; 4];
/// let mut rooms: Vec<_> =
///     slices.iter_mut().zip(&mut spaces).map(|(slices, space)| RecvRoom::new(slices, space)).collect();
/// let mut slots = [const { RecvSlot::new() }; 4];
///
/// for round in [&[&b"one"[..], b"two"][..], &[b"three"]] {
///     for message in round {
///         rustix::io::write(&there, message)?;
///     }
///     let batch = recvmmsg(&here, &mut slots, &mut rooms, WAIT_FOR_ONE, None)?;
///     assert_eq!(batch.len(), round.len());
///     for (message, sent) in batch.zip(round) {
///         let mut message = message.complete()?;
///         assert_eq!(message.data(), *sent);
///         assert_eq!(message.find(), Some(Ok(ScmCredentials::of_this_process())));
///     }
/// }
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The example `udp_echo_batch` is a whole server.
#[inline]
pub fn recvmmsg<'b>(
    socket: impl AsFd,
    slots: &'b mut [RecvSlot],
    rooms: &'b mut [RecvRoom<'_, '_>],
    options: impl Into<RecvOptions>,
    timeout: Option<Duration>,
) -> Result<ReceivedBatch<'b>, Errno> {
    let options = options.into();
    let (received, flags) = socket::receive(socket.as_fd(), slots, rooms, options, timeout)?;
    let (slots, rooms) = (NonNull::from(slots).cast(), NonNull::from(rooms).cast());
    let (count, error) = (received.count, received.error);
    let mut batch = ReceivedBatch { slots, rooms, next: 0, count, flags, error, borrowed: PhantomData };
    // Only now: it may be any type of the caller's, and panic when it is dropped. What arrived has its owner by then.
    drop(socket);
    if options.leaves_inheritable(flags) {
        batch.set_close_on_exec()?;
    }
    Ok(batch)
}

/// The messages of a batch: an iterator, and the owner of every descriptor in those it has not yielded.
///
/// Dropping this closes them.
///
/// Example: [`recvmmsg`].
#[must_use = "dropping it closes every descriptor that arrived"]
pub struct ReceivedBatch<'b> {
    /// Slots and rooms of the call: at least `count` of each. Those from `next` on belong to this alone.
    slots: NonNull<RecvSlot>,
    rooms: NonNull<RecvRoom<'b, 'b>>,
    next: usize,
    count: usize,
    flags: RecvFlags,
    error: Option<Errno>,
    borrowed: PhantomData<(&'b mut [RecvSlot], &'b mut [RecvRoom<'b, 'b>])>,
}

// SAFETY: this is the exclusive borrow of slots and rooms, which can be sent to another thread.
unsafe impl Send for ReceivedBatch<'_> {}
// SAFETY: a shared reference to this gives access to numbers only.
unsafe impl Sync for ReceivedBatch<'_> {}

impl<'b> ReceivedBatch<'b> {
    /// The error that ended the batch before all rooms were filled, where the system has not kept it for the next call:
    /// always `None` where the call is [the system's own](crate::socket#who-makes-the-calls).
    ///
    /// ```
    /// use ancillary::received::ReceivedBatch;
    ///
    /// fn is_whole(batch: &ReceivedBatch<'_>) -> bool {
    ///     batch.error().is_none()
    /// }
    /// ```
    #[inline]
    pub const fn error(&self) -> Option<Errno> {
        self.error
    }

    /// The owner of the message at `index`.
    ///
    /// # Safety
    ///
    /// `index` is one of this batch that was not yielded, and what is returned is the only owner of its descriptors, or
    /// is forgotten.
    #[inline]
    unsafe fn message(&self, index: usize) -> ReceivedWithData<'b> {
        // SAFETY: there are `count` slots and more, borrowed for `'b`.
        let slot = unsafe { self.slots.add(index).as_ref() };
        // SAFETY: there are `count` rooms and more, borrowed exclusively for `'b`; nobody else has a reference to this
        // one, as it was not yielded. (That the room itself has longer lifetimes is forgotten: nothing is written to it.)
        let room = unsafe { &mut *self.rooms.add(index).as_ptr() };
        // SAFETY: the call with both has said that it received this message.
        let (filled, bytes) = unsafe { slot.filled(room) };
        // SAFETY: the system has filled it in that call, and the caller promises that there is no other owner.
        let (mut received, data) = unsafe { Received::from_call(filled, bytes, self.flags) };
        received.own_nothing_of_the_internet();
        ReceivedWithData::of_slices(received, data)
    }

    /// Sets close-on-exec where the system could not do it while receiving.
    fn set_close_on_exec(&mut self) -> Result<(), Errno> {
        for index in 0..self.count {
            // SAFETY: nothing was yielded yet, and what is returned is forgotten.
            let mut message = core::mem::ManuallyDrop::new(unsafe { self.message(index) });
            message.set_close_on_exec()?;
        }
        Ok(())
    }
}

impl<'b> Iterator for ReceivedBatch<'b> {
    type Item = ReceivedWithData<'b>;

    #[inline]
    fn next(&mut self) -> Option<ReceivedWithData<'b>> {
        if self.next == self.count {
            return None;
        }
        let index = self.next;
        self.next += 1;
        // SAFETY: from here on this does not look at it any more.
        Some(unsafe { self.message(index) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.count - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for ReceivedBatch<'_> {}
impl FusedIterator for ReceivedBatch<'_> {}

impl Drop for ReceivedBatch<'_> {
    /// Closes every descriptor of the messages that were not yielded.
    #[inline]
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

impl fmt::Debug for ReceivedBatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedBatch").field("left", &self.len()).field("error", &self.error).finish_non_exhaustive()
    }
}
