//! How many connections each source address has, so that no single one fills the server.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections by IPv4 address or IPv6 prefix of 64 bits.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection that counts until this is dropped.
#[derive(Debug)]
pub struct Place {
    addresses: Addresses,
    source: IpAddr,
}

impl Addresses {
    /// Connections from where `source` is.
    pub fn count(&self, source: IpAddr) -> usize {
        self.with(|counts| counts.get(&network(source)).copied().unwrap_or_default())
    }

    /// One more from there.
    pub fn enter(&self, source: IpAddr) -> Place {
        let source = network(source);
        self.with(|counts| *counts.entry(source).or_default() += 1);
        Place { addresses: self.clone(), source }
    }

    fn with<T>(&self, action: impl FnOnce(&mut HashMap<IpAddr, usize>) -> T) -> T {
        action(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.addresses.with(|counts| {
            if let Some(count) = counts.get_mut(&self.source) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&self.source);
                }
            }
        });
    }
}

/// What one customer of a network usually has: an IPv4 address, or a prefix of 64 bits.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_in_one_prefix_count_together_until_they_go() {
        let addresses = Addresses::default();
        let [one, neighbour, stranger, old, mapped] =
            ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "192.0.2.1", "::ffff:192.0.2.1"]
                .map(|text| text.parse::<IpAddr>().unwrap());
        let places = [one, neighbour, old].map(|source| addresses.enter(source));
        let counts = || [one, stranger, old, mapped].map(|source| addresses.count(source));
        assert_eq!(counts(), [2, 0, 1, 1]);
        drop(places);
        assert_eq!(counts(), [0; 4]);
        assert!(addresses.with(|counts| counts.is_empty()));
    }
}
