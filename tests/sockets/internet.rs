//! Messages of IPv4, IPv6 and UDP, each turned on with one call, over the loopback interface.

use crate::harness::the_kernel_itself;
use crate::support::*;
use crate::tests;
use ancillary::control::{ControlSliceMut, FixedPayload};
use ancillary::message::{
    ControlKind, DecodeMessage, DeliveredOnRequest, IpPktinfo, IpTos, Ipv6Pktinfo, Ipv6Tclass, ScmPidfd, ScmSecurity,
    UdpGro, UdpSegment,
};
use ancillary::received::recvmsg;
use ancillary::socket::set_delivery;
use ancillary::socket::{sendmsg, sendmsg_addr};
use ancillary::{ControlBuffer, Message, Received, control_space};
use rustix::fd::AsFd;
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{RecvFlags, SendFlags, SocketType};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};

tests![
    where_an_ipv4_datagram_was_sent if payloads_have_this_byte_order,
    the_source_of_an_ipv4_answer,
    the_type_of_service if payloads_have_this_byte_order,
    a_type_of_service_of_one_byte_or_four,
    where_an_ipv6_datagram_was_sent if there_is_ipv6_of_this_byte_order,
    the_source_of_an_ipv6_answer if there_is_ipv6,
    the_traffic_class if there_is_ipv6_of_this_byte_order,
    an_ipv4_datagram_on_an_ipv6_socket if there_is_ipv6,
    marks_of_an_ipv4_datagram_from_an_ipv6_socket if there_is_ipv6_of_this_byte_order,
    many_datagrams_as_one if there_is_gro,
    a_segment_size_has_two_bytes,
    delivery_is_turned_off_again,
    messages_without_their_option_do_not_arrive,
    the_option_of_labels,
    a_label_by_its_option if a_security_module,
    a_process_by_its_option if pidfds,
    an_option_that_the_socket_does_not_have,
    room_for_one_of_two if the_kernels_truncation,
];

pub fn there_is_ipv6() -> Result<(), String> {
    UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).map(drop).map_err(|error| format!("no IPv6 here ({error})"))
}

fn payloads_have_this_byte_order() -> Result<(), String> {
    if cfg!(target_endian = "little") {
        return Ok(());
    }
    the_kernel_itself("payloads of IPv4, IPv6 and UDP have the byte order of the machine around it")
}

fn there_is_ipv6_of_this_byte_order() -> Result<(), String> {
    there_is_ipv6().and_then(|()| payloads_have_this_byte_order())
}

pub fn there_is_gro() -> Result<(), String> {
    payloads_have_this_byte_order()?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    set_delivery::<UdpGro>(&socket, true).map_err(|error| format!("this kernel has no UDP_GRO ({error})"))?;
    // Finding F: the loopback interface of an older kernel cuts data into datagrams before it arrives, as hardware does.
    let (here, _) = bound(Ipv4Addr::LOCALHOST);
    here.connect(socket.local_addr().unwrap()).unwrap();
    send_bytes(&here, b"4+4+1byte", &message_bytes(numbers::<UdpSegment>(), &4_u16.to_ne_bytes())).unwrap();
    wait_for(&socket, libc::POLLIN);
    match receive(&socket, &mut [0; 16], &mut []).bytes() {
        9 => Ok(()),
        len => Err(format!(
            "the loopback interface here puts no datagrams together (Linux 5.10 does not, 6.1 does): one of {len} bytes came"
        )),
    }
}

pub fn bound(address: impl Into<IpAddr>) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind((address.into(), 0)).unwrap();
    // For calls that wait for a datagram: none waits for longer, which ends as an error (finding D).
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Sends with one control message of any bytes.
fn send_with(socket: &UdpSocket, numbers: (i32, i32), payload: &[u8]) -> Result<usize, Errno> {
    send_bytes(socket, b"x", &message_bytes(numbers, payload))
}

/// Waits for a datagram.
pub fn arrived<'c>(socket: impl AsFd, data: &mut [u8], control: impl Into<ControlSliceMut<'c>>) -> Received<'c> {
    wait_for(&socket, libc::POLLIN);
    recvmsg(socket, &mut [IoSliceMut::new(data)], control, RecvFlags::empty()).unwrap().complete().unwrap()
}

fn numbers<K: ControlKind>() -> (i32, i32) {
    (K::LEVEL, K::TYPE)
}

pub fn interface_of_loopback() -> u32 {
    let index = std::fs::read_to_string("/sys/class/net/lo/ifindex").unwrap();
    index.trim().parse().unwrap()
}

