//! What the crate's documentation says of each system, executed.

mod addresses;
mod batches;
mod families;
mod hostile;
mod ownership;
mod peeking;
mod sending;
mod truncation;

use crate::kernel::message::{Item, Message};
use crate::kernel::table::{File, InFlight};
use crate::kernel::{assert_leads_to, kernel, open};
use crate::rules::Rules;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

#[derive(Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub run: fn(),
    /// Whether it is about this system.
    pub applies: fn(&Rules) -> bool,
}

/// The scenarios of a file: `name`, or `name if a_function_of_the_rules`.
macro_rules! scenarios {
    ($($name:ident $(if $applies:expr)?),* $(,)?) => {
        pub(super) const SCENARIOS: &[$crate::scenarios::Scenario] = &[$($crate::scenarios::Scenario {
            name: stringify!($name),
            run: $name,
            applies: $crate::scenarios::scenarios!(@applies $($applies)?),
        }),*];
    };
    (@applies) => { |_| true };
    (@applies $applies:expr) => { $applies };
}
use scenarios;

pub fn all() -> impl Iterator<Item = Scenario> {
    let files = [
        ownership::SCENARIOS,
        truncation::SCENARIOS,
        peeking::SCENARIOS,
        addresses::SCENARIOS,
        batches::SCENARIOS,
        sending::SCENARIOS,
        hostile::SCENARIOS,
        families::SCENARIOS,
    ];
    files.into_iter().flatten().copied()
}

/// Files, and descriptors of them on their way. The program has none.
pub fn in_flight(count: usize) -> (Vec<File>, Vec<InFlight>) {
    (0..count)
        .map(|_| {
            let (file, descriptor) = open();
            (file, kernel().table.take_along(descriptor.as_raw_fd()).unwrap())
        })
        .unzip()
}

/// Files of which a message is on its way.
pub fn message_with(count: usize) -> (Vec<File>, Message) {
    let (files, in_flight) = in_flight(count);
    (files, Message::new(b"data", vec![Item::rights(in_flight)]))
}

/// A descriptor of a file that nothing in the scenario is about, under the lowest number that is free: the one that was
/// closed last. If that is closed once more, this is what is closed.
pub struct Bystander {
    file: File,
    descriptor: OwnedFd,
}

impl Bystander {
    pub fn new() -> Bystander {
        let (file, descriptor) = open();
        Bystander { file, descriptor }
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_leads_to(self.descriptor.as_fd(), self.file);
        }
    }
}

pub fn assert_closed(files: &[File]) {
    for file in files {
        assert!(kernel().table.is_closed(*file), "{file:?} is open");
    }
}
