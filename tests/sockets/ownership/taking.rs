//! Taking hands over everything when it begins: what a walk has not yielded is closed when the walk is dropped, not later.

use super::{open_of, received_with, two_messages, two_messages_of};
use crate::support::*;
use crate::tests;
use ancillary::received::TakeMessages;
use ancillary::received::recvmmsg;
use ancillary::{Message, Received};
use rustix::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use rustix::io::IoSliceMut;
use rustix::net::{RecvFlags, SocketType};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

tests![
    some_are_taken_and_the_rest_is_closed_at_once,
    messages_that_a_walk_has_not_come_to_are_closed_at_once,
    a_list_that_is_dropped_closes_its_own,
    a_list_that_is_kept_outlives_its_walk,
    taken_ones_outlive_what_they_came_from,
    messages_outlive_what_they_came_from,
    messages_of_a_batch_outlive_their_message,
    a_walk_that_takes_can_go_to_another_thread,
    closing_twice_would_be_seen,
    one_by_one_and_then_the_rest,
    a_panic_in_what_is_done_with_each,
    a_panic_while_a_vector_is_filled,
    a_panic_in_what_is_done_with_each_message,
    two_owners_change_places,
];

fn some_are_taken_and_the_rest_is_closed_at_once() {
    for count in [1, 4, 253] {
        for taken in [0, 1, count / 2, count] {
            let mut room = [0xff; 2048];
            let mut received = received_with(count, &mut room);
            let before = open_descriptors().len();
            let kept: Vec<OwnedFd> = received.take_descriptors().unwrap().take(taken).collect();
            assert_eq!((kept.len(), open_descriptors().len()), (taken, before - (count - taken)));
            drop(received);
            assert_eq!(open_descriptors().len(), before - (count - taken));
            assert!(kept.iter().all(|descriptor| rustix::fs::fstat(descriptor).is_ok()));
        }
    }
}

fn messages_that_a_walk_has_not_come_to_are_closed_at_once() {
    let sent = files(4);
    for walked in 0..=4 {
        let numbers = ownerless_duplicates(&sent);
        let mut control = two_messages_of(&numbers);
        let mut received = received_of(&mut control);
        let mut taking = received.take_messages();
        let kept: Vec<Message<'_>> = taking.by_ref().take(walked).map(Result::unwrap).collect();
        assert_eq!(open_of(&numbers), numbers, "the walk owns the rest");
        drop(taking);
        let expected = [0, 2, 2, 4, 4][walked];
        assert_eq!(open_of(&numbers), numbers[..expected], "{walked}");
        drop(kept);
        assert!(open_of(&numbers).is_empty(), "{walked}");
        drop(received);
    }
}

fn a_list_that_is_dropped_closes_its_own() {
    let sent = files(4);
    for taken in 0..=2 {
        let numbers = ownerless_duplicates(&sent);
        let mut control = two_messages_of(&numbers);
        let mut received = received_of(&mut control);
        let mut taking = received.take_messages();
        let Some(Ok(Message::ScmRights(descriptors))) = taking.next() else { panic!() };
        let kept: Vec<OwnedFd> = descriptors.take(taken).collect();
        assert_eq!(open_of(&numbers), [&numbers[..taken], &numbers[2..]].concat());
        drop((kept, taking));
        assert!(open_of(&numbers).is_empty());
    }
}

fn a_list_that_is_kept_outlives_its_walk() {
    let sent = files(4);
    let mut control = two_messages(&sent);
    let mut received = received_of(&mut control);
    let Some(Ok(Message::ScmRights(descriptors))) = received.take_messages().nth(2) else { panic!() };
    let kept: Vec<OwnedFd> = descriptors.collect();
    drop(received);
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().zip(&sent[2..]).all(|(arrived, sent)| same_file(arrived, sent)));
}

fn taken_ones_outlive_what_they_came_from() {
    let (here, there) = pair(SocketType::STREAM);
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    send(&here, b"x", &[writer.as_fd()]).unwrap();
    drop(writer);
    let pipe = {
        let mut room = [0; 64];
        take_all(&mut receive(&there, &mut [0], &mut room)).pop().unwrap()
    };
    drop((here, there));
    rustix::io::write(&pipe, b"x").unwrap();
    assert_eq!(rustix::io::read(&reader, &mut [0; 4]), Ok(1));
}

