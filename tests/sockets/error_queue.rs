//! What a socket keeps of errors, timestamps and data that was sent without a copy: `MSG_ERRQUEUE`.
//!
//! Each row of the table "The error queue" is a test here, and what follows from errors that come later.

use crate::internet::{bound, there_is_ipv6};
use crate::kernel::the_kernels_error_queue;
use crate::support::*;
use crate::tests;
use crate::waiting::interrupted;
use ancillary::message::IpTos;
use ancillary::socket::{SendHeader, sendmsg_raw, set_delivery};
use ancillary::{ControlWriter, Message, recvmsg, sendmsg_addr};
use rustix::fd::AsFd;
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{RecvFlags, ReturnFlags, SendFlags, SocketAddrAny};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};

tests![
    a_closed_port if refusals_arrive,
    other_control_messages_beside_an_error if refusals_arrive,
    a_closed_port_of_ipv4_on_a_socket_of_ipv6 if refusals_arrive_on_both,
    a_closed_port_of_ipv6 if refusals_arrive_on_both,
    a_datagram_that_is_longer_than_the_mtu if the_kernels_error_queue,
    timestamps_of_what_a_stream_has_sent if timestamps_of_tcp,
    a_timestamp_brings_what_was_sent if timestamps_of_tcp,
    what_was_sent_without_a_copy if zero_copy_of_tcp,
    an_error_of_another_destination if refusals_arrive,
];

// Options and flags by the kernel's numbers (`include/uapi/linux/in.h`, `in6.h`, `net_tstamp.h`).
const IP_RECVERR: (i32, i32) = (libc::IPPROTO_IP, 11);
const IPV6_RECVERR: (i32, i32) = (libc::IPPROTO_IPV6, 25);
const IP_MTU_DISCOVER: (i32, i32) = (libc::IPPROTO_IP, 10);
const IP_PMTUDISC_DO: i32 = 2;
const TIMESTAMPING: (i32, i32) = (libc::SOL_SOCKET, libc::SO_TIMESTAMPING);
const ZEROCOPY: (i32, i32) = (libc::SOL_SOCKET, libc::SO_ZEROCOPY);
const MSG_ZEROCOPY: SendFlags = SendFlags::from_bits_retain(libc::MSG_ZEROCOPY as u32);

/// When it is sent, when a queue takes it, and when the peer has it; to be told by software's clock, with a number.
const TX_TIMESTAMPS: i32 = (1 << 1 | 1 << 8 | 1 << 9) | 1 << 4 | 1 << 7;
/// Without what was sent.
const TIMESTAMPS_ALONE: i32 = 1 << 11;
const SCHEDULED: u32 = 1;
const SENT: u32 = 0;
const ACKNOWLEDGED: u32 = 2;

// `SO_EE_ORIGIN_*` (`include/uapi/linux/errqueue.h`).
const LOCAL: u8 = 1;
const ICMP: u8 = 2;
const ICMP6: u8 = 3;
const TIMESTAMP: u8 = 4;
const ZERO_COPY: u8 = 5;

/// A `struct sock_extended_err` (`include/uapi/linux/errqueue.h`): 16 bytes, in the order of these fields, with one byte
/// of padding after `code`.
#[derive(Debug, Default, PartialEq)]
struct ExtendedError {
    /// 0..4
    errno: u32,
    /// 4
    origin: u8,
    /// 5
    kind: u8,
    /// 6
    code: u8,
    /// 8..12
    info: u32,
    /// 12..16
    data: u32,
}

impl ExtendedError {
    const LEN: usize = 16;

    /// The error, and the address after it: who has told it.
    fn split(payload: &[u8]) -> (Self, &[u8]) {
        let word = |at: usize| u32::from_ne_bytes(payload[at..at + 4].try_into().unwrap());
        let (origin, kind, code) = (payload[4], payload[5], payload[6]);
        let error = ExtendedError { errno: word(0), origin, kind, code, info: word(8), data: word(12) };
        (error, &payload[Self::LEN..])
    }
}

fn family_of(address: &[u8]) -> i32 {
    u16::from_ne_bytes(*address.first_chunk().unwrap()).into()
}

type Raw = ((i32, i32), Vec<u8>);

/// What one call has taken from an error queue.
struct Taken {
    bytes: usize,
    data: Vec<u8>,
    address: Option<SocketAddrAny>,
    messages: Vec<Raw>,
}

