//! When a multishot request ends, and how that is told.

use super::*;
use crate::tests;

tests![
    a_buffer_that_is_too_short if multishot_receiving,
    waiting_for_all_is_refused if multishot_receiving,
    no_buffer_is_left if multishot_receiving,
    the_end_of_a_stream if multishot_receiving,
    an_empty_datagram_ends_the_request if multishot_receiving,
    what_came_before_the_request_was_cancelled if multishot_receiving,
];

fn a_buffer_that_is_too_short() {
    for (missing, error) in [(1, Some(Errno::FAULT)), (0, None)] {
        let (here, there) = pair(SocketType::DGRAM);
        let header = header(28, RIGHTS_ROOM);
        let len = header.payload_offset() - missing;
        let mut shots = Shots::new(header, 1, len);
        shots.request(&there, CLOEXEC_ON_RECEIVE);
        send(&here, b"x", &borrowed(&files(1))).unwrap();
        match error {
            Some(error) => shots.ends_with(error),
            // There is no room for data, and that is told.
            None => drop(shots.next(|received, data| {
                assert_eq!((data.len(), lost(received.incomplete())), (0, DATA));
            })),
        }
    }
}

fn waiting_for_all_is_refused() {
    let (_here, there) = pair(SocketType::STREAM);
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 1, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE | RecvFlags::WAITALL);
    shots.ends_with(Errno::INVAL);
}

fn no_buffer_is_left() {
    let (here, there) = pair(SocketType::DGRAM);
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 2, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    for count in 1..=3 {
        send(&here, b"x", &borrowed(&files(count))).unwrap();
    }
    for count in 1..=2 {
        shots.next(|mut received, _| assert_eq!(take_all(&mut received).len(), count));
    }
    shots.ends_with(Errno::NOBUFS);
    // The third is still in the socket.
    let mut room = [0xff; 64];
    assert_eq!(take_all(&mut receive(&there, &mut [0], &mut room)).len(), 3);
}

fn the_end_of_a_stream() {
    let (here, there) = pair(SocketType::STREAM);
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 4, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    send(&here, b"the last", &borrowed(&files(1))).unwrap();
    drop(here);
    let (count, more) = shots.next(|mut received, _| take_all(&mut received).len());
    assert_eq!((count, more), (1, true));
    let (bytes, more) = shots.next(|mut received, data| {
        assert_eq!(take_all(&mut received).len(), 0);
        assert!(data.is_empty());
        received.bytes()
    });
    assert_eq!((bytes, more), (0, false));
}

fn an_empty_datagram_ends_the_request() {
    let (here, there) = pair(SocketType::DGRAM);
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 4, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    send(&here, b"", &borrowed(&files(2))).unwrap();
    let (count, more) = shots.next(|mut received, data| {
        assert_eq!((received.bytes(), data.len()), (0, 0));
        take_all(&mut received).len()
    });
    assert_eq!((count, more), (2, false));
}

/// It is in the completions before the last, and owned like any other.
fn what_came_before_the_request_was_cancelled() {
    let (here, there) = pair(SocketType::SEQPACKET);
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 8, 256);
    let before = open_descriptors().len();
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    for _ in 0..3 {
        send(&here, b"x", &borrowed(&files(2))).unwrap();
    }
    // SAFETY: it has pointers to nothing.
    unsafe { shots.ring.submit(opcode::AsyncCancel::new(0).build().user_data(CANCEL)) };
    let (mut descriptors, mut ended, mut cancelled) = (0, false, false);
    while !(ended && cancelled) {
        let (result, flags, user_data) = shots.ring.wait_for_any();
        if user_data == CANCEL {
            assert_eq!(result, Ok(0));
            cancelled = true;
            continue;
        }
        ended = !has_more(flags);
        match result {
            Ok(result) => {
                let filled = shots.buffers.filled(result, flags);
                // SAFETY: the request was made with this header, and this completion is looked at once.
                let mut received = unsafe { shots.header.received(filled) }.unwrap();
                descriptors += received.take_descriptors().unwrap().count();
            }
            Err(error) => assert_eq!((error, ended), (Errno::CANCELED, true)),
        }
    }
    assert_eq!((descriptors, open_descriptors().len()), (6, before));
}
