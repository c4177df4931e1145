//! Numbers at the edge of what is refused, and what errors say.

use ancillary::control::{ControlKind, ControlSliceMut, ListPayload, StopReason, TranslateError};
use ancillary::layout::{ControlHeader, Layout, LayoutParts, LengthWidth};
use ancillary::{ControlBuffer, ControlError, ControlMessages, ControlWriter, PushError};
use core::error::Error;
use core::ffi::c_int;

#[test]
fn parts_that_contradict_each_other_are_no_layout() {
    let good = Layout::LINUX_64.parts();
    let wrong = [
        LayoutParts { header_align: 0, ..good },
        LayoutParts { header_align: 3, ..good },
        LayoutParts { header_align: 128, ..good },
        LayoutParts { data_align: 0, ..good },
        LayoutParts { data_align: 12, ..good },
        LayoutParts { data_align: 128, ..good },
        LayoutParts { header_size: 15, ..good },
        LayoutParts { header_size: 65, ..good },
        LayoutParts { len_offset: 9, ..good },
        LayoutParts { len_offset: 252, ..good },
        LayoutParts { level_offset: 13, ..good },
        LayoutParts { level_offset: 253, ..good },
        LayoutParts { type_offset: 13, ..good },
        LayoutParts { type_offset: 255, ..good },
        LayoutParts { level_offset: 7, ..good },
        LayoutParts { type_offset: 4, ..good },
        LayoutParts { type_offset: 9, ..good },
        LayoutParts { level_offset: 12, ..good },
    ];
    for parts in wrong {
        assert_eq!(Layout::from_parts(parts), None, "{parts:?}");
    }
    let moved = LayoutParts { header_size: 64, header_align: 64, data_align: 64, type_offset: 60, ..good };
    assert!(Layout::from_parts(moved).is_some());
}

/// Every place of every field in a small header, in plain words: inside the header, and no two on the same byte.
#[test]
fn every_layout_of_a_small_header() {
    let good = Layout::LINUX_64.parts();
    let sizes = [0, 4, 11, 12, 13, 15, 16, 17];
    for (len_width, header_size) in
        [LengthWidth::Four, LengthWidth::Eight].into_iter().flat_map(|width| sizes.map(|size| (width, size)))
    {
        for places in 0..18 * 18 * 18_u16 {
            let [len_offset, level_offset, type_offset] =
                [places / 324, places / 18 % 18, places % 18].map(|at| at as u8);
            let parts = LayoutParts { header_size, len_offset, len_width, level_offset, type_offset, ..good };
            let field = |at: u8, width: usize| usize::from(at)..usize::from(at) + width;
            let fields = [field(len_offset, len_width.bytes()), field(level_offset, 4), field(type_offset, 4)];
            let mut taken = [0; 32];
            fields.into_iter().flatten().for_each(|byte| taken[byte] += 1);
            let outside = taken[usize::from(header_size)..].iter().any(|count| *count > 0);
            let possible = !outside && taken.iter().all(|count| *count < 2);
            assert_eq!(Layout::from_parts(parts).is_some(), possible, "{parts:?}");
        }
    }
}

#[test]
fn a_length_that_the_field_cannot_say_is_refused() {
    let layout = Layout::LINUX_32;
    let most = u32::MAX as usize - layout.data_offset();
    assert_eq!(layout.len(most), Some(u32::MAX as usize));
    #[cfg(target_pointer_width = "64")]
    assert_eq!(layout.len(most + 1), None);
    // Its padding is over the edge.
    assert_eq!(layout.space(most), None);
    assert_eq!(layout.space(most - 3), Some(u32::MAX as usize - 3));
    let mut bytes = [0xff; 16];
    let header = ControlHeader { cmsg_len: u64::from(u32::MAX) + 1, level: 1, message_type: 1 };
    assert!(!layout.write_header(header, &mut bytes));
    assert!(!layout.write_header(ControlHeader { cmsg_len: 16, ..header }, &mut bytes[..11]));
    assert_eq!(bytes, [0xff; 16]);
    let header = ControlHeader { cmsg_len: u32::MAX.into(), ..header };
    assert!(layout.write_header(header, &mut bytes));
    assert_eq!(layout.read_header(&bytes), Some(header));
}

