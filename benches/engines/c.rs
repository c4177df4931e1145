//! C, with the system's macros, compiled with -O2: c.c.

use ancillary_benches::{Credentials, Echo, Engine, run};
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

const ENGINE: Engine = Engine {
    read: Some(|bytes| {
        // SAFETY: pointer and length are those of a slice, and C reads no further.
        unsafe { c_read(bytes.as_mut_ptr(), bytes.len()) }
    }),
    write: Some(|bytes, descriptors, credentials, messages| {
        // SAFETY: as above, of what is written; a `BorrowedFd` is a C int.
        unsafe { c_write(bytes.as_mut_ptr(), bytes.len(), descriptors.as_ptr(), credentials, messages) }
    }),
    pass_one: Some(|from, to, descriptors| {
        // SAFETY: there is one descriptor, which is what C reads.
        unsafe { c_pass_one(from.as_raw_fd(), to.as_raw_fd(), descriptors.as_ptr()) }
    }),
    pass_253: Some(|from, to, descriptors| {
        // SAFETY: there are 253 descriptors, which is what C reads.
        unsafe { c_pass_253(from.as_raw_fd(), to.as_raw_fd(), descriptors.as_ptr()) }
    }),
    batch: Some(|from, to, turns| {
        // SAFETY: C uses memory of its own, in one thread.
        unsafe { c_batch(from.as_raw_fd(), to.as_raw_fd(), 0, turns) }
    }),
    batch_with_control: Some(|from, to, turns| {
        // SAFETY: as above.
        unsafe { c_batch(from.as_raw_fd(), to.as_raw_fd(), 1, turns) }
    }),
    echo: Some(echo),
};

fn echo(echo: &mut Echo) {
    while echo.ask() {
        let mut answered = 0;
        while answered < ancillary_benches::BATCH {
            // SAFETY: as above.
            let count = unsafe { c_echo(echo.server.as_raw_fd()) };
            assert!(count > 0);
            answered += count;
        }
        echo.take_answers();
    }
}

unsafe extern "C" {
    fn c_read(bytes: *mut u8, len: usize) -> u64;
    fn c_write(
        bytes: *mut MaybeUninit<u8>,
        len: usize,
        descriptors: *const BorrowedFd<'_>,
        credentials: *const Credentials,
        messages: usize,
    ) -> usize;
    fn c_pass_one(from: c_int, to: c_int, descriptors: *const BorrowedFd<'_>) -> usize;
    fn c_pass_253(from: c_int, to: c_int, descriptors: *const BorrowedFd<'_>) -> usize;
    fn c_batch(from: c_int, to: c_int, with_control: c_int, turns: usize) -> u64;
    fn c_echo(socket: c_int) -> usize;
}

fn main() {
    run(&ENGINE);
}
