//! Every key, once: the readers take name and default from here, and a test holds docs/configuration.md and
//! config/framecast.yaml against it.

/// A key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// As in the file.
    pub name: &'static str,
    /// Its type or unit, in words.
    pub unit: &'static str,
    /// What holds when it is not given.
    pub default: Default,
    /// What it does.
    pub meaning: &'static str,
    /// Whether an excerpt of the file may show its value.
    pub(super) value: Value,
}

/// What holds when a key is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// The mistake says what is needed.
    Required(&'static str),
    /// As if this were in the file.
    Is(&'static str),
    /// In words: nothing, or something that depends on other keys.
    Words(&'static str),
}

/// What kind of text a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// May be shown.
    Open,
    /// May hold a credential: never shown.
    Secret,
    /// May hold a credential in known places.
    Url,
}

/// The keys that may stand beside each other.
#[derive(Debug)]
pub struct Section {
    /// Where: `server`, or a pattern such as `streams.NAME`.
    pub path: &'static str,
    /// Its keys, in the order of the documents.
    pub keys: &'static [&'static Key],
}

const fn key(name: &'static str, unit: &'static str, default: Default, meaning: &'static str) -> Key {
    Key { name, unit, default, meaning, value: Value::Open }
}

const fn secret(key: Key) -> Key {
    Key { value: Value::Secret, ..key }
}

use super::schema::Default::{Is, Required, Words};

macro_rules! keys {
    ($($constant:ident = $name:literal, $unit:literal, $default:expr, $meaning:literal;)+) => {
        $(pub(super) static $constant: Key = key($name, $unit, $default, $meaning);)+
    };
}