#[test]
fn sums_that_wrap_around_are_refused() {
    let layout = Layout::NATIVE;
    let large = isize::MAX as usize;
    assert_eq!(layout.space_of_all(&[large / 2, large / 2, large / 2, large / 2, large / 2]), None);
    assert_eq!(layout.len_of_all(&[large, large, 4]), None);
    assert_eq!(layout.len_of_all(&[4, usize::MAX]), None);
    assert_eq!(layout.space_of_all(&[]), Some(0));

    struct List;
    impl ControlKind for List {
        const LEVEL: c_int = 0;
        const TYPE: c_int = 0;
    }
    impl ListPayload for List {
        const PREFIX_SIZE: usize = 4;
        const ELEMENT_SIZE: usize = 8;
    }
    assert_eq!(ancillary::control::payload_size_of_list::<List>(2), 20);
    assert_eq!(ancillary::control::payload_size_of_list::<List>(usize::MAX / 8), usize::MAX - 3);
    assert_eq!(ancillary::control::payload_size_of_list::<List>(usize::MAX / 4), usize::MAX);
}

#[test]
fn the_next_header_is_inside_the_buffer() {
    let layout = Layout::BSD_ALIGN_8;
    assert_eq!(layout.next_header(0, 16, 32), Some(16));
    // 12 bytes are a header, but with the padding inside it no message.
    assert_eq!(layout.next_header(0, 16, 28), None);
    assert_eq!(layout.next_header(0, 12, 64), None);
    assert_eq!(layout.next_header(64, 16, 32), None);
    assert_eq!(
        [layout.next_header(0, 32, 32), layout.next_header(0, 33, 32), layout.next_header(0, 17, 32)],
        [None; 3]
    );
    assert_eq!(layout.next_header(usize::MAX, 16, 32), None);
    // Case U3: a length of more than 32 bits is not cut to a `usize` of 32.
    let claimed = (1 << 32) + 24;
    let mut bytes = [0; 64];
    assert!(
        Layout::LINUX_64.write_header(
            ancillary::layout::ControlHeader { cmsg_len: claimed, level: 1, message_type: 2 },
            &mut bytes
        )
    );
    let error = ancillary::ControlMessages::with_layout(Layout::LINUX_64, &bytes).next().unwrap().unwrap_err();
    assert_eq!((error.claimed(), error.remaining()), (claimed, 64));
    assert_eq!(Layout::LINUX_64.next_header(0, claimed, 64), None);
    assert_eq!(Layout::LINUX_64.next_header(0, 24, 64), Some(24));
    assert_eq!((layout.first_header(16), layout.first_header(15)), (Some(0), None));
}

#[test]
fn any_number_of_bytes_can_be_stored() {
    let mut space = ControlBuffer::<21>::new();
    assert_eq!((space.len(), space.writer().available()), (21, 21));
    assert!(ControlBuffer::<0>::default().is_empty() && !space.is_empty());
    for len in [0, 1, 21] {
        let mut bytes = [0; 21];
        let memory = ControlSliceMut::from(&mut bytes[..len]);
        assert_eq!((memory.len(), memory.is_empty()), (len, len == 0));
    }
    let mut writer = ControlWriter::with_layout(Layout::AIX, &mut space);
    assert!(writer.is_empty());
    writer.push_raw(280, 7, b"").unwrap();
    assert!(!writer.is_empty());
}

#[test]
fn a_walk_has_not_ended_before_its_end() {
    for len in 16..=18 {
        let mut bytes = [0; 18];
        let mut writer = ControlWriter::with_layout(Layout::LINUX_64, &mut bytes);
        writer.push_raw(280, 7, b"").unwrap();
        let mut messages = ControlMessages::with_layout(Layout::LINUX_64, &bytes[..len]);
        assert_eq!(messages.stop_reason(), None);
        assert!(messages.next().unwrap().is_ok());
        let left = len - 16;
        let expected =
            if left == 0 { StopReason::EndOfBuffer } else { StopReason::TrailingBytes { offset: 16, len: left } };
        // What follows the last message belongs to it as far as it is padding.
        assert!(messages.next().is_none());
        assert_eq!((messages.stop_reason(), messages.offset()), (Some(expected), 16));
    }
}

