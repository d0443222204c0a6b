//! The administrator's token: given by the environment, or made at the start and printed once.

use std::env;

use anyhow::{Context, ensure};

use crate::{
    auth::token,
    config::{ADMIN_VARIABLE as VARIABLE, AuthConfig, Secret},
};

/// Shortest token: shorter ones can be guessed.
const MIN_LENGTH: usize = 16;

/// The way in which an administrator gets access.
pub(super) enum Entrance {
    /// A token that the operator gave.
    Known,
    /// A token that was made for this run.
    Made(Secret),
}

/// Ensures that there is an administrator.
pub(super) fn arrange(auth: &mut AuthConfig) -> anyhow::Result<Entrance> {
    match env::var(VARIABLE) {
        Ok(given) => {
            let fits = given.len() >= MIN_LENGTH && given.bytes().all(|byte| byte.is_ascii_graphic());
            ensure!(
                fits,
                "{VARIABLE} must be {MIN_LENGTH} letters, digits and signs or more, without blanks"
            );
            auth.start_token = Some(Secret::new(given));
            Ok(Entrance::Known)
        }
        Err(env::VarError::NotUnicode(_)) => anyhow::bail!("{VARIABLE} is not text"),
        Err(env::VarError::NotPresent) if auth.has_admin() => Ok(Entrance::Known),
        Err(env::VarError::NotPresent) => {
            let token = Secret::new(token::generate().context("the system has no random numbers")?);
            auth.start_token = Some(token.clone());
            Ok(Entrance::Made(token))
        }
    }
}

impl Entrance {
    /// Returns the text that the terminal shows: an address, once. The journal, which keeps all that is
    /// written to it, gets none.
    pub(super) fn shown(&self, urls: &[String]) -> String {
        match (self, urls.first()) {
            (Self::Made(_), _) if env::var_os("JOURNAL_STREAM").is_some() => {
                format!("to administer, set {VARIABLE} or auth in the configuration\n")
            }
            (Self::Made(token), Some(url)) => format!("to administer: {url}/?token={}\n", token.reveal()),
            _ => String::new(),
        }
    }
}
