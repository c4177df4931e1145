//! What lends descriptors to a message: every list, and every iterator, whatever it says of its length and does.

#![cfg(sockets)]

use ancillary::message::{ControlKind, LendFd, SCM_MAX_FD, ScmRights, ScmRightsNumbers};
use ancillary::received::recvmsg;
use ancillary::socket::sendmsg;
use ancillary::{ControlBuffer, ControlMessages, ControlWriter, Layout, Message, PushError, control_space};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::io::{IoSlice, IoSliceMut};
use rustix::net::{RecvFlags, SendFlags};
use std::cell::Cell;
use std::fs::File;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

const ROOM: usize = 256;

fn files(count: usize) -> Vec<OwnedFd> {
    (0..count).map(|_| rustix::pipe::pipe().unwrap().0).collect()
}

fn numbers_of(files: &[impl AsRawFd]) -> Vec<RawFd> {
    files.iter().map(AsRawFd::as_raw_fd).collect()
}

/// The numbers in each message, which is an `SCM_RIGHTS`.
fn numbers_in(control: &ControlWriter<'_>) -> Vec<Vec<RawFd>> {
    let numbers = |message: ancillary::ControlMessage<'_>| {
        message.decode::<ScmRightsNumbers<'_>>().unwrap().unwrap().map(Result::unwrap).collect()
    };
    ControlMessages::new(control.as_bytes()).map(|message| numbers(message.unwrap())).collect()
}

fn same_file(one: impl AsFd, other: impl AsFd) -> bool {
    let (one, other) = (rustix::fs::fstat(one).unwrap(), rustix::fs::fstat(other).unwrap());
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// Sends it, and receives what arrives.
fn arriving(control: &ControlWriter<'_>) -> Vec<OwnedFd> {
    let (here, there) = UnixStream::pair().unwrap();
    sendmsg(&here, &[IoSlice::new(b"x")], control, SendFlags::empty()).unwrap();
    let mut space = ControlBuffer::<{ 8 * ROOM }>::new();
    let mut data = [0; 1];
    let received = recvmsg(&there, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty()).unwrap();
    received.complete().unwrap().take_descriptors().unwrap().collect()
}

/// Gives what another iterator gives, and says of its length what it is told to.
struct Says<I>(I, (usize, Option<usize>));

impl<I: Iterator> Iterator for Says<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.1
    }
}

#[test]
fn every_list_of_what_has_a_descriptor() {
    let owned = [files(1).remove(0), files(1).remove(0)];
    let files: Vec<File> = owned.iter().map(|file| File::from(file.try_clone().unwrap())).collect();
    let (stream, _other) = UnixStream::pair().unwrap();
    let borrowed = [owned[0].as_fd(), owned[1].as_fd()];
    let mixed: [&dyn AsFd; 2] = [&stream, &owned[0]];
    let boxed = vec![Box::new(&stream)];
    // A macro, as each is of another type.
    macro_rules! assert_pushes {
        ($list:expr, $expected:expr) => {
            let mut space = ControlBuffer::<ROOM>::new();
            let mut control = space.writer();
            control.push(ScmRights($list)).unwrap();
            let expected: Vec<RawFd> = $expected.to_vec();
            assert_eq!(numbers_in(&control), [&expected[..]], "{}", stringify!($list));
            let files = arriving(&control);
            let is_same = |(arrived, number): (&OwnedFd, &RawFd)| {
                // SAFETY: it is the number of a descriptor of this test, which stays open until after this.
                same_file(arrived, unsafe { BorrowedFd::borrow_raw(*number) })
            };
            assert_eq!(files.len(), expected.len());
            assert!(files.iter().zip(&expected).all(is_same), "{}", stringify!($list));
        };
    }
    let both = numbers_of(&owned);
    assert_pushes!(&owned, both);
    assert_pushes!(&owned[..], both);
    assert_pushes!(owned.iter(), both);
    assert_pushes!([&owned[0], &owned[1]], both);
    assert_pushes!(borrowed, both);
    assert_pushes!(&borrowed, both);
    assert_pushes!(borrowed.to_vec(), both);
    assert_pushes!(owned.iter().map(AsFd::as_fd), both);
    assert_pushes!(owned.iter().filter(|file| file.as_raw_fd() == both[1]), both[1..]);
    assert_pushes!(owned.iter().chain([&owned[0]]), [&both[..], &both[..1]].concat());
    assert_pushes!(std::iter::once(owned[0].as_fd()), both[..1]);
    assert_pushes!(Some(&owned[1]), both[1..]);
    assert_pushes!(&files, numbers_of(&files));
    assert_pushes!(files.iter().rev(), [files[1].as_raw_fd(), files[0].as_raw_fd()]);
    assert_pushes!([&stream], [stream.as_raw_fd()]);
    assert_pushes!(mixed, [stream.as_raw_fd(), both[0]]);
    assert_pushes!(&boxed, [stream.as_raw_fd()]);
}

