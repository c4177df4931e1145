//! Bugs that were measured in other crates, each by its name. None of them may come back here.

use crate::support::*;
use crate::tests;
use ancillary::control::{ControlSliceMut, StopReason};
use ancillary::layout::{ByteOrder, Layout};
use ancillary::message::{DecodeError, DecodeMessage, ScmCredentials, ScmRights, ScmRightsNumbers};
use ancillary::{ControlBuffer, ControlMessages, Message, control_len, control_space};
use rustix::net::SocketType;
use rustix::net::sockopt::set_socket_passcred;

tests![
    partial_drain_then_drop,
    repeated_drain_next,
    fifty_two_bytes_with_an_unpadded_tail,
    an_unread_pidfd if pidfds,
    credentials_and_a_buffer_for_exactly_one_descriptor,
    two_descriptors_into_room_for_one if room_for_two_or_the_kernels_truncation,
    truncated_then_dropped if the_kernels_truncation,
    an_untruncated_length_from_apple,
    a_length_of_zero_or_of_everything,
    any_misaligned_buffer,
    buffers_of_one_to_fifteen_bytes if the_kernels_truncation,
    sizes_near_the_largest_numbers,
    the_most_descriptors_and_one_more,
    an_exhausted_table_is_not_an_error if a_limit_of_descriptors,
    peeking_twice,
    a_payload_shorter_than_its_type,
    a_message_without_payload_at_the_end,
    room_for_the_set_that_was_too_small,
    only_the_first_message_is_looked_at,
    level_and_type_are_both_looked_at,
    close_on_exec_on_every_descriptor,
    a_null_pointer_for_an_empty_buffer,
];

fn credentials_and_descriptors<'c>(count: usize, room: &'c mut [u8]) -> ancillary::Received<'c> {
    let (here, there) = pair(SocketType::STREAM);
    set_socket_passcred(&there, true).unwrap();
    send(&here, b"x", &borrowed(&files(count))).unwrap();
    receive(&there, &mut [0], room)
}

/// rustix 1.1.6: credentials (a length of 28) and a descriptor; the first message is taken and the buffer dropped. The
/// second message was looked for at a misaligned address, and leaked.
fn partial_drain_then_drop() {
    let mut room = [0xff; 128];
    let received = credentials_and_descriptors(1, &mut room);
    assert!(matches!(received.messages().next(), Some(Ok(Message::ScmCredentials(_)))));
}

/// rustix 1.1.6: `while let Some(message) = buffer.drain().next()` saw one message of two, and the other's descriptor leaked.
/// Here a walk that looks sees everything however often it is begun, and one that takes has closed the rest when it is gone.
fn repeated_drain_next() {
    let mut room = [0xff; 128];
    let mut received = credentials_and_descriptors(2, &mut room);
    let before = open_descriptors().len();
    for _ in 0..2 {
        assert!(matches!(received.messages().next(), Some(Ok(Message::ScmCredentials(_)))));
        assert!(matches!(received.messages().nth(1), Some(Ok(Message::ScmRights(list))) if list.len() == 2));
    }
    assert_eq!(open_descriptors().len(), before);
    let mut taken = Vec::new();
    while let Some(descriptor) = received.take_descriptors().unwrap().next() {
        taken.push(descriptor);
    }
    assert_eq!((taken.len(), open_descriptors().len()), (1, before - 1));
}

/// linux-raw-sys and old C libraries: a last message without its padding was not seen, and leaked.
fn fifty_two_bytes_with_an_unpadded_tail() {
    let mut room = [0xff; control_len!(ScmCredentials, ScmRights[1])];
    if cfg!(target_pointer_width = "64") {
        assert_eq!(room.len(), 52);
    }
    let mut received = credentials_and_descriptors(1, &mut room).complete().unwrap();
    assert_eq!(received.messages().count(), 2);
    assert_eq!(take_all(&mut received).len(), 1);
}

