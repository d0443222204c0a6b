//! The rows of the table: what is measured, and what is aimed at.

use std::path::PathBuf;

use crate::{
    camera::CameraName,
    link,
    load::Seen,
    table::{Line, cpu_per_gb, median, median_ratio},
    test_bed::{ALL, ServerKind, TestBed, ViewerLoad},
};

/// Number of repetitions of each measurement, in turns with its neighbours.
const ROUNDS: usize = 3;

/// The options of a run.
#[derive(Debug)]
pub(crate) struct Options {
    /// framecast.
    pub program: PathBuf,
    /// Turns for each measurement.
    pub rounds: usize,
}

impl Options {
    pub(crate) fn new(program: PathBuf) -> Self {
        Self { program, rounds: ROUNDS }
    }

    /// Returns these options with at most `rounds` repetitions, for rows that take long: the whole table has
    /// eight minutes.
    fn at_most(&self, rounds: usize) -> Self {
        Self { program: self.program.clone(), rounds: self.rounds.min(rounds) }
    }

    fn test_bed(&self, viewer_loads: &[&ViewerLoad]) -> anyhow::Result<TestBed> {
        let mut cameras: Vec<CameraName> = Vec::new();
        for camera in viewer_loads.iter().flat_map(|viewer_load| &viewer_load.cameras) {
            if !cameras.contains(camera) {
                cameras.push(*camera);
            }
        }
        TestBed::start(&self.program, 0, &cameras)
    }
}

/// A row: its number is its place here, counted from 1.
pub(crate) type Row = fn(&Options) -> anyhow::Result<Vec<Line>>;

/// All rows.
pub(crate) const ROWS: [Row; 12] = [
    large_frames,
    few_viewers,
    small_frames,
    delivery,
    memory,
    latency,
    stalled_viewers,
    idle_streams,
    many_cameras,
    workers,
    slow_link,
    tls,
];

fn many(bytes: usize, fps: u32, viewers: &[usize]) -> Vec<ViewerLoad> {
    viewers.iter().map(|&viewers| ViewerLoad::of(bytes, fps, viewers)).collect()
}

fn cpu_lines(
    options: &Options,
    viewer_loads: &[ViewerLoad],
    what: &str,
    reach: f64,
) -> anyhow::Result<Vec<Line>> {
    let test_bed = options.test_bed(&viewer_loads.iter().collect::<Vec<_>>())?;
    let line = |viewer_load: &ViewerLoad| {
        let seen = test_bed.in_turns(&ALL, viewer_load, options.rounds)?;
        let figure = |seen: &[Seen]| format!("{:.3}", median(seen, cpu_per_gb));
        let ratio = median_ratio(&seen[2], &seen[0], cpu_per_gb);
        let to_sendfile = median_ratio(&seen[2], &seen[1], cpu_per_gb);
        Ok(Line {
            measure: format!("CPU s per GB, {what}, {} viewers", viewer_load.viewers),
            write: figure(&seen[0]),
            sendfile: figure(&seen[1]),
            framecast: figure(&seen[2]),
            ratio: format!("{ratio:.2} ({to_sendfile:.2} to `sendfile`)"),
            reach: format!("≤ {reach:.2} × `write`"),
            reached: Some(ratio <= reach),
            ..Line::default()
        })
    };
    viewer_loads.iter().map(line).collect()
}

fn large_frames(options: &Options) -> anyhow::Result<Vec<Line>> {
    cpu_lines(options, &many(100_000, 30, &[100, 500, 1000]), "100 kB at 30 fps", 0.80)
}

fn few_viewers(options: &Options) -> anyhow::Result<Vec<Line>> {
    cpu_lines(options, &many(100_000, 30, &[1, 3]), "100 kB at 30 fps", 1.10)
}

fn small_frames(options: &Options) -> anyhow::Result<Vec<Line>> {
    cpu_lines(&options.at_most(2), &many(30_000, 15, &[1000, 3000]), "30 kB at 15 fps", 1.25)
}

