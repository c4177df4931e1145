//! Any control messages to the kernel: what this crate reads in the bytes is what Linux reads (64-bit).
//!
//! The bytes are given to a real `sendmsg`, on a pair of sockets of each kind, and what is read back is compared with a
//! model of the kernel ([`kernel`](ancillary_fuzz::kernel)) that looks at the bytes through [`ControlMessages`] alone.
//! Held are
//!
//! - the verdict, to the error: accepted, or which message is refused and why. So what the walk takes for a message, the
//!   end of the buffer or an error is what the kernel takes for it;
//! - that exactly the descriptors predicted arrive, by file, in order, in one `SCM_RIGHTS`, as many as there is room for
//!   in the buffer and in the table; that credentials arrive as sent, cut where the room ends; and that the result says
//!   truncated just when something was lost;
//! - that all of it is owned: after every step the open descriptors are those of the start and those that were taken.
//!
//! What is sent is described: messages of known and of any kinds, with descriptors that are open, closed, negative or
//! rings, credentials of this process and of others, false lengths, and any bytes at the end. Privileges are an input: a
//! process that has some tries without. One that has none is fuzzed as it is.
//!
//! A 32-bit process on a 64-bit kernel has other rules; this is not for it.
#![no_main]

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("the model is Linux's, of 64-bit processes");

use ancillary::received::recvmsg;
use ancillary::socket::{SendMsgHdr, sendmsg_raw};
use ancillary::{ControlMessages, Layout};
use ancillary_fuzz::kernel::{Attached, Kind, Privileges, Queue, Room, Sender, Verdict, Way};
use ancillary_fuzz::table::{self, file, open, set_of};
use ancillary_fuzz::{Arithmetic, Memory};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use rustix::fs::{CWD, MemfdFlags, Mode, OFlags, memfd_create, openat};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair, sockopt};
use std::cell::RefCell;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    kind: Kind,
    pass_credentials: bool,
    refuse_rights: bool,
    privileges: Privileges,
    steps: Vec<Step<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Send(Send<'a>),
    Receive { room: u16, misalignment: u8, data_len: u8, taken: u8 },
    CloseTaken(u8),
}

#[derive(Arbitrary, Debug)]
struct Send<'a> {
    messages: Vec<Planned<'a>>,
    /// How many bytes are cut off at the end, before these are added.
    cut: u8,
    rest: &'a [u8],
    misalignment: u8,
    data_len: u8,
    /// The limit of open descriptors, which is one of those in flight too.
    limit: Option<u8>,
}

#[derive(Arbitrary, Debug)]
struct Planned<'a> {
    content: Content<'a>,
    claim: Claim,
}

