//! What a program of IPv4, IPv6 and UDP meets that the documentation has to say.

use crate::harness::the_kernel_itself;
use crate::internet::{arrived, bound, there_is_ipv6};
use crate::kernel::kernel_at_least;
use crate::support::*;
use crate::tests;
use ancillary::message::{IpPktinfo, Ipv6Pktinfo, UdpSegment};
use ancillary::socket::set_delivery;
use ancillary::socket::{sendmsg, sendmsg_addr};
use ancillary::{ControlBuffer, control_space};
use rustix::fd::AsFd;
use rustix::io::{Errno, IoSlice};
use rustix::net::SendFlags;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

tests![
    how_long_all_segments_may_be if the_kernels_segments,
    how_many_segments_there_may_be if the_kernels_segments,
    a_segment_that_is_longer_than_the_mtu if the_kernels_segments_of_ipv6,
    segments_without_checksums if the_kernels_segments,
    both_packet_infos_on_a_socket_of_both_families if there_is_ipv6,
    the_packet_info_of_ipv6_on_a_socket_of_ipv4_is_ignored if there_is_ipv6,
];

fn the_kernels_segments() -> Result<(), String> {
    the_kernel_itself("payloads of UDP are not translated")
}

fn the_kernels_segments_of_ipv6() -> Result<(), String> {
    the_kernels_segments()?;
    there_is_ipv6()
}

/// Sends on a connected socket.
fn send_segments(socket: impl AsFd, len: usize, size: u16) -> Result<usize, Errno> {
    let mut space = ControlBuffer::<{ control_space!(UdpSegment) }>::new();
    let mut control = space.writer();
    control.push(UdpSegment(size)).unwrap();
    sendmsg(socket, &[IoSlice::new(&vec![7; len])], &control, SendFlags::empty())
}

/// As if they were one datagram of IPv4.
fn how_long_all_segments_may_be() {
    const MOST: usize = 65_507;
    let (_there, to) = bound(Ipv4Addr::LOCALHOST);
    let (here, _) = bound(Ipv4Addr::LOCALHOST);
    here.connect(to).unwrap();
    assert_eq!(send_segments(&here, MOST, 1472), Ok(MOST));
    assert_eq!(send_segments(&here, MOST + 1, 1472), Err(Errno::MSGSIZE));
}

/// 64 everywhere, 128 since Linux 6.9 (and in some older ones that are kept up to date: finding I).
fn how_many_segments_there_may_be() {
    let (_there, to) = bound(Ipv4Addr::LOCALHOST);
    let (here, _) = bound(Ipv4Addr::LOCALHOST);
    here.connect(to).unwrap();
    assert_eq!(send_segments(&here, 64, 1), Ok(64));
    if kernel_at_least(6, 9) {
        assert_eq!(send_segments(&here, 128, 1), Ok(128));
    }
    assert_eq!(send_segments(&here, 129, 1), Err(Errno::INVAL));
}

/// An option of the socket, `IPV6_MTU`, makes the MTU small: 1280 is the least that IPv6 allows. Older kernels return
/// `EINVAL`.
fn a_segment_that_is_longer_than_the_mtu() {
    const IPV6_MTU: (i32, i32) = (libc::IPPROTO_IPV6, 24);
    const MTU: u16 = 1280;
    const HEADERS: u16 = 40 + 8;
    let (_there, to) = bound(Ipv6Addr::LOCALHOST);
    let (here, _) = bound(Ipv6Addr::LOCALHOST);
    here.connect(to).unwrap();
    set_option_of(&here, IPV6_MTU, MTU.into()).unwrap();
    assert_eq!(send_segments(&here, 4000, MTU - HEADERS), Ok(4000));
    let refused = send_segments(&here, 4000, MTU - HEADERS + 1);
    assert!(refused == Err(Errno::MSGSIZE) || refused == Err(Errno::INVAL) && !kernel_at_least(6, 14), "{refused:?}");
}

fn segments_without_checksums() {
    const SO_NO_CHECK: i32 = 11;
    let (_there, to) = bound(Ipv4Addr::LOCALHOST);
    let (here, _) = bound(Ipv4Addr::LOCALHOST);
    here.connect(to).unwrap();
    set_option(&here, SO_NO_CHECK, 1).unwrap();
    assert_eq!(send_segments(&here, 3000, 1000), Err(Errno::INVAL));
    set_option(&here, SO_NO_CHECK, 0).unwrap();
    assert_eq!(send_segments(&here, 3000, 1000), Ok(3000));
}

/// Room for both, then. The order is the kernel's: IPv6's comes first.
fn both_packet_infos_on_a_socket_of_both_families() {
    let (there, address) = bound(Ipv6Addr::UNSPECIFIED);
    let (here, _) = bound(Ipv4Addr::LOCALHOST);
    set_delivery::<IpPktinfo>(&there, true).unwrap();
    set_delivery::<Ipv6Pktinfo>(&there, true).unwrap();
    here.send_to(b"x", (Ipv4Addr::LOCALHOST, address.port())).unwrap();
    let mut space = ControlBuffer::<{ control_space!(IpPktinfo, Ipv6Pktinfo) }>::new();
    let received = arrived(&there, &mut [0], &mut space);
    let of_ipv6 = received.find::<Ipv6Pktinfo>().unwrap().unwrap();
    let of_ipv4 = received.find::<IpPktinfo>().unwrap().unwrap();
    assert_eq!((of_ipv6.addr, of_ipv4.addr), (Ipv4Addr::LOCALHOST.to_ipv6_mapped(), Ipv4Addr::LOCALHOST));
    assert_eq!(received.messages().count(), 2);
}

/// The call succeeds, and the datagram leaves from another address than was asked for.
fn the_packet_info_of_ipv6_on_a_socket_of_ipv4_is_ignored() {
    let asked = Ipv4Addr::new(127, 0, 0, 9);
    let (there, to) = bound(Ipv4Addr::LOCALHOST);
    let (here, from) = bound(Ipv4Addr::UNSPECIFIED);
    let SocketAddr::V4(to) = to else { unreachable!() };
    let mut space = ControlBuffer::<{ control_space!(Ipv6Pktinfo, IpPktinfo) }>::new();
    for (of_ipv4, source) in [(false, Ipv4Addr::LOCALHOST), (true, asked)] {
        let mut control = space.writer();
        control.push(Ipv6Pktinfo::from_source(asked.to_ipv6_mapped())).unwrap();
        if of_ipv4 {
            control.push(IpPktinfo::from_source(asked)).unwrap();
        }
        assert_eq!(sendmsg_addr(&here, &to, &[IoSlice::new(b"x")], &control, SendFlags::empty()), Ok(1));
        let received = arrived(&there, &mut [0], &mut [0; 0]);
        assert_eq!(received.address(), Some(&SocketAddrV4::new(source, from.port()).into()));
    }
}
