use super::uninit;
use core::fmt;
use core::mem::MaybeUninit;

/// The caller's memory, to write control messages to, initialised or not, at any address.
///
/// It is made from `&mut [u8]`, `&mut [MaybeUninit<u8>]`, arrays of both, or a [`ControlBuffer`].
///
/// ```
/// use ancillary::control::ControlSliceMut;
///
/// let mut bytes = [0u8; 32];
/// assert_eq!(ControlSliceMut::from(&mut bytes).len(), 32);
/// assert!(ControlSliceMut::none().is_empty());
/// ```
pub struct ControlSliceMut<'a> {
    /// Perhaps somebody's `&mut [u8]`: nothing uninitialised may be written to it.
    bytes: &'a mut [MaybeUninit<u8>],
}

impl<'a> ControlSliceMut<'a> {
    /// No room at all: a call with it says that it wants no control messages.
    ///
    /// ```
    /// assert_eq!(ancillary::control::ControlSliceMut::none().len(), 0);
    /// ```
    #[inline]
    pub const fn none() -> Self {
        ControlSliceMut { bytes: &mut [] }
    }

    /// How many bytes there are. Example: [the type's](Self).
    #[inline]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none. Example: [the type's](Self).
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The memory itself.
    ///
    /// # Safety
    ///
    /// Nothing uninitialised is written through the result: it may be somebody's `&mut [u8]`.
    #[inline]
    pub(crate) unsafe fn into_uninit(self) -> &'a mut [MaybeUninit<u8>] {
        self.bytes
    }
}

impl fmt::Debug for ControlSliceMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlSliceMut").field("len", &self.len()).finish()
    }
}

impl<'a> From<&'a mut [MaybeUninit<u8>]> for ControlSliceMut<'a> {
    #[inline]
    fn from(bytes: &'a mut [MaybeUninit<u8>]) -> Self {
        ControlSliceMut { bytes }
    }
}

impl<'a> From<&'a mut [u8]> for ControlSliceMut<'a> {
    #[inline]
    fn from(bytes: &'a mut [u8]) -> Self {
        // SAFETY: `into_uninit` alone gives the result out, under the same condition.
        ControlSliceMut { bytes: unsafe { uninit::as_uninit(bytes) } }
    }
}

impl<'a, const N: usize> From<&'a mut [MaybeUninit<u8>; N]> for ControlSliceMut<'a> {
    #[inline]
    fn from(bytes: &'a mut [MaybeUninit<u8>; N]) -> Self {
        ControlSliceMut { bytes }
    }
}

impl<'a, const N: usize> From<&'a mut [u8; N]> for ControlSliceMut<'a> {
    #[inline]
    fn from(bytes: &'a mut [u8; N]) -> Self {
        ControlSliceMut::from(bytes.as_mut_slice())
    }
}

impl<'a, const N: usize> From<&'a mut ControlBuffer<N>> for ControlSliceMut<'a> {
    #[inline]
    fn from(space: &'a mut ControlBuffer<N>) -> Self {
        ControlSliceMut { bytes: &mut space.bytes }
    }
}

/// Storage for `N` bytes of control messages, to put on a stack: uninitialised, and aligned as the target's layout
/// asks.
///
/// [`control_space!`](crate::control_space) computes `N` for a set of messages.
///
/// ```
/// use ancillary::{ControlBuffer, control_space};
/// use ancillary::message::ScmRights;
///
/// let mut space = ControlBuffer::<{ control_space!(ScmRights[2], raw[20]) }>::new();
/// assert_eq!(space.writer().available(), space.len());
/// ```
#[cfg_attr(native_layout = "bsd_align_16", repr(C, align(16)))]
#[cfg_attr(not(native_layout = "bsd_align_16"), repr(C, align(8)))]
pub struct ControlBuffer<const N: usize> {
    bytes: [MaybeUninit<u8>; N],
}

#[cfg(has_native_layout)]
static_assertions::const_assert!(align_of::<ControlBuffer<1>>() >= crate::Layout::NATIVE.header_align());

impl<const N: usize> ControlBuffer<N> {
    /// Space that holds nothing yet. Nothing is cleared.
    ///
    /// ```
    /// let space = ancillary::ControlBuffer::<64>::new();
    /// assert_eq!((space.len(), space.is_empty()), (64, false));
    /// ```
    #[inline]
    pub const fn new() -> Self {
        ControlBuffer { bytes: [const { MaybeUninit::uninit() }; N] }
    }

