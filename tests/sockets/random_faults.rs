//! One message after the other, and with each of them whatever may go wrong, at random. At the end the same descriptors
//! are open as at the start, and nobody in the system has one that was sent.
//!
//! The environment says how many messages (`ANCILLARY_TEST_MESSAGES`) and where the random numbers begin
//! (`ANCILLARY_TEST_SEED`): the same numbers make the same run. `.ci/soak` asks for a million.

use crate::support::*;
use crate::tests;
use ancillary::received::recvmmsg;
use ancillary::socket::{CLOEXEC_ON_RECEIVE, RecvMsgHdr, RecvRoom, RecvSlot, recvmsg_raw};
use ancillary::{Message, Received};
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::io::{Errno, IoSliceMut};
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{RecvFlags, SocketType};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

tests![no_descriptor_is_lost if the_kernels_truncation];

const FEW: u64 = 5000;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn one_in(&mut self, number: usize) -> bool {
        self.below(number) == 0
    }
}

/// What tells a file from every other: its inode, if it is open.
fn file_at(number: RawFd) -> Option<(u64, u64)> {
    // SAFETY: zero is a value of every field.
    let mut facts: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: asking about any number is harmless.
    (unsafe { libc::fstat(number, &raw mut facts) } == 0).then_some((facts.st_dev as _, facts.st_ino as _))
}

type File = Option<(u64, u64)>;

