//! Proves that [`Layout::NATIVE`] and the structures given to the system are what the C library's definitions say:
//! whenever the crate is compiled with that backend, and always in the test `tests/c_definitions.rs`, which has this file
//! as a part of it.

use crate::layout::Layout;
use crate::socket::MsgHdr;
use core::mem::offset_of;
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::addr::SocketAddrStorage;
use static_assertions::{assert_eq_align, assert_eq_size, const_assert_eq};

const NATIVE: Layout = Layout::NATIVE;

const_assert_eq!(NATIVE.header_size(), size_of::<libc::cmsghdr>());
const_assert_eq!(NATIVE.parts().level_offset as usize, offset_of!(libc::cmsghdr, cmsg_level));
const_assert_eq!(NATIVE.parts().type_offset as usize, offset_of!(libc::cmsghdr, cmsg_type));

/// How many bytes of padding the C library declares beside `cmsg_len`.
///
/// Linux reads eight bytes of length on 64-bit targets. musl declares four of them as padding: those that are zero in
/// every length it can express.
const LEN_PADDING: usize =
    if cfg!(all(linux_kernel, any(target_env = "musl", target_env = "ohos"), target_pointer_width = "64")) {
        4
    } else {
        0
    };
const LEN_PADDING_BEFORE: usize = if cfg!(target_endian = "big") { LEN_PADDING } else { 0 };

const_assert_eq!(NATIVE.parts().len_width.bytes(), size_of_field(|header| &header.cmsg_len) + LEN_PADDING);
const_assert_eq!(NATIVE.parts().len_offset as usize + LEN_PADDING_BEFORE, offset_of!(libc::cmsghdr, cmsg_len));

// Where their fields are, a test sees: `tests/c_definitions.rs`.
assert_eq_size!(MsgHdr, libc::msghdr);
assert_eq_align!(MsgHdr, libc::msghdr);
#[cfg(any(batched_sending, batched_receiving))]
assert_eq_size!(crate::socket::SendSlot<'_>, libc::mmsghdr);
#[cfg(any(batched_sending, batched_receiving))]
assert_eq_align!(crate::socket::SendSlot<'_>, libc::mmsghdr);
assert_eq_size!(IoSlice<'_>, IoSliceMut<'_>, libc::iovec);
assert_eq_align!(IoSlice<'_>, IoSliceMut<'_>, libc::iovec);
assert_eq_size!(SocketAddrStorage, libc::sockaddr_storage);
assert_eq_align!(SocketAddrStorage, libc::sockaddr_storage);

const fn size_of_field<T>(_: fn(&libc::cmsghdr) -> &T) -> usize {
    size_of::<T>()
}

/// libc 0.2.191 is wrong about NetBSD on aarch64: `src/unix/bsd/netbsdlike/netbsd/aarch64.rs` aligns to
/// `size_of::<c_int>()`. NetBSD's `__ALIGNBYTES` there is `sizeof(__int128) - 1` (`sys/arch/arm/include/cdefs.h` 1.19,
/// which `sys/arch/aarch64/include/cdefs.h` includes), so header and data are aligned to 16 bytes. The truth, in numbers:
#[cfg(all(target_os = "netbsd", target_arch = "aarch64"))]
mod libc_is_wrong_about_netbsd_on_aarch64 {
    use super::{NATIVE, const_assert_eq};

    const_assert_eq!(NATIVE.data_offset(), 16);
    const_assert_eq!(NATIVE.header_align(), 16);
    static_assertions::const_assert!(matches!((NATIVE.len(0), NATIVE.space(0)), (Some(16), Some(16))));
    static_assertions::const_assert!(matches!((NATIVE.len(4), NATIVE.space(4)), (Some(20), Some(32))));
    static_assertions::const_assert!(matches!((NATIVE.len(1012), NATIVE.space(1012)), (Some(1028), Some(1040))));
}

#[cfg(not(all(target_os = "netbsd", target_arch = "aarch64")))]
static_assertions::const_assert!(lengths_agree());

/// `CMSG_LEN` and `CMSG_SPACE` agree for every short payload, and for as many descriptors as anybody takes.
#[cfg(not(all(target_os = "netbsd", target_arch = "aarch64")))]
const fn lengths_agree() -> bool {
    let mut payload_len = 0;
    while payload_len <= 1024 {
        let (len, space) = len_and_space(payload_len);
        let (Some(our_len), Some(our_space)) = (NATIVE.len(payload_len as usize), NATIVE.space(payload_len as usize))
        else {
            return false;
        };
        if our_len != len as usize || our_space != space as usize {
            return false;
        }
        payload_len += 1;
    }
    true
}

#[cfg(not(any(target_os = "cygwin", all(target_os = "netbsd", target_arch = "aarch64"))))]
const fn len_and_space(payload_len: u32) -> (u32, u32) {
    // SAFETY: these are arithmetic on their argument.
    unsafe { (libc::CMSG_LEN(payload_len), libc::CMSG_SPACE(payload_len)) }
}

/// libc 0.2.191 has no constant `CMSG_LEN` for Cygwin. Its `winsup/cygwin/include/cygwin/socket.h` aligns the header's 16
/// bytes to 8 and adds the length.
#[cfg(target_os = "cygwin")]
const fn len_and_space(payload_len: u32) -> (u32, u32) {
    // SAFETY: this is arithmetic on its argument.
    (16 + payload_len, unsafe { libc::CMSG_SPACE(payload_len) })
}
