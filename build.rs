//! Turns the target into a few readable cfg names, so that no list of systems is repeated in the source.
//!
//! - `has_native_layout`: the target has control messages of its own; then `native_layout="…"` is the layout of its
//!   `struct cmsghdr`, named as in `src/layout/named.rs`.
//! - `sockets`: the crate makes the target's system calls; then `platform="…"` is whose constants they take, named as
//!   the files of `src/platform`.
//! - `backend="…"`: whether it makes them itself, `linux_raw`, or has the C library make them, `libc`.
//! - `batched_sending`, `batched_receiving`: `sendmmsg`, `recvmmsg` are among them.
//! - `linux_kernel`: the kernel behind them is Linux.
//! - `linux_socket_header="…"`: whose `asm/socket.h` Linux has for the processor.
//! - `ip_pktinfo`: `IP_PKTINFO` is there, with Linux's `struct in_pktinfo`.
//! - `rfc_3542`: the control messages of RFC 3542 for IPv6 are there.
//! - `cloexec_on_receive`: `recvmsg` can set close-on-exec itself (`MSG_CMSG_CLOEXEC`).
//! - `peek_installs_descriptors`: what `MSG_PEEK` shows in `SCM_RIGHTS` are new descriptors.
//! - `flags_are_echoed`: `msg_flags` comes back with every flag that the call was given.
//! - `errno_location="…"`: the function of the C library that gives the address of `errno`.
//! - `io_uring_crate`: the crate `io-uring`, which tests and an example use, knows the target.
//!
//! `Cargo.toml` has to make three of these choices once more, for the dependencies: `sockets`, `backend` and
//! `io_uring_crate`. `tests/dependencies.rs` compiles this file, and compares.
//!
//! Two of rustc's flags change what is chosen, for tests:
//! - `--cfg ancillary_batches_by_loop` does without `sendmmsg` and `recvmmsg`.
//! - `--cfg ancillary_rules="…"` (a name of [`RULES`]) has the crate expect the kernel of another system: it decides
//!   `cloexec_on_receive`, `peek_installs_descriptors`, `flags_are_echoed`, `batched_sending` and `batched_receiving` by
//!   the rules of that system. A call or a flag that the target's C library lacks is not used. Layout, constants and
//!   `errno` stay the target's, and so does `linux_kernel`. It is for a program that simulates the kernel behind the
//!   names of the C library, `tests/simulated-kernels`.

use std::env;

const LAYOUTS: [&str; 12] = [
    "linux_64",
    "linux_32",
    "musl_64_le",
    "darwin",
    "bsd_align_4",
    "bsd_align_8",
    "bsd_align_16",
    "illumos_x86",
    "solaris_sparc",
    "aix",
    "windows_64",
    "windows_32",
];

const PLATFORMS: [&str; 15] = [
    "linux",
    "apple",
    "freebsd",
    "dragonfly",
    "netbsd",
    "openbsd",
    "illumos",
    "aix",
    "haiku",
    "hurd",
    "qnx",
    "fuchsia",
    "redox",
    "cygwin",
    "emscripten",
];

/// The platforms whose kernels `--cfg ancillary_rules` names.
const RULES: [&str; 6] = ["linux", "apple", "freebsd", "netbsd", "openbsd", "illumos"];

const BACKENDS: [&str; 2] = ["linux_raw", "libc"];

/// Under these names the C libraries have the function that gives the address of `errno`.
const ERRNO_LOCATIONS: [&str; 7] =
    ["__errno_location", "__errno", "__error", "___errno", "_errnop", "__get_errno_ptr", "_Errno"];

/// Those that keep account of memory, or of who waits for whom, through what C functions read and write.
const WATCHING_SANITIZERS: [&str; 4] = ["address", "hwaddress", "memory", "thread"];

pub(crate) struct Target {
    os: String,
    arch: String,
    vendor: String,
    env: String,
    pointer_width: u32,
    little_endian: bool,
    /// What watches a program from inside: sees a C library's calls, and no others.
    watched: bool,
    libc_is_wanted: bool,
    batches_by_loop: bool,
    io_uring_crate_is_told: bool,
    /// The platform whose kernel a test simulates.
    simulated: Option<String>,
}

