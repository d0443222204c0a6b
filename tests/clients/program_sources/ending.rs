//! Programs run while they are wanted, and nothing of them is left behind.

use std::fs;

use testkit::{binary::Framecast, program::wait_for};

use super::scripts::{Script, gone, is_alive, serve, snapshot};

fn on_demand(source: &str) -> Framecast {
    Framecast::serve(&format!("streams: {{door: {{linger: 0s, source: {source}}}}}"))
}

#[test]
fn a_program_runs_while_somebody_watches_and_all_that_it_started_ends_with_it() {
    let script = Script::new("sleep 1000 & echo $! >child; echo $$ >pid; show");
    let framecast = on_demand(&script.source(""));
    framecast.wait_for_state("door", "idle");
    assert!(!script.folder().join("pid").exists(), "nobody watches");
    snapshot(&framecast);
    let (program, child) = (script.written("pid"), script.written("child"));
    assert_ne!(program, child);
    gone(&program);
    gone(&child);
    framecast.wait_for_state("door", "idle");
    framecast.end_cleanly();
}

#[test]
fn stopping_the_relay_ends_the_whole_group_also_what_does_not_listen() {
    let script = Script::new(
        "trap '' TERM; (trap '' TERM; echo child >ready; sleep 1000) & echo $! >child; echo $$ >pid; show",
    );
    let framecast = serve(&script.source(""));
    framecast.wait_for_state("door", "live");
    let (program, child) = (script.written("pid"), script.written("child"));
    script.written("ready");
    assert!(is_alive(&program) && is_alive(&child));
    framecast.end_cleanly();
    gone(&program);
    gone(&child);
}

#[test]
fn a_killed_relay_leaves_no_program_that_writes() {
    let script = Script::new("echo $$ >pid; show");
    let framecast = serve(&script.source(""));
    framecast.wait_for_state("door", "live");
    let program = script.written("pid");
    assert!(is_alive(&program));
    // Dropping kills it with SIGKILL.
    drop(framecast);
    gone(&program);
}

#[test]
fn the_next_program_starts_when_the_one_before_is_gone() {
    // One that finds another at work says so.
    let script = Script::new(
        "mkdir lock || echo two >two; trap 'sleep 0.3; rmdir lock; exit' TERM; echo $$ >pid; echo x \
         >>starts; show",
    );
    let framecast = on_demand(&script.source(""));
    let starts = || fs::read_to_string(script.folder().join("starts")).unwrap_or_default().lines().count();
    for count in 1..=3 {
        snapshot(&framecast);
        wait_for("the next program", || (starts() >= count).then_some(()));
        framecast.wait_for_state("door", "idle");
    }
    gone(&script.written("pid"));
    assert!(!script.folder().join("two").exists(), "two programs at a time");
    framecast.end_cleanly();
}
