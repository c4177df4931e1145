use super::DescriptorError;
pub(super) use crate::control::SLOT;
use crate::message::descriptor_number;
use core::ffi::c_int;
use core::fmt;
use core::hint::assert_unchecked;
use core::iter::FusedIterator;
use rustix::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use sealed::Rest;

/// How a received descriptor is given out: [`BorrowedFd`] by a walk that looks, [`OwnedFd`] by one that takes.
///
/// Sealed: there are these two.
pub trait Descriptor: sealed::Sealed {}

impl Descriptor for OwnedFd {}
impl Descriptor for BorrowedFd<'_> {}

pub(super) mod sealed {
    use super::{BorrowedFd, FromRawFd, OwnedFd, RawFd, SLOT, descriptor_number};
    use core::fmt;

    pub trait Sealed: Sized {
        /// The slots that were not walked. Those of descriptors that are owned have a destructor, and those of borrowed ones
        /// have none, so that a look borrows for no longer than it is used.
        type Rest<'m>: Rest<'m>;

        /// # Safety
        ///
        /// `number` is an open descriptor, for as long as a borrow lasts; if this is to own it, nothing else does.
        unsafe fn of_number(number: RawFd) -> Self;
    }

    /// The part of a payload that was not walked.
    pub trait Rest<'m> {
        /// # Safety
        ///
        /// What [`DescriptorSlots::new`] asks for.
        unsafe fn new(payload: &'m [u8]) -> Self;

        fn payload(&self) -> &'m [u8];

        /// The next slot's bytes: from here on it is the caller's.
        fn next_slot(&mut self) -> Option<[u8; SLOT]>;
    }

    impl Sealed for OwnedFd {
        type Rest<'m> = OwnedRest<'m>;

        #[inline]
        unsafe fn of_number(number: RawFd) -> Self {
            // SAFETY: the caller promises that it is open and that nothing else owns it.
            unsafe { OwnedFd::from_raw_fd(number) }
        }
    }

    impl Sealed for BorrowedFd<'_> {
        type Rest<'m> = &'m [u8];

        #[inline]
        unsafe fn of_number(number: RawFd) -> Self {
            // SAFETY: the caller promises that it is open for as long as the borrow lasts.
            unsafe { BorrowedFd::borrow_raw(number) }
        }
    }

    impl<'m> Rest<'m> for &'m [u8] {
        #[inline]
        unsafe fn new(payload: &'m [u8]) -> Self {
            payload
        }

        #[inline]
        fn payload(&self) -> &'m [u8] {
            self
        }

        #[inline]
        fn next_slot(&mut self) -> Option<[u8; SLOT]> {
            let (slot, rest) = self.split_first_chunk()?;
            *self = rest;
            Some(*slot)
        }
    }

    /// Slots with descriptors that this owns.
    pub struct OwnedRest<'m>(&'m [u8]);

    impl<'m> Rest<'m> for OwnedRest<'m> {
        #[inline]
        unsafe fn new(payload: &'m [u8]) -> Self {
            OwnedRest(payload)
        }

        #[inline]
        fn payload(&self) -> &'m [u8] {
            self.0
        }

        #[inline]
        fn next_slot(&mut self) -> Option<[u8; SLOT]> {
            self.0.next_slot()
        }
    }

    impl Drop for OwnedRest<'_> {
        /// Closes the descriptors that are left.
        #[inline]
        fn drop(&mut self) {
            while let Some(slot) = self.next_slot() {
                // SAFETY: the number is not negative, so it is what `new` was promised; it was not given out.
                let owned = descriptor_number(slot).map(|number| unsafe { OwnedFd::of_number(number) });
                drop(owned);
            }
        }
    }

    impl fmt::Debug for OwnedRest<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_tuple("OwnedRest").field(&self.0).finish()
        }
    }
}

/// The descriptors of one message: an iterator of exact length.
///
/// With [`OwnedFd`], each step gives a descriptor to the caller, and dropping this closes what is left. With
/// [`BorrowedFd`], they stay with their owner.
///
/// Example: [`Received`](crate::Received).
pub struct Descriptors<'m, F: Descriptor = OwnedFd>(DescriptorSlots<'m, F>);

/// The slots of a message of descriptors, some of which hold an error: an iterator of exact length over all of them, in
/// their positions.
///
/// Linux puts an error into the slot of a file that a security module kept back, where the socket has asked for it
/// (`SO_RIGHTS_NOTRUNC`).
///
/// Otherwise like [`Descriptors`].
pub struct DescriptorSlots<'m, F: Descriptor = OwnedFd> {
    /// The part of the payload that was not walked. The numbers in it that are not negative are what `F` takes.
    rest: F::Rest<'m>,
}

