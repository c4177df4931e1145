use super::Layout;

#[cfg(has_native_layout)]
impl Layout {
    /// The layout of the target: what its system calls take and give.
    ///
    /// Where this crate makes the calls, it is checked against the C definitions whenever the crate is compiled. A
    /// target without control messages has no such constant; its programs name the layout they mean.
    ///
    /// ```
    /// use ancillary::Layout;
    ///
    /// # #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    /// assert_eq!(Layout::NATIVE, Layout::LINUX_64);
    /// ```
    pub const NATIVE: Layout = {
        #[cfg(native_layout = "linux_64")]
        let native = Layout::LINUX_64;
        #[cfg(native_layout = "linux_32")]
        let native = Layout::LINUX_32;
        #[cfg(native_layout = "musl_64_le")]
        let native = Layout::MUSL_64_LE;
        #[cfg(native_layout = "darwin")]
        let native = Layout::DARWIN;
        #[cfg(native_layout = "bsd_align_4")]
        let native = Layout::BSD_ALIGN_4;
        #[cfg(native_layout = "bsd_align_8")]
        let native = Layout::BSD_ALIGN_8;
        #[cfg(native_layout = "bsd_align_16")]
        let native = Layout::BSD_ALIGN_16;
        #[cfg(native_layout = "illumos_x86")]
        let native = Layout::ILLUMOS_X86;
        #[cfg(native_layout = "solaris_sparc")]
        let native = Layout::SOLARIS_SPARC;
        #[cfg(native_layout = "aix")]
        let native = Layout::AIX;
        #[cfg(native_layout = "windows_64")]
        let native = Layout::WINDOWS_64;
        #[cfg(native_layout = "windows_32")]
        let native = Layout::WINDOWS_32;
        native
    };
}

/// A choice of layout for reading and writing: [`Native`], known when the program is compiled, or a [`Layout`] value.
///
/// Readers and writers are generic over it. With [`Native`] every number is a constant and nothing of the choice is
/// left in the machine code. The trait is sealed: there are these two, and on a target without control messages of its
/// own [`Layout`] alone.
///
/// ```
/// use ancillary::layout::{LayoutChoice, Layout, Native};
///
/// fn room_for_an_int(layout: impl LayoutChoice) -> Option<usize> {
///     layout.layout().space(4)
/// }
/// assert_eq!(room_for_an_int(Native), Layout::NATIVE.space(4));
/// assert_eq!(room_for_an_int(Layout::DARWIN), Some(16));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the layout of anything here",
    note = "on a target without control messages of its own, say which layout is meant: `Layout::LINUX_64`, for example"
)]
pub trait LayoutChoice: Copy + sealed::Sealed {
    /// The layout that was chosen.
    ///
    /// ```
    /// use ancillary::layout::{LayoutChoice, Layout};
    ///
    /// assert_eq!(Layout::AIX.layout(), Layout::AIX);
    /// ```
    fn layout(self) -> Layout;
}

/// The layout of the target, as a type: [`Layout::NATIVE`] at no cost.
///
/// ```
/// use ancillary::layout::{LayoutChoice, Layout, Native};
///
/// assert_eq!(Native.layout(), Layout::NATIVE);
/// assert_eq!(size_of::<Native>(), 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Native;

#[cfg(has_native_layout)]
impl LayoutChoice for Native {
    #[inline(always)]
    fn layout(self) -> Layout {
        Layout::NATIVE
    }
}

impl LayoutChoice for Layout {
    #[inline(always)]
    fn layout(self) -> Layout {
        self
    }
}

mod sealed {
    pub trait Sealed {
        /// Whether what is written with this choice can be given to the system by safe code.
        const IS_NATIVE: bool;
    }

    #[cfg(has_native_layout)]
    impl Sealed for super::Native {
        const IS_NATIVE: bool = true;
    }

    impl Sealed for super::Layout {
        const IS_NATIVE: bool = false;
    }
}