/// rustix, nix, tokio-seqpacket, uds, sendfd, passfd, vmm-sys-util: one descriptor lost with every message.
fn an_unread_pidfd() {
    let (here, there) = pair(SocketType::STREAM);
    set_option(&there, SO_PASSPIDFD, 1).unwrap();
    let before = open_descriptors();
    for _ in 0..3 {
        send_plain(&here, b"x").unwrap();
        let mut room = [0xff; 128];
        let received = receive(&there, &mut [0], &mut room);
        assert_eq!(open_descriptors().len(), before.len() + 1);
        drop(received);
        assert_eq!(open_descriptors(), before);
    }
}

/// sendfd: `Ok` and no descriptor, when credentials had taken the room.
fn credentials_and_a_buffer_for_exactly_one_descriptor() {
    let mut room = [0xff; control_space!(ScmRights[1])];
    let mut received = credentials_and_descriptors(1, &mut room);
    assert!(received.control_truncated());
    assert!(take_all(&mut received).is_empty());
    drop(received);
    assert!(credentials_and_descriptors(1, &mut room).complete().is_err());
}

/// passfd: room for one by `CMSG_SPACE` is room for two on 64 bits; the second leaked.
fn two_descriptors_into_room_for_one() {
    let (here, there) = pair(SocketType::STREAM);
    send(&here, b"x", &borrowed(&files(2))).unwrap();
    let before = open_descriptors().len();
    let mut room = [0xff; control_space!(ScmRights[1])];
    let fitting = (room.len() - NATIVE.data_offset()) / 4;
    let mut received = receive(&there, &mut [0], &mut room);
    assert_eq!(open_descriptors().len(), before + fitting);
    let first = received.take_descriptors().unwrap().next();
    assert_eq!(open_descriptors().len(), before + 1);
    drop(received);
    assert_eq!(open_descriptors().len(), before + 1);
    drop(first);
}

/// nix: on truncation an error, and the descriptors that did arrive out of reach.
fn truncated_then_dropped() {
    let (here, there) = pair(SocketType::STREAM);
    send(&here, b"x", &borrowed(&files(4))).unwrap();
    let before = open_descriptors();
    let mut room = vec![0xff; NATIVE.len(8).unwrap()];
    let received = receive(&there, &mut [0], &mut room);
    assert_eq!(open_descriptors().len(), before.len() + 2);
    assert!(received.complete().is_err());
    assert_eq!(open_descriptors(), before);
}

/// rustix issue 1683, vmm-sys-util 245: on macOS a length of 76 in 32 bytes underflowed.
fn an_untruncated_length_from_apple() {
    let darwin = Layout::DARWIN.with_byte_order(ByteOrder::NATIVE);
    let mut bytes = [0; 32];
    let header = ancillary::layout::ControlHeader { cmsg_len: 76, level: 0xffff, message_type: 1 };
    assert!(darwin.write_header(header, &mut bytes));
    bytes[12..].copy_from_slice(&[5i32, 6, 7, 8, 9].map(i32::to_ne_bytes).concat());
    let mut messages = ControlMessages::with_layout(darwin, &bytes);
    let error = messages.next().unwrap().unwrap_err();
    assert_eq!((error.offset(), error.claimed(), error.remaining()), (0, 76, 32));
    assert_eq!(messages.stop_reason(), Some(StopReason::Malformed(error)));
    let clamped = messages.truncated_message().unwrap();
    assert_eq!(ScmRightsNumbers::decode(clamped.payload()).unwrap().map(Result::unwrap).sum::<i32>(), 35);
}

/// The C macros of Android, Apple and the BSDs stay at a length of 0 for ever; old C libraries at the largest ones.
fn a_length_of_zero_or_of_everything() {
    let most = NATIVE.parts().len_width.bytes();
    let all = u64::MAX >> (64 - 8 * most);
    for cmsg_len in (0..NATIVE.data_offset() as u64).chain([all, all - 7, all - 23, all / 2, all / 2 + 1, 1 << 31]) {
        for before in [false, true] {
            let mut bytes = if before { message_bytes((41, 50), &[1; 5]) } else { Vec::new() };
            bytes.extend(message_claiming(cmsg_len, RIGHTS, &[0xff; 20]));
            let mut messages = ControlMessages::new(&bytes);
            assert_eq!(messages.by_ref().take(10).count(), 1 + usize::from(before));
            assert!(matches!(messages.stop_reason(), Some(StopReason::Malformed(_))));
        }
    }
}

