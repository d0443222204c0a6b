//! Plans the change from one configuration to another. Pure.

use std::collections::HashMap;

use crate::{
    config::{Config, Limits, LogConfig, ServerConfig, StreamConfig},
    media::stream_name::StreamName,
};

/// The way in which a stream of the new configuration is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StartMode {
    /// The stream did not exist.
    Start,
    /// The stream continues with other settings; its viewers stay.
    Reconfigure,
    /// The stream ends and starts again, because its replay buffer does not fit the new settings.
    Replace,
}

/// The steps of a change, in this order.
#[derive(Debug, Default)]
pub(super) struct ReloadPlan {
    /// Streams to end.
    pub(super) removed: Vec<StreamName>,
    /// Streams to start, each after the streams whose pictures it shows.
    pub(super) started: Vec<(StreamConfig, StartMode)>,
    /// Unchanged streams that show one of the started streams: their sources are restarted.
    pub(super) transforms_changed: Vec<StreamName>,
}

impl ReloadPlan {
    /// Returns the steps from `old` to `new`.
    pub(super) fn diff(old: &Config, new: &Config) -> Self {
        let before: HashMap<_, _> = all_streams(old).map(|stream| (&stream.name, stream)).collect();
        let after: HashMap<_, _> = all_streams(new).map(|stream| (&stream.name, stream)).collect();
        let removed = all_streams(old).filter(|stream| !after.contains_key(&stream.name));
        let removed: Vec<_> = removed.map(|stream| stream.name.clone()).collect();
        let limits = changed_limits(&old.limits, &new.limits);
        let how = |stream: &StreamConfig| match before.get(&stream.name) {
            None => Some(StartMode::Start),
            Some(old) if old.replay != stream.replay => Some(StartMode::Replace),
            Some(_) if stream.replay.is_some() && limits == LimitChanges::Replay => Some(StartMode::Replace),
            Some(old) if *old != stream || limits != LimitChanges::None => Some(StartMode::Reconfigure),
            Some(_) => None,
        };
        let started = all_streams(new).filter_map(|stream| Some((stream.clone(), how(stream)?)));
        let mut started: Vec<_> = started.collect();
        started.sort_by_key(|(stream, _)| depth(&stream.name, &after));
        let is_new = |name: &StreamName| started.iter().any(|(stream, _)| stream.name == *name);
        let transforms_changed =
            all_streams(new).filter(|stream| !is_new(&stream.name) && stream.origins().any(is_new));
        let transforms_changed = transforms_changed.map(|stream| stream.name.clone()).collect();
        Self { removed, started, transforms_changed }
    }
}

/// Returns the settings of the log that differ: all of them take effect after a restart.
pub(super) fn log_needs_restart(running: LogConfig, new: LogConfig) -> impl Iterator<Item = &'static str> {
    let differs =
        [("log.format", running.format != new.format), ("log.access", running.access != new.access)];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name)
}

/// Returns the settings that differ and take effect only after a restart.
pub(super) fn needs_restart(running: &ServerConfig, new: &ServerConfig) -> Vec<&'static str> {
    let redirects = |server: &ServerConfig| server.tls.as_ref().map(|tls| tls.redirect_from.clone());
    let (old_redirects, new_redirects) = (redirects(running), redirects(new));
    let differs = [
        ("server.listen", running.listen != new.listen),
        ("server.base_path", running.base_path != new.base_path),
        ("server.sendfile", running.sendfile != new.sendfile),
        ("server.socket_mode", running.socket_mode != new.socket_mode),
        ("server.tls", old_redirects.is_some() != new_redirects.is_some()),
        (
            "server.tls.redirect_from",
            old_redirects.is_some() && new_redirects.is_some() && old_redirects != new_redirects,
        ),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

fn all_streams(config: &Config) -> impl Iterator<Item = &StreamConfig> {
    config.streams.iter().chain(&config.overview)
}

/// Returns the number of streams between this one and a camera. The check of the configuration found that
/// there are no circles.
fn depth(name: &StreamName, streams: &HashMap<&StreamName, &StreamConfig>) -> usize {
    let origins = streams.get(name).into_iter().flat_map(|stream| stream.origins());
    origins.map(|origin| 1 + depth(origin, streams)).max().unwrap_or_default()
}

/// Limits that a stream's source and memory depend on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LimitChanges {
    None,
    Source,
    Replay,
}

