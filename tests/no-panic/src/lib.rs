//! A table of every public function of ancillary, so that each of them is compiled on its own, for whatever arguments,
//! and the table keeps it. (What is derived or generated is not in it.)
//!
//! The panic handler calls a function that is nowhere. If a single one of these functions has a way to panic that the
//! optimiser could not remove, the handler is in the library, and it does not link. `.ci/no-panic` builds it, and
//! compares the table with what the documentation lists.
//!
//! It holds for the target it is built for, without `std` (whose descriptors and their closing are the standard
//! library's), and without checks for overflow, as a release build is. Functions of traits that a user implements are
//! those of the crate's own types.
#![no_std]

mod linked;

/// An address in the table.
#[repr(transparent)]
pub struct Function(pub *const ());

// SAFETY: nobody reads it.
unsafe impl Sync for Function {}

unsafe extern "C" {
    /// Nowhere.
    safe fn a_panic_can_be_reached() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    a_panic_can_be_reached()
}

/// A function that can panic, to show that it would be found.
#[cfg(feature = "planted")]
// SAFETY: no other function has this name.
#[unsafe(no_mangle)]
pub fn planted(bytes: &[u8]) -> u8 {
    bytes[7]
}
