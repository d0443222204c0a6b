//! `framecast healthcheck`: a health check for images without curl.

use std::{process::ExitCode, time::Duration};

use anyhow::{anyhow, ensure};
use clap::Args;
use url::Url;

use super::url_argument::{
    parse_url, redacted,
    tls::{TlsArguments, reason},
};
use crate::config::{self, ConfigSource, Environment};

/// The path and port of a relay on this machine.
const LOCAL: &str = "127.0.0.1:8080/healthz";

/// The time limit for the answer, less than those of orchestrators.
const TIMEOUT: Duration = Duration::from_secs(4);

/// The arguments of `healthcheck`.
#[derive(Debug, Args)]
pub(super) struct HealthcheckArguments {
    /// The URL to request [default: /healthz on port 8080 of 127.0.0.1, over https if the configuration file
    /// has server.tls, then with any certificate]
    url: Option<String>,
    #[command(flatten)]
    tls: TlsArguments,
}

pub(super) fn run(arguments: HealthcheckArguments) -> anyhow::Result<ExitCode> {
    let HealthcheckArguments { url, mut tls } = arguments;
    let url = match url {
        Some(url) => parse_url(&url)?,
        None => {
            // It asks itself, by an address that certificates do not have.
            tls = TlsArguments::accepting_any();
            parse_url(&format!("{}://{LOCAL}", if is_tls_configured() { "https" } else { "http" }))?
        }
    };
    actix_rt::System::new().block_on(check(&tls, &url))?;
    Ok(ExitCode::SUCCESS)
}

async fn check(tls: &TlsArguments, url: &Url) -> anyhow::Result<()> {
    let answer = tls.client(TIMEOUT)?.get(url.as_str()).send().await;
    let answer = answer.map_err(|error| anyhow!("{} does not answer: {}", redacted(url), reason(&error)))?;
    ensure!(answer.status().is_success(), "{} answered {}", redacted(url), answer.status());
    Ok(())
}

/// Returns whether the configuration file that `serve` finds has `server.tls`. Mistakes in it are those of
/// the relay that runs.
fn is_tls_configured() -> bool {
    let environment = Environment::process();
    let ConfigSource::File(path) = config::effective_path(None, &environment) else { return false };
    let parsed = config::read_file(&path)
        .and_then(|text| config::parse(&text, &path.display().to_string(), &environment));
    parsed.is_ok_and(|config| config.server.tls.is_some())
}
