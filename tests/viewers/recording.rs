//! Frames are written to disk, and the disk takes no more.

use std::{fs, process::Command};

use serde_json::Value;
use testkit::{
    binary::Framecast,
    pictures::jpeg,
    program::wait_for,
    stream_client::{StreamViewer, push, report, report_when},
};

use crate::TestRelay;

/// Serves with a file system of its own at the folder, prepared by shell commands in which `$0` is that
/// folder.
fn serve_on(folder: &str, prepare: &str, yaml: &str) -> Framecast {
    let script = format!("{prepare} && exec \"$@\"");
    Framecast::serve_with(yaml, |command| {
        // A mount namespace of its own: nothing is left behind, and the test need not be root.
        let mut wrapped = Command::new("unshare");
        wrapped.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, folder]);
        wrapped.arg(command.get_program()).args(command.get_args());
        *command = wrapped;
        command
    })
}

/// Waits until the stream `bars` is saved so.
fn wait_for_saving(framecast: &Framecast, state: &str) -> Value {
    wait_for(&format!("saving to be {state}"), || {
        let stream = framecast.stream("bars");
        (stream["saving"]["state"] == state).then_some(stream)
    })
}

/// The stream goes on: more frames come than before.
fn assert_goes_on(framecast: &Framecast, before: &Value) {
    let frames = |stream: &Value| stream["frames_in"].as_u64().expect("a number");
    wait_for("more frames", || (frames(&framecast.stream("bars")) >= frames(before) + 5).then_some(()));
    assert_eq!(framecast.stream("bars")["state"], "live");
}

#[test]
fn a_full_disk_is_a_state_and_a_count_and_not_the_end_of_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let free = folder.path().with_extension("free");
    let free_name = free.to_str().unwrap();
    // A disk of 128 KiB that is freed of other files when the test says so.
    let prepare = format!(
        "mount -t tmpfs -o size=128k none \"$0\" && head -c 100000 /dev/zero > \"$0/filler\" && \
         {{ (while ! test -e {free_name}; do sleep 0.05; done; rm \"$0/filler\") & }}"
    );
    for save in
        [format!("{{dir: {dir}/ring, keep: 3}}"), format!("{{append: {dir}/bars.mjpg, max_bytes: 40KiB}}")]
    {
        let yaml =
            format!("streams: {{bars: {{source: {{type: pattern, size: 320x240, fps: 20}}, save: {save}}}}}");
        // The filler leaves room for some pictures of 6 KiB; the rest is written full.
        let framecast =
            serve_on(dir, &format!("{prepare} && head -c 40000 /dev/zero > \"$0/more\" || true"), &yaml);
        let failing = wait_for_saving(&framecast, "failing");
        let reason = failing["saving"]["reason"].as_str().expect("a reason");
        assert!(reason.contains("No space left"), "{reason}");
        assert!(
            failing["save_failures"].as_u64() > Some(0) && failing["saving"]["since"].as_f64() > Some(1.7e9)
        );
        assert_goes_on(&framecast, &failing);
        fs::write(&free, "").unwrap();
        let saving = wait_for_saving(&framecast, "saving");
        assert_eq!(saving["saving"]["reason"], Value::Null);
        let log = framecast.end();
        let complaints = log.lines().filter(|line| line.contains("cannot save frames")).count();
        assert_eq!(complaints, 1, "once for each time that it begins to fail:\n{log}");
        fs::remove_file(&free).unwrap();
    }
}

#[test]
fn a_picture_that_was_half_written_when_the_disk_was_full_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let kept = folder.path().with_extension("kept");
    let kept_name = kept.to_str().unwrap();
    // Takes the file out of the file system when framecast, whose number is the shell's, has ended.
    let prepare = format!(
        "mount -t tmpfs -o size=64k none \"$0\" && \
         {{ (while kill -0 $$; do sleep 0.05; done; cp \"$0/a.mjpg\" {kept_name}.new; mv {kept_name}.new \
         {kept_name}) > /dev/null 2>&1 & }}"
    );
    let source = "source: {type: pattern, size: 320x240, fps: 20}";
    let yaml = format!("streams: {{bars: {{{source}, save: {{append: {dir}/a.mjpg, max_bytes: 1MB}}}}}}");
    let framecast = serve_on(dir, &prepare, &yaml);
    let failing = wait_for_saving(&framecast, "failing");
    framecast.end();
    let file = wait_for("the file", || fs::read(&kept).ok());
    fs::remove_file(&kept).unwrap();
    let (mut rest, mut pictures) = (&file[..], 0);
    while !rest.is_empty() {
        let picture = framecast::media::jpeg::inspect(rest)
            .expect("pictures stand one behind the other, all of them whole");
        rest = &rest[picture.len..];
        pictures += 1;
    }
    assert!(pictures > 0 && Some(pictures) >= failing["saved"].as_u64(), "{pictures} of {failing}");
}