impl Target {
    /// The target that `variable` describes: the environment variables that cargo sets for a build script.
    pub(crate) fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| variable(&format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
        let is_set = |name: &str| variable(name).is_some();
        let sanitizers = variable("CARGO_CFG_SANITIZE").unwrap_or_default();
        Target {
            os: get("OS"),
            arch: get("ARCH"),
            vendor: get("VENDOR"),
            env: get("ENV"),
            pointer_width: get("POINTER_WIDTH").parse().unwrap_or(64),
            little_endian: get("ENDIAN") == "little",
            watched: is_set("CARGO_CFG_MIRI") || sanitizers.split(',').any(|name| WATCHING_SANITIZERS.contains(&name)),
            libc_is_wanted: is_set("CARGO_FEATURE_USE_LIBC") || is_set("CARGO_CFG_ANCILLARY_USE_LIBC"),
            batches_by_loop: is_set("CARGO_CFG_ANCILLARY_BATCHES_BY_LOOP"),
            io_uring_crate_is_told: is_set("CARGO_CFG_IO_URING_SKIP_ARCH_CHECK"),
            simulated: variable("CARGO_CFG_ANCILLARY_RULES"),
        }
    }

    /// Whose constants the system calls take, if this crate makes them.
    pub(crate) fn platform(&self) -> Option<&'static str> {
        Some(match self.os.as_str() {
            _ if self.vendor == "apple" => "apple",
            "linux" | "android" => "linux",
            "freebsd" => "freebsd",
            "dragonfly" => "dragonfly",
            "netbsd" => "netbsd",
            "openbsd" => "openbsd",
            "illumos" | "solaris" => "illumos",
            "aix" => "aix",
            "haiku" => "haiku",
            "hurd" => "hurd",
            "nto" => "qnx",
            "fuchsia" => "fuchsia",
            "redox" => "redox",
            "cygwin" => "cygwin",
            "emscripten" => "emscripten",
            _ => return None,
        })
    }

    /// Whether the kernel is that of one of these platforms: the simulated one, or the target's own.
    fn kernel_is_one_of(&self, platforms: &[&str]) -> bool {
        self.simulated.as_deref().or(self.platform()).is_some_and(|platform| platforms.contains(&platform))
    }

    /// Who makes the system calls.
    ///
    /// Android has Linux's kernel, but what an app may ask of it is only what its C library does; and that notes every
    /// descriptor that arrives (`fdtrack`).
    pub(crate) fn backend(&self) -> &'static str {
        let has_assembly = match (self.arch.as_str(), self.pointer_width, self.little_endian) {
            ("x86_64" | "aarch64", 64, true) => true,
            ("x86" | "arm" | "riscv64" | "loongarch64", _, true) => true,
            ("s390x", _, _) => true,
            // Absent are x32, whose calls have a variant of their own (`__X32_SYSCALL_BIT`); big-endian ARM, whose
            // 64-bit variant linux-raw-sys does not know; and those for which Rust 1.85 has no `asm!`: PowerPC, MIPS,
            // SPARC.
            _ => false,
        };
        let raw = self.os == "linux" && has_assembly && !self.watched && !self.libc_is_wanted;
        if raw { "linux_raw" } else { "libc" }
    }

    /// Whether the kernel has calls for many messages. (FreeBSD's C library has loops of its own under these names, which
    /// mean something else.) `--cfg ancillary_batches_by_loop` does without: for testing what is in their place.
    fn has_batched_calls(&self) -> bool {
        !self.batches_by_loop
            && matches!(self.os.as_str(), "linux" | "android" | "netbsd" | "openbsd")
            && self.kernel_is_one_of(&["linux", "netbsd", "openbsd"])
    }

    /// musl, of which OpenHarmony's is one, makes the calls, if it is it that is called.
    fn musl_makes_calls(&self) -> bool {
        matches!(self.env.as_str(), "musl" | "ohos") && self.backend() == "libc"
    }

    /// 64-bit musl's is a loop, which goes on after a message that a stream took in part.
    fn has_batched_sending(&self) -> bool {
        self.has_batched_calls() && !(self.musl_makes_calls() && self.pointer_width == 64)
    }

    /// Where Linux has no call with 32-bit times, musl makes a timeout of none into one of zero.
    fn has_batched_receiving(&self) -> bool {
        self.has_batched_calls() && !(self.musl_makes_calls() && self.arch == "riscv32")
    }

    pub(crate) fn has_io_uring_crate(&self) -> bool {
        let known = matches!(self.arch.as_str(), "x86_64" | "aarch64" | "riscv64" | "loongarch64" | "powerpc64");
        self.os == "linux" && (self.io_uring_crate_is_told || known && self.pointer_width == 64)
    }

    fn linux_socket_header(&self) -> &'static str {
        match self.arch.as_str() {
            arch if arch.starts_with("mips") => "mips",
            arch if arch.starts_with("sparc") => "sparc",
            arch if arch.starts_with("powerpc") => "powerpc",
            _ => "generic",
        }
    }

    fn has_cloexec_on_receive(&self) -> bool {
        matches!(
            self.os.as_str(),
            "linux" | "android" | "freebsd" | "dragonfly" | "netbsd" | "openbsd" | "illumos" | "hurd" | "cygwin"
        ) && !self.kernel_is_one_of(&["apple"])
    }

    fn errno_location(&self) -> &'static str {
        match self.os.as_str() {
            _ if self.vendor == "apple" => "__error",
            "freebsd" => "__error",
            "android" | "netbsd" | "openbsd" | "cygwin" => "__errno",
            "illumos" | "solaris" => "___errno",
            "haiku" => "_errnop",
            "nto" => "__get_errno_ptr",
            "aix" => "_Errno",
            _ => "__errno_location",
        }
    }

    /// The layout of the target's own control messages, if it has any. The C definition that each name stands for is
    /// quoted in `src/layout/named.rs`.
    fn layout(&self) -> Option<&'static str> {
        let by_width = |wide, narrow| Some(if self.pointer_width == 64 { wide } else { narrow });
        if self.vendor == "apple" {
            return Some("darwin");
        }
        match (self.os.as_str(), self.arch.as_str()) {
            ("netbsd", "aarch64" | "riscv64" | "sparc64") => Some("bsd_align_16"),
            ("openbsd", "sparc64") => Some("bsd_align_16"),
            ("netbsd" | "openbsd", "x86") => Some("bsd_align_4"),
            ("netbsd" | "openbsd", _) => Some("bsd_align_8"),
            ("freebsd" | "dragonfly" | "haiku" | "hurd" | "nto" | "vxworks", _) => {
                by_width("bsd_align_8", "bsd_align_4")
            }
            ("illumos" | "solaris", "sparc" | "sparc64") => Some("solaris_sparc"),
            ("illumos" | "solaris", _) => Some("illumos_x86"),
            ("aix", _) => Some("aix"),
            ("fuchsia", _) => Some("musl_64_le"),
            ("windows", _) => by_width("windows_64", "windows_32"),
            ("linux" | "android" | "redox" | "cygwin" | "emscripten", _) => by_width("linux_64", "linux_32"),
            // WASI declares `struct cmsghdr` but has no call that takes one; a target without a system has neither.
            _ => None,
        }
    }
}

