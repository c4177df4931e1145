//! The crate on simulated kernels of other systems: builds and runs `tests/simulated-kernels` by the rules of each.

use libtest_mimic::Arguments;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

mod harness;

tests![
    linux if the_package,
    apple if the_package,
    freebsd if the_package,
    netbsd if the_package,
    openbsd if the_package,
    illumos if the_package,
];

fn main() -> ExitCode {
    harness::run_tests(Arguments::from_args(), TESTS.iter().copied(), harness::plainly)
}

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulated-kernels")
}

fn the_package() -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Err("the kernels are simulated on Linux, and for other systems in Miri".into());
    }
    if !package().join("Cargo.toml").exists() {
        return Err("the package tests/simulated-kernels is not published".into());
    }
    harness::the_kernel_itself("a program is not built once more")?;
    harness::not_watched_by(&[], "would have to watch a program that is built in another way")?;
    match std::env::var("CARGO_BUILD_TARGET") {
        Ok(target) => Err(format!("the tests are built for {target}, and the simulated kernels for this machine")),
        Err(_) => Ok(()),
    }
}

/// Runs every scenario that the rules of a system have, and some random rounds.
fn run_by_the_rules_of(system: &str) {
    const ROUNDS: u32 = 300;
    // Tests are in TARGET/PROFILE/deps.
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("simulated").join(system);
    let done = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--target-dir"])
        .arg(target)
        .args(["--", &ROUNDS.to_string()])
        .current_dir(package())
        // In the place of whatever the tests were built with.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", format!("--cfg ancillary_use_libc --cfg ancillary_rules=\"{system}\""))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}\n{printed}", done.status);
    // A line at its end says what has run. (A compiler's warnings may follow.)
    let said = format!("; {ROUNDS} random rounds, ");
    let last = printed.lines().rfind(|line| line.contains(&said)).unwrap_or_else(|| panic!("{printed}"));
    let scenarios =
        last.strip_prefix(&format!("{system}: ")).and_then(|line| line.split(' ').next()).unwrap_or_default();
    assert!(scenarios.parse::<u32>().is_ok_and(|count| count >= 40), "{printed}");
    println!("{last}");
}

fn linux() {
    run_by_the_rules_of("linux");
}

fn apple() {
    run_by_the_rules_of("apple");
}

fn freebsd() {
    run_by_the_rules_of("freebsd");
}

fn netbsd() {
    run_by_the_rules_of("netbsd");
}

fn openbsd() {
    run_by_the_rules_of("openbsd");
}

fn illumos() {
    run_by_the_rules_of("illumos");
}
