//! The numbers of an ABI: where the fields of `struct cmsghdr` sit, and the arithmetic over them.
//!
//! A [`Layout`] is plain data. Every function of it is `const`, total and checked: what the C macros wrap around, these
//! refuse. Nothing here reads a pointer, calls a system or contains `unsafe`.
//!
//! One rule describes every system (source of each number: the named constants of [`Layout`]):
//!
//! ```text
//! data_offset = header_size rounded up to data_align         CMSG_DATA - cmsg
//! len(n)      = data_offset + n                              CMSG_LEN(n)
//! space(n)    = len(n) rounded up to header_align            CMSG_SPACE(n)
//! next header = this header + cmsg_len rounded up likewise   CMSG_NXTHDR
//! ```
//!
//! ```
//! use ancillary::Layout;
//!
//! const ROOM: usize = match Layout::LINUX_64.space(4) {
//!     Some(space) => space,
//!     None => panic!("known at compile time"),
//! };
//! assert_eq!(ROOM, 24);
//! assert_eq!(Layout::DARWIN.space(4), Some(16));
//! assert_eq!(Layout::LINUX_64.space(usize::MAX), None);
//! ```
//!
//! # Which target has which layout
//!
//! | targets | [`Layout::NATIVE`] is |
//! |---|---|
//! | Linux and Android on 64 bits, whatever the C library | [`LINUX_64`](Layout::LINUX_64) |
//! | Linux and Android on 32 bits, x32, MIPS n32 | [`LINUX_32`](Layout::LINUX_32) |
//! | Apple's, any width | [`DARWIN`](Layout::DARWIN) |
//! | FreeBSD, DragonFly, Haiku, Hurd, QNX and VxWorks on 64 bits | [`BSD_ALIGN_8`](Layout::BSD_ALIGN_8) |
//! | the same on 32 bits | [`BSD_ALIGN_4`](Layout::BSD_ALIGN_4) |
//! | NetBSD on aarch64, riscv64, sparc64; OpenBSD on sparc64 | [`BSD_ALIGN_16`](Layout::BSD_ALIGN_16) |
//! | NetBSD and OpenBSD on i686 | [`BSD_ALIGN_4`](Layout::BSD_ALIGN_4) |
//! | NetBSD and OpenBSD on everything else | [`BSD_ALIGN_8`](Layout::BSD_ALIGN_8) |
//! | illumos and Solaris on x86 | [`ILLUMOS_X86`](Layout::ILLUMOS_X86) |
//! | illumos and Solaris on SPARC | [`SOLARIS_SPARC`](Layout::SOLARIS_SPARC) |
//! | AIX | [`AIX`](Layout::AIX) |
//! | Fuchsia | [`MUSL_64_LE`](Layout::MUSL_64_LE) |
//! | Windows | [`WINDOWS_64`](Layout::WINDOWS_64), [`WINDOWS_32`](Layout::WINDOWS_32) |
//! | Redox, Cygwin, emscripten | [`LINUX_64`](Layout::LINUX_64), [`LINUX_32`](Layout::LINUX_32) by pointer width |
//! | WASI, targets without a system, and those whose system has no control messages | absent: the layout must be named |
//!
//! # Another machine's buffer
//!
//! ```
//! use ancillary::layout::ByteOrder;
//! use ancillary::{ControlMessages, ControlWriter, Layout};
//!
//! // A descriptor with the number 5, as a process of each machine has it in memory.
//! let little = ByteOrder::Little;
//! for (layout, sol_socket, length, payload_at, space) in [
//!     (Layout::DARWIN, 0xffff, 16, 12, 16),
//!     (Layout::BSD_ALIGN_8.with_byte_order(little), 0xffff, 20, 16, 24), // FreeBSD on amd64
//!     (Layout::BSD_ALIGN_16.with_byte_order(little), 0xffff, 20, 16, 32), // NetBSD on aarch64
//!     (Layout::LINUX_32.with_byte_order(little), 1, 16, 12, 16), // a 32-bit process on a 64-bit Linux kernel
//! ] {
//!     let mut bytes = [0xff; 64];
//!     let mut writer = ControlWriter::with_layout(layout, &mut bytes);
//!     writer.push_raw(sol_socket, 1, &5i32.to_le_bytes())?;
//!     let written = writer.as_bytes();
//!     assert_eq!((written[0], written[payload_at], written.len()), (length, 5, space));
//!
//!     let message = ControlMessages::with_layout(layout, written).next().unwrap()?;
//!     assert_eq!((message.level(), message.message_type()), (sol_socket, 1));
//!     assert_eq!(message.payload(), [5, 0, 0, 0]);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod header;
mod named;
mod native;

pub use header::ControlHeader;
pub use native::{LayoutChoice, Native};

