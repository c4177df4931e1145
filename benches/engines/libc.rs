//! The `libc` crate's macros and functions. (Batches of datagrams would be C's to the letter.)

use ancillary_benches::{Credentials, Engine, Look, mix, run};
use std::mem::{MaybeUninit, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr;

const ENGINE: Engine = Engine {
    read: Some(read),
    write: Some(write),
    pass_one: Some(pass::<1, 24>),
    pass_253: Some(pass::<253, 1032>),
    keep_253: Some(|from, to, descriptors, look| keep::<_, 1032>(from, to, descriptors, look)),
    forward_28: Some(keep::<_, 128>),
    ..Engine::NOTHING
}
.of_this_program();

const fn len(payload: usize) -> usize {
    // SAFETY: the macro computes.
    unsafe { libc::CMSG_LEN(payload as u32) as usize }
}

fn read(bytes: &mut [u8]) -> u64 {
    let mut digest = 0;
    // SAFETY: the buffer is one of well-formed messages: the macros take it at its word.
    unsafe {
        let mut header: libc::msghdr = zeroed();
        header.msg_control = bytes.as_mut_ptr().cast();
        header.msg_controllen = bytes.len();
        let mut message = libc::CMSG_FIRSTHDR(&header);
        while !message.is_null() {
            let libc::cmsghdr { cmsg_len, cmsg_level, cmsg_type, .. } = message.read_unaligned();
            if cmsg_len < len(0) {
                break;
            }
            match (cmsg_level, cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                    let data = libc::CMSG_DATA(message).cast::<RawFd>();
                    for index in 0..(cmsg_len - len(0)) / size_of::<RawFd>() {
                        digest = mix(digest, data.add(index).read_unaligned() as u32);
                    }
                }
                (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) if cmsg_len == len(size_of::<libc::ucred>()) => {
                    let credentials = libc::CMSG_DATA(message).cast::<libc::ucred>().read_unaligned();
                    digest = mix(mix(mix(digest, credentials.pid as u32), credentials.uid), credentials.gid);
                }
                _ => {}
            }
            message = libc::CMSG_NXTHDR(&header, message);
        }
    }
    digest
}

