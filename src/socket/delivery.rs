use super::backend;
use crate::message::DeliveredOnRequest;
use rustix::fd::AsFd;
use rustix::io::Errno;

/// Turns the delivery of a kind of message on or off for this socket.
///
/// Each then takes room in the control buffer of every call that receives: plan for it, or others are lost. On a
/// listening socket the options of UNIX-domain sockets hold for those that are accepted too.
///
/// # Errors
///
/// Those of [setsockopt(2)](https://man7.org/linux/man-pages/man2/setsockopt.2.html); among them `ENOPROTOOPT` if the
/// socket or the kernel does not know the option, and `EOPNOTSUPP` for those of UNIX-domain sockets (`SO_PASSCRED`,
/// `SO_PASSSEC`, `SO_PASSPIDFD`) on a socket of UDP or TCP since Linux 6.16, where older kernels accept them.
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// use ancillary::message::ScmCredentials;
/// use ancillary::socket::set_delivery;
/// use ancillary::{ControlBuffer, control_space};
/// use ancillary::received::recvmsg;
/// use rustix::io::IoSliceMut;
/// use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};
///
/// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
/// set_delivery::<ScmCredentials>(&here, true)?;
/// rustix::io::write(&there, b"x")?;
///
/// let mut space = ControlBuffer::<{ control_space!(ScmCredentials) }>::new();
/// let mut received = recvmsg(&here, &mut [IoSliceMut::new(&mut [0])], &mut space, RecvFlags::empty())?;
/// assert_eq!(received.find::<ScmCredentials>(), Some(Ok(ScmCredentials::of_this_process())));
/// # }
/// # Ok::<(), rustix::io::Errno>(())
/// ```
#[doc(alias = "setsockopt")]
#[inline]
pub fn set_delivery<M: DeliveredOnRequest>(socket: impl AsFd, on: bool) -> Result<(), Errno> {
    backend::set_option(socket.as_fd(), M::OPTION_LEVEL, M::OPTION, on.into())
}
