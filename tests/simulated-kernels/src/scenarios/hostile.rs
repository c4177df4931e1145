//! Control buffers as no kernel should write them: reading ends, and what is before is owned.

use super::{assert_closed, in_flight, scenarios};
use crate::kernel::abi::{self, Image, RIGHTS};
use crate::kernel::message::{Control, Message};
use crate::kernel::table::File;
use crate::kernel::{Connected, Kind, kernel};
use crate::receive::{Ask, every_way, receive};
use ancillary::message::DescriptorError;
use ancillary::{ControlError, Message as Arrived};

scenarios![
    lengths_that_cannot_be_true,
    too_few_bytes_for_a_message,
    more_is_counted_than_there_is,
    a_part_of_a_slot,
    numbers_that_are_no_errors,
];

/// A message with a descriptor that is in the program's table.
fn installed() -> (File, Image) {
    let (files, in_flight) = in_flight(1);
    let number = kernel().table.install(&in_flight[0], false).unwrap();
    (files[0], abi::image(abi::len(4), RIGHTS, &number.to_ne_bytes()))
}

fn written(image: Image) -> Message {
    let len = image.len();
    Message { control: Control::Image(image, len), ..Message::new(b"data", Vec::new()) }
}

fn lengths_that_cannot_be_true() {
    let (header, there) = (abi::header(), abi::space(8));
    // 32 bits of length are what there is everywhere.
    let claims = [0, 1, header - 1, there + 1, there + 8, i32::MAX as usize, u32::MAX as usize, u32::MAX as usize - 7];
    for (case, claimed) in claims.into_iter().enumerate() {
        for how in every_way(case) {
            let (_here, socket) = Connected::pair(Kind::Datagram);
            let (file, mut image) = installed();
            let offset = image.len();
            image.extend(abi::image(claimed, RIGHTS, &[(-1i32).to_ne_bytes(); 2].concat()));
            socket.deliver(written(image));
            receive(&socket, Ask { how, ..Ask::default() }, |received| {
                let mut received = received.unwrap();
                let mut messages = received.messages();
                assert!(matches!(messages.next(), Some(Ok(Arrived::ScmRights(_)))));
                let (claimed, remaining) = (claimed as u64, there);
                let below = claimed < header as u64;
                let error = messages.next().unwrap().unwrap_err();
                assert_eq!(
                    error,
                    if below {
                        ControlError::LengthBelowHeader { offset, claimed, remaining }
                    } else {
                        ControlError::LengthBeyondBuffer { offset, claimed, remaining }
                    }
                );
                assert_eq!(messages.truncated_message().is_some(), !below);
                assert!(messages.next().is_none());
                if below {
                    assert_eq!(received.take_descriptors().unwrap().count(), 1);
                    return;
                }
                // The slots of the clamped message are seen as well.
                let error = DescriptorError { raw: -1 };
                assert_eq!(received.take_descriptors().err(), Some(error));
                let mut messages = received.take_messages();
                let Some(Ok(Arrived::ScmRights(descriptors))) = messages.next() else { panic!() };
                assert_eq!(descriptors.count(), 1);
                assert!(messages.next().unwrap().is_err());
                let Some(Arrived::ScmRightsWithErrors(slots)) = messages.truncated_message() else { panic!() };
                assert!(slots.map(Result::unwrap_err).eq([error; 2]));
            });
            assert_closed(&[file]);
        }
    }
}

fn too_few_bytes_for_a_message() {
    for len in 0..abi::header() {
        let (_here, socket) = Connected::pair(Kind::Datagram);
        let (file, mut image) = installed();
        image.extend((0..len).map(|_| Some(0xff)));
        socket.deliver(written(image));
        receive(&socket, Ask::default(), |received| assert_eq!(received.unwrap().messages().count(), 1));
        assert_closed(&[file]);
    }
}

fn more_is_counted_than_there_is() {
    for (case, more) in [1, 7, 1000, i32::MAX as usize].into_iter().enumerate() {
        for how in every_way(case) {
            let (_here, socket) = Connected::pair(Kind::Datagram);
            let (file, image) = installed();
            let (room, len) = (image.len(), image.len() + more);
            socket.deliver(Message { control: Control::Image(image, len), ..Message::new(b"data", Vec::new()) });
            receive(&socket, Ask { how, room, ..Ask::default() }, |received| {
                let mut received = received.unwrap();
                assert_eq!(received.messages().count(), 1);
                assert_eq!(received.take_descriptors().unwrap().count(), 1);
            });
            assert_closed(&[file]);
        }
    }
}

fn a_part_of_a_slot() {
    for len in 4..8 {
        let (_here, socket) = Connected::pair(Kind::Datagram);
        let (files, in_flight) = in_flight(1);
        let number = kernel().table.install(&in_flight[0], false).unwrap();
        drop(in_flight);
        let payload = [number.to_ne_bytes(), [1; 4]].concat();
        socket.deliver(written(abi::image(abi::len(len), RIGHTS, &payload[..len])));
        receive(&socket, Ask::default(), |received| {
            let received = received.unwrap();
            let Some(Ok(Arrived::ScmRights(descriptors))) = received.messages().next() else { panic!() };
            assert_eq!((descriptors.len(), descriptors.remainder()), (1, &payload[4..len]));
        });
        assert_closed(&files);
    }
}

/// Negative, and not in the range of errors: no descriptor either.
fn numbers_that_are_no_errors() {
    let (_here, socket) = Connected::pair(Kind::Datagram);
    let payload = [i32::MIN, -2, i32::MIN].map(i32::to_ne_bytes).concat();
    socket.deliver(written(abi::image(abi::len(12), RIGHTS, &payload)));
    receive(&socket, Ask::default(), |received| {
        let mut received = received.unwrap();
        let expected = [i32::MIN, -2, i32::MIN].map(|raw| DescriptorError { raw });
        assert_eq!(received.take_descriptors().err(), Some(expected[0]));
        let Some(Ok(Arrived::ScmRightsWithErrors(slots))) = received.take_messages().next() else { panic!() };
        assert!(slots.map(Result::unwrap_err).eq(expected));
    });
}
