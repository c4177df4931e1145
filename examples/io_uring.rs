//! Descriptors through io_uring: a server that gets files and passes files back, by one request for all that arrives.
//!
//! A client passes the open descriptor of a file. The server reads it, writes the text in capitals to a file of its own
//! without a name, and passes that back. It receives with a multishot RECVMSG, which takes a buffer for each message
//! from a ring of buffers, and answers with SENDMSG on a prepared header. The system makes both calls; this crate
//! prepares what they take, and owns what they bring. Linux 6.0.
//!
//! ```sh
//! cargo run --example io_uring
//! ```
//!
//! The parts: `files` and `client` need no ring; `server` says what is done with a message; `receiver` has the request
//! that receives; `ring` has requests and completions; `buffers` has the memory that the system fills.

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
    // The client asks for more than the server has buffers before that first looks. What either has to say is short: the
    // socket holds it all.
    client::ask(&socket)?;
    let (answers, requests) = server::serve(ring, &socket_of_server)?;
    client::listen(&socket)?;
    println!("server: the client has gone, after {answers} answers to {requests} requests of the ring");
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
        // A pipe or a terminal could have us wait for ever.
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
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
    use ancillary::received::recvmsg;
    use ancillary::socket::sendmsg;
    use ancillary::{ControlBuffer, ControlWriter, control_len, control_space};
    use rustix::fd::{AsFd, OwnedFd};
    use rustix::io::{IoSlice, IoSliceMut};
    use rustix::net::{RecvFlags, SendFlags, Shutdown, shutdown};
    use std::error::Error;
    use std::fs::File;

    const TEXTS: [&str; 6] = ["a file", "through a ring", "and back", "or two", "or three", "the last"];

    /// Asks for all texts, and, as not every client knows what the server wants, for nothing.
    pub fn ask(server: &OwnedFd) -> Result<(), Box<dyn Error>> {
        for text in TEXTS {
            let file = files::of(text)?;
            let mut space = ControlBuffer::<{ control_space!(ScmRights[1]) }>::new();
            let mut control = space.writer();
            control.push(ScmRights([file.as_fd()]))?;
            sendmsg(server, &[IoSlice::new(b"shout this")], &control, SendFlags::NOSIGNAL)?;
        }
        sendmsg(server, &[IoSlice::new(b"hello?")], &ControlWriter::empty(), SendFlags::NOSIGNAL)?;
        Ok(shutdown(server, Shutdown::Write)?)
    }

    /// Receives the answers.
    pub fn listen(server: &OwnedFd) -> Result<(), Box<dyn Error>> {
        for question in TEXTS.iter().chain(&["nothing"]) {
            let (mut data, mut space) = ([0; 64], ControlBuffer::<{ control_len!(ScmRights[1]) }>::new());
            let mut slices = [IoSliceMut::new(&mut data)];
            let mut received = recvmsg(server, &mut slices, &mut space, RecvFlags::empty())?.complete()?;
            let file = received.take_descriptors()?.next();
            match file {
                Some(file) => println!("client: sent {question:?}, got {:?}", files::text(&File::from(file))?),
                None => println!(
                    "client: sent {question:?}, was told {:?}",
                    String::from_utf8_lossy(received.filled(&data))
                ),
            }
        }
        Ok(())
    }
}

#[cfg(io_uring_crate)]
mod server {
    use crate::files;
    use crate::receiver::Receiver;
    use ancillary::received::ReceivedWithData;
    use io_uring::IoUring;
    use rustix::fd::{AsFd, OwnedFd};
    use std::error::Error;
    use std::fs::File;