keys! {
    SERVER = "server", "map", Words("all defaults"), "Where and how to listen.";
    LOG = "log", "map", Words("all defaults"), "How the log is written.";
    LIMITS = "limits", "map", Words("all defaults"), "Bounds that hold for all streams.";
    AUTH = "auth", "map", Words("everybody may watch"), "Who may watch, push and change things.";
    WEBHOOKS = "webhooks", "map", Words("nothing"), "Who is told what happens to streams, by a name for the log.";
    DEFAULTS = "defaults", "map", Words("nothing"), "Settings for every stream that does not say otherwise: any key of a stream but `source` and `title`.";
    STREAMS = "streams", "map", Required("name at least one stream"), "The streams, by name (`a-z 0-9 _ -`, up to 64 characters). Their order counts for mjpg-streamer's `stream_N`.";

    LISTEN = "listen", "address:port, or a list", Is("127.0.0.1:8080"), "Addresses to listen on. `0.0.0.0:8080` is every IPv4 network, `[::]:8080` every network (in quotes), `localhost` this machine, `unix:/run/framecast.sock` a Unix socket (always plain HTTP).";
    SOCKET_MODE = "socket_mode", "octal number", Is("660"), "Who may connect to Unix sockets, as in `chmod`.";
    BASE_PATH = "base_path", "path", Is("\"\""), "Prefix of every route, such as `/webcam` behind a proxy.";
    SENDFILE = "sendfile", "auto, true or false", Is("auto"), "Send frames to eight viewers and more on plain TCP from pages of the kernel that all share, as `sendfile` does (Linux). `auto` and `true` mean the same; `false` writes to each viewer.";
    TLS = "tls", "map, or `none`", Is("none"), "Speak TLS, and nothing else, on all addresses: `cert_file` and `key_file`.";
    TRUSTED_PROXIES = "trusted_proxies", "address, network, `unix`, or a list; or `none`", Is("none"), "Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed: `127.0.0.1`, `10.0.0.0/8`; `unix` is whoever comes over a Unix socket.";
    CORS = "cors", "`\"*\"`, an origin, or `none`", Is("\"*\""), "`Access-Control-Allow-Origin` on streams, snapshots, replays and clips. Never sent on other routes.";
    RESOURCE_POLICY = "cross_origin_resource_policy", "same-site or none", Is("same-site"), "With `cors: none`: send `Cross-Origin-Resource-Policy: same-site`, so that browsers do not show pictures of framecast in pages of other sites. `none`: do not send it.";
    FRAME_ANCESTORS = "frame_ancestors", "`self`, `\"*\"`, an origin, or a list; or `none`", Is("self"), "Whose pages may show framecast's pages in a frame (`Content-Security-Policy`). Streams and pictures can be shown by every page.";
    API_SOURCES = "api_sources", "network or network+ffmpeg", Is("network"), "What streams that are added over HTTP may get their pictures from: addresses that framecast itself asks, or also cameras of `type: rtsp`, for which it starts ffmpeg. Streams of the file may have all sources.";
    DEFAULT_STREAM = "default_stream", "name of a stream", Words("the first stream"), "What `/stream`, `/snapshot` and `/video_feed` mean.";
    MOSAIC = "mosaic", "true or false", Is("true"), "All streams in one picture at `/streams/all`, unless a stream has that name. It costs nothing while nobody watches it.";

    CERT_FILE = "cert_file", "path of a file", Required("the PEM file with the certificate, followed by those that vouch for it"), "Certificate in PEM, the server's own first, followed by those that vouch for it. Relative to the working directory.";
    KEY_FILE = "key_file", "path of a file", Required("the PEM file with the certificate's private key"), "Its private key in PEM, not encrypted (PKCS#8, PKCS#1 or SEC1).";
    REDIRECT_FROM = "redirect_from", "address:port, or a list; or `none`", Is("none"), "Answer plain HTTP there with a redirect to the first address of `server.listen`.";
    HTTP2 = "http2", "true or false", Is("true"), "Offer HTTP/2, over which browsers watch up to 256 streams on one connection. `false`: HTTP/1.1 only.";

    ANONYMOUS = "anonymous", "`all`, `none`, or names of streams", Is("none"), "What whoever comes may watch.";
    TOKENS = "tokens", "map", Words("nothing"), "Tokens, by a name for the log.";
    USERS = "users", "map", Words("nothing"), "Users, by the name they log in with.";
    SESSION = "session", "time, 60s to 8784h", Is("168h"), "How long a browser stays logged in.";
    ROLE = "role", "view, push or admin", Required("view, push or admin"), "What may be done; each role may do what those before it may.";
    GRANTED = "streams", "`all`, or names of streams", Is("all"), "With which streams. `all` are also those to come.";

    WEBHOOK_EVENTS = "events", "lost, back, no-viewers, or a list", Words("`lost` and `back`"), "What is told.";
    WEBHOOK_STREAMS = "streams", "`all`, `none`, or names of streams", Is("all"), "Of which streams.";
    WEBHOOK_AFTER = "after", "time, 0s to 24h", Is("10s"), "How long a stream must have been away, or without viewers, before that is told.";
    WEBHOOK_TIMEOUT = "timeout", "time, 100ms to 1m", Is("10s"), "How long one try may take.";
    LOG_FORMAT = "format", "text or json", Is("text"), "One line of text an event, for people, or one object in JSON, for what collects logs. `--log-format` and `FRAMECAST_LOG_FORMAT` go before it.";
    LOG_ACCESS = "access", "notable, all or none", Is("notable"), "Which requests have a line: those that are few and of interest (viewers, publishers, changes, and who was refused), every one, or none. `RUST_LOG`, if it is set, says instead.";

    MAX_FRAME_BYTES = "max_frame_bytes", "size, 1KiB to 1GiB", Is("8MiB"), "Larger frames are refused, and counted.";
    MAX_FRAME_PIXELS = "max_frame_pixels", "pixels (width times height)", Is("50000000"), "Larger pictures are refused, and counted, whether or not they are decoded here.";
    MAX_HEADER_BYTES = "max_header_bytes", "size, 1KiB to 1MiB", Is("16KiB"), "Longest header section of an upstream's answer or part.";
    MAX_VIEWERS = "max_viewers", "number", Is("2000"), "Viewers of all streams together; one more gets 503.";
    MAX_VIEWERS_PER_STREAM = "max_viewers_per_stream", "number", Is("1000"), "Viewers of one stream; one more gets 503.";
    MAX_LIVE_CONNECTIONS = "max_live_connections", "number", Is("200"), "Pages that show live tiles at the same time; one more gets 503. They are no viewers.";

    MAX_VIEWERS_PER_ADDRESS = "max_viewers_per_address", "number, or `none`", Is("none"), "Viewers from one address, and pages with live tiles, each of which counts as one; one more gets 429.";
    MAX_REQUESTS_PER_SECOND = "max_requests_per_second", "number, 1 to 100000, or `none`", Is("none"), "Requests a second from one address, ten times as many at once; more get 429.";
    MAX_REPLAY_BYTES = "max_replay_bytes", "size, 1MiB to 1GiB", Is("64MiB"), "What one stream with `replay` keeps in memory; the oldest pictures go first.";
    MAX_RENDITIONS = "max_renditions", "number, 0 to 1000", Is("16"), "Renditions that viewers ask for in the URL (`?width=320`) and that run at the same time, of all streams together; one more gets 503.";
    MAX_DECODE_BYTES = "max_decode_bytes", "size, 1MiB to 64GiB, or `auto`", Is("auto"), "Memory for decoding, drawing and encoding pictures, of all together. Three quarters are for pictures that are being processed, which wait for it, and are refused if they need more; pushed files that are converted have nine sixteenths (docs/operations.md says how much pictures take). A quarter is for what is kept between two pictures, such as mosaics. `auto`: 6/16 of the container's memory limit, 24MiB at least and 512MiB at most.";
    MAX_UPLOAD_BYTES = "max_upload_bytes", "size, 1MiB to 64GiB, or `auto`", Is("auto"), "Request bodies that are being received, of all together; one more byte gets 503 (docs/hardening.md says how it is divided). `auto`: 3/16 of the container's memory limit, 256MiB at most.";
    MAX_UPLOADS_PER_STREAM = "max_uploads_per_stream", "number, 1 to 1000", Is("8"), "Uploads to one stream at the same time; one more gets 503.";
    MAX_UPLOADS_PER_ADDRESS = "max_uploads_per_address", "number, 1 to 100000, or `none`", Is("16"), "Uploads without a credential (`token: none`) from one address at the same time; one more gets 503. Feeds do not count: a stream has one.";
    MAX_UNSENT_BYTES = "max_unsent_bytes", "size, 1MiB to 64GiB, or `auto`", Is("auto"), "Answers that clients have not taken yet, of all connections together; further requests wait, or get 503. `auto`: 2/16 of the container's memory limit, 256MiB at most.";
    MAX_UNSENT_BYTES_PER_CONNECTION = "max_unsent_bytes_per_connection", "size, 64KiB to 1GiB", Is("1MiB"), "The same for one connection.";
    MAX_CONNECTIONS_PER_ADDRESS = "max_connections_per_address", "number, 1 to 100000, or `none`", Is("none"), "Connections from one address at the same time. Behind a proxy all clients may be one address: see `server.trusted_proxies`.";

    TITLE = "title", "text", Words("the stream's name"), "What people read.";
    SOURCE = "source", "map, or list of maps", Required("say where the frames come from, such as `source: {type: mjpeg, url: \"http://…\"}`"), "Where the frames come from; which keys it has depends on its `type`. Of a list the first that is well is used.";
    FAILBACK_AFTER = "failback_after", "time, 0s to 24h", Is("30s"), "With a list of sources: one that is back is used again when frames came from it for so long.";
    ON_DEMAND = "on_demand", "true or false", Words("`true`; `false` with `save`, `replay` or `poll`"), "Run the source only while somebody watches. `false` keeps it running. A push stream always runs.";
    LINGER = "linger", "time, 0s to 24h", Is("10s"), "How long the source runs on after its last viewer left.";
    MAX_FPS = "max_fps", "number from 0.00001 to 240, or `none`", Is("none"), "Frames above this rate are dropped, and counted.";
    PLACEHOLDER = "placeholder", "`card`, `last`, `none`, true, false, or map", Is("card"), "What viewers see while the source is away: a card with the stream's name and the reason, the last picture dimmed with the same words, nothing new, or a picture of your own. `true` is `card`, `false` is `none`.";
    PLACEHOLDER_IMAGE = "image", "path of a file", Required("the picture to show, such as {image: offline.png}"), "A picture to show: JPEG, PNG, WebP, GIF or BMP, of at most 50 million pixels. Fitted into the size of the stream's last picture.";
    PLACEHOLDER_LABEL = "label", "true or false", Is("true"), "Write the stream's name, since when, and why below it.";
    CHUNKED = "chunked", "true or false", Is("true"), "Chunked transfer coding to HTTP/1.1 viewers. `false` for old programs that cannot read it.";
    VIEWER_TIMEOUT = "viewer_timeout", "time, 1s to 1h", Is("10s"), "A viewer that takes nothing for so long is let go.";
    ADAPT = "adapt", "true or false", Is("false"), "Viewers whose link does not carry the stream get smaller pictures for as long as it does not, without asking for them with `?adapt=1`.";
    SAVE = "save", "map, or `none`", Is("none"), "Write frames to disk too: `latest`, `dir` or `append`.";
    REPLAY = "replay", "time, 1s to 1h, or `none`", Is("none"), "Keep the pictures of the last so long in memory, for `/streams/NAME/replay` and `/streams/NAME/clip`.";

    TRANSFORM = "transform", "list of steps, or `none`", Is("none"), "What is done to its pictures, in this order: each step is one of `crop`, `scale`, `rotate`, `flip`, `grayscale`, `mask`, `text`, `image`. A picture is turned as its EXIF data say first.";
    ENCODE = "encode", "map", Words("all defaults"), "How transformed pictures are encoded. Without `transform` it encodes each picture anew.";
    STRIP_METADATA = "strip_metadata", "true or false", Is("false"), "Take EXIF, GPS and other metadata out of pictures that are not encoded anew; those that are have none.";

    CROP = "crop", "map", Words("nothing"), "Keep a part.";
    SCALE = "scale", "map", Words("nothing"), "Make it smaller or larger: `width`, `height`, or both.";
    ROTATE = "rotate", "90, 180 or 270", Words("nothing"), "Turn it clockwise.";
    FLIP = "flip", "horizontal or vertical", Words("nothing"), "Mirror it: `horizontal` makes left right.";
    GRAYSCALE = "grayscale", "true or false", Words("nothing"), "Take its colours.";
    MASK = "mask", "list of maps", Words("nothing"), "Hide parts.";
    CAPTION = "text", "map", Words("nothing"), "Draw a text.";
    LOGO = "image", "map", Words("nothing"), "Draw a picture.";
    PART_X = "x", "pixels", Is("0"), "From the left side.";
    PART_Y = "y", "pixels", Is("0"), "From the top.";
    PART_WIDTH = "width", "pixels", Required("pixels across"), "Pixels across; what is beyond the picture is left out.";
    PART_HEIGHT = "height", "pixels", Required("pixels down"), "Pixels down; what is beyond the picture is left out.";
    FILL = "fill", "`blur`, or colour in quotes", Is("blur"), "What is there instead.";
    SCALE_WIDTH = "width", "pixels, up to 8192", Words("as `height` makes it"), "New width.";
    SCALE_HEIGHT = "height", "pixels, up to 8192", Words("as `width` makes it"), "New height.";
    FIT = "fit", "contain, cover or stretch", Is("contain"), "With both: the whole picture within the size; or exactly the size, cut evenly at two sides; or stretched.";
    CAPTION_TEXT = "text", "text", Required("the text to draw, with strftime's % conversions and {title}"), "What to draw, with strftime's conversions for the time at which the picture came, and `{title}` for the stream's title.";
    CAPTION_POSITION = "position", "word", Is("bottom-left"), "`top-left`, `top`, `top-right`, `left`, `center`, `right`, `bottom-left`, `bottom` or `bottom-right`.";
    CAPTION_SIZE = "size", "pixels, 4 to 512", Is("16"), "Height of the letters.";
    CAPTION_COLOR = "color", "colour, in quotes", Is("\"#ffffff\""), "Colour of the letters; `\"#rrggbbaa\"` and `\"#rgba\"` let through what is beneath.";
    CAPTION_BACKGROUND = "background", "colour in quotes, or `none`", Is("\"#0008\""), "Colour behind them.";
    LOGO_PATH = "path", "PNG file", Required("the PNG file to draw"), "Which picture; with its transparency. At most 4096 pixels a side.";
    LOGO_POSITION = "position", "word", Is("top-right"), "As of `text`.";
    OPACITY = "opacity", "number, 0 to 1", Is("1"), "How much it covers.";
    QUALITY = "quality", "number, 1 to 100", Is("80"), "JPEG quality.";
    SUBSAMPLING = "subsampling", "420, 422 or 444", Is("420"), "How many pixels share a colour: four, two, or none.";
    OF = "of", "name of a stream", Required("the stream whose pictures it shows"), "The stream whose pictures it shows. It runs while this one does.";
    SECOND_PUBLISHER = "second_publisher", "replaces or refused", Is("replaces"), "What becomes of a feed that comes while another feeds the stream: it takes its place, or is refused with 409, as single pictures are then.";
    ORIGIN_TIMEOUT = "frame_timeout", "time, 100ms to 24h", Words("none"), "The other stream is taken for away when it shows no new picture for so long: for one that is pushed, in a list of sources.";

    TILES = "of", "list of names of streams", Required("the streams that it shows, such as [front-door, porch]"), "The streams that it shows, row by row; at most 64, each once. They run while this one does.";
    MOSAIC_SIZE = "size", "width x height", Is("1920x1080"), "Picture size in pixels; both even.";
    COLUMNS = "columns", "number, 1 to 64, or `auto`", Is("auto"), "Tiles in a row. `auto`: as many as make the tiles largest.";
    MOSAIC_FPS = "fps", "number from 0.00001 to 240", Is("10"), "Pictures per second at most: one is drawn only when a tile has changed.";
    LABELS = "labels", "true or false", Is("true"), "Write each stream's title on its tile.";
    GAP = "gap", "pixels, 0 to 100", Is("4"), "Between tiles.";
    MOSAIC_BACKGROUND = "background", "colour, in quotes", Is("\"#14181d\""), "Colour between and around the tiles.";

    LATEST = "latest", "path of a file", Words("nothing"), "One file that is always the newest frame, replaced atomically. Its folder must exist.";
    DIR = "dir", "path of a folder", Words("nothing"), "The newest frames as files in this folder, which is made if absent: `keep` of them, or `max_bytes`, or what is less of both.";
    KEEP = "keep", "number, 1 to 1000000", Words("`dir` needs it or `max_bytes`"), "How many files stay in `dir`.";
    APPEND = "append", "path of a file", Words("nothing"), "One file with JPEGs one behind the other, up to `max_bytes`. Its folder must exist.";
    MAX_SAVED_BYTES = "max_bytes", "size, 1KiB to 16384GiB", Words("needed with `append`"), "How many bytes the file of `append` has at most, or the files of `dir` together.";
    WHEN_FULL = "when_full", "`rotate` or `stop`", Is("rotate"), "`append`: a full `a.mjpg` becomes `a.1.mjpg`, in place of the one before, and a new one is begun (so both have twice `max_bytes`); or it stays, and nothing more is saved.";
    SAVE_EVERY = "every", "time, 100ms to 24h", Words("every frame"), "One frame each so long: a time lapse.";

    TYPE = "type", "word", Required("one of mjpeg, snapshot, exec, rtsp, v4l2, push, chart, text, pattern, images, rendition, mosaic"), "What kind of source it is.";
    INSECURE = "insecure", "true or false", Is("false"), "Accept any certificate. Logged when used.";
    CONNECT_TIMEOUT = "connect_timeout", "time, 100ms to 10m", Is("5s"), "From the start of connecting to the end of the TLS handshake.";
    HEAD_TIMEOUT = "head_timeout", "time, 100ms to 10m", Is("10s"), "From the request to the end of the answer's head.";
    FIRST_FRAME_TIMEOUT = "first_frame_timeout", "time, 100ms to 10m", Is("10s"), "From the answer's head to the first whole frame.";
    FRAME_TIMEOUT = "frame_timeout", "time, 100ms to 24h", Is("10s"), "From one whole frame to the next.";
    INTERVAL = "interval", "time, 10ms to 24h", Is("1s"), "From the start of one request to the start of the next.";
    TEXT = "text", "text", Required("the text to draw, with strftime's % conversions"), "What to draw, with strftime's conversions: `%H:%M:%S`. A literal `%` is `%%`.";
    FONT_SIZE = "font_size", "pixels, 4 to 512", Is("16"), "Height of the letters.";
    COLOR = "color", "colour, in quotes", Is("\"#000000\""), "Colour of the letters: `\"#rrggbb\"` or `\"#rgb\"`.";
    BACKGROUND = "background", "colour, in quotes", Is("\"#ffffff\""), "Colour behind them.";
    TEXT_SIZE = "size", "width x height", Is("300x30"), "Picture size in pixels.";
    TEXT_FPS = "fps", "number from 0.00001 to 240", Is("1"), "Pictures per second.";
    PATTERN_SIZE = "size", "width x height", Is("640x480"), "Picture size in pixels.";
    PATTERN_FPS = "fps", "number from 0.00001 to 240", Is("10"), "Pictures per second.";
    PATH = "path", "file, folder or pattern", Required("a picture, a folder, a pattern such as img/*.jpg, or builtin:demo"), "Which pictures: a file, a folder, a pattern such as `img/*`, or `builtin:demo`. Relative to the working directory.";
    CHART_TITLE = "title", "text", Words("the stream's title"), "What stands above the graph.";
    CHART_SIZE = "size", "width x height", Is("960x540"), "Picture size in pixels.";
    WINDOW = "window", "time, 5s to 168h", Is("5m"), "How much time the graph shows, up to now.";
    SERIES = "series", "list of names or maps", Required("what is drawn, such as [cpu, memory] or [{name: cpu, label: CPU}]"), "What is drawn; up to 16.";
    STYLE = "style", "`line`, `area` or `bar`", Is("line"), "Lines from point to point, with the area beneath them, or columns (each the mean of a slot of time).";
    THEME = "theme", "`dark` or `light`", Is("dark"), "Light on dark, or dark on light.";
    Y = "y", "map", Words("from the points"), "The upright axis.";
    POLL = "poll", "map", Words("nothing"), "A JSON address that points are fetched from.";
    SERIES_NAME = "name", "letters, digits, `_ - . :`", Required("the name that points have, such as cpu"), "The name that points have. Not `time`.";
    LABEL = "label", "text", Words("the name"), "What people read.";
    SERIES_COLOR = "color", "colour, in quotes", Words("the theme's next"), "Colour of the line.";
    Y_MIN = "min", "number", Words("from the points"), "Lower end.";
    Y_MAX = "max", "number", Words("from the points"), "Upper end.";
    UNIT = "unit", "text", Words("nothing"), "Stands behind values, such as `%` or `°C`.";
    EVERY = "every", "time, 100ms to 24h", Is("5s"), "From one request to the next.";
    POINTERS = "pointers", "map of series to JSON pointer", Words("`/NAME` for each series"), "Where the value of a series stands in the answer, such as `/system/cpu/load`.";
    CWD = "cwd", "path of a folder", Words("that of framecast"), "The program's working directory.";
    START_TIMEOUT = "first_frame_timeout", "time, 100ms to 10m", Is("20s"), "From the program's start to the first whole frame.";
    TRANSPORT = "transport", "`tcp` or `udp`", Is("tcp"), "How the camera sends its pictures. `udp` loses some on a bad network, and then shows smears.";
    RTSP_SIZE = "size", "width x height", Words("the camera's"), "Picture size in pixels.";
    RTSP_FPS = "fps", "number from 0.00001 to 240", Words("the camera's"), "Pictures per second.";
    RTSP_QUALITY = "quality", "number, 1 to 100", Is("85"), "How much of each picture is kept when ffmpeg makes a JPEG of it.";
    DEVICE = "device", "path of a device", Required("the camera's device, such as /dev/video0"), "The camera's device; `/dev/v4l/by-id/…` stays the same when others are plugged in.";
    IMAGES_FPS = "fps", "number from 0.00001 to 240", Is("1"), "Pictures per second.";
}

