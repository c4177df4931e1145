use super::{ControlMessages, ControlSliceMut, PushError, TranslateError, uninit};
use crate::layout::{ControlHeader, Layout, LayoutChoice, Native};
use core::ffi::c_int;
use core::fmt;
use core::mem::MaybeUninit;

#[cfg(sockets)]
use crate::platform::{is_scm_rights, is_unsafe_payload};

/// Writes control messages one after the other into the caller's control buffer.
///
/// The buffer may be at any address, of any length, and uninitialised; no byte of it is skipped. A push does a fixed
/// amount of work and touches only the bytes of its own message. Every byte up to [`used`](ControlWriter::used) is
/// initialised: padding in and after a message is zero. A push that fails changes nothing.
///
/// The lifetime is that of the buffer and of every descriptor that was pushed: they stay borrowed for as long as the
/// writer lives, and only a writer can be sent.
///
/// Source of truth: cmsg(3), RFC 3542 section 20.
///
/// ```
/// use ancillary::ControlWriter;
///
/// let mut bytes = [0xff; 64];
/// let mut writer = ControlWriter::new(&mut bytes);
/// writer.push_raw(41, 67, &3i32.to_ne_bytes())?; // IPV6_TCLASS on Linux
/// assert_eq!(writer.used(), ancillary::Layout::NATIVE.space(4).unwrap());
/// # Ok::<(), ancillary::PushError>(())
/// ```
pub struct ControlWriter<'a, A = Native> {
    /// Perhaps somebody's `&mut [u8]`: nothing uninitialised is written to it.
    pub(super) buffer: &'a mut [MaybeUninit<u8>],
    pub(super) written: Checkpoint,
    layout: A,
}

/// How far a writer has got: what is in its buffer.
#[derive(Clone, Copy)]
pub(crate) struct Checkpoint {
    /// The bytes of the messages, all initialised: a multiple of the header alignment, or all there are.
    pub(super) bytes: usize,
    /// How many descriptors are among them.
    #[cfg(sockets)]
    pub(super) descriptors: usize,
}

impl Checkpoint {
    const START: Checkpoint = Checkpoint {
        bytes: 0,
        #[cfg(sockets)]
        descriptors: 0,
    };
}

/// Memory for a message: for its header, and for its payload with the padding after it.
type Place<'m> = (&'m mut [MaybeUninit<u8>], &'m mut [MaybeUninit<u8>]);

/// What a payload is made from.
enum Payload<'p> {
    Bytes(&'p [u8]),
    Zeros(usize),
}

impl Payload<'_> {
    #[inline]
    fn len(&self) -> usize {
        match self {
            Payload::Bytes(bytes) => bytes.len(),
            Payload::Zeros(len) => *len,
        }
    }

    /// Writes every byte of `place`, which has as many as the payload.
    #[inline]
    fn write(&self, place: &mut [MaybeUninit<u8>]) {
        match self {
            Payload::Bytes(bytes) => uninit::copy(bytes, place),
            Payload::Zeros(_) => {
                uninit::zeroed(place);
            }
        }
    }
}

#[cfg(has_native_layout)]
impl<'a> ControlWriter<'a> {
    /// A writer of the target's own layout, over `&mut [u8]`, `&mut [MaybeUninit<u8>]` or a
    /// [`ControlBuffer`](super::ControlBuffer).
    ///
    /// ```
    /// use ancillary::ControlWriter;
    /// use core::mem::MaybeUninit;
    ///
    /// let mut buffer = [const { MaybeUninit::uninit() }; 64];
    /// assert_eq!(ControlWriter::new(&mut buffer).available(), 64);
    /// ```
    #[inline]
    pub fn new(buffer: impl Into<ControlSliceMut<'a>>) -> Self {
        Self::with_layout(Native, buffer)
    }

    /// A writer over an empty buffer: for a call that sends no control message.
    ///
    /// ```
    /// use ancillary::ControlWriter;
    ///
    /// assert!(ControlWriter::empty().is_empty());
    /// assert!(ControlWriter::empty().push_raw(1, 2, b"").is_err());
    /// ```
    #[inline]
    pub const fn empty() -> Self {
        ControlWriter { buffer: &mut [], written: Checkpoint::START, layout: Native }
    }
}

