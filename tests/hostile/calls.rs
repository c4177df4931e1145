//! Sockets and memory that misbehave while a call is made, and after it.
#![forbid(unsafe_code)]

use crate::measure::{Watch, file_at};
use crate::rounds::{happened, plant, planted, rounds};
use crate::tests;
use crate::world::{QUIETLY, World, pair, the_kernels_truncation};
use ancillary::control::ControlSliceMut;
use ancillary::message::{ScmCredentials, ScmRights};
use ancillary::received::{recvmmsg, recvmsg};
use ancillary::socket::{RecvOptions, RecvRoom, RecvSlot, SendSlot, set_delivery};
use ancillary::socket::{sendmmsg, sendmsg, sendmsg_addr};
use ancillary::{ControlBuffer, ControlWriter};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{RecvFlags, SendFlags, SocketAddrUnix, SocketType};
use std::cell::Cell;
use std::time::Duration;

tests![each_alone if the_kernels_truncation, at_random if the_kernels_truncation];

/// What a socket or memory does when the crate asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    Honest,
    Panics,
    /// Another socket each time.
    Alternates,
    File,
    OfAClosedPeer,
    Stdin,
    /// Receives a message itself before.
    Receives,
    /// Sends a message itself before.
    Sends,
}

pub const EVERY_CONDUCT: [Conduct; 8] = [
    Conduct::Honest,
    Conduct::Panics,
    Conduct::Alternates,
    Conduct::File,
    Conduct::OfAClosedPeer,
    Conduct::Stdin,
    Conduct::Receives,
    Conduct::Sends,
];

/// Sockets to be exchanged for the one that was asked for.
pub struct Others {
    alone: OwnedFd,
    alternates: (OwnedFd, OwnedFd),
}

impl Others {
    pub fn new() -> Self {
        Others { alone: pair(SocketType::SEQPACKET).0, alternates: pair(SocketType::SEQPACKET) }
    }
}

pub struct Socket<'w> {
    world: &'w World,
    others: &'w Others,
    socket: BorrowedFd<'w>,
    conduct: Conduct,
    panics_when_dropped: bool,
    asked: Cell<usize>,
}

impl<'w> Socket<'w> {
    pub fn new(
        world: &'w World,
        others: &'w Others,
        socket: &'w impl AsFd,
        conduct: Conduct,
        panics_when_dropped: bool,
    ) -> Self {
        Socket { world, others, socket: socket.as_fd(), conduct, panics_when_dropped, asked: Cell::new(0) }
    }
}

impl AsFd for Socket<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.asked.set(self.asked.get() + 1);
        match self.conduct {
            Conduct::Honest => {}
            Conduct::Panics => {
                happened("a socket that panicked when it was asked");
                plant();
            }
            Conduct::Alternates => {
                happened("another socket");
                if self.asked.get() % 2 == 1 {
                    return self.others.alternates.0.as_fd();
                }
            }
            Conduct::File => return self.world.lent(0),
            Conduct::OfAClosedPeer => return self.others.alone.as_fd(),
            Conduct::Stdin => return rustix::stdio::stdin(),
            Conduct::Receives => {
                happened("a socket that received");
                let _ = self.world.arriving(self.socket);
            }
            Conduct::Sends => {
                happened("a socket that sent");
                let _ = send_two(self.world, self.socket);
            }
        }
        self.socket
    }
}

impl Drop for Socket<'_> {
    fn drop(&mut self) {
        if self.panics_when_dropped {
            happened("a socket that panicked when it was dropped");
            plant();
        }
    }
}

/// Memory that misbehaves when it is handed over.
pub struct Memory<'m> {
    bytes: &'m mut [u8],
    conduct: Conduct,
    world: &'m World,
}

impl<'m> Memory<'m> {
    pub fn new(world: &'m World, bytes: &'m mut [u8], conduct: Conduct) -> Self {
        Memory { bytes, conduct, world }
    }
}

impl<'m> From<Memory<'m>> for ControlSliceMut<'m> {
    fn from(memory: Memory<'m>) -> Self {
        match memory.conduct {
            Conduct::Panics => {
                happened("memory that panicked");
                plant();
            }
            Conduct::Alternates => return ControlSliceMut::none(),
            Conduct::File => return memory.bytes[..5].as_mut().into(),
            Conduct::Receives => {
                happened("memory that received");
                let _ = memory.world.arriving(&memory.world.there);
            }
            Conduct::Sends => {
                let _ = send_two(memory.world, &memory.world.here);
            }
            _ => {}
        }
        memory.bytes.into()
    }
}

pub fn send_two(world: &World, socket: impl AsFd) -> Result<usize, Errno> {
    let mut space = ControlBuffer::<32>::new();
    let mut control = space.writer();
    control.push(ScmRights([world.lent(0), world.lent(1)])).unwrap();
    sendmsg(socket, &[IoSlice::new(b"two")], &control, QUIETLY)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Send,
    SendToAddress,
    SendBatch,
    Receive,
    ReceiveInheritable,
    ReceiveBatch,
    ReceiveBatchInheritable,
    SetDelivery,
}

const EVERY_CALL: [Call; 8] = [
    Call::Send,
    Call::SendToAddress,
    Call::SendBatch,
    Call::Receive,
    Call::ReceiveInheritable,
    Call::ReceiveBatch,
    Call::ReceiveBatchInheritable,
    Call::SetDelivery,
];

