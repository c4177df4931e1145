//! A program whose types misbehave wherever the crate runs a user's code in a safe call: while a message is pushed, while
//! a socket lends its descriptor or is dropped, while memory is handed over, while a payload is decoded, and in the middle
//! of every iterator. None of it is `unsafe`: where that is needed at all, to look at the descriptors of the process, it is
//! in `measure.rs`.
//!
//! After every round the same descriptors are open as before it; what arrived is what was lent, in its order; every
//! message in a writer is one that a push has written whole; and the only panics are those that were planted.
//!
//! The environment says how many rounds (`ANCILLARY_TEST_ROUNDS`) and where the random numbers begin
//! (`ANCILLARY_TEST_SEED`). A failure prints the seed of its round: that seed and one round repeat it. `.ci/hostile` asks
//! for many under the address sanitizer.
#![allow(clippy::forget_non_drop, clippy::drop_non_drop, reason = "a type that is no `Drop` today may be one tomorrow")]

#[cfg(target_os = "linux")]
mod batches;
#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod decoding;
#[cfg(target_os = "linux")]
mod everything;
#[cfg(target_os = "linux")]
#[path = "../harness/mod.rs"]
mod harness;
#[cfg(target_os = "linux")]
mod held;
#[cfg(target_os = "linux")]
mod iterators;
#[cfg(target_os = "linux")]
mod looking;
#[cfg(target_os = "linux")]
mod measure;
#[cfg(target_os = "linux")]
mod pushes;
#[cfg(target_os = "linux")]
mod rounds;
#[cfg(target_os = "linux")]
mod taking;
#[cfg(target_os = "linux")]
mod world;
#[cfg(target_os = "linux")]
mod writers;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let mut arguments = libtest_mimic::Arguments::from_args();
    arguments.test_threads = Some(1);
    let tests = [writers::TESTS, calls::TESTS, decoding::TESTS, looking::TESTS, batches::TESTS, everything::TESTS];
    harness::run_tests(arguments, tests.concat(), measure::leaving_no_descriptor)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: these tests know what Linux answers");
}
