//! Interoperation with the standard library: every error of this crate converts into an [`io::Error`].
//!
//! An error that is a number of the system's keeps it. Any other one becomes the source of the `io::Error`, which allocates:
//! this is the one place in the crate that does, and only where the caller converts.

use crate::control::{ControlError, PushError, TranslateError};
use std::io::{Error, ErrorKind};

/// Makes errors convertible, each with the kind of the `io::Error`.
macro_rules! into_io_error {
    ($($(#[$attribute:meta])* $error:ty => $kind:ident),* $(,)?) => {
        $(
            $(#[$attribute])*
            impl From<$error> for Error {
                /// Keeps the error as the source. This allocates.
                fn from(error: $error) -> Error {
                    Error::new(ErrorKind::$kind, error)
                }
            }
        )*
    };
}

into_io_error! {
    PushError => InvalidInput,
    ControlError => InvalidData,
    TranslateError => InvalidData,
    #[cfg(has_native_layout)]
    crate::message::DecodeError => InvalidData,
    #[cfg(sockets)]
    crate::received::Incomplete => InvalidData,
    #[cfg(linux_kernel)]
    crate::socket::RecvmsgOutError => InvalidData,
}

#[cfg(sockets)]
impl From<crate::message::DescriptorError> for Error {
    /// The error that the slot holds, as the system's own. A slot that holds none becomes the source, which allocates.
    fn from(none: crate::message::DescriptorError) -> Error {
        match none.errno() {
            Some(errno) => Error::from_raw_os_error(errno.raw_os_error()),
            None => Error::new(ErrorKind::InvalidData, none),
        }
    }
}
