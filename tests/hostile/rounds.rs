//! Rounds of random numbers, panics on purpose, and an account of what has happened.
#![forbid(unsafe_code)]

use crate::measure::{after_the_rounds, in_a_round_with, open_files};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

pub const FEW: u64 = 600;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
}

/// SplitMix64: numbers from neighbouring seeds have nothing in common.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.number() >> 11) as usize % limit
    }

    pub fn one_in(&mut self, number: usize) -> bool {
        self.below(number) == 0
    }

    pub fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }
}

thread_local! {
    static UNDER_WAY: Cell<u64> = const { Cell::new(0) };
    static ACCOUNT: RefCell<BTreeMap<&'static str, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// Says that something has happened.
pub fn happened(what: &'static str) {
    ACCOUNT.with_borrow_mut(|account| *account.entry(what).or_default() += 1);
}

/// What a planted panic carries.
struct Planted;

/// Unwinds, unless that is under way: a second panic in a destructor would abort the program.
pub fn plant() {
    if !std::thread::panicking() {
        UNDER_WAY.set(UNDER_WAY.get() + 1);
        resume_unwind(Box::new(Planted));
    }
}

/// Runs until the end, or until a planted panic: `None`. Any other panic goes on.
pub fn planted<T>(run: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => Some(result),
        Err(panic) if panic.is::<Planted>() => {
            UNDER_WAY.set(UNDER_WAY.get() - 1);
            None
        }
        Err(panic) => resume_unwind(panic),
    }
}

/// Runs as many rounds as the environment says. Each has a seed of its own, by which it can be repeated alone, and leaves
/// the descriptors as they were. With as many as by default, each of `expected` has to happen.
pub fn rounds(expected: &[&'static str], round: impl Fn(&mut Random)) {
    let start = from_environment("ANCILLARY_TEST_SEED").unwrap_or(0x2545_f491_4f6c_dd1d);
    let count = from_environment("ANCILLARY_TEST_ROUNDS").unwrap_or(FEW);
    ACCOUNT.take();
    for index in 0..count {
        let seed = start.wrapping_add(index);
        in_a_round_with(seed);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| one_round(&round, seed))) {
            eprintln!("round {index} of {count}: ANCILLARY_TEST_SEED={seed} ANCILLARY_TEST_ROUNDS=1 repeats it");
            after_the_rounds();
            resume_unwind(panic);
        }
    }
    after_the_rounds();
    let account = ACCOUNT.take();
    println!("\n{count} rounds (ANCILLARY_TEST_SEED={start}):");
    for (what, times) in &account {
        println!("{times:10} {what}");
    }
    if count >= FEW {
        for what in expected {
            assert!(account.contains_key(what), "this never happened: {what}");
        }
    }
}

fn one_round(round: &impl Fn(&mut Random), seed: u64) {
    let before = open_files();
    round(&mut Random::new(seed));
    assert_eq!(before, open_files(), "these descriptors were open before, and these after");
    assert_eq!(UNDER_WAY.get(), 0, "a planted panic has been swallowed");
}
