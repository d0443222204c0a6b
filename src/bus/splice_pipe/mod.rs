//! Sends the part of a frame to any number of sockets from the same pages of the kernel, without a copy for
//! each socket. Not available on systems without `splice`.

#[cfg(not(target_os = "linux"))]
mod unsupported;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub use linux::SplicePipe;
#[cfg(not(target_os = "linux"))]
pub use unsupported::SplicePipe;
