//! The bytes of what arrived, for a reader of the caller's: headers and payloads as the system has written them, and zeros
//! between them.

use super::{OTHER, PIDFD, open_of, payload_of, rights_of};
use crate::support::*;
use crate::tests;
use ancillary::message::ScmCredentials;
use ancillary::{ControlBuffer, ControlMessages, Message, control_space};
use rustix::fd::{AsRawFd, RawFd};
use rustix::io::IoSliceMut;
use rustix::net::{RecvFlags, SocketType};

tests![what_the_kernel_has_left_between_them, before_and_after_taking, in_memory_that_was_not_written, nothing_arrived,];

/// What stands between messages before the call.
const DIRT: u8 = 0xaa;

/// Messages, each followed by dirt; and what is to be shown of them.
struct Dirty {
    bytes: Vec<u8>,
    shown: Vec<u8>,
}

impl Dirty {
    fn new() -> Self {
        Dirty { bytes: Vec::new(), shown: Vec::new() }
    }

    /// A message that claims this length, with this payload, and so many bytes after it.
    fn push(&mut self, cmsg_len: u64, kind: (i32, i32), payload: &[u8], after: usize) {
        let message = message_claiming(cmsg_len, kind, payload);
        let len = NATIVE.len(payload.len()).unwrap();
        let header = self.bytes.len() + NATIVE.header_size()..self.bytes.len() + NATIVE.data_offset();
        self.bytes.extend(&message[..len]);
        self.bytes.resize(self.bytes.len() + after, DIRT);
        self.shown.extend(&message[..len]);
        self.shown.resize(self.bytes.len(), 0);
        // Where a payload does not begin at the end of its header, what is between them is dirt as well.
        self.bytes[header.clone()].fill(DIRT);
        self.shown[header].fill(0);
    }

    fn message(&mut self, kind: (i32, i32), payload: &[u8]) {
        let len = NATIVE.len(payload.len()).unwrap();
        self.push(len as u64, kind, payload, NATIVE.space(payload.len()).unwrap() - len);
    }
}

/// The ends a buffer can have.
const ENDS: [&str; 5] = ["padded", "unpadded", "clamped", "nonsense", "left over"];

fn dirty(numbers: &[RawFd], end: &str, len: usize) -> Dirty {
    let mut dirty = Dirty::new();
    dirty.message(RIGHTS, &payload_of(&numbers[..1]));
    dirty.message(OTHER, &[7; 5]);
    dirty.message(OTHER, b"");
    dirty.message(PIDFD, &payload_of(&numbers[1..2]));
    dirty.message(RIGHTS, &[&payload_of(&numbers[2..4])[..], &[1, 2, 3]].concat());
    let payload = &[6; 16][..len];
    match end {
        "padded" => dirty.message(OTHER, payload),
        "unpadded" => dirty.push(NATIVE.len(len).unwrap() as u64, OTHER, payload, 0),
        // All that is there of it is payload.
        "clamped" => dirty.push(4000, OTHER, payload, 0),
        // The length that makes no sense stays, so that every reader finds what it is.
        "nonsense" => {
            dirty.push(3, RIGHTS, &[], 0);
            dirty.bytes.resize(dirty.bytes.len() + len, DIRT);
            dirty.shown.resize(dirty.bytes.len(), 0);
        }
        "left over" => {
            dirty.bytes.resize(dirty.bytes.len() + len.min(NATIVE.data_offset() - 1), DIRT);
            dirty.shown.resize(dirty.bytes.len(), 0);
        }
        other => panic!("{other}"),
    }
    dirty
}

