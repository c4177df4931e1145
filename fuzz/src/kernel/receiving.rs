use crate::table::{File, file};
use ancillary::message::ScmCredentials;
use ancillary::{Message, Received};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use rustix::io::{FdFlags, fcntl_getfd};
use rustix::net::{ReturnFlags, SocketType};
use std::collections::VecDeque;

/// What kind of socket it is.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Stream,
    Datagram,
    SeqPacket,
}

impl Kind {
    pub fn socket_type(self) -> SocketType {
        match self {
            Kind::Stream => SocketType::STREAM,
            Kind::Datagram => SocketType::DGRAM,
            Kind::SeqPacket => SocketType::SEQPACKET,
        }
    }
}

/// What is on its way to a socket.
#[derive(Debug)]
pub struct Queue {
    kind: Kind,
    passes_credentials: bool,
    messages: VecDeque<Queued>,
}

#[derive(Clone, Debug)]
struct Queued {
    data: Vec<u8>,
    files: Vec<File>,
    credentials: ScmCredentials,
}

/// What a call takes from the queue.
#[derive(Debug)]
pub struct Arrived {
    pub data: Vec<u8>,
    /// Of a message that is longer than the room: how long it is.
    pub longer: Option<usize>,
    credentials: Option<ScmCredentials>,
    files: Vec<File>,
}

/// The room there is for what goes with the data.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// In the buffer for control messages, in bytes.
    pub control: usize,
    /// How many numbers of descriptors are free.
    pub descriptors: usize,
}

/// What is written of it.
#[derive(Debug)]
pub struct Written {
    /// The credentials, and how many bytes of them are there: fewer than all if they were cut.
    credentials: Option<(ScmCredentials, usize)>,
    /// In one `SCM_RIGHTS`, which is absent if there are none.
    pub files: Vec<File>,
    truncated: bool,
    data_truncated: bool,
}

impl Queue {
    pub fn new(kind: Kind, passes_credentials: bool) -> Self {
        Queue { kind, passes_credentials, messages: VecDeque::new() }
    }

    pub fn len(&self) -> usize {
        self.messages.len()
    }

    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// A message that was accepted.
    pub fn push(&mut self, data: &[u8], files: Vec<File>, credentials: ScmCredentials) {
        // Without a byte of data nothing is put into a stream.
        if self.kind != Kind::Stream || !data.is_empty() {
            self.messages.push_back(Queued { data: data.to_vec(), files, credentials });
        }
    }

    /// How many descriptors are in flight.
    pub fn in_flight(&self) -> usize {
        self.messages.iter().map(|message| message.files.len()).sum()
    }

    /// What a call with this much room for data receives: `None` if it would have to wait.
    pub fn receive(&mut self, room: usize) -> Option<Arrived> {
        if self.kind != Kind::Stream {
            let message = self.messages.pop_front()?;
            return Some(self.whole(message, room));
        }
        // Descriptors come with the first byte of their message that is asked for. What is after that message comes with
        // the next call; so does a message of another sender, if that is told.
        let (mut arrived, credentials) = self.nothing_yet()?;
        while let Some(message) = self.messages.front_mut() {
            if self.passes_credentials && message.credentials != credentials {
                break;
            }
            let taken = message.data.len().min(room - arrived.data.len());
            arrived.data.extend(message.data.drain(..taken));
            arrived.files.append(&mut message.files);
            if !message.data.is_empty() {
                break;
            }
            self.messages.pop_front();
            if !arrived.files.is_empty() || arrived.data.len() == room {
                break;
            }
        }
        Some(arrived)
    }

    /// What a call with this much room for data is shown.
    pub fn peek(&self, room: usize) -> Option<Arrived> {
        if self.kind != Kind::Stream {
            let message = self.messages.front()?.clone();
            return Some(self.whole(message, room));
        }
        // This goes on where the room is full, up to a message with descriptors.
        let (mut arrived, credentials) = self.nothing_yet()?;
        for message in &self.messages {
            if self.passes_credentials && message.credentials != credentials {
                break;
            }
            let shown = message.data.len().min(room - arrived.data.len());
            arrived.data.extend(&message.data[..shown]);
            arrived.files.extend(&message.files);
            if !arrived.files.is_empty() {
                break;
            }
        }
        Some(arrived)
    }

    fn whole(&self, Queued { mut data, files, credentials }: Queued, room: usize) -> Arrived {
        let longer = Some(data.len()).filter(|len| *len > room);
        data.truncate(room);
        Arrived { data, longer, credentials: self.passes_credentials.then_some(credentials), files }
    }

    fn nothing_yet(&self) -> Option<(Arrived, ScmCredentials)> {
        let credentials = self.messages.front()?.credentials;
        let told = self.passes_credentials.then_some(credentials);
        Some((Arrived { data: Vec::new(), longer: None, credentials: told, files: Vec::new() }, credentials))
    }
}

impl Arrived {
    /// What the kernel writes into so much room.
    pub fn write(self, room: Room) -> Written {
        /// `CMSG_LEN(0)`, and what credentials take.
        const HEADER: usize = 16;
        const CREDENTIALS: usize = 12;
        const CREDENTIALS_PADDED: usize = 32;

        let mut written =
            Written { credentials: None, files: self.files, truncated: false, data_truncated: self.longer.is_some() };
        let mut left = room.control;
        if let Some(credentials) = self.credentials {
            written.truncated |= left < HEADER + CREDENTIALS;
            if left >= HEADER {
                written.credentials = Some((credentials, CREDENTIALS.min(left - HEADER)));
                left -= CREDENTIALS_PADDED.min(left);
            }
        }
        let count = (left.saturating_sub(HEADER) / size_of::<i32>()).min(room.descriptors);
        written.truncated |= count < written.files.len();
        written.files.truncate(count);
        written
    }
}

impl Written {
    /// Exactly this has arrived.
    pub fn compare(&self, received: &Received<'_>) {
        let mut flags = ReturnFlags::empty();
        flags.set(ReturnFlags::TRUNC, self.data_truncated);
        flags.set(ReturnFlags::CTRUNC, self.truncated);
        assert_eq!(received.flags(), flags);

        let mut messages = received.messages();
        if let Some((credentials, len)) = self.credentials {
            match messages.next().expect("credentials come first").expect("the kernel writes messages") {
                Message::ScmCredentials(arrived) => assert_eq!((arrived, len), (credentials, 12)),
                Message::Other(message) => {
                    assert!(message.is::<ScmCredentials>());
                    let ScmCredentials { pid, uid, gid } = credentials;
                    let payload = [pid.to_ne_bytes(), uid.to_ne_bytes(), gid.to_ne_bytes()].concat();
                    assert_eq!(message.payload(), &payload[..len]);
                    assert!(len < payload.len());
                }
                other => panic!("{other:?}, not credentials"),
            }
        }
        if !self.files.is_empty() {
            match messages.next().expect("descriptors come next").expect("the kernel writes messages") {
                Message::ScmRights(descriptors) => {
                    assert_eq!((descriptors.len(), descriptors.remainder()), (self.files.len(), &[][..]));
                    for (descriptor, sent) in descriptors.zip(&self.files) {
                        let flags = fcntl_getfd(descriptor).expect("it is open");
                        assert!(file(descriptor) == *sent && flags.contains(FdFlags::CLOEXEC));
                    }
                }
                other => panic!("{other:?}, not descriptors"),
            }
        }
        assert!(messages.next().is_none());
    }
}
