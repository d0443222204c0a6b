//! Redacts credentials in the output of a program: it may repeat its arguments, and its output appears in the
//! log, on pages and in responses.

use crate::config::ExecConfig;

/// Minimum length of a secret: shorter values would be found in ordinary words.
const MIN_SECRET_LENGTH: usize = 4;

/// Replacement for a secret.
const REDACTED: &str = "***";

/// Redacts the secrets of one program: the values of its environment variables, passwords of URLs in its
/// arguments (or users without one, and values of the query), and all parts of any URL but scheme, host and
/// port.
#[derive(Debug, Default)]
pub(super) struct Redactor {
    /// Longest first: one may be part of another.
    secrets: Vec<String>,
}

impl Redactor {
    /// Creates a redactor of the secrets that `config` passes to the program.
    pub(super) fn for_program(config: &ExecConfig) -> Self {
        let values = config.environment.iter().map(|(_, value)| value.reveal());
        let passwords = config.arguments.iter().flat_map(|argument| secrets_of(argument.reveal()));
        let mut secrets: Vec<_> = values
            .chain(passwords)
            .filter(|text| text.len() >= MIN_SECRET_LENGTH)
            .map(str::to_owned)
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { secrets }
    }

    /// Returns `text` without secrets.
    pub(super) fn redact(&self, text: &str) -> String {
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(found) = rest.find("://") {
            let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
            let scheme = rest[..found].trim_end_matches(is_scheme).len();
            let behind = &rest[found + 3..];
            let end =
                behind.find(|c: char| c.is_whitespace() || "\"'`<>|".contains(c)).unwrap_or(behind.len());
            clean += &self.replace_secrets(&rest[..scheme]);
            clean += &rest[scheme..found + 3];
            clean += &redact_url(&behind[..end]);
            rest = &behind[end..];
        }
        clean + &self.replace_secrets(rest)
    }

    fn replace_secrets(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, REDACTED))
    }
}

/// Returns the password of a URL, or its user if there is none, and the values of its query, as written in
/// it.
fn secrets_of(argument: &str) -> Vec<&str> {
    let Some((_, rest)) = argument.split_once("://") else { return Vec::new() };
    let login = rest.rsplit_once('@').map(|(login, _)| login);
    let password = login.map(|login| login.split_once(':').map_or(login, |(_, password)| password));
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let values = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
    password.into_iter().chain(values).collect()
}

/// Returns host and port of a URL without its scheme; stars where it is not clear which part they are.
fn redact_url(url: &str) -> String {
    let host_of = |text: &str| text.split(['/', '?', '#']).next().unwrap_or_default().to_owned();
    let host = match url.rsplit_once('@') {
        // A password that was not encoded, or a path: `@` after a slash may be in either.
        Some((login, _)) if login.contains(['/', '?', '#']) => return REDACTED.to_owned(),
        Some((_, rest)) => host_of(rest),
        None => host_of(url),
    };
    let name = host.trim_end_matches(':');
    let bracketed = name.starts_with('[') && name.contains(']');
    let port = if bracketed { name.rsplit_once("]:") } else { name.rsplit_once(':') };
    // `user:password` without its host.
    if port.is_some_and(|(_, port)| !port.bytes().all(|byte| byte.is_ascii_digit())) {
        return REDACTED.to_owned();
    }
    let more = url.len() > url.rfind(&host).map_or(0, |at| at + host.len());
    if more { format!("{name}/{REDACTED}") } else { host }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Secret;

    fn redactor() -> Redactor {
        Redactor::for_program(&ExecConfig {
            program: "p".into(),
            arguments: [
                "-i",
                "rtsp://admin:hunter2@192.168.1.30/s",
                "rtsp://s3cret-key@cam/s?user=door&pwd=qu3ry-key",
            ]
            .map(Secret::new)
            .into(),
            environment: vec![("TOKEN".into(), Secret::new("tok-en!")), ("N".into(), Secret::new("1"))],
            folder: None,
            first_frame_timeout: Duration::ZERO,
            frame_timeout: Duration::ZERO,
        })
    }

    #[test]
    fn a_programs_words_stay_but_for_secrets() {
        for (text, clean) in [
            ("no URL, 1 error", "no URL, 1 error"),
            (
                "rtsp://admin:hunter2@cam:554/s?x=1: Connection refused",
                "rtsp://cam:554/*** Connection refused",
            ),
            ("[tcp @ 0x1] rtsp://u:p@[::1]:554: no", "[tcp @ 0x1] rtsp://[::1]:554: no"),
            ("to 'http://cam/a/b?token=x' and https://other", "to 'http://cam/***' and https://other"),
            ("login admin with hunter2 failed", "login admin with *** failed"),
            ("TOKEN=tok-en!", "TOKEN=***"),
            ("no such key: s3cret-key, qu3ry-key", "no such key: ***, ***"),
            ("rtsp://u:p/a@cam/s", "rtsp://***"),
            ("rtsp://user:pass", "rtsp://***"),
            ("://", "://"),
            ("Ünïcödé://ä", "Ünïcödé://ä"),
        ] {
            assert_eq!(redactor().redact(text), clean);
        }
    }
}