fn declare(name: &str, values: &[&str]) {
    if values.is_empty() {
        println!("cargo::rustc-check-cfg=cfg({name})");
    } else {
        println!("cargo::rustc-check-cfg=cfg({name}, values(\"{}\"))", values.join("\", \""));
    }
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    declare("native_layout", &LAYOUTS);
    declare("platform", &PLATFORMS);
    declare("backend", &BACKENDS);
    declare("errno_location", &ERRNO_LOCATIONS);
    declare("ancillary_rules", &RULES);
    declare("linux_socket_header", &["generic", "mips", "sparc", "powerpc"]);

    let target = Target::of(|name| env::var(name).ok());
    if let Some(name) = &target.simulated {
        assert!(RULES.contains(&name.as_str()), "ancillary_rules=\"{name}\" is none of {RULES:?}");
    }
    let platform = target.platform();
    let linux_kernel = platform == Some("linux");
    let one_of = |platforms: &[&str]| platform.is_some_and(|platform| platforms.contains(&platform));
    for (name, value) in [
        ("native_layout", target.layout()),
        ("platform", platform),
        ("backend", platform.map(|_| target.backend())),
        ("errno_location", platform.map(|_| target.errno_location())),
        ("linux_socket_header", linux_kernel.then(|| target.linux_socket_header())),
    ] {
        if let Some(value) = value {
            println!("cargo::rustc-cfg={name}=\"{value}\"");
        }
    }
    for (name, holds) in [
        ("has_native_layout", target.layout().is_some()),
        ("sockets", platform.is_some()),
        ("batched_sending", target.has_batched_sending()),
        ("batched_receiving", target.has_batched_receiving()),
        ("linux_kernel", linux_kernel),
        // NetBSD's structure has the same name and other fields; FreeBSD's is too new for its older releases.
        ("ip_pktinfo", one_of(&["linux", "apple", "illumos"])),
        ("rfc_3542", one_of(&["linux", "apple", "freebsd", "dragonfly", "netbsd", "openbsd", "illumos"])),
        ("cloexec_on_receive", target.has_cloexec_on_receive()),
        ("peek_installs_descriptors", target.kernel_is_one_of(&["linux"])),
        ("flags_are_echoed", target.kernel_is_one_of(&["netbsd"])),
        ("io_uring_crate", target.has_io_uring_crate()),
    ] {
        declare(name, &[]);
        if holds {
            println!("cargo::rustc-cfg={name}");
        }
    }
}
