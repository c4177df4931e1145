//! Sockets of families that pass no descriptors, and refuse the flag for close-on-exec (case W1, finding B).

use crate::harness::{not_watched_by, the_kernel_itself};
use crate::support::*;
use crate::tests;
use ancillary::control::ControlSliceMut;
use ancillary::received::{recvmmsg, recvmsg};
use ancillary::socket::{CLOEXEC_ON_RECEIVE, RecvMsgHdr, RecvOptions, RecvRoom, RecvSlot, WAIT_FOR_ONE, recvmsg_raw};
use rustix::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use rustix::io::{Errno, IoSliceMut};
use rustix::net::{AddressFamily, RecvFlags, SocketType};
use std::net::{Ipv4Addr, UdpSocket};

tests![
    a_packet_socket_is_received_from if packet_sockets,
    an_empty_packet_socket_says_so if packet_sockets,
    a_batch_of_packets if the_kernels_packet_sockets,
    a_packet_with_its_control_message if the_kernels_packet_sockets,
    the_flag_is_refused_where_the_caller_gives_it if packet_sockets,
    a_unix_socket_that_refuses_the_call_is_not_asked_again if filters_of_calls,
    an_error_that_was_pending_is_returned if failed_routes,
];

const ETH_P_IP: u16 = 0x0800;
const PACKET_AUXDATA: i32 = 8;
const SOL_PACKET: i32 = 263;

/// Everything that arrives on the loopback interface as IPv4, without the header of the link.
fn packet_socket() -> Result<OwnedFd, std::io::Error> {
    // SAFETY: plain numbers.
    let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the number is that of a new descriptor.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: every field is an integer, for which zero is a value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = ETH_P_IP.to_be();
    // SAFETY: the string has its end.
    address.sll_ifindex = unsafe { libc::if_nametoindex(c"lo".as_ptr()) } as i32;
    let len = size_of_val(&address) as u32;
    // SAFETY: pointer and length are those of `address`.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) };
    if bound == 0 { Ok(socket) } else { Err(std::io::Error::last_os_error()) }
}

fn packet_sockets() -> Result<(), String> {
    packet_socket().map(|_| ()).map_err(|error| format!("this process may not have a packet socket ({error})"))
}

fn the_kernels_packet_sockets() -> Result<(), String> {
    the_kernel_itself("a batch and the options of a packet socket are not translated")?;
    packet_sockets()
}

/// Sends one datagram on the loopback interface.
fn send_a_datagram(data: &[u8]) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.send_to(data, socket.local_addr().unwrap()).unwrap();
    assert_eq!(socket.recv(&mut [0; 64]).unwrap(), data.len());
}

/// The first packet that ends with these bytes: other programs may use the interface.
fn wait_for_packet(mut receive: impl FnMut(&mut [u8]) -> Result<usize, Errno>, data: &[u8]) {
    loop {
        let mut packet = [0; 2048];
        let len = receive(&mut packet).expect("a packet has been sent").min(packet.len());
        if packet[..len].ends_with(data) {
            return;
        }
    }
}

fn a_packet_socket_is_received_from() {
    let socket = packet_socket().unwrap();
    send_a_datagram(b"seen from below");
    let receive = |packet: &mut [u8]| {
        let received = recvmsg(&socket, &mut [IoSliceMut::new(packet)], ControlSliceMut::none(), RecvFlags::DONTWAIT)?;
        assert_eq!(received.address().map(|address| address.address_family()), Some(AddressFamily::PACKET));
        assert!(received.incomplete().is_none());
        Ok(received.bytes())
    };
    wait_for_packet(receive, b"seen from below");
}

fn an_empty_packet_socket_says_so() {
    let socket = packet_socket().unwrap();
    for flags in [RecvFlags::DONTWAIT, RecvFlags::DONTWAIT | RecvFlags::ERRQUEUE, RecvFlags::DONTWAIT | RecvFlags::PEEK]
    {
        loop {
            match recvmsg(&socket, &mut [IoSliceMut::new(&mut [0; 16])], &mut [0; 64], flags) {
                Err(error) => break assert_eq!(error, Errno::AGAIN, "{flags:?}"),
                // Another program's; with a peek it would stay.
                Ok(_) => drop(recvmsg(&socket, &mut [], ControlSliceMut::none(), RecvFlags::DONTWAIT)),
            }
        }
    }
}

