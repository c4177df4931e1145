//! System calls on x86-64.
//!
//! `syscall` takes the number in `rax` and the arguments in `rdi`, `rsi`, `rdx`, `r10` and `r8`. It puts the address of
//! the next instruction in `rcx` and the flags in `r11`, from where the kernel restores both. Every other register is
//! as before.

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
            "syscall",
            inlateout("rax") number as usize => returned,
            in("rdi") arg1,
            in("rsi") arg2,
            in("rdx") arg3,
            lateout("rcx") _,
            lateout("r11") _,
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
            "syscall",
            inlateout("rax") number as usize => returned,
            in("rdi") arg1,
            in("rsi") arg2,
            in("rdx") arg3,
            in("r10") arg4,
            in("r8") arg5,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack, preserves_flags),
        );
    }
    returned
}
