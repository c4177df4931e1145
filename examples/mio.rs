//! Descriptors through mio: one thread, two sockets that do not block, and 10,000 descriptors each way.
//!
//! An event says once that a socket has become ready, and not again as long as it stays so. So each is used until the
//! call says `WOULDBLOCK`, an error number like any other.
//!
//! ```sh
//! cargo run --example mio
//! ```

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this example is written for Linux");
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", demonstration::run()?);
    Ok(())
}

#[cfg(target_os = "linux")]
mod demonstration {
    use ancillary::message::ScmRights;
    use ancillary::received::recvmsg;
    use ancillary::socket::sendmsg;
    use ancillary::{ControlBuffer, control_len, control_space};
    use mio::unix::SourceFd;
    use mio::{Events, Interest, Poll, Token};
    use rustix::fd::{AsFd, AsRawFd, OwnedFd};
    use rustix::io::{Errno, IoSlice, IoSliceMut};
    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
    use rustix::pipe::{PipeFlags, pipe_with};
    use std::error::Error;
    use std::io::ErrorKind;

    const MESSAGES: u32 = 10_000;

    pub fn run() -> Result<String, Box<dyn Error>> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (here, there) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let mut peers = [Peer::new(here)?, Peer::new(there)?];
        let mut poll = Poll::new()?;
        for (index, peer) in peers.iter().enumerate() {
            let socket = peer.socket.as_raw_fd();
            poll.registry().register(&mut SourceFd(&socket), Token(index), Interest::READABLE | Interest::WRITABLE)?;
        }

        let (mut events, mut turns) = (Events::with_capacity(8), 0);
        while !peers.iter().all(Peer::is_done) {
            match poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other?,
            }
            turns += 1;
            for event in &events {
                let peer = &mut peers[event.token().0];
                if event.is_readable() {
                    while peer.receive()? {}
                }
                if event.is_writable() {
                    while peer.send()? {}
                }
            }
        }
        let written = peers.iter().map(Peer::written).sum::<Result<usize, Errno>>()?;
        Ok(format!("{written} descriptors were passed in {turns} turns, and each was written through"))
    }

    struct Peer {
        socket: OwnedFd,
        sent: u32,
        received: u32,
        /// What is sent, and where it leads to.
        writer: OwnedFd,
        reader: OwnedFd,
    }

    impl Peer {
        fn new(socket: OwnedFd) -> Result<Self, Errno> {
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
            Ok(Peer { socket, sent: 0, received: 0, writer, reader })
        }

        fn is_done(&self) -> bool {
            self.sent == MESSAGES && self.received == MESSAGES
        }

        /// Sends one, and says whether to go on: not if the call would block, nor after the last.
        fn send(&mut self) -> Result<bool, Box<dyn Error>> {
            if self.sent == MESSAGES {
                return Ok(false);
            }
            let descriptors = [self.writer.as_fd()];
            let mut space = ControlBuffer::<{ control_space!(ScmRights[1]) }>::new();
            let mut control = space.writer();
            control.push(ScmRights(&descriptors))?;
            let number = self.sent.to_ne_bytes();
            match sendmsg(&self.socket, &[IoSlice::new(&number)], &control, SendFlags::NOSIGNAL) {
                Err(Errno::WOULDBLOCK) => return Ok(false),
                sent => sent?,
            };
            self.sent += 1;
            Ok(true)
        }

        /// Receives one, and says whether to go on: not if the call would block.
        fn receive(&mut self) -> Result<bool, Box<dyn Error>> {
            let mut data = [0; 4];
            // Room for exactly one descriptor: `complete` fails if there were more.
            let mut space = ControlBuffer::<{ control_len!(ScmRights[1]) }>::new();
            let mut slices = [IoSliceMut::new(&mut data)];
            let mut received = match recvmsg(&self.socket, &mut slices, &mut space, RecvFlags::empty()) {
                Err(Errno::WOULDBLOCK) => return Ok(false),
                received => received?.complete()?,
            };
            if received.filled(&data) != self.received.to_ne_bytes() {
                return Err("a message was lost".into());
            }
            let descriptor = received.take_descriptors()?.next().ok_or("a message without its descriptor")?;
            rustix::io::write(descriptor, b"!")?;
            self.received += 1;
            Ok(true)
        }

        /// How often the other one has written through what it got.
        fn written(&self) -> Result<usize, Errno> {
            let (mut data, mut count) = ([0; 4096], 0);
            loop {
                match rustix::io::read(&self.reader, &mut data) {
                    Ok(bytes) => count += bytes,
                    Err(Errno::WOULDBLOCK) => return Ok(count),
                    Err(error) => return Err(error),
                }
            }
        }
    }
}
