//! A UDP server that receives up to 64 datagrams with one call and answers them with another: each from the address it
//! was sent to, with the congestion marks it came with, and cut into the datagrams it was put together from. One socket
//! serves IPv6 and IPv4.
//!
//! ```sh
//! cargo run --example udp_echo_batch                  # a server, and clients that check its answers
//! cargo run --example udp_echo_batch -- [::]:7007     # a server only
//! cargo run --example udp_echo_batch -- 0.0.0.0:7007  # of IPv4 only
//! ```
//!
//! All memory is laid out before the first datagram. What a turn of the loop builds is what borrows the data that has
//! just come: the next call will overwrite that.
//!
//! (It answers whoever is named as the sender, even another echo server: nothing for an open network.)

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("UDP_GRO and UDP_SEGMENT are Linux's");
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1) {
        Some(address) => {
            let socket = server::bind(address.parse()?)?;
            server::serve(&socket, usize::MAX)?;
        }
        None => demonstration::run()?,
    }
    Ok(())
}

#[cfg(target_os = "linux")]
mod server {
    use ancillary::message::{IpTos, Ipv6Pktinfo, Ipv6Tclass, UdpGro, UdpSegment};
    use ancillary::received::recvmmsg;
    use ancillary::socket::sendmmsg;
    use ancillary::socket::{RecvRoom, RecvSlot, SendSlot, WAIT_FOR_ONE, set_delivery};
    use ancillary::{ControlBuffer, ControlWriter, Message, Received, control_space};
    use rustix::fd::OwnedFd;
    use rustix::io::{Errno, IoSlice, IoSliceMut};
    use rustix::net::sockopt::set_ipv6_v6only;
    use rustix::net::{AddressFamily, SendFlags, SocketAddrAny, SocketFlags, SocketType};
    use std::error::Error;
    use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

    const BATCH: usize = 64;
    /// With `UDP_GRO`, so much can arrive as one piece.
    const LONGEST: usize = 65_535;

    /// Room for the control messages of both families, those that come and those that go.
    const ASKED: usize = control_space!(Ipv6Pktinfo, IpTos, Ipv6Tclass, UdpGro);
    const ANSWER: usize = control_space!(Ipv6Pktinfo, IpTos, Ipv6Tclass, UdpSegment);

    /// An IPv6 socket. To it, an IPv4 address is an IPv6 address like `::ffff:192.0.2.1`.
    pub fn bind(address: SocketAddr) -> Result<OwnedFd, Errno> {
        let address = match address {
            SocketAddr::V4(address) => SocketAddrV6::new(address.ip().to_ipv6_mapped(), address.port(), 0, 0),
            SocketAddr::V6(address) => address,
        };
        let socket = rustix::net::socket_with(AddressFamily::INET6, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        set_ipv6_v6only(&socket, false)?;
        // All this before the socket has an address, so that nothing comes without.
        set_delivery::<Ipv6Pktinfo>(&socket, true)?; // for both families
        set_delivery::<Ipv6Tclass>(&socket, true)?; // of IPv6
        set_delivery::<IpTos>(&socket, true)?; // of IPv4
        set_delivery::<UdpGro>(&socket, true)?;
        rustix::net::bind(&socket, &address)?;
        Ok(socket)
    }

    /// What [`serve`] has done.
    #[derive(Default)]
    pub struct Served {
        /// How many datagrams have come. (With `UDP_GRO`, several can come as one piece of data; whether they do is for the
        /// kernel and the network card to say.)
        pub datagrams: usize,
        pub pieces: usize,
        /// How many calls it took to receive them.
        pub calls: usize,
    }

    /// Answers until so many datagrams have come.
    ///
    /// It fails only if something is wrong with the socket, or if that has a time limit which passes. What cannot be
    /// answered is dropped, as the network drops it: nobody who sends something odd ends the service for all others.
    pub fn serve(socket: &OwnedFd, datagrams: usize) -> Result<Served, Errno> {
        let mut buffers = vec![[0; LONGEST]; BATCH];
        let mut slices: Vec<_> = buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let mut spaces = [const { ControlBuffer::<ASKED>::new() }; BATCH];
        let mut rooms: Vec<_> =
            slices.iter_mut().zip(&mut spaces).map(|(slices, space)| RecvRoom::new(slices, space)).collect();
        let mut slots = [const { RecvSlot::new() }; BATCH];

        let mut spaces = [const { ControlBuffer::<ANSWER>::new() }; BATCH];
        let mut controls = spaces.each_mut().map(|space| space.writer());
        let nobody = SocketAddrAny::from(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0));
        let mut addresses = vec![nobody; BATCH];

        let mut served = Served::default();
        while served.datagrams < datagrams {
            let batch = match recvmmsg(socket, &mut slots, &mut rooms, WAIT_FOR_ONE, None) {
                Err(Errno::INTR) => continue,
                result => result?,
            };
            served.calls += 1;
            served.pieces += batch.len();

            let mut data = [[IoSlice::new(&[])]; BATCH];
            let mut count = 0;
            for message in batch {
                served.datagrams += match message.find::<UdpGro>() {
                    Some(Ok(size)) => size.segments(message.data(), message.data_truncated()).len(),
                    _ => 1,
                };
                // Where a part was cut off, the rest is not what was asked.
                let Ok(message) = message.complete() else { continue };
                let Some(address) = message.address().cloned() else { continue };
                if write_control(&message, &mut controls[count]).is_err() {
                    continue;
                }
                addresses[count] = address;
                data[count] = [IoSlice::new(message.into_parts().1)];
                count += 1;
            }

            let mut answers = [const { SendSlot::empty() }; BATCH];
            for (index, answer) in answers[..count].iter_mut().enumerate() {
                *answer = SendSlot::new(&data[index], &controls[index]).with_address(&addresses[index]);
            }
            send(socket, &mut answers[..count])?;
        }
        Ok(served)
    }

