//! What is prepared, and what has arrived, can go to another thread: into a task that is spawned, and across its `.await`.
//! This is true if it compiles; there is nothing to run.
#![cfg(sockets)]

use ancillary::control::{ControlMemory, ControlMessages};
use ancillary::received::{Descriptors, Message, Messages, Received, ReceivedBatch, ReceivedMessage, TakeDescriptors};
use ancillary::socket::{RecvHeader, RecvRoom, RecvSlot, SendHeader, SendSlot};
use ancillary::{ControlSpace, ControlWriter, recvmsg, sendmsg};
use rustix::fd::OwnedFd;
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{RecvFlags, SendFlags};
use static_assertions::assert_impl_all;
use std::future::{Future, ready};

assert_impl_all!(ControlSpace<64>: Send, Sync);
assert_impl_all!(ControlMemory<'static>: Send, Sync);
assert_impl_all!(ControlWriter<'static>: Send, Sync);
assert_impl_all!(ControlMessages<'static>: Send, Sync);

assert_impl_all!(SendHeader<'static>: Send, Sync);
assert_impl_all!(SendSlot<'static>: Send, Sync);
assert_impl_all!(RecvHeader<'static, 'static>: Send, Sync);
assert_impl_all!(RecvRoom<'static, 'static>: Send, Sync);
assert_impl_all!(RecvSlot: Send, Sync);

assert_impl_all!(Received<'static>: Send, Sync, Unpin);
assert_impl_all!(ReceivedMessage<'static>: Send, Sync, Unpin);
assert_impl_all!(ReceivedBatch<'static>: Send, Sync, Unpin);
assert_impl_all!(Messages<'static>: Send, Sync);
assert_impl_all!(Message<'static>: Send, Sync);
assert_impl_all!(Descriptors<'static>: Send, Sync);
assert_impl_all!(TakeDescriptors<'static>: Send, Sync);

#[cfg(linux_kernel)]
mod multishot {
    use ancillary::socket::{MultishotHeader, RecvmsgOut};
    use static_assertions::assert_impl_all;

    assert_impl_all!(MultishotHeader: Send, Sync, Unpin);
    assert_impl_all!(RecvmsgOut<'static>: Send, Sync, Copy);
}

/// Everything is alive across an `.await`, and a runtime that moves tasks between threads takes the future.
const _: fn(OwnedFd) -> Result<OwnedFd, Errno> = |socket| {
    fn spawn<T>(_: impl Future<Output = T> + Send + 'static) -> T {
        unreachable!("nothing is run")
    }
    spawn(async move {
        let (data, mut space) = ([IoSlice::new(b"data")], ControlSpace::<64>::new());
        let control = space.writer();
        let header = SendHeader::new(&data, &control);
        ready(()).await;
        let _msghdr = header.as_ptr();
        sendmsg(&socket, &data, &control, SendFlags::empty())?;

        let (mut data, mut room) = ([0; 8], ControlSpace::<64>::new());
        let mut slices = [IoSliceMut::new(&mut data)];
        let mut header = RecvHeader::new(&mut slices, &mut room);
        ready(()).await;
        header.as_mut_ptr();
        let mut received = recvmsg(&socket, &mut slices, &mut room, RecvFlags::empty())?;
        ready(()).await;
        let mut descriptors = received.take_descriptors();
        ready(()).await;
        descriptors.next().ok_or(Errno::BADMSG)?.map_err(|_| Errno::BADF)
    })
};
