use std::fmt::{self, Write};

/// Formats, keeps nothing, and says in how many lines.
///
/// ```ignore
/// assert_eq!(lines(format_args!("{messages}")), 3);
/// ```
pub fn lines(text: fmt::Arguments<'_>) -> usize {
    struct Breaks(usize);

    impl Write for Breaks {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.bytes().filter(|byte| *byte == b'\n').count();
            Ok(())
        }
    }

    let mut breaks = Breaks(0);
    breaks.write_fmt(text).expect("formatting does not fail by itself");
    breaks.0 + 1
}