/// The order of the bytes in the fields of a header.
///
/// Example: [`NATIVE`](Self::NATIVE).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// The least significant byte comes first.
    Little,
    /// The most significant byte comes first.
    Big,
}

impl ByteOrder {
    /// The byte order of the target.
    ///
    /// ```
    /// use ancillary::layout::ByteOrder;
    ///
    /// let first = 1u16.to_ne_bytes()[0];
    /// assert_eq!(ByteOrder::NATIVE, if first == 1 { ByteOrder::Little } else { ByteOrder::Big });
    /// ```
    pub const NATIVE: ByteOrder = if cfg!(target_endian = "little") { ByteOrder::Little } else { ByteOrder::Big };
}

/// How wide the `cmsg_len` field is.
///
/// Example: [`bytes`](Self::bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LengthWidth {
    /// Four bytes: `socklen_t`, or a 32-bit `size_t`.
    Four,
    /// Eight bytes: a 64-bit `size_t`.
    Eight,
}

impl LengthWidth {
    /// The width in bytes.
    ///
    /// ```
    /// assert_eq!(ancillary::layout::LengthWidth::Eight.bytes(), 8);
    /// ```
    pub const fn bytes(self) -> usize {
        match self {
            LengthWidth::Four => 4,
            LengthWidth::Eight => 8,
        }
    }

    /// The largest value the field holds.
    const fn max(self) -> u64 {
        match self {
            LengthWidth::Four => u32::MAX as u64,
            LengthWidth::Eight => u64::MAX,
        }
    }
}

/// The numbers a [`Layout`] is made from. All offsets, sizes and alignments are in bytes.
///
/// `cmsg_level` and `cmsg_type` are four bytes wide on every known system.
///
/// Example: [`Layout::from_parts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LayoutParts {
    /// `sizeof(struct cmsghdr)`, at most 64.
    pub header_size: u8,
    /// Where `cmsg_len` begins.
    pub len_offset: u8,
    /// How wide `cmsg_len` is.
    pub len_width: LengthWidth,
    /// Where `cmsg_level` begins.
    pub level_offset: u8,
    /// Where `cmsg_type` begins.
    pub type_offset: u8,
    /// What the distance to the next header is rounded up to: a power of two, at most 64.
    pub header_align: u8,
    /// What the size of the header is rounded up to, to find the payload: a power of two, at most 64.
    pub data_align: u8,
    /// The order of the bytes in all three fields.
    pub byte_order: ByteOrder,
}

/// The layout of control messages on one system: everything it takes to compute, read and write a control buffer.
///
/// Sources: `struct cmsghdr` and the `CMSG_*` macros of each system's headers; cmsg(3); RFC 3542 section 20.
///
/// Example: [the module's](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    parts: LayoutParts,
}

/// The largest header size and alignment a layout may have, in bytes. Every known system stays at or below 16.
const MAX_PART: u8 = 64;

// `.ci/lemmas` has the functions from here to `next_header` once more, and says so when one is another.

const fn round_up(value: usize, align: usize) -> Option<usize> {
    // `align` is a power of two: `from_parts` admits nothing else.
    match value.checked_add(align - 1) {
        Some(sum) => Some(sum & !(align - 1)),
        None => None,
    }
}

impl Layout {
    /// A layout from its numbers, or `None` if they contradict each other: a field outside the header, two fields that
    /// overlap, an alignment that is not a power of two, a number above 64.
    ///
    /// ```
    /// use ancillary::layout::{ByteOrder, Layout, LayoutParts, LengthWidth};
    ///
    /// let mut parts = Layout::DARWIN.parts();
    /// assert_eq!(Layout::from_parts(parts), Some(Layout::DARWIN));
    /// parts.header_align = 3;
    /// assert_eq!(Layout::from_parts(parts), None);
    /// ```
    pub const fn from_parts(parts: LayoutParts) -> Option<Layout> {
        let max = MAX_PART;
        if parts.header_size > max || parts.header_align > max || parts.data_align > max {
            return None;
        }
        if !parts.header_align.is_power_of_two() || !parts.data_align.is_power_of_two() {
            return None;
        }
        // As `usize`, in which no sum of these wraps around.
        let (len, width) = (parts.len_offset as usize, parts.len_width.bytes());
        let (level, kind) = (parts.level_offset as usize, parts.type_offset as usize);
        let size = parts.header_size as usize;
        if len + width > size || level + 4 > size || kind + 4 > size {
            return None;
        }
        let apart = (len + width <= level || level + 4 <= len)
            && (len + width <= kind || kind + 4 <= len)
            && (level + 4 <= kind || kind + 4 <= level);
        if apart { Some(Layout { parts }) } else { None }
    }

    /// The numbers this layout is made from.
    ///
    /// ```
    /// assert_eq!(ancillary::Layout::DARWIN.parts().level_offset, 4);
    /// ```
    pub const fn parts(self) -> LayoutParts {
        self.parts
    }

