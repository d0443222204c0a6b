//! Pictures transformed: what comes out is looked at pixel by pixel.

// Helpers, without tests.
mod scene;

mod metadata;
mod mosaics;
mod mutated;
mod photographs;
mod query_params;
mod renditions;
mod steps;
