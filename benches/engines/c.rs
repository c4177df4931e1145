//! C, with the system's macros, compiled with -O2: c.c.

use ancillary_benches::{Arriving, Credentials, Echo, Engine, Look, MOST, Meta, SEGMENT, SEGMENTS, run};
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

const ENGINE: Engine = Engine {
    read: Some(|bytes| {
        // SAFETY: pointer and length are those of a slice, and C reads no further.
        unsafe { c_read(bytes.as_mut_ptr(), bytes.len()) }
    }),
    write: Some(|bytes, descriptors, credentials, messages| {
        // SAFETY: as above, of what is written; a `BorrowedFd` is a C int.
        unsafe { c_write(bytes.as_mut_ptr(), bytes.len(), descriptors.as_ptr(), credentials, messages) }
    }),
    pass_one: Some(|from, to, descriptors| {
        // SAFETY: there is one descriptor, which is what C reads.
        unsafe { c_pass_one(from.as_raw_fd(), to.as_raw_fd(), descriptors.as_ptr()) }
    }),
    pass_253: Some(|from, to, descriptors| {
        // SAFETY: there are 253 descriptors, which is what C reads.
        unsafe { c_pass_253(from.as_raw_fd(), to.as_raw_fd(), descriptors.as_ptr()) }
    }),
    keep_253: Some(|from, to, descriptors, look| {
        // SAFETY: there are 253 descriptors; a `BorrowedFd` is a C int.
        unsafe { c_keep_253(from.as_raw_fd(), to.as_raw_fd(), descriptors.as_ptr(), look) }
    }),
    forward_28: Some(|from, to, descriptors, look| {
        // SAFETY: there are so many descriptors, which C makes sure that it has room for; an `OwnedFd` is a C int.
        unsafe { c_keep_28(from.as_raw_fd(), to.as_raw_fd(), descriptors.as_ptr(), descriptors.len(), look) }
    }),
    batch: Some(|from, to, turns| {
        // SAFETY: C uses memory of its own, in one thread.
        unsafe { c_batch(from.as_raw_fd(), to.as_raw_fd(), 0, turns) }
    }),
    batch_with_control: Some(|from, to, turns| {
        // SAFETY: as above.
        unsafe { c_batch(from.as_raw_fd(), to.as_raw_fd(), 1, turns) }
    }),
    batch_of_one: Some(|from, to, turns| {
        // SAFETY: as above.
        unsafe { c_batch_of_one(from.as_raw_fd(), to.as_raw_fd(), turns) }
    }),
    udp: Some(|arriving| match arriving.count() {
        1 => udp::<1>(arriving),
        _ => udp::<MOST>(arriving),
    }),
    match_kinds: Some(|bytes| {
        // SAFETY: pointer and length are those of a slice, and C reads no further.
        unsafe { c_match_kinds(bytes.as_mut_ptr(), bytes.len()) }
    }),
    echo: Some(echo),
}
.of_this_program();

/// `struct meta`.
#[derive(Clone, Copy)]
#[repr(C)]
struct CMeta {
    address: libc::sockaddr_storage,
    len: usize,
    stride: usize,
    timestamp: libc::timespec,
    to: [u8; 16],
    interface: u32,
    to_family: u16,
    ecn: u8,
    has_timestamp: u8,
}

fn udp<const COUNT: usize>(arriving: &mut Arriving) {
    let mut buffers = [[0; SEGMENT * SEGMENTS]; COUNT];
    // SAFETY: it is numbers, all of which may be 0.
    let mut metas: [CMeta; COUNT] = unsafe { std::mem::zeroed() };
    while arriving.bring() {
        let mut received = 0;
        while received < COUNT {
            let mut slices = buffers
                .each_mut()
                .map(|buffer| libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() });
            let (socket, most) = (arriving.server.as_raw_fd(), COUNT - received);
            // SAFETY: there are at least so many slices and rooms for metadata.
            let now = unsafe { c_udp(socket, slices.as_mut_ptr(), metas.as_mut_ptr(), most) };
            assert!(now > 0);
            arriving.take(&buffers[..now], &metas[..now], |meta| {
                assert_eq!((meta.address.ss_family, meta.to_family), (2, 2));
                // SAFETY: its family says that it is one.
                let address = unsafe { (&raw const meta.address).cast::<libc::sockaddr_in>().read() };
                let ip = Ipv4Addr::from_bits(u32::from_be(address.sin_addr.s_addr));
                let [a, b, c, d, ..] = meta.to;
                Meta {
                    addr: SocketAddr::new(ip.into(), u16::from_be(address.sin_port)),
                    len: meta.len,
                    stride: meta.stride,
                    ecn: meta.ecn,
                    dst_ip: Some(IpAddr::from([a, b, c, d])),
                    interface_index: Some(meta.interface),
                    has_timestamp: meta.has_timestamp != 0,
                }
            });
            received += now;
        }
    }
}

fn echo(echo: &mut Echo) {
    while echo.ask() {
        let mut answered = 0;
        while answered < ancillary_benches::BATCH {
            // SAFETY: as above.
            let count = unsafe { c_echo(echo.server.as_raw_fd()) };
            assert!(count > 0);
            answered += count;
        }
        echo.take_answers();
    }
}

unsafe extern "C" {
    fn c_read(bytes: *mut u8, len: usize) -> u64;
    fn c_write(
        bytes: *mut MaybeUninit<u8>,
        len: usize,
        descriptors: *const BorrowedFd<'_>,
        credentials: *const Credentials,
        messages: usize,
    ) -> usize;
    fn c_pass_one(from: c_int, to: c_int, descriptors: *const BorrowedFd<'_>) -> usize;
    fn c_pass_253(from: c_int, to: c_int, descriptors: *const BorrowedFd<'_>) -> usize;
    fn c_batch(from: c_int, to: c_int, with_control: c_int, turns: usize) -> u64;
    fn c_keep_253(from: c_int, to: c_int, descriptors: *const BorrowedFd<'_>, look: Look) -> usize;
    fn c_keep_28(from: c_int, to: c_int, descriptors: *const OwnedFd, count: usize, look: Look) -> usize;
    fn c_batch_of_one(from: c_int, to: c_int, turns: usize) -> u64;
    fn c_udp(socket: c_int, slices: *mut libc::iovec, metas: *mut CMeta, count: usize) -> usize;
    fn c_match_kinds(bytes: *mut u8, len: usize) -> u64;
    fn c_echo(socket: c_int) -> usize;
}

fn main() {
    run(&ENGINE);
}