fn delivery(options: &Options) -> anyhow::Result<Vec<Line>> {
    let viewer_loads = many(95_000, 30, &[500, 2000]);
    let test_bed = options.test_bed(&viewer_loads.iter().collect::<Vec<_>>())?;
    let line = |(viewer_load, reach): (&ViewerLoad, f64)| {
        let seen = test_bed.in_turns(&ALL, viewer_load, 1)?;
        let part = |seen: &[Seen]| median(seen, |seen| seen.frames as f64 / seen.offered as f64);
        let figure = |seen: &[Seen]| format!("{:.4}", part(seen));
        Ok(Line {
            measure: format!("delivered / offered, 95 kB at 30 fps, {} viewers", viewer_load.viewers),
            write: figure(&seen[0]),
            sendfile: figure(&seen[1]),
            framecast: figure(&seen[2]),
            ratio: format!("{:.3}", part(&seen[2]) / part(&seen[0])),
            reach: format!("≥ {reach}"),
            reached: Some(part(&seen[2]) >= reach),
            ..Line::default()
        })
    };
    viewer_loads.iter().zip([0.999, 0.99]).map(line).collect()
}

fn memory(options: &Options) -> anyhow::Result<Vec<Line>> {
    const FEW: usize = 10;
    const MANY: usize = 510;
    const FRAMES: usize = 4;
    let line = |(bytes, fps): (usize, u32)| {
        let viewer_load = |viewers| ViewerLoad { window_s: 1.5, ..ViewerLoad::of(bytes, fps, viewers) };
        // A process of its own for each: memory that was once used is not always given back.
        let test_bed = options.test_bed(&[&viewer_load(FEW)])?;
        let grown = |who| {
            let few = test_bed.measure(who, &viewer_load(FEW))?.resident as f64;
            let many = test_bed.measure(who, &viewer_load(MANY))?.resident as f64;
            anyhow::Ok((few, (many - few) / (MANY - FEW) as f64 / 1024.0))
        };
        let (few, per_viewer) = grown(ServerKind::Framecast)?;
        Ok(Line {
            measure: format!("resident memory per viewer, {} kB frames at {fps} fps", bytes / 1000),
            write: format!("{:.1} KiB", grown(ServerKind::Write)?.1),
            sendfile: format!("{:.1} KiB", grown(ServerKind::Sendfile)?.1),
            framecast: format!("{per_viewer:.1} KiB (with {FEW} viewers {:.1} MiB)", few / 1024.0 / 1024.0),
            reach: "≤ 16 KiB, and ≤ 4 frames of the stream in all".to_owned(),
            // What many viewers add may be up to so many frames on their way, once, besides.
            reached: Some(per_viewer <= 16.0 + (FRAMES * bytes) as f64 / (MANY - FEW) as f64 / 1024.0),
            ..Line::default()
        })
    };
    [(30_000, 15), (1_000_000, 3)].into_iter().map(line).collect()
}

/// A figure of what was seen.
type Figure = fn(&Seen) -> f64;

fn latency(options: &Options) -> anyhow::Result<Vec<Line>> {
    let viewer_load = ViewerLoad::of(100_000, 30, 100);
    let test_bed = options.test_bed(&[&viewer_load])?;
    let seen = test_bed.in_turns(&ALL, &viewer_load, options.rounds)?;
    let line = |(name, of): (&str, Figure)| {
        let figure = |seen: &[Seen]| format!("{:.2} ms", median(seen, of));
        let ratio = median_ratio(&seen[2], &seen[0], of);
        Line {
            measure: format!("camera's write to viewer's last byte, 100 kB, 100 viewers, {name}"),
            write: figure(&seen[0]),
            sendfile: figure(&seen[1]),
            framecast: figure(&seen[2]),
            ratio: format!("{ratio:.2}"),
            reach: "≤ 1.20 × `write`".to_owned(),
            reached: Some(ratio <= 1.2),
            ..Line::default()
        }
    };
    let measures: [(&str, Figure); 2] = [("p50", |seen| seen.p50_ms), ("p99", |seen| seen.p99_ms)];
    Ok(measures.into_iter().map(line).collect())
}