#[test]
fn a_disk_that_is_read_only_is_a_state_too() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    for save in [
        format!("{{latest: {dir}/a.jpg}}"),
        format!("{{dir: {dir}/ring, keep: 3}}"),
        format!("{{append: {dir}/a.mjpg, max_bytes: 1MB}}"),
    ] {
        let yaml = format!("streams: {{bars: {{source: {{type: pattern, fps: 20}}, save: {save}}}}}");
        let framecast = serve_on(dir, "mount -t tmpfs -o ro none \"$0\"", &yaml);
        let failing = wait_for_saving(&framecast, "failing");
        let reason = failing["saving"]["reason"].as_str().expect("a reason");
        assert!(reason.contains("Read-only"), "{save}: {reason}");
        assert_eq!(failing["saved"], 0);
        assert_goes_on(&framecast, &failing);
    }
}

/// Somebody with write access to the folder puts a link where a file is about to be written.
#[tokio::test]
async fn no_planted_link_is_followed() {
    use std::os::unix::fs::symlink;
    for target in ["theirs", "nothing-there", "folder"] {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("theirs"), "theirs").unwrap();
        fs::create_dir(at("folder")).unwrap();
        fs::create_dir(at("ring")).unwrap();
        let streams: Vec<_> = [
            ("a", "latest: ", "/a.jpg"),
            ("b", "dir: ", "/ring, keep: 1"),
            ("c", "append: ", "/a.mjpg, max_bytes: 1MB"),
        ]
        .into_iter()
        .map(|(name, key, place)| {
            let path = folder.path().display();
            format!("{name}: {{source: {{type: push, token: none}}, save: {{{key}{path}{place}}}}}")
        })
        .collect();
        let relay = TestRelay::start(&format!("streams: {{{}}}", streams.join(", ")));
        // A name that this process had before, that of the file itself, and that of an older picture.
        let pid = std::process::id();
        for name in [
            format!(".a.jpg.{pid}.framecast-tmp"),
            "a.jpg".to_owned(),
            "a.mjpg".to_owned(),
            "ring/20200101-000000-000-000001.jpg".to_owned(),
        ] {
            symlink(at(target), at(&name)).unwrap();
        }
        fs::create_dir(at("ring/20200101-000000-000-000002.jpg")).unwrap();
        for (stream, saved) in [("a", true), ("b", true), ("c", false)] {
            for n in 1..=2 {
                push(&relay, stream, &jpeg(n)).await;
                let counter = if saved { "saved" } else { "save_failures" };
                report_when(&relay, stream, |report| report[counter] == n).await;
            }
        }
        assert_eq!(fs::read(at("a.jpg")).unwrap(), jpeg(2), "{target}: it was replaced");
        let reason = report(&relay, "c").await["saving"]["reason"].to_string();
        assert!(reason.contains("symbolic link") && !reason.contains("a.mjpg"), "{target}: {reason}");
        assert_eq!(fs::read_to_string(at("theirs")).unwrap(), "theirs", "{target}");
        assert!(
            !at("nothing-there").exists() && fs::read_dir(at("folder")).unwrap().count() == 0,
            "{target}"
        );
        let ring: Vec<_> =
            fs::read_dir(at("ring")).unwrap().map(|entry| entry.unwrap().file_type().unwrap()).collect();
        assert_eq!(ring.iter().filter(|kind| kind.is_file()).count(), 1, "{target}: the newest picture");
        assert!(!ring.iter().any(|kind| kind.is_symlink()), "{target}: the older one went");
    }
}

#[tokio::test]
async fn viewers_see_every_picture_while_the_disk_takes_none() {
    let relay = TestRelay::start(
        "streams: {x: {source: {type: push, token: none}, save: {append: /dev/full, max_bytes: 1MB}}}",
    );
    assert_eq!(report(&relay, "x").await["saving"]["state"], "waiting");
    let mut viewer = StreamViewer::join(relay.address(), "/streams/x").await;
    for n in 1..=5 {
        push(&relay, "x", &jpeg(n)).await;
        viewer.until(&jpeg(n)).await;
        let counted = |report: &Value| report["save_failures"].as_u64() >= Some(u64::from(n));
        let failing = report_when(&relay, "x", counted).await;
        assert_eq!((&failing["saving"]["state"], &failing["saved"]), (&"failing".into(), &0.into()));
    }
}

#[tokio::test]
async fn a_file_that_grows_is_what_its_stream_showed_and_stops_where_it_was_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.mjpg");
    let max_bytes = jpeg(1).len() + jpeg(2).len();
    let relay = TestRelay::start(&format!(
        "streams: {{x: {{source: {{type: push, token: none}}, save: {{append: {}, max_bytes: {max_bytes}, \
         when_full: stop}}}}, y: {{source: {{type: push, token: none}}}}}}",
        file.display()
    ));
    for n in 1..=2 {
        push(&relay, "x", &jpeg(n)).await;
        report_when(&relay, "x", |report| report["saved"] == n).await;
    }
    push(&relay, "x", &jpeg(3)).await;
    let full = report_when(&relay, "x", |report| report["saving"]["state"] == "full").await;
    assert!(full["saving"]["reason"].as_str().is_some_and(|reason| reason.contains("max_bytes")), "{full}");
    assert_eq!(fs::read(&file).unwrap(), [jpeg(1), jpeg(2)].concat());
    assert_eq!(report(&relay, "y").await["saving"], Value::Null, "nothing is to be saved there");
}
