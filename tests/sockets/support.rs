//! What the tests share.

use crate::harness::{command, emulator, the_kernel_itself, with_a_limit};
use ancillary::message::ScmRights;
use ancillary::received::recvmsg;
use ancillary::socket::sendmsg;
use ancillary::socket::{SendMsgHdr, sendmsg_raw};
use ancillary::{ControlBuffer, ControlWriter, Incomplete, Layout, Received, control_space};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use rustix::io::{Errno, FdFlags, IoSlice, IoSliceMut};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

pub const TYPES: [SocketType; 3] = [SocketType::STREAM, SocketType::DGRAM, SocketType::SEQPACKET];
pub const NATIVE: Layout = Layout::NATIVE;
pub const RIGHTS: (i32, i32) = (libc::SOL_SOCKET, libc::SCM_RIGHTS);
pub const SO_PASSPIDFD: i32 = 76;
pub const SO_PASSRIGHTS: i32 = 83;
pub const SO_RIGHTS_NOTRUNC: i32 = 85;

// What an emulator (`ANCILLARY_TEST_EMULATOR`, see `tests/harness`) does otherwise than the kernel. QEMU 7.2 translates
// control messages in both directions and has rules of its own. A test that needs one of these needs the kernel itself.

pub fn the_kernels_refusals() -> Result<(), String> {
    the_kernel_itself("a control message with a false length is not refused")
}

pub fn the_kernels_truncation() -> Result<(), String> {
    the_kernel_itself("truncated control messages are not told, and descriptors that were cut off stay open")
}

/// On 64 bits `CMSG_SPACE` of one descriptor has room for two, and nothing is truncated.
pub fn room_for_two_or_the_kernels_truncation() -> Result<(), String> {
    if NATIVE.space(4) >= NATIVE.len(8) { Ok(()) } else { the_kernels_truncation() }
}

pub fn calls_without_data() -> Result<(), String> {
    the_kernel_itself("a call without a slice of data is not made")
}

/// Whether a 64-bit kernel serves this 32-bit process: it then reads what is sent by rules of their own (Linux
/// `net/compat.c`). An emulator is a 64-bit process.
pub fn is_compat() -> bool {
    // Linux says so since 6.1. An older one is taken for a 64-bit one.
    let kernel = std::fs::read_to_string("/proc/sys/kernel/arch");
    let is_64_bit = kernel.map_or(true, |name| name.contains("64") || name.trim() == "s390x");
    cfg!(target_pointer_width = "32") && is_64_bit && emulator().is_none()
}

/// Whether the C library's `sendmsg` gives the kernel a copy of the control messages, with zeros where it says padding is:
/// what 64-bit musl does, where it is asked, through a buffer of 1040 bytes, or 1056 in newer ones.
pub const C_LIBRARY_COPIES: bool = cfg!(all(backend = "libc", target_env = "musl", target_pointer_width = "64"));

/// The numbers of this process's descriptors.
pub fn open_descriptors() -> BTreeSet<RawFd> {
    let listed: BTreeSet<RawFd> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    // The descriptor that the listing itself used is closed by now.
    let open = |number: &RawFd| {
        // SAFETY: asking for the flags of any number is harmless.
        unsafe { libc::fcntl(*number, libc::F_GETFD) >= 0 }
    };
    listed.into_iter().filter(open).collect()
}

/// Whether the environment asks for another number of messages (`random_faults`): a long run has no limit.
fn is_long() -> bool {
    std::env::var_os("ANCILLARY_TEST_MESSAGES").is_some()
}

pub fn leaving_no_descriptor(run: fn()) -> Result<(), libtest_mimic::Failed> {
    let before = open_descriptors();
    if is_long() {
        run()
    } else {
        with_a_limit(run)
    }
    let after = open_descriptors();
    if before == after { Ok(()) } else { Err(format!("descriptors before {before:?}, after {after:?}").into()) }
}

pub fn pair(kind: SocketType) -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap()
}

