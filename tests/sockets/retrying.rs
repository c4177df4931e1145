//! `RecvOptions::retry_interrupted`: a call that a signal has interrupted before anything came is made again.

use crate::harness::the_kernel_itself;
use crate::support::*;
use crate::tests;
use crate::waiting::{interrupted, interrupted_times, threads_that_sleep_in_calls_alone};
use ancillary::control::ControlSliceMut;
use ancillary::received::{recvmmsg, recvmsg};
use ancillary::socket::{RecvOptions, RecvRoom, RecvSlot, WAIT_FOR_ONE};
use rustix::io::{Errno, IoSliceMut};
use rustix::net::{RecvFlags, SocketType};

tests![
    without_the_option_it_is_an_error if calls_without_data,
    the_data_comes_after_signals if threads_that_sleep_in_calls_alone,
    a_batch_comes_after_signals if threads_that_sleep_in_calls_alone,
    no_other_error_is_retried if calls_without_data,
    what_the_system_has_kept_is_retried if batches_are_a_call,
];

/// How many signals come before the data.
const SIGNALS: usize = 3;

fn without_the_option_it_is_an_error() {
    let (_here, there) = pair(SocketType::DGRAM);
    let plain = [RecvOptions::new(), RecvOptions::new().inheritable(), RecvFlags::empty().into()];
    for options in plain {
        let received = interrupted(|| recvmsg(&there, &mut [], ControlSliceMut::none(), options).map(|_| ()));
        assert_eq!(received, Err(Errno::INTR));
        let mut rooms = [RecvRoom::new(&mut [], ControlSliceMut::none())];
        let mut slots = [RecvSlot::new()];
        let batch = interrupted(|| recvmmsg(&there, &mut slots, &mut rooms, options, None).map(|_| ()));
        assert_eq!(batch, Err(Errno::INTR));
    }
}

fn the_data_comes_after_signals() {
    for kind in TYPES {
        for options in [RecvOptions::new(), RecvOptions::new().inheritable()] {
            let (here, there) = pair(kind);
            let (mut data, mut room) = ([0; 8], [0xff; 64]);
            let send = || assert_eq!(send(&here, b"data", &borrowed(&files(2))), Ok(4));
            let (received, was_waiting) = interrupted_times(SIGNALS, send, || {
                recvmsg(&there, &mut [IoSliceMut::new(&mut data)], &mut room, options.retry_interrupted())
            });
            let mut received = received.unwrap().complete().unwrap();
            assert!(was_waiting, "it has returned before anything came");
            assert_eq!(received.bytes(), 4);
            let taken = take_all(&mut received);
            assert_eq!(taken.len(), 2);
            assert!(taken.iter().all(|file| is_close_on_exec(file) == (options == RecvOptions::new())));
        }
    }
}

fn a_batch_comes_after_signals() {
    for kind in [SocketType::DGRAM, SocketType::SEQPACKET] {
        let (here, there) = pair(kind);
        let (mut data, mut room, mut other) = ([0; 8], [0xff; 64], [0xff; 64]);
        let mut slices = [IoSliceMut::new(&mut data)];
        let mut rooms = [RecvRoom::new(&mut slices, &mut room), RecvRoom::new(&mut [], &mut other)];
        let mut slots = [const { RecvSlot::new() }; 2];
        let options = RecvOptions::with_flags(WAIT_FOR_ONE).retry_interrupted();
        let send = || assert_eq!(send(&here, b"data", &borrowed(&files(2))), Ok(4));
        let (batch, was_waiting) =
            interrupted_times(SIGNALS, send, || recvmmsg(&there, &mut slots, &mut rooms, options, None));
        let mut messages: Vec<_> = batch.unwrap().collect();
        assert!(was_waiting, "it has returned before anything came");
        assert_eq!((messages.len(), messages[0].data()), (1, &b"data"[..]));
        assert_eq!(take_all(&mut messages[0]).len(), 2);
    }
}

/// Each of these would be returned again and again.
fn no_other_error_is_retried() {
    let (_here, there) = pair(SocketType::DGRAM);
    let options = RecvOptions::with_flags(RecvFlags::DONTWAIT).retry_interrupted();
    let mut rooms = [RecvRoom::new(&mut [], ControlSliceMut::none())];
    let mut slots = [RecvSlot::new()];
    for (socket, error) in [(&there, Errno::AGAIN), (&files(1)[0], Errno::NOTSOCK)] {
        assert_eq!(recvmsg(socket, &mut [], ControlSliceMut::none(), options).err(), Some(error));
        assert_eq!(recvmmsg(socket, &mut slots, &mut rooms, options, None).err(), Some(error));
    }
}

fn batches_are_a_call() -> Result<(), String> {
    if cfg!(not(batched_receiving)) {
        return Err("batches are a loop, which keeps nothing for the next call".into());
    }
    the_kernel_itself("a signal in the middle of a batch is not kept for the next call")
}

/// A signal in the middle of a batch is the error of the next call, which finds nothing then if it is made again.
fn what_the_system_has_kept_is_retried() {
    let (here, there) = pair(SocketType::DGRAM);
    let flags = RecvFlags::DONTWAIT;
    for (options, error) in
        [(flags.into(), Errno::INTR), (RecvOptions::with_flags(flags).retry_interrupted(), Errno::AGAIN)]
    {
        send_plain(&here, b"x").unwrap();
        let room = || RecvRoom::new(&mut [], ControlSliceMut::none());
        let mut rooms = [room(), room()];
        let mut slots = [const { RecvSlot::new() }; 2];
        // What came before the signal is not lost.
        let retrying = RecvOptions::new().retry_interrupted();
        let batch = interrupted(|| recvmmsg(&there, &mut slots, &mut rooms, retrying, None)).unwrap();
        assert_eq!(batch.len(), 1);
        drop(batch);
        assert_eq!(recvmsg(&there, &mut [], ControlSliceMut::none(), options).err(), Some(error));
    }
}
