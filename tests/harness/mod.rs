//! What the test programs share that run without the standard harness: tests that need something, and emulators.
//!
//! The environment variable `ANCILLARY_TEST_EMULATOR` says that the tests run in an emulator of another machine, and in
//! which: it is the command that stands in front of a program, such as `qemu-s390x -L /usr/s390x-linux-gnu`. Whoever
//! starts the tests in an emulator sets it (`.ci/architectures` does). Tests that start a program of their own put the
//! command in front of it, and tests that need the kernel itself are ignored.
//!
//! `ANCILLARY_TEST_WATCHER` says that something watches the program that the tests are, and what: `memcheck`, or the name of
//! a sanitizer (`.ci/memcheck` and `.ci/sanitizers` set it). Tests that do on purpose what that takes for an error are
//! ignored.
#![allow(dead_code, reason = "no test program needs all of it")]

use libtest_mimic::{Arguments, Failed, Trial};
use serde::Deserialize;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

#[derive(Clone, Copy)]
pub struct Test {
    pub name: &'static str,
    pub run: fn(),
    /// What the test needs: an error says what is lacking.
    pub needs: fn() -> Result<(), String>,
}

/// The tests of a file: `name`, or `name if what_it_needs`.
#[macro_export]
macro_rules! tests {
    ($($(#[$attribute:meta])* $name:ident $(if $needs:path)?),* $(,)?) => {
        pub(crate) const TESTS: &[$crate::harness::Test] = &[$($(#[$attribute])* $crate::harness::Test {
            name: concat!(module_path!(), "::", stringify!($name)),
            run: $name,
            needs: $crate::tests!(@needs $($needs)?),
        }),*];
    };
    (@needs) => { || Ok(()) };
    (@needs $needs:path) => { $needs };
}

/// Runs a test with nothing around it.
pub fn plainly(run: fn()) -> Result<(), Failed> {
    run();
    Ok(())
}

/// Runs the tests, each inside `around`. One that needs what is not there says so and is counted as ignored.
pub fn run_tests(
    arguments: Arguments,
    tests: impl IntoIterator<Item = Test>,
    around: fn(fn()) -> Result<(), Failed>,
) -> ExitCode {
    let trials = tests.into_iter().map(|test| {
        // Without the name of the program.
        let name = test.name.split_once("::").map_or(test.name, |(_, name)| name);
        let lacking = (test.needs)().err();
        if let (Some(lacking), false) = (&lacking, arguments.list) {
            println!("skipped: {name}: {lacking}");
        }
        Trial::test(name, move || around(test.run)).with_ignored_flag(lacking.is_some())
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// What stands in front of a program, if the tests run in an emulator.
pub fn emulator() -> Option<String> {
    std::env::var("ANCILLARY_TEST_EMULATOR").ok().filter(|command| !command.trim().is_empty())
}

/// The longest that a test may wait, of all it waits for, and that a program runs which it starts. It is a limit for what
/// would never end: finding D.
const SECONDS: u32 = 300;

/// A command that runs a program of the tests' own target: in the emulator, if they run in one.
///
/// The program is ended, by a signal, if it has not ended by itself in [`SECONDS`].
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = match emulator() {
        None => Command::new(program),
        Some(emulator) => {
            let mut words = emulator.split_whitespace();
            let mut command = Command::new(words.next().unwrap());
            command.args(words).arg(program);
            command
        }
    };
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let set_alarm = || {
            // SAFETY: a number alone. The alarm stays set across `exec`.
            unsafe { libc::alarm(SECONDS) };
            Ok(())
        };
        // SAFETY: between `fork` and `exec` this makes one system call.
        unsafe { command.pre_exec(set_alarm) };
    }
    command
}

/// Runs a test on this thread, which is the only one to run tests. A test that waits for longer than [`SECONDS`] ends the
/// program, with a message behind the name of the test.
#[cfg(unix)]
pub fn with_a_limit(run: fn()) {
    struct NoAlarm;

    impl Drop for NoAlarm {
        fn drop(&mut self) {
            // SAFETY: a number alone.
            unsafe { libc::alarm(0) };
        }
    }

    extern "C" fn end(_: i32) {
        const MESSAGE: &str = "the test waits for what does not come\n";
        // SAFETY: both may be called in a handler of a signal; the pointer is to so many bytes.
        unsafe {
            libc::write(2, MESSAGE.as_ptr().cast(), MESSAGE.len());
            libc::_exit(101);
        }
    }

    let _no_alarm = NoAlarm;
    // SAFETY: the handler does what a handler may do.
    unsafe {
        libc::signal(libc::SIGALRM, end as extern "C" fn(i32) as libc::sighandler_t);
        libc::alarm(SECONDS);
    }
    run();
}

/// An error that says what the emulator does otherwise, if there is one.
pub fn the_kernel_itself(unlike: &str) -> Result<(), String> {
    match emulator() {
        Some(emulator) => Err(format!("in `{emulator}`, {unlike}")),
        None => Ok(()),
    }
}

/// An error that says what these watchers (all, if none is named) would make of the test, if one of them watches.
pub fn not_watched_by(watchers: &[&str], what: &str) -> Result<(), String> {
    match std::env::var("ANCILLARY_TEST_WATCHER") {
        Ok(watcher) if watchers.is_empty() || watchers.contains(&watcher.as_str()) => Err(format!("{watcher} {what}")),
        _ => Ok(()),
    }
}

/// Builds an example of this source, by whatever the environment tells cargo, and says where it is.
pub fn build_example(name: &str) -> PathBuf {
    /// What cargo says of what it has built.
    #[derive(Deserialize)]
    struct Built {
        executable: Option<PathBuf>,
    }

    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--example", name, "--message-format=json"]);
    // Tests are in TARGET/PROFILE/deps. If the environment names the directory, cargo knows of it.
    if std::env::var_os("CARGO_TARGET_DIR").is_none() {
        cargo.arg("--target-dir").arg(std::env::current_exe().unwrap().ancestors().nth(3).unwrap());
    }
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success());
    String::from_utf8(built.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| serde_json::from_str::<Built>(line).unwrap().executable)
        .next_back()
        .unwrap()
}
