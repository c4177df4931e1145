//! What runs out, and what is cut short: by the system's real limits, real signals and real deaths. No descriptor is lost.

use crate::harness::{command, the_kernel_itself};
use crate::support::*;
use crate::tests;
use crate::waiting::interrupted;
use ancillary::control::ControlSliceMut;
use ancillary::message::{ScmCredentials, ScmRights};
use ancillary::received::{recvmmsg, recvmsg};
use ancillary::socket::sendmmsg;
use ancillary::socket::{RecvRoom, RecvSlot, SendSlot};
use ancillary::{ControlBuffer, ControlWriter, Received, control_space};
use rustix::fd::{AsFd, FromRawFd, OwnedFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{RecvFlags, SendFlags, SocketType};
use std::process::{Child, Stdio};

tests![
    every_number_of_free_descriptors if a_limit_and_the_kernels_truncation,
    too_many_descriptors_on_their_way if a_limit_for_other_users,
    a_refusal_for_the_length_of_one_message_sends_none if the_kernels_refusals,
    a_signal_while_nothing_comes,
    a_signal_in_the_middle_of_a_batch if the_kernels_signals,
    a_signal_while_waiting_for_all_of_the_data,
    a_signal_while_there_is_no_room_to_send,
    a_signal_in_the_middle_of_sending,
    a_peer_that_is_killed_between_two_messages,
    a_peer_that_is_killed_in_the_middle_of_a_message,
    a_peer_that_is_killed_before_it_has_received,
];

fn a_limit_and_the_kernels_truncation() -> Result<(), String> {
    a_limit_of_descriptors()?;
    the_kernels_truncation()
}

fn the_kernels_signals() -> Result<(), String> {
    the_kernel_itself("a signal in the middle of a batch is not kept for the next call")
}

/// A pipe whose writing end is passed on. Once nobody has that any more, reading tells so.
struct Watched {
    reader: OwnedFd,
    writer: OwnedFd,
}

fn watched() -> Watched {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    rustix::io::ioctl_fionbio(&reader, true).unwrap();
    Watched { reader, writer }
}

fn nobody_has_the_other_end(reader: &OwnedFd) -> bool {
    match rustix::io::read(reader, &mut [0; 1]) {
        Ok(0) => true,
        Err(Errno::AGAIN) => false,
        other => panic!("{other:?}"),
    }
}

fn every_number_of_free_descriptors() {
    const SENT: u64 = 5;
    for kind in TYPES {
        for free in 0..=SENT + 1 {
            let (here, there) = pair(kind);
            set_socket_passcred(&there, true).unwrap();
            let (readers, writers): (Vec<_>, Vec<_>) =
                (0..SENT).map(|_| watched()).map(|pipe| (pipe.reader, pipe.writer)).unzip();
            send(&here, b"data", &borrowed(&writers)).unwrap();
            drop(writers);
            let mut room = [0xff; 128];
            let mut data = [0; 8];
            let (limit, filling) = with_free_numbers(free);
            let mut received = receive(&there, &mut data, &mut room);
            drop((limit, filling));
            assert_eq!((received.bytes(), received.control_truncated()), (4, free < SENT), "{free}");
            assert_eq!(received.find::<ScmCredentials>(), Some(Ok(ScmCredentials::of_this_process())));
            let arrived = take_all(&mut received);
            assert_eq!(arrived.len() as u64, free.min(SENT));
            // What had no place is closed, and what had one is open.
            for (index, reader) in readers.iter().enumerate() {
                assert_eq!(nobody_has_the_other_end(reader), index >= arrived.len(), "{index} of {free}");
            }
            drop((received, arrived));
            assert!(readers.iter().all(nobody_has_the_other_end));
            // The next message knows nothing of it.
            send(&here, b"data", &borrowed(&files(2))).unwrap();
            assert_eq!(take_all(&mut receive(&there, &mut data, &mut room).complete().unwrap()).len(), 2);
        }
    }
}

/// A user that no other process is, not another run of this test either. The number fits into the 16 bits of an old
/// system call.
fn somebody() -> u32 {
    40_000 + std::process::id() % 20_000
}

fn a_limit_for_other_users() -> Result<(), String> {
    the_kernel_itself("a process is another user than the emulator says")?;
    a_limit_of_descriptors()?;
    can_change_user()
}

/// Linux counts the descriptors of an unprivileged user that are on their way, and takes no more once they exceed the
/// limit of open files (`too_many_unix_fds`, `net/unix/garbage.c` or `scm.c`).
fn too_many_descriptors_on_their_way() {
    const LIMIT: u64 = 32;
    for kind in TYPES {
        let (here, there) = pair(kind);
        let pipe = watched();
        let many = [pipe.writer.as_fd(); 10];
        // What was sent before 40 are on their way was not too much.
        let fill = |sockets: &OwnedFd| {
            let limit = DescriptorLimit::numbers_below(LIMIT);
            let mut count = 0;
            let error = loop {
                match send(sockets, b"x", &many) {
                    Ok(_) => count += 1,
                    Err(error) => break error,
                }
            };
            drop(limit);
            (count, error)
        };
        let (mut room, mut data) = ([0xff; 128], [0; 1]);
        as_user(somebody(), || {
            assert_eq!(fill(&here), (4, Errno::TOOMANYREFS));
            for _ in 0..2 {
                assert_eq!(take_all(&mut receive(&there, &mut data, &mut room).complete().unwrap()).len(), 10);
            }
            // There is place again, for a batch too: it ends before the message that is refused.
            let mut space = ControlBuffer::<{ control_space!(ScmRights[10]) }>::new();
            let mut control = space.writer();
            control.push(ScmRights(&many)).unwrap();
            let slices = [IoSlice::new(b"x")];
            let mut messages: [_; 8] = std::array::from_fn(|_| SendSlot::new(&slices, &control));
            let limit = DescriptorLimit::numbers_below(LIMIT);
            assert_eq!(sendmmsg(&here, &mut messages, SendFlags::empty()), Ok(2));
            assert_eq!(sendmmsg(&here, &mut messages, SendFlags::empty()), Err(Errno::TOOMANYREFS));
            drop(limit);
        })
        .unwrap();
        // Four are there, and nothing of those that were refused.
        for _ in 0..4 {
            assert_eq!(take_all(&mut receive(&there, &mut data, &mut room).complete().unwrap()).len(), 10);
        }
        let nothing = receive_flags(&there, &mut data, &mut room, RecvFlags::DONTWAIT).map(|_| ());
        assert_eq!(nothing, Err(Errno::AGAIN));
        drop(pipe.writer);
        assert!(nobody_has_the_other_end(&pipe.reader));
    }
}

/// All control messages or none: descriptors do not go without what was too long beside them.
fn a_refusal_for_the_length_of_one_message_sends_none() {
    let most: usize = std::fs::read_to_string("/proc/sys/net/core/optmem_max").unwrap().trim().parse().unwrap();
    for kind in TYPES {
        let (here, there) = pair(kind);
        let pipe = watched();
        let mut memory = vec![0xff; most + 64];
        let descriptors = [pipe.writer.as_fd()];
        let mut control = ControlWriter::new(memory.as_mut_slice());
        control.push(ScmRights(&descriptors)).unwrap();
        control.push_raw(999, 1, &vec![0; most - 64]).unwrap();
        let fits = ancillary::socket::sendmsg(&here, &[IoSlice::new(b"x")], &control, SendFlags::empty());
        assert_eq!(fits, if C_LIBRARY_COPIES { Err(Errno::NOMEM) } else { Ok(1) });
        let (mut room, mut data) = ([0xff; 128], [0; 1]);
        if fits.is_ok() {
            assert_eq!(take_all(&mut receive(&there, &mut data, &mut room)).len(), 1);
        }
        control.push_raw(999, 1, &[0; 40]).unwrap();
        let refused = ancillary::socket::sendmsg(&here, &[IoSlice::new(b"x")], &control, SendFlags::empty());
        assert_eq!(refused, Err(if C_LIBRARY_COPIES || is_compat() { Errno::NOMEM } else { Errno::NOBUFS }));
        let nothing = receive_flags(&there, &mut data, &mut room, RecvFlags::DONTWAIT).map(|_| ());
        assert_eq!(nothing, Err(Errno::AGAIN));
        drop(pipe.writer);
        assert!(nobody_has_the_other_end(&pipe.reader));
    }
}

/// What is received next is a message with so many descriptors, whole; and then there is nothing.
#[track_caller]
fn assert_the_rest(there: &OwnedFd, count: usize) {
    let (mut room, mut data) = ([0xff; 128], [0; 8]);
    assert_eq!(take_all(&mut receive(there, &mut data, &mut room).complete().unwrap()).len(), count);
    assert_eq!(receive_flags(there, &mut data, &mut room, RecvFlags::DONTWAIT).map(|_| ()), Err(Errno::AGAIN));
}

fn a_signal_while_nothing_comes() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        let (mut room, mut data) = ([0xff; 128], [0; 8]);
        let result = interrupted(|| receive_flags(&there, &mut data, &mut room, RecvFlags::empty()).map(|_| ()));
        assert_eq!(result, Err(Errno::INTR));
        send(&here, b"data", &borrowed(&files(2))).unwrap();
        assert_the_rest(&there, 2);
    }
}

