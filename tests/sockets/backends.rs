//! What the two backends do differently, and that what they are given is the same.

use crate::harness::{not_watched_by, the_kernel_itself};
use crate::kernel::a_kernel_that_knows_another_width;
use crate::support::*;
use crate::tests;
use ancillary::control::ControlSliceMut;
use ancillary::message::{ScmCredentials, ScmRights};
use ancillary::received::{recvmmsg, recvmsg};
use ancillary::socket::{RecvMsgHdr, RecvRoom, RecvSlot, SendMsgHdr, SendSlot, sendmsg_raw};
use ancillary::socket::{sendmmsg, sendmsg};
use ancillary::{ControlBuffer, ControlWriter, control_space};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{RecvFlags, SendFlags, SocketType};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};

tests![
    more_control_bytes_than_musl_copies,
    headers_in_dirty_memory,
    control_messages_in_dirty_memory,
    a_dirty_upper_half_of_a_length if lengths_with_an_upper_half,
    a_flag_of_the_kernels_own_is_refused if calls_of_the_crates_own,
    no_call_is_a_cancellation_point if no_c_library_in_between,
];

/// It has room for as many descriptors as may be sent, but not for credentials beside them.
fn more_control_bytes_than_musl_copies() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        let file = files(1);
        let many = vec![borrowed(&file)[0]; 253];
        let mut space = ControlBuffer::<{ control_space!(ScmRights[253], ScmCredentials) }>::new();
        let mut control = space.writer();
        control.push(ScmRights(&many)).unwrap();
        control.push(ScmCredentials::of_this_process()).unwrap();
        assert!(control.used() > 1024);
        let sent = sendmsg(&here, &[IoSlice::new(b"x")], &control, SendFlags::empty());
        if C_LIBRARY_COPIES {
            assert_eq!(sent, Err(Errno::NOMEM));
            continue;
        }
        assert_eq!(sent, Ok(1));
        let mut room = [0xff; 2048];
        let mut data = [0];
        let mut received = receive(&there, &mut data, &mut room).complete().unwrap();
        let arrived = take_all(&mut received);
        assert_eq!(arrived.iter().filter(|descriptor| same_file(descriptor, &file[0])).count(), 253);
    }
}

/// `struct user_msghdr` (`include/linux/socket.h`).
#[repr(C)]
#[derive(Clone, Copy)]
struct KernelHeader {
    name: *mut c_void,
    namelen: i32,
    iov: *mut c_void,
    iovlen: usize,
    control: *mut c_void,
    controllen: usize,
    flags: u32,
}

/// Where the kernel's header has padding.
const PADDING: &[std::ops::Range<usize>] = if cfg!(target_pointer_width = "64") { &[12..16, 52..56] } else { &[] };

/// Moves a value into memory with this content, and gives it to `look`.
fn moved_into_dirty_memory<T>(value: T, dirt: u8, look: impl FnOnce(&mut T)) {
    let mut memory = MaybeUninit::<T>::uninit();
    // SAFETY: the pointer is to that many bytes.
    unsafe { memory.as_mut_ptr().cast::<u8>().write_bytes(dirt, size_of::<T>()) };
    look(memory.write(value));
    // SAFETY: the value was written above.
    unsafe { memory.assume_init_drop() };
}

fn assert_clean(pointer: *const c_void, iovlen: usize, controllen: usize) {
    // SAFETY: the pointer is to a prepared header, which has the size of the kernel's.
    let header = unsafe { pointer.cast::<KernelHeader>().read() };
    assert_eq!((header.iovlen, header.controllen, header.flags), (iovlen, controllen, 0));
    // To a C library's structure it is no field, and may be left as it was; the kernel does not read it.
    #[cfg(backend = "linux_raw")]
    for range in PADDING {
        // SAFETY: as above; with this backend the padding is a field.
        let padding = unsafe { &*pointer.cast::<[u8; size_of::<KernelHeader>()]>() };
        assert_eq!(padding[range.clone()], [0; 4]);
    }
    #[cfg(not(backend = "linux_raw"))]
    let _ = PADDING;
}

/// The header alone, by the number of the call: whatever the backend is.
fn send_by_number(socket: BorrowedFd<'_>, header: *const c_void) -> Result<usize, Errno> {
    // SAFETY: the pointer is to a prepared header, and what that points to lives until after the call.
    let sent = unsafe { libc::syscall(libc::SYS_sendmsg, socket.as_raw_fd(), header, 0) };
    usize::try_from(sent).map_err(|_| Errno::from_io_error(&std::io::Error::last_os_error()).unwrap())
}

