//! What `sendmsg` accepts, and that a refusal loses nothing.

use crate::support::*;
use crate::tests;
use ancillary::control::StopReason;
use ancillary::message::{SCM_MAX_FD, ScmCredentials, ScmRights};
use ancillary::received::recvmsg;
use ancillary::socket::{sendmsg, sendmsg_addr};
use ancillary::{ControlBuffer, ControlMessages, ControlWriter, Layout, PushError, control_space};
use rustix::fd::AsFd;
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType};

tests![
    a_number_without_a_descriptor_is_refused,
    a_length_below_the_header_is_refused if the_kernels_refusals,
    a_length_beyond_the_buffer_is_refused if the_kernels_refusals,
    unknown_types_are_refused_and_unknown_levels_ignored,
    receive_only_types_are_refused,
    as_many_descriptors_as_the_system_takes_arrive,
    one_descriptor_more_is_refused_before_the_call,
    descriptors_of_several_messages_count_together,
    a_payload_that_is_no_whole_number_of_descriptors,
    rights_and_credentials_over_udp_are_ignored,
    a_bad_pointer_is_refused_and_no_pointer_is_none if pointers_that_only_the_kernel_follows,
    padding_in_the_systems_header_is_zero,
    an_epoll_and_a_path_descriptor_can_be_passed,
    an_unpadded_last_message_is_accepted,
    memory_that_was_never_written_to_is_refused if the_kernels_refusals,
    a_message_is_where_the_kernel_finds_one if the_kernels_refusals,
    stray_bytes_are_told_and_a_32_bit_process_is_refused_for_them,
    more_control_bytes_than_the_system_takes if a_limit_that_is_told,
    a_peer_that_is_gone_is_an_error_and_no_descriptor_is_lost,
    no_control_messages_are_a_null_pointer,
    slices_of_any_number,
    no_slices_at_all if calls_without_data,
    more_slices_than_the_system_takes,
    to_an_address_and_from_one,
    what_is_shown_of_headers,
];

fn pointers_that_only_the_kernel_follows() -> Result<(), String> {
    if C_LIBRARY_COPIES { Err("the C library copies control messages, wherever they are".into()) } else { Ok(()) }
}

fn a_number_without_a_descriptor_is_refused() {
    for kind in TYPES {
        let (here, _there) = pair(kind);
        let control = message_bytes(RIGHTS, &(-1i32).to_ne_bytes());
        assert_eq!(send_bytes(&here, b"x", &control), Err(Errno::BADF));
    }
}

fn a_length_below_the_header_is_refused() {
    let (here, _there) = pair(SocketType::DGRAM);
    for cmsg_len in 0..NATIVE.data_offset() as u64 {
        let control = message_claiming(cmsg_len, RIGHTS, &[0; 4]);
        assert_eq!(send_bytes(&here, b"x", &control), Err(Errno::INVAL), "{cmsg_len}");
    }
}

fn a_length_beyond_the_buffer_is_refused() {
    let (here, _there) = pair(SocketType::DGRAM);
    let most = if cfg!(target_pointer_width = "64") { u64::MAX } else { u32::MAX.into() };
    for cmsg_len in [NATIVE.space(4).unwrap() as u64 + 1, most / 2, most - 7, most] {
        let control = message_claiming(cmsg_len, RIGHTS, &[0; 4]);
        assert_eq!(send_bytes(&here, b"x", &control), Err(Errno::INVAL), "{cmsg_len}");
    }
    #[cfg(target_pointer_width = "64")]
    {
        // True in its lower half alone, which is all of it that musl declares.
        let control = message_claiming((1 << 32) + NATIVE.len(4).unwrap() as u64, (999, 1), &[0; 4]);
        let expected = if C_LIBRARY_COPIES { Ok(1) } else { Err(Errno::INVAL) };
        assert_eq!(send_bytes(&here, b"x", &control), expected);
    }
}