pub(super) static URL: Key = Key {
    value: Value::Url,
    ..key(
        "url",
        "http or https URL",
        Required("the URL of the camera, such as http://user:${PASSWORD}@192.168.1.20/video.mjpg"),
        "Where the camera is. User and password may stand in it; one that comes from a variable needs no escapes.",
    )
};
pub(super) static HEADERS: Key =
    secret(key("headers", "map of name to text", Words("none"), "Headers sent with each request."));
pub(super) static CHART_TOKEN: Key = secret(key(
    "token",
    "text, or `none`",
    Words("needed without `poll`"),
    "What a publisher of points must show. `none` lets anybody send them.",
));
pub(super) static POLL_URL: Key = Key {
    value: Value::Url,
    ..key(
        "url",
        "http or https URL",
        Required("the URL of a JSON document, such as http://192.168.1.40/status.json"),
        "Where the JSON is. User and password may stand in it.",
    )
};
pub(super) static COMMAND: Key = secret(key(
    "command",
    "list of words",
    Required("the program and its arguments, such as [ffmpeg, -i, \"rtsp://…\", -f, mpjpeg, \"-\"]"),
    "The program and its arguments. No shell takes them apart or fills in `*`.",
));
pub(super) static ENV: Key = secret(key(
    "env",
    "map of name to text",
    Words("none"),
    "Environment variables of the program, besides framecast's own.",
));
pub(super) static RTSP_URL: Key = Key {
    value: Value::Url,
    ..key(
        "url",
        "rtsp or rtsps URL",
        Required("the URL of the camera, such as rtsp://user:${PASSWORD}@192.168.1.30/stream1"),
        "Where the camera is. User and password may stand in it; one that comes from a variable needs no escapes.",
    )
};
pub(super) static TOKEN: Key = secret(key(
    "token",
    "text, or `none`",
    Required("a secret that publishers must show, or `token: none` to let anybody push"),
    "What a publisher must show. `none` lets anybody push.",
));

