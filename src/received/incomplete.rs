use super::DescriptorError;
use core::error::Error;
use core::fmt;

/// What did not arrive of a message.
///
/// ```
/// use ancillary::received::recvmsg;
/// use rustix::io::IoSliceMut;
/// use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};
///
/// let (here, there) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
/// rustix::io::write(&there, b"five!")?;
/// let (mut data, mut control) = ([0; 4], [0; 64]);
/// let received = recvmsg(&here, &mut [IoSliceMut::new(&mut data)], &mut control, RecvFlags::empty())?;
/// let incomplete = received.complete().expect_err("a byte is lost");
/// assert!(incomplete.data && !incomplete.control && incomplete.descriptor.is_none());
/// assert_eq!((incomplete.control_len, incomplete.control_capacity), (0, 64));
/// assert_eq!(incomplete.to_string(), "the data was truncated");
/// # Ok::<(), rustix::io::Errno>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Incomplete {
    /// Whether a datagram was longer than the slices, so that its end is lost (`MSG_TRUNC`).
    #[doc(alias = "MSG_TRUNC")]
    pub data: bool,
    /// Whether control messages or descriptors were lost or cut (`MSG_CTRUNC`): because the control buffer was too short, or
    /// the table of descriptors was full, or a security module kept a descriptor back.
    ///
    /// Linux reports all of these in the same way. If bytes of the buffer are left
    /// ([`control_len`](Self::control_len), [`control_capacity`](Self::control_capacity)), a longer buffer does not help.
    #[doc(alias = "MSG_CTRUNC")]
    pub control: bool,
    /// How many bytes of the control buffer were filled.
    pub control_len: usize,
    /// How many bytes of control buffer the call was given.
    pub control_capacity: usize,
    /// The error in the first slot that holds one in the place of a descriptor, which Linux does not report as truncation.
    pub descriptor: Option<DescriptorError>,
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if self.data {
            f.write_str("the data was truncated")?;
            separator = ", and ";
        }
        if self.control {
            let Self { control_len, control_capacity, .. } = self;
            write!(
                f,
                "{separator}control messages or descriptors were lost ({control_len} of {control_capacity} bytes used)"
            )?;
            separator = ", and ";
        }
        match self.descriptor {
            Some(error) => write!(f, "{separator}{error}"),
            None => Ok(()),
        }
    }
}

impl Error for Incomplete {}
