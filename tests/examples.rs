//! The examples that need no arguments, run as a user would run them. (`open_server.rs` is for the other one.)

use libtest_mimic::Arguments;
use std::net::UdpSocket;
use std::process::{ExitCode, Output};

mod harness;

tests![
    tokio if linux,
    mio if linux,
    io_uring if a_ring,
    udp_echo_batch if the_kernels_udp,
    udp_echo_batch_has_clients_of_ipv6 if the_kernels_udp_and_ipv6,
];

fn main() -> ExitCode {
    harness::run_tests(Arguments::from_args(), TESTS.iter().copied(), harness::plainly)
}

fn linux() -> Result<(), String> {
    if cfg!(target_os = "linux") { Ok(()) } else { Err("the example is written for Linux".into()) }
}

fn the_kernels_udp() -> Result<(), String> {
    linux()?;
    harness::the_kernel_itself("datagrams are not put together")?;
    a_socket_at("[::]:0")
}

fn the_kernels_udp_and_ipv6() -> Result<(), String> {
    the_kernels_udp()?;
    a_socket_at("[::1]:0")
}

fn a_socket_at(address: &str) -> Result<(), String> {
    let bound = UdpSocket::bind(address);
    bound.map(drop).map_err(|error| format!("no socket of IPv6 at {address} ({error})"))
}

#[cfg(not(io_uring_crate))]
fn a_ring() -> Result<(), String> {
    Err("the crate io-uring does not know this target".into())
}

#[cfg(io_uring_crate)]
fn a_ring() -> Result<(), String> {
    let ring = io_uring::IoUring::new(2).map_err(|error| format!("no io_uring here ({error})"))?;
    let mut probe = io_uring::Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(|error| format!("io_uring has no probe ({error})"))?;
    // It came with the multishot RECVMSG.
    if probe.is_supported(io_uring::opcode::SendZc::CODE) {
        Ok(())
    } else {
        Err("this io_uring has no multishot RECVMSG (Linux 6.0)".into())
    }
}

fn output_of(example: &str) -> String {
    let Output { status, stdout, stderr } = harness::command(harness::build_example(example)).output().unwrap();
    assert!(status.success() && stderr.is_empty(), "{status}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

fn tokio() {
    let output = output_of("tokio");
    assert_eq!(output, "20000 descriptors were passed between two tasks, and each was written through\n");
}

fn mio() {
    let output = output_of("mio");
    assert!(output.starts_with("20000 descriptors were passed in "), "{output}");
}

fn io_uring() {
    let output = output_of("io_uring");
    assert!(output.contains("client: sent \"through a ring\", got \"THROUGH A RING\"\n"), "{output}");
    assert!(output.contains("client: sent \"nothing\", was told \"a message without a file\"\n"), "{output}");
    // There are more messages than buffers, so that the request has to be made again.
    let (_, requests) = output.split_once("after 7 answers to ").expect(&output);
    let (requests, _) = requests.split_once(" requests of the ring\n").expect(&output);
    assert!(requests.parse::<u32>().unwrap() > 1, "{output}");
}

fn udp_echo_batch() {
    let output = output_of("udp_echo_batch");
    let ipv4_alone = output.starts_with("240 datagrams to 4 addresses, each answered from its own, with its mark");
    assert!(ipv4_alone || output.starts_with("300 datagrams to 5 addresses, "), "{output}");
}

fn udp_echo_batch_has_clients_of_ipv6() {
    let output = output_of("udp_echo_batch");
    assert!(output.starts_with("300 datagrams to 5 addresses, "), "{output}");
}
