//! The buffers of a multishot request: how they are given to the ring, used again, and shared by messages.

use super::*;
use crate::tests;

tests![
    buffers_of_the_old_kind if multishot_receiving,
    buffers_are_used_again if multishot_receiving,
    what_lay_in_a_buffer_is_not_owned if multishot_receiving,
    many_messages_in_one_buffer if buffers_for_many_messages,
    what_is_left_of_a_buffer_is_too_short if buffers_for_many_messages,
];

/// Given to the ring by requests (`IORING_OP_PROVIDE_BUFFERS`), and so many at once.
fn buffers_of_the_old_kind() {
    const LEN: usize = 200;
    let ((here, there), header) = (pair(SocketType::DGRAM), header(0, RIGHTS_ROOM));
    let mut memory = [0xdd; 3 * LEN];
    let mut ring = Ring::new();
    let provide = opcode::ProvideBuffers::new(memory.as_mut_ptr(), LEN as i32, 3, GROUP, 10).build();
    // SAFETY: the memory is looked at only where a completion says so, and stays until after the ring.
    unsafe { ring.submit(provide) };
    assert_eq!(ring.wait().0, Ok(0));
    // SAFETY: the header stays where it is.
    unsafe { ring.submit(multishot(&there, &header, CLOEXEC_ON_RECEIVE)) };
    for count in 1..=3 {
        send(&here, b"data", &borrowed(&files(count))).unwrap();
        let (result, flags) = ring.wait();
        let id = usize::from(cqueue::buffer_select(flags).unwrap()) - 10;
        let filled = &mut memory[id * LEN..][..result.unwrap()];
        // SAFETY: the request was made with this header, and this completion is looked at once.
        let (mut received, data) = unsafe { header.received(filled) }.unwrap().into_parts();
        assert_eq!((take_all(&mut received).len(), &*data), (count, &b"data"[..]));
    }
    drop(ring);
}

fn buffers_are_used_again() {
    let (here, there) = pair(SocketType::SEQPACKET);
    let mut shots = Shots::new(header(0, RIGHTS_ROOM), 2, 256);
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    for round in 0..20 {
        let count = [3, 0, 1][round % 3];
        if count == 0 {
            send_plain(&here, b"none").unwrap();
        } else {
            send(&here, &[round as u8], &borrowed(&files(count))).unwrap();
        }
        let (result, flags) = shots.ring.wait();
        let filled = shots.buffers.filled(result.unwrap(), flags);
        // SAFETY: the request was made with this header, and this completion is looked at once.
        let mut received = unsafe { shots.header.received(filled) }.unwrap();
        // What lies in the room from the round before is not there.
        assert_eq!(take_all(&mut received).len(), count);
        drop(received);
        shots.buffers.give(cqueue::buffer_select(flags).unwrap());
    }
}

/// A control message with a descriptor that is open, wherever the system does not write: before the message, after it,
/// and in its padding.
fn what_lay_in_a_buffer_is_not_owned() {
    let ((here, there), decoy) = (pair(SocketType::SEQPACKET), files(1));
    let number = decoy[0].as_raw_fd().to_ne_bytes();
    let mut shots = Shots::new(header(28, RIGHTS_ROOM), 4, 256);
    // A message fills its room with the number, so that every slot that is not written is one of it.
    let (message, start) = (message_bytes(RIGHTS, &[number; 3].concat()), 16 + 28);
    for buffer in shots.buffers.memory.chunks_mut(256) {
        buffer[16..].chunks_exact_mut(4).for_each(|slot| slot.copy_from_slice(&number));
        buffer[start..][..message.len()].copy_from_slice(&message);
    }
    shots.request(&there, CLOEXEC_ON_RECEIVE);
    for count in 0..4 {
        if count == 0 {
            send_plain(&here, b"data").unwrap();
        } else {
            send(&here, b"data", &borrowed(&files(count))).unwrap();
        }
        shots.next(|mut received, _| {
            let arrived = take_all(&mut received);
            assert_eq!(arrived.len(), count);
            assert!(!arrived.iter().any(|arrived| same_file(arrived, &decoy[0])));
        });
        assert!(open_descriptors().contains(&decoy[0].as_raw_fd()));
    }
}

/// Each begins where the one before has ended, at any address.
fn many_messages_in_one_buffer() {
    let ((here, there), header) = (pair(SocketType::SEQPACKET), header(0, RIGHTS_ROOM));
    let mut ring = Ring::new();
    let mut buffers = Buffers::new(&mut ring, 1, 4096, INCREMENTAL).unwrap();
    // SAFETY: the header stays where it is, and the buffers stay until after the ring.
    unsafe { ring.submit(multishot(&there, &header, CLOEXEC_ON_RECEIVE)) };
    let mut start = 0;
    for len in 1..=20 {
        let count = len % 4;
        let text = vec![len as u8; len];
        if count == 0 {
            send_plain(&here, &text).unwrap();
        } else {
            send(&here, &text, &borrowed(&files(count))).unwrap();
        }
        let (result, flags) = ring.wait();
        let result = result.unwrap();
        assert_eq!((result, has_more(flags)), (header.payload_offset() + len, true));
        let filled = buffers.filled_from(start, result, flags);
        // SAFETY: the request was made with this header, and this completion is looked at once.
        let (mut received, data) = unsafe { header.received(filled) }.unwrap().into_parts();
        assert_eq!((take_all(&mut received).len(), &*data), (count, &text[..]));
        start += result;
    }
    drop(ring);
}

/// The system stays with that buffer, though there is another one. The message stays in the socket.
fn what_is_left_of_a_buffer_is_too_short() {
    let ((here, there), header) = (pair(SocketType::SEQPACKET), header(0, RIGHTS_ROOM));
    let mut ring = Ring::new();
    let mut buffers = Buffers::new(&mut ring, 2, 2 * header.payload_offset(), INCREMENTAL).unwrap();
    // SAFETY: the header stays where it is, and the buffers stay until the request has ended.
    unsafe { ring.submit(multishot(&there, &header, CLOEXEC_ON_RECEIVE)) };
    send(&here, b"1", &borrowed(&files(1))).unwrap();
    let (result, flags) = ring.wait();
    // SAFETY: the request was made with this header, and this completion is looked at once.
    let mut received = unsafe { header.received(buffers.filled(result.unwrap(), flags)) }.unwrap();
    assert_eq!(take_all(&mut received).len(), 1);
    drop(received);

    send(&here, b"2", &borrowed(&files(2))).unwrap();
    assert_eq!(ring.wait(), (Err(Errno::FAULT), 0));
    // SAFETY: as above.
    unsafe { ring.submit(multishot(&there, &header, CLOEXEC_ON_RECEIVE)) };
    assert_eq!(ring.wait(), (Err(Errno::FAULT), 0));
    let mut room = [0xff; 64];
    assert_eq!(take_all(&mut receive(&there, &mut [0], &mut room)).len(), 2);
    drop(ring);
}
