//! What a push leaves behind that fails: also where the message is somebody else's code, which may do to the writer what
//! safe code can.

#![cfg(sockets)]

use ancillary::message::{ControlKind, EncodeMessage, SCM_MAX_FD, ScmRights};
use ancillary::{ControlMessages, ControlWriter, Layout, PushError};
use rustix::fd::AsFd;
use std::cell::Cell;

/// A message that pushes two, of which the second does not fit, leaves nothing behind.
#[test]
fn a_push_that_fails_half_way_changes_nothing() {
    struct Two;
    impl ControlKind for Two {
        const LEVEL: i32 = 280;
        const TYPE: i32 = 7;
    }
    impl EncodeMessage<'_> for Two {
        fn push_to(self, control: &mut ControlWriter<'_>) -> Result<(), PushError> {
            control.push_raw(Self::LEVEL, Self::TYPE, b"one")?;
            control.push_raw(Self::LEVEL, Self::TYPE, &[0; 100])
        }
    }
    let mut bytes = [0; 64];
    let mut writer = ControlWriter::new(&mut bytes);
    writer.push_raw(280, 6, b"before").unwrap();
    let before = writer.as_bytes().to_vec();
    assert!(writer.push(Two).is_err());
    assert_eq!(writer.as_bytes(), before);
}

/// Does something to the writer it is pushed to, and fails.
struct Misbehaves<F>(F);

impl<F> ControlKind for Misbehaves<F> {
    const LEVEL: i32 = 280;
    const TYPE: i32 = 7;
}

impl<'fd, F: Fn(&mut ControlWriter<'fd>)> EncodeMessage<'fd> for Misbehaves<F> {
    fn push_to(self, control: &mut ControlWriter<'fd>) -> Result<(), PushError> {
        (self.0)(control);
        control.push_raw(<ScmRights>::LEVEL, <ScmRights>::TYPE, b"")
    }
}

/// Were it so, the middle of a message could become a header, and its payload `SCM_RIGHTS`.
#[test]
fn a_writer_never_ends_in_the_middle_of_a_message() {
    let raw = |control: &mut ControlWriter<'_>, len: usize| control.push_raw(280, 7, &[0; 64][..len]).unwrap();
    let space = |len| Layout::NATIVE.space(len).unwrap();
    for (before, after) in [(8, vec![32]), (8, vec![8, 8]), (8, vec![0, 32]), (40, vec![8]), (40, vec![]), (0, vec![1])]
    {
        let mut memory = [0; 256];
        let mut writer = ControlWriter::new(&mut memory);
        raw(&mut writer, before);
        let misbehaves = Misbehaves(|control: &mut ControlWriter<'_>| {
            control.clear();
            after.iter().for_each(|len| raw(control, *len));
        });
        assert!(writer.push(misbehaves).is_err());
        // It is as long as before if that is where a message ends, and empty otherwise.
        let ends: Vec<usize> = after.iter().scan(0, |end, len| Some((*end += space(*len), *end).1)).collect();
        let kept = if ends.contains(&space(before)) { space(before) } else { 0 };
        assert_eq!(writer.used(), kept, "{before} {after:?}");
        raw(&mut writer, 3);
        assert_eq!(ControlMessages::new(writer.as_bytes()).map(Result::unwrap).count(), usize::from(kept > 0) + 1);
    }
}

/// Puts another writer in the place of the one it is pushed to, and fails.
struct Exchanges<'a>(Cell<Option<ControlWriter<'a>>>);

impl ControlKind for Exchanges<'_> {
    const LEVEL: i32 = 280;
    const TYPE: i32 = 7;
}

impl<'fd> EncodeMessage<'fd> for Exchanges<'fd> {
    fn push_to(self, control: &mut ControlWriter<'fd>) -> Result<(), PushError> {
        *control = self.0.take().unwrap();
        control.push_raw(<ScmRights>::LEVEL, <ScmRights>::TYPE, b"")
    }
}

#[test]
fn a_writer_that_was_exchanged_ends_where_its_own_messages_end() {
    // The last message may be without its padding: it ends where none of the other's can.
    let (mut short, mut long) = (vec![0; Layout::NATIVE.len(1).unwrap()], [0; 256]);
    let mut writer = ControlWriter::new(short.as_mut_slice());
    writer.push_raw(280, 7, b"x").unwrap();
    let mut other = ControlWriter::new(&mut long);
    other.push_raw(280, 7, b"8 bytes!").unwrap();
    assert!(writer.push(Exchanges(Cell::new(Some(other)))).is_err());
    assert_eq!((writer.used(), writer.available()), (0, 256));
}

/// The system takes so many in one call, whatever was pushed in vain in between.
#[test]
fn what_was_pushed_in_vain_is_not_counted() {
    let input = std::io::stdin();
    // Where the number is unlimited, all of this succeeds.
    let max = SCM_MAX_FD.min(300);
    let half = vec![input.as_fd(); max / 2];
    let mut memory = [0; 8192];
    let mut writer = ControlWriter::new(&mut memory);
    writer.push(ScmRights(&half)).unwrap();
    let pushes = Misbehaves(|control: &mut ControlWriter<'_>| control.push_raw(280, 7, b"in vain").unwrap());
    assert!(writer.push(pushes).is_err());
    writer.push(ScmRights(&half)).unwrap();
    let error = PushError::TooManyDescriptors { count: max / 2 * 3, max };
    assert_eq!(writer.push(ScmRights(&half)), if max == SCM_MAX_FD { Err(error) } else { Ok(()) });
}

/// To be said: what a message has appended before it panics stays, and is whole.
#[test]
fn a_push_that_panics_half_way_is_not_taken_back() {
    let panics = Misbehaves(|control: &mut ControlWriter<'_>| {
        control.push_raw(280, 7, b"half").unwrap();
        std::panic::resume_unwind(Box::new("in the message"));
    });
    let mut memory = [0; 64];
    let mut writer = ControlWriter::new(&mut memory);
    writer.push_raw(280, 6, b"before").unwrap();
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| writer.push(panics)));
    assert!(unwound.is_err());
    let payloads: Vec<_> = ControlMessages::new(writer.as_bytes()).map(|message| message.unwrap().payload()).collect();
    assert_eq!(payloads, [b"before", &b"half"[..]]);
}