fn a_batch_of_packets() {
    let socket = packet_socket().unwrap();
    for data in [b"one", b"two"] {
        send_a_datagram(data);
    }
    let mut buffers = [[0; 128]; 8];
    let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
    let mut rooms = slices.each_mut().map(|slices| RecvRoom::new(slices, ControlSliceMut::none()));
    let mut slots = [const { RecvSlot::new() }; 8];
    let flags = WAIT_FOR_ONE | RecvFlags::DONTWAIT;
    let mut seen = 0;
    for message in recvmmsg(&socket, &mut slots, &mut rooms, flags, None).unwrap() {
        seen += usize::from(message.data().ends_with(b"one") || message.data().ends_with(b"two"));
    }
    assert!(seen >= 2, "{seen}: each comes at least once");
    // Nothing is left, and the batch says so.
    while recvmsg(&socket, &mut [], ControlSliceMut::none(), RecvFlags::DONTWAIT).is_ok() {}
    let empty = recvmmsg(&socket, &mut slots, &mut rooms, flags, None);
    assert_eq!(empty.err(), Some(Errno::AGAIN));
}

fn a_packet_with_its_control_message() {
    let socket = packet_socket().unwrap();
    let value = 1_i32;
    // SAFETY: pointer and length are those of `value`.
    let set = unsafe { libc::setsockopt(socket.as_raw_fd(), SOL_PACKET, PACKET_AUXDATA, (&raw const value).cast(), 4) };
    assert_eq!(set, 0);
    send_a_datagram(b"with its control message");
    let receive = |packet: &mut [u8]| {
        let mut control = [0; 64];
        let received = recvmsg(&socket, &mut [IoSliceMut::new(packet)], &mut control, RecvFlags::DONTWAIT)?;
        let mut messages = received.messages();
        let Some(Ok(ancillary::Message::Other(message))) = messages.next() else { panic!("no control message") };
        assert_eq!(
            (message.level(), message.message_type(), message.payload().len()),
            (SOL_PACKET, PACKET_AUXDATA, 20)
        );
        Ok(received.bytes())
    };
    wait_for_packet(receive, b"with its control message");
}

/// A packet capture avoids the refused call: it leaves the flag out.
fn the_flag_is_refused_where_the_caller_gives_it() {
    let socket = packet_socket().unwrap();
    send_a_datagram(b"x");
    let mut data = [0; 64];
    let mut slices = [IoSliceMut::new(&mut data)];
    let flags = RecvFlags::DONTWAIT | CLOEXEC_ON_RECEIVE;
    let inheritable = |flags| RecvOptions::with_flags(flags).inheritable();
    let refused = recvmsg(&socket, &mut slices, ControlSliceMut::none(), inheritable(flags));
    assert_eq!(refused.err(), Some(Errno::INVAL));
    let mut rooms = [RecvRoom::new(&mut slices, ControlSliceMut::none())];
    let mut slots = [RecvSlot::new()];
    let refused = recvmmsg(&socket, &mut slots, &mut rooms, inheritable(flags), None);
    assert_eq!(refused.err(), Some(Errno::INVAL));
    let mut header = RecvMsgHdr::new(&mut slices, ControlSliceMut::none());
    // SAFETY: the header is prepared, and lives and stays where it is until after the call.
    assert_eq!(unsafe { recvmsg_raw(&socket, header.as_mut_ptr(), flags) }, Err(Errno::INVAL));
    let received = recvmsg(&socket, &mut slices, ControlSliceMut::none(), inheritable(RecvFlags::DONTWAIT)).unwrap();
    assert!(received.bytes() > 0);
}

/// Runs on a thread of its own, where the system refuses each receive that lacks the flag for close-on-exec with `ENOTUNIQ`.
fn where_the_flag_is_needed<T: Send>(run: impl FnOnce() -> T + Send) -> Result<T, std::io::Error> {
    // `struct seccomp_data` (`include/uapi/linux/seccomp.h`): the number of the call, then 64 bits for each argument from
    // byte 16 on, of which the lower half is read.
    let half = if cfg!(target_endian = "big") { 4 } else { 0 };
    let flags_at = |argument: u32| 16 + 8 * argument + half;
    let step = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter { code: code as u16, jt, jf, k };
    let load = |at: u32| step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at, 0, 0);
    let jump = |test: u32, k: u32, jt: u8, jf: u8| step(libc::BPF_JMP | test | libc::BPF_K, k, jt, jf);
    let end = |result: u32| step(libc::BPF_RET | libc::BPF_K, result, 0, 0);
    let mut steps = [
        load(0),
        jump(libc::BPF_JEQ, libc::SYS_recvmsg as u32, 2, 0),
        jump(libc::BPF_JEQ, libc::SYS_recvmmsg as u32, 3, 0),
        end(libc::SECCOMP_RET_ALLOW),
        load(flags_at(2)),
        jump(libc::BPF_JSET, libc::MSG_CMSG_CLOEXEC as u32, 2, 3),
        load(flags_at(3)),
        jump(libc::BPF_JSET, libc::MSG_CMSG_CLOEXEC as u32, 0, 1),
        end(libc::SECCOMP_RET_ALLOW),
        end(libc::SECCOMP_RET_ERRNO | libc::ENOTUNIQ as u32),
    ];
    let filter = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    let filter = &raw const filter as usize;
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            // SAFETY: plain numbers, and then a pointer to a filter, which lives until this thread has ended.
            let set = unsafe {
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                    && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, filter) == 0
            };
            if set { Ok(run()) } else { Err(std::io::Error::last_os_error()) }
        });
        thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    })
}

