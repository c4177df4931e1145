//! Of UDP: errors that come later, and some that do not.

use super::*;
use crate::internet::{bound, there_is_ipv6};
use crate::kernel::{closed_port, errors_of_closed_ports, in_a_network_of_its_own, networks_of_ones_own};
use crate::tests;
use ancillary::ControlWriter;
use ancillary::message::IpTos;
use ancillary::socket::sendmsg_addr;
use ancillary::socket::set_delivery;
use rustix::io::IoSlice;
use rustix::net::SendFlags;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, UdpSocket};

tests![
    a_closed_port if refusals_arrive,
    other_control_messages_beside_an_error if refusals_arrive,
    a_closed_port_of_ipv4_on_a_socket_of_ipv6 if refusals_arrive_on_both,
    a_closed_port_of_ipv6 if refusals_arrive_on_both,
    a_datagram_that_is_longer_than_the_mtu if a_narrow_loopback,
    an_error_of_another_destination if refusals_arrive,
];

const IPV6_RECVERR: (i32, i32) = (libc::IPPROTO_IPV6, 25);
const IP_MTU_DISCOVER: (i32, i32) = (libc::IPPROTO_IP, 10);
const IP_PMTUDISC_DO: i32 = 2;

// `SO_EE_ORIGIN_*` (`include/uapi/linux/errqueue.h`).
const LOCAL: u8 = 1;
const ICMP: u8 = 2;
const ICMP6: u8 = 3;

fn refusals_arrive() -> Result<(), String> {
    the_kernels_error_queue()?;
    errors_of_closed_ports()
}

fn refusals_arrive_on_both() -> Result<(), String> {
    refusals_arrive()?;
    there_is_ipv6()
}

fn a_closed_port() {
    let (socket, _) = bound(Ipv4Addr::UNSPECIFIED);
    turn_on(&socket, IP_RECVERR, 1);
    let to = closed_port();
    socket.send_to(b"data", to).unwrap();
    let taken = next(&socket);
    // What was sent, and where it was sent to.
    assert_eq!((taken.bytes, &taken.data[..], taken.address.as_ref()), (4, &b"data"[..], Some(&to.into())));
    let (error, offender, kind, len) = taken.error();
    // Port unreachable: type 3, code 3 (RFC 792).
    let expected =
        ExtendedError { errno: libc::ECONNREFUSED as u32, origin: ICMP, kind: 3, code: 3, ..Default::default() };
    assert_eq!((error, kind, len), (expected, IP_RECVERR, 32));
    // Family, port 0, and the address.
    assert_eq!((family_of(offender), &offender[2..8]), (libc::AF_INET, &[0, 0, 127, 0, 0, 66][..]));
    assert_eq!(taken.messages.len(), 1);
    assert_no_more(&socket);
    // The queue is not the socket's data.
    assert_eq!(receive_flags(&socket, &mut [0], &mut [], RecvFlags::DONTWAIT).map(|_| ()), Err(Errno::AGAIN));
}

/// The room has to be that of both.
fn other_control_messages_beside_an_error() {
    let (socket, _) = bound(Ipv4Addr::UNSPECIFIED);
    turn_on(&socket, IP_RECVERR, 1);
    set_delivery::<IpTos>(&socket, true).unwrap();
    socket.send_to(b"data", closed_port()).unwrap();
    let kinds: Vec<_> = next(&socket).messages.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [(libc::IPPROTO_IP, libc::IP_TOS), IP_RECVERR]);
}

/// Returns a socket of IPv6 that has sent to a closed port, and the entry in its queue. The socket is connected, so it has
/// the error whatever its options: an entry that is not in the queue by then does not come.
fn refused(option: (i32, i32), to: SocketAddr) -> (UdpSocket, Option<Taken>) {
    let (socket, _) = bound(Ipv6Addr::UNSPECIFIED);
    turn_on(&socket, option, 1);
    socket.connect(to).unwrap();
    socket.send(b"data").unwrap();
    wait_for(&socket, libc::POLLERR);
    match take(&socket) {
        Ok(taken) => (socket, Some(taken)),
        Err(error) => {
            assert_eq!(error, Errno::AGAIN);
            assert_eq!(socket.take_error().unwrap().unwrap().kind(), std::io::ErrorKind::ConnectionRefused);
            (socket, None)
        }
    }
}

