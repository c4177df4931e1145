//! unix-ancillary: descriptors and credentials, by its functions for those who bring the memory.

use ancillary_benches::{Credentials, Engine, Look, run};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use unix_ancillary::{AncillaryData, ScmCredentials, SocketAncillary, cmsg_recvmsg, cmsg_sendmsg};

const ENGINE: Engine = Engine {
    write: Some(write),
    pass_one: Some(pass::<1, 24>),
    pass_253: Some(pass::<253, 1032>),
    keep_253: Some(|from, to, descriptors, look| keep::<1032>(from, to, descriptors, look)),
    // It takes a slice of borrows, which has to be made of what is owned.
    forward_28: Some(|from, to, descriptors, look| {
        let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
        keep::<128>(from, to, &borrowed, look)
    }),
    ..Engine::NOTHING
}
.of_this_program();

fn write<'fd>(
    bytes: &mut [MaybeUninit<u8>],
    descriptors: &[BorrowedFd<'fd>; 2],
    credentials: &Credentials,
    messages: usize,
) -> usize {
    let credentials = ScmCredentials::new(credentials.pid as i32, credentials.uid, credentials.gid);
    let len = bytes.len();
    // SAFETY: the program's memory is initialised from the start; it is given to every rival as if it were not.
    let mut control = SocketAncillary::new(unsafe { bytes.assume_init_mut() });
    for index in 0..messages {
        let added = match index % 2 {
            0 => control.add_fds(descriptors),
            _ => control.add_credentials(credentials),
        };
        if added.is_err() {
            return 0;
        }
    }
    len
}

fn pass<const COUNT: usize, const SPACE: usize>(
    from: &UnixStream,
    to: &UnixStream,
    descriptors: &[BorrowedFd<'_>; COUNT],
) -> usize {
    let mut space = [0; SPACE];
    let mut control = SocketAncillary::new(&mut space);
    if control.add_fds(descriptors).is_err() {
        return 0;
    }
    if cmsg_sendmsg(from.as_fd(), &[IoSlice::new(b"d")], &control).ok() != Some(1) {
        return 0;
    }
    let (mut data, mut space) = ([0], [0; SPACE]);
    let mut control = SocketAncillary::new(&mut space);
    match cmsg_recvmsg(to.as_fd(), &mut [IoSliceMut::new(&mut data)], &mut control) {
        Ok(received) if !received.truncated => {}
        _ => return 0,
    }
    let messages = control.messages().map(|message| match message {
        AncillaryData::ScmRights(descriptors) => descriptors.map(drop).count(),
        _ => 0,
    });
    messages.sum()
}

fn keep<const SPACE: usize>(from: &UnixStream, to: &UnixStream, descriptors: &[BorrowedFd<'_>], look: Look) -> usize {
    let mut space = [0; SPACE];
    let mut control = SocketAncillary::new(&mut space);
    if control.add_fds(descriptors).is_err() {
        return 0;
    }
    if cmsg_sendmsg(from.as_fd(), &[IoSlice::new(b"d")], &control).ok() != Some(1) {
        return 0;
    }
    let (mut data, mut space) = ([0], [0; SPACE]);
    let mut control = SocketAncillary::new(&mut space);
    match cmsg_recvmsg(to.as_fd(), &mut [IoSliceMut::new(&mut data)], &mut control) {
        Ok(received) if !received.truncated => {}
        _ => return 0,
    }
    let mut kept: Vec<OwnedFd> = Vec::new();
    for message in control.messages() {
        if let AncillaryData::ScmRights(descriptors) = message {
            kept.extend(descriptors);
        }
    }
    look(kept.as_ptr(), kept.len())
}

fn main() {
    run(&ENGINE);
}
