//! Turns the target into a few readable cfg names, so that no list of systems is repeated in the source.
//!
//! - `sockets`: the target has `sendmsg`, `recvmsg` and control messages.
//! - `linux_kernel`: the kernel behind them is Linux.
//! - `apple`: the kernel behind them is XNU.
//! - `native_layout="…"`: the layout of the target's `struct cmsghdr`, named as in `src/layout/named.rs`.
//! - `cloexec_on_receive`: `recvmsg` can set close-on-exec itself (`MSG_CMSG_CLOEXEC`).
//! - `errno_location="…"`: the function of the C library that gives the address of `errno`.
//! - `peek_installs_descriptors`: what `MSG_PEEK` shows in `SCM_RIGHTS` are new descriptors.

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

/// Under these names the C libraries have the function that gives the address of `errno`.
const ERRNO_LOCATIONS: [&str; 7] =
    ["__errno_location", "__errno", "__error", "___errno", "_errnop", "__get_errno_ptr", "_Errno"];

struct Target {
    os: String,
    arch: String,
    vendor: String,
    pointer_width: u32,
    unix: bool,
}

impl Target {
    fn of_this_build() -> Self {
        let get = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
        Target {
            os: get("OS"),
            arch: get("ARCH"),
            vendor: get("VENDOR"),
            pointer_width: get("POINTER_WIDTH").parse().unwrap_or(64),
            unix: env::var_os("CARGO_CFG_UNIX").is_some(),
        }
    }

    fn has_sockets(&self) -> bool {
        self.unix && !matches!(self.os.as_str(), "espidf" | "horizon" | "vita")
    }

    fn is_linux_kernel(&self) -> bool {
        matches!(self.os.as_str(), "linux" | "android")
    }

    fn is_apple(&self) -> bool {
        self.vendor == "apple"
    }

    fn has_cloexec_on_receive(&self) -> bool {
        self.is_linux_kernel()
            || matches!(
                self.os.as_str(),
                "freebsd" | "dragonfly" | "netbsd" | "openbsd" | "illumos" | "hurd" | "cygwin"
            )
    }

    fn errno_location(&self) -> &'static str {
        match self.os.as_str() {
            _ if self.is_apple() => "__error",
            "freebsd" => "__error",
            "android" | "netbsd" | "openbsd" | "cygwin" => "__errno",
            "illumos" | "solaris" => "___errno",
            "haiku" => "_errnop",
            "nto" => "__get_errno_ptr",
            "aix" => "_Errno",
            _ => "__errno_location",
        }
    }

    /// The C definition each name stands for is quoted in `src/layout/named.rs`.
    fn layout(&self) -> &'static str {
        let wide = self.pointer_width == 64;
        if self.is_apple() {
            return "darwin";
        }
        match (self.os.as_str(), self.arch.as_str()) {
            ("netbsd", "aarch64" | "riscv64" | "sparc64") => "bsd_align_16",
            ("openbsd", "sparc64") => "bsd_align_16",
            ("netbsd" | "openbsd", "x86") => "bsd_align_4",
            ("netbsd" | "openbsd", _) => "bsd_align_8",
            ("freebsd" | "dragonfly" | "haiku" | "hurd" | "nto" | "vxworks", _) => {
                if wide {
                    "bsd_align_8"
                } else {
                    "bsd_align_4"
                }
            }
            ("illumos" | "solaris", "sparc" | "sparc64") => "solaris_sparc",
            ("illumos" | "solaris", _) => "illumos_x86",
            ("aix", _) => "aix",
            ("fuchsia", _) => "musl_64_le",
            ("windows", _) => {
                if wide {
                    "windows_64"
                } else {
                    "windows_32"
                }
            }
            // Linux, and all who took its definition: Redox, Cygwin, emscripten, WASI,
            // and kernels in Rust that speak Linux's interface on a target without a system.
            _ => {
                if wide {
                    "linux_64"
                } else {
                    "linux_32"
                }
            }
        }
    }
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for name in ["sockets", "linux_kernel", "apple", "cloexec_on_receive", "peek_installs_descriptors"] {
        println!("cargo::rustc-check-cfg=cfg({name})");
    }
    println!("cargo::rustc-check-cfg=cfg(native_layout, values(\"{}\"))", LAYOUTS.join("\", \""));

    println!("cargo::rustc-check-cfg=cfg(errno_location, values(\"{}\"))", ERRNO_LOCATIONS.join("\", \""));

    let target = Target::of_this_build();
    println!("cargo::rustc-cfg=native_layout=\"{}\"", target.layout());
    println!("cargo::rustc-cfg=errno_location=\"{}\"", target.errno_location());
    for (name, holds) in [
        ("sockets", target.has_sockets()),
        ("linux_kernel", target.is_linux_kernel()),
        ("apple", target.is_apple()),
        ("cloexec_on_receive", target.has_cloexec_on_receive()),
        ("peek_installs_descriptors", target.is_linux_kernel()),
    ] {
        if holds {
            println!("cargo::rustc-cfg={name}");
        }
    }
}