/// rust-lang/rust 139861, nix, tokio-seqpacket: references to misaligned headers. compio: a panic.
fn any_misaligned_buffer() {
    let bytes = [message_bytes((41, 50), &[1; 5]), message_bytes((0, 8), &[2; 3])].concat();
    let mut memory = [0; 256];
    for misalignment in 0..16 {
        let place = &mut memory[misalignment..misalignment + bytes.len()];
        place.copy_from_slice(&bytes);
        let payloads: Vec<&[u8]> = ControlMessages::new(place).map(|message| message.unwrap().payload()).collect();
        assert_eq!(payloads, [&[1; 5][..], &[2; 3]]);
    }
}

/// rustix: a panic over a short slice.
fn buffers_of_one_to_fifteen_bytes() {
    for len in 0..NATIVE.data_offset() {
        let mut bytes = vec![0xff; len];
        assert!(ControlMessages::new(&bytes).next().is_none());
        assert!(ancillary::ControlWriter::new(bytes.as_mut_slice()).push_raw(0, 8, &[]).is_err());
        let (here, there) = pair(SocketType::STREAM);
        send(&here, b"x", &borrowed(&files(1))).unwrap();
        let received = receive(&there, &mut [0], &mut bytes);
        assert!(received.control_truncated() && received.messages().next().is_none());
    }
}

/// libc: `CMSG_SPACE(u32::MAX)` is 16 in a release build.
fn sizes_near_the_largest_numbers() {
    for layout in [Layout::NATIVE, Layout::LINUX_64, Layout::LINUX_32, Layout::BSD_ALIGN_16] {
        for below in 0..32 {
            for size in [usize::MAX - below, u32::MAX as usize - below] {
                if let Some(space) = layout.space(size) {
                    assert!(space >= size);
                }
            }
        }
        assert_eq!(layout.space(usize::MAX), None);
    }
    assert_eq!(Layout::LINUX_32.space(u32::MAX as usize), None);
    #[cfg(target_pointer_width = "64")]
    assert_eq!(Layout::LINUX_64.space(u32::MAX as usize), Some(0x1_0000_0010));
}

/// zbus, tokio-unix-ipc, ipc-channel: the system's limit was not theirs.
fn the_most_descriptors_and_one_more() {
    let file = files(1);
    let mut space = ControlBuffer::<{ control_space!(ScmRights[254]) }>::new();
    for (count, fits) in [(253, true), (254, false)] {
        let many = vec![borrowed(&file)[0]; count];
        assert_eq!(space.writer().push(ScmRights(&many)).is_ok(), fits, "{count}");
    }
}

/// freeunit 264: with a full table the call succeeds, credentials arrive, and only a flag tells.
fn an_exhausted_table_is_not_an_error() {
    let (here, there) = pair(SocketType::STREAM);
    set_socket_passcred(&there, true).unwrap();
    send(&here, b"data", &borrowed(&files(2))).unwrap();
    let limit = DescriptorLimit::numbers_below(lowest_free_number());
    let mut room = [0xff; 128];
    let mut received = receive(&there, &mut [0; 4], &mut room);
    drop(limit);
    assert_eq!(received.bytes(), 4);
    assert_eq!(received.find::<ScmCredentials>(), Some(Ok(ScmCredentials::of_this_process())));
    assert!(received.take_descriptors().unwrap().next().is_none());
    assert!(received.complete().is_err());
}

/// passfd 18, phoenix-rtos 788: each peek installs another descriptor.
fn peeking_twice() {
    let (here, there) = pair(SocketType::STREAM);
    send(&here, b"x", &borrowed(&files(2))).unwrap();
    let before = open_descriptors();
    for _ in 0..2 {
        let mut room = [0xff; 64];
        let mut data = [0];
        let peeked = receive_flags(&there, &mut data, &mut room, rustix::net::RecvFlags::PEEK).unwrap();
        assert_eq!(open_descriptors().len(), before.len() + 2);
        drop(peeked);
        assert_eq!(open_descriptors(), before);
    }
}

