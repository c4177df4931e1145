use super::Received;
use crate::control::ControlSliceMut;
use crate::socket::{RecvOptions, receive_one};
use rustix::fd::AsFd;
use rustix::io::{Errno, IoSliceMut};

/// Receives data, and control messages beside it.
///
/// `data` may be any number of slices, none too. `control` is room for control messages: a
/// [`ControlBuffer`](crate::ControlBuffer), bytes, or [`ControlSliceMut::none`]. `options` are the system's flags, or
/// [`RecvOptions`]. Every descriptor that arrives is close-on-exec, unless those say otherwise.
///
/// # Which bytes a descriptor belongs to
///
/// On a stream of the UNIX domain, Linux returns bytes that were sent *without* descriptors together with the bytes and
/// the descriptors that were sent after them: of `4 bytes`, then `1 byte and a descriptor`, one call returns 5 bytes and
/// the descriptor. A call that returns the first byte of a message with descriptors returns no bytes that were sent after
/// that message, and no call returns two sets of descriptors. (What is left of such a message is bytes like any other, and
/// joined to what comes after it.) So which byte a descriptor belongs to is for the protocol to say: most keep one queue of bytes and one of
/// descriptors, or say in the bytes how many descriptors there are. Datagrams and seqpacket messages are not joined.
///
/// # Sockets of other families
///
/// The flag that has the system set close-on-exec is [`CLOEXEC_ON_RECEIVE`](crate::socket::CLOEXEC_ON_RECEIVE). A few
/// families of Linux, which that constant names, refuse it, and pass no descriptors: if one of their sockets fails with
/// `EINVAL` or `EOPNOTSUPP`, this makes the call again without the flag. That is three system calls for each
/// packet of a packet capture (`AF_PACKET`; one asks for the family): receive with
/// [`RecvOptions::inheritable`] there, which adds no flag to the caller's, and makes one.
///
/// # The error queue
///
/// With `RecvFlags::ERRQUEUE` the call reads the socket's error queue (Linux, for sockets that have turned on `IP_RECVERR`,
/// `SO_TIMESTAMPING` or `SO_ZEROCOPY`, for example). It never waits: `EAGAIN` says that the queue is empty, on a socket
/// that blocks, too. To wait for an entry, wait for `POLLERR` with `poll`.
///
/// An entry is about something that was *sent*; the control messages say what happened. Of an error, the first bytes are the
/// data that was sent, which may be none, and [`address`](Received::address) is where the datagram was sent to. Of a
/// timestamp, the bytes are the packet with the headers of its link and its protocols, and there is no address; with
/// `SOF_TIMESTAMPING_OPT_TSONLY` there are no bytes. `IP_RECVERR` (level 0,
/// type 11; 32 bytes) or `IPV6_RECVERR` (level 41, type 25; 44 bytes) holds a `struct sock_extended_err` of 16 bytes (errno
/// in 4 bytes; origin, type and code in one each; one of padding; info and data in 4 each), and the address of the host that
/// reported it, of family 0 if there is none. On an IPv6 socket, the entries for IPv4 peers are `IPV6_RECVERR`, but are asked
/// for with `IP_RECVERR`. Whatever else is turned on for received datagrams comes as well, and needs room. 0 bytes are not
/// the end of a stream here.
///
/// # Errors
///
/// Those of recvmsg(2). Nothing is owned then. Among them:
/// - `EAGAIN`: nothing is there and the socket does not block;
/// - `EINTR`: a signal came first;
/// - `EMSGSIZE`: more slices than the system takes (1024 on Linux); on OpenBSD, too little room for the descriptors; on
///   Apple's systems and NetBSD, the table of descriptors is full. (NetBSD then keeps the data of a stream, without the
///   descriptors; a datagram is gone.)
/// - `ENOBUFS`: on a netlink socket, messages were lost because its buffer was full. The next call receives again.
/// - `ECONNREFUSED` and others on a datagram socket: what became of a datagram that was sent before.
///
/// # A sender can make this call slow
///
/// The last close of an open file can block: that of a TCP socket with `SO_LINGER` and unsent data waits as long as its
/// owner chose. A descriptor that does not fit, or that is dropped with the [`Received`], is closed by this thread, so a
/// hostile sender can hold up a call on a socket that does not block. A program that cannot wait takes the descriptors and
/// closes them on another thread. One that wants none turns `SO_PASSRIGHTS` off, so that its peers cannot send any from then on
/// (Linux 6.16).
///
/// # Edition 2021
///
/// There, the value of a block's last expression is dropped after the block's variables. So
/// `match recvmsg(.., &mut space, ..) { .. }` as the last expression of a block that declares `space` does not compile
/// (E0597). Bind the result to a variable first.
///
/// Manual pages: [Linux], [POSIX], [FreeBSD], [NetBSD], [OpenBSD], [illumos]. The [rules](crate::received#rules) of
/// ownership are this crate's.
///
/// [Linux]: https://man7.org/linux/man-pages/man2/recvmsg.2.html
/// [POSIX]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/recvmsg.html
/// [FreeBSD]: https://man.freebsd.org/cgi/man.cgi?query=recvmsg&sektion=2
/// [NetBSD]: https://man.netbsd.org/recvmsg.2
/// [OpenBSD]: https://man.openbsd.org/recvmsg.2
/// [illumos]: https://illumos.org/man/3SOCKET/recvmsg
///
/// ```
/// use ancillary::ControlBuffer;
/// use ancillary::received::recvmsg;
/// use rustix::io::IoSliceMut;
/// use rustix::net::{AddressFamily, RecvFlags, ReturnFlags, SocketFlags, SocketType, socketpair};
///
/// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
/// rustix::io::write(&there, b"a datagram")?;
///
/// let (mut first, mut second) = ([0; 2], [0; 4]);
/// let mut slices = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
/// let mut space = ControlBuffer::<64>::new();
/// let received = recvmsg(&here, &mut slices, &mut space, RecvFlags::empty())?;
/// assert_eq!(received.bytes(), 6);
/// assert_eq!(received.flags(), ReturnFlags::TRUNC);
/// assert!(received.data_truncated() && !received.control_truncated());
/// assert!(received.address().is_none());
/// assert!(received.messages().next().is_none());
/// # Ok::<(), rustix::io::Errno>(())
/// ```
#[inline]
pub fn recvmsg<'c>(
    socket: impl AsFd,
    data: &mut [IoSliceMut<'_>],
    control: impl Into<ControlSliceMut<'c>>,
    options: impl Into<RecvOptions>,
) -> Result<Received<'c>, Errno> {
    let options = options.into();
    let (bytes, filled, flags) = receive_one(socket.as_fd(), data, control, options)?;
    // SAFETY: the system has filled it in this call, which has succeeded with these flags, and nothing else owns what has
    // arrived.
    let (mut received, _) = unsafe { Received::from_call(filled, bytes, flags) };
    // Only now: it may be any type of the caller's, and panic when it is dropped. What arrived has its owner by then.
    drop(socket);
    if options.leaves_inheritable(flags) {
        received.set_close_on_exec()?;
    }
    Ok(received)
}
