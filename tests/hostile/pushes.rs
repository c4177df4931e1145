//! Messages that do to the writer they are pushed to whatever safe code can.
#![forbid(unsafe_code)]

use crate::iterators::{self, Misdeed, every_misdeed};
use crate::rounds::{Random, happened, plant};
use crate::world::{LENT, NATIVE, RIGHTS, World};
use ancillary::control::StopReason;
use ancillary::message::{ControlKind, EncodeMessage, SCM_MAX_FD, ScmRights};
use ancillary::{ControlMessages, ControlWriter, Layout, PushError};
use rustix::fd::{AsRawFd, BorrowedFd};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::mem::{forget, replace, swap};

const LEVEL: i32 = 280;

/// One thing that a message does to its writer.
#[derive(Clone, Debug)]
pub enum Step {
    Raw(usize),
    /// A payload that looks like messages with descriptors, from this byte on.
    Forged(usize, usize),
    /// Reserves so many bytes, and fills them with such a payload; or panics before that.
    Reserved(usize, bool),
    Lent(Vec<usize>),
    /// The same from an iterator that misbehaves.
    Iterated(Vec<usize>, Misdeed),
    /// Several messages at once, the last of which fails or not.
    Together(Vec<usize>, bool),
    /// Plain numbers as `SCM_RIGHTS`, which a writer refuses.
    Refused,
    /// What does not fit, however long the buffer is.
    Endless(usize),
    /// Messages of another layout, `SCM_RIGHTS` among them or not.
    Translated(bool),
    Clear,
    /// Another writer instead of this one, which lives on elsewhere.
    Swap,
    /// None instead of this one, which lives on elsewhere.
    Take,
    /// Another instead of this one, which is dropped, or forgotten.
    Replace(bool),
    /// Sends what there is by now.
    Send,
    /// Pushes a message of the same kind.
    Push(Vec<Step>, End),
    Panic,
}

/// How a push ends that gets there.
#[derive(Clone, Copy, Debug)]
pub enum End {
    Succeeds,
    Fails,
    Panics,
}

pub const ENDS: [End; 3] = [End::Succeeds, End::Fails, End::Panics];

/// Each step once.
pub fn every_step(random: &mut Random) -> Vec<Step> {
    let (len, shift) = (random.below(90), random.below(NATIVE.space(8).unwrap()));
    let lent = indices(random);
    let misdeeds = every_misdeed(random, lent.len());
    let mut every = vec![
        Step::Raw(len),
        Step::Forged(shift, 40 + len),
        Step::Reserved(40 + len, true),
        Step::Reserved(len, false),
        Step::Lent((0..random.below(5)).collect()),
        Step::Iterated(lent.clone(), random.of(&misdeeds)),
        Step::Together(lent.clone(), random.one_in(3)),
        Step::Refused,
        Step::Endless(random.of(&[5000, 1 << 31, usize::MAX / 2, usize::MAX - 16, usize::MAX])),
        Step::Translated(false),
        Step::Translated(true),
        Step::Clear,
        Step::Swap,
        Step::Take,
        Step::Replace(false),
        Step::Replace(true),
        Step::Send,
    ];
    every.extend(misdeeds.into_iter().map(|misdeed| Step::Iterated(lent.clone(), misdeed)));
    every.push(Step::Together(lent.clone(), true));
    every.push(Step::Push(vec![Step::Forged(shift, len), Step::Lent(vec![1])], random.of(&ENDS)));
    every.push(Step::Panic);
    every
}

/// A few steps, and in some of them as many again.
pub fn steps(random: &mut Random, depth: usize) -> Vec<Step> {
    let one = |random: &mut Random| {
        if depth > 0 && random.one_in(5) {
            return Step::Push(steps(random, depth - 1), random.of(&ENDS));
        }
        let every = every_step(random);
        // To push is what there is most of to break.
        let index = if random.one_in(2) { random.below(7) } else { random.below(every.len() - 2) };
        let panic = every.len() - 1;
        every.into_iter().nth(if random.one_in(24) { panic } else { index }).unwrap()
    };
    (0..random.below(6)).map(|_| one(random)).collect()
}

/// What all messages of a round share.
pub struct Shared<'fd> {
    pub world: &'fd World,
    /// The writers that can take the place of the one that is pushed to.
    pub spare: RefCell<Vec<ControlWriter<'fd>>>,
    /// Every message that was pushed whole.
    pushed: RefCell<BTreeSet<(i32, i32, Vec<u8>)>>,
    next_type: Cell<i32>,
    /// Whether the writer that is being pushed to was not only appended to.
    disturbed: Cell<bool>,
}

impl<'fd> Shared<'fd> {
    pub fn new(world: &'fd World, spare: Vec<ControlWriter<'fd>>) -> Self {
        let (pushed, next_type, disturbed) = (RefCell::default(), Cell::new(0), Cell::new(false));
        Shared { world, spare: RefCell::new(spare), pushed, next_type, disturbed }
    }

