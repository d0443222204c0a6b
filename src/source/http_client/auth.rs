//! Chooses the credentials of the next request. Pure: challenges in, an `Authorization` header out.
//!
//! Nothing is sent before the camera's first challenge, so that a camera with digest never sees the password
//! in clear text; the scheme of the last challenge is then used at once. Digest is preferred where it is
//! offered. With `auth: basic` each connection begins with Basic instead, for cameras that refuse without a
//! challenge.

use base64::{Engine, prelude::BASE64_STANDARD};
use digest_auth::{AuthContext, HttpMethod, WwwAuthenticateHeader};

use crate::config::{HttpAuth, Login};

/// Maximum number of digest answers within one request: the first, one for a stale nonce, and one more for
/// cameras whose nonce has been used up meanwhile. More would lock the account of a camera that counts
/// failures.
const MAX_DIGEST_ANSWERS: u8 = 3;

/// Schemes named in a reason at most, and characters of each name: they are the camera's words.
const MAX_NAMED: usize = 4;
const MAX_NAME: usize = 20;

/// The consequence of a 401.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::source) enum Verdict {
    /// Ask once more: [`Authorizer::authorization`] has an answer to the challenge.
    TryAgain,
    /// User and password are missing, or were refused.
    Refused,
    /// Nothing that was offered can be answered; holds the names of the schemes.
    Unanswerable(String),
}

/// The content of an `Authorization` header.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Authorization {
    None,
    Basic,
    Digest(String),
}

/// The credentials of one camera, and the scheme that it requested.
#[derive(Debug)]
pub(in crate::source) struct Authorizer {
    login: Option<Login>,
    mode: HttpAuth,
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
    pub(in crate::source) fn new(login: Option<Login>, mode: HttpAuth) -> Self {
        Self { login, mode, scheme: Scheme::Unknown, fresh: false, digest_answers: 0 }
    }

    /// Returns user and password.
    pub(super) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// Begins a request. On a `new_connection` the nonce of the last one is not used again.
    pub(in crate::source) fn begin_request(&mut self, new_connection: bool) {
        self.fresh = false;
        self.digest_answers = 0;
        if new_connection && matches!(self.scheme, Scheme::Digest(_)) {
            self.scheme = Scheme::Unknown;
        }
        if self.mode == HttpAuth::Basic && matches!(self.scheme, Scheme::Unknown) {
            self.scheme = Scheme::Basic;
        }
    }

    /// Returns the authorization to send for `uri` (path and query).
    pub(super) fn authorization(&mut self, uri: &str) -> Authorization {
        self.answer("GET", uri)
    }

    /// Returns the `Authorization` header of a request by another protocol, RTSP.
    pub(in crate::source) fn header(&mut self, method: &str, uri: &str) -> Option<String> {
        match (self.answer(method, uri), &self.login) {
            (Authorization::Basic, Some(login)) => {
                let credentials = format!("{}:{}", login.user, login.password.reveal());
                Some(format!("Basic {}", BASE64_STANDARD.encode(credentials)))
            }
            (Authorization::Digest(answer), _) => Some(answer),
            _ => None,
        }
    }

    fn answer(&mut self, method: &str, uri: &str) -> Authorization {
        match (&mut self.scheme, &self.login) {
            (Scheme::Basic, Some(_)) => Authorization::Basic,
            (Scheme::Digest(challenge), Some(login)) => {
                let (user, password) = (login.user.as_str(), login.password.reveal());
                let method = HttpMethod(method.into());
                let context = AuthContext::new_with_method(user, password, uri, None::<&[u8]>, method);
                match challenge.respond(&context) {
                    Ok(answer) => Authorization::Digest(answer.to_string()),
                    Err(_) => Authorization::None,
                }
            }
            _ => Authorization::None,
        }
    }

