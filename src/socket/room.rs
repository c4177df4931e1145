use super::CLOEXEC_ON_RECEIVE;
use super::backend::{self, MsgHdr};
use super::options::RecvOptions;
use crate::control::ControlSliceMut;
use core::ffi::c_void;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use rustix::fd::BorrowedFd;
use rustix::io::{Errno, IoSliceMut};
use rustix::net::addr::SocketAddrStorage;
use rustix::net::{AddressFamily, RecvFlags, ReturnFlags, SocketAddrAny};

/// Where the family field of a `struct sockaddr` ends: it is a `u16`, or a `u8` after a `u8` of length.
const FAMILY_END: usize = 2;

/// Room to receive one message of a batch into: slices for the data, room for control messages, and for an address.
///
/// It can be used for one call after the other: each sets all that the one before has changed. The headers that lead to it
/// are apart, in [slots](super::RecvSlot), because the system wants them side by side.
///
/// Example: [`recvmmsg`](crate::received::recvmmsg).
#[doc(alias = "msghdr")]
pub struct RecvRoom<'d, 'c> {
    /// Slices that are borrowed for `'d`.
    data: (*mut c_void, usize),
    control: &'c mut [MaybeUninit<u8>],
    address: MaybeUninit<SocketAddrStorage>,
    borrowed: PhantomData<&'d mut [IoSliceMut<'d>]>,
}

// SAFETY: the pointer leads to slices that are borrowed exclusively; those can be sent to another thread.
unsafe impl Send for RecvRoom<'_, '_> {}
// SAFETY: a shared reference to this gives access to nothing.
unsafe impl Sync for RecvRoom<'_, '_> {}

/// What a call has filled of a room.
pub(crate) struct Filled<'d, 'c> {
    /// All the slices. How much of them is filled only the call's result says.
    pub(crate) data: &'d mut [Slice<'d>],
    /// The control messages.
    pub(crate) control: &'c mut [MaybeUninit<u8>],
    /// How many bytes of control buffer there were.
    pub(crate) control_capacity: usize,
    pub(crate) address: Option<SocketAddrAny>,
    /// The flags the call has returned.
    pub(crate) flags: u32,
}

impl<'d, 'c> RecvRoom<'d, 'c> {
    /// Room in slices for the data, and in memory for control messages.
    ///
    /// Example: [`recvmmsg`](crate::received::recvmmsg).
    #[inline]
    pub fn new(data: &'d mut [IoSliceMut<'_>], control: impl Into<ControlSliceMut<'c>>) -> Self {
        RecvRoom {
            data: (data.as_mut_ptr().cast(), data.len()),
            // SAFETY: a system writes bytes that are initialised.
            control: unsafe { control.into().into_uninit() },
            address: MaybeUninit::uninit(),
            borrowed: PhantomData,
        }
    }

    /// A header for one call, every field of it set.
    ///
    /// Its pointers are valid for as long as this stays where it is and is not borrowed again.
    #[inline]
    pub(super) fn prepare(&mut self) -> MsgHdr {
        header_for(&mut self.address, self.data, self.control)
    }

    /// What a call has filled.
    ///
    /// # Safety
    ///
    /// A call on `header`, which [`prepare`](Self::prepare) has made of this, has succeeded, and nothing else has
    /// changed it since.
    #[inline]
    pub(super) unsafe fn filled(&mut self, header: &MsgHdr) -> Filled<'_, '_> {
        // SAFETY: the caller's promise; the slices are borrowed exclusively at least for as long as this is.
        unsafe { filled(&self.address, self.data, self.control, header) }
    }

    /// What a call has filled of a room that is not used again.
    ///
    /// # Safety
    ///
    /// As [`filled`](Self::filled).
    #[inline]
    pub(super) unsafe fn into_filled(self, header: &MsgHdr) -> Filled<'d, 'c> {
        // SAFETY: the caller's promise; the slices are borrowed exclusively for `'d`.
        unsafe { filled(&self.address, self.data, self.control, header) }
    }
}

