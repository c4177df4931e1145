//! System calls on 32-bit ARM (EABI), in ARM and in Thumb mode.
//!
//! `svc 0` takes the number in `r7` and the arguments in `r0` to `r4`, and returns in `r0`. Every other register and the
//! flags are as before. In Thumb mode `r7` is the frame pointer, which no operand may name: so its value is kept
//! elsewhere during the call. In ARM mode that does no harm.

use core::arch::asm;
use core::ffi::c_void;

/// # Safety
///
/// The call of this number, with these arguments, does nothing that the caller may not do.
#[inline]
pub(super) unsafe fn syscall3(number: u32, arg1: *mut c_void, arg2: *mut c_void, arg3: *mut c_void) -> isize {
    let returned;
    // SAFETY: the operands are the registers named above, `r7` ends as it began unless it is `kept` itself, and the
    // caller answers for what the call does to memory.
    unsafe {
        asm!(
            "mov {kept}, r7",
            "mov r7, {number}",
            "svc 0",
            "mov r7, {kept}",
            number = in(reg) number,
            kept = out(reg) _,
            inlateout("r0") arg1 => returned,
            in("r1") arg2,
            in("r2") arg3,
            options(nostack, preserves_flags),
        );
    }
    returned
}

/// # Safety
///
/// As [`syscall3`].
#[inline]
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
            "mov {kept}, r7",
            "mov r7, {number}",
            "svc 0",
            "mov r7, {kept}",
            number = in(reg) number,
            kept = out(reg) _,
            inlateout("r0") arg1 => returned,
            in("r1") arg2,
            in("r2") arg3,
            in("r3") arg4,
            in("r4") arg5,
            options(nostack, preserves_flags),
        );
    }
    returned
}
