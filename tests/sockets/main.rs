//! Real sockets and the kernel's real answers. No test may leave a descriptor open or close one that is not its own.
//!
//! The tests count the descriptors of the process, so they run one after the other. One that needs what this kernel or
//! this user lacks says so and is counted as ignored.

#[cfg(target_os = "linux")]
mod backends;
#[cfg(target_os = "linux")]
mod credentials;
#[cfg(target_os = "linux")]
mod delivery;
#[cfg(target_os = "linux")]
mod ownership;
#[cfg(target_os = "linux")]
mod peer_bugs;
#[cfg(target_os = "linux")]
mod pidfd_refusal_and_label;
#[cfg(target_os = "linux")]
mod sending;
#[cfg(target_os = "linux")]
mod support;
#[cfg(target_os = "linux")]
mod truncation;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use libtest_mimic::{Arguments, Trial};

    if support::act_as_child() {
        return std::process::ExitCode::SUCCESS;
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let listing = arguments.list;
    let tests = [
        sending::TESTS,
        delivery::TESTS,
        truncation::TESTS,
        credentials::TESTS,
        pidfd_refusal_and_label::TESTS,
        ownership::TESTS,
        peer_bugs::TESTS,
        backends::TESTS,
    ];
    let trials = tests.concat().into_iter().map(|test| {
        let name = test.name.trim_start_matches("sockets::");
        let lacking = (test.needs)().err();
        if let (Some(lacking), false) = (&lacking, listing) {
            println!("skipped: {name}: {lacking}");
        }
        let run = test.run;
        Trial::test(name, move || support::leaving_no_descriptor(run)).with_ignored_flag(lacking.is_some())
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: these tests know what Linux answers");
}