/// Receives one message.
///
/// As a [`RecvRoom`] and a call on the header it prepares, with the room's parts apart: what the system is not told the
/// address of can stay in registers.
///
/// Returns the flags that the system was given, too.
///
/// # Errors
///
/// Those of the call.
#[inline]
pub(crate) fn receive_one<'d, 'c>(
    socket: BorrowedFd<'_>,
    data: &'d mut [IoSliceMut<'_>],
    control: impl Into<ControlSliceMut<'c>>,
    options: RecvOptions,
) -> Result<(usize, Filled<'d, 'c>, RecvFlags), Errno> {
    let mut flags = passed_on(options.flags());
    let data = (data.as_mut_ptr().cast(), data.len());
    // SAFETY: a system writes bytes that are initialised.
    let control = unsafe { control.into().into_uninit() };
    let mut address = MaybeUninit::uninit();
    loop {
        let mut header = header_for(&mut address, data, control);
        // SAFETY: all that the header points to is borrowed exclusively until after the call.
        match unsafe { backend::recvmsg(socket, &raw mut header, flags.bits()) } {
            // SAFETY: that call has succeeded, and nothing else has changed the address; the slices are borrowed
            // exclusively for `'d`.
            Ok(bytes) => return Ok((bytes, unsafe { filled(&address, data, control, &header) }, flags)),
            Err(error) => flags = options.again(socket, flags, error)?,
        }
    }
}

/// The flags of a call that are given to the system.
///
/// NetBSD returns every flag that it is given, and does not act on `MSG_TRUNC` and `MSG_CTRUNC`: without them, what it
/// returns is true.
#[inline]
pub(super) const fn passed_on(flags: RecvFlags) -> RecvFlags {
    if cfg!(flags_are_echoed) {
        flags.difference(RecvFlags::from_bits_retain(ReturnFlags::TRUNC.union(ReturnFlags::CTRUNC).bits()))
    } else {
        flags
    }
}

/// The flags a call has returned, without those that the system only echoes: `MSG_CMSG_CLOEXEC` on Linux, and on NetBSD
/// every flag that the call was given.
#[inline]
pub(crate) const fn without_echo(returned: ReturnFlags, given: RecvFlags) -> ReturnFlags {
    let mut echoed = ReturnFlags::from_bits_retain(CLOEXEC_ON_RECEIVE.bits());
    if cfg!(flags_are_echoed) {
        // These may mean what they say: this crate's own calls do not give the first two to such a system.
        let meaningful = ReturnFlags::TRUNC.union(ReturnFlags::CTRUNC).union(ReturnFlags::OOB).union(ReturnFlags::EOR);
        // A batch that waits for its first message only is given this for the others.
        let given = given.union(RecvFlags::DONTWAIT);
        echoed = echoed.union(ReturnFlags::from_bits_retain(given.bits()).difference(meaningful));
    }
    returned.difference(echoed)
}

/// A header for one call, every field of it set.
#[inline]
fn header_for(
    address: &mut MaybeUninit<SocketAddrStorage>,
    data: (*mut c_void, usize),
    control: &mut [MaybeUninit<u8>],
) -> MsgHdr {
    // A system whose field has 32 bits is given as much room as it can be told of.
    let control_len = control.len().min(i32::MAX as usize);
    backend::message_header(
        (address.as_mut_ptr().cast(), size_of::<SocketAddrStorage>() as u32),
        data,
        (control.as_mut_ptr().cast(), control_len),
    )
}

