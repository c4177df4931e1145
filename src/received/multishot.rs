use super::{Received, ReceivedWithData};
use crate::socket::{MultishotMsgHdr, Parts, RecvmsgOutError, address_at};
use rustix::net::ReturnFlags;

impl MultishotMsgHdr {
    /// The owner of what one completion of a multishot RECVMSG has brought, with the data.
    ///
    /// `buffer` is the part of the provided buffer that the completion says was filled: as many bytes as its result.
    /// The data is what [`RecvmsgOut::payload`] would be. The [address](Received::address) is `None` if there was no room
    /// for all of it: a part of an address is another address. ([`split`](Self::split) shows what is there of it, and how
    /// long it was.)
    ///
    /// There is no need to say with which flags the request was made: on Linux, what a peek shows is owned, too.
    ///
    /// # Errors
    ///
    /// [`RecvmsgOutError`] if the buffer cannot be what a request with this header has left. The descriptors that are
    /// found in it nevertheless, where control messages of this header are, are closed.
    ///
    /// # Safety
    ///
    /// - `buffer` holds what the system has filled it with for a completion, whose result is not negative, of a multishot
    ///   RECVMSG of this process with this header, or one with the same two lengths. Nothing has changed it since: it was
    ///   not given back to the ring.
    /// - Nobody else owns what that has brought: this is called once for each completion.
    ///
    /// [`RecvmsgOut::payload`]: crate::socket::RecvmsgOut::payload
    ///
    /// ```
    /// use ancillary::socket::MultishotMsgHdr;
    ///
    /// let header = MultishotMsgHdr::new(0, 24)?;
    /// // What a ring has filled. Here it is made by hand: no control messages, four bytes of data.
    /// let mut buffer = Vec::new();
    /// buffer.extend([0u32, 0, 4, 0].iter().flat_map(|field| field.to_ne_bytes()));
    /// buffer.extend([0; 24]);
    /// buffer.extend(b"data");
    ///
    /// // SAFETY: it is as a ring leaves it, and there is nothing in it that could be owned.
    /// let mut message = unsafe { header.received(&mut buffer) }?.complete()?;
    /// assert_eq!((message.bytes(), message.data()), (4, &b"data"[..]));
    /// assert_eq!(message.take_descriptors()?.count(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub unsafe fn received<'b>(&self, buffer: &'b mut [u8]) -> Result<ReceivedWithData<'b>, RecvmsgOutError> {
        let Parts { fields, name, control, payload, error } = self.parts(buffer);
        let address = match buffer.get(name) {
            // SAFETY: the system has written an address there, as the caller promises, and all of it is there.
            Some(name) if name.len() == fields.name_len => unsafe { address_at(name.as_ptr().cast(), name.len()) },
            _ => None,
        };
        let mut flags = fields.flags();
        // Should the caller's buffer be cut, that does not go unnoticed either.
        flags.set(ReturnFlags::TRUNC, flags.contains(ReturnFlags::TRUNC) || payload.len() < fields.payload_len);
        let (front, data) = buffer.split_at_mut_checked(payload.start).unwrap_or_default();
        let control = front.get_mut(control).unwrap_or_default();
        // SAFETY: the system has written control messages there, and the caller promises that nobody else owns what is
        // in them. All bytes are initialised.
        let received = unsafe { Received::from_raw_parts(fields.payload_len, flags, address, control) };
        match error {
            None => Ok(ReceivedWithData::of_data(received, data.get_mut(..payload.len()).unwrap_or_default())),
            // Owned first, then told: what was found is closed here.
            Some(error) => Err(error),
        }
    }
}
