//! Descriptors through tokio: two tasks pass 10,000 each to the other, over sockets that do not block.
//!
//! The crate makes a call once and keeps nothing, so it needs no runtime of its own: `WOULDBLOCK` comes back as an error
//! like any other, and `AsyncFd` takes it from there. It waits until the socket is ready, and has the call made again.
//!
//! ```sh
//! cargo run --example tokio
//! ```

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this example is written for Linux");
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_io().build()?;
    println!("{}", runtime.block_on(demonstration::run())?);
    Ok(())
}

#[cfg(target_os = "linux")]
mod demonstration {
    use ancillary::message::ScmRights;
    use ancillary::received::recvmsg;
    use ancillary::socket::sendmsg;
    use ancillary::{ControlBuffer, control_len, control_space};
    use rustix::fd::{AsFd, OwnedFd};
    use rustix::io::{IoSlice, IoSliceMut};
    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
    use rustix::pipe::{PipeFlags, pipe_with};
    use std::error::Error;
    use std::sync::Arc;
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::task::JoinSet;

    type Failure = Box<dyn Error + Send + Sync>;

    const MESSAGES: u32 = 10_000;

    pub async fn run() -> Result<String, Failure> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (here, there) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let mut tasks = JoinSet::new();
        for socket in [here, there] {
            tasks.spawn(exchange(socket));
        }
        let mut passed = 0;
        while let Some(task) = tasks.join_next().await {
            passed += task??;
        }
        Ok(format!("{passed} descriptors were passed between two tasks, and each was written through"))
    }

    /// Sends the end of a pipe again and again, while the other task does the same. Returns how often somebody has written
    /// through it.
    async fn exchange(socket: OwnedFd) -> Result<usize, Failure> {
        // SAFETY: an `OwnedFd` is one and the same descriptor, and open, for as long as it lives.
        let socket = Arc::new(unsafe { AsyncFd::register(socket) }?);
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(send_all(Arc::clone(&socket), writer));
        tasks.spawn(receive_all(socket));
        // If one of them fails, this returns, and ends the other one.
        while let Some(task) = tasks.join_next().await {
            task??;
        }
        // Nobody writes any more once the other task has received everything too. Until then the pipe has another end
        // open there, and reading waits for it.
        tokio::task::spawn_blocking(move || count(reader)).await?
    }

    async fn send_all(socket: Arc<AsyncFd<OwnedFd>>, writer: OwnedFd) -> Result<(), Failure> {
        let descriptors = [writer.as_fd()];
        let mut space = ControlBuffer::<{ control_space!(ScmRights[1]) }>::new();
        let mut control = space.writer();
        control.push(ScmRights(&descriptors))?;
        for number in 0..MESSAGES {
            let number = number.to_ne_bytes();
            let data = [IoSlice::new(&number)];
            let send = |socket: &OwnedFd| Ok(sendmsg(socket, &data, &control, SendFlags::NOSIGNAL)?);
            socket.async_io(Interest::WRITABLE, send).await?;
        }
        Ok(())
    }

    async fn receive_all(socket: Arc<AsyncFd<OwnedFd>>) -> Result<(), Failure> {
        for expected in 0..MESSAGES {
            let mut data = [0; 4];
            let receive = |socket: &OwnedFd| {
                // Room for exactly one descriptor: `complete` fails if there were more.
                let mut space = ControlBuffer::<{ control_len!(ScmRights[1]) }>::new();
                let slices = &mut [IoSliceMut::new(&mut data)];
                let received = recvmsg(socket, slices, &mut space, RecvFlags::empty())?;
                let mut received = received.complete()?;
                let descriptor = received.take_descriptors()?.next();
                Ok((received.bytes(), descriptor))
            };
            // If the task is dropped while it waits here, nothing was received yet: what is received is returned at once.
            let (bytes, descriptor) = socket.async_io(Interest::READABLE, receive).await?;
            let descriptor = descriptor.ok_or("a message without its descriptor")?;
            if data[..bytes] != expected.to_ne_bytes() {
                return Err("a message was lost".into());
            }
            // The descriptor has its owner by now: it can wait with the task, and is closed if that is dropped.
            tokio::task::yield_now().await;
            rustix::io::write(descriptor, b"!")?;
        }
        Ok(())
    }

    /// How many bytes there are to read, until nobody has the other end of the pipe any more.
    fn count(reader: OwnedFd) -> Result<usize, Failure> {
        let (mut data, mut count) = ([0; 4096], 0);
        loop {
            match rustix::io::read(&reader, &mut data)? {
                0 => return Ok(count),
                bytes => count += bytes,
            }
        }
    }
}