fn where_an_ipv4_datagram_was_sent() {
    let (there, address) = bound(Ipv4Addr::UNSPECIFIED);
    let (here, _) = bound(Ipv4Addr::LOCALHOST);
    set_delivery::<IpPktinfo>(&there, true).unwrap();
    for last in [1, 2, 77] {
        let to = Ipv4Addr::new(127, 0, 0, last);
        here.send_to(b"x", (to, address.port())).unwrap();
        let mut space = ControlBuffer::<{ control_space!(IpPktinfo) }>::new();
        let received = arrived(&there, &mut [0], &mut space);
        let expected = IpPktinfo { ifindex: interface_of_loopback(), spec_dst: to, addr: to };
        assert_eq!(received.find::<IpPktinfo>(), Some(Ok(expected)));
        assert_eq!(received.messages().count(), 1);
    }
}

fn the_source_of_an_ipv4_answer() {
    let (there, to) = bound(Ipv4Addr::LOCALHOST);
    let (here, from) = bound(Ipv4Addr::UNSPECIFIED);
    let SocketAddr::V4(to) = to else { unreachable!() };
    for source in [Ipv4Addr::new(127, 0, 0, 9), Ipv4Addr::new(127, 1, 2, 3)] {
        let mut space = ControlBuffer::<{ control_space!(IpPktinfo) }>::new();
        let mut control = space.writer();
        control.push(IpPktinfo::from_source(source)).unwrap();
        sendmsg_addr(&here, &to, &[IoSlice::new(b"x")], &control, SendFlags::empty()).unwrap();
        let (_, sender) = there.recv_from(&mut [0]).unwrap();
        assert_eq!(sender, SocketAddrV4::new(source, from.port()).into());
    }
    // Out on an interface that there is not.
    let mut space = ControlBuffer::<{ control_space!(IpPktinfo) }>::new();
    let mut control = space.writer();
    control.push(IpPktinfo { ifindex: i32::MAX as u32, ..IpPktinfo::from_source(Ipv4Addr::LOCALHOST) }).unwrap();
    let sent = sendmsg_addr(&here, &to, &[IoSlice::new(b"x")], &control, SendFlags::empty());
    assert!(matches!(sent, Err(Errno::NODEV | Errno::NETUNREACH | Errno::INVAL)), "{sent:?}");
}

fn the_type_of_service() {
    let (there, to) = bound(Ipv4Addr::LOCALHOST);
    let (here, _) = bound(Ipv4Addr::LOCALHOST);
    here.connect(to).unwrap();
    set_delivery::<IpTos>(&there, true).unwrap();
    for tos in [0, 1, 2, 3, 0xb8, 0xff] {
        let mut space = ControlBuffer::<{ control_space!(IpTos) }>::new();
        let mut control = space.writer();
        control.push(IpTos(tos)).unwrap();
        sendmsg(&here, &[IoSlice::new(b"x")], &control, SendFlags::empty()).unwrap();
        let mut space = ControlBuffer::<{ control_space!(IpTos) }>::new();
        let received = arrived(&there, &mut [0], &mut space);
        assert_eq!(received.find::<IpTos>(), Some(Ok(IpTos(tos))));
        let Some(Ok(Message::Other(message))) = received.messages().next() else { panic!("no message") };
        assert_eq!(message.payload(), [tos], "the kernel gives one byte");
    }
}

fn a_type_of_service_of_one_byte_or_four() {
    let (_there, to) = bound(Ipv4Addr::LOCALHOST);
    let (here, _) = bound(Ipv4Addr::LOCALHOST);
    here.connect(to).unwrap();
    for (len, taken) in [(0, false), (1, true), (2, false), (3, false), (4, true), (5, false), (8, false)] {
        let sent = send_with(&here, numbers::<IpTos>(), &vec![0; len]);
        assert_eq!(sent, if taken { Ok(1) } else { Err(Errno::INVAL) }, "{len}");
        assert_eq!(IpTos::decode(&vec![0; len]).is_ok(), taken, "{len}");
    }
}

fn where_an_ipv6_datagram_was_sent() {
    let (there, address) = bound(Ipv6Addr::UNSPECIFIED);
    let (here, _) = bound(Ipv6Addr::LOCALHOST);
    set_delivery::<Ipv6Pktinfo>(&there, true).unwrap();
    here.send_to(b"x", (Ipv6Addr::LOCALHOST, address.port())).unwrap();
    let mut space = ControlBuffer::<{ control_space!(Ipv6Pktinfo) }>::new();
    let received = arrived(&there, &mut [0], &mut space);
    let expected = Ipv6Pktinfo { addr: Ipv6Addr::LOCALHOST, ifindex: interface_of_loopback() };
    assert_eq!(received.find::<Ipv6Pktinfo>(), Some(Ok(expected)));
}

