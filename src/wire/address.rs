//! Addresses that people paste: the server with its key, a handle.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;

/// Port of a server that names none.
pub const DEFAULT_PORT: u16 = 4474;

/// Where a server is and which key it shows: `host:port/KEY`, the key in 52 base-32 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerAddress {
    /// Name or IP address; IPv6 in brackets.
    pub host: String,
    /// UDP port.
    pub port: u16,
    /// The server's Ed25519 key.
    pub key: [u8; 32],
}

/// An account: `name@host`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle {
    name: String,
    host: String,
}

/// Why text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not `host:port/KEY`.
    #[error("a server address looks like example.org:4474/ABC…, as the server prints it")]
    Server,
    /// The key part.
    #[error("the key at the end of the server address is incomplete; copy the whole line that the server prints")]
    Key,
    /// Not `name@host`.
    #[error("a handle looks like name@host; the name has 1 to 32 of a–z, 0–9, dot, dash and underscore")]
    Handle,
    /// Not a host.
    #[error("a host is a name such as calls.example.org, an IPv4 address, or an IPv6 address in brackets")]
    Host,
}

/// A host as it stands in addresses and handles, in lower case.
pub fn parse_host(text: &str) -> Result<String, AddressError> {
    if is_host(text) { Ok(text.to_ascii_lowercase()) } else { Err(AddressError::Host) }
}

impl FromStr for ServerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (place, key) = text.trim().split_once('/').ok_or(AddressError::Server)?;
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && (!host.contains(':') || host.ends_with(']')) => {
                (host, port.parse().map_err(|_| AddressError::Server)?)
            }
            _ => (place, DEFAULT_PORT),
        };
        if !is_host(host) {
            return Err(AddressError::Server);
        }
        let key = BASE32_NOPAD.decode(key.to_ascii_uppercase().as_bytes()).map_err(|_| AddressError::Key)?;
        let key = key.try_into().map_err(|_| AddressError::Key)?;
        Ok(Self { host: host.to_ascii_lowercase(), port, key })
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.host, self.port, BASE32_NOPAD.encode(&self.key).to_ascii_lowercase())
    }
}

impl Handle {
    /// Name at host.
    pub fn new(name: &str, host: &str) -> Result<Self, AddressError> {
        let name = name.to_ascii_lowercase();
        let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        let fits = (1..=32).contains(&name.len()) && name.bytes().all(valid) && is_host(host);
        fits.then(|| Self { name, host: host.to_ascii_lowercase() }).ok_or(AddressError::Handle)
    }

    /// Before the `@`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Behind the `@`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl FromStr for Handle {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (name, host) = text.trim().split_once('@').ok_or(AddressError::Handle)?;
        Self::new(name, host)
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.host)
    }
}

/// A name of labels (RFC 1123), which an IPv4 address looks like too, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(valid) && !label.starts_with('-') && !label.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_survive_their_text() {
        for host in ["example.org", "127.0.0.1", "[::1]"] {
            let address = ServerAddress { host: host.into(), port: 4433, key: [7; 32] };
            assert_eq!(address.to_string().parse(), Ok(address));
        }
        let text = format!("example.org/{}", BASE32_NOPAD.encode(&[7; 32]));
        assert_eq!(text.parse::<ServerAddress>().unwrap().port, DEFAULT_PORT);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!("example.org".parse::<ServerAddress>(), Err(AddressError::Server));
        assert_eq!("example.org:4433/abc".parse::<ServerAddress>(), Err(AddressError::Key));
        for bad in ["::1", "[::1", "[host]", "a..b", "-a.org", "a b"] {
            assert_eq!(format!("{bad}:1/abc").parse::<ServerAddress>(), Err(AddressError::Server), "{bad}");
            assert_eq!(parse_host(bad), Err(AddressError::Host), "{bad}");
        }
        assert_eq!("example.org:x/abc".parse::<ServerAddress>(), Err(AddressError::Server));
        for bad in ["alice", "@host", "al ice@host", "alice@", "äöü@host", "alice@bob@host", "alice@host:1"] {
            assert_eq!(bad.parse::<Handle>(), Err(AddressError::Handle), "{bad}");
        }
        assert_eq!("Alice@Example.org".parse::<Handle>().unwrap().to_string(), "alice@example.org");
    }

    proptest! {
        #[test]
        fn any_text_gives_an_address_or_an_error(text in ".{0,120}") {
            if let Ok(address) = text.parse::<ServerAddress>() {
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
            if let Ok(handle) = text.parse::<Handle>() {
                prop_assert_eq!(handle.to_string().parse(), Ok(handle));
            }
        }
    }
}
