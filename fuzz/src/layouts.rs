use ancillary::layout::{ByteOrder, Layout, LayoutParts, LengthWidth};
use libfuzzer_sys::arbitrary::{self, Arbitrary};

/// The largest number a layout may have.
const MOST: u8 = 64;

/// A layout of some system, of no system, or numbers that may be none.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum AnyLayout {
    Native,
    Named { index: u8, big_endian: bool },
    Made(Made),
    Numbers(Numbers),
}

/// A layout whose numbers agree: the three fields in any order, with a gap before each and one at the end.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Made {
    order: u8,
    gaps: [u8; 4],
    header_align: u8,
    data_align: u8,
    wide: bool,
    big_endian: bool,
}

/// Any numbers.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Numbers {
    header_size: u8,
    len_offset: u8,
    level_offset: u8,
    type_offset: u8,
    header_align: u8,
    data_align: u8,
    wide: bool,
    big_endian: bool,
}

impl AnyLayout {
    /// The layout, if the numbers make one. [`Layout::from_parts`] must admit just those that do.
    pub fn layout(self) -> Option<Layout> {
        let parts = match self {
            AnyLayout::Native => return Some(Layout::NATIVE),
            AnyLayout::Named { index, big_endian } => {
                let (_, named) = Layout::NAMED[usize::from(index) % Layout::NAMED.len()];
                return Some(named.with_byte_order(byte_order(big_endian)));
            }
            AnyLayout::Made(made) => made.parts(),
            AnyLayout::Numbers(numbers) => numbers.parts(),
        };
        let layout = Layout::from_parts(parts);
        assert_eq!(layout.is_some(), agree(parts), "{parts:?}");
        assert!(layout.is_some() || !matches!(self, AnyLayout::Made(_)), "{parts:?}");
        layout.inspect(|layout| assert_eq!(layout.parts(), parts))
    }
}

impl Made {
    fn parts(self) -> LayoutParts {
        let len_width = length_width(self.wide);
        let widths = [len_width.bytes() as u8, 4, 4];
        const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        // 8 + 4 + 4 bytes of fields, and four gaps of at most 12, are 64.
        let [before_last_field @ .., at_the_end] = self.gaps.map(|gap| gap % 13);
        let (mut offsets, mut end) = ([0; 3], 0);
        for (field, gap) in ORDERS[usize::from(self.order) % ORDERS.len()].into_iter().zip(before_last_field) {
            offsets[field] = end + gap;
            end = offsets[field] + widths[field];
        }
        LayoutParts {
            header_size: end + at_the_end,
            len_offset: offsets[0],
            len_width,
            level_offset: offsets[1],
            type_offset: offsets[2],
            header_align: 1 << (self.header_align % 7),
            data_align: 1 << (self.data_align % 7),
            byte_order: byte_order(self.big_endian),
        }
    }
}

impl Numbers {
    fn parts(self) -> LayoutParts {
        LayoutParts {
            header_size: self.header_size,
            len_offset: self.len_offset,
            len_width: length_width(self.wide),
            level_offset: self.level_offset,
            type_offset: self.type_offset,
            header_align: self.header_align,
            data_align: self.data_align,
            byte_order: byte_order(self.big_endian),
        }
    }
}

/// Whether the numbers make a layout: alignments that are powers of two, and every byte of every field inside the
/// header and in no other field.
fn agree(parts: LayoutParts) -> bool {
    let powers = [1, 2, 4, 8, 16, 32, 64];
    if parts.header_size > MOST || !powers.contains(&parts.header_align) || !powers.contains(&parts.data_align) {
        return false;
    }
    let fields = [(parts.len_offset, parts.len_width.bytes() as u16), (parts.level_offset, 4), (parts.type_offset, 4)];
    let mut free = vec![true; usize::from(parts.header_size)];
    for (offset, width) in fields {
        for position in u16::from(offset)..u16::from(offset) + width {
            match free.get_mut(usize::from(position)) {
                Some(free) if *free => *free = false,
                _ => return false,
            }
        }
    }
    true
}

fn byte_order(big_endian: bool) -> ByteOrder {
    if big_endian { ByteOrder::Big } else { ByteOrder::Little }
}

fn length_width(wide: bool) -> LengthWidth {
    if wide { LengthWidth::Eight } else { LengthWidth::Four }
}