/// The batch ends with what has come by then, and that has its owner.
fn a_signal_in_the_middle_of_a_batch() {
    for kind in [SocketType::DGRAM, SocketType::SEQPACKET] {
        let (here, there) = pair(kind);
        let pipe = watched();
        send(&here, b"data", &[pipe.writer.as_fd()]).unwrap();
        let mut room = [0xff; 64];
        let (mut first, mut second) = ([0; 8], [0; 8]);
        let (mut first, mut second) = ([IoSliceMut::new(&mut first)], [IoSliceMut::new(&mut second)]);
        let mut rooms = [RecvRoom::new(&mut first, &mut room), RecvRoom::new(&mut second, ControlSliceMut::none())];
        let mut slots = [const { RecvSlot::new() }; 2];
        let batch = interrupted(|| recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::empty(), None)).unwrap();
        let ended_by = batch.error();
        assert!(matches!(ended_by, None | Some(Errno::INTR)));
        let mut messages: Vec<_> = batch.collect();
        assert_eq!(messages.len(), 1);
        assert_eq!(take_all(&mut messages[0]).len(), 1);
        drop(messages);
        // The loop tells it at once. Linux keeps it for the next call, as a number of its own, 512.
        if ended_by.is_none() {
            let next = receive_flags(&there, &mut [0], &mut [], RecvFlags::DONTWAIT).map(|_| ());
            assert_eq!(next, Err(Errno::INTR));
        }
        send(&here, b"data", &borrowed(&files(2))).unwrap();
        assert_the_rest(&there, 2);
        drop(pipe.writer);
        assert!(nobody_has_the_other_end(&pipe.reader));
    }
}

