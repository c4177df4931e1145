//! What is in a buffer that a multishot request has filled: lengths, names, data and control messages.

use super::*;
use crate::tests;
use ancillary::message::IpPktinfo;
use ancillary::socket::set_delivery;
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, bind};
use std::ffi::OsStr;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::ffi::OsStrExt;
use std::ptr;

tests![
    the_header_is_read_once if multishot_receiving,
    a_header_for_other_lengths_is_refused if multishot_receiving,
    the_data_was_cut if multishot_receiving,
    the_true_length_of_a_datagram if multishot_receiving,
    bytes_of_a_stream_that_are_thrown_away if multishot_receiving,
    names_and_their_room if multishot_receiving,
    the_longest_name_of_all if multishot_receiving,
    a_control_message_of_ipv4 if multishot_receiving,
];

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

/// The same that `MultishotMsgHdr::new` refuses, and no others.
fn a_header_for_other_lengths_is_refused() {
    let (_here, there) = pair(SocketType::DGRAM);
    const MOST: usize = i32::MAX as usize - 16;
    for (name_room, control_capacity) in
        [(MOST + 1, 0), (0, MOST + 1), (MOST, 1), (0, usize::MAX), (MOST, 0), (0, MOST)]
    {
        let mut ring = Ring::new();
        // SAFETY: every field is an integer or a pointer, for which zero is a value.
        let mut raw: libc::msghdr = unsafe { std::mem::zeroed() };
        (raw.msg_namelen, raw.msg_controllen) = (name_room as _, control_capacity as _);
        let request = opcode::RecvMsgMulti::new(fd(&there), ptr::from_ref(&raw), GROUP).build();
        // SAFETY: the header lives until the ring has taken the request; there is no buffer.
        unsafe { ring.submit(request) };
        // What is not refused looks for a buffer, and there is none.
        let ours = MultishotMsgHdr::new(name_room, control_capacity).err();
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
        assert_eq!(lost(received.incomplete()), DATA);
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
