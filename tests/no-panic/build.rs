//! Has the linker refuse a library with a symbol that is nowhere, and gives it the C library for `memcpy` and the like.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,--gc-sections");
    if env::var_os("CARGO_FEATURE_LINK_ANYWAY").is_none() {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,defs");
    }
    println!("cargo::rustc-cdylib-link-arg=-lc");
}
