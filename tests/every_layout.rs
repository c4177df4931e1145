//! Every named layout against a table of plain numbers, and every length in every cut of a small buffer against a walk in plain
//! arithmetic. Nothing expected here is computed by the crate.

use ancillary::control::StopReason;
use ancillary::layout::{ByteOrder, LengthWidth};
use ancillary::{ControlError, ControlMessages, ControlWriter, Layout};

/// The numbers of one system, as its headers give them.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    name: &'static str,
    header: usize,
    len: (usize, usize),
    level: usize,
    message_type: usize,
    header_align: usize,
    data_align: usize,
    /// `None`: whatever the target's is.
    big_endian: Option<bool>,
}

const fn numbers(
    name: &'static str,
    header: usize,
    len: (usize, usize),
    [level, message_type]: [usize; 2],
    [header_align, data_align]: [usize; 2],
    big_endian: Option<bool>,
) -> Numbers {
    Numbers { name, header, len, level, message_type, header_align, data_align, big_endian }
}

const TABLE: [Numbers; 13] = [
    numbers("LINUX_64", 16, (0, 8), [8, 12], [8, 8], None),
    numbers("LINUX_32", 12, (0, 4), [4, 8], [4, 4], None),
    numbers("MUSL_64_LE", 16, (0, 4), [8, 12], [8, 8], Some(false)),
    numbers("MUSL_64_BE", 16, (4, 4), [8, 12], [8, 8], Some(true)),
    numbers("DARWIN", 12, (0, 4), [4, 8], [4, 4], Some(false)),
    numbers("BSD_ALIGN_4", 12, (0, 4), [4, 8], [4, 4], None),
    numbers("BSD_ALIGN_8", 12, (0, 4), [4, 8], [8, 8], None),
    numbers("BSD_ALIGN_16", 12, (0, 4), [4, 8], [16, 16], None),
    numbers("ILLUMOS_X86", 12, (0, 4), [4, 8], [4, 4], Some(false)),
    numbers("SOLARIS_SPARC", 12, (0, 4), [4, 8], [8, 4], Some(true)),
    numbers("AIX", 12, (0, 4), [4, 8], [1, 1], Some(true)),
    numbers("WINDOWS_64", 16, (0, 8), [8, 12], [8, 8], Some(false)),
    numbers("WINDOWS_32", 12, (0, 4), [4, 8], [4, 4], Some(false)),
];

/// Every layout in every byte order that systems have it in.
fn in_both_byte_orders() -> impl Iterator<Item = Numbers> {
    TABLE.into_iter().flat_map(|numbers| {
        let orders =
            if numbers.big_endian.is_some() { vec![numbers.big_endian] } else { vec![Some(false), Some(true)] };
        orders.into_iter().map(move |big_endian| Numbers { big_endian, ..numbers })
    })
}

impl Numbers {
    fn layout(self) -> Layout {
        let layout = Layout::NAMED.iter().find(|(name, _)| *name == self.name).unwrap().1;
        match self.big_endian {
            Some(true) => layout.with_byte_order(ByteOrder::Big),
            Some(false) => layout.with_byte_order(ByteOrder::Little),
            None => layout,
        }
    }

    fn data_offset(self) -> usize {
        self.header.div_ceil(self.data_align) * self.data_align
    }

    fn padded(self, len: usize) -> usize {
        len.div_ceil(self.header_align) * self.header_align
    }

    fn big_endian(self) -> bool {
        self.big_endian.unwrap_or(cfg!(target_endian = "big"))
    }

    fn put(self, bytes: &mut [u8], at: usize, width: usize, value: u64) {
        for index in 0..width {
            let byte = if self.big_endian() { width - 1 - index } else { index };
            bytes[at + index] = (value >> (8 * byte)) as u8;
        }
    }

    /// A header as these numbers have it, padding zero.
    fn header_bytes(self, cmsg_len: u64, level: i32, message_type: i32) -> Vec<u8> {
        let mut bytes = vec![0; self.data_offset()];
        self.put(&mut bytes, self.len.0, self.len.1, cmsg_len);
        self.put(&mut bytes, self.level, 4, level as u32 as u64);
        self.put(&mut bytes, self.message_type, 4, message_type as u32 as u64);
        bytes
    }
}