fn unknown_types_are_refused_and_unknown_levels_ignored() {
    for kind in TYPES {
        let (here, _there) = pair(kind);
        assert_eq!(send_bytes(&here, b"x", &message_bytes((libc::SOL_SOCKET, 77), &[0; 4])), Err(Errno::INVAL));
        assert_eq!(send_bytes(&here, b"x", &message_bytes((999, 1), &[0; 4])), Ok(1));
    }
}

fn receive_only_types_are_refused() {
    let (here, _there) = pair(SocketType::STREAM);
    let pidfd_and_security = [4, 3];
    let timestamps_and_counters = [libc::SO_TIMESTAMP, libc::SO_TIMESTAMPNS, libc::SO_RXQ_OVFL, 84];
    for message_type in pidfd_and_security.into_iter().chain(timestamps_and_counters) {
        let control = message_bytes((libc::SOL_SOCKET, message_type), &[0; 4]);
        assert_eq!(send_bytes(&here, b"x", &control), Err(Errno::INVAL), "{message_type}");
    }
}

fn as_many_descriptors_as_the_system_takes_arrive() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        let file = files(1);
        let many = [file[0].as_fd(); SCM_MAX_FD];
        assert_eq!(send(&here, b"x", &many), Ok(1));
        let mut control = [0xff; 2048];
        let mut received = receive(&there, &mut [0], &mut control).complete().unwrap();
        let arrived = take_all(&mut received);
        assert_eq!(arrived.len(), SCM_MAX_FD);
        assert!(arrived.iter().all(|descriptor| same_file(descriptor, &file[0]) && is_close_on_exec(descriptor)));
    }
}

fn one_descriptor_more_is_refused_before_the_call() {
    let file = files(1);
    let many = [file[0].as_fd(); SCM_MAX_FD + 1];
    let mut bytes = [0xff; 2048];
    let mut control = ControlWriter::new(&mut bytes);
    let error = PushError::TooManyDescriptors { count: SCM_MAX_FD + 1, max: SCM_MAX_FD };
    assert_eq!(control.push(ScmRights(&many)), Err(error));
    assert!(control.is_empty());

    // The kernel agrees that the number is where it is.
    let (here, _there) = pair(SocketType::DGRAM);
    let numbers = number_bytes(&file).repeat(SCM_MAX_FD + 1);
    assert_eq!(send_bytes(&here, b"x", &message_bytes(RIGHTS, &numbers)), Err(Errno::INVAL));
}

fn descriptors_of_several_messages_count_together() {
    let file = files(1);
    let many = [file[0].as_fd(); 200];
    let mut space = ControlBuffer::<{ control_space!(ScmRights[200], ScmRights[54], ScmRights[53]) }>::new();
    let mut control = space.writer();
    control.push(ScmRights(&many)).unwrap();
    let error = PushError::TooManyDescriptors { count: 254, max: 253 };
    assert_eq!(control.push(ScmRights(&many[..54])), Err(error));
    control.push(ScmRights(&many[..53])).unwrap();

    let (here, there) = pair(SocketType::DGRAM);
    let numbers = number_bytes(&file);
    let too_many = [message_bytes(RIGHTS, &numbers.repeat(200)), message_bytes(RIGHTS, &numbers.repeat(54))].concat();
    assert_eq!(send_bytes(&here, b"x", &too_many), Err(Errno::INVAL), "the kernel counts them together as well");

    assert_eq!(sendmsg(&here, &[IoSlice::new(b"x")], &control, SendFlags::empty()), Ok(1));
    let mut room = [0; 2048];
    let mut received = receive(&there, &mut [0], &mut room);
    assert_eq!(received.messages().count(), 1, "Linux makes one message of them");
    assert_eq!(take_all(&mut received).len(), 253);
}

fn a_payload_that_is_no_whole_number_of_descriptors() {
    let (here, there) = pair(SocketType::DGRAM);
    let file = files(1);
    let mut numbers = number_bytes(&file);
    numbers.extend([0xff; 3]);
    for payload_len in 1..=7 {
        assert_eq!(send_bytes(&here, b"x", &message_bytes(RIGHTS, &numbers[..payload_len])), Ok(1));
        let mut room = [0xff; 64];
        let mut received = receive(&there, &mut [0], &mut room).complete().unwrap();
        let arrived = take_all(&mut received);
        assert_eq!(arrived.len(), payload_len / 4);
        assert!(arrived.iter().all(|descriptor| same_file(descriptor, &file[0])));
    }
}

