//! Chooses the credentials of the next request. Pure: challenges in, an `Authorization` header out.
//!
//! Nothing is sent before the camera's first challenge, so that a camera with digest never sees the password
//! in clear text; the scheme of the last challenge is then used at once. Digest is preferred where it is
//! offered.

use digest_auth::{AuthContext, WwwAuthenticateHeader};

use crate::config::Login;

/// Maximum number of digest answers within one request: the first, one for a stale nonce, and one more for
/// cameras whose nonce has been used up meanwhile. More would lock the account of a camera that counts
/// failures.
const MAX_DIGEST_ANSWERS: u8 = 3;

/// The content of an `Authorization` header.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Authorization {
    None,
    Basic,
    Digest(String),
}

/// The credentials of one camera, and the scheme it asked for.
#[derive(Debug)]
pub(super) struct Authorizer {
    login: Option<Login>,
    scheme: Scheme,
    /// The challenge in `scheme` came within this request: if it is repeated, the password is wrong.
    fresh: bool,
    digest_answers: u8,
}

#[derive(Debug)]
enum Scheme {
    Unknown,
    Basic,
    Digest(Box<WwwAuthenticateHeader>),
}

impl Authorizer {
    pub(super) fn new(login: Option<Login>) -> Self {
        Self { login, scheme: Scheme::Unknown, fresh: false, digest_answers: 0 }
    }

    /// Returns user and password.
    pub(super) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// Begins a request. On a `new_connection` the nonce of the last one is not used again.
    pub(super) fn begin(&mut self, new_connection: bool) {
        self.fresh = false;
        self.digest_answers = 0;
        if new_connection && matches!(self.scheme, Scheme::Digest(_)) {
            self.scheme = Scheme::Unknown;
        }
    }

    /// Returns the authorization to send for `uri` (path and query).
    pub(super) fn authorization(&mut self, uri: &str) -> Authorization {
        match (&mut self.scheme, &self.login) {
            (Scheme::Basic, Some(_)) => Authorization::Basic,
            (Scheme::Digest(challenge), Some(login)) => {
                let context = AuthContext::new(login.user.as_str(), login.password.reveal(), uri);
                match challenge.respond(&context) {
                    Ok(answer) => Authorization::Digest(answer.to_string()),
                    Err(_) => Authorization::None,
                }
            }
            _ => Authorization::None,
        }
    }

    /// Takes the `WWW-Authenticate` values of a 401; true if another try may succeed.
    pub(super) fn challenged(&mut self, values: &[&str]) -> bool {
        let next = self.login.is_some().then(|| self.next_scheme(values)).flatten();
        let again = next.is_some();
        self.scheme = next.unwrap_or(Scheme::Unknown);
        self.fresh = true;
        again
    }

    fn next_scheme(&mut self, values: &[&str]) -> Option<Scheme> {
        let challenges: Vec<String> = values.iter().flat_map(|value| split_challenges(value)).collect();
        if let Some(digest) = best_digest(&challenges) {
            let was_refused = matches!(self.scheme, Scheme::Digest(_)) && self.fresh && !digest.stale;
            self.digest_answers += 1;
            let may = !was_refused && self.digest_answers <= MAX_DIGEST_ANSWERS;
            return may.then(|| Scheme::Digest(Box::new(digest)));
        }
        // Cheap cameras answer 401 without a challenge.
        let basic = challenges.is_empty() || challenges.iter().any(|challenge| is_scheme(challenge, "basic"));
        let was_refused = matches!(self.scheme, Scheme::Basic);
        (basic && !was_refused).then_some(Scheme::Basic)
    }
}

/// Returns the strongest digest challenge that can be answered.
fn best_digest(challenges: &[String]) -> Option<WwwAuthenticateHeader> {
    let digests = challenges.iter().filter(|challenge| is_scheme(challenge, "digest"));
    // Ours begins with the scheme in the letter case that digest_auth knows.
    let parsed = digests.filter_map(|text| WwwAuthenticateHeader::parse(&text["digest".len()..]).ok());
    parsed.max_by_key(|challenge| u8::from(!challenge.algorithm.to_string().starts_with("MD5")))
}

fn is_scheme(challenge: &str, scheme: &str) -> bool {
    challenge.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(scheme))
}

