//! Everything that travels beside the bytes of a socket: control messages, exact to the byte, over buffers the caller
//! owns, with no allocation and no descriptor lost.
//!
//! A program that sends or receives with `sendmsg` and `recvmsg` can pass *ancillary data* beside the bytes: open
//! descriptors and credentials over UNIX-domain sockets, and for every kind of socket whatever the system knows of a
//! message. It is a row of *control messages*, each a `struct cmsghdr` and a payload.
//!
//! # Sending and receiving
//!
//! ```
//! use ancillary::message::ScmRights;
//! use ancillary::{ControlBuffer, Message, control_space};
//! use ancillary::received::recvmsg;
//! use ancillary::socket::sendmsg;
//! use rustix::fd::{AsFd, OwnedFd};
//! use rustix::io::{IoSlice, IoSliceMut};
//! use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
//! # let (socket, peer) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
//! # let (file, log) = rustix::pipe::pipe()?;
//!
//! // The size is a constant, the buffer is on the stack, and the compiler knows that the descriptors outlive the buffer.
//! let mut space = ControlBuffer::<{ control_space!(ScmRights[2]) }>::new();
//! let mut control = space.writer();
//! control.push(ScmRights([file.as_fd(), log.as_fd()]))?;
//! sendmsg(&socket, &[IoSlice::new(b"two files")], &control, SendFlags::empty())?;
//!
//! // Ignoring any part of this closes what was not taken.
//! let mut data = [0; 64];
//! let received = recvmsg(&peer, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty())?.complete()?;
//! let mut files: Vec<OwnedFd> = Vec::new();
//! for message in received.into_messages() {
//!     match message? {
//!         Message::ScmRights(descriptors) => files.extend(descriptors),
//!         Message::Other(message) => println!("{} {}", message.level(), message.message_type()),
//!         _ => {}
//!     }
//! }
//! assert_eq!(files.len(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Reading anybody's bytes
//!
//! ```
//! use ancillary::layout::ByteOrder;
//! use ancillary::{ControlMessages, Layout};
//!
//! # let bytes = [16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0];
//! let layout = Layout::LINUX_32.with_byte_order(ByteOrder::Little);
//! for message in ControlMessages::with_layout(layout, &bytes) {
//!     let message = message?;
//!     println!("level {}, type {}: {:?}", message.level(), message.message_type(), message.payload());
//! }
//! # Ok::<(), ancillary::ControlError>(())
//! ```
//!
//! # Modules
//!
//! Each module may use those above it and none below.
//!
//! | module | what it is | `unsafe` |
//! |---|---|---|
//! | [`layout`] | the numbers of an ABI, and the arithmetic over them: [`Layout`] | none |
//! | [`platform`] | the target's own levels and types | none |
//! | [`control`] | bytes to messages and back: [`ControlMessages`], [`ControlWriter`], [`ControlBuffer`] | memory that may not have been written |
//! | [`message`] | what the bytes mean: the traits, and the types of messages | one `unsafe trait`, and its implementations: socket options by number |
//! | [`socket`] | the system calls: [`sendmsg`](socket::sendmsg), prepared headers | the calls |
//! | [`received`] | who owns what arrived: [`recvmsg`](received::recvmsg), [`Received`] | numbers that are descriptors, and the bytes they came in |
//!
//! # Promises
//!
//! - No allocation, and no need of an allocator. `#![no_std]`.
//! - Any bytes at any address can be read: reading ends, does not panic, and never yields what is not there.
//! - A push that fails leaves the buffer as it was. Every byte given to the system is initialised.
//! - A descriptor that arrives has exactly one owner, from the instant the call returns.
//! - Truncation is a fact of the result: [`Received::incomplete`], [`Received::complete`].
//! - Whatever is built here can be handed to a call of yours, and what a call of yours has filled can be handed to
//!   this: [`socket::SendMsgHdr`], [`socket::RecvMsgHdr`].
//!
//! # Features
//!
//! `std` (default) is for interoperation only: the descriptor and I/O slice types are then the standard library's.
//! Without it they are rustix's own of the same names, whose methods are not all the same: code that is written for
//! rustix's `IoSliceMut` may not compile when another crate of the program turns `std` on.
//!
//! `use-libc` has the C library make the system calls where this crate would make them itself, on Linux:
//! [`socket`](socket#who-makes-the-calls) tells the differences. So does `--cfg ancillary_use_libc` in `RUSTFLAGS`, for
//! a whole tree of crates.
//!
//! # Systems
//!
//! [`layout`] and [`control`] are there for every target, with any [`Layout`] that is named; a [target with a layout of
//! its own](layout#which-target-has-which-layout), Windows among them, also has [`Layout::NATIVE`] and the traits of
//! [`message`]. The rest is there on the systems that [`platform`] lists; for any other target the crate does not depend
//! on rustix. The tests run on Linux; other systems are compiled and not run, and what the documentation says of their
//! kernels is read from their sources, except for NetBSD's, which was run and measured.
//!
//! # Names
//!
//! rustix's `net` has functions of the names `sendmsg`, `recvmsg` and others. Those of this crate are in [`socket`] and
//! [`received`], so that both crates can be imported whole:
//!
//! ```
//! #![deny(ambiguous_glob_imports)]
//! use ancillary::*;
//! use rustix::net::*;
//!
//! # #[cfg(target_os = "linux")] {
//! let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
//! socket::sendmsg(&here, &[IoSlice::new(b"data")], &ControlWriter::empty(), SendFlags::empty())?;
//! let (mut data, mut control) = ([0; 4], [0; 64]);
//! let received = received::recvmsg(&there, &mut [IoSliceMut::new(&mut data)], &mut control, RecvFlags::empty())?;
//! assert_eq!(received.bytes(), 4);
//! # }
//! # Ok::<(), Errno>(())
//! ```
//!
//! What its signatures name of rustix's is here under the same names: [`Errno`], [`IoSlice`], [`IoSliceMut`], [`SendFlags`],
//! [`RecvFlags`], [`OwnedFd`] and others; the rest is in [`rustix`].
//!
//! # Errors
//!
//! With `std`, every error of this crate converts into a `std::io::Error`, so that `?` does it: what is wrong with a control
//! buffer is `InvalidData`, what cannot be pushed `InvalidInput`, and a number of the system's stays that.
#![no_std]
#![warn(missing_debug_implementations, unreachable_pub)]
// Nothing here may panic on input.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[cfg(feature = "std")]
extern crate std;

