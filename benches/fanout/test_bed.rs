//! The test bed: a camera, both baseline servers and framecast, each a process; and measurements on it, taken
//! in turns.

use std::{
    fmt::Write as _,
    fs,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use crate::{
    camera::CameraName,
    load::{Plan, Seen},
    process::{Server, cpu_seconds, myself},
    tls::CertFiles,
};

/// The server that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerKind {
    /// The baseline server with `writev`.
    Write,
    /// The baseline server with `sendfile`.
    Sendfile,
    /// framecast.
    Framecast,
}

/// All three.
pub(crate) const ALL: [ServerKind; 3] = [ServerKind::Write, ServerKind::Sendfile, ServerKind::Framecast];

/// The viewers of a measurement.
#[derive(Debug, Clone)]
pub(crate) struct ViewerLoad {
    /// The cameras, one stream each.
    pub cameras: Vec<CameraName>,
    /// All viewers.
    pub viewers: usize,
    /// Of these, so many never read.
    pub stalled: usize,
    /// Before the measurement: sockets' buffers grow to what they need.
    pub warm_s: f64,
    /// The measurement.
    pub window_s: f64,
}

impl ViewerLoad {
    /// `viewers` of one camera.
    pub(crate) fn of(bytes: usize, fps: u32, viewers: usize) -> Self {
        let cameras = vec![CameraName { bytes, fps, number: 0 }];
        Self { cameras, viewers, stalled: 0, warm_s: 1.0, window_s: 2.0 }
    }
}

/// The running processes; they end with this.
#[derive(Debug)]
pub(crate) struct TestBed {
    camera: Server,
    write: Server,
    sendfile: Server,
    framecast: Server,
    /// All but the camera speak TLS, and `write` is rustls.
    tls: Option<CertFiles>,
    _folder: TempDir,
}

impl TestBed {
    /// Starts all, with a stream for each camera. `cores` (0: all) are those that framecast may use.
    pub(crate) fn start(program: &PathBuf, cores: usize, cameras: &[CameraName]) -> anyhow::Result<Self> {
        Self::start_in(tempfile::tempdir()?, None, program, cores, cameras)
    }

    /// Starts the test bed with TLS; [`ServerKind::Write`] is then a bare loop around rustls.
    pub(crate) fn start_secured(program: &PathBuf, cameras: &[CameraName]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let files = CertFiles::make(folder.path())?;
        Self::start_in(folder, Some(files), program, 0, cameras)
    }

    fn start_in(
        folder: TempDir,
        tls: Option<CertFiles>,
        program: &PathBuf,
        cores: usize,
        cameras: &[CameraName],
    ) -> anyhow::Result<Self> {
        let camera = Server::start(&mut myself("camera")?)?;
        let upstream = camera.address.to_string();
        let mut write = myself("baseline")?;
        match &tls {
            Some(files) => write.args(["tls", &upstream]).args([&files.cert, &files.key]),
            None => write.args(["write", &upstream]),
        };
        let write = Server::start(&mut write)?;
        let sendfile = Server::start(myself("baseline")?.args(["sendfile", &upstream]))?;
        let config = folder.path().join("framecast.yaml");
        fs::write(&config, configuration(&camera.address, cameras, tls.as_ref())?)?;
        let mut command = myself("run")?;
        command.arg(cores.to_string()).arg(program).args(["serve", "--listen", "0.0.0.0:0", "--config"]);
        command.arg(&config).env("RUST_LOG", "error").env_remove("FRAMECAST_CONFIG");
        let framecast = Server::start(&mut command)
            .with_context(|| format!("framecast at {} does not start", program.display()))?;
        Ok(Self { camera, write, sendfile, framecast, tls, _folder: folder })
    }

    /// Returns the process of `who`.
    pub(crate) fn server(&self, who: ServerKind) -> &Server {
        match who {
            ServerKind::Write => &self.write,
            ServerKind::Sendfile => &self.sendfile,
            ServerKind::Framecast => &self.framecast,
        }
    }

