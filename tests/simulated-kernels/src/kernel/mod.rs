//! A kernel: sockets, what is on its way to them, and a table of descriptors.
//!
//! A socket is a real descriptor (of a file that is otherwise unused), so that the crate has something to call with. No
//! call waits: where a kernel would, this returns `EAGAIN`.

pub mod abi;
mod calls;
pub mod copy_out;
pub mod message;
mod receiving;
mod sending;
pub mod table;

use crate::rules::{CHOSEN, Rules};
use copy_out::CopiedOut;
use libc::c_int;
use message::Message;
use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use table::{File, Table};

pub struct Kernel {
    pub rules: &'static Rules,
    pub table: Table,
    sockets: Vec<Socket>,
    /// What the calls that received have done, one entry for each message.
    pub deliveries: Vec<Delivery>,
    /// How many calls there were, successful or not.
    pub calls: usize,
}

struct Socket {
    number: c_int,
    /// The number of the socket to which it sends.
    peer: c_int,
    kind: Kind,
    /// Whether it is of a family that passes no descriptors, and refuses the flag for close-on-exec.
    refuses_close_on_exec: bool,
    queue: VecDeque<Queued>,
    /// What the next call returns.
    error: Option<c_int>,
    /// The most bytes that one call can send, if it is a stream.
    takes: usize,
    /// The address that the last call that sends has given.
    sent_to: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Stream,
    Datagram,
}

enum Queued {
    Message(Message),
    Error(c_int),
}

/// One message that was received.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// How much room there was for control messages.
    pub room: usize,
    /// The flags that the call was given, and those that it has returned.
    pub asked: c_int,
    pub flags: c_int,
    pub bytes: usize,
    pub data: Vec<u8>,
    pub name: Vec<u8>,
    pub control: CopiedOut,
}

struct Global(RefCell<Kernel>);

// SAFETY: the program has one thread.
unsafe impl Sync for Global {}

static KERNEL: Global = Global(RefCell::new(Kernel {
    rules: CHOSEN,
    table: Table::new(),
    sockets: Vec::new(),
    deliveries: Vec::new(),
    calls: 0,
}));

/// The kernel, which must not be held on to while the crate makes a call.
pub fn kernel() -> RefMut<'static, Kernel> {
    KERNEL.0.borrow_mut()
}

/// The program's end of a connection.
pub struct Connected {
    descriptor: OwnedFd,
}

impl AsFd for Connected {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Connected {
    fn number(&self) -> c_int {
        self.descriptor.as_raw_fd()
    }

    /// Two sockets, each of which sends to the other.
    pub fn pair(kind: Kind) -> (Connected, Connected) {
        let mut kernel = kernel();
        let ends = [(); 2].map(|()| kernel.table.open().1);
        let [one, other] = [&ends[0], &ends[1]].map(|end| end.as_raw_fd());
        for (number, peer) in [(one, other), (other, one)] {
            kernel.sockets.push(Socket {
                number,
                peer,
                kind,
                refuses_close_on_exec: false,
                queue: VecDeque::new(),
                error: None,
                takes: usize::MAX,
                sent_to: Vec::new(),
            });
        }
        let [here, there] = ends.map(|descriptor| Connected { descriptor });
        (here, there)
    }

    /// Makes it a socket of a family that refuses the flag for close-on-exec: `AF_PACKET`, for example.
    pub fn refuse_close_on_exec(&self) {
        kernel().socket(self.number()).unwrap().refuses_close_on_exec = true;
    }

    /// Has a message arrive.
    pub fn deliver(&self, message: Message) {
        kernel().socket(self.number()).unwrap().queue.push_back(Queued::Message(message));
    }

    /// Has the call fail that comes to this point of the queue.
    pub fn deliver_error(&self, number: c_int) {
        kernel().socket(self.number()).unwrap().queue.push_back(Queued::Error(number));
    }

    /// Takes no more than so many bytes of what is sent in one call.
    pub fn takes(&self, bytes: usize) {
        kernel().socket(self.number()).unwrap().takes = bytes;
    }

    /// Has the next call fail that sends.
    pub fn fail(&self, number: c_int) {
        kernel().socket(self.number()).unwrap().error = Some(number);
    }

    pub fn sent_to(&self) -> Vec<u8> {
        kernel().socket(self.number()).unwrap().sent_to.clone()
    }

    /// How many messages have not been received.
    pub fn waiting(&self) -> usize {
        kernel().socket(self.number()).unwrap().queue.len()
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        // What was on its way is closed with it.
        kernel().sockets.retain(|socket| socket.number != self.number());
    }
}

impl Kernel {
    fn socket(&mut self, number: c_int) -> Option<&mut Socket> {
        self.sockets.iter_mut().find(|socket| socket.number == number)
    }

    /// The family of a socket, as `SO_DOMAIN` has it.
    #[cfg(target_os = "linux")]
    #[cfg_attr(miri, allow(dead_code, reason = "Miri has the call itself"))]
    fn family(&mut self, number: c_int) -> Result<c_int, c_int> {
        let socket = self.socket(number).ok_or(libc::ENOTSOCK)?;
        // A family that refuses it.
        Ok(if socket.refuses_close_on_exec { libc::AF_PACKET } else { libc::AF_UNIX })
    }

    /// Begins a scenario anew. Everything of the last one has to be closed.
    pub fn reset(&mut self) {
        assert!(self.sockets.is_empty(), "a scenario leaves no socket");
        let open = self.table.open_files();
        assert!(open.is_empty(), "these files are still open: {open:?}");
        self.table = Table::new();
        self.deliveries.clear();
        self.calls = 0;
    }

    /// Closes the descriptors that were installed in the last call and are in no buffer: how many there were.
    pub fn close_unreported(&mut self) -> usize {
        let lost: Vec<_> = self.deliveries.iter_mut().flat_map(|one| one.control.unreported.drain(..)).collect();
        lost.iter().for_each(|number| self.table.uninstall(*number));
        lost.len()
    }

    pub fn last(&self) -> &Delivery {
        self.deliveries.last().expect("a call has received something")
    }
}

/// A file of the simulated system, with a descriptor of the program's.
pub fn open() -> (File, OwnedFd) {
    kernel().table.open()
}

/// Asserts that a descriptor leads to a file.
pub fn assert_leads_to(descriptor: BorrowedFd<'_>, file: File) {
    let found = kernel().table.file_at(descriptor.as_raw_fd());
    assert_eq!(found, Some(file), "descriptor {}", descriptor.as_raw_fd());
}
