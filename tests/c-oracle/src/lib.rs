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
