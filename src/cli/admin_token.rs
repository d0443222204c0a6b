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
pub(super) enum AdminAccess {
    /// A token that the operator gave.
    Configured,
    /// A token that was made for this run.
    Generated(Secret),
}

/// Ensures that there is an administrator.
pub(super) fn ensure_admin(auth: &mut AuthConfig) -> anyhow::Result<AdminAccess> {
    match env::var(VARIABLE) {
        Ok(given) => {
            let fits = given.len() >= MIN_LENGTH && given.bytes().all(|byte| byte.is_ascii_graphic());
            ensure!(
                fits,
                "{VARIABLE} must be {MIN_LENGTH} letters, digits and signs or more, without blanks"
            );
            auth.start_token = Some(Secret::new(given));
            Ok(AdminAccess::Configured)
        }
        Err(env::VarError::NotUnicode(_)) => anyhow::bail!("{VARIABLE} is not text"),
        Err(env::VarError::NotPresent) if auth.has_admin() => Ok(AdminAccess::Configured),
        Err(env::VarError::NotPresent) => {
            let token = Secret::new(token::generate().context("the system has no random numbers")?);
            auth.start_token = Some(token.clone());
            Ok(AdminAccess::Generated(token))
        }
    }
}

impl AdminAccess {
    /// Returns the text that the terminal shows: an address, once. The journal, which keeps all that is
    /// written to it, gets none.
    pub(super) fn terminal_text(&self, urls: &[String]) -> String {
        match (self, urls.first()) {
            (Self::Generated(_), _) if env::var_os("JOURNAL_STREAM").is_some() => {
                format!("to administer, set {VARIABLE} or auth in the configuration\n")
            }
            (Self::Generated(token), Some(url)) => {
                format!("to administer: {url}/?token={}\n", token.reveal())
            }
            _ => String::new(),
        }
    }
}
