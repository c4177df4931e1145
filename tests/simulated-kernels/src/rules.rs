//! What kernels do differently: one row of rules for each. To add a system, add a row.
//!
//! Behind every rule is how it is known. *Measured*: the kernel was run. *Read*: it was read in the kernel's source.
//! *Assumed*: neither; the simulation does what asks most of a receiver, and no scenario says that the system does so.

/// What becomes of a control message for which there is too little room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooLong {
    /// What fits is written, whole slots of descriptors, and `cmsg_len` is lowered to that; the other descriptors are
    /// closed. Without room for a header, nothing is written, and the next message is tried.
    Lowered,
    /// What fits is written, and `cmsg_len` keeps its full value. All descriptors have been installed.
    FullLength,
    /// It is dropped, and all messages after it.
    Dropped,
    /// The call fails with `EMSGSIZE`.
    Fails,
}

/// What becomes of descriptors for which the table of descriptors has no number left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullTable {
    /// Those for which it has are delivered, with `MSG_CTRUNC`.
    Part,
    /// The call fails with `EMSGSIZE`, and all are closed.
    Fails,
}

/// What `MSG_PEEK` shows in `SCM_RIGHTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peek {
    /// New descriptors.
    Duplicates,
    /// A zero for each descriptor.
    Zeros,
    /// The kernel's own records, of so many bytes for each descriptor.
    Records(usize),
}

/// Which of the flags that a call was given come back in `msg_flags`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    None,
    CloseOnExec,
    All,
}

/// What `msg_name` says of a sender that has no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unnamed {
    Nothing,
    /// The family alone: two bytes.
    Family,
}

/// What becomes of an error after the first message of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// There is no call for batches.
    NoBatches,
    /// The next call on the socket returns it, unless it is `EAGAIN`.
    Errors,
    /// The next call on the socket returns it, `EAGAIN` too.
    ErrorsAndAgain,
}

/// What becomes of several control messages in one call that sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Several {
    /// Their descriptors arrive in one message.
    Merged,
    /// Each arrives.
    Each,
    /// The first arrives.
    FirstAlone,
    /// The call fails with `EINVAL`.
    Refused,
}

/// What becomes of a control message that is sent and is not for UNIX-domain sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// One of another level is ignored.
    Ignored,
    /// The call fails with `EINVAL`.
    Refused,
}

#[derive(Debug)]
pub struct Rules {
    pub name: &'static str,
    /// `SCM_RIGHTS` for which there is too little room.
    pub long_rights: TooLong,
    /// Any other message for which there is too little room.
    pub long_others: TooLong,
    /// Whether a message fits only with its padding.
    pub padding_has_to_fit: bool,
    /// Whether `msg_controllen` counts the padding of the last message, where there is room for it.
    pub last_padding_counts: bool,
    /// Whether `msg_controllen` rounds a message up that was cut, if another one was to follow.
    pub cut_is_rounded_up: bool,
    /// Whether `MSG_CTRUNC` says that there was no room at all.
    pub no_room_is_reported: bool,
    /// Whether `MSG_CTRUNC` says that messages were lost where the room ended with a message before them.
    pub exact_end_is_reported: bool,
    pub full_table: FullTable,
    pub peek: Peek,
    /// Whether the call can set close-on-exec.
    pub close_on_exec_in_call: bool,
    pub echo: Echo,
    /// Whether a call with `MSG_TRUNC` returns the length of the datagram.
    pub returns_true_length: bool,
    pub unnamed: Unnamed,
    pub kept: Kept,
    pub several: Several,
    pub foreign: Foreign,
    /// Whether bytes after the last message that are too few for a header are ignored. (Otherwise: `EINVAL`.)
    pub leftover_is_ignored: bool,
    /// Whether `SCM_RIGHTS` without a descriptor arrives.
    pub empty_rights_arrive: bool,
    /// Whether descriptors that are sent on a stream without data arrive.
    pub streams_pass_without_data: bool,
    /// Whether what a scenario may say of this system's truncation and peeks was measured or read.
    pub is_known: bool,
}

/// Measured on Linux 6.18, and read in `net/core/scm.c` (`put_cmsg`, `scm_detach_fds`, `__scm_send`) and
/// `net/socket.c`.
const LINUX: Rules = Rules {
    name: "linux",
    long_rights: TooLong::Lowered,
    long_others: TooLong::Lowered,
    padding_has_to_fit: false,
    last_padding_counts: true,
    cut_is_rounded_up: false,
    no_room_is_reported: true,
    exact_end_is_reported: true,
    full_table: FullTable::Part,
    peek: Peek::Duplicates,
    close_on_exec_in_call: true,
    echo: Echo::CloseOnExec,
    returns_true_length: true,
    unnamed: Unnamed::Nothing,
    kept: Kept::Errors,
    several: Several::Merged,
    foreign: Foreign::Ignored,
    leftover_is_ignored: true,
    empty_rights_arrive: false,
    streams_pass_without_data: false,
    is_known: true,
};

