//! The actor that owns one stream's life.