fn write(
    bytes: &mut [MaybeUninit<u8>],
    descriptors: &[BorrowedFd<'_>; 2],
    credentials: &Credentials,
    messages: usize,
) -> usize {
    let credentials = libc::ucred { pid: credentials.pid as i32, uid: credentials.uid, gid: credentials.gid };
    let mut used = 0;
    bytes.fill(MaybeUninit::new(0));
    // SAFETY: the macros return a header inside of the buffer, with room for its message, or null.
    unsafe {
        let mut header: libc::msghdr = zeroed();
        header.msg_control = bytes.as_mut_ptr().cast();
        header.msg_controllen = bytes.len();
        let mut message = libc::CMSG_FIRSTHDR(&header);
        for index in 0..messages {
            if message.is_null() {
                break;
            }
            (*message).cmsg_level = libc::SOL_SOCKET;
            if index % 2 == 0 {
                (*message).cmsg_type = libc::SCM_RIGHTS;
                (*message).cmsg_len = len(size_of_val(descriptors));
                libc::CMSG_DATA(message).cast::<[BorrowedFd<'_>; 2]>().write_unaligned(*descriptors);
                used += libc::CMSG_SPACE(size_of_val(descriptors) as u32) as usize;
            } else {
                (*message).cmsg_type = libc::SCM_CREDENTIALS;
                (*message).cmsg_len = len(size_of_val(&credentials));
                libc::CMSG_DATA(message).cast::<libc::ucred>().write_unaligned(credentials);
                used += libc::CMSG_SPACE(size_of_val(&credentials) as u32) as usize;
            }
            message = libc::CMSG_NXTHDR(&header, message);
        }
    }
    used
}

#[repr(C, align(8))]
struct Control<const SPACE: usize>([u8; SPACE]);

fn pass<const COUNT: usize, const SPACE: usize>(
    from: &UnixStream,
    to: &UnixStream,
    descriptors: &[BorrowedFd<'_>; COUNT],
) -> usize {
    let (mut data, mut control) = (b'd', Control([0; SPACE]));
    let mut slice = libc::iovec { iov_base: (&raw mut data).cast(), iov_len: 1 };
    let mut closed = 0;
    // SAFETY: every pointer is to something above, with its length; the kernel writes well-formed messages.
    unsafe {
        let mut header: libc::msghdr = zeroed();
        header.msg_iov = &raw mut slice;
        header.msg_iovlen = 1;
        header.msg_control = (&raw mut control).cast();
        header.msg_controllen = SPACE;
        let message = libc::CMSG_FIRSTHDR(&header);
        (*message).cmsg_level = libc::SOL_SOCKET;
        (*message).cmsg_type = libc::SCM_RIGHTS;
        (*message).cmsg_len = len(size_of_val(descriptors));
        ptr::copy_nonoverlapping(descriptors.as_ptr().cast(), libc::CMSG_DATA(message), size_of_val(descriptors));
        if libc::sendmsg(from.as_raw_fd(), &header, 0) != 1 {
            return 0;
        }
        header.msg_controllen = SPACE;
        let received = libc::recvmsg(to.as_raw_fd(), &mut header, libc::MSG_CMSG_CLOEXEC);
        if received != 1 {
            return 0;
        }
        // What has arrived is closed, truncated or not.
        let mut message = libc::CMSG_FIRSTHDR(&header);
        while !message.is_null() {
            if ((*message).cmsg_level, (*message).cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                let data = libc::CMSG_DATA(message).cast::<RawFd>();
                for index in 0..((*message).cmsg_len - len(0)) / size_of::<RawFd>() {
                    libc::close(data.add(index).read_unaligned());
                    closed += 1;
                }
            }
            message = libc::CMSG_NXTHDR(&header, message);
        }
        if header.msg_flags & libc::MSG_CTRUNC != 0 {
            return 0;
        }
    }
    closed
}

/// `T` is as large as a descriptor's number.
fn keep<T: AsRawFd, const SPACE: usize>(from: &UnixStream, to: &UnixStream, descriptors: &[T], look: Look) -> usize {
    let (mut data, mut control) = (b'd', Control([0; SPACE]));
    let mut slice = libc::iovec { iov_base: (&raw mut data).cast(), iov_len: 1 };
    let mut kept: Vec<OwnedFd> = Vec::new();
    assert!(len(size_of_val(descriptors)) <= SPACE);
    // SAFETY: every pointer is to something above, with its length, and there is room for so many; the kernel writes well-formed messages.
    unsafe {
        let mut header: libc::msghdr = zeroed();
        header.msg_iov = &raw mut slice;
        header.msg_iovlen = 1;
        header.msg_control = (&raw mut control).cast();
        header.msg_controllen = SPACE;
        let message = libc::CMSG_FIRSTHDR(&header);
        (*message).cmsg_level = libc::SOL_SOCKET;
        (*message).cmsg_type = libc::SCM_RIGHTS;
        (*message).cmsg_len = len(size_of_val(descriptors));
        let numbers = libc::CMSG_DATA(message).cast::<RawFd>();
        for (index, descriptor) in descriptors.iter().enumerate() {
            numbers.add(index).write_unaligned(descriptor.as_raw_fd());
        }
        if libc::sendmsg(from.as_raw_fd(), &header, 0) != 1 {
            return 0;
        }
        header.msg_controllen = SPACE;
        if libc::recvmsg(to.as_raw_fd(), &mut header, libc::MSG_CMSG_CLOEXEC) != 1 {
            return 0;
        }
        // What has arrived is owned, truncated or not.
        let mut message = libc::CMSG_FIRSTHDR(&header);
        while !message.is_null() {
            if ((*message).cmsg_level, (*message).cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                let data = libc::CMSG_DATA(message).cast::<RawFd>();
                let arrived = ((*message).cmsg_len - len(0)) / size_of::<RawFd>();
                kept.extend((0..arrived).map(|index| OwnedFd::from_raw_fd(data.add(index).read_unaligned())));
            }
            message = libc::CMSG_NXTHDR(&header, message);
        }
        if header.msg_flags & libc::MSG_CTRUNC != 0 {
            return 0;
        }
    }
    look(kept.as_ptr(), kept.len())
}

fn main() {
    run(&ENGINE);
}
