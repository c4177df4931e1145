//! When the receiving of a batch ends, and how that is told.

use super::*;
use crate::tests;
use crate::waiting::{Waiting, interrupted_after, meanwhile, threads_that_sleep_in_calls_alone};

tests![
    no_messages_at_all,
    nothing_there_is_an_error,
    waiting_for_one,
    waiting_for_one_that_comes_later,
    a_timeout_ends_after_a_message if the_kernels_timeouts,
    a_timeout_that_is_shorter_than_a_call if a_clock_that_tells,
    a_timeout_does_not_end_the_wait_for_the_first if threads_that_sleep_in_calls_alone,
    a_timeout_does_not_end_the_wait_for_the_next if threads_that_sleep_in_calls_alone,
    a_signal_ends_what_a_timeout_does_not if threads_that_sleep_in_calls_alone,
    urgent_data_ends_a_batch if the_kernels_batches,
    an_error_that_the_system_does_not_keep_is_told if batches_are_a_loop,
    an_error_that_the_system_keeps_is_that_of_the_next_call if batches_are_a_call,
];

fn the_kernels_timeouts() -> Result<(), String> {
    the_kernel_itself("a batch waits for all its messages, whatever the timeout")
}

/// The time after a call is another than before it.
fn a_clock_that_tells() -> Result<(), String> {
    the_kernels_timeouts()?;
    let resolution = rustix::time::clock_getres(rustix::time::ClockId::Monotonic);
    if (resolution.tv_sec, resolution.tv_nsec) == (0, 1) {
        Ok(())
    } else {
        Err(format!("the clock has steps of {resolution:?}"))
    }
}

fn batches_are_a_loop() -> Result<(), String> {
    if cfg!(batched_receiving) { Err("the system keeps it for the next call".into()) } else { Ok(()) }
}

fn batches_are_a_call() -> Result<(), String> {
    if cfg!(not(batched_receiving)) {
        return Err("batches are a loop, which keeps nothing for the next call".into());
    }
    the_kernel_itself("an error in the middle of a batch is not kept")
}

fn no_messages_at_all() {
    let (here, there) = pair(SocketType::DGRAM);
    send_plain(&here, b"stays").unwrap();
    assert_eq!(sendmmsg(&here, &mut [], SendFlags::empty()), Ok(0));
    assert_eq!(recvmmsg(&there, &mut [], &mut [], RecvFlags::DONTWAIT, None).unwrap().count(), 0);
    let mut data = [0; 16];
    assert_eq!(recv(&there, &mut data[..], RecvFlags::DONTWAIT).unwrap().1, 5);
}

fn nothing_there_is_an_error() {
    let (here, there) = pair(SocketType::DGRAM);
    rooms!(rooms: 2 of 4 bytes, ROOM);
    let mut slots = slots::<2>();
    let error = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap_err();
    assert_eq!(error, Errno::AGAIN);
    let not_a_socket = &files(1)[0];
    assert_eq!(recvmmsg(not_a_socket, &mut slots, &mut rooms, RecvFlags::empty(), None).unwrap_err(), Errno::NOTSOCK);
    // The rooms are as good as before.
    send_numbered(&here, 2, 4);
    let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    assert!(batch.map(|mut message| take_all(&mut message).len()).eq([4, 4]));
}

/// The socket blocks: without the flag this would wait for ever.
fn waiting_for_one() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 2, 1);
    rooms!(rooms: 4 of 4 bytes, ROOM);
    let mut slots = slots::<4>();
    let batch = recvmmsg(&there, &mut slots, &mut rooms, WAIT_FOR_ONE, None).unwrap();
    assert!(batch.map(|message| message.data()[0]).eq([0, 1]));
}

/// It comes once the call is seen to wait for it, or has returned without.
fn waiting_for_one_that_comes_later() {
    for kind in [SocketType::DGRAM, SocketType::SEQPACKET] {
        let (here, there) = pair(kind);
        rooms!(rooms: 4 of 4 bytes, ROOM);
        let mut slots = slots::<4>();
        let act = |receiver: &Waiting| {
            receiver.until_asleep();
            send_numbered(&here, 1, 1);
        };
        let batch = meanwhile(act, || recvmmsg(&there, &mut slots, &mut rooms, WAIT_FOR_ONE, None)).0;
        assert!(batch.unwrap().map(|mut message| take_all(&mut message).len()).eq([1]));
    }
}

/// The time has run out before anything arrived, and is looked at after the first message.
fn a_timeout_ends_after_a_message() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 3, 1);
    rooms!(rooms: 4 of 4 bytes, ROOM);
    let mut slots = slots::<4>();
    for expected in 0..3 {
        let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::empty(), Some(Duration::ZERO)).unwrap();
        assert!(batch.map(|message| message.data()[0]).eq([expected]));
    }
    // Time enough for what is there, however slow this machine: the number of rooms ends the batch.
    for timeout in [Duration::from_secs(3600), Duration::from_secs(u64::MAX), Duration::MAX] {
        send_numbered(&here, 4, 0);
        let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::empty(), Some(timeout));
        assert_eq!(batch.unwrap().len(), 4, "{timeout:?}");
    }
}

fn a_timeout_that_is_shorter_than_a_call() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 4, 0);
    rooms!(rooms: 4 of 4 bytes, ROOM);
    let mut slots = slots::<4>();
    for expected in 0..4 {
        let timeout = Some(Duration::from_nanos(1));
        let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::empty(), timeout).unwrap();
        assert!(batch.map(|message| message.data()[0]).eq([expected]));
    }
}

/// Whether the thread sleeps, and has done so until a time has run out that began before.
fn outlasts(receiver: &Waiting, timeout: Duration) -> bool {
    let is_asleep = receiver.until_asleep();
    if is_asleep {
        std::thread::sleep(timeout.saturating_mul(2));
    }
    is_asleep
}

