//! Sockets of families that pass no descriptors, and refuse the flag for close-on-exec (case W1, finding B).

use crate::support::*;
use crate::tests;
use ancillary::control::ControlMemory;
use ancillary::socket::{CLOEXEC_ON_RECEIVE, RecvHeader, RecvRoom, RecvSlot, WAIT_FOR_ONE, recvmsg_raw};
use ancillary::{recvmmsg, recvmmsg_inheritable, recvmsg, recvmsg_inheritable};
use rustix::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use rustix::io::{Errno, IoSliceMut};
use rustix::net::{AddressFamily, RecvFlags, SocketType};
use std::net::{Ipv4Addr, UdpSocket};

tests![
    a_packet_socket_is_received_from if packet_sockets,
    an_empty_packet_socket_says_so if packet_sockets,
    a_batch_of_packets if packet_sockets,
    a_packet_with_its_control_message if packet_sockets,
    the_flag_is_refused_where_the_caller_gives_it if packet_sockets,
    a_unix_socket_that_refuses_the_call_is_not_asked_again,
];

const ETH_P_IP: u16 = 0x0800;
const PACKET_AUXDATA: i32 = 8;
const SOL_PACKET: i32 = 263;

/// Everything that arrives on the loopback interface as IPv4, without the header of the link.
fn packet_socket() -> Result<OwnedFd, std::io::Error> {
    // SAFETY: plain numbers.
    let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the number is that of a new descriptor.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: every field is an integer, for which zero is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = ETH_P_IP.to_be();
    // SAFETY: the string has its end.
    address.sll_ifindex = unsafe { libc::if_nametoindex(c"lo".as_ptr()) } as i32;
    let len = size_of_val(&address) as u32;
    // SAFETY: pointer and length are those of `address`.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) };
    if bound == 0 { Ok(socket) } else { Err(std::io::Error::last_os_error()) }
}

fn packet_sockets() -> Result<(), String> {
    packet_socket().map(|_| ()).map_err(|error| format!("this process may not have a packet socket ({error})"))
}

/// Sends one datagram on the loopback interface.
fn send_a_datagram(data: &[u8]) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.send_to(data, socket.local_addr().unwrap()).unwrap();
    assert_eq!(socket.recv(&mut [0; 64]).unwrap(), data.len());
}

/// The first packet that ends with these bytes: other programs may use the interface.
fn wait_for_packet(mut receive: impl FnMut(&mut [u8]) -> Result<usize, Errno>, data: &[u8]) {
    loop {
        let mut packet = [0; 2048];
        let len = receive(&mut packet).expect("a packet has been sent").min(packet.len());
        if packet[..len].ends_with(data) {
            return;
        }
    }
}

fn a_packet_socket_is_received_from() {
    let socket = packet_socket().unwrap();
    send_a_datagram(b"seen from below");
    let receive = |packet: &mut [u8]| {
        let received = recvmsg(&socket, &mut [IoSliceMut::new(packet)], ControlMemory::none(), RecvFlags::DONTWAIT)?;
        assert_eq!(received.address().map(|address| address.address_family()), Some(AddressFamily::PACKET));
        assert!(received.truncated().is_empty());
        Ok(received.bytes())
    };
    wait_for_packet(receive, b"seen from below");
}

fn an_empty_packet_socket_says_so() {
    let socket = packet_socket().unwrap();
    for flags in [RecvFlags::DONTWAIT, RecvFlags::DONTWAIT | RecvFlags::ERRQUEUE, RecvFlags::DONTWAIT | RecvFlags::PEEK]
    {
        loop {
            match recvmsg(&socket, &mut [IoSliceMut::new(&mut [0; 16])], &mut [0; 64], flags) {
                Err(error) => break assert_eq!(error, Errno::AGAIN, "{flags:?}"),
                // Another program's; with a peek it would stay.
                Ok(_) => drop(recvmsg(&socket, &mut [], ControlMemory::none(), RecvFlags::DONTWAIT)),
            }
        }
    }
}

