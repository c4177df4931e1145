//! The system calls, over the caller's memory.
//!
//! | item | what it is |
//! |---|---|
//! | [`sendmsg`], [`sendmsg_addr`] | one call, checked by the compiler |
//! | [`sendmmsg`], [`SendSlot`] | many messages in one call; [`recvmmsg`](crate::received::recvmmsg) takes [`RecvRoom`] and [`RecvSlot`] |
//! | [`set_delivery`] | asks for messages that the system delivers on request |
//! | [`SendMsgHdr`], [`RecvMsgHdr`] | prepared headers, for [a call that somebody else makes](#somebody-elses-call) |
//! | `MultishotMsgHdr`, `RecvmsgOut` | on Linux, the same for the multishot RECVMSG of io_uring, and what it leaves in a buffer |
//! | [`sendmsg_raw`], [`recvmsg_raw`] | the call on a prepared header |
//!
//! The safe [`recvmsg`](crate::received::recvmsg) is in [`received`](crate::received), because what it returns
//! owns descriptors.
//!
//! Flags, addresses, errors, descriptors and I/O slices are rustix's. (It has functions of these names as well, over
//! buffers of its own: import one or the other.) Where there is no control message, the system is given a null pointer
//! and length 0.
//!
//! A call is made once, and nothing is kept between calls: `EAGAIN` is the caller's to act on, and so is `EINTR`, unless
//! [`RecvOptions::retry_interrupted`] says that an interrupted receive is to be made again. (Around a send,
//! `rustix::io::retry_on_intr` does that.)
//!
//! # Who makes the calls
//!
//! | target | backend | one message | many |
//! |---|---|---|---|
//! | Linux on x86_64, aarch64 (little-endian), riscv64, loongarch64 | raw | `sendmsg`, `recvmsg` | `sendmmsg`, `recvmmsg` |
//! | Linux on arm (little-endian) | raw | `sendmsg`, `recvmsg` | `sendmmsg`, `recvmmsg`; `recvmmsg_time64` if the kernel lacks the latter |
//! | Linux on x86, s390x | raw | `socketcall` of `SYS_SENDMSG`, `SYS_RECVMSG` | `socketcall` of `SYS_SENDMMSG`, `SYS_RECVMMSG` |
//! | Linux on other processors and with the x32 ABI, Android, NetBSD, OpenBSD | libc | `sendmsg()`, `recvmsg()` | `sendmmsg()`, `recvmmsg()` |
//! | Linux with musl, where the backend is libc: 64-bit | libc | `sendmsg()`, `recvmsg()` | a loop of `sendmsg()`; `recvmmsg()` |
//! | the same, riscv32 | libc | `sendmsg()`, `recvmsg()` | `sendmmsg()`; a loop of `recvmsg()` |
//! | other systems, FreeBSD among them | libc | `sendmsg()`, `recvmsg()` | a loop of these |
//!
//! The loops are this crate's, where the kernel has no such call, or the C library makes something else of it: FreeBSD's
//! two are loops that look at the timeout before the first message only, 64-bit musl's `sendmmsg` is one that goes on
//! after a message that a stream took in part, and its `recvmmsg` on riscv32 takes no timeout for one of zero.
//!
//! The raw backend makes Linux's system calls itself and gives them the kernel's own structures; with it the crate does
//! not depend on the `libc` crate. (rustix does, on loongarch64 and s390x.) The differences to a C library's functions:
//! - They are not cancellation points: what `pthread_cancel` asks of a thread waits for another call of the C library's.
//! - 64-bit musl copies control messages into a buffer of 1 KiB first, and refuses more with `ENOMEM`.
//! - What stands between a program and its C library does not see them: functions that `LD_PRELOAD` puts in front, for
//!   example. `seccomp` and `ptrace` do; where the table says `socketcall`, that is what they see.
//! - `errno` stays as it was.
//!
//! - 32-bit musl converts what it receives: with `SO_TIMESTAMP`, `SO_TIMESTAMPNS` or `SO_TIMESTAMPING` on, its `recvmsg`
//!   appends the same time as a second message, with 64-bit seconds (types 63, 64 and 65), and reports truncation if there
//!   is no room for that. Give such a call room for both.
//!
//! The libc backend can be had on the targets of the first three rows too: with the feature `use-libc` (which asks
//! rustix for the same), or for a whole tree of crates with `--cfg ancillary_use_libc` in `RUSTFLAGS` (rustix's is
//! `--cfg rustix_use_libc`). Miri gets it, and the sanitizers that watch what C functions do to memory: address,
//! hwaddress, memory and thread. (rustix's own calls stay raw with a sanitizer unless told otherwise.)
//!
//! # Somebody else's call
//!
//! A runtime that waits until a socket is ready needs none of this: on a socket that does not block,
//! [`recvmsg`](crate::received::recvmsg) and [`sendmsg`] return `WOULDBLOCK`, and that is what such a runtime asks for. The examples
//! `tokio` and `mio` pass 20,000 descriptors that way.
//!
//! To have the system call made elsewhere, by io_uring for example, prepare a header:
//!
//! 1. Build it over your buffers. It borrows them: as long as it lives, the compiler lets nobody else use them. Then
//!    [`SendMsgHdr::as_ptr`] and [`RecvMsgHdr::as_mut_ptr`] give a pointer to a `struct msghdr`, to be cast to whatever
//!    type the call has for that. Headers are `Send`: one thread may prepare what another submits.
//! 2. Give the request [`CLOEXEC_ON_RECEIVE`] where it receives from a UNIX-domain socket (other families pass no
//!    descriptors, and some refuse it), and `SendFlags::NOSIGNAL` where it sends.
//! 3. Leave the header where it is for as long as the system may look. This is the promise that the compiler does not
//!    check: it is a part of the one that every `unsafe` function here asks for, that *the system has finished with it*.
//!
//! | request | until | and then |
//! |---|---|---|
//! | SENDMSG | its completion | the header can be used again as it is |
//! | SENDMSG_ZC | its notification: the completion without `IORING_CQE_F_MORE` | as above |
//! | RECVMSG | its completion | [`RecvMsgHdr::received`], [`RecvMsgHdr::into_received`] |
//! | RECVMSG with `IOSQE_BUFFER_SELECT` | its completion | [`RecvMsgHdr::into_received`]; the data is in the ring's buffer |
//! | multishot RECVMSG | the ring has taken the request | for each completion, `MultishotMsgHdr::received` or `split` |
//!
//! 4. Give what has come to its owner before anything else, so that no way out of a function is before it. A result that
//!    is negative has brought nothing: parse nothing.
//!
//! On Linux 6.17, give a RECVMSG on a UNIX stream room for 48 bytes of control messages more than it needs, or descriptors
//! can be lost: if it waits for its message, its first attempt leaves an `SCM_INQ` that was not asked for at the front of
//! the control buffer, and where the rest is too short for all of an `SCM_RIGHTS`, the length that is reported ends before
//! it, while its descriptor is open. (Of a multishot request, the `SCM_INQ` takes the room of others, which are truncated.)
//! Linux 6.16, 6.18 and 7.3 do not do this (all measured).
//!
//! Nothing owns descriptors between the completion and step 4. If you abandon a request that receives, cancel it, and
//! still handle each of its completions. To close the ring is not enough: Linux cancels its requests some time later, and
//! until then one can still receive, write to the memory it was given, and leave descriptors open under numbers that
//! nobody knows.
//!
//! The example `io_uring` does all of this in one program. A call that fills some other structure has
//! [`Received::from_raw_parts`](crate::Received::from_raw_parts).
//!
//! # What the safe calls promise
//!
//! `unsafe` is here because a system call reads and writes memory through pointers. No safe function of this crate, with
//! whatever types, flags and sockets safe code gives it, has the kernel keep, read or write memory, or take the number of a
//! descriptor, beyond the call. (Data is data: what a protocol reads in it is not judged, as it is not by `write`. Some
//! requests of netlink, for example, name descriptors.)
//!
//! - *Memory.* A header is made from borrows that live until the call has returned, and the kernel has copied the data by
//!   then. The exception is `MSG_ZEROCOPY`, with which Linux reads the data when it is sent, perhaps long after. Any code
//!   of the process can turn `SO_ZEROCOPY` on, so [`sendmsg`], [`sendmsg_addr`] and [`sendmmsg`] refuse the flag, with
//!   `EINVAL`; it belongs to [`sendmsg_raw`], whose contract says how long the data must stay. No flag of a receive has a
//!   kernel keep memory.
//! - *Payloads.* Some payloads name descriptors or memory. A writer that safe code can send, one of the native layout, takes
//!   descriptors only as borrows that live as long as it does, and refuses plain bytes as `SCM_RIGHTS`, and as those kinds
//!   of RDS that name memory: [`PushError::UnsafePayload`](crate::PushError::UnsafePayload). This holds for
//!   [`push_raw`](ControlWriter::push_raw), [`reserve`](ControlWriter::reserve),
//!   [`push_all`](ControlWriter::push_all) and every message type, which write through these. A push that fails or unwinds
//!   leaves whole messages only, so that no payload is ever read as a header.
//! - *Options.* [`set_delivery`] sets an option that a type names by number, to 0 or 1. A type promises that this is a switch,
//!   and nothing else: [`DeliveredOnRequest`](crate::message::DeliveredOnRequest) is an `unsafe` trait.
//! - *What arrives.* A received number becomes a descriptor only in the one owner of the call that has received it; types that
//!   decode payloads see plain numbers.
//!
//! Prepared headers that others make a call on are pointers: every function that believes what was done with one is
//! `unsafe`.