    /// The same layout with the bytes of its fields in another order.
    ///
    /// The fields stay where they are. (musl on 64 bits moves one as well; its two layouts are
    /// [`MUSL_64_LE`](Layout::MUSL_64_LE) and [`MUSL_64_BE`](Layout::MUSL_64_BE).)
    ///
    /// ```
    /// use ancillary::layout::{ByteOrder, Layout};
    ///
    /// let s390x = Layout::LINUX_64.with_byte_order(ByteOrder::Big);
    /// assert_eq!(s390x.space(4), Layout::LINUX_64.space(4));
    /// ```
    pub const fn with_byte_order(self, byte_order: ByteOrder) -> Layout {
        Layout { parts: LayoutParts { byte_order, ..self.parts } }
    }

    /// `sizeof(struct cmsghdr)` in bytes.
    ///
    /// ```
    /// use ancillary::Layout;
    ///
    /// assert_eq!(Layout::LINUX_64.header_size(), 16);
    /// assert_eq!(Layout::DARWIN.header_size(), 12);
    /// ```
    pub const fn header_size(self) -> usize {
        self.parts.header_size as usize
    }

    /// The alignment of headers in bytes, and so the alignment a control buffer should have.
    ///
    /// This is not the alignment of the C type: 64-bit musl and the BSDs declare a `struct cmsghdr` that is aligned to
    /// 4 bytes and place it at multiples of 8 or 16.
    ///
    /// ```
    /// use ancillary::Layout;
    ///
    /// assert_eq!(Layout::BSD_ALIGN_16.header_align(), 16);
    /// ```
    pub const fn header_align(self) -> usize {
        self.parts.header_align as usize
    }

    /// The distance in bytes from a header to its payload.
    ///
    /// ```
    /// use ancillary::Layout;
    ///
    /// assert_eq!(Layout::LINUX_64.data_offset(), 16);
    /// assert_eq!(Layout::LINUX_32.data_offset(), 12);
    /// assert_eq!(Layout::BSD_ALIGN_8.data_offset(), 16); // a header of 12 bytes and 4 of padding
    /// ```
    #[doc(alias = "CMSG_DATA")]
    #[inline]
    pub const fn data_offset(self) -> usize {
        let align = self.parts.data_align as usize;
        (self.parts.header_size as usize + align - 1) & !(align - 1)
    }

    /// `value` rounded up to the alignment of headers, or `None` if that is more than a `usize` holds.
    ///
    /// ```
    /// use ancillary::Layout;
    ///
    /// assert_eq!(Layout::LINUX_64.align(17), Some(24));
    /// assert_eq!(Layout::LINUX_64.align(usize::MAX), None);
    /// ```
    #[doc(alias = "CMSG_ALIGN")]
    #[inline]
    pub const fn align(self, value: usize) -> Option<usize> {
        round_up(value, self.parts.header_align as usize)
    }

    /// How many bytes a message of `len` bytes takes with its padding, if nothing cuts it. `len` is that of something
    /// in memory, so the sum is a number.
    #[inline]
    pub(crate) const fn padded(self, len: usize) -> usize {
        let mask = self.parts.header_align as usize - 1;
        len.wrapping_add(mask) & !mask
    }

    /// What `cmsg_len` says for a payload of `payload_len` bytes: the header, the padding inside it and the payload.
    ///
    /// `None` if the sum is more than a `usize`, or the `cmsg_len` field, can hold. (The C macro wraps around.)
    ///
    /// ```
    /// use ancillary::Layout;
    ///
    /// assert_eq!(Layout::LINUX_64.len(4), Some(20));
    /// assert_eq!(Layout::LINUX_64.len(usize::MAX), None);
    /// assert_eq!(Layout::DARWIN.len(u32::MAX as usize), None); // socklen_t has 32 bits
    /// ```
    #[doc(alias = "CMSG_LEN")]
    #[inline]
    pub const fn len(self, payload_len: usize) -> Option<usize> {
        match self.data_offset().checked_add(payload_len) {
            Some(len) if len as u64 <= self.parts.len_width.max() => Some(len),
            _ => None,
        }
    }

    /// How many bytes a message with a payload of `payload_len` bytes takes in a control buffer, with the
    /// padding after it.
    ///
    /// `None` if that is more than a `usize`, or a length field of this system, can hold. (The C macro wraps around.)
    ///
    /// ```
    /// use ancillary::Layout;
    ///
    /// assert_eq!(Layout::LINUX_64.space(5), Some(24));
    /// assert_eq!(Layout::BSD_ALIGN_16.space(5), Some(32));
    /// assert_eq!(Layout::AIX.space(5), Some(17)); // AIX pads nothing
    /// assert_eq!(Layout::LINUX_64.space(usize::MAX - 20), None);
    /// ```
    #[doc(alias = "CMSG_SPACE")]
    #[inline]
    pub const fn space(self, payload_len: usize) -> Option<usize> {
        match self.len(payload_len) {
            Some(len) => match self.align(len) {
                Some(space) if space as u64 <= self.parts.len_width.max() => Some(space),
                _ => None,
            },
            None => None,
        }
    }

