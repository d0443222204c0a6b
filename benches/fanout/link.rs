//! A slow link: a network namespace behind a pair of virtual interfaces, of which ours lets through 8 Mbit/s.

use std::{
    net::{IpAddr, Ipv4Addr},
    process::Command,
};

use anyhow::{Context, ensure};

/// Where the namespace finds this machine (TEST-NET-2).
pub(crate) const NEAR_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));

/// The link; taken down when this is dropped.
#[derive(Debug)]
pub(crate) struct Link {
    namespace: String,
}

impl Link {
    /// Needs root, iproute2 and a kernel with `tbf`.
    pub(crate) fn make() -> anyhow::Result<Self> {
        let id = std::process::id();
        let (near, far) = (format!("fcn{id}"), format!("fcf{id}"));
        let link = Self { namespace: format!("fanout{id}") };
        let namespace = &link.namespace;
        ip(&format!("netns add {namespace}"))?;
        ip(&format!("link add {near} type veth peer name {far} netns {namespace}"))?;
        ip(&format!("addr add {NEAR_ADDRESS}/30 dev {near}"))?;
        ip(&format!("link set {near} up"))?;
        ip(&format!("-n {namespace} addr add 198.51.100.2/30 dev {far}"))?;
        ip(&format!("-n {namespace} link set {far} up"))?;
        run("tc", &format!("qdisc add dev {near} root tbf rate 8mbit burst 16kb latency 50ms"))?;
        Ok(link)
    }

    /// Its name.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The interfaces go with it. If it was never made, there is nothing to do.
        let _ = ip(&format!("netns delete {}", self.namespace));
    }
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    run("ip", arguments)
}

fn run(program: &str, arguments: &str) -> anyhow::Result<()> {
    let output = Command::new(program)
        .args(arguments.split(' '))
        .output()
        .with_context(|| format!("{program} (iproute2) cannot be run"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {arguments}: {}", text.trim());
    Ok(())
}
