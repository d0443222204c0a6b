//! `server:`, `limits:`, `defaults:` and `streams:`.

use std::{collections::HashMap, num::NonZeroU32, ops::RangeInclusive, path::PathBuf, time::Duration};

use super::{
    added::Written,
    address, auth, embedding,
    error::Position,
    log,
    model::{
        ApiSources, AuthConfig, Config, Limits, NoProxy, Placeholder, Proxies, Proxy, SaveConfig, SaveTarget,
        SendFile, ServerConfig, SourceConfig, StreamConfig, TlsConfig, WhenFull,
    },
    mosaic,
    node::{Entry, Node, join, printable_key},
    origins, placeholder,
    reader::{Context, Found, Reader, entries},
    rework::Rework,
    schema::{
        self, DEFAULT_KEYS, LIMIT_KEYS, LOG_KEYS, ROOT, SAVE_KEYS, SERVER_KEYS, STREAM_KEYS, Section,
        TLS_KEYS,
    },
    source, sources, steps, suggest,
    units::{self, Wrong},
    webhooks,
};
use crate::media::stream_name::StreamName;

const DAY: Duration = Duration::from_secs(24 * 3600);
const VIEWER_TIMES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// Shorter ones hold nothing that is not on the screen yet; longer ones belong on disk.
const REPLAY_SPANS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// How often a time lapse takes a frame.
const SAVE_INTERVALS: RangeInclusive<Duration> = Duration::from_millis(100)..=DAY;

/// Largest bound of what is saved: 16 TiB, the largest file of ext4.
const MAX_SAVED_BYTES: u64 = 1 << 44;

/// Longest title, in characters: a line of a page.
const MAX_TITLE: usize = 200;

/// Most viewers: more sockets than one process can have.
const MAX_VIEWERS: u64 = 1_000_000;

/// Most renditions that are asked for: more pictures than any machine encodes.
const MAX_RENDITIONS: u64 = 1000;

/// Reads the whole file. None, or something made up in places, if anything is wrong; all of that was noted.
pub(super) fn read_config(context: &Context<'_>, root: &Node) -> Option<Config> {
    let top = Position { line: 1, column: 1 };
    let root = Reader::new(context, &ROOT, String::new(), top, root)?;
    let server = section(context, &root, &schema::SERVER, &SERVER_KEYS);
    let limits = section(context, &root, &schema::LIMITS, &LIMIT_KEYS);
    let defaults = section(context, &root, &schema::DEFAULTS, &DEFAULT_KEYS);
    let log = section(context, &root, &schema::LOG, &LOG_KEYS).and_then(|reader| log::read(&reader));
    let limits = limits.and_then(|reader| read_limits(&reader));
    let max_pixels = limits.as_ref().map(|limits| limits.max_frame_pixels);
    let streams = match (root.find(&schema::STREAMS), &defaults) {
        (Some(found), Some(defaults)) => read_streams(context, found.entry, defaults, max_pixels),
        _ => None,
    };
    let auth = match root.map(&schema::AUTH) {
        Some(entry) => auth::read(context, entry),
        None => Some(AuthConfig::default()),
    };
    let webhooks = webhooks::read(context, &root);
    let server = server.and_then(|reader| read_server(context, &reader, streams.as_ref()));
    let (server, auth, webhooks, log, limits, streams) = (server?, auth?, webhooks?, log?, limits?, streams?);
    let overview = streams.overview.filter(|_| server.mosaic);
    let written = streams.written;
    Some(Config { server, auth, webhooks, log, limits, streams: streams.read?, overview, written })
}

/// A section of the top; one that is not there or empty has all defaults.
fn section<'a>(
    context: &'a Context<'a>,
    root: &Reader<'a>,
    key: &schema::Key,
    section: &'static Section,
) -> Option<Reader<'a>> {
    match root.map(key) {
        Some(entry) => Reader::new(context, section, section.path.to_owned(), entry.key_at, &entry.value),
        None => Some(Reader::empty(context, section, root.at)),
    }
}