/// Open files that can be told apart.
pub fn files(count: usize) -> Vec<OwnedFd> {
    (0..count).map(|_| rustix::pipe::pipe().unwrap().0).collect()
}

pub fn borrowed(files: &[OwnedFd]) -> Vec<BorrowedFd<'_>> {
    files.iter().map(AsFd::as_fd).collect()
}

pub fn same_file(one: impl AsFd, other: impl AsFd) -> bool {
    let (one, other) = (rustix::fs::fstat(one).unwrap(), rustix::fs::fstat(other).unwrap());
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

pub fn is_close_on_exec(descriptor: impl AsFd) -> bool {
    rustix::io::fcntl_getfd(descriptor).unwrap().contains(FdFlags::CLOEXEC)
}

pub fn send(socket: impl AsFd, data: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<usize, Errno> {
    let mut space = ControlBuffer::<{ control_space!(ScmRights[253]) }>::new();
    let mut control = space.writer();
    control.push(ScmRights(descriptors)).unwrap();
    sendmsg(socket, &[IoSlice::new(data)], &control, SendFlags::NOSIGNAL)
}

pub fn send_plain(socket: impl AsFd, data: &[u8]) -> Result<usize, Errno> {
    sendmsg(socket, &[IoSlice::new(data)], &ControlWriter::empty(), SendFlags::NOSIGNAL)
}

/// Sends any control bytes. The tests give numbers only of their own descriptors, or of none.
pub fn send_bytes(socket: impl AsFd, data: &[u8], control: &[u8]) -> Result<usize, Errno> {
    let data = [IoSlice::new(data)];
    let header = SendMsgHdr::with_bytes(&data, control);
    // SAFETY: the header is prepared, and the descriptors in the bytes are the test's own or no descriptors.
    unsafe { sendmsg_raw(socket, header.as_ptr(), SendFlags::NOSIGNAL) }
}

/// One control message of any numbers, padded.
pub fn message_bytes((level, message_type): (i32, i32), payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xff; NATIVE.space(payload.len()).unwrap()];
    let mut writer = ControlWriter::with_layout(NATIVE, bytes.as_mut_slice());
    writer.push_raw(level, message_type, payload).unwrap();
    bytes
}

/// The same with a length of one's own.
pub fn message_claiming(cmsg_len: u64, (level, message_type): (i32, i32), payload: &[u8]) -> Vec<u8> {
    let mut bytes = message_bytes((level, message_type), payload);
    assert!(NATIVE.write_header(ancillary::layout::ControlHeader { cmsg_len, level, message_type }, &mut bytes));
    bytes
}

pub fn number_bytes(files: &[OwnedFd]) -> Vec<u8> {
    files.iter().flat_map(|file| file.as_raw_fd().to_ne_bytes()).collect()
}

/// Receives with this much room for control messages.
pub fn receive_flags<'c>(
    socket: impl AsFd,
    data: &mut [u8],
    control: &'c mut [u8],
    flags: RecvFlags,
) -> Result<Received<'c>, Errno> {
    recvmsg(socket, &mut [IoSliceMut::new(data)], control, flags)
}

pub fn receive<'c>(socket: impl AsFd, data: &mut [u8], control: &'c mut [u8]) -> Received<'c> {
    receive_flags(socket, data, control, RecvFlags::DONTWAIT).unwrap()
}

/// What is lost: of the data, of the control messages.
pub type Lost = (bool, bool);
pub const NOTHING: Lost = (false, false);
pub const DATA: Lost = (true, false);
pub const CONTROL: Lost = (false, true);
pub const BOTH: Lost = (true, true);

/// What `incomplete()` says is lost. No slot holds an error.
pub fn lost(incomplete: Option<Incomplete>) -> Lost {
    let Some(incomplete) = incomplete else { return NOTHING };
    assert_eq!(incomplete.descriptor, None);
    assert_ne!((incomplete.data, incomplete.control), NOTHING, "then it is complete");
    (incomplete.data, incomplete.control)
}

