use super::Received;
use crate::control::ControlMemory;
use crate::socket::{CloseOnExec, receive_one};
use rustix::fd::AsFd;
use rustix::io::{Errno, IoSliceMut};
use rustix::net::RecvFlags;

/// Receives data, and control messages beside it.
///
/// `data` may be any number of slices, none too. `control` is room for control messages: a
/// [`ControlSpace`](crate::ControlSpace), bytes, or [`ControlMemory::none`]. Every descriptor that arrives is
/// close-on-exec.
///
/// # Errors
///
/// Those of recvmsg(2); among them `EAGAIN` if nothing is there and the socket does not block, `EINTR`, and `EMSGSIZE`
/// for more slices than the system takes (1024 on Linux) or, on OpenBSD, too little room for the descriptors. Nothing
/// is owned then.
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
/// use ancillary::{ControlSpace, Truncated, recvmsg};
/// use rustix::io::IoSliceMut;
/// use rustix::net::{AddressFamily, RecvFlags, ReturnFlags, SocketFlags, SocketType, socketpair};
///
/// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
/// rustix::io::write(&there, b"a datagram")?;
///
/// let (mut first, mut second) = ([0; 2], [0; 4]);
/// let mut slices = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
/// let mut space = ControlSpace::<64>::new();
/// let mut received = recvmsg(&here, &mut slices, &mut space, RecvFlags::empty())?;
/// assert_eq!(received.bytes(), 6);
/// assert_eq!(received.flags(), ReturnFlags::TRUNC);
/// assert!(received.data_truncated() && !received.control_truncated());
/// assert_eq!(received.truncated(), Truncated::DATA);
/// assert!(received.address().is_none());
/// assert!(received.messages().next().is_none());
/// # Ok::<(), rustix::io::Errno>(())
/// ```
#[inline]
pub fn recvmsg<'c>(
    socket: impl AsFd,
    data: &mut [IoSliceMut<'_>],
    control: impl Into<ControlMemory<'c>>,
    flags: RecvFlags,
) -> Result<Received<'c>, Errno> {
    #[allow(unused_mut, reason = "close-on-exec is set afterwards where the system cannot do it in the call")]
    let mut received = receive(socket, data, control, flags, CloseOnExec::Set)?;
    #[cfg(not(cloexec_on_receive))]
    received.set_close_on_exec()?;
    Ok(received)
}

/// Receives data, and control messages beside it, and leaves the descriptors that arrive inheritable across `exec`.
///
/// As [`recvmsg`] otherwise. (An `SCM_PIDFD` is close-on-exec all the same: Linux makes it so.)
///
/// # Errors
///
/// Those of [`recvmsg`].
///
/// ```
/// use ancillary::{ControlSpace, recvmsg_inheritable};
/// use rustix::io::IoSliceMut;
/// use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};
///
/// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
/// rustix::io::write(&there, b"data")?;
/// let (mut data, mut space) = ([0; 16], ControlSpace::<64>::new());
/// let received = recvmsg_inheritable(&here, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty())?;
/// assert_eq!(received.bytes(), 4);
/// # Ok::<(), rustix::io::Errno>(())
/// ```
#[doc(alias = "recvmsg")]
#[inline]
pub fn recvmsg_inheritable<'c>(
    socket: impl AsFd,
    data: &mut [IoSliceMut<'_>],
    control: impl Into<ControlMemory<'c>>,
    flags: RecvFlags,
) -> Result<Received<'c>, Errno> {
    receive(socket, data, control, flags, CloseOnExec::AsFlagsSay)
}

#[inline]
fn receive<'c>(
    socket: impl AsFd,
    data: &mut [IoSliceMut<'_>],
    control: impl Into<ControlMemory<'c>>,
    flags: RecvFlags,
    close_on_exec: CloseOnExec,
) -> Result<Received<'c>, Errno> {
    let (bytes, filled) = receive_one(socket.as_fd(), data, control, flags, close_on_exec)?;
    // SAFETY: the system has filled it in this call, which has succeeded with these flags, and nobody has looked at it.
    let (received, _) = unsafe { Received::of_filled(filled, bytes, flags) };
    // Only now: it may be anybody's type, and panic when it is dropped. What arrived has its owner by then.
    drop(socket);
    Ok(received)
}
