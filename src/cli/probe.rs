//! `framecast probe`: what does this camera send?

use std::{io::Write, process::ExitCode, time::Duration};

use anyhow::bail;
use clap::Args;
use tokio::time::Instant;
use url::Url;

use crate::{
    config::{Environment, Limits, SourceConfig, UpstreamConfig, parse},
    frame::JpegInfo,
    multipart::{
        boundary::ContentKind,
        parser::{ParserLimits, PartParser, Quirk},
    },
    source::{
        Deadline, SourceError,
        http::{BodyDeadline, HttpClient, Response},
    },
};

/// What to ask, and for how long.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  framecast probe http://user:password@192.168.1.20/video.mjpg")]
pub(super) struct ProbeArguments {
    /// The camera's URL, with user and password if it wants them
    url: String,
    /// Look at so many frames
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    frames: u64,
    /// Look for so many seconds at most
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Accept any certificate
    #[arg(long)]
    insecure: bool,
}

/// What was seen of the body.
#[derive(Default)]
struct Seen {
    frames: u64,
    bytes: u64,
    smallest: usize,
    largest: usize,
    first: Option<Instant>,
    last: Option<Instant>,
    sizes: Vec<(u16, u16)>,
    info: Option<JpegInfo>,
    quirks: Vec<(Quirk, u64)>,
    discards: Vec<(&'static str, u64)>,
    ended: Option<String>,
}

pub(super) fn run(arguments: ProbeArguments) -> anyhow::Result<ExitCode> {
    let upstream = upstream(&arguments)?;
    actix_rt::System::new().block_on(async {
        let limits = Limits::default();
        let mut client = HttpClient::new(&upstream, limits.max_header_bytes);
        let started = Instant::now();
        let response = client.get(&[]).await?;
        let head_after = started.elapsed();
        let mut out = std::io::stdout().lock();
        print_head(&mut out, &upstream.url, &response, head_after)?;
        if response.status() != 200 {
            bail!("{} answered {}: nothing to look at", response.host(), response.status_text());
        }
        let single = response.content_length().is_some();
        let seen = look(response, &arguments, &limits).await;
        print_seen(&mut out, &seen)?;
        if seen.frames == 0 {
            bail!("no picture: {}", seen.ended.as_deref().unwrap_or("none came in time"));
        }
        print_yaml(&mut out, &upstream, single && seen.frames == 1)?;
        Ok(ExitCode::SUCCESS)
    })
}

/// The URL, checked as the configuration checks it.
fn upstream(arguments: &ProbeArguments) -> anyhow::Result<UpstreamConfig> {
    // Through JSON, which is YAML: any character of the URL stays what it is; `$` is not a variable here.
    let url = serde_json::to_string(&arguments.url.replace("${", "$${"))?;
    let yaml = format!(
        "streams: {{probe: {{source: {{type: mjpeg, url: {url}, insecure: {}}}}}}}",
        arguments.insecure
    );
    let config = match parse(&yaml, "URL", &Environment::default()) {
        Ok(config) => config,
        Err(mistakes) => {
            let messages: Vec<_> =
                mistakes.mistakes().iter().map(|mistake| mistake.message.clone()).collect();
            bail!("the URL cannot be used: {}", messages.join("; "));
        }
    };
    match config.streams.into_iter().next().map(|stream| stream.source) {
        Some(SourceConfig::Mjpeg(upstream)) => Ok(upstream),
        _ => bail!("the URL cannot be used"),
    }
}

async fn look(mut response: Response, arguments: &ProbeArguments, limits: &Limits) -> Seen {
    let parser_limits =
        ParserLimits { max_frame_bytes: limits.max_frame_bytes, max_header_bytes: limits.max_header_bytes };
    let mut parser = PartParser::new(ContentKind::from_header(response.content_type()), parser_limits);
    let mut seen = Seen::default();
    let within = Duration::from_secs(arguments.seconds);
    let waiting_for = Deadline::FirstFrame;
    let deadline = BodyDeadline::new(waiting_for, within);
    loop {
        let ended = match response.chunk(deadline).await {
            Ok(Some(chunk)) => {
                parser.push(&chunk);
                false
            }
            Ok(None) => {
                seen.ended = Some("the camera closed the connection".to_owned());
                true
            }
            Err(SourceError::Late { .. }) if seen.frames > 0 => break,
            Err(error) => {
                seen.ended = Some(error.to_string());
                break;
            }
        };
        loop {
            match if ended { parser.finish() } else { parser.next_part() } {
                Ok(Some(part)) => seen.frame(part.jpeg.len(), part.info),
                Ok(None) => break,
                Err(error) => {
                    seen.ended = Some(error.to_string());
                    seen.noticed(&mut parser);
                    return seen;
                }
            }
        }
        seen.noticed(&mut parser);
        if ended || seen.frames >= arguments.frames {
            break;
        }
    }
    seen
}

impl Seen {
    fn frame(&mut self, bytes: usize, info: JpegInfo) {
        let now = Instant::now();
        self.first.get_or_insert(now);
        self.last = Some(now);
        self.smallest = if self.frames == 0 { bytes } else { self.smallest.min(bytes) };
        self.largest = self.largest.max(bytes);
        self.frames += 1;
        self.bytes += bytes as u64;
        let size = (info.width, info.height);
        if !self.sizes.contains(&size) {
            self.sizes.push(size);
        }
        self.info = Some(info);
        if !info.has_huffman_tables {
            add(&mut self.quirks, Quirk::NoHuffmanTables, 1);
        }
    }

