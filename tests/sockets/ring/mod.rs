//! A ring of io_uring: somebody else's calls, on headers of this crate. What is lacking here is told, and the tests that
//! need it are counted as ignored.

pub mod limits;
pub mod multishot;
pub mod prepared_headers;

use crate::kernel::a_kernel_that_survives_rings_of_buffers;
use crate::support::*;
use ancillary::socket::MultishotMsgHdr;
use io_uring::types::{BufRingEntry, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, Probe, cqueue, opcode, squeue};
use rustix::fd::{AsFd, AsRawFd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SocketType};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::sync::atomic::{AtomicU16, Ordering};

pub struct Ring(IoUring);

impl Ring {
    pub fn new() -> Self {
        Ring(IoUring::new(16).unwrap())
    }

    /// # Safety
    ///
    /// Everything that the request has pointers to stays where it is until the ring has finished with it.
    pub unsafe fn submit(&mut self, request: squeue::Entry) {
        // SAFETY: the caller's promise.
        unsafe { self.0.submission().push(&request) }.unwrap();
        assert_eq!(self.0.submit().unwrap(), 1);
    }

    /// The next completion: what the call has returned, and the flags.
    ///
    /// It is an error if there is none in ten seconds. No test waits for what does not come.
    pub fn wait(&mut self) -> (Result<usize, Errno>, u32) {
        let (result, flags, _) = self.wait_for_any();
        (result, flags)
    }

    /// The same with `user_data`.
    pub fn wait_for_any(&mut self) -> (Result<usize, Errno>, u32, u64) {
        let limit = Timespec::new().sec(10);
        loop {
            if let Some(entry) = self.0.completion().next() {
                let result = match usize::try_from(entry.result()) {
                    Ok(result) => Ok(result),
                    Err(_) => Err(Errno::from_raw_os_error(-entry.result())),
                };
                return (result, entry.flags(), entry.user_data());
            }
            match self.0.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&limit)) {
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                other => drop(other.unwrap()),
            }
        }
    }

    pub fn is_idle(&mut self) -> bool {
        self.0.completion().is_empty()
    }
}

/// Requests have user data 0 unless they are told apart.
pub const CANCEL: u64 = 1;

pub fn fd(socket: impl AsFd) -> Fd {
    Fd(socket.as_fd().as_raw_fd())
}

/// The one group of buffers.
const GROUP: u16 = 7;

pub fn multishot(socket: impl AsFd, header: &MultishotMsgHdr, flags: RecvFlags) -> squeue::Entry {
    opcode::RecvMsgMulti::new(fd(socket), header.as_ptr().cast(), GROUP).flags(flags.bits()).build()
}

pub fn has_more(flags: u32) -> bool {
    cqueue::more(flags)
}

/// What is needed by the tests.
pub fn a_ring() -> Result<(), String> {
    supports(&[opcode::SendMsg::CODE, opcode::RecvMsg::CODE])
}

pub fn zero_copy() -> Result<(), String> {
    supports(&[opcode::SendMsgZc::CODE])
}

fn supports(opcodes: &[u8]) -> Result<(), String> {
    let ring = IoUring::new(2).map_err(|error| format!("no io_uring here ({error})"))?;
    if !ring.params().is_feature_ext_arg() {
        return Err("this io_uring cannot wait for a limited time (Linux 5.11)".into());
    }
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(|error| format!("io_uring has no probe ({error})"))?;
    match opcodes.iter().find(|opcode| !probe.is_supported(**opcode)) {
        Some(opcode) => Err(format!("this io_uring has no operation {opcode}")),
        None => Ok(()),
    }
}

/// A multishot RECVMSG, and buffers through a ring of their own.
pub fn multishot_receiving() -> Result<(), String> {
    buffers_with_flags(0)
}

/// And buffers that hold one message after the other.
pub fn buffers_for_many_messages() -> Result<(), String> {
    multishot_receiving()?;
    buffers_with_flags(INCREMENTAL)
}

