//! Which kernel this is, where a test has to know it: what it lacks is asked of it wherever it can be asked.

use crate::harness::{emulator, the_kernel_itself};
use crate::support::{LIMIT, happens_in, is_compat, pair};
use ancillary::ControlWriter;
use ancillary::socket::sendmsg;
use rustix::io::IoSlice;
use rustix::net::{SendFlags, SocketType};
use std::io::Error;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

/// The release that the kernel names itself: major and minor.
pub fn release() -> (u32, u32) {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = text.split(|letter: char| !letter.is_ascii_digit()).map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

pub fn kernel_at_least(major: u32, minor: u32) -> bool {
    release() >= (major, minor)
}

/// An error with the release of this kernel, unless it is new enough for `what`.
pub fn needs_kernel(major: u32, minor: u32, what: &str) -> Result<(), String> {
    if kernel_at_least(major, minor) {
        return Ok(());
    }
    let (this_major, this_minor) = release();
    Err(format!("{what} needs Linux {major}.{minor}, this is {this_major}.{this_minor}"))
}

/// Finding A: Linux 6.17 writes an `SCM_INQ` that was not asked for beside what a ring receives from a UNIX-domain
/// stream. A one-shot request that had to wait has it before the descriptors, and reports a length that ends before
/// them: they leak. Of a multishot request it takes the room of others. 6.16 and 6.18 do neither.
pub fn no_unasked_messages_of_a_ring() -> Result<(), String> {
    if release() == (6, 17) {
        return Err("in Linux 6.17, a ring writes an SCM_INQ beside what comes from a UNIX-domain stream, and \
                    descriptors leak"
            .into());
    }
    Ok(())
}

/// Finding G: registering a ring of buffers oopses a 32-bit Linux 6.1 with high memory. (The limit here is below what was
/// seen to work, 640 MB, and what was seen to fail, 900 MB.)
pub fn a_kernel_that_survives_rings_of_buffers() -> Result<(), String> {
    const MOST_KIB: u64 = 768 << 10;
    if cfg!(target_pointer_width = "64") || is_compat() || release() != (6, 1) {
        return Ok(());
    }
    let facts = std::fs::read_to_string("/proc/meminfo").map_err(|error| error.to_string())?;
    let total = facts
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok());
    match total {
        Some(total) if total < MOST_KIB => Ok(()),
        _ => Err(format!("a 32-bit Linux 6.1 with more than {MOST_KIB} KiB oopses at rings of buffers ({total:?})")),
    }
}

/// Finding E: to a kernel without `CONFIG_COMPAT`, as Debian's for riscv64, `MSG_CMSG_COMPAT` is 0 and the bit means nothing;
/// in a call of a 32-bit process it is set already. With `socketcall`, this crate refuses it itself.
pub fn a_kernel_that_knows_another_width() -> Result<(), String> {
    let by_socketcall = cfg!(any(target_arch = "x86", target_arch = "s390x"));
    let has_compat = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
    if by_socketcall || has_compat || emulator().is_some() {
        return Ok(());
    }
    Err("on this processor the bit has no meaning to most kernels".into())
}

/// Finding F: since Linux 5.15, if it was built with `CONFIG_AF_UNIX_OOB`.
pub fn urgent_data_on_unix_sockets() -> Result<(), String> {
    let (here, _there) = pair(SocketType::STREAM);
    let sent = sendmsg(&here, &[IoSlice::new(b"x")], &ControlWriter::empty(), SendFlags::OOB);
    sent.map(drop).map_err(|error| format!("UNIX-domain sockets have no urgent data here ({error})"))
}

/// An emulator translates what it knows of error queues, and leaves the rest as it is.
pub fn the_kernels_error_queue() -> Result<(), String> {
    the_kernel_itself("what an error queue holds is translated in part")
}

/// An address that had a socket a moment ago. Other programs seldom take a port of this one.
pub fn closed_port() -> SocketAddr {
    UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 66), 0)).unwrap().local_addr().unwrap()
}

/// Finding D: a firewall can keep them back, and in an emulated machine their checksum was wrong.
pub fn errors_of_closed_ports() -> Result<(), String> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect(closed_port()).unwrap();
    socket.send(b"x").unwrap();
    if happens_in(LIMIT, &socket, libc::POLLERR) {
        return Ok(());
    }
    Err(format!("no error has come in {LIMIT:?} for a port that is closed"))
}

/// Runs on a thread that has a network of its own: the loopback interface alone, with this MTU, and no other program.
pub fn in_a_network_of_its_own<T: Send>(mtu: u32, run: impl FnOnce() -> T + Send) -> Result<T, Error> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: this changes the network of this thread alone, and it ends.
            if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
                return Err(Error::last_os_error());
            }
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
            // SAFETY: every field is an integer, a pointer or an array of these, for which zero is a value.
            let mut loopback: libc::ifreq = unsafe { std::mem::zeroed() };
            loopback.ifr_name[..2].copy_from_slice(&[b'l' as _, b'o' as _]);
            for number in [libc::SIOCSIFMTU, libc::SIOCSIFFLAGS] {
                if number == libc::SIOCSIFMTU {
                    loopback.ifr_ifru.ifru_mtu = mtu as i32;
                } else {
                    loopback.ifr_ifru.ifru_flags = libc::IFF_UP as i16;
                }
                // SAFETY: the pointer is to what these requests read.
                if unsafe { libc::ioctl(socket.as_raw_fd(), number as _, &raw const loopback) } != 0 {
                    return Err(Error::last_os_error());
                }
            }
            drop(socket);
            Ok(run())
        });
        thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    })
}

pub fn networks_of_ones_own() -> Result<(), String> {
    let made = in_a_network_of_its_own(1500, || ());
    made.map_err(|error| format!("this process may not have a network of its own ({error})"))
}
