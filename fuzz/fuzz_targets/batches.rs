//! Many messages in one call, and the same slots and rooms in call after call (Linux, 64-bit).
//!
//! Programs of `sendmmsg` and `recvmmsg` run over real sockets, with slots and rooms that live as long as the program,
//! and are compared with a model of the queue between the sockets ([`kernel`](ancillary_fuzz::kernel)), which says to the
//! byte and the descriptor what each message of a batch is. Held are
//!
//! - how many messages are sent and received: up to the first that is refused, that is not there yet, or that the time
//!   has run out after; the error, if it is the first; and how many bytes [`SendSlot::sent`] tells of each;
//! - of every message its data in all slices, its address, its flags, its credentials and its descriptors: as if its room
//!   were used for the first time, whatever calls before have left in slot, room and length fields;
//! - that all descriptors of a batch are owned, from the call on: by the batch, by the messages it has yielded, in
//!   whatever order these are dropped, or by who has taken them; and that no others are touched;
//! - that truncated buffers, a full descriptor table, peeks and calls that fail leave nothing behind for the next call.
#![no_main]

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("the model is Linux's, of 64-bit processes");

use ancillary::message::{ScmCredentials, ScmRights};
use ancillary::received::ReceivedWithData;
use ancillary::received::recvmmsg;
use ancillary::socket::sendmmsg;
use ancillary::socket::{RecvRoom, RecvSlot, SendSlot, WAIT_FOR_ONE};
use ancillary::{ControlBuffer, ControlWriter, Message, control_space};
use ancillary_fuzz::kernel::{Attached, Kind, Queue, Room, Sender, Way, Written};
use ancillary_fuzz::table::{self, File, Open, file, open, set_of};
use ancillary_fuzz::{Memory, lines};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrAny, SocketAddrUnix, SocketFlags, bind, getsockname, socketpair,
    sockopt,
};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

