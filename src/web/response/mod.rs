//! Parts that the responses of several handlers share.

pub(crate) mod visibility;
pub(crate) mod frame_headers;
pub(crate) mod json_numbers;
