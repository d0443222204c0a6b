//! The rendered OpenAPI document.

use std::sync::OnceLock;

use bytes::Bytes;

/// The document: rendered once, since everybody may request it, and shared by all responses. It is kept as
/// the text before, between and after the occurrences of the cookie's name.
#[derive(Debug, Default)]
pub struct Documents(OnceLock<Vec<Bytes>>);

impl Documents {
    /// Returns the parts between the occurrences of `placeholder` in the document, which the first call
    /// renders.
    pub(super) fn parts(&self, placeholder: &str, render: impl FnOnce() -> String) -> &[Bytes] {
        self.0.get_or_init(|| {
            let text = Bytes::from(render());
            let parts = std::str::from_utf8(&text).expect("JSON is UTF-8").split(placeholder);
            parts.map(|part| text.slice_ref(part.as_bytes())).collect()
        })
    }
}
