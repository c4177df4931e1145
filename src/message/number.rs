//! What the many messages that are one number have in common.

use super::{DecodeError, payload_array};
use core::ffi::c_int;

/// The number in a payload that is an `int`, or one byte: systems differ, and one kernel does for the two directions.
#[inline]
pub(super) fn int_or_byte(payload: &[u8]) -> Result<c_int, DecodeError> {
    match payload {
        [byte] => Ok(c_int::from(*byte)),
        _ => payload_array(payload).map(|int| c_int::from_ne_bytes(*int)),
    }
}

/// Gives a type of one number the numbers and the size of a kind of message: the number is the whole payload.
macro_rules! kind_of_one_number {
    ($name:ident($number:ty), $level:ident, $message_type:ident) => {
        impl $crate::control::ControlKind for $name {
            const LEVEL: core::ffi::c_int = $crate::platform::$level;
            const TYPE: core::ffi::c_int = $crate::platform::$message_type;
        }

        impl $crate::control::FixedPayload for $name {
            const PAYLOAD_SIZE: usize = size_of::<$number>();
        }
    };
}

/// Makes a type of one number a message that is received.
#[cfg(linux_kernel)]
macro_rules! message_of_one_number {
    ($name:ident($number:ty), $level:ident, $message_type:ident) => {
        $crate::message::number::kind_of_one_number!($name($number), $level, $message_type);

        impl $crate::message::DecodeMessage<'_> for $name {
            #[inline]
            fn decode(payload: &[u8]) -> Result<Self, $crate::message::DecodeError> {
                $crate::message::payload_array(payload).map(|number| $name(<$number>::from_ne_bytes(*number)))
            }
        }
    };
}

/// Makes such a message one that is sent as well.
macro_rules! sent_as_one_number {
    ($name:ident) => {
        impl $crate::message::EncodeMessage<'_> for $name {
            #[inline]
            fn push_to(self, control: &mut $crate::ControlWriter<'_>) -> Result<(), $crate::PushError> {
                use $crate::control::ControlKind;
                control.push_raw(Self::LEVEL, Self::TYPE, &self.0.to_ne_bytes())
            }
        }
    };
}

#[cfg(linux_kernel)]
pub(super) use message_of_one_number;
pub(super) use {kind_of_one_number, sent_as_one_number};
