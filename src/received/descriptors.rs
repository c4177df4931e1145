use super::{Messages, NoDescriptor};
use crate::message::descriptor_number;
use core::ffi::c_int;
use core::fmt;
use core::iter::FusedIterator;
use rustix::fd::{BorrowedFd, FromRawFd, OwnedFd};

/// The size of a slot in bytes.
const SLOT: usize = size_of::<c_int>();

/// What a slot holds once its descriptor was taken. Not −1, which is also `-EPERM`; no kernel writes this.
const TAKEN: c_int = c_int::MIN;

/// The descriptors of one message, `SCM_RIGHTS` or `SCM_PIDFD`, in its part of the control buffer.
///
/// An iterator that takes one after the other. [`iter`](Self::iter) borrows them instead. What is left when this is
/// dropped is still owned by the [`Received`](crate::Received) it came from, and closed with it.
///
/// Each slot gives a descriptor, or the negative number that the kernel put in its place.
///
/// Example: [`Received`](crate::Received).
pub struct Descriptors<'m> {
    /// The part of the payload that was not walked. The numbers in it that are not negative are descriptors of this
    /// process that belong to the `Received` alone.
    payload: &'m mut [u8],
}

impl<'m> Descriptors<'m> {
    /// The descriptors of one message.
    ///
    /// # Safety
    ///
    /// The numbers in `payload` that are not negative are open descriptors that belong to the `Received` alone whose
    /// control buffer `payload` is a part of.
    #[inline]
    pub(super) unsafe fn new(payload: &'m mut [u8]) -> Self {
        Descriptors { payload }
    }

    /// The descriptors, borrowed.
    ///
    /// ```
    /// # use ancillary::message::ScmRights;
    /// # use ancillary::{ControlSpace, Message, control_space, recvmsg, sendmsg};
    /// # use rustix::fd::AsFd;
    /// # use rustix::io::{IoSlice, IoSliceMut};
    /// # use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
    /// # let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    /// # let (reader, writer) = rustix::pipe::pipe()?;
    /// # let mut space = ControlSpace::<{ control_space!(ScmRights[2]) }>::new();
    /// # let mut control = space.writer();
    /// # control.push(&ScmRights::new(&[writer.as_fd()]))?;
    /// # sendmsg(&there, &[IoSlice::new(b"a pipe")], &control, SendFlags::empty())?;
    /// # let mut data = [0; 16];
    /// # let mut received = recvmsg(&here, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty())?;
    /// if let Some(Ok(Message::ScmRights(descriptors))) = received.messages().next() {
    ///     assert_eq!((descriptors.len(), descriptors.is_empty(), descriptors.remainder()), (1, false, &[][..]));
    ///     for descriptor in descriptors.iter() {
    ///         rustix::io::write(descriptor?, b"through it")?;
    ///     }
    /// } // nothing was taken: all are closed with `received`
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = Result<BorrowedFd<'_>, NoDescriptor>> {
        self.slots().filter(|slot| *slot != TAKEN.to_ne_bytes()).map(|slot| {
            // SAFETY: the number is not negative, so it is a descriptor that the `Received` owns. It stays open at
            // least for as long as `self` is borrowed: taking it takes `&mut self`.
            descriptor_number(slot).map(|number| unsafe { BorrowedFd::borrow_raw(number) })
        })
    }

    /// How many slots are left to take.
    ///
    /// Example: [`iter`](Self::iter).
    pub fn len(&self) -> usize {
        self.slots().filter(|slot| *slot != TAKEN.to_ne_bytes()).count()
    }

    /// Whether no slot is left to take.
    ///
    /// Example: [`iter`](Self::iter).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes after the last whole slot: what is left of a slot that was cut. Normally none.
    ///
    /// Example: [`iter`](Self::iter).
    pub fn remainder(&self) -> &[u8] {
        self.payload.chunks_exact(SLOT).remainder()
    }

    fn slots(&self) -> impl Iterator<Item = [u8; SLOT]> {
        self.payload.chunks_exact(SLOT).filter_map(|slot| slot.first_chunk().copied())
    }
}

