//! A client's connections to the server, of all three roles.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;

use super::ceiling::Ceiling;
use super::streams::{MessageReader, StreamError, write_message};
use super::{knobs, tls};
use crate::wire::address::{Handle, ServerAddress, parse_host};
use crate::wire::signal::{Hello, Refusal, Role, ToClient, ToServer, VERSION};

/// Longest time for reaching the server.
const CONNECT: Duration = Duration::from_secs(5);

/// Why the server cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The host name.
    #[error("the server's name {0} cannot be resolved; check the address and the network")]
    Resolve(String),
    /// No answer.
    #[error("the server does not answer; check the address, the network, and whether UDP is let through")]
    Unreachable,
    /// Another key than the address says.
    #[error(
        "the server shows another key than its address says: it is not the one you were told, or it was set up anew"
    )]
    WrongKey,
    /// The server goes by another name than the one it was given.
    #[error(
        "this server calls itself {domain}, so {own} cannot be a handle there: \
         use the server address {domain}:{port} with the same key, and you are {name}@{domain}", name = own.name()
    )]
    OtherName {
        /// Host part of its handles.
        domain: String,
        /// Where it is.
        port: u16,
        /// The handle that does not belong there.
        own: Handle,
    },
    /// The server said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It was there, and is gone.
    #[error("the connection to the server was lost")]
    Lost,
    /// This machine.
    #[error("the network of this machine cannot be used: {0}")]
    Local(String),
}

impl ConnectError {
    /// Whether waiting does not help.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        matches!(
            self,
            Self::WrongKey
                | Self::OtherName { .. }
                | Self::Refused(
                    Refusal::Version
                        | Refusal::Taken
                        | Refusal::Chain
                        | Refusal::Deleted
                        | Refusal::CodeNeeded
                        | Refusal::CodeWrong
                        | Refusal::CodeLocked { .. }
                )
        )
    }
}

impl From<StreamError> for ConnectError {
    fn from(_: StreamError) -> Self {
        Self::Lost
    }
}

/// A connection that the server has welcomed.
pub struct ServerLink {
    /// Where the connection starts.
    endpoint: quinn::Endpoint,
    /// The connection, for datagrams.
    pub connection: quinn::Connection,
    /// Requests go here.
    pub writer: quinn::SendStream,
    /// Answers and pushes come here.
    pub reader: MessageReader,
    /// Host part of the server's handles.
    pub domain: String,
}

/// Connects to the server at `address`, showing `own`, as `role`, from a socket of its own: purposes share no socket, so
/// that they cannot be linked by their port.
pub async fn connect(address: &ServerAddress, own: &SigningKey, role: Role) -> Result<ServerLink, ConnectError> {
    let endpoint = |to: &SocketAddr| {
        let local: SocketAddr =
            if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
        quinn::Endpoint::client(local).map_err(|error| ConnectError::Local(error.to_string()))
    };
    connect_in_time(address, own, role, knobs::client(), endpoint).await
}

/// Enters a relay room from the socket of the call.
pub async fn connect_from(
    endpoint: &quinn::Endpoint,
    ceiling: &Ceiling,
    address: &ServerAddress,
    own: &SigningKey,
    role: Role,
) -> Result<ServerLink, ConnectError> {
    connect_in_time(address, own, role, knobs::room(ceiling), |_| Ok(endpoint.clone())).await
}

/// Connects in time or not at all.
async fn connect_in_time(
    address: &ServerAddress,
    own: &SigningKey,
    role: Role,
    knobs: Arc<quinn::TransportConfig>,
    endpoint: impl FnOnce(&SocketAddr) -> Result<quinn::Endpoint, ConnectError>,
) -> Result<ServerLink, ConnectError> {
    let connecting = async {
        let host = address.host.trim_start_matches('[').trim_end_matches(']');
        let resolved = tokio::net::lookup_host((host, address.port)).await.ok().and_then(|mut found| found.next());
        let resolved = resolved.ok_or_else(|| ConnectError::Resolve(address.host.clone()))?;
        let mut config =
            tls::client_config(own, address.key).map_err(|error| ConnectError::Local(error.to_string()))?;
        config.transport_config(knobs);
        let endpoint = endpoint(&resolved)?;
        let connecting = endpoint
            .connect_with(config, resolved, tls::SERVER_NAME)
            .map_err(|error| ConnectError::Local(error.to_string()))?;
        let connection = connecting.await.map_err(|error| match error {
            error if tls::is_wrong_key(&error) => ConnectError::WrongKey,
            _ => ConnectError::Unreachable,
        })?;
        let (mut writer, stream) = connection.open_bi().await.map_err(|_| ConnectError::Lost)?;
        write_message(&mut writer, &Hello { version: VERSION, role }).await?;
        let mut reader = MessageReader::new(stream);
        match reader.read().await? {
            ToClient::Welcome { domain } => {
                // It is shown to people, so it has to be a name.
                let domain = parse_host(&domain).map_err(|_| ConnectError::Lost)?;
                Ok(ServerLink { endpoint, connection, writer, reader, domain })
            }
            ToClient::Refused(refusal) => Err(refusal.into()),
            _ => Err(ConnectError::Lost),
        }
    };
    tokio::time::timeout(CONNECT, connecting).await.map_err(|_| ConnectError::Unreachable)?
}

impl ServerLink {
    /// Leaves, and stays until the server can have learnt it: who only stops is believed to be there for seconds more. Only
    /// for connections with a socket of their own.
    pub async fn close(self) {
        self.connection.close(0_u32.into(), b"");
        self.endpoint.wait_idle().await;
    }

    /// Sends a request and waits for its answer. Only for roles that get no pushes.
    pub async fn ask(&mut self, request: &ToServer) -> Result<ToClient, ConnectError> {
        write_message(&mut self.writer, request).await?;
        match self.reader.read().await? {
            ToClient::Refused(refusal) => Err(refusal.into()),
            answer => Ok(answer),
        }
    }
}