/// The descriptors of all messages.
pub fn take_all(received: &mut Received<'_>) -> Vec<OwnedFd> {
    received.take_descriptors().unwrap().collect()
}

/// Duplicates of the files that nothing owns but what is made of their numbers.
pub fn ownerless_duplicates(files: &[OwnedFd]) -> Vec<RawFd> {
    files.iter().map(|file| rustix::io::fcntl_dupfd_cloexec(file, 0).unwrap().into_raw_fd()).collect()
}

/// The owner of what is in bytes that a test has written in a kernel's place.
///
/// The numbers in them that are not negative are ownerless duplicates.
pub fn received_of(control: &mut [u8]) -> Received<'_> {
    // SAFETY: see above; all bytes are initialised.
    unsafe { Received::from_raw_parts(1, rustix::net::ReturnFlags::empty(), None, control) }
}

pub fn set_option(socket: impl AsFd, option: i32, value: i32) -> Result<(), Errno> {
    set_option_of(socket, (libc::SOL_SOCKET, option), value)
}

/// The same of any level.
pub fn set_option_of(socket: impl AsFd, (level, option): (i32, i32), value: i32) -> Result<(), Errno> {
    // SAFETY: the pointer and the length are those of `value`.
    let result = unsafe {
        libc::setsockopt(socket.as_fd().as_raw_fd(), level, option, (&raw const value).cast(), size_of::<i32>() as u32)
    };
    if result == 0 {
        Ok(())
    } else {
        Err(Errno::from_raw_os_error(std::io::Error::last_os_error().raw_os_error().unwrap()))
    }
}

pub fn has_option(option: i32, name: &str) -> Result<(), String> {
    set_option(pair(SocketType::STREAM).0, option, 1).map_err(|error| format!("this kernel has no {name} ({error})"))
}

pub fn pidfds() -> Result<(), String> {
    has_option(SO_PASSPIDFD, "SO_PASSPIDFD (Linux 6.5)")
}

/// What the socket says of one of its options.
pub fn option(socket: impl AsFd, option: i32) -> i32 {
    let (mut value, mut len) = (-1, size_of::<i32>() as u32);
    // SAFETY: the pointer and the length are those of `value`.
    let result = unsafe {
        libc::getsockopt(socket.as_fd().as_raw_fd(), libc::SOL_SOCKET, option, (&raw mut value).cast(), &raw mut len)
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    value
}

/// Whether a message of this process arrives with a label.
pub fn has_label() -> bool {
    let (here, there) = pair(SocketType::DGRAM);
    if set_option(&there, libc::SO_PASSSEC, 1).is_err() {
        return false;
    }
    send_plain(&here, b"x").unwrap();
    let mut room = [0; 4096];
    receive(&there, &mut [0], &mut room).messages().next().is_some()
}

pub fn a_security_module() -> Result<(), String> {
    if has_label() { Ok(()) } else { Err("no security module here gives a label".into()) }
}

/// Runs on a thread that is another user: Linux keeps the ids of each thread by itself. `None` if it may not be.
pub fn as_user<T: Send>(uid: u32, run: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: plain numbers; the raw system calls change this thread alone, and it ends.
            let changed = unsafe {
                libc::syscall(libc::SYS_setresgid, uid, uid, uid) == 0
                    && libc::syscall(libc::SYS_setresuid, uid, uid, uid) == 0
            };
            changed.then(run)
        });
        thread.join().unwrap()
    })
}

pub fn can_change_user() -> Result<(), String> {
    as_user(1000, || ()).ok_or_else(|| "this process may not become another user".into())
}

/// The lowest number that no descriptor has.
pub fn lowest_free_number() -> u64 {
    let open = open_descriptors();
    (0..).find(|number| !open.contains(number)).unwrap() as u64
}

/// Lets this process have at most so many descriptors until the result is dropped.
pub struct DescriptorLimit(rustix::process::Rlimit);

