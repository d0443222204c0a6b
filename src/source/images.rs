//! stub
use super::*;
use crate::{
    config::{ImagesPath, Limits},
    transform::Pool,
};
use std::sync::Arc;
/// x
#[derive(Debug)]
pub struct ImagesSource;
impl ImagesSource {
    /// x
    pub fn new(_: ImagesPath, _: f64, _: &Limits, _: Arc<Pool>) -> Self {
        Self
    }
}
impl Source for ImagesSource {
    fn run<'a>(&'a mut self, _: &'a Sink) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        Box::pin(std::future::pending())
    }
}
