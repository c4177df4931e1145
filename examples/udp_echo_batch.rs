//! A UDP server that receives up to 64 datagrams with one call and answers them with another: each from the address it
//! was sent to, with the congestion marks it came with, and cut into the datagrams it was put together from.
//!
//! ```sh
//! cargo run --example udp_echo_batch                  # a server, and a client that checks its answers
//! cargo run --example udp_echo_batch -- 0.0.0.0:7007  # a server only
//! ```
//!
//! All memory is laid out before the first datagram. What a turn of the loop builds is what it has to: which data goes
//! to which address.

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
    use ancillary::message::{IpPktinfo, IpTos, UdpGro, UdpSegment};
    use ancillary::socket::{RecvRoom, RecvSlot, SendSlot, WAIT_FOR_ONE, set_delivery};
    use ancillary::{ControlSpace, control_space, recvmmsg, sendmmsg};
    use rustix::fd::OwnedFd;
    use rustix::io::{Errno, IoSlice, IoSliceMut};
    use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, bind as bind_to, socket_with};
    use std::error::Error;
    use std::net::SocketAddrV4;

    const BATCH: usize = 64;
    /// With `UDP_GRO`, so much can arrive as one piece.
    const LONGEST: usize = 65_535;

    pub fn bind(address: SocketAddrV4) -> Result<OwnedFd, Errno> {
        let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        bind_to(&socket, &address)?;
        set_delivery::<IpPktinfo>(&socket, true)?;
        set_delivery::<IpTos>(&socket, true)?;
        set_delivery::<UdpGro>(&socket, true)?;
        Ok(socket)
    }

    /// Answers until so many pieces of data have been answered, and says how many calls that took.
    pub fn serve(socket: &OwnedFd, pieces: usize) -> Result<usize, Box<dyn Error>> {
        let mut buffers = vec![[0; LONGEST]; BATCH];
        let mut slices: Vec<_> = buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let mut spaces = [const { ControlSpace::<{ control_space!(IpPktinfo, IpTos, UdpGro) }>::new() }; BATCH];
        let mut rooms: Vec<_> =
            slices.iter_mut().zip(&mut spaces).map(|(slices, space)| RecvRoom::new(slices, space)).collect();
        let mut slots = [const { RecvSlot::new() }; BATCH];

        let mut spaces = [const { ControlSpace::<{ control_space!(IpPktinfo, IpTos, UdpSegment) }>::new() }; BATCH];
        let mut controls = spaces.each_mut().map(|space| space.writer());

        let (mut answered, mut calls) = (0, 0);
        while answered < pieces {
            let mut data = [[IoSlice::new(&[])]; BATCH];
            let mut addresses = [const { None }; BATCH];
            let mut answers = [const { SendSlot::empty() }; BATCH];

            let batch = recvmmsg(socket, &mut slots, &mut rooms, WAIT_FOR_ONE, None)?;
            calls += 1;
            let count = batch.len();
            let places = data.iter_mut().zip(&mut addresses).zip(&mut controls).zip(&mut answers);
            for (mut message, (((data, address), control), answer)) in batch.zip(places) {
                control.clear();
                if let Some(arrived) = message.find::<IpPktinfo>() {
                    control.push(&IpPktinfo::from_source(arrived?.spec_dst))?;
                }
                if let Some(tos) = message.find::<IpTos>() {
                    control.push(&tos?)?;
                }
                if let Some(size) = message.find::<UdpGro>() {
                    control.push(&UdpSegment(size?.0.try_into()?))?;
                }
                let address = address.insert(message.address().ok_or("a datagram from nowhere")?.clone());
                *data = [IoSlice::new(message.into_parts().1)];
                *answer = SendSlot::new(data, control).with_address(address);
            }

            let mut rest = &mut answers[..count];
            while !rest.is_empty() {
                // One that cannot be sent is dropped, as the network drops them.
                let sent = sendmmsg(socket, rest, SendFlags::empty()).unwrap_or(1);
                rest = &mut rest[sent..];
            }
            answered += count;
        }
        Ok(calls)
    }
}

/// A client that talks to a server on the addresses 127.0.0.1 to 127.0.0.4.
#[cfg(target_os = "linux")]
mod demonstration {
    use super::server;
    use ancillary::message::{IpTos, UdpSegment};
    use ancillary::{ControlSpace, control_space, sendmsg_addr};
    use rustix::io::IoSlice;
    use rustix::net::{SendFlags, getsockname};
    use std::error::Error;
    use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
    use std::thread;
    use std::time::Duration;

    const CLIENTS: u8 = 4;
    const ROUNDS: usize = 16;
    const SEGMENTS: usize = 3;
    const SIZE: usize = 100;

    pub fn run() -> Result<(), Box<dyn Error>> {
        let socket = server::bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))?;
        let port = SocketAddrV4::try_from(getsockname(&socket)?)?.port();

        // Everything is sent before the server first looks, so that there is something to take in one call.
        let clients: Vec<(UdpSocket, SocketAddrV4)> = (1..=CLIENTS)
            .map(|last| {
                Ok((UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?, SocketAddrV4::new([127, 0, 0, last].into(), port)))
            })
            .collect::<Result<_, std::io::Error>>()?;
        for (client, server) in &clients {
            for _ in 0..ROUNDS {
                send(client, *server)?;
            }
        }

        let pieces = usize::from(CLIENTS) * ROUNDS;
        let serving = thread::spawn(move || server::serve(&socket, pieces).map_err(|error| error.to_string()));
        for (client, server) in &clients {
            client.set_read_timeout(Some(Duration::from_secs(10)))?;
            for _ in 0..ROUNDS * SEGMENTS {
                let mut data = [0; 2 * SIZE];
                let (bytes, from) = client.recv_from(&mut data)?;
                if (bytes, from) != (SIZE, (*server).into()) {
                    return Err(format!("{bytes} bytes came from {from}, not {SIZE} from {server}").into());
                }
            }
        }
        let calls = serving.join().map_err(|_| "the server panicked")??;
        let datagrams = pieces * SEGMENTS;
        println!(
            "{datagrams} datagrams to {CLIENTS} addresses, each answered from its own: {calls} calls to receive them"
        );
        Ok(())
    }

    /// Three datagrams as one piece of data, marked as capable of congestion notification.
    fn send(client: &UdpSocket, server: SocketAddrV4) -> Result<(), Box<dyn Error>> {
        let mut space = ControlSpace::<{ control_space!(IpTos, UdpSegment) }>::new();
        let mut control = space.writer();
        control.push(&IpTos(2))?;
        control.push(&UdpSegment(SIZE as u16))?;
        sendmsg_addr(client, &server, &[IoSlice::new(&[7; SEGMENTS * SIZE])], &control, SendFlags::empty())?;
        Ok(())
    }
}