fn read_server<'a>(
    context: &'a Context<'a>,
    reader: &Reader<'a>,
    streams: Option<&Streams>,
) -> Option<ServerConfig> {
    let mut listen = Vec::new();
    for (address, at) in reader.list(&schema::LISTEN, address::listen) {
        if listen.contains(&address) {
            reader.wrong_at(at, schema::LISTEN.name, format!("{address} is given twice: remove one"));
        }
        listen.push(address);
    }
    let socket_mode = reader.get(&schema::SOCKET_MODE, address::mode);
    let base_path = reader.get(&schema::BASE_PATH, address::base_path);
    let sendfile = reader.get(&schema::SENDFILE, send_file);
    let tls = match reader.find(&schema::TLS) {
        Some(found) if !source::is_none(found.entry) => Some(read_tls(context, &found)),
        _ => None,
    };
    let trusted_proxies = trusted_proxies(reader);
    let cors = reader.get(&schema::CORS, address::cors);
    let same_site_only = reader.get(&schema::RESOURCE_POLICY, embedding::same_site_only);
    let frame_ancestors = embedding::frame_ancestors(reader);
    let api_sources = reader.get(&schema::API_SOURCES, |text| match text {
        "network" => Ok(ApiSources::Network),
        "network+ffmpeg" => Ok(ApiSources::NetworkAndFfmpeg),
        _ => Err(Wrong::want_not("must be network or network+ffmpeg", text)),
    });
    let mosaic = reader.get(&schema::MOSAIC, units::boolean);
    let default_stream = reader.get(&schema::DEFAULT_STREAM, |text| {
        let known = streams.is_none_or(|streams| {
            let overview = streams.overview.as_ref().filter(|_| mosaic == Some(true));
            streams.names.iter().any(|name| name == text)
                || overview.is_some_and(|stream| stream.name.as_str() == text)
        });
        let name = text.parse::<StreamName>().ok().filter(|_| known);
        name.ok_or_else(|| {
            let names = streams.into_iter().flat_map(|streams| &streams.names).map(String::as_str);
            let meant = suggest::nearest(text, names).map(|name| format!(" (did you mean {name}?)"));
            Wrong::want_not(
                format!("must be the name of a stream of this file{}", meant.unwrap_or_default()),
                text,
            )
        })
    });
    Some(ServerConfig {
        listen,
        socket_mode: socket_mode?,
        base_path: base_path?,
        sendfile: sendfile?,
        tls: match tls {
            Some(tls) => Some(tls?),
            None => None,
        },
        trusted_proxies: trusted_proxies?,
        cors: cors?,
        same_site_only: same_site_only?,
        frame_ancestors,
        api_sources: api_sources?,
        default_stream,
        mosaic: mosaic?,
    })
}

fn trusted_proxies(reader: &Reader<'_>) -> Option<Proxies> {
    let read = reader.list(&schema::TRUSTED_PROXIES, |text| match text {
        "none" => Ok(None),
        proxy => proxy.parse::<Proxy>().map(Some).map_err(|NoProxy| {
            Wrong::want_not("must be an address, a network such as 10.0.0.0/8, unix, or none", proxy)
        }),
    });
    (!read.is_empty()).then(|| read.into_iter().filter_map(|(proxy, _)| proxy).collect())
}

fn read_tls<'a>(context: &'a Context<'a>, found: &Found<'a>) -> Option<TlsConfig> {
    let reader = Reader::new(context, &TLS_KEYS, found.path.clone(), found.entry.key_at, &found.entry.value)?;
    let file = |text: &str| Ok(PathBuf::from(text));
    let cert_file = reader.get(&schema::CERT_FILE, file);
    let key_file = reader.get(&schema::KEY_FILE, file);
    let http2 = reader.get(&schema::HTTP2, units::boolean);
    let redirect_from = reader.list(&schema::REDIRECT_FROM, |text| match text {
        "none" => Ok(None),
        address => address::tcp(address).map(Some),
    });
    let redirect_from = redirect_from.into_iter().filter_map(|(address, _)| address).collect();
    Some(TlsConfig { cert_file: cert_file?, key_file: key_file?, http2: http2?, redirect_from })
}

