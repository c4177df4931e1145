//! Descriptors that are kept.

use ancillary::ControlBuffer;
use ancillary::message::{LendFd, ScmRights};
use ancillary::received::recvmsg;
use ancillary::socket::sendmsg;
use ancillary_benches::Look;
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::{RecvFlags, SendFlags};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

pub fn keep<D: ?Sized, const SPACE: usize>(from: &UnixStream, to: &UnixStream, descriptors: &D, look: Look) -> usize
where
    for<'fd> &'fd D: IntoIterator<Item: LendFd<'fd>>,
{
    let mut space = ControlBuffer::<SPACE>::new();
    let mut control = space.writer();
    if control.push(ScmRights(descriptors)).is_err() {
        return 0;
    }
    if sendmsg(from, &[IoSlice::new(b"d")], &control, SendFlags::empty()) != Ok(1) {
        return 0;
    }
    let (mut data, mut space) = ([0], ControlBuffer::<SPACE>::new());
    let Ok(mut received) = recvmsg(to, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty()) else {
        return 0;
    };
    if received.control_truncated() {
        return 0;
    }
    let Ok(descriptors) = received.take_descriptors() else { return 0 };
    let kept: Vec<OwnedFd> = descriptors.collect();
    look(kept.as_ptr(), kept.len())
}