fn buffers_with_flags(flags: u16) -> Result<(), String> {
    a_ring()?;
    a_kernel_that_survives_rings_of_buffers()?;
    let mut ring = Ring::new();
    let told = |error| format!("this io_uring has no buffers with flags {flags} ({error})");
    let buffers = Buffers::new(&mut ring, 1, 64, flags).map_err(told)?;
    // An older kernel does not know the request.
    let (here, there) = pair(SocketType::DGRAM);
    send_plain(&here, b"x").unwrap();
    let header = MultishotMsgHdr::new(0, 0).unwrap();
    // SAFETY: the header lives until the ring has taken the request; the buffers outlive the ring.
    unsafe { ring.submit(multishot(&there, &header, RecvFlags::empty())) };
    let (result, _) = ring.wait();
    // Whatever becomes of the request, it must not outlive the buffers.
    drop(ring);
    drop(buffers);
    match result {
        Err(error) => Err(format!("this io_uring has no multishot RECVMSG, Linux 6.0 ({error})")),
        Ok(_) => Ok(()),
    }
}

/// `IOU_PBUF_RING_INC`, Linux 6.12: a buffer is used until it is full.
pub const INCREMENTAL: u16 = 2;

const PAGE: usize = 4096;

/// Buffers that a ring may fill, all of one length, given to it through a ring of their own.
///
/// What a multishot request fills starts with dirt from the message before.
pub struct Buffers {
    entries: *mut BufRingEntry,
    memory: Box<[u8]>,
    len: usize,
}

impl Buffers {
    /// How many entries the ring of buffers has.
    const ENTRIES: u16 = 16;
    const LAYOUT: Layout = match Layout::from_size_align(PAGE, PAGE) {
        Ok(layout) => layout,
        Err(_) => panic!(),
    };

    /// So many buffers of `len` bytes each, all given to the ring. It has to be dropped before them.
    pub fn new(ring: &mut Ring, count: u16, len: usize, flags: u16) -> std::io::Result<Self> {
        // SAFETY: the layout has a size.
        let entries = unsafe { alloc_zeroed(Self::LAYOUT) }.cast();
        let mut buffers = Buffers { entries, memory: vec![0xdd; count as usize * len].into(), len };
        // SAFETY: a page holds as many entries, and stays until after the ring.
        unsafe {
            ring.0.submitter().register_buf_ring_with_flags(entries as u64, Self::ENTRIES, GROUP, flags)?;
        }
        (0..count).for_each(|id| buffers.give(id));
        Ok(buffers)
    }

    /// Gives a buffer to the ring.
    pub fn give(&mut self, id: u16) {
        // SAFETY: the entries are there; the tail is a part of the first, and the system only reads it.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.entries).cast_mut()) };
        let next = tail.load(Ordering::Relaxed);
        // SAFETY: the index is that of an entry the system does not look at before the tail says so.
        let entry = unsafe { &mut *self.entries.add(usize::from(next % Self::ENTRIES)) };
        entry.set_addr(self.memory[usize::from(id) * self.len..].as_ptr() as u64);
        entry.set_len(self.len as u32);
        entry.set_bid(id);
        tail.store(next.wrapping_add(1), Ordering::Release);
    }

    /// The part of a buffer that a completion says was filled.
    pub fn filled(&mut self, result: usize, flags: u32) -> &mut [u8] {
        self.filled_from(0, result, flags)
    }

    /// The same at some distance from the start of the buffer, where that holds several messages.
    pub fn filled_from(&mut self, start: usize, result: usize, flags: u32) -> &mut [u8] {
        let id = cqueue::buffer_select(flags).expect("a buffer");
        &mut self.memory[usize::from(id) * self.len..][..self.len][start..start + result]
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: it was allocated so, and the ring that has looked at it is gone.
        unsafe { dealloc(self.entries.cast(), Self::LAYOUT) };
    }
}
