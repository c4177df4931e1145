//! Batches over UDP, on the loopback interface.

use super::*;
use crate::internet::{arrived, bound, interface_of_loopback, there_is_gro};
use crate::kernel::errors_of_closed_ports;
use crate::tests;
use ancillary::message::{IpPktinfo, IpTos, UdpGro, UdpSegment};
use ancillary::socket::sendmsg_addr;
use rustix::net::SocketAddrAny;
use std::net::{SocketAddrV4, UdpSocket};

tests![
    each_answer_comes_from_where_its_question_went if there_is_gro,
    an_error_that_has_come_before_a_batch_is_sent if errors_of_closed_ports,
    an_error_that_has_come_before_a_batch_is_received if errors_of_closed_ports,
];

/// What a peer asks: at this address of ours, with this mark, and perhaps as several datagrams in one piece.
struct Question {
    to: Ipv4Addr,
    tos: u8,
    data: &'static [u8],
    segment: Option<u16>,
}

impl Question {
    fn ask(&self, port: u16) -> UdpSocket {
        let (peer, _) = bound(Ipv4Addr::LOCALHOST);
        set_delivery::<IpTos>(&peer, true).unwrap();
        let mut space = ControlBuffer::<{ control_space!(IpTos, UdpSegment) }>::new();
        let mut control = space.writer();
        control.push(IpTos(self.tos)).unwrap();
        self.segment.map_or(Ok(()), |size| control.push(UdpSegment(size))).unwrap();
        let to = SocketAddrV4::new(self.to, port);
        let sent = sendmsg_addr(&peer, &to, &[IoSlice::new(self.data)], &control, SendFlags::empty());
        assert_eq!(sent, Ok(self.data.len()));
        peer
    }

    /// The datagrams that come back have the same sizes and the same mark, and come from where this was sent.
    fn is_answered(&self, peer: &UdpSocket, port: u16) {
        let answer = self.data.to_ascii_uppercase();
        for datagram in answer.chunks(self.segment.map_or(answer.len(), usize::from)) {
            let (mut data, mut space) = ([0; 16], ControlBuffer::<{ control_space!(IpTos) }>::new());
            let received = arrived(peer, &mut data, &mut space);
            assert_eq!(received.find::<IpTos>(), Some(Ok(IpTos(self.tos))));
            assert_eq!(received.address(), Some(&SocketAddrV4::new(self.to, port).into()));
            assert_eq!(&data[..received.bytes()], datagram);
        }
    }
}