/// Takes what is in a slot of a [`Descriptors`], unless that was taken before.
#[inline]
fn take(slot: &mut [u8; SLOT]) -> Option<Result<OwnedFd, NoDescriptor>> {
    match descriptor_number(*slot) {
        Ok(number) => {
            *slot = TAKEN.to_ne_bytes();
            // SAFETY: the number is not negative, so it was a descriptor that the `Received` owned. It has just been taken
            // from the only place where that is kept.
            Some(Ok(unsafe { OwnedFd::from_raw_fd(number) }))
        }
        Err(NoDescriptor { slot: TAKEN }) => None,
        Err(none) => Some(Err(none)),
    }
}

impl Iterator for Descriptors<'_> {
    type Item = Result<OwnedFd, NoDescriptor>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // What is left of a slot that was cut stays.
            if self.payload.len() < SLOT {
                return None;
            }
            let (slot, rest) = core::mem::take(&mut self.payload).split_first_chunk_mut()?;
            self.payload = rest;
            let taken = take(slot);
            if taken.is_some() {
                return taken;
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.payload.len() / SLOT))
    }

    #[inline]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, start: B, mut with: F) -> B {
        let mut folded = start;
        for slot in self.payload.chunks_exact_mut(SLOT) {
            if let Some(taken) = slot.first_chunk_mut().and_then(take) {
                folded = with(folded, taken);
            }
        }
        folded
    }
}

impl FusedIterator for Descriptors<'_> {}

impl fmt::Debug for Descriptors<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Takes every descriptor that arrived, from whatever message.
///
/// An item is an error, [`NoDescriptor`], where the kernel has put a negative number into the slot of a descriptor.
///
/// ```
/// # use ancillary::message::ScmRights;
/// # use ancillary::{ControlSpace, control_space, recvmsg, sendmsg};
/// # use rustix::fd::AsFd;
/// # use rustix::io::{IoSlice, IoSliceMut};
/// # use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};
/// # let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
/// # let (reader, writer) = rustix::pipe::pipe()?;
/// # let mut space = ControlSpace::<{ control_space!(ScmRights[2]) }>::new();
/// # let mut control = space.writer();
/// # control.push(&ScmRights::new(&[writer.as_fd()]))?;
/// # sendmsg(&there, &[IoSlice::new(b"a pipe")], &control, SendFlags::empty())?;
/// # let mut data = [0; 16];
/// let mut received = recvmsg(&here, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty())?;
/// let pipe = received.take_descriptors().next().ok_or("the sender passed nothing")??;
/// rustix::io::write(pipe, b"through it")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "an iterator does nothing until it is walked"]
pub struct TakeDescriptors<'r> {
    messages: Messages<'r>,
    current: Option<Descriptors<'r>>,
    /// Tells the `Received` when nothing is left that it would have to close.
    emptied: &'r mut bool,
}

impl<'r> TakeDescriptors<'r> {
    #[inline]
    pub(super) fn new(messages: Messages<'r>, emptied: &'r mut bool) -> Self {
        TakeDescriptors { messages, current: None, emptied }
    }
}

impl Iterator for TakeDescriptors<'_> {
    type Item = Result<OwnedFd, NoDescriptor>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(taken) = self.current.as_mut().and_then(Iterator::next) {
                return Some(taken);
            }
            self.current = self.messages.next_descriptors();
            if self.current.is_none() {
                *self.emptied = true;
                return None;
            }
        }
    }

    // Always: only then can the `Received`, which this points into, stay in registers.
    #[inline(always)]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, start: B, mut with: F) -> B {
        let TakeDescriptors { mut messages, current, emptied } = self;
        let mut folded = match current {
            Some(descriptors) => descriptors.fold(start, &mut with),
            None => start,
        };
        while let Some(descriptors) = messages.next_descriptors() {
            folded = descriptors.fold(folded, &mut with);
        }
        *emptied = true;
        folded
    }
}

impl FusedIterator for TakeDescriptors<'_> {}
