//! What safe code cannot do: have the kernel keep, read or write memory, or take a descriptor's number, beyond the call.
//!
//! That no safe trait names a socket option is a case of `tests/lifetimes.md`.

use crate::support::*;
use crate::tests;
use ancillary::control::TranslateError;
use ancillary::message::{ControlKind, EncodeMessage, ScmCredentials};
use ancillary::socket::{SendMsgHdr, SendSlot, sendmsg_raw};
use ancillary::socket::{sendmmsg, sendmsg, sendmsg_addr};
use ancillary::{ControlMessages, ControlWriter, PushError};
use rustix::io::{Errno, IoSlice};
use rustix::net::SendFlags;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};

tests![plain_bytes_are_not_rights, plain_bytes_do_not_name_memory, the_safe_calls_refuse_to_send_without_a_copy,];

/// `MSG_ZEROCOPY`: the kernel reads the data when it sends it, perhaps long after the call.
const ZEROCOPY: SendFlags = SendFlags::from_bits_retain(libc::MSG_ZEROCOPY as u32);

fn plain_bytes_are_not_rights() {
    let mut bytes = [0xff; 64];
    let mut control = ControlWriter::new(&mut bytes);
    let error = PushError::UnsafePayload { level: RIGHTS.0, message_type: RIGHTS.1 };
    assert_eq!(control.push_raw(RIGHTS.0, RIGHTS.1, &0i32.to_ne_bytes()), Err(error));
    assert_eq!(control.reserve(RIGHTS.0, RIGHTS.1, 4).err(), Some(error));
    assert!(control.is_empty());
    control.push(ScmCredentials::of_this_process()).unwrap();
}

/// Case U2: of RDS, what names memory. The numbers are those of `include/uapi/linux/rds.h`.
fn plain_bytes_do_not_name_memory() {
    const SOL_RDS: i32 = 276;
    let mut bytes = [0xff; 256];
    for message_type in 0..=16 {
        let mut control = ControlWriter::new(&mut bytes);
        let refused = PushError::UnsafePayload { level: SOL_RDS, message_type };
        let expected = if [1, 3, 6, 7, 8, 9].contains(&message_type) { Err(refused) } else { Ok(()) };
        assert_eq!(control.push_raw(SOL_RDS, message_type, &[0; 56]), expected, "type {message_type}");
        assert_eq!(control.reserve(SOL_RDS, message_type, 56).map(|_| ()), expected, "type {message_type}");
        assert_eq!(control.push_raw(SOL_RDS + 1, message_type, &[0; 56]), Ok(()));
    }
    // Nor through a type of the caller's, nor from a buffer of another layout.
    struct RdmaArgs;
    impl ControlKind for RdmaArgs {
        const LEVEL: i32 = SOL_RDS;
        const TYPE: i32 = 1;
    }
    impl EncodeMessage<'_> for RdmaArgs {
        fn push_to(self, control: &mut ControlWriter<'_>) -> Result<(), PushError> {
            control.push_raw(Self::LEVEL, Self::TYPE, &[0; 56])
        }
    }
    let error = PushError::UnsafePayload { level: SOL_RDS, message_type: 1 };
    let mut control = ControlWriter::new(&mut bytes);
    assert_eq!(control.push(RdmaArgs), Err(error));
    let mut other = [0; 128];
    let mut data = ControlWriter::with_layout(NATIVE, &mut other);
    data.push_raw(SOL_RDS, 1, &[0; 56]).unwrap();
    let translated = control.push_all(ControlMessages::with_layout(NATIVE, data.as_bytes()));
    assert_eq!(translated, Err(TranslateError::Push { offset: 0, error }));
    assert!(control.is_empty());
}

/// Case U1: with `SO_ZEROCOPY` on, which any code of the process may have turned on.
fn the_safe_calls_refuse_to_send_without_a_copy() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut there, _) = listener.accept().unwrap();
    // Older kernels refuse the option on UDP: the flag is refused whether it is on or not.
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let SocketAddr::V4(address) = udp.local_addr().unwrap() else { unreachable!() };
    let _ = set_option(&udp, libc::SO_ZEROCOPY, 1);
    let is_there = set_option(&here, libc::SO_ZEROCOPY, 1).is_ok();

    let (data, control) = ([IoSlice::new(b"data")], ControlWriter::empty());
    for flags in [ZEROCOPY, ZEROCOPY | SendFlags::NOSIGNAL, SendFlags::all() | ZEROCOPY] {
        assert_eq!(sendmsg(&here, &data, &control, flags), Err(Errno::INVAL));
        assert_eq!(sendmsg_addr(&udp, &address, &data, &control, flags), Err(Errno::INVAL));
        let mut messages = [SendSlot::new(&data, &control), SendSlot::new(&data, &control)];
        assert_eq!(sendmmsg(&here, &mut messages, flags), Err(Errno::INVAL));
    }
    udp.set_nonblocking(true).unwrap();
    assert_eq!(udp.recv(&mut [0; 16]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);

    // The raw call takes it.
    if is_there {
        let header = SendMsgHdr::new(&data, &control);
        // SAFETY: the header is prepared and lives until after the call, and the data is a constant.
        assert_eq!(unsafe { sendmsg_raw(&here, header.as_ptr(), ZEROCOPY) }, Ok(4));
    }
    // Nothing else has arrived.
    drop(here);
    let mut arrived = Vec::new();
    std::io::Read::read_to_end(&mut there, &mut arrived).unwrap();
    assert_eq!(arrived, if is_there { &b"data"[..] } else { b"" });
}