fn before_and_after_taking() {
    let sent = files(4);
    for (end, len) in ENDS.into_iter().flat_map(|end| (0..16).map(move |len| (end, len))) {
        for misalignment in 0..8 {
            let numbers = ownerless_duplicates(&sent);
            let Dirty { bytes, shown } = dirty(&numbers, end, len);
            let mut memory = [&vec![DIRT; misalignment][..], &bytes, &[DIRT; 16]].concat();
            let mut received = received_of(&mut memory[misalignment..misalignment + bytes.len()]);
            assert_eq!(received.control_len(), bytes.len());
            let before = format!("{:?}", received.raw_messages().collect::<Vec<_>>());
            let looked_at = format!("{:?}", *received);
            for _ in 0..2 {
                assert_eq!(received.control_bytes(), shown, "{end}, {len}");
                assert_eq!(format!("{:?}", received.raw_messages().collect::<Vec<_>>()), before, "{end}, {len}");
                assert_eq!(format!("{:?}", *received), looked_at, "{end}, {len}: it still owns them");
            }
            // A reader of plain bytes reads the same.
            let read = format!("{:?}", ControlMessages::new(received.control_bytes()).collect::<Vec<_>>());
            assert_eq!(read, before, "{end}, {len}");
            assert_eq!(open_of(&numbers), numbers);

            if len % 2 == 0 {
                let taken = take_all(&mut received);
                assert!(taken.iter().map(AsRawFd::as_raw_fd).eq([numbers[0], numbers[2], numbers[3]]));
            } else {
                drop(received.take_messages());
            }
            assert_eq!(received.control_bytes(), shown, "{end}, {len}: taking writes nothing");
            drop(received);
            assert!(open_of(&numbers).is_empty());
            assert_eq!(memory[..misalignment], vec![DIRT; misalignment]);
            assert_eq!(memory[misalignment + bytes.len()..], [DIRT; 16]);
        }
    }
    // And after taking alone.
    let numbers = ownerless_duplicates(&sent);
    let Dirty { mut bytes, shown } = dirty(&numbers, "clamped", 9);
    let mut received = received_of(&mut bytes);
    drop(received.take_messages());
    assert_eq!(received.control_bytes(), shown);
}

/// The kernel leaves padding as it was; see `padding_is_not_written_by_the_kernel`.
fn what_the_kernel_has_left_between_them() {
    let (here, there) = pair(SocketType::DGRAM);
    rustix::net::sockopt::set_socket_passcred(&there, true).unwrap();
    send(&here, b"x", &borrowed(&files(3))).unwrap();
    for dirt in [0, DIRT, 0xff] {
        let mut room = [dirt; 256];
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
        let mut received = receive_flags(&there, &mut [0], &mut room, flags).unwrap();
        let mut expected = Vec::new();
        let mut numbers = Vec::new();
        for message in received.messages() {
            match message.unwrap() {
                Message::ScmRights(descriptors) => numbers.extend(descriptors.map(|fd| fd.as_raw_fd())),
                Message::ScmCredentials(who) => {
                    let ScmCredentials { pid, uid, gid } = who;
                    let payload = [pid.to_ne_bytes(), uid.to_ne_bytes(), gid.to_ne_bytes()].concat();
                    expected.extend(message_bytes((libc::SOL_SOCKET, libc::SCM_CREDENTIALS), &payload));
                }
                other => panic!("{other:?}"),
            }
        }
        expected.extend(rights_of(&numbers));
        expected.truncate(received.control_len());
        assert_eq!((numbers.len(), received.control_bytes()), (3, &expected[..]));
    }
}

fn in_memory_that_was_not_written() {
    let (here, there) = pair(SocketType::DGRAM);
    send(&here, b"x", &borrowed(&files(1))).unwrap();
    let mut space = ControlBuffer::<{ control_space!(ancillary::message::ScmRights[5]) }>::new();
    let mut data = [0];
    let mut slices = [IoSliceMut::new(&mut data)];
    let mut received = ancillary::received::recvmsg(&there, &mut slices, &mut space, RecvFlags::empty()).unwrap();
    let Some(Ok(Message::ScmRights(mut descriptors))) = received.messages().next() else { panic!() };
    let number = descriptors.next().unwrap().as_raw_fd();
    let len = received.control_len();
    assert_eq!(received.control_bytes(), &rights_of(&[number])[..len]);
}

fn nothing_arrived() {
    let mut received = received_of(&mut []);
    assert_eq!((received.control_len(), received.control_bytes()), (0, &[][..]));
    assert!(received.raw_messages().next().is_none() && received.messages().next().is_none());
}