/// The descriptors of one message, or its slots if one of them holds none.
pub(super) enum DescriptorsOrSlots<'m, F: Descriptor> {
    Descriptors(Descriptors<'m, F>),
    Slots(DescriptorSlots<'m, F>),
}

impl<'m, F: Descriptor> DescriptorSlots<'m, F> {
    /// # Safety
    ///
    /// The numbers in the whole slots of `payload` that are not negative are open descriptors, for as long as a borrow
    /// lasts; if `F` owns, nothing else owns them.
    #[inline]
    pub(super) unsafe fn new(payload: &'m [u8]) -> Self {
        // SAFETY: the caller's promise.
        DescriptorSlots { rest: unsafe { F::Rest::new(payload) } }
    }

    /// # Safety
    ///
    /// No slot holds an error.
    #[inline]
    pub(super) unsafe fn without_errors(self) -> Descriptors<'m, F> {
        Descriptors(self)
    }

    #[inline]
    pub(super) fn sorted(self) -> DescriptorsOrSlots<'m, F> {
        if has_error(self.payload()) {
            DescriptorsOrSlots::Slots(self)
        } else {
            DescriptorsOrSlots::Descriptors(Descriptors(self))
        }
    }

    /// Returns the bytes after the last whole slot: what is left of a slot that was cut. Normally none.
    ///
    /// ```
    /// use ancillary::received::DescriptorSlots;
    ///
    /// fn was_cut(slots: &DescriptorSlots<'_>) -> bool {
    ///     !slots.remainder().is_empty()
    /// }
    /// ```
    #[inline]
    pub fn remainder(&self) -> &'m [u8] {
        self.payload().chunks_exact(SLOT).remainder()
    }

    #[inline]
    fn payload(&self) -> &'m [u8] {
        self.rest.payload()
    }

    #[inline]
    fn next_slot(&mut self) -> Option<[u8; SLOT]> {
        self.rest.next_slot()
    }
}

impl<'m, F: Descriptor> Descriptors<'m, F> {
    /// Returns the bytes after the last whole slot: what is left of a slot that was cut. Normally none.
    ///
    /// ```
    /// use ancillary::received::Descriptors;
    ///
    /// fn was_cut(descriptors: &Descriptors<'_>) -> bool {
    ///     !descriptors.remainder().is_empty()
    /// }
    /// ```
    #[inline]
    pub fn remainder(&self) -> &'m [u8] {
        self.0.remainder()
    }
}

/// Whether a slot holds an error: a negative number.
#[inline]
fn has_error(payload: &[u8]) -> bool {
    let (fours, rest) = payload.split_at(payload.len() - payload.len() % (4 * SLOT));
    let mut slots = rest.chunks_exact(SLOT).filter_map(|slot| slot.first_chunk());
    !fours.is_empty() && has_error_in_fours(fours) || slots.any(|slot| c_int::from_ne_bytes(*slot) < 0)
}

/// The same for slots by fours: the benchmark row `pass 253`. Not inline, for the row `pass 1`.
#[inline(never)]
fn has_error_in_fours(fours: &[u8]) -> bool {
    // The signs of four numbers, in either byte order.
    const SIGNS: u128 = 0x8000_0000_8000_0000_8000_0000_8000_0000;
    let fours = fours.chunks_exact(4 * SLOT).filter_map(|four| four.first_chunk());
    fours.fold(0, |all, four| all | u128::from_ne_bytes(*four)) & SIGNS != 0
}

/// The error of the first slot that holds one.
#[inline]
pub(super) fn first_error(payload: &[u8]) -> Option<DescriptorError> {
    if has_error(payload) { find_error(payload) } else { None }
}

#[cold]
fn find_error(payload: &[u8]) -> Option<DescriptorError> {
    let slots = payload.chunks_exact(SLOT).filter_map(|slot| slot.first_chunk());
    slots.copied().map(descriptor_number).find_map(Result::err)
}

impl<F: Descriptor> Iterator for DescriptorSlots<'_, F> {
    type Item = Result<F, DescriptorError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // SAFETY: the number is not negative, so it is what `new` was promised; it is given out here only, once.
        self.next_slot().map(|slot| descriptor_number(slot).map(|number| unsafe { F::of_number(number) }))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let slots = self.payload().len() / SLOT;
        (slots, Some(slots))
    }
}

impl<F: Descriptor> Iterator for Descriptors<'_, F> {
    type Item = F;

    #[inline]
    fn next(&mut self) -> Option<F> {
        let number = c_int::from_ne_bytes(self.0.next_slot()?);
        // SAFETY: no slot here holds an error: `sorted` has looked, or `without_errors` was promised that. The compiler does
        // not know, and would keep the panic for -1.
        unsafe { assert_unchecked(number >= 0) };
        // SAFETY: the number is not negative, so it is what `new` was promised; it is given out here only, once.
        Some(unsafe { F::of_number(number) })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<F: Descriptor> ExactSizeIterator for DescriptorSlots<'_, F> {}
impl<F: Descriptor> FusedIterator for DescriptorSlots<'_, F> {}
impl<F: Descriptor> ExactSizeIterator for Descriptors<'_, F> {}
impl<F: Descriptor> FusedIterator for Descriptors<'_, F> {}

impl<F: Descriptor> fmt::Debug for DescriptorSlots<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = self.payload().chunks_exact(SLOT).filter_map(|slot| slot.first_chunk().copied());
        f.debug_list().entries(numbers.map(descriptor_number)).finish()
    }
}

impl<F: Descriptor> fmt::Debug for Descriptors<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = self.0.payload().chunks_exact(SLOT).filter_map(|slot| slot.first_chunk().copied());
        f.debug_list().entries(numbers.map(c_int::from_ne_bytes)).finish()
    }
}
