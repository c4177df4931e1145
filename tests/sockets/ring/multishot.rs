//! Multishot RECVMSG: what the kernel has left in buffers, split and owned.

use super::*;
use crate::tests;
use ancillary::message::{IpPktinfo, ScmCredentials, ScmPidfd, ScmRights};
use ancillary::socket::{CLOEXEC_ON_RECEIVE, set_delivery};
use ancillary::{Message, Truncated, control_len, control_space};
use rustix::fd::OwnedFd;
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{AddressFamily, ReturnFlags, SocketAddrUnix, SocketFlags, bind};
use std::ffi::OsStr;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::ffi::OsStrExt;
use std::ptr;

tests![
    one_request_for_many_messages if multishot_receiving,
    buffers_of_the_old_kind if multishot_receiving,
    buffers_are_used_again if multishot_receiving,
    what_lay_in_a_buffer_is_not_owned if multishot_receiving,
    many_messages_in_one_buffer if buffers_for_many_messages,
    what_is_left_of_a_buffer_is_too_short if buffers_for_many_messages,
    nobody_looks if multishot_receiving,
    close_on_exec_is_the_flags_to_say if multishot_receiving,
    credentials_come_first if multishot_receiving,
    the_process_of_the_sender_is_owned if multishot_receiving_of_processes,
    the_header_is_read_once if multishot_receiving,
    a_header_for_other_lengths_is_refused if multishot_receiving,
    the_data_was_cut if multishot_receiving,
    the_true_length_of_a_datagram if multishot_receiving,
    bytes_of_a_stream_that_are_thrown_away if multishot_receiving,
    control_messages_were_cut if multishot_receiving,
    a_full_table_of_descriptors if multishot_receiving_and_a_limit,
    without_room_for_control_messages if multishot_receiving,
    names_and_their_room if multishot_receiving,
    the_longest_name_of_all if multishot_receiving,
    a_control_message_of_ipv4 if multishot_receiving,
    every_peek_is_owned if multishot_receiving,
    a_buffer_that_is_too_short if multishot_receiving,
    waiting_for_all_is_refused if multishot_receiving,
    no_buffer_is_left if multishot_receiving,
    the_end_of_a_stream if multishot_receiving,
    an_empty_datagram_ends_the_request if multishot_receiving,
    what_came_before_the_request_was_cancelled if multishot_receiving,
];

const RIGHTS_ROOM: usize = control_space!(ScmRights[3]);

fn header(name_room: usize, control_room: usize) -> MultishotHeader {
    MultishotHeader::new(name_room, control_room).unwrap()
}

/// A ring with buffers, and one request on a socket, that nobody else reads from.
struct Shots {
    ring: Ring,
    // Dropped after the ring.
    buffers: Buffers,
    header: MultishotHeader,
}

impl Shots {
    fn new(header: MultishotHeader, count: u16, len: usize) -> Self {
        let mut ring = Ring::new();
        let buffers = Buffers::new(&mut ring, count, len, 0).unwrap();
        Shots { ring, buffers, header }
    }

    fn request(&mut self, socket: impl AsFd, flags: RecvFlags) {
        // SAFETY: the header stays where it is, and the buffers stay until after the ring.
        unsafe { self.ring.submit(multishot(socket, &self.header, flags)) };
    }

    fn ends_with(&mut self, error: Errno) {
        let (result, flags) = self.ring.wait();
        assert_eq!((result, has_more(flags)), (Err(error), false));
    }