impl Taken {
    /// The error, what offender comes with it, and its kind and length.
    #[track_caller]
    fn error(&self) -> (ExtendedError, &[u8], (i32, i32), usize) {
        let (kind, payload) = self.messages.last().expect("a control message");
        let (error, offender) = ExtendedError::split(payload);
        (error, offender, *kind, payload.len())
    }
}

fn take(socket: impl AsFd) -> Result<Taken, Errno> {
    let (mut data, mut room) = ([0; 128], [0xff; 256]);
    let mut slices = [IoSliceMut::new(&mut data)];
    let mut received = recvmsg(socket, &mut slices, &mut room, RecvFlags::ERRQUEUE)?.complete().unwrap();
    assert_eq!(received.flags(), ReturnFlags::ERRQUEUE);
    let messages = received
        .messages()
        .map(|message| match message.unwrap() {
            Message::Other(message) => ((message.level(), message.message_type()), message.payload().to_vec()),
            other => panic!("{other:?}"),
        })
        .collect();
    let (bytes, address) = (received.bytes(), received.address().cloned());
    drop(received);
    Ok(Taken { bytes, data: data[..bytes].to_vec(), address, messages })
}

/// Waits for an entry, and takes it.
#[track_caller]
fn next(socket: impl AsFd) -> Taken {
    wait_for(&socket, libc::POLLERR);
    take(socket).unwrap()
}

/// `EAGAIN`, also on a socket that blocks: were the call to wait, a signal would end it.
#[track_caller]
fn assert_no_more(socket: impl AsFd + Sync) {
    assert_eq!(interrupted(|| take(socket.as_fd()).map(|_| ())), Err(Errno::AGAIN));
}

#[track_caller]
fn turn_on(socket: impl AsFd, option: (i32, i32), value: i32) {
    set_option_of(socket, option, value).unwrap();
}

/// An address that had a socket a moment ago. Others seldom take a port of this one.
fn closed_port() -> SocketAddr {
    bound(Ipv4Addr::new(127, 0, 0, 66)).1
}

