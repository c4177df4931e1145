//! Writing a control buffer: any sequence of operations, for any layout, over dirty memory at any address.
//!
//! A model of the memory is written to with plain arithmetic. Held are, after each operation,
//!
//! - the answer: accepted, or which error, with its numbers;
//! - the bytes of all messages, padding zeroed, and `used` and `available`: as before if the operation failed;
//! - that what is read back are the messages that were accepted, and take the room their layout computes;
//!
//! and in the end every byte of the memory: nobody has written outside the messages.
//!
//! Among the operations is one that pushes a whole buffer of another layout: all of its messages, or none.
#![no_main]

use ancillary::control::{StopReason, TranslateError};
use ancillary::layout::{Layout, LayoutChoice, Native};
use ancillary::message::{SCM_MAX_FD, ScmCredentials, ScmRights};
use ancillary::{ControlMessage, ControlMessages, ControlWriter, PushError};
use ancillary_fuzz::{AnyBuffer, AnyLayout, Arithmetic, Found, Memory, lines, walk};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// What the memory holds before anybody writes to it.
const DIRT: u8 = 0xFF;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    layout: AnyLayout,
    /// Whether the layout is given as a value where it could be left out.
    explicit: bool,
    room: u16,
    misalignment: u8,
    operations: Vec<Operation<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Operation<'a> {
    PushRaw(Kind, &'a [u8]),
    /// Reserves so many bytes and fills them from the front.
    Reserve(Kind, u8, &'a [u8]),
    /// Reserves a length that may be more than anything holds.
    ReserveTooMuch(Kind, usize),
    /// Pushes all messages of a buffer, of another layout perhaps.
    PushAll(AnyLayout, AnyBuffer<'a>),
    PushRights(u16),
    PushCredentials {
        pid: i32,
        uid: u32,
        gid: u32,
    },
    Clear,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Kind {
    Rights,
    Credentials,
    Any(i32, i32),
}

impl Kind {
    fn level_and_type(self) -> (i32, i32) {
        match self {
            Kind::Rights => (libc::SOL_SOCKET, libc::SCM_RIGHTS),
            Kind::Credentials => (libc::SOL_SOCKET, libc::SCM_CREDENTIALS),
            Kind::Any(level, message_type) => (level, message_type),
        }
    }
}

/// The writer's memory as it has to be, and the messages in it.
struct Model {
    arithmetic: Arithmetic,
    /// Whether safe code can send what is written, so that it must not be descriptors by their numbers.
    sendable: bool,
    memory: Vec<u8>,
    used: usize,
    descriptors: usize,
    messages: Vec<(i32, i32, Vec<u8>)>,
}

impl Model {
    fn available(&self) -> usize {
        self.memory.len() - self.used
    }

    /// Whether a message of any bytes would be accepted.
    fn admit(&self, kind: Kind, payload_len: usize) -> Result<(), PushError> {
        let (level, message_type) = kind.level_and_type();
        let is_rights = (level, message_type) == Kind::Rights.level_and_type();
        let is_address_of_rds = level == 276 && [1, 3, 6, 7, 8, 9].contains(&message_type);
        if self.sendable && (is_rights || is_address_of_rds) {
            return Err(PushError::UnsafePayload { level, message_type });
        }
        self.fits(payload_len)
    }

    fn fits(&self, payload_len: usize) -> Result<(), PushError> {
        match self.arithmetic.len(payload_len) {
            None => Err(PushError::TooLong { payload: payload_len }),
            Some(needed) if needed > self.available() => {
                Err(PushError::BufferTooSmall { needed, available: self.available() })
            }
            Some(_) => Ok(()),
        }
    }

    fn append(&mut self, kind: Kind, payload: &[u8]) {
        let (level, message_type) = kind.level_and_type();
        let len = self.arithmetic.data_offset() + payload.len();
        let header = self.arithmetic.encode((len as u64, level, message_type), 0);
        let end = (self.used as u128 + self.arithmetic.padded(len)).min(self.memory.len() as u128) as usize;
        let written = header.iter().chain(payload).chain(std::iter::repeat(&0));
        for (byte, written) in self.memory[self.used..end].iter_mut().zip(written) {
            *byte = *written;
        }
        self.used = end;
        self.messages.push((level, message_type, payload.to_vec()));
    }

    fn clear(&mut self) {
        (self.used, self.descriptors) = (0, 0);
        self.messages.clear();
    }

    /// Appends all messages of a buffer, or none. (What was written of them stays in the memory, unused.)
    fn push_all(&mut self, arithmetic: Arithmetic, bytes: &[u8]) -> Result<StopReason, TranslateError> {
        let before = (self.used, self.messages.len());
        let (found, end) = walk(arithmetic, bytes);
        let pushed = found.into_iter().try_for_each(|Found { offset, level, message_type, payload }| {
            let kind = Kind::Any(level, message_type);
            self.admit(kind, payload.len()).map_err(|error| TranslateError::Push { offset, error })?;
            self.append(kind, &bytes[payload]);
            Ok(())
        });
        let pushed = pushed.and(match end {
            StopReason::Malformed(error) => Err(TranslateError::Malformed(error)),
            end => Ok(end),
        });
        if pushed.is_err() {
            self.used = before.0;
            self.messages.truncate(before.1);
        }
        pushed
    }

    fn compare<A: LayoutChoice>(&self, layout: A, writer: &ControlWriter<'_, A>) {
        assert_eq!(writer.as_bytes(), &self.memory[..self.used]);
        assert_eq!((writer.used(), writer.available()), (self.used, self.available()));
        assert_eq!(writer.is_empty(), self.messages.is_empty());
        lines(format_args!("{writer:?}"));

        let mut read = ControlMessages::with_layout(layout, writer.as_bytes());
        for (level, message_type, payload) in &self.messages {
            let message = ControlMessage::new(*level, *message_type, payload);
            assert_eq!(read.next(), Some(Ok(message)));
        }
        assert_eq!((read.next(), read.remainder()), (None, &[][..]));

        let payload_lens: Vec<_> = self.messages.iter().map(|(_, _, payload)| payload.len()).collect();
        let (space, len) = self.arithmetic.sums(&payload_lens);
        assert_eq!(space.min(self.memory.len()), self.used);
        let layout = layout.layout();
        assert_eq!((layout.space_of_all(&payload_lens), layout.len_of_all(&payload_lens)), (Some(space), Some(len)));
    }
}

/// What every writer can do. `false` if the operation is not one of these.
fn apply<A: LayoutChoice>(operation: &Operation<'_>, writer: &mut ControlWriter<'_, A>, model: &mut Model) -> bool {
    match *operation {
        Operation::PushRaw(kind, payload) => {
            let admitted = model.admit(kind, payload.len());
            let (level, message_type) = kind.level_and_type();
            assert_eq!(writer.push_raw(level, message_type, payload), admitted);
            if admitted.is_ok() {
                model.append(kind, payload);
            }
        }
        Operation::Reserve(kind, len, filling) => {
            let (level, message_type) = kind.level_and_type();
            let mut payload = vec![0; usize::from(len)];
            match (writer.reserve(level, message_type, payload.len()), model.admit(kind, payload.len())) {
                (Ok(reserved), Ok(())) => {
                    assert_eq!(reserved, payload);
                    let filled = payload.len().min(filling.len());
                    reserved[..filled].copy_from_slice(&filling[..filled]);
                    payload[..filled].copy_from_slice(&filling[..filled]);
                    model.append(kind, &payload);
                }
                (reserved, admitted) => assert_eq!(reserved.err(), admitted.err()),
            }
        }
        Operation::ReserveTooMuch(kind, len) => {
            let len = len.max(model.memory.len());
            let (level, message_type) = kind.level_and_type();
            let refused = model.admit(kind, len).expect_err("more than the room");
            assert_eq!(writer.reserve(level, message_type, len), Err(refused));
            lines(format_args!("{refused}"));
        }
        Operation::PushAll(layout, ref buffer) => {
            let Some(layout) = layout.layout() else { return true };
            let bytes = buffer.bytes(Arithmetic::of(layout));
            let pushed = model.push_all(Arithmetic::of(layout), &bytes);
            assert_eq!(writer.push_all(ControlMessages::with_layout(layout, &bytes)), pushed);
            if let Err(error) = pushed {
                lines(format_args!("{error}"));
            }
        }
        Operation::Clear => {
            writer.clear();
            model.clear();
        }
        Operation::PushRights(_) | Operation::PushCredentials { .. } => return false,
    }
    true
}

/// What only a writer of the native layout can do. `descriptors` are as many as are ever pushed.
fn apply_typed<'fd>(
    operation: &Operation<'_>,
    writer: &mut ControlWriter<'fd>,
    model: &mut Model,
    descriptors: &'fd [BorrowedFd<'fd>],
) {
    match *operation {
        Operation::PushRights(count) => {
            let descriptors = &descriptors[..usize::from(count) % (descriptors.len() + 1)];
            let count = model.descriptors + descriptors.len();
            let payload: Vec<u8> = descriptors.iter().flat_map(|fd| fd.as_raw_fd().to_ne_bytes()).collect();
            let admitted = if count > SCM_MAX_FD {
                Err(PushError::TooManyDescriptors { count, max: SCM_MAX_FD })
            } else {
                model.fits(payload.len())
            };
            assert_eq!(writer.push(ScmRights(descriptors)), admitted);
            if admitted.is_ok() {
                model.append(Kind::Rights, &payload);
                model.descriptors = count;
            }
        }
        Operation::PushCredentials { pid, uid, gid } => {
            let payload = [pid.to_ne_bytes(), uid.to_ne_bytes(), gid.to_ne_bytes()].concat();
            let admitted = model.fits(payload.len());
            assert_eq!(writer.push(ScmCredentials { pid, uid, gid }), admitted);
            if admitted.is_ok() {
                model.append(Kind::Credentials, &payload);
            }
        }
        _ => unreachable!("every writer can do this"),
    }
}

fuzz_target!(|input: Input<'_>| {
    let Some(layout) = input.layout.layout() else { return };
    let room = usize::from(input.room % 1536);
    let mut memory = Memory::filled(DIRT, room, input.misalignment);
    let mut model = Model {
        arithmetic: Arithmetic::of(layout),
        sendable: layout == Layout::NATIVE && !input.explicit,
        memory: vec![DIRT; room],
        used: 0,
        descriptors: 0,
        messages: Vec::new(),
    };

    if model.sendable {
        let stdin = io::stdin();
        let descriptors = [stdin.as_fd(); SCM_MAX_FD + 1];
        let mut writer = ControlWriter::new(memory.bytes_mut());
        for operation in &input.operations {
            if !apply(operation, &mut writer, &mut model) {
                apply_typed(operation, &mut writer, &mut model, &descriptors);
            }
            model.compare(Native, &writer);
        }
    } else {
        let mut writer = ControlWriter::with_layout(layout, memory.bytes_mut());
        for operation in &input.operations {
            apply(operation, &mut writer, &mut model);
            model.compare(layout, &writer);
        }
    }
    assert_eq!(memory.bytes(), model.memory);
    assert!(memory.is_untouched_before());
});
