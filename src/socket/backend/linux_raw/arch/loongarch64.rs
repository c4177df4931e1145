//! System calls on 64-bit LoongArch.
//!
//! `syscall 0` takes the number in `$a7` and the arguments in `$a0` to `$a4`, and returns in `$a0`. The kernel does not
//! keep `$t0` to `$t8` (`tools/include/nolibc/arch-loongarch.h`); every other register is as before.

use core::arch::asm;
use core::ffi::c_void;

/// # Safety
///
/// The call of this number, with these arguments, does nothing that the caller may not do.
#[inline]
pub(super) unsafe fn syscall3(number: u32, arg1: *mut c_void, arg2: *mut c_void, arg3: *mut c_void) -> isize {
    let returned;
    // SAFETY: the operands are the registers named above, and the caller answers for what the call does to memory.
    unsafe {
        asm!(
            "syscall 0",
            in("$a7") number as usize,
            inlateout("$a0") arg1 => returned,
            in("$a1") arg2,
            in("$a2") arg3,
            lateout("$t0") _, lateout("$t1") _, lateout("$t2") _, lateout("$t3") _, lateout("$t4") _,
            lateout("$t5") _, lateout("$t6") _, lateout("$t7") _, lateout("$t8") _,
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
            "syscall 0",
            in("$a7") number as usize,
            inlateout("$a0") arg1 => returned,
            in("$a1") arg2,
            in("$a2") arg3,
            in("$a3") arg4,
            in("$a4") arg5,
            lateout("$t0") _, lateout("$t1") _, lateout("$t2") _, lateout("$t3") _, lateout("$t4") _,
            lateout("$t5") _, lateout("$t6") _, lateout("$t7") _, lateout("$t8") _,
            options(nostack, preserves_flags),
        );
    }
    returned
}
