use super::Received;
use crate::socket::Slice;
use core::fmt;
use core::ops::{Deref, DerefMut};

/// One message that was received into memory which stays borrowed: the [`Received`] that owns its descriptors, and the
/// data.
///
/// It is what a [batch](crate::recvmmsg) and a [header that is used again](crate::socket::RecvHeader::received) give.
/// All that a `Received` can do, this can.
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
