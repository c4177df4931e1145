//! What is sent. The kernel reads every byte that it is given: Miri says so if one was never written.

use super::{assert_closed, message_with, scenarios};
use crate::kernel::{Connected, Kind, assert_leads_to, kernel, open};
use crate::receive::{Ask, receive};
use crate::rules::{CHOSEN, Foreign, Several};
use ancillary::message::{SCM_MAX_FD, ScmRights};
use ancillary::socket::sendmsg;
use ancillary::socket::{SendMsgHdr, sendmsg_raw};
use ancillary::{ControlBuffer, ControlWriter, PushError};
use rustix::io::{Errno, IoSlice};
use rustix::net::SendFlags;
use std::os::fd::AsFd;

scenarios![
    descriptors_are_duplicated_when_they_are_sent,
    every_byte_is_written,
    several_messages_of_descriptors if |rules| rules.is_known,
    no_descriptors,
    a_stream_without_data,
    more_descriptors_than_the_system_takes if |_| SCM_MAX_FD < usize::MAX,
    leftover_bytes if |rules| rules.is_known,
    a_descriptor_that_is_closed,
    an_error_sends_nothing,
];

fn descriptors_are_duplicated_when_they_are_sent() {
    for count in 1..4 {
        let (here, there) = Connected::pair(Kind::Stream);
        let (files, descriptors): (Vec<_>, Vec<_>) = (0..count).map(|_| open()).unzip();
        let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        let mut space = ControlBuffer::<64>::new();
        let mut control = space.writer();
        control.push(ScmRights(&borrowed)).unwrap();
        let sent = sendmsg(&here, &[IoSlice::new(b"some "), IoSlice::new(b"files")], &control, SendFlags::empty());
        assert_eq!(sent, Ok(10));
        drop(descriptors);
        receive(&there, Ask::default(), |received| {
            let mut received = received.unwrap().complete().unwrap();
            assert_eq!(received.bytes(), 10);
            let mut descriptors = received.take_descriptors().unwrap();
            assert_eq!(descriptors.len(), files.len());
            for file in &files {
                assert_leads_to(descriptors.next().unwrap().as_fd(), *file);
            }
        });
        assert_closed(&files);
    }
}

fn every_byte_is_written() {
    for len in 0..18 {
        for room in [96, ancillary::Layout::NATIVE.len(len).unwrap()] {
            let (here, _there) = Connected::pair(Kind::Datagram);
            let mut memory = vec![std::mem::MaybeUninit::uninit(); room];
            let mut control = ControlWriter::new(&mut memory[..]);
            control.push_raw(17, 99, &[7; 18][..len]).unwrap();
            if room == 96 {
                control.reserve(17, 98, len).unwrap();
            }
            let sent = sendmsg(&here, &[], &control, SendFlags::empty());
            let ignored = CHOSEN.foreign == Foreign::Ignored;
            assert_eq!(sent, if ignored { Ok(0) } else { Err(Errno::INVAL) });
        }
    }
}

fn several_messages_of_descriptors() {
    let (here, there) = Connected::pair(Kind::Datagram);
    let (files, descriptors): (Vec<_>, Vec<_>) = (0..3).map(|_| open()).unzip();
    let mut space = ControlBuffer::<96>::new();
    let mut control = space.writer();
    control.push(ScmRights([descriptors[0].as_fd(), descriptors[1].as_fd()])).unwrap();
    control.push(ScmRights([descriptors[2].as_fd()])).unwrap();
    let sent = sendmsg(&here, &[IoSlice::new(b"data")], &control, SendFlags::empty());
    let (messages, count) = match CHOSEN.several {
        Several::Merged => (1, 3),
        Several::Each => (2, 3),
        // The second is dropped, and nothing says so.
        Several::FirstAlone => (1, 2),
        Several::Refused => {
            assert_eq!(sent, Err(Errno::INVAL));
            return;
        }
    };
    assert_eq!(sent, Ok(4));
    receive(&there, Ask::default(), |received| {
        let mut received = received.unwrap().complete().unwrap();
        assert_eq!(received.messages().count(), messages);
        assert_eq!(received.take_descriptors().unwrap().count(), count);
    });
    drop(descriptors);
    assert_closed(&files);
}