#[test]
fn the_table_is_of_all_named_layouts() {
    let names: Vec<&str> = Layout::NAMED.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, TABLE.map(|numbers| numbers.name));
    for numbers in TABLE {
        // As it is named, in the order of bytes that it has by itself.
        let parts = Layout::NAMED.iter().find(|(name, _)| *name == numbers.name).unwrap().1.parts();
        assert_eq!(usize::from(parts.header_size), numbers.header, "{numbers:?}");
        assert_eq!((usize::from(parts.len_offset), parts.len_width.bytes()), numbers.len, "{numbers:?}");
        assert_eq!(usize::from(parts.level_offset), numbers.level, "{numbers:?}");
        assert_eq!(usize::from(parts.type_offset), numbers.message_type, "{numbers:?}");
        assert_eq!(usize::from(parts.header_align), numbers.header_align, "{numbers:?}");
        assert_eq!(usize::from(parts.data_align), numbers.data_align, "{numbers:?}");
        assert_eq!(parts.byte_order == ByteOrder::Big, numbers.big_endian(), "{numbers:?}");
    }
}

/// `CMSG_LEN` and `CMSG_SPACE` as each system's header has them: payload, length, space.
#[test]
fn lengths_and_spaces_that_were_read_off() {
    type Row = (usize, usize, usize);
    let rows: [(&str, &[Row]); 6] = [
        ("LINUX_64", &[(0, 16, 16), (1, 17, 24), (5, 21, 24), (12, 28, 32), (1012, 1028, 1032)]),
        ("LINUX_32", &[(0, 12, 12), (1, 13, 16), (5, 17, 20), (12, 24, 24), (1012, 1024, 1024)]),
        ("BSD_ALIGN_8", &[(0, 16, 16), (1, 17, 24), (5, 21, 24), (12, 28, 32), (1012, 1028, 1032)]),
        ("BSD_ALIGN_16", &[(0, 16, 16), (1, 17, 32), (5, 21, 32), (12, 28, 32), (1012, 1028, 1040)]),
        ("SOLARIS_SPARC", &[(0, 12, 16), (1, 13, 16), (5, 17, 24), (12, 24, 24), (1012, 1024, 1024)]),
        ("AIX", &[(0, 12, 12), (1, 13, 13), (5, 17, 17), (12, 24, 24), (1012, 1024, 1024)]),
    ];
    for (name, rows) in rows {
        let layout = TABLE.iter().find(|numbers| numbers.name == name).unwrap().layout();
        for (payload, len, space) in rows {
            assert_eq!((layout.len(*payload), layout.space(*payload)), (Some(*len), Some(*space)), "{name} {payload}");
        }
    }
}

#[test]
fn arithmetic_is_the_tables() {
    for numbers in TABLE {
        let layout = numbers.layout();
        for payload in 0..=2048 {
            let len = numbers.data_offset() + payload;
            assert_eq!(layout.len(payload), Some(len), "{numbers:?}");
            assert_eq!(layout.space(payload), Some(numbers.padded(len)), "{numbers:?}");
        }
        // The largest length that the field of the system can say, and one more.
        if layout.parts().len_width == LengthWidth::Four && usize::BITS == 64 {
            let most = u32::MAX as usize - numbers.data_offset();
            assert_eq!(layout.len(most), Some(u32::MAX as usize), "{numbers:?}");
            assert_eq!(layout.len(most + 1), None, "{numbers:?}");
        }
        assert_eq!((layout.len(usize::MAX), layout.space(usize::MAX)), (None, None), "{numbers:?}");
    }
}

#[test]
fn headers_are_where_the_table_says() {
    let (level, message_type) = (-2, 0x0102_0304);
    for numbers in in_both_byte_orders() {
        let mut bytes = [0xff; 64];
        let mut writer = ControlWriter::with_layout(numbers.layout(), &mut bytes);
        writer.push_raw(level, message_type, b"payload").unwrap();
        let len = numbers.data_offset() + 7;
        let mut expected = numbers.header_bytes(len as u64, level, message_type);
        expected.extend(b"payload");
        expected.resize(numbers.padded(len), 0);
        assert_eq!(writer.as_bytes(), expected, "{numbers:?}");
    }
}

