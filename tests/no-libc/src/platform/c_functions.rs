//! For LoongArch rustix has no assembly of its own: these are the functions it calls instead, which here are nobody
//! else's.

use super::arch::syscall5;
use core::ffi::{c_int, c_void};
use core::ptr;

macro_rules! functions {
    ($($name:ident = $number:literal: ($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {$(
        /// # Safety
        ///
        /// As for the C function of this name.
        // SAFETY: no other function of the program has this name.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $kind),*) -> $result {
            let mut arguments = [ptr::null_mut(); 5];
            for (to, from) in arguments.iter_mut().zip([$($argument as *mut c_void),*]) {
                *to = from;
            }
            let [arg1, arg2, arg3, arg4, arg5] = arguments;
            // SAFETY: the caller's promise is the kernel's.
            let returned = unsafe { syscall5($number, arg1, arg2, arg3, arg4, arg5) };
            if returned < 0 { -1 } else { returned as $result }
        }
    )*};
}

// `include/uapi/asm-generic/unistd.h`.
// In C the argument of `fcntl` is a variadic one, which the processor's convention passes as any other.
functions! {
    fcntl = 25: (descriptor: c_int, command: c_int, argument: c_int) -> c_int;
    close = 57: (descriptor: c_int) -> c_int;
    pipe2 = 59: (descriptors: *mut c_int, flags: c_int) -> c_int;
    read = 63: (descriptor: c_int, to: *mut c_void, count: usize) -> isize;
    write = 64: (descriptor: c_int, from: *const c_void, count: usize) -> isize;
    socketpair = 199: (domain: c_int, kind: c_int, protocol: c_int, descriptors: *mut c_int) -> c_int;
}

/// Errors are not told apart here.
// SAFETY: no other function of the program has this name.
#[unsafe(no_mangle)]
extern "C" fn __errno_location() -> *mut c_int {
    static mut ERRNO: c_int = 1;
    &raw mut ERRNO
}
