//! What the operations work on.

use crate::{BATCH, DATA};
use ancillary::message::{IpPktinfo, IpTos};
use ancillary::received::recvmsg;
use ancillary::socket::set_delivery;
use ancillary::{ControlBuffer, control_space};
use rustix::fs::fstat;
use rustix::io::{FdFlags, IoSliceMut, fcntl_dupfd_cloexec, fcntl_getfd};
use rustix::net::{RecvFlags, sockopt};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

#[derive(Clone, Copy)]
#[repr(C)]
pub struct Credentials {
    pub pid: u32,
    pub uid: u32,
    pub gid: u32,
}

impl Credentials {
    pub const SOME: Self = Credentials { pid: 4321, uid: 1000, gid: 100 };
}

/// One open file under several numbers, which are the same in every program, until the program ends.
pub fn files<const COUNT: usize>() -> io::Result<[BorrowedFd<'static>; COUNT]> {
    const FIRST: i32 = 300;
    let file = std::fs::File::open("/dev/null")?;
    let duplicates: Vec<OwnedFd> =
        (FIRST..).take(COUNT).map(|number| fcntl_dupfd_cloexec(&file, number)).collect::<Result<_, _>>()?;
    let duplicates: &'static [OwnedFd] = duplicates.leak();
    Ok(std::array::from_fn(|index| duplicates[index].as_fd()))
}

/// The same file under other numbers, owned.
pub fn owned_files(count: usize) -> io::Result<Vec<OwnedFd>> {
    let [file] = files()?;
    (0..count).map(|_| file.try_clone_to_owned()).collect()
}

/// Says how many there are. What they are is left alone.
pub extern "C" fn count(_: *const OwnedFd, len: usize) -> usize {
    len
}

/// Says how many there are, and makes sure that each is [the file](files), close-on-exec.
pub extern "C" fn look_at(descriptors: *const OwnedFd, len: usize) -> usize {
    let device = |file: BorrowedFd<'_>| fstat(file).expect("an open file").st_rdev;
    let file = std::fs::File::open("/dev/null").expect("it is there");
    // SAFETY: so many descriptors are there, and open.
    for descriptor in unsafe { std::slice::from_raw_parts(descriptors, len) } {
        assert_eq!(device(descriptor.as_fd()), device(file.as_fd()), "it is what was sent");
        assert!(fcntl_getfd(descriptor).is_ok_and(|flags| flags.contains(FdFlags::CLOEXEC)));
    }
    len
}

/// A control buffer: messages of two descriptors and of credentials in turns.
pub fn messages(count: usize) -> Vec<u8> {
    let number = |number: u32| number.to_ne_bytes();
    let mut bytes = Vec::new();
    for index in 0..count {
        let Credentials { pid, uid, gid } = Credentials::SOME;
        let (message_type, payload) = match index % 2 {
            0 => (1, [number(300), number(301)].concat()),
            _ => (2, [number(pid), number(uid), number(gid)].concat()),
        };
        push(&mut bytes, 1, message_type, &payload);
    }
    bytes
}

/// A control buffer: what Linux puts beside a datagram if it is asked for `IP_PKTINFO`, `IP_TOS`, `UDP_GRO` and
/// `SO_TIMESTAMPNS`, in its order.
pub fn messages_of_a_datagram() -> Vec<u8> {
    let mut bytes = Vec::new();
    push(&mut bytes, 1, 35, &[1_795_838_400u64.to_ne_bytes(), 123_456_789u64.to_ne_bytes()].concat());
    push(&mut bytes, 17, 104, &1200u32.to_ne_bytes());
    push(&mut bytes, 0, 8, &[2, 0, 0, 0, 192, 0, 2, 1, 192, 0, 2, 7]);
    push(&mut bytes, 0, 1, &[MARK]);
    bytes
}

fn push(bytes: &mut Vec<u8>, level: u32, message_type: u32, payload: &[u8]) {
    bytes.extend((16 + payload.len() as u64).to_ne_bytes());
    bytes.extend([level.to_ne_bytes(), message_type.to_ne_bytes()].concat());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

pub fn datagram_pair() -> io::Result<(UdpSocket, UdpSocket)> {
    let (here, there) = (UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?, UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?);
    here.connect(there.local_addr()?)?;
    there.connect(here.local_addr()?)?;
    Ok((here, there))
}

/// Asks for what comes beside a datagram: the address it was sent to and its mark.
pub fn ask_for_control(socket: &UdpSocket) {
    set_delivery::<IpPktinfo>(socket, true).expect("Linux has it");
    set_delivery::<IpTos>(socket, true).expect("Linux has it");
}

/// What the clients' datagrams are marked with: capable of congestion notification.
pub const MARK: u8 = 2;

/// A client and a server's socket. The client's part is the same for every rival.
pub struct Echo {
    pub server: UdpSocket,
    client: UdpSocket,
    turns: usize,
}

impl Echo {
    pub fn new(turns: usize) -> io::Result<Self> {
        let server = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        ask_for_control(&server);
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        // To an address of the server's that is not the one its system would choose.
        client.connect(SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 7), server.local_addr()?.port()))?;
        sockopt::set_ip_tos(&client, MARK)?;
        ask_for_control(&client);
        Ok(Echo { server, client, turns })
    }

    /// Sends [`BATCH`] datagrams to the server, or says that there are no more.
    pub fn ask(&mut self) -> bool {
        let Some(left) = self.turns.checked_sub(1) else { return false };
        self.turns = left;
        for index in 0..BATCH {
            assert_eq!(self.client.send(&[index as u8; DATA]).expect("it is sent"), DATA);
        }
        true
    }

    /// Takes the answers, each with its mark. A connected socket gets only those from the address it has asked.
    pub fn take_answers(&mut self) {
        for index in 0..BATCH {
            let (mut data, mut space) = ([0; DATA], ControlBuffer::<{ control_space!(IpPktinfo, IpTos) }>::new());
            let mut data_slices = [IoSliceMut::new(&mut data)];
            let received = recvmsg(&self.client, &mut data_slices, &mut space, RecvFlags::empty()).expect("an answer");
            assert_eq!((received.bytes(), received.find::<IpTos>()), (DATA, Some(Ok(IpTos(MARK)))));
            drop(received);
            assert_eq!(data, [index as u8; DATA]);
        }
    }
}