impl<'a, A: LayoutChoice> ControlWriter<'a, A> {
    /// A writer of any layout.
    ///
    /// With a [`Layout`] value it takes messages of any level and type with any bytes, `SCM_RIGHTS` with plain numbers
    /// too: its bytes are data, for another process or for a call that is `unsafe` to make.
    ///
    /// ```
    /// use ancillary::{ControlWriter, Layout};
    ///
    /// let mut bytes = [0; 16];
    /// let mut writer = ControlWriter::with_layout(Layout::DARWIN, &mut bytes);
    /// writer.push_raw(0xffff, 1, &5i32.to_le_bytes())?;
    /// assert_eq!(writer.as_bytes(), [16, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0]);
    /// # Ok::<(), ancillary::PushError>(())
    /// ```
    #[inline]
    pub fn with_layout(layout: A, buffer: impl Into<ControlSliceMut<'a>>) -> Self {
        // SAFETY: all that is written to it here is written as a `u8`.
        let buffer = unsafe { buffer.into().into_uninit() };
        ControlWriter { buffer, written: Checkpoint::START, layout }
    }

    /// Returns a writer that goes on after the messages which `buffer` begins with: `used` bytes, as
    /// [`used`](Self::used) of the writer that wrote them.
    ///
    /// For an owner of a buffer that cannot keep a writer beside it: the number is all there is to keep. Bytes after the
    /// last message that are too few for another are written over, and padding that is missing is added.
    ///
    /// # Errors
    ///
    /// [`TranslateError::Malformed`] if these bytes are not messages; [`TranslateError::Push`] with
    /// [`PushError::UnsafePayload`] if the layout is [`Native`] and one of them names descriptors or memory, which nothing
    /// borrows any more.
    ///
    /// ```
    /// use ancillary::layout::Native;
    /// use ancillary::{ControlMessages, ControlWriter};
    ///
    /// struct Owner {
    ///     buffer: Vec<u8>,
    ///     used: usize,
    /// }
    ///
    /// let mut owner = Owner { buffer: vec![0; 64], used: 0 };
    /// for payload in [&b"one"[..], b"two"] {
    ///     let mut control = ControlWriter::resume(Native, &mut owner.buffer, owner.used)?;
    ///     control.push_raw(280, 7, payload)?;
    ///     owner.used = control.used();
    /// }
    /// assert_eq!(ControlMessages::new(&owner.buffer[..owner.used]).count(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resume(layout: A, buffer: &'a mut [u8], used: usize) -> Result<Self, TranslateError> {
        let bytes = buffer.get(..used).unwrap_or(buffer);
        let mut messages = ControlMessages::with_layout(layout, bytes);
        let mut end = 0;
        loop {
            let offset = messages.offset();
            let message = match messages.next() {
                Some(message) => message.map_err(TranslateError::Malformed)?,
                None => break,
            };
            if A::IS_NATIVE && is_unsafe_payload(message.level(), message.message_type()) {
                let (level, message_type) = (message.level(), message.message_type());
                let error = PushError::UnsafePayload { level, message_type };
                return Err(TranslateError::Push { offset, error });
            }
            // It lies in the bytes with its payload, and where it begins is aligned.
            end = offset + layout.layout().data_offset() + message.payload().len();
        }
        let mut writer = Self::with_layout(layout, buffer);
        let padded = layout.layout().padded(end).min(writer.buffer.len());
        uninit::zeroed(writer.buffer.get_mut(end..padded).unwrap_or_default());
        writer.written.bytes = padded;
        Ok(writer)
    }

    /// Appends a message with a copy of `payload`.
    ///
    /// The last message that fits may be without its padding: systems take it so.
    ///
    /// # Errors
    ///
    /// [`PushError::BufferTooSmall`], [`PushError::TooLong`]; [`PushError::UnsafePayload`] in a writer of the [`Native`] layout
    /// for `SCM_RIGHTS` and other kinds whose payload names descriptors or memory. Nothing has changed then.
    ///
    /// ```
    /// use ancillary::{ControlWriter, Layout, PushError};
    ///
    /// let mut bytes = [0; 20];
    /// let mut writer = ControlWriter::with_layout(Layout::LINUX_64, &mut bytes);
    /// assert_eq!(writer.push_raw(280, 7, b"five!"), Err(PushError::BufferTooSmall { needed: 21, available: 20 }));
    /// assert_eq!(writer.push_raw(280, 7, b"four"), Ok(()));
    /// ```
    #[inline]
    pub fn push_raw(&mut self, level: c_int, message_type: c_int, payload: &[u8]) -> Result<(), PushError> {
        self.refuse_unsafe_payload(level, message_type)?;
        self.append(level, message_type, Payload::Bytes(payload))?;
        Ok(())
    }

    /// Appends a message with a payload of `payload_len` zeros, and hands the payload out to be filled in place.
    ///
    /// # Errors
    ///
    /// As [`push_raw`](Self::push_raw).
    ///
    /// ```
    /// use ancillary::ControlWriter;
    ///
    /// let mut bytes = [0xff; 64];
    /// let mut writer = ControlWriter::new(&mut bytes);
    /// let payload = writer.reserve(280, 7, 3)?;
    /// assert_eq!(payload, [0, 0, 0]);
    /// payload.copy_from_slice(b"abc");
    /// # Ok::<(), ancillary::PushError>(())
    /// ```
    #[inline]
    pub fn reserve(&mut self, level: c_int, message_type: c_int, payload_len: usize) -> Result<&mut [u8], PushError> {
        self.refuse_unsafe_payload(level, message_type)?;
        let offset = self.append(level, message_type, Payload::Zeros(payload_len))?;
        let payload = self.buffer.get_mut(offset..offset + payload_len).unwrap_or_default();
        // SAFETY: these bytes have just been zeroed.
        Ok(unsafe { uninit::assume_init_mut(payload) })
    }

    /// How many bytes the messages take: what `msg_controllen` is to say.
    ///
    /// ```
    /// assert_eq!(ancillary::ControlWriter::empty().used(), 0);
    /// ```
    #[inline]
    pub const fn used(&self) -> usize {
        self.written.bytes
    }

    /// Whether there is no message.
    ///
    /// ```
    /// assert!(ancillary::ControlWriter::new(&mut [0; 64][..]).is_empty());
    /// ```
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.written.bytes == 0
    }

    /// How many bytes are left for more messages.
    ///
    /// ```
    /// assert_eq!(ancillary::ControlWriter::new(&mut [0; 64][..]).available(), 64);
    /// ```
    #[inline]
    pub const fn available(&self) -> usize {
        // What is written never exceeds the buffer.
        self.buffer.len() - self.written.bytes
    }

    /// How many bytes the buffer has: [`used`](Self::used) and [`available`](Self::available) together.
    ///
    /// ```
    /// assert_eq!(ancillary::ControlWriter::new(&mut [0; 64][..]).capacity(), 64);
    /// ```
    #[inline]
    pub const fn capacity(&self) -> usize {
        self.buffer.len()
    }

    /// Forgets all messages. (What was borrowed stays borrowed.)
    ///
    /// ```
    /// let mut bytes = [0; 64];
    /// let mut writer = ancillary::ControlWriter::new(&mut bytes);
    /// writer.push_raw(280, 7, b"payload")?;
    /// writer.clear();
    /// assert_eq!(writer.as_bytes(), b"");
    /// # Ok::<(), ancillary::PushError>(())
    /// ```
    #[inline]
    pub const fn clear(&mut self) {
        self.written = Checkpoint::START;
    }

    /// The messages as bytes: what `msg_control` is to point at, [`used`](Self::used) bytes long.
    ///
    /// Example: [`with_layout`](Self::with_layout).
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        let written = self.buffer.get(..self.written.bytes).unwrap_or(&[]);
        // SAFETY: `append` raises the number only after it has written every byte up to it: header and padding itself,
        // the payload through `Payload::write`.
        unsafe { uninit::assume_init(written) }
    }

    /// What is written by now, to [return to](Self::rollback).
    #[inline]
    pub(crate) const fn checkpoint(&self) -> Checkpoint {
        self.written
    }

    /// Forgets what was written since, perhaps by somebody else's code; and everything, if that did not only append.
    ///
    /// It may have cleared this and written other messages, or have put another writer in its place. To return into the
    /// middle of a message would make its payload, which can be any bytes, a header.
    #[cold]
    pub(crate) fn rollback(&mut self, before: Checkpoint) {
        let layout = self.layout.layout();
        let mut whole = Checkpoint::START;
        for message in ControlMessages::with_layout(self.layout, self.as_bytes()).flatten() {
            if whole.bytes == before.bytes {
                break;
            }
            let taken = layout.space(message.payload().len()).unwrap_or(usize::MAX);
            whole.bytes = whole.bytes.saturating_add(taken).min(self.written.bytes);
            #[cfg(sockets)]
            if A::IS_NATIVE && is_scm_rights(message.level(), message.message_type()) {
                whole.descriptors += message.payload().len() / size_of::<c_int>();
            }
        }
        self.written = if whole.bytes == before.bytes { whole } else { Checkpoint::START };
    }

    /// Safe code can send what a native writer holds, so plain bytes may not name descriptors or memory there.
    #[inline]
    fn refuse_unsafe_payload(&self, level: c_int, message_type: c_int) -> Result<(), PushError> {
        if A::IS_NATIVE && is_unsafe_payload(level, message_type) {
            return Err(PushError::UnsafePayload { level, message_type });
        }
        Ok(())
    }

    /// Appends a message and says where in the buffer its payload begins. `.ci/lemmas` has a model of this function.
    #[inline]
    fn append(&mut self, level: c_int, message_type: c_int, payload: Payload<'_>) -> Result<usize, PushError> {
        let layout = self.layout.layout();
        let Some(len) = layout.len(payload.len()) else { return Err(PushError::TooLong { payload: payload.len() }) };
        let too_small = PushError::BufferTooSmall { needed: len, available: self.available() };
        let Some((header, rest)) = self.place(len) else { return Err(too_small) };
        let taken = header.len() + rest.len();
        write_header(layout, ControlHeader { cmsg_len: len as u64, level, message_type }, header);
        payload.write(rest.get_mut(..payload.len()).unwrap_or_default());
        let payload_offset = self.written.bytes + layout.data_offset();
        self.written.bytes += taken;
        Ok(payload_offset)
    }

    /// The place of a message of `len` bytes, its padding zeroed: for the header, and for the payload and the padding after
    /// it. `None` if it does not fit. `.ci/lemmas` has a model of this function.
    #[inline]
    pub(super) fn place(&mut self, len: usize) -> Option<Place<'_>> {
        let layout = self.layout.layout();
        let free = self.buffer.get_mut(self.written.bytes..).filter(|free| free.len() >= len)?;
        let padded = layout.padded(len);
        let message = if padded <= free.len() {
            let (message, _) = free.split_at_mut_checked(padded)?;
            // All that can be padding, before header and payload take what is theirs: so zeroing more
            // than the padding does no harm.
            uninit::zeroed(message.get_mut(padded - layout.header_align()..).unwrap_or_default());
            message
        } else {
            uninit::zeroed(free.get_mut(len..).unwrap_or_default());
            free
        };
        message.split_at_mut_checked(layout.data_offset())
    }
}

/// Nothing that is written on this target is sent by this crate.
#[cfg(not(sockets))]
const fn is_unsafe_payload(_level: c_int, _message_type: c_int) -> bool {
    false
}

#[inline]
pub(super) fn write_header(layout: Layout, header: ControlHeader, bytes: &mut [MaybeUninit<u8>]) {
    let written = layout.write_header(header, uninit::zeroed(bytes));
    debug_assert!(written, "the length was computed by this layout, and the bytes are its data offset");
}

impl<A: LayoutChoice> fmt::Debug for ControlWriter<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlWriter").field("used", &self.used()).field("available", &self.available()).finish()
    }
}
