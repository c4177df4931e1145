//! No rival: what the program costs without any.

use ancillary_benches::{Engine, run};

const ENGINE: Engine = Engine::NOTHING;

fn main() {
    run(&ENGINE);
}
