//! Receiving: who owns which descriptor, over real sockets, in any program of sends, calls, takes and drops.
//!
//! The process can have 128 descriptors, and the target knows at every step which of them are open. Held are
//!
//! - that a call which succeeds has opened just what its messages show, and one which fails nothing;
//! - that looking shows what there is and changes nothing; that taking hands over everything, so that what is not taken is
//!   closed when the walk ends, and what is looked at afterwards are plain bytes; that a walk which is forgotten leaks and
//!   no more; that descriptors of the peer are taken all or none, if a slot holds an error;
//! - that no call ever closes what is not its own: neither numbers that lie in the room from before, nor what was opened
//!   meanwhile under a number that was taken and closed;
//! - that what arrives is what was sent: all of it in order, or the front of it and a result that says truncated;
//! - close-on-exec, by every call as it says;
//! - that in the end the open descriptors are those of the start.
//!
//! Room, misalignment and dirt in the room are anything; peeks and a full descriptor table are among the calls. What
//! other systems may write and Linux does not (a message that is cut and does not say so, slots without a descriptor) is
//! made up, with descriptors that are real, and adopted.
#![no_main]

use ancillary::message::{DescriptorError, ScmCredentials, ScmRights, ScmRightsNumbers};
use ancillary::received::recvmsg;
use ancillary::socket::sendmsg;
use ancillary::socket::{CLOEXEC_ON_RECEIVE, RecvMsgHdr, RecvOptions, recvmsg_raw};
use ancillary::{ControlBuffer, ControlMessages, Layout, Message, Received, control_space};
use ancillary_fuzz::owning::{Kind, Model, look, walk};
use ancillary_fuzz::table::{self, Open, file, open, set_of};
use ancillary_fuzz::{Arithmetic, Memory, lines};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{Errno, FdFlags, IoSlice, IoSliceMut, fcntl_dupfd_cloexec, fcntl_getfd};
use rustix::net::{AddressFamily, RecvFlags, ReturnFlags, SendFlags, SocketFlags, SocketType, socketpair, sockopt};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;