    /// Takes the `WWW-Authenticate` values of a 401, and returns whether another request can do better.
    pub(in crate::source) fn on_challenge(&mut self, values: &[&str]) -> Verdict {
        let challenges: Vec<String> = values.iter().flat_map(|value| split_challenges(value)).collect();
        let next = self.login.is_some().then(|| self.next_scheme(&challenges)).flatten();
        let verdict = match &next {
            Some(_) => Verdict::TryAgain,
            None if answerable(&challenges) => Verdict::Refused,
            None => Verdict::Unanswerable(offered(&challenges)),
        };
        self.scheme = next.unwrap_or(Scheme::Unknown);
        self.fresh = true;
        verdict
    }

    fn next_scheme(&mut self, challenges: &[String]) -> Option<Scheme> {
        if let Some(digest) = best_digest(challenges) {
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
    let parsed = digests.filter_map(|text| WwwAuthenticateHeader::parse(&normalized(text)).ok());
    parsed.max_by_key(|challenge| u8::from(!challenge.algorithm.to_string().starts_with("MD5")))
}

/// A digest challenge in the one spelling that `digest_auth` reads: cameras write keys in capitals, blanks
/// around `=`, `algorithm="md5"` and `qop=""`.
fn normalized(challenge: &str) -> String {
    let parameters = &challenge.trim_start()["digest".len()..];
    let pairs = split_outside_quotes(parameters).into_iter().filter_map(|item| item.split_once('='));
    let pairs = pairs.filter_map(|(key, value)| {
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        let plain = value.trim_matches('"').trim();
        match key.as_str() {
            "algorithm" if plain.is_empty() => None,
            "algorithm" => {
                let upper = plain.to_ascii_uppercase();
                Some(format!("algorithm={}", upper.replace("-SESS", "-sess").replace("SHA256", "SHA-256")))
            }
            // `auth-int` would need a body; without either, RFC 2069 is answered, as with no qop at all.
            "qop" => {
                let auth = plain.split(',').any(|word| word.trim().eq_ignore_ascii_case("auth"));
                auth.then(|| "qop=\"auth\"".to_owned())
            }
            // Unquoted, they end at a blank.
            "realm" | "nonce" | "opaque" if !value.starts_with('"') => Some(format!("{key}=\"{plain}\"")),
            "realm" | "nonce" | "opaque" | "domain" => Some(format!("{key}={value}")),
            "stale" | "userhash" => Some(format!("{key}={plain}")),
            "charset" if plain.eq_ignore_ascii_case("utf-8") => Some("charset=UTF-8".to_owned()),
            _ => None,
        }
    });
    pairs.collect::<Vec<_>>().join(", ")
}

/// Returns whether one of the challenges is of a kind that framecast answers. No challenge at all means
/// Basic.
fn answerable(challenges: &[String]) -> bool {
    let known = |challenge: &String| is_scheme(challenge, "basic");
    challenges.is_empty() || challenges.iter().any(known) || best_digest(challenges).is_some()
}

/// Names the schemes of the challenges, a digest with its algorithm, for administrators.
fn offered(challenges: &[String]) -> String {
    let names = challenges.iter().take(MAX_NAMED).map(|challenge| {
        let scheme: String =
            challenge.split_whitespace().next().unwrap_or_default().chars().take(MAX_NAME).collect();
        let algorithm = split_outside_quotes(challenge).into_iter().find_map(|item| {
            let (key, value) = item.split_once('=')?;
            let key = key.split_whitespace().last()?;
            key.eq_ignore_ascii_case("algorithm").then(|| value.trim().trim_matches('"').to_owned())
        });
        match algorithm.filter(|_| is_scheme(challenge, "digest")) {
            Some(algorithm) => {
                format!("{scheme} with algorithm {}", algorithm.chars().take(MAX_NAME).collect::<String>())
            }
            None => scheme,
        }
    });
    names.collect::<Vec<_>>().join(", ")
}

fn is_scheme(challenge: &str, scheme: &str) -> bool {
    challenge.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(scheme))
}

/// Splits `Basic realm="a, b", Digest realm="c", nonce="d"` into its challenges: one begins at each word
/// outside quotes at the start or after a comma that is not followed by `=`.
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
        Authorizer::new(Some(Login { user: "door".into(), password: Secret::new("s3cret") }), HttpAuth::Auto)
    }

    const DIGEST: &str = r#"Digest realm="cam", nonce="n1", qop="auth", algorithm=MD5"#;
    const STALE: &str = r#"Digest realm="cam", nonce="n2", qop="auth", stale=TRUE"#;

    #[test]
    fn nothing_is_sent_before_the_camera_asked_and_nothing_without_a_login() {
        assert_eq!(authorizer().authorization("/"), Authorization::None);
        assert_eq!(Authorizer::new(None, HttpAuth::Auto).on_challenge(&[DIGEST]), Verdict::Refused);
    }

    #[test]
    fn digest_is_taken_where_both_are_offered_and_the_strongest_of_several() {
        let mut both = authorizer();
        assert_eq!(
            both.on_challenge(&[r#"Basic realm="a, b", digest realm="c, Basic", nonce="x""#]),
            Verdict::TryAgain
        );
        let Authorization::Digest(answer) = both.authorization("/v?a=1") else { panic!("digest") };
        assert!(answer.contains(r#"realm="c, Basic""#) && answer.contains(r#"uri="/v?a=1""#), "{answer}");
        let mut several = authorizer();
        let sha = r#"Digest realm="c", nonce="x", algorithm=SHA-256, qop="auth""#;
        let unknown = r#"Digest realm="c", nonce="x", algorithm=ROT13"#;
        assert_eq!(several.on_challenge(&[unknown, DIGEST, sha]), Verdict::TryAgain);
        let Authorization::Digest(answer) = several.authorization("/") else { panic!("digest") };
        assert!(answer.contains("SHA-256"), "{answer}");
    }

    #[test]
    fn basic_that_was_refused_gives_way_to_digest() {
        let mut auth = authorizer();
        assert_eq!(auth.on_challenge(&["Basic realm=cam"]), Verdict::TryAgain);
        assert_eq!(auth.authorization("/"), Authorization::Basic);
        assert_eq!(auth.on_challenge(&[DIGEST]), Verdict::TryAgain);
        assert!(matches!(auth.authorization("/"), Authorization::Digest(_)));
    }

    #[test]
    fn a_wrong_password_is_tried_once_with_each_scheme() {
        let mut basic = authorizer();
        assert_eq!(basic.on_challenge(&["Basic realm=cam"]), Verdict::TryAgain);
        assert_eq!(basic.on_challenge(&["Basic realm=cam"]), Verdict::Refused);
        let mut digest = authorizer();
        assert_eq!(digest.on_challenge(&[DIGEST]), Verdict::TryAgain);
        assert_eq!(digest.on_challenge(&[DIGEST]), Verdict::Refused);
    }

    #[test]
    fn a_stale_nonce_is_replaced_but_not_for_ever() {
        let mut auth = authorizer();
        assert_eq!(auth.on_challenge(&[DIGEST]), Verdict::TryAgain);
        assert_eq!(auth.on_challenge(&[STALE]), Verdict::TryAgain);
        let tries = (0..10).take_while(|_| auth.on_challenge(&[STALE]) == Verdict::TryAgain).count();
        assert!(tries <= 1, "{tries} more");
    }

    #[test]
    fn a_nonce_of_an_earlier_request_may_have_been_spent() {
        let mut auth = authorizer();
        assert_eq!(auth.on_challenge(&[DIGEST]), Verdict::TryAgain);
        auth.begin_request(false);
        assert!(
            matches!(auth.authorization("/"), Authorization::Digest(_)),
            "used again on the same connection"
        );
        assert_eq!(auth.on_challenge(&[DIGEST]), Verdict::TryAgain, "refused without stale: one more try");
        assert_eq!(auth.on_challenge(&[DIGEST]), Verdict::Refused);
        assert_eq!(auth.on_challenge(&[DIGEST]), Verdict::TryAgain);
        auth.begin_request(true);
        assert_eq!(auth.authorization("/"), Authorization::None, "a new connection asks for a new nonce");
    }

    #[test]
    fn basic_is_sent_unasked_where_it_is_configured_and_given_up_for_what_is_asked() {
        let login = authorizer().login;
        let mut auth = Authorizer::new(login, HttpAuth::Basic);
        auth.begin_request(true);
        assert_eq!(auth.authorization("/"), Authorization::Basic);
        assert_eq!(auth.on_challenge(&["Basic realm=cam"]), Verdict::Refused);
        auth.begin_request(false);
        assert_eq!(auth.authorization("/"), Authorization::Basic, "the next request begins again");
        assert_eq!(auth.on_challenge(&[DIGEST]), Verdict::TryAgain);
        auth.begin_request(false);
        assert!(matches!(auth.authorization("/"), Authorization::Digest(_)), "on the same connection");
        auth.begin_request(true);
        assert_eq!(auth.authorization("/"), Authorization::Basic);
        let mut nobody = Authorizer::new(None, HttpAuth::Basic);
        nobody.begin_request(true);
        assert_eq!(nobody.authorization("/"), Authorization::None);
        assert_eq!(nobody.on_challenge(&["Basic realm=cam"]), Verdict::Refused);
    }

    #[test]
    fn a_challenge_that_says_nothing_means_basic() {
        let mut auth = authorizer();
        assert_eq!(auth.on_challenge(&[]), Verdict::TryAgain);
        assert_eq!(auth.authorization("/"), Authorization::Basic);
    }

    #[test]
    fn a_digest_is_answered_however_it_is_spelt() {
        for challenge in [
            r#"Digest realm="cam", nonce="n1", algorithm=md5"#,
            r#"Digest realm="cam", nonce="n1", algorithm="MD5", qop="""#,
            r#"Digest realm="cam", nonce="n1", algorithm="md5", qop="auth""#,
            r#"DIGEST REALM="cam", NONCE="n1", QOP="AUTH", ALGORITHM=MD5, STALE=FALSE"#,
            r#"Digest realm = "cam" , nonce = "n1" , qop = "auth""#,
            r#"Digest realm="cam",nonce=n1,qop=auth,opaque="#,
            r#"Digest realm="cam", nonce="n1", qop="auth-int, auth", charset=latin1"#,
            r#"digest realm="cam", nonce="n1", algorithm=sha-256, qop=auth"#,
            r#"Digest realm="cam", nonce="n1", algorithm=, qop=auth"#,
        ] {
            let mut auth = authorizer();
            assert_eq!(auth.on_challenge(&[challenge]), Verdict::TryAgain, "{challenge}");
            let Authorization::Digest(answer) = auth.authorization("/v") else { panic!("{challenge}") };
            assert!(answer.contains(r#"realm="cam""#) && answer.contains(r#"nonce="n1""#), "{answer}");
            let with_qop =
                challenge.to_ascii_lowercase().contains("auth\"") || challenge.contains("qop=auth");
            assert_eq!(answer.contains("qop=auth"), with_qop, "{challenge}: {answer}");
        }
    }

    #[test]
    fn what_cannot_be_answered_is_named() {
        for (challenges, named) in [
            (&["Negotiate", "NTLM"][..], "Negotiate, NTLM"),
            (&["NTLM TlRMTVNTUAACAAAA"], "NTLM"),
            (&[r#"Digest realm="c", nonce="x", algorithm=ROT13"#], "Digest with algorithm ROT13"),
            (&["a", "b", "c", "d", "e"], "a, b, c, d"),
        ] {
            let named = Verdict::Unanswerable(named.to_owned());
            assert_eq!(authorizer().on_challenge(challenges), named);
            assert_eq!(Authorizer::new(None, HttpAuth::Auto).on_challenge(challenges), named);
        }
        assert_eq!(authorizer().on_challenge(&["Negotiate", "Basic realm=x"]), Verdict::TryAgain);
    }
}