fn changed_limits(old: &Limits, new: &Limits) -> LimitChanges {
    // Limits on viewers are checked when a viewer joins.
    let sources = |limits: &Limits| Limits {
        max_viewers: 0,
        max_viewers_per_stream: 0,
        max_renditions: 0,
        max_tile_renditions: 0,
        max_live_connections: 0,
        max_viewers_per_address: Limits::default().max_viewers_per_address,
        max_requests_per_second: Limits::default().max_requests_per_second,
        max_decode_bytes: None,
        max_upload_bytes: None,
        max_uploads_per_stream: 0,
        max_uploads_per_address: None,
        max_unsent_bytes: None,
        max_unsent_bytes_per_connection: 0,
        max_connections_per_address: None,
        ..limits.clone()
    };
    match (sources(old) == sources(new), old.max_replay_bytes == new.max_replay_bytes) {
        (true, _) => LimitChanges::None,
        (false, true) => LimitChanges::Source,
        (false, false) => LimitChanges::Replay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AccessLog, Environment, parse};

    fn config(yaml: &str) -> Config {
        parse(yaml, "test", &Environment::default()).unwrap()
    }

    fn names(names: &[StreamName]) -> Vec<&str> {
        names.iter().map(StreamName::as_str).collect()
    }

    fn started(plan: &ReloadPlan) -> Vec<(&str, StartMode)> {
        plan.started.iter().map(|(stream, how)| (stream.name.as_str(), *how)).collect()
    }

    const OLD: &str = "
server: {mosaic: false}
streams:
  small: {source: {type: rendition, of: door}}
  door: {source: {type: pattern}}
  yard: {source: {type: pattern}}
  wall: {source: {type: mosaic, of: [small, yard]}}
";

    #[test]
    fn what_did_not_change_is_left_alone() {
        let old = config(OLD);
        let plan = ReloadPlan::diff(&old, &old);
        assert!(
            plan.removed.is_empty() && plan.started.is_empty() && plan.transforms_changed.is_empty(),
            "{plan:?}"
        );
        let viewers = config(&format!("limits: {{max_viewers: 3}}{OLD}"));
        assert!(ReloadPlan::diff(&old, &viewers).started.is_empty());
    }

    #[test]
    fn streams_that_show_a_changed_one_look_again_and_come_behind_it() {
        let old = config(OLD);
        let new = config(&OLD.replace("door: {", "door: {title: Door, "));
        let plan = ReloadPlan::diff(&old, &new);
        assert_eq!(started(&plan), [("door", StartMode::Reconfigure)]);
        assert_eq!(names(&plan.transforms_changed), ["small"]);
        let new = config(&OLD.replace("door", "gate"));
        let plan = ReloadPlan::diff(&old, &new);
        assert_eq!(names(&plan.removed), ["door"]);
        assert_eq!(started(&plan), [("gate", StartMode::Start), ("small", StartMode::Reconfigure)]);
        assert_eq!(names(&plan.transforms_changed), ["wall"]);
        let everything = ReloadPlan::diff(&Config { streams: Vec::new(), ..old.clone() }, &old);
        let order: Vec<_> = started(&everything).into_iter().map(|(name, _)| name).collect();
        assert_eq!(order, ["door", "yard", "small", "wall"]);
    }

    #[test]
    fn what_is_kept_of_the_past_cannot_go_on_and_limits_of_sources_are_for_all() {
        let old = config("streams: {a: {source: {type: pattern}}, b: {source: {type: pattern}, replay: 5s}}");
        let new = config("streams: {a: {source: {type: pattern}}, b: {source: {type: pattern}, replay: 9s}}");
        assert_eq!(started(&ReloadPlan::diff(&old, &new)), [("b", StartMode::Replace)]);
        let mut new = old.clone();
        new.limits.max_frame_bytes += 1;
        let all =
            [("a", StartMode::Reconfigure), ("b", StartMode::Reconfigure), ("all", StartMode::Reconfigure)];
        assert_eq!(started(&ReloadPlan::diff(&old, &new)), all);
        new.limits.max_replay_bytes += 1;
        let all = [("a", StartMode::Reconfigure), ("b", StartMode::Replace), ("all", StartMode::Reconfigure)];
        assert_eq!(started(&ReloadPlan::diff(&old, &new)), all);
    }

    #[test]
    fn what_needs_a_restart_is_named() {
        let old = config(OLD);
        let mut new = old.clone();
        new.server.cors = None;
        new.server.mosaic = true;
        new.server.trusted_proxies = ["10.0.0.0/8".parse().unwrap()].into_iter().collect();
        assert!(needs_restart(&old.server, &new.server).is_empty());
        new.server.base_path = "/x".to_owned();
        new.server.listen.clear();
        assert_eq!(needs_restart(&old.server, &new.server), ["server.listen", "server.base_path"]);
        let tls = |more: &str| {
            let yaml = format!("server: {{tls: {{cert_file: Cargo.toml, key_file: Cargo.toml{more}}}}}\n");
            config(&(yaml + "streams: {a: {source: {type: pattern}}}")).server
        };
        assert_eq!(needs_restart(&tls(""), &tls(", http2: false")), [""; 0]);
        assert_eq!(
            needs_restart(&tls(""), &tls(", redirect_from: 127.0.0.1:80")),
            ["server.tls.redirect_from"]
        );
        assert_eq!(needs_restart(&old.server, &tls("")), ["server.listen", "server.tls"][1..]);
        let (old, mut new) = (old.log, new.log);
        assert_eq!(log_needs_restart(old, new).count(), 0);
        new.access = AccessLog::All;
        assert_eq!(log_needs_restart(old, new).collect::<Vec<_>>(), ["log.access"]);
    }
}
