//! Lines of output, written without a lock: Miri does not have what those of the BSDs need.

pub fn line(text: &str) {
    #[cfg(not(miri))]
    println!("{text}");
    #[cfg(miri)]
    {
        // SAFETY: Miri has this function, which reads the bytes.
        unsafe extern "Rust" {
            safe fn miri_write_to_stdout(bytes: &[u8]);
        }
        miri_write_to_stdout(text.as_bytes());
        miri_write_to_stdout(b"\n");
    }
}
