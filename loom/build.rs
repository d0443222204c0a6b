//! Sets `cfg(loom)` for this crate only. tokio and others know it too, and leave parts out with it.

fn main() {
    println!("cargo::rustc-cfg=loom");
}
