//! The layouts of the systems there are, each with the definition it was taken from.
//!
//! A layout that exists in both byte orders is given in the target's own: it then describes another process on the same
//! machine. [`Layout::with_byte_order`] gives the other one.

use super::{ByteOrder, Layout, LayoutParts, LengthWidth};

/// A header of 16 bytes: an eight-byte `cmsg_len`, then level and type.
const LONG_LENGTH: LayoutParts = LayoutParts {
    header_size: 16,
    len_offset: 0,
    len_width: LengthWidth::Eight,
    level_offset: 8,
    type_offset: 12,
    header_align: 8,
    data_align: 8,
    byte_order: ByteOrder::NATIVE,
};

/// A header of 12 bytes: a four-byte `cmsg_len`, then level and type.
const SHORT_LENGTH: LayoutParts = LayoutParts {
    header_size: 12,
    len_offset: 0,
    len_width: LengthWidth::Four,
    level_offset: 4,
    type_offset: 8,
    header_align: 4,
    data_align: 4,
    byte_order: ByteOrder::NATIVE,
};

const fn layout(parts: LayoutParts) -> Layout {
    Layout { parts }
}

/// # Named layouts
impl Layout {
    /// Linux on 64-bit targets, as its kernel reads and writes: glibc, musl, bionic, uclibc. Also Redox and Cygwin on
    /// 64 bits. In the target's byte order.
    ///
    /// `struct cmsghdr { size_t cmsg_len; int cmsg_level; int cmsg_type; }` and `CMSG_ALIGN(len) = (len + sizeof(long)
    /// - 1) & ~(sizeof(long) - 1)`: Linux `include/linux/socket.h`, glibc `bits/socket.h`.
    ///
    /// ```
    /// # use ancillary::Layout;
    /// assert_eq!((Layout::LINUX_64.len(1), Layout::LINUX_64.space(1)), (Some(17), Some(24)));
    /// ```
    pub const LINUX_64: Layout = layout(LONG_LENGTH);

    /// Linux on 32-bit targets, x32 and MIPS n32 among them; a 32-bit process on a 64-bit kernel. Also Redox on 32 bits
    /// and emscripten. In the target's byte order.
    ///
    /// Source: as [`LINUX_64`](Layout::LINUX_64); `net/compat.c` for 32-bit processes on a 64-bit kernel.
    ///
    /// ```
    /// # use ancillary::Layout;
    /// assert_eq!((Layout::LINUX_32.len(1), Layout::LINUX_32.space(1)), (Some(13), Some(16)));
    /// ```
    pub const LINUX_32: Layout = layout(SHORT_LENGTH);

    /// What a little-endian 64-bit musl program sees in its `struct cmsghdr`: four bytes of `cmsg_len`, then four of
    /// padding that the program may leave dirty. Also Fuchsia, whose C library is musl's and has no such kernel beneath
    /// it.
    ///
    /// The kernel reads all eight bytes as the length, so use [`LINUX_64`](Layout::LINUX_64) for what a system call
    /// takes or gives, and this for what a musl program reads and writes itself.
    ///
    /// Source: musl `include/sys/socket.h`.
    ///
    /// ```
    /// # use ancillary::Layout;
    /// let dirty = [16, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 2, 0, 0, 0];
    /// assert_eq!(Layout::MUSL_64_LE.read_header(&dirty).map(|header| header.cmsg_len), Some(16));
    /// ```
    pub const MUSL_64_LE: Layout =
        layout(LayoutParts { len_width: LengthWidth::Four, ..LONG_LENGTH }).with_byte_order(ByteOrder::Little);

    /// What a big-endian 64-bit musl program sees in its `struct cmsghdr`: the padding comes before `cmsg_len`.
    ///
    /// Source: musl `include/sys/socket.h`.
    ///
    /// ```
    /// # use ancillary::Layout;
    /// assert_eq!(Layout::MUSL_64_BE.parts().len_offset, 4);
    /// ```
    pub const MUSL_64_BE: Layout = layout(LayoutParts { len_offset: 4, len_width: LengthWidth::Four, ..LONG_LENGTH })
        .with_byte_order(ByteOrder::Big);

    /// macOS, iOS and the other Apple systems, of any pointer width. Little-endian.
    ///
    /// `socklen_t cmsg_len`, and `__DARWIN_ALIGN32` for headers and data: XNU `bsd/sys/socket.h`.
    ///
    /// ```
    /// # use ancillary::Layout;
    /// assert_eq!((Layout::DARWIN.len(1), Layout::DARWIN.space(1)), (Some(13), Some(16)));
    /// ```
    pub const DARWIN: Layout = layout(SHORT_LENGTH).with_byte_order(ByteOrder::Little);

    /// The BSD header, aligned to 4 bytes: FreeBSD on i386, armv7 and 32-bit PowerPC; NetBSD on i386; OpenBSD on i386;
    /// Haiku, Hurd, QNX and VxWorks on 32 bits. In the target's byte order.
    ///
    /// `socklen_t cmsg_len`, and `_ALIGN` for headers and data: `sys/socket.h`, `machine/_align.h`.
    ///
    /// ```
    /// # use ancillary::Layout;
    /// assert_eq!(Layout::BSD_ALIGN_4.data_offset(), 12);
    /// ```
    pub const BSD_ALIGN_4: Layout = layout(SHORT_LENGTH);

