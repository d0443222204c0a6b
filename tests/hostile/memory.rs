//! The attacks of `benches/attack` for some seconds each, on the built program in a control group of 256 MiB;
//! if none may be made, its resident memory is read. `cargo bench --bench attack` measures the release binary
//! in full (docs/reliability.md).

use std::{path::Path, time::Duration};

use testkit::{
    attacks::{self, ATTACKS, AUTH, AttackFiles, KINDS, STREAMS, Target, handshakes},
    cgroup::Cgroup,
    fixture::{Fixture, until},
};

/// Memory that the process may use under attack.
const LIMIT_BYTES: u64 = 256 * 1024 * 1024;

/// Memory that may remain in use afterwards.
const KEPT_KIB: u64 = 48 * 1024;

/// Length of an attack; a flood goes through six phases in it.
const LENGTH: Duration = Duration::from_secs(3);

/// The stream that viewers among the attackers watch.
const CAMERA: &str = "  camera: {source: {type: pattern, size: 640x480, fps: 10}}";

/// Runs an attack beside the good stream, whose viewer must get each frame, and waits until the memory is
/// given back.
async fn assert_survives(name: &str) {
    let group = Cgroup::with_limit("hostile", LIMIT_BYTES).ok();
    let shell = match &group {
        Some(group) => format!("echo $$ >'{}' && exec \"$@\"", group.processes().display()),
        None => "exec \"$@\"".to_owned(),
    };
    let mut fixture = Fixture::secured_by(&shell, AUTH, &format!("{CAMERA}{STREAMS}")).await;
    let target = Target::new(fixture.address(), Path::new(&fixture.certificate())).unwrap();
    let arsenal = AttackFiles::made_for(name).unwrap();
    let before = fixture.process().memory_kib();
    let attack = async |_: &Fixture| attacks::run(name, &target, arsenal, LENGTH, 1).await.unwrap();
    fixture.assert_survives(LIMIT_BYTES / 1024 - before, attack).await;
    assert_ne!(handshakes(), 0, "the relay was not even reached");
    until("the memory to be given back", async || {
        let kept = fixture.process().memory_kib().saturating_sub(before);
        if kept <= KEPT_KIB { Ok(()) } else { Err(format!("{kept} KiB more than before")) }
    })
    .await;
    fixture.end();
    drop(group);
}

macro_rules! tests {
    ($($test:ident: $name:literal,)*) => {
        const TESTED: &[&str] = &[$($name),*];

        $(
            #[tokio::test]
            async fn $test() {
                assert_survives($name).await;
            }
        )*
    };
}

tests! {
    data_without_data: "empty-data",
    answers_that_nobody_reads_over_http2: "answers-http2",
    answers_that_nobody_reads_over_http1: "answers-http1",
    requests_far_ahead_of_their_answers: "requests-ahead",
    large_pngs: "png",
    large_progressive_jpegs_with_renditions: "progressive",
    large_cmyk_jpegs_with_renditions: "cmyk",
    wrong_passwords_from_one_address: "passwords-one",
    wrong_passwords_from_many_addresses: "passwords-many",
    pictures_that_never_end: "uploads",
    points_that_never_end: "points",
    large_texts: "texts",
    viewers_that_never_read: "viewers",
    renditions_of_ever_other_sizes: "renditions",
    sockets_that_never_read: "sockets",
    idle_connections: "idle",
    a_mix_of_all: "mix",
    a_flood_of_data: "flood-data",
    a_flood_of_headers: "flood-headers",
    a_flood_of_priorities: "flood-priority",
    a_flood_of_resets: "flood-rst-stream",
    a_flood_of_settings: "flood-settings",
    a_flood_of_push_promises: "flood-push-promise",
    a_flood_of_pings: "flood-ping",
    a_flood_of_goaways: "flood-goaway",
    a_flood_of_window_updates: "flood-window-update",
    a_flood_of_continuations: "flood-continuation",
    a_flood_of_unknown_frames: "flood-unknown",
}

#[test]
fn every_attack_is_tested() {
    let floods = KINDS.iter().map(|(kind, _)| format!("flood-{kind}"));
    let all: Vec<_> = ATTACKS.iter().map(|attack| attack.name.to_owned()).chain(floods).collect();
    assert_eq!(all, TESTED);
}
