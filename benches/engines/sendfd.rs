//! sendfd: descriptors alone, not close-on-exec.

use ancillary_benches::{Engine, run};
use sendfd::{RecvWithFd, SendWithFd};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

const ENGINE: Engine = Engine { pass_one: Some(pass::<1>), pass_253: Some(pass::<253>), ..Engine::NOTHING };

fn pass<const COUNT: usize>(from: &UnixStream, to: &UnixStream, descriptors: &[BorrowedFd<'_>; COUNT]) -> usize {
    let numbers = descriptors.map(|descriptor| descriptor.as_raw_fd());
    if from.send_with_fd(b"d", &numbers).ok() != Some(1) {
        return 0;
    }
    let (mut data, mut numbers) = ([0], [-1; COUNT]);
    let Ok((_, count)) = to.recv_with_fd(&mut data, &mut numbers) else { return 0 };
    for number in &numbers[..count] {
        // SAFETY: it has just been received, and nothing else owns it.
        drop(unsafe { OwnedFd::from_raw_fd(*number) });
    }
    count
}

fn main() {
    run(&ENGINE);
}
