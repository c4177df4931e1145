//! `Cargo.toml` depends on rustix, linux-raw-sys, libc and io-uring for exactly those targets for which `build.rs` chooses the
//! code that uses them (case W10). Neither file can name the other's conditions, so this evaluates both.

use serde::Deserialize;
use std::collections::BTreeSet;
use std::process::{Command, Output};

#[path = "../build.rs"]
#[allow(dead_code, reason = "most of it is for cargo")]
mod build_script;

/// A condition of `Cargo.toml`: what is in `cfg(…)`.
enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Not(Box<Condition>),
    Name(String),
    Equal(String, String),
}

impl Condition {
    fn of(text: &str) -> Self {
        let mut rest = text.strip_prefix("cfg(").and_then(|text| text.strip_suffix(')')).expect(text);
        let condition = Self::parse(&mut rest);
        assert_eq!(rest, "", "{text}");
        condition
    }

    /// Takes one condition from the beginning of the text.
    fn parse(text: &mut &str) -> Self {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        *text = rest;
        if let Some(rest) = text.strip_prefix(" = \"") {
            let (value, rest) = rest.split_once('"').unwrap();
            *text = rest;
            return Self::Equal(name.into(), value.into());
        }
        let Some(rest) = text.strip_prefix('(') else { return Self::Name(name.into()) };
        *text = rest;
        let mut list = Vec::new();
        while !text.starts_with(')') {
            list.push(Self::parse(text));
            *text = text.trim_start_matches(", ");
        }
        *text = &text[1..];
        match name {
            "any" => Self::Any(list),
            "all" => Self::All(list),
            "not" => Self::Not(Box::new(list.pop().unwrap())),
            _ => panic!("{name}(…) is no condition"),
        }
    }

    fn holds(&self, target: &Target<'_>) -> bool {
        match self {
            Self::Any(list) => list.iter().any(|condition| condition.holds(target)),
            Self::All(list) => list.iter().all(|condition| condition.holds(target)),
            Self::Not(condition) => !condition.holds(target),
            Self::Name(name) => target.name == name,
            Self::Equal(key, value) => target.value(key) == value,
        }
    }
}

#[derive(Clone, Debug)]
struct Target<'a> {
    os: &'a str,
    vendor: &'a str,
    arch: &'a str,
    pointer_width: &'a str,
    endian: &'a str,
    sanitize: &'a str,
    /// A cfg without a value, such as `miri`.
    name: &'a str,
}

impl<'a> Target<'a> {
    fn value(&self, key: &str) -> &'a str {
        match key {
            "target_os" => self.os,
            "target_vendor" => self.vendor,
            "target_arch" => self.arch,
            "target_pointer_width" => self.pointer_width,
            "target_endian" => self.endian,
            "sanitize" => self.sanitize,
            _ => panic!("this test does not know the key {key}"),
        }
    }

    /// As the build script sees it, with the feature `use-libc` or without.
    fn of_build_script(&self, use_libc: bool) -> build_script::Target {
        build_script::Target::of(|variable| {
            let Some(key) = variable.strip_prefix("CARGO_CFG_") else {
                return (variable == "CARGO_FEATURE_USE_LIBC" && use_libc).then(|| "1".into());
            };
            let key = key.to_lowercase();
            match key.as_str() {
                "target_env" => None,
                _ if key.starts_with("target_") || key == "sanitize" => Some(self.value(&key).into()),
                _ => (self.name == key).then(String::new),
            }
        })
    }

    /// All that differ from this one in one of the words.
    fn with_each(&self, words: &BTreeSet<&'a str>) -> impl Iterator<Item = Self> {
        words.iter().flat_map(|word| {
            [
                Target { os: word, ..self.clone() },
                Target { vendor: word, ..self.clone() },
                Target { arch: word, ..self.clone() },
                Target { sanitize: word, ..self.clone() },
                Target { name: word, ..self.clone() },
            ]
        })
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    optional: bool,
    target: Option<String>,
}

fn dependencies() -> Vec<Dependency> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--format-version=1"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let Output { status, stdout, stderr } = cargo.output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let Metadata { packages } = serde_json::from_slice(&stdout).unwrap();
    packages.into_iter().find(|package| package.name == "ancillary").unwrap().dependencies
}

/// Everything in a text that could be the name or the value of a cfg.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

#[test]
fn the_manifest_and_the_build_script_agree() {
    let dependencies = dependencies();
    let find = |name: &str, kind: Option<&str>, optional| {
        let conditions: Vec<_> = dependencies
            .iter()
            .filter(|found| found.name == name && found.kind.as_deref() == kind && found.optional == optional)
            .filter_map(|found| found.target.as_deref())
            .collect();
        let [condition] = conditions[..] else { panic!("{name}: {conditions:?}") };
        Condition::of(condition)
    };
    let rustix = find("rustix", None, false);
    let linux_raw_sys = find("linux-raw-sys", None, false);
    let libc = find("libc", None, false);
    let libc_by_feature = find("libc", None, true);
    let io_uring = find("io-uring", Some("dev"), false);

    let conditions = dependencies.iter().filter_map(|dependency| dependency.target.as_deref());
    let mut all_words: BTreeSet<&str> = conditions.flat_map(words).collect();
    // The names of cfgs are in capitals there.
    let build_script = include_str!("../build.rs").to_lowercase().replace("cargo_cfg_", "");
    let code = build_script.lines().filter(|line| !line.trim_start().starts_with("//"));
    all_words.extend(code.flat_map(words));
    for word in ["apple", "vxworks", "sparc64", "hwaddress", "miri", "io_uring_skip_arch_check"] {
        assert!(all_words.contains(word), "{word}");
    }

    let mut checked = 0;
    for os in ["linux", "android", "netbsd", "none"] {
        for arch in ["x86_64", "riscv64", "s390x", "sparc64"] {
            for (pointer_width, endian) in [("64", "little"), ("64", "big"), ("32", "little"), ("32", "big")] {
                let target = Target { os, vendor: "unknown", arch, pointer_width, endian, sanitize: "", name: "" };
                for target in target.with_each(&all_words) {
                    let chosen = target.of_build_script(false);
                    let backend = chosen.platform().map(|_| chosen.backend());
                    assert_eq!(rustix.holds(&target), chosen.platform().is_some(), "rustix: {target:?}");
                    assert_eq!(linux_raw_sys.holds(&target), backend == Some("linux_raw"), "linux-raw-sys: {target:?}");
                    assert_eq!(libc.holds(&target), backend == Some("libc"), "libc: {target:?}");
                    assert_eq!(io_uring.holds(&target), chosen.has_io_uring_crate(), "io-uring: {target:?}");

                    // What the feature adds is there wherever libc is not a dependency already.
                    assert_eq!(target.of_build_script(true).backend(), "libc");
                    assert_eq!(libc_by_feature.holds(&target), backend == Some("linux_raw"), "use-libc: {target:?}");
                    checked += 1;
                }
            }
        }
    }
    println!("{checked} targets of {} words", all_words.len());
}