fn the_source_of_an_ipv6_answer() {
    let (there, to) = bound(Ipv6Addr::LOCALHOST);
    let (here, from) = bound(Ipv6Addr::UNSPECIFIED);
    let SocketAddr::V6(to) = to else { unreachable!() };
    let mut space = ControlBuffer::<{ control_space!(Ipv6Pktinfo) }>::new();
    let mut control = space.writer();
    control.push(Ipv6Pktinfo::from_source(Ipv6Addr::LOCALHOST)).unwrap();
    sendmsg_addr(&here, &to, &[IoSlice::new(b"x")], &control, SendFlags::empty()).unwrap();
    let (_, sender) = there.recv_from(&mut [0]).unwrap();
    assert_eq!(sender, SocketAddrV6::new(Ipv6Addr::LOCALHOST, from.port(), 0, 0).into());
    // From an address that is not this machine's.
    control.clear();
    control.push(Ipv6Pktinfo::from_source(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))).unwrap();
    let sent = sendmsg_addr(&here, &to, &[IoSlice::new(b"x")], &control, SendFlags::empty());
    assert_eq!(sent, Err(Errno::INVAL));
}

fn the_traffic_class() {
    let (there, to) = bound(Ipv6Addr::LOCALHOST);
    let (here, _) = bound(Ipv6Addr::LOCALHOST);
    here.connect(to).unwrap();
    set_delivery::<Ipv6Tclass>(&there, true).unwrap();
    for (class, expected) in [(0, Ok(0)), (1, Ok(1)), (0xb9, Ok(0xb9)), (255, Ok(255)), (256, Err(Errno::INVAL))] {
        let mut space = ControlBuffer::<{ control_space!(Ipv6Tclass) }>::new();
        let mut control = space.writer();
        control.push(Ipv6Tclass(class)).unwrap();
        let sent = sendmsg(&here, &[IoSlice::new(b"x")], &control, SendFlags::empty());
        assert_eq!(sent.map(|_| ()), expected.map(|_| ()), "{class}");
        if let Ok(expected) = expected {
            let mut space = ControlBuffer::<{ control_space!(Ipv6Tclass) }>::new();
            let received = arrived(&there, &mut [0], &mut space);
            assert_eq!(received.find::<Ipv6Tclass>(), Some(Ok(Ipv6Tclass(expected))));
        }
    }
    // RFC 3542 lets -1 stand for the default, which is 0 here. Linux 6.18 sends 255.
    send_with(&here, numbers::<Ipv6Tclass>(), &(-1_i32).to_ne_bytes()).unwrap();
    let mut space = ControlBuffer::<{ control_space!(Ipv6Tclass) }>::new();
    let class = arrived(&there, &mut [0], &mut space).find::<Ipv6Tclass>();
    assert!(matches!(class, Some(Ok(Ipv6Tclass(0 | 255)))), "{class:?}");
    // Case W3: one that is received may have one byte.
    for len in 0..=8 {
        let sent = send_with(&here, numbers::<Ipv6Tclass>(), &vec![0; len]);
        assert_eq!(sent.is_ok(), len == Ipv6Tclass::PAYLOAD_SIZE, "{len}");
        assert_eq!(Ipv6Tclass::decode(&vec![0; len]).is_ok(), sent.is_ok() || len == 1, "{len}");
    }
}

/// The address is mapped, and the type of service is IPv4's message.
fn an_ipv4_datagram_on_an_ipv6_socket() {
    let (there, address) = bound(Ipv6Addr::UNSPECIFIED);
    let (here, _) = bound(Ipv4Addr::LOCALHOST);
    set_delivery::<Ipv6Pktinfo>(&there, true).unwrap();
    set_delivery::<Ipv6Tclass>(&there, true).unwrap();
    set_delivery::<IpTos>(&there, true).unwrap();
    here.send_to(b"x", (Ipv4Addr::LOCALHOST, address.port())).unwrap();
    let mut space = ControlBuffer::<{ control_space!(Ipv6Pktinfo, Ipv6Tclass, IpTos) }>::new();
    let received = arrived(&there, &mut [0], &mut space);
    let found = received.find::<Ipv6Pktinfo>().unwrap().unwrap();
    assert_eq!(found.addr, Ipv4Addr::LOCALHOST.to_ipv6_mapped());
    assert_eq!(received.find::<IpTos>(), Some(Ok(IpTos(0))));
    assert_eq!(received.find::<Ipv6Tclass>(), None);
}

