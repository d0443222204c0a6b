//! The pages for people, and logging in.

pub(crate) mod login;
pub(crate) mod pages;
