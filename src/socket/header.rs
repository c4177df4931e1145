use super::backend;
use super::room::{Filled, RecvRoom};
use crate::control::{ControlSliceMut, ControlWriter};
use core::fmt;
use core::marker::PhantomData;
use core::ptr;
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::SocketAddrAny;
use rustix::net::addr::SocketAddrOpaque;

/// The target's `struct msghdr`: a pointer to this is a pointer to that.
///
/// On Linux this is the kernel's. musl's on 64-bit targets has the same size, but declares the upper halves of two
/// lengths as padding. In the headers prepared here they are zero, so that both read the same; in one that comes from
/// elsewhere they have to be.
///
/// Example: [`SendMsgHdr`].
#[repr(transparent)]
#[doc(alias = "msghdr")]
pub struct MsgHdr(backend::MsgHdr);

impl fmt::Debug for MsgHdr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MsgHdr").finish_non_exhaustive()
    }
}

/// A prepared header for a call that sends: data, control messages and perhaps an address, all borrowed for as long as
/// it lives.
///
/// ```
/// use ancillary::ControlWriter;
/// use ancillary::socket::SendMsgHdr;
/// use rustix::io::IoSlice;
/// use rustix::net::{SocketAddrAny, SocketAddrUnix};
///
/// let address = SocketAddrAny::from(SocketAddrUnix::new("/run/example")?);
/// let (data, control) = ([IoSlice::new(b"data")], ControlWriter::empty());
/// let header = SendMsgHdr::new(&data, &control).with_address(&address);
/// let msghdr = header.as_ptr(); // for a call of yours, or a ring
/// # Ok::<(), rustix::io::Errno>(())
/// ```
pub struct SendMsgHdr<'a> {
    raw: backend::MsgHdr,
    borrowed: PhantomData<&'a ()>,
}

// SAFETY: what the pointers in the header lead to is borrowed, and only read.
unsafe impl Send for SendMsgHdr<'_> {}
// SAFETY: as above.
unsafe impl Sync for SendMsgHdr<'_> {}

impl<'a> SendMsgHdr<'a> {
    /// A header without an address.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub fn new(data: &'a [IoSlice<'a>], control: &'a ControlWriter<'a>) -> Self {
        Self::with_bytes(data, control.as_bytes())
    }

    /// A header whose control messages are any bytes: those of a writer with an explicit layout, or somebody else's.
    ///
    /// Descriptors in them are numbers that nothing borrows. That they may be used is a promise of whoever makes the
    /// call: [`sendmsg_raw`](super::sendmsg_raw).
    ///
    /// ```
    /// use ancillary::socket::{SendMsgHdr, sendmsg_raw};
    /// use ancillary::{ControlWriter, Layout};
    /// use rustix::io::IoSlice;
    /// use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, socketpair};
    ///
    /// let (here, _there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    /// let mut bytes = [0; 64];
    /// let mut control = ControlWriter::with_layout(Layout::NATIVE, &mut bytes);
    /// control.push_raw(280, 7, b"of a level that is not for this kind of socket")?;
    /// let data = [IoSlice::new(b"data")];
    /// let header = SendMsgHdr::with_bytes(&data, control.as_bytes());
    /// // SAFETY: the header is prepared and lives until after the call; its bytes hold no descriptor.
    /// let sent = unsafe { sendmsg_raw(&here, header.as_ptr(), SendFlags::empty()) };
    /// # #[cfg(target_os = "linux")]
    /// assert_eq!(sent, Ok(4)); // Linux ignores it
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn with_bytes(data: &'a [IoSlice<'a>], control: &'a [u8]) -> Self {
        let raw = backend::message_header(
            (ptr::null_mut(), 0),
            (data.as_ptr().cast_mut().cast(), data.len()),
            (control.as_ptr().cast_mut().cast(), control.len()),
        );
        SendMsgHdr { raw, borrowed: PhantomData }
    }

    /// The same header with an address to send to.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub fn with_address(mut self, address: &'a SocketAddrAny) -> Self {
        // SAFETY: it is borrowed for as long as the header lives.
        unsafe { self.set_address(address.as_ptr().cast(), address.addr_len()) };
        self
    }

    /// A pointer to the header and through it to all that is borrowed. Nothing of it is written to by a call that
    /// sends.
    ///
    /// It is valid for as long as this value lives and stays where it is.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub const fn as_ptr(&self) -> *const MsgHdr {
        (&raw const self.raw).cast()
    }

    /// The header alone, which borrows nothing.
    #[inline]
    pub(super) const fn into_raw(self) -> backend::MsgHdr {
        self.raw
    }

    /// Points the header at an address.
    ///
    /// # Safety
    ///
    /// The address can be read, for `len` bytes, whenever the header is used.
    #[inline]
    pub(super) unsafe fn set_address(&mut self, pointer: *const SocketAddrOpaque, len: u32) {
        self.raw.msg_name = pointer.cast_mut().cast();
        self.raw.msg_namelen = len as _;
    }
}