#[test]
fn how_many_messages_there_can_be() {
    for len in [0, 1, 11, 12, 35, 36] {
        let messages = ControlMessages::with_layout(Layout::DARWIN, &[0xff; 36][..len]);
        assert_eq!(messages.size_hint(), (0, Some(len / 12 + 1)));
    }
}

#[test]
fn what_is_shown_of_memory() {
    let mut space = ControlBuffer::<64>::new();
    assert_eq!(format!("{space:?}"), "ControlBuffer { len: 64 }");
    assert_eq!(format!("{:?}", ControlSliceMut::from(&mut space)), "ControlSliceMut { len: 64 }");
    let mut writer = ControlWriter::with_layout(Layout::LINUX_64, &mut space);
    writer.push_raw(280, 7, b"").unwrap();
    assert_eq!(format!("{writer:?}"), "ControlWriter { used: 16, available: 48 }");
}

#[test]
fn a_translation_says_where_it_failed() {
    let mut bytes = [0; 64];
    let mut writer = ControlWriter::with_layout(Layout::DARWIN, &mut bytes);
    writer.push_raw(1, 2, b"").unwrap();
    writer.push_raw(1, 3, b"payload").unwrap();
    let mut other = [0; 16];
    let mut translated = ControlWriter::with_layout(Layout::DARWIN, &mut other);
    let error = translated.push_all(ControlMessages::with_layout(Layout::DARWIN, writer.as_bytes())).unwrap_err();
    let cause = PushError::BufferTooSmall { needed: 19, available: 4 };
    assert_eq!(error, TranslateError::Push { offset: 12, error: cause });
    assert_eq!(error.to_string(), "control message at byte 12: control message needs 19 bytes, but 4 are left");
    assert!(translated.is_empty());
    assert!(error.source().is_none(), "a report would print it twice");
}

#[test]
fn errors_say_what_and_where() {
    let below = ControlError::LengthBelowHeader { offset: 24, claimed: 3, remaining: 40 };
    assert_eq!(below.to_string(), "control message at byte 24 claims 3 bytes, fewer than its header");
    let beyond = ControlError::LengthBeyondBuffer { offset: 24, claimed: 76, remaining: 32 };
    assert_eq!(beyond.to_string(), "control message at byte 24 claims 76 bytes, but 32 are left");
    assert_eq!((beyond.offset(), beyond.claimed(), beyond.remaining()), (24, 76, 32));
    let long = PushError::TooLong { payload: 7 };
    assert_eq!(long.to_string(), "a payload of 7 bytes is too long for a control message");
    let many = PushError::TooManyDescriptors { count: 254, max: 253 };
    assert_eq!(many.to_string(), "254 descriptors in one call, but the system takes 253");
    let bare = PushError::UnsafePayload { level: 1, message_type: 2 };
    let words = "plain bytes are not a safe payload for level 1 and type 2: it names descriptors or memory";
    assert_eq!(bare.to_string(), words);
    let invalid = PushError::InvalidValue { level: 17, message_type: 103 };
    assert_eq!(invalid.to_string(), "the value is not valid for a control message of level 17 and type 103");
}

#[test]
fn a_drawing_shows_sixteen_bytes() {
    let draw = |len: usize| {
        let mut bytes = [0; 64];
        let mut writer = ControlWriter::with_layout(Layout::AIX, &mut bytes);
        writer.push_raw(1, 2, &vec![7; len]).unwrap();
        ControlMessages::with_layout(Layout::AIX, writer.as_bytes()).to_string()
    };
    assert!(draw(16).contains(&format!("16 bytes:{}\n", " 07".repeat(16))));
    assert!(draw(17).contains(&format!("17 bytes:{} …\n", " 07".repeat(16))));
    let malformed = ControlMessages::with_layout(Layout::AIX, &[0; 12]).to_string();
    assert_eq!(malformed, "     0: control message at byte 0 claims 0 bytes, fewer than its header");
}