pub(super) static LINK_KEY: Key = secret(key(
    "link_key",
    "text of 32 letters and more, or `none`",
    Is("none"),
    "What links are signed with (`framecast link`). A new key ends all links.",
));
pub(super) static TOKEN_HASH: Key = secret(key(
    "hash",
    "text",
    Required("what `framecast token` prints, sha256:…"),
    "What the token is known by: `framecast token` makes both.",
));
pub(super) static PASSWORD_HASH: Key = secret(key(
    "password_hash",
    "text",
    Required("what `framecast passwd NAME` prints, $argon2id$…"),
    "What the password is known by: `framecast passwd NAME` makes it.",
));
pub(super) static WEBHOOK_URL: Key = secret(key(
    "url",
    "http or https URL",
    Required("the URL that events are sent to, such as https://example.org/hook"),
    "Where to, by POST. User and password may stand in it. It is never shown: the addresses of chat programs are secrets.",
));
pub(super) static WEBHOOK_SECRET: Key = secret(key(
    "secret",
    "text of 16 letters and more, or `none`",
    Is("none"),
    "What is sent is signed with it (HMAC-SHA256).",
));
/// Keys that name files or programs of this machine; streams that are added over HTTP may not have them.
pub static LOCAL: [&Key; 13] = [
    &CERT_FILE,
    &KEY_FILE,
    &LATEST,
    &DIR,
    &APPEND,
    &LOGO_PATH,
    &PATH,
    &DEVICE,
    &CWD,
    &COMMAND,
    &ENV,
    &PLACEHOLDER_IMAGE,
    &SAVE,
];

