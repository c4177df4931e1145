//! Multishot RECVMSG: what the kernel has left in buffers, split and owned.

pub mod buffers;
pub mod ending;
pub mod owning;
pub mod splitting;

use super::*;
use ancillary::control_space;
use ancillary::message::ScmRights;
use ancillary::socket::CLOEXEC_ON_RECEIVE;
use rustix::net::ReturnFlags;

const RIGHTS_ROOM: usize = control_space!(ScmRights[3]);

fn header(name_room: usize, control_capacity: usize) -> MultishotMsgHdr {
    MultishotMsgHdr::new(name_room, control_capacity).unwrap()
}

/// A ring with buffers, and one request on a socket, that nobody else reads from.
struct Shots {
    ring: Ring,
    // Dropped after the ring.
    buffers: Buffers,
    header: MultishotMsgHdr,
}

impl Shots {
    fn new(header: MultishotMsgHdr, count: u16, len: usize) -> Self {
        let mut ring = Ring::new();
        let buffers = Buffers::new(&mut ring, count, len, 0).unwrap();
        Shots { ring, buffers, header }
    }

    fn request(&mut self, socket: impl AsFd, flags: RecvFlags) {
        // SAFETY: the header stays where it is, and the buffers stay until after the ring.
        unsafe { self.ring.submit(multishot(socket, &self.header, flags)) };
    }

    fn ends_with(&mut self, error: Errno) {
        let (result, flags) = self.ring.wait();
        assert_eq!((result, has_more(flags)), (Err(error), false));
    }

    /// What the next completion has brought: by `look`, and whether there are more to come.
    fn next<T>(&mut self, look: impl FnOnce(ancillary::Received<'_>, &mut [u8]) -> T) -> (T, bool) {
        let (result, flags) = self.ring.wait();
        let filled = self.buffers.filled(result.unwrap(), flags);
        // SAFETY: the request was made with this header, and this completion is looked at once.
        let (received, data) = unsafe { self.header.received(filled) }.unwrap().into_parts();
        (look(received, data), has_more(flags))
    }
}
