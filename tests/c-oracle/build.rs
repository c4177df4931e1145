fn main() {
    println!("cargo::rerun-if-changed=oracle.c");
    // musl's own CMSG_NXTHDR compares a size with a difference of pointers.
    cc::Build::new().file("oracle.c").warnings_into_errors(true).flag("-Wno-sign-compare").compile("oracle");
}