/// nix, compio: a payload was read as its type, whatever its length.
fn a_payload_shorter_than_its_type() {
    for len in (0..12).chain([13, 16]) {
        let error = ScmCredentials::decode(&vec![0xff; len]).unwrap_err();
        assert!(matches!(error, DecodeError::WrongLength { expected: 12, actual, .. } if actual == len));
    }
    assert!(ScmCredentials::decode(&[0; 12]).is_ok());
}

/// musl's macro does not show it; s2n-quic stopped at it.
fn a_message_without_payload_at_the_end() {
    let bytes = [message_bytes((41, 50), &[1; 5]), message_bytes((33, 2), &[]), message_bytes((33, 3), &[])].concat();
    let types: Vec<i32> = ControlMessages::new(&bytes).map(|message| message.unwrap().message_type()).collect();
    assert_eq!(types, [50, 2, 3]);
}

/// quinn-udp: 96 bytes for IPV6_TCLASS, IPV6_PKTINFO, UDP_GRO and SCM_TIMESTAMPNS, which take 120; the first was lost.
fn room_for_the_set_that_was_too_small() {
    const ROOM: usize = control_space!(raw[4], raw[20], raw[4], raw[16]);
    if cfg!(target_pointer_width = "64") {
        assert_eq!(ROOM, 120);
    }
    let mut space = ControlBuffer::<ROOM>::new();
    let mut writer = space.writer();
    for payload_len in [4, 20, 4, 16] {
        writer.push_raw(41, 1, &vec![0; payload_len]).unwrap();
    }
    assert_eq!(writer.available(), 0);
}

/// vmm-sys-util, passfd: only the first message was looked at, and a descriptor after credentials was lost.
fn only_the_first_message_is_looked_at() {
    let mut room = [0xff; 128];
    let mut received = credentials_and_descriptors(1, &mut room);
    assert_eq!(take_all(&mut received).len(), 1);
}

/// libuv, ipc-channel: a payload was taken for descriptors by its type alone.
fn level_and_type_are_both_looked_at() {
    for (level, message_type) in [(41, RIGHTS.1), (0, RIGHTS.1), (RIGHTS.0, 29)] {
        let mut control = message_bytes((level, message_type), &0i32.to_ne_bytes());
        let mut received = received_of(&mut control);
        assert!(matches!(received.messages().next(), Some(Ok(Message::Other(_)))));
        assert!(received.take_descriptors().unwrap().next().is_none());
        drop(received);
        assert!(open_descriptors().contains(&0), "the standard input is still open");
    }
}

/// sendfd, vmm-sys-util, zbus, compio: none; a Dart patch: only the first.
fn close_on_exec_on_every_descriptor() {
    let (here, there) = pair(SocketType::STREAM);
    send(&here, b"x", &borrowed(&files(9))).unwrap();
    let mut room = [0xff; 128];
    let arrived = take_all(&mut receive(&there, &mut [0], &mut room));
    assert_eq!(arrived.iter().filter(|descriptor| is_close_on_exec(descriptor)).count(), 9);
}

/// unix-ancillary: a dangling pointer with a length of 0, which NetBSD and macOS refuse.
fn a_null_pointer_for_an_empty_buffer() {
    let mut data = [];
    for room in [ControlSliceMut::none(), ControlSliceMut::from(&mut [0u8; 0])] {
        let mut header = ancillary::socket::RecvMsgHdr::new(&mut data, room);
        let pointer = header.as_mut_ptr();
        // SAFETY: the pointer is to a `struct msghdr` that lives until the end of this block.
        let raw = unsafe { &*pointer.cast::<libc::msghdr>() };
        assert!(raw.msg_control.is_null() && raw.msg_controllen == 0);
    }
}