pub mod control;
#[cfg(feature = "std")]
mod interop;
pub mod layout;
#[cfg(has_native_layout)]
pub mod message;
#[cfg(sockets)]
pub mod platform;
#[cfg(sockets)]
pub mod received;
#[cfg(sockets)]
pub mod socket;

pub use control::{ControlBuffer, ControlError, ControlMessage, ControlMessages, ControlWriter, PushError};
pub use layout::Layout;
#[cfg(sockets)]
pub use received::{Incomplete, Message, Received};
#[cfg(sockets)]
#[doc(no_inline)]
pub use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    io::{Errno, IoSlice, IoSliceMut},
    net::{RecvFlags, ReturnFlags, SendFlags, SocketAddrAny},
};

/// What must not compile, each case beside one that does.
#[cfg(all(doctest, sockets))]
#[doc = include_str!("../tests/lifetimes.md")]
mod lifetimes {}

/// What does not compile yet, each case by its number.
#[cfg(all(doctest, sockets))]
#[doc = include_str!("../tests/known_limits.md")]
mod known_limits {}

/// The snippets a newcomer meets first.
#[cfg(all(doctest, sockets))]
#[doc = include_str!("../README.md")]
mod readme {}

/// The systems' flags, addresses, errors, descriptors and I/O slices are rustix's.
#[cfg(sockets)]
pub use rustix;
