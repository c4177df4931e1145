//! Writing a message of descriptors: the one payload that a caller's iterator gives piece by piece.

use super::PushError;
use super::uninit;
use super::write::{ControlWriter, write_header};
use crate::layout::{ControlHeader, Layout};
use core::ffi::c_int;
use core::mem::MaybeUninit;
use rustix::fd::{AsRawFd, BorrowedFd};

/// The size in bytes of a slot for a descriptor.
pub(crate) const SLOT: usize = size_of::<c_int>();

impl<'a> ControlWriter<'a> {
    /// Appends a message of descriptors, which stay borrowed for as long as the writer lives. `max` is how many the
    /// system takes.
    ///
    /// The iterator is the caller's code. It may give fewer or more than it says, and it may unwind: nothing is a message
    /// until it has ended.
    #[inline]
    pub(crate) fn push_descriptors(
        &mut self,
        level: c_int,
        message_type: c_int,
        descriptors: impl Iterator<Item = BorrowedFd<'a>>,
        max: usize,
    ) -> Result<(), PushError> {
        let mut descriptors = descriptors.fuse();
        let expected = descriptors.size_hint().0;
        let len = self.admit_descriptors(expected, max)?;
        let too_small = PushError::BufferTooSmall { needed: len, available: self.available() };
        let Some((header, rest_of_message)) = self.place(len) else { return Err(too_small) };
        let taken = header.len() + rest_of_message.len();
        write_header(Layout::NATIVE, ControlHeader { cmsg_len: len as u64, level, message_type }, header);
        let slots = rest_of_message.get_mut(..expected * SLOT).unwrap_or_default().chunks_exact_mut(SLOT);
        let mut count = 0;
        for (slot, descriptor) in slots.zip(&mut descriptors) {
            write_slot(slot, descriptor);
            count += 1;
        }
        let more = descriptors.next();
        if count != expected || more.is_some() {
            return self.push_unexpected(level, message_type, count, more, descriptors, max);
        }
        self.written.bytes += taken;
        self.written.descriptors += count;
        Ok(())
    }

    /// Appends the message of an iterator that has given another number of descriptors than its least: `count` are
    /// written already, then come `more` and the rest.
    #[cold]
    fn push_unexpected(
        &mut self,
        level: c_int,
        message_type: c_int,
        mut count: usize,
        mut more: Option<BorrowedFd<'a>>,
        mut rest: impl Iterator<Item = BorrowedFd<'a>>,
        max: usize,
    ) -> Result<(), PushError> {
        let layout = Layout::NATIVE;
        while let Some(descriptor) = more {
            let end = self.admit_descriptors(count + 1, max)?;
            let free = self.buffer.get_mut(self.written.bytes..).unwrap_or_default();
            write_slot(free.get_mut(end - SLOT..end).unwrap_or_default(), descriptor);
            count += 1;
            more = rest.next();
        }
        let len = self.admit_descriptors(count, max)?;
        let free = self.buffer.get_mut(self.written.bytes..).unwrap_or_default();
        let taken = layout.padded(len).min(free.len());
        uninit::zeroed(free.get_mut(len..taken).unwrap_or_default());
        let header = ControlHeader { cmsg_len: len as u64, level, message_type };
        write_header(layout, header, free.get_mut(..layout.data_offset()).unwrap_or_default());
        self.written.bytes += taken;
        self.written.descriptors += count;
        Ok(())
    }

    /// How long a message of so many descriptors more is, if it may be written and it fits.
    #[inline]
    fn admit_descriptors(&self, count: usize, max: usize) -> Result<usize, PushError> {
        // The sum is exact where the first comparison says that it is small.
        if count > max || self.written.descriptors.wrapping_add(count) > max {
            // An iterator may claim more than there can be.
            let count = self.written.descriptors.saturating_add(count);
            return Err(PushError::TooManyDescriptors { count, max });
        }
        let payload = count.saturating_mul(SLOT);
        match (Layout::NATIVE.len(payload), self.available()) {
            (Some(len), available) if len <= available => Ok(len),
            (Some(needed), available) => Err(PushError::BufferTooSmall { needed, available }),
            (None, _) => Err(PushError::TooLong { payload }),
        }
    }
}

#[inline]
fn write_slot(slot: &mut [MaybeUninit<u8>], descriptor: BorrowedFd<'_>) {
    uninit::copy(&descriptor.as_raw_fd().to_ne_bytes(), slot);
}
