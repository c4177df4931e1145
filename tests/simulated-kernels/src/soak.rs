pub fn run(_: u64, _: u64) -> usize { 0 }