mod backend;
mod batch;
#[cfg_attr(backend = "linux_raw", path = "c_definitions/linux.rs")]
#[cfg_attr(backend = "libc", path = "c_definitions/libc.rs")]
mod c_definitions;
mod delivery;
mod header;
#[cfg(linux_kernel)]
mod multishot;
mod options;
#[cfg(linux_kernel)]
mod recvmsg_out;
mod room;
#[cfg(linux_kernel)]
mod this_process;

pub(crate) use batch::receive;
pub use batch::{RecvSlot, SendSlot, WAIT_FOR_ONE, sendmmsg};
pub use delivery::set_delivery;
pub use header::{MsgHdr, RecvMsgHdr, SendMsgHdr};
#[cfg(linux_kernel)]
pub use multishot::MultishotMsgHdr;
#[cfg(linux_kernel)]
pub(crate) use multishot::Parts;
pub use options::RecvOptions;
#[cfg(linux_kernel)]
pub use recvmsg_out::{RecvmsgOut, RecvmsgOutError};
pub use room::RecvRoom;
#[cfg(linux_kernel)]
pub(crate) use room::address_at;
pub(crate) use room::{Filled, Slice, receive_one, without_echo};

use crate::control::ControlWriter;
use rustix::fd::AsFd;
use rustix::io::{Errno, IoSlice};
use rustix::net::addr::SocketAddrArg;
use rustix::net::{RecvFlags, SendFlags};