/// What it says is a hint: the bytes are those of an array, however many it gives.
#[test]
fn a_hint_is_not_believed() {
    let lent = files(5);
    for count in 0..=lent.len() {
        let mut memory = [0xff; ROOM];
        let mut control = ControlWriter::new(&mut memory);
        control.push(ScmRights(&lent[..count])).unwrap();
        let expected = control.as_bytes();
        for least in 0..=2 * lent.len() {
            for most in [None, Some(0), Some(least), Some(usize::MAX)] {
                let mut memory = [0xee; ROOM];
                let mut control = ControlWriter::new(&mut memory);
                control.push(ScmRights(Says(lent[..count].iter(), (least, most)))).unwrap();
                assert_eq!(control.as_bytes(), expected, "{count} of {least}");
                control.push_raw(280, 7, b"next").unwrap();
                assert_eq!(ControlMessages::new(control.as_bytes()).map(Result::unwrap).count(), 2);
            }
        }
    }
}

/// Of those that fit, any number does, to the last byte, whatever is said.
#[test]
fn no_room_at_the_edge() {
    let lent = files(4);
    for room in 0..=Layout::NATIVE.space(16).unwrap() {
        for least in 0..=4 {
            let mut memory = vec![0xee; room];
            let mut control = ControlWriter::new(memory.as_mut_slice());
            let pushed = control.push(ScmRights(Says(lent.iter(), (least, None))));
            if room >= Layout::NATIVE.len(16).unwrap() {
                assert_eq!((pushed, numbers_in(&control)), (Ok(()), vec![numbers_of(&lent)]));
            } else {
                assert!(
                    matches!(pushed, Err(PushError::BufferTooSmall { needed, available }) if needed > room && available == room)
                );
                assert!(control.is_empty());
            }
        }
    }
}

#[test]
fn more_than_there_can_be() {
    let lent = files(1);
    let mut memory = [0xee; ROOM];
    let mut control = ControlWriter::new(&mut memory);
    control.push_raw(280, 7, b"before").unwrap();
    let before = control.as_bytes().to_vec();
    for least in [usize::MAX, usize::MAX / 4, usize::MAX / 4 + 1, isize::MAX as usize] {
        assert!(control.push(ScmRights(Says(lent.iter(), (least, None)))).is_err(), "{least}");
        assert_eq!(control.as_bytes(), before);
    }
}

/// It ends where the room does, or where the system's limit is.
#[test]
fn an_endless_iterator_is_refused() {
    let lent = &files(1)[0];
    let endless = || std::iter::repeat(lent);
    let mut memory = [0xee; 16384];
    for (room, least) in [ROOM, 16384].into_iter().flat_map(|room| [(room, 0), (room, 3), (room, usize::MAX)]) {
        let mut control = ControlWriter::new(&mut memory[..room]);
        control.push(ScmRights([lent])).unwrap();
        let (before, available) = (control.as_bytes().to_vec(), control.available());
        let error = control.push(ScmRights(Says(endless(), (least, None)))).unwrap_err();
        let fitting = (available - Layout::NATIVE.data_offset()) / 4;
        if least <= fitting {
            let expected = if fitting + 1 < SCM_MAX_FD {
                PushError::BufferTooSmall { needed: Layout::NATIVE.len(4 * (fitting + 1)).unwrap(), available }
            } else {
                PushError::TooManyDescriptors { count: SCM_MAX_FD + 1, max: SCM_MAX_FD }
            };
            assert_eq!(error, expected, "{room} {least}");
        }
        assert_eq!(control.as_bytes(), before);
        control.push(ScmRights(endless().take(2))).unwrap();
        assert_eq!(numbers_in(&control), [vec![lent.as_raw_fd()], vec![lent.as_raw_fd(); 2]]);
    }
}

