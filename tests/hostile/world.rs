//! What every round begins with: files that are lent, files that are not, and sockets.
#![forbid(unsafe_code)]

use crate::measure::{File, file_at};
use ancillary::layout::ControlHeader;
use ancillary::message::{ControlKind, ScmRights};
use ancillary::received::recvmsg;
use ancillary::socket::sendmsg;
use ancillary::{ControlMessages, ControlWriter, Layout, Message, Received};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, socketpair};

pub const NATIVE: Layout = Layout::NATIVE;
pub const RIGHTS: (i32, i32) = (<ScmRights>::LEVEL, <ScmRights>::TYPE);
pub const LENT: usize = 5;
pub const QUIETLY: SendFlags = SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT);

/// What an emulator does otherwise than the kernel.
pub fn the_kernels_truncation() -> Result<(), String> {
    crate::harness::the_kernel_itself("truncated control messages are not told, and what was cut off stays open")
}

pub fn pair(kind: SocketType) -> (OwnedFd, OwnedFd) {
    socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap()
}

fn files(count: usize) -> Vec<OwnedFd> {
    (0..count).map(|_| rustix::pipe::pipe().unwrap().0).collect()
}

pub struct World {
    lent: Vec<OwnedFd>,
    secret: Vec<OwnedFd>,
    pub here: OwnedFd,
    pub there: OwnedFd,
    /// For what is received as soon as it is sent.
    between: (OwnedFd, OwnedFd),
}

impl World {
    pub fn new() -> Self {
        let (here, there) = pair(SocketType::SEQPACKET);
        World { lent: files(LENT), secret: files(2), here, there, between: pair(SocketType::SEQPACKET) }
    }

    pub fn lent(&self, index: usize) -> BorrowedFd<'_> {
        self.lent[index % LENT].as_fd()
    }

    pub fn some(&self, indices: &[usize]) -> Vec<BorrowedFd<'_>> {
        indices.iter().map(|index| self.lent(*index)).collect()
    }

    /// The file of a number that was lent.
    pub fn file_of(&self, number: RawFd) -> File {
        assert!(self.lent.iter().any(|lent| lent.as_raw_fd() == number), "{number} was never lent");
        file_at(number).unwrap()
    }

    pub fn is_lent(&self, file: File) -> bool {
        self.lent.iter().any(|lent| file_at(lent.as_raw_fd()) == Some(file))
    }

    /// Numbers of open files that nothing lends, as bytes.
    pub fn secret_numbers(&self) -> Vec<u8> {
        self.secret.iter().flat_map(|secret| secret.as_raw_fd().to_ne_bytes()).collect()
    }

    /// As many bytes, in which after `shift` one header of `SCM_RIGHTS` with such numbers follows the other.
    pub fn forged(&self, shift: usize, len: usize) -> Vec<u8> {
        let numbers = self.secret_numbers();
        let mut message = vec![0; NATIVE.space(numbers.len()).unwrap()];
        let cmsg_len = NATIVE.len(numbers.len()).unwrap() as u64;
        assert!(NATIVE.write_header(ControlHeader { cmsg_len, level: RIGHTS.0, message_type: RIGHTS.1 }, &mut message));
        message[NATIVE.data_offset()..][..numbers.len()].copy_from_slice(&numbers);
        std::iter::repeat_n(0xaa, shift).chain(message.into_iter().cycle()).take(len).collect()
    }

    /// The files that a writer passes on.
    pub fn files_in(&self, control: &ControlWriter<'_>) -> Vec<File> {
        ControlMessages::new(control.as_bytes())
            .map(|message| message.expect("a writer holds messages only"))
            .filter(|message| (message.level(), message.message_type()) == RIGHTS)
            .flat_map(|message| message.payload().as_chunks_of_four())
            .map(|number| self.file_of(RawFd::from_ne_bytes(number)))
            .collect()
    }

    /// Sends what a writer holds. What arrives is that, and nothing else.
    pub fn deliver(&self, control: &ControlWriter<'_>) {
        assert_eq!(sendmsg(&self.between.0, &[IoSlice::new(b"x")], control, QUIETLY), Ok(1));
        assert_eq!(self.arriving(&self.between.1), Ok(self.files_in(control)));
    }

    /// Receives a message and says which files have come with it.
    pub fn arriving(&self, socket: impl AsFd) -> Result<Vec<File>, Errno> {
        let (mut data, mut room) = ([0; 8], [0xff; 1200]);
        let mut received = recvmsg(socket, &mut [IoSliceMut::new(&mut data)], &mut room, RecvFlags::DONTWAIT)?;
        assert!(!received.control_truncated());
        let descriptors: Vec<OwnedFd> = received.take_descriptors().unwrap().collect();
        let files: Vec<File> = descriptors.iter().map(|one| file_at(one.as_raw_fd()).unwrap()).collect();
        assert!(files.iter().all(|file| self.is_lent(*file)), "a file has arrived that was never lent");
        Ok(files)
    }
}

/// What a `Received` owns, in its order, as looking shows it: each file, and whether the peer has sent it.
fn shown_by(received: &Received<'_>) -> Vec<(File, bool)> {
    let file = |one: BorrowedFd<'_>| file_at(one.as_raw_fd()).expect("it is open");
    let mut files = Vec::new();
    for message in received.messages().flatten() {
        match message {
            Message::ScmRights(descriptors) => {
                let len = descriptors.len();
                let shown: Vec<(File, bool)> = descriptors.map(|one| (file(one), true)).collect();
                assert_eq!(shown.len(), len);
                files.extend(shown);
            }
            Message::ScmPidfd(pidfd) => files.push((file(pidfd.unwrap()), false)),
            Message::ScmRightsWithErrors(slots) => panic!("an error where a file was sent: {slots:?}"),
            _ => {}
        }
    }
    files
}

pub fn owned_by(received: &Received<'_>) -> Vec<File> {
    shown_by(received).into_iter().map(|(file, _)| file).collect()
}

/// Which of what is owned the peer has sent.
pub fn sent_among(received: &Received<'_>) -> Vec<usize> {
    shown_by(received).iter().enumerate().filter(|(_, (_, sent))| *sent).map(|(index, _)| index).collect()
}

trait Chunks {
    fn as_chunks_of_four(&self) -> Vec<[u8; 4]>;
}

impl Chunks for [u8] {
    fn as_chunks_of_four(&self) -> Vec<[u8; 4]> {
        self.chunks_exact(4).map(|chunk| chunk.try_into().unwrap()).collect()
    }
}