fn stalled_viewers(options: &Options) -> anyhow::Result<Vec<Line>> {
    let viewer_load = |stalled| ViewerLoad { stalled, window_s: 4.0, ..ViewerLoad::of(100_000, 30, 50) };
    let test_bed = options.test_bed(&[&viewer_load(0)])?;
    let part = |seen: &Seen| seen.frames as f64 / seen.offered as f64;
    let write = test_bed.measure(ServerKind::Write, &viewer_load(10))?;
    let sendfile = test_bed.measure(ServerKind::Sendfile, &viewer_load(10))?;
    let whole = test_bed.measure(ServerKind::Framecast, &viewer_load(0))?;
    let seen = test_bed.measure(ServerKind::Framecast, &viewer_load(10))?;
    let more = seen.resident.saturating_sub(whole.resident) as f64 / 1024.0;
    Ok(vec![Line {
        measure: "10 of 50 viewers never read: delivered to the other 40; memory more than with 50 readers"
            .to_owned(),
        write: format!("{:.4}", part(&write)),
        sendfile: format!("{:.4}", part(&sendfile)),
        framecast: format!("{:.4}; {more:.0} KiB", part(&seen)),
        reach: "1.000; ≤ 4 frames + 10 × 16 KiB".to_owned(),
        reached: Some(part(&seen) >= 1.0 && more <= 400.0 + 160.0),
        ..Line::default()
    }])
}

fn idle_streams(options: &Options) -> anyhow::Result<Vec<Line>> {
    const SECONDS: f64 = 5.0;
    let cameras: Vec<_> = (0..200).map(|number| CameraName { bytes: 30_000, fps: 15, number }).collect();
    let test_bed = TestBed::start(&options.program, 0, &cameras)?;
    // The start itself is not what is measured.
    test_bed.idle_cpu(1.0)?;
    let percent = test_bed.idle_cpu(SECONDS)? / SECONDS * 100.0;
    let connections = test_bed.camera_connections()?;
    Ok(vec![Line {
        measure: "200 idle on-demand streams: CPU, connections to cameras".to_owned(),
        framecast: format!("{percent:.2} % of a core, {connections}"),
        reach: "< 1 %, 0".to_owned(),
        reached: Some(percent < 1.0 && connections == 0),
        ..Line::default()
    }])
}

fn many_cameras(options: &Options) -> anyhow::Result<Vec<Line>> {
    let cameras: Vec<_> = (0..16).map(|number| CameraName { bytes: 100_000, fps: 30, number }).collect();
    let viewer_load = |each: usize| ViewerLoad {
        cameras: cameras.clone(),
        viewers: 16 * each,
        ..ViewerLoad::of(100_000, 30, 0)
    };
    cpu_lines(
        &options.at_most(2),
        &[viewer_load(10), viewer_load(30)],
        "16 cameras of 100 kB at 30 fps",
        0.80,
    )
}

fn workers(options: &Options) -> anyhow::Result<Vec<Line>> {
    let viewer_load = ViewerLoad::of(100_000, 30, 500);
    let two = TestBed::start(&options.program, 0, &viewer_load.cameras)?;
    let one = TestBed::start(&options.program, 1, &viewer_load.cameras)?;
    let (mut of_two, mut of_one) = (Vec::new(), Vec::new());
    for _ in 0..options.at_most(2).rounds {
        of_two.push(two.measure(ServerKind::Framecast, &viewer_load)?);
        of_one.push(one.measure(ServerKind::Framecast, &viewer_load)?);
    }
    let ratio = median_ratio(&of_two, &of_one, cpu_per_gb);
    Ok(vec![Line {
        measure: "CPU s per GB on all cores against one core, 100 kB at 30 fps, 500 viewers".to_owned(),
        framecast: format!("{:.3}; {:.3}", median(&of_two, cpu_per_gb), median(&of_one, cpu_per_gb)),
        ratio: format!("{ratio:.2} (to one core)"),
        reach: "≤ 1.15 × one core".to_owned(),
        reached: Some(ratio <= 1.15),
        ..Line::default()
    }])
}

