#[cfg(doc)]
use super::ReceivedControl;
use super::{Incomplete, Received, TakeMessages};
use crate::socket::Slice;
use core::fmt;
use core::ops::{Deref, DerefMut};

/// One message that was received into memory which stays borrowed: the [`Received`] that owns its descriptors, and the
/// data.
///
/// It is what a [batch](crate::received::recvmmsg), a [header that is used again](crate::socket::RecvMsgHdr::received) and a
/// multishot request of io_uring give. All that a `Received` can do, this can: it dereferences to one.
///
/// ```
/// use ancillary::control::ControlSliceMut;
/// use ancillary::received::recvmmsg;
/// use ancillary::socket::{RecvRoom, RecvSlot, WAIT_FOR_ONE};
/// use rustix::io::IoSliceMut;
/// use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
///
/// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
/// rustix::io::write(&there, b"header and data")?;
///
/// let (mut header, mut data) = ([0; 6], [0; 64]);
/// let mut slices = [IoSliceMut::new(&mut header), IoSliceMut::new(&mut data)];
/// let mut rooms = [RecvRoom::new(&mut slices, ControlSliceMut::none())];
/// let mut slots = [RecvSlot::new()];
/// for mut message in recvmmsg(&here, &mut slots, &mut rooms, WAIT_FOR_ONE, None)? {
///     assert_eq!(message.data(), b"header");
///     assert!(message.slices().eq([&b"header"[..], b" and data"]));
///     message.data_mut().make_ascii_uppercase();
///     let (received, header) = message.into_parts();
///     assert_eq!((received.bytes(), &header[..]), (15, &b"HEADER"[..]));
/// }
/// # Ok::<(), rustix::io::Errno>(())
/// ```
pub struct ReceivedWithData<'b> {
    received: Received<'b>,
    /// The part of the first slice that was filled.
    data: &'b mut [u8],
    /// The slices after it, and how many bytes came into them, as the call says.
    others: &'b [Slice<'b>],
    bytes_of_others: usize,
}

impl<'b> ReceivedWithData<'b> {
    /// Of slices into which the call has received.
    #[inline]
    pub(super) fn of_slices(received: Received<'b>, slices: &'b mut [Slice<'b>]) -> Self {
        let bytes = received.bytes();
        let Some((first, others)) = slices.split_first_mut() else { return Self::of_data(received, &mut []) };
        let first = first.bytes_mut();
        let filled = bytes.min(first.len());
        let data = first.get_mut(..filled).unwrap_or_default();
        ReceivedWithData { received, data, others, bytes_of_others: bytes - filled }
    }

    /// Of data in one piece.
    #[inline]
    pub(super) const fn of_data(received: Received<'b>, data: &'b mut [u8]) -> Self {
        ReceivedWithData { received, data, others: &[], bytes_of_others: 0 }
    }

    /// The data in the first slice: all of it, if there is one slice and it was long enough.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub const fn data(&self) -> &[u8] {
        self.data
    }

    /// The same, to be changed where it is: deciphered, for example.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub const fn data_mut(&mut self) -> &mut [u8] {
        self.data
    }

    /// The data in all of the slices, one after the other, up to where it ends.
    ///
    /// Example: [the type's](Self).
    pub fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let mut left = self.bytes_of_others;
        let others = self.others.iter().map_while(move |slice| {
            let filled = slice.bytes().get(..left).unwrap_or(slice.bytes());
            left -= filled.len();
            (!filled.is_empty() || left > 0).then_some(filled)
        });
        let first = (!self.data.is_empty() || self.bytes_of_others > 0).then_some(&*self.data);
        first.into_iter().chain(others)
    }

    /// The owner of the descriptors, and the data in the first slice. They live as long as the memory is borrowed.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub fn into_parts(self) -> (Received<'b>, &'b mut [u8]) {
        (self.received, self.data)
    }

    /// Returns this, if all of it arrived.
    ///
    /// # Errors
    ///
    /// What did not arrive, as [`Received::complete`] says.
    ///
    /// ```
    /// use ancillary::control::ControlSliceMut;
    /// use ancillary::received::recvmmsg;
    /// use ancillary::socket::{RecvRoom, RecvSlot, WAIT_FOR_ONE};
    /// use rustix::io::IoSliceMut;
    /// use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    ///
    /// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    /// rustix::io::write(&there, b"five!")?;
    /// let mut data = [0; 4];
    /// let mut slices = [IoSliceMut::new(&mut data)];
    /// let mut rooms = [RecvRoom::new(&mut slices, ControlSliceMut::none())];
    /// let mut slots = [RecvSlot::new()];
    /// for message in recvmmsg(&here, &mut slots, &mut rooms, WAIT_FOR_ONE, None)? {
    ///     assert!(message.complete().is_err_and(|incomplete| incomplete.data));
    /// }
    /// # Ok::<(), rustix::io::Errno>(())
    /// ```
    pub fn complete(self) -> Result<Self, Incomplete> {
        match self.incomplete() {
            None => Ok(self),
            Some(incomplete) => Err(incomplete),
        }
    }

    /// Takes the control messages, for as long as the control buffer is borrowed.
    ///
    /// As [`ReceivedControl::take_messages`] otherwise.
    ///
    /// Example: [`Received`].
    #[inline]
    pub fn into_messages(self) -> TakeMessages<'b> {
        self.received.into_messages()
    }
}

impl<'b> Deref for ReceivedWithData<'b> {
    type Target = Received<'b>;

    #[inline]
    fn deref(&self) -> &Received<'b> {
        &self.received
    }
}

impl<'b> DerefMut for ReceivedWithData<'b> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Received<'b> {
        &mut self.received
    }
}

impl fmt::Debug for ReceivedWithData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.received.fmt(f)
    }
}