/// They borrow the buffer, and nothing else.
fn messages_outlive_what_they_came_from() {
    fn messages_alone<'c>(received: Received<'c>) -> TakeMessages<'c> {
        received.into_messages()
    }
    let sent = files(4);
    for walked in 0..=4 {
        let numbers = ownerless_duplicates(&sent);
        let mut control = two_messages_of(&numbers);
        let mut messages = messages_alone(received_of(&mut control));
        assert_eq!(open_of(&numbers), numbers);
        let kept: Vec<Message<'_>> = messages.by_ref().take(walked).map(Result::unwrap).collect();
        drop(messages);
        assert_eq!(open_of(&numbers), numbers[..[0, 2, 2, 4, 4][walked]], "{walked}");
        drop(kept);
        assert!(open_of(&numbers).is_empty());
    }

    // After another walk nothing is left to take.
    let numbers = ownerless_duplicates(&sent);
    let mut control = two_messages_of(&numbers);
    let mut received = received_of(&mut control);
    drop(received.take_messages());
    let reused = files(8);
    assert!(received.into_messages().all(|message| matches!(message, Ok(Message::Other(_)))));
    assert!(reused.iter().all(|file| rustix::io::fcntl_getfd(file).is_ok()));
}

fn messages_of_a_batch_outlive_their_message() {
    use ancillary::socket::{RecvRoom, RecvSlot};

    let (here, there) = pair(SocketType::DGRAM);
    let sent = files(2);
    send(&here, b"data", &borrowed(&sent)).unwrap();
    let (mut data, mut room) = ([0; 8], [0xff; 64]);
    let mut slices = [IoSliceMut::new(&mut data)];
    let (mut rooms, mut slots) = ([RecvRoom::new(&mut slices, &mut room)], [RecvSlot::new()]);
    let message = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap().next().unwrap();
    let (received, data) = message.into_parts();
    let mut messages = received.into_messages();
    let Some(Ok(Message::ScmRights(descriptors))) = messages.next() else { panic!() };
    assert!(descriptors.zip(&sent).all(|(arrived, sent)| same_file(arrived, sent)));
    assert_eq!(data, b"data");
}

fn a_walk_that_takes_can_go_to_another_thread() {
    let sent = files(4);
    let mut control = two_messages(&sent);
    let messages = received_of(&mut control).into_messages();
    let closed = std::thread::scope(|scope| {
        let closing = scope.spawn(|| {
            let descriptors = messages.filter_map(|message| match message.unwrap() {
                Message::ScmRights(descriptors) => Some(descriptors.map(drop).count()),
                _ => None,
            });
            descriptors.sum::<usize>()
        });
        closing.join().unwrap()
    });
    assert_eq!(closed, 4);
}

/// If a number were closed twice, the second time would hit a file that has come to have it.
fn closing_twice_would_be_seen() {
    let mut room = [0xff; 64];
    let mut received = received_with(3, &mut room);
    let numbers: Vec<RawFd> = received.take_descriptors().unwrap().map(|taken| taken.as_raw_fd()).collect(); // closed at once
    let reused: Vec<OwnedFd> = files(8);
    assert!(reused.iter().any(|file| numbers.contains(&file.as_raw_fd())));
    drop(received);
    assert!(reused.iter().all(|file| rustix::io::fcntl_getfd(file).is_ok()));
}

fn one_by_one_and_then_the_rest() {
    let sent = files(4);
    for walked in 0..=5 {
        let mut control = two_messages(&sent);
        let mut received = received_of(&mut control);
        let mut taking = received.take_descriptors().unwrap();
        let first: Vec<OwnedFd> = taking.by_ref().take(walked).collect();
        let taken = taking.fold(first, |mut taken, descriptor| {
            taken.push(descriptor);
            taken
        });
        assert_eq!(taken.len(), 4);
        assert!(received.take_descriptors().unwrap().next().is_none());
        drop(received);
        assert!(taken.iter().zip(&sent).all(|(arrived, sent)| same_file(arrived, sent)));
    }
}

/// How many are walked before, and how many of what follows go well.
const PANICS: [(usize, usize); 8] = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 2), (2, 0), (3, 0)];

