//! What the fuzz targets share: any layout, any buffer, memory at any address, a second opinion on the arithmetic, on
//! the kernel and on who owns what, and which descriptors are open.

mod arithmetic;
mod buffers;
mod draw;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub mod kernel;
mod layouts;
mod memory;
#[cfg(target_os = "linux")]
pub mod owning;
pub mod table;

pub use arithmetic::Arithmetic;
pub use buffers::{AnyBuffer, Found, walk};
pub use draw::lines;
pub use layouts::AnyLayout;
pub use memory::Memory;
