//! An error of netlink that is not the end.

use crate::harness::the_kernel_itself;
use crate::kernel::in_a_network_of_its_own;
use crate::support::*;
use crate::tests;
use ancillary::control::ControlSliceMut;
use ancillary::received::recvmsg;
use rustix::fd::{AsRawFd, FromRawFd, OwnedFd};
use rustix::io::{Errno, IoSliceMut};
use rustix::net::{AddressFamily, RecvFlags};
use std::io::Error;
use std::time::Duration;

tests![an_overrun_is_an_error_and_not_the_end if groups_of_netlink];

/// `struct sockaddr_nl` (`include/uapi/linux/netlink.h`).
#[repr(C)]
struct Address {
    family: u16,
    pad: u16,
    pid: u32,
    groups: u32,
}

/// For messages of any program's own.
const NETLINK_USERSOCK: i32 = 2;
const GROUP: u32 = 1 << 30;
/// Any.
const MTU: u32 = 1500;

fn socket_in(groups: u32) -> Result<OwnedFd, Error> {
    // SAFETY: plain numbers.
    let socket = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, NETLINK_USERSOCK) };
    if socket < 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: the number is that of a new descriptor.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let address = Address { family: libc::AF_NETLINK as u16, pad: 0, pid: 0, groups };
    let len = size_of::<Address>() as u32;
    // SAFETY: pointer and length are those of `address`.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) };
    if bound == 0 { Ok(socket) } else { Err(Error::last_os_error()) }
}

/// Sends to the group.
fn send_to_group(socket: &OwnedFd, data: &[u8]) -> Result<(), Errno> {
    let address = Address { family: libc::AF_NETLINK as u16, pad: 0, pid: 0, groups: GROUP };
    // SAFETY: the pointers and the lengths are those of `data` and of `address`.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            data.as_ptr().cast(),
            data.len(),
            libc::MSG_DONTWAIT,
            (&raw const address).cast(),
            size_of::<Address>() as u32,
        )
    };
    // It was also sent to the kernel, number 0, which does not listen: that error is returned, and none about the group.
    match Error::last_os_error().raw_os_error() {
        Some(error) if sent < 0 && error != libc::ECONNREFUSED => Err(Errno::from_raw_os_error(error)),
        _ => Ok(()),
    }
}

fn groups_of_netlink() -> Result<(), String> {
    the_kernel_itself("a socket of netlink is of another kind")?;
    let can_join = || socket_in(GROUP).map(drop);
    let joined = in_a_network_of_its_own(MTU, can_join).and_then(|joined| joined);
    joined.map_err(|error| format!("this process may not have a network of its own and join a group there ({error})"))
}

/// To be said: `ENOBUFS` means that messages were lost, and is returned once. What was there before stays.
fn an_overrun_is_an_error_and_not_the_end() {
    in_a_network_of_its_own(MTU, overrun).unwrap();
}

fn overrun() {
    let (here, there) = (socket_in(0).unwrap(), socket_in(GROUP).unwrap());
    set_option(&there, libc::SO_RCVBUF, 4096).unwrap();
    let mut data = [0; 1024];
    let overrun = (1..=1000_u16).find(|number| {
        data[..2].copy_from_slice(&number.to_ne_bytes());
        send_to_group(&here, &data).unwrap();
        happens_in(Duration::ZERO, &there, libc::POLLERR)
    });
    let lost = overrun.expect("a queue is full at last");
    assert!(lost > 1);
    let mut receive = || {
        let mut slices = [IoSliceMut::new(&mut data)];
        let received = recvmsg(&there, &mut slices, ControlSliceMut::none(), RecvFlags::DONTWAIT)?;
        assert_eq!(received.address().unwrap().address_family(), AddressFamily::NETLINK);
        drop(received);
        Ok(u16::from_ne_bytes([data[0], data[1]]))
    };
    assert_eq!(receive(), Err(Errno::NOBUFS));
    for number in 1..lost {
        assert_eq!(receive(), Ok(number));
    }
    assert_eq!(receive(), Err(Errno::AGAIN));
    send_to_group(&here, &[7; 1024]).unwrap();
    assert_eq!(receive(), Ok(0x0707));
}
