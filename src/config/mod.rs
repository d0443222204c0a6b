//! Configuration: YAML in, checked types out.
//!
//! `yaml` turns YAML, or the API's JSON, into a tree with positions, and `reader` deserialises the types of
//! `sections` from it and collects every mistake. Each section is one file: its types, their defaults and
//! documentation (which becomes the JSON Schema and the tables of docs/configuration.md), and the checks of
//! several keys together. Raw YAML never leaves this module, and neither does a credential: messages name
//! keys and variables, and excerpts of the file show only values known to be harmless.

mod api_streams;
mod environment;
mod error;
mod root;
mod load;
mod locate;
mod reader;
mod redact;
mod schema;
mod sections;
mod url;
mod values;
mod yaml;

pub use api_streams::{Added, MAX_ADDED, Written};
pub use environment::Environment;
pub use error::{ConfigErrors, Mistake, Position};
pub(crate) use load::STANDARD_INPUT;
pub use load::{ADMIN_VARIABLE, DEMO, demo, load_file, parse, parse_time, parse_with, read_file};
pub use locate::{ConfigSource, effective_path};
pub(crate) use reader::nearest;
pub use reader::written_out;
pub use redact::{STARS, carried_elsewhere, redacted, restored};
pub use root::{Config, unknown_streams};
pub use schema::{annotated_schema, json_schema, stream_schemas, unit};
pub use sections::{
    auth::{AuthConfig, Grant, Role, StreamScope, TokenConfig, TokenHash, UserConfig},
    chart::{AxisConfig, ChartConfig, ChartStyle, PollConfig, Publishers, SeriesConfig, Theme},
    http_source::{HttpAuth, Login, SnapshotConfig, UpstreamConfig},
    limits::Limits,
    log::{AccessLog, LogConfig, LogFormat},
    mosaic::MosaicConfig,
    program::{ExecConfig, RtspConfig, RtspDecoder, RtspPreference, RtspTransport, V4l2Config},
    save::{SaveConfig, SaveTarget, WhenFull},
    server::{
        Ancestor, ApiSources, FrameAncestors, Listen, NoProxy, Proxies, Proxy, SendFile, ServerConfig,
        TlsConfig, parse_listen,
    },
    source::{BambuConfig, ImagesPath, PrinterAddress, SecondPublisher, SourceConfig, TextConfig},
    stream::{Placeholder, PlaceholderConfig, StreamConfig, Timestamps},
    transform::*,
    webhooks::{HookEvent, WebhookConfig},
};
pub use values::{Color, Ink, Secret, Size};
