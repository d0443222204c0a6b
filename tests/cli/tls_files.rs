//! Certificate and key: what `check` and `serve` say about their files.

use std::{fs, path::Path};

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use testkit::program::{Running, run, try_run, wait_for};

use testkit::command::{framecast, run_framecast};

/// Writes a configuration with these two files; gives its path.
fn config(folder: &Path, cert: &str, key: &str) -> String {
    let file = folder.join("framecast.yaml");
    let path = |name: &str| folder.join(name).display().to_string();
    let yaml = format!(
        "server: {{tls: {{cert_file: '{}', key_file: '{}'}}}}\n\
         streams: {{x: {{source: {{type: push, token: none}}}}}}",
        path(cert),
        path(key),
    );
    fs::write(&file, yaml).unwrap();
    file.display().to_string()
}

#[test]
fn what_is_wrong_with_the_files_is_said_with_setting_path_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let key = signing_key.serialize_pem();
    write("cert.pem", &cert.pem());
    write("key.pem", &key);
    write("other.pem", &KeyPair::generate().unwrap().serialize_pem());
    write("text.pem", "hello");
    write("broken.pem", &key.replace("-----END PRIVATE KEY-----", ""));
    write("not_a_key.pem", &cert.pem().replace("CERTIFICATE", "PRIVATE KEY"));
    write("not_a_cert.pem", &key.replace("PRIVATE KEY", "CERTIFICATE"));
    write("encrypted.pem", &key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"));
    let table = [
        ("absent.pem", "key.pem", "cert_file", "absent.pem: cannot be read: No such file"),
        ("text.pem", "key.pem", "cert_file", "text.pem: holds no certificate: it must be PEM"),
        ("key.pem", "key.pem", "cert_file", "key.pem: holds a private key and no certificate"),
        ("not_a_cert.pem", "key.pem", "cert_file", "not_a_cert.pem: its first certificate cannot be read"),
        ("cert.pem", "absent.pem", "key_file", "absent.pem: cannot be read: No such file"),
        ("cert.pem", "text.pem", "key_file", "text.pem: holds no private key: it must be PEM"),
        ("cert.pem", "cert.pem", "key_file", "cert.pem: holds a certificate and no private key"),
        (
            "cert.pem",
            "encrypted.pem",
            "key_file",
            "encrypted.pem: is encrypted: decrypt it with `openssl pkey",
        ),
        ("cert.pem", "broken.pem", "key_file", "broken.pem: is damaged"),
        ("cert.pem", "not_a_key.pem", "key_file", "not_a_key.pem: is of a kind that is not supported"),
        ("cert.pem", "other.pem", "key_file", "other.pem: is not the key of the first certificate in"),
    ];
    for (cert, key, setting, says) in table {
        let config = config(folder.path(), cert, key);
        for command in [vec!["check", &config], vec!["serve", "-l", "127.0.0.1:0", "-c", &config]] {
            let ended = run_framecast(&command);
            ended.assert_failed(2, &[&config, &format!("server.tls.{setting}: "), says]);
            assert!(!ended.stderr.contains("MIG"), "a key is shown: {}", ended.stderr);
        }
    }
    run_framecast(&["check", &config(folder.path(), "cert.pem", "key.pem")]).assert_success();
}

#[test]
fn keys_of_every_encoding_serve_with_a_chain() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (key, cert) = (path("key.pem"), path("cert.pem"));
    let made: [(&str, &[&str]); 4] = [
        ("BEGIN EC PRIVATE KEY", &["ecparam", "-genkey", "-noout", "-name", "prime256v1"]),
        ("BEGIN RSA PRIVATE KEY", &["genrsa", "-traditional", "2048"]),
        ("BEGIN PRIVATE KEY", &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
        ("BEGIN PRIVATE KEY", &["genpkey", "-algorithm", "ED25519"]),
    ];
    for (begin, arguments) in made {
        let pem = run("openssl", arguments).stdout;
        assert!(String::from_utf8_lossy(&pem).contains(begin), "{arguments:?}");
        fs::write(&key, pem).unwrap();
        let request = ["req", "-x509", "-key", &key, "-subj", "/CN=localhost", "-days", "2", "-out", &cert];
        run("openssl", &[&request[..], &["-addext", "subjectAltName=IP:127.0.0.1"]].concat());
        let alone = fs::read_to_string(&cert).unwrap();
        let above = generate_simple_self_signed(["above".to_owned()]).unwrap().cert.pem();
        fs::write(path("chain.pem"), alone + &above).unwrap();
        let config = config(folder.path(), "chain.pem", "key.pem");
        let running = Running::start(&mut framecast(&["serve", "-l", "127.0.0.1:0", "-c", &config]));
        let url = running.line_with(|line| line.strip_prefix("listening on ").map(str::to_owned));
        run("curl", &["-sS", "--fail", "--cacert", &cert, &format!("{url}healthz")]);
        running.terminate();
        assert!(running.finish().0.success());
    }
}

#[test]
fn other_files_of_a_certificate_are_used_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["old", "new"] {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        fs::write(folder.path().join(format!("{name}.pem")), cert.pem()).unwrap();
        fs::write(folder.path().join(format!("{name}-key.pem")), signing_key.serialize_pem()).unwrap();
    }
    let file = config(folder.path(), "old.pem", "old-key.pem");
    let running = Running::start(&mut framecast(&["serve", "-l", "127.0.0.1:0", "-c", &file]));
    let url = running.line_with(|line| line.strip_prefix("listening on ").map(str::to_owned));
    let believes = |name: &str| {
        let authority = folder.path().join(name).display().to_string();
        let arguments = ["-sS", "--fail", "--cacert", &authority, &format!("{url}healthz")];
        try_run("curl", &arguments).status.success()
    };
    assert!(believes("old.pem") && !believes("new.pem"));
    config(folder.path(), "new.pem", "new-key.pem");
    wait_for("the other certificate", || believes("new.pem").then_some(()));
    assert!(!believes("old.pem"));
    // A pair that does not fit is refused with the whole file.
    config(folder.path(), "old.pem", "new-key.pem");
    wait_for("the mistake", || {
        running.stderr().contains("is not the key of the first certificate").then_some(())
    });
    assert!(believes("new.pem") && !running.stderr().contains("needs a restart"));
    running.terminate();
    assert!(running.finish().0.success());
}
