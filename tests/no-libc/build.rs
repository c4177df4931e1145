//! Links neither a C library nor what starts a program for it, and at fixed addresses: nothing is there that would
//! adjust them.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for argument in ["-nostdlib", "-static", "-no-pie"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}
