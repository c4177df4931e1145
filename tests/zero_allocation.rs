//! The crate allocates nothing: while a thread is inside it, the global allocator aborts the process.

use ancillary::control_space;
use ancillary::message::ScmRights;
use ancillary::received::{recvmmsg, recvmsg};
use ancillary::socket::{RecvRoom, RecvSlot, SendSlot, WAIT_FOR_ONE};
use ancillary::socket::{sendmmsg, sendmsg};
use ancillary::{ControlBuffer, ControlMessages, ControlWriter, Layout, Message};
use libtest_mimic::Arguments;
use rustix::fd::AsFd;
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
use std::alloc::{GlobalAlloc, Layout as Allocation, System};
use std::cell::Cell;
use std::time::Duration;

mod harness;

tests![
    writing_and_reading,
    sending_and_receiving,
    sending_and_receiving_a_batch,
    #[cfg(target_os = "linux")]
    the_rest,
    #[cfg(target_os = "linux")]
    splitting_a_buffer_of_a_ring,
    an_allocation_would_be_seen,
];

thread_local! {
    static FORBIDDEN: Cell<bool> = const { Cell::new(false) };
}

const MESSAGE: &[u8] = b"an allocation where there must be none\n";

struct Aborting;

impl Aborting {
    fn check(&self) {
        if FORBIDDEN.get() {
            let _ = rustix::io::write(rustix::stdio::stderr(), MESSAGE);
            std::process::abort();
        }
    }
}

// SAFETY: everything is the system's allocator, or the end of the process.
unsafe impl GlobalAlloc for Aborting {
    unsafe fn alloc(&self, layout: Allocation) -> *mut u8 {
        self.check();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Allocation) {
        self.check();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Aborting = Aborting;

fn without_allocation<T>(run: impl FnOnce() -> T) -> T {
    FORBIDDEN.set(true);
    let result = run();
    FORBIDDEN.set(false);
    result
}

fn writing_and_reading() {
    let messages = without_allocation(|| {
        let mut bytes = [0xff; 256];
        let mut writer = ControlWriter::with_layout(Layout::BSD_ALIGN_16, &mut bytes);
        writer.push_raw(41, 50, &[1; 20])?;
        writer.reserve(0, 8, 4)?.fill(2);
        assert!(writer.push_raw(0, 8, &[0; 1000]).is_err());
        Ok::<_, ancillary::PushError>(ControlMessages::with_layout(Layout::BSD_ALIGN_16, writer.as_bytes()).count())
    });
    assert_eq!(messages, Ok(2));
}

fn sending_and_receiving() {
    let (here, there) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let taken = without_allocation(|| {
        let mut space = ControlBuffer::<{ control_space!(ScmRights[3]) }>::new();
        let mut control = space.writer();
        control.push(ScmRights([reader.as_fd(), writer.as_fd(), here.as_fd()])).ok()?;
        sendmsg(&here, &[IoSlice::new(b"data")], &control, SendFlags::empty()).ok()?;
        let mut data = [0; 8];
        let mut received =
            recvmsg(&there, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty()).ok()?.complete().ok()?;
        let mut looked_at = 0;
        for message in received.messages() {
            if let Message::ScmRights(descriptors) = message.ok()? {
                looked_at += descriptors.filter(|descriptor| rustix::io::fcntl_getfd(descriptor).is_ok()).count();
            }
        }
        let bytes = received.control_bytes().len();
        assert_eq!((received.control_len(), received.raw_messages().count()), (bytes, 1));
        let mut taken = 0;
        for message in received.take_messages() {
            if let Message::ScmRights(descriptors) = message.ok()? {
                taken += descriptors.take(2).count(); // the third is closed by the drop
            }
        }
        Some((looked_at, taken, received.into_messages().count()))
    });
    assert_eq!(taken, Some((3, 2, 1)));
}

fn sending_and_receiving_a_batch() {
    let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).unwrap();
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let taken = without_allocation(|| {
        let mut space = ControlBuffer::<{ control_space!(ScmRights[2]) }>::new();
        let mut control = space.writer();
        control.push(ScmRights([reader.as_fd(), writer.as_fd()])).ok()?;
        let (data, empty) = ([IoSlice::new(b"data")], ControlWriter::empty());
        let mut messages = [const { SendSlot::empty() }; 3];
        messages[0] = SendSlot::new(&data, &control);
        messages[1] = SendSlot::new(&data, &empty);
        messages[2] = SendSlot::new(&data, &control);
        assert_eq!(sendmmsg(&here, &mut messages, SendFlags::empty()), Ok(3));

        let mut buffers = [[0; 8]; 4];
        let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let mut spaces = [const { ControlBuffer::<{ control_space!(ScmRights[2]) }>::new() }; 4];
        let mut spaces = spaces.iter_mut();
        let mut rooms = slices.each_mut().map(|slices| RecvRoom::new(slices, spaces.next().unwrap()));
        let mut slots = [const { RecvSlot::new() }; 4];
        let mut batch = recvmmsg(&there, &mut slots, &mut rooms, WAIT_FOR_ONE, Some(Duration::MAX)).ok()?;
        assert!(batch.error().is_none());
        let taken = batch.next()?.complete().ok()?.take_descriptors().ok()?.count();
        assert!(batch.next()?.slices().eq([b"data"]));
        Some((taken, batch.len())) // what is left is closed by the drop
    });
    assert_eq!(taken, Some((2, 1)));
}

/// What is seldom called: drawing, translating, credentials, addresses, headers, results that are not wanted.
#[cfg(target_os = "linux")]
fn the_rest() {
    use ancillary::control::ControlSliceMut;
    use ancillary::message::ScmCredentials;
    use ancillary::socket::sendmsg_addr;
    use ancillary::socket::{SendMsgHdr, sendmsg_raw};
    use rustix::net::SocketAddrUnix;
    use std::fmt::Write;

    let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).unwrap();
    rustix::net::sockopt::set_socket_passcred(&there, true).unwrap();
    let name = SocketAddrUnix::new_unnamed();
    let done = without_allocation(|| {
        let mut bytes = [0; 128];
        let mut writer = ControlWriter::with_layout(Layout::DARWIN, &mut bytes);
        writer.push_raw(41, 50, &[1; 20]).ok()?;
        let mut drawing = Drawing { bytes: [0; 512], used: 0 };
        write!(drawing, "{}", ControlMessages::with_layout(Layout::DARWIN, writer.as_bytes())).ok()?;
        let mut other = [0; 128];
        let mut translated = ControlWriter::with_layout(Layout::NATIVE, &mut other);
        translated.push_all(ControlMessages::with_layout(Layout::DARWIN, writer.as_bytes())).ok()?;

        let mut space = ControlBuffer::<{ control_space!(ScmCredentials) }>::new();
        let mut control = space.writer();
        control.push(ScmCredentials::of_this_process()).ok()?;
        let data = [IoSlice::new(b"xy")];
        let error = sendmsg_addr(&here, &name, &data, &control, SendFlags::empty()).err()?;
        write!(drawing, "{}", error.raw_os_error()).ok()?;
        let header = SendMsgHdr::with_bytes(&data, control.as_bytes());
        // SAFETY: the header is prepared and lives until after the call; it has no descriptors.
        unsafe { sendmsg_raw(&here, header.as_ptr(), SendFlags::empty()) }.ok()?;
        // SAFETY: the same.
        unsafe { sendmsg_raw(&here, header.as_ptr(), SendFlags::empty()) }.ok()?;
        let received = recvmsg(&there, &mut [IoSliceMut::new(&mut [0; 2])], &mut space, RecvFlags::empty()).ok()?;
        received.find::<ScmCredentials>()?.ok()?;
        assert!(received.messages().truncated_message().is_none());
        assert!(received.incomplete().is_none());
        let mut one = [0];
        let mut slices = [IoSliceMut::new(&mut one)];
        let cut = recvmsg(&there, &mut slices, ControlSliceMut::none(), RecvFlags::empty()).ok()?;
        write!(drawing, "{}", cut.complete().err()?).ok()?;
        Some(drawing.used)
    });
    assert!(done.is_some_and(|drawn| drawn > 0));
}