/// Without them it cannot be seen how often a call is made. (With `socketcall`, a filter does not see the flags.)
fn filters_of_calls() -> Result<(), String> {
    if cfg!(any(target_arch = "x86", target_arch = "s390x")) {
        return Err("a filter does not see the flags of a socketcall".into());
    }
    the_kernel_itself("filters of system calls are not translated")?;
    not_watched_by(&["memcheck"], "makes the calls itself")?;
    where_the_flag_is_needed(|| ()).map_err(|error| format!("this process may not filter its calls ({error})"))
}

/// Its error has another cause, and by the time of a second call, which has no flag, another thread may have connected the
/// socket.
fn a_unix_socket_that_refuses_the_call_is_not_asked_again() {
    where_the_flag_is_needed(|| {
        let unconnected = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        let received = recvmsg(unconnected.as_fd(), &mut [], ControlSliceMut::none(), RecvFlags::empty());
        assert_eq!(received.err(), Some(Errno::INVAL));
        let mut rooms = [RecvRoom::new(&mut [], ControlSliceMut::none())];
        let mut slots = [RecvSlot::new()];
        let received = recvmmsg(&unconnected, &mut slots, &mut rooms, RecvFlags::empty(), None);
        assert_eq!(received.err(), Some(Errno::INVAL));
        let (here, _there) = pair(SocketType::DGRAM);
        let received = recvmsg(&here, &mut [], ControlSliceMut::none(), RecvFlags::OOB);
        assert_eq!(received.err(), Some(Errno::OPNOTSUPP));
        // The filter works.
        let without = RecvOptions::with_flags(RecvFlags::DONTWAIT).inheritable();
        let received = recvmsg(&here, &mut [], ControlSliceMut::none(), without);
        assert_eq!(received.err(), Some(Errno::from_raw_os_error(libc::ENOTUNIQ)));
        let received = recvmmsg(&here, &mut slots, &mut rooms, without, None);
        assert_eq!(received.err(), Some(Errno::from_raw_os_error(libc::ENOTUNIQ)));
    })
    .unwrap();
}

/// Returns a socket that has a pending error, `EOPNOTSUPP`: a host on the way has said that a source route failed.
fn with_a_failed_route() -> Result<UdpSocket, std::io::Error> {
    let address = Ipv4Addr::LOCALHOST;
    let (here, there) = (UdpSocket::bind((address, 0))?, UdpSocket::bind((address, 0))?);
    here.connect(there.local_addr()?)?;
    set_option_of(&here, (libc::IPPROTO_IP, libc::IP_RECVERR), 1)?;
    // SAFETY: plain numbers.
    let raw = unsafe { libc::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_ICMP) };
    if raw < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the number is that of a new descriptor. (The standard library's type has `send_to`.)
    let raw = UdpSocket::from(unsafe { OwnedFd::from_raw_fd(raw) });
    // Destination unreachable, source route failed (RFC 792), then the headers of IPv4 and UDP of what was sent.
    let mut message = vec![3, 5, 0, 0, 0, 0, 0, 0];
    message.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, libc::IPPROTO_UDP as u8, 0, 0]);
    message.extend([address.octets(), address.octets()].concat());
    message.extend([here.local_addr()?.port().to_be_bytes(), there.local_addr()?.port().to_be_bytes()].concat());
    message.extend([0, 8, 0, 0]);
    let sum: u32 = message.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    message[2..4].copy_from_slice(&(!(folded + (folded >> 16)) as u16).to_be_bytes());
    raw.send_to(&message, (address, 0))?;
    if happens_in(LIMIT, &here, libc::POLLERR) { Ok(here) } else { Err(std::io::ErrorKind::TimedOut.into()) }
}

fn failed_routes() -> Result<(), String> {
    the_kernel_itself("an error that is pending is not translated")?;
    with_a_failed_route().map(drop).map_err(|error| format!("no error of a route can be made here ({error})"))
}

/// Case W1 has a limit: IPv4 takes the flag, so its error has another cause, and is returned once. A second call would lose
/// it, and wait.
fn an_error_that_was_pending_is_returned() {
    let socket = with_a_failed_route().unwrap();
    let received = recvmsg(&socket, &mut [], ControlSliceMut::none(), RecvFlags::DONTWAIT);
    assert_eq!(received.err(), Some(Errno::OPNOTSUPP));
    let socket = with_a_failed_route().unwrap();
    let mut rooms = [RecvRoom::new(&mut [], ControlSliceMut::none())];
    let mut slots = [RecvSlot::new()];
    let received = recvmmsg(&socket, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None);
    assert_eq!(received.err(), Some(Errno::OPNOTSUPP));
}