    /// A writer of the target's layout over all of the space, at its start.
    ///
    /// ```
    /// let mut space = ancillary::ControlBuffer::<64>::new();
    /// space.writer().push_raw(280, 7, b"payload")?;
    /// # Ok::<(), ancillary::PushError>(())
    /// ```
    #[cfg(has_native_layout)]
    #[inline]
    pub fn writer(&mut self) -> super::ControlWriter<'_> {
        super::ControlWriter::new(self)
    }

    /// How many bytes there are: `N`. Example: [`new`](Self::new).
    #[inline]
    pub const fn len(&self) -> usize {
        N
    }

    /// Whether there are none. Example: [`new`](Self::new).
    #[inline]
    pub const fn is_empty(&self) -> bool {
        N == 0
    }
}

impl<const N: usize> Default for ControlBuffer<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for ControlBuffer<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlBuffer").field("len", &N).finish()
    }
}

/// The room in bytes for a set of messages in the target's layout, as one constant: the sum of their `CMSG_SPACE`.
///
/// Each item is `Kind`, a [`FixedPayload`](crate::control::FixedPayload); `Kind[n]`, a
/// [`ListPayload`](crate::control::ListPayload) of `n` elements; or `raw[n]`, a payload of `n` bytes. A room that is
/// more than a `usize` holds does not compile.
///
/// A receiver counts everything that arrives: on a socket with `SO_PASSCRED`, credentials come before the descriptors
/// and take their room if none was planned, and so does a timestamp if those are on.
///
/// ```
/// use ancillary::control_space;
/// use ancillary::message::ScmRights;
///
/// const ROOM: usize = control_space!(ScmRights[2], raw[12]);
/// # #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
/// assert_eq!(ROOM, 24 + 32);
/// ```
///
/// ```compile_fail
/// const ROOM: usize = ancillary::control_space!(raw[usize::MAX]);
/// ```
#[doc(alias = "CMSG_SPACE")]
#[cfg(has_native_layout)]
#[macro_export]
macro_rules! control_space {
    ($($items:tt)*) => {
        const { $crate::control::computed($crate::Layout::NATIVE.space_of_all($crate::__payload_sizes!([] $($items)*))) }
    };
}

/// The length in bytes of a buffer for a set of messages whose last one is not padded, in the target's layout.
///
/// The items are those of [`control_space!`](crate::control_space). Linux fills what room there is, and on 64-bit
/// systems the padding after one descriptor has room for another. A receiver that gives this length gets no more than
/// it asked for.
///
/// Other systems count the padding: give them [`control_space!`](crate::control_space), and count what arrives. FreeBSD
/// drops a message that does not fit (read in its source). NetBSD delivers the whole payload into a buffer of this length,
/// and reports truncation all the same (measured).
///
/// ```
/// use ancillary::control_len;
/// use ancillary::message::ScmRights;
///
/// # #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
/// assert_eq!(control_len!(raw[12], ScmRights[1]), 32 + 20);
/// ```
#[doc(alias = "CMSG_LEN")]
#[cfg(has_native_layout)]
#[macro_export]
macro_rules! control_len {
    ($($items:tt)*) => {
        const { $crate::control::computed($crate::Layout::NATIVE.len_of_all($crate::__payload_sizes!([] $($items)*))) }
    };
}

/// The items of `control_space!` as an array of payload lengths in bytes, one item in each step.
#[cfg(has_native_layout)]
#[doc(hidden)]
#[macro_export]
macro_rules! __payload_sizes {
    ([$($size:expr,)*]) => {
        &[$($size),*]
    };
    ([$($sizes:tt)*] raw[$count:expr] $(, $($rest:tt)*)?) => {
        $crate::__payload_sizes!([$($sizes)* $count,] $($($rest)*)?)
    };
    ([$($sizes:tt)*] $kind:ty [$count:expr] $(, $($rest:tt)*)?) => {
        $crate::__payload_sizes!([$($sizes)* $crate::control::payload_size_of_list::<$kind>($count),] $($($rest)*)?)
    };
    ([$($sizes:tt)*] $kind:ty $(, $($rest:tt)*)?) => {
        $crate::__payload_sizes!([$($sizes)* <$kind as $crate::control::FixedPayload>::PAYLOAD_SIZE,] $($($rest)*)?)
    };
}

/// The room that a macro has computed, at compile time.
#[cfg(has_native_layout)]
#[doc(hidden)]
pub const fn computed(room: Option<usize>) -> usize {
    match room {
        Some(room) => room,
        #[allow(clippy::panic, reason = "it is an error of the compiler's: a constant is made of it")]
        None => panic!("the room for these messages is more than a usize holds"),
    }
}