    /// The type of the next message: no two have the same.
    fn message_type(&self) -> i32 {
        self.next_type.set(self.next_type.get() + 1);
        self.next_type.get()
    }

    pub fn record(&self, level: i32, message_type: i32, payload: Vec<u8>) {
        self.pushed.borrow_mut().insert((level, message_type, payload));
    }

    /// Appends, or leaves the writer as it was.
    pub fn append(&self, control: &mut ControlWriter<'fd>, payload: Vec<u8>) -> Result<(), PushError> {
        let (before, message_type) = (control.as_bytes().to_vec(), self.message_type());
        let pushed = control.push_raw(LEVEL, message_type, &payload);
        match pushed {
            Ok(()) => self.record(LEVEL, message_type, payload),
            Err(_) => assert_eq!(control.as_bytes(), before, "a push that failed has changed something"),
        }
        pushed
    }

    pub fn lend(&self, control: &mut ControlWriter<'fd>, indices: &[usize]) -> Result<(), PushError> {
        let lent: Vec<BorrowedFd<'fd>> = self.world.some(indices);
        let before = control.as_bytes().to_vec();
        let pushed = control.push(ScmRights(lent.iter().copied()));
        match pushed {
            Ok(()) => {
                let numbers = lent.iter().flat_map(|one| one.as_raw_fd().to_ne_bytes()).collect();
                self.record(RIGHTS.0, RIGHTS.1, numbers);
            }
            Err(_) => assert_eq!(control.as_bytes(), before, "a push that failed has changed something"),
        }
        pushed
    }

    /// Pushes a message that misbehaves, and looks at what that has left behind.
    pub fn push(&self, control: &mut ControlWriter<'fd>, steps: &[Step], end: End) -> Result<(), PushError> {
        let before = control.as_bytes().to_vec();
        let outer = self.disturbed.replace(false);
        let pushed = control.push(Hostile { steps, end, shared: self });
        match (pushed.is_ok(), self.disturbed.get()) {
            (true, false) => assert!(control.as_bytes().starts_with(&before)),
            (false, false) => assert_eq!(control.as_bytes(), before, "a push that failed has changed something"),
            (false, true) => {
                assert!([0, before.len()].contains(&control.used()), "neither as long as before nor empty");
                happened("a push that failed after more than appending");
            }
            (true, true) => happened("a push that succeeded after more than appending"),
        }
        self.disturbed.set(self.disturbed.get() || outer);
        self.check(control);
        pushed
    }

    /// Every message in the writer is one that was pushed whole, in the order of the pushes, with zeros around it.
    pub fn check(&self, control: &mut ControlWriter<'fd>) {
        let mut again = vec![0xff; control.used()];
        let mut writer = ControlWriter::with_layout(NATIVE, again.as_mut_slice());
        let (mut last, mut descriptors) = (0, 0);
        let mut messages = ControlMessages::new(control.as_bytes());
        for message in messages.by_ref() {
            let message = message.expect("a writer holds messages only");
            let (level, message_type, payload) = (message.level(), message.message_type(), message.payload());
            let pushed = self.pushed.borrow().contains(&(level, message_type, payload.to_vec()));
            assert!(pushed, "nothing has pushed this: {message:?}");
            if (level, message_type) == RIGHTS {
                descriptors += payload.len() / 4;
            } else {
                assert!(message_type > last, "in another order, or twice");
                last = message_type;
            }
            writer.push_raw(level, message_type, payload).unwrap();
        }
        assert_eq!(messages.stop_reason(), Some(StopReason::EndOfBuffer));
        assert_eq!(writer.as_bytes(), control.as_bytes());
        // The writer says how many descriptors it counts, when it is asked for more than there may be.
        let too_many = std::iter::repeat_n(self.world.lent(0), SCM_MAX_FD + 1);
        let count = descriptors + SCM_MAX_FD + 1;
        let error = PushError::TooManyDescriptors { count, max: SCM_MAX_FD };
        assert_eq!(control.push(ScmRights(too_many)), Err(error), "the descriptors are counted wrongly");
    }
}

/// A message that takes these steps, and ends.
pub struct Hostile<'h, 'fd> {
    steps: &'h [Step],
    end: End,
    shared: &'h Shared<'fd>,
}

impl ControlKind for Hostile<'_, '_> {
    const LEVEL: i32 = RIGHTS.0;
    const TYPE: i32 = RIGHTS.1;
}

impl<'fd> EncodeMessage<'fd> for Hostile<'_, 'fd> {
    fn push_to(self, control: &mut ControlWriter<'fd>) -> Result<(), PushError> {
        for step in self.steps {
            // What does not fit is no reason to stop.
            let _ = self.take(step, control);
        }
        match self.end {
            End::Succeeds => Ok(()),
            End::Fails => control.push_raw(RIGHTS.0, RIGHTS.1, &self.shared.world.secret_numbers()),
            End::Panics => {
                happened("a panic at the end of a push");
                plant();
                Ok(())
            }
        }
    }
}

