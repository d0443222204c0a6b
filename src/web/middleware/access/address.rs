//! The address of the client, also behind proxies.

use std::net::IpAddr;

use actix_web::HttpRequest;

use crate::{config::Proxies, web::state::Runtime};

/// The maximum number of addresses that are read from the header: more than chains of proxies have.
const MAX_HOPS: usize = 16;

/// Returns the client's address; `None` over a Unix socket whose other end is no trusted proxy.
pub(in crate::web) fn address(runtime: &Runtime, request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
    let settings = runtime.settings.current();
    if !settings.proxies.trust(peer) {
        return peer;
    }
    // The last address was added by the proxy itself: a line is not left out because of invalid characters
    // before it.
    let lines = request.headers().get_all("x-forwarded-for");
    let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    client(&settings.proxies, peer, hops)
}

/// Returns the last address that is no trusted proxy: anybody may have made up those before it.
fn client<'a>(
    proxies: &Proxies,
    peer: Option<IpAddr>,
    hops: impl Iterator<Item = &'a str>,
) -> Option<IpAddr> {
    let mut client = peer;
    for hop in hops.take(MAX_HOPS) {
        let Some(address) = parse(hop.trim()) else { break };
        client = Some(address);
        if !proxies.trust(client) {
            break;
        }
    }
    client
}

/// Parses an address, which some proxies write with a port.
fn parse(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.split(']').next()).unwrap_or(hop);
    let address = bare.parse().ok().or_else(|| Some(hop.parse::<std::net::SocketAddr>().ok()?.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

/// Returns whether the client uses TLS, to framecast or to a trusted proxy.
pub(in crate::web) fn is_secure(runtime: &Runtime, request: &HttpRequest) -> bool {
    let said = request.headers().get("x-forwarded-proto").and_then(|said| said.to_str().ok());
    let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
    runtime.is_tls || (said == Some("https") && runtime.settings.current().proxies.trust(peer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let proxies: Proxies = ["127.0.0.1", "10.0.0.0/8", "::1"]
            .into_iter()
            .map(|net| net.parse::<crate::config::Proxy>().unwrap())
            .collect();
        let scope = |peer: &str, header: &str| {
            let peer: IpAddr = peer.parse().unwrap();
            if !proxies.trust(Some(peer)) {
                return peer.to_string();
            }
            client(&proxies, Some(peer), header.rsplit(',')).unwrap().to_string()
        };
        assert_eq!(scope("127.0.0.1", "192.0.2.7"), "192.0.2.7");
        assert_eq!(scope("192.0.2.1", "192.0.2.7"), "192.0.2.1", "a stranger's word");
        assert_eq!(scope("127.0.0.1", "1.2.3.4, 192.0.2.7, 10.1.2.3"), "192.0.2.7", "1.2.3.4 was invented");
        assert_eq!(scope("127.0.0.1", "192.0.2.7:5555"), "192.0.2.7");
        assert_eq!(scope("::1", "[2001:db8::1]:5555"), "2001:db8::1");
        assert_eq!(scope("127.0.0.1", ""), "127.0.0.1");
        assert_eq!(scope("127.0.0.1", "192.0.2.7, nonsense"), "127.0.0.1");
    }
}
