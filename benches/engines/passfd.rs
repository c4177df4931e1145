//! passfd: one descriptor at a time, beside four bytes of its own, and close-on-exec by another call.

use ancillary_benches::{Engine, run};
use passfd::FdPassingExt;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const ENGINE: Engine = Engine {
    pass_one: Some(|from, to, [descriptor]| {
        if from.send_fd(descriptor.as_raw_fd()).is_err() {
            return 0;
        }
        let Ok(number) = to.recv_fd() else { return 0 };
        // SAFETY: it has just been received, and nothing else owns it.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
        1
    }),
    ..Engine::NOTHING
};

fn main() {
    run(&ENGINE);
}
