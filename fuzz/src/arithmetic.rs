use ancillary::layout::{ByteOrder, Layout, LayoutParts, LengthWidth};

/// A second opinion on what a layout means: plain arithmetic over its parts, in integers that cannot overflow.
///
/// No function of [`Layout`] is used, except the one that shows its parts.
#[derive(Clone, Copy, Debug)]
pub struct Arithmetic {
    parts: LayoutParts,
}

impl Arithmetic {
    pub fn of(layout: Layout) -> Self {
        Arithmetic { parts: layout.parts() }
    }

    /// From a header to its payload.
    pub fn data_offset(self) -> usize {
        let align = usize::from(self.parts.data_align);
        usize::from(self.parts.header_size).div_ceil(align) * align
    }

    /// From a header to the next one, if the message between them is `len` bytes long.
    pub fn padded(self, len: usize) -> u128 {
        let align = u128::from(self.parts.header_align);
        (len as u128).div_ceil(align) * align
    }

    /// The length of a message with such a payload, if the length field and a `usize` can say it.
    pub fn len(self, payload_len: usize) -> Option<usize> {
        let len = self.data_offset() as u128 + payload_len as u128;
        let most = match self.parts.len_width {
            LengthWidth::Four => u128::from(u32::MAX),
            LengthWidth::Eight => u128::from(u64::MAX),
        };
        if len <= most { usize::try_from(len).ok() } else { None }
    }

    /// What messages with such payloads take, with all padding and without that of the last one.
    pub fn sums(self, payload_lens: &[usize]) -> (usize, usize) {
        let (mut space, mut len) = (0, 0);
        for payload_len in payload_lens {
            len = space + self.data_offset() + payload_len;
            space += self.padded(self.data_offset() + payload_len) as usize;
        }
        (space, len)
    }

    /// Length, level and type of the header at the front of `bytes`.
    pub fn decode(self, bytes: &[u8]) -> (u64, i32, i32) {
        let len = self.number(bytes, self.parts.len_offset, self.parts.len_width.bytes());
        let level = self.number(bytes, self.parts.level_offset, 4) as u32;
        let message_type = self.number(bytes, self.parts.type_offset, 4) as u32;
        (len, level as i32, message_type as i32)
    }

    /// A header and the padding before its payload, all of which is `padding`.
    pub fn encode(self, (len, level, message_type): (u64, i32, i32), padding: u8) -> Vec<u8> {
        let mut bytes = vec![padding; self.data_offset()];
        self.set_number(&mut bytes, self.parts.len_offset, self.parts.len_width.bytes(), len);
        self.set_number(&mut bytes, self.parts.level_offset, 4, u64::from(level as u32));
        self.set_number(&mut bytes, self.parts.type_offset, 4, u64::from(message_type as u32));
        bytes
    }

    fn number(self, bytes: &[u8], offset: u8, width: usize) -> u64 {
        let digit = |place| u64::from(bytes[self.position(offset, width, place)]);
        (0..width).map(|place| digit(place) << (8 * place)).sum()
    }

    fn set_number(self, bytes: &mut [u8], offset: u8, width: usize, number: u64) {
        for place in 0..width {
            bytes[self.position(offset, width, place)] = (number >> (8 * place)) as u8;
        }
    }

    /// Where the byte that counts `256^place` is.
    fn position(self, offset: u8, width: usize, place: usize) -> usize {
        usize::from(offset)
            + match self.parts.byte_order {
                ByteOrder::Little => place,
                ByteOrder::Big => width - 1 - place,
            }
    }
}