    /// Writes the control messages of an answer, from those that came with what was asked.
    fn write_control(asked: &Received<'_>, control: &mut ControlWriter<'_>) -> Result<(), Box<dyn Error>> {
        control.clear();
        for message in asked.messages() {
            let Message::Other(message) = message? else { continue };
            if let Some(info) = message.decode::<Ipv6Pktinfo>() {
                // The address alone, and the route says which interface. But a link-local one is of one interface only.
                let Ipv6Pktinfo { addr, ifindex } = info?;
                let ifindex = if addr.is_unicast_link_local() { ifindex } else { 0 };
                control.push(Ipv6Pktinfo { addr, ifindex })?;
            } else if let Some(mark) = message.decode::<IpTos>() {
                control.push(mark?)?;
            } else if let Some(mark) = message.decode::<Ipv6Tclass>() {
                control.push(mark?)?;
            } else if let Some(size) = message.decode::<UdpGro>() {
                control.push(UdpSegment::try_from(size?)?)?;
            }
        }
        Ok(())
    }

    /// Sends all that can be sent.
    fn send(socket: &OwnedFd, answers: &mut [SendSlot<'_>]) -> Result<(), Errno> {
        let mut rest = answers;
        while !rest.is_empty() {
            // An error is that of the first one in the rest. That of a later one is met in a later turn.
            let done = match sendmmsg(socket, rest, SendFlags::empty()) {
                Ok(sent) => sent,
                Err(Errno::INTR) => 0,
                // Something is wrong with the socket, and each of the others would meet the same.
                Err(error @ (Errno::BADF | Errno::NOTSOCK | Errno::PIPE | Errno::NOSYS)) => return Err(error),
                // It was asked at an address that can be no source (a multicast address is none), or nothing leads back,
                // or a firewall forbids it, or it is too long for the way, or there is no room for it now (`EAGAIN`,
                // `ENOBUFS`). UDP promises nothing: it is dropped.
                Err(_) => 1,
            };
            rest = &mut rest[done..];
        }
        Ok(())
    }
}

/// Clients that talk to a server on the addresses 127.0.0.1 to 127.0.0.4, and on `::1` where there is IPv6.
#[cfg(target_os = "linux")]
mod demonstration {
    use super::server;
    use ancillary::message::{IpTos, Ipv6Tclass, UdpSegment};
    use ancillary::received::recvmsg;
    use ancillary::socket::sendmsg_addr;
    use ancillary::socket::set_delivery;
    use ancillary::{ControlBuffer, control_space};
    use rustix::io::{IoSlice, IoSliceMut};
    use rustix::net::sockopt::{Timeout, set_socket_recv_buffer_size, set_socket_timeout};
    use rustix::net::{RecvFlags, SendFlags, SocketAddrAny, getsockname};
    use std::error::Error;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
    use std::time::Duration;

    const ROUNDS: u8 = 20;
    /// What a client sends at once: datagrams of these lengths, all as long as the first but for the last.
    const SIZES: [usize; 3] = [100, 100, 50];
    const TOTAL: usize = SIZES[0] + SIZES[1] + SIZES[2];