fn headers_in_dirty_memory() {
    for dirt in [0xff, 0x55, 0x01] {
        let (here, there) = pair(SocketType::DGRAM);
        let file = files(1);
        let control = message_bytes(RIGHTS, &number_bytes(&file));
        let data = [IoSlice::new(b"da"), IoSlice::new(b"ta")];
        let header = SendMsgHdr::with_bytes(&data, &control);
        moved_into_dirty_memory(header, dirt, |header| {
            assert_clean(header.as_ptr().cast(), 2, control.len());
            assert_eq!(send_by_number(here.as_fd(), header.as_ptr().cast()), Ok(4));
        });
        let (mut bytes, mut room) = ([0; 8], [dirt; 64]);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let header = RecvMsgHdr::new(&mut slices, &mut room);
        moved_into_dirty_memory(header, dirt, |header| {
            assert_clean(header.as_mut_ptr().cast(), 1, 64);
        });
        let mut received = receive(&there, &mut bytes, &mut room).complete().unwrap();
        assert!(same_file(&take_all(&mut received)[0], &file[0]));
    }
}

/// musl declares the upper half of `cmsg_len` as padding, `__pad1`. The kernel reads it.
fn control_messages_in_dirty_memory() {
    for dirt in [0xff, 0x55, 0x01] {
        let (here, there) = pair(SocketType::DGRAM);
        let file = files(2);
        let descriptors = borrowed(&file);
        let mut memory = [dirt; 128];
        let mut control = ControlWriter::new(memory.as_mut_slice());
        control.push(ScmRights(&descriptors[..1])).unwrap();
        control.push(ScmRights(&descriptors[1..])).unwrap();
        let lengths: Vec<usize> = control.as_bytes().chunks(NATIVE.space(4).unwrap()).map(first_word).collect();
        assert_eq!(lengths, [NATIVE.len(4).unwrap(); 2]);
        let data = [IoSlice::new(b"x")];
        let header = SendMsgHdr::new(&data, &control);
        assert_eq!(send_by_number(here.as_fd(), header.as_ptr().cast()), Ok(1));
        assert_eq!(sendmsg(&here, &data, &control, SendFlags::empty()), Ok(1));
        for _ in 0..2 {
            let mut room = [dirt; 128];
            let mut data = [0];
            let mut received = receive(&there, &mut data, &mut room).complete().unwrap();
            assert_eq!(take_all(&mut received).len(), 2);
        }
    }
}

/// What the kernel reads as `cmsg_len`: all of a `size_t`.
fn first_word(bytes: &[u8]) -> usize {
    usize::from_ne_bytes(*bytes.first_chunk().unwrap())
}

fn lengths_with_an_upper_half() -> Result<(), String> {
    if cfg!(target_pointer_width = "32") {
        return Err("a length has 32 bits here".into());
    }
    not_watched_by(
        &["memcheck", "address", "thread", "memory"],
        "looks at as many slices as the length says, before the kernel refuses it",
    )?;
    the_kernel_itself("lengths are believed")
}

/// It is not the backend that makes the headers clean. One that comes from elsewhere is given on as it is, except that
/// musl cleans it.
fn a_dirty_upper_half_of_a_length() {
    let (here, _there) = pair(SocketType::DGRAM);
    let data = [IoSlice::new(b"x")];
    let control = ControlWriter::empty();
    let header = SendMsgHdr::new(&data, &control);
    // SAFETY: the pointer is to a prepared header.
    let clean = unsafe { header.as_ptr().cast::<KernelHeader>().read() };
    let upper_half = (u32::MAX as usize).wrapping_add(1);
    for (dirty, error) in [
        (KernelHeader { iovlen: clean.iovlen | upper_half, ..clean }, Errno::MSGSIZE),
        (KernelHeader { controllen: clean.controllen | upper_half, ..clean }, Errno::NOBUFS),
    ] {
        // SAFETY: the kernel refuses lengths like these before it looks for what they are the length of; musl looks at
        // the lower halves, which are right.
        let sent = unsafe { sendmsg_raw(&here, (&raw const dirty).cast(), SendFlags::empty()) };
        assert_eq!(sent, if C_LIBRARY_COPIES { Ok(1) } else { Err(error) });
    }
}

/// `MSG_CMSG_COMPAT`: the kernel would take the headers for those of a 32-bit process.
fn a_flag_of_the_kernels_own_is_refused() {
    let (here, there) = pair(SocketType::DGRAM);
    send_plain(&here, b"x").unwrap();
    let mut data = [0; 4];
    let mut slices = [IoSliceMut::new(&mut data)];
    let mut rooms = [RecvRoom::new(&mut slices, ControlSliceMut::none())];
    let flags = RecvFlags::from_bits_retain(0x8000_0000) | RecvFlags::DONTWAIT;
    let batch = recvmmsg(&there, &mut [RecvSlot::new()], &mut rooms, flags, None).map(|batch| batch.len());
    assert_eq!(batch, Err(Errno::INVAL));
}

