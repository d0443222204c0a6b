//! The options of commands that talk to framecast over https, and the client that they make.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, anyhow};
use awc::{Client, Connector, error::SendRequestError};
use clap::Args;

use crate::source::http_client::{client_config, client_config_trusting};

/// The options for https.
#[derive(Debug, Args)]
pub(in crate::cli) struct TlsArguments {
    /// A PEM file with the certificate authority of the server, or its own certificate, for https
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca_file: Option<PathBuf>,
    /// Accept any certificate
    #[arg(long)]
    insecure: bool,
}

impl TlsArguments {
    /// Returns options that accept any certificate.
    pub(in crate::cli) fn accepting_any() -> Self {
        Self { ca_file: None, insecure: true }
    }

    /// Returns a client for http and https that gives up after `timeout`.
    pub(in crate::cli) fn client(&self, timeout: Duration) -> anyhow::Result<Client> {
        let config = match &self.ca_file {
            Some(path) => {
                let read = std::fs::read(path);
                let pem = read.with_context(|| format!("cannot read --ca-file {}", path.display()))?;
                client_config_trusting(&pem).map_err(|why| format!("--ca-file {}: {why}", path.display()))
            }
            None => client_config(self.insecure),
        };
        let connector = Connector::new().timeout(timeout);
        let connector = match config {
            Ok(config) => connector.rustls_0_23(config),
            // Nothing to check certificates with: that only matters for https, whose requests then fail.
            Err(_) if self.ca_file.is_none() => connector,
            Err(why) => return Err(anyhow!(why)),
        };
        Ok(Client::builder().connector(connector).timeout(timeout).finish())
    }
}

/// Returns an error of a request in words, with what to do about it. awc's own are not Send, which anyhow
/// wants.
pub(in crate::cli) fn reason(error: &SendRequestError) -> String {
    let hint = match error {
        // The certificate's error is only in the text of an I/O error.
        SendRequestError::Connect(connect) if format!("{connect:?}").contains("InvalidCertificate") => {
            "; its certificate is not trusted here: give --ca-file FILE, or --insecure"
        }
        SendRequestError::Connect(_) => "; is framecast running there?",
        _ => "",
    };
    format!("{error}{hint}")
}
