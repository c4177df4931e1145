//! The calls that send. They read every byte that they are given.

use super::abi::{self, RIGHTS};
use super::copy_out::numbers_in;
use super::message::{Item, Message, Payload, Slot};
use super::{Kernel, Kind, Queued};
use crate::rules::{Foreign, Rules, Several};
use libc::{c_int, msghdr};

/// A control message as it was sent: its kind and its payload.
type Sent = ((c_int, c_int), Vec<u8>);

impl Kernel {
    /// Sends one message.
    ///
    /// # Safety
    ///
    /// `header` points at a `struct msghdr`, and all that points to can be read.
    pub(super) unsafe fn sendmsg(&mut self, number: c_int, header: *const msghdr, _: c_int) -> Result<usize, c_int> {
        self.calls += 1;
        // SAFETY: the caller's promise.
        let (mut data, control, name) = unsafe { (abi::gather(header), control_of(header), name_of(header)) };
        let rules = self.rules;
        let socket = self.socket(number).ok_or(libc::ENOTSOCK)?;
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        socket.sent_to = name;
        let (peer, kind, takes) = (socket.peer, socket.kind, socket.takes);
        let items = self.take_along(rules, &control)?;
        if kind == Kind::Stream {
            data.truncate(takes);
            if data.is_empty() && !rules.streams_pass_without_data {
                return Ok(0);
            }
        }
        let sent = data.len();
        let peer = self.socket(peer).ok_or(libc::EPIPE)?;
        peer.queue.push_back(Queued::Message(Message::new(&data, items)));
        Ok(sent)
    }

    /// Sends several messages: returns how many, and leaves the bytes of each to `lengths`.
    ///
    /// # Safety
    ///
    /// For each of the headers, what [`sendmsg`](Self::sendmsg) asks for; and the lengths can be written.
    pub(super) unsafe fn sendmmsg(
        &mut self,
        number: c_int,
        headers: impl Iterator<Item = (*mut msghdr, *mut u32)>,
        flags: c_int,
    ) -> Result<usize, c_int> {
        let mut sent = 0;
        for (header, len) in headers {
            // SAFETY: the caller's promise.
            let result = unsafe { self.sendmsg(number, header, flags) };
            match result {
                // SAFETY: the caller's promise.
                Ok(bytes) => unsafe { len.write(bytes as u32) },
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
            sent += 1;
            // SAFETY: the caller's promise.
            let all = unsafe { abi::slices(header).iter().map(|slice| slice.1).sum::<usize>() };
            if result.is_ok_and(|bytes| bytes < all) {
                break;
            }
        }
        Ok(sent)
    }

    /// What is to arrive of these control messages.
    fn take_along(&mut self, rules: &Rules, control: &[u8]) -> Result<Vec<Item>, c_int> {
        let mut sent = split(rules, control)?;
        match rules.several {
            Several::Refused if sent.len() > 1 => return Err(libc::EINVAL),
            Several::FirstAlone => sent.truncate(1),
            _ => {}
        }
        let mut items: Vec<Item> = Vec::new();
        for (kind, payload) in sent {
            if kind != RIGHTS {
                if rules.foreign == Foreign::Ignored && kind.0 != libc::SOL_SOCKET {
                    continue;
                }
                return Err(libc::EINVAL);
            }
            let mut slots = Vec::new();
            for number in numbers_in(&payload) {
                slots.push(Slot::File(self.table.take_along(number).ok_or(libc::EBADF)?));
            }
            match items.last_mut() {
                Some(Item { payload: Payload::Slots(before), .. }) if rules.several == Several::Merged => {
                    before.append(&mut slots);
                }
                _ => items.push(Item { kind, payload: Payload::Slots(slots) }),
            }
        }
        Ok(items)
    }
}

/// Splits a control buffer.
fn split(rules: &Rules, control: &[u8]) -> Result<Vec<Sent>, c_int> {
    let (mut sent, mut at) = (Vec::new(), 0);
    while control.len().saturating_sub(at) >= abi::header() {
        let (len, level, kind) = abi::parse(&control[at..]);
        if len < abi::header() || len > control.len() - at {
            return Err(libc::EINVAL);
        }
        sent.push(((level, kind), control[at + abi::header()..at + len].to_vec()));
        at += abi::aligned(len);
    }
    if at < control.len() && !rules.leftover_is_ignored {
        return Err(libc::EINVAL);
    }
    Ok(sent)
}

/// # Safety
///
/// The header's control messages can be read.
#[allow(clippy::unnecessary_cast, reason = "the field is a size_t on some systems, a socklen_t on others")]
unsafe fn control_of(header: *const msghdr) -> Vec<u8> {
    // SAFETY: the caller's promise.
    unsafe {
        assert_eq!((*header).msg_control.is_null(), (*header).msg_controllen == 0, "nothing has no address");
        abi::read((*header).msg_control.cast(), (*header).msg_controllen as usize)
    }
}

/// # Safety
///
/// The header's address can be read.
unsafe fn name_of(header: *const msghdr) -> Vec<u8> {
    // SAFETY: the caller's promise.
    unsafe { abi::read((*header).msg_name.cast(), (*header).msg_namelen as usize) }
}
