//! What is prepared, and what has arrived, can go to another thread: into a task that is spawned, and across its `.await`.
//! This is true if it compiles; there is nothing to run.
#![cfg(sockets)]

use ancillary::control::{ControlMessages, ControlSliceMut};
use ancillary::received::recvmsg;
use ancillary::received::{
    DescriptorSlots, Descriptors, Message, Messages, RawMessages, Received, ReceivedBatch, ReceivedControl,
    ReceivedWithData, TakeDescriptors, TakeMessages,
};
use ancillary::socket::sendmsg;
use ancillary::socket::{RecvMsgHdr, RecvRoom, RecvSlot, SendMsgHdr, SendSlot};
use ancillary::{ControlBuffer, ControlWriter};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{RecvFlags, SendFlags};
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert};
use std::future::{Future, ready};
use std::mem::needs_drop;

assert_impl_all!(ControlBuffer<64>: Send, Sync);
assert_impl_all!(ControlSliceMut<'static>: Send, Sync);
assert_impl_all!(ControlWriter<'static>: Send, Sync);
assert_impl_all!(ControlMessages<'static>: Send, Sync);

assert_impl_all!(SendMsgHdr<'static>: Send, Sync);
assert_impl_all!(SendSlot<'static>: Send, Sync);
assert_impl_all!(RecvMsgHdr<'static, 'static>: Send, Sync);
assert_impl_all!(RecvRoom<'static, 'static>: Send, Sync);
assert_impl_all!(RecvSlot: Send, Sync);

assert_impl_all!(Received<'static>: Send, Sync, Unpin);
assert_impl_all!(ReceivedWithData<'static>: Send, Sync, Unpin);
assert_impl_all!(ReceivedBatch<'static>: Send, Sync, Unpin);
assert_impl_all!(ReceivedControl<'static>: Send, Sync, Unpin);
assert_impl_all!(Messages<'static>: Send, Sync, Clone);
assert_impl_all!(RawMessages<'static>: Send, Sync, Clone);
assert_impl_all!(Message<'static, BorrowedFd<'static>>: Send, Sync);
assert_impl_all!(Descriptors<'static, BorrowedFd<'static>>: Send, Sync);
assert_impl_all!(DescriptorSlots<'static, BorrowedFd<'static>>: Send, Sync);

// What takes is the owner: it can be sent, and a copy would be a second owner.
assert_impl_all!(TakeMessages<'static>: Send, Sync);
assert_not_impl_any!(TakeMessages<'static>: Clone);
assert_impl_all!(Message<'static>: Send, Sync);
assert_not_impl_any!(Message<'static>: Clone);
assert_impl_all!(Descriptors<'static>: Send, Sync);
assert_not_impl_any!(Descriptors<'static>: Clone);
assert_impl_all!(DescriptorSlots<'static>: Send, Sync);
assert_not_impl_any!(DescriptorSlots<'static>: Clone);
assert_impl_all!(TakeDescriptors<'static>: Send, Sync);
assert_not_impl_any!(TakeDescriptors<'static>: Clone);

#[cfg(linux_kernel)]
mod multishot {
    use ancillary::socket::{MultishotMsgHdr, RecvmsgOut};
    use static_assertions::assert_impl_all;

    assert_impl_all!(MultishotMsgHdr: Send, Sync, Unpin);
    assert_impl_all!(RecvmsgOut<'static>: Send, Sync, Copy);
}

/// Everything is alive across an `.await`, and a runtime that moves tasks between threads takes the future.
const _: fn(OwnedFd) -> Result<OwnedFd, Errno> = |socket| {
    fn spawn<T>(_: impl Future<Output = T> + Send + 'static) -> T {
        unreachable!("nothing is run")
    }
    spawn(async move {
        let (data, mut space) = ([IoSlice::new(b"data")], ControlBuffer::<64>::new());
        let control = space.writer();
        let header = SendMsgHdr::new(&data, &control);
        ready(()).await;
        let _msghdr = header.as_ptr();
        sendmsg(&socket, &data, &control, SendFlags::empty())?;

        let (mut data, mut room) = ([0; 8], ControlBuffer::<64>::new());
        let mut slices = [IoSliceMut::new(&mut data)];
        let mut header = RecvMsgHdr::new(&mut slices, &mut room);
        ready(()).await;
        header.as_mut_ptr();
        let mut received = recvmsg(&socket, &mut slices, &mut room, RecvFlags::empty())?;
        ready(()).await;
        let messages = received.messages();
        ready(()).await;
        drop(messages);
        let mut descriptors = received.take_descriptors().map_err(|_| Errno::BADF)?;
        ready(()).await;
        let first = descriptors.next().ok_or(Errno::BADMSG);
        drop(descriptors);
        let rest = received.into_messages();
        ready(()).await;
        drop(rest);
        first
    })
};

// What borrows descriptors has nothing to do when it is dropped, so that its owner can be used as soon as it was used last.
const_assert!(!needs_drop::<Descriptors<'static, BorrowedFd<'static>>>());
const_assert!(!needs_drop::<DescriptorSlots<'static, BorrowedFd<'static>>>());
const_assert!(!needs_drop::<Message<'static, BorrowedFd<'static>>>());
const_assert!(needs_drop::<Descriptors<'static>>());
