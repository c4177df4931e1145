//! Iterators that misbehave while the descriptors they lend are pushed.
#![forbid(unsafe_code)]

use crate::pushes::Shared;
use crate::rounds::{Random, happened, plant, planted};
use crate::world::{LENT, RIGHTS};
use ancillary::message::{EncodeMessage, LendFd, SCM_MAX_FD, ScmRights};
use ancillary::{ControlMessages, ControlWriter, PushError};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::cell::{Cell, RefCell};
use std::iter::FusedIterator;

/// What an iterator of descriptors does that none should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misdeed {
    Nothing,
    PanicsWhenMade,
    PanicsWhenAskedForItsSize,
    PanicsBefore(usize),
    /// When it has no more to give.
    PanicsAtTheEnd,
    PanicsWhenItLends(usize),
    PanicsWhenDropped,
    /// Says that it has at least so many.
    Claims(usize),
    /// Says another thing each time it is asked.
    Wavers,
    /// Ends before this one, and then goes on.
    Resumes(usize),
    /// The same, and says that it is fused.
    ResumesFalselyFused(usize),
}

/// Each misdeed, of an iterator that lends so many.
pub fn every_misdeed(random: &mut Random, count: usize) -> Vec<Misdeed> {
    let index = random.below(count + 1);
    vec![
        Misdeed::Nothing,
        Misdeed::PanicsWhenMade,
        Misdeed::PanicsWhenAskedForItsSize,
        Misdeed::PanicsBefore(index),
        Misdeed::PanicsAtTheEnd,
        Misdeed::PanicsWhenItLends(index),
        Misdeed::PanicsWhenDropped,
        Misdeed::Claims(0),
        Misdeed::Claims(count.saturating_sub(1)),
        Misdeed::Claims(count + 1),
        Misdeed::Claims(count + 4),
        Misdeed::Claims(random.of(&[SCM_MAX_FD - 1, SCM_MAX_FD, SCM_MAX_FD + 1])),
        Misdeed::Claims(random.of(&[usize::MAX / 4, usize::MAX / 4 + 1, usize::MAX - 16, usize::MAX])),
        Misdeed::Wavers,
        Misdeed::Resumes(index),
        Misdeed::ResumesFalselyFused(index),
    ]
}

/// What is lent, in the order in which the writer was given it.
struct Lending<'fd, 'h> {
    shared: &'h Shared<'fd>,
    misdeed: Misdeed,
    numbers: RefCell<Vec<RawFd>>,
}

impl Lending<'_, '_> {
    fn plant_if(&self, misdeed: Misdeed) {
        if self.misdeed == misdeed {
            happened("an iterator that panicked");
            plant();
        }
    }
}

/// What iterates.
struct Many<'fd, 'h> {
    lending: &'h Lending<'fd, 'h>,
    indices: &'h [usize],
}

impl<'fd, 'h> IntoIterator for Many<'fd, 'h> {
    type Item = Lent<'fd, 'h>;
    type IntoIter = Misbehaving<'fd, 'h, false>;

    fn into_iter(self) -> Self::IntoIter {
        self.lending.plant_if(Misdeed::PanicsWhenMade);
        Misbehaving { lending: self.lending, indices: self.indices, at: 0, ended: false, asked: Cell::new(0) }
    }
}

struct Misbehaving<'fd, 'h, const FALSELY_FUSED: bool> {
    lending: &'h Lending<'fd, 'h>,
    indices: &'h [usize],
    at: usize,
    ended: bool,
    asked: Cell<usize>,
}

impl<'fd, 'h, const FALSELY_FUSED: bool> Iterator for Misbehaving<'fd, 'h, FALSELY_FUSED> {
    type Item = Lent<'fd, 'h>;

    fn next(&mut self) -> Option<Self::Item> {
        let (lending, index) = (self.lending, self.at);
        lending.plant_if(Misdeed::PanicsBefore(index));
        if let Misdeed::Resumes(pause) | Misdeed::ResumesFalselyFused(pause) = lending.misdeed {
            if pause == index && !self.ended {
                happened("an iterator that went on after its end");
                self.ended = true;
                return None;
            }
        }
        let Some(which) = self.indices.get(index) else {
            lending.plant_if(Misdeed::PanicsAtTheEnd);
            return None;
        };
        self.at += 1;
        Some(Lent { lending, index, which: *which })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.asked.set(self.asked.get() + 1);
        self.lending.plant_if(Misdeed::PanicsWhenAskedForItsSize);
        let left = self.indices.len() - self.at;
        match self.lending.misdeed {
            Misdeed::Claims(count) => (count, Some(0)),
            Misdeed::Wavers => ((self.asked.get() * 7) % (left + 3), None),
            _ => (left, Some(left)),
        }
    }
}

impl FusedIterator for Misbehaving<'_, '_, true> {}

impl<const FALSELY_FUSED: bool> Drop for Misbehaving<'_, '_, FALSELY_FUSED> {
    fn drop(&mut self) {
        self.lending.plant_if(Misdeed::PanicsWhenDropped);
    }
}

