fn main() {
    println!("cargo::rerun-if-changed=oracle.c");
    cc::Build::new().file("oracle.c").warnings_into_errors(true).compile("oracle");
}