/// One that has run out before the call waits at all, and one that runs out while it does.
fn a_timeout_does_not_end_the_wait_for_the_first() {
    for timeout in [Duration::ZERO, Duration::from_millis(10)] {
        let (here, there) = pair(SocketType::DGRAM);
        rooms!(rooms: 4 of 4 bytes, ROOM);
        let mut slots = slots::<4>();
        let act = |receiver: &Waiting| {
            outlasts(receiver, timeout);
            send_numbered(&here, 1, 1);
        };
        let batch = meanwhile(act, || recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::empty(), Some(timeout)));
        assert!(batch.0.unwrap().map(|mut message| take_all(&mut message).len()).eq([1]));
    }
}

/// Gives timeouts, each longer than the one before, until a call is seen that waits: its first message came in time.
fn until_one_is_long_enough(is_outlasted: impl FnMut(Duration) -> bool) {
    let mut timeouts = std::iter::successors(Some(Duration::from_millis(10)), |timeout| timeout.checked_mul(2));
    assert!(timeouts.any(is_outlasted), "no call has waited for a second message");
}

/// It is looked at when a message arrives, not when it runs out.
fn a_timeout_does_not_end_the_wait_for_the_next() {
    until_one_is_long_enough(|timeout| {
        let (here, there) = pair(SocketType::DGRAM);
        send_numbered(&here, 1, 1);
        rooms!(rooms: 3 of 4 bytes, ROOM);
        let mut slots = slots::<3>();
        let act = |receiver: &Waiting| {
            let is_outlasted = outlasts(receiver, timeout);
            if is_outlasted {
                send_numbered(&here, 1, 2);
            }
            is_outlasted
        };
        let (batch, is_outlasted) =
            meanwhile(act, || recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::empty(), Some(timeout)));
        let found: Vec<_> = batch.unwrap().map(|mut message| take_all(&mut message).len()).collect();
        assert_eq!(found, if is_outlasted { vec![1, 2] } else { vec![1] });
        is_outlasted
    });
}

fn a_signal_ends_what_a_timeout_does_not() {
    until_one_is_long_enough(|timeout| {
        let (here, there) = pair(SocketType::DGRAM);
        send_numbered(&here, 1, 1);
        rooms!(rooms: 3 of 4 bytes, ROOM);
        let mut slots = slots::<3>();
        let first = |receiver: &Waiting| outlasts(receiver, timeout);
        let (batch, is_outlasted) =
            interrupted_after(first, || recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::empty(), Some(timeout)));
        let batch = batch.unwrap();
        let ended_by = batch.error();
        assert!(batch.map(|mut message| take_all(&mut message).len()).eq([1]));
        if is_outlasted {
            let kept = || {
                ancillary::received::recvmsg(&there, &mut [], ControlSliceMut::none(), RecvFlags::DONTWAIT).map(|_| ())
            };
            assert_eq!(ended_by.map_or_else(kept, Err), Err(Errno::INTR));
        }
        is_outlasted
    });
}

/// There is one urgent byte at most: the call does not ask for another.
fn urgent_data_ends_a_batch() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (there, _) = listener.accept().unwrap();
    plain_send(&here, b"!", SendFlags::OOB).unwrap();
    wait_for(&there, libc::POLLPRI);

    rooms!(rooms: 3 of 4 bytes, ROOM);
    let mut slots = slots::<3>();
    let mut batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::OOB, None).unwrap();
    assert_eq!((batch.len(), batch.error()), (1, None));
    let message = batch.next().unwrap();
    assert_eq!((message.data(), message.flags()), (&b"!"[..], ReturnFlags::OOB));
}

/// One message, into the first of two rooms; the second has more slices than the system takes.
fn a_batch_that_fails_in_the_middle(there: &OwnedFd) -> Option<Errno> {
    let (mut first, mut last) = ([0; 4], [0; 4]);
    let mut too_many: Vec<_> = (0..1025).map(|_| IoSliceMut::new(&mut [])).collect();
    let (mut first, mut last) = ([IoSliceMut::new(&mut first)], [IoSliceMut::new(&mut last)]);
    let mut space = ControlBuffer::<ROOM>::new();
    let mut rooms = [
        RecvRoom::new(&mut first, &mut space),
        RecvRoom::new(&mut too_many, ControlSliceMut::none()),
        RecvRoom::new(&mut last, ControlSliceMut::none()),
    ];
    let mut slots = slots::<3>();
    let mut batch = recvmmsg(there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    let error = batch.error();
    assert_eq!(batch.len(), 1);
    let (mut received, data) = batch.next().unwrap().into_parts();
    assert_eq!((&data[..], take_all(&mut received).len()), (&[0][..], 2));
    error
}

fn an_error_that_the_system_does_not_keep_is_told() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 2, 2);
    assert_eq!(a_batch_that_fails_in_the_middle(&there), Some(Errno::MSGSIZE));
    assert_eq!(count_waiting(&there), 1);
}

/// `man recvmmsg` says so, and it is the socket that keeps it: any call that receives gets it.
fn an_error_that_the_system_keeps_is_that_of_the_next_call() {
    for kind in [SocketType::DGRAM, SocketType::SEQPACKET] {
        let (here, there) = pair(kind);
        send_numbered(&here, 2, 2);
        assert_eq!(a_batch_that_fails_in_the_middle(&there), None);
        rooms!(rooms: 1 of 4 bytes, ROOM);
        let mut slots = slots::<1>();
        let next = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).map(|batch| batch.len());
        assert_eq!(next, Err(Errno::MSGSIZE));
        // The message it was not about is still there.
        assert_eq!(count_waiting(&there), 1);
    }
}