/// Makes a call on such a socket, and says how many messages were sent or received, if it has not panicked.
fn call(call: Call, socket: Socket<'_>, world: &World, memory: Conduct, flags: u32) -> Option<Result<usize, Errno>> {
    let data = [IoSlice::new(b"data")];
    let (mut lending, mut first, mut second) = ([0xff; 64], [0xff; 64], [0xff; 64]);
    let mut received = [[0; 8]; 2];
    let flags_in = RecvFlags::from_bits_retain(flags) | RecvFlags::DONTWAIT;
    let inheritable = RecvOptions::from(flags_in).inheritable().retry_interrupted();
    let flags_out = SendFlags::from_bits_retain(flags) | QUIETLY;
    let address = SocketAddrUnix::new_unnamed();
    planted(|| {
        let mut slices = received.each_mut().map(|data| [IoSliceMut::new(data)]);
        let [one, other] = &mut slices;
        let first = Memory::new(world, &mut first, memory);
        match call {
            Call::Send | Call::SendToAddress | Call::SendBatch => {
                // The memory of a writer may misbehave as well.
                let mut control = ControlWriter::new(Memory::new(world, &mut lending, memory));
                let _ = control.push(ScmRights([world.lent(2), world.lent(3)]));
                match call {
                    Call::Send => sendmsg(socket, &data, &control, flags_out).map(|_| 1),
                    Call::SendToAddress => sendmsg_addr(socket, &address, &data, &control, flags_out).map(|_| 1),
                    _ => {
                        let mut slots = [SendSlot::new(&data, &control), SendSlot::new(&data, &control)];
                        sendmmsg(socket, &mut slots, flags_out)
                    }
                }
            }
            Call::Receive => recvmsg(socket, one, first, flags_in).map(|_| 1),
            Call::ReceiveInheritable => recvmsg(socket, one, first, inheritable).map(|_| 1),
            Call::ReceiveBatch | Call::ReceiveBatchInheritable => {
                let mut rooms = [RecvRoom::new(one, first), RecvRoom::new(other, &mut second)];
                let mut slots = [const { RecvSlot::new() }; 2];
                if call == Call::ReceiveBatch {
                    recvmmsg(socket, &mut slots, &mut rooms, flags_in, Some(Duration::MAX)).map(|batch| batch.len())
                } else {
                    recvmmsg(socket, &mut slots, &mut rooms, inheritable, None).map(|batch| batch.count())
                }
            }
            Call::SetDelivery => set_delivery::<ScmCredentials>(socket, flags & 1 != 0).map(|()| 0),
        }
    })
}

fn a_call(which: Call, conduct: Conduct, memory: Conduct, panics_when_dropped: bool, flags: u32) {
    let (world, others) = (World::new(), Others::new());
    // What stdin is depends on who has started this: nothing is sent there, and no option set.
    let receives =
        matches!(which, Call::Receive | Call::ReceiveInheritable | Call::ReceiveBatch | Call::ReceiveBatchInheritable);
    let conduct = if conduct == Conduct::Stdin && !receives { Conduct::File } else { conduct };
    for _ in 0..3 {
        send_two(&world, &world.here).unwrap();
        send_two(&world, &others.alternates.1).unwrap();
    }
    let watch = Watch::begin();
    let end = if receives { &world.there } else { &world.here };
    let socket = Socket::new(&world, &others, end, conduct, panics_when_dropped);
    let result = call(which, socket, &world, memory, flags);
    // What refuses the flag itself asks no socket, and memory is nothing to the call that sets an option.
    let refused = !receives && which != Call::SetDelivery && flags & libc::MSG_ZEROCOPY as u32 != 0;
    let panics = panics_when_dropped
        || (conduct == Conduct::Panics && !refused)
        || (memory == Conduct::Panics && which != Call::SetDelivery);
    assert_eq!(result.is_none(), panics, "{which:?}: {result:?}");
    if let Some(result) = result {
        assert!(conduct != Conduct::File || result.is_err(), "{result:?}");
        assert!(!refused || result == Err(Errno::INVAL), "{result:?}");
        happened(if result.is_ok() { "a call that succeeded" } else { "a call that failed" });
    }
    watch.end(&[], Vec::new());
    // What is left is as it was sent.
    for socket in [&world.here, &world.there, &others.alternates.0, &others.alternates.1] {
        while let Ok(files) = world.arriving(socket) {
            assert!(files.len() <= 2);
        }
    }
    // The sockets still do what they are for.
    send_two(&world, &world.here).unwrap();
    let files = [0, 1].map(|index| file_at(world.lent(index).as_raw_fd()).unwrap());
    assert_eq!(world.arriving(&world.there).unwrap(), files);
}

fn each_alone() {
    for which in EVERY_CALL {
        for conduct in EVERY_CONDUCT {
            for panics_when_dropped in [false, true] {
                a_call(which, conduct, Conduct::Honest, panics_when_dropped, 0);
            }
        }
        for memory in EVERY_CONDUCT {
            a_call(which, Conduct::Honest, memory, false, 0);
        }
    }
}

fn at_random() {
    let expected = [
        "a call that failed",
        "a call that succeeded",
        "a socket that panicked when it was asked",
        "a socket that panicked when it was dropped",
        "a socket that received",
        "a socket that sent",
        "another socket",
        "memory that panicked",
        "memory that received",
    ];
    rounds(&expected, |random| {
        let flags = if random.one_in(2) { 0 } else { 1 << random.below(32) };
        let (which, conduct, memory) = (random.of(&EVERY_CALL), random.of(&EVERY_CONDUCT), random.of(&EVERY_CONDUCT));
        let panics_when_dropped = random.one_in(3);
        a_call(which, conduct, memory, panics_when_dropped, flags);
    });
}