/// The traffic class is taken and marks nothing; the type of service does.
fn marks_of_an_ipv4_datagram_from_an_ipv6_socket() {
    let (there, to) = bound(Ipv4Addr::LOCALHOST);
    let (here, _) = bound(Ipv6Addr::UNSPECIFIED);
    set_delivery::<IpTos>(&there, true).unwrap();
    let to = SocketAddrV6::new(Ipv4Addr::LOCALHOST.to_ipv6_mapped(), to.port(), 0, 0);
    for (class, tos, arrives) in
        [(Some(0xb8), None, 0), (None, Some(0xb8), 0xb8), (Some(1), Some(2), 2), (Some(2), Some(0), 0)]
    {
        let mut space = ControlBuffer::<{ control_space!(Ipv6Tclass, IpTos) }>::new();
        let mut control = space.writer();
        class.map_or(Ok(()), |class| control.push(Ipv6Tclass(class))).unwrap();
        tos.map_or(Ok(()), |tos| control.push(IpTos(tos))).unwrap();
        assert_eq!(sendmsg_addr(&here, &to, &[IoSlice::new(b"x")], &control, SendFlags::empty()), Ok(1));
        let mut space = ControlBuffer::<{ control_space!(IpTos) }>::new();
        let found = arrived(&there, &mut [0], &mut space).find::<IpTos>();
        assert_eq!(found, Some(Ok(IpTos(arrives))), "{class:?}, {tos:?}");
    }
}

fn many_datagrams_as_one() {
    let (there, to) = bound(Ipv4Addr::LOCALHOST);
    let (here, _) = bound(Ipv4Addr::LOCALHOST);
    here.connect(to).unwrap();
    set_delivery::<UdpGro>(&there, true).unwrap();
    let mut space = ControlBuffer::<{ control_space!(UdpSegment) }>::new();
    let mut control = space.writer();
    control.push(UdpSegment(4)).unwrap();
    sendmsg(&here, &[IoSlice::new(b"datagrams")], &control, SendFlags::empty()).unwrap();
    let (mut data, mut space) = ([0; 65_535], ControlBuffer::<{ control_space!(UdpGro) }>::new());
    let received = arrived(&there, &mut data, &mut space);
    let size = received.find::<UdpGro>().unwrap().unwrap();
    assert_eq!(size, UdpGro(4));
    let data = &data[..received.bytes()];
    assert!(size.segments(data, false).eq([&b"data"[..], b"gram", b"s"]));
    // Case W2: where the slices are too short, what is left of a datagram is not one.
    let mut space = ControlBuffer::<{ control_space!(UdpSegment) }>::new();
    let mut control = space.writer();
    control.push(UdpSegment(1000)).unwrap();
    sendmsg(&here, &[IoSlice::new(&[7; 9300])], &control, SendFlags::empty()).unwrap();
    let (mut data, mut space) = ([0; 2500], ControlBuffer::<{ control_space!(UdpGro) }>::new());
    let mut slices = [IoSliceMut::new(&mut data)];
    let received = recvmsg(&there, &mut slices, &mut space, RecvFlags::empty()).unwrap();
    let segments = received.find::<UdpGro>().unwrap().unwrap().segments(&data, received.data_truncated());
    assert_eq!((segments.len(), segments.partial()), (2, &[7; 500][..]));
    assert!(segments.eq([[7; 1000], [7; 1000]]));
    // One datagram alone has no size beside it.
    here.send(b"one").unwrap();
    let mut space = ControlBuffer::<{ control_space!(UdpGro) }>::new();
    assert_eq!(arrived(&there, &mut [0; 8], &mut space).find::<UdpGro>(), None);
}

fn a_segment_size_has_two_bytes() {
    let (_there, to) = bound(Ipv4Addr::LOCALHOST);
    let (here, _) = bound(Ipv4Addr::LOCALHOST);
    here.connect(to).unwrap();
    for len in 0..=8 {
        // The number 1, in as many bytes.
        let mut payload = vec![0; len];
        if let Some(low) = if cfg!(target_endian = "little") { payload.first_mut() } else { payload.last_mut() } {
            *low = 1;
        }
        let sent = send_with(&here, numbers::<UdpSegment>(), &payload);
        assert_eq!(sent, if len == UdpSegment::PAYLOAD_SIZE { Ok(1) } else { Err(Errno::INVAL) }, "{len}");
        assert_eq!(UdpSegment::decode(&payload).is_ok(), sent.is_ok(), "{len}");
    }
}

