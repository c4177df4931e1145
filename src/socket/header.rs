use super::backend;
use crate::control::{ControlMemory, ControlWriter};
use core::ffi::c_void;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr;
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::addr::{SocketAddrOpaque, SocketAddrStorage};
use rustix::net::{AddressFamily, SocketAddrAny};

/// Where the family field of a `struct sockaddr` ends: it is a `u16`, or a `u8` after a `u8` of length.
const FAMILY_END: usize = 2;

/// The target's `struct msghdr`: a pointer to this is a pointer to that.
///
/// On Linux this is the kernel's. musl's on 64-bit targets has the same size, but declares the upper halves of two
/// lengths as padding. In the headers prepared here they are zero, so that both read the same; in one that comes from
/// elsewhere they have to be.
#[repr(transparent)]
#[doc(alias = "msghdr")]
pub struct MessageHeader(backend::MsgHdr);

impl fmt::Debug for MessageHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageHeader").finish_non_exhaustive()
    }
}

/// A prepared header for a call that sends: data, control messages and perhaps an address, all borrowed for as long as
/// it lives.
///
/// ```
/// use ancillary::ControlWriter;
/// use ancillary::socket::SendHeader;
/// use rustix::io::IoSlice;
/// use rustix::net::{SocketAddrAny, SocketAddrUnix};
///
/// let address = SocketAddrAny::from(SocketAddrUnix::new("/run/example")?);
/// let (data, control) = ([IoSlice::new(b"data")], ControlWriter::empty());
/// let header = SendHeader::new(&data, &control)?.with_address(&address);
/// let msghdr = header.as_ptr(); // for a call of yours, or a ring
/// # Ok::<(), rustix::io::Errno>(())
/// ```
pub struct SendHeader<'a> {
    raw: backend::MsgHdr,
    borrowed: PhantomData<&'a ()>,
}

impl<'a> SendHeader<'a> {
    /// A header without an address.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if the system's header cannot express the number of slices or the length of the control messages.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub fn new(data: &'a [IoSlice<'a>], control: &'a ControlWriter<'a>) -> Result<Self, Errno> {
        Self::with_bytes(data, control.as_bytes())
    }

    /// A header whose control messages are any bytes: those of a writer with an explicit layout, or somebody else's.
    ///
    /// Descriptors in them are numbers that nothing borrows. That they may be used is a promise of whoever makes the
    /// call: [`sendmsg_raw`](super::sendmsg_raw).
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new).
    ///
    /// ```
    /// use ancillary::socket::{SendHeader, sendmsg_raw};
    /// use rustix::io::{Errno, IoSlice};
    /// use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, socketpair};
    ///
    /// let (here, _there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    /// let data = [IoSlice::new(b"data")];
    /// let header = SendHeader::with_bytes(&data, &[0; 16])?;
    /// // SAFETY: the header is prepared and lives until after the call; its bytes hold no descriptor.
    /// let sent = unsafe { sendmsg_raw(&here, header.as_ptr(), SendFlags::empty()) };
    /// # #[cfg(target_os = "linux")]
    /// assert_eq!(sent, Err(Errno::INVAL)); // a length of 0 is no message
    /// # Ok::<(), Errno>(())
    /// ```
    #[inline]
    pub fn with_bytes(data: &'a [IoSlice<'a>], control: &'a [u8]) -> Result<Self, Errno> {
        let raw = backend::message_header(
            (ptr::null_mut(), 0),
            (data.as_ptr().cast_mut().cast(), data.len()),
            (control.as_ptr().cast_mut().cast(), control.len()),
        );
        Ok(SendHeader { raw: raw.ok_or(Errno::MSGSIZE)?, borrowed: PhantomData })
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
    pub const fn as_ptr(&self) -> *const MessageHeader {
        (&raw const self.raw).cast()
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

impl fmt::Debug for SendHeader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendHeader").finish_non_exhaustive()
    }
}