impl fmt::Debug for SendMsgHdr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendMsgHdr").finish_non_exhaustive()
    }
}

/// A prepared header for a call that receives: data, room for control messages and for an address.
///
/// [`as_mut_ptr`](Self::as_mut_ptr) sets every field anew, so a header can be used for one call after the other, and an
/// error leaves nothing behind. After a call has succeeded, [`received`](Self::received) or
/// [`into_received`](Self::into_received) gives the owner of what arrived.
///
/// ```
/// use ancillary::ControlBuffer;
/// use ancillary::socket::{CLOEXEC_ON_RECEIVE, RecvMsgHdr, recvmsg_raw};
/// use rustix::io::IoSliceMut;
/// use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
///
/// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
/// rustix::io::write(&there, b"data")?;
///
/// let (mut data, mut space) = ([0; 16], ControlBuffer::<64>::new());
/// let mut slices = [IoSliceMut::new(&mut data)];
/// let mut header = RecvMsgHdr::new(&mut slices, &mut space);
/// // SAFETY: the header is prepared, lives until after the call, and stays where it is.
/// let bytes = unsafe { recvmsg_raw(&here, header.as_mut_ptr(), CLOEXEC_ON_RECEIVE) }?;
/// // SAFETY: that call has succeeded with these flags.
/// let received = unsafe { header.into_received(bytes, CLOEXEC_ON_RECEIVE) };
/// assert_eq!(received.bytes(), 4);
/// # Ok::<(), rustix::io::Errno>(())
/// ```
pub struct RecvMsgHdr<'d, 'c> {
    raw: backend::MsgHdr,
    room: RecvRoom<'d, 'c>,
}

// SAFETY: what the pointers in the header lead to is borrowed exclusively, and is bytes.
unsafe impl Send for RecvMsgHdr<'_, '_> {}
// SAFETY: a shared reference to this gives access to nothing.
unsafe impl Sync for RecvMsgHdr<'_, '_> {}

impl<'d, 'c> RecvMsgHdr<'d, 'c> {
    /// A header over slices for the data and room for control messages.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub fn new(data: &'d mut [IoSliceMut<'_>], control: impl Into<ControlSliceMut<'c>>) -> Self {
        // SAFETY: every field of `msghdr` is an integer or a raw pointer, for which zero is a value.
        let raw = unsafe { core::mem::zeroed() };
        RecvMsgHdr { raw, room: RecvRoom::new(data, control) }
    }

    /// A pointer to the header, with every field set for one call.
    ///
    /// It is valid for as long as this value lives, stays where it is and is not borrowed again.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub fn as_mut_ptr(&mut self) -> *mut MsgHdr {
        self.raw = self.room.prepare();
        (&raw mut self.raw).cast()
    }

    /// What a call on this header has filled, to be used again afterwards.
    ///
    /// # Safety
    ///
    /// As [`RecvRoom::filled`].
    #[inline]
    pub(crate) unsafe fn filled(&mut self) -> Filled<'_, '_> {
        // SAFETY: the caller's promise.
        unsafe { self.room.filled(&self.raw) }
    }

    /// What a call on this header has filled.
    ///
    /// # Safety
    ///
    /// As [`RecvRoom::filled`].
    #[inline]
    pub(crate) unsafe fn into_filled(self) -> Filled<'d, 'c> {
        // SAFETY: the caller's promise.
        unsafe { self.room.into_filled(&self.raw) }
    }
}

impl fmt::Debug for RecvMsgHdr<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvMsgHdr").field("room", &self.room).finish_non_exhaustive()
    }
}
