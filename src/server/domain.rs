//! Under which name a server is reached, and what its handles end in: the name it was given, else the address it listens
//! on, else, if it listens on all, this machine's own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::wire::address::{AddressError, parse_host};

/// Addresses for documentation, behind every default route (RFC 5737, RFC 3849). Nothing is ever sent there.
const ANYWHERE: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), 9),
];

/// A server's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// As it stands in addresses and handles.
    pub name: String,
    /// It is no more than the address that this machine has at the moment.
    pub is_guess: bool,
}

impl Domain {
    /// The name for a server that was given this one, or none, and listens on `local`.
    pub fn choose(given: Option<&str>, local: IpAddr) -> Result<Self, AddressError> {
        if let Some(given) = given {
            return Ok(Self { name: parse_host(given)?, is_guess: false });
        }
        let is_guess = local.is_unspecified();
        let address = if is_guess { own_address(local) } else { local };
        let name = match address {
            IpAddr::V6(ip) => format!("[{ip}]"),
            IpAddr::V4(ip) => ip.to_string(),
        };
        Ok(Self { name, is_guess })
    }
}

/// The address that this machine sends from by its default route; that of the machine to itself, if it has none.
fn own_address(unspecified: IpAddr) -> IpAddr {
    let [v4, v6] = ANYWHERE.map(|to| {
        let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        // A socket of datagrams that is connected has chosen its route and has sent nothing.
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect(to).ok()?;
        socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified())
    });
    if unspecified.is_ipv4() {
        v4.unwrap_or(Ipv4Addr::LOCALHOST.into())
    } else {
        // A socket on all IPv6 addresses takes IPv4 too, as systems are set up.
        v6.or(v4).unwrap_or(Ipv6Addr::LOCALHOST.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_given_is_taken_if_it_is_one() {
        let local = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let given = Domain::choose(Some("Calls.Example.org"), local).unwrap();
        assert_eq!(given, Domain { name: "calls.example.org".into(), is_guess: false });
        for bad in ["", "calls.example.org:4474", "https://example.org", "a b", "::1", "[::1", "alice@example.org"] {
            assert_eq!(Domain::choose(Some(bad), local), Err(AddressError::Host), "{bad}");
        }
    }

    #[test]
    fn without_a_name_the_address_is_one_that_can_be_called() {
        let named = |local: IpAddr| Domain::choose(None, local).unwrap();
        assert_eq!(named(Ipv4Addr::LOCALHOST.into()), Domain { name: "127.0.0.1".into(), is_guess: false });
        assert_eq!(named(Ipv6Addr::LOCALHOST.into()), Domain { name: "[::1]".into(), is_guess: false });
        for local in [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)] {
            let Domain { name, is_guess } = named(local);
            let address: IpAddr = name.trim_matches(['[', ']']).parse().unwrap();
            assert!(is_guess && !address.is_unspecified(), "{name}");
        }
    }
}
