//! The route table: each address with its methods, its rule and its documentation.
//!
//! A row cannot be written without its rule, which `middleware::access` checks before the handler runs.
//! `tests/admin/matrix.rs` tests the whole table with every kind of caller.

use actix_web::{http::Method, web::to};

use super::row::{Row, read, row};
use crate::{
    config::Role,
    web::{
        api::{
            admin, event_log, fps_history, health, metrics, openapi,
            openapi::{
                RequestBody,
                operation::{
                    ACCESS, ASSET, Answer, BAD_QUERY, CHANGING, CLIP, DONE, EDIT_ERRORS, EVENTS,
                    GO2RTC_SOCKET_ERRORS, HTML, LEFT_OUT, NO_FRAME, NOT_MODIFIED, OBJECT, OTHERS, PAGES,
                    PUSH_ERRORS, PUSHING, REPLAY_ERRORS, ROOT, SEE_OTHER, STATE, STREAM, STREAMS, SWITCHED,
                    TEXT, UNKNOWN, json, json_by_name, json_of_either,
                },
                parameters::{
                    ACTION, AFTER, DST, FORMAT, FRIGATE, GO2RTC, IMAGE_PARAMETERS, KEY, NEXT, OF_AT, ONE,
                    PLAYED, SECONDS, SEND_PARAMETERS, SRC, WAIT,
                },
            },
            probe, snapshots, status, viewers,
        },
        compat::{
            frigate, go2rtc, go2rtc_websocket, mjpg_streamer, mjpg_streamer::answers, motion, webcamxp,
        },
        live,
        live::frame_events,
        middleware::access::rule::{Rule, Scope},
        streams::{chart_points, clip, push, replay, snapshot, watch},
        ui::{login, pages},
    },
};
const POST: &[Method] = &[Method::POST];
const WRITE: &[Method] = &[Method::POST, Method::PUT];
const PUT: &[Method] = &[Method::PUT];
const PATCH: &[Method] = &[Method::PATCH];
const DELETE: &[Method] = &[Method::DELETE];

const OPEN: Rule = Rule::Anybody;
const VIEW: Rule = Rule::Needs(Role::View, Scope::Named);
const VIEW_DEFAULT: Rule = Rule::Needs(Role::View, Scope::Default);
const VIEW_ANY: Rule = Rule::Needs(Role::View, Scope::Any);
const VIEW_ALL: Rule = Rule::Needs(Role::View, Scope::All);
const VIEW_ASKED: Rule = Rule::Needs(Role::View, Scope::Query("src"));
const VIEW_ASKED_OR_ANY: Rule = Rule::Needs(Role::View, Scope::QueryOrAny("src"));
const VIEW_POSITION: Rule = Rule::Needs(Role::View, Scope::Position);
const VIEW_ACTION: Rule = Rule::Needs(Role::View, Scope::Action);
const VIEW_COUNTED: Rule = Rule::Needs(Role::View, Scope::Number);
const VIEW_CAMERA: Rule = Rule::Needs(Role::View, Scope::Camera);
const PUSH_ASKED: Rule = Rule::Needs(Role::Push, Scope::Query("dst"));
const ADMIN: Rule = Rule::Needs(Role::Admin, Scope::All);
const ADMIN_ANY: Rule = Rule::Needs(Role::Admin, Scope::Any);
const ADMIN_ONE: Rule = Rule::Needs(Role::Admin, Scope::Named);
const PUSH: Rule = Rule::Needs(Role::Push, Scope::Named);

