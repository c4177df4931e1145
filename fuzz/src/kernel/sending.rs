use super::privileges::{gids, own_user, uids};
use ancillary::ControlMessages;
use ancillary::message::{DecodeMessage, ScmCredentials, ScmRightsNumbers};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, capabilities};
use std::os::fd::RawFd;

/// `SCM_MAX_FD`, `include/net/scm.h`.
const MOST_DESCRIPTORS: usize = 253;

/// `PID_MAX_LIMIT`, `include/linux/threads.h`: no process has this number or a greater one.
const PID_LIMIT: i32 = 1 << 22;

/// What the kernel asks about a process that sends.
#[derive(Debug)]
pub struct Sender {
    pid: i32,
    uids: [u32; 3],
    gids: [u32; 3],
    may_any_pid: bool,
    /// Whether the process is in the user namespace that contains all others. In another one, it may have privileges that
    /// are none where its process ids belong.
    is_outermost: bool,
    may_any_uid: bool,
    may_any_gid: bool,
    /// Whether it may have more descriptors in flight than it may have open.
    may_any_number: bool,
    /// Whether nobody else sends as this user.
    is_alone: bool,
    uid_map: Vec<Mapped>,
    gid_map: Vec<Mapped>,
    /// The number of a ring. Rings cannot be sent since Linux 6.7.
    ring: Option<RawFd>,
    /// `net.core.optmem_max`: control messages are shorter.
    control_limit: usize,
}

/// A line of `/proc/self/uid_map`: the ids that are valid here.
#[derive(Clone, Copy, Debug)]
struct Mapped {
    first: u64,
    count: u64,
}

/// What goes with the data of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Attached {
    /// The numbers of the descriptors, of all `SCM_RIGHTS` one after the other.
    pub descriptors: Vec<RawFd>,
    /// Those of the last `SCM_CREDENTIALS`, or the sender's own.
    pub credentials: ScmCredentials,
}

/// Where a message goes.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Whether nothing goes at all: a stream takes no message without data, and drops what is with it.
    pub takes_nothing: bool,
    /// Whether the receiver takes descriptors (`SO_PASSRIGHTS`).
    pub passes_rights: bool,
    /// How many descriptors of this user are in flight.
    pub in_flight: usize,
    /// How many a process can have open.
    pub limit: usize,
}

/// What becomes of a message.
#[derive(Debug)]
pub struct Verdict {
    pub result: Result<Attached, Errno>,
    /// Errors that there may be instead: what others do decides.
    pub or: Vec<Errno>,
}

impl Mapped {
    fn all(path: &str) -> Vec<Self> {
        let text = std::fs::read_to_string(path).expect("every Linux has it");
        let number = |field: Option<&str>| field.and_then(|field| field.parse().ok()).expect("three numbers");
        let mapped = |line: &str| {
            let mut fields = line.split_whitespace();
            let (first, _, count) = (number(fields.next()), fields.next(), number(fields.next()));
            Mapped { first, count }
        };
        text.lines().map(mapped).collect()
    }

    fn contain(mapped: &[Self], id: u32) -> bool {
        mapped.iter().any(|Mapped { first, count }| (*first..first + count).contains(&u64::from(id)))
    }
}

/// Whether the process has a descriptor of this number.
fn is_open(number: RawFd) -> bool {
    // SAFETY: the call only reads the descriptor's flags.
    unsafe { libc::fcntl(number, libc::F_GETFD) >= 0 }
}

impl Sender {
    /// The calling thread, in a process of which `ring` is the only ring.
    pub fn new(ring: Option<RawFd>) -> Self {
        let limit = std::fs::read_to_string("/proc/sys/net/core/optmem_max").expect("it is the network's own");
        let mut sender = Sender {
            pid: std::process::id() as i32,
            uids: uids(),
            gids: gids(),
            may_any_pid: false,
            is_outermost: false,
            may_any_uid: false,
            may_any_gid: false,
            may_any_number: false,
            is_alone: false,
            uid_map: Mapped::all("/proc/self/uid_map"),
            gid_map: Mapped::all("/proc/self/gid_map"),
            ring,
            control_limit: limit.trim().parse().expect("a number"),
        };
        sender.ask_again();
        sender
    }