fn a_signal_while_waiting_for_all_of_the_data() {
    let (here, there) = pair(SocketType::STREAM);
    send_plain(&here, b"da").unwrap();
    let (mut room, mut data) = ([0xff; 128], [0; 4]);
    let result = interrupted(|| receive_flags(&there, &mut data, &mut room, RecvFlags::WAITALL).map(|r| r.bytes()));
    assert_eq!(result, Ok(2));
    assert_eq!(data, *b"da\0\0");
    send(&here, b"ta", &borrowed(&files(2))).unwrap();
    assert_the_rest(&there, 2);
}

fn a_signal_while_there_is_no_room_to_send() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        let mut sent = 0;
        while ancillary::socket::sendmsg(
            &here,
            &[IoSlice::new(&[7; 512])],
            &ControlWriter::empty(),
            SendFlags::DONTWAIT,
        )
        .is_ok()
        {
            sent += 1;
        }
        assert!(sent > 0);
        let pipe = watched();
        let descriptors = [pipe.writer.as_fd(), pipe.writer.as_fd()];
        assert_eq!(interrupted(|| send(&here, &[1; 512], &descriptors)), Err(Errno::INTR));
        let (mut room, mut data) = ([0xff; 64], [0; 512]);
        for _ in 0..sent {
            let mut received = receive(&there, &mut data, &mut room).complete().unwrap();
            assert_eq!((received.bytes(), received.take_descriptors().unwrap().count()), (512, 0));
        }
        // Nothing was sent, so all of it can be sent again.
        assert_eq!(send(&here, b"data", &descriptors), Ok(4));
        assert_the_rest(&there, 2);
        drop(pipe.writer);
        assert!(nobody_has_the_other_end(&pipe.reader));
    }
}