/// Every route. Fixed addresses come before `/{name}`, so a stream called `snapshot` is at
/// `/streams/snapshot` only.
pub const ROUTES: &[Row] =
    &[
        read("/", VIEW_ACTION, || to(pages::root))
            .documented(PAGES, "The dashboard; with ?action= the routes of mjpg-streamer")
            .answers(&[ROOT, NOT_MODIFIED, SEE_OTHER])
            .errors(&[BAD_QUERY, UNKNOWN, (501, "Supported by mjpg-streamer only."), NO_FRAME])
            .query(&[ACTION, IMAGE_PARAMETERS]),
        read("/page/{asset}", OPEN, || to(pages::asset))
            .documented(PAGES, "Styles, scripts and icons of the pages")
            .answers(&[ASSET, NOT_MODIFIED]),
        read("/view/{name}", VIEW, || to(pages::view))
            .documented(PAGES, "The page of one stream")
            .answers(&[HTML, NOT_MODIFIED, SEE_OTHER]),
        read("/login", OPEN, || to(login::form))
            .documented(ACCESS, "The login form")
            .answers(&[HTML])
            .query(&[NEXT]),
        row("/login", POST, OPEN, || to(login::log_in))
            .documented(ACCESS, "Log in")
            .answers(&[
                SEE_OTHER,
                HTML.with_status(401, "Wrong user name, password or token; the form again."),
                HTML.with_status(429, "Too many wrong attempts; the form again."),
                HTML.with_status(503, "Too many waiting password checks; the form again."),
            ])
            .request_body(RequestBody::Login)
            .errors(&[(400, "The body was cut off."), (413, "More than 8 KiB.")]),
        row("/logout", POST, OPEN, || to(login::log_out)).documented(ACCESS, "Log out").answers(&[SEE_OTHER]),
        read("/api/session", OPEN, || to(login::session))
            .documented(ACCESS, "The caller's name and role")
            .answers(&[json::<login::Session<'_>>()])
            .errors(&[(503, "Not available now: a limit is reached, or there is no frame; see `detail`.")]),
        read("/healthz", OPEN, || to(health::live))
            .documented(PAGES, "Liveness")
            .answers(&[json::<health::Alive>()]),
        read("/readyz", OPEN, || to(health::ready))
            .documented(PAGES, "Readiness")
            .answers(&[json::<health::Ready>()])
            .errors(&[(503, "It is shutting down.")]),
        read("/metrics", VIEW_ALL, || to(metrics::metrics))
            .documented(STATE, "Metrics for Prometheus")
            .answers(&[TEXT]),
        read("/api/streams", VIEW_ASKED_OR_ANY, || to(status::streams))
            .documented(STATE, "The status of all streams")
            .answers(&[json_of_either::<status::Report, go2rtc::Entry>()])
            .errors(&[UNKNOWN])
            .query(&[ONE]),
        read("/api/streams/{name}", VIEW, || to(status::stream))
            .documented(STATE, "The status of a stream")
            .answers(&[json::<status::StreamReport>()]),
        row("/api/probe", POST, ADMIN, || to(probe::probe))
            .documented(CHANGING, "What a camera sends")
            .answers(&[json::<probe::Report>()])
            .request_body(RequestBody::Camera)
            .errors(&[
                (400, "Invalid JSON."),
                (413, "More than 16 KiB."),
                (422, "The URL cannot be used."),
                (503, "The limit on concurrent probes is reached."),
            ]),
        read("/api/live", VIEW_ANY, || to(live::live))
            .documented(STATE, "A WebSocket with frames of any number of streams, and the status of all")
            .answers(&[SWITCHED])
            .errors(&[
                (403, "A request by a page of another site, or insufficient permissions."),
                (426, "Not a WebSocket request."),
                (503, "limits.max_live_connections is reached."),
            ]),
        read("/api/ws", VIEW_ASKED, || to(go2rtc_websocket::ws))
            .documented(OTHERS, "go2rtc's WebSocket")
            .answers(&[SWITCHED])
            .errors(GO2RTC_SOCKET_ERRORS)
            .query(&[SRC]),
        row("/api/streams", POST, ADMIN, || to(admin::create))
            .documented(CHANGING, "Add a stream")
            .answers(&[CREATED])
            .request_body(RequestBody::NamedStream)
            .errors(EDIT_ERRORS),
        row("/api/streams/{name}", POST, ADMIN, || to(admin::create_named))
            .documented(CHANGING, "Add this stream")
            .answers(&[CREATED])
            .request_body(RequestBody::Stream)
            .errors(EDIT_ERRORS),
        row("/api/streams/{name}", PUT, ADMIN, || to(admin::replace))
            .documented(CHANGING, "Add this stream, or replace its settings")
            .answers(&[CHANGED, CREATED])
            .request_body(RequestBody::Stream)
            .errors(EDIT_ERRORS),
        row("/api/streams/{name}", PATCH, ADMIN, || to(admin::merge))
            .documented(CHANGING, "Change some of its settings (RFC 7396)")
            .answers(&[CHANGED])
            .request_body(RequestBody::Patch)
            .errors(EDIT_ERRORS),
        row("/api/streams/{name}", DELETE, ADMIN, || to(admin::remove))
            .documented(CHANGING, "Remove a stream that was added")
            .answers(&[DONE])
            .errors(&[
                (409, "It is defined in the configuration file."),
                (422, "Other streams need it, or the name is invalid."),
                (507, "The change cannot be saved, so nothing has changed."),
            ]),
        read("/api/streams/{name}/config", ADMIN, || to(admin::config))
            .documented(CHANGING, "A stream's settings, without credentials")
            .answers(&[json::<admin::Shown<'_>>()]),
        row("/api/streams/{name}/restart", POST, ADMIN_ONE, || to(admin::restart))
            .documented(CHANGING, "Restart its source")
            .answers(&[DONE]),
        row("/api/streams/{name}/pause", POST, ADMIN_ONE, || to(admin::pause))
            .documented(CHANGING, "Stop its source; viewers stay connected")
            .answers(&[DONE]),
        row("/api/streams/{name}/resume", POST, ADMIN_ONE, || to(admin::resume))
            .documented(CHANGING, "End a pause")
            .answers(&[DONE]),
        read("/api/streams/{name}/history", VIEW, || to(fps_history::of_stream))
            .documented(STATE, "The frame rates of a stream in the last minutes")
            .answers(&[json::<fps_history::Report>()]),
        read("/api/history", VIEW_ANY, || to(fps_history::all))
            .documented(STATE, "The frame rates of all streams in the last minutes")
            .answers(&[json::<fps_history::Report>()]),
        read("/api/streams/{name}/viewers", ADMIN_ONE, || to(viewers::of_stream))
            .documented(STATE, "The viewers of a stream")
            .answers(&[json::<viewers::Report>()]),
        read("/api/viewers", ADMIN_ANY, || to(viewers::all))
            .documented(STATE, "The viewers of all streams")
            .answers(&[json::<viewers::Report>()]),
        row("/api/reload", POST, ADMIN, || to(admin::reload))
            .documented(CHANGING, "Read the configuration file again")
            .answers(&[CHANGED])
            .errors(&[
                (409, "There is no file: the demo is served."),
                (422, "The file has mistakes, which `errors` lists."),
            ]),
        read("/api/events", VIEW_ANY, || to(event_log::events))
            .documented(STATE, "Recent events")
            .answers(&[json::<event_log::Report>()])
            .errors(&[BAD_QUERY])
            .query(&[AFTER]),
        read("/api/openapi.json", VIEW_ANY, || to(openapi::document))
            .documented(PAGES, "This document")
            .answers(&[OBJECT]),
        read("/streams/{name}", VIEW, || to(watch::by_name)).stream(STREAMS, "A stream"),
        read("/streams/{name}/snapshot", VIEW, || to(snapshot::by_name))
            .snapshot(STREAMS, "The newest frame"),
        read("/snapshots", VIEW_ANY, || to(snapshots::nearest))
            .documented(STREAMS, "Of several streams the frames that were taken nearest to one time")
            .answers(&[OBJECT])
            .errors(&[BAD_QUERY, UNKNOWN])
            .query(&[OF_AT]),
        read("/streams/{name}/replay", VIEW, || to(replay::by_name))
            .documented(STREAMS, "The last seconds as a stream")
            .answers(&[STREAM])
            .errors(REPLAY_ERRORS)
            .query(&[SECONDS, PLAYED]),
        read("/streams/{name}/meta", VIEW, || to(frame_events::by_name))
            .documented(STREAMS, "Number, times and JSON of each frame, as server-sent events")
            .answers(&[EVENTS])
            .errors(&[NO_FRAME]),
        read("/streams/{name}/clip", VIEW, || to(clip::by_name))
            .documented(STREAMS, "The last seconds as a file")
            .answers(&[CLIP])
            .errors(REPLAY_ERRORS)
            .query(&[SECONDS, FORMAT]),
        row("/streams/{name}/frame", WRITE, PUSH, || to(push::frame))
            .documented(PUSHING, "Push one picture")
            .answers(&[DONE, LEFT_OUT, FED])
            .request_body(RequestBody::Picture)
            .errors(PUSH_ERRORS),
        row("/streams/{name}/feed", WRITE, PUSH, || to(push::feed))
            .documented(PUSHING, "Push a feed of pictures")
            .answers(&[FED])
            .request_body(RequestBody::Feed)
            .errors(PUSH_ERRORS),
        row("/streams/{name}/meta/{seq}", POST, PUSH, || to(push::late_meta::add))
            .documented(PUSHING, "Add JSON to a frame that is still held")
            .answers(&[DONE])
            .request_body(RequestBody::Meta)
            .errors(&[
                (400, "The body is not JSON, or too long in ASCII; or the frame is not a number."),
                (409, "The stream does not accept pushes."),
                (413, "More than 4 KiB."),
            ]),
        row("/streams/{name}/points", WRITE, PUSH, || to(chart_points::points))
            .documented(PUSHING, "Send points to a chart")
            .answers(&[DONE])
            .request_body(RequestBody::Points)
            .errors(&[
                (400, "A point is invalid: the error names the line or item, and no point is accepted."),
                (409, "The stream does not accept points."),
                (413, "More than 1 MiB."),
            ]),
        read("/stream", VIEW_DEFAULT, || to(mjpg_streamer::ustreamer_stream))
            .stream(OTHERS, "ustreamer's stream")
            .query(&[IMAGE_PARAMETERS, SEND_PARAMETERS, KEY]),
        read("/snapshot", VIEW_DEFAULT, || to(mjpg_streamer::ustreamer_snapshot))
            .snapshot(OTHERS, "The newest frame of the default stream"),
        read("/state", VIEW_DEFAULT, || to(mjpg_streamer::ustreamer_state))
            .documented(OTHERS, "ustreamer's state")
            .answers(&[json::<answers::State>()]),
        read("/video_feed", VIEW_DEFAULT, || to(watch::default_stream)).stream(STREAMS, "A stream"),
        read("/program.json", VIEW_ANY, || to(mjpg_streamer::program_json))
            .documented(OTHERS, "mjpg-streamer's plugins")
            .answers(&[json::<answers::Program>()]),
        read("/input_{n:[0-9]+}.json", VIEW_POSITION, || to(mjpg_streamer::input_json))
            .documented(OTHERS, "mjpg-streamer's controls and formats")
            .answers(&[json::<answers::Input>()]),
        read("/output_{n:[0-9]+}.json", VIEW_ANY, || to(mjpg_streamer::output_json))
            .documented(OTHERS, "The same for its outputs")
            .answers(&[json::<answers::Output>()]),
        read("/api/stream.mjpeg", VIEW_ASKED, || to(go2rtc::stream))
            .stream(OTHERS, "go2rtc's stream")
            .query(&[SRC, IMAGE_PARAMETERS, SEND_PARAMETERS]),
        row("/api/stream.mjpeg", WRITE, PUSH_ASKED, || to(go2rtc::feed))
            .documented(OTHERS, "go2rtc's push")
            .answers(&[FED])
            .request_body(RequestBody::Feed)
            .errors(PUSH_ERRORS)
            .query(&[DST]),
        read("/api/frame.jpeg", VIEW_ASKED, || to(go2rtc::frame))
            .snapshot(OTHERS, "go2rtc's snapshot")
            .query(&[SRC, GO2RTC, WAIT]),
        read("/go2rtc/api/streams", VIEW_ANY, || to(go2rtc::streams))
            .documented(OTHERS, "go2rtc's list of streams")
            .answers(&[json_by_name::<go2rtc::Entry>()]),
        read("/go2rtc/api/stream.mjpeg", VIEW_ASKED, || to(go2rtc::stream))
            .stream(OTHERS, "go2rtc's stream")
            .query(&[SRC, IMAGE_PARAMETERS, SEND_PARAMETERS]),
        row("/go2rtc/api/stream.mjpeg", WRITE, PUSH_ASKED, || to(go2rtc::feed))
            .documented(OTHERS, "go2rtc's push")
            .answers(&[FED])
            .request_body(RequestBody::Feed)
            .errors(PUSH_ERRORS)
            .query(&[DST]),
        read("/go2rtc/api/ws", VIEW_ASKED, || to(go2rtc_websocket::ws))
            .documented(OTHERS, "go2rtc's WebSocket")
            .answers(&[SWITCHED])
            .errors(GO2RTC_SOCKET_ERRORS)
            .query(&[SRC]),
        read("/go2rtc/api/frame.jpeg", VIEW_ASKED, || to(go2rtc::frame))
            .snapshot(OTHERS, "go2rtc's snapshot")
            .query(&[SRC, GO2RTC, WAIT]),
        read("/api/{name}/latest.jpg", VIEW, || to(frigate::latest))
            .snapshot(OTHERS, "frigate's snapshot; also of an offline camera")
            .query(&[FRIGATE, WAIT]),
        read("/{n:[0-9]+}/stream", VIEW_COUNTED, || to(motion::stream))
            .stream(OTHERS, "A stream, counted from 1"),
        read("/{n:[0-9]+}/mjpg/stream", VIEW_COUNTED, || to(motion::stream))
            .stream(OTHERS, "A stream, counted from 1"),
        read("/{n:[0-9]+}/substream", VIEW_COUNTED, || to(motion::substream))
            .stream(OTHERS, "A stream, counted from 1"),
        read("/{n:[0-9]+}/mjpg/substream", VIEW_COUNTED, || to(motion::substream))
            .stream(OTHERS, "A stream, counted from 1"),
        read("/{n:[0-9]+}/current", VIEW_COUNTED, || to(motion::current))
            .snapshot(OTHERS, "A snapshot, counted from 1"),
        read("/{n:[0-9]+}/static/stream", VIEW_COUNTED, || to(motion::current))
            .snapshot(OTHERS, "A snapshot, counted from 1"),
        read("/cam_{n:[0-9]+}.mjpg", VIEW_CAMERA, || to(webcamxp::stream))
            .stream(OTHERS, "A stream, counted from 1"),
        read("/cam_{n:[0-9]+}.jpg", VIEW_CAMERA, || to(webcamxp::picture))
            .snapshot(OTHERS, "A snapshot, counted from 1"),
        read("/{name}.mjpg", VIEW, || to(watch::by_name)).stream(STREAMS, "A stream"),
        read("/{name}.jpg", VIEW, || to(snapshot::by_name)).snapshot(STREAMS, "The newest frame"),
        read("/{name}", VIEW, || to(watch::by_name)).stream(STREAMS, "A stream"),
    ];

const CHANGED: Answer = json::<admin::Report<'_>>();
const CREATED: Answer = CHANGED.with_status(201, "It was added; Location is its URL.");
const FED: Answer = json::<push::Fed>();