/// Whether a key is one of [`LOCAL`]; others may have its name.
pub(super) fn is_local(key: &Key) -> bool {
    LOCAL.iter().any(|local| std::ptr::eq(*local, key))
}

/// What one of [`LOCAL`] may be all the same, since it names nothing of this machine.
pub(super) fn harmless_value(key: &Key) -> Option<&'static str> {
    match key {
        key if std::ptr::eq(key, &SAVE) => Some("none"),
        key if std::ptr::eq(key, &PATH) => Some("builtin:demo"),
        _ => None,
    }
}

/// The top of the file. Keys beginning with `x-` may stand there too, for anchors.
pub static ROOT: Section =
    Section { path: "", keys: &[&SERVER, &AUTH, &WEBHOOKS, &LOG, &LIMITS, &DEFAULTS, &STREAMS] };
/// `server:`.
pub static SERVER_KEYS: Section = Section {
    path: "server",
    keys: &[
        &LISTEN,
        &SOCKET_MODE,
        &BASE_PATH,
        &SENDFILE,
        &TLS,
        &TRUSTED_PROXIES,
        &CORS,
        &RESOURCE_POLICY,
        &FRAME_ANCESTORS,
        &API_SOURCES,
        &DEFAULT_STREAM,
        &MOSAIC,
    ],
};
/// `server.tls:`.
pub static TLS_KEYS: Section =
    Section { path: "server.tls", keys: &[&CERT_FILE, &KEY_FILE, &HTTP2, &REDIRECT_FROM] };