fn rights_and_credentials_over_udp_are_ignored() {
    let socket = || std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let (here, there) = (socket(), socket());
    here.connect(there.local_addr().unwrap()).unwrap();
    let file = files(1);
    let descriptors = borrowed(&file);
    let mut space = ControlBuffer::<{ control_space!(ScmRights[1], ScmCredentials) }>::new();
    let mut control = space.writer();
    control.push(ScmRights(&descriptors)).unwrap();
    control.push(ScmCredentials { pid: 1, uid: 1, gid: 1 }).unwrap();
    assert_eq!(sendmsg(&here, &[IoSlice::new(b"x")], &control, SendFlags::empty()), Ok(1));
    let mut room = [0; 64];
    let mut data = [0; 4];
    wait_for(&there, libc::POLLIN);
    let received = receive_flags(&there, &mut data, &mut room, RecvFlags::empty()).unwrap();
    let received = received.complete().unwrap();
    assert!(received.messages().next().is_none());
}

fn a_bad_pointer_is_refused_and_no_pointer_is_none() {
    let (here, _there) = pair(SocketType::STREAM);
    let data = [IoSlice::new(b"x")];
    let control = ControlWriter::empty();
    let header = ancillary::socket::SendMsgHdr::new(&data, &control);
    // SAFETY: the pointer is to a `struct msghdr` that lives until the end of this test.
    let mut raw = unsafe { header.as_ptr().cast::<libc::msghdr>().read() };
    // By the rules for 32-bit processes there is no message in a buffer that is not there, and then something is wrong.
    let null = if is_compat() { Errno::INVAL } else { Errno::FAULT };
    for (pointer, len, expected) in [
        (std::ptr::null_mut(), 0, Ok(1)),
        (std::ptr::null_mut(), NATIVE.space(4).unwrap(), Err(null)),
        (std::ptr::without_provenance_mut(16), NATIVE.space(4).unwrap(), Err(Errno::FAULT)),
    ] {
        raw.msg_control = pointer;
        raw.msg_controllen = len as _;
        // SAFETY: the kernel checks the pointers it is given, and these are what the test is about.
        let sent = unsafe { ancillary::socket::sendmsg_raw(&here, (&raw const raw).cast(), SendFlags::empty()) };
        assert_eq!(sent, expected, "{pointer:?}");
    }
}

/// musl's `struct msghdr` has words of padding that Linux reads as the upper half of a length.
fn padding_in_the_systems_header_is_zero() {
    let data = [IoSlice::new(b"x")];
    let control = ControlWriter::empty();
    let header = ancillary::socket::SendMsgHdr::new(&data, &control);
    // SAFETY: the pointer is to a `struct msghdr`, and all of its bytes were zeroed before the fields were set.
    let bytes = unsafe { &*header.as_ptr().cast::<[u8; size_of::<libc::msghdr>()]>() };
    let mut fields = bytes.to_vec();
    let (iov, len) = (std::mem::offset_of!(libc::msghdr, msg_iov), std::mem::offset_of!(libc::msghdr, msg_iovlen));
    fields[iov..iov + size_of::<usize>()].fill(0);
    fields[len] -= u8::from(cfg!(target_endian = "little"));
    fields[len + size_of::<usize>() - 1] -= u8::from(cfg!(target_endian = "big"));
    assert!(fields.iter().all(|byte| *byte == 0), "{bytes:?}");
}

