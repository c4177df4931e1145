//! A batch that one datagram comes into.

use crate::receive_batch;
use ancillary::socket::{RecvRoom, RecvSlot, WAIT_FOR_ONE};
use ancillary_benches::{BATCH, DATA};
use rustix::io::IoSliceMut;
use std::net::UdpSocket;

pub fn batch_of_one(from: &UdpSocket, to: &UdpSocket, turns: usize) -> u64 {
    let mut data = [0; DATA];
    let mut buffers = [[0; DATA]; BATCH];
    let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
    let mut rooms = slices.each_mut().map(|slices| RecvRoom::new(slices, &mut [] as &mut [u8]));
    let mut slots = [const { RecvSlot::new() }; BATCH];

    let mut digest = 0;
    for turn in 0..turns {
        data[0] = turn as u8;
        assert_eq!(from.send(&data).expect("it is sent"), DATA);
        digest = receive_batch(to, &mut slots, &mut rooms, (WAIT_FOR_ONE, 1), digest);
    }
    digest
}