/// Whatever unwinds: the iterator when it begins, in the middle or after its end, or what lends a descriptor.
#[test]
fn nothing_of_what_unwinds_arrives() {
    /// Lends a descriptor, or unwinds.
    struct Lends<'fd>(Option<BorrowedFd<'fd>>);

    impl<'fd> LendFd<'fd> for Lends<'fd> {
        fn lend_fd(self) -> BorrowedFd<'fd> {
            self.0.unwrap_or_else(|| resume_unwind(Box::new("lend_fd")))
        }
    }

    let (lent, others) = (files(3), files(2));
    for at in 0..=lent.len() {
        for least in [0, 1, 3, 5] {
            let mut memory = [0xee; ROOM];
            let mut control = ControlWriter::new(&mut memory);
            control.push(ScmRights([&others[0]])).unwrap();
            let before = control.as_bytes().to_vec();
            let given = Cell::new(0);
            let next = || {
                if given.get() == at {
                    resume_unwind(Box::new("next"));
                }
                given.set(given.get() + 1);
                lent.get(given.get() - 1)
            };
            let unwinding = Says(std::iter::from_fn(next), (least, None));
            assert!(catch_unwind(AssertUnwindSafe(|| control.push(ScmRights(unwinding)))).is_err());
            assert_eq!((control.as_bytes(), given.get()), (&before[..], at));

            let lends = lent[..at].iter().map(|file| Lends(Some(file.as_fd()))).chain([Lends(None)]);
            let unwinding = Says(lends, (least, None));
            assert!(catch_unwind(AssertUnwindSafe(|| control.push(ScmRights(unwinding)))).is_err());
            assert_eq!(control.as_bytes(), before);

            // It is as good as before: the next one begins where that would have.
            control.push_raw(280, 7, b"").unwrap();
            control.clear();
            control.push(ScmRights(&others)).unwrap();
            assert_eq!(numbers_in(&control), [numbers_of(&others)]);
            let arrived = arriving(&control);
            assert!(arrived.len() == 2 && arrived.iter().zip(&others).all(|(one, other)| same_file(one, other)));
        }
    }
}

/// Between two messages there is no array: what is looked at is lent on.
#[test]
fn what_was_received_is_forwarded() {
    let sent = files(3);
    let ((here, proxy), (other_proxy, there)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
    let mut space = ControlBuffer::<{ control_space!(ScmRights[3]) }>::new();
    let mut control = space.writer();
    control.push(ScmRights(&sent)).unwrap();
    sendmsg(&here, &[IoSlice::new(b"x")], &control, SendFlags::empty()).unwrap();
    drop(sent);

    let (mut data, mut other_space) = ([0; 1], ControlBuffer::<{ control_space!(ScmRights[3]) }>::new());
    let received = recvmsg(&proxy, &mut [IoSliceMut::new(&mut data)], &mut space, RecvFlags::empty()).unwrap();
    let mut control = other_space.writer();
    for message in received.messages() {
        if let Message::ScmRights(descriptors) = message.unwrap() {
            control.push(ScmRights(descriptors)).unwrap();
        }
    }
    sendmsg(&other_proxy, &[IoSlice::new(b"x")], &control, SendFlags::empty()).unwrap();
    let Some(Ok(Message::ScmRights(forwarded))) = received.messages().next() else { panic!() };

    let (mut data, mut last) = ([0; 1], ControlBuffer::<{ control_space!(ScmRights[3]) }>::new());
    let mut arrived = recvmsg(&there, &mut [IoSliceMut::new(&mut data)], &mut last, RecvFlags::empty()).unwrap();
    let arrived: Vec<_> = arrived.take_descriptors().unwrap().collect();
    assert_eq!((arrived.len(), forwarded.len()), (3, 3));
    assert!(arrived.iter().zip(forwarded).all(|(one, other)| same_file(one, other)));
}

/// One that is taken has an owner, which is lent.
#[test]
fn what_was_taken_is_forwarded() {
    let sent = files(2);
    let mut space = ControlBuffer::<ROOM>::new();
    let mut control = space.writer();
    control.push(ScmRights(&sent)).unwrap();
    let taken = arriving(&control);
    let mut space = ControlBuffer::<ROOM>::new();
    let mut control = space.writer();
    control.push(ScmRights(&taken)).unwrap();
    assert!(arriving(&control).iter().zip(&sent).all(|(one, other)| same_file(one, other)));
}

/// A raw message of so many bytes.
struct Raw(usize);

impl ControlKind for Raw {
    const LEVEL: i32 = 280;
    const TYPE: i32 = 7;
}

impl ancillary::message::EncodeMessage<'_> for Raw {
    fn push_to(self, control: &mut ControlWriter<'_>) -> Result<(), PushError> {
        control.push_raw(Self::LEVEL, Self::TYPE, &vec![7; self.0])
    }
}