#[derive(Arbitrary, Debug)]
struct Input {
    kind: Kind,
    pass_credentials: bool,
    rooms: Vec<PlannedRoom>,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct PlannedRoom {
    /// How many slices there are for data, and their lengths.
    slices: u8,
    lens: [u8; 2],
    control: u8,
    misalignment: u8,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Send {
        messages: Vec<PlannedMessage>,
        /// Sends what was sent once more, in the same slots.
        again: bool,
    },
    Receive(Receive),
    /// Gives the sender a name of this length.
    Name(u8),
    CloseTaken(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct PlannedMessage {
    /// Which files, by index.
    first: u8,
    count: u8,
    credentials: bool,
    lens: [u8; 2],
    what: What,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum What {
    Message,
    /// [`SendSlot::empty`].
    Empty,
    /// With a control message that the kernel refuses.
    Refused,
}

#[derive(Arbitrary, Debug)]
struct Receive {
    /// How many slots, and from which room on.
    slots: u8,
    first_room: u8,
    peek: bool,
    true_length: bool,
    /// Waits for the first message, if one is there.
    wait: bool,
    time: Time,
    /// How many more descriptors the table has room for.
    table_room: Option<u8>,
    /// What is done with each message. Those without are closed with the batch.
    uses: Vec<Use>,
    /// Whether messages that were kept are dropped from the last one on.
    backwards: bool,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Time {
    Unlimited,
    None,
    Enough,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Use {
    Drop,
    /// Drops the message unseen.
    Pass,
    /// Takes so many descriptors.
    Take(u8),
    /// Keeps the message, until the batch is gone.
    Keep,
    /// Keeps it, and takes so many descriptors when the batch is gone.
    KeepAndTake(u8),
    Draw,
}

const MOST_ROOMS: usize = 6;

struct Fixed {
    files: [OwnedFd; 5],
    sender: Sender,
}

thread_local! {
    static FIXED: Fixed = {
        table::limit(table::WATCHED);
        let files = [(); 5].map(|()| memfd_create(c"file", MemfdFlags::CLOEXEC).expect("a file"));
        Fixed { files, sender: Sender::new(None) }
    };
}

/// The two ends, and what is on its way.
struct Sockets {
    here: OwnedFd,
    there: OwnedFd,
    kind: Kind,
    queue: Queue,
    name: Option<SocketAddrAny>,
    /// How many messages there were, so that each has other data.
    count: u8,
}

type Space = ControlBuffer<{ control_space!(ScmRights[5], ScmCredentials) + 16 }>;

impl Sockets {
    fn new(input: &Input) -> Self {
        let kind = input.kind;
        let (here, there) =
            socketpair(AddressFamily::UNIX, kind.socket_type(), SocketFlags::CLOEXEC, None).expect("a pair of sockets");
        sockopt::set_socket_passcred(&here, input.pass_credentials).expect("every Linux has it");
        Sockets { here, there, kind, queue: Queue::new(kind, input.pass_credentials), name: None, count: 0 }
    }

    /// A name that nobody else has: names of this kind are gone with the socket.
    fn bind(&mut self, len: u8) {
        if self.name.is_none() {
            let mut name = format!("ancillary-fuzz-{}-", std::process::id());
            while name.len() < usize::from(len) % 108 {
                name.push('n');
            }
            let address = SocketAddrUnix::new_abstract_name(name.as_bytes()).expect("it is short enough");
            bind(&self.there, &address).expect("nobody else has that name");
            self.name = Some(getsockname(&self.there).expect("it has one"));
        }
    }

    fn send(&mut self, messages: &[PlannedMessage], again: bool, fixed: &Fixed) {
        let messages = &messages[..messages.len().min(MOST_ROOMS)];
        // What is queued must not be more than a socket holds.
        if self.queue.len() > 64 {
            return;
        }
        let count = &mut self.count;
        let data: Vec<[Vec<u8>; 2]> = messages
            .iter()
            .map(|message| {
                *count = count.wrapping_add(1);
                message.lens.map(|len| vec![*count; usize::from(len % 9)])
            })
            .collect();
        let slices: Vec<_> = data.iter().map(|data| data.each_ref().map(|data| IoSlice::new(data))).collect();
        let descriptors: Vec<Vec<BorrowedFd<'_>>> = messages
            .iter()
            .map(|message| {
                let all = fixed.files.iter().cycle().skip(message.first.into()).map(AsFd::as_fd);
                all.take(usize::from(message.count % 6)).collect()
            })
            .collect();
        let mut spaces: Vec<_> = messages.iter().map(|_| Space::new()).collect();
        let controls: Vec<_> = (spaces.iter_mut().zip(messages).zip(&descriptors))
            .map(|((space, message), descriptors)| control(space, message, descriptors))
            .collect();
        let mut slots: Vec<_> = (messages.iter().zip(&slices).zip(&controls))
            .map(|((message, slices), control)| match message.what {
                What::Empty => SendSlot::empty(),
                _ => SendSlot::new(slices, control),
            })
            .collect();

        for _ in 0..1 + usize::from(again) {
            let mut expected = Vec::new();
            let mut end = Ok(());
            let mut or = Vec::new();
            let mut in_flight = self.queue.in_flight();
            for ((message, data), control) in messages.iter().zip(&data).zip(&controls) {
                let (data, control) = match message.what {
                    What::Empty => (Vec::new(), &[][..]),
                    _ => (data.concat(), control.as_bytes()),
                };
                let way = Way {
                    takes_nothing: self.kind == Kind::Stream && data.is_empty(),
                    passes_rights: true,
                    in_flight,
                    limit: table::WATCHED,
                };
                let verdict = fixed.sender.send(control, way);
                or.push(verdict.or);
                match verdict.result {
                    Ok(Attached { descriptors, credentials }) => {
                        in_flight += descriptors.len();
                        expected.push((data, descriptors, credentials));
                    }
                    Err(error) => {
                        end = Err(error);
                        break;
                    }
                }
            }

            let sent = match sendmmsg(&self.there, &mut slots, SendFlags::DONTWAIT) {
                Ok(sent) => sent,
                Err(error) => {
                    let is_expected = expected.is_empty() && end == Err(error);
                    assert!(is_expected || or[0].contains(&error), "{error:?}, not {end:?} after {expected:?}");
                    0
                }
            };
            assert!(sent == expected.len() || sent < expected.len() && !or[sent].is_empty(), "{sent} of {expected:?}");
            for (slot, (data, numbers, credentials)) in slots.iter().zip(expected).take(sent) {
                assert_eq!(slot.sent(), data.len());
                self.queue.push(&data, files(&numbers, fixed), credentials);
            }
            lines(format_args!("{slots:?}"));
        }
    }
}

/// Writes what a message passes.
fn control<'a>(space: &'a mut Space, message: &PlannedMessage, descriptors: &'a [BorrowedFd<'a>]) -> ControlWriter<'a> {
    let mut control = space.writer();
    if !descriptors.is_empty() {
        control.push(ScmRights(descriptors)).expect("the room is for all");
    }
    if message.credentials {
        control.push(ScmCredentials::of_this_process()).expect("the room is for all");
    }
    if message.what == What::Refused {
        control.push_raw(libc::SOL_SOCKET, 77, &[]).expect("the room is for all");
    }
    control
}

fn files(numbers: &[RawFd], fixed: &Fixed) -> Vec<File> {
    let file = |number: &RawFd| {
        let sent = fixed.files.iter().find(|file| file.as_raw_fd() == *number);
        file(sent.expect("no others are sent"))
    };
    numbers.iter().map(file).collect()
}

/// What a room is, beside the memory.
#[derive(Clone, Copy, Debug)]
struct Size {
    slices: usize,
    lens: [usize; 2],
    control: usize,
}

impl Size {
    fn of(planned: PlannedRoom) -> Self {
        Size {
            slices: usize::from(planned.slices % 3),
            lens: planned.lens.map(|len| usize::from(len % 9)),
            control: usize::from(planned.control % 129),
        }
    }

    fn data(self) -> usize {
        self.lens[..self.slices].iter().sum()
    }
}

/// What is to be in a message.
#[derive(Debug)]
struct Expected {
    data: Vec<u8>,
    /// What the call says of its length.
    bytes: usize,
    size: Size,
    written: Written,
}

impl Receive {
    /// Takes what such a call receives from the queue.
    fn expect(&self, queue: &mut Queue, sizes: &[Size], mut free: usize) -> Vec<Expected> {
        let most = if matches!(self.time, Time::None) { 1 } else { MOST_ROOMS };
        let mut all = Vec::new();
        for size in sizes.iter().take(most) {
            let arrived = if self.peek { queue.peek(size.data()) } else { queue.receive(size.data()) };
            let Some(arrived) = arrived else { break };
            let bytes = arrived.longer.filter(|_| self.true_length).unwrap_or(arrived.data.len());
            let data = arrived.data.clone();
            let written = arrived.write(Room { control: size.control, descriptors: free });
            free -= written.files.len();
            all.push(Expected { data, bytes, size: *size, written });
        }
        all
    }

    fn flags(&self, waits: bool) -> RecvFlags {
        let mut flags = if waits { WAIT_FOR_ONE } else { RecvFlags::DONTWAIT };
        flags.set(RecvFlags::PEEK, self.peek);
        flags.set(RecvFlags::TRUNC, self.true_length);
        flags
    }

    fn timeout(&self) -> Option<Duration> {
        match self.time {
            Time::Unlimited => None,
            Time::None => Some(Duration::ZERO),
            Time::Enough => Some(Duration::MAX),
        }
    }

    fn call(
        &self,
        sockets: &mut Sockets,
        slots: &mut [RecvSlot],
        rooms: &mut [RecvRoom<'_, '_>],
        sizes: &[Size],
        taken: &mut Vec<OwnedFd>,
    ) {
        let slot_count = usize::from(self.slots) % (slots.len() + 1);
        let first_room = usize::from(self.first_room) % (rooms.len() + 1);
        let (slots, rooms, sizes) = (&mut slots[..slot_count], &mut rooms[first_room..], &sizes[first_room..]);
        let count = slot_count.min(rooms.len());

        let before = open();
        let limit = self.table_room.map_or(table::WATCHED, |room| table::limit_with_room(before, room % 16));
        let free = limit - (0..limit).filter(|number| before & (1 << number) != 0).count();
        let waits = self.wait && !sockets.queue.is_empty();
        let expected = self.expect(&mut sockets.queue, &sizes[..count], free);
        table::limit(limit);
        let result = recvmmsg(&sockets.here, slots, rooms, self.flags(waits), self.timeout());
        table::limit(table::WATCHED);

        let mut batch = match result {
            Ok(batch) => batch,
            Err(error) => {
                assert_eq!(error, Errno::AGAIN);
                assert!(expected.is_empty() && count > 0, "{expected:?}");
                assert_eq!(open(), before);
                return;
            }
        };
        assert_eq!((batch.len(), batch.error()), (expected.len(), None));
        assert!(count == 0 || !expected.is_empty());
        lines(format_args!("{batch:?}"));
        let descriptors = |expected: &Expected| expected.written.files.len();
        let arrived = open();
        assert_eq!(arrived & before, before);
        let new = (arrived & !before).count_ones() as usize;
        assert_eq!(new, expected.iter().map(descriptors).sum::<usize>());

        let mut kept = Vec::new();
        for ((action, expected), left) in self.uses.iter().zip(&expected).zip((0..batch.len()).rev()) {
            let mut message = batch.next().expect("there are so many");
            assert_eq!(batch.len(), left);
            if let Use::Pass = action {
                continue;
            }
            compare(&message, expected, &sockets.name);
            match action {
                Use::Drop | Use::Pass => {}
                Use::Take(count) => taken.extend(take(&mut message, *count)),
                Use::Keep => kept.push((message, 0)),
                Use::KeepAndTake(count) => kept.push((message, *count)),
                Use::Draw => {
                    lines(format_args!("{message:?}"));
                    lines(format_args!("{:?}", message.messages().collect::<Vec<_>>()));
                    lines(format_args!("{:?}", message.into_parts().0.into_messages().collect::<Vec<_>>()));
                }
            }
        }
        if self.uses.len() >= expected.len() {
            assert!(batch.next().is_none() && batch.next().is_none());
        }
        drop(batch);

        if self.backwards {
            kept.reverse();
        }
        while !kept.is_empty() {
            let owned = kept.iter().flat_map(|(message, _)| numbers(message)).collect::<Vec<_>>();
            assert_eq!(open(), owned_by(before, taken) | set_of(owned));
            let (mut message, count) = kept.swap_remove(0);
            taken.extend(take(&mut message, count));
        }
        assert_eq!(open(), owned_by(before, taken));
    }
}

/// What was open before, and what was taken, then or since.
fn owned_by(before: Open, taken: &[OwnedFd]) -> Open {
    before | set_of(taken.iter().map(AsRawFd::as_raw_fd))
}

fn take(message: &mut ReceivedWithData<'_>, count: u8) -> Vec<OwnedFd> {
    message.take_descriptors().expect("the kernel passes descriptors").take(count.into()).collect()
}

fn numbers(message: &ReceivedWithData<'_>) -> Vec<RawFd> {
    let mut numbers = Vec::new();
    for message in message.messages() {
        if let Ok(Message::ScmRights(descriptors)) = message {
            numbers.extend(descriptors.map(|descriptor| descriptor.as_raw_fd()));
        }
    }
    numbers
}

fn compare(message: &ReceivedWithData<'_>, expected: &Expected, name: &Option<SocketAddrAny>) {
    assert_eq!(message.bytes(), expected.bytes);
    let parts: Vec<_> = message.slices().collect();
    assert_eq!(parts.concat(), expected.data);
    let lens = &expected.size.lens[..expected.size.slices];
    assert!(parts.iter().zip(lens).all(|(part, len)| part.len() <= *len) && parts.len() <= lens.len());
    let first = lens.first().map_or(0, |len| expected.data.len().min(*len));
    assert_eq!(message.data(), &expected.data[..first]);
    assert_eq!(message.address(), name.as_ref());
    expected.written.compare(message);
}

fn run(input: &Input, fixed: &Fixed) {
    let mut sockets = Sockets::new(input);
    let planned = &input.rooms[..input.rooms.len().min(MOST_ROOMS)];
    let sizes: Vec<_> = planned.iter().copied().map(Size::of).collect();
    let mut controls: Vec<_> = (planned.iter().zip(&sizes))
        .map(|(planned, size)| Memory::dirty(size.control, planned.misalignment, fixed.files[0].as_raw_fd(), 0))
        .collect();
    let mut data: Vec<_> = sizes.iter().map(|size| size.lens.map(|len| vec![0xDD; len])).collect();
    let mut taken = Vec::new();
    {
        let mut slices: Vec<_> =
            data.iter_mut().map(|data| data.each_mut().map(|data| IoSliceMut::new(data))).collect();
        let mut rooms: Vec<_> = (slices.iter_mut().zip(&mut controls).zip(&sizes))
            .map(|((slices, control), size)| RecvRoom::new(&mut slices[..size.slices], control.bytes_mut()))
            .collect();
        let mut slots = [const { RecvSlot::new() }; MOST_ROOMS];
        for step in input.steps.iter().take(32) {
            match step {
                Step::Send { messages, again } => sockets.send(messages, *again, fixed),
                Step::Receive(receive) => receive.call(&mut sockets, &mut slots, &mut rooms, &sizes, &mut taken),
                Step::Name(len) => sockets.bind(*len),
                Step::CloseTaken(index) => {
                    if !taken.is_empty() {
                        taken.swap_remove(usize::from(*index) % taken.len());
                    }
                }
            }
        }
    }
    assert!(controls.iter().all(Memory::is_untouched_before));
}

fuzz_target!(|input: Input| {
    FIXED.with(|fixed| {
        let start = open();
        run(&input, fixed);
        assert_eq!(open(), start);
    });
});