    /// The BSD header, aligned to 8 bytes: FreeBSD and DragonFly on 64 bits; NetBSD on amd64, ARM, MIPS and PowerPC;
    /// OpenBSD on 64 bits (not sparc64), 32-bit ARM and PowerPC; Haiku, Hurd, QNX and VxWorks on 64 bits. In the
    /// target's byte order.
    ///
    /// Four bytes of padding stand between the header's 12 bytes and its payload.
    ///
    /// ```
    /// # use ancillary::Layout;
    /// assert_eq!((Layout::BSD_ALIGN_8.header_size(), Layout::BSD_ALIGN_8.data_offset()), (12, 16));
    /// ```
    pub const BSD_ALIGN_8: Layout = layout(LayoutParts { header_align: 8, data_align: 8, ..SHORT_LENGTH });

    /// The BSD header, aligned to 16 bytes: NetBSD on aarch64, riscv64 and sparc64; OpenBSD on sparc64. In the target's
    /// byte order.
    ///
    /// NetBSD's `__ALIGNBYTES` for aarch64 is `sizeof(__int128) - 1`: `sys/arch/arm/include/cdefs.h` 1.19.
    ///
    /// ```
    /// # use ancillary::Layout;
    /// assert_eq!((Layout::BSD_ALIGN_16.len(1), Layout::BSD_ALIGN_16.space(1)), (Some(17), Some(32)));
    /// ```
    pub const BSD_ALIGN_16: Layout = layout(LayoutParts { header_align: 16, data_align: 16, ..SHORT_LENGTH });

    /// illumos and Solaris on x86, 32 and 64 bits. Little-endian.
    ///
    /// `_CMSG_HDR_ALIGNMENT` and `_CMSG_DATA_ALIGNMENT` are 4: illumos `uts/common/sys/socket.h`. (illumos' macros
    /// align addresses, not offsets: the two agree in a buffer that is itself aligned.)
    ///
    /// ```
    /// # use ancillary::Layout;
    /// assert_eq!(Layout::ILLUMOS_X86.space(1), Some(16));
    /// ```
    pub const ILLUMOS_X86: Layout = layout(SHORT_LENGTH).with_byte_order(ByteOrder::Little);

    /// Solaris and illumos on SPARC, 32 and 64 bits. Big-endian.
    ///
    /// Headers are aligned to 8 bytes and data to 4, so `CMSG_SPACE(0)` is 16 while `CMSG_LEN(0)` is 12.
    ///
    /// ```
    /// # use ancillary::Layout;
    /// assert_eq!((Layout::SOLARIS_SPARC.len(0), Layout::SOLARIS_SPARC.space(0)), (Some(12), Some(16)));
    /// ```
    pub const SOLARIS_SPARC: Layout =
        layout(LayoutParts { header_align: 8, ..SHORT_LENGTH }).with_byte_order(ByteOrder::Big);

    /// AIX, which aligns and pads nothing. Big-endian.
    ///
    /// ```
    /// # use ancillary::Layout;
    /// assert_eq!(Layout::AIX.space(1), Some(13));
    /// ```
    pub const AIX: Layout =
        layout(LayoutParts { header_align: 1, data_align: 1, ..SHORT_LENGTH }).with_byte_order(ByteOrder::Big);

    /// Windows on 64 bits: `WSACMSGHDR`. Little-endian.
    ///
    /// `SIZE_T cmsg_len`, `WSA_CMSGHDR_ALIGN` and `WSA_CMSGDATA_ALIGN`: `ws2def.h`.
    ///
    /// ```
    /// # use ancillary::Layout;
    /// assert_eq!(Layout::WINDOWS_64.space(4), Some(24));
    /// ```
    #[doc(alias = "WSACMSGHDR")]
    pub const WINDOWS_64: Layout = layout(LONG_LENGTH).with_byte_order(ByteOrder::Little);

    /// Windows on 32 bits: `WSACMSGHDR`. Little-endian.
    ///
    /// ```
    /// # use ancillary::Layout;
    /// assert_eq!(Layout::WINDOWS_32.space(4), Some(16));
    /// ```
    #[doc(alias = "WSACMSGHDR")]
    pub const WINDOWS_32: Layout = layout(SHORT_LENGTH).with_byte_order(ByteOrder::Little);
}

impl Layout {
    /// Every named layout with its name.
    ///
    /// ```
    /// use ancillary::Layout;
    ///
    /// let native = Layout::NAMED.iter().find(|(_, layout)| *layout == Layout::NATIVE);
    /// println!("this target's layout is {}", native.unwrap().0);
    /// ```
    pub const NAMED: &[(&str, Layout)] = &[
        ("LINUX_64", Layout::LINUX_64),
        ("LINUX_32", Layout::LINUX_32),
        ("MUSL_64_LE", Layout::MUSL_64_LE),
        ("MUSL_64_BE", Layout::MUSL_64_BE),
        ("DARWIN", Layout::DARWIN),
        ("BSD_ALIGN_4", Layout::BSD_ALIGN_4),
        ("BSD_ALIGN_8", Layout::BSD_ALIGN_8),
        ("BSD_ALIGN_16", Layout::BSD_ALIGN_16),
        ("ILLUMOS_X86", Layout::ILLUMOS_X86),
        ("SOLARIS_SPARC", Layout::SOLARIS_SPARC),
        ("AIX", Layout::AIX),
        ("WINDOWS_64", Layout::WINDOWS_64),
        ("WINDOWS_32", Layout::WINDOWS_32),
    ];
}

/// Every named layout passes the test that [`Layout::from_parts`] makes.
const _: () = {
    let mut named = Layout::NAMED;
    while let [(_, layout), others @ ..] = named {
        assert!(Layout::from_parts(layout.parts).is_some());
        named = others;
    }
};