fn slow_link(options: &Options) -> anyhow::Result<Vec<Line>> {
    let viewer_load = ViewerLoad { warm_s: 2.0, window_s: 7.0, ..ViewerLoad::of(100_000, 30, 1) };
    let measure =
        "age of frames behind 8 Mbit/s, 24 Mbit/s offered, p50 (first half → second half)".to_owned();
    let reach = "≤ 250 ms, not growing".to_owned();
    let link = match link::Link::make() {
        Ok(link) => link,
        Err(error) => {
            return Ok(vec![Line {
                measure,
                framecast: format!("skipped: {error:#}"),
                reach,
                ..Line::default()
            }]);
        }
    };
    let test_bed = options.test_bed(&[&viewer_load])?;
    let seen = |who| test_bed.measure_from(who, &viewer_load, Some((link.namespace(), link::NEAR_ADDRESS)));
    let (write, sendfile, framecast) =
        (seen(ServerKind::Write)?, seen(ServerKind::Sendfile)?, seen(ServerKind::Framecast)?);
    let figure = |seen: &Seen| {
        let [first, second] = seen.halves_p50_ms;
        format!("{:.0} ms ({first:.0} → {second:.0})", seen.p50_ms)
    };
    let [first, second] = framecast.halves_p50_ms;
    Ok(vec![Line {
        measure,
        write: figure(&write),
        sendfile: figure(&sendfile),
        framecast: figure(&framecast),
        ratio: format!("{:.2}", framecast.p50_ms / write.p50_ms),
        reach,
        reached: Some(framecast.p50_ms <= 250.0 && second <= first * 1.2),
        ..Line::default()
    }])
}

fn tls(options: &Options) -> anyhow::Result<Vec<Line>> {
    const FEW: usize = 10;
    let viewer_load = |viewers| ViewerLoad::of(100_000, 30, viewers);
    let few = {
        // A process of its own: memory that was once used is not always given back.
        let test_bed = TestBed::start_secured(&options.program, &viewer_load(FEW).cameras)?;
        let resident = |who| anyhow::Ok(test_bed.measure(who, &viewer_load(FEW))?.resident as f64);
        (resident(ServerKind::Write)?, resident(ServerKind::Framecast)?)
    };
    let test_bed = TestBed::start_secured(&options.program, &viewer_load(100).cameras)?;
    let seen =
        test_bed.in_turns(&[ServerKind::Write, ServerKind::Framecast], &viewer_load(100), options.rounds)?;
    let ratio = median_ratio(&seen[1], &seen[0], cpu_per_gb);
    let figure = |seen: &[Seen], few: f64| {
        let per_viewer = (median(seen, |seen| seen.resident as f64) - few) / (100 - FEW) as f64 / 1024.0;
        let rate = median(seen, |seen| seen.bytes as f64 / seen.seconds / 1e6);
        format!("{:.3} (of {rate:.0} MB/s; {per_viewer:.1} KiB a viewer)", median(seen, cpu_per_gb))
    };
    Ok(vec![Line {
        measure: "CPU s per GB over TLS, 100 kB at 30 fps, 100 viewers, against a bare rustls loop"
            .to_owned(),
        write: figure(&seen[0], few.0),
        framecast: figure(&seen[1], few.1),
        ratio: format!("{ratio:.2}"),
        reach: "≤ 1.15 × rustls".to_owned(),
        reached: Some(ratio <= 1.15),
        ..Line::default()
    }])
}
