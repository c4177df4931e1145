use super::{ByteOrder, Layout, LengthWidth};
use core::ffi::c_int;

/// The three fields of a `struct cmsghdr`, as numbers.
///
/// Example: [`Layout::read_header`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "cmsghdr")]
pub struct ControlHeader {
    /// The length the header claims for the whole message in bytes, header included.
    pub cmsg_len: u64,
    /// The protocol the message belongs to: `SOL_SOCKET`, `IPPROTO_IP` and so on.
    pub level: c_int,
    /// The type of the message within its level.
    pub message_type: c_int,
}

impl Layout {
    /// The header at the front of `bytes`, or `None` if they are fewer than [`header_size`](Layout::header_size).
    ///
    /// The bytes may be at any address. The header is not judged: its length may claim anything.
    ///
    /// ```
    /// use ancillary::layout::{ControlHeader, Layout};
    ///
    /// let header = ControlHeader { cmsg_len: 20, level: 1, message_type: 1 };
    /// let mut bytes = [0xff; 16];
    /// assert!(Layout::LINUX_64.write_header(header, &mut bytes));
    /// assert_eq!(Layout::LINUX_64.read_header(&bytes), Some(header));
    /// assert_eq!(Layout::LINUX_64.read_header(&bytes[..15]), None);
    /// ```
    #[inline]
    pub fn read_header(self, bytes: &[u8]) -> Option<ControlHeader> {
        let bytes = bytes.get(..self.header_size())?;
        let cmsg_len = match self.parts.len_width {
            LengthWidth::Four => u64::from(self.read_u32(bytes, self.parts.len_offset)?),
            LengthWidth::Eight => {
                let field = field::<8>(bytes, self.parts.len_offset)?;
                match self.parts.byte_order {
                    ByteOrder::Little => u64::from_le_bytes(field),
                    ByteOrder::Big => u64::from_be_bytes(field),
                }
            }
        };
        let level = self.read_u32(bytes, self.parts.level_offset)? as c_int;
        let message_type = self.read_u32(bytes, self.parts.type_offset)? as c_int;
        Some(ControlHeader { cmsg_len, level, message_type })
    }

    /// Writes a header, and zeros wherever it has padding, to the first [`data_offset`](Layout::data_offset) bytes.
    ///
    /// `false`, and nothing written, if the bytes are fewer or `cmsg_len` is more than this layout's field holds.
    ///
    /// ```
    /// use ancillary::layout::{ByteOrder, ControlHeader, Layout};
    ///
    /// let header = ControlHeader { cmsg_len: 20, level: 0xffff, message_type: 1 };
    /// let mut bytes = [0xff; 16];
    /// assert!(Layout::BSD_ALIGN_8.with_byte_order(ByteOrder::Little).write_header(header, &mut bytes));
    /// assert_eq!(bytes, [20, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    /// ```
    #[inline]
    pub fn write_header(self, header: ControlHeader, bytes: &mut [u8]) -> bool {
        if header.cmsg_len > self.parts.len_width.max() {
            return false;
        }
        let Some(bytes) = bytes.get_mut(..self.data_offset()) else { return false };
        bytes.fill(0);
        match self.parts.len_width {
            // The comparison above makes this conversion exact.
            LengthWidth::Four => self.write_u32(bytes, self.parts.len_offset, header.cmsg_len as u32),
            LengthWidth::Eight => {
                if let Some(field) = field_mut::<8>(bytes, self.parts.len_offset) {
                    *field = match self.parts.byte_order {
                        ByteOrder::Little => header.cmsg_len.to_le_bytes(),
                        ByteOrder::Big => header.cmsg_len.to_be_bytes(),
                    };
                }
            }
        }
        self.write_u32(bytes, self.parts.level_offset, header.level as u32);
        self.write_u32(bytes, self.parts.type_offset, header.message_type as u32);
        true
    }

    #[inline]
    fn read_u32(self, bytes: &[u8], offset: u8) -> Option<u32> {
        let field = field::<4>(bytes, offset)?;
        Some(match self.parts.byte_order {
            ByteOrder::Little => u32::from_le_bytes(field),
            ByteOrder::Big => u32::from_be_bytes(field),
        })
    }

    #[inline]
    fn write_u32(self, bytes: &mut [u8], offset: u8, value: u32) {
        if let Some(field) = field_mut::<4>(bytes, offset) {
            *field = match self.parts.byte_order {
                ByteOrder::Little => value.to_le_bytes(),
                ByteOrder::Big => value.to_be_bytes(),
            };
        }
    }
}

#[inline]
fn field<const WIDTH: usize>(bytes: &[u8], offset: u8) -> Option<[u8; WIDTH]> {
    bytes.get(usize::from(offset)..)?.first_chunk().copied()
}

#[inline]
fn field_mut<const WIDTH: usize>(bytes: &mut [u8], offset: u8) -> Option<&mut [u8; WIDTH]> {
    bytes.get_mut(usize::from(offset)..)?.first_chunk_mut()
}