/// Read in XNU 11417, `bsd/kern/uipc_usrreq.c` (`unp_internalize`, `unp_externalize`, `sopeek_scm_rights`) and
/// `bsd/kern/uipc_syscalls.c` (`copyout_control`); that a cut message keeps its length was measured by others.
const APPLE: Rules = Rules {
    name: "apple",
    long_rights: TooLong::FullLength,
    long_others: TooLong::FullLength,
    padding_has_to_fit: true,
    last_padding_counts: true,
    cut_is_rounded_up: false,
    no_room_is_reported: false,   // assumed
    exact_end_is_reported: false, // assumed
    full_table: FullTable::Fails,
    peek: Peek::Zeros,
    close_on_exec_in_call: false,
    echo: Echo::None,
    returns_true_length: false, // assumed
    unnamed: Unnamed::Nothing,  // assumed
    kept: Kept::NoBatches,
    several: Several::Refused,
    foreign: Foreign::Refused,
    leftover_is_ignored: false,
    empty_rights_arrive: true,       // assumed
    streams_pass_without_data: true, // assumed
    is_known: true,
};

/// Read in FreeBSD 14, `sys/kern/uipc_usrreq.c` and `uipc_syscalls.c` (`m_dispose_extcontrolm`, `fdallocn`).
const FREEBSD: Rules = Rules {
    name: "freebsd",
    long_rights: TooLong::Dropped,
    long_others: TooLong::Dropped,
    padding_has_to_fit: true,
    last_padding_counts: true,
    cut_is_rounded_up: false,
    no_room_is_reported: false, // assumed
    exact_end_is_reported: true,
    full_table: FullTable::Fails,
    peek: Peek::Records(8),
    close_on_exec_in_call: true,
    echo: Echo::None,
    returns_true_length: true, // assumed
    unnamed: Unnamed::Nothing, // assumed
    kept: Kept::NoBatches,
    several: Several::Each,
    foreign: Foreign::Refused,
    leftover_is_ignored: false,
    empty_rights_arrive: true,       // assumed
    streams_pass_without_data: true, // assumed
    is_known: true,
};

/// Measured on NetBSD 7.99.34, its kernel run in a process; what differs in `sys/kern/uipc_syscalls.c` 1.211 of 2024
/// was read.
const NETBSD: Rules = Rules {
    name: "netbsd",
    long_rights: TooLong::Dropped,
    long_others: TooLong::FullLength,
    padding_has_to_fit: true,
    last_padding_counts: true,
    cut_is_rounded_up: true,
    no_room_is_reported: false,
    exact_end_is_reported: false,
    full_table: FullTable::Fails,
    peek: Peek::Records(8),
    close_on_exec_in_call: true,
    echo: Echo::All,
    returns_true_length: false,
    unnamed: Unnamed::Family,
    kept: Kept::ErrorsAndAgain, // since 2024 `recvmmsg` keeps one after one message only
    several: Several::FirstAlone,
    foreign: Foreign::Refused, // assumed
    leftover_is_ignored: true,
    empty_rights_arrive: true,
    streams_pass_without_data: true,
    is_known: true,
};

/// Read in OpenBSD `sys/kern/uipc_usrreq.c` (`unp_internalize`, `unp_externalize`).
const OPENBSD: Rules = Rules {
    name: "openbsd",
    long_rights: TooLong::Fails,
    long_others: TooLong::FullLength, // assumed: as in NetBSD, which has the same ancestor
    padding_has_to_fit: false,
    last_padding_counts: false,
    cut_is_rounded_up: true,      // assumed
    no_room_is_reported: false,   // assumed
    exact_end_is_reported: false, // assumed
    full_table: FullTable::Fails,
    peek: Peek::Records(16), // assumed: its `struct fdpass` has 16 bytes
    close_on_exec_in_call: true,
    echo: Echo::None,           // assumed
    returns_true_length: false, // assumed
    unnamed: Unnamed::Nothing,  // assumed
    kept: Kept::Errors,         // assumed
    several: Several::Refused,
    foreign: Foreign::Refused,
    leftover_is_ignored: false,
    empty_rights_arrive: true,       // assumed
    streams_pass_without_data: true, // assumed
    is_known: true,
};

/// That the call sets close-on-exec was read in `usr/src/uts/common/sys/socket.h`. All else is assumed.
const ILLUMOS: Rules = Rules {
    name: "illumos",
    long_rights: TooLong::FullLength,
    long_others: TooLong::FullLength,
    padding_has_to_fit: true,
    last_padding_counts: true,
    cut_is_rounded_up: false,
    no_room_is_reported: true,
    exact_end_is_reported: true,
    full_table: FullTable::Fails,
    peek: Peek::Records(8),
    close_on_exec_in_call: true,
    echo: Echo::None,
    returns_true_length: false,
    unnamed: Unnamed::Nothing,
    kept: Kept::NoBatches,
    several: Several::Each,
    foreign: Foreign::Refused,
    leftover_is_ignored: false,
    empty_rights_arrive: true,
    streams_pass_without_data: true,
    is_known: false,
};

/// The rules that the crate was compiled for: those that `--cfg ancillary_rules` names, or the target's own.
pub const CHOSEN: &Rules = if cfg!(ancillary_rules = "linux") {
    &LINUX
} else if cfg!(ancillary_rules = "apple") {
    &APPLE
} else if cfg!(ancillary_rules = "freebsd") {
    &FREEBSD
} else if cfg!(ancillary_rules = "netbsd") {
    &NETBSD
} else if cfg!(ancillary_rules = "openbsd") {
    &OPENBSD
} else if cfg!(ancillary_rules = "illumos") {
    &ILLUMOS
} else if cfg!(target_vendor = "apple") {
    &APPLE
} else if cfg!(target_os = "freebsd") {
    &FREEBSD
} else if cfg!(target_os = "netbsd") {
    &NETBSD
} else if cfg!(target_os = "openbsd") {
    &OPENBSD
} else if cfg!(target_os = "illumos") {
    &ILLUMOS
} else {
    &LINUX
};
