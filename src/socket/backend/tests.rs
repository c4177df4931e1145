//! Batches, until there are safe calls with them to test.

use super::{MMsgHdr, message_header, received_control_len, recvmmsg, sendmmsg};
use crate::control::ControlSpace;
use crate::message::ScmRights;
use core::ffi::c_void;
use core::mem::zeroed;
use core::ptr::null_mut;
use core::time::Duration;
use rustix::fd::{AsFd, FromRawFd, OwnedFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};
use std::sync::mpsc;
use std::thread;

fn pair() -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).unwrap()
}

fn header(data: *const c_void, control: (*const c_void, usize)) -> MMsgHdr {
    // SAFETY: every field is an integer or a raw pointer, for which zero is a value.
    let mut header: MMsgHdr = unsafe { zeroed() };
    let control = (control.0.cast_mut(), control.1);
    header.msg_hdr = message_header((null_mut(), 0), (data.cast_mut(), 1), control).unwrap();
    header
}

/// Two messages, the second with a descriptor.
fn send_two(socket: &OwnedFd) -> Result<usize, Errno> {
    let descriptors = [socket.as_fd()];
    let mut space = ControlSpace::<64>::new();
    let mut control = space.writer();
    control.push(&ScmRights::new(&descriptors)).unwrap();
    let control = control.as_bytes();
    let data = [IoSlice::new(b"one"), IoSlice::new(b"three")];
    let mut headers = [
        header((&raw const data[0]).cast(), (null_mut(), 0)),
        header((&raw const data[1]).cast(), (control.as_ptr().cast(), control.len())),
    ];
    // SAFETY: there are two headers, prepared, and what they point to lives until after the call.
    let sent = unsafe { sendmmsg(socket.as_fd(), headers.as_mut_ptr(), 2, 0) };
    if sent.is_ok() {
        assert_eq!(headers.each_ref().map(|header| header.msg_len as usize), [3, 5]);
    }
    sent
}

/// What arrives of three messages: how many did, and of each how many bytes and how many beside them.
fn receive_three(
    socket: &OwnedFd,
    flags: RecvFlags,
    timeout: Option<Duration>,
) -> (Result<usize, Errno>, [(usize, usize); 3]) {
    let (mut bytes, mut control) = ([[0; 8]; 3], [[0u64; 8]; 3]);
    let mut slices = bytes.each_mut().map(|bytes| [IoSliceMut::new(bytes)]);
    let mut headers = [0, 1, 2].map(|index: usize| {
        header(slices[index].as_mut_ptr().cast(), (control[index].as_mut_ptr().cast(), size_of_val(&control[index])))
    });
    // SAFETY: there are three headers, prepared, and what they point to lives until after the call.
    let received = unsafe { recvmmsg(socket.as_fd(), headers.as_mut_ptr(), 3, flags.bits(), timeout) };
    for header in &headers[..received.unwrap_or(0)] {
        if received_control_len(&header.msg_hdr) > 0 {
            let native = crate::Layout::NATIVE;
            // SAFETY: the message holds one descriptor, at this place, which nobody else owns.
            drop(unsafe {
                let slot = header.msg_hdr.msg_control.cast::<u8>().add(native.data_offset()).cast::<i32>();
                OwnedFd::from_raw_fd(slot.read())
            });
        }
    }
    assert!(received != Ok(2) || (&bytes[0][..3], &bytes[1][..5]) == (b"one", b"three"));
    (received, headers.map(|header| (header.msg_len as usize, received_control_len(&header.msg_hdr))))
}

#[test]
fn a_batch_arrives_with_what_is_beside_it() {
    for timeout in [None, Some(Duration::ZERO), Some(Duration::new(3, 999_999_999)), Some(Duration::MAX)] {
        let (here, there) = pair();
        assert_eq!(send_two(&here), Ok(2));
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let (received, lens) = receive_three(&there, flags, timeout);
        // A timeout of nothing is over after the first.
        let expected = if timeout == Some(Duration::ZERO) && received != Ok(2) { 1 } else { 2 };
        assert_eq!(received, Ok(expected), "{timeout:?}");
        let one = crate::Layout::NATIVE.space(4).unwrap();
        assert_eq!(lens[..expected], [(3, 0), (5, one)][..expected]);
    }
}

#[test]
fn an_error_is_told() {
    let (here, there) = pair();
    assert_eq!(receive_three(&there, RecvFlags::DONTWAIT, None).0, Err(Errno::AGAIN));
    drop(there);
    assert_eq!(send_two(&here), Err(Errno::CONNREFUSED));
}

/// The system looks at it after each message. If it never came there, the call would wait for a third one.
#[test]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "x86")),
    ignore = "emulators do not look at the timeout, and other processors are mostly emulated"
)]
fn a_timeout_ends_a_batch() {
    let (here, there) = pair();
    send_two(&here).unwrap();
    let (done, waited_for) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let rescue = scope.spawn(move || {
            let never_ended = waited_for.recv_timeout(Duration::from_secs(60)).is_err();
            if never_ended {
                send_two(&here).unwrap();
            }
            never_ended
        });
        let (received, _) = receive_three(&there, RecvFlags::CMSG_CLOEXEC, Some(Duration::from_nanos(1)));
        done.send(()).unwrap();
        assert!(!rescue.join().unwrap(), "the call did not end by itself");
        assert!(matches!(received, Ok(1 | 2)), "{received:?}");
    });
}