/// Receives until nothing is there, or the end: how many bytes and descriptors came.
fn drain(there: &OwnedFd) -> (usize, usize) {
    let (mut room, mut data) = ([0xff; 128], vec![0; 1 << 16]);
    let (mut bytes, mut descriptors) = (0, 0);
    loop {
        match receive_flags(there, &mut data, &mut room, RecvFlags::DONTWAIT) {
            Ok(received) if received.bytes() == 0 => break,
            Ok(received) => {
                bytes += received.bytes();
                descriptors += received.complete().unwrap().take_descriptors().unwrap().count();
            }
            Err(Errno::AGAIN) => break,
            Err(error) => panic!("{error}"),
        }
    }
    (bytes, descriptors)
}

/// Longer than any socket keeps.
const LONG: usize = 16 << 20;

/// A part was sent: with it the descriptors, and none with the rest.
fn a_signal_in_the_middle_of_sending() {
    let (here, there) = pair(SocketType::STREAM);
    let pipe = watched();
    let long = vec![7; LONG];
    let sent = interrupted(|| send(&here, &long, &[pipe.writer.as_fd()])).unwrap();
    assert!((1..LONG).contains(&sent), "{sent}");
    assert_eq!(drain(&there), (sent, 1));
    drop(pipe.writer);
    assert!(nobody_has_the_other_end(&pipe.reader));
}

/// A process that ends with the test, at the latest.
struct ToBeKilled(Child);

impl ToBeKilled {
    /// One that does what [`act_as_child`] says with a socket.
    fn that(sends: &str, socket: OwnedFd) -> Self {
        let mut child = command(std::env::current_exe().unwrap());
        ToBeKilled(child.env(CHILD, sends).stdin(Stdio::from(socket)).spawn().unwrap())
    }
}

impl Drop for ToBeKilled {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        let status = self.0.wait().unwrap();
        assert!(status.code().is_none() || std::thread::panicking(), "it was to be killed, but has ended: {status}");
    }
}

const CHILD: &str = "ANCILLARY_TEST_CHILD_TO_BE_KILLED";

/// In a process that is to be killed: sends both ends of a pipe on the standard input, with few bytes or with more than
/// there is room for, and does not end by itself.
pub fn act_as_child() -> bool {
    let Ok(sends) = std::env::var(CHILD) else { return false };
    // SAFETY: the parent has put the socket there, and nothing else here uses the standard input.
    let socket = unsafe { OwnedFd::from_raw_fd(0) };
    let Watched { reader, writer } = watched();
    let long = vec![7; LONG];
    let data = if sends == "a part" { &long[..] } else { b"head" };
    send(&socket, data, &[reader.as_fd(), writer.as_fd()]).unwrap();
    loop {
        std::thread::park();
    }
}

