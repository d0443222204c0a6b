//! Pages of the kernel with a frame's part, which any number of sockets are handed without a copy; absent on
//! systems that have no way to do so.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
pub use elsewhere::Pages;
#[cfg(target_os = "linux")]
pub use linux::Pages;
