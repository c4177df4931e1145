//! Datagrams as quinn-udp receives them.

use crate::fixture::{MARK, datagram_pair};
use crate::mix;
use ancillary::message::{IpPktinfo, IpTos, UdpGro};
use ancillary::socket::set_delivery;
use rustix::net::sockopt;
use std::ffi::c_int;
use std::hint::black_box;
use std::io;
use std::mem::zeroed;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

/// How many are received with one call at most: quinn-udp's number.
pub const MOST: usize = 32;
/// The length of a datagram, and how many of them a GRO buffer has.
pub const SEGMENT: usize = 64;
pub const SEGMENTS: usize = 2;

/// What is known of the datagrams in one buffer: quinn-udp's `RecvMeta`.
#[derive(Clone, Copy)]
pub struct Meta {
    pub addr: SocketAddr,
    pub len: usize,
    pub stride: usize,
    /// 0 is none.
    pub ecn: u8,
    pub dst_ip: Option<IpAddr>,
    pub interface_index: Option<u32>,
    /// Whether the time of arrival is known. It is not asked for.
    pub has_timestamp: bool,
}

/// A client and a server's socket, which does not block, and delivers traffic class, packet info and GRO.
///
/// The client's part is the same for every rival: one system call, whose headers are made once.
pub struct Arriving {
    pub server: UdpSocket,
    client: UdpSocket,
    client_address: SocketAddr,
    headers: Vec<libc::mmsghdr>,
    turns: usize,
    checks: bool,
    digest: u64,
}

impl Arriving {
    pub(crate) fn new(count: usize, checks: bool) -> io::Result<Self> {
        assert!(count == 1 || count == MOST);
        let (client, server) = datagram_pair()?;
        sockopt::set_ip_tos(&client, MARK)?;
        set_option(&client, libc::SOL_UDP, libc::UDP_SEGMENT, SEGMENT as c_int)?;
        set_delivery::<IpPktinfo>(&server, true)?;
        set_delivery::<IpTos>(&server, true)?;
        set_delivery::<UdpGro>(&server, true)?;
        server.set_nonblocking(true)?;

        let headers = (0..count).map(|index| {
            let data = vec![index as u8; SEGMENT * SEGMENTS].leak();
            let slice = vec![libc::iovec { iov_base: data.as_mut_ptr().cast(), iov_len: data.len() }].leak();
            // SAFETY: a header of zeros leads nowhere.
            let mut header: libc::mmsghdr = unsafe { zeroed() };
            (header.msg_hdr.msg_iov, header.msg_hdr.msg_iovlen) = (slice.as_mut_ptr(), slice.len());
            header
        });
        let headers = headers.collect();
        let client_address = client.local_addr()?;
        Ok(Arriving { server, client, client_address, headers, turns: 0, checks, digest: 0 })
    }

    pub(crate) fn start(&mut self, turns: usize) {
        (self.turns, self.digest) = (turns, 0);
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// How many buffers arrive in each turn: 1 or [`MOST`].
    pub fn count(&self) -> usize {
        self.headers.len()
    }

    /// Turns off the timestamps that quinn-udp 0.6.3 turns on: with them the mark of a GRO buffer does not fit into its 96
    /// bytes for control messages, is lost (`MSG_CTRUNC`), and the work would be less than the others'.
    pub fn without_timestamps(&self) {
        set_option(&self.server, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 0).expect("Linux has it");
    }

    /// Sends, or says that there is no more.
    #[inline(never)]
    pub fn bring(&mut self) -> bool {
        let Some(left) = self.turns.checked_sub(1) else { return false };
        self.turns = left;
        let count = self.headers.len();
        // SAFETY: every header leads to memory that lives as long as the program.
        let sent = unsafe { libc::sendmmsg(self.client.as_raw_fd(), self.headers.as_mut_ptr(), count as u32, 0) };
        assert_eq!(sent, count as c_int);
        true
    }

    /// Takes what was received in one call, data and metadata of each. Only a check looks at it.
    #[inline(always)]
    pub fn take<M>(&mut self, buffers: &[[u8; SEGMENT * SEGMENTS]], metas: &[M], meta: impl Fn(&M) -> Meta) {
        let metas = black_box(metas);
        if self.checks {
            for (buffer, meta) in buffers.iter().zip(metas.iter().map(meta)) {
                self.check(buffer, meta);
            }
        } else {
            self.digest += metas.len() as u64;
        }
    }

    #[inline(never)]
    fn check(&mut self, buffer: &[u8], meta: Meta) {
        assert!(meta.addr == self.client_address && !meta.has_timestamp);
        assert!(buffer.iter().all(|byte| *byte == buffer[0]));
        let IpAddr::V4(to) = meta.dst_ip.expect("an address") else { panic!("of IPv4") };
        let numbers = [
            buffer[0].into(),
            meta.len as u32,
            meta.stride as u32,
            meta.ecn.into(),
            to.to_bits(),
            meta.interface_index.expect("an interface"),
        ];
        self.digest = numbers.into_iter().fold(self.digest, mix);
    }
}

fn set_option(socket: &UdpSocket, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the value is a C int, which these options take.
    let done = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), size_of_val(&value) as u32)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
