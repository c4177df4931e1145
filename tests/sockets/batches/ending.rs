//! When the receiving of a batch ends, and how that is told.

use super::*;
use crate::tests;

tests![
    no_messages_at_all,
    nothing_there_is_an_error,
    waiting_for_one,
    a_timeout_ends_after_a_message if the_kernels_timeouts,
    a_timeout_that_is_shorter_than_a_call if a_clock_that_tells,
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
    let mut space = ControlSpace::<ROOM>::new();
    let mut rooms = [
        RecvRoom::new(&mut first, &mut space),
        RecvRoom::new(&mut too_many, ControlMemory::none()),
        RecvRoom::new(&mut last, ControlMemory::none()),
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