    /// Measures `who` with the viewers of `viewer_load`.
    pub(crate) fn measure(&self, who: ServerKind, viewer_load: &ViewerLoad) -> anyhow::Result<Seen> {
        self.measure_from(who, viewer_load, None)
    }

    /// Measures from a network namespace, if one is given with the address at which it finds this one.
    pub(crate) fn measure_from(
        &self,
        who: ServerKind,
        viewer_load: &ViewerLoad,
        namespace: Option<(&str, IpAddr)>,
    ) -> anyhow::Result<Seen> {
        let server = self.server(who);
        let address = SocketAddr::new(
            namespace.map_or(server.address.ip(), |(_, address)| address),
            server.address.port(),
        );
        let plan = Plan {
            address,
            streams: viewer_load.cameras.iter().map(CameraName::to_string).collect(),
            viewers: viewer_load.viewers,
            stalled: viewer_load.stalled,
            warm_s: viewer_load.warm_s,
            window_s: viewer_load.window_s,
            pid: server.pid(),
            cert: self.tls.as_ref().map(|files| files.cert.clone()),
        };
        let mut command = match namespace {
            None => myself("load")?,
            Some((name, _)) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", name]).arg(std::env::current_exe()?).arg("load");
                command
            }
        };
        let output = command.arg(serde_json::to_string(&plan)?).stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "the viewers of {who:?} ended with {}", output.status);
        let seen: Seen = serde_json::from_slice(&output.stdout)?;
        if seen.closed > 0 {
            bail!("{} of {} viewers of {who:?} were let go", seen.closed, viewer_load.viewers);
        }
        Ok(seen)
    }

    /// Measures each of `whom` in turns, `rounds` times; one list for each, in their order.
    pub(crate) fn in_turns(
        &self,
        whom: &[ServerKind],
        viewer_load: &ViewerLoad,
        rounds: usize,
    ) -> anyhow::Result<Vec<Vec<Seen>>> {
        let mut all = vec![Vec::new(); whom.len()];
        for _ in 0..rounds {
            for (who, seen) in whom.iter().zip(&mut all) {
                seen.push(self.measure(*who, viewer_load)?);
            }
        }
        Ok(all)
    }

    /// CPU seconds of framecast within `seconds` without any viewer.
    #[expect(clippy::disallowed_methods, reason = "nothing else runs in this thread")]
    pub(crate) fn idle_cpu(&self, seconds: f64) -> anyhow::Result<f64> {
        let before = cpu_seconds(self.framecast.pid())?;
        std::thread::sleep(std::time::Duration::from_secs_f64(seconds));
        Ok(cpu_seconds(self.framecast.pid())? - before)
    }

    /// Returns the number of connections to the cameras.
    pub(crate) fn camera_connections(&self) -> anyhow::Result<usize> {
        use std::io::{Read, Write};
        let mut socket = std::net::TcpStream::connect(self.camera.address)?;
        socket.write_all(b"GET /connections HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer.rsplit('\n').next().unwrap_or_default().parse()?)
    }
}

fn configuration(
    camera: &SocketAddr,
    cameras: &[CameraName],
    tls: Option<&CertFiles>,
) -> anyhow::Result<String> {
    let mut yaml = String::from(
        "limits: {max_viewers: 20000, max_viewers_per_stream: 20000}\n\
         defaults: {linger: 0s, placeholder: false}\nstreams:\n",
    );
    if let Some(CertFiles { cert, key }) = tls {
        yaml.insert_str(0, &format!("server: {{tls: {{cert_file: {cert:?}, key_file: {key:?}}}}}\n"));
    }
    for name in cameras {
        writeln!(yaml, "  {name}: {{source: {{type: mjpeg, url: \"http://{camera}/{name}\"}}}}")?;
    }
    Ok(yaml)
}