fn delivery_is_turned_off_again() {
    let (there, to) = bound(Ipv4Addr::LOCALHOST);
    let (here, _) = bound(Ipv4Addr::LOCALHOST);
    for on in [true, false, true] {
        set_delivery::<IpPktinfo>(&there, on).unwrap();
        here.send_to(b"x", to).unwrap();
        let mut space = ControlBuffer::<{ control_space!(IpPktinfo) }>::new();
        assert_eq!(arrived(&there, &mut [0], &mut space).find::<IpPktinfo>().is_some(), on);
    }
}

fn messages_without_their_option_do_not_arrive() {
    let (there, to) = bound(Ipv4Addr::LOCALHOST);
    let (here, _) = bound(Ipv4Addr::LOCALHOST);
    here.send_to(b"x", to).unwrap();
    assert_eq!(arrived(&there, &mut [0], &mut [0; 256]).messages().count(), 0);
}

/// The label itself arrives only where a security module gives one. The option is there without.
fn the_option_of_labels() {
    let (_here, there) = pair(SocketType::DGRAM);
    for on in [true, false, true] {
        set_delivery::<ScmSecurity<'_>>(&there, on).unwrap();
        assert_eq!(option(&there, libc::SO_PASSSEC), i32::from(on));
    }
}

/// What an option has delivered is of its kind: the numbers of options and messages belong together.
fn a_label_by_its_option() {
    let (here, there) = pair(SocketType::DGRAM);
    set_delivery::<ScmSecurity<'_>>(&there, true).unwrap();
    send_plain(&here, b"x").unwrap();
    let mut room = [0; 4096];
    let received = receive(&there, &mut [0], &mut room);
    assert!(matches!(received.messages().next(), Some(Ok(Message::ScmSecurity(_)))));
}

fn a_process_by_its_option() {
    let (here, there) = pair(SocketType::DGRAM);
    set_delivery::<ScmPidfd>(&there, true).unwrap();
    send_plain(&here, b"x").unwrap();
    let mut room = [0; 256];
    let received = receive(&there, &mut [0], &mut room);
    assert!(matches!(received.messages().next(), Some(Ok(Message::ScmPidfd(_)))));
}

fn an_option_that_the_socket_does_not_have() {
    struct Unknown;
    impl ControlKind for Unknown {
        const LEVEL: i32 = 0;
        const TYPE: i32 = 30_000;
    }
    // SAFETY: no kernel knows this option.
    unsafe impl DeliveredOnRequest for Unknown {
        const OPTION: i32 = 30_000;
    }
    let (socket, _) = bound(Ipv4Addr::LOCALHOST);
    assert_eq!(set_delivery::<Unknown>(&socket, true), Err(Errno::NOPROTOOPT));
    // The level of an option is its own.
    struct UnderAnotherLevel;
    impl ControlKind for UnderAnotherLevel {
        const LEVEL: i32 = 30_000;
        const TYPE: i32 = 1;
    }
    // SAFETY: the option is that of `IpPktinfo`.
    unsafe impl DeliveredOnRequest for UnderAnotherLevel {
        const OPTION_LEVEL: i32 = IpPktinfo::LEVEL;
        const OPTION: i32 = IpPktinfo::OPTION;
    }
    assert_eq!(set_delivery::<UnderAnotherLevel>(&socket, true), Ok(()));
    let (here, _there) = pair(SocketType::DGRAM);
    assert!(set_delivery::<IpTos>(&here, true).is_err());
    assert_eq!(set_delivery::<IpTos>(&files(1)[0], true), Err(Errno::NOTSOCK));
}

fn room_for_one_of_two() {
    let (there, to) = bound(Ipv4Addr::LOCALHOST);
    let (here, _) = bound(Ipv4Addr::LOCALHOST);
    set_delivery::<IpPktinfo>(&there, true).unwrap();
    set_delivery::<IpTos>(&there, true).unwrap();
    here.send_to(b"x", to).unwrap();
    let mut space = ControlBuffer::<{ control_space!(IpPktinfo) }>::new();
    let mut data = [0];
    let received = recvmsg(&there, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty()).unwrap();
    assert!(received.control_truncated());
    assert!(received.find::<IpPktinfo>().unwrap().is_ok());
    assert_eq!(received.find::<IpTos>(), None);
}