fn read_limits(reader: &Reader<'_>) -> Option<Limits> {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    let bytes = |key, most| {
        let bytes = reader.get(key, |text| units::bytes(text, KIB..=most))?;
        Some(usize::try_from(bytes).expect("the limit fits 32 bits"))
    };
    let viewers = |key| {
        let viewers = reader.get(key, |text| units::count(text, 1..=MAX_VIEWERS))?;
        Some(usize::try_from(viewers).expect("the limit fits 32 bits"))
    };
    let max_frame_bytes = bytes(&schema::MAX_FRAME_BYTES, 1024 * MIB);
    let max_header_bytes = bytes(&schema::MAX_HEADER_BYTES, MIB);
    let max_frame_pixels =
        reader.get(&schema::MAX_FRAME_PIXELS, |text| units::count(text, 1..=1_000_000_000));
    let max_viewers = viewers(&schema::MAX_VIEWERS);
    let max_viewers_per_stream = viewers(&schema::MAX_VIEWERS_PER_STREAM);
    let max_live_connections = viewers(&schema::MAX_LIVE_CONNECTIONS);
    let max_viewers_per_address = reader.get(&schema::MAX_VIEWERS_PER_ADDRESS, |text| match text {
        "none" => Ok(None),
        viewers => units::count(viewers, 1..=MAX_VIEWERS).map(|viewers| usize::try_from(viewers).ok()),
    });
    let max_requests_per_second = reader.get(&schema::MAX_REQUESTS_PER_SECOND, |text| match text {
        "none" => Ok(None),
        requests => {
            let requests = units::count(requests, 1..=100_000)?;
            Ok(u32::try_from(requests).ok().and_then(NonZeroU32::new))
        }
    });
    let max_replay_bytes = reader.get(&schema::MAX_REPLAY_BYTES, |text| units::bytes(text, MIB..=1024 * MIB));
    let max_renditions = reader.get(&schema::MAX_RENDITIONS, |text| units::count(text, 0..=MAX_RENDITIONS));
    let budget = |key| {
        reader.get(key, |text| match text {
            "auto" => Ok(None),
            size => units::bytes(size, MIB..=64 * 1024 * MIB).map(|bytes| usize::try_from(bytes).ok()),
        })
    };
    let count_or_none = |key| {
        reader.get(key, |text| match text {
            "none" => Ok(None),
            number => units::count(number, 1..=100_000).map(|number| usize::try_from(number).ok()),
        })
    };
    let max_decode_bytes = budget(&schema::MAX_DECODE_BYTES);
    let max_upload_bytes = budget(&schema::MAX_UPLOAD_BYTES);
    let max_uploads_per_stream =
        reader.get(&schema::MAX_UPLOADS_PER_STREAM, |text| units::count(text, 1..=1000));
    let max_uploads_per_address = count_or_none(&schema::MAX_UPLOADS_PER_ADDRESS);
    let max_unsent_bytes = budget(&schema::MAX_UNSENT_BYTES);
    let max_unsent_bytes_per_connection = reader
        .get(&schema::MAX_UNSENT_BYTES_PER_CONNECTION, |text| units::bytes(text, 64 * KIB..=1024 * MIB));
    let max_connections_per_address = count_or_none(&schema::MAX_CONNECTIONS_PER_ADDRESS);
    Some(Limits {
        max_frame_bytes: max_frame_bytes?,
        max_frame_pixels: max_frame_pixels?,
        max_header_bytes: max_header_bytes?,
        max_viewers: max_viewers?,
        max_viewers_per_stream: max_viewers_per_stream?,
        max_live_connections: max_live_connections?,
        max_viewers_per_address: max_viewers_per_address?,
        max_requests_per_second: max_requests_per_second?,
        max_replay_bytes: usize::try_from(max_replay_bytes?).expect("the limit fits 32 bits"),
        max_renditions: usize::try_from(max_renditions?).expect("the limit fits 32 bits"),
        max_decode_bytes: max_decode_bytes?,
        max_upload_bytes: max_upload_bytes?,
        max_uploads_per_stream: usize::try_from(max_uploads_per_stream?).expect("the limit fits 32 bits"),
        max_uploads_per_address: max_uploads_per_address?,
        max_unsent_bytes: max_unsent_bytes?,
        max_unsent_bytes_per_connection: usize::try_from(max_unsent_bytes_per_connection?)
            .expect("the limit fits 32 bits"),
        max_connections_per_address: max_connections_per_address?,
    })
}

