//! This crate, as its documentation says.

#[path = "ancillary/kept.rs"]
mod kept;
#[path = "ancillary/kinds.rs"]
mod kinds;
#[path = "ancillary/one_of_batch.rs"]
mod one_of_batch;
#[path = "ancillary/timestamp.rs"]
mod timestamp;
#[path = "ancillary/udp.rs"]
mod udp;

use ancillary::message::{IpPktinfo, IpTos, ScmCredentials, ScmRights, ScmRightsNumbers};
use ancillary::received::{recvmmsg, recvmsg};
use ancillary::socket::{RecvRoom, RecvSlot, SendSlot, WAIT_FOR_ONE};
use ancillary::socket::{sendmmsg, sendmsg};
use ancillary::{ControlBuffer, ControlMessages, ControlWriter, PushError, control_space};
use ancillary_benches::{BATCH, Credentials, DATA, Echo, Engine, MOST, mix, run};
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::{RecvFlags, SendFlags};
use std::mem::MaybeUninit;
use std::net::UdpSocket;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

const ENGINE: Engine = Engine {
    read: Some(read),
    write: Some(|bytes, descriptors, credentials, messages| {
        write(bytes, descriptors, credentials, messages).expect("there is room")
    }),
    pass_one: Some(pass::<1, { control_space!(ScmRights[1]) }>),
    pass_253: Some(pass::<253, { control_space!(ScmRights[253]) }>),
    keep_253: Some(|from, to, descriptors, look| {
        kept::keep::<[BorrowedFd<'static>; 253], { control_space!(ScmRights[253]) }>(from, to, descriptors, look)
    }),
    forward_28: Some(|from, to, descriptors, look| {
        kept::keep::<[OwnedFd], { control_space!(ScmRights[28]) }>(from, to, descriptors, look)
    }),
    batch: Some(batch),
    batch_with_control: Some(batch_with_control),
    batch_of_one: Some(one_of_batch::batch_of_one),
    udp: Some(|arriving| match arriving.count() {
        1 => udp::udp::<1>(arriving),
        _ => udp::udp::<MOST>(arriving),
    }),
    match_kinds: Some(kinds::match_kinds),
    echo: Some(echo),
}
.of_this_program();

fn read(bytes: &mut [u8]) -> u64 {
    let mut digest = 0;
    for message in ControlMessages::new(bytes) {
        let Ok(message) = message else { break };
        if let Some(Ok(rights)) = message.decode::<ScmRightsNumbers>() {
            for number in rights {
                digest = mix(digest, number.unwrap_or_else(|none| none.raw) as u32);
            }
        } else if let Some(Ok(ScmCredentials { pid, uid, gid })) = message.decode() {
            digest = mix(mix(mix(digest, pid as u32), uid), gid);
        }
    }
    digest
}

fn write<'fd>(
    bytes: &mut [MaybeUninit<u8>],
    descriptors: &[BorrowedFd<'fd>; 2],
    credentials: &Credentials,
    messages: usize,
) -> Result<usize, PushError> {
    let credentials = ScmCredentials { pid: credentials.pid as i32, uid: credentials.uid, gid: credentials.gid };
    let mut control = ControlWriter::new(bytes);
    for index in 0..messages {
        match index % 2 {
            0 => control.push(ScmRights(descriptors))?,
            _ => control.push(credentials)?,
        }
    }
    Ok(control.used())
}

fn pass<const COUNT: usize, const SPACE: usize>(
    from: &UnixStream,
    to: &UnixStream,
    descriptors: &[BorrowedFd<'_>; COUNT],
) -> usize {
    let mut space = ControlBuffer::<SPACE>::new();
    let mut control = space.writer();
    if control.push(ScmRights(descriptors)).is_err() {
        return 0;
    }
    if sendmsg(from, &[IoSlice::new(b"d")], &control, SendFlags::empty()) != Ok(1) {
        return 0;
    }
    let (mut data, mut space) = ([0], ControlBuffer::<SPACE>::new());
    match recvmsg(to, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty()) {
        Ok(mut received) if !received.control_truncated() => {
            received.take_descriptors().map_or(0, |descriptors| descriptors.map(drop).count())
        }
        _ => 0,
    }
}

fn batch(from: &UdpSocket, to: &UdpSocket, turns: usize) -> u64 {
    let numbered: [[u8; DATA]; BATCH] = std::array::from_fn(|index| [index as u8; DATA]);
    let data = numbered.each_ref().map(|data| [IoSlice::new(data)]);
    let control = ControlWriter::empty();
    let mut messages = data.each_ref().map(|data| SendSlot::new(data, &control));

    let mut buffers = [[0; DATA]; BATCH];
    let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
    let mut rooms = slices.each_mut().map(|slices| RecvRoom::new(slices, &mut [] as &mut [u8]));
    let mut slots = [const { RecvSlot::new() }; BATCH];

    let mut digest = 0;
    for _ in 0..turns {
        assert_eq!(sendmmsg(from, &mut messages, SendFlags::empty()), Ok(BATCH));
        digest = receive_batch(to, &mut slots, &mut rooms, (RecvFlags::empty(), BATCH), digest);
    }
    digest
}

fn batch_with_control(from: &UdpSocket, to: &UdpSocket, turns: usize) -> u64 {
    let numbered: [[u8; DATA]; BATCH] = std::array::from_fn(|index| [index as u8; DATA]);
    let data = numbered.each_ref().map(|data| [IoSlice::new(data)]);
    let mut spaces = [const { ControlBuffer::<{ control_space!(IpTos) }>::new() }; BATCH];
    let mut controls = spaces.each_mut().map(|space| space.writer());

    let mut buffers = [[0; DATA]; BATCH];
    let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
    let mut spaces = [const { ControlBuffer::<{ control_space!(IpPktinfo, IpTos) }>::new() }; BATCH];
    let places = slices.iter_mut().zip(&mut spaces);
    let mut rooms: Vec<_> = places.map(|(slices, space)| RecvRoom::new(slices, space)).collect();
    let mut slots = [const { RecvSlot::new() }; BATCH];

    let mut digest = 0;
    for _ in 0..turns {
        for (index, control) in controls.iter_mut().enumerate() {
            control.clear();
            control.push(IpTos((index % 4) as u8)).expect("there is room");
        }
        let slot = |index: usize| SendSlot::new(&data[index], &controls[index]);
        let mut messages: [_; BATCH] = std::array::from_fn(slot);
        assert_eq!(sendmmsg(from, &mut messages, SendFlags::empty()), Ok(BATCH));
        digest = receive_batch(to, &mut slots, &mut rooms, (RecvFlags::empty(), BATCH), digest);
    }
    digest
}

fn receive_batch(
    socket: &UdpSocket,
    slots: &mut [RecvSlot],
    rooms: &mut [RecvRoom<'_, '_>],
    (flags, sent): (RecvFlags, usize),
    mut digest: u64,
) -> u64 {
    let received = recvmmsg(socket, slots, rooms, flags, None).expect("they were sent");
    assert_eq!(received.len(), sent);
    for message in received {
        let mark = message.find::<IpTos>().map_or(0, |tos| tos.expect("one byte").0);
        let first = message.data().first().map_or(0, |byte| u32::from(*byte));
        digest = mix(mix(mix(digest, message.bytes() as u32), first), mark.into());
    }
    digest
}

fn echo(echo: &mut Echo) {
    let mut buffers = [[0; DATA]; BATCH];
    let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
    let mut spaces = [const { ControlBuffer::<{ control_space!(IpPktinfo, IpTos) }>::new() }; BATCH];
    let mut rooms: Vec<_> =
        slices.iter_mut().zip(&mut spaces).map(|(slices, space)| RecvRoom::new(slices, space)).collect();
    let mut slots = [const { RecvSlot::new() }; BATCH];
    let mut spaces = [const { ControlBuffer::<{ control_space!(IpPktinfo, IpTos) }>::new() }; BATCH];
    let mut controls = spaces.each_mut().map(|space| space.writer());

    while echo.ask() {
        let mut answered = 0;
        while answered < BATCH {
            let mut data = [[IoSlice::new(&[])]; BATCH];
            let mut addresses = [const { None }; BATCH];
            let mut answers = [const { SendSlot::empty() }; BATCH];
            let batch = recvmmsg(&echo.server, &mut slots, &mut rooms, WAIT_FOR_ONE, None).expect("there are some");
            let count = batch.len();
            let places = data.iter_mut().zip(&mut addresses).zip(&mut controls).zip(&mut answers);
            for (message, (((data, address), control), answer)) in batch.zip(places) {
                control.clear();
                if let Some(Ok(arrived)) = message.find::<IpPktinfo>() {
                    control.push(IpPktinfo::from_source(arrived.spec_dst)).expect("there is room");
                }
                if let Some(Ok(tos)) = message.find::<IpTos>() {
                    control.push(tos).expect("there is room");
                }
                let address = address.insert(message.address().expect("a sender").clone());
                *data = [IoSlice::new(message.into_parts().1)];
                *answer = SendSlot::new(data, control).with_address(address);
            }
            assert_eq!(sendmmsg(&echo.server, &mut answers[..count], SendFlags::empty()), Ok(count));
            answered += count;
        }
        echo.take_answers();
    }
}

fn main() {
    run(&ENGINE);
}
