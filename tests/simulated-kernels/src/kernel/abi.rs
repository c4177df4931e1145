//! The target's structures as a kernel sees them: bytes behind pointers. The arithmetic is the C library's, not the
//! crate's.

use libc::{c_int, cmsghdr, iovec, msghdr};
use std::mem::offset_of;

/// Bytes on their way to a program: those that are `None` are not written.
pub type Image = Vec<Option<u8>>;

/// The level and the type of descriptors.
pub const RIGHTS: (c_int, c_int) = (libc::SOL_SOCKET, libc::SCM_RIGHTS);

/// `CMSG_LEN`: a header and a payload of so many bytes.
pub fn len(payload: usize) -> usize {
    // SAFETY: it is arithmetic on its argument.
    unsafe { libc::CMSG_LEN(payload as u32) as usize }
}

/// `CMSG_SPACE`: the same with the padding after it.
pub fn space(payload: usize) -> usize {
    // SAFETY: it is arithmetic on its argument.
    unsafe { libc::CMSG_SPACE(payload as u32) as usize }
}

/// The length of a message without a payload.
pub fn header() -> usize {
    len(0)
}

/// A length rounded up to where the next message begins.
pub fn aligned(len: usize) -> usize {
    len.next_multiple_of(space(1) - space(0))
}

/// A control message with any length in its header. Padding is not written, neither beside the header nor at the end.
pub fn image(claimed: usize, (level, kind): (c_int, c_int), payload: &[u8]) -> Image {
    let mut image = vec![None; space(payload.len())];
    // SAFETY: every field of `cmsghdr` is an integer, for which zero is a value.
    let mut lengths: cmsghdr = unsafe { std::mem::zeroed() };
    lengths.cmsg_len = claimed as _;
    let mut put = |at: usize, bytes: &[u8]| {
        for (to, byte) in image[at..].iter_mut().zip(bytes) {
            *to = Some(*byte);
        }
    };
    put(offset_of!(cmsghdr, cmsg_len), &lengths.cmsg_len.to_ne_bytes());
    put(offset_of!(cmsghdr, cmsg_level), &level.to_ne_bytes());
    put(offset_of!(cmsghdr, cmsg_type), &kind.to_ne_bytes());
    put(header(), payload);
    image
}

/// The length, level and type that a header says.
pub fn parse(bytes: &[u8]) -> (usize, c_int, c_int) {
    let number = |at| c_int::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
    // SAFETY: as above.
    let zeros: cmsghdr = unsafe { std::mem::zeroed() };
    let at = offset_of!(cmsghdr, cmsg_len);
    let len = &bytes[at..at + size_of_val(&zeros.cmsg_len)];
    // The field is a `size_t` here and a `socklen_t` there.
    let digit = |len: usize, byte: &u8| len << 8 | usize::from(*byte);
    let len = if cfg!(target_endian = "big") { len.iter().fold(0, digit) } else { len.iter().rev().fold(0, digit) };
    (len, number(offset_of!(cmsghdr, cmsg_level)), number(offset_of!(cmsghdr, cmsg_type)))
}

/// Writes what is to be written.
///
/// # Safety
///
/// As many bytes can be written.
pub unsafe fn write(image: &[Option<u8>], to: *mut u8) {
    for (index, byte) in image.iter().enumerate() {
        if let Some(byte) = byte {
            // SAFETY: the caller's promise.
            unsafe { to.add(index).write(*byte) };
        }
    }
}

/// Reads every byte: in Miri, that is an error if one was never written.
///
/// # Safety
///
/// So many bytes can be read.
pub unsafe fn read(from: *const u8, len: usize) -> Vec<u8> {
    // SAFETY: the caller's promise.
    (0..len).map(|index| unsafe { from.add(index).read() }).collect()
}

/// The slices of a header: pointers and lengths.
///
/// # Safety
///
/// The header points at as many slices as it says.
#[allow(clippy::unnecessary_cast, reason = "the fields have other integers on other systems")]
pub unsafe fn slices(header: *const msghdr) -> Vec<(*mut u8, usize)> {
    // SAFETY: the caller's promise, here and below.
    let (first, count) = unsafe { ((*header).msg_iov.cast_const(), (*header).msg_iovlen as usize) };
    let slice = |index| {
        // SAFETY: as above.
        let slice: iovec = unsafe { first.add(index).read() };
        (slice.iov_base.cast(), slice.iov_len as usize)
    };
    (0..count).map(slice).collect()
}

/// Writes as much of the data as the slices of a header have room for. Returns how much that is.
///
/// # Safety
///
/// The header's slices can be written.
pub unsafe fn scatter(data: &[u8], header: *const msghdr) -> usize {
    let mut written = 0;
    // SAFETY: the caller's promise.
    for (to, len) in unsafe { slices(header) } {
        for index in 0..len.min(data.len() - written) {
            // SAFETY: it is in the slice.
            unsafe { to.add(index).write(data[written + index]) };
        }
        written += len.min(data.len() - written);
    }
    written
}

/// Reads all of the data.
///
/// # Safety
///
/// The header's slices can be read.
pub unsafe fn gather(header: *const msghdr) -> Vec<u8> {
    // SAFETY: the caller's promise.
    unsafe { slices(header).into_iter().flat_map(|(from, len)| read(from, len)).collect() }
}