/// What is beneath `streams:`.
struct Streams {
    /// The names in the file.
    names: Vec<String>,
    /// None if something is wrong with any.
    read: Option<Vec<StreamConfig>>,
    /// All of them in one picture.
    overview: Option<StreamConfig>,
    /// What stands in the file for each.
    written: Written,
}

fn read_streams<'a>(
    context: &'a Context<'a>,
    streams: &'a Entry,
    defaults: &'a Reader<'a>,
    max_pixels: Option<u64>,
) -> Option<Streams> {
    let want = || "each stream's name with its `source` beneath".to_owned();
    let entries = entries(context, "streams", &streams.value, want)?;
    if entries.is_empty() {
        context.mistakes.add(streams.value.at, "streams", "is empty: name at least one stream");
    }
    // Once by itself, so that what is wrong in it is found even if every stream says otherwise.
    let settings = Settings::read(context, defaults);
    let mut saved = HashMap::new();
    let names: Vec<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    let read = |entry| read_stream(context, entry, defaults, max_pixels, &mut saved);
    let read: Vec<Option<StreamConfig>> = entries.iter().map(read).collect();
    origins::check(context, entries, &names, &read);
    let read: Option<Vec<StreamConfig>> = read.into_iter().collect();
    let overview = read.as_ref().zip(settings).and_then(|(read, settings)| mosaic::overview(read, settings));
    Some(Streams { names, read, overview, written: Written::read(entries) })
}

fn read_stream<'a>(
    context: &'a Context<'a>,
    entry: &'a Entry,
    defaults: &'a Reader<'a>,
    max_pixels: Option<u64>,
    saved: &mut HashMap<PathBuf, String>,
) -> Option<StreamConfig> {
    let path = join("streams", &printable_key(&entry.key));
    let name: Option<StreamName> = match entry.key.parse() {
        Ok(name) => Some(name),
        Err(error) => {
            context.mistakes.add(entry.key_at, &path, error.to_string());
            None
        }
    };
    let reader = Reader::new(context, &STREAM_KEYS, path.clone(), entry.key_at, &entry.value)?.or(defaults);
    let title = reader.get(&schema::TITLE, title);
    let source = reader.find(&schema::SOURCE);
    let source =
        source.and_then(|found| sources::read(context, &join(&path, "source"), found.entry, max_pixels));
    let settings = Settings::read(context, &reader);
    let (name, (source, fallbacks), settings) = (name?, source?, settings?);
    if let Some(save) = &settings.save {
        refuse_shared_save(&reader, &save.target, &name, saved);
    }
    let push = matches!(source, SourceConfig::Push { .. });
    if push && reader.own(&schema::ON_DEMAND).is_some() && settings.on_demand == Some(true) {
        reader.wrong(&schema::ON_DEMAND, "a push stream always runs: remove the key");
    }
    // A graph that is fetched only while somebody watches would have a hole for the rest of the time.
    let polls = |source: &SourceConfig| matches!(source, SourceConfig::Chart(chart) if chart.poll.is_some());
    let polled = polls(&source) || fallbacks.iter().any(polls);
    Some(StreamConfig {
        title: title.unwrap_or_else(|| name.to_string()),
        name,
        on_demand: !push && settings.on_demand.unwrap_or(!(polled || settings.wants_every_frame())),
        source,
        fallbacks,
        failback_after: settings.failback_after,
        linger: settings.linger,
        max_fps: settings.max_fps,
        placeholder: settings.placeholder,
        chunked: settings.chunked,
        viewer_timeout: settings.viewer_timeout,
        adapt: settings.adapt,
        save: settings.save,
        rework: settings.rework,
        replay: settings.replay,
    })
}

