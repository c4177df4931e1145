//! What a ring does otherwise than a call, and what cannot be done with one.

use super::{Buffers, GROUP, Ring, a_ring, fd, multishot_receiving};
use crate::kernel::needs_kernel;
use crate::support::*;
use crate::tests;
use ancillary::socket::{CLOEXEC_ON_RECEIVE, RecvMsgHdr};
use io_uring::{IoUring, opcode, squeue};
use rustix::fd::BorrowedFd;
use rustix::io::{Errno, IoSliceMut};
use rustix::net::SocketType;

tests![
    a_buffer_that_the_ring_selects_has_the_data if multishot_receiving,
    a_ring_cannot_be_passed if a_ring_that_is_refused,
];

/// Case W8: RECVMSG on a `RecvMsgHdr`, with `IOSQE_BUFFER_SELECT`. The control messages are in the header's control buffer,
/// and what was received is counted. The data is in the buffer that the ring has selected: of the header's own slice only
/// the length was used, as the most that may come.
fn a_buffer_that_the_ring_selects_has_the_data() {
    let ((here, there), mut ring, sent) = (pair(SocketType::SEQPACKET), Ring::new(), files(2));
    let mut buffers = Buffers::new(&mut ring, 2, 64, 0).unwrap();
    let (mut data, mut room) = (*b"stale and untouched", [0xff; 64]);
    let mut slices = [IoSliceMut::new(&mut data)];
    let mut header = RecvMsgHdr::new(&mut slices, &mut room);
    let request = opcode::RecvMsg::new(fd(&there), header.as_mut_ptr().cast())
        .flags(CLOEXEC_ON_RECEIVE.bits())
        .buf_group(GROUP)
        .build()
        .flags(squeue::Flags::BUFFER_SELECT);
    // SAFETY: the header lives until after the completion, and stays where it is; so do the buffers.
    unsafe { ring.submit(request) };
    send(&here, b"in the ring's", &borrowed(&sent)).unwrap();
    let (result, flags) = ring.wait();
    let bytes = result.unwrap();
    // SAFETY: that call has succeeded with these flags. The data is not looked at through the header.
    let mut received = unsafe { header.into_received(bytes, CLOEXEC_ON_RECEIVE) };
    let arrived = take_all(&mut received);
    assert_eq!((received.bytes(), arrived.len()), (13, 2));
    assert!(arrived.iter().zip(&sent).all(|(arrived, sent)| same_file(arrived, sent)));
    drop(received);
    assert_eq!(buffers.filled(bytes, flags), b"in the ring's");
    assert_eq!(data, *b"stale and untouched");
    drop(ring);
}

fn a_ring_that_is_refused() -> Result<(), String> {
    a_ring()?;
    needs_kernel(6, 8, "that a ring cannot be passed (some older ones that are kept up to date have it too)")
}

/// To be said: a ring could keep itself alive through a socket, so Linux passes none (6.8).
fn a_ring_cannot_be_passed() {
    let ring = IoUring::new(2).unwrap();
    // SAFETY: the ring has the descriptor, and lives until the end of the test.
    let descriptor = unsafe { BorrowedFd::borrow_raw(std::os::fd::AsRawFd::as_raw_fd(&ring)) };
    for kind in TYPES {
        let (here, there) = pair(kind);
        let file = files(1);
        assert_eq!(send(&here, b"x", &[borrowed(&file)[0], descriptor]), Err(Errno::INVAL));
        // Nor does what was beside it arrive.
        let nothing = receive_flags(&there, &mut [0], &mut [0; 64], rustix::net::RecvFlags::DONTWAIT).map(|_| ());
        assert_eq!(nothing, Err(Errno::AGAIN));
    }
}