#[derive(Arbitrary, Debug)]
struct Input {
    socket_type: AnySocketType,
    pass_credentials: bool,
    pass_pidfd: bool,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum AnySocketType {
    Stream,
    Datagram,
    SeqPacket,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Send(Send),
    Receive(Receive),
    Adopt(Adopt),
    CloseTaken(u8),
}

#[derive(Arbitrary, Debug)]
struct Send {
    /// Which files, by index.
    first: u8,
    count: u8,
    credentials: bool,
    data_len: u8,
}

#[derive(Arbitrary, Debug)]
struct Receive {
    call: Call,
    room: u8,
    misalignment: u8,
    /// How far the dirt in the room is shifted.
    shift: u8,
    data_len: u8,
    peek: bool,
    /// How many more descriptors the table has room for.
    table_room: Option<u8>,
    uses: Vec<Use>,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Call {
    Recvmsg,
    Inheritable,
    Prepared,
    /// A call that the crate has nothing to do with.
    Foreign,
}

/// A buffer as Linux does not write it, but other systems may: several messages with descriptors, slots with errors,
/// and a message that is cut without saying so.
#[derive(Arbitrary, Debug)]
struct Adopt {
    messages: Vec<MadeUp>,
    /// How much more than there is the last message claims.
    overclaim: Option<u64>,
    misalignment: u8,
    truncated: bool,
    uses: Vec<Use>,
}

#[derive(Arbitrary, Debug)]
enum MadeUp {
    /// Slots, and so many bytes of another one.
    Rights(Vec<Slot>, u8),
    Pidfd(Vec<Slot>, u8),
    /// So many bytes of credentials, or more.
    Credentials(u8),
    Unknown(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Slot {
    Descriptor,
    /// The slot's bits, but for the sign.
    None(u32),
}

/// What is done with a `Received`.
#[derive(Arbitrary, Debug)]
enum Use {
    /// Takes so many from each message, for as many messages as are given, and drops the walk.
    Walk {
        takes: Vec<u8>,
        last_first: bool,
    },
    /// The same with what borrows the buffer alone, to the end.
    WalkTheWhole {
        takes: Vec<u8>,
    },
    TakeDescriptors(u8),
    /// All of them, by a fold.
    TakeAll,
    /// Walks over so many messages, and forgets the walk.
    Forget(u8),
    Complete,
    Find,
    Bytes,
    Draw,
    CloseTaken(u8),
    /// Opens a descriptor: it gets the lowest number that is free.
    Open,
}

/// What all data is made of.
const DATA: u8 = b'd';

/// More files than one message passes, so that what arrives shows where it begins.
struct Files([OwnedFd; 7]);

impl Files {
    fn all() -> &'static Self {
        static FILES: OnceLock<Files> = OnceLock::new();
        FILES.get_or_init(|| {
            table::limit(table::WATCHED);
            Files([(); 7].map(|()| memfd_create(c"file", MemfdFlags::CLOEXEC).expect("a file")))
        })
    }

    fn index(&self, descriptor: impl AsFd) -> usize {
        let wanted = file(descriptor);
        self.0.iter().position(|one| file(one) == wanted).expect("one of the files")
    }
}

/// Which files a message passes.
type Passed = Vec<usize>;

/// The two ends, and what is on its way.
struct Sockets {
    here: OwnedFd,
    there: OwnedFd,
    socket_type: AnySocketType,
    /// The messages that were sent; on a stream, all that ever were.
    sent: VecDeque<Passed>,
}

impl Sockets {
    fn new(input: &Input) -> Self {
        let socket_type = match input.socket_type {
            AnySocketType::Stream => SocketType::STREAM,
            AnySocketType::Datagram => SocketType::DGRAM,
            AnySocketType::SeqPacket => SocketType::SEQPACKET,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (here, there) = socketpair(AddressFamily::UNIX, socket_type, flags, None).expect("a pair of sockets");
        sockopt::set_socket_passcred(&here, input.pass_credentials).expect("every Linux has it");
        if input.pass_pidfd {
            let on: libc::c_int = 1;
            // SAFETY: the pointer and the length are those of an integer. (Before Linux 6.5 the call fails, and no such
            // message arrives.)
            unsafe {
                let value = (&raw const on).cast();
                libc::setsockopt(here.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PASSPIDFD, value, 4)
            };
        }
        Sockets { here, there, socket_type: input.socket_type, sent: VecDeque::new() }
    }

    fn send(&mut self, send: &Send) {
        let files = Files::all();
        let passed: Passed =
            (0..usize::from(send.count % 6)).map(|index| (usize::from(send.first) + index) % files.0.len()).collect();
        let descriptors: Vec<_> = passed.iter().map(|index| files.0[*index].as_fd()).collect();
        let mut space = ControlBuffer::<{ control_space!(ScmRights[5], ScmCredentials) }>::new();
        let mut control = space.writer();
        if !descriptors.is_empty() {
            control.push(ScmRights(&descriptors)).expect("the room is for both");
        }
        if send.credentials {
            control.push(ScmCredentials::of_this_process()).expect("the room is for both");
        }
        let data = &[DATA; 8][..usize::from(send.data_len % 9)];
        match sendmsg(&self.there, &[IoSlice::new(data)], &control, SendFlags::DONTWAIT) {
            Ok(sent) => {
                assert_eq!(sent, data.len());
                self.sent.push_back(passed);
            }
            // The queue is full, or too many of this user's descriptors are on their way.
            Err(Errno::AGAIN | Errno::TOOMANYREFS) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// What a call that has succeeded may have received.
    fn arrived(&mut self, peek: bool) -> Vec<Passed> {
        match self.socket_type {
            // Bytes of several messages may arrive together, but the descriptors of one.
            AnySocketType::Stream => {
                let mut any: Vec<_> = self.sent.iter().cloned().collect();
                any.push(Passed::new());
                any
            }
            _ if peek => vec![self.sent.front().expect("nothing else is received").clone()],
            _ => vec![self.sent.pop_front().expect("nothing else is received")],
        }
    }
}

/// Checks what has arrived against what was sent. The table of descriptors may have been full when it arrived.
fn compare(received: &Received<'_>, receive: &Receive, full: bool, sent: &[Passed]) {
    let files = Files::all();
    let truncated = received.control_truncated();
    let mut arrived = Passed::new();
    for message in received.messages() {
        match message.expect("the kernel writes messages") {
            Message::ScmRights(descriptors) => {
                assert_eq!(descriptors.remainder(), &[]);
                for descriptor in descriptors {
                    arrived.push(files.index(descriptor));
                    let flags = fcntl_getfd(descriptor).expect("it is open");
                    assert_eq!(flags.contains(FdFlags::CLOEXEC), receive.call != Call::Inheritable);
                }
            }
            Message::ScmPidfd(Ok(descriptor)) => {
                assert!(fcntl_getfd(descriptor).expect("it is open").contains(FdFlags::CLOEXEC));
            }
            Message::ScmPidfd(Err(none)) => {
                assert_eq!(none.errno(), Some(Errno::MFILE));
                assert!(full);
            }
            Message::ScmCredentials(credentials) => assert_eq!(credentials, ScmCredentials::of_this_process()),
            Message::Other(message) => assert!(message.is::<ScmCredentials>() && truncated, "{message:?}"),
            other => panic!("nobody has asked for {other:?}"),
        }
    }
    let matches = |passed: &Passed| if truncated { passed.starts_with(&arrived) } else { *passed == arrived };
    assert!(sent.iter().any(matches), "{arrived:?} of {sent:?}, truncated: {truncated}");
}

/// Does what the program says with what has arrived, and drops it. `before` are the descriptors that were open before
/// the call.
fn use_up(mut received: Received<'_>, uses: &[Use], mut model: Model, before: Open, taken: &mut Vec<OwnedFd>) {
    let outside = before & !set_of(taken.iter().map(AsRawFd::as_raw_fd));
    let now = |taken: &[OwnedFd]| outside | set_of(taken.iter().map(AsRawFd::as_raw_fd));
    for action in uses {
        match action {
            Use::Walk { takes, last_first } => {
                walk(received.take_messages(), model.shown(), takes, *last_first, taken);
                model.owns = false;
            }
            Use::WalkTheWhole { takes } => {
                let messages = received.into_messages();
                assert_eq!(open(), now(taken) | model.owned());
                walk(messages, model.shown(), takes, false, taken);
                assert_eq!(open(), now(taken));
                return;
            }
            Use::TakeDescriptors(count) => {
                let (rights, count) = (model.rights(), usize::from(*count));
                let refused = rights.iter().find(|slot| **slot < 0);
                match (received.take_descriptors(), refused) {
                    (Ok(mut descriptors), None) => {
                        for (index, slot) in rights.iter().enumerate().take(count) {
                            assert_eq!(descriptors.len(), rights.len() - index);
                            let descriptor = descriptors.next().expect("as many as there are");
                            assert_eq!(descriptor.as_raw_fd(), *slot);
                            taken.push(descriptor);
                        }
                        assert_eq!(descriptors.len(), rights.len().saturating_sub(count));
                        if count > rights.len() {
                            assert!(descriptors.next().is_none());
                        }
                        model.owns = false;
                    }
                    (Err(none), Some(slot)) => assert_eq!(none.raw, *slot),
                    (result, refused) => panic!("{result:?}, and {refused:?}"),
                }
            }
            Use::TakeAll => {
                let rights = model.rights();
                if let Ok(descriptors) = received.take_descriptors() {
                    let start = taken.len();
                    taken.extend(descriptors);
                    assert!(taken[start..].iter().map(AsRawFd::as_raw_fd).eq(rights));
                    model.owns = false;
                } else {
                    assert!(rights.iter().any(|slot| *slot < 0));
                }
            }
            Use::Forget(walked) => {
                let walked = usize::from(*walked);
                let mut messages = received.take_messages();
                messages.by_ref().take(walked).for_each(drop);
                std::mem::forget(messages);
                // A clamped message is forgotten with the walk, whether its error was seen or not.
                let clamped = usize::from(received.raw_messages().any(|message| message.is_err()));
                let leaked = model.owned_from(walked.min(model.messages.len().saturating_sub(clamped)));
                assert_eq!(open(), now(taken) | leaked);
                let numbers = (0..table::WATCHED as RawFd).filter(|number| leaked & (1 << number) != 0);
                // SAFETY: what could have owned them was forgotten.
                taken.extend(numbers.map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
                model.owns = false;
            }
            Use::Bytes => {
                let before: Vec<_> =
                    received.raw_messages().map(|message| message.map(|message| message.payload().to_vec())).collect();
                let len = received.control_len();
                let bytes = received.control_bytes().to_vec();
                assert_eq!((bytes.len(), received.control_bytes()), (len, &bytes[..]));
                let read =
                    ControlMessages::new(&bytes).map(|message| message.map(|message| message.payload().to_vec()));
                assert!(read.eq(before));
            }
            Use::Complete => {
                let (data, control) = (received.data_truncated(), received.control_truncated());
                let slot = model.first_error().map(|raw| DescriptorError { raw });
                let (control_len, control_capacity) = (received.control_len(), received.control_capacity());
                let is_incomplete = data || control || slot.is_some();
                assert_eq!(received.incomplete().is_some(), is_incomplete);
                received = match received.complete() {
                    Ok(received) => {
                        assert!(!is_incomplete);
                        received
                    }
                    Err(told) => {
                        assert!(is_incomplete);
                        assert_eq!((told.data, told.control, told.descriptor), (data, control, slot));
                        assert_eq!((told.control_len, told.control_capacity), (control_len, control_capacity));
                        assert!(control_len <= control_capacity);
                        assert_eq!(open(), now(taken));
                        return;
                    }
                };
            }
            Use::Find => {
                // The numbers are there, whoever owns them; but not in what is clamped.
                let rights =
                    received.raw_messages().position(|message| message.is_ok_and(|found| found.is::<ScmRights>()));
                let found = received.find::<ScmRightsNumbers<'_>>();
                let slots = found.map(|found| found.expect("any length").map(number_of).collect::<Vec<_>>());
                let expected = rights.map(|index| model.messages[index].as_ref().expect("it has slots").1.clone());
                assert_eq!(slots, expected);
            }
            Use::Draw => {
                lines(format_args!("{received:?} {:?} {:?}", *received, received.incomplete()));
                lines(format_args!("{:?}", received.messages().collect::<Vec<_>>()));
                lines(format_args!("{:?} {:?}", received.messages(), received.raw_messages()));
            }
            Use::CloseTaken(index) => close_one(taken, *index),
            Use::Open => taken.extend(fcntl_dupfd_cloexec(&Files::all().0[0], 0)),
        }
        assert_eq!(look(&received), model.shown());
        assert_eq!(open(), now(taken) | model.owned());
    }
    drop(received);
    assert_eq!(open(), now(taken));
}

fn number_of(slot: Result<RawFd, DescriptorError>) -> RawFd {
    slot.unwrap_or_else(|none| none.raw)
}

fn call<'c>(
    socket: &OwnedFd,
    call: Call,
    data: &mut [u8],
    room: &'c mut [u8],
    flags: RecvFlags,
) -> Result<Received<'c>, Errno> {
    let mut slices = [IoSliceMut::new(data)];
    match call {
        Call::Recvmsg => recvmsg(socket, &mut slices, room, flags),
        Call::Inheritable => recvmsg(socket, &mut slices, room, RecvOptions::from(flags).inheritable()),
        Call::Prepared => {
            let flags = flags | CLOEXEC_ON_RECEIVE;
            let mut header = RecvMsgHdr::new(&mut slices, room);
            let pointer = header.as_mut_ptr();
            // SAFETY: the header is prepared, lives until after the call, and stays where it is.
            let bytes = unsafe { recvmsg_raw(socket, pointer, flags) }?;
            // SAFETY: that call has succeeded with these flags, and nothing else has looked at the header.
            Ok(unsafe { header.into_received(bytes, flags) })
        }
        Call::Foreign => {
            // SAFETY: every field is a number or a raw pointer, for which zero is a value.
            let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
            (header.msg_iov, header.msg_iovlen) = (slices.as_mut_ptr().cast(), slices.len());
            (header.msg_control, header.msg_controllen) = (room.as_mut_ptr().cast(), room.len());
            let flags = flags | CLOEXEC_ON_RECEIVE;
            // SAFETY: the pointers and the lengths are those of slices that live until after the call.
            let bytes = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags.bits() as libc::c_int) };
            let Ok(bytes) = usize::try_from(bytes) else {
                return Err(Errno::from_io_error(&io::Error::last_os_error()).expect("the call has failed"));
            };
            let returned = ReturnFlags::from_bits_retain(header.msg_flags as u32);
            let filled = &mut room[..header.msg_controllen];
            // SAFETY: that call has succeeded and filled this part, and nothing else has looked at it.
            Ok(unsafe { Received::from_raw_parts(bytes, returned, None, filled) })
        }
    }
}

fn receive(sockets: &mut Sockets, receive: &Receive, taken: &mut Vec<OwnedFd>) {
    let room = usize::from(receive.room % 129);
    let mut memory = Memory::dirty(room, receive.misalignment, Files::all().0[0].as_raw_fd(), receive.shift);
    receive_into(memory.bytes_mut(), sockets, receive, taken);
    assert!(memory.is_untouched_before());
}

fn receive_into(room: &mut [u8], sockets: &mut Sockets, receive: &Receive, taken: &mut Vec<OwnedFd>) {
    let data = &mut [0; 16][..usize::from(receive.data_len % 17)];
    let mut flags = RecvFlags::DONTWAIT;
    flags.set(RecvFlags::PEEK, receive.peek);

    let before = open();
    let limit = receive.table_room.map_or(table::WATCHED, |room| table::limit_with_room(before, room % 8));
    table::limit(limit);
    let result = call(&sockets.here, receive.call, data, room, flags);
    table::limit(table::WATCHED);

    match result {
        Ok(received) => {
            assert!(!received.flags().contains(ReturnFlags::CMSG_CLOEXEC));
            assert_eq!(received.filled(data), &[DATA; 16][..received.bytes()]);
            let model = Model::of(&received);
            assert_eq!(before & model.owned(), 0);
            let after = open();
            assert_eq!(after, before | model.owned());
            let full = (0..limit).all(|number| after & (1 << number) != 0);
            compare(&received, receive, full, &sockets.arrived(receive.peek));
            use_up(received, &receive.uses, model, before, taken);
        }
        Err(error) => {
            assert_eq!(error, Errno::AGAIN);
            assert_eq!(open(), before);
            assert!(sockets.socket_type == AnySocketType::Stream || sockets.sent.is_empty());
        }
    }
}

impl MadeUp {
    const SCM_PIDFD: i32 = 4; // Linux include/linux/socket.h; not in `libc`