fn title(text: &str) -> Result<String, Wrong> {
    let fits =
        !text.trim().is_empty() && text.chars().count() <= MAX_TITLE && !text.contains(char::is_control);
    let want = || Wrong::want(format!("must be one line of 1 to {MAX_TITLE} characters"));
    if fits { Ok(text.to_owned()) } else { Err(want()) }
}

/// What `defaults:` may hold too.
pub(super) struct Settings {
    pub(super) on_demand: Option<bool>,
    pub(super) linger: Duration,
    pub(super) max_fps: Option<f64>,
    pub(super) failback_after: Duration,
    pub(super) placeholder: Placeholder,
    pub(super) chunked: bool,
    pub(super) viewer_timeout: Duration,
    pub(super) adapt: bool,
    pub(super) save: Option<SaveConfig>,
    pub(super) rework: Rework,
    pub(super) replay: Option<Duration>,
}

impl Settings {
    /// Frames are of use whether or not somebody watches.
    fn wants_every_frame(&self) -> bool {
        self.save.is_some() || self.replay.is_some()
    }

    fn read<'a>(context: &'a Context<'a>, reader: &Reader<'a>) -> Option<Self> {
        let on_demand = reader.get(&schema::ON_DEMAND, units::boolean);
        let linger = reader.get(&schema::LINGER, |text| units::duration(text, Duration::ZERO..=DAY));
        let max_fps = reader.get(&schema::MAX_FPS, |text| match text {
            "none" => Ok(None),
            rate => units::fps(rate).map(Some),
        });
        let failback_after =
            reader.get(&schema::FAILBACK_AFTER, |text| units::duration(text, Duration::ZERO..=DAY));
        let placeholder = placeholder::read(context, reader);
        let chunked = reader.get(&schema::CHUNKED, units::boolean);
        let viewer_timeout = reader.get(&schema::VIEWER_TIMEOUT, |text| units::duration(text, VIEWER_TIMES));
        let adapt = reader.get(&schema::ADAPT, units::boolean);
        let save = match reader.find(&schema::SAVE) {
            Some(found) if !source::is_none(found.entry) => Some(read_save(context, &found)),
            _ => None,
        };
        let rework = steps::read(context, reader);
        let replay = reader.get(&schema::REPLAY, |text| match text {
            "none" => Ok(None),
            span => units::duration(span, REPLAY_SPANS).map(Some),
        });
        Some(Self {
            on_demand,
            linger: linger?,
            max_fps: max_fps?,
            failback_after: failback_after?,
            placeholder: placeholder?,
            chunked: chunked?,
            viewer_timeout: viewer_timeout?,
            adapt: adapt?,
            save: match save {
                Some(save) => Some(save?),
                None => None,
            },
            rework: rework?,
            replay: replay?,
        })
    }
}