    /// What the next completion has brought: by `look`, and whether there are more to come.
    fn next<T>(&mut self, look: impl FnOnce(ancillary::Received<'_>, &mut [u8]) -> T) -> (T, bool) {
        let (result, flags) = self.ring.wait();
        let filled = self.buffers.filled(result.unwrap(), flags);
        // SAFETY: the request was made with this header, and this completion is looked at once.
        let (received, data) = unsafe { self.header.received(filled) }.unwrap().into_parts();
        (look(received, data), has_more(flags))
    }
}

fn one_request_for_many_messages() {
    for kind in TYPES {
        let ((here, there), sent) = (pair(kind), files(3));
        let mut shots = Shots::new(header(0, RIGHTS_ROOM), 8, 256);
        shots.request(&there, CLOEXEC_ON_RECEIVE);
        for count in [2, 3, 1, 0, 3] {
            let text = format!("{count} files");
            if count == 0 {
                send_plain(&here, text.as_bytes()).unwrap();
            } else {
                send(&here, text.as_bytes(), &borrowed(&sent[..count])).unwrap();
            }
            let ((), more) = shots.next(|received, data| {
                let mut received = received.complete().unwrap();
                assert_eq!((received.bytes(), &*data), (text.len(), text.as_bytes()));
                assert_eq!(received.address(), None);
                let arrived = take_all(&mut received);
                assert_eq!(arrived.len(), count);
                assert!(arrived.iter().zip(&sent).all(|(arrived, sent)| same_file(arrived, sent)));
                assert!(arrived.iter().all(is_close_on_exec));
            });
            assert!(more, "the request is still there");
        }
    }
}

/// Given to the ring by requests (`IORING_OP_PROVIDE_BUFFERS`), and so many at once.
fn buffers_of_the_old_kind() {
    const LEN: usize = 200;
    let ((here, there), header) = (pair(SocketType::DGRAM), header(0, RIGHTS_ROOM));
    let mut memory = [0xdd; 3 * LEN];
    let mut ring = Ring::new();
    let provide = opcode::ProvideBuffers::new(memory.as_mut_ptr(), LEN as i32, 3, GROUP, 10).build();
    // SAFETY: the memory is looked at only where a completion says so, and stays until after the ring.
    unsafe { ring.submit(provide) };
    assert_eq!(ring.wait().0, Ok(0));
    // SAFETY: the header stays where it is.
    unsafe { ring.submit(multishot(&there, &header, CLOEXEC_ON_RECEIVE)) };
    for count in 1..=3 {
        send(&here, b"data", &borrowed(&files(count))).unwrap();
        let (result, flags) = ring.wait();
        let id = usize::from(cqueue::buffer_select(flags).unwrap()) - 10;
        let filled = &mut memory[id * LEN..][..result.unwrap()];
        // SAFETY: the request was made with this header, and this completion is looked at once.
        let (mut received, data) = unsafe { header.received(filled) }.unwrap().into_parts();
        assert_eq!((take_all(&mut received).len(), &*data), (count, &b"data"[..]));
    }
    drop(ring);
}

fn buffers_are_used_again() {
    let (here, there) = pair(SocketType::SEQPACKET);
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 2, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    for round in 0..20 {
        let count = [3, 0, 1][round % 3];
        if count == 0 {
            send_plain(&here, b"none").unwrap();
        } else {
            send(&here, &[round as u8], &borrowed(&files(count))).unwrap();
        }
        let (result, flags) = shots.ring.wait();
        let filled = shots.buffers.filled(result.unwrap(), flags);
        // SAFETY: the request was made with this header, and this completion is looked at once.
        let mut received = unsafe { shots.header.received(filled) }.unwrap();
        // What lies in the room from the round before is not there.
        assert_eq!(take_all(&mut received).len(), count);
        drop(received);
        shots.buffers.give(cqueue::buffer_select(flags).unwrap());
    }
}

/// A control message with a descriptor that is open, wherever the system does not write: before the message, after it,
/// and in its padding.
fn what_lay_in_a_buffer_is_not_owned() {
    let ((here, there), decoy) = (pair(SocketType::SEQPACKET), files(1));
    let number = decoy[0].as_raw_fd().to_ne_bytes();
    let mut shots = Shots::new(header(28, RIGHTS_ROOM), 4, 256);
    // A message fills its room with the number, so that every slot that is not written is one of it.
    let (message, start) = (message_bytes(RIGHTS, &[number; 3].concat()), 16 + 28);
    for buffer in shots.buffers.memory.chunks_mut(256) {
        buffer[16..].chunks_exact_mut(4).for_each(|slot| slot.copy_from_slice(&number));
        buffer[start..][..message.len()].copy_from_slice(&message);
    }
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    for count in 0..4 {
        if count == 0 {
            send_plain(&here, b"data").unwrap();
        } else {
            send(&here, b"data", &borrowed(&files(count))).unwrap();
        }
        shots.next(|mut received, _| {
            let arrived = take_all(&mut received);
            assert_eq!(arrived.len(), count);
            assert!(!arrived.iter().any(|arrived| same_file(arrived, &decoy[0])));
        });
        assert!(open_descriptors().contains(&decoy[0].as_raw_fd()));
    }
}

/// Each begins where the one before has ended, at any address.
fn many_messages_in_one_buffer() {
    let ((here, there), header) = (pair(SocketType::SEQPACKET), header(0, RIGHTS_ROOM));
    let mut ring = Ring::new();
    let mut buffers = Buffers::new(&mut ring, 1, 4096, INCREMENTAL).unwrap();
    // SAFETY: the header stays where it is, and the buffers stay until after the ring.
    unsafe { ring.submit(multishot(&there, &header, CLOEXEC_ON_RECEIVE)) };
    let mut start = 0;
    for len in 1..=20 {
        let count = len % 4;
        let text = vec![len as u8; len];
        if count == 0 {
            send_plain(&here, &text).unwrap();
        } else {
            send(&here, &text, &borrowed(&files(count))).unwrap();
        }
        let (result, flags) = ring.wait();
        let result = result.unwrap();
        assert_eq!((result, has_more(flags)), (header.payload_offset() + len, true));
        let filled = buffers.filled_from(start, result, flags);
        // SAFETY: the request was made with this header, and this completion is looked at once.
        let (mut received, data) = unsafe { header.received(filled) }.unwrap().into_parts();
        assert_eq!((take_all(&mut received).len(), &*data), (count, &text[..]));
        start += result;
    }
    drop(ring);
}

/// The system stays with that buffer, though there is another one. The message stays in the socket.
fn what_is_left_of_a_buffer_is_too_short() {
    let ((here, there), header) = (pair(SocketType::SEQPACKET), header(0, RIGHTS_ROOM));
    let mut ring = Ring::new();
    let mut buffers = Buffers::new(&mut ring, 2, 2 * header.payload_offset(), INCREMENTAL).unwrap();
    // SAFETY: the header stays where it is, and the buffers stay until the request has ended.
    unsafe { ring.submit(multishot(&there, &header, CLOEXEC_ON_RECEIVE)) };
    send(&here, b"1", &borrowed(&files(1))).unwrap();
    let (result, flags) = ring.wait();
    // SAFETY: the request was made with this header, and this completion is looked at once.
    let mut received = unsafe { header.received(buffers.filled(result.unwrap(), flags)) }.unwrap();
    assert_eq!(take_all(&mut received).len(), 1);
    drop(received);

    send(&here, b"2", &borrowed(&files(2))).unwrap();
    assert_eq!(ring.wait(), (Err(Errno::FAULT), 0));
    // SAFETY: as above.
    unsafe { ring.submit(multishot(&there, &header, CLOEXEC_ON_RECEIVE)) };
    assert_eq!(ring.wait(), (Err(Errno::FAULT), 0));
    let mut room = [0xff; 64];
    assert_eq!(take_all(&mut receive(&there, &mut [0], &mut room)).len(), 2);
    drop(ring);
}

fn nobody_looks() {
    let (here, there) = pair(SocketType::DGRAM);
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 4, 256);
    let before = open_descriptors().len();
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    send(&here, b"x", &borrowed(&files(3))).unwrap();
    let (open, _) = shots.next(|received, _| {
        drop(received);
        open_descriptors().len()
    });
    assert_eq!(open, before);
}

