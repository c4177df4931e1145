//! The process's table of descriptors.

use rustix::fs::fstat;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::os::fd::{AsFd, RawFd};

/// How many descriptors the process can have, once the table is [limited](limit) to them.
pub const WATCHED: usize = 128;

/// A set of descriptor numbers.
pub type Open = u128;

const _: () = assert!(WATCHED <= Open::BITS as usize);

pub fn set_of(numbers: impl IntoIterator<Item = RawFd>) -> Open {
    numbers.into_iter().fold(0, |set, number| {
        assert_eq!(set & (1 << number), 0, "{number} twice");
        set | 1 << number
    })
}

/// The descriptors that are open, by one call: `poll` tells of numbers that are none. (To it, a path that was opened with
/// `O_PATH` is none.)
pub fn open() -> Open {
    let mut entries: [libc::pollfd; WATCHED] =
        std::array::from_fn(|number| libc::pollfd { fd: number as RawFd, events: 0, revents: 0 });
    // SAFETY: the pointer and the length are those of an array.
    let result = unsafe { libc::poll(entries.as_mut_ptr(), WATCHED as libc::nfds_t, 0) };
    assert!(result >= 0);
    set_of(entries.iter().filter(|entry| entry.revents & libc::POLLNVAL == 0).map(|entry| entry.fd))
}

/// Gives out no numbers from this one on.
pub fn limit(numbers: usize) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != Some(numbers as u64) {
        let limit = Rlimit { current: Some(numbers as u64), ..limit };
        setrlimit(Resource::Nofile, limit).expect("the limit is lowered, or raised to what it was");
    }
}

/// The least limit with which so many more numbers can be given out.
pub fn limit_with_room(open: Open, room: u8) -> usize {
    let mut free = (0..WATCHED).filter(|number| open & (1 << number) == 0);
    free.nth(usize::from(room)).unwrap_or(WATCHED)
}

/// A file, whichever descriptor stands for it: device and number.
pub type File = (u64, u64);

pub fn file(descriptor: impl AsFd) -> File {
    let stat = fstat(descriptor).expect("it is open");
    (stat.st_dev, stat.st_ino)
}