/// What happened, and how often.
#[derive(Default)]
struct Account(BTreeMap<&'static str, u64>);

impl Account {
    fn add(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
}

/// Every one of these has to happen.
const FAULTS: [&str; 16] = [
    "a batch",
    "a call on a header",
    "a full table of descriptors",
    "a panic in the caller",
    "an empty message",
    "as many descriptors as can be sent",
    "credentials beside",
    "data cut",
    "descriptors cut off",
    "looked at, and nothing taken",
    "nobody looked",
    "peeked",
    "refused for being incomplete",
    "taken in part",
    "taken without the messages",
    "the receiver gone, with messages on their way",
];

/// A connection, with the files of the messages that are on their way.
struct Connection {
    kind: SocketType,
    here: OwnedFd,
    there: OwnedFd,
    on_their_way: VecDeque<Vec<File>>,
}

impl Connection {
    fn new(random: &mut Random) -> Self {
        let kind = TYPES[random.below(3)];
        let (here, there) = pair(kind);
        set_socket_passcred(&there, random.one_in(2)).unwrap();
        let _ = set_option(&there, SO_PASSPIDFD, random.one_in(4).into());
        Connection { kind, here, there, on_their_way: VecDeque::new() }
    }
}

/// What a caller has kept of what arrived, each with the file it has to be.
struct Kept(Vec<(OwnedFd, File)>);

impl Kept {
    fn keep(&mut self, descriptor: OwnedFd, file: File) {
        assert_eq!(file_at(descriptor.as_raw_fd()), file, "another file has arrived, or none");
        self.0.push((descriptor, file));
    }

    /// Whoever was closed by mistake is missed here, at the latest.
    fn let_go(&mut self, at_most: usize, random: &mut Random) {
        while self.0.len() > at_most {
            let (descriptor, file) = self.0.swap_remove(random.below(self.0.len()));
            assert_eq!(file_at(descriptor.as_raw_fd()), file, "what was kept is another file now, or closed");
        }
    }
}

/// Looks at what has arrived like a caller who may do anything: at nothing, at some of it, at all.
fn look_at(mut received: Received<'_>, sent: &[File], kept: &mut Kept, random: &mut Random, account: &mut Account) {
    if received.data_truncated() {
        account.add("data cut");
    }
    let whole = !received.control_truncated();
    if !whole {
        account.add("descriptors cut off");
    }
    match random.below(8) {
        0 => return account.add("nobody looked"),
        1 => match received.complete() {
            Ok(complete) => received = complete,
            Err(_) => return account.add("refused for being incomplete"),
        },
        2 if random.one_in(32) => {
            account.add("a panic in the caller");
            let result = catch_unwind(AssertUnwindSafe(|| {
                let _one = received.take_descriptors().unwrap().next();
                std::panic::resume_unwind(Box::new(()));
            }));
            assert!(result.is_err());
            return;
        }
        3 => {
            account.add("taken in part");
            let messages = random.below(3);
            let descriptors = random.below(3);
            for message in received.take_messages().take(messages) {
                match message.unwrap() {
                    Message::ScmRights(rights) => {
                        for (descriptor, file) in rights.take(descriptors).zip(sent) {
                            kept.keep(descriptor, *file);
                        }
                    }
                    Message::ScmPidfd(pidfd) => drop(pidfd),
                    Message::ScmCredentials(_) => account.add("credentials beside"),
                    other => assert!(matches!(other, Message::Other(_)) && !whole, "{other:?}"),
                }
            }
            if random.one_in(2) {
                assert!(received.take_descriptors().unwrap().next().is_none(), "there is a second owner");
            }
            return;
        }
        4 => {
            account.add("taken without the messages");
            for (descriptor, file) in received.take_descriptors().unwrap().take(random.below(3)).zip(sent) {
                kept.keep(descriptor, *file);
            }
            return;
        }
        5 => {
            account.add("looked at, and nothing taken");
            let descriptors = received.messages().filter_map(|message| match message.unwrap() {
                Message::ScmRights(rights) => Some(rights),
                _ => None,
            });
            let files: Vec<_> = descriptors.flatten().map(|descriptor| file_at(descriptor.as_raw_fd())).collect();
            assert!(sent.starts_with(&files) && (!whole || files.len() == sent.len()));
            if random.one_in(2) {
                return;
            }
        }
        _ => {}
    }
    let mut arrived = 0;
    for message in received.into_messages() {
        if let Message::ScmRights(rights) = message.unwrap() {
            for descriptor in rights {
                kept.keep(descriptor, sent[arrived]);
                arrived += 1;
            }
        }
    }
    assert!(!whole || arrived == sent.len(), "{arrived} of {} descriptors have arrived, and nothing tells", sent.len());
}

/// Receives one message or several. A message that the system has given nobody stays on its way.
fn receive_some(connection: &mut Connection, kept: &mut Kept, random: &mut Random, account: &mut Account) {
    let mut room = [0xff; 3 * 1100];
    let mut data = [0; 3 * 8];
    // On a stream one byte is one message. Elsewhere any length will do.
    let data_room = if connection.kind == SocketType::STREAM { 1 } else { random.below(8) };
    let control_capacity = if random.one_in(3) { random.below(96) } else { 1100 };
    let limit = random.one_in(6).then(|| {
        account.add("a full table of descriptors");
        // The number that is free comes next, so this leaves at most so many.
        let free = rustix::io::fcntl_dupfd_cloexec(&connection.there, 0).unwrap().as_raw_fd() as u64;
        DescriptorLimit::numbers_below(free + random.below(4) as u64)
    });
    if random.one_in(8) {
        account.add("peeked");
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
        let peeked = receive_flags(&connection.there, &mut data[..data_room], &mut room[..control_capacity], flags);
        // On a stream a peek that ends where bytes without descriptors do looks at what comes next as well: Linux
        // `unix_stream_read_generic`.
        let with_any = connection.on_their_way.iter().find(|files| !files.is_empty());
        let first = connection.on_their_way.front();
        match (peeked, if connection.kind == SocketType::STREAM { with_any.or(first) } else { first }) {
            (Ok(peeked), Some(sent)) => look_at(peeked, sent, kept, random, account),
            (result, sent) => assert_eq!((result.err(), sent), (Some(Errno::AGAIN), None)),
        }
    }
    match random.below(4) {
        0 if data_room > 0 => {
            account.add("a batch");
            let mut slices: Vec<[IoSliceMut<'_>; 1]> =
                data.chunks_mut(8).map(|data| [IoSliceMut::new(&mut data[..data_room])]).collect();
            let mut rooms: Vec<RecvRoom<'_, '_>> = slices
                .iter_mut()
                .zip(room.chunks_mut(1100))
                .map(|(slices, room)| RecvRoom::new(slices, &mut room[..control_capacity]))
                .collect();
            let mut slots = [const { RecvSlot::new() }; 3];
            let count = 1 + random.below(3);
            match recvmmsg(&connection.there, &mut slots[..count], &mut rooms, RecvFlags::DONTWAIT, None) {
                Ok(batch) => {
                    let looked_at = random.below(4);
                    let sent: Vec<_> = connection.on_their_way.drain(..batch.len()).collect();
                    for (message, sent) in batch.zip(sent).take(looked_at) {
                        look_at(message.into_parts().0, &sent, kept, random, account);
                    }
                }
                Err(error) => assert_eq!((error, connection.on_their_way.len()), (Errno::AGAIN, 0)),
            }
        }
        1 => {
            account.add("a call on a header");
            let mut slices = [IoSliceMut::new(&mut data[..data_room])];
            let mut header = RecvMsgHdr::new(&mut slices, &mut room[..control_capacity]);
            let flags = RecvFlags::DONTWAIT | CLOEXEC_ON_RECEIVE;
            for _ in 0..1 + random.below(2) {
                // SAFETY: the header is prepared, lives until after the call and stays where it is.
                match unsafe { recvmsg_raw(&connection.there, header.as_mut_ptr(), flags) } {
                    Ok(bytes) => {
                        let sent = connection.on_their_way.pop_front().unwrap();
                        // SAFETY: that call has succeeded with these flags, and this is the one owner.
                        let message = unsafe { header.received(bytes, flags) };
                        look_at(message.into_parts().0, &sent, kept, random, account);
                    }
                    Err(error) => assert_eq!((error, connection.on_their_way.len()), (Errno::AGAIN, 0)),
                }
            }
        }
        _ => {
            let (data, room) = (&mut data[..data_room], &mut room[..control_capacity]);
            match receive_flags(&connection.there, data, room, RecvFlags::DONTWAIT) {
                Ok(received) => {
                    let sent = connection.on_their_way.pop_front().unwrap();
                    look_at(received, &sent, kept, random, account);
                }
                Err(error) => assert_eq!((error, connection.on_their_way.len()), (Errno::AGAIN, 0)),
            }
        }
    }
    drop(limit);
}

fn no_descriptor_is_lost() {
    let wanted = from_environment("ANCILLARY_TEST_MESSAGES").unwrap_or(FEW);
    let seed = from_environment("ANCILLARY_TEST_SEED").unwrap_or(0x2545_f491_4f6c_dd1d).max(1);
    let mut random = Random(seed);
    let mut account = Account::default();
    let start: BTreeMap<RawFd, File> = open_descriptors().into_iter().map(|number| (number, file_at(number))).collect();

    // The writing ends are what is sent. Their readers know when nobody has them any more.
    let (readers, writers): (Vec<OwnedFd>, Vec<OwnedFd>) = (0..8).map(|_| rustix::pipe::pipe().unwrap()).unzip();
    let files: Vec<File> = writers.iter().map(|writer| file_at(writer.as_raw_fd())).collect();
    let mut connections: Vec<Connection> = (0..6).map(|_| Connection::new(&mut random)).collect();
    let mut kept = Kept(Vec::new());
    let (mut sent, mut descriptors) = (0, 0);
    while sent < wanted {
        let index = random.below(connections.len());
        let connection = &mut connections[index];
        let count = match random.below(64) {
            0 => 253,
            other => other % 6,
        };
        let chosen: Vec<usize> = (0..count).map(|_| random.below(writers.len())).collect();
        let borrowed: Vec<BorrowedFd<'_>> = chosen.iter().map(|index| borrowed(&writers)[*index]).collect();
        let len = if connection.kind == SocketType::DGRAM { random.below(9) } else { 1 };
        assert_eq!(send(&connection.here, &[7; 8][..len], &borrowed), Ok(len));
        connection.on_their_way.push_back(chosen.iter().map(|index| files[*index]).collect());
        sent += 1;
        descriptors += count;
        for (happened, what) in [(len == 0, "an empty message"), (count == 253, "as many descriptors as can be sent")] {
            if happened {
                account.add(what);
            }
        }
        if random.one_in(50) {
            if !connection.on_their_way.is_empty() {
                account.add("the receiver gone, with messages on their way");
            }
            connections[index] = Connection::new(&mut random);
        } else if connection.on_their_way.len() > 3 || random.one_in(2) {
            receive_some(connection, &mut kept, &mut random, &mut account);
        }
        kept.let_go(24, &mut random);
    }
    kept.let_go(0, &mut random);
    drop((connections, writers));

    println!("\n{sent} messages with {descriptors} descriptors were sent (ANCILLARY_TEST_SEED={seed}):");
    for (what, count) in &account.0 {
        println!("{count:10} {what}");
    }
    for reader in &readers {
        rustix::io::ioctl_fionbio(reader, true).unwrap();
        assert_eq!(rustix::io::read(reader, &mut [0; 1]), Ok(0), "somebody still has the other end");
    }
    drop(readers);
    let end: BTreeMap<RawFd, File> = open_descriptors().into_iter().map(|number| (number, file_at(number))).collect();
    assert_eq!(start, end);
    if wanted >= FEW {
        for what in FAULTS {
            assert!(account.0.contains_key(what), "this never happened: {what}");
        }
    }
}
