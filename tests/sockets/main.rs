//! Real sockets and the kernel's real answers. No test may leave a descriptor open or close one that is not its own.
//!
//! The tests count the descriptors of the process, so they run one after the other. One that needs what this kernel or
//! this user lacks says so and is counted as ignored.

#[cfg(target_os = "linux")]
mod backends;
#[cfg(target_os = "linux")]
mod batches;
#[cfg(target_os = "linux")]
mod closing;
#[cfg(target_os = "linux")]
mod credentials;
#[cfg(target_os = "linux")]
mod delivery;
#[cfg(target_os = "linux")]
mod error_queue;
#[cfg(target_os = "linux")]
#[path = "../harness/mod.rs"]
mod harness;
#[cfg(target_os = "linux")]
mod internet;
#[cfg(target_os = "linux")]
mod internet_limits;
#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "linux")]
mod names;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
mod other_families;
#[cfg(target_os = "linux")]
mod ownership;
#[cfg(target_os = "linux")]
mod peer_bugs;
#[cfg(target_os = "linux")]
mod pidfd_refusal_and_label;
#[cfg(target_os = "linux")]
mod random_faults;
#[cfg(target_os = "linux")]
mod recvmsg_out;
#[cfg(target_os = "linux")]
mod resource_faults;
#[cfg(target_os = "linux")]
mod retrying;
#[cfg(io_uring_crate)]
mod ring;
#[cfg(target_os = "linux")]
mod safe_calls;
#[cfg(target_os = "linux")]
mod sending;
#[cfg(target_os = "linux")]
mod support;
#[cfg(target_os = "linux")]
mod truncation;
#[cfg(target_os = "linux")]
mod waiting;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    if support::act_as_child() || resource_faults::act_as_child() {
        return std::process::ExitCode::SUCCESS;
    }
    let mut arguments = libtest_mimic::Arguments::from_args();
    arguments.test_threads = Some(1);
    let tests = [
        sending::TESTS,
        safe_calls::TESTS,
        delivery::TESTS,
        truncation::TESTS,
        resource_faults::TESTS,
        random_faults::TESTS,
        credentials::TESTS,
        pidfd_refusal_and_label::TESTS,
        ownership::dropping::TESTS,
        ownership::looking::TESTS,
        ownership::taking::TESTS,
        ownership::forgetting::TESTS,
        ownership::counting::TESTS,
        ownership::slots::TESTS,
        ownership::made_up::TESTS,
        ownership::bytes::TESTS,
        other_families::TESTS,
        peer_bugs::TESTS,
        batches::receiving::TESTS,
        batches::owning::TESTS,
        batches::ending::TESTS,
        batches::sending::TESTS,
        internet::TESTS,
        batches::internet::TESTS,
        internet_limits::TESTS,
        error_queue::datagrams::TESTS,
        error_queue::streams::TESTS,
        netlink::TESTS,
        closing::TESTS,
        retrying::TESTS,
        names::TESTS,
        recvmsg_out::TESTS,
        #[cfg(io_uring_crate)]
        ring::prepared_headers::TESTS,
        #[cfg(io_uring_crate)]
        ring::limits::TESTS,
        #[cfg(io_uring_crate)]
        ring::multishot::owning::TESTS,
        #[cfg(io_uring_crate)]
        ring::multishot::splitting::TESTS,
        #[cfg(io_uring_crate)]
        ring::multishot::buffers::TESTS,
        #[cfg(io_uring_crate)]
        ring::multishot::ending::TESTS,
        backends::TESTS,
    ];
    harness::run_tests(arguments, tests.concat(), support::leaving_no_descriptor)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: these tests know what Linux answers");
}
