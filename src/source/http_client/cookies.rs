//! Cookies that a camera sets (the part of RFC 6265 that cameras use): kept for the life of the client and
//! sent to the configured origin only. Pure.
//!
//! Kept out: paths, domains and expiry dates. A client requests one URL, of one origin.

/// Maximum number of cookies; cameras set one or two. The oldest is replaced.
const MAX_COOKIES: usize = 16;

/// Maximum length of name and value together, in bytes: what RFC 6265 requires browsers to accept.
const MAX_COOKIE_BYTES: usize = 4 * 1024;

/// The cookies of one camera.
#[derive(Debug, Default)]
pub(super) struct CookieJar {
    cookies: Vec<(String, String)>,
}

impl CookieJar {
    /// Stores the values of the `Set-Cookie` lines of a response. Values that are no cookies are ignored.
    pub(super) fn store(&mut self, lines: &[&str]) {
        for line in lines {
            let mut attributes = line.split(';');
            let Some((name, value)) = attributes.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            if name.is_empty() || name.len() + value.len() > MAX_COOKIE_BYTES {
                continue;
            }
            self.cookies.retain(|(known, _)| known != name);
            if attributes.any(is_removal) {
                continue;
            }
            if self.cookies.len() == MAX_COOKIES {
                self.cookies.remove(0);
            }
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Returns the value of the `Cookie` header; `None` without cookies.
    pub(super) fn header(&self) -> Option<String> {
        let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

/// `Max-Age` of zero or less: the camera removes the cookie.
fn is_removal(attribute: &str) -> bool {
    let Some((name, value)) = attribute.split_once('=') else { return false };
    name.trim().eq_ignore_ascii_case("max-age") && value.trim().parse().is_ok_and(|seconds: i64| seconds <= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_sent_back_replaced_and_removed() {
        let mut jar = CookieJar::default();
        assert_eq!(jar.header(), None);
        jar.store(&["session=abc=1; Path=/; HttpOnly", "lang = en", "novalue", "=x", ""]);
        assert_eq!(jar.header().as_deref(), Some("session=abc=1; lang=en"));
        jar.store(&["session=def; Max-Age=60"]);
        assert_eq!(jar.header().as_deref(), Some("lang=en; session=def"));
        jar.store(&["lang=; max-age=0", "session=; Max-Age = -1"]);
        assert_eq!(jar.header(), None);
    }

    #[test]
    fn their_number_and_length_are_bounded() {
        let mut jar = CookieJar::default();
        for number in 0..MAX_COOKIES + 3 {
            jar.store(&[&format!("c{number}=v")]);
        }
        let header = jar.header().unwrap();
        assert_eq!(header.split("; ").count(), MAX_COOKIES);
        assert!(header.starts_with("c3=v; "), "{header}");
        jar.store(&[&format!("long={}", "x".repeat(MAX_COOKIE_BYTES))]);
        assert_eq!(jar.header().unwrap(), header);
    }
}