fn calls_of_the_crates_own() -> Result<(), String> {
    if cfg!(backend = "linux_raw") {
        a_kernel_that_knows_another_width()
    } else {
        Err("what the C library is given it gives on".into())
    }
}

fn no_c_library_in_between() -> Result<(), String> {
    if cfg!(backend = "linux_raw") {
        Ok(())
    } else {
        Err("the C library's calls are cancellation points: the thread would end in one, through this crate's frames"
            .into())
    }
}

unsafe extern "C-unwind" {
    fn pthread_create(
        thread: *mut libc::pthread_t,
        attributes: *const libc::pthread_attr_t,
        start: extern "C-unwind" fn(*mut c_void) -> *mut c_void,
        argument: *mut c_void,
    ) -> i32;
    fn pthread_cancel(thread: libc::pthread_t) -> i32;
    fn pthread_testcancel();
}

/// What `pthread_join` tells of a thread that was cancelled: `PTHREAD_CANCELED`.
const CANCELLED: usize = usize::MAX;

struct Cancelled {
    here: OwnedFd,
    there: OwnedFd,
    file: OwnedFd,
    arrived: AtomicI32,
    returned: AtomicBool,
}

impl Cancelled {
    /// A call of each kind, and nothing else that could be a cancellation point: the standard library closes through
    /// the C library.
    fn call(&self) {
        let descriptors = [self.file.as_fd()];
        let mut space = ControlBuffer::<{ control_space!(ScmRights[1]) }>::new();
        let mut control = space.writer();
        control.push(ScmRights(&descriptors)).unwrap();
        sendmsg(&self.here, &[IoSlice::new(b"x")], &control, SendFlags::empty()).unwrap();
        let mut data = [0];
        let mut received =
            recvmsg(&self.there, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty()).unwrap();
        let arrived = received.take_descriptors().unwrap().next().unwrap();
        self.arrived.store(arrived.into_raw_fd(), SeqCst);

        let (empty, slices) = (ControlWriter::empty(), [IoSlice::new(b"y")]);
        let mut messages = [SendSlot::new(&slices, &empty)];
        assert_eq!(sendmmsg(&self.here, &mut messages, SendFlags::empty()), Ok(1));
        let mut slices = [IoSliceMut::new(&mut data)];
        let mut rooms = [RecvRoom::new(&mut slices, ControlSliceMut::none())];
        let mut slots = [RecvSlot::new()];
        let mut batch = recvmmsg(&self.there, &mut slots, &mut rooms, RecvFlags::empty(), None).unwrap();
        assert_eq!(batch.next().unwrap().data(), b"y");
        self.returned.store(true, SeqCst);
    }
}

/// The thread is to end in the function's last line, by unwinding its frame: so nothing here has a destructor.
extern "C-unwind" fn cancelled_thread(argument: *mut c_void) -> *mut c_void {
    // SAFETY: the test gives a pointer to one, which lives until the thread is joined.
    let this = unsafe { &*argument.cast::<Cancelled>() };
    // SAFETY: the thread is this one.
    unsafe { pthread_cancel(libc::pthread_self()) };
    this.call();
    // SAFETY: the frame that is unwound has no destructor, and its caller is the C library.
    unsafe { pthread_testcancel() };
    ptr::null_mut()
}

fn no_call_is_a_cancellation_point() {
    let (here, there) = pair(SocketType::STREAM);
    let this = Cancelled {
        here,
        there,
        file: files(1).remove(0),
        arrived: AtomicI32::new(-1),
        returned: AtomicBool::new(false),
    };
    let argument = (&raw const this).cast_mut().cast();
    let mut thread = MaybeUninit::uninit();
    // SAFETY: the argument lives until the thread is joined, below.
    assert_eq!(unsafe { pthread_create(thread.as_mut_ptr(), ptr::null(), cancelled_thread, argument) }, 0);
    let mut result = ptr::null_mut();
    // SAFETY: the call above has made the thread, which nobody else joins.
    assert_eq!(unsafe { libc::pthread_join(thread.assume_init(), &raw mut result) }, 0);
    let arrived = this.arrived.load(SeqCst);
    assert!(arrived >= 0, "a call for one message ended the thread");
    // SAFETY: the thread has taken it and left it to this function.
    assert!(same_file(unsafe { OwnedFd::from_raw_fd(arrived) }, &this.file));
    assert!(this.returned.load(SeqCst), "a call for many messages ended the thread");
    assert_eq!(result.addr(), CANCELLED, "the thread was not cancelled at all");
}