#[cfg(sockets)]
mod messages {
    use ancillary::message::{DecodeMessage, DescriptorError, ScmRights, ScmRightsNumbers};
    use ancillary::{ControlWriter, PushError};

    #[test]
    fn what_is_an_error_in_a_slot() {
        for (raw, errno) in [(-1, Some(1)), (-4095, Some(4095)), (-4096, None), (i32::MIN, None)] {
            let none = DescriptorError { raw };
            assert_eq!(none.errno().map(|errno| errno.raw_os_error()), errno);
        }
        assert!(DescriptorError { raw: -13 }.to_string().contains("an error"));
        assert!(DescriptorError { raw: -4096 }.to_string().ends_with("-4096"));
    }

    #[test]
    fn numbers_are_counted_in_whole_slots() {
        let numbers = ScmRightsNumbers::decode(&[0; 11]).unwrap();
        assert_eq!(numbers.len(), 2);
        assert_eq!(numbers.collect::<Vec<_>>(), [Ok(0), Ok(0)]);
    }

    #[test]
    fn a_cleared_writer_takes_as_many_descriptors_again() {
        use rustix::fd::AsFd;
        let mut bytes = [0; 2048];
        let mut writer = ControlWriter::new(&mut bytes);
        let input = std::io::stdin();
        let max = ancillary::message::SCM_MAX_FD.min(300);
        let many = vec![input.as_fd(); max];
        for _ in 0..2 {
            writer.push(ScmRights(&many)).unwrap();
            writer.clear();
        }
        writer.push(ScmRights(&many)).unwrap();
        if max == ancillary::message::SCM_MAX_FD {
            let error = PushError::TooManyDescriptors { count: max + 1, max };
            assert_eq!(writer.push(ScmRights(&many[..1])), Err(error));
        }
    }

    #[test]
    fn a_kind_is_level_and_type_and_a_length() {
        use ancillary::ControlMessage;
        use ancillary::message::{ControlKind, payload_array};
        let (level, kind) = (<ScmRights>::LEVEL, <ScmRights>::TYPE);
        for (level, kind, is) in [(level, kind, true), (level + 1, kind, false), (level, kind + 1, false)] {
            let message = ControlMessage::new(level, kind, &[0; 4]);
            assert_eq!(message.is::<ScmRights>(), is);
            assert_eq!(message.decode::<ScmRightsNumbers>().is_some(), is);
        }
        let error = payload_array::<12>(&[0; 4]).unwrap_err();
        assert_eq!(error.to_string(), "the payload has 4 bytes where its type has 12");
    }

    /// A negative number is not the same as another one beside it: level and type are compared as one number.
    #[test]
    fn a_kind_is_both_numbers_whatever_their_sign() {
        use ancillary::ControlMessage;
        use ancillary::message::ControlKind;
        struct Kind<const LEVEL: i32, const TYPE: i32>;
        impl<const LEVEL: i32, const TYPE: i32> ControlKind for Kind<LEVEL, TYPE> {
            const LEVEL: i32 = LEVEL;
            const TYPE: i32 = TYPE;
        }
        fn is_equal<const LEVEL: i32, const TYPE: i32>() {
            let numbers = [i32::MIN, -2, -1, 0, 1, i32::MAX];
            for (level, kind) in numbers.into_iter().flat_map(|level| numbers.map(|kind| (level, kind))) {
                let message = ControlMessage::new(level, kind, &[]);
                assert_eq!(message.is::<Kind<LEVEL, TYPE>>(), level == LEVEL && kind == TYPE, "{level} {kind}");
            }
        }
        is_equal::<-1, 0>();
        is_equal::<-1, -1>();
        is_equal::<0, -1>();
        is_equal::<1, -2>();
        is_equal::<{ i32::MIN }, { i32::MAX }>();
    }