/// A prepared header for a call that receives: data, room for control messages and for an address.
///
/// [`as_mut_ptr`](Self::as_mut_ptr) sets every field anew, so a header can be used for one call after the other, and an
/// error leaves nothing behind. After a call has succeeded, [`into_received`](Self::into_received) turns the header
/// into the owner of what arrived.
///
/// ```
/// use ancillary::ControlSpace;
/// use ancillary::socket::{CLOEXEC_ON_RECEIVE, RecvHeader, recvmsg_raw};
/// use rustix::io::IoSliceMut;
/// use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
///
/// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
/// rustix::io::write(&there, b"data")?;
///
/// let (mut data, mut space) = ([0; 16], ControlSpace::<64>::new());
/// let mut slices = [IoSliceMut::new(&mut data)];
/// let mut header = RecvHeader::new(&mut slices, &mut space);
/// // SAFETY: the header is prepared, lives until after the call, and stays where it is.
/// let bytes = unsafe { recvmsg_raw(&here, header.as_mut_ptr()?, CLOEXEC_ON_RECEIVE) }?;
/// // SAFETY: that call has succeeded with these flags.
/// let received = unsafe { header.into_received(bytes, CLOEXEC_ON_RECEIVE) };
/// assert_eq!(received.bytes(), 4);
/// # Ok::<(), rustix::io::Errno>(())
/// ```
pub struct RecvHeader<'d, 'c> {
    raw: backend::MsgHdr,
    data: (*mut c_void, usize),
    control: &'c mut [MaybeUninit<u8>],
    address: MaybeUninit<SocketAddrStorage>,
    borrowed: PhantomData<&'d mut ()>,
}

impl<'d, 'c> RecvHeader<'d, 'c> {
    /// A header over slices for the data and room for control messages.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub fn new(data: &'d mut [IoSliceMut<'_>], control: impl Into<ControlMemory<'c>>) -> Self {
        RecvHeader {
            // SAFETY: every field of `msghdr` is an integer or a raw pointer, for which zero is a value.
            raw: unsafe { core::mem::zeroed() },
            data: (data.as_mut_ptr().cast(), data.len()),
            // SAFETY: a system writes bytes that are initialised.
            control: unsafe { control.into().into_uninit() },
            address: MaybeUninit::uninit(),
            borrowed: PhantomData,
        }
    }

    /// A pointer to the header, with every field set for one call.
    ///
    /// It is valid for as long as this value lives, stays where it is and is not borrowed again.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if the system's header cannot express the number of slices.
    ///
    /// Example: [the type's](Self).
    #[inline]
    pub fn as_mut_ptr(&mut self) -> Result<*mut MessageHeader, Errno> {
        // A system whose field has 32 bits is given as much room as it can be told of.
        let control_len = self.control.len().min(i32::MAX as usize);
        let raw = backend::message_header(
            (self.address.as_mut_ptr().cast(), size_of::<SocketAddrStorage>() as u32),
            self.data,
            (self.control.as_mut_ptr().cast(), control_len),
        );
        self.raw = raw.ok_or(Errno::MSGSIZE)?;
        Ok((&raw mut self.raw).cast())
    }

    /// The flags the call has returned.
    #[inline]
    #[allow(clippy::unnecessary_cast, reason = "the field is an int to C libraries, an unsigned one to Linux")]
    pub(crate) fn flags(&self) -> u32 {
        self.raw.msg_flags as u32
    }

    /// The address the call has written, if any.
    ///
    /// # Safety
    ///
    /// A call on this header has succeeded.
    #[inline]
    pub(crate) unsafe fn address(&self) -> Option<SocketAddrAny> {
        // A sender without a name leaves no address, or one of no family.
        let len = (self.raw.msg_namelen as usize).min(size_of::<SocketAddrStorage>());
        if len < FAMILY_END {
            return None;
        }
        // SAFETY: the call has written an address of `len` bytes, which the comparison shows to reach past the family
        // field.
        let address = unsafe { SocketAddrAny::new(self.address, len as u32) };
        (address.address_family() != AddressFamily::UNSPEC).then_some(address)
    }

    /// The part of the room that the call has filled with control messages.
    ///
    /// # Safety
    ///
    /// A call on this header has succeeded.
    #[inline]
    pub(crate) unsafe fn into_control(self) -> &'c mut [MaybeUninit<u8>] {
        let filled = backend::received_control_len(&self.raw).min(self.control.len());
        self.control.get_mut(..filled).unwrap_or_default()
    }
}

impl fmt::Debug for RecvHeader<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvHeader").field("room", &self.control.len()).finish_non_exhaustive()
    }
}