/// Both ends of a pipe have come from a process that is gone. They are the only ones.
#[track_caller]
fn assert_the_only_ends(received: &mut Received<'_>) {
    let [reader, writer] = <[OwnedFd; 2]>::try_from(take_all(received)).unwrap();
    assert_eq!(rustix::io::write(&writer, b"x"), Ok(1));
    assert_eq!(rustix::io::read(&reader, &mut [0; 4]), Ok(1));
    assert!(!nobody_has_the_other_end(&reader));
    drop(writer);
    assert!(nobody_has_the_other_end(&reader));
}

/// The end of what a peer has sent that is gone: on a datagram socket it is not told.
fn end_of(kind: SocketType) -> Result<usize, Errno> {
    if kind == SocketType::DGRAM { Err(Errno::AGAIN) } else { Ok(0) }
}

fn a_peer_that_is_killed_between_two_messages() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        let child = ToBeKilled::that("a head", here);
        wait_for(&there, libc::POLLIN);
        drop(child);
        let (mut room, mut data) = ([0xff; 64], [0; 8]);
        let mut received = receive(&there, &mut data, &mut room).complete().unwrap();
        assert_eq!(received.filled(&data), b"head");
        assert_the_only_ends(&mut received);
        drop(received);
        let end = receive_flags(&there, &mut data, &mut room, RecvFlags::DONTWAIT).map(|received| received.bytes());
        assert_eq!(end, end_of(kind));
    }
}

/// It is still sending when it is killed, whether its descriptors have been received by then or not.
fn a_peer_that_is_killed_in_the_middle_of_a_message() {
    for received_before in [true, false] {
        let (here, there) = pair(SocketType::STREAM);
        let child = ToBeKilled::that("a part", here);
        let (mut room, mut data) = ([0xff; 64], [0; 1]);
        wait_for(&there, libc::POLLIN);
        if !received_before {
            drop(child);
            let mut received = receive(&there, &mut data, &mut room).complete().unwrap();
            assert_the_only_ends(&mut received);
        } else {
            let mut received = receive(&there, &mut data, &mut room).complete().unwrap();
            drop(child);
            assert_the_only_ends(&mut received);
        }
        let (bytes, descriptors) = drain(&there);
        assert!(bytes < LONG - 1, "{bytes}");
        assert_eq!(descriptors, 0);
        let mut slices = [IoSliceMut::new(&mut data)];
        assert_eq!(recvmsg(&there, &mut slices, &mut room, RecvFlags::empty()).map(|end| end.bytes()), Ok(0));
    }
}

/// What was on its way to it is closed by the system, and that is told. What it has sent itself still arrives.
fn a_peer_that_is_killed_before_it_has_received() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        let pipe = watched();
        send(&there, b"never received", &[pipe.writer.as_fd()]).unwrap();
        drop(pipe.writer);
        let child = ToBeKilled::that("a head", here);
        wait_for(&there, libc::POLLIN);
        assert!(!nobody_has_the_other_end(&pipe.reader));
        drop(child);
        assert!(nobody_has_the_other_end(&pipe.reader));
        let (mut room, mut data) = ([0xff; 64], [0; 8]);
        let mut next = || receive_flags(&there, &mut data, &mut room, RecvFlags::DONTWAIT).map(|end| end.bytes());
        // A stream says so when nothing is left, a seqpacket socket at once, a datagram socket not at all.
        if kind == SocketType::SEQPACKET {
            assert_eq!(next(), Err(Errno::CONNRESET));
        }
        assert_the_only_ends(&mut receive(&there, &mut [0; 8], &mut [0xff; 64]).complete().unwrap());
        if kind == SocketType::STREAM {
            assert_eq!(next(), Err(Errno::CONNRESET));
        }
        assert_eq!(next(), end_of(kind));
    }
}