    /// Answers until the client closes its end. Says how often, and how many requests to receive that took.
    pub fn serve(ring: IoUring, socket: &OwnedFd) -> Result<(usize, usize), Box<dyn Error>> {
        let mut receiver = Receiver::new(ring, socket)?;
        let mut answers = 0;
        loop {
            // No bytes are the end. (An empty message looks the same; who sends one is served no more.)
            match receiver.next(|message| (message.bytes() > 0).then(|| shout(message)))? {
                None => return Ok((answers, receiver.requests())),
                Some(Ok(file)) => receiver.answer("here it is", &[file.as_fd()])?,
                // Whatever a client sends, it is answered, and the next one too.
                Some(Err(error)) => receiver.answer(&error.to_string(), &[])?,
            }
            answers += 1;
        }
    }

    /// The text of the file that has come, in capitals, as a file.
    fn shout(message: ReceivedWithData<'_>) -> Result<File, Box<dyn Error>> {
        let mut message = message.complete()?;
        let file = File::from(message.take_descriptors()?.next().ok_or("a message without a file")?);
        let text = files::text(&file)?;
        println!("server: {:?} came with a file: {text:?}", String::from_utf8_lossy(message.data()));
        Ok(files::of(&text.to_uppercase())?)
    }
}

/// The request that receives, and all that it needs for as long as it is there.
///
/// Until it has ended, the system may write to the buffers at any time, and what it leaves there can be the only trace of
/// an open descriptor. So whatever way leads out of here leads through `drop`, which ends it.
#[cfg(io_uring_crate)]
mod receiver {
    use crate::buffers::{Buffers, GROUP};
    use crate::ring::{self, Ring};
    use ancillary::message::ScmRights;
    use ancillary::received::ReceivedWithData;
    use ancillary::socket::{CLOEXEC_ON_RECEIVE, MultishotMsgHdr, SendMsgHdr};
    use ancillary::{ControlBuffer, control_len, control_space};
    use io_uring::types::Fd;
    use io_uring::{IoUring, cqueue, opcode};
    use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
    use rustix::io::{Errno, IoSlice};
    use rustix::net::SendFlags;
    use std::error::Error;
    use std::io;

