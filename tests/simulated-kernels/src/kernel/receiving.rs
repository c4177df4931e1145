//! The calls that receive.

use super::abi;
use super::copy_out::{CopiedOut, copy_out};
use super::message::{Control, Message};
use super::{Delivery, Kernel, Kind, Queued};
use crate::rules::{Echo, Kept, Rules, Unnamed};
use libc::{c_int, msghdr};
use std::mem::offset_of;

/// The flag with which the call sets close-on-exec, on systems that have one.
#[cfg(not(target_vendor = "apple"))]
const CLOSE_ON_EXEC: c_int = libc::MSG_CMSG_CLOEXEC;
#[cfg(target_vendor = "apple")]
const CLOSE_ON_EXEC: c_int = 0;

/// The flags that the program may give.
const KNOWN: c_int = libc::MSG_PEEK | libc::MSG_TRUNC | libc::MSG_DONTWAIT | libc::MSG_WAITALL;

impl Kernel {
    /// Receives one message.
    ///
    /// # Safety
    ///
    /// `header` points at a `struct msghdr`, and all that points to can be written.
    pub(super) unsafe fn recvmsg(&mut self, number: c_int, header: *mut msghdr, asked: c_int) -> Result<usize, c_int> {
        self.calls += 1;
        let rules = self.rules;
        let close_on_exec = rules.close_on_exec_in_call && CLOSE_ON_EXEC != 0 && asked & CLOSE_ON_EXEC != 0;
        let unknown = asked & !KNOWN & if rules.close_on_exec_in_call { !CLOSE_ON_EXEC } else { !0 };
        assert_eq!(unknown, 0, "a flag that {} does not have", rules.name);
        let peeks = asked & libc::MSG_PEEK != 0;
        let socket = self.socket(number).ok_or(libc::ENOTSOCK)?;
        // Measured on Linux 5.10 to 7.3.
        if socket.refuses_close_on_exec && asked & CLOSE_ON_EXEC != 0 {
            return Err(libc::EINVAL);
        }
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        let kind = socket.kind;
        let mut message = match socket.queue.pop_front() {
            None => return Err(libc::EAGAIN),
            Some(Queued::Error(error)) => return Err(error),
            Some(Queued::Message(message)) => message,
        };
        // SAFETY: the caller's promise.
        let room = unsafe { room_of(header) };
        let control = match &mut message.control {
            Control::Items(items) => copy_out(rules, items, room, close_on_exec, peeks, &mut self.table)?,
            Control::Image(image, len) => {
                CopiedOut { image: image[..image.len().min(room)].to_vec(), len: *len, ..CopiedOut::default() }
            }
        };
        // SAFETY: the caller's promise.
        let (bytes, delivery) = unsafe { write(rules, kind, &message, control, room, asked, header) };
        self.deliveries.push(delivery);
        if peeks {
            self.socket(number).unwrap().queue.push_front(Queued::Message(message));
        }
        Ok(bytes)
    }

    /// Receives several messages: returns how many, and leaves the bytes of each to `lengths`.
    ///
    /// # Safety
    ///
    /// For each of the headers, what [`recvmsg`](Self::recvmsg) asks for.
    pub(super) unsafe fn recvmmsg(
        &mut self,
        number: c_int,
        headers: impl Iterator<Item = (*mut msghdr, *mut u32)>,
        flags: c_int,
    ) -> Result<usize, c_int> {
        let mut received = 0;
        for (header, len) in headers {
            // SAFETY: the caller's promise.
            match unsafe { self.recvmsg(number, header, flags) } {
                // SAFETY: the caller's promise.
                Ok(bytes) => unsafe { len.write(bytes as u32) },
                Err(error) if received == 0 => return Err(error),
                Err(error) => {
                    let kept = self.rules.kept == Kept::ErrorsAndAgain || error != libc::EAGAIN;
                    self.socket(number).unwrap().error = kept.then_some(error);
                    break;
                }
            }
            received += 1;
        }
        Ok(received)
    }
}

/// How much room there is for control messages.
///
/// # Safety
///
/// `header` points at a `struct msghdr`.
#[allow(clippy::unnecessary_cast, reason = "the field is a size_t on some systems, a socklen_t on others")]
unsafe fn room_of(header: *const msghdr) -> usize {
    // SAFETY: the caller's promise.
    let (pointer, len) = unsafe { ((*header).msg_control, (*header).msg_controllen as usize) };
    assert_eq!(pointer.is_null(), len == 0, "a null pointer has no room, and what has none is a null pointer");
    len
}

/// Writes to the header, and to all that it points to.
///
/// # Safety
///
/// It can be written.
unsafe fn write(
    rules: &Rules,
    kind: Kind,
    message: &Message,
    control: CopiedOut,
    room: usize,
    asked: c_int,
    header: *mut msghdr,
) -> (usize, Delivery) {
    // SAFETY: the caller's promise, here and below.
    let written = unsafe { abi::scatter(&message.data, header) };
    // SAFETY: as above. There is no more of the image than there is room.
    unsafe { abi::write(&control.image, (*header).msg_control.cast()) };
    let name =
        if message.name.is_empty() && rules.unnamed == Unnamed::Family { family() } else { message.name.clone() };
    let cut = kind == Kind::Datagram && written < message.data.len();
    let echoed = match rules.echo {
        Echo::None => 0,
        Echo::CloseOnExec => asked & CLOSE_ON_EXEC,
        Echo::All => asked,
    };
    let flag = |flag, is_set| if is_set { flag } else { 0 };
    let flags = echoed | flag(libc::MSG_TRUNC, cut) | flag(libc::MSG_CTRUNC, control.truncated);
    // SAFETY: as above.
    unsafe {
        let to = (*header).msg_name.cast::<u8>();
        assert!(!to.is_null() && (*header).msg_namelen as usize >= name.len());
        name.iter().enumerate().for_each(|(index, byte)| to.add(index).write(*byte));
        (*header).msg_namelen = name.len() as _;
        (*header).msg_controllen = control.len as _;
        (*header).msg_flags = flags;
    }
    let bytes = if asked & libc::MSG_TRUNC != 0 && rules.returns_true_length { message.data.len() } else { written };
    let data = message.data[..written].to_vec();
    (bytes, Delivery { room, asked, flags, bytes, data, name, control })
}

/// An address of the family of UNIX-domain sockets, and nothing else.
pub fn family() -> Vec<u8> {
    let mut address = vec![0; 2];
    // On the BSDs the first byte is the length, and the family has one byte; on Linux it has two.
    let family = (libc::AF_UNIX as libc::sa_family_t).to_ne_bytes();
    let at = offset_of!(libc::sockaddr, sa_family);
    if at > 0 {
        address[0] = 2;
    }
    address[at..at + family.len()].copy_from_slice(&family);
    address
}
