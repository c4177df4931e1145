//! What a C library and its start files do for other programs.

#[cfg_attr(target_arch = "x86_64", path = "../../../../src/socket/backend/linux_raw/arch/x86_64.rs")]
#[cfg_attr(target_arch = "x86", path = "../../../../src/socket/backend/linux_raw/arch/x86.rs")]
#[cfg_attr(target_arch = "aarch64", path = "../../../../src/socket/backend/linux_raw/arch/aarch64.rs")]
#[cfg_attr(target_arch = "arm", path = "../../../../src/socket/backend/linux_raw/arch/arm.rs")]
#[cfg_attr(target_arch = "riscv64", path = "../../../../src/socket/backend/linux_raw/arch/riscv64.rs")]
#[cfg_attr(target_arch = "loongarch64", path = "../../../../src/socket/backend/linux_raw/arch/loongarch64.rs")]
#[cfg_attr(target_arch = "s390x", path = "../../../../src/socket/backend/linux_raw/arch/s390x.rs")]
#[allow(dead_code, reason = "a program by itself needs one call only")]
mod arch; // the crate's own assembly
#[cfg(target_arch = "loongarch64")]
mod c_functions;
mod memory;
mod start;

/// Needs `panic = "abort"`: the release profile has it.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    start::exit(101)
}