/// IPv4's option turns it on, and what comes is IPv6's message with IPv4's error.
fn a_closed_port_of_ipv4_on_a_socket_of_ipv6() {
    let mapped = |to: SocketAddr| {
        let SocketAddr::V4(to) = to else { unreachable!() };
        SocketAddr::new(to.ip().to_ipv6_mapped().into(), to.port())
    };
    let to = mapped(closed_port());
    let (socket, taken) = refused(IP_RECVERR, to);
    let taken = taken.unwrap();
    assert_eq!((taken.bytes, &taken.data[..], taken.address.as_ref()), (4, &b"data"[..], Some(&to.into())));
    let (error, offender, kind, len) = taken.error();
    let expected =
        ExtendedError { errno: libc::ECONNREFUSED as u32, origin: ICMP, kind: 3, code: 3, ..Default::default() };
    assert_eq!((error, kind, len), (expected, IPV6_RECVERR, 44));
    assert_eq!(family_of(offender), libc::AF_INET6);
    assert_eq!(offender[8..24], Ipv4Addr::new(127, 0, 0, 66).to_ipv6_mapped().octets());
    assert_no_more(&socket);

    assert!(refused(IPV6_RECVERR, mapped(closed_port())).1.is_none());
}

/// IPv6's option turns it on, and IPv4's does not.
fn a_closed_port_of_ipv6() {
    let closed = || bound(Ipv6Addr::LOCALHOST).1;
    let to = closed();
    let (socket, taken) = refused(IPV6_RECVERR, to);
    let taken = taken.unwrap();
    assert_eq!((taken.bytes, &taken.data[..], taken.address.as_ref()), (4, &b"data"[..], Some(&to.into())));
    let (error, offender, kind, len) = taken.error();
    // Port unreachable: type 1, code 4 (RFC 4443).
    let expected =
        ExtendedError { errno: libc::ECONNREFUSED as u32, origin: ICMP6, kind: 1, code: 4, ..Default::default() };
    assert_eq!((error, kind, len), (expected, IPV6_RECVERR, 44));
    assert_eq!((family_of(offender), &offender[8..24]), (libc::AF_INET6, &Ipv6Addr::LOCALHOST.octets()[..]));
    assert_no_more(&socket);

    assert!(refused(IP_RECVERR, closed()).1.is_none());
}

fn a_narrow_loopback() -> Result<(), String> {
    the_kernels_error_queue()?;
    networks_of_ones_own()
}

/// If it may not be cut, the call fails, and the queue has it too: no data, how long it may be, and no offender.
fn a_datagram_that_is_longer_than_the_mtu() {
    const MTU: u32 = 1500;
    in_a_network_of_its_own(MTU, || {
        const LONGEST: usize = MTU as usize - (20 + 8);
        let (socket, _) = bound(Ipv4Addr::LOCALHOST);
        turn_on(&socket, IP_RECVERR, 1);
        let (_there, to) = bound(Ipv4Addr::LOCALHOST);
        socket.connect(to).unwrap();
        assert_eq!(send_plain(&socket, &[7; LONGEST + 1]), Ok(LONGEST + 1), "it is cut");
        turn_on(&socket, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
        assert_eq!(send_plain(&socket, &[7; LONGEST]), Ok(LONGEST));
        assert_no_more(&socket);
        assert_eq!(send_plain(&socket, &[7; LONGEST + 1]), Err(Errno::MSGSIZE));
        let taken = next(&socket);
        assert_eq!((taken.bytes, taken.address.as_ref()), (0, Some(&to.into())));
        let (error, offender, kind, len) = taken.error();
        let expected = ExtendedError { errno: libc::EMSGSIZE as u32, origin: LOCAL, info: MTU, ..Default::default() };
        assert_eq!((error, kind, len), (expected, IP_RECVERR, 32));
        assert_eq!(family_of(offender), libc::AF_UNSPEC);
        assert_no_more(&socket);
    })
    .unwrap();
}

/// To be said: a call on a socket that is not connected can fail with the error of where another one has sent to. The next
/// one is sent.
fn an_error_of_another_destination() {
    let (socket, _) = bound(Ipv4Addr::LOCALHOST);
    turn_on(&socket, IP_RECVERR, 1);
    socket.send_to(b"to nobody", closed_port()).unwrap();
    wait_for(&socket, libc::POLLERR);
    let (there, to) = bound(Ipv4Addr::LOCALHOST);
    let SocketAddr::V4(to) = to else { unreachable!() };
    let send = |data: &[u8], to: &SocketAddrV4| {
        sendmsg_addr(&socket, to, &[IoSlice::new(data)], &ControlWriter::empty(), SendFlags::empty())
    };
    assert_eq!(send(b"the first", &to), Err(Errno::CONNREFUSED));
    assert_eq!(send(b"the next", &to), Ok(8));
    wait_for(&there, libc::POLLIN);
    let mut data = [0; 16];
    let received = receive(&there, &mut data, &mut []);
    assert_eq!(received.filled(&data), b"the next");
}
