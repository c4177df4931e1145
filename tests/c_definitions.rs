//! The crate against the definitions of the `libc` crate, where the library itself does not see that: with the raw backend.
//!
//! Most of it are the library's own assertions, which the compiler evaluates. The rest needs values.

#![cfg(target_os = "linux")]
#![allow(clippy::unnecessary_cast, reason = "musl's fields are narrower")]

use ancillary::socket::{RecvMsgHdr, SendMsgHdr};
use ancillary::{ControlWriter, layout, socket};
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::{RecvFlags, SocketAddrAny, SocketAddrUnix};

macro_rules! same_in_libc {
    ($($name:ident),*) => {
        $(static_assertions::const_assert_eq!($name, libc::$name);)*
    };
}

macro_rules! same_in_the_kernel {
    ($($name:ident),*) => {};
}

#[path = "../src/platform/linux.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is here for its assertions")]
mod constants;

#[path = "../src/socket/c_definitions/libc.rs"]
mod definitions;

#[test]
fn a_slice_is_an_iovec() {
    let mut bytes = *b"some bytes";
    let (address, len) = (bytes.as_mut_ptr(), bytes.len());
    let slice = IoSlice::new(&bytes);
    // SAFETY: the library's assertions say that the one has the other's size and alignment, and any bytes are an `iovec`.
    let iovec: libc::iovec = unsafe { std::mem::transmute_copy(&slice) };
    assert_eq!((iovec.iov_base, iovec.iov_len), (address.cast(), len));
    let slice = IoSliceMut::new(&mut bytes);
    // SAFETY: as above.
    let iovec: libc::iovec = unsafe { std::mem::transmute_copy(&slice) };
    assert_eq!((iovec.iov_base, iovec.iov_len), (address.cast(), len));
}

#[test]
fn a_prepared_header_is_a_msghdr() {
    let address = SocketAddrAny::from(SocketAddrUnix::new("/a/name").unwrap());
    let (data, mut memory) = ([IoSlice::new(b"a"), IoSlice::new(b"b"), IoSlice::new(b"c")], [0u8; 64]);
    let mut control = ControlWriter::new(memory.as_mut_slice());
    control.push_raw(1, 2, b"abcde").unwrap();
    let header = SendMsgHdr::new(&data, &control).with_address(&address);
    // SAFETY: the assertions say that it has that size and alignment, and any bytes are a `msghdr`.
    let raw = unsafe { &*header.as_ptr().cast::<libc::msghdr>() };
    assert_eq!((raw.msg_name.cast_const(), raw.msg_namelen), (address.as_ptr().cast(), address.addr_len()));
    assert_eq!((raw.msg_iov.cast_const(), raw.msg_iovlen as usize), (data.as_ptr().cast(), 3));
    let bytes = control.as_bytes();
    assert_eq!((raw.msg_control.cast_const(), raw.msg_controllen as usize), (bytes.as_ptr().cast(), bytes.len()));
    assert_eq!(raw.msg_flags, 0);
}

#[test]
fn what_a_call_writes_is_where_the_crate_looks() {
    let mut data = [0; 8];
    let mut memory = [0u8; 64];
    let mut control = ControlWriter::new(memory.as_mut_slice());
    let one = control.push_raw(41, 1, b"abcd").map(|()| control.used()).unwrap();
    control.push_raw(41, 2, b"efgh").unwrap();
    let mut slices = [IoSliceMut::new(&mut data)];
    let mut header = RecvMsgHdr::new(&mut slices, &mut memory);
    let raw = header.as_mut_ptr().cast::<libc::msghdr>();
    // SAFETY: the pointer is to a `msghdr` that lives until the end of this test.
    let raw = unsafe { &mut *raw };
    assert_eq!((raw.msg_iovlen as usize, raw.msg_controllen as usize), (1, 64));
    raw.msg_namelen = 0;
    raw.msg_controllen = one as _;
    raw.msg_flags = libc::MSG_CTRUNC;
    // SAFETY: the header is as after a call that has received 3 bytes and one control message without a descriptor.
    let received = unsafe { header.into_received(3, RecvFlags::empty()) };
    assert!(received.control_truncated() && !received.data_truncated() && received.address().is_none());
    assert_eq!(received.messages().count(), 1);
}
