//! The listening shell around directory and relay: connections in, rules applied, bytes out. Embeddable.

mod addresses;
mod connection;
mod domain;
mod state;
#[cfg(all(test, feature = "client"))]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use tokio::sync::watch;
use zeroize::Zeroizing;

use self::addresses::Addresses;
use self::domain::Domain;
use self::state::State;
use crate::net::{knobs, tls};
use crate::store::server_db::{DbError, EmbeddedDb, ServerDb};
use crate::wire::address::{AddressError, ServerAddress};

/// Connections at one time, those in their handshake included.
pub const MAX_CONNECTIONS: usize = 4096;

/// What strangers may take of the server.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Connections at one time from one IPv4 address or IPv6 prefix of 64 bits: an office behind one address has room.
    per_address: usize,
    /// How long a courier, or who was refused, may go without a request.
    patience: Duration,
}

const LIMITS: Limits = Limits { per_address: 256, patience: Duration::from_secs(30) };

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where it listens (UDP).
    pub listen: SocketAddr,
    /// Where its database is.
    pub data: PathBuf,
    /// Host part of handles and of the address that clients use; if none, the listening address, or this machine's own.
    pub domain: Option<String>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The data directory.
    #[error("the data directory cannot be used: {0}")]
    Data(#[from] DbError),
    /// The address.
    #[error("cannot listen on {address}: {source}; choose another with --listen, or stop what uses it")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The name.
    #[error("the domain cannot be used: {0}; set --domain to the name that clients reach this server by")]
    Domain(#[from] AddressError),
    /// Something else of the system.
    #[error("the server cannot start: {0}")]
    System(String),
}

/// A server that runs on threads of its own until it is shut down or dropped.
pub struct RunningServer {
    address: ServerAddress,
    is_guess: bool,
    local: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl RunningServer {
    /// Starts a server.
    pub fn start(config: &ServerConfig) -> Result<Self, ServerError> {
        Self::start_with(config, LIMITS)
    }

    fn start_with(config: &ServerConfig, limits: Limits) -> Result<Self, ServerError> {
        // Before anything is made or opened; the address counts only when it is bound.
        Domain::choose(config.domain.as_deref(), config.listen.ip())?;
        let db = EmbeddedDb::open(&config.data)?;
        let key = own_key(&db)?;
        let reset_key = secret(&db, "reset-key")?;
        let system = |error: &dyn std::fmt::Display| ServerError::System(error.to_string());
        let listen = |source| ServerError::Listen { address: config.listen, source };
        let socket = std::net::UdpSocket::bind(config.listen).map_err(listen)?;
        knobs::make_roomy(&socket);
        let local = socket.local_addr().map_err(listen)?;
        let Domain { name: domain, is_guess } = Domain::choose(config.domain.as_deref(), local.ip())?;
        let address = ServerAddress { host: domain.clone(), port: local.port(), key: key.verifying_key().to_bytes() };
        let mut quic = tls::server_config(&key, tls::Accept::Any).map_err(|error| system(&error))?;
        quic.transport_config(knobs::server());
        quic.max_incoming(256).incoming_buffer_size(16 * 1024).incoming_buffer_size_total(1 << 20);
        // The same key over restarts: clients of the old process learn at once that their connection is gone.
        let mut endpoint_config = quinn::EndpointConfig::new(tls::reset_key(&reset_key));
        // So must be the key of connection ids: an id that does not fit is not even answered with a reset.
        let id_key = secret(&db, "connection-id-key")?;
        let id_key = id_key.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        endpoint_config.cid_generator(move || Box::new(quinn_proto::HashedConnectionIdGenerator::from_key(id_key)));

        let (stop, stopped) = watch::channel(false);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| system(&error))?;
        let endpoint = {
            let _inside = runtime.enter();
            quinn::Endpoint::new(endpoint_config, Some(quic), socket, Arc::new(quinn::TokioRuntime)).map_err(listen)?
        };
        let state = Arc::new(State::new(Box::new(db), domain));
        let thread = std::thread::Builder::new()
            .name("server".into())
            .spawn(move || runtime.block_on(serve(endpoint, state, limits, stopped)))
            .map_err(|error| system(&error))?;
        Ok(Self { address, is_guess, local, stop, thread: Some(thread) })
    }

    /// The address with key that clients use.
    #[must_use]
    pub const fn address(&self) -> &ServerAddress {
        &self.address
    }

    /// Whether the host in the address is only what this machine happens to be called at the moment, since it listens on
    /// all of its addresses and was given no name.
    #[must_use]
    pub const fn is_address_guessed(&self) -> bool {
        self.is_guess
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// Tells every client that it goes, and ends.
    pub fn shutdown(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn serve(endpoint: quinn::Endpoint, state: Arc<State>, limits: Limits, mut stopped: watch::Receiver<bool>) {
    let addresses = Addresses::default();
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.accept() => incoming,
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        let Some(incoming) = incoming else { break };
        let source = incoming.remote_address().ip();
        let (all, from_there) = (endpoint.open_connections(), addresses.count(source));
        // An address that is not validated may be somebody else's: it fills half of the places at most.
        let is_crowded = all >= MAX_CONNECTIONS / 2 || from_there >= limits.per_address / 2;
        if all >= MAX_CONNECTIONS {
            incoming.refuse();
        } else if is_crowded && !incoming.remote_address_validated() {
            let _ = incoming.retry();
        } else if from_there >= limits.per_address {
            incoming.refuse();
        } else {
            let (state, place) = (Arc::clone(&state), addresses.enter(source));
            tokio::spawn(async move {
                connection::serve(incoming, state, limits.patience).await;
                drop(place);
            });
        }
    }
    endpoint.close(connection::GOING_AWAY, b"");
    endpoint.wait_idle().await;
}

fn own_key(db: &EmbeddedDb) -> Result<SigningKey, ServerError> {
    secret(db, "signing-key").map(|secret| SigningKey::from_bytes(&secret))
}

/// The secret `name`, made when it is first needed.
fn secret(db: &EmbeddedDb, name: &str) -> Result<Zeroizing<[u8; 32]>, ServerError> {
    if let Some(kept) = db.secret(name)?
        && let Ok(kept) = kept.as_slice().try_into()
    {
        return Ok(Zeroizing::new(kept));
    }
    let mut fresh = Zeroizing::new([0; 32]);
    getrandom::fill(fresh.as_mut()).map_err(|error| ServerError::System(error.to_string()))?;
    db.put_secret(name, fresh.as_slice())?;
    Ok(fresh)
}
