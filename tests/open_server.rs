//! The example `open_server`, run as a user would run it.

use libtest_mimic::Arguments;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::sync::OnceLock;

mod harness;

tests![
    without_arguments_it_shows_the_whole_thing if an_example_that_starts_itself,
    it_opens_a_path if an_example_that_starts_itself,
    both_halves_by_hand if linux,
    wrong_arguments_are_told_how if linux,
];

fn main() -> ExitCode {
    harness::run_tests(Arguments::from_args(), TESTS.iter().copied(), harness::plainly)
}

fn linux() -> Result<(), String> {
    if cfg!(target_os = "linux") { Ok(()) } else { Err("the example is written for Linux".into()) }
}

fn an_example_that_starts_itself() -> Result<(), String> {
    linux()?;
    harness::the_kernel_itself("a program cannot start itself: the machine does not know how to run it")
}

fn example() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    harness::command(PROGRAM.get_or_init(|| harness::build_example("open_server")))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn without_arguments_it_shows_the_whole_thing() {
    let Output { status, stdout, stderr } = example().output().unwrap();
    let (stdout, stderr) = (text(&stdout), text(&stderr));
    assert!(status.success(), "{stderr}");
    assert!(stdout.contains("read-only, close-on-exec"), "{stdout}");
    // Case W9. Its first lines, whatever they are: cargo writes another `Cargo.toml` when it packages the crate.
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let first_lines: String = manifest.lines().take(5).map(|line| format!("    {line}\n")).collect();
    assert!(first_lines.len() > 20, "{first_lines}");
    assert!(stdout.contains(&first_lines), "{stdout}");
    assert!(stdout.contains("No such file or directory (os error 2)"), "{stdout}");
    assert!(stdout.contains("Permission denied (os error 13)"), "{stdout}");
    // Another process, and who asked as the kernel knows it.
    let user = rustix::process::getuid().as_raw();
    assert!(stderr.contains(&format!("of user {user}, ")), "{stderr}");
}

fn it_opens_a_path() {
    let file = Temporary::new("path");
    fs::write(&file.0, "first line\nsecond line\n").unwrap();
    let Output { status, stdout, .. } = example().arg(&file.0).output().unwrap();
    assert!(status.success());
    assert!(text(&stdout).contains("    first line\n    second line\n"));
}

fn both_halves_by_hand() {
    let (socket, file) = (Temporary::new("socket"), Temporary::new("file"));
    fs::write(&file.0, "through a descriptor\n").unwrap();
    let _server = Server::start(&socket.0);

    let opened = example().arg("open").args([&socket.0, &file.0]).output().unwrap();
    assert!(opened.status.success(), "{}", text(&opened.stderr));
    assert!(text(&opened.stdout).contains("through a descriptor"));

    let refused = example().arg("open").arg(&socket.0).arg("/no/such/file").output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("os error 2"));
}

fn wrong_arguments_are_told_how() {
    for arguments in [&["serve"][..], &["open", "socket"], &["--help"], &["a", "b", "c", "d"]] {
        let Output { status, stderr, .. } = example().args(arguments).output().unwrap();
        assert_eq!(status.code(), Some(2), "{arguments:?}");
        assert!(text(&stderr).starts_with("usage:"));
    }
}

struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Self {
        Temporary(std::env::temp_dir().join(format!("ancillary-{name}-{}", std::process::id())))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

struct Server(Child);

impl Server {
    /// Returns when it listens: it says so.
    fn start(socket: &PathBuf) -> Self {
        use std::io::{BufRead, BufReader};
        let mut child = example().arg("serve").arg(socket).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.contains("listening"), "{line}");
        // What it says from now on is read, so that it is never kept waiting.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        Server(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
