//! Descriptors through io_uring: a server that gets files and passes files back, by one request for all that arrives.
//!
//! A client passes the open descriptor of a file. The server reads it, writes the text in capitals to a file of its own
//! without a name, and passes that back. It receives with a single multishot RECVMSG, which takes a buffer for each
//! message from a group that the ring was provided with, and answers with SENDMSG on a prepared header. The system makes
//! both calls; this crate prepares what they take, and owns what they bring. Linux 6.0.
//!
//! ```sh
//! cargo run --example io_uring
//! ```

#[cfg(not(io_uring_crate))]
fn main() {
    println!("this example is written for Linux, on a processor that the crate io-uring knows");
}

#[cfg(io_uring_crate)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    let ring = match io_uring::IoUring::new(8) {
        Ok(ring) => ring,
        Err(error) => {
            println!("this system does not let us have a ring of io_uring: {error}");
            return Ok(());
        }
    };
    let (socket, socket_of_server) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let client = std::thread::spawn(move || client::converse(&socket).map_err(|error| error.to_string()));
    let answers = server::serve(ring, &socket_of_server)?;
    // If the client waits for an answer, it learns here that there is none to come.
    drop(socket_of_server);
    client.join().map_err(|_| "the client panicked")??;
    println!("server: the client has gone, after {answers} answers to one request of the ring");
    Ok(())
}

/// What both need: a file without a name that holds a text.
#[cfg(io_uring_crate)]
mod files {
    use rustix::fs::{MemfdFlags, memfd_create};
    use std::fs::File;
    use std::io::{self, Write};
    use std::os::unix::fs::FileExt;

    const LONGEST: usize = 1000;

    pub fn of(text: &str) -> io::Result<File> {
        let mut file = File::from(memfd_create("text", MemfdFlags::CLOEXEC)?);
        file.write_all(text.as_bytes())?;
        Ok(file)
    }

    /// The position in the file is that of everybody who has it open: reading from the start leaves it alone.
    pub fn text(file: &File) -> io::Result<String> {
        let mut bytes = [0; LONGEST];
        let count = file.read_at(&mut bytes, 0)?;
        Ok(String::from_utf8_lossy(&bytes[..count]).into_owned())
    }
}

/// The client needs no ring.
#[cfg(io_uring_crate)]
mod client {
    use crate::files;
    use ancillary::message::ScmRights;
    use ancillary::{ControlSpace, control_len, control_space, recvmsg, sendmsg};
    use rustix::fd::{AsFd, OwnedFd};
    use rustix::io::{IoSlice, IoSliceMut};
    use rustix::net::{RecvFlags, SendFlags};
    use std::error::Error;
    use std::fs::File;

    pub fn converse(server: &OwnedFd) -> Result<(), Box<dyn Error>> {
        for text in ["a file", "through a ring", "and back"] {
            let file = files::of(text)?;
            let mut space = ControlSpace::<{ control_space!(ScmRights[1]) }>::new();
            let mut control = space.writer();
            control.push(&ScmRights::new(&[file.as_fd()]))?;
            sendmsg(server, &[IoSlice::new(b"shout this")], &control, SendFlags::NOSIGNAL)?;

            let (mut data, mut space) = ([0; 64], ControlSpace::<{ control_len!(ScmRights[1]) }>::new());
            let mut slices = [IoSliceMut::new(&mut data)];
            let mut received = recvmsg(server, &mut slices, &mut space, RecvFlags::empty())?.complete()?;
            let file = File::from(received.take_descriptors().next().ok_or("an answer without a file")??);
            println!("client: sent {text:?}, got {:?}", files::text(&file)?);
        }
        Ok(())
    }
}

#[cfg(io_uring_crate)]
mod server {
    use crate::files;
    use ancillary::message::ScmRights;
    use ancillary::socket::{CLOEXEC_ON_RECEIVE, MultishotHeader, SendHeader};
    use ancillary::{ControlSpace, control_len, control_space};
    use io_uring::types::Fd;
    use io_uring::{IoUring, cqueue, opcode, squeue};
    use rustix::fd::{AsFd, AsRawFd, OwnedFd};
    use rustix::io::IoSlice;
    use rustix::net::SendFlags;
    use std::collections::VecDeque;
    use std::error::Error;
    use std::fs::File;
    use std::io;
    use std::mem::ManuallyDrop;

    /// What a completion belongs to.
    const RECEIVE: u64 = 1;
    const CALL: u64 = 2;

    /// The group of buffers.
    const GROUP: u16 = 0;
    const BUFFERS: u16 = 4;
    /// The length of one, in bytes: the header's rooms are a part of it.
    const LEN: usize = 256;

