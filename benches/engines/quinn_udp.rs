//! quinn-udp, for datagrams: 32 in a call that receives, one in a call that sends.

use ancillary_benches::{Arriving, BATCH, DATA, Echo, Engine, MOST, Meta, SEGMENT, SEGMENTS, run};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use std::io::IoSliceMut;

const ENGINE: Engine = Engine {
    udp: Some(|arriving| match arriving.count() {
        1 => udp::<1>(arriving),
        _ => udp::<MOST>(arriving),
    }),
    echo: Some(echo),
    ..Engine::NOTHING
}
.of_this_program();

fn echo(echo: &mut Echo) {
    let state = UdpSocketState::new((&echo.server).into()).expect("its options are Linux's");
    // That does not block after this.
    echo.server.set_nonblocking(true).expect("a socket");
    let mut buffers = [[0; DATA]; BATCH_SIZE];
    let mut metas = [RecvMeta::default(); BATCH_SIZE];
    while echo.ask() {
        let mut answered = 0;
        while answered < BATCH {
            let mut slices = buffers.each_mut().map(|buffer| IoSliceMut::new(buffer));
            let count = state.recv((&echo.server).into(), &mut slices, &mut metas).expect("there are some");
            for (buffer, meta) in buffers.iter().zip(&metas).take(count) {
                let answer = Transmit {
                    destination: meta.addr,
                    ecn: meta.ecn,
                    contents: &buffer[..meta.len],
                    segment_size: None,
                    src_ip: meta.dst_ip,
                };
                state.try_send((&echo.server).into(), &answer).expect("it is sent");
            }
            answered += count;
        }
        echo.take_answers();
    }
}

fn udp<const COUNT: usize>(arriving: &mut Arriving) {
    let state = UdpSocketState::new((&arriving.server).into()).expect("its options are Linux's");
    arriving.without_timestamps();
    let mut buffers = [[0; SEGMENT * SEGMENTS]; COUNT];
    let mut metas = [RecvMeta::default(); COUNT];
    while arriving.bring() {
        let mut received = 0;
        while received < COUNT {
            let mut slices = buffers.each_mut().map(|buffer| IoSliceMut::new(buffer));
            let most = COUNT - received;
            let socket = (&arriving.server).into();
            let now = state.recv(socket, &mut slices[..most], &mut metas[..most]).expect("there are some");
            arriving.take(&buffers[..now], &metas[..now], |meta| Meta {
                addr: meta.addr,
                len: meta.len,
                stride: meta.stride,
                ecn: meta.ecn.map_or(0, |ecn| ecn as u8),
                dst_ip: meta.dst_ip,
                interface_index: meta.interface_index,
                has_timestamp: meta.timestamp.is_some(),
            });
            received += now;
        }
    }
}

fn main() {
    run(&ENGINE);
}
