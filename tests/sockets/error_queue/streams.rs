//! Of TCP: what the queue has of a stream is not the stream.

use super::*;
use crate::tests;
use ancillary::ControlWriter;
use ancillary::socket::{SendMsgHdr, sendmsg_raw};
use rustix::io::IoSlice;
use rustix::net::SendFlags;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};

tests![
    timestamps_of_what_a_stream_has_sent if timestamps_of_tcp,
    a_timestamp_brings_what_was_sent if timestamps_of_tcp,
    what_was_sent_without_a_copy if zero_copy_of_tcp,
];

const TIMESTAMPING: (i32, i32) = (libc::SOL_SOCKET, libc::SO_TIMESTAMPING);
const ZEROCOPY: (i32, i32) = (libc::SOL_SOCKET, libc::SO_ZEROCOPY);
const MSG_ZEROCOPY: SendFlags = SendFlags::from_bits_retain(libc::MSG_ZEROCOPY as u32);

/// For when data is sent, when a queue takes it, and when the peer has it; by the clock of the software, with a number.
const TX_TIMESTAMPS: i32 = (1 << 1 | 1 << 8 | 1 << 9) | 1 << 4 | 1 << 7;
/// Without what was sent.
const TIMESTAMPS_ALONE: i32 = 1 << 11;
const SCHEDULED: u32 = 1;
const SENT: u32 = 0;
const ACKNOWLEDGED: u32 = 2;

// `SO_EE_ORIGIN_*` (`include/uapi/linux/errqueue.h`).
const TIMESTAMP: u8 = 4;
const ZERO_COPY: u8 = 5;

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (here, listener.accept().unwrap().0)
}

fn timestamps_of_tcp() -> Result<(), String> {
    the_kernels_error_queue()?;
    let on = set_option_of(tcp_pair().0, TIMESTAMPING, TX_TIMESTAMPS | TIMESTAMPS_ALONE);
    on.map_err(|error| format!("TCP has no SO_TIMESTAMPING here ({error})"))
}

/// The three entries of one call that sends, by when they were made.
fn three_timestamps(here: &TcpStream) -> Vec<(u32, Taken)> {
    let mut entries: Vec<_> = (0..3).map(|_| next(here)).map(|taken| (taken.error().0.info, taken)).collect();
    entries.sort_by_key(|(when, _)| *when);
    for (when, taken) in &entries {
        // A time and two that are not used, each two `long`s.
        let time_len = 3 * 2 * size_of::<std::ffi::c_long>();
        let [(first, time), (second, _)] = &taken.messages[..] else { panic!("{:?}", taken.messages) };
        assert_eq!((*first, time.len(), *second), (TIMESTAMPING, time_len, IP_RECVERR));
        let (error, offender, ..) = taken.error();
        // `data` is the number of the last byte.
        let expected =
            ExtendedError { errno: libc::ENOMSG as u32, origin: TIMESTAMP, info: *when, data: 4, ..Default::default() };
        assert_eq!((error, family_of(offender)), (expected, libc::AF_UNSPEC));
        assert_eq!(taken.address, None);
    }
    assert!(entries.iter().map(|(when, _)| *when).eq([SENT, SCHEDULED, ACKNOWLEDGED]));
    entries
}

/// Their 0 bytes are not the end of the stream: what the peer sends still arrives.
fn timestamps_of_what_a_stream_has_sent() {
    let (mut here, mut there) = tcp_pair();
    turn_on(&here, TIMESTAMPING, TX_TIMESTAMPS | TIMESTAMPS_ALONE);
    here.write_all(b"hello").unwrap();
    assert!(three_timestamps(&here).iter().all(|(_, taken)| taken.bytes == 0));
    assert_no_more(&here);
    there.write_all(b"real data").unwrap();
    wait_for(&here, libc::POLLIN);
    let mut data = [0; 16];
    let received = receive(&here, &mut data, &mut []);
    assert_eq!((received.filled(&data), received.flags()), (&b"real data"[..], ReturnFlags::empty()));
    drop(received);
    // This is the end.
    there.shutdown(Shutdown::Write).unwrap();
    wait_for(&here, libc::POLLIN);
    let end = receive(&here, &mut data, &mut []);
    assert_eq!((end.bytes(), end.flags()), (0, ReturnFlags::empty()));
}

/// Unless that was declined: with the headers of the packet, as far as there were any.
fn a_timestamp_brings_what_was_sent() {
    let (mut here, _there) = tcp_pair();
    turn_on(&here, TIMESTAMPING, TX_TIMESTAMPS);
    here.write_all(b"hello").unwrap();
    for (when, taken) in three_timestamps(&here) {
        assert!(taken.data.ends_with(b"hello"), "{when}: {:?}", taken.data);
    }
}

fn zero_copy_of_tcp() -> Result<(), String> {
    the_kernels_error_queue()?;
    let on = set_option_of(tcp_pair().0, ZEROCOPY, 1);
    on.map_err(|error| format!("TCP has no SO_ZEROCOPY here (Linux 4.14) ({error})"))
}

/// On the loopback interface it is copied in the end, and the entry reports that.
fn what_was_sent_without_a_copy() {
    static DATA: [u8; 4096] = [7; 4096];
    const COPIED: u8 = 1;
    let (here, mut there) = tcp_pair();
    turn_on(&here, ZEROCOPY, 1);
    let (data, control) = ([IoSlice::new(&DATA)], ControlWriter::empty());
    let header = SendMsgHdr::new(&data, &control);
    for call in 0..3 {
        // SAFETY: the header is prepared and lives until after the call; the kernel may read the data for as long as it
        // likes, as that is a constant.
        assert_eq!(unsafe { sendmsg_raw(&here, header.as_ptr(), MSG_ZEROCOPY) }, Ok(DATA.len()));
        let mut arrived = [0; DATA.len()];
        there.set_read_timeout(Some(LIMIT)).unwrap();
        there.read_exact(&mut arrived).unwrap();
        assert_eq!(arrived, DATA);
        let taken = next(&here);
        assert_eq!((taken.bytes, taken.address.as_ref(), taken.messages.len()), (0, None, 1));
        let (error, _, kind, len) = taken.error();
        // The first and the last call that the entry is about; no error.
        let expected = ExtendedError { origin: ZERO_COPY, code: COPIED, info: call, data: call, ..Default::default() };
        assert_eq!((error, kind, len), (expected, IP_RECVERR, 32));
        assert_no_more(&here);
    }
}
