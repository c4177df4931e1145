//! Linux's own messages of level `SOL_SOCKET` on UNIX-domain sockets: about the sender.

use super::{
    ControlKind, DecodeError, DecodeMessage, DeliveredOnRequest, DescriptorError, EncodeMessage, descriptor_number,
    payload_array,
};
use crate::control::{ControlWriter, FixedPayload, ListPayload, PushError};
use crate::platform;
use core::ffi::c_int;
use rustix::fd::RawFd;

/// `SCM_CREDENTIALS`: who sent a message, as the kernel has checked it. Linux and Android.
///
/// A receiver that has turned `SO_PASSCRED` on ([`set_delivery`]) gets one with every message, before the
/// descriptors; it takes room in the control buffer. On a stream it gets one with every call that receives, and the bytes
/// of two senders never come in one call. A listening socket hands the option on to those it accepts. A sender without
/// privileges can only send its own numbers: its process id, and any of its real, effective and saved ids.
///
/// # What it does not prove
///
/// - A message that was sent before `SO_PASSCRED` was on arrives with pid 0 and the overflow ids (65534): the sender is
///   not known. Turn the option on before the peer can send (on the listening socket, whose accepted sockets have it
///   too), or ask for the peer of the connection (`SO_PEERCRED`).
/// - **The end of a stream arrives with pid 0, uid 0 and gid 0**, which are no sender's. A program that trusts uid 0 must
///   look at [`bytes`](crate::Received::bytes) first: where there are none, the stream has ended, and the credentials are
///   not to be believed.
/// - Pid 0 also stands for a process that the receiver's pid namespace does not show.
/// - A pid may belong to another process by the time it is read: an [`ScmPidfd`] does not.
///
/// Source of truth: unix(7), `struct ucred`.
///
/// [`set_delivery`]: crate::socket::set_delivery
///
/// ```
/// use ancillary::message::ScmCredentials;
/// use ancillary::{ControlMessages, ControlBuffer, control_space};
///
/// let mut space = ControlBuffer::<{ control_space!(ScmCredentials) }>::new();
/// let mut control = space.writer();
/// control.push(ScmCredentials::of_this_process())?;
/// let message = ControlMessages::new(control.as_bytes()).next().unwrap()?;
/// assert_eq!(message.decode::<ScmCredentials>().unwrap()?.pid, std::process::id() as i32);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "SCM_CREDENTIALS")]
#[doc(alias = "ucred")]
pub struct ScmCredentials {
    /// The process id of the sender, in the receiver's pid namespace; 0 if it is not known.
    pub pid: i32,
    /// The user id of the sender, in the receiver's user namespace.
    pub uid: u32,
    /// The group id of the sender, in the receiver's user namespace.
    pub gid: u32,
}

impl ControlKind for ScmCredentials {
    const LEVEL: c_int = platform::SOL_SOCKET;
    const TYPE: c_int = platform::SCM_CREDENTIALS;
}

// SAFETY: `SO_PASSCRED` is a switch (socket(7)).
#[allow(unsafe_code, reason = "an option is named")]
unsafe impl DeliveredOnRequest for ScmCredentials {
    const OPTION: c_int = platform::SO_PASSCRED;
}

impl FixedPayload for ScmCredentials {
    const PAYLOAD_SIZE: usize = 12;
}

impl EncodeMessage<'_> for ScmCredentials {
    #[inline]
    fn push_to(self, control: &mut ControlWriter<'_>) -> Result<(), PushError> {
        let mut payload = [0; Self::PAYLOAD_SIZE];
        let fields = [self.pid.to_ne_bytes(), self.uid.to_ne_bytes(), self.gid.to_ne_bytes()];
        for (bytes, field) in payload.chunks_exact_mut(4).zip(fields) {
            bytes.copy_from_slice(&field);
        }
        control.push_raw(Self::LEVEL, Self::TYPE, &payload)
    }
}

impl DecodeMessage<'_> for ScmCredentials {
    #[inline]
    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let payload = payload_array::<{ Self::PAYLOAD_SIZE }>(payload)?;
        let (pid, ids) = payload.split_at(4);
        let (uid, gid) = ids.split_at(4);
        Ok(ScmCredentials {
            pid: i32::from_ne_bytes(*payload_array(pid)?),
            uid: u32::from_ne_bytes(*payload_array(uid)?),
            gid: u32::from_ne_bytes(*payload_array(gid)?),
        })
    }
}

