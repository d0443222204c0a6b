//! `server.trusted_proxies`: whose word on a client's address is taken.

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    /// Whoever comes over a Unix socket.
    Unix,
    /// A network, or one address.
    Network(IpNet),
}

/// What is written is neither an address nor a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoProxy;

impl FromStr for Proxy {
    type Err = NoProxy;

    fn from_str(text: &str) -> Result<Self, NoProxy> {
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let address = || Some(IpNet::from(text.parse::<IpAddr>().ok()?));
        text.parse().ok().or_else(address).map(Self::Network).ok_or(NoProxy)
    }
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<Proxy>);

impl Proxies {
    /// Whether a connection from there is one of a proxy; a Unix socket's has no address.
    pub fn trust(&self, peer: Option<IpAddr>) -> bool {
        self.0.iter().any(|proxy| match (proxy, peer) {
            (Proxy::Unix, None) => true,
            (Proxy::Network(network), Some(peer)) => network.contains(&peer),
            _ => false,
        })
    }
}

impl FromIterator<Proxy> for Proxies {
    fn from_iter<I: IntoIterator<Item = Proxy>>(proxies: I) -> Self {
        Self(proxies.into_iter().collect())
    }
}