fn an_epoll_and_a_path_descriptor_can_be_passed() {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    // SAFETY: the call has no precondition, and its result is checked below.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    assert!(epoll >= 0);
    // SAFETY: it was just made and is owned by nobody else.
    let epoll = unsafe { <rustix::fd::OwnedFd as rustix::fd::FromRawFd>::from_raw_fd(epoll) };
    let path = openat(CWD, "/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let (here, there) = pair(SocketType::STREAM);
    send(&here, b"x", &[epoll.as_fd(), path.as_fd()]).unwrap();
    let mut room = [0; 64];
    let arrived = take_all(&mut receive(&there, &mut [0], &mut room));
    assert!(same_file(&arrived[0], &epoll) && same_file(&arrived[1], &path));
}

fn an_unpadded_last_message_is_accepted() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        let file = files(1);
        let mut bytes = vec![0xff; NATIVE.len(4).unwrap()];
        let mut control = ControlWriter::new(bytes.as_mut_slice());
        let descriptors = borrowed(&file);
        control.push(ScmRights(&descriptors)).unwrap();
        assert_eq!(control.used(), NATIVE.len(4).unwrap());
        assert_eq!(sendmsg(&here, &[IoSlice::new(b"x")], &control, SendFlags::empty()), Ok(1));
        let mut room = [0; 64];
        assert!(same_file(&take_all(&mut receive(&there, &mut [0], &mut room))[0], &file[0]));
    }
}

fn memory_that_was_never_written_to_is_refused() {
    let (here, _there) = pair(SocketType::STREAM);
    assert_eq!(send_bytes(&here, b"x", &[0; 64]), Err(Errno::INVAL));
}

/// Two messages and bytes after them, cut at every length: the kernel finds those that are read here, and refuses what is
/// malformed here.
fn a_message_is_where_the_kernel_finds_one() {
    let (here, _there) = pair(SocketType::DGRAM);
    // The first is ignored whatever it holds. The second is refused with an error of its own, if it is found.
    let mut bytes = [message_bytes((999, 1), &[0; 5]), message_bytes(RIGHTS, &(-1i32).to_ne_bytes())].concat();
    let stray = NATIVE.header_size() - 1;
    bytes.extend(vec![0xff; stray]);
    let mut answers = std::collections::BTreeMap::new();
    for cut in 0..=bytes.len() {
        let mut messages = ControlMessages::new(&bytes[..cut]);
        let found = messages.by_ref().filter(Result::is_ok).count();
        let expected = match messages.stop_reason().unwrap() {
            StopReason::Malformed(_) => Err(Errno::INVAL),
            StopReason::TrailingBytes { .. } if is_compat() => Err(Errno::INVAL),
            StopReason::EndOfBuffer | StopReason::TrailingBytes { .. } if found == 2 => Err(Errno::BADF),
            StopReason::EndOfBuffer | StopReason::TrailingBytes { .. } => Ok(1),
        };
        assert_eq!(send_bytes(&here, b"x", &bytes[..cut]), expected, "{cut} bytes");
        *answers.entry(expected.err().map(Errno::raw_os_error)).or_insert(0) += 1;
    }
    assert_eq!(answers.len(), 3, "{answers:?}");
}

/// What `ControlWriter::push_all` says of a buffer, whoever stands in for the kernel has to answer.
fn stray_bytes_are_told_and_a_32_bit_process_is_refused_for_them() {
    let (here, _there) = pair(SocketType::DGRAM);
    for messages in 0..=2 {
        let whole = message_bytes((999, 1), &[0; 5]).repeat(messages);
        for stray in 0..NATIVE.header_size() {
            let bytes = [&whole[..], &vec![0xff; stray]].concat();
            let mut memory = [0; 128];
            let mut translated = ControlWriter::with_layout(Layout::LINUX_64, &mut memory);
            let told = translated.push_all(ControlMessages::new(&bytes));
            let leftover = StopReason::TrailingBytes { offset: whole.len(), len: stray };
            assert_eq!(told, Ok(if stray == 0 { StopReason::EndOfBuffer } else { leftover }));
            // A native kernel ignores them.
            let expected = if stray > 0 && is_compat() { Err(Errno::INVAL) } else { Ok(1) };
            assert_eq!(send_bytes(&here, b"x", &bytes), expected, "{messages} messages, {stray} stray bytes");
        }
    }
}

/// How many bytes one socket may keep beside its data.
fn most_beside_the_data() -> Result<usize, String> {
    let told = std::fs::read_to_string("/proc/sys/net/core/optmem_max");
    told.map_err(|error| error.to_string())?.trim().parse().map_err(|_| "no number".into())
}

