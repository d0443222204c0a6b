//! Parts that the responses of several handlers share.

pub(crate) mod disclosure;
pub(crate) mod headers;
pub(crate) mod numbers;
