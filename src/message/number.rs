//! What the many messages that are one number have in common.

/// Makes a type of one number a message that is received: the number is the whole payload.
macro_rules! message_of_one_number {
    ($name:ident($number:ty), $level:ident, $message_type:ident) => {
        impl $crate::control::ControlKind for $name {
            const LEVEL: core::ffi::c_int = $crate::platform::$level;
            const TYPE: core::ffi::c_int = $crate::platform::$message_type;
        }

        impl $crate::control::FixedPayload for $name {
            const PAYLOAD_SIZE: usize = size_of::<$number>();
        }

        impl $crate::message::DecodeMessage<'_> for $name {
            #[inline]
            fn decode(payload: &[u8]) -> Result<Self, $crate::message::DecodeError> {
                $crate::message::exactly(payload).map(|number| $name(<$number>::from_ne_bytes(*number)))
            }
        }
    };
}

/// Makes such a message one that is sent as well.
macro_rules! sent_as_one_number {
    ($name:ident) => {
        impl $crate::message::EncodeMessage<'_> for $name {
            #[inline]
            fn push_to(&self, control: &mut $crate::ControlWriter<'_>) -> Result<(), $crate::PushError> {
                use $crate::control::ControlKind;
                control.push_raw(Self::LEVEL, Self::TYPE, &self.0.to_ne_bytes())
            }
        }
    };
}

pub(super) use {message_of_one_number, sent_as_one_number};
