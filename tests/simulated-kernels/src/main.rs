//! The crate on simulated kernels: scenarios by name, and random ones.
//!
//! The program defines the C functions by which the crate makes its system calls (`kernel/calls.rs`), and what they do is
//! in a table of rules for each system (`rules.rs`). `--cfg ancillary_rules="…"` in `RUSTFLAGS` chooses the rules, for this
//! program and for the crate's `build.rs`; otherwise they are the target's. In Miri the program shows more: that nothing
//! is read that was not written. (Miri runs it for systems that are not there, too: `.ci/miri`.)
//!
//!     simulated-kernels [ROUNDS [SEED]]
//!
//! Whatever goes wrong is a panic.
#![cfg_attr(miri, no_main)]

mod kernel;
mod model;
mod output;
mod receive;
mod rules;
mod scenarios;
mod soak;

use rules::CHOSEN;

/// Runs all scenarios, then so many random rounds.
fn run(rounds: u64, seed: u64) {
    let (mut ran, mut skipped) = (0, 0);
    for scenario in scenarios::all() {
        if (scenario.applies)(CHOSEN) {
            // First, because Miri ends a program where it is.
            output::line(&format!("{}: {}", CHOSEN.name, scenario.name));
            (scenario.run)();
            kernel::kernel().reset();
            ran += 1;
        } else {
            skipped += 1;
        }
    }
    let installed = soak::run(rounds, seed);
    output::line(&format!(
        "{}: {ran} scenarios, {skipped} of other systems; {rounds} random rounds, {installed} descriptors installed and closed",
        CHOSEN.name
    ));
}

#[cfg(not(miri))]
fn main() {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse().expect("a number"));
    run(numbers.next().unwrap_or(300), numbers.next().unwrap_or(1));
}

/// What Miri starts: without the standard library's own start, which does not know all systems.
#[cfg(miri)]
// SAFETY: no other function of the program has this name.
#[unsafe(no_mangle)]
fn miri_start(count: isize, arguments: *const *const u8) -> isize {
    std::panic::set_hook(Box::new(|panic| {
        output::line(&panic.to_string());
        std::process::abort();
    }));
    let number = |index: isize| {
        (index < count).then(|| {
            // SAFETY: there are `count` pointers to strings with an end.
            let argument = unsafe { std::ffi::CStr::from_ptr((*arguments.offset(index)).cast()) };
            argument.to_str().unwrap().parse().expect("a number")
        })
    };
    run(number(1).unwrap_or(20), number(2).unwrap_or(1));
    0
}
