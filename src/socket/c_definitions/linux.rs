//! Proves, whenever the crate is compiled with the raw backend, that [`Layout::NATIVE`] and the structures given to the
//! kernel are what its own headers say.
//!
//! The comparison with the C library's definitions, `libc.rs` beside this file, is then a test: `tests/c_definitions.rs`.

use super::backend::{MMsgHdr, MsgHdr};
use crate::layout::Layout;
use core::mem::offset_of;
use linux_raw_sys::cmsg_macros::{CMSG_LEN, CMSG_SPACE};
use linux_raw_sys::general::iovec;
use linux_raw_sys::net::{__kernel_sockaddr_storage, cmsghdr, msghdr};
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::addr::SocketAddrStorage;
use static_assertions::{assert_eq_align, assert_eq_size, const_assert, const_assert_eq};

const NATIVE: Layout = Layout::NATIVE;

const_assert_eq!(NATIVE.header_size(), size_of::<cmsghdr>());
const_assert_eq!(NATIVE.parts().len_offset as usize, offset_of!(cmsghdr, cmsg_len));
const_assert_eq!(NATIVE.parts().len_width.bytes(), size_of_field(|header: &cmsghdr| &header.cmsg_len));
const_assert_eq!(NATIVE.parts().level_offset as usize, offset_of!(cmsghdr, cmsg_level));
const_assert_eq!(NATIVE.parts().type_offset as usize, offset_of!(cmsghdr, cmsg_type));
const_assert!(lengths_agree());

/// `CMSG_LEN` and `CMSG_SPACE` agree for every short payload, and for as many descriptors as anybody takes.
const fn lengths_agree() -> bool {
    let mut payload_len = 0;
    while payload_len <= 1024 {
        // SAFETY: these are arithmetic on their argument.
        let (len, space) = unsafe { (CMSG_LEN(payload_len), CMSG_SPACE(payload_len)) };
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

/// Asserts that a structure has the kernel's size and alignment, and its fields at the same places.
macro_rules! same_structure {
    ($ours:ty, $kernels:ty: $($field:ident),*) => {
        assert_eq_size!($ours, $kernels);
        assert_eq_align!($ours, $kernels);
        $(
            const_assert_eq!(offset_of!($ours, $field), offset_of!($kernels, $field));
            const_assert_eq!(
                size_of_field(|structure: &$ours| &structure.$field),
                size_of_field(|structure: &$kernels| &structure.$field)
            );
        )*
    };
}

same_structure!(MsgHdr, msghdr: msg_name, msg_namelen, msg_iov, msg_iovlen, msg_control, msg_controllen, msg_flags);
same_structure!(MMsgHdr, linux_raw_sys::net::mmsghdr: msg_hdr, msg_len);

// What rustix's types hold inside, a test sees: `tests/c_definitions.rs`.
assert_eq_size!(IoSlice<'_>, IoSliceMut<'_>, iovec);
assert_eq_align!(IoSlice<'_>, IoSliceMut<'_>, iovec);
assert_eq_size!(SocketAddrStorage, __kernel_sockaddr_storage);
assert_eq_align!(SocketAddrStorage, __kernel_sockaddr_storage);

const fn size_of_field<S, T>(_: fn(&S) -> &T) -> usize {
    size_of::<T>()
}