fn payload_lengths(control: &ControlWriter<'_>) -> Vec<usize> {
    ControlMessages::new(control.as_bytes()).map(|message| message.unwrap().payload().len()).collect()
}

#[test]
fn options_and_tuples_are_pushed_in_order() {
    let lent = files(2);
    let mut memory = [0xee; ROOM];
    let mut control = ControlWriter::new(&mut memory);
    control.push(None::<Raw>).unwrap();
    assert!(control.is_empty());
    control.push(Some(Raw(1))).unwrap();
    assert_eq!(payload_lengths(&control), [1]);
    control.clear();
    control.push((Raw(1),)).unwrap();
    assert_eq!(payload_lengths(&control), [1]);
    control.clear();
    control.push((Raw(1), Raw(2), Raw(3), None::<Raw>, Raw(4), Raw(5), Raw(6), Raw(7))).unwrap();
    assert_eq!(payload_lengths(&control), [1, 2, 3, 4, 5, 6, 7]);
    control.clear();
    control.push((Raw(1), Some((Raw(2), ScmRights(&lent))), (Raw(3), (Raw(4), Raw(5))), None::<(Raw, Raw)>)).unwrap();
    assert_eq!(payload_lengths(&control), [1, 2, 8, 3, 4, 5]);
}

#[test]
fn of_a_tuple_that_fails_nothing_is_pushed() {
    let lent = files(2);
    let mut memory = [0xee; ROOM];
    let mut control = ControlWriter::new(&mut memory);
    control.push(Raw(6)).unwrap();
    let before = control.as_bytes().to_vec();
    let too_long = || Raw(ROOM);
    type Push<'p> = &'p dyn Fn(&mut ControlWriter<'_>) -> Result<(), PushError>;
    let pushes: [Push<'_>; 7] = [
        &|control| control.push(Some(too_long())),
        &|control| control.push((too_long(), Raw(1))),
        &|control| control.push((Raw(1), too_long())),
        &|control| control.push((Raw(1), Raw(2), Raw(3), Raw(4), Raw(5), Raw(6), Raw(7), too_long())),
        &|control| control.push((Raw(1), Some((Raw(2), too_long())))),
        &|control| control.push(((Raw(1), Raw(2)), (Raw(3), Some(too_long())), Raw(4))),
        &|control| control.push((Raw(1), ScmRights(&[] as &[OwnedFd]), too_long())),
    ];
    for (index, push) in pushes.into_iter().enumerate() {
        assert!(matches!(push(&mut control), Err(PushError::BufferTooSmall { .. })), "{index}");
        assert_eq!(control.as_bytes(), before, "{index}");
    }
    assert!(control.push((ScmRights(&lent), Raw(1), ScmRights(std::iter::repeat(&lent[0])))).is_err());
    assert!(control.push((ScmRights(&lent), Raw(1), too_long())).is_err());
    assert_eq!(control.as_bytes(), before);
    control.clear();
    control.push(ScmRights([&lent[1]])).unwrap();
    let arrived = arriving(&control);
    assert!(arrived.len() == 1 && same_file(&arrived[0], &lent[1]));
}

/// Nor do the descriptors of one that failed count.
#[test]
fn descriptors_of_a_tuple_that_failed_are_not_counted() {
    let lent = &files(1)[0];
    let max = SCM_MAX_FD.min(300);
    let mut memory = [0xee; 2048];
    let mut control = ControlWriter::new(&mut memory);
    for _ in 0..2 {
        assert!(control.push((ScmRights(std::iter::repeat_n(lent, max)), Raw(2048))).is_err());
    }
    control.push(ScmRights(std::iter::repeat_n(lent, max))).unwrap();
    if max == SCM_MAX_FD {
        let error = PushError::TooManyDescriptors { count: max + 1, max };
        assert_eq!(control.push((Some(ScmRights([lent])), Raw(1))), Err(error));
    }
}

/// However they came, those that were pushed count.
#[test]
fn descriptors_of_an_inexact_iterator_are_counted() {
    let lent = &files(1)[0];
    let max = SCM_MAX_FD.min(300);
    for least in [0, 1, max / 2, max] {
        let mut memory = [0xee; 4096];
        let mut control = ControlWriter::new(&mut memory);
        let some = |count| ScmRights(Says(std::iter::repeat_n(lent, count), (least.min(count), None)));
        control.push(some(max / 2)).unwrap();
        control.push(some(max - max / 2)).unwrap();
        if max == SCM_MAX_FD {
            assert_eq!(control.push(some(1)), Err(PushError::TooManyDescriptors { count: max + 1, max }), "{least}");
        }
    }
}
