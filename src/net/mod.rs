//! QUIC endpoints with mutually pinned raw public keys: signalling, relay and direct path.

pub mod ceiling;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "client")]
pub mod direct;
#[cfg(feature = "client")]
pub mod impair;
pub mod knobs;
pub mod streams;
pub mod tls;

/// Addition to every default log filter: the socket layer names addresses in its warnings, and no address belongs in a
/// log.
pub const LOG_FILTER: &str = "quinn_udp=error";

/// Which way packets may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathPolicy {
    /// Direct when that works, by relay until then.
    #[default]
    Direct,
    /// Only by relay: the other side never learns this machine's address.
    RelayOnly,
}

impl PathPolicy {
    /// What follows from the setting to hide this machine's address.
    #[must_use]
    pub const fn hiding(address: bool) -> Self {
        if address { Self::RelayOnly } else { Self::Direct }
    }
}
