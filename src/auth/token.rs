//! Tokens: long random texts of which only the hash is kept.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use subtle::ConstantTimeEq;

use crate::config::TokenHash;

/// Number of random bytes of a token: 256 bits cannot be guessed, so a plain hash of them is enough.
const TOKEN_BYTES: usize = 32;

/// Returns a new token, 43 characters that need no escapes in a URL. None if the system has no random
/// numbers.
pub fn generate() -> Option<String> {
    let mut bytes = [0; TOKEN_BYTES];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// Returns the hash that is kept of a token.
pub fn hash(token: &str) -> TokenHash {
    let hash = digest(&SHA256, token.as_bytes());
    TokenHash(hash.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

/// Returns whether both are hashes of the same token, in constant time.
pub fn constant_time_eq(kept: &TokenHash, shown: &TokenHash) -> bool {
    kept.0.ct_eq(&shown.0).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_what_is_written_of_it_and_no_other_is() {
        let (token, other) = (generate().unwrap(), generate().unwrap());
        assert_ne!(token, other);
        assert_eq!(token.len(), 43);
        let kept = TokenHash::parse(&hash(&token).to_string()).unwrap();
        assert!(
            constant_time_eq(&kept, &hash(&token))
                && !constant_time_eq(&kept, &hash(&other))
                && !constant_time_eq(&kept, &hash(""))
        );
        // `printf abc | sha256sum`
        let known = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash("abc").to_string(), known);
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        let long = ["é", "+1", "xy"].map(|text| format!("sha256:{}", text.repeat(32)));
        for wrong in ["", "sha256:", "abc", "sha256:xyz", &long[0], &long[1], &long[2]] {
            assert!(TokenHash::parse(wrong).is_none(), "{wrong}");
        }
    }
}