fn close_on_exec_is_the_flags_to_say() {
    for flags in [CLOEXEC_ON_RECEIVE, RecvFlags::empty()] {
        let (here, there) = pair(SocketType::DGRAM);
        let mut shots = Shots::new(header(0, RIGHTS_ROOM), 4, 256);
        shots.request(&there, flags);
        send(&here, b"x", &borrowed(&files(1))).unwrap();
        shots.next(|mut received, _| {
            assert_eq!(received.flags(), ReturnFlags::empty());
            assert_eq!(is_close_on_exec(&take_all(&mut received)[0]), flags == CLOEXEC_ON_RECEIVE);
        });
    }
}

fn credentials_come_first() {
    let (here, there) = pair(SocketType::DGRAM);
    set_socket_passcred(&there, true).unwrap();
    let mut shots = Shots::new(header(0, control_space!(ScmCredentials, ScmRights[2])), 4, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    send(&here, b"x", &borrowed(&files(2))).unwrap();
    shots.next(|received, _| {
        let mut received = received.complete().unwrap();
        let mut messages = received.messages();
        let first = messages.next();
        assert!(matches!(first, Some(Ok(Message::ScmCredentials(who))) if who == ScmCredentials::of_this_process()));
        let second = messages.next();
        assert!(matches!(second, Some(Ok(Message::ScmRights(descriptors))) if descriptors.len() == 2));
    });
}

fn multishot_receiving_of_processes() -> Result<(), String> {
    multishot_receiving()?;
    has_option(SO_PASSPIDFD, "SO_PASSPIDFD")
}

/// It is close-on-exec whatever the flags.
fn the_process_of_the_sender_is_owned() {
    let (here, there) = pair(SocketType::DGRAM);
    set_option(&there, SO_PASSPIDFD, 1).unwrap();
    let mut shots = Shots::new(header(0, control_space!(ScmRights[1], ScmPidfd)), 4, 256);
    shots.request(&there, RecvFlags::empty());
    let before = open_descriptors().len();
    for taken in [false, true] {
        send(&here, b"x", &borrowed(&files(1))).unwrap();
        shots.next(|received, _| {
            let mut received = received.complete().unwrap();
            let mut processes = received.messages().filter_map(|message| match message.unwrap() {
                Message::ScmPidfd(mut descriptor) => taken.then(|| descriptor.next().unwrap().unwrap()),
                _ => None,
            });
            assert!(processes.next().as_ref().is_none_or(is_close_on_exec));
        });
        assert_eq!(open_descriptors().len(), before);
    }
}

/// The system has taken the lengths with the request: the header may change, and another one splits.
fn the_header_is_read_once() {
    let (here, there) = pair(SocketType::DGRAM);
    let mut shots = Shots::new(header(28, RIGHTS_ROOM), 4, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    shots.header = header(0, 0);
    send(&here, b"x", &borrowed(&files(2))).unwrap();
    shots.header = header(28, RIGHTS_ROOM);
    shots.next(|mut received, _| assert_eq!(take_all(&mut received).len(), 2));
}

/// The same that `MultishotHeader::new` refuses, and no others.
fn a_header_for_other_lengths_is_refused() {
    let (_here, there) = pair(SocketType::DGRAM);
    const MOST: usize = i32::MAX as usize - 16;
    for (name_room, control_room) in [(MOST + 1, 0), (0, MOST + 1), (MOST, 1), (0, usize::MAX), (MOST, 0), (0, MOST)] {
        let mut ring = Ring::new();
        // SAFETY: every field is an integer or a pointer, for which zero is a value.
        let mut raw: libc::msghdr = unsafe { std::mem::zeroed() };
        (raw.msg_namelen, raw.msg_controllen) = (name_room as _, control_room as _);
        let request = opcode::RecvMsgMulti::new(fd(&there), ptr::from_ref(&raw), GROUP).build();
        // SAFETY: the header lives until the ring has taken the request; there is no buffer.
        unsafe { ring.submit(request) };
        // What is not refused looks for a buffer, and there is none.
        let ours = MultishotHeader::new(name_room, control_room).err();
        assert_eq!(ring.wait().0, Err(ours.unwrap_or(Errno::NOBUFS)));
    }
}

fn the_data_was_cut() {
    let (here, there) = pair(SocketType::DGRAM);
    let header = header(0, RIGHTS_ROOM);
    let len = header.payload_offset() + 4;
    let mut shots = Shots::new(header, 4, len);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    send(&here, b"more than four bytes", &borrowed(&files(1))).unwrap();
    let ((), more) = shots.next(|mut received, data| {
        assert_eq!((received.bytes(), &*data), (4, &b"more"[..]));
        assert_eq!(received.truncated(), Truncated::DATA);
        assert_eq!(take_all(&mut received).len(), 1);
    });
    assert!(more);
}

fn the_true_length_of_a_datagram() {
    let (here, there) = pair(SocketType::DGRAM);
    let header = header(0, RIGHTS_ROOM);
    let len = header.payload_offset() + 4;
    let mut shots = Shots::new(header, 4, len);
    shots.request(&there, CLOEXEC_ON_RECEIVE | RecvFlags::TRUNC);
    for (sent, arrives) in [(&b"more than four bytes"[..], &b"more"[..]), (b"four", b"four"), (b"1", b"1")] {
        send(&here, sent, &borrowed(&files(1))).unwrap();
        shots.next(|mut received, data| {
            assert_eq!((received.bytes(), &*data), (sent.len(), arrives));
            assert_eq!(received.data_truncated(), sent.len() > 4);
            assert_eq!(take_all(&mut received).len(), 1);
        });
    }
}

/// TCP takes `MSG_TRUNC` so. The lengths tell of bytes that were never written.
fn bytes_of_a_stream_that_are_thrown_away() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (there, _) = listener.accept().unwrap();
    let mut shots = Shots::new(header(28, 64), 4, 256);
    shots.request(&there, RecvFlags::TRUNC);
    here.write_all(b"data").unwrap();
    let (result, flags) = shots.ring.wait();
    let message = shots.header.split(shots.buffers.filled(result.unwrap(), flags)).unwrap();
    assert_eq!((message.payload(), message.payload_len()), (&[0xdd; 4][..], 4), "what lay there before");
    assert!(!message.data_truncated());
}

fn control_messages_were_cut() {
    let (here, there) = pair(SocketType::DGRAM);
    let before = open_descriptors().len();
    let mut shots = Shots::new(header(0, control_len!(ScmRights[1])), 4, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    let sent = files(3);
    send(&here, b"data", &borrowed(&sent)).unwrap();
    shots.next(|mut received, data| {
        assert_eq!((received.truncated(), &*data), (Truncated::CONTROL, &b"data"[..]));
        let arrived = take_all(&mut received);
        assert!(arrived.len() == 1 && same_file(&arrived[0], &sent[0]));
    });
    drop((shots, sent));
    assert_eq!(open_descriptors().len(), before);
}

fn multishot_receiving_and_a_limit() -> Result<(), String> {
    multishot_receiving()?;
    a_limit_of_descriptors()
}

/// It shows as truncation, and what there was room for is owned.
fn a_full_table_of_descriptors() {
    let ((here, there), sent) = (pair(SocketType::DGRAM), files(3));
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 4, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    // Every number below the limit is in use, but for the last ones.
    let open = open_descriptors();
    let filling = files((open.last().unwrap() + 1) as usize - open.len());
    let limit = open_descriptors().len() as u64;
    for free in 0..=3 {
        let limit = DescriptorLimit::numbers_below(limit + free);
        send(&here, b"data", &borrowed(&sent)).unwrap();
        shots.next(|mut received, data| {
            drop(limit);
            assert_eq!((received.control_truncated(), &*data), (free < 3, &b"data"[..]));
            assert_eq!(take_all(&mut received).len(), free as usize);
        });
    }
    drop(filling);
}

fn without_room_for_control_messages() {
    let (here, there) = pair(SocketType::STREAM);
    let mut shots = Shots::new(header(0, 0), 4, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    send(&here, b"data", &borrowed(&files(2))).unwrap();
    shots.next(|mut received, data| {
        assert_eq!((received.truncated(), &*data), (Truncated::CONTROL, &b"data"[..]));
        assert_eq!(take_all(&mut received).len(), 0);
    });
}

fn udp_pair() -> (UdpSocket, UdpSocket) {
    let bound = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (here, there) = (bound(), bound());
    here.connect(there.local_addr().unwrap()).unwrap();
    (here, there)
}

/// An address of IPv4 has 16 bytes. Less room cuts it, and the system says so by the length alone.
fn names_and_their_room() {
    for name_room in [0, 1, 2, 15, 16, 17, 28, 128, 129, 1000] {
        let (here, there) = udp_pair();
        let header = header(name_room, 0);
        let len = header.payload_offset() + 16;
        let mut shots = Shots::new(header, 4, len);
        shots.request(&there, RecvFlags::empty());
        here.send(b"data").unwrap();
        let (result, flags) = shots.ring.wait();
        let filled = shots.buffers.filled(result.unwrap(), flags);

        let message = shots.header.split(filled).unwrap();
        let name_len = if name_room == 0 { 0 } else { 16 };
        assert_eq!((message.name_len(), message.name().len()), (name_len, name_len.min(name_room)));
        assert_eq!(message.name_truncated(), (1..16).contains(&name_room));
        assert_eq!((message.payload(), message.flags()), (&b"data"[..], ReturnFlags::empty()));

        // SAFETY: the request was made with this header, and this completion is looked at once.
        let (received, data) = unsafe { shots.header.received(filled) }.unwrap().into_parts();
        let whole = (name_room >= 16).then(|| here.local_addr().unwrap().into());
        assert_eq!(received.address(), whole.as_ref());
        assert_eq!(&*data, b"data");
    }
}

/// Of a UNIX-domain socket: `struct sockaddr_un` has 110 bytes, and a path that fills it without an end gets one more.
fn the_longest_name_of_all() {
    for path_len in [107, 108] {
        let mut path = format!("{}/ancillary-{}-", std::env::temp_dir().display(), std::process::id()).into_bytes();
        path.resize(path_len, b'x');
        // SAFETY: every field is an integer, for which zero is a value.
        let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
        address.sun_family = libc::AF_UNIX as _;
        address.sun_path.iter_mut().zip(&path).for_each(|(place, byte)| *place = *byte as _);

        let (here, there) = (unix_datagram(), unix_datagram());
        let len = size_of::<libc::sockaddr_un>() as libc::socklen_t;
        // SAFETY: the pointer and the length are those of the address.
        let bound = unsafe { libc::bind(here.as_raw_fd(), (&raw const address).cast(), len) };
        assert_eq!(bound, 0, "{}", std::io::Error::last_os_error());
        bind(&there, &SocketAddrUnix::new_unnamed()).unwrap(); // the system chooses an abstract name
        rustix::net::connect(&here, &rustix::net::getsockname(&there).unwrap()).unwrap();

        let mut shots = Shots::new(header(128, RIGHTS_ROOM), 4, 512);
        shots.request(&there, CLOEXEC_ON_RECEIVE);
        send(&here, b"data", &borrowed(&files(1))).unwrap();
        std::fs::remove_file(OsStr::from_bytes(&path)).unwrap();

        let (result, flags) = shots.ring.wait();
        let filled = shots.buffers.filled(result.unwrap(), flags);
        let message = shots.header.split(filled).unwrap();
        let whole = [&address.sun_family.to_ne_bytes()[..], &path, &[0]].concat();
        assert_eq!((message.name(), message.name_truncated()), (&whole[..], false));
        // SAFETY: the request was made with this header, and this completion is looked at once.
        let mut received = unsafe { shots.header.received(filled) }.unwrap();
        assert_eq!(received.address().unwrap().addr_len() as usize, whole.len());
        assert_eq!(take_all(&mut received).len(), 1);
    }
}

fn unix_datagram() -> OwnedFd {
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).unwrap()
}

/// No descriptor comes from a UDP socket: the safe half is enough.
fn a_control_message_of_ipv4() {
    let (here, there) = udp_pair();
    set_delivery::<IpPktinfo>(&there, true).unwrap();
    let mut shots = Shots::new(header(28, control_space!(IpPktinfo)), 4, 256);
    shots.request(&there, RecvFlags::empty());
    here.send(b"data").unwrap();
    let (result, flags) = shots.ring.wait();
    let message = shots.header.split(shots.buffers.filled(result.unwrap(), flags)).unwrap();
    let info = message.messages().next().unwrap().unwrap().decode::<IpPktinfo>().unwrap().unwrap();
    assert_eq!((info.addr, message.payload()), (Ipv4Addr::LOCALHOST, &b"data"[..]));
}

/// The same message again and again, until no buffer is left, and each time with descriptors of its own.
fn every_peek_is_owned() {
    let ((here, there), before) = (pair(SocketType::DGRAM), open_descriptors().len());
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 3, 256);
    send(&here, b"x", &borrowed(&files(2))).unwrap();
    shots.request(&there, CLOEXEC_ON_RECEIVE | RecvFlags::PEEK);
    let mut taken = Vec::new();
    for _ in 0..3 {
        shots.next(|mut received, _| taken.extend(take_all(&mut received)));
    }
    assert_eq!(taken.len(), 6);
    shots.ends_with(Errno::NOBUFS);
    drop((taken, shots));
    assert_eq!(open_descriptors().len(), before);
}

fn a_buffer_that_is_too_short() {
    for (missing, error) in [(1, Some(Errno::FAULT)), (0, None)] {
        let (here, there) = pair(SocketType::DGRAM);
        let header = header(28, RIGHTS_ROOM);
        let len = header.payload_offset() - missing;
        let mut shots = Shots::new(header, 1, len);
        shots.request(&there, CLOEXEC_ON_RECEIVE);
        send(&here, b"x", &borrowed(&files(1))).unwrap();
        match error {
            Some(error) => shots.ends_with(error),
            // There is no room for data, and that is told.
            None => drop(shots.next(|received, data| {
                assert_eq!((data.len(), received.truncated()), (0, Truncated::DATA));
            })),
        }
    }
}

fn waiting_for_all_is_refused() {
    let (_here, there) = pair(SocketType::STREAM);
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 1, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE | RecvFlags::WAITALL);
    shots.ends_with(Errno::INVAL);
}

