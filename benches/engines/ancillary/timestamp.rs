//! A message that this crate does not know: it is written as its documentation says.

use ancillary::control::{ControlKind, FixedPayload};
use ancillary::message::{DecodeError, DecodeMessage, payload_array};
use std::ffi::c_int;

/// `SCM_TIMESTAMPNS`: when a datagram arrived.
pub struct Timestampns {
    pub seconds: i64,
    pub nanoseconds: i64,
}

impl ControlKind for Timestampns {
    const LEVEL: c_int = libc::SOL_SOCKET;
    const TYPE: c_int = libc::SCM_TIMESTAMPNS;
}

impl FixedPayload for Timestampns {
    const PAYLOAD_SIZE: usize = 16;
}

impl DecodeMessage<'_> for Timestampns {
    #[inline]
    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let [s0, s1, s2, s3, s4, s5, s6, s7, n0, n1, n2, n3, n4, n5, n6, n7] = *payload_array(payload)?;
        Ok(Timestampns {
            seconds: i64::from_ne_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            nanoseconds: i64::from_ne_bytes([n0, n1, n2, n3, n4, n5, n6, n7]),
        })
    }
}