#[derive(Arbitrary, Debug)]
enum Content<'a> {
    /// Slots, and so many bytes of another one.
    Rights(Vec<Slot>, u8),
    /// One file again and again.
    ManyRights(u16),
    Credentials(Pid, Id, Id),
    /// Any payload: of descriptors, of credentials, of the same level, of any other.
    AsRights(&'a [u8]),
    AsCredentials(&'a [u8]),
    AsSocket(u8, &'a [u8]),
    Any(i32, i32, &'a [u8]),
    /// As long as the kernel takes, or longer.
    Long(u32),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Slot {
    File(u8),
    Ring,
    Closed,
    Negative(u32),
    Number(i32),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Pid {
    Own,
    First,
    Any(i32),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Id {
    Real,
    Effective,
    Saved,
    Any(u32),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Claim {
    True,
    Near(i8),
    Any(u64),
}

struct Fixed {
    files: [OwnedFd; 5],
    /// Rings may be forbidden.
    ring: Option<OwnedFd>,
    sender: RefCell<Sender>,
}

thread_local! {
    static FIXED: Fixed = Fixed::new();
}

fn new_ring() -> Option<OwnedFd> {
    // `struct io_uring_params`, all zeros: the defaults.
    let mut parameters = [0u64; 15];
    // SAFETY: the call writes to a structure of that size.
    let number = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) };
    // SAFETY: if the call has succeeded, this is a new descriptor.
    (number >= 0).then(|| unsafe { OwnedFd::from_raw_fd(number as RawFd) })
}

impl Fixed {
    fn new() -> Self {
        table::limit(table::WATCHED);
        let flags = SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None).expect("a socket");
        let memory = || memfd_create(c"file", MemfdFlags::CLOEXEC).expect("a file");
        let directory = openat(CWD, c"/", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).expect("a directory");
        let ring = new_ring();
        let sender = Sender::new(ring.as_ref().map(AsRawFd::as_raw_fd));
        Fixed { files: [memory(), memory(), memory(), directory, socket], ring, sender: RefCell::new(sender) }
    }
}

fn number(slot: Slot, fixed: &Fixed) -> RawFd {
    let closed = table::WATCHED as RawFd;
    match slot {
        Slot::File(index) => fixed.files[usize::from(index) % fixed.files.len()].as_raw_fd(),
        Slot::Ring => fixed.ring.as_ref().map_or(closed, AsRawFd::as_raw_fd),
        Slot::Closed => closed,
        Slot::Negative(bits) => (bits | 1 << 31) as i32,
        Slot::Number(number) => number,
    }
}

fn id(id: Id, [real, effective, saved]: [u32; 3]) -> u32 {
    match id {
        Id::Real => real,
        Id::Effective => effective,
        Id::Saved => saved,
        Id::Any(id) => id,
    }
}

impl Content<'_> {
    fn message(&self, fixed: &Fixed) -> (i32, i32, Vec<u8>) {
        let (rights, credentials) = (libc::SCM_RIGHTS, libc::SCM_CREDENTIALS);
        match self {
            Content::Rights(slots, cut) => {
                let mut payload: Vec<_> = slots.iter().flat_map(|slot| number(*slot, fixed).to_ne_bytes()).collect();
                payload.resize(payload.len() + usize::from(cut % 4), 0);
                (libc::SOL_SOCKET, rights, payload)
            }
            Content::ManyRights(count) => {
                let payload = number(Slot::File(0), fixed).to_ne_bytes().repeat(usize::from(count % 300));
                (libc::SOL_SOCKET, rights, payload)
            }
            Content::Credentials(pid, uid, gid) => {
                let pid = match *pid {
                    Pid::Own => std::process::id() as i32,
                    Pid::First => 1,
                    Pid::Any(pid) => pid,
                };
                let (uids, gids) = fixed.sender.borrow().ids();
                let [uid, gid] = [id(*uid, uids), id(*gid, gids)].map(u32::to_ne_bytes);
                (libc::SOL_SOCKET, credentials, [pid.to_ne_bytes(), uid, gid].concat())
            }
            Content::AsRights(payload) => (libc::SOL_SOCKET, rights, payload.to_vec()),
            Content::AsCredentials(payload) => (libc::SOL_SOCKET, credentials, payload.to_vec()),
            Content::AsSocket(message_type, payload) => (libc::SOL_SOCKET, i32::from(*message_type), payload.to_vec()),
            Content::Any(level, message_type, payload) => (*level, *message_type, payload.to_vec()),
            Content::Long(len) => (280, 7, vec![0; (*len % 140_000) as usize]),
        }
    }
}

impl Send<'_> {
    fn control(&self, fixed: &Fixed) -> Vec<u8> {
        let arithmetic = Arithmetic::of(Layout::NATIVE);
        let mut bytes = Vec::new();
        for Planned { content, claim } in self.messages.iter().take(8) {
            let (level, message_type, payload) = content.message(fixed);
            let len = arithmetic.data_offset() + payload.len();
            let claimed = match *claim {
                Claim::True => len as u64,
                Claim::Near(distance) => (len as u64).wrapping_add_signed(distance.into()),
                Claim::Any(claimed) => claimed,
            };
            let start = bytes.len();
            bytes.extend(arithmetic.encode((claimed, level, message_type), 0xFF));
            bytes.extend(payload);
            bytes.resize(start + arithmetic.padded(len) as usize, 0xFF);
        }
        bytes.truncate(bytes.len().saturating_sub(usize::from(self.cut)));
        bytes.extend(self.rest);
        bytes
    }
}

struct Sockets {
    here: OwnedFd,
    there: OwnedFd,
    kind: Kind,
    passes_rights: bool,
    queue: Queue,
    /// How many messages there were, so that each has other data.
    count: u8,
}

impl Sockets {
    fn new(input: &Input<'_>) -> Self {
        let kind = input.kind;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (here, there) =
            socketpair(AddressFamily::UNIX, kind.socket_type(), flags, None).expect("a pair of sockets");
        sockopt::set_socket_passcred(&here, input.pass_credentials).expect("every Linux has it");
        let mut passes_rights = true;
        if input.refuse_rights {
            const SO_PASSRIGHTS: libc::c_int = 83; // Linux include/uapi/asm-generic/socket.h; not in `libc`
            let off: libc::c_int = 0;
            // SAFETY: the pointer and the length are those of an integer.
            let result = unsafe {
                libc::setsockopt(here.as_raw_fd(), libc::SOL_SOCKET, SO_PASSRIGHTS, (&raw const off).cast(), 4)
            };
            // Before Linux 6.16 there is no such option, and descriptors are taken.
            passes_rights = result != 0;
        }
        Sockets { here, there, kind, passes_rights, queue: Queue::new(kind, input.pass_credentials), count: 0 }
    }

    fn send(&mut self, send: &Send<'_>, fixed: &Fixed) {
        let memory = Memory::copy_of(&send.control(fixed), send.misalignment);
        let control = memory.bytes();
        self.count = self.count.wrapping_add(1);
        let data = &[self.count; 8][..usize::from(send.data_len % 9)];
        let way = Way {
            takes_nothing: self.kind == Kind::Stream && data.is_empty(),
            passes_rights: self.passes_rights,
            in_flight: self.queue.in_flight(),
            limit: send.limit.map_or(table::WATCHED, |limit| usize::from(limit) % table::WATCHED),
        };
        let Verdict { result: expected, or } = fixed.sender.borrow().send(control, way);
        let ends = [self.here.as_raw_fd(), self.there.as_raw_fd()];
        if expected.as_ref().is_ok_and(|Attached { descriptors, .. }| descriptors.iter().any(|fd| ends.contains(fd))) {
            // A socket that is its own passenger stays in flight until the kernel gets round to it.
            return;
        }

        let slices = [IoSlice::new(data)];
        let header = SendMsgHdr::with_bytes(&slices, control);
        table::limit(way.limit);
        // SAFETY: the header is prepared and lives until after the call. Numbers in it may be anybody's: a duplicate that
        // arrives is compared and closed, nothing else is done with it.
        let sent = unsafe { sendmsg_raw(&self.there, header.as_ptr(), SendFlags::DONTWAIT | SendFlags::NOSIGNAL) };
        table::limit(table::WATCHED);

        match (sent, expected) {
            (Ok(sent), Ok(Attached { descriptors, credentials })) => {
                assert_eq!(sent, data.len());
                // SAFETY: each is open, or the kernel would have refused it.
                let file = |number| file(unsafe { BorrowedFd::borrow_raw(number) });
                self.queue.push(data, descriptors.into_iter().map(file).collect(), credentials);
            }
            (Err(error), expected) => {
                let is_expected = expected.as_ref().err() == Some(&error) || or.contains(&error);
                assert!(is_expected, "{error:?}, not {expected:?} or {or:?}: {}", ControlMessages::new(control));
            }
            (sent, expected) => panic!("{sent:?}, not {expected:?}: {}", ControlMessages::new(control)),
        }
    }

    fn receive(&mut self, room: u16, misalignment: u8, data_len: u8, taken: u8, all_taken: &mut Vec<OwnedFd>) {
        let mut memory = Memory::filled(0xFF, usize::from(room % 1200), misalignment);
        let data = &mut [0; 16][..usize::from(data_len % 17)];
        let before = open();
        let room = Room { control: memory.bytes().len(), descriptors: table::WATCHED - before.count_ones() as usize };
        let arrived = self.queue.receive(data.len());
        match recvmsg(&self.here, &mut [IoSliceMut::new(data)], memory.bytes_mut(), RecvFlags::DONTWAIT) {
            Ok(mut received) => {
                let arrived = arrived.expect("something was sent");
                assert_eq!(received.filled(data), arrived.data);
                arrived.write(room).compare(&received);
                all_taken
                    .extend(received.take_descriptors().expect("the kernel passes descriptors").take(taken.into()));
            }
            Err(error) => {
                assert_eq!(error, Errno::AGAIN);
                assert!(arrived.is_none(), "{arrived:?}");
            }
        }
        let new = open() & !before;
        assert_eq!(open() & before, before);
        assert_eq!(new, set_of(all_taken.iter().map(AsRawFd::as_raw_fd)) & !before);
        assert!(memory.is_untouched_before());
    }
}

fuzz_target!(|input: Input<'_>| {
    FIXED.with(|fixed| {
        let start = open();
        let mut sockets = Sockets::new(&input);
        let mut taken = Vec::new();
        let reduced = input.privileges.apply();
        fixed.sender.borrow_mut().ask_again();
        for step in input.steps.iter().take(32) {
            match *step {
                Step::Send(ref send) => sockets.send(send, fixed),
                Step::Receive { room, misalignment, data_len, taken: count } => {
                    sockets.receive(room, misalignment, data_len, count, &mut taken);
                }
                Step::CloseTaken(index) => {
                    if !taken.is_empty() {
                        taken.swap_remove(usize::from(index) % taken.len());
                    }
                }
            }
        }
        drop((sockets, taken, reduced));
        assert_eq!(open(), start);
    });
});