fn a_limit_that_is_told() -> Result<(), String> {
    most_beside_the_data().map(|_| ()).map_err(|error| format!("net.core.optmem_max cannot be read ({error})"))
}

fn more_control_bytes_than_the_system_takes() {
    let (here, _there) = pair(SocketType::DGRAM);
    let most = most_beside_the_data().unwrap();
    let send = |len: usize| send_bytes(&here, b"x", &message_bytes((999, 1), &vec![0; len - NATIVE.header_size()]));
    assert_eq!(send(1040), Ok(1));
    assert_eq!(send(2048), if C_LIBRARY_COPIES { Err(Errno::NOMEM) } else { Ok(1) });
    assert_eq!(send(most / 2), if C_LIBRARY_COPIES { Err(Errno::NOMEM) } else { Ok(1) });
    // The kernel has another error for a 32-bit process, and musl's copy is refused with the same.
    let expected = if C_LIBRARY_COPIES || is_compat() { Errno::NOMEM } else { Errno::NOBUFS };
    assert_eq!(send(most + 8), Err(expected));
}

fn a_peer_that_is_gone_is_an_error_and_no_descriptor_is_lost() {
    let (here, there) = pair(SocketType::STREAM);
    drop(there);
    let file = files(1);
    assert_eq!(send(&here, b"x", &borrowed(&file)), Err(Errno::PIPE));
    assert!(rustix::io::fcntl_getfd(&file[0]).is_ok(), "the sender still has it");
}

fn no_control_messages_are_a_null_pointer() {
    let (here, there) = pair(SocketType::STREAM);
    let data = [IoSlice::new(b"x")];
    let mut space = ControlBuffer::<64>::new();
    for control in [ControlWriter::empty(), space.writer()] {
        let header = ancillary::socket::SendMsgHdr::new(&data, &control);
        // SAFETY: the pointer is to a `struct msghdr` that lives until the end of this block.
        let raw = unsafe { &*header.as_ptr().cast::<libc::msghdr>() };
        assert!(raw.msg_control.is_null() && raw.msg_controllen == 0);
        assert_eq!(sendmsg(&here, &data, &control, SendFlags::empty()), Ok(1));
    }
    let mut data = [0; 4];
    let mut data = [IoSliceMut::new(&mut data)];
    let mut header = ancillary::socket::RecvMsgHdr::new(&mut data, ancillary::control::ControlSliceMut::none());
    let pointer = header.as_mut_ptr();
    // SAFETY: the pointer is to a `struct msghdr` that lives until the end of this test.
    assert!(unsafe { (*pointer.cast::<libc::msghdr>()).msg_control.is_null() });
    let received = recvmsg(&there, &mut data, ancillary::control::ControlSliceMut::none(), RecvFlags::empty()).unwrap();
    assert_eq!(received.bytes(), 2);
}

fn slices_of_any_number() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        let control = ControlWriter::empty();
        let parts = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")];
        assert_eq!(sendmsg(&here, &parts, &control, SendFlags::empty()), Ok(5));
        let (mut first, mut second, mut third) = ([0; 1], [0; 0], [0; 8]);
        let mut slices = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second), IoSliceMut::new(&mut third)];
        assert_eq!(recvmsg(&there, &mut slices, &mut [0u8; 0], RecvFlags::empty()).unwrap().bytes(), 5);
        assert_eq!((&first, &third[..4]), (b"a", &b"bcde"[..]));
    }
}

fn no_slices_at_all() {
    for kind in TYPES {
        let (here, there) = pair(kind);
        assert_eq!(sendmsg(&here, &[], &ControlWriter::empty(), SendFlags::empty()), Ok(0));
        // On a stream, nothing was sent.
        let flags = RecvFlags::DONTWAIT;
        let expected = if kind == SocketType::STREAM { Err(Errno::AGAIN) } else { Ok(0) };
        assert_eq!(recvmsg(&there, &mut [], &mut [0u8; 0], flags).map(|received| received.bytes()), expected);
    }
}