    /// Asks again for what can change: ids and capabilities.
    pub fn ask_again(&mut self) {
        let effective = capabilities(None).expect("every Linux has them").effective;
        self.uids = uids();
        self.gids = gids();
        self.may_any_pid = effective.contains(CapabilitySet::SYS_ADMIN);
        self.may_any_uid = effective.contains(CapabilitySet::SETUID);
        self.may_any_gid = effective.contains(CapabilitySet::SETGID);
        self.is_outermost = matches!(self.uid_map[..], [Mapped { first: 0, count: 0xFFFF_FFFF }]);
        self.may_any_number =
            self.is_outermost && effective.intersects(CapabilitySet::SYS_RESOURCE | CapabilitySet::SYS_ADMIN);
        self.is_alone = self.uids[0] == own_user();
    }

    /// Real, effective and saved user ids and group ids.
    pub fn ids(&self) -> ([u32; 3], [u32; 3]) {
        (self.uids, self.gids)
    }

    /// What becomes of a message with control messages of these bytes.
    pub fn send(&self, control: &[u8], way: Way) -> Verdict {
        let mut or = Vec::new();
        let result = self.attach(control, &mut or).and_then(|mut attached| {
            if way.takes_nothing {
                attached.descriptors.clear();
            }
            if attached.descriptors.is_empty() {
                return Ok(attached);
            }
            if !self.may_any_number {
                // Those of this message are not counted.
                if way.in_flight > way.limit {
                    return Err(Errno::TOOMANYREFS);
                } else if !self.is_alone {
                    or.push(Errno::TOOMANYREFS);
                }
            }
            if way.passes_rights { Ok(attached) } else { Err(Errno::PERM) }
        });
        Verdict { result, or }
    }

    /// Reads the messages in order. The first that is wrong decides.
    fn attach(&self, control: &[u8], or: &mut Vec<Errno>) -> Result<Attached, Errno> {
        if control.len() >= self.control_limit {
            return Err(Errno::NOBUFS);
        }
        let own = ScmCredentials { pid: self.pid, uid: self.uids[0], gid: self.gids[0] };
        let mut attached = Attached { descriptors: Vec::new(), credentials: own };
        // Too few bytes for another message are ignored.
        for message in ControlMessages::new(control) {
            let message = message.map_err(|_| Errno::INVAL)?;
            match (message.level(), message.message_type()) {
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => self.add(message.payload(), &mut attached.descriptors)?,
                (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => {
                    let credentials = ScmCredentials::decode(message.payload()).map_err(|_| Errno::INVAL)?;
                    self.check(credentials, or)?;
                    attached.credentials = credentials;
                }
                (libc::SOL_SOCKET, _) => return Err(Errno::INVAL),
                _ => {}
            }
        }
        Ok(attached)
    }

    fn add(&self, payload: &[u8], descriptors: &mut Vec<RawFd>) -> Result<(), Errno> {
        let numbers = ScmRightsNumbers::decode(payload).expect("any payload is one");
        if descriptors.len() + numbers.len() > MOST_DESCRIPTORS {
            return Err(Errno::INVAL);
        }
        for number in numbers {
            let number = number.ok().filter(|number| is_open(*number)).ok_or(Errno::BADF)?;
            if self.ring == Some(number) {
                return Err(Errno::INVAL);
            }
            descriptors.push(number);
        }
        Ok(())
    }

    fn check(&self, ScmCredentials { pid, uid, gid }: ScmCredentials, or: &mut Vec<Errno>) -> Result<(), Errno> {
        if !Mapped::contain(&self.uid_map, uid) || !Mapped::contain(&self.gid_map, gid) {
            return Err(Errno::INVAL);
        }
        let may = (pid == self.pid || self.may_any_pid)
            && (self.uids.contains(&uid) || self.may_any_uid)
            && (self.gids.contains(&gid) || self.may_any_gid);
        if may && pid != self.pid && !self.is_outermost {
            or.push(Errno::PERM);
        }
        if !may {
            Err(Errno::PERM)
        } else if !(1..PID_LIMIT).contains(&pid) {
            Err(Errno::SRCH)
        } else {
            // The first process of all is always there, and so is this one. Others come and go.
            if pid != 1 && pid != self.pid {
                or.push(Errno::SRCH);
            }
            Ok(())
        }
    }
}
