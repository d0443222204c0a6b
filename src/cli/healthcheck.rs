//! `framecast healthcheck`: for images without curl.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

/// What to ask.
#[derive(Debug, Args)]
pub(super) struct HealthcheckArguments {
    /// The address to ask
    #[arg(default_value = "http://127.0.0.1:8080/healthz")]
    url: String,
}

pub(super) fn run(arguments: &HealthcheckArguments) -> anyhow::Result<ExitCode> {
    let status = actix_rt::System::new().block_on(async {
        let answer = awc::Client::builder().finish().get(&arguments.url).send().await;
        answer.map(|answer| answer.status()).map_err(|error| anyhow::anyhow!("{error}"))
    });
    let status = status.with_context(|| format!("{} does not answer", arguments.url))?;
    Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
