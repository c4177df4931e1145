use crate::Arithmetic;
use ancillary::Layout;
use ancillary::message::{ControlKind, ScmRights};
use std::os::fd::RawFd;

/// Bytes at a chosen distance, of up to 15, after what an allocator gives.
///
/// They end where their allocation ends, so that a sanitizer sees every step beyond them.
#[derive(Debug)]
pub struct Memory {
    allocation: Box<[u8]>,
    start: usize,
}

impl Memory {
    /// What stands before the bytes.
    const BEFORE: u8 = 0xB7;

    pub fn filled(byte: u8, len: usize, misalignment: u8) -> Self {
        let start = usize::from(misalignment % 16);
        let mut allocation = vec![byte; start + len].into_boxed_slice();
        allocation[..start].fill(Self::BEFORE);
        Memory { allocation, start }
    }

    pub fn copy_of(bytes: &[u8], misalignment: u8) -> Self {
        let mut memory = Self::filled(0, bytes.len(), misalignment);
        memory.bytes_mut().copy_from_slice(bytes);
        memory
    }

    /// Memory with a message in it, again and again, that would pass on this descriptor if it were believed. Its first
    /// `shift` bytes are left out.
    pub fn dirty(len: usize, misalignment: u8, descriptor: RawFd, shift: u8) -> Self {
        let arithmetic = Arithmetic::of(Layout::NATIVE);
        let message_len = arithmetic.len(4).expect("a small one");
        let mut message = arithmetic.encode((message_len as u64, <ScmRights>::LEVEL, <ScmRights>::TYPE), 0xFF);
        message.extend(descriptor.to_ne_bytes());
        message.resize(arithmetic.padded(message_len) as usize, 0xFF);

        let mut memory = Self::filled(0, len, misalignment);
        for (byte, dirt) in memory.bytes_mut().iter_mut().zip(message.iter().cycle().skip(usize::from(shift))) {
            *byte = *dirt;
        }
        memory
    }

    pub fn bytes(&self) -> &[u8] {
        &self.allocation[self.start..]
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.allocation[self.start..]
    }

    /// Whether nobody has written to what stands before the bytes.
    pub fn is_untouched_before(&self) -> bool {
        self.allocation[..self.start].iter().all(|byte| *byte == Self::BEFORE)
    }
}