/// What a walk in plain arithmetic finds: the payloads, and how it ends.
fn model(numbers: Numbers, lengths: [u64; 2], cut: usize) -> (Vec<(usize, usize)>, StopReason) {
    let (mut found, mut at) = (Vec::new(), 0);
    for claimed in lengths {
        let remaining = cut - at;
        if remaining == 0 {
            return (found, StopReason::EndOfBuffer);
        }
        if remaining < numbers.data_offset() {
            return (found, StopReason::TrailingBytes { offset: at, len: remaining });
        }
        if claimed < numbers.data_offset() as u64 {
            return (found, StopReason::Malformed(ControlError::LengthBelowHeader { offset: at, claimed, remaining }));
        }
        if claimed > remaining as u64 {
            return (found, StopReason::Malformed(ControlError::LengthBeyondBuffer { offset: at, claimed, remaining }));
        }
        found.push((at + numbers.data_offset(), claimed as usize - numbers.data_offset()));
        at = cut.min(at + numbers.padded(claimed as usize));
    }
    // After two messages only zeros are left: no header says 0.
    let remaining = cut - at;
    match remaining {
        0 => (found, StopReason::EndOfBuffer),
        few if few < numbers.data_offset() => (found, StopReason::TrailingBytes { offset: at, len: few }),
        _ => (found, StopReason::Malformed(ControlError::LengthBelowHeader { offset: at, claimed: 0, remaining })),
    }
}

/// Two headers of every length there can be in the buffer, and of some that no buffer has, in every cut of it.
#[test]
fn every_length_in_every_cut() {
    const BUFFER: usize = 64;
    let mut walks = 0_u64;
    for numbers in in_both_byte_orders() {
        let widest = if numbers.len.1 == 8 { u64::MAX } else { u32::MAX.into() };
        let lengths: Vec<u64> =
            (0..=BUFFER as u64 + 8).chain([widest, widest - 7, widest - 15, widest / 2 + 1, 1 << 31]).collect();
        for first in &lengths {
            let mut bytes = [0; BUFFER + 32];
            let header = numbers.header_bytes(*first, 1, 1);
            bytes[..header.len()].copy_from_slice(&header);
            // Where the second header lies, if the first message lets there be one.
            let fits = (numbers.data_offset() as u64..BUFFER as u64).contains(first);
            let second_at = fits.then(|| numbers.padded(*first as usize));
            for second in if second_at.is_some() { &lengths[..] } else { &[0] } {
                if let Some(at) = second_at {
                    let header = numbers.header_bytes(*second, 2, 2);
                    bytes[at..at + header.len()].copy_from_slice(&header);
                }
                for cut in 0..=BUFFER {
                    walk(numbers, &bytes[..cut], [*first, *second]);
                    walks += 1;
                }
            }
        }
    }
    println!("{walks} walks");
}

/// The crate's walk over a buffer with headers of these lengths, compared with the model's.
fn walk(numbers: Numbers, bytes: &[u8], lengths: [u64; 2]) {
    let (payloads, end) = model(numbers, lengths, bytes.len());
    let case = || format!("{numbers:?} {lengths:?} {}", bytes.len());
    let mut messages = ControlMessages::with_layout(numbers.layout(), bytes);
    for (number, (at, len)) in payloads.into_iter().enumerate() {
        let message = messages.next().unwrap().unwrap();
        assert_eq!(message.payload().as_ptr_range(), bytes[at..at + len].as_ptr_range(), "{}", case());
        assert_eq!(message.level(), number as i32 + 1, "{}", case());
    }
    if let StopReason::Malformed(error) = end {
        assert_eq!(messages.next(), Some(Err(error)), "{}", case());
        let clamped = messages.truncated_message().map(|message| message.payload().as_ptr_range());
        let there = bytes.get(error.offset() + numbers.data_offset()..);
        let beyond = matches!(error, ControlError::LengthBeyondBuffer { .. });
        assert_eq!(clamped, there.filter(|_| beyond).map(<[u8]>::as_ptr_range), "{}", case());
    }
    assert_eq!(messages.next(), None, "{}", case());
    assert_eq!(messages.stop_reason(), Some(end), "{}", case());
}
