//! quinn-udp, for datagrams: 32 in a call that receives, one in a call that sends.

use ancillary_benches::{BATCH, DATA, Echo, Engine, run};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use std::io::IoSliceMut;

const ENGINE: Engine = Engine { echo: Some(echo), ..Engine::NOTHING };

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

fn main() {
    run(&ENGINE);
}