impl<'fd> Hostile<'_, 'fd> {
    fn take(&self, step: &Step, control: &mut ControlWriter<'fd>) -> Result<(), PushError> {
        let (shared, world) = (self.shared, self.shared.world);
        match step {
            Step::Raw(len) => shared.append(control, vec![7; *len]),
            Step::Forged(shift, len) => shared.append(control, world.forged(*shift, *len)),
            Step::Reserved(len, filled) => {
                let message_type = shared.message_type();
                let payload = control.reserve(LEVEL, message_type, *len)?;
                assert!(payload.len() == *len && payload.iter().all(|byte| *byte == 0));
                if *filled {
                    payload.copy_from_slice(&world.forged(*len % 24, *len));
                }
                shared.record(LEVEL, message_type, payload.to_vec());
                if !*filled && *len % 4 == 0 {
                    happened("a panic with a payload in hand");
                    plant();
                }
                Ok(())
            }
            Step::Lent(indices) => shared.lend(control, indices),
            Step::Iterated(indices, misdeed) => iterators::lend(shared, control, indices, *misdeed),
            Step::Together(indices, fails) => iterators::lend_together(shared, control, indices, *fails),
            Step::Refused => {
                // Descriptors, and addresses in this process (`SOL_RDS`, `RDS_CMSG_RDMA_ARGS`).
                for (level, message_type) in [RIGHTS, (276, 1)] {
                    let error = PushError::UnsafePayload { level, message_type };
                    assert_eq!(control.push_raw(level, message_type, &world.secret_numbers()), Err(error));
                    assert_eq!(control.reserve(level, message_type, 8).err(), Some(error));
                }
                Ok(())
            }
            Step::Endless(len) => {
                let refused = control.reserve(LEVEL, 0, *len).map(drop);
                assert!(matches!(refused, Err(PushError::BufferTooSmall { .. } | PushError::TooLong { .. })));
                Ok(())
            }
            Step::Translated(with_descriptors) => self.translate(control, *with_descriptors),
            Step::Send => {
                happened("a writer that was sent in the middle of a push");
                world.deliver(control);
                Ok(())
            }
            Step::Push(steps, end) => {
                happened("a push in a push");
                shared.push(control, steps, *end)
            }
            Step::Panic => {
                happened("a panic in the middle of a push");
                plant();
                Ok(())
            }
            Step::Clear | Step::Swap | Step::Take | Step::Replace(_) => {
                shared.disturbed.set(true);
                exchange(step, control, &mut shared.spare.borrow_mut());
                Ok(())
            }
        }
    }

    /// Pushes messages of another layout, all or none.
    fn translate(&self, control: &mut ControlWriter<'fd>, with_descriptors: bool) -> Result<(), PushError> {
        let (shared, mut bytes) = (self.shared, [0; 128]);
        let mut other = ControlWriter::with_layout(Layout::LINUX_32, &mut bytes);
        let types = [shared.message_type(), shared.message_type()];
        let payload = shared.world.forged(types[0] as usize % 24, 30);
        other.push_raw(LEVEL, types[0], &payload)?;
        if with_descriptors {
            other.push_raw(RIGHTS.0, RIGHTS.1, &shared.world.secret_numbers())?;
        }
        other.push_raw(LEVEL, types[1], &payload)?;
        let before = control.as_bytes().to_vec();
        match control.push_all(ControlMessages::with_layout(Layout::LINUX_32, other.as_bytes())) {
            Ok(_) => {
                assert!(!with_descriptors, "plain numbers were taken");
                types.iter().for_each(|message_type| shared.record(LEVEL, *message_type, payload.clone()));
            }
            Err(_) => assert_eq!(control.as_bytes(), before, "a translation that failed has changed something"),
        }
        Ok(())
    }
}

/// Does more to the writer than appending.
fn exchange<'fd>(step: &Step, control: &mut ControlWriter<'fd>, spare: &mut Vec<ControlWriter<'fd>>) {
    match (step, spare.pop()) {
        (Step::Clear, _) => control.clear(),
        (Step::Swap, Some(mut other)) => {
            happened("a writer that was swapped");
            swap(control, &mut other);
            spare.insert(0, other);
        }
        (Step::Replace(forgotten), Some(other)) => {
            happened("a writer that was replaced");
            let this = replace(control, other);
            if *forgotten { forget(this) } else { drop(this) }
        }
        (_, other) => {
            happened("a writer that was taken");
            spare.push(replace(control, ControlWriter::empty()));
            spare.extend(other);
        }
    }
}

/// The indices of files to lend, as many as a message seldom has.
pub fn indices(random: &mut Random) -> Vec<usize> {
    let count = if random.one_in(40) { random.below(254) } else { random.below(4) };
    (0..count).map(|_| random.below(LENT)).collect()
}