/// `auth:`.
pub static AUTH_KEYS: Section =
    Section { path: "auth", keys: &[&ANONYMOUS, &TOKENS, &USERS, &LINK_KEY, &SESSION] };
/// One of `auth.tokens`.
pub static TOKEN_KEYS: Section = Section { path: "auth.tokens.NAME", keys: &[&TOKEN_HASH, &ROLE, &GRANTED] };
/// One of `auth.users`.
pub static USER_KEYS: Section = Section { path: "auth.users.NAME", keys: &[&PASSWORD_HASH, &ROLE, &GRANTED] };
/// One of `webhooks`.
pub static WEBHOOK_KEYS: Section = Section {
    path: "webhooks.NAME",
    keys: &[
        &WEBHOOK_URL,
        &WEBHOOK_EVENTS,
        &WEBHOOK_STREAMS,
        &WEBHOOK_AFTER,
        &WEBHOOK_SECRET,
        &HEADERS,
        &WEBHOOK_TIMEOUT,
        &INSECURE,
    ],
};
/// `log:`.
pub static LOG_KEYS: Section = Section { path: "log", keys: &[&LOG_FORMAT, &LOG_ACCESS] };
/// `limits:`.
pub static LIMIT_KEYS: Section = Section {
    path: "limits",
    keys: &[
        &MAX_FRAME_BYTES,
        &MAX_FRAME_PIXELS,
        &MAX_HEADER_BYTES,
        &MAX_VIEWERS,
        &MAX_VIEWERS_PER_STREAM,
        &MAX_LIVE_CONNECTIONS,
        &MAX_VIEWERS_PER_ADDRESS,
        &MAX_REQUESTS_PER_SECOND,
        &MAX_REPLAY_BYTES,
        &MAX_RENDITIONS,
        &MAX_DECODE_BYTES,
        &MAX_UPLOAD_BYTES,
        &MAX_UPLOADS_PER_STREAM,
        &MAX_UPLOADS_PER_ADDRESS,
        &MAX_UNSENT_BYTES,
        &MAX_UNSENT_BYTES_PER_CONNECTION,
        &MAX_CONNECTIONS_PER_ADDRESS,
    ],
};
/// `defaults:`.
pub static DEFAULT_KEYS: Section = Section {
    path: "defaults",
    keys: &[
        &ON_DEMAND,
        &LINGER,
        &FAILBACK_AFTER,
        &MAX_FPS,
        &TRANSFORM,
        &ENCODE,
        &STRIP_METADATA,
        &PLACEHOLDER,
        &CHUNKED,
        &VIEWER_TIMEOUT,
        &ADAPT,
        &SAVE,
        &REPLAY,
    ],
};
/// A stream.
pub static STREAM_KEYS: Section = Section {
    path: "streams.NAME",
    keys: &[
        &TITLE,
        &SOURCE,
        &ON_DEMAND,
        &LINGER,
        &FAILBACK_AFTER,
        &MAX_FPS,
        &TRANSFORM,
        &ENCODE,
        &STRIP_METADATA,
        &PLACEHOLDER,
        &CHUNKED,
        &VIEWER_TIMEOUT,
        &ADAPT,
        &SAVE,
        &REPLAY,
    ],
};
/// `placeholder:` of a stream, as a map.
pub static PLACEHOLDER_KEYS: Section =
    Section { path: "streams.NAME.placeholder", keys: &[&PLACEHOLDER_IMAGE, &PLACEHOLDER_LABEL] };