/// Splits `Basic realm="a, b", Digest realm="c", nonce="d"` into its challenges: one begins at each word
/// outside quotes that stands at the start or after a comma and is not followed by `=`.
fn split_challenges(value: &str) -> Vec<String> {
    let mut challenges: Vec<String> = Vec::new();
    for item in split_outside_quotes(value) {
        let item = item.trim();
        let word = item.split(|c: char| c.is_whitespace() || c == '=').next().unwrap_or_default();
        let begins = !word.is_empty() && !item[word.len()..].trim_start().starts_with('=');
        match challenges.last_mut() {
            Some(last) if !begins => {
                last.push_str(", ");
                last.push_str(item);
            }
            _ if item.is_empty() => {}
            _ => challenges.push(item.to_owned()),
        }
    }
    challenges
}

fn split_outside_quotes(value: &str) -> Vec<&str> {
    let (mut items, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in value.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                items.push(&value[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&value[start..]);
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn authorizer() -> Authorizer {
        Authorizer::new(Some(Login { user: "door".into(), password: Secret::new("s3cret") }))
    }

    const DIGEST: &str = r#"Digest realm="cam", nonce="n1", qop="auth", algorithm=MD5"#;
    const STALE: &str = r#"Digest realm="cam", nonce="n2", qop="auth", stale=TRUE"#;

    #[test]
    fn nothing_is_sent_before_the_camera_asked_and_nothing_without_a_login() {
        assert_eq!(authorizer().authorization("/"), Authorization::None);
        assert!(!Authorizer::new(None).challenged(&[DIGEST]));
    }

    #[test]
    fn digest_is_taken_where_both_are_offered_and_the_strongest_of_several() {
        let mut both = authorizer();
        assert!(both.challenged(&[r#"Basic realm="a, b", digest realm="c, Basic", nonce="x""#]));
        let Authorization::Digest(answer) = both.authorization("/v?a=1") else { panic!("digest") };
        assert!(answer.contains(r#"realm="c, Basic""#) && answer.contains(r#"uri="/v?a=1""#), "{answer}");
        let mut several = authorizer();
        let sha = r#"Digest realm="c", nonce="x", algorithm=SHA-256, qop="auth""#;
        let unknown = r#"Digest realm="c", nonce="x", algorithm=ROT13"#;
        assert!(several.challenged(&[unknown, DIGEST, sha]));
        let Authorization::Digest(answer) = several.authorization("/") else { panic!("digest") };
        assert!(answer.contains("SHA-256"), "{answer}");
    }

    #[test]
    fn basic_that_was_refused_gives_way_to_digest() {
        let mut auth = authorizer();
        assert!(auth.challenged(&["Basic realm=cam"]));
        assert_eq!(auth.authorization("/"), Authorization::Basic);
        assert!(auth.challenged(&[DIGEST]));
        assert!(matches!(auth.authorization("/"), Authorization::Digest(_)));
    }

    #[test]
    fn a_wrong_password_is_tried_once_with_each_scheme() {
        let mut basic = authorizer();
        assert!(basic.challenged(&["Basic realm=cam"]));
        assert!(!basic.challenged(&["Basic realm=cam"]));
        let mut digest = authorizer();
        assert!(digest.challenged(&[DIGEST]));
        assert!(!digest.challenged(&[DIGEST]));
    }

    #[test]
    fn a_stale_nonce_is_replaced_but_not_for_ever() {
        let mut auth = authorizer();
        assert!(auth.challenged(&[DIGEST]));
        assert!(auth.challenged(&[STALE]));
        let tries = (0..10).take_while(|_| auth.challenged(&[STALE])).count();
        assert!(tries <= 1, "{tries} more");
    }

    #[test]
    fn a_nonce_of_an_earlier_request_may_have_been_spent() {
        let mut auth = authorizer();
        assert!(auth.challenged(&[DIGEST]));
        auth.begin(false);
        assert!(
            matches!(auth.authorization("/"), Authorization::Digest(_)),
            "used again on the same connection"
        );
        assert!(auth.challenged(&[DIGEST]), "refused without stale: one more try");
        assert!(!auth.challenged(&[DIGEST]));
        assert!(auth.challenged(&[DIGEST]));
        auth.begin(true);
        assert_eq!(auth.authorization("/"), Authorization::None, "a new connection asks for a new nonce");
    }

    #[test]
    fn a_challenge_that_says_nothing_means_basic() {
        let mut auth = authorizer();
        assert!(auth.challenged(&[]));
        assert_eq!(auth.authorization("/"), Authorization::Basic);
    }
}