    pub struct Receiver<'s> {
        socket: &'s OwnedFd,
        header: MultishotMsgHdr,
        /// Whether the request is there: whether a completion is still to come.
        requested: bool,
        requests: usize,
        // Dropped in this order.
        ring: Ring,
        buffers: Buffers,
    }

    impl<'s> Receiver<'s> {
        pub fn new(ring: IoUring, socket: &'s OwnedFd) -> io::Result<Self> {
            // Room for one descriptor in each message. A message with more is not complete.
            let header = MultishotMsgHdr::new(0, control_len!(ScmRights[1]))?;
            let buffers = Buffers::new(&ring)?;
            Ok(Receiver { socket, header, requested: false, requests: 0, ring: Ring::new(ring), buffers })
        }

        /// How often the request was made.
        pub fn requests(&self) -> usize {
            self.requests
        }

        /// Waits for a message and has it looked at.
        pub fn next<T>(&mut self, look: impl Fn(ReceivedWithData<'_>) -> T) -> io::Result<T> {
            loop {
                if !self.requested {
                    self.request();
                }
                match self.complete(&look) {
                    // A signal came, or every buffer was in use. The completions of all those came before this one, and
                    // they were given back. So the request is made again.
                    Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::INTR | Errno::NOBUFS)) => {}
                    result => return result,
                }
            }
        }

        fn request(&mut self) {
            let (socket, header) = (Fd(self.socket.as_raw_fd()), self.header.as_ptr().cast());
            // Without this flag, what arrives would be inherited by every program that is started.
            let receive = opcode::RecvMsgMulti::new(socket, header, GROUP).flags(CLOEXEC_ON_RECEIVE.bits());
            // SAFETY: the system reads the header before this returns. The buffers stay until the request has ended:
            // `drop` sees to that.
            unsafe { self.ring.submit(receive.build().user_data(ring::RECEIVE)) };
            self.requested = true;
            self.requests += 1;
        }

        /// Waits for the next completion of the request, and has the message looked at that it has brought, in the buffer
        /// where that lies.
        fn complete<T>(&mut self, look: impl FnOnce(ReceivedWithData<'_>) -> T) -> io::Result<T> {
            let completion = self.ring.next_received();
            // This may be the last one, whatever the result.
            self.requested = cqueue::more(completion.flags());
            let filled = ring::result(&completion)?;
            let buffer = cqueue::buffer_select(completion.flags()).ok_or_else(|| io::Error::other("no buffer"))?;
            // SAFETY: the request was made with this header, and the completion, which is gone after this, says that so
            // much of this buffer was filled. It is given back below, when nobody looks at it any more.
            let message = unsafe { self.header.received(&mut self.buffers.memory(buffer)[..filled]) };
            // From here on every descriptor has an owner.
            let looked = message.map(look);
            self.buffers.give(buffer);
            Ok(looked?)
        }

        /// Sends an answer, and waits until that is done.
        ///
        /// (A client that does not read can make this last. A server of many would keep header, text and descriptors with
        /// each client until the completion, and serve the others meanwhile.)
        pub fn answer(&mut self, text: &str, files: &[BorrowedFd<'_>]) -> Result<(), Box<dyn Error>> {
            let mut space = ControlBuffer::<{ control_space!(ScmRights[1]) }>::new();
            let mut control = space.writer();
            if !files.is_empty() {
                control.push(ScmRights(files))?;
            }
            let data = [IoSlice::new(text.as_bytes())];
            let header = SendMsgHdr::new(&data, &control);
            let send = opcode::SendMsg::new(Fd(self.socket.as_raw_fd()), header.as_ptr().cast());
            // SAFETY: the header, and all that it has borrowed, lives until after the call.
            unsafe { self.ring.call(send.flags(SendFlags::NOSIGNAL.bits()).build()) }?;
            Ok(())
        }
    }

    impl Drop for Receiver<'_> {
        fn drop(&mut self) {
            if self.requested {
                // SAFETY: it has pointers to nothing. (That there is no request any more is no error here.)
                let _ = unsafe { self.ring.call(opcode::AsyncCancel::new(ring::RECEIVE).build()) };
            }
            while self.requested {
                // Closes what has come since somebody last looked. The last one says that it was cancelled.
                let _ = self.complete(|message| drop(message));
            }
            // Nothing is written to the buffers any more.
        }
    }
}

/// Requests and their completions.
#[cfg(io_uring_crate)]
mod ring {
    use io_uring::{IoUring, cqueue, squeue};
    use std::collections::VecDeque;
    use std::io;

    /// What a completion belongs to: to the request that receives, or to a call that is waited for.
    pub const RECEIVE: u64 = 1;
    const CALL: u64 = 2;

    pub struct Ring {
        ring: IoUring,
        /// Completions of the request that receives, which came while something else was waited for.
        received: VecDeque<cqueue::Entry>,
    }

    impl Ring {
        pub fn new(ring: IoUring) -> Self {
            Ring { ring, received: VecDeque::new() }
        }

        /// The system has taken the request when this returns.
        ///
        /// # Safety
        ///
        /// Everything that the request has pointers to stays where it is until the system has finished with it.
        pub unsafe fn submit(&mut self, request: squeue::Entry) {
            // SAFETY: the caller's promise.
            unsafe { self.ring.submission().push(&request) }.expect("a queue that is empty has room for one");
            while !self.ring.submission().is_empty() {
                self.enter(0);
            }
        }

        /// Makes a request and waits for its completion.
        ///
        /// # Safety
        ///
        /// Everything that the request has pointers to stays where it is until this returns.
        pub unsafe fn call(&mut self, request: squeue::Entry) -> io::Result<usize> {
            // SAFETY: there is no way out of here before the completion.
            unsafe { self.submit(request.user_data(CALL)) };
            loop {
                let completion = self.wait();
                if completion.user_data() == CALL {
                    return result(&completion);
                }
                self.received.push_back(completion);
            }
        }

        /// Waits for the next completion of the request that receives.
        pub fn next_received(&mut self) -> cqueue::Entry {
            self.received.pop_front().unwrap_or_else(|| self.wait())
        }

