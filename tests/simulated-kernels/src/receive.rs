//! Receiving a message in every way that the crate has, with the model's word on what has come.

use crate::kernel::table::is_closed_on_exec;
use crate::kernel::{Connected, Delivery, kernel};
use crate::model::expected;
use ancillary::Received;
use ancillary::received::{recvmmsg, recvmsg};
use ancillary::socket::{CLOEXEC_ON_RECEIVE, RecvMsgHdr, RecvOptions, RecvRoom, RecvSlot, WAIT_FOR_ONE, recvmsg_raw};
use rustix::io::{Errno, IoSliceMut};
use rustix::net::RecvFlags;
use std::mem::MaybeUninit;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum How {
    Call,
    Inheritable,
    Header,
    Batch,
}

pub const EVERY_WAY: [How; 4] = [How::Call, How::Inheritable, How::Header, How::Batch];

/// Every way to receive, for the case of this number. Miri, which takes its time, gets one of them.
pub fn every_way(case: usize) -> impl Iterator<Item = How> {
    let is_taken = move |index| !cfg!(miri) || index == case % EVERY_WAY.len();
    EVERY_WAY.into_iter().enumerate().filter(move |(index, _)| is_taken(*index)).map(|(_, how)| how)
}

/// Every way to receive, with every length of room up to `end`. Miri gets some of them.
pub fn every_room(end: usize) -> impl Iterator<Item = Ask> {
    let all = (0..end).flat_map(|room| EVERY_WAY.map(|how| (how, room)));
    let some = |(how, room): &(How, usize)| room % 4 < 2 && EVERY_WAY[room / 2 % 4] == *how;
    let asked = all.filter(move |asked| !cfg!(miri) || some(asked));
    asked.map(|(how, room)| Ask { how, room, offset: room % 3, ..Ask::default() })
}

#[derive(Clone, Copy, Debug)]
pub struct Ask {
    pub how: How,
    /// The room for control messages, and where it begins in memory that is aligned.
    pub room: usize,
    pub offset: usize,
    /// The room for data.
    pub data: usize,
    pub flags: RecvFlags,
}

impl Default for Ask {
    fn default() -> Self {
        Ask { how: How::Call, room: 256, offset: 0, data: 16, flags: RecvFlags::empty() }
    }
}

impl Ask {
    pub fn room(room: usize) -> Ask {
        Ask { room, ..Ask::default() }
    }

    /// The call that is made. Miri has no `fcntl(F_SETFD)`, by which close-on-exec is set after the call.
    fn call(&self) -> How {
        let afterwards = !kernel().rules.close_on_exec_in_call;
        match self.how {
            How::Call | How::Batch if cfg!(miri) && afterwards => How::Inheritable,
            how => how,
        }
    }
}

/// Receives one message, compares it with what the model expects, and gives it to `then`.
pub fn receive<R>(socket: &Connected, ask: Ask, then: impl FnOnce(Result<Received<'_>, Errno>) -> R) -> R {
    let Ask { room, offset, flags, .. } = ask;
    // Memory that was never written: Miri says so if it is read.
    let mut memory = vec![MaybeUninit::<u8>::uninit(); offset + room];
    let control = &mut memory[offset..];
    let mut data = vec![0; ask.data];
    let mut slices = [IoSliceMut::new(&mut data)];
    let before = kernel().deliveries.len();
    let result = match ask.call() {
        How::Call => then(judged(ask, recvmsg(socket, &mut slices, control, flags))),
        How::Inheritable => {
            then(judged(ask, recvmsg(socket, &mut slices, control, RecvOptions::from(flags).inheritable())))
        }
        How::Header => {
            let flags = flags | CLOEXEC_ON_RECEIVE;
            let mut header = RecvMsgHdr::new(&mut slices, control);
            // SAFETY: the header is prepared, lives until after the call, and stays where it is.
            let called = unsafe { recvmsg_raw(socket, header.as_mut_ptr(), flags) };
            // SAFETY: that call has succeeded with these flags.
            then(judged(ask, called.map(|bytes| unsafe { header.into_received(bytes, flags) })))
        }
        How::Batch => {
            let mut rooms = [RecvRoom::new(&mut slices, control)];
            let mut slots = [RecvSlot::new()];
            let batch = recvmmsg(socket, &mut slots, &mut rooms, flags | WAIT_FOR_ONE, None);
            then(judged(ask, batch.map(|mut batch| batch.next().unwrap().into_parts().0)))
        }
    };
    if let Some(delivery) = kernel().deliveries.get(before) {
        assert!(data.starts_with(&delivery.data));
    }
    result
}

/// What was received, after a look at all of it.
fn judged(ask: Ask, received: Result<Received<'_>, Errno>) -> Result<Received<'_>, Errno> {
    let received = received?;
    let Delivery { bytes, room, control, .. } = kernel().last().clone();
    assert_eq!((received.bytes(), ask.room), (bytes, room));
    if control.messages.is_empty() && !control.image.is_empty() {
        return Ok(received); // the scenario knows what is in it
    }
    let expected = expected();
    expected.compare(&received);
    // Miri has close-on-exec set on everything.
    if !cfg!(miri) {
        let is_set = match ask.how {
            How::Inheritable => false,
            How::Header => kernel().rules.close_on_exec_in_call,
            How::Call | How::Batch => true,
        };
        expected.owned().for_each(|number| assert_eq!(is_closed_on_exec(number), is_set, "{ask:?}"));
    }
    Ok(received)
}