    fn noticed(&mut self, parser: &mut PartParser) {
        let events = parser.take_events();
        events.quirks().for_each(|(quirk, times)| add(&mut self.quirks, quirk, times));
        events.discards().for_each(|(why, times)| add(&mut self.discards, why.describe(), times));
    }
}

fn add<T: PartialEq>(counts: &mut Vec<(T, u64)>, what: T, times: u64) {
    match counts.iter_mut().find(|(known, _)| *known == what) {
        Some((_, count)) => *count += times,
        None => counts.push((what, times)),
    }
}

fn print_head(out: &mut impl Write, url: &Url, response: &Response, after: Duration) -> std::io::Result<()> {
    let kind = ContentKind::from_header(response.content_type());
    let end = match response.content_length() {
        Some(length) => format!("after {length} bytes"),
        None if response.is_close_delimited() => "with the connection".to_owned(),
        None => "chunked".to_owned(),
    };
    writeln!(out, "{}", shown(url))?;
    writeln!(out, "  status        {} after {} ms", response.status_text(), after.as_millis())?;
    writeln!(out, "  content type  {}", response.content_type().unwrap_or("none"))?;
    if let ContentKind::Multipart { boundary, quoted } = &kind {
        let how = if *quoted { " (quoted)" } else { "" };
        writeln!(out, "  boundary      {}{how}", boundary.as_deref().unwrap_or("none announced"))?;
    }
    writeln!(out, "  body ends     {end}")
}

fn print_seen(out: &mut impl Write, seen: &Seen) -> std::io::Result<()> {
    let span = seen.first.zip(seen.last).map_or(Duration::ZERO, |(first, last)| last - first);
    writeln!(out, "  frames        {} in {:.1} s", seen.frames, span.as_secs_f64())?;
    if seen.frames > 1 && !span.is_zero() {
        let fps = (seen.frames - 1) as f64 / span.as_secs_f64();
        let rate = seen.bytes as f64 / span.as_secs_f64() / 1000.0;
        writeln!(out, "  rate          {fps:.1} frames/s, {rate:.0} kB/s")?;
    }
    if let Some(info) = seen.info {
        let sizes: Vec<_> = seen.sizes.iter().map(|(width, height)| format!("{width}x{height}")).collect();
        writeln!(out, "  picture       {}, {}", sizes.join(", then "), describe(&info))?;
        writeln!(out, "  frame size    {} to {} bytes", seen.smallest, seen.largest)?;
    }
    for (quirk, times) in &seen.quirks {
        writeln!(out, "  quirk         {}: {} ({times} times)", quirk.as_str(), quirk.describe())?;
    }
    for (why, times) in &seen.discards {
        writeln!(out, "  left out      {times}: {why}")?;
    }
    if let Some(ended) = &seen.ended {
        writeln!(out, "  ended         {ended}")?;
    }
    Ok(())
}

fn describe(info: &JpegInfo) -> String {
    let colour = if info.components == 1 { "grey" } else { "colour" };
    let coding = if info.progressive { "progressive" } else { "baseline" };
    let tables = if info.has_huffman_tables {
        "with Huffman tables"
    } else {
        "without Huffman tables (framecast adds them)"
    };
    format!("{colour}, {coding}, {tables}")
}

fn print_yaml(out: &mut impl Write, upstream: &UpstreamConfig, single: bool) -> std::io::Result<()> {
    let mut url = upstream.url.clone();
    if let Some(login) = &upstream.login {
        // Parsed before, so it has a host, and takes a user.
        let _ = url.set_username(&login.user);
    }
    let mut url = url.to_string();
    if let Some(login) = &upstream.login {
        let user = Url::parse(&url).map(|parsed| parsed.username().to_owned()).unwrap_or(login.user.clone());
        url = url.replacen(&format!("//{user}@"), &format!("//{user}:${{CAMERA_PASSWORD}}@"), 1);
    }
    let kind = if single { "snapshot" } else { "mjpeg" };
    writeln!(
        out,
        "\nIn the configuration:\n\nstreams:\n  camera:\n    source:\n      type: {kind}\n      url: {url}"
    )?;
    if upstream.insecure {
        writeln!(out, "      insecure: true")?;
    }
    Ok(())
}

/// Queries carry tokens, and the password was moved away when the URL was checked.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.to_string()
}
