//! `framecast healthcheck`: a health check for images without curl.

use std::process::ExitCode;

use anyhow::{anyhow, ensure};
use clap::Args;

use super::url_argument::{parse_url, redacted};

/// The arguments of `healthcheck`.
#[derive(Debug, Args)]
pub(super) struct HealthcheckArguments {
    /// The URL to request
    #[arg(default_value = "http://127.0.0.1:8080/healthz")]
    url: String,
}

pub(super) fn run(arguments: &HealthcheckArguments) -> anyhow::Result<ExitCode> {
    let url = parse_url(&arguments.url)?;
    let status = actix_rt::System::new().block_on(async {
        let answer = awc::Client::new().get(url.as_str()).send().await;
        // awc's errors are not Send, which anyhow wants.
        answer
            .map(|answer| answer.status())
            .map_err(|error| anyhow!("{} does not answer: {error}", redacted(&url)))
    })?;
    ensure!(status.is_success(), "{} answered {status}", redacted(&url));
    Ok(ExitCode::SUCCESS)
}