fn no_buffer_is_left() {
    let (here, there) = pair(SocketType::DGRAM);
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 2, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    for count in 1..=3 {
        send(&here, b"x", &borrowed(&files(count))).unwrap();
    }
    for count in 1..=2 {
        shots.next(|mut received, _| assert_eq!(take_all(&mut received).len(), count));
    }
    shots.ends_with(Errno::NOBUFS);
    // The third is still in the socket.
    let mut room = [0xff; 64];
    assert_eq!(take_all(&mut receive(&there, &mut [0], &mut room)).len(), 3);
}

fn the_end_of_a_stream() {
    let (here, there) = pair(SocketType::STREAM);
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 4, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    send(&here, b"the last", &borrowed(&files(1))).unwrap();
    drop(here);
    let (count, more) = shots.next(|mut received, _| take_all(&mut received).len());
    assert_eq!((count, more), (1, true));
    let (bytes, more) = shots.next(|mut received, data| {
        assert_eq!(take_all(&mut received).len(), 0);
        assert!(data.is_empty());
        received.bytes()
    });
    assert_eq!((bytes, more), (0, false));
}

fn an_empty_datagram_ends_the_request() {
    let (here, there) = pair(SocketType::DGRAM);
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 4, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    send(&here, b"", &borrowed(&files(2))).unwrap();
    let (count, more) = shots.next(|mut received, data| {
        assert_eq!((received.bytes(), data.len()), (0, 0));
        take_all(&mut received).len()
    });
    assert_eq!((count, more), (2, false));
}

