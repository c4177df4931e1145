//! Who has sent it, and with which flags.

use crate::support::*;
use crate::tests;
use ancillary::ControlWriter;
use ancillary::control::ControlSliceMut;
use ancillary::received::{recvmmsg, recvmsg};
use ancillary::socket::{CLOEXEC_ON_RECEIVE, RecvMsgHdr, RecvRoom, RecvSlot, SendSlot, recvmsg_raw};
use ancillary::socket::{sendmmsg, sendmsg_addr};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrAny, SocketAddrUnix, SocketType, bind, connect, getsockname, socket,
};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

tests![
    a_header_that_is_used_again_has_room_for_every_name,
    the_longest_path_of_all,
    flags_reach_the_system,
    no_message_is_no_call,
];

fn datagrams() -> OwnedFd {
    socket(AddressFamily::UNIX, SocketType::DGRAM, None).unwrap()
}

/// A call lowers the length of the name's room to that of the name: the next one may be longer.
fn a_header_that_is_used_again_has_room_for_every_name() {
    let there = datagrams();
    bind(&there, &SocketAddrUnix::new_unnamed()).unwrap();
    let there_name = getsockname(&there).unwrap();
    let mut data = [0; 8];
    let mut slices = [IoSliceMut::new(&mut data)];
    let mut header = RecvMsgHdr::new(&mut slices, ControlSliceMut::none());
    for len in [0, 5, 40, 1, 70] {
        let here = datagrams();
        if len > 0 {
            let name = format!("ancillary-test-{}-{:x<len$}", std::process::id(), "");
            bind(&here, &SocketAddrUnix::new_abstract_name(name.as_bytes()).unwrap()).unwrap();
        }
        connect(&here, &there_name).unwrap();
        send_plain(&here, b"x").unwrap();
        // SAFETY: the header is prepared, lives until after the call, and stays where it is.
        let bytes = unsafe { recvmsg_raw(&there, header.as_mut_ptr(), CLOEXEC_ON_RECEIVE) }.unwrap();
        // SAFETY: that call has succeeded with these flags.
        let message = unsafe { header.received(bytes, CLOEXEC_ON_RECEIVE) };
        assert_eq!(message.address().cloned(), (len > 0).then(|| getsockname(&here).unwrap()));
    }
}

/// `struct sockaddr_un` has 110 bytes, and a path that fills it without an end gets one more.
fn the_longest_path_of_all() {
    let mut path = format!("{}/ancillary-{}-", std::env::temp_dir().display(), std::process::id()).into_bytes();
    path.resize(108, b'x');
    let whole = [&(libc::AF_UNIX as libc::sa_family_t).to_ne_bytes()[..], &path, &[0]].concat();

    let (here, there) = (datagrams(), datagrams());
    let len = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: there are so many bytes, and one more.
    let bound = unsafe { libc::bind(here.as_raw_fd(), whole.as_ptr().cast(), len) };
    assert_eq!(bound, 0, "{}", std::io::Error::last_os_error());
    bind(&there, &SocketAddrUnix::new_unnamed()).unwrap();
    connect(&here, &getsockname(&there).unwrap()).unwrap();
    send_plain(&here, b"x").unwrap();
    send_plain(&here, b"x").unwrap();
    std::fs::remove_file(OsStr::from_bytes(&path)).unwrap();

    let bytes_of = |address: &SocketAddrAny| {
        // SAFETY: an address has so many bytes.
        unsafe { std::slice::from_raw_parts(address.as_ptr().cast::<u8>(), address.addr_len() as usize) }.to_vec()
    };
    let mut data = [0; 8];
    let mut slices = [IoSliceMut::new(&mut data)];
    let received = recvmsg(&there, &mut slices, ControlSliceMut::none(), RecvFlags::DONTWAIT).unwrap();
    assert_eq!(received.address().map(bytes_of), Some(whole.clone()));
    let mut rooms = [RecvRoom::new(&mut slices, ControlSliceMut::none())];
    let mut slots = [RecvSlot::new()];
    let mut batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    assert_eq!(batch.next().unwrap().address().map(bytes_of), Some(whole));
}

/// These sockets have no urgent data.
fn flags_reach_the_system() {
    let (here, there) = (datagrams(), datagrams());
    bind(&there, &SocketAddrUnix::new_unnamed()).unwrap();
    let address = getsockname(&there).unwrap();
    let (data, control) = ([IoSlice::new(b"x")], ControlWriter::empty());
    assert_eq!(sendmsg_addr(&here, &address, &data, &control, SendFlags::OOB), Err(Errno::OPNOTSUPP));
    connect(&here, &address).unwrap();
    assert_eq!(ancillary::socket::sendmsg(&here, &data, &control, SendFlags::OOB), Err(Errno::OPNOTSUPP));
    let mut messages = [SendSlot::new(&data, &control)];
    assert_eq!(sendmmsg(&here, &mut messages, SendFlags::OOB), Err(Errno::OPNOTSUPP));
}

/// A descriptor that is no socket would be refused.
fn no_message_is_no_call() {
    let not_a_socket = &files(1)[0];
    assert_eq!(sendmmsg(not_a_socket, &mut [], SendFlags::empty()), Ok(0));
    assert_eq!(recvmmsg(not_a_socket, &mut [], &mut [], RecvFlags::empty(), None).unwrap().len(), 0);
}
