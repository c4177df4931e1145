//! Who owns the descriptors of a received batch.

use super::*;
use crate::tests;

tests![
    descriptors_nobody_looked_at_are_closed,
    a_walk_that_stops_closes_the_rest,
    a_panic_while_walking_closes_the_rest,
    a_socket_that_panics_when_it_is_dropped,
    an_owner_outlives_the_walk_but_not_the_rooms,
    descriptors_are_close_on_exec_by_default,
    an_exhausted_table_in_the_middle_of_a_batch if a_limit_of_descriptors,
    a_thousand_batches_over_the_same_memory,
];

fn descriptors_nobody_looked_at_are_closed() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 4, 3);
    rooms!(rooms: 4 of 4 bytes, ROOM);
    let mut slots = slots::<4>();
    let before = open_descriptors();
    let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    assert_eq!(open_descriptors().len(), before.len() + 12);
    drop(batch);
    assert_eq!(open_descriptors(), before);
}

fn a_walk_that_stops_closes_the_rest() {
    let (here, there) = pair(SocketType::DGRAM);
    rooms!(rooms: 4 of 4 bytes, ROOM);
    let mut slots = slots::<4>();
    let before = open_descriptors();
    for stop in 0..=4 {
        send_numbered(&here, 4, 2);
        let mut batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
        let mut taken: Vec<OwnedFd> = Vec::new();
        for mut message in batch.by_ref().take(stop) {
            // One of two is taken, the other is closed with its message.
            taken.extend(message.take_descriptors().unwrap().next());
        }
        assert_eq!(batch.len(), 4 - stop);
        drop(batch);
        assert_eq!(open_descriptors().len(), before.len() + stop);
    }
    assert_eq!(open_descriptors(), before);
}

fn a_panic_while_walking_closes_the_rest() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 4, 2);
    rooms!(rooms: 4 of 4 bytes, ROOM);
    let mut slots = slots::<4>();
    let before = open_descriptors();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        for message in recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap() {
            if message.data() == [1] {
                std::panic::resume_unwind(Box::new("in the middle"));
            }
        }
    }));
    assert!(unwound.is_err());
    assert_eq!(open_descriptors(), before);
}

/// What has arrived is owned before the socket is dropped, which may be anybody's type.
fn a_socket_that_panics_when_it_is_dropped() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 2, 2);
    rooms!(rooms: 2 of 4 bytes, ROOM);
    let mut slots = slots::<2>();
    let before = open_descriptors().len();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        recvmmsg(PanicsWhenDropped(there), &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).map(drop)
    }));
    assert!(unwound.is_err());
    assert_eq!(open_descriptors().len(), before - 1, "the socket alone is gone");
}

fn an_owner_outlives_the_walk_but_not_the_rooms() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 3, 1);
    rooms!(rooms: 3 of 4 bytes, ROOM);
    let mut slots = slots::<3>();
    let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
    let mut kept: Vec<_> = batch.collect();
    kept.reverse();
    for (mut message, number) in kept.into_iter().zip([2, 1, 0]) {
        assert_eq!(message.data(), [number]);
        assert_eq!(take_all(&mut message).len(), 1);
    }
}

fn descriptors_are_close_on_exec_by_default() {
    let (here, there) = pair(SocketType::DGRAM);
    rooms!(rooms: 2 of 4 bytes, ROOM);
    let mut slots = slots::<2>();
    send_numbered(&here, 2, 2);
    for mut message in recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap() {
        assert!(message.flags().is_empty());
        assert!(take_all(&mut message).iter().all(is_close_on_exec));
    }
    send_numbered(&here, 2, 2);
    let inheritable = RecvOptions::with_flags(RecvFlags::DONTWAIT).inheritable();
    for mut message in recvmmsg(&there, &mut slots, &mut rooms, inheritable, None).unwrap() {
        assert!(message.flags().is_empty());
        assert!(!take_all(&mut message).iter().any(is_close_on_exec));
    }
}

fn an_exhausted_table_in_the_middle_of_a_batch() {
    let (here, there) = pair(SocketType::DGRAM);
    send_numbered(&here, 4, 2);
    rooms!(rooms: 4 of 4 bytes, ROOM);
    let mut slots = slots::<4>();
    let limit = open_descriptors().last().unwrap() + 10;
    let found: Vec<(bool, usize)> = {
        let _limit = DescriptorLimit::numbers_below(limit as u64);
        let mut filling: Vec<OwnedFd> = Vec::new();
        while let Ok(duplicate) = rustix::io::fcntl_dupfd_cloexec(&here, 0) {
            filling.push(duplicate);
        }
        // There is place for three.
        filling.truncate(filling.len() - 3);
        let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
        let mut messages: Vec<_> = batch.collect();
        let taken: Vec<_> = messages.iter_mut().map(|message| take_all(message)).collect();
        messages.iter().map(|message| message.control_truncated()).zip(taken.iter().map(Vec::len)).collect()
    };
    assert_eq!(found, [(false, 2), (true, 1), (true, 0), (true, 0)]);
}

fn a_thousand_batches_over_the_same_memory() {
    let (here, there) = pair(SocketType::SEQPACKET);
    rooms!(rooms: 8 of 8 bytes, ROOM);
    let mut slots = slots::<8>();
    let sent = files(4);
    let before = open_descriptors();
    let mut state = 1_u32;
    let mut random = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % below
    };
    for _ in 0..1000 {
        let counts: Vec<usize> = (0..1 + random(7)).map(|_| random(5) as usize).collect();
        for count in &counts {
            send(&here, b"x", &borrowed(&sent[..*count])).unwrap();
        }
        let batch = recvmmsg(&there, &mut slots, &mut rooms, RecvFlags::DONTWAIT, None).unwrap();
        assert_eq!(batch.len(), counts.len());
        let looked_at = random(9) as usize;
        for (mut message, count) in batch.zip(counts).take(looked_at) {
            match random(3) {
                0 => drop(message),
                1 => assert_eq!(take_all(&mut message).len(), count),
                _ => assert_eq!(message.take_descriptors().unwrap().take(1).count(), count.min(1)),
            }
        }
    }
    assert_eq!(open_descriptors(), before);
}