impl DescriptorLimit {
    pub fn numbers_below(limit: u64) -> Self {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let before = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(limit), maximum: before.maximum }).unwrap();
        DescriptorLimit(before)
    }
}

/// Lets this process have exactly so many descriptors more until the result is dropped.
pub fn with_free_numbers(count: u64) -> (DescriptorLimit, Vec<OwnedFd>) {
    let highest = *open_descriptors().last().unwrap();
    let mut filling = files(1);
    while filling.last().unwrap().as_raw_fd() < highest {
        filling.push(rustix::io::fcntl_dupfd_cloexec(&filling[0], 0).unwrap());
    }
    // Now every number up to the last one is taken.
    let taken = open_descriptors().len() as u64;
    (DescriptorLimit::numbers_below(taken + count), filling)
}

/// Valgrind keeps a limit of its own.
pub fn a_limit_of_descriptors() -> Result<(), String> {
    let wanted = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(1024) - 1;
    let _limit = DescriptorLimit::numbers_below(wanted);
    let told = std::fs::read_to_string("/proc/self/limits").map_err(|error| error.to_string())?;
    let mut words = told.lines().filter_map(|line| line.strip_prefix("Max open files")).flat_map(str::split_whitespace);
    match words.next() {
        Some(limit) if limit == wanted.to_string() => Ok(()),
        other => Err(format!("the limit of descriptors is not the kernel's: it was set to {wanted} and is {other:?}")),
    }
}

impl Drop for DescriptorLimit {
    fn drop(&mut self) {
        rustix::process::setrlimit(rustix::process::Resource::Nofile, self.0).unwrap();
    }
}

/// A socket that unwinds when it is dropped.
pub struct PanicsWhenDropped(pub OwnedFd);

impl AsFd for PanicsWhenDropped {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("dropped"));
    }
}

const CHILD: &str = "ANCILLARY_TEST_CHILD";

/// In the child of [`sending_child`]: sends one message on its standard input, with that many descriptors, and exits.
pub fn act_as_child() -> bool {
    let Ok(count) = std::env::var(CHILD) else { return false };
    let files = files(count.parse().unwrap());
    // SAFETY: the parent has put the socket there, and nothing else here uses the standard input.
    let socket = unsafe { OwnedFd::from_raw_fd(0) };
    send(&socket, b"from a child", &borrowed(&files)).unwrap();
    true
}

/// Another process that sends one message with `count` descriptors on `socket`.
pub fn sending_child(socket: OwnedFd, count: usize) -> Child {
    command(std::env::current_exe().unwrap()).env(CHILD, count.to_string()).stdin(Stdio::from(socket)).spawn().unwrap()
}

/// The longest a test waits for what has been caused already: it is there at once, or there is a fault.
pub const LIMIT: Duration = Duration::from_secs(10);

/// Waits until one of these has happened on a socket (`libc::POLLIN` and its like).
///
/// It is an error if none has in [`LIMIT`].
#[track_caller]
pub fn wait_for(socket: impl AsFd, events: libc::c_short) {
    assert!(happens_in(LIMIT, socket, events), "no event of {events:#x} (POLLIN is 1, POLLERR 8) in {LIMIT:?}");
}

/// Whether one of these has happened on a socket by then.
pub fn happens_in(limit: Duration, socket: impl AsFd, events: libc::c_short) -> bool {
    let mut sockets = [libc::pollfd { fd: socket.as_fd().as_raw_fd(), events, revents: 0 }];
    let end = Instant::now() + limit;
    loop {
        let left = end.saturating_duration_since(Instant::now()).as_millis() as i32;
        // SAFETY: the pointer is to one `struct pollfd`.
        match unsafe { libc::poll(sockets.as_mut_ptr(), 1, left) } {
            1 => return true,
            0 => return false,
            _ => assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::EINTR)),
        }
    }
}

/// Yields the processor until something is so.
///
/// It is an error if it is not in [`LIMIT`].
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < end, "not so in {LIMIT:?}: {what}");
        std::thread::yield_now();
    }
}