/// What a call has filled of the parts of a room.
///
/// # Safety
///
/// - A call on `header`, which [`header_for`] has made of these, has succeeded, and nothing else has changed it since.
/// - Pointer and number of `data` are those of slices that are borrowed exclusively, at least for `'d`.
#[inline]
unsafe fn filled<'d, 'c>(
    address: &MaybeUninit<SocketAddrStorage>,
    (pointer, number): (*mut c_void, usize),
    control: &'c mut [MaybeUninit<u8>],
    header: &MsgHdr,
) -> Filled<'d, 'c> {
    // SAFETY: the caller's promise.
    let address = unsafe { filled_address(address, header) };
    // SAFETY: the caller's promise; an `IoSliceMut` is a `struct iovec`, and so is a `Slice`.
    let data = unsafe { core::slice::from_raw_parts_mut(pointer.cast::<Slice<'d>>(), number) };
    let control_capacity = control.len();
    Filled { data, control: filled_part(control, header), control_capacity, address, flags: flags_of(header) }
}

/// The address a call has written, if any.
///
/// # Safety
///
/// A call on `header`, which [`header_for`] has made of this, has succeeded, and nothing else has changed it since.
#[inline]
unsafe fn filled_address(address: &MaybeUninit<SocketAddrStorage>, header: &MsgHdr) -> Option<SocketAddrAny> {
    let len = (header.msg_namelen as usize).min(size_of::<SocketAddrStorage>());
    if len < FAMILY_END {
        return None;
    }
    // SAFETY: the call has written an address of that length, which reaches past the family field and is no longer than
    // any. All of the storage is copied: a few moves, where a part of it would be a call.
    named(unsafe { SocketAddrAny::new(*address, len as u32) })
}

/// The address that a system has written, if any: a sender without a name leaves none, or one of no family.
///
/// # Safety
///
/// At `pointer`, of any alignment, are `len` bytes that are initialised, and if they reach past the family field they
/// are an address.
#[cfg(linux_kernel)] // a multishot request's
#[inline]
pub(crate) unsafe fn address_at(pointer: *const SocketAddrStorage, len: usize) -> Option<SocketAddrAny> {
    if !(FAMILY_END..=size_of::<SocketAddrStorage>()).contains(&len) {
        return None;
    }
    // SAFETY: the caller promises an address of `len` bytes, which the comparison shows to reach past the family field
    // and to be no longer than any address.
    named(unsafe { SocketAddrAny::read(pointer, len as u32) })
}

/// The address, unless it is of no family, or a family and nothing else: the address of a sender without a name is of
/// length 0 on Linux, and of 2 bytes on NetBSD.
#[inline]
fn named(address: SocketAddrAny) -> Option<SocketAddrAny> {
    let has_name = address.addr_len() as usize > FAMILY_END && address.address_family() != AddressFamily::UNSPEC;
    has_name.then_some(address)
}

/// One of the slices a room has for data, after the call.
///
/// rustix's slices and the standard library's, each a `struct iovec`, give their bytes by different names.
#[repr(transparent)]
pub(crate) struct Slice<'d> {
    raw: backend::Iovec,
    borrowed: PhantomData<&'d mut [u8]>,
}

// SAFETY: it is an exclusive borrow of bytes.
unsafe impl Send for Slice<'_> {}
// SAFETY: as above.
unsafe impl Sync for Slice<'_> {}

#[allow(clippy::unnecessary_cast, reason = "linux-raw-sys has Linux's own integer for it on some processors")]
impl Slice<'_> {
    #[inline]
    pub(crate) const fn bytes(&self) -> &[u8] {
        // SAFETY: pointer and length are those of a slice that this borrows exclusively.
        unsafe { core::slice::from_raw_parts(self.raw.iov_base.cast(), self.raw.iov_len as usize) }
    }

    #[inline]
    pub(crate) const fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and nobody else has a borrow of this.
        unsafe { core::slice::from_raw_parts_mut(self.raw.iov_base.cast(), self.raw.iov_len as usize) }
    }
}

#[inline]
#[allow(clippy::unnecessary_cast, reason = "the field is an int to C libraries, an unsigned one to Linux")]
pub(super) const fn flags_of(header: &MsgHdr) -> u32 {
    header.msg_flags as u32
}

/// The part of the room for control messages that a call says it has filled.
#[inline]
fn filled_part<'c>(control: &'c mut [MaybeUninit<u8>], header: &MsgHdr) -> &'c mut [MaybeUninit<u8>] {
    let filled = backend::received_control_len(header).min(control.len());
    control.get_mut(..filled).unwrap_or_default()
}

impl fmt::Debug for RecvRoom<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvRoom").field("slices", &self.data.1).field("control", &self.control.len()).finish()
    }
}
