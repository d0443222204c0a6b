//! Signs requests, so that a receiver can check that a request is from framecast and not an old one.
//!
//! `t=1795372017,v1=…`: HMAC-SHA256, in hexadecimal, of the time, a dot and the body.

use ring::hmac;

use crate::config::Secret;

/// Name of the header.
pub(super) const HEADER: &str = "X-Framecast-Signature";

/// Signs `body` at `time`, in Unix seconds.
pub(super) fn sign(secret: &Secret, time: u64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    let tag = hmac::sign(&key, format!("{time}.{body}").as_bytes());
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_others_compute() {
        // printf '1795372017.{"id":"a"}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let signature = sign(&Secret::new("0123456789abcdef"), 1_795_372_017, "{\"id\":\"a\"}");
        assert_eq!(
            signature,
            "t=1795372017,v1=eaed2bbbeba2cd8180b19ea8181890e17d5d3625511e561151fec8d3c66f1073"
        );
    }
}