    fn level_and_type(&self) -> (i32, i32) {
        match self {
            MadeUp::Rights(..) => (libc::SOL_SOCKET, libc::SCM_RIGHTS),
            MadeUp::Pidfd(..) => (libc::SOL_SOCKET, Self::SCM_PIDFD),
            MadeUp::Credentials(_) => (libc::SOL_SOCKET, libc::SCM_CREDENTIALS),
            MadeUp::Unknown(message_type) => (280, i32::from(*message_type)),
        }
    }

    /// The slots, each descriptor newly opened, and how many bytes follow.
    fn open(&self) -> (Vec<RawFd>, usize) {
        let open = |slot: &Slot| match *slot {
            Slot::Descriptor => fcntl_dupfd_cloexec(&Files::all().0[0], 0).map_or(-1, IntoRawFd::into_raw_fd),
            Slot::None(bits) => -1 - (bits % (1 << 31)) as i32,
        };
        match self {
            MadeUp::Rights(slots, cut) | MadeUp::Pidfd(slots, cut) => {
                (slots.iter().take(8).map(open).collect(), usize::from(cut % 4))
            }
            MadeUp::Credentials(len) | MadeUp::Unknown(len) => (Vec::new(), usize::from(len % 16)),
        }
    }
}

fn adopt(adopt: &Adopt, taken: &mut Vec<OwnedFd>) {
    let arithmetic = Arithmetic::of(Layout::NATIVE);
    let before = open();
    let (mut bytes, mut model) = (Vec::new(), Model { messages: Vec::new(), owns: true });
    for (index, message) in adopt.messages.iter().enumerate() {
        let (level, message_type) = message.level_and_type();
        let (slots, remainder) = message.open();
        let len = arithmetic.data_offset() + 4 * slots.len() + remainder;
        let is_last = index + 1 == adopt.messages.len();
        let overclaim = adopt.overclaim.filter(|_| is_last);
        let claimed = overclaim.map_or(len as u64, |more| (len as u64 + 1).saturating_add(more));
        let start = bytes.len();
        bytes.extend(arithmetic.encode((claimed, level, message_type), 0xFF));
        bytes.extend(slots.iter().flat_map(|slot| slot.to_ne_bytes()));
        bytes.resize(start + len, 0xFF);
        if !is_last {
            bytes.resize(start + arithmetic.padded(len) as usize, 0xFF);
        }
        model.messages.push(match message {
            MadeUp::Rights(..) => Some((Kind::Rights, slots, remainder)),
            MadeUp::Pidfd(..) => Some((Kind::Pidfd, slots, remainder)),
            MadeUp::Credentials(_) | MadeUp::Unknown(_) => None,
        });
    }

    let mut memory = Memory::copy_of(&bytes, adopt.misalignment);
    let flags = if adopt.truncated { ReturnFlags::CTRUNC } else { ReturnFlags::empty() };
    // SAFETY: the bytes stand for what a system has written: all are initialised, and nobody else owns the descriptors.
    let received = unsafe { Received::from_raw_parts(0, flags, None, memory.bytes_mut()) };
    assert_eq!(look(&received), model.shown());
    assert_eq!(open(), before | model.owned());
    use_up(received, &adopt.uses, model, before, taken);
    assert!(memory.is_untouched_before());
}

fn close_one(taken: &mut Vec<OwnedFd>, index: u8) {
    if !taken.is_empty() {
        taken.swap_remove(usize::from(index) % taken.len());
    }
}

fuzz_target!(|input: Input| {
    Files::all();
    let start = open();
    let mut sockets = Sockets::new(&input);
    let mut taken = Vec::new();
    for step in input.steps.iter().take(32) {
        match step {
            Step::Send(send) => sockets.send(send),
            Step::Receive(call) => receive(&mut sockets, call, &mut taken),
            Step::Adopt(buffer) => adopt(buffer, &mut taken),
            Step::CloseTaken(index) => close_one(&mut taken, *index),
        }
    }
    drop((sockets, taken));
    assert_eq!(open(), start);
});
