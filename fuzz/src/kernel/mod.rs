//! What Linux's UNIX-domain sockets do with control messages: a second opinion, to be compared with the kernel's own.
//!
//! - [`Sender`] says what becomes of a message that is sent: it is accepted, or which error there is.
//! - [`Queue`] says what arrives of those that were accepted, and in how much room.
//!
//! This is for 64-bit processes on 64-bit kernels: for a 32-bit process there the kernel translates, and refuses what is
//! left over after the last message.
//!
//! Source of truth: `net/socket.c` (`____sys_sendmsg`), `net/core/scm.c` and `net/unix/af_unix.c` of Linux 6.18.

mod privileges;
mod receiving;
mod sending;

pub use privileges::{Privileges, Reduced};
pub use receiving::{Arrived, Kind, Queue, Room, Written};
pub use sending::{Attached, Sender, Verdict, Way};
