//! The `unsafe` of this module: bytes that may not have been written yet.

use core::mem::MaybeUninit;

/// Bytes as bytes that need not be initialised.
///
/// # Safety
///
/// Nothing uninitialised is written through the result: the bytes are their owner's again when the borrow ends.
pub(crate) unsafe fn as_uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    let (pointer, len) = (bytes.as_mut_ptr(), bytes.len());
    // SAFETY: `MaybeUninit<u8>` has the layout of `u8`, pointer and length come from one exclusive borrow, and the
    // caller promises that the bytes stay initialised.
    unsafe { core::slice::from_raw_parts_mut(pointer.cast::<MaybeUninit<u8>>(), len) }
}

/// Bytes that have all been written.
///
/// # Safety
///
/// Every one of `bytes` is initialised.
pub(crate) unsafe fn assume_init(bytes: &[MaybeUninit<u8>]) -> &[u8] {
    // SAFETY: `u8` has the layout of `MaybeUninit<u8>`, pointer and length come from one borrow, and the caller
    // promises that all is initialised.
    unsafe { core::slice::from_raw_parts(bytes.as_ptr().cast::<u8>(), bytes.len()) }
}

/// Bytes that have all been written, to change in place.
///
/// # Safety
///
/// Every one of `bytes` is initialised.
pub(crate) unsafe fn assume_init_mut(bytes: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    let (pointer, len) = (bytes.as_mut_ptr(), bytes.len());
    // SAFETY: `u8` has the layout of `MaybeUninit<u8>`, pointer and length come from one exclusive borrow, the caller
    // promises that all is initialised, and a `u8` written through the result leaves it so.
    unsafe { core::slice::from_raw_parts_mut(pointer.cast::<u8>(), len) }
}

/// Zeroed bytes are initialised, and can be given out as bytes.
#[inline]
pub(crate) fn zeroed(bytes: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    for byte in &mut *bytes {
        byte.write(0);
    }
    // SAFETY: the loop has written every byte.
    unsafe { assume_init_mut(bytes) }
}

/// Writes as many bytes of `source` as fit.
#[inline]
pub(crate) fn copy(source: &[u8], bytes: &mut [MaybeUninit<u8>]) {
    for (byte, value) in bytes.iter_mut().zip(source) {
        byte.write(*value);
    }
}