    /// The offset in bytes of the first header in a control buffer of `control_len` bytes: 0, or `None` if no message
    /// fits in it.
    ///
    /// The smallest message is a header with its inner padding and no payload. (The BSDs' macro, which does not count
    /// that padding, shows a header at the very end of a buffer that can hold nothing.)
    ///
    /// ```
    /// use ancillary::Layout;
    ///
    /// assert_eq!(Layout::LINUX_64.first_header(16), Some(0));
    /// assert_eq!(Layout::LINUX_64.first_header(15), None);
    /// ```
    #[doc(alias = "CMSG_FIRSTHDR")]
    pub const fn first_header(self, control_len: usize) -> Option<usize> {
        if control_len >= self.data_offset() { Some(0) } else { None }
    }

    /// The offset in bytes of the header after the one at `offset`, whose length field says `cmsg_len`, in a control
    /// buffer of `control_len` bytes.
    ///
    /// `cmsg_len` is as wide as the widest field, whatever the target: pass [`ControlHeader::cmsg_len`] as it was read.
    ///
    /// `None` if another header does not fit, if the message at `offset` claims less than its own header or
    /// more than the buffer has, or if `offset` is outside the buffer. The answer is always greater than `offset`, so a
    /// walk ends after at most `control_len / data_offset` steps. (Some systems' macro stays in place for ever at a
    /// length of 0.)
    ///
    /// ```
    /// use ancillary::Layout;
    ///
    /// let layout = Layout::LINUX_64;
    /// assert_eq!(layout.next_header(0, 20, 40), Some(24));
    /// assert_eq!(layout.next_header(0, 20, 39), None);
    /// assert_eq!(layout.next_header(0, 0, 40), None);
    /// assert_eq!(layout.next_header(0, u64::MAX, 40), None);
    /// ```
    #[doc(alias = "CMSG_NXTHDR")]
    pub const fn next_header(self, offset: usize, cmsg_len: u64, control_len: usize) -> Option<usize> {
        let Some(remaining) = control_len.checked_sub(offset) else { return None };
        if cmsg_len < self.data_offset() as u64 || cmsg_len > remaining as u64 {
            return None;
        }
        // `cmsg_len` is at most `remaining`, so the conversion is exact.
        match self.align(cmsg_len as usize) {
            Some(step) if step <= remaining && remaining - step >= self.data_offset() => Some(offset + step),
            _ => None,
        }
    }

    /// How many bytes a whole set of messages takes, each with the padding after it: the sum of
    /// [`space`](Layout::space) over the payload lengths.
    ///
    /// `None` if it is more than a `usize` holds. [`control_space!`](crate::control_space) is this for the native
    /// layout and the messages' names.
    ///
    /// ```
    /// use ancillary::Layout;
    ///
    /// // IPV6_TCLASS, IPV6_PKTINFO, UDP_GRO and SCM_TIMESTAMPNS
    /// assert_eq!(Layout::LINUX_64.space_of_all(&[4, 20, 4, 16]), Some(120));
    /// ```
    pub const fn space_of_all(self, payload_lens: &[usize]) -> Option<usize> {
        let mut sum: usize = 0;
        let mut rest = payload_lens;
        while let [payload_len, others @ ..] = rest {
            let Some(space) = self.space(*payload_len) else { return None };
            let Some(more) = sum.checked_add(space) else { return None };
            sum = more;
            rest = others;
        }
        Some(sum)
    }

    /// How many bytes a whole set of messages takes when the last one is not padded.
    ///
    /// Linux fills all bytes there are: the padding after one descriptor can hold a second one on 64-bit systems. A
    /// buffer of this length admits no more than was asked for. [`control_len!`](crate::control_len) is this for the
    /// native layout and the messages' names.
    ///
    /// ```
    /// use ancillary::Layout;
    ///
    /// // SCM_CREDENTIALS, then one descriptor and not two
    /// assert_eq!(Layout::LINUX_64.len_of_all(&[12, 4]), Some(52));
    /// assert_eq!(Layout::LINUX_64.len_of_all(&[]), Some(0));
    /// ```
    pub const fn len_of_all(self, payload_lens: &[usize]) -> Option<usize> {
        let [padded @ .., last] = payload_lens else { return Some(0) };
        match (self.space_of_all(padded), self.len(*last)) {
            (Some(sum), Some(len)) => sum.checked_add(len),
            _ => None,
        }
    }
}
