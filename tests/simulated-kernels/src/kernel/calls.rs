//! The C functions, under the names by which the crate `libc` links to them.

use super::kernel;
use libc::{c_int, msghdr, ssize_t};

/// A result in C's way.
fn answer(result: Result<usize, c_int>) -> ssize_t {
    result.map_or_else(
        |error| {
            // SAFETY: the function gives the address of this thread's `errno`.
            unsafe { *errno() = error };
            -1
        },
        |number| number as ssize_t,
    )
}

#[cfg(target_os = "illumos")]
use libc::___errno as errno;
#[cfg(any(target_os = "netbsd", target_os = "openbsd"))]
use libc::__errno as errno;
#[cfg(target_os = "linux")]
use libc::__errno_location as errno;
#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
use libc::__error as errno;

/// Miri has no `errno` of these systems.
#[cfg(all(miri, any(target_os = "netbsd", target_os = "openbsd")))]
mod without_errno {
    use libc::c_int;
    use std::cell::UnsafeCell;

    struct Number(UnsafeCell<c_int>);

    // SAFETY: the program has one thread.
    unsafe impl Sync for Number {}

    static ERRNO: Number = Number(UnsafeCell::new(0));

    // SAFETY: no other function of the program has this name, and the C library's has the same signature.
    #[unsafe(no_mangle)]
    extern "C" fn __errno() -> *mut c_int {
        ERRNO.0.get()
    }
}

// SAFETY: no other function of the program has this name, and the C library's has the same signature.
#[cfg_attr(target_os = "illumos", unsafe(export_name = "__xnet_sendmsg"))]
#[cfg_attr(not(target_os = "illumos"), unsafe(no_mangle))]
unsafe extern "C" fn sendmsg(number: c_int, header: *const msghdr, flags: c_int) -> ssize_t {
    // SAFETY: the caller promises what the C function asks for.
    answer(unsafe { kernel().sendmsg(number, header, flags) })
}

// SAFETY: as above.
#[cfg_attr(target_os = "illumos", unsafe(export_name = "__xnet_recvmsg"))]
#[cfg_attr(not(target_os = "illumos"), unsafe(no_mangle))]
unsafe extern "C" fn recvmsg(number: c_int, header: *mut msghdr, flags: c_int) -> ssize_t {
    // SAFETY: as above.
    answer(unsafe { kernel().recvmsg(number, header, flags) })
}

/// The crate asks one thing only: the family of a socket. (Miri has the function itself.)
// SAFETY: no other function of the program has this name, and the C library's has the same signature.
#[cfg(all(target_os = "linux", not(miri)))]
#[unsafe(no_mangle)]
unsafe extern "C" fn getsockopt(
    number: c_int,
    level: c_int,
    name: c_int,
    value: *mut libc::c_void,
    len: *mut libc::socklen_t,
) -> c_int {
    assert_eq!((level, name), (libc::SOL_SOCKET, libc::SO_DOMAIN));
    let family = kernel().family(number);
    answer(family.map(|family| {
        // SAFETY: the caller promises that both can be written, and so many bytes of the value as the length says.
        unsafe {
            assert_eq!(*len as usize, size_of::<c_int>());
            value.cast::<c_int>().write_unaligned(family);
        }
        0
    })) as c_int
}

#[cfg(any(target_os = "linux", target_os = "netbsd", target_os = "openbsd"))]
mod batches {
    use super::{answer, kernel};
    use crate::rules::Kept;
    use libc::{c_int, c_uint, mmsghdr, msghdr, timespec};

    #[cfg(target_os = "linux")]
    const WAIT_FOR_ONE: c_int = libc::MSG_WAITFORONE;
    #[cfg(not(target_os = "linux"))]
    const WAIT_FOR_ONE: c_int = ancillary::platform::MSG_WAITFORONE;

    /// The headers of a batch.
    ///
    /// # Safety
    ///
    /// There are so many.
    unsafe fn headers(first: *mut mmsghdr, count: c_uint) -> impl Iterator<Item = (*mut msghdr, *mut u32)> {
        assert_ne!(kernel().rules.kept, Kept::NoBatches, "the system has no such call");
        (0..count as usize).map(move |index| {
            // SAFETY: the caller's promise.
            unsafe {
                let header = first.add(index);
                (&raw mut (*header).msg_hdr, &raw mut (*header).msg_len)
            }
        })
    }

    // SAFETY: no other function of the program has this name, and the C library's has the same signature.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn sendmmsg(number: c_int, first: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int {
        // SAFETY: the caller promises what the C function asks for.
        let headers = unsafe { headers(first, count) };
        // SAFETY: as above.
        answer(unsafe { kernel().sendmmsg(number, headers, flags) }) as c_int
    }

    // SAFETY: as above.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn recvmmsg(
        number: c_int,
        first: *mut mmsghdr,
        count: c_uint,
        flags: c_int,
        _: *mut timespec,
    ) -> c_int {
        // SAFETY: as above.
        let headers = unsafe { headers(first, count) };
        // SAFETY: as above. Nothing here waits anyway.
        answer(unsafe { kernel().recvmmsg(number, headers, flags & !WAIT_FOR_ONE) }) as c_int
    }
}