        fn wait(&mut self) -> cqueue::Entry {
            loop {
                if let Some(completion) = self.ring.completion().next() {
                    return completion;
                }
                self.enter(1);
            }
        }

        /// Hands over what is in the queue, and waits for so many completions, or less long.
        fn enter(&mut self, completions: usize) {
            match self.ring.submit_and_wait(completions) {
                Ok(_) => {}
                // A signal, or no memory at the moment. Who has called this calls it again.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN | libc::EBUSY)) => {}
                // What the system still writes to, and when, can only the ring tell. Without it nothing could be freed.
                Err(error) => {
                    eprintln!("the ring fails: {error}");
                    std::process::abort()
                }
            }
        }
    }

    pub fn result(completion: &cqueue::Entry) -> io::Result<usize> {
        usize::try_from(completion.result()).map_err(|_| io::Error::from_raw_os_error(-completion.result()))
    }
}

/// The buffers that the system fills, and the ring in which they are given to it: a page that both sides see.
#[cfg(io_uring_crate)]
mod buffers {
    use io_uring::IoUring;
    use io_uring::types::BufRingEntry;
    use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
    use std::io;
    use std::sync::atomic::{AtomicU16, Ordering};

    /// The number of this group of buffers.
    pub const GROUP: u16 = 0;
    /// How many buffers there are: a power of two.
    const COUNT: u16 = 4;
    /// The length of one, in bytes: the header's rooms are a part of it.
    const LEN: usize = 256;

    /// Of the entries. They have to begin where a page does, and the longest pages have 64 KiB.
    const LAYOUT: Layout = match Layout::from_size_align(COUNT as usize * size_of::<BufRingEntry>(), 64 << 10) {
        Ok(layout) => layout,
        Err(_) => panic!(),
    };

    pub struct Buffers {
        entries: *mut BufRingEntry,
        memory: Box<[[u8; LEN]; COUNT as usize]>,
    }

    impl Buffers {
        /// Buffers, all of which are given to the ring.
        ///
        /// They have to stay until no request uses the group any more.
        pub fn new(ring: &IoUring) -> io::Result<Self> {
            // SAFETY: the layout has a size.
            let entries = unsafe { alloc_zeroed(LAYOUT) };
            if entries.is_null() {
                handle_alloc_error(LAYOUT);
            }
            let mut buffers = Buffers { entries: entries.cast(), memory: Box::new([[0; LEN]; COUNT as usize]) };
            // SAFETY: there are so many entries, and they stay for as long as a request could look at them.
            unsafe { ring.submitter().register_buf_ring_with_flags(entries as u64, COUNT, GROUP, 0) }?;
            (0..COUNT).for_each(|buffer| buffers.give(buffer));
            Ok(buffers)
        }

        /// Gives a buffer to the ring.
        pub fn give(&mut self, buffer: u16) {
            let address = self.memory(buffer).as_mut_ptr() as u64;
            // SAFETY: there are entries. The tail is a part of the first one; the system reads it, and writes none.
            let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.entries).cast_mut()) };
            let next = tail.load(Ordering::Relaxed);
            // SAFETY: the index is that of an entry, and the system does not look at this one before the tail says so:
            // there are as many entries as buffers.
            let entry = unsafe { &mut *self.entries.add(usize::from(next % COUNT)) };
            entry.set_addr(address);
            entry.set_len(LEN as u32);
            entry.set_bid(buffer);
            tail.store(next.wrapping_add(1), Ordering::Release);
        }

        /// The memory of a buffer that is not with the ring.
        pub fn memory(&mut self, buffer: u16) -> &mut [u8; LEN] {
            &mut self.memory[usize::from(buffer)]
        }
    }

    impl Drop for Buffers {
        fn drop(&mut self) {
            // SAFETY: it was allocated so. No request is there that could look at it.
            unsafe { dealloc(self.entries.cast(), LAYOUT) };
        }
    }
}
