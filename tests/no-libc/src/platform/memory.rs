//! What the compiler takes for granted. Volatile, so that it does not make calls to these functions of their own loops.

/// # Safety
///
/// `count` bytes at `to` can be written.
// SAFETY: no other function of the program has this name.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    for index in 0..count {
        // SAFETY: the caller says that it can be written.
        unsafe { to.add(index).write_volatile(byte as u8) };
    }
    to
}

/// # Safety
///
/// `count` bytes at `from` can be read, and as many at `to` written.
// SAFETY: no other function of the program has this name.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    for index in 0..count {
        // SAFETY: the caller says that they can be read and written.
        unsafe { to.add(index).write_volatile(from.add(index).read()) };
    }
    to
}

/// # Safety
///
/// `count` bytes at each can be read.
// SAFETY: no other function of the program has this name.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, count: usize) -> i32 {
    for index in 0..count {
        // SAFETY: the caller says that they can be read.
        if unsafe { one.add(index).read_volatile() != other.add(index).read_volatile() } {
            return 1;
        }
    }
    0
}