    /// Answers until the client closes its end, and says how often.
    ///
    /// If this fails, what still arrives stays open in this process. It ends then; another one would cancel its request,
    /// and look at what that has still brought.
    pub fn serve(ring: IoUring, socket: &OwnedFd) -> Result<usize, Box<dyn Error>> {
        // If this fails, the request is still there, and to close the ring does not end it at once: so the buffers stay.
        let mut buffers = ManuallyDrop::new(Box::new([[0; LEN]; BUFFERS as usize]));
        let header = MultishotHeader::new(0, control_len!(ScmRights[1]))?;
        let mut ring = Ring { ring, arrived: VecDeque::new() };

        let provide = opcode::ProvideBuffers::new(buffers.as_mut_ptr().cast(), LEN as i32, BUFFERS, GROUP, 0);
        // SAFETY: the buffers stay, and are looked at only where a completion says so.
        unsafe { ring.call(provide.build()) }?;
        let receive = opcode::RecvMsgMulti::new(Fd(socket.as_raw_fd()), header.as_ptr().cast(), GROUP);
        // Without this flag, what arrives would be inherited by every program that is started.
        let receive = receive.flags(CLOEXEC_ON_RECEIVE.bits()).build().user_data(RECEIVE);
        // SAFETY: the ring takes the header with the request.
        unsafe { ring.submit(receive) }?;

        let mut answers = 0;
        loop {
            let completion = ring.next()?;
            let filled = result(&completion)?;
            let buffer = cqueue::buffer_select(completion.flags()).ok_or("a message without a buffer")?;
            // SAFETY: the request was made with this header, this completion is looked at once, and the buffer is not
            // given back to the ring before that is done.
            let (received, data) =
                unsafe { header.received(&mut buffers[usize::from(buffer)][..filled]) }?.into_parts();
            // From here on every descriptor has an owner.
            let mut received = received.complete()?;
            if received.bytes() == 0 && !cqueue::more(completion.flags()) {
                drop(received);
                // The request has ended.
                drop(ManuallyDrop::into_inner(buffers));
                return Ok(answers);
            }
            let file = File::from(received.take_descriptors().next().ok_or("a message without a file")??);
            let text = files::text(&file)?;
            println!("server: {:?} came with a file: {text:?}", String::from_utf8_lossy(data));
            answer(&mut ring, socket, &files::of(&text.to_uppercase())?)?;
            answers += 1;

            drop(received);
            let memory = buffers[usize::from(buffer)].as_mut_ptr();
            // SAFETY: as above. Nothing that was received is in it any more.
            unsafe { ring.call(opcode::ProvideBuffers::new(memory, LEN as i32, 1, GROUP, buffer).build()) }?;
            if !cqueue::more(completion.flags()) {
                return Err("the request has ended before the client".into());
            }
        }
    }

    fn answer(ring: &mut Ring, socket: &OwnedFd, file: &File) -> Result<(), Box<dyn Error>> {
        let descriptors = [file.as_fd()];
        let mut space = ControlSpace::<{ control_space!(ScmRights[1]) }>::new();
        let mut control = space.writer();
        control.push(&ScmRights::new(&descriptors))?;
        let data = [IoSlice::new(b"here it is")];
        let header = SendHeader::new(&data, &control);
        let send = opcode::SendMsg::new(Fd(socket.as_raw_fd()), header.as_ptr().cast());
        // SAFETY: the header, and all that it has borrowed, lives until after the completion, which is waited for.
        unsafe { ring.call(send.flags(SendFlags::NOSIGNAL.bits()).build()) }?;
        Ok(())
    }

    struct Ring {
        ring: IoUring,
        /// What came while something else was waited for.
        arrived: VecDeque<cqueue::Entry>,
    }

    impl Ring {
        /// # Safety
        ///
        /// Everything that the request has pointers to stays where it is until the ring has finished with it.
        unsafe fn submit(&mut self, request: squeue::Entry) -> Result<(), Box<dyn Error>> {
            // SAFETY: the caller's promise.
            unsafe { self.ring.submission().push(&request) }?;
            self.ring.submit()?;
            Ok(())
        }

        /// Makes a request and waits for its completion.
        ///
        /// # Safety
        ///
        /// As [`submit`](Self::submit).
        unsafe fn call(&mut self, request: squeue::Entry) -> Result<usize, Box<dyn Error>> {
            // SAFETY: the caller's promise.
            unsafe { self.submit(request.user_data(CALL)) }?;
            loop {
                let completion = self.wait()?;
                if completion.user_data() == CALL {
                    return Ok(result(&completion)?);
                }
                self.arrived.push_back(completion);
            }
        }

        /// The next completion of the request that receives.
        fn next(&mut self) -> io::Result<cqueue::Entry> {
            self.arrived.pop_front().map_or_else(|| self.wait(), Ok)
        }

        fn wait(&mut self) -> io::Result<cqueue::Entry> {
            loop {
                if let Some(completion) = self.ring.completion().next() {
                    return Ok(completion);
                }
                match self.ring.submit_and_wait(1) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => drop(other?),
                }
            }
        }
    }

    fn result(completion: &cqueue::Entry) -> io::Result<usize> {
        usize::try_from(completion.result()).map_err(|_| io::Error::from_raw_os_error(-completion.result()))
    }
}
