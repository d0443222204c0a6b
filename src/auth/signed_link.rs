//! Signed links: the holder of one may watch one stream until it expires.
//!
//! A link contains its expiry time and a signature (HMAC-SHA256) over the stream and that time; nothing is
//! stored. All links become invalid when the key changes.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::hmac;

use crate::{config::Secret, media::stream_name::StreamName};

/// Prefix of the signed text, so that the key's signature of anything else is not a link.
const PURPOSE: &str = "framecast link 1";

/// The parameters of a link: its expiry and its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSignature {
    /// Expiry, in Unix seconds.
    pub expires: u64,
    /// Signature, in base64url.
    pub signature: String,
}

/// Signs a link.
pub fn sign(key: &Secret, stream: &StreamName, expires: u64) -> LinkSignature {
    let tag = hmac::sign(&hmac_key(key), signed_text(stream, expires).as_bytes());
    LinkSignature { expires, signature: BASE64_URL_SAFE_NO_PAD.encode(tag) }
}

/// Returns how long the link is still valid at `now`, which is since the Unix epoch; `None` if it has
/// expired, or was not signed with this key for this stream.
pub(super) fn verify(
    key: &Secret,
    stream: &StreamName,
    link: &LinkSignature,
    now: Duration,
) -> Option<Duration> {
    let tag = BASE64_URL_SAFE_NO_PAD.decode(&link.signature).ok()?;
    // Compares in constant time.
    hmac::verify(&hmac_key(key), signed_text(stream, link.expires).as_bytes(), &tag).ok()?;
    Duration::from_secs(link.expires).checked_sub(now).filter(|rest| !rest.is_zero())
}

fn hmac_key(key: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.reveal().as_bytes())
}

/// Returns the text that is signed; a stream's name contains no line feed.
fn signed_text(stream: &StreamName, expires: u64) -> String {
    format!("{PURPOSE}\n{stream}\n{expires}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_for_its_stream_its_time_and_its_key() {
        let (key, other_key) = (Secret::new("k".repeat(32)), Secret::new("l".repeat(32)));
        let (door, porch): (StreamName, StreamName) = ("door".parse().unwrap(), "porch".parse().unwrap());
        let now = 1_800_000_000;
        let lasts =
            |key: &_, stream: &_, link: &_| super::verify(key, stream, link, Duration::from_secs(now));
        let link = sign(&key, &door, now + 3600);
        assert_eq!(lasts(&key, &door, &link), Some(Duration::from_secs(3600)));
        assert!(lasts(&key, &door, &sign(&key, &door, now + 1)).is_some());
        assert!(lasts(&key, &door, &sign(&key, &door, now)).is_none(), "over at its very end");
        assert!(lasts(&key, &porch, &link).is_none());
        assert!(lasts(&other_key, &door, &link).is_none());
        assert!(lasts(&key, &door, &LinkSignature { expires: now + 7200, ..link.clone() }).is_none());
        assert!(lasts(&key, &door, &sign(&key, &door, now - 1)).is_none());
        for signature in ["", "AAAA", "not base64!", &link.signature[1..]] {
            assert!(
                lasts(&key, &door, &LinkSignature { signature: signature.to_owned(), ..link.clone() })
                    .is_none()
            );
        }
        assert!(lasts(&key, &door, &sign(&key, &door, u64::MAX)).is_some(), "far away is no overflow");
    }
}
