//! `push` and `healthcheck` over https.

use std::{fs, process::Command};

use rcgen::generate_simple_self_signed;
use tempfile::TempDir;
use testkit::{
    binary::{self, Framecast},
    command::{jpeg, run_framecast},
    program::run,
};

/// The configuration of a relay with a certificate of its own, and the folder with that and a picture.
struct Secured {
    folder: TempDir,
    yaml: String,
}

impl Secured {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let other = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap().cert;
        fs::write(path("other.pem"), other.pem()).unwrap();
        // Marked as an authority, which verifiers refuse for a server.
        let (key, cert) = (path("key.pem"), path("cert.pem"));
        let request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=relay"];
        run("openssl", &[&request[..], &["-keyout", &key, "-out", &cert]].concat());
        fs::write(folder.path().join("1.jpg"), jpeg(1)).unwrap();
        let mut secured = Self { folder, yaml: String::new() };
        secured.yaml = format!(
            "server: {{tls: {{cert_file: '{}', key_file: '{}'}}}}\n\
             streams: {{inbox: {{source: {{type: push, token: none}}}}}}",
            secured.path("cert.pem"),
            secured.path("key.pem"),
        );
        secured
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

#[test]
fn push_and_healthcheck_check_the_certificate_as_they_are_told() {
    let secured = Secured::new();
    let relay = Framecast::serve(&secured.yaml);
    assert!(relay.url("").starts_with("https://127.0.0.1:"));
    let commands = [
        vec!["healthcheck".to_owned(), relay.url("/healthz")],
        vec!["push".to_owned(), relay.url("/streams/inbox"), secured.path("1.jpg")],
    ];
    for command in &commands {
        let with = |more: &[&str]| {
            run_framecast(&[&command.iter().map(String::as_str).collect::<Vec<_>>()[..], more].concat())
        };
        with(&["--ca-file", &secured.path("cert.pem")]).assert_success();
        with(&["--insecure"]).assert_success();
        for untrusting in [&[][..], &["--ca-file", &secured.path("other.pem")]] {
            with(untrusting).assert_failed(1, &["not trusted", "--ca-file FILE", "--insecure"]);
        }
        with(&["--ca-file", &secured.path("key.pem")]).assert_failed(1, &["key.pem", "holds no certificate"]);
        with(&["--ca-file", &secured.path("absent.pem")]).assert_failed(1, &["absent.pem", "No such file"]);
        with(&["--ca-file", &secured.path("cert.pem"), "--insecure"])
            .assert_failed(2, &["cannot be used with"]);
    }
    let url = relay.url("/streams/inbox/snapshot");
    assert_eq!(run("curl", &["-sS", "--fail", "--insecure", &url]).stdout, jpeg(1));
    // Plain HTTP towards TLS, and TLS towards nothing.
    let plain = relay.url("/healthz").replace("https:", "http:");
    run_framecast(&["healthcheck", &plain]).assert_failed(1, &["does not answer"]);
    relay.end_cleanly();
}

/// The image's health check, which has no arguments, in a network of its own: the port is fixed.
#[test]
fn the_images_health_check_asks_over_https_where_the_configuration_has_tls() {
    let secured = Secured::new();
    let plain = "streams: {inbox: {source: {type: push, token: none}}}";
    for (yaml, absent) in [(&*secured.yaml, false), (plain, false), (plain, true)] {
        let file = secured.path("framecast.yaml");
        fs::write(&file, yaml).unwrap();
        let script = "
            ip link set lo up || exit 9
            if [ -z \"$2\" ]; then
                \"$0\" serve --listen 0.0.0.0:8080 >\"$1.ready\" & server=$!
                until grep -q listening \"$1.ready\"; do kill -0 $server || exit 8; sleep 0.05; done
            fi
            \"$0\" healthcheck; status=$?
            [ -n \"$2\" ] || kill $server
            exit $status";
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "sh", "-c", script]).arg(binary::path());
        command.args([&*file, if absent { "absent" } else { "" }]).env("FRAMECAST_CONFIG", &file);
        let _ = fs::remove_file(format!("{file}.ready"));
        let ended = command.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(i32::from(absent)), "{yaml}: {said}");
    }
}