fn a_batch_of_packets() {
    let socket = packet_socket().unwrap();
    for data in [b"one", b"two"] {
        send_a_datagram(data);
    }
    let mut buffers = [[0; 128]; 8];
    let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
    let mut rooms = slices.each_mut().map(|slices| RecvRoom::new(slices, ControlMemory::none()));
    let mut slots = [const { RecvSlot::new() }; 8];
    let flags = WAIT_FOR_ONE | RecvFlags::DONTWAIT;
    let mut seen = 0;
    for message in recvmmsg(&socket, &mut slots, &mut rooms, flags, None).unwrap() {
        seen += usize::from(message.data().ends_with(b"one") || message.data().ends_with(b"two"));
    }
    assert!(seen >= 2, "{seen}: each comes at least once");
    // Nothing is left, and the batch says so.
    while recvmsg(&socket, &mut [], ControlMemory::none(), RecvFlags::DONTWAIT).is_ok() {}
    let empty = recvmmsg(&socket, &mut slots, &mut rooms, flags, None);
    assert_eq!(empty.err(), Some(Errno::AGAIN));
}

fn a_packet_with_its_control_message() {
    let socket = packet_socket().unwrap();
    let value = 1_i32;
    // SAFETY: pointer and length are those of `value`.
    let set = unsafe { libc::setsockopt(socket.as_raw_fd(), SOL_PACKET, PACKET_AUXDATA, (&raw const value).cast(), 4) };
    assert_eq!(set, 0);
    send_a_datagram(b"with its control message");
    let receive = |packet: &mut [u8]| {
        let mut control = [0; 64];
        let received = recvmsg(&socket, &mut [IoSliceMut::new(packet)], &mut control, RecvFlags::DONTWAIT)?;
        let mut messages = received.messages();
        let Some(Ok(ancillary::Message::Other(message))) = messages.next() else { panic!("no control message") };
        assert_eq!(
            (message.level(), message.message_type(), message.payload().len()),
            (SOL_PACKET, PACKET_AUXDATA, 20)
        );
        Ok(received.bytes())
    };
    wait_for_packet(receive, b"with its control message");
}

/// A packet capture avoids the refused call: it leaves the flag out.
fn the_flag_is_refused_where_the_caller_gives_it() {
    let socket = packet_socket().unwrap();
    send_a_datagram(b"x");
    let mut data = [0; 64];
    let mut slices = [IoSliceMut::new(&mut data)];
    let flags = RecvFlags::DONTWAIT | CLOEXEC_ON_RECEIVE;
    let refused = recvmsg_inheritable(&socket, &mut slices, ControlMemory::none(), flags);
    assert_eq!(refused.err(), Some(Errno::INVAL));
    let mut rooms = [RecvRoom::new(&mut slices, ControlMemory::none())];
    let mut slots = [RecvSlot::new()];
    let refused = recvmmsg_inheritable(&socket, &mut slots, &mut rooms, flags, None);
    assert_eq!(refused.err(), Some(Errno::INVAL));
    let mut header = RecvHeader::new(&mut slices, ControlMemory::none());
    // SAFETY: the header is prepared, and lives and stays where it is until after the call.
    assert_eq!(unsafe { recvmsg_raw(&socket, header.as_mut_ptr(), flags) }, Err(Errno::INVAL));
    let received = recvmsg_inheritable(&socket, &mut slices, ControlMemory::none(), RecvFlags::DONTWAIT).unwrap();
    assert!(received.bytes() > 0);
}

/// Its error has another cause. (That the call is made once is seen by the simulated kernels.)
fn a_unix_socket_that_refuses_the_call_is_not_asked_again() {
    let unconnected = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    let received = recvmsg(unconnected.as_fd(), &mut [], ControlMemory::none(), RecvFlags::empty());
    assert_eq!(received.err(), Some(Errno::INVAL));
    let mut rooms = [RecvRoom::new(&mut [], ControlMemory::none())];
    let mut slots = [RecvSlot::new()];
    let received = recvmmsg(&unconnected, &mut slots, &mut rooms, RecvFlags::empty(), None);
    assert_eq!(received.err(), Some(Errno::INVAL));
    let (here, _there) = pair(SocketType::DGRAM);
    let received = recvmsg(&here, &mut [], ControlMemory::none(), RecvFlags::OOB);
    assert_eq!(received.err(), Some(Errno::OPNOTSUPP));
}
