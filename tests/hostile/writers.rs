//! Writers to which messages were pushed that misbehave: whatever those have done, nothing arrives that was not lent.
#![forbid(unsafe_code)]

use crate::pushes::{ENDS, End, Shared, Step, every_step, indices, steps};
use crate::rounds::{Random, happened, planted, rounds};
use crate::tests;
use crate::world::World;
use ancillary::ControlWriter;
use std::mem::MaybeUninit;

tests![each_misdeed_alone, misdeeds_at_random];

/// Memory of exactly this length on the heap.
fn memory(len: usize) -> Box<[MaybeUninit<u8>]> {
    Box::new_uninit_slice(len)
}

/// One push that misbehaves into one of three writers, then honest ones whose payloads look like headers.
fn a_push(random: &mut Random, steps: &[Step], end: End, len: usize, already: Option<usize>) {
    let world = World::new();
    let shift = random.below(9);
    let mut memories = [memory(len + shift), memory(random.below(300)), memory(random.below(300))];
    let [first, others @ ..] = &mut memories;
    let mut control = ControlWriter::new(&mut first[shift..]);
    let mut filled = [0xff; 200];
    let mut spare: Vec<ControlWriter<'_>> = others.iter_mut().map(|other| ControlWriter::new(&mut **other)).collect();
    spare.push(ControlWriter::new(&mut filled));
    let shared = Shared::new(&world, Vec::new());
    // There is something in each of them already.
    for writer in &mut spare {
        let _ = shared.append(writer, world.forged(random.below(24), random.below(60)));
        let _ = shared.lend(writer, &indices(random));
    }
    shared.spare.replace(spare);
    if let Some(already) = already {
        let _ = shared.append(&mut control, world.forged(random.below(24), already));
    }
    match planted(|| shared.push(&mut control, steps, end)) {
        Some(Ok(())) => happened("a push that succeeded"),
        Some(Err(_)) => happened("a push that failed"),
        None => happened("a push that panicked"),
    }
    let spare = shared.spare.take();
    for (index, mut writer) in std::iter::once(control).chain(spare).enumerate() {
        shared.check(&mut writer);
        world.deliver(&writer);
        for round in 0..3 {
            let _ = shared.append(&mut writer, world.forged(random.below(24), random.below(60)));
            let _ = shared.lend(&mut writer, &[index, round]);
            shared.check(&mut writer);
        }
        world.deliver(&writer);
    }
}

fn each_misdeed_alone() {
    let mut random = Random::new(1);
    for index in 0..every_step(&mut random).len() {
        for end in ENDS {
            for around in 0..4 {
                for already in [None, Some(0), Some(24)] {
                    let mut every = every_step(&mut random);
                    let step = every.swap_remove(index);
                    let steps = match around {
                        0 => vec![step],
                        1 => vec![Step::Lent(vec![0]), step],
                        2 => vec![step, Step::Forged(random.below(24), 80)],
                        _ => vec![step, Step::Forged(random.below(24), 80), Step::Lent(vec![0]), Step::Panic],
                    };
                    let len = random.of(&[0, 17, 40, 100, 200, 400]);
                    a_push(&mut random, &steps, end, len, already);
                }
            }
        }
    }
}

fn misdeeds_at_random() {
    let expected = [
        "a panic at the end of a push",
        "a panic in the middle of a push",
        "a panic with a payload in hand",
        "a push in a push",
        "a push that failed",
        "a push that failed after more than appending",
        "a push that panicked",
        "a push that succeeded",
        "an iterator that panicked",
        "an iterator that went on after its end",
        "an iterator whose descriptors were pushed",
        "messages that were pushed together",
        "a push that succeeded after more than appending",
        "a writer that was replaced",
        "a writer that was sent in the middle of a push",
        "a writer that was swapped",
        "a writer that was taken",
    ];
    rounds(&expected, |random| {
        let (steps, end, len) = (steps(random, 3), random.of(&ENDS), random.below(400));
        let already = if random.one_in(2) { Some(random.below(80)) } else { None };
        a_push(random, &steps, end, len, already);
    });
}
