//! Addresses at which a side of a call may be reached directly: which are offered, and which of the peer's are tried.
//!
//! The peer's come under the group's seal, but a peer is not to be trusted with our packets: the count is bounded and
//! what cannot belong to a call is thrown away.

use std::net::{IpAddr, SocketAddr};

/// Most addresses that a side offers or tries.
pub const MAX_CANDIDATES: usize = 8;

/// What this machine offers: the address that the server sees first, then those of its interfaces. Loopback only when
/// the server is on this machine, since only then can the peer be.
#[must_use]
pub fn own(
    interfaces: impl IntoIterator<Item = IpAddr>,
    port: u16,
    observed: Option<SocketAddr>,
    server_here: bool,
) -> Vec<SocketAddr> {
    let hosts = interfaces.into_iter().map(|ip| SocketAddr::new(ip, port));
    usable(observed.into_iter().chain(hosts), server_here)
}

/// Those of `addresses` that may be tried, each once, at most [`MAX_CANDIDATES`].
#[must_use]
pub fn usable(addresses: impl IntoIterator<Item = SocketAddr>, loopback: bool) -> Vec<SocketAddr> {
    let mut found = Vec::with_capacity(MAX_CANDIDATES);
    for address in addresses {
        let address = canonical(address);
        let fits = address.port() != 0 && is_unicast(address.ip()) && (loopback || !address.ip().is_loopback());
        if fits && !found.contains(&address) {
            found.push(address);
            if found.len() == MAX_CANDIDATES {
                break;
            }
        }
    }
    found
}

/// One way to write each address: IPv4 as IPv4, without scopes and flow labels.
#[must_use]
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn is_unicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() || ip.octets()[0] == 0),
        // A link-local address means nothing without its interface, which the other side cannot know.
        IpAddr::V6(ip) => !(ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn what_cannot_belong_to_a_call_is_thrown_away() {
        let bad = addresses(&[
            "0.0.0.0:5",
            "0.1.2.3:5",
            "224.0.0.1:5",
            "255.255.255.255:5",
            "192.168.1.1:0",
            "127.0.0.1:5",
            "[::]:5",
            "[::1]:5",
            "[ff02::1]:5",
            "[fe80::1]:5",
            "[::ffff:127.0.0.1]:5",
        ]);
        assert_eq!(usable(bad, false), []);
    }

    #[test]
    fn loopback_counts_only_when_the_server_is_there_too() {
        let own = |server_here| {
            own(addresses(&["127.0.0.1:1", "10.0.0.1:1"]).iter().map(SocketAddr::ip), 9, None, server_here)
        };
        assert_eq!(own(false), addresses(&["10.0.0.1:9"]));
        assert_eq!(own(true), addresses(&["127.0.0.1:9", "10.0.0.1:9"]));
    }

    #[test]
    fn what_the_server_sees_comes_first_and_nothing_twice() {
        let observed = "[::ffff:203.0.113.5]:4000".parse().ok();
        let hosts = addresses(&["203.0.113.5:1", "10.0.0.1:1", "10.0.0.1:1"]);
        let offered = own(hosts.iter().map(SocketAddr::ip), 4000, observed, false);
        assert_eq!(offered, addresses(&["203.0.113.5:4000", "10.0.0.1:4000"]));
    }

    proptest! {
        #[test]
        fn whatever_is_offered_few_and_sane_remain(offered: Vec<(IpAddr, u16)>, loopback: bool) {
            let usable = usable(offered.into_iter().map(SocketAddr::from), loopback);
            prop_assert!(usable.len() <= MAX_CANDIDATES);
            for (at, address) in usable.iter().enumerate() {
                prop_assert!(address.port() != 0 && !address.ip().is_multicast() && !address.ip().is_unspecified());
                prop_assert!(loopback || !address.ip().is_loopback());
                prop_assert!(!usable[..at].contains(address));
            }
        }
    }
}
