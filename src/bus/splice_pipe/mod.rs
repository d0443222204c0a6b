//! Pages of the kernel with a frame's part, which any number of sockets are handed without a copy; absent on
//! systems that have no way to do so.

#[cfg(not(target_os = "linux"))]
mod unsupported;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub use linux::SplicePipe;
#[cfg(not(target_os = "linux"))]
pub use unsupported::Pages;
