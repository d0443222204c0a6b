//! A part as a sealed file in memory, from which the kernel sends it to any number of sockets without a copy; absent on
//! systems without such files.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
pub use elsewhere::SealedPart;
#[cfg(target_os = "linux")]
pub use linux::SealedPart;