/// `SCM_PIDFD`, read from plain bytes: the number of a descriptor that stands for the process of the sender. Linux 6.5.
///
/// A receiver that has turned `SO_PASSPIDFD` on gets one with every message sent since, after `SCM_RIGHTS`. It can only
/// be received. One that arrived in this process comes from [`Received`](crate::Received), which owns it: it must be
/// closed like any other descriptor.
///
/// If the kernel could not make the descriptor, the slot holds a negative error.
///
/// Source: Linux `net/core/scm.c`, `scm_pidfd_recv`.
///
/// ```
/// use ancillary::message::{DecodeMessage, DescriptorError, ScmPidfd};
///
/// assert_eq!(ScmPidfd::decode(&9i32.to_ne_bytes())?.number, Ok(9));
/// assert_eq!(ScmPidfd::decode(&(-24i32).to_ne_bytes())?.number, Err(DescriptorError { raw: -24 }));
/// # Ok::<(), ancillary::message::DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "SCM_PIDFD")]
pub struct ScmPidfd {
    /// The number of the descriptor.
    pub number: Result<RawFd, DescriptorError>,
}

impl ControlKind for ScmPidfd {
    const LEVEL: c_int = platform::SOL_SOCKET;
    const TYPE: c_int = platform::SCM_PIDFD;
}

// SAFETY: `SO_PASSPIDFD` is a switch (Linux `net/core/sock.c`, `sk_setsockopt`).
#[allow(unsafe_code, reason = "an option is named")]
unsafe impl DeliveredOnRequest for ScmPidfd {
    const OPTION: c_int = platform::SO_PASSPIDFD;
}

impl FixedPayload for ScmPidfd {
    const PAYLOAD_SIZE: usize = size_of::<c_int>();
}

impl DecodeMessage<'_> for ScmPidfd {
    #[inline]
    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        payload_array(payload).map(|slot| ScmPidfd { number: descriptor_number(*slot) })
    }
}

/// `SCM_SECURITY`: the label that a security module gives the sender. Linux.
///
/// A receiver that has turned `SO_PASSSEC` on gets one if a security module gives labels. On a stream it gets one only if
/// `SO_PASSCRED` is on as well (measured on Linux 5.10 to 7.3 with SELinux); on datagram and seqpacket sockets
/// `SO_PASSSEC` is enough. It can only be received. Its length is that of the label: `control_space!(ScmSecurity[n])` is
/// room for `n` bytes of it.
///
/// Source: Linux `net/unix/af_unix.c` and `include/net/scm.h`, `scm_passec`.
///
/// ```
/// use ancillary::message::{DecodeMessage, ScmSecurity};
///
/// let security = ScmSecurity::decode(b"unconfined\0")?;
/// assert_eq!(security.label(), b"unconfined");
/// assert_eq!(security.payload(), b"unconfined\0");
/// # Ok::<(), ancillary::message::DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "SCM_SECURITY")]
pub struct ScmSecurity<'m> {
    payload: &'m [u8],
}

impl<'m> ScmSecurity<'m> {
    /// The label without the NUL byte that security modules by convention end it with. Example: [the type's](Self).
    pub const fn label(&self) -> &'m [u8] {
        match self.payload {
            [label @ .., 0] => label,
            label => label,
        }
    }

    /// All bytes of the payload. Example: [the type's](Self).
    pub const fn payload(&self) -> &'m [u8] {
        self.payload
    }
}

impl ControlKind for ScmSecurity<'_> {
    const LEVEL: c_int = platform::SOL_SOCKET;
    const TYPE: c_int = platform::SCM_SECURITY;
}

// SAFETY: `SO_PASSSEC` is a switch (socket(7)).
#[allow(unsafe_code, reason = "an option is named")]
unsafe impl DeliveredOnRequest for ScmSecurity<'_> {
    const OPTION: c_int = platform::SO_PASSSEC;
}

impl ListPayload for ScmSecurity<'_> {
    const ELEMENT_SIZE: usize = 1;
}

impl<'m> DecodeMessage<'m> for ScmSecurity<'m> {
    fn decode(payload: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(ScmSecurity { payload })
    }
}
