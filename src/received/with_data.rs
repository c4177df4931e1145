use super::{Received, Truncated};
use crate::socket::Slice;
use core::fmt;
use core::ops::{Deref, DerefMut};

/// One message that was received into memory which stays borrowed: the [`Received`] that owns its descriptors, and the
/// data.
///
/// It is what a [batch](crate::recvmmsg) and a [header that is used again](crate::socket::RecvHeader::received) give.
/// All that a `Received` can do, this can: it dereferences to one.
pub struct ReceivedMessage<'b> {
    received: Received<'b>,
    data: &'b [Slice<'b>],
    /// Of these slices, whatever becomes of `received`.
    bytes: usize,
}

impl<'b> ReceivedMessage<'b> {
    #[inline]
    pub(super) fn new(received: Received<'b>, data: &'b [Slice<'b>]) -> Self {
        let bytes = received.bytes();
        ReceivedMessage { received, data, bytes }
    }

    /// The parts of the slices that were filled.
    ///
    /// Example: [`recvmmsg`](crate::recvmmsg).
    pub fn data(&self) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        let mut left = self.bytes;
        self.data.iter().map_while(move |slice| {
            let filled = slice.bytes().get(..left).unwrap_or(slice.bytes());
            left -= filled.len();
            (!filled.is_empty() || left > 0).then_some(filled)
        })
    }

    /// The part of the first slice that was filled: all of the data, if there is one slice and it was long enough.
    ///
    /// Example: [`recvmmsg`](crate::recvmmsg).
    #[inline]
    pub fn filled(&self) -> &'b [u8] {
        let data = self.data;
        data.first().map_or(&[], |first| first.bytes().get(..self.bytes).unwrap_or(first.bytes()))
    }

    /// This, if all of it arrived.
    ///
    /// # Errors
    ///
    /// What did not fit, as [`Received::complete`] says.
    ///
    /// ```
    /// use ancillary::control::ControlMemory;
    /// use ancillary::socket::{RecvRoom, RecvSlot, WAIT_FOR_ONE};
    /// use ancillary::{Truncated, recvmmsg};
    /// use rustix::io::IoSliceMut;
    /// use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    ///
    /// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    /// rustix::io::write(&there, b"five!")?;
    /// let mut data = [0; 4];
    /// let mut slices = [IoSliceMut::new(&mut data)];
    /// let mut rooms = [RecvRoom::new(&mut slices, ControlMemory::none())];
    /// let mut slots = [RecvSlot::new()];
    /// for message in recvmmsg(&here, &mut slots, &mut rooms, WAIT_FOR_ONE, None)? {
    ///     assert_eq!(message.complete().err(), Some(Truncated::DATA));
    /// }
    /// # Ok::<(), rustix::io::Errno>(())
    /// ```
    pub fn complete(self) -> Result<Self, Truncated> {
        let truncated = self.truncated();
        if truncated.is_empty() { Ok(self) } else { Err(truncated) }
    }

    /// The owner of the descriptors alone.
    ///
    /// ```
    /// use ancillary::Received;
    /// use ancillary::received::ReceivedMessage;
    ///
    /// fn without_data(message: ReceivedMessage<'_>) -> Received<'_> {
    ///     message.into_received()
    /// }
    /// ```
    #[inline]
    pub fn into_received(self) -> Received<'b> {
        self.received
    }
}

impl<'b> Deref for ReceivedMessage<'b> {
    type Target = Received<'b>;

    #[inline]
    fn deref(&self) -> &Received<'b> {
        &self.received
    }
}

impl<'b> DerefMut for ReceivedMessage<'b> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Received<'b> {
        &mut self.received
    }
}

impl fmt::Debug for ReceivedMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.received.fmt(f)
    }
}
