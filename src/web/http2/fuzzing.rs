//! See `crate::fuzzing`.