/// Sends data, and control messages beside it, on a connected socket.
///
/// `data` may be any number of slices, none too. Returns how many bytes of data were sent; on a stream that may be
/// fewer than there are. The control messages have then gone with the first byte: do not send them again with the rest.
/// On a stream, they are not sent at all if there is no data. (NetBSD sends them.)
///
/// NetBSD (measured) can return `Ok` for what never arrives: where too many descriptors of the system are on their way and
/// there is data, and where descriptors and data are longer than the receiver's buffer
/// ([`SCM_MAX_FD`](crate::message::SCM_MAX_FD)). It ignores `SendFlags::DONTWAIT`.
///
/// # Errors
///
/// Those of sendmsg(2); among them:
/// - `EINVAL`: a control message is malformed, or not one that this socket sends (of a level that is not the socket's,
///   Linux ignores it); or the flags have `MSG_ZEROCOPY`, which only [`sendmsg_raw`] takes;
/// - `EPERM`: `SCM_CREDENTIALS` that are not the sender's own, or the receiver refuses descriptors (`SO_PASSRIGHTS`
///   off, Linux 6.16);
/// - `ENOBUFS`: the control messages are longer than the system takes, or out of memory;
/// - `ETOOMANYREFS`: too many descriptors of this user are on their way (Linux);
/// - `EMSGSIZE`: more slices than the system takes (1024 on Linux), or a datagram that is too long;
/// - `EPIPE`: the peer is gone. The process also gets `SIGPIPE`, unless `flags` has `SendFlags::NOSIGNAL`.
/// - `ECONNREFUSED` and others on a datagram socket with `IP_RECVERR` or `IPV6_RECVERR`: what became of a datagram that was
///   sent *before*, perhaps to another destination. Send this one again.
///
/// After an error nothing was sent.
///
/// Manual pages: [Linux], [POSIX], [Apple], [FreeBSD], [NetBSD], [OpenBSD], [illumos].
///
/// [Linux]: https://man7.org/linux/man-pages/man2/sendmsg.2.html
/// [POSIX]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/sendmsg.html
/// [Apple]: https://developer.apple.com/library/archive/documentation/System/Conceptual/ManPages_iPhoneOS/man2/sendmsg.2.html
/// [FreeBSD]: https://man.freebsd.org/cgi/man.cgi?query=sendmsg&sektion=2
/// [NetBSD]: https://man.netbsd.org/sendmsg.2
/// [OpenBSD]: https://man.openbsd.org/sendmsg.2
/// [illumos]: https://illumos.org/man/3SOCKET/sendmsg
///
/// ```
/// use ancillary::message::ScmRights;
/// use ancillary::{ControlBuffer, control_space};
/// use ancillary::socket::sendmsg;
/// use rustix::fd::AsFd;
/// use rustix::io::IoSlice;
/// use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, socketpair};
///
/// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
/// let (reader, writer) = rustix::pipe::pipe()?;
///
/// let mut space = ControlBuffer::<{ control_space!(ScmRights[2]) }>::new();
/// let mut control = space.writer();
/// control.push(ScmRights([reader.as_fd(), writer.as_fd()]))?;
/// let sent = sendmsg(&here, &[IoSlice::new(b"a "), IoSlice::new(b"pipe")], &control, SendFlags::empty())?;
/// assert_eq!(sent, 6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[inline]
pub fn sendmsg(
    socket: impl AsFd,
    data: &[IoSlice<'_>],
    control: &ControlWriter<'_>,
    flags: SendFlags,
) -> Result<usize, Errno> {
    refuse_zerocopy(flags)?;
    let header = SendMsgHdr::new(data, control);
    // SAFETY: the header is prepared, and what it points to is borrowed until after the call, which copies it. So are the
    // descriptors in it: a native writer takes no others, and no payload that names memory.
    unsafe { sendmsg_raw(socket, header.as_ptr(), flags) }
}

/// Sends data, and control messages beside it, to an address.
///
/// As [`sendmsg`], for a socket that is not connected.
///
/// # Errors
///
/// Those of [`sendmsg`]; `EISCONN` and others if the socket does not take an address.
///
/// ```
/// use ancillary::ControlWriter;
/// use ancillary::socket::sendmsg_addr;
/// use rustix::io::IoSlice;
/// use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketType, bind, socket};
///
/// let name = format!("/tmp/ancillary-doc-{}", std::process::id());
/// let address = SocketAddrUnix::new(name.as_str())?;
/// let (here, there) = (
///     socket(AddressFamily::UNIX, SocketType::DGRAM, None)?,
///     socket(AddressFamily::UNIX, SocketType::DGRAM, None)?,
/// );
/// bind(&there, &address)?;
/// let sent = sendmsg_addr(&here, &address, &[IoSlice::new(b"data")], &ControlWriter::empty(), SendFlags::empty());
/// std::fs::remove_file(&name)?;
/// assert_eq!(sent, Ok(4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "sendmsg")]
#[inline]
pub fn sendmsg_addr(
    socket: impl AsFd,
    address: &impl SocketAddrArg,
    data: &[IoSlice<'_>],
    control: &ControlWriter<'_>,
    flags: SendFlags,
) -> Result<usize, Errno> {
    refuse_zerocopy(flags)?;
    let mut header = SendMsgHdr::new(data, control);
    let call = |pointer, len| {
        // SAFETY: `with_sockaddr` promises an address that can be read until this closure returns, and the header is
        // used within it only.
        unsafe { header.set_address(pointer, len) };
        // SAFETY: the header is prepared, and all that it points to can be read until after the call, which copies it. The
        // descriptors in it are borrowed: a native writer takes no others, and no payload that names memory.
        unsafe { sendmsg_raw(socket, header.as_ptr(), flags) }
    };
    // SAFETY: the closure reads at most as many bytes as it is given, and keeps no pointer.
    unsafe { address.with_sockaddr(call) }
}

/// Refuses `MSG_ZEROCOPY`, with which the kernel reads the data after the call.
#[inline]
pub(crate) const fn refuse_zerocopy(flags: SendFlags) -> Result<(), Errno> {
    #[cfg(linux_kernel)]
    if flags.bits() & crate::platform::MSG_ZEROCOPY as u32 != 0 {
        return Err(Errno::INVAL);
    }
    let _ = flags;
    Ok(())
}

/// Makes the call `sendmsg` on a header somebody has prepared.
///
/// # Errors
///
/// Those of [`sendmsg`].
///
/// # Safety
///
/// - `header` points at a `struct msghdr` of the target, and everything that points to, with the lengths it gives, can
///   be read until the call returns. A [`SendMsgHdr`] is such, for as long as it lives and stays where it is.
/// - Every descriptor number in an `SCM_RIGHTS` message is one the caller may use, and all memory that a payload names
///   is the caller's to have read and written, for as long as the protocol does (RDS).
/// - With `MSG_ZEROCOPY`, a flag of Linux, the data stays as it is until the notification of this send was read from
///   the socket's error queue.
///
/// ```
/// use ancillary::{ControlWriter, socket};
/// use rustix::io::IoSlice;
/// use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, socketpair};
///
/// let (here, _there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
/// let (data, control) = ([IoSlice::new(b"data")], ControlWriter::empty());
/// let header = socket::SendMsgHdr::new(&data, &control);
/// // SAFETY: the header is prepared and lives until after the call; it has no control message.
/// let sent = unsafe { socket::sendmsg_raw(&here, header.as_ptr(), SendFlags::empty()) }?;
/// assert_eq!(sent, 4);
/// # Ok::<(), rustix::io::Errno>(())
/// ```
#[doc(alias = "sendmsg")]
#[inline]
pub unsafe fn sendmsg_raw(socket: impl AsFd, header: *const MsgHdr, flags: SendFlags) -> Result<usize, Errno> {
    // SAFETY: the caller's promise is the backend's.
    unsafe { backend::sendmsg(socket.as_fd(), header.cast(), flags.bits()) }
}

/// Makes the call `recvmsg` on a header somebody has prepared.
///
/// `flags` are given to the system as they are: without [`CLOEXEC_ON_RECEIVE`], descriptors that arrive are inherited
/// across `exec`. Nothing owns what arrives until [`RecvMsgHdr::into_received`] is called.
///
/// # Errors
///
/// Those of [`recvmsg`](crate::received::recvmsg). After an error nothing that the header points to was received, and its lengths
/// are as before the call: parse nothing.
///
/// # Safety
///
/// `header` points at a `struct msghdr` of the target, and everything that points to, with the lengths it gives, can be
/// written until the call returns. A [`RecvMsgHdr`] is such, for as long as it lives and stays where it is.
///
/// Example: [`RecvMsgHdr`].
#[doc(alias = "recvmsg")]
#[inline]
pub unsafe fn recvmsg_raw(socket: impl AsFd, header: *mut MsgHdr, flags: RecvFlags) -> Result<usize, Errno> {
    // SAFETY: the caller's promise is the backend's.
    unsafe { backend::recvmsg(socket.as_fd(), header.cast(), flags.bits()) }
}

/// The flag that has the system set close-on-exec on every descriptor it receives, in the same step:
/// `MSG_CMSG_CLOEXEC`.
///
/// Empty where the system has no such flag: Apple's, Solaris, AIX and some smaller ones.
///
/// On Linux a few families, which pass no descriptors, refuse it with `EINVAL` or `EOPNOTSUPP`: `AF_PACKET`, `AF_KEY`,
/// CAN ISO-TP, CAN J1939, Phonet, MCTP and ATM. Leave it out for their sockets.
///
/// ```
/// # #[cfg(target_os = "linux")]
/// assert_eq!(ancillary::socket::CLOEXEC_ON_RECEIVE, rustix::net::RecvFlags::CMSG_CLOEXEC);
/// ```
#[doc(alias = "MSG_CMSG_CLOEXEC")]
pub const CLOEXEC_ON_RECEIVE: RecvFlags = RecvFlags::from_bits_retain(backend::CLOEXEC_ON_RECEIVE);