fn more_slices_than_the_system_takes() {
    let (here, there) = pair(SocketType::STREAM);
    let data = [IoSlice::new(b"x"); 1025];
    let control = ControlWriter::empty();
    assert_eq!(sendmsg(&here, &data[..1024], &control, SendFlags::empty()), Ok(1024));
    assert_eq!(sendmsg(&here, &data, &control, SendFlags::empty()), Err(Errno::MSGSIZE));
    let mut bytes = vec![0; 1025];
    let mut slices: Vec<_> = bytes.chunks_mut(1).map(IoSliceMut::new).collect();
    let error = recvmsg(&there, &mut slices, &mut [0u8; 0], RecvFlags::empty()).err();
    assert_eq!(error, Some(Errno::MSGSIZE));
}

fn to_an_address_and_from_one() {
    let socket = || {
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::DGRAM, None).unwrap();
        // An empty name: the kernel chooses a unique abstract one.
        rustix::net::bind(&socket, &SocketAddrUnix::new_unnamed()).unwrap();
        let name = rustix::net::getsockname(&socket).unwrap();
        (socket, name)
    };
    let ((here, here_name), (there, there_name)) = (socket(), socket());
    let file = files(1);
    let mut space = ControlBuffer::<{ control_space!(ScmRights[1]) }>::new();
    let mut control = space.writer();
    let descriptors = borrowed(&file);
    control.push(ScmRights(&descriptors)).unwrap();
    let data = [IoSlice::new(b"data")];
    assert_eq!(sendmsg_addr(&here, &there_name, &data, &control, SendFlags::empty()), Ok(4));

    let header = ancillary::socket::SendMsgHdr::new(&data, &control).with_address(&there_name);
    // SAFETY: the header is prepared and lives until after the call.
    assert_eq!(unsafe { ancillary::socket::sendmsg_raw(&here, header.as_ptr(), SendFlags::empty()) }, Ok(4));

    for _ in 0..2 {
        let mut room = [0; 64];
        let mut data = [0; 8];
        let mut received = receive(&there, &mut data, &mut room);
        assert_eq!(received.address(), Some(&here_name));
        assert!(same_file(&take_all(&mut received)[0], &file[0]));
    }

    // A sender without a name leaves no address.
    let nameless = rustix::net::socket(AddressFamily::UNIX, SocketType::DGRAM, None).unwrap();
    sendmsg_addr(&nameless, &there_name, &data, &control, SendFlags::empty()).unwrap();
    let mut room = [0; 64];
    let mut data = [0; 8];
    let received = receive(&there, &mut data, &mut room);
    assert_eq!((received.address(), received.bytes()), (None, 4));
}

fn what_is_shown_of_headers() {
    use ancillary::socket::{MsgHdr, MultishotMsgHdr, RecvMsgHdr, RecvRoom, RecvSlot, SendMsgHdr, SendSlot};

    let (data, control) = ([IoSlice::new(b"x")], ControlWriter::empty());
    let header = SendMsgHdr::new(&data, &control);
    // SAFETY: the pointer is to a header that lives until the end of this function.
    let message: &MsgHdr = unsafe { &*header.as_ptr() };
    assert_eq!(format!("{header:?} {message:?}"), "SendMsgHdr { .. } MsgHdr { .. }");
    assert_eq!(format!("{:?}", SendSlot::new(&data, &control)), "SendSlot { sent: 0, .. }");
    assert_eq!(format!("{:?}", RecvSlot::new()), "RecvSlot { .. }");
    let (mut bytes, mut room) = ([0; 4], [0; 24]);
    let mut slices = [IoSliceMut::new(&mut bytes)];
    let shown = "RecvRoom { slices: 1, control: 24 }";
    assert_eq!(format!("{:?}", RecvRoom::new(&mut slices, &mut room)), shown);
    assert_eq!(format!("{:?}", RecvMsgHdr::new(&mut slices, &mut room)), format!("RecvMsgHdr {{ room: {shown}, .. }}"));
    let multishot = format!("{:?}", MultishotMsgHdr::new(16, 24).unwrap());
    assert_eq!(multishot, "MultishotMsgHdr { name_room: 16, control_capacity: 24, .. }");
}
