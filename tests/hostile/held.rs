//! What has arrived, and who has what of it.
#![forbid(unsafe_code)]

use crate::measure::{File, Watch, file_at};
use crate::world::owned_by;
use ancillary::Received;
use rustix::fd::{AsRawFd, OwnedFd, RawFd};
use std::mem::forget;

/// What has arrived, and what it must still own.
pub struct Held<'c> {
    pub received: Received<'c>,
    pub left: Vec<File>,
}

impl<'c> Held<'c> {
    pub fn new(received: Received<'c>) -> Self {
        let left = owned_by(&received);
        Held { received, left }
    }

    /// What stays open because nothing owns it.
    pub fn forget(self) -> Vec<File> {
        forget(self.received);
        self.left
    }
}

/// What was taken, and what was given up without closing it.
#[derive(Default)]
pub struct Kept {
    owners: Vec<(OwnedFd, File)>,
    pub forgotten: Vec<File>,
}

impl Kept {
    /// Takes the first `count` of what `left` says, of which these are the owners.
    pub fn keep(&mut self, owners: Vec<OwnedFd>, left: &mut Vec<File>) {
        let files: Vec<File> = left.drain(..owners.len()).collect();
        for (owner, file) in owners.into_iter().zip(files) {
            assert_eq!(file_at(owner.as_raw_fd()), Some(file), "another file was taken, or none");
            assert!(self.numbers().iter().all(|kept| *kept != owner.as_raw_fd()), "a second owner");
            self.owners.push((owner, file));
        }
    }

    pub fn numbers(&self) -> Vec<RawFd> {
        self.owners.iter().map(|(owner, _)| owner.as_raw_fd()).collect()
    }

    /// All that was kept is still what it was.
    pub fn end(self, watch: &Watch) {
        watch.end(&self.numbers(), self.forgotten);
        for (owner, file) in self.owners {
            assert_eq!(file_at(owner.as_raw_fd()), Some(file), "what was kept is closed, or another file");
        }
    }
}