/// A firewall can keep them back; and finding D.
fn refusals_arrive() -> Result<(), String> {
    the_kernels_error_queue()?;
    let (socket, _) = bound(Ipv4Addr::LOCALHOST);
    socket.connect(closed_port()).unwrap();
    socket.send(b"x").unwrap();
    if happens_in(LIMIT, &socket, libc::POLLERR) {
        return Ok(());
    }
    Err(format!("nothing has told in {LIMIT:?} that a port is closed"))
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

/// A socket of IPv6 that has sent to an address which it is told the port of is closed. It is connected: such a socket is
/// told whatever its options, so that what has not come to the queue by then does not come.
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

/// The call fails, and the queue has it too: no data, how long it may be, and no offender.
fn a_datagram_that_is_longer_than_the_mtu() {
    let (socket, _) = bound(Ipv4Addr::LOCALHOST);
    turn_on(&socket, IP_RECVERR, 1);
    turn_on(&socket, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
    let (_there, to) = bound(Ipv4Addr::LOCALHOST);
    socket.connect(to).unwrap();
    // No packet of IPv4 is longer than a number of 16 bits says.
    let mtu = std::fs::read_to_string("/sys/class/net/lo/mtu").unwrap().trim().parse::<usize>().unwrap().min(0xffff);
    let headers = 20 + 8;
    let longest = vec![7; mtu - headers];
    assert_eq!(send_plain(&socket, &longest), Ok(longest.len()));
    assert_eq!(send_plain(&socket, &vec![7; longest.len() + 1]), Err(Errno::MSGSIZE));
    let taken = next(&socket);
    assert_eq!((taken.bytes, taken.address.as_ref()), (0, Some(&to.into())));
    let (error, offender, kind, len) = taken.error();
    let info = mtu as u32;
    let expected = ExtendedError { errno: libc::EMSGSIZE as u32, origin: LOCAL, info, ..Default::default() };
    assert_eq!((error, kind, len), (expected, IP_RECVERR, 32));
    assert_eq!(family_of(offender), libc::AF_UNSPEC);
    assert_no_more(&socket);
}

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (here, listener.accept().unwrap().0)
}

fn timestamps_of_tcp() -> Result<(), String> {
    the_kernels_error_queue()?;
    let on = set_option_of(tcp_pair().0, TIMESTAMPING, TX_TIMESTAMPS | TIMESTAMPS_ALONE);
    on.map_err(|error| format!("TCP has no SO_TIMESTAMPING here ({error})"))
}

/// The three entries of one call that sends, by when they were made.
fn three_timestamps(here: &TcpStream) -> Vec<(u32, Taken)> {
    let mut entries: Vec<_> = (0..3).map(|_| next(here)).map(|taken| (taken.error().0.info, taken)).collect();
    entries.sort_by_key(|(when, _)| *when);
    for (when, taken) in &entries {
        // A time and two that are not used, each two `long`s.
        let time_len = 3 * 2 * size_of::<std::ffi::c_long>();
        let [(first, time), (second, _)] = &taken.messages[..] else { panic!("{:?}", taken.messages) };
        assert_eq!((*first, time.len(), *second), (TIMESTAMPING, time_len, IP_RECVERR));
        let (error, offender, ..) = taken.error();
        // `data` is the number of the last byte.
        let expected =
            ExtendedError { errno: libc::ENOMSG as u32, origin: TIMESTAMP, info: *when, data: 4, ..Default::default() };
        assert_eq!((error, family_of(offender)), (expected, libc::AF_UNSPEC));
        assert_eq!(taken.address, None);
    }
    assert!(entries.iter().map(|(when, _)| *when).eq([SENT, SCHEDULED, ACKNOWLEDGED]));
    entries
}

/// Their 0 bytes are not the end of the stream: what the peer sends still arrives.
fn timestamps_of_what_a_stream_has_sent() {
    let (mut here, mut there) = tcp_pair();
    turn_on(&here, TIMESTAMPING, TX_TIMESTAMPS | TIMESTAMPS_ALONE);
    here.write_all(b"hello").unwrap();
    assert!(three_timestamps(&here).iter().all(|(_, taken)| taken.bytes == 0));
    assert_no_more(&here);
    there.write_all(b"real data").unwrap();
    wait_for(&here, libc::POLLIN);
    let mut data = [0; 16];
    let received = receive(&here, &mut data, &mut []);
    assert_eq!((received.filled(&data), received.flags()), (&b"real data"[..], ReturnFlags::empty()));
    drop(received);
    // This is the end.
    there.shutdown(Shutdown::Write).unwrap();
    wait_for(&here, libc::POLLIN);
    let end = receive(&here, &mut data, &mut []);
    assert_eq!((end.bytes(), end.flags()), (0, ReturnFlags::empty()));
}

/// Unless that was declined: with the headers of the packet, as far as there were any.
fn a_timestamp_brings_what_was_sent() {
    let (mut here, _there) = tcp_pair();
    turn_on(&here, TIMESTAMPING, TX_TIMESTAMPS);
    here.write_all(b"hello").unwrap();
    for (when, taken) in three_timestamps(&here) {
        assert!(taken.data.ends_with(b"hello"), "{when}: {:?}", taken.data);
    }
}

fn zero_copy_of_tcp() -> Result<(), String> {
    the_kernels_error_queue()?;
    let on = set_option_of(tcp_pair().0, ZEROCOPY, 1);
    on.map_err(|error| format!("TCP has no SO_ZEROCOPY here (Linux 4.14) ({error})"))
}

/// On the loopback interface it is copied at last, and the entry says so.
fn what_was_sent_without_a_copy() {
    static DATA: [u8; 4096] = [7; 4096];
    const COPIED: u8 = 1;
    let (here, mut there) = tcp_pair();
    turn_on(&here, ZEROCOPY, 1);
    let (data, control) = ([IoSlice::new(&DATA)], ControlWriter::empty());
    let header = SendHeader::new(&data, &control);
    for call in 0..3 {
        // SAFETY: the header is prepared and lives until after the call; the kernel may read the data for as long as it
        // likes, as that is a constant.
        assert_eq!(unsafe { sendmsg_raw(&here, header.as_ptr(), MSG_ZEROCOPY) }, Ok(DATA.len()));
        let mut arrived = [0; DATA.len()];
        there.set_read_timeout(Some(LIMIT)).unwrap();
        there.read_exact(&mut arrived).unwrap();
        assert_eq!(arrived, DATA);
        let taken = next(&here);
        assert_eq!((taken.bytes, taken.address.as_ref(), taken.messages.len()), (0, None, 1));
        let (error, _, kind, len) = taken.error();
        // From which call to which it tells of: no error.
        let expected = ExtendedError { origin: ZERO_COPY, code: COPIED, info: call, data: call, ..Default::default() };
        assert_eq!((error, kind, len), (expected, IP_RECVERR, 32));
        assert_no_more(&here);
    }
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
