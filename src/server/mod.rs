//! The listening shell around directory and relay: connections in, rules applied, bytes out. Embeddable.

mod account;
#[cfg(unix)]
mod admin;
mod connection;
pub mod disclosure;
mod domain;
mod gate;
pub mod metrics;
mod places;
mod state;
mod store;
#[cfg(all(test, feature = "client"))]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use tokio::sync::watch;
use zeroize::Zeroizing;

use self::disclosure::Disclosure;
use self::domain::Domain;
use self::gate::{Arrival, Gate, LIMITS, Limits};
use self::state::State;
use self::store::Store;
use crate::engine::clock;
use crate::net::{knobs, tls};
use crate::store::server_db::{DbError, EmbeddedDb, ServerDb};
use crate::wire::address::{AddressError, ServerAddress};

/// How often is looked for what is to be forgotten.
const SWEEP: Duration = Duration::from_secs(1);

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
    /// The address for monitoring.
    #[error("cannot listen on {address} for monitoring: {source}; choose another with --metrics")]
    Metrics {
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
    metrics: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    /// First the network's, then the database's.
    threads: Vec<JoinHandle<()>>,
}

impl RunningServer {
    /// Starts a server.
    pub fn start(config: &ServerConfig) -> Result<Self, ServerError> {
        Self::start_measured(config, None)
    }

    /// Starts a server that also tells what it counts of itself ([`metrics`]), at this address.
    pub fn start_measured(config: &ServerConfig, metrics: Option<SocketAddr>) -> Result<Self, ServerError> {
        // Before anything is made or opened; the address counts only when it is bound.
        Domain::choose(config.domain.as_deref(), config.listen.ip())?;
        Self::start_over(Box::new(EmbeddedDb::open(&config.data)?), config, LIMITS, metrics)
    }

    fn start_over(
        db: Box<dyn ServerDb>,
        config: &ServerConfig,
        limits: Limits,
        metrics: Option<SocketAddr>,
    ) -> Result<Self, ServerError> {
        let key = own_key(db.as_ref())?;
        let reset_key = secret(db.as_ref(), "reset-key")?;
        let system = |error: &dyn std::fmt::Display| ServerError::System(error.to_string());
        let listen = |source| ServerError::Listen { address: config.listen, source };
        let socket = std::net::UdpSocket::bind(config.listen).map_err(listen)?;
        let measured = metrics.map(|address| {
            let open = metrics::Listener::open(address).and_then(|open| Ok((open.local_address()?, open)));
            open.map_err(|source| ServerError::Metrics { address, source })
        });
        let (metrics, measured) = measured.transpose()?.unzip();
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
        let id_key = secret(db.as_ref(), "connection-id-key")?;
        let id_key = id_key.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        endpoint_config.cid_generator(move || Box::new(quinn_proto::HashedConnectionIdGenerator::from_key(id_key)));

        let (stop, stopped) = watch::channel(false);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| system(&error))?;
        let endpoint = {
            let _inside = runtime.enter();
            quinn::Endpoint::new(endpoint_config, Some(quic), socket, Arc::new(quinn::TokioRuntime)).map_err(listen)?
        };
        let (store, store_thread) = Store::start(db).map_err(|error| system(&error))?;
        let state = Arc::new(State::new(store, domain));
        let gate = Arc::new(Gate::new(limits));
        let data = config.data.clone();
        let thread = std::thread::Builder::new()
            .name("server".into())
            .spawn(move || runtime.block_on(run(endpoint, state, gate, stopped, &data, measured)))
            .map_err(|error| system(&error))?;
        Ok(Self { address, is_guess, local, metrics, stop, threads: vec![thread, store_thread] })
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

    /// Where it tells what it counts of itself, if it does.
    #[must_use]
    pub const fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Tells every client that it goes, and ends.
    pub fn shutdown(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        let _ = self.stop.send(true);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Serves clients, and the operator where there are Unix sockets or an address for monitoring, until told to stop.
async fn run(
    endpoint: quinn::Endpoint,
    state: Arc<State>,
    gate: Arc<Gate>,
    stopped: watch::Receiver<bool>,
    data: &Path,
    measured: Option<metrics::Listener>,
) {
    let (counted, counting) = (Arc::clone(&state), endpoint.clone());
    let measure = async {
        match measured {
            Some(listener) => listener.serve(&counted, &counting).await,
            None => std::future::pending().await,
        }
    };
    #[cfg(unix)]
    match admin::AdminSocket::open(data) {
        Ok(socket) => {
            let admin = Arc::clone(&state);
            return tokio::select! {
                () = serve(endpoint, state, gate, stopped) => {}
                () = socket.serve(&admin) => {}
                () = measure => {}
            };
        }
        // It serves clients all the same; `disclose` then asks for it to be stopped.
        Err(error) => tracing::warn!(%error, "no socket for the operator in {}", data.display()),
    }
    tokio::select! {
        () = serve(endpoint, state, gate, stopped) => {}
        () = measure => {}
    }
}

/// What is held about an account: asked of the server that runs over `data`, or read there if none does.
pub fn disclose(data: &Path, name: &str) -> Result<Disclosure, ServerError> {
    #[cfg(unix)]
    {
        let system = |error: std::io::Error| ServerError::System(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
        if let Some(disclosure) = runtime.block_on(admin::ask(data, name)).map_err(system)? {
            return Ok(disclosure);
        }
    }
    Ok(disclosure::disclose(&EmbeddedDb::open_existing(data)?, name)?)
}

async fn serve(endpoint: quinn::Endpoint, state: Arc<State>, gate: Arc<Gate>, mut stopped: watch::Receiver<bool>) {
    let mut sweep = tokio::time::interval(SWEEP);
    let mut last_expiry = 0;
    let mut tidy = tokio::time::interval(gate.limits().tidy);
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.accept() => incoming,
            _ = sweep.tick() => {
                state.expire(clock::now());
                gate.sweep(clock::now());
                continue;
            }
            _ = tidy.tick() => {
                let today = account::day(clock::unix_now());
                if last_expiry != today {
                    last_expiry = today;
                    state.store.expire(today, account::KEPT_DAYS);
                }
                state.store.tidy();
                continue;
            }
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        let Some(incoming) = incoming else { break };
        let (source, is_validated) = (incoming.remote_address().ip(), incoming.remote_address_validated());
        match gate.arrive(source, is_validated, endpoint.open_connections(), clock::now()) {
            Arrival::Enters(place) => {
                let (state, gate) = (Arc::clone(&state), Arc::clone(&gate));
                tokio::spawn(async move {
                    connection::serve(incoming, state, gate).await;
                    drop(place);
                });
            }
            Arrival::ProvesAddress => drop(incoming.retry()),
            Arrival::Refused => {
                state.counters.turned_away();
                incoming.refuse();
            }
        }
    }
    endpoint.close(connection::GOING_AWAY, b"");
    endpoint.wait_idle().await;
}

fn own_key(db: &dyn ServerDb) -> Result<SigningKey, ServerError> {
    secret(db, "signing-key").map(|secret| SigningKey::from_bytes(&secret))
}

/// The secret `name`, made when it is first needed.
fn secret(db: &dyn ServerDb, name: &str) -> Result<Zeroizing<[u8; 32]>, ServerError> {
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