    #[test]
    fn a_slot_is_a_descriptor_or_an_error() {
        let slots = [7, 0, -1, -13, i32::MAX].map(i32::to_ne_bytes).concat();
        let numbers: Vec<_> = ScmRightsNumbers::decode(&slots).unwrap().collect();
        let none = |raw| Err(DescriptorError { raw });
        assert_eq!(numbers, [Ok(7), Ok(0), none(-1), none(-13), Ok(i32::MAX)]);
    }
}

/// As `struct ucred` has them.
#[cfg(target_os = "linux")]
#[test]
fn credentials_are_process_user_group() {
    use ancillary::message::{DecodeMessage, ScmCredentials};
    let who = ScmCredentials { pid: 1, uid: 2, gid: 3 };
    let payload = [1, 2, 3].map(i32::to_ne_bytes).concat();
    assert_eq!(ScmCredentials::decode(&payload), Ok(who));
    let mut bytes = [0; 64];
    let mut writer = ControlWriter::new(&mut bytes);
    writer.push(who).unwrap();
    assert_eq!(ControlMessages::new(writer.as_bytes()).next().unwrap().unwrap().payload(), payload);
}

/// The bytes of what is sent, and what an `int` means that says no more than a byte.
#[cfg(target_os = "linux")]
#[test]
fn internet_messages_to_the_byte() {
    use ancillary::message::{DecodeMessage, IpPktinfo, IpTos, Ipv6Pktinfo, Ipv6Tclass, UdpGro, UdpSegment};
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn payload<M: for<'fd> ancillary::message::EncodeMessage<'fd>>(message: M) -> Vec<u8> {
        let mut space = ancillary::ControlBuffer::<64>::new();
        let mut control = space.writer();
        control.push(message).unwrap();
        ancillary::ControlMessages::new(control.as_bytes()).next().unwrap().unwrap().payload().to_vec()
    }

    assert_eq!(payload(IpTos(0xb9)), 0xb9_i32.to_ne_bytes());
    assert_eq!(payload(Ipv6Tclass(-1)), [0xff; 4]);
    assert_eq!(payload(UdpSegment(0x0102)), 0x0102_u16.to_ne_bytes());
    let info = IpPktinfo { ifindex: 1, spec_dst: Ipv4Addr::new(2, 3, 4, 5), addr: Ipv4Addr::new(6, 7, 8, 9) };
    assert_eq!(payload(info), [&1_u32.to_ne_bytes()[..], &[2, 3, 4, 5, 6, 7, 8, 9]].concat());
    let info = Ipv6Pktinfo { addr: Ipv6Addr::LOCALHOST, ifindex: 7 };
    assert_eq!(payload(info), [&Ipv6Addr::LOCALHOST.octets()[..], &7_u32.to_ne_bytes()].concat());

    assert_eq!(IpTos::decode(&0xb9_i32.to_ne_bytes()), Ok(IpTos(0xb9)));
    // Case W3: Apple's kernel delivers one byte.
    assert_eq!(Ipv6Tclass::decode(&[2]), Ok(Ipv6Tclass(2)));
    assert_eq!(Ipv6Tclass::decode(&[0xff]), Ok(Ipv6Tclass(255)));
    // Case W4: the kernel would send one datagram.
    let refused = PushError::InvalidValue { level: UdpSegment::LEVEL, message_type: UdpSegment::TYPE };
    assert_eq!(ancillary::ControlWriter::new(&mut [0; 64]).push(UdpSegment(0)), Err(refused));
    for ecn in 0..4 {
        assert_eq!((IpTos(0xb8 + ecn).ecn(), Ipv6Tclass(0xb8 + i32::from(ecn)).ecn()), (ecn, ecn));
    }
    let count = |size, data: &[u8]| UdpGro(size).segments(data, false).len();
    assert_eq!(
        [count(1, b"abc"), count(0, b"abc"), count(-1, b"abc"), count(3, b"abc"), count(1, b"")],
        [3, 1, 1, 1, 0]
    );
}
