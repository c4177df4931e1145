//! The system's own `CMSG_*` macros, compiled from its headers.

use std::ffi::{c_int, c_void};

unsafe extern "C" {
    safe fn oracle_header_size() -> usize;
    safe fn oracle_len_offset() -> usize;
    safe fn oracle_len_width() -> usize;
    safe fn oracle_level_offset() -> usize;
    safe fn oracle_type_offset() -> usize;
    safe fn oracle_len(payload_len: usize) -> usize;
    safe fn oracle_space(payload_len: usize) -> usize;
    safe fn oracle_sol_socket() -> c_int;
    safe fn oracle_scm_rights() -> c_int;
    fn oracle_data_offset(header: *mut c_void) -> usize;
    fn oracle_first_header(control: *mut c_void, control_len: usize) -> usize;
    fn oracle_next_header(control: *mut c_void, control_len: usize, offset: usize) -> usize;
    safe fn oracle_is_checked() -> c_int;
    fn oracle_walk(control: *mut c_void, control_len: usize, headers: *mut Met) -> usize;
    fn oracle_append(
        control: *mut c_void,
        control_len: usize,
        last: usize,
        level: c_int,
        message_type: c_int,
        payload: *const c_void,
        payload_len: usize,
    ) -> usize;
}

/// `struct cmsghdr`: its size, and where its fields are.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    pub size: usize,
    pub len_offset: usize,
    pub len_width: usize,
    pub level_offset: usize,
    pub type_offset: usize,
}

pub fn header() -> Header {
    Header {
        size: oracle_header_size(),
        len_offset: oracle_len_offset(),
        len_width: oracle_len_width(),
        level_offset: oracle_level_offset(),
        type_offset: oracle_type_offset(),
    }
}

/// `CMSG_LEN`.
pub fn len(payload_len: usize) -> usize {
    oracle_len(payload_len)
}

/// `CMSG_SPACE`.
pub fn space(payload_len: usize) -> usize {
    oracle_space(payload_len)
}

pub fn sol_socket() -> c_int {
    oracle_sol_socket()
}

pub fn scm_rights() -> c_int {
    oracle_scm_rights()
}

/// Memory for control messages, aligned for the macros.
#[repr(align(16))]
pub struct Control(pub [u8; 256]);

impl Control {
    /// `CMSG_DATA` of a header at `offset`, from the header.
    pub fn data_offset(&mut self, offset: usize) -> usize {
        assert!(offset + 32 <= self.0.len());
        // SAFETY: a header at this offset, and what the macro adds, are inside the memory.
        unsafe { oracle_data_offset(self.0.as_mut_ptr().add(offset).cast()) }
    }

    /// `CMSG_FIRSTHDR` with this `msg_controllen`, as an offset.
    pub fn first_header(&mut self, control_len: usize) -> Option<usize> {
        assert!(control_len <= self.0.len());
        // SAFETY: the memory is as long as it says.
        offset(unsafe { oracle_first_header(self.0.as_mut_ptr().cast(), control_len) })
    }

    /// `CMSG_NXTHDR` of a header at `at` with this `msg_controllen`, as an offset.
    ///
    /// The macro is only defined for a header inside `control_len` whose length is at least its own and at most what is
    /// left.
    pub fn next_header(&mut self, control_len: usize, at: usize) -> Option<usize> {
        assert!(control_len <= self.0.len() && at + 16 <= self.0.len());
        // SAFETY: the memory is as long as it says, and the header is inside it.
        offset(unsafe { oracle_next_header(self.0.as_mut_ptr().cast(), control_len, at) })
    }
}

fn offset(answer: usize) -> Option<usize> {
    (answer != usize::MAX).then_some(answer)
}

/// Whether `CMSG_NXTHDR` is defined for a header with any length, and shows every header that has room: glibc since 2.36.
pub fn is_checked() -> bool {
    oracle_is_checked() != 0
}

/// A header as the macros show it. Offsets are from the start of the buffer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met {
    pub offset: usize,
    pub len: usize,
    pub data_offset: usize,
    pub level: c_int,
    pub message_type: c_int,
    is_defined: c_int,
    is_followed: c_int,
}

impl Met {
    /// Whether the length covers the header and fits in the buffer. After one of which this is false, the walk ends.
    pub fn is_defined(&self) -> bool {
        self.is_defined != 0
    }

    /// After a header that is not defined: whether the macro shows another one all the same. Never true of a library
    /// that is not [checked](is_checked): it is not asked.
    pub fn is_followed(&self) -> bool {
        self.is_followed != 0
    }
}

/// Memory of any length, aligned for the macros.
pub struct Buffer {
    words: Vec<u64>,
    len: usize,
}

impl Buffer {
    /// How much memory there is behind the buffer.
    const BEHIND: usize = 32;

    /// A copy of these bytes. Behind them is memory that is not the buffer's, filled with `behind`.
    pub fn copy_of(bytes: &[u8], behind: u8) -> Self {
        let words = (bytes.len() + Self::BEHIND).div_ceil(size_of::<u64>());
        let mut buffer = Buffer { words: vec![u64::from_ne_bytes([behind; 8]); words], len: bytes.len() };
        buffer.bytes_mut().copy_from_slice(bytes);
        buffer
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the words are at least so many bytes.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), self.len) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the words are at least so many bytes.
        unsafe { std::slice::from_raw_parts_mut(self.words.as_mut_ptr().cast(), self.len) }
    }

    /// The headers that a loop of `CMSG_FIRSTHDR` and `CMSG_NXTHDR` meets, up to the first one that is not defined.
    pub fn walk(&mut self) -> Vec<Met> {
        let mut headers = vec![Met::default(); self.len / 12 + 1];
        // SAFETY: the memory is as long as it says, and the loop makes steps of at least a header: 12 bytes and more.
        let count = unsafe { oracle_walk(self.words.as_mut_ptr().cast(), self.len, headers.as_mut_ptr()) };
        headers.truncate(count);
        headers
    }

    /// Writes a message after the one at `last`, or the first one. Returns where; `None` if it has no room.
    ///
    /// The memory was zeroed at first, and `last` is what this has returned for the message before.
    pub fn append(&mut self, last: Option<usize>, level: c_int, message_type: c_int, payload: &[u8]) -> Option<usize> {
        let last = last.unwrap_or(usize::MAX);
        assert!(last == usize::MAX || last + oracle_header_size() <= self.len);
        let control = self.words.as_mut_ptr().cast();
        // SAFETY: the memory is as long as it says, the header is inside it, and so is the payload.
        offset(unsafe {
            oracle_append(control, self.len, last, level, message_type, payload.as_ptr().cast(), payload.len())
        })
    }
}