fn read_save<'a>(context: &'a Context<'a>, found: &Found<'a>) -> Option<SaveConfig> {
    let reader =
        Reader::new(context, &SAVE_KEYS, found.path.clone(), found.entry.key_at, &found.entry.value)?;
    let file = |text: &str| {
        if PathBuf::from(text).is_dir() {
            Err(Wrong::want_not("must be a file, not a folder", text))
        } else {
            writable(text)
        }
    };
    let latest = reader.get(&schema::LATEST, file);
    let dir = reader.get(&schema::DIR, writable);
    let keep = reader.get(&schema::KEEP, |text| {
        let keep = units::count(text, 1..=1_000_000)?;
        Ok(u32::try_from(keep).ok().and_then(NonZeroU32::new).expect("checked to be from 1 to 1000000"))
    });
    let append = reader.get(&schema::APPEND, file);
    let max_bytes = reader.get(&schema::MAX_SAVED_BYTES, |text| units::bytes(text, 1024..=MAX_SAVED_BYTES));
    let when_full = reader.get(&schema::WHEN_FULL, |text| match text {
        "rotate" => Ok(WhenFull::Rotate),
        "stop" => Ok(WhenFull::Stop),
        _ => Err(Wrong::want_not("must be rotate or stop", text)),
    });
    let every = reader.get(&schema::SAVE_EVERY, |text| units::duration(text, SAVE_INTERVALS));
    let given = |key| reader.own(key).is_some();
    if let Some(problem) = wrong_combination(given) {
        context.mistakes.add(found.entry.key_at, &found.path, problem);
        return None;
    }
    // What is given but was wrong is noted; the whole is not used then.
    let bound = |key, value: bool| !given(key) || value;
    let right = bound(&schema::KEEP, keep.is_some())
        && bound(&schema::MAX_SAVED_BYTES, max_bytes.is_some())
        && bound(&schema::SAVE_EVERY, every.is_some());
    let target = match (given(&schema::LATEST), given(&schema::DIR)) {
        (true, _) => SaveTarget::Latest(latest?),
        (_, true) => SaveTarget::Ring { dir: dir?, keep, max_bytes },
        _ => SaveTarget::Append { file: append?, max_bytes: max_bytes?, when_full: when_full? },
    };
    right.then_some(SaveConfig { target, every })
}

/// What is wrong with the keys that stand beside each other, if anything.
fn wrong_combination(given: impl Fn(&'static schema::Key) -> bool) -> Option<&'static str> {
    let (latest, dir, append) = (given(&schema::LATEST), given(&schema::DIR), given(&schema::APPEND));
    let (keep, bytes, when_full) =
        (given(&schema::KEEP), given(&schema::MAX_SAVED_BYTES), given(&schema::WHEN_FULL));
    let right = match (latest, dir, append) {
        (true, false, false) => !keep && !bytes && !when_full,
        (false, true, false) => (keep || bytes) && !when_full,
        (false, false, true) => bytes && !keep,
        _ => false,
    };
    let wanted = "must be {latest: FILE}, {dir: FOLDER, keep: NUMBER} (or max_bytes: SIZE) or {append: FILE, \
                  max_bytes: SIZE}";
    (!right).then_some(wanted)
}

/// A path whose parent folder exists.
fn writable(text: &str) -> Result<PathBuf, Wrong> {
    let path = PathBuf::from(text);
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => return Err(Wrong::want("must be a path below an existing folder")),
    };
    if parent.is_dir() {
        return Ok(path);
    }
    Err(Wrong::want_not("must be in a folder that exists", text))
}

/// Two streams that write the same file would show each other's frames.
fn refuse_shared_save(
    reader: &Reader<'_>,
    target: &SaveTarget,
    name: &StreamName,
    saved: &mut HashMap<PathBuf, String>,
) {
    if let Some(other) = saved.insert(target.place().to_owned(), name.to_string()) {
        reader.wrong(&schema::SAVE, format!("stream {other} saves there too: give each its own path"));
    }
}

fn send_file(text: &str) -> Result<SendFile, Wrong> {
    match text {
        "auto" => Ok(SendFile::Auto),
        _ => match units::boolean(text) {
            Ok(true) => Ok(SendFile::Auto),
            Ok(false) => Ok(SendFile::Never),
            Err(_) => Err(Wrong::want_not("must be auto, true or false", text)),
        },
    }
}