/// Lends a descriptor: sometimes by way of an `AsFd` that has another each time it is asked.
struct Lent<'fd, 'h> {
    lending: &'h Lending<'fd, 'h>,
    index: usize,
    which: usize,
}

struct Changing<'fd, 'h>(&'h Lent<'fd, 'h>, Cell<usize>);

impl AsFd for Changing<'_, '_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.1.set(self.1.get() + 1);
        self.0.lending.shared.world.lent(self.0.which + self.1.get())
    }
}

impl<'fd> LendFd<'fd> for Lent<'fd, '_> {
    fn lend_fd(self) -> BorrowedFd<'fd> {
        let Lending { shared, numbers, .. } = self.lending;
        self.lending.plant_if(Misdeed::PanicsWhenItLends(self.index));
        let world = shared.world;
        let descriptor = if self.which % 3 == 0 {
            let changing = Changing(&self, Cell::new(0));
            let (first, second) = (changing.as_fd().as_raw_fd(), changing.as_fd().as_raw_fd());
            assert_ne!(first, second);
            world.lent(self.which + changing.1.get())
        } else {
            world.lent(self.which)
        };
        numbers.borrow_mut().push(descriptor.as_raw_fd());
        descriptor
    }
}

/// Pushes what such an iterator lends. What is in the writer then is what was lent, whole, or nothing of it.
pub fn lend<'fd>(
    shared: &Shared<'fd>,
    control: &mut ControlWriter<'fd>,
    indices: &[usize],
    misdeed: Misdeed,
) -> Result<(), PushError> {
    let lending = Lending { shared, misdeed, numbers: RefCell::default() };
    let before = control.as_bytes().to_vec();
    let pushed = planted(|| match misdeed {
        Misdeed::ResumesFalselyFused(_) => {
            let (lending, at) = (&lending, 0);
            let iterator = Misbehaving::<true> { lending, indices, at, ended: false, asked: Cell::new(0) };
            control.push(ScmRights(iterator))
        }
        _ => control.push(ScmRights(Many { lending: &lending, indices })),
    });
    let numbers = lending.numbers.take();
    let payload: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
    let appended = control.used() > before.len();
    assert!(control.as_bytes().starts_with(&before));
    if appended {
        let last = ControlMessages::new(control.as_bytes()).last().unwrap().unwrap();
        assert_eq!(((last.level(), last.message_type()), last.payload()), (RIGHTS, &payload[..]));
        shared.record(RIGHTS.0, RIGHTS.1, payload);
    }
    match pushed {
        Some(Ok(())) => {
            assert!(appended);
            if !matches!(misdeed, Misdeed::Resumes(_) | Misdeed::ResumesFalselyFused(_)) {
                assert_eq!(numbers.len(), indices.len(), "not all that could be lent was");
            }
            happened("an iterator whose descriptors were pushed");
        }
        Some(Err(error)) => {
            assert!(!appended);
            match error {
                PushError::BufferTooSmall { needed, available } => assert!(needed > available),
                PushError::TooManyDescriptors { count, max } => assert!(count > max && max == SCM_MAX_FD),
                error => panic!("{error}"),
            }
        }
        // Only what is dropped after the message is written can have left it there.
        None => {
            assert!(!appended || misdeed == Misdeed::PanicsWhenDropped);
            plant();
        }
    }
    pushed.unwrap_or(Ok(()))
}

/// Fails, after it has pushed something.
struct Failing<'fd>(BorrowedFd<'fd>);

impl<'fd> EncodeMessage<'fd> for Failing<'fd> {
    fn push_to(self, control: &mut ControlWriter<'fd>) -> Result<(), PushError> {
        control.push(ScmRights([self.0]))?;
        control.push_raw(RIGHTS.0, RIGHTS.1, &[0; 4])
    }
}

/// Pushes several messages as one: all of them, or none.
pub fn lend_together<'fd>(
    shared: &Shared<'fd>,
    control: &mut ControlWriter<'fd>,
    indices: &[usize],
    fails: bool,
) -> Result<(), PushError> {
    let world = shared.world;
    let before = control.as_bytes().to_vec();
    let none: Option<ScmRights<Vec<BorrowedFd<'fd>>>> = None;
    let first = ScmRights(world.some(indices));
    let second = Some(ScmRights([world.lent(indices.len() % LENT)]));
    let pushed = control.push((first, none, (second, fails.then(|| Failing(world.lent(0))))));
    assert!(pushed.is_err() || !fails);
    match pushed {
        Ok(()) => {
            happened("messages that were pushed together");
            for lent in [world.some(indices), vec![world.lent(indices.len() % LENT)]] {
                let numbers = lent.iter().flat_map(|one| one.as_raw_fd().to_ne_bytes()).collect();
                shared.record(RIGHTS.0, RIGHTS.1, numbers);
            }
        }
        Err(_) => assert_eq!(control.as_bytes(), before, "a push that failed has changed something"),
    }
    pushed
}
