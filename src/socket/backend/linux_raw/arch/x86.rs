//! System calls on 32-bit x86.
//!
//! `int 0x80` takes the number in `eax` and the first two arguments in `ebx` and `ecx`, and returns in `eax`. Every other
//! register and the flags are as before. More arguments than `socketcall` has are not needed. (The fourth would be in
//! `esi`, which no operand may name.)
//!
//! There is a faster way into the kernel, a function that it maps into every process. Its address is found through the
//! C library or the program's start, neither of which this has.

use core::arch::asm;
use core::ffi::c_void;

/// # Safety
///
/// The call of this number, with these arguments, does nothing that the caller may not do.
#[inline]
pub(super) unsafe fn syscall2(number: u32, arg1: *mut c_void, arg2: *mut c_void) -> isize {
    let returned;
    // SAFETY: the operands are the registers named above, and the caller answers for what the call does to memory.
    unsafe {
        asm!(
            "int 0x80",
            inlateout("eax") number => returned,
            in("ebx") arg1,
            in("ecx") arg2,
            options(nostack, preserves_flags),
        );
    }
    returned
}
