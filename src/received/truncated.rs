use core::error::Error;
use core::fmt;

bitflags::bitflags! {
    /// What did not fit.
    ///
    /// ```
    /// use ancillary::Truncated;
    ///
    /// assert_eq!(Truncated::DATA.to_string(), "the data was cut");
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Truncated: u8 {
        /// A datagram was longer than the slices: its end is lost.
        #[doc(alias = "MSG_TRUNC")]
        const DATA = 1;
        /// Control messages were lost or cut: the room was too small, or the table of descriptors was full, or a security
        /// module kept a descriptor back. Linux reports all of these in the same way.
        #[doc(alias = "MSG_CTRUNC")]
        const CONTROL = 2;
    }
}

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.contains(Self::DATA), self.contains(Self::CONTROL)) {
            (true, true) => "the data was cut, and control messages or descriptors were lost",
            (true, false) => "the data was cut",
            (false, true) => "control messages or descriptors were lost",
            (false, false) => "nothing was lost",
        })
    }
}

impl Error for Truncated {}