    /// All is there before anybody looks. Who waits for longer waits for what is lost.
    const PATIENCE: Duration = Duration::from_secs(10);

    pub fn run() -> Result<(), Box<dyn Error>> {
        let socket = server::bind((Ipv6Addr::UNSPECIFIED, 0).into())?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        // Each datagram takes several times its length, if it comes as a piece of its own.
        set_socket_recv_buffer_size(&socket, 1 << 18)?;
        let port = SocketAddrV6::try_from(getsockname(&socket)?)?.port();
        let mut clients = Vec::new();
        for last in 1..=4 {
            clients.push(Client::new(Ipv4Addr::LOCALHOST.into(), SocketAddr::from(([127, 0, 0, last], port)))?);
        }
        if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
            clients.push(Client::new(Ipv6Addr::LOCALHOST.into(), SocketAddr::from((Ipv6Addr::LOCALHOST, port)))?);
        }

        // All is sent before the server first looks, so that there is something to take in one call.
        for client in &clients {
            (0..ROUNDS).try_for_each(|round| client.send(round))?;
        }
        let server::Served { datagrams, pieces, calls } =
            server::serve(&socket, clients.len() * usize::from(ROUNDS) * SIZES.len())?;
        for client in &clients {
            for round in 0..ROUNDS {
                SIZES.iter().try_for_each(|size| client.check_answer(round, *size))?;
            }
        }
        if calls >= pieces {
            return Err(format!("{calls} calls have received {pieces} pieces of data: there was no batch").into());
        }
        let addresses = clients.len();
        println!(
            "{datagrams} datagrams to {addresses} addresses, each answered from its own, with its mark and its length: \
             {calls} calls to receive them"
        );
        Ok(())
    }

    struct Client {
        socket: UdpSocket,
        server: SocketAddr,
    }

    impl Client {
        fn new(address: IpAddr, server: SocketAddr) -> Result<Self, Box<dyn Error>> {
            let socket = UdpSocket::bind((address, 0))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            match address {
                IpAddr::V4(_) => set_delivery::<IpTos>(&socket, true)?,
                IpAddr::V6(_) => set_delivery::<Ipv6Tclass>(&socket, true)?,
            }
            Ok(Client { socket, server })
        }

        /// Sends datagrams as one piece of data. Data and mark are the number of the round, so that each mark of
        /// congestion has its turn: it is the two lowest bits.
        fn send(&self, round: u8) -> Result<(), Box<dyn Error>> {
            let mut space = ControlBuffer::<{ control_space!(IpTos, Ipv6Tclass, UdpSegment) }>::new();
            let mut control = space.writer();
            match self.server {
                SocketAddr::V4(_) => control.push(IpTos(round))?,
                SocketAddr::V6(_) => control.push(Ipv6Tclass(round.into()))?,
            }
            control.push(UdpSegment(SIZES[0] as u16))?;
            let data = [round; TOTAL];
            sendmsg_addr(&self.socket, &self.server, &[IoSlice::new(&data)], &control, SendFlags::empty())?;
            Ok(())
        }

        /// Receives one datagram, which has to be the answer to one of that round and length.
        fn check_answer(&self, round: u8, size: usize) -> Result<(), Box<dyn Error>> {
            let mut data = [0; TOTAL];
            let mut slices = [IoSliceMut::new(&mut data)];
            let mut space = ControlBuffer::<{ control_space!(IpTos, Ipv6Tclass) }>::new();
            let received = recvmsg(&self.socket, &mut slices, &mut space, RecvFlags::empty())
                .map_err(|error| format!("no answer from {}: {error}", self.server))?
                .complete()?;
            let mark = match self.server {
                SocketAddr::V4(_) => received.find::<IpTos>().ok_or("an answer without a mark")??.0.into(),
                SocketAddr::V6(_) => received.find::<Ipv6Tclass>().ok_or("an answer without a mark")??.0,
            };
            let (data, from) = (received.filled(&data), received.address());
            if data != vec![round; size] || from != Some(&SocketAddrAny::from(self.server)) || mark != round.into() {
                let (server, bytes) = (self.server, data.len());
                let expected = format!("{size} bytes from {server} with mark {round}");
                return Err(format!("{bytes} bytes came from {from:?} with mark {mark}, and not {expected}").into());
            }
            Ok(())
        }
    }
}
