use core::ffi::c_int;

/// One control message as it lies in a buffer: level, type and payload, borrowed.
///
/// Nothing is known about the payload but its length. Its address may have any alignment.
///
/// Example: [`new`](Self::new).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ControlMessage<'a> {
    level: c_int,
    message_type: c_int,
    payload: &'a [u8],
}

impl<'a> ControlMessage<'a> {
    /// A message from its three parts.
    ///
    /// ```
    /// let message = ancillary::ControlMessage::new(280, 7, b"payload");
    /// assert_eq!((message.level(), message.message_type(), message.payload()), (280, 7, &b"payload"[..]));
    /// ```
    #[inline]
    pub const fn new(level: c_int, message_type: c_int, payload: &'a [u8]) -> Self {
        ControlMessage { level, message_type, payload }
    }

    /// The protocol the message belongs to, such as `SOL_SOCKET`. Example: [`new`](Self::new).
    #[doc(alias = "cmsg_level")]
    #[inline]
    pub const fn level(&self) -> c_int {
        self.level
    }

    /// The type of the message within its level, such as `SCM_RIGHTS`. Example: [`new`](Self::new).
    #[doc(alias = "cmsg_type")]
    #[inline]
    pub const fn message_type(&self) -> c_int {
        self.message_type
    }

    /// The bytes of the message after its header, without padding. Example: [`new`](Self::new).
    #[doc(alias = "CMSG_DATA")]
    #[inline]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}
