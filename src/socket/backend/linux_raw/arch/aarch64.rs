//! System calls on 64-bit ARM.
//!
//! `svc 0` takes the number in `x8` and the arguments in `x0` to `x4`, and returns in `x0`. Every other general register
//! is as before, and so are `v0` to `v31`. The rest of the vector state is not: the kernel drops what of `z0` to `z31` is
//! not `v0` to `v31`, the predicates, and streaming mode (`Documentation/arch/arm64/sve.rst` and `sme.rst`).
//!
//! An operand cannot say that of half a register. A function call can: the procedure call standard gives up more than
//! the kernel does. So these are never inlined.

use core::arch::asm;
use core::ffi::c_void;

/// # Safety
///
/// The call of this number, with these arguments, does nothing that the caller may not do.
#[inline(never)]
pub(super) unsafe fn syscall3(number: u32, arg1: *mut c_void, arg2: *mut c_void, arg3: *mut c_void) -> isize {
    let returned;
    // SAFETY: the operands are the registers named above, no vector is in use in this function, and the caller answers
    // for what the call does to memory.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number as usize,
            inlateout("x0") arg1 => returned,
            in("x1") arg2,
            in("x2") arg3,
            options(nostack, preserves_flags),
        );
    }
    returned
}

/// # Safety
///
/// As [`syscall3`].
#[inline(never)]
pub(super) unsafe fn syscall5(
    number: u32,
    arg1: *mut c_void,
    arg2: *mut c_void,
    arg3: *mut c_void,
    arg4: *mut c_void,
    arg5: *mut c_void,
) -> isize {
    let returned;
    // SAFETY: as in `syscall3`.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number as usize,
            inlateout("x0") arg1 => returned,
            in("x1") arg2,
            in("x2") arg3,
            in("x3") arg4,
            in("x4") arg5,
            options(nostack, preserves_flags),
        );
    }
    returned
}
