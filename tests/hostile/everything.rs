//! All of it at once: messages that misbehave are sent on sockets that misbehave, into memory that misbehaves, and looked
//! at by a caller who does.
#![forbid(unsafe_code)]

use crate::calls::{Conduct, EVERY_CONDUCT, Memory, Others, Socket};
use crate::held::{Held, Kept};
use crate::looking::{WAYS, look};
use crate::measure::Watch;
use crate::pushes::{ENDS, Shared, indices, steps};
use crate::rounds::{Random, happened, planted, rounds};
use crate::tests;
use crate::world::{QUIETLY, World, the_kernels_truncation};
use ancillary::ControlWriter;
use ancillary::received::recvmsg;
use ancillary::socket::SendSlot;
use ancillary::socket::{sendmmsg, sendmsg};
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::RecvFlags;

tests![everything_at_random if the_kernels_truncation];

/// Pushes into two writers, and sends them.
fn send_some(random: &mut Random, world: &World, others: &Others) {
    let mut memories = [[0xff; 200]; 3];
    let [first, second, third] = &mut memories;
    let shared = Shared::new(world, vec![ControlWriter::new(third)]);
    let mut controls = [ControlWriter::new(&mut first[random.below(9)..]), ControlWriter::new(second)];
    for control in &mut controls {
        planted(|| {
            let _ = shared.lend(control, &indices(random));
            let _ = shared.push(control, &steps(random, 2), random.of(&ENDS));
            let _ = shared.append(control, world.forged(random.below(24), random.below(60)));
        });
        shared.check(control);
    }
    let data = [IoSlice::new(b"x")];
    let conduct = random.of(&EVERY_CONDUCT);
    let conduct = if conduct == Conduct::Stdin { Conduct::OfAClosedPeer } else { conduct };
    let socket = Socket::new(world, others, &world.here, conduct, random.one_in(4));
    let sent = planted(|| {
        let mut slots = controls.each_ref().map(|control| SendSlot::new(&data, control));
        if random.one_in(2) {
            sendmmsg(socket, &mut slots, QUIETLY)
        } else {
            sendmsg(socket, &data, &controls[0], QUIETLY)
        }
    });
    if let Some(Ok(_)) = sent {
        happened("something that was sent");
    }
}

fn everything_at_random() {
    rounds(&["something that was sent", "something that was received"], |random| {
        let (world, others) = (World::new(), Others::new());
        let mut memories = [[0xff; 300]; 4];
        let watch = Watch::begin();
        let mut kept = Kept::default();
        let mut held: Vec<Held<'_>> = Vec::new();
        for memory in &mut memories {
            send_some(random, &world, &others);
            let socket = Socket::new(&world, &others, &world.there, random.of(&EVERY_CONDUCT), random.one_in(4));
            let conduct = if random.one_in(2) { Conduct::Honest } else { random.of(&EVERY_CONDUCT) };
            let len = if random.one_in(2) { 300 } else { 5 + random.below(100) };
            let memory = Memory::new(&world, &mut memory[..len], conduct);
            let received = planted(|| {
                let (mut data, flags) = ([0; 4], RecvFlags::DONTWAIT);
                recvmsg(socket, &mut [IoSliceMut::new(&mut data)], memory, flags)
            });
            if let Some(Ok(received)) = received {
                happened("something that was received");
                let one = Held::new(received);
                assert!(one.left.iter().all(|file| world.is_lent(*file)), "a file has arrived that was never lent");
                held.push(one);
            }
            for _ in 0..random.below(4) {
                look(random.below(WAYS), random, &mut held, &mut kept);
            }
        }
        drop(held);
        kept.end(&watch);
        // What has not been received yet was lent as well.
        while world.arriving(&world.there).is_ok() {}
    });
}
