//! Runs before and after every handler: access, limits, the access log, problem documents.

pub(crate) mod access;
pub(crate) mod access_log;
pub(crate) mod problem;
pub(crate) mod request_rate;
pub(crate) mod rejected_pushes;
pub(crate) mod rejections;
pub(crate) mod detach_headers;
pub(crate) mod viewers_per_address;
pub(crate) mod security_headers;
pub(crate) mod unsent_limit;
pub(crate) mod uploads;
