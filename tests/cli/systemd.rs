//! Under systemd: sockets that it listens on, and what it is told.

use std::{fs, os::unix::net::UnixDatagram};

use testkit::program::{Running, python, run};

use testkit::command::{framecast, run_framecast};

const CONFIG: &str = "streams: {x: {source: {type: pattern}}}";

/// Listens as systemd does, says where, and becomes the program in the arguments.
const ACTIVATE: &str = "
import os, socket, sys
listener = socket.create_server(('127.0.0.1', 0))
print('socket', listener.getsockname()[1], flush=True)
os.dup2(listener.fileno(), 3)
# Where it was number 3 already, nothing was copied, and nothing made inheritable.
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[1], sys.argv[1:])
";

#[test]
fn it_serves_on_the_socket_that_it_is_given_and_on_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("framecast.yaml");
    // An address that nobody can listen on: it must not be tried.
    fs::write(&file, format!("server: {{listen: 192.0.2.1:80}}\n{CONFIG}")).unwrap();
    let program = framecast(&[]);
    let mut command = std::process::Command::new(python());
    command.args(["-c", ACTIVATE]).arg(program.get_program()).args(["serve", "-c"]).arg(&file);
    let running = Running::start(&mut command);
    let port = running.line_with(|line| line.strip_prefix("socket ").map(str::to_owned));
    let url = running.line_with(|line| line.strip_prefix("listening on ").map(str::to_owned));
    assert_eq!(url, format!("http://127.0.0.1:{port}/"));
    run("curl", &["-sS", "--fail", &format!("{url}healthz")]);
    running.terminate();
    assert!(running.finish().0.success());
}

#[test]
fn systemd_is_told_that_it_is_ready_well_and_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("framecast.yaml");
    fs::write(&file, CONFIG).unwrap();
    let told = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    told.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let next = || {
        let mut message = [0; 256];
        let length = told.recv(&mut message).expect("it is told something");
        String::from_utf8(message[..length].to_vec()).unwrap().trim().to_owned()
    };
    let mut command = framecast(&["serve", "-l", "127.0.0.1:0", "-c", file.to_str().unwrap()]);
    command.env("NOTIFY_SOCKET", folder.path().join("notify")).env("WATCHDOG_USEC", "200000");
    let running = Running::start(&mut command);
    assert_eq!([next(), next(), next()], ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
    running.terminate();
    while next() != "STOPPING=1" {}
    assert!(running.finish().0.success());
}

#[test]
fn a_socket_that_cannot_be_had_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("framecast.yaml");
    fs::write(&file, CONFIG).unwrap();
    let config = file.to_str().unwrap();
    let serve = |listen: &str| run_framecast(&["serve", "-c", config, "-l", listen]);
    let occupied = folder.path().join("file");
    fs::write(&occupied, "precious").unwrap();
    let listen = format!("unix:{}", occupied.display());
    serve(&listen).assert_failed(1, &[&listen, "there is a file of that name, which is no socket"]);
    assert_eq!(fs::read_to_string(&occupied).unwrap(), "precious");
    let taken = folder.path().join("taken");
    let _listener = std::os::unix::net::UnixListener::bind(&taken).unwrap();
    serve(&format!("unix:{}", taken.display())).assert_failed(1, &["another program listens there"]);
    serve("unix:relative").assert_failed(2, &["must be an absolute path"]);
}
