//! Where the program starts and ends.

use super::arch;
use core::ptr;

// The kernel starts the program with the stack as it is before a call instruction, which puts the address to return to
// on it.
#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
core::arch::global_asm!(".globl _start", "_start:", "call {start}", start = sym start);

// A function may store registers in 160 bytes that its caller has left for it.
#[cfg(target_arch = "s390x")]
core::arch::global_asm!(".globl _start", "_start:", "aghi %r15, -160", "brasl %r14, {start}", start = sym start);

/// Elsewhere a call leaves nothing on the stack.
// SAFETY: no other function of the program has this name.
#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "s390x")))]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    start()
}

extern "C" fn start() -> ! {
    exit(if crate::run().is_some() { 0 } else { 1 })
}

pub fn exit(code: usize) -> ! {
    // If the assembly takes its arguments from the wrong places, this is what it finds there: not 0.
    let [code, other] = [code, 1].map(ptr::without_provenance_mut);
    loop {
        // SAFETY: the call ends the program.
        #[cfg(any(target_arch = "x86", target_arch = "s390x"))]
        unsafe {
            arch::syscall2(EXIT_GROUP, code, other)
        };
        // SAFETY: the call ends the program.
        #[cfg(not(any(target_arch = "x86", target_arch = "s390x")))]
        unsafe {
            arch::syscall3(EXIT_GROUP, code, other, other)
        };
    }
}

/// The number of `exit_group`.
const EXIT_GROUP: u32 = if cfg!(target_arch = "x86_64") {
    231
} else if cfg!(target_arch = "x86") {
    252
} else if cfg!(any(target_arch = "arm", target_arch = "s390x")) {
    248
} else {
    94
};
