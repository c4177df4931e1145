fn main() {
    println!("cargo::rerun-if-changed=engines/c.c");
    cc::Build::new().file("engines/c.c").opt_level(2).std("c11").warnings(true).compile("engine");
}
