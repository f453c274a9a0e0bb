//! How much each source address and each key may take of the server: connections, requests, envelopes, and time.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::places::{Place, Places};
use crate::media::Timestamp;
use crate::relay::{Quotas, Rate};

/// Connections at one time, those in their handshake included.
pub const MAX_CONNECTIONS: usize = 4096;

/// What strangers may take of the server. An address is an IPv4 address or an IPv6 prefix of 64 bits; an office behind one
/// has room.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at one time from one address.
    pub per_address: usize,
    /// Connections at one time with one key: a device whose network changes leaves a few dead ones behind.
    pub per_key: usize,
    /// New connections from one address.
    pub arrivals: Rate,
    /// Devices from one address that the server has not seen before: each may become an account, which stays for a year.
    pub newcomers: Rate,
    /// Requests from one address.
    pub requests: Rate,
    /// Envelopes from one address.
    pub envelopes: Rate,
    /// Strangers' envelopes from one address.
    pub strangers: Rate,
    /// Strangers' envelopes to one device.
    pub strangers_to: Rate,
    /// Requests with one key.
    pub key_requests: Rate,
    /// For the handshake and the greeting.
    pub greeting: Duration,
    /// For a device's registration.
    pub registration: Duration,
    /// From a message's first byte to its last.
    pub message: Duration,
    /// How long a courier, or who was refused, may go without a request.
    pub patience: Duration,
    /// How long the database's file may hold what was deleted.
    pub tidy: Duration,
}

/// Those of a real server.
pub const LIMITS: Limits = Limits {
    per_address: 256,
    per_key: 8,
    arrivals: Rate { per_second: 20.0, burst: 600.0 },
    newcomers: Rate { per_second: 1.0 / 60.0, burst: 100.0 },
    requests: Rate { per_second: 200.0, burst: 2000.0 },
    envelopes: Rate { per_second: 20.0, burst: 300.0 },
    strangers: Rate { per_second: 0.2, burst: 12.0 },
    strangers_to: Rate { per_second: 0.1, burst: 8.0 },
    key_requests: Rate { per_second: 20.0, burst: 60.0 },
    greeting: Duration::from_secs(10),
    registration: Duration::from_secs(10),
    message: Duration::from_secs(10),
    patience: Duration::from_secs(30),
    tidy: Duration::from_mins(1),
};

/// Counts what is taken.
pub struct Gate {
    limits: Limits,
    addresses: Places<IpAddr>,
    keys: Places<[u8; 32]>,
    arrivals: Quotas<IpAddr>,
    newcomers: Quotas<IpAddr>,
    requests: Quotas<IpAddr>,
    envelopes: Quotas<IpAddr>,
    strangers: Quotas<IpAddr>,
    strangers_to: Quotas<[u8; 32]>,
    key_requests: Quotas<[u8; 32]>,
}

/// What is done with somebody who comes.
pub enum Arrival {
    /// Welcome, until this is dropped.
    Enters(Place<IpAddr>),
    /// Is to prove first that the address is its own.
    ProvesAddress,
    /// Goes away.
    Refused,
}