/// What it has not come to is closed as well, whoever called.
fn a_panic_in_what_is_done_with_each() {
    let sent = files(4);
    for (walked, done) in PANICS {
        for by_fold in [false, true] {
            let numbers = ownerless_duplicates(&sent);
            let mut control = two_messages_of(&numbers);
            let mut received = received_of(&mut control);
            let mut taking = received.take_descriptors().unwrap();
            let mut kept: Vec<OwnedFd> = taking.by_ref().take(walked).collect();
            let mut seen = 0;
            let mut keep = |descriptor| {
                if seen == done {
                    resume_unwind(Box::new("in the caller"));
                }
                seen += 1;
                kept.push(descriptor);
            };
            let result = catch_unwind(AssertUnwindSafe(|| {
                if by_fold {
                    taking.fold((), |(), descriptor| keep(descriptor));
                } else {
                    for descriptor in taking {
                        keep(descriptor);
                    }
                }
            }));
            assert!(result.is_err());
            assert_eq!(open_of(&numbers), numbers[..walked + done], "{walked}, {done}, {by_fold}");
            assert!(received.take_descriptors().unwrap().next().is_none());
        }
    }
}

fn a_panic_while_a_vector_is_filled() {
    let sent = files(4);
    for (walked, done) in PANICS {
        for is_collected in [false, true] {
            let numbers = ownerless_duplicates(&sent);
            let mut control = two_messages_of(&numbers);
            let mut received = received_of(&mut control);
            let mut taking = received.take_descriptors().unwrap();
            let mut kept: Vec<OwnedFd> = taking.by_ref().take(walked).collect();
            let mut left = done;
            let with_panic = taking.inspect(|_| {
                if left == 0 {
                    resume_unwind(Box::new("in the caller"));
                }
                left -= 1;
            });
            let result = catch_unwind(AssertUnwindSafe(|| {
                if is_collected {
                    drop(with_panic.collect::<Vec<OwnedFd>>());
                } else {
                    kept.extend(with_panic);
                }
            }));
            assert!(result.is_err());
            // What was collected went with the vector; what another vector has got stays in it.
            let expected = kept.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>();
            assert_eq!(open_of(&numbers), expected, "{walked}, {done}, {is_collected}");
            assert_eq!(expected, numbers[..if is_collected { walked } else { walked + done }]);
        }
    }
}

fn a_panic_in_what_is_done_with_each_message() {
    let sent = files(4);
    for panicking in 0..4 {
        let numbers = ownerless_duplicates(&sent);
        let mut control = two_messages_of(&numbers);
        let mut received = received_of(&mut control);
        let (mut kept, mut seen) = (Vec::new(), 0);
        let result = catch_unwind(AssertUnwindSafe(|| {
            received.take_messages().for_each(|message| {
                if let Message::ScmRights(descriptors) = message.unwrap() {
                    descriptors.for_each(|descriptor| {
                        if seen == panicking {
                            resume_unwind(Box::new("in the caller"));
                        }
                        seen += 1;
                        kept.push(descriptor);
                    });
                }
            });
        }));
        assert!(result.is_err());
        assert_eq!(open_of(&numbers), numbers[..panicking]);
    }
}

/// Both dereference to the owner, which can be exchanged: what it owns goes with it.
fn two_owners_change_places() {
    let sent = files(4);
    let numbers = [ownerless_duplicates(&sent), ownerless_duplicates(&sent)];
    let mut controls = numbers.each_ref().map(|numbers| two_messages_of(numbers));
    let mut last = two_messages(&sent);
    let [mut one, mut other] = controls.each_mut().map(|control| received_of(control));
    std::mem::swap(&mut *one, &mut *other);
    drop(one);
    assert_eq!((open_of(&numbers[0]), open_of(&numbers[1])), (numbers[0].clone(), Vec::new()));
    assert!(take_all(&mut other).iter().map(AsRawFd::as_raw_fd).eq(numbers[0].iter().copied()));

    // That one owns nothing any more goes with it, too.
    let taken = numbers[0].clone();
    let mut third = received_of(&mut last);
    let reused = files(12);
    assert!(taken.iter().all(|number| reused.iter().any(|file| file.as_raw_fd() == *number)));
    std::mem::swap(&mut *other, &mut *third);
    drop(third);
    assert_eq!(take_all(&mut other).len(), 4);
    assert!(reused.iter().all(|file| rustix::io::fcntl_getfd(file).is_ok()));
}