/// `save:` of a stream.
pub static SAVE_KEYS: Section = Section {
    path: "streams.NAME.save",
    keys: &[&LATEST, &DIR, &KEEP, &APPEND, &MAX_SAVED_BYTES, &WHEN_FULL, &SAVE_EVERY],
};

/// A step of `transform:`; it has one of these keys.
pub static STEP_KEYS: Section = Section {
    path: "streams.NAME.transform[N]",
    keys: &[&CROP, &SCALE, &ROTATE, &FLIP, &GRAYSCALE, &MASK, &CAPTION, &LOGO],
};
/// `crop:`.
pub static CROP_KEYS: Section =
    Section { path: "streams.NAME.transform[N].crop", keys: &[&PART_X, &PART_Y, &PART_WIDTH, &PART_HEIGHT] };
/// `scale:`.
pub static SCALE_KEYS: Section =
    Section { path: "streams.NAME.transform[N].scale", keys: &[&SCALE_WIDTH, &SCALE_HEIGHT, &FIT] };
/// An entry of `mask:`.
pub static MASK_KEYS: Section = Section {
    path: "streams.NAME.transform[N].mask[N]",
    keys: &[&PART_X, &PART_Y, &PART_WIDTH, &PART_HEIGHT, &FILL],
};
/// `text:`.
pub static CAPTION_KEYS: Section = Section {
    path: "streams.NAME.transform[N].text",
    keys: &[&CAPTION_TEXT, &CAPTION_POSITION, &CAPTION_SIZE, &CAPTION_COLOR, &CAPTION_BACKGROUND],
};
/// `image:`.
pub static LOGO_KEYS: Section =
    Section { path: "streams.NAME.transform[N].image", keys: &[&LOGO_PATH, &LOGO_POSITION, &OPACITY] };
