//! Sockets whose family refuses the flag for close-on-exec, and those that fail for another reason (case W1).

use super::{assert_closed, message_with, scenarios};
use crate::kernel::message::Message;
use crate::kernel::{Connected, Kind, kernel};
use crate::receive::{Ask, How, receive};
use crate::rules::Rules;
use ancillary::socket::CLOEXEC_ON_RECEIVE;
use rustix::io::Errno;

scenarios![
    a_family_that_refuses_the_flag if has_the_flag,
    a_unix_socket_is_not_asked_again if has_the_flag,
    the_callers_own_flags_are_not_changed if has_the_flag,
];

/// The crate makes the second call for Linux only. Miri's `getsockopt` knows nothing of these sockets.
fn has_the_flag(rules: &Rules) -> bool {
    cfg!(all(target_os = "linux", not(miri))) && rules.name == "linux"
}

fn asked(call: usize) -> bool {
    kernel().deliveries[call].asked as u32 & CLOEXEC_ON_RECEIVE.bits() != 0
}

fn a_family_that_refuses_the_flag() {
    for how in [How::Call, How::Batch] {
        kernel().calls = 0;
        kernel().deliveries.clear();
        let (_here, there) = Connected::pair(Kind::Datagram);
        there.refuse_close_on_exec();
        there.deliver(Message::new(b"data", Vec::new()));
        receive(&there, Ask { how, ..Ask::default() }, |received| assert_eq!(received.unwrap().bytes(), 4));
        assert!(!asked(0));
        assert_eq!(kernel().calls, 2);
        // An error is that of the second call.
        receive(&there, Ask { how, ..Ask::default() }, |received| assert_eq!(received.err(), Some(Errno::AGAIN)));
    }
}

/// The socket fails, and at the next call a message with a descriptor is there: another thread has connected it.
fn a_unix_socket_is_not_asked_again() {
    for error in [Errno::INVAL, Errno::OPNOTSUPP] {
        for how in [How::Call, How::Batch] {
            kernel().calls = 0;
            let (_here, there) = Connected::pair(Kind::Stream);
            let (files, message) = message_with(1);
            there.fail(error.raw_os_error());
            there.deliver(message);
            receive(&there, Ask { how, ..Ask::default() }, |received| assert_eq!(received.err(), Some(error)));
            let calls = kernel().calls;
            assert_eq!((calls, there.waiting()), (1, 1), "the call was made again");
            receive(&there, Ask { how, ..Ask::default() }, |received| assert_eq!(received.unwrap().bytes(), 4));
            assert_closed(&files);
        }
    }
}

fn the_callers_own_flags_are_not_changed() {
    kernel().calls = 0;
    let (_here, there) = Connected::pair(Kind::Datagram);
    there.refuse_close_on_exec();
    there.deliver(Message::new(b"data", Vec::new()));
    let ask = Ask { how: How::Inheritable, ..Ask::default() };
    receive(&there, Ask { flags: CLOEXEC_ON_RECEIVE, ..ask }, |received| {
        assert_eq!(received.err(), Some(Errno::INVAL));
    });
    receive(&there, ask, |received| assert_eq!(received.unwrap().bytes(), 4));
    assert_eq!(kernel().calls, 2);
}
