//! Typed messages: any level, type and payload, at any address, as each of the types.
//!
//! Held are
//!
//! - that a message decodes as a type exactly if it has the type's level and type;
//! - the lengths: 12 bytes of credentials, 4 of a process descriptor, any of a label, whole slots of descriptors and
//!   what is left of one;
//! - the values, from the bytes; that a negative slot is never a descriptor, and when it is an error;
//! - for the messages of IPv4, IPv6 and UDP: 12 bytes and 20 where addresses are, 4 or 2 where there is a number, 1 or 4
//!   of a type of service and a traffic class;
//! - that what can be sent is written as it was read.
#![no_main]

use ancillary::message::{
    ControlKind, DecodeError, DescriptorError, EncodeMessage, IpPktinfo, IpTos, Ipv6Pktinfo, Ipv6Tclass,
    ScmCredentials, ScmPidfd, ScmRightsNumbers, ScmSecurity, UdpGro, UdpSegment,
};
use ancillary::{ControlBuffer, ControlMessage, ControlMessages};
use ancillary_fuzz::{Memory, lines};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

/// Linux `include/linux/socket.h`; the other numbers are in `libc`.
const SCM_SECURITY: i32 = 3;
const SCM_PIDFD: i32 = 4;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    kind: Kind,
    misalignment: u8,
    payload: &'a [u8],
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Kind {
    Rights,
    Credentials,
    Security,
    Pidfd,
    IpPktinfo,
    IpTos,
    Ipv6Pktinfo,
    Ipv6Tclass,
    UdpSegment,
    UdpGro,
    OfSocketLevel(i32),
    Any(i32, i32),
}

