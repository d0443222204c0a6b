//! Draws filled shapes with soft edges, and text.

pub(crate) mod canvas;
pub mod fonts;
pub mod strftime;
