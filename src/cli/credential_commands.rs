//! `framecast token`, `passwd` and `link`: credentials, and the YAML for them.

use std::{
    io::{IsTerminal, stdin},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, anyhow, bail, ensure};
use argon2::{Argon2, PasswordHasher, password_hash::SaltString};
use clap::Args;
use ring::rand::{SecureRandom, SystemRandom};
use url::Url;

use super::{
    output::print,
    url_argument::{browser_url, parse_url},
};
use crate::{
    app::ConfigLoader,
    auth::{signed_link, token},
    config::{self, Environment, Listen, Secret, nearest},
    media::stream_name::StreamName,
};

/// Shortest password that is accepted, in characters.
const MIN_PASSWORD: usize = 8;

/// Longest password, in bytes: longer ones are never checked.
const MAX_PASSWORD: usize = 1024;

/// The arguments that tokens and users share.
#[derive(Debug, Args)]
pub(super) struct GrantArguments {
    /// The role
    #[arg(long, value_parser = ["view", "push", "admin"], default_value = "view")]
    role: String,
    /// A stream it applies to (may be given several times) [default: all streams]
    #[arg(long = "stream", value_name = "NAME")]
    streams: Vec<StreamName>,
}

impl GrantArguments {
    fn yaml(&self) -> String {
        let names: Vec<_> = self.streams.iter().map(StreamName::as_str).collect();
        let streams =
            if names.is_empty() { String::new() } else { format!(", streams: [{}]", names.join(", ")) };
        format!("role: {}{streams}", self.role)
    }
}

/// The arguments of `token`.
#[derive(Debug, Args)]
pub(super) struct TokenArguments {
    /// The token's name in the configuration
    #[arg(default_value = "my-token")]
    name: String,
    #[command(flatten)]
    grant: GrantArguments,
}

pub(super) fn token(arguments: &TokenArguments) -> anyhow::Result<ExitCode> {
    let made = random_token()?;
    let (hash, name) = (token::hash(&made), &arguments.name);
    print(format!(
        "{made}\n\nThis is the token; it is not shown again. Add its hash to the configuration:\n\n\
         auth:\n  tokens:\n    {name}: {{hash: \"{hash}\", {}}}\n",
        arguments.grant.yaml()
    ));
    Ok(ExitCode::SUCCESS)
}

/// The arguments of `passwd`.
#[derive(Debug, Args)]
pub(super) struct PasswordArguments {
    /// The user's name
    name: String,
    #[command(flatten)]
    grant: GrantArguments,
}

pub(super) fn passwd(arguments: &PasswordArguments) -> anyhow::Result<ExitCode> {
    let password = password()?;
    let fits = password.chars().count() >= MIN_PASSWORD && password.len() <= MAX_PASSWORD;
    ensure!(fits, "a password must have at least {MIN_PASSWORD} characters and at most {MAX_PASSWORD} bytes");
    let hash = hash_password(&password)?;
    print(format!(
        "In the configuration:\n\nauth:\n  users:\n    {}: {{password_hash: \"{hash}\", {}}}\n",
        arguments.name,
        arguments.grant.yaml()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Reads a password from the terminal, twice and without echo, or the first line of standard input.
fn password() -> anyhow::Result<String> {
    if !stdin().is_terminal() {
        let mut line = String::new();
        stdin().read_line(&mut line).context("standard input cannot be read")?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let first = rpassword::prompt_password("Password: ").context("the terminal cannot be read")?;
    let second =
        rpassword::prompt_password("Repeat the password: ").context("the terminal cannot be read")?;
    ensure!(first == second, "the passwords differ");
    Ok(first)
}

fn hash_password(password: &str) -> anyhow::Result<String> {
    let mut salt = [0; 16];
    SystemRandom::new().fill(&mut salt).map_err(|_| anyhow!("the system has no random numbers"))?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| anyhow!("no salt: {error}"))?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    Ok(hash.map_err(|error| anyhow!("argon2 refuses: {error}"))?.to_string())
}

/// The arguments of `link`.
#[derive(Debug, Args)]
pub(super) struct LinkArguments {
    /// The stream
    stream: StreamName,
    /// The time until the link expires, such as 30m or 48h
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = config::parse_time)]
    lasts: Duration,
    /// The configuration file, which contains `auth.link_key` [default: as for `serve`]
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The base URL of the link, such as `https://cameras.example.org`
    /// [default: the first address of `server.listen`]
    #[arg(long, value_name = "URL")]
    at: Option<String>,
}

pub(super) fn link(arguments: LinkArguments) -> anyhow::Result<ExitCode> {
    let chosen = config::effective_path(arguments.config, &Environment::process());
    let loader = ConfigLoader::new(chosen, Vec::new());
    let config = loader.read().map_err(|mistakes| anyhow!("{mistakes}"))?;
    let Some(key) = &config.auth.link_key else {
        let key = random_token()?;
        bail!(
            "links are signed with auth.link_key, which is not set. A new one, for a variable of the \
             environment:\n\n  FRAMECAST_LINK_KEY={key}\n\nand in the configuration:\n\n  \
             auth: {{link_key: \"${{FRAMECAST_LINK_KEY}}\"}}"
        );
    };
    let names: Vec<_> = config.streams.iter().chain(&config.overview).map(|s| s.name.as_str()).collect();
    let name = arguments.stream.as_str();
    if !names.contains(&name) {
        let meant =
            nearest(name, &names).map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
        bail!("{}: there is no stream {name}{meant}", loader.label());
    }
    let at = match &arguments.at {
        Some(at) => parse_url(at)?,
        None => first_address(&config)?,
    };
    print(format!("{}\n", sign_url(key, at, &arguments.stream, arguments.lasts)?));
    Ok(ExitCode::SUCCESS)
}

fn first_address(config: &config::Config) -> anyhow::Result<Url> {
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    let address = config.server.listen.iter().find_map(|listen| match listen {
        Listen::Tcp(address) => Some(*address),
        Listen::Unix(_) => None,
    });
    let address = address.context("it listens on no address: give --at URL")?;
    parse_url(&browser_url(scheme, address, &config.server.base_path))
}

fn sign_url(key: &Secret, mut url: Url, stream: &StreamName, lasts: Duration) -> anyhow::Result<Url> {
    let until = SystemTime::now().checked_add(lasts).and_then(|until| until.duration_since(UNIX_EPOCH).ok());
    let link = signed_link::sign(key, stream, until.context("that is too long")?.as_secs());
    let path = format!("{}/streams/{stream}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url.query_pairs_mut()
        .append_pair("expires", &link.expires.to_string())
        .append_pair("signature", &link.signature);
    Ok(url)
}

fn random_token() -> anyhow::Result<String> {
    token::generate().context("the system has no random numbers")
}
