//! A server that speaks the protocol and lies: it gives the device list that it is told to, and delivers nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ed25519_dalek::SigningKey;
use visavis::net::streams::{MessageReader, StreamError, write_message};
use visavis::net::tls::{self, Accept};
use visavis::wire::address::ServerAddress;
use visavis::wire::signal::{Hello, PaddedChain, ToClient, ToServer};

use super::support::SILENT;

/// What every client is told to be the server's key.
pub fn key() -> SigningKey {
    SigningKey::from_bytes(&[77; 32])
}

/// Somebody new who calls bob by the server at `address`.
pub fn call(address: &str, profile: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
    command.args(["call", "bob@127.0.0.1", "--name", "alice", "--server", address, "--profile"]);
    command.arg(profile).args(SILENT).args(["--size", "160x96"]).stderr(Stdio::piped());
    command
}

/// Serves each connection on a thread of its own until the tests are over. Gives the address that clients use.
pub fn listen<F>(config: quinn::ServerConfig, serve: impl Fn(quinn::Connection) -> F + Send + 'static) -> String
where
    F: Future<Output = Result<(), StreamError>> + Send + 'static,
{
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let endpoint = quinn::Endpoint::server(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
            tell.send(endpoint.local_addr().unwrap().port()).unwrap();
            while let Some(incoming) = endpoint.accept().await {
                if let Ok(connection) = incoming.await {
                    tokio::spawn(serve(connection));
                }
            }
        });
    };
    std::thread::Builder::new().name("false-server".into()).spawn(run).unwrap();
    let port = told.recv().unwrap();
    let key = key().verifying_key().to_bytes();
    ServerAddress { host: "127.0.0.1".into(), port, key }.to_string()
}

pub struct FalseServer {
    pub address: String,
    said: Arc<Said>,
}

/// What clients have said to it, and what it says to them.
#[derive(Default)]
struct Said {
    greetings: AtomicUsize,
    letters: AtomicUsize,
    /// Its answer to every look-up.
    chain: Mutex<Vec<u8>>,
}

impl FalseServer {
    /// Answers every look-up with `chain`.
    pub fn start(chain: Vec<u8>) -> Self {
        let config = tls::server_config(&key(), Accept::Any).unwrap();
        Self::start_with(config, chain)
    }

    /// The same behind other TLS than ours.
    pub fn start_with(config: quinn::ServerConfig, chain: Vec<u8>) -> Self {
        let said = Arc::new(Said { chain: Mutex::new(chain), ..Said::default() });
        let counts = Arc::clone(&said);
        let address = listen(config, move |connection| {
            let counts = Arc::clone(&counts);
            async move { serve(&connection, &counts).await }
        });
        Self { address, said }
    }

    /// Answers every look-up with `chain` from now on.
    pub fn say(&self, chain: Vec<u8>) {
        *self.said.chain.lock().unwrap() = chain;
    }

    pub fn greetings(&self) -> usize {
        self.said.greetings.load(Ordering::Acquire)
    }

    pub fn letters(&self) -> usize {
        self.said.letters.load(Ordering::Acquire)
    }
}

async fn serve(connection: &quinn::Connection, said: &Said) -> Result<(), StreamError> {
    let (mut writer, stream) = connection.accept_bi().await.map_err(|_| StreamError::Lost)?;
    let mut reader = MessageReader::new(stream);
    reader.read::<Hello>().await?;
    said.greetings.fetch_add(1, Ordering::AcqRel);
    write_message(&mut writer, &ToClient::Welcome { domain: "127.0.0.1".into() }).await?;
    loop {
        let answer = match reader.read().await? {
            ToServer::LookUp { .. } => ToClient::LookedUp(PaddedChain::new(Some(&said.chain.lock().unwrap()))),
            ToServer::Deliver { .. } => {
                said.letters.fetch_add(1, Ordering::AcqRel);
                ToClient::Delivered
            }
            _ => ToClient::Done,
        };
        write_message(&mut writer, &answer).await?;
    }
}