fn each_answer_comes_from_where_its_question_went() {
    let (there, address) = bound(Ipv4Addr::UNSPECIFIED);
    let port = address.port();
    set_delivery::<IpPktinfo>(&there, true).unwrap();
    set_delivery::<IpTos>(&there, true).unwrap();
    set_delivery::<UdpGro>(&there, true).unwrap();
    let questions = [
        Question { to: Ipv4Addr::new(127, 0, 0, 1), tos: 0xb9, data: b"first", segment: None },
        Question { to: Ipv4Addr::new(127, 0, 0, 2), tos: 2, data: b"datagrams", segment: Some(4) },
        Question { to: Ipv4Addr::new(127, 0, 0, 3), tos: 0, data: b"the third", segment: None },
    ];
    let peers = questions.each_ref().map(|question| question.ask(port));

    rooms!(rooms: 3 of 16 bytes, control_space!(IpPktinfo, IpTos, UdpGro));
    let mut slots = slots::<3>();
    let mut spaces = [const { ControlBuffer::<{ control_space!(IpPktinfo, IpTos, UdpSegment) }>::new() }; 3];
    let mut controls = spaces.each_mut().map(ControlBuffer::writer);
    let (mut data, mut addresses) = ([[IoSlice::new(b"")]; 3], [const { None }; 3]);
    let mut answers = [const { SendSlot::empty() }; 3];
    let places = data.iter_mut().zip(&mut addresses).zip(&mut controls).zip(&mut answers);
    // The call waits for all three.
    let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::empty(), None).unwrap();
    assert_eq!(batch.len(), 3);
    for (message, (((data, address), control), answer)) in batch.zip(places) {
        let message = message.complete().unwrap();
        let is_from = |peer: &UdpSocket| message.address() == Some(&SocketAddrAny::from(peer.local_addr().unwrap()));
        let question = &questions[peers.iter().position(is_from).unwrap()];
        let info = IpPktinfo { ifindex: interface_of_loopback(), spec_dst: question.to, addr: question.to };
        assert_eq!(message.find::<IpPktinfo>(), Some(Ok(info)));
        assert_eq!(message.find::<IpTos>(), Some(Ok(IpTos(question.tos))));
        let size = question.segment.map(|size| Ok(UdpGro(size.into())));
        assert_eq!(message.find::<UdpGro>(), size);
        assert_eq!(message.data(), question.data);

        control.push(IpPktinfo::from_source(info.spec_dst)).unwrap();
        control.push(IpTos(question.tos)).unwrap();
        question.segment.map_or(Ok(()), |size| control.push(UdpSegment(size))).unwrap();
        let address = address.insert(message.address().unwrap().clone());
        let (_, bytes) = message.into_parts();
        bytes.make_ascii_uppercase();
        *data = [IoSlice::new(bytes)];
        *answer = SendSlot::new(data, control).with_address(address);
    }
    assert_eq!(sendmmsg(&there, &mut answers, SendFlags::empty()), Ok(3));
    let mut sent = answers.map(|answer| answer.sent());
    sent.sort_unstable();
    assert_eq!(sent, [5, 9, 9]);
    for (question, peer) in questions.iter().zip(&peers) {
        question.is_answered(peer, port);
    }
}

/// A socket that was told that its peer was gone, which is there again.
fn refused() -> (UdpSocket, UdpSocket) {
    // An address that others seldom take a port of.
    let (there, to) = bound(Ipv4Addr::new(127, 0, 0, 66));
    let (here, from) = bound(Ipv4Addr::LOCALHOST);
    here.connect(to).unwrap();
    drop(there);
    here.send(b"to nobody").unwrap();
    wait_for(&here, libc::POLLERR);
    let there = UdpSocket::bind(to).unwrap();
    there.set_read_timeout(Some(LIMIT)).unwrap();
    there.connect(from).unwrap();
    (here, there)
}

fn waiting_bytes(socket: &UdpSocket) -> u64 {
    rustix::io::ioctl_fionread(socket).unwrap()
}

/// It is the first message's, and told once. Nothing was sent.
fn an_error_that_has_come_before_a_batch_is_sent() {
    let (here, there) = refused();
    let (control, data) = (ControlWriter::empty(), [[IoSlice::new(b"1")], [IoSlice::new(b"22")]]);
    let mut messages = data.each_ref().map(|data| SendSlot::new(data, &control));
    assert_eq!(sendmmsg(&here, &mut messages, SendFlags::empty()), Err(Errno::CONNREFUSED));
    assert_eq!(sendmmsg(&here, &mut messages, SendFlags::empty()), Ok(2));
    rooms!(rooms: 2 of 4 bytes, 0);
    let mut slots = slots::<2>();
    let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::empty(), None).unwrap();
    let mut arrived: Vec<_> = batch.map(|message| message.bytes()).collect();
    arrived.sort_unstable();
    assert_eq!(arrived, [1, 2]);
    assert_eq!(waiting_bytes(&there), 0);
}

/// The message that is there is that of the next call.
fn an_error_that_has_come_before_a_batch_is_received() {
    let (here, there) = refused();
    there.send(b"data").unwrap();
    wait_until("a datagram has come", || waiting_bytes(&here) != 0);
    rooms!(rooms: 2 of 4 bytes, 0);
    let mut slots = slots::<2>();
    let error = recvmmsg(&here, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap_err();
    assert_eq!(error, Errno::CONNREFUSED);
    let batch = recvmmsg(&here, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    assert_eq!(batch.error(), None);
    assert!(batch.map(|message| message.data().to_vec()).eq([b"data"]));
}