fn no_descriptors() {
    let (here, there) = Connected::pair(Kind::Datagram);
    let mut space = ControlBuffer::<64>::new();
    let mut control = space.writer();
    control.push(ScmRights([(); 0].map(|()| there.as_fd()))).unwrap();
    assert_eq!(sendmsg(&here, &[IoSlice::new(b"data")], &control, SendFlags::empty()), Ok(4));
    receive(&there, Ask::default(), |received| {
        let count = received.unwrap().messages().count();
        assert_eq!(count, usize::from(CHOSEN.empty_rights_arrive));
    });
}

fn a_stream_without_data() {
    let (here, there) = Connected::pair(Kind::Stream);
    let (file, descriptor) = open();
    let borrowed = [descriptor.as_fd()];
    let mut space = ControlBuffer::<64>::new();
    let mut control = space.writer();
    control.push(ScmRights(&borrowed)).unwrap();
    assert_eq!(sendmsg(&here, &[], &control, SendFlags::empty()), Ok(0));
    drop(descriptor);
    if CHOSEN.streams_pass_without_data {
        receive(&there, Ask::default(), |received| {
            let mut received = received.unwrap();
            assert_eq!((received.bytes(), received.take_descriptors().unwrap().count()), (0, 1));
        });
    }
    assert_eq!(there.waiting(), 0);
    assert_closed(&[file]);
}

fn more_descriptors_than_the_system_takes() {
    let (here, _there) = Connected::pair(Kind::Datagram);
    let (_, descriptor) = open();
    let count = SCM_MAX_FD.saturating_add(1);
    let many = vec![descriptor.as_fd(); count];
    let mut memory = vec![0; count.saturating_mul(8)];
    let mut control = ControlWriter::new(&mut memory[..]);
    let refused = PushError::TooManyDescriptors { count, max: SCM_MAX_FD };
    assert_eq!(control.push(ScmRights(&many)), Err(refused));
    assert_eq!(sendmsg(&here, &[], &control, SendFlags::empty()), Ok(0));
}

fn leftover_bytes() {
    let (here, _there) = Connected::pair(Kind::Datagram);
    let bytes = [0; 4];
    let data = [IoSlice::new(b"data")];
    let header = SendMsgHdr::with_bytes(&data, &bytes);
    // SAFETY: the header is prepared and lives until after the call; there is no descriptor in it.
    let sent = unsafe { sendmsg_raw(&here, header.as_ptr(), SendFlags::empty()) };
    assert_eq!(sent, if CHOSEN.leftover_is_ignored { Ok(4) } else { Err(Errno::INVAL) });
}

fn a_descriptor_that_is_closed() {
    let (here, _there) = Connected::pair(Kind::Datagram);
    let mut bytes = [0; 64];
    let mut control = ControlWriter::with_layout(ancillary::Layout::NATIVE, &mut bytes);
    control.push_raw(libc::SOL_SOCKET, libc::SCM_RIGHTS, &i32::MAX.to_ne_bytes()).unwrap();
    let header = SendMsgHdr::with_bytes(&[], control.as_bytes());
    // SAFETY: as above, and nothing is open under the number in it.
    let sent = unsafe { sendmsg_raw(&here, header.as_ptr(), SendFlags::empty()) };
    assert_eq!(sent, Err(Errno::BADF));
}

fn an_error_sends_nothing() {
    let (here, there) = Connected::pair(Kind::Datagram);
    let (files, message) = message_with(1);
    there.deliver(message);
    here.fail(libc::ENOBUFS);
    let data = [IoSlice::new(b"data")];
    assert_eq!(sendmsg(&here, &data, &ControlWriter::empty(), SendFlags::empty()), Err(Errno::NOBUFS));
    assert_eq!(sendmsg(&here, &data, &ControlWriter::empty(), SendFlags::empty()), Ok(4));
    assert_eq!((there.waiting(), kernel().calls), (2, 2));
    drop(there);
    assert_closed(&files);
}
