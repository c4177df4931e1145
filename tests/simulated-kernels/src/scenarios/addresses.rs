//! What else a call says: the sender's address, and flags.

use super::{message_with, scenarios};
use crate::kernel::message::Message;
use crate::kernel::{Connected, Kind, kernel};
use crate::receive::{Ask, EVERY_WAY, How, receive};
use crate::rules::CHOSEN;
use ancillary::ControlWriter;
use ancillary::socket::sendmsg_addr;
use rustix::io::IoSlice;
use rustix::net::addr::SocketAddrArg;
use rustix::net::{RecvFlags, ReturnFlags, SendFlags, SocketAddrUnix};

scenarios![a_sender_without_a_name, a_sender_with_a_name, flags_are_no_echo, the_true_length];

fn a_sender_without_a_name() {
    for how in EVERY_WAY {
        let (_here, there) = Connected::pair(Kind::Datagram);
        // A name of no family, and one that is too short for a family, are none either.
        for name in [vec![], vec![0, 0], vec![1]] {
            there.deliver(Message { name, ..Message::new(b"data", Vec::new()) });
            receive(&there, Ask { how, ..Ask::default() }, |received| {
                assert!(received.unwrap().address().is_none());
            });
        }
    }
}

fn bytes_of(address: &SocketAddrUnix) -> Vec<u8> {
    // SAFETY: there are so many bytes at the address.
    unsafe { address.with_sockaddr(|at, len| std::slice::from_raw_parts(at.cast::<u8>(), len as usize).to_vec()) }
}

fn a_sender_with_a_name() {
    let address = SocketAddrUnix::new("/run/a-name").unwrap();
    let (here, there) = Connected::pair(Kind::Datagram);
    for how in EVERY_WAY {
        there.deliver(Message { name: bytes_of(&address), ..Message::new(b"data", Vec::new()) });
        receive(&there, Ask { how, ..Ask::default() }, |received| {
            let received = received.unwrap();
            let arrived = SocketAddrUnix::try_from(received.address().unwrap().clone()).unwrap();
            assert_eq!(arrived.path_bytes(), Some(&b"/run/a-name"[..]));
        });
    }
    let data = [IoSlice::new(b"data")];
    assert_eq!(sendmsg_addr(&here, &address, &data, &ControlWriter::empty(), SendFlags::empty()), Ok(4));
    assert_eq!(here.sent_to(), bytes_of(&address));
}

/// What comes back is what the system says of the message, whatever it was given.
fn flags_are_no_echo() {
    for how in EVERY_WAY {
        for flags in [RecvFlags::empty(), RecvFlags::DONTWAIT, RecvFlags::DONTWAIT | RecvFlags::WAITALL] {
            let (_here, there) = Connected::pair(Kind::Datagram);
            let (_, message) = message_with(1);
            there.deliver(message);
            receive(&there, Ask { how, flags, ..Ask::default() }, |received| {
                let received = received.unwrap();
                assert_eq!(received.flags(), ReturnFlags::empty());
                assert!(received.complete().is_ok());
            });
        }
    }
}

fn the_true_length() {
    for how in [How::Call, How::Inheritable, How::Batch] {
        for (data, is_cut) in [(4, false), (3, true), (0, true)] {
            let (_here, there) = Connected::pair(Kind::Datagram);
            there.deliver(Message::new(b"data", Vec::new()));
            let ask = Ask { how, data, flags: RecvFlags::from_bits_retain(libc::MSG_TRUNC as u32), ..Ask::default() };
            receive(&there, ask, |received| {
                let received = received.unwrap();
                // On NetBSD too, which would return the flag as it was given: the crate does not give it.
                assert_eq!(received.data_truncated(), is_cut);
                assert_eq!(received.bytes(), if CHOSEN.returns_true_length { 4 } else { data });
            });
            let asked = kernel().last().asked & libc::MSG_TRUNC != 0;
            assert_eq!(asked, CHOSEN.name != "netbsd");
        }
    }
}