#[cfg(target_os = "linux")]
struct Drawing {
    bytes: [u8; 512],
    used: usize,
}

#[cfg(target_os = "linux")]
impl std::fmt::Write for Drawing {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = self.bytes.get_mut(self.used..self.used + text.len()).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.used += text.len();
        Ok(())
    }
}

/// What a ring leaves in a buffer, and what is wrong with one that is too short.
#[cfg(target_os = "linux")]
fn splitting_a_buffer_of_a_ring() {
    use ancillary::socket::MultishotMsgHdr;

    let split = without_allocation(|| {
        let header = MultishotMsgHdr::new(4, 24).ok()?;
        let mut buffer = [0; 16 + 4 + 24 + 1];
        buffer[8..12].copy_from_slice(&1u32.to_ne_bytes());
        assert!(header.split(&buffer[..20]).is_err());
        assert_eq!(header.split(&buffer).ok()?.messages().count(), 0);
        // SAFETY: it is as a ring leaves it, and there is nothing in it that could be owned.
        let (mut received, data) = unsafe { header.received(&mut buffer) }.ok()?.into_parts();
        Some((received.take_descriptors().ok()?.count(), data.len()))
    });
    assert_eq!(split, Some((0, 1)));
}

/// The allocator does abort: another process does what must not be done.
fn an_allocation_would_be_seen() {
    let child = harness::command(std::env::current_exe().unwrap()).env(ALLOCATE, "1").output().unwrap();
    assert!(!child.status.success());
    // An emulator adds that the process was aborted.
    assert!(child.stderr.starts_with(MESSAGE), "{:?}", String::from_utf8_lossy(&child.stderr));
}

const ALLOCATE: &str = "ANCILLARY_TEST_ALLOCATE";

fn main() -> std::process::ExitCode {
    if std::env::var_os(ALLOCATE).is_some() {
        without_allocation(|| std::hint::black_box(vec![0u8; 16]));
        return std::process::ExitCode::SUCCESS;
    }
    harness::run_tests(Arguments::from_args(), TESTS.iter().copied(), harness::plainly)
}