impl Gate {
    /// A gate that nobody has passed.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            addresses: Places::default(),
            keys: Places::default(),
            arrivals: Quotas::new(limits.arrivals),
            newcomers: Quotas::new(limits.newcomers),
            requests: Quotas::new(limits.requests),
            envelopes: Quotas::new(limits.envelopes),
            strangers: Quotas::new(limits.strangers),
            strangers_to: Quotas::new(limits.strangers_to),
            key_requests: Quotas::new(limits.key_requests),
        }
    }

    /// What is allowed.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Somebody comes from `source`, while there are `all` connections. An address that is not validated may be somebody
    /// else's: it fills half of the places at most, and costs its owner nothing.
    pub fn arrive(&self, source: IpAddr, is_validated: bool, all: usize, now: Timestamp) -> Arrival {
        let source = network(source);
        let from_there = self.addresses.count(source);
        let is_hasty = !self.arrivals.has(&source, 1.0, now);
        let is_crowded = is_hasty || all >= MAX_CONNECTIONS / 2 || from_there >= self.limits.per_address / 2;
        if all >= MAX_CONNECTIONS {
            return Arrival::Refused;
        }
        if is_crowded && !is_validated {
            return Arrival::ProvesAddress;
        }
        if is_hasty {
            return Arrival::Refused;
        }
        self.addresses.enter(source, self.limits.per_address).map_or(Arrival::Refused, Arrival::Enters)
    }

    /// The handshake is done: the address was its own, and the key is this.
    pub fn enter(&self, source: IpAddr, key: [u8; 32], now: Timestamp) -> Option<Place<[u8; 32]>> {
        if !self.arrivals.take(network(source), 1.0, now) {
            return None;
        }
        self.keys.enter(key, self.limits.per_key)
    }

    /// Whether one more device that was never here before may register.
    pub fn may_begin(&self, source: IpAddr, now: Timestamp) -> bool {
        self.newcomers.take(network(source), 1.0, now)
    }

    /// Whether a request that costs so much may be made.
    pub fn may_ask(&self, source: IpAddr, key: [u8; 32], cost: f64, now: Timestamp) -> bool {
        self.key_requests.take(key, cost, now) && self.requests.take(network(source), cost, now)
    }

    /// Whether one more envelope may be delivered.
    pub fn may_deliver(&self, source: IpAddr, now: Timestamp) -> bool {
        self.envelopes.take(network(source), 1.0, now)
    }

    /// Whether a stranger may deliver one more envelope to the device.
    pub fn may_deliver_as_stranger(&self, source: IpAddr, device: [u8; 32], now: Timestamp) -> bool {
        self.strangers.take(network(source), 1.0, now) && self.strangers_to.take(device, 1.0, now)
    }

    /// Forgets addresses and keys that have all their quota back.
    pub fn sweep(&self, now: Timestamp) {
        for quotas in [&self.arrivals, &self.newcomers, &self.requests, &self.envelopes, &self.strangers] {
            quotas.sweep(now);
        }
        self.key_requests.sweep(now);
        self.strangers_to.sweep(now);
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

    const START: Timestamp = Timestamp::from_nanos(1);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn neighbours_in_one_prefix_count_together() {
        let same = |a, b| network(ip(a)) == network(ip(b));
        assert!(same("2001:db8::1", "2001:db8::2"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1") && !same("192.0.2.1", "192.0.2.2"));
    }

    #[test]
    fn who_has_not_proved_an_address_takes_half_of_its_places_and_none_of_its_quota() {
        let gate = Gate::new(Limits { per_address: 4, ..LIMITS });
        let arrive = |validated| gate.arrive(ip("192.0.2.1"), validated, 0, START);
        let mut inside = Vec::new();
        for _ in 0..2 {
            let Arrival::Enters(place) = arrive(false) else { panic!("there is room") };
            inside.push(place);
        }
        assert!(matches!(arrive(false), Arrival::ProvesAddress));
        for _ in 0..2 {
            let Arrival::Enters(place) = arrive(true) else { panic!("there is room") };
            inside.push(place);
        }
        assert!(matches!(arrive(true), Arrival::Refused));
        assert!(matches!(gate.arrive(ip("192.0.2.2"), false, 0, START), Arrival::Enters(_)));
        assert!(matches!(gate.arrive(ip("192.0.2.2"), true, MAX_CONNECTIONS, START), Arrival::Refused));
    }

    #[test]
    fn haste_is_counted_for_handshakes_that_were_finished() {
        let arrivals = Rate { per_second: 1.0, burst: 3.0 };
        let gate = Gate::new(Limits { arrivals, per_key: 2, ..LIMITS });
        let source = ip("192.0.2.1");
        for _ in 0..10 {
            assert!(matches!(gate.arrive(source, false, 0, START), Arrival::Enters(_)), "spoofed ones cost nothing");
        }
        let places = [1, 1, 1].map(|key| gate.enter(source, [key; 32], START));
        assert_eq!(places.map(|place| place.is_some()), [true, true, false], "two for a key");
        assert!(matches!(gate.arrive(source, false, 0, START), Arrival::ProvesAddress));
        assert!(matches!(gate.arrive(source, true, 0, START), Arrival::Refused));
        let later = START + Duration::from_secs(2);
        assert!(matches!(gate.arrive(source, true, 0, later), Arrival::Enters(_)));
    }

    #[test]
    fn another_key_from_the_same_address_does_not_get_around_the_quota() {
        let rate = |burst| Rate { per_second: 0.0, burst };
        let gate = Gate::new(Limits { requests: rate(5.0), key_requests: rate(3.0), envelopes: rate(1.0), ..LIMITS });
        let source = ip("192.0.2.1");
        let asked = |key: u8| (0..10).filter(|_| gate.may_ask(source, [key; 32], 1.0, START)).count();
        assert_eq!([asked(1), asked(2), asked(3)], [3, 2, 0]);
        assert!(gate.may_ask(ip("192.0.2.2"), [4; 32], 1.0, START));
        assert!(gate.may_deliver(source, START) && !gate.may_deliver(source, START));
    }
}