/// It is in the completions before the last, and owned like any other.
fn what_came_before_the_request_was_cancelled() {
    let (here, there) = pair(SocketType::SEQPACKET);
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 8, 256);
    let before = open_descriptors().len();
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    for _ in 0..3 {
        send(&here, b"x", &borrowed(&files(2))).unwrap();
    }
    // SAFETY: it has pointers to nothing.
    unsafe { shots.ring.submit(opcode::AsyncCancel::new(0).build().user_data(CANCEL)) };
    let (mut descriptors, mut ended, mut cancelled) = (0, false, false);
    while !(ended && cancelled) {
        let (result, flags, user_data) = shots.ring.wait_for_any();
        if user_data == CANCEL {
            assert_eq!(result, Ok(0));
            cancelled = true;
            continue;
        }
        ended = !has_more(flags);
        match result {
            Ok(result) => {
                let filled = shots.buffers.filled(result, flags);
                // SAFETY: the request was made with this header, and this completion is looked at once.
                let mut received = unsafe { shots.header.received(filled) }.unwrap();
                descriptors += received.take_descriptors().map(Result::unwrap).count();
            }
            Err(error) => assert_eq!((error, ended), (Errno::CANCELED, true)),
        }
    }
    assert_eq!((descriptors, open_descriptors().len()), (6, before));
}
