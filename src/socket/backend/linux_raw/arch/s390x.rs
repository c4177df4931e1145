//! System calls on 64-bit z/Architecture.
//!
//! `svc 0` takes the number in `r1` and the first two arguments in `r2` and `r3`, and returns in `r2`. Every other register
//! and the condition code are as before. More arguments than `socketcall` has are not needed.

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
            "svc 0",
            in("r1") number as usize,
            inlateout("r2") arg1 => returned,
            in("r3") arg2,
            options(nostack, preserves_flags),
        );
    }
    returned
}
