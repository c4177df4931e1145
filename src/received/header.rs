use super::{Received, ReceivedWithData};
use crate::socket::RecvMsgHdr;
use rustix::net::RecvFlags;

impl<'d, 'c> RecvMsgHdr<'d, 'c> {
    /// The owner of what a call on this header has received. `bytes` is what the call returned, `flags` what it was
    /// given.
    ///
    /// # Safety
    ///
    /// - A call on this header, as [`as_mut_ptr`](Self::as_mut_ptr) last prepared it, with these flags, has succeeded,
    ///   and the system has finished with it.
    /// - What it received has no other owner: for each call, this or [`received`](Self::received) is called once.
    ///
    /// The call may be a request of a ring that has selected one of the ring's buffers (`IOSQE_BUFFER_SELECT`). The data is
    /// in that buffer then, and not in the header's slices.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub unsafe fn into_received(self, bytes: usize, flags: RecvFlags) -> Received<'c> {
        // SAFETY: the caller promises that a call has succeeded.
        let filled = unsafe { self.into_filled() };
        // SAFETY: the system has filled it in that call, and the caller promises that nobody else owns what is in it.
        let (mut received, _) = unsafe { Received::from_call(filled, bytes, flags) };
        received.own_nothing_of_the_internet();
        received
    }

    /// The same, for a header that is used again afterwards; with the data, which the header has borrowed.
    ///
    /// # Safety
    ///
    /// As [`into_received`](Self::into_received). A request of a ring that selects one of the ring's buffers
    /// (`IOSQE_BUFFER_SELECT`) is not such a call: its data is not in the header's slices, so
    /// [`data`](ReceivedWithData::data) would be what was there before.
    ///
    /// ```
    /// use ancillary::control::ControlSliceMut;
    /// use ancillary::socket::{CLOEXEC_ON_RECEIVE, RecvMsgHdr, recvmsg_raw};
    /// use rustix::io::IoSliceMut;
    /// use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    ///
    /// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    /// let mut data = [0; 16];
    /// let mut slices = [IoSliceMut::new(&mut data)];
    /// let mut header = RecvMsgHdr::new(&mut slices, ControlSliceMut::none());
    /// for sent in [&b"data"[..], b"more of it"] {
    ///     rustix::io::write(&there, sent)?;
    ///     // SAFETY: the header is prepared, lives until after the call, and stays where it is.
    ///     let bytes = unsafe { recvmsg_raw(&here, header.as_mut_ptr(), CLOEXEC_ON_RECEIVE) }?;
    ///     // SAFETY: that call has succeeded with these flags.
    ///     let message = unsafe { header.received(bytes, CLOEXEC_ON_RECEIVE) };
    ///     assert_eq!(message.data(), sent);
    /// }
    /// # Ok::<(), rustix::io::Errno>(())
    /// ```
    #[inline]
    pub unsafe fn received(&mut self, bytes: usize, flags: RecvFlags) -> ReceivedWithData<'_> {
        // SAFETY: the caller promises that a call has succeeded.
        let filled = unsafe { self.filled() };
        // SAFETY: the system has filled it in that call, and the caller promises that nobody else owns what is in it.
        let (mut received, data) = unsafe { Received::from_call(filled, bytes, flags) };
        received.own_nothing_of_the_internet();
        ReceivedWithData::of_slices(received, data)
    }
}