/// `encode:` of a stream.
pub static ENCODE_KEYS: Section = Section { path: "streams.NAME.encode", keys: &[&QUALITY, &SUBSAMPLING] };

/// The keys of `source:`, by its `type`.
pub static SOURCES: [(&str, Section); 12] = [
    (
        "mjpeg",
        source(&[
            &TYPE,
            &URL,
            &HEADERS,
            &INSECURE,
            &CONNECT_TIMEOUT,
            &HEAD_TIMEOUT,
            &FIRST_FRAME_TIMEOUT,
            &FRAME_TIMEOUT,
        ]),
    ),
    (
        "snapshot",
        source(&[
            &TYPE,
            &URL,
            &INTERVAL,
            &HEADERS,
            &INSECURE,
            &CONNECT_TIMEOUT,
            &HEAD_TIMEOUT,
            &FIRST_FRAME_TIMEOUT,
            &FRAME_TIMEOUT,
        ]),
    ),
    ("exec", source(&[&TYPE, &COMMAND, &ENV, &CWD, &START_TIMEOUT, &FRAME_TIMEOUT])),
    (
        "rtsp",
        source(&[
            &TYPE,
            &RTSP_URL,
            &TRANSPORT,
            &RTSP_SIZE,
            &RTSP_FPS,
            &RTSP_QUALITY,
            &START_TIMEOUT,
            &FRAME_TIMEOUT,
        ]),
    ),
    ("v4l2", source(&[&TYPE, &DEVICE, &RTSP_SIZE, &RTSP_FPS, &START_TIMEOUT, &FRAME_TIMEOUT])),
    ("push", source(&[&TYPE, &TOKEN, &SECOND_PUBLISHER])),
    (
        "chart",
        source(&[
            &TYPE,
            &CHART_TITLE,
            &CHART_SIZE,
            &WINDOW,
            &SERIES,
            &Y,
            &STYLE,
            &THEME,
            &CHART_TOKEN,
            &POLL,
        ]),
    ),
    ("text", source(&[&TYPE, &TEXT, &TEXT_SIZE, &FONT_SIZE, &COLOR, &BACKGROUND, &TEXT_FPS])),
    ("pattern", source(&[&TYPE, &PATTERN_SIZE, &PATTERN_FPS])),
    ("images", source(&[&TYPE, &PATH, &IMAGES_FPS])),
    ("rendition", source(&[&TYPE, &OF, &ORIGIN_TIMEOUT])),
    (
        "mosaic",
        source(&[&TYPE, &TILES, &MOSAIC_SIZE, &COLUMNS, &MOSAIC_FPS, &LABELS, &GAP, &MOSAIC_BACKGROUND]),
    ),
];

const fn source(keys: &'static [&'static Key]) -> Section {
    Section { path: "streams.NAME.source", keys }
}

/// One of the `series:` of a chart.
pub static SERIES_KEYS: Section =
    Section { path: "source.series[N]", keys: &[&SERIES_NAME, &LABEL, &SERIES_COLOR] };
/// `y:` of a chart.
pub static Y_KEYS: Section = Section { path: "source.y", keys: &[&Y_MIN, &Y_MAX, &UNIT] };
/// `poll:` of a chart.
pub static POLL_KEYS: Section =
    Section { path: "source.poll", keys: &[&POLL_URL, &EVERY, &POINTERS, &HEADERS, &INSECURE] };
/// What stands within a source.
pub static INNER_SECTIONS: [&Section; 3] = [&SERIES_KEYS, &Y_KEYS, &POLL_KEYS];

/// All sections but those of the sources.
pub static SECTIONS: [&Section; 20] = [
    &ROOT,
    &SERVER_KEYS,
    &TLS_KEYS,
    &AUTH_KEYS,
    &TOKEN_KEYS,
    &USER_KEYS,
    &WEBHOOK_KEYS,
    &LOG_KEYS,
    &LIMIT_KEYS,
    &DEFAULT_KEYS,
    &STREAM_KEYS,
    &STEP_KEYS,
    &CROP_KEYS,
    &SCALE_KEYS,
    &MASK_KEYS,
    &CAPTION_KEYS,
    &LOGO_KEYS,
    &ENCODE_KEYS,
    &PLACEHOLDER_KEYS,
    &SAVE_KEYS,
];
