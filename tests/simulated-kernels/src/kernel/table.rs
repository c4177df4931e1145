//! The open files of the simulated system, and the program's table of descriptors.
//!
//! A file is a real pipe. The kernel keeps its reading end, and descriptors are duplicates of the writing end: so which
//! file a descriptor leads to, and whether any is still open, is seen at the reading end.

use libc::c_int;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// An open file: its number among those of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File(usize);

/// A descriptor on its way, or at rest in the kernel.
#[derive(Debug)]
pub struct InFlight {
    pub file: File,
    descriptor: OwnedFd,
}

impl InFlight {
    pub fn again(&self) -> InFlight {
        InFlight { file: self.file, descriptor: self.descriptor.try_clone().unwrap() }
    }
}

#[derive(Debug)]
pub struct Table {
    /// The reading ends.
    files: Vec<OwnedFd>,
    /// How many numbers are left, if a scenario limits them.
    pub left: Option<usize>,
    /// How many descriptors were put into the program's table, and how many the kernel has closed there itself.
    pub installed: usize,
}

impl Table {
    pub const fn new() -> Self {
        Table { files: Vec::new(), left: None, installed: 0 }
    }

    /// Opens a file. The descriptor is the program's.
    pub fn open(&mut self) -> (File, OwnedFd) {
        let mut ends: [c_int; 2] = [-1; 2];
        // SAFETY: there is room for two numbers.
        assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
        // SAFETY: the call has just opened both.
        let [reader, writer] = ends.map(|number| unsafe { OwnedFd::from_raw_fd(number) });
        // SAFETY: these have no memory to do with.
        let set = unsafe {
            let flags = libc::fcntl(reader.as_raw_fd(), libc::F_GETFL);
            libc::fcntl(reader.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK)
        };
        assert_eq!(set, 0);
        self.files.push(reader);
        (File(self.files.len() - 1), writer)
    }

    /// Another descriptor of the file that the program has open under a number: `None` if it has none there.
    pub fn take_along(&mut self, number: c_int) -> Option<InFlight> {
        let file = self.file_at(number)?;
        // SAFETY: it has no memory to do with.
        let duplicate = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 0) };
        assert!(duplicate >= 0);
        // SAFETY: the call has just opened it.
        Some(InFlight { file, descriptor: unsafe { OwnedFd::from_raw_fd(duplicate) } })
    }

    /// The file that the program has open under a number: a byte that is written there comes out of it.
    pub fn file_at(&mut self, number: c_int) -> Option<File> {
        // SAFETY: there is one byte to be read. What is behind the number is a file of this, or nothing.
        let written = unsafe { libc::write(number, b"?".as_ptr().cast(), 1) };
        (written == 1).then(|| {
            // Most likely one that was opened lately.
            let found = (0..self.files.len()).rev().find(|file| self.read(File(*file)) == 1);
            File(found.expect("it is a file of this scenario"))
        })
    }

    /// Puts a descriptor into the program's table: `None` if that is full.
    pub fn install(&mut self, in_flight: &InFlight, close_on_exec: bool) -> Option<c_int> {
        match &mut self.left {
            Some(0) => return None,
            Some(left) => *left -= 1,
            None => {}
        }
        let number = in_flight.descriptor.as_raw_fd();
        // SAFETY: they have no memory to do with.
        let number =
            unsafe { if close_on_exec { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 0) } else { libc::dup(number) } };
        assert!(number >= 0);
        self.installed += 1;
        Some(number)
    }

    /// Closes a descriptor in the program's table that was installed, and that the program knows nothing of.
    pub fn uninstall(&mut self, number: c_int) {
        // SAFETY: it was installed, and the program does not have its number.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
        self.installed -= 1;
        self.left = self.left.map(|left| left + 1);
    }

    /// Whether no descriptor of the file is open.
    pub fn is_closed(&self, file: File) -> bool {
        // The end of the file: every writing end is closed.
        self.read(file) == 0
    }

    /// Those files of which descriptors are open.
    pub fn open_files(&self) -> Vec<File> {
        (0..self.files.len()).map(File).filter(|file| !self.is_closed(*file)).collect()
    }

    /// Reads a byte from the file: 1 if there is one, 0 at the end, −1 if one may still come.
    fn read(&self, file: File) -> isize {
        let mut byte = 0u8;
        // SAFETY: there is room for one byte.
        unsafe { libc::read(self.files[file.0].as_raw_fd(), (&raw mut byte).cast(), 1) as isize }
    }
}

/// Whether close-on-exec is set. (Miri says so of every descriptor.)
pub fn is_closed_on_exec(number: c_int) -> bool {
    // SAFETY: it has no memory to do with.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    assert!(flags >= 0, "{number} is open");
    flags & libc::FD_CLOEXEC != 0
}
