//! System calls on 64-bit RISC-V.
//!
//! `ecall` takes the number in `a7` and the arguments in `a0` to `a4`, and returns in `a0`. Every other general and
//! floating-point register is as before. The vector registers are not, nor is how they are set up (`vl`, `vtype`,
//! `vstart`), which Rust counts among the flags (`Documentation/arch/riscv/vector.rst`).

use core::arch::asm;
use core::ffi::c_void;

/// `ecall` with these registers for its arguments.
macro_rules! ecall {
    ($number:ident, $first:ident => $returned:ident $(, $register:tt: $argument:ident)*) => {
        asm!(
            "ecall",
            in("a7") $number as usize,
            inlateout("a0") $first => $returned,
            $(in($register) $argument,)*
            lateout("v0") _, lateout("v1") _, lateout("v2") _, lateout("v3") _,
            lateout("v4") _, lateout("v5") _, lateout("v6") _, lateout("v7") _,
            lateout("v8") _, lateout("v9") _, lateout("v10") _, lateout("v11") _,
            lateout("v12") _, lateout("v13") _, lateout("v14") _, lateout("v15") _,
            lateout("v16") _, lateout("v17") _, lateout("v18") _, lateout("v19") _,
            lateout("v20") _, lateout("v21") _, lateout("v22") _, lateout("v23") _,
            lateout("v24") _, lateout("v25") _, lateout("v26") _, lateout("v27") _,
            lateout("v28") _, lateout("v29") _, lateout("v30") _, lateout("v31") _,
            options(nostack),
        )
    };
}

/// # Safety
///
/// The call of this number, with these arguments, does nothing that the caller may not do.
#[inline]
pub(super) unsafe fn syscall3(number: u32, arg1: *mut c_void, arg2: *mut c_void, arg3: *mut c_void) -> isize {
    let returned;
    // SAFETY: the operands are the registers named above, and the caller answers for what the call does to memory.
    unsafe { ecall!(number, arg1 => returned, "a1": arg2, "a2": arg3) };
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
    unsafe { ecall!(number, arg1 => returned, "a1": arg2, "a2": arg3, "a3": arg4, "a4": arg5) };
    returned
}