impl Kind {
    fn level_and_type(self) -> (i32, i32) {
        match self {
            Kind::Rights => (libc::SOL_SOCKET, libc::SCM_RIGHTS),
            Kind::Credentials => (libc::SOL_SOCKET, libc::SCM_CREDENTIALS),
            Kind::Security => (libc::SOL_SOCKET, SCM_SECURITY),
            Kind::Pidfd => (libc::SOL_SOCKET, SCM_PIDFD),
            Kind::IpPktinfo => (libc::IPPROTO_IP, libc::IP_PKTINFO),
            Kind::IpTos => (libc::IPPROTO_IP, libc::IP_TOS),
            Kind::Ipv6Pktinfo => (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO),
            Kind::Ipv6Tclass => (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
            Kind::UdpSegment => (libc::IPPROTO_UDP, libc::UDP_SEGMENT),
            Kind::UdpGro => (libc::IPPROTO_UDP, libc::UDP_GRO),
            Kind::OfSocketLevel(message_type) => (libc::SOL_SOCKET, message_type),
            Kind::Any(level, message_type) => (level, message_type),
        }
    }
}

fn number(bytes: &[u8]) -> i32 {
    i32::from_ne_bytes(bytes.try_into().expect("four bytes"))
}

fn slot(bytes: &[u8]) -> Result<i32, DescriptorError> {
    match number(bytes) {
        raw if raw < 0 => Err(DescriptorError { raw }),
        number => Ok(number),
    }
}

/// The message, which there is exactly if the payload has so many bytes.
fn of_length<M>(expected: usize, payload: &[u8], decoded: Result<M, DecodeError>) -> Option<M> {
    assert_eq!(decoded.is_ok(), payload.len() == expected);
    match decoded {
        Ok(message) => Some(message),
        Err(DecodeError::WrongLength { expected: told, actual, .. }) => {
            assert_eq!((told, actual), (expected, payload.len()));
            None
        }
        Err(other) => panic!("{other}"),
    }
}

fn rights(payload: &[u8], mut numbers: ScmRightsNumbers<'_>) {
    lines(format_args!("{numbers:?}"));
    let slots = payload.chunks_exact(4);
    let remainder = slots.remainder();
    for (index, expected) in slots.map(slot).enumerate() {
        assert_eq!(numbers.len(), payload.len() / 4 - index);
        assert!(std::ptr::eq(numbers.remainder(), &payload[4 * index..]));
        assert_eq!(numbers.next(), Some(expected));
        if let Err(none) = expected {
            let errno = none.errno().map(|errno| -errno.raw_os_error());
            assert_eq!(errno, (none.raw >= -4095).then_some(none.raw));
            lines(format_args!("{none} {none:?}"));
        }
    }
    for _ in 0..3 {
        assert_eq!((numbers.next(), numbers.len()), (None, 0));
        assert_eq!(numbers.remainder(), remainder);
    }
}

fn credentials(payload: &[u8], decoded: Result<ScmCredentials, DecodeError>) {
    let Some(credentials) = of_length(12, payload, decoded) else { return };
    assert_eq!(credentials.pid, number(&payload[..4]));
    assert_eq!(credentials.uid, number(&payload[4..8]) as u32);
    assert_eq!(credentials.gid, number(&payload[8..]) as u32);

    written_as_read(credentials, payload);
}

/// What is sent as this message has its numbers and this payload.
fn written_as_read<M: for<'fd> EncodeMessage<'fd> + ControlKind>(message: M, payload: &[u8]) {
    let mut space = ControlBuffer::<64>::new();
    let mut control = space.writer();
    control.push(message).expect("room for any of them");
    let written = ControlMessages::new(control.as_bytes()).next().expect("a message").expect("no error");
    assert_eq!(written, ControlMessage::new(M::LEVEL, M::TYPE, payload));
}

fn ip_pktinfo(payload: &[u8], decoded: Result<IpPktinfo, DecodeError>) {
    let Some(info) = of_length(12, payload, decoded) else { return };
    assert_eq!(info.ifindex, number(&payload[..4]) as u32);
    assert_eq!((&info.spec_dst.octets()[..], &info.addr.octets()[..]), (&payload[4..8], &payload[8..]));
    written_as_read(info, payload);
}

fn ip_tos(payload: &[u8], decoded: Result<IpTos, DecodeError>) {
    match payload.len() {
        1 => assert_eq!(decoded, Ok(IpTos(payload[0]))),
        4 => assert_eq!(decoded, Ok(IpTos(number(payload) as u8))),
        _ => assert!(of_length(4, payload, decoded).is_none()),
    }
    if let Ok(tos) = decoded {
        assert_eq!(tos.ecn(), tos.0 % 4);
        written_as_read(tos, &i32::from(tos.0).to_ne_bytes());
    }
}

fn ipv6_pktinfo(payload: &[u8], decoded: Result<Ipv6Pktinfo, DecodeError>) {
    let Some(info) = of_length(20, payload, decoded) else { return };
    assert_eq!((&info.addr.octets()[..], info.ifindex), (&payload[..16], number(&payload[16..]) as u32));
    written_as_read(info, payload);
}

fn ipv6_tclass(payload: &[u8], decoded: Result<Ipv6Tclass, DecodeError>) {
    if let [byte] = *payload {
        assert_eq!(decoded, Ok(Ipv6Tclass(byte.into())));
        return;
    }
    let Some(class) = of_length(4, payload, decoded) else { return };
    assert_eq!((class.0, i32::from(class.ecn())), (number(payload), number(payload).rem_euclid(4)));
    written_as_read(class, payload);
}

fn udp_segment(payload: &[u8], decoded: Result<UdpSegment, DecodeError>) {
    let Some(size) = of_length(2, payload, decoded) else { return };
    assert_eq!(size.0.to_ne_bytes(), payload);
    if size.0 != 0 {
        written_as_read(size, payload);
    }
}

fn udp_gro(payload: &[u8], decoded: Result<UdpGro, DecodeError>) {
    let Some(size) = of_length(4, payload, decoded) else { return };
    assert_eq!(size.0, number(payload));
    let data = [7; 50];
    let all = size.segments(&data, false);
    let segments: Vec<&[u8]> = all.clone().collect();
    assert_eq!((segments.concat(), all.partial()), (data.to_vec(), &[][..]));
    let each = usize::try_from(size.0).ok().filter(|each| (1..50).contains(each)).unwrap_or(50);
    assert_eq!((segments.len(), segments[0].len()), (50_usize.div_ceil(each), each));
    // Of data that was cut, only datagrams of that very size are whole.
    let cut = size.segments(&data, true);
    let partial = cut.partial();
    assert!(cut.clone().all(|segment| segment.len() as i32 == size.0));
    assert_eq!(cut.flatten().chain(partial).count(), data.len());
    assert!(size.0 <= 0 || partial.len() < size.0 as usize);
}

fn pidfd(payload: &[u8], decoded: Result<ScmPidfd, DecodeError>) {
    if let Some(pidfd) = of_length(4, payload, decoded) {
        assert_eq!(pidfd.number, slot(payload));
    }
}

fn security(payload: &[u8], security: ScmSecurity<'_>) {
    assert!(std::ptr::eq(security.payload(), payload));
    let label = security.label();
    match payload.split_last() {
        Some((0, before)) => assert!(std::ptr::eq(label, before)),
        _ => assert!(std::ptr::eq(label, payload)),
    }
}

fuzz_target!(|input: Input<'_>| {
    let memory = Memory::copy_of(input.payload, input.misalignment);
    let payload = memory.bytes();
    let (level, message_type) = input.kind.level_and_type();
    let message = ControlMessage::new(level, message_type, payload);
    lines(format_args!("{message:?}"));

    /// Decodes as a type exactly if the numbers are the type's, and then as the model says.
    macro_rules! held {
        ($type:ty, $model:expr) => {
            let decoded = message.decode::<$type>();
            assert_eq!(decoded.is_some(), (level, message_type) == (<$type>::LEVEL, <$type>::TYPE));
            if let Some(decoded) = decoded {
                $model(payload, decoded);
            }
        };
    }
    held!(ScmRightsNumbers<'_>, |payload, decoded: Result<_, DecodeError>| rights(
        payload,
        decoded.expect("any length")
    ));
    held!(ScmCredentials, credentials);
    held!(ScmPidfd, pidfd);
    held!(ScmSecurity<'_>, |payload, decoded: Result<_, DecodeError>| security(payload, decoded.expect("any length")));
    held!(IpPktinfo, ip_pktinfo);
    held!(IpTos, ip_tos);
    held!(Ipv6Pktinfo, ipv6_pktinfo);
    held!(Ipv6Tclass, ipv6_tclass);
    held!(UdpSegment, udp_segment);
    held!(UdpGro, udp_gro);
    // The numbers of a kind are those of the C library, and so one of the types is this kind's.
    let known = [
        (ScmRightsNumbers::LEVEL, ScmRightsNumbers::TYPE),
        (ScmCredentials::LEVEL, ScmCredentials::TYPE),
        (ScmPidfd::LEVEL, ScmPidfd::TYPE),
        (ScmSecurity::LEVEL, ScmSecurity::TYPE),
        (IpPktinfo::LEVEL, IpPktinfo::TYPE),
        (IpTos::LEVEL, IpTos::TYPE),
        (Ipv6Pktinfo::LEVEL, Ipv6Pktinfo::TYPE),
        (Ipv6Tclass::LEVEL, Ipv6Tclass::TYPE),
        (UdpSegment::LEVEL, UdpSegment::TYPE),
        (UdpGro::LEVEL, UdpGro::TYPE),
    ];
    if !matches!(input.kind, Kind::OfSocketLevel(_) | Kind::Any(..)) {
        assert!(known.contains(&(level, message_type)));
    }
});
