//! Whose pages may show framecast's.

use std::fmt;

/// Whose pages may show framecast's in a frame: the sources of `frame-ancestors` (CSP level 3, section 6.4.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameAncestors(pub Vec<Ancestor>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ancestor {
    /// Pages of this address.
    Own,
    /// All pages.
    Everybody,
    /// Pages of an origin.
    Origin(String),
}

impl FrameAncestors {
    /// The same in the older words of `X-Frame-Options`, where those suffice.
    pub fn frame_options(&self) -> Option<&'static str> {
        match self.0[..] {
            [] => Some("DENY"),
            [Ancestor::Own] => Some("SAMEORIGIN"),
            _ => None,
        }
    }
}

impl fmt::Display for FrameAncestors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("frame-ancestors")?;
        for ancestor in &self.0 {
            match ancestor {
                Ancestor::Own => f.write_str(" 'self'")?,
                Ancestor::Everybody => f.write_str(" *")?,
                Ancestor::Origin(origin) => write!(f, " {origin}")?,
            }
        }
        if self.0.is_empty() { f.write_str(" 'none'") } else { Ok(()) }
    }
}
