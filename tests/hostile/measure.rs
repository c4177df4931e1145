//! The descriptors of this process, as the kernel says. This is the one module with `unsafe`.

use rustix::fd::{FromRawFd, OwnedFd, RawFd};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// What tells a file from every other.
pub type File = (u64, u64);

/// The file that is open under a number.
pub fn file_at(number: RawFd) -> Option<File> {
    // SAFETY: zero is a value of every field.
    let mut facts: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: asking about any number is harmless, and the pointer is to a whole `struct stat`.
    (unsafe { libc::fstat(number, &raw mut facts) } == 0).then_some((facts.st_dev as _, facts.st_ino as _))
}

/// Every number that is open, with its file.
pub fn open_files() -> BTreeMap<RawFd, File> {
    let listed: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap())
        .collect();
    // The descriptor that the listing itself used is closed by now.
    listed.into_iter().filter_map(|number| Some((number, file_at(number)?))).collect()
}

pub fn leaving_no_descriptor(run: fn()) -> Result<(), libtest_mimic::Failed> {
    let before = open_files();
    run();
    let after = open_files();
    if before == after { Ok(()) } else { Err(format!("descriptors before {before:?}, after {after:?}").into()) }
}

static SEED: AtomicU64 = AtomicU64::new(0);

/// Has the program say, should it be aborted from now on, in which round that was: the standard library does so when a
/// descriptor is closed twice, and the address sanitizer when it is asked to.
pub fn in_a_round_with(seed: u64) {
    extern "C" fn aborted(_signal: libc::c_int) {
        let words = b"aborted in the round that ANCILLARY_TEST_ROUNDS=1 repeats with ANCILLARY_TEST_SEED=";
        let _ = rustix::io::write(rustix::stdio::stderr(), words);
        let mut digits = [b'\n'; 21];
        let mut seed = SEED.load(Ordering::Relaxed);
        let mut first = digits.len() - 1;
        loop {
            first -= 1;
            digits[first] = b'0' + (seed % 10) as u8;
            seed /= 10;
            if seed == 0 {
                break;
            }
        }
        let _ = rustix::io::write(rustix::stdio::stderr(), &digits[first..]);
    }
    SEED.store(seed, Ordering::Relaxed);
    let handler: extern "C" fn(libc::c_int) = aborted;
    // SAFETY: the handler reads a number and makes system calls, which it may at any time; after it the program ends.
    unsafe { libc::signal(libc::SIGABRT, handler as libc::sighandler_t) };
}

pub fn after_the_rounds() {
    // SAFETY: this is how the signal was handled before.
    unsafe { libc::signal(libc::SIGABRT, libc::SIG_DFL) };
}

/// What was open when this was made, to be compared with what is open later.
pub struct Watch(BTreeMap<RawFd, File>);

impl Watch {
    pub fn begin() -> Self {
        Watch(open_files())
    }

    /// Of the descriptors that were opened since, all are in `kept` or were forgotten; these are closed here, after they
    /// are found to be exactly `forgotten`.
    pub fn end(&self, kept: &[RawFd], mut forgotten: Vec<File>) {
        let mut now = open_files();
        for (number, file) in &self.0 {
            assert_eq!(now.remove(number), Some(*file), "{number} was closed, or is another file now");
        }
        for number in kept {
            assert!(now.remove(number).is_some(), "{number} is closed, or two have it");
        }
        let mut found: Vec<File> = now.values().copied().collect();
        found.sort_unstable();
        forgotten.sort_unstable();
        assert_eq!(found, forgotten, "these descriptors are open, and these were forgotten");
        for number in now.into_keys() {
            // SAFETY: the descriptor is open, and its owner was forgotten.
            drop(unsafe { OwnedFd::from_raw_fd(number) });
        }
    }
}
