//! One connection from its handshake to its end: greeting, requests by role, packets of a room.

use std::sync::Arc;
use std::time::Duration;

use quinn::VarInt;
use tokio::sync::mpsc;

use super::state::{Membership, OUTBOX, State, Way};
use crate::engine::clock;
use crate::net::streams::{MessageReader, StreamError, write_message};
use crate::net::tls;
use crate::relay::{self, TokenBucket};
use crate::wire::signal::{Hello, MAX_ROOM_MESSAGE_BYTES, Refusal, Role, ToClient, ToServer, VERSION};

/// Close code: the server goes away.
pub const GOING_AWAY: VarInt = VarInt::from_u32(1);
/// Close code: the client broke the protocol.
pub const BROKEN: VarInt = VarInt::from_u32(2);
/// Close code: the client does not read what is sent to it.
pub const TOO_SLOW: VarInt = VarInt::from_u32(3);

/// A stranger has this long for the handshake and the greeting.
const GREETING: Duration = Duration::from_secs(10);
const REQUESTS_PER_S: f64 = 20.0;
const REQUESTS_BURST: f64 = 60.0;
/// 24 Mb/s: more than any call of two sends.
const BYTES_PER_S: f64 = 3.0 * 1024.0 * 1024.0;
const PACKETS_PER_S: f64 = 6000.0;

/// Serves a connection until it ends, or, if it is a courier's or was refused, asks nothing for `patience`.
pub async fn serve(incoming: quinn::Incoming, state: Arc<State>, patience: Duration) {
    let greeting = async {
        let connection = incoming.await.map_err(|_| StreamError::Lost)?;
        let (writer, stream) = connection.accept_bi().await.map_err(|_| StreamError::Lost)?;
        let mut reader = MessageReader::new(stream);
        let hello: Hello = reader.read().await?;
        Ok::<_, StreamError>((connection, writer, reader, hello))
    };
    let Ok(Ok((connection, mut writer, reader, hello))) = tokio::time::timeout(GREETING, greeting).await else {
        return;
    };
    let Some(key) = tls::peer_key(&connection) else { return };
    if hello.version != VERSION {
        let _ = write_message(&mut writer, &ToClient::Refused(Refusal::Version)).await;
        let _ = writer.finish();
        let _ = tokio::time::timeout(GREETING, writer.stopped()).await;
        return;
    }
    let (outbox, messages) = mpsc::channel(OUTBOX);
    let session = Session { connection: connection.clone(), state, outbox, key, patience };
    tokio::select! {
        result = session.run(reader, hello.role) => {
            if result == Err(StreamError::Malformed) {
                connection.close(BROKEN, b"");
            }
        }
        () = write_all(writer, messages) => {}
    }
    connection.close(GOING_AWAY, b"");
}

async fn write_all(mut writer: quinn::SendStream, mut messages: mpsc::Receiver<ToClient>) {
    while let Some(message) = messages.recv().await {
        if write_message(&mut writer, &message).await.is_err() {
            return;
        }
    }
}

struct Session {
    connection: quinn::Connection,
    state: Arc<State>,
    outbox: mpsc::Sender<ToClient>,
    key: [u8; 32],
    /// How long a connection that is of no use to anybody may go without a request.
    patience: Duration,
}

impl Session {
    async fn run(&self, reader: MessageReader, role: Role) -> Result<(), StreamError> {
        let welcome = ToClient::Welcome { domain: self.state.domain.clone() };
        match role {
            Role::Device => {
                self.send(welcome)?;
                let _connected = self.state.connect(self.key, self.outbox.clone());
                self.serve_device(reader).await
            }
            Role::Courier => {
                self.send(welcome)?;
                self.serve_courier(reader).await
            }
            Role::Relay { room, leaf } => {
                let way = Way { connection: self.connection.clone(), outbox: self.outbox.clone() };
                self.send(welcome)?;
                match self.state.join(room, leaf, way) {
                    Ok((membership, others)) => {
                        for other in others {
                            self.send(ToClient::Arrived { leaf: other })?;
                        }
                        tokio::select! {
                            result = self.serve_room(reader, &membership) => result,
                            result = self.forward(&membership) => result,
                        }
                    }
                    Err(refusal) => {
                        self.send(ToClient::Refused(refusal))?;
                        // It may read the refusal, but not stay.
                        let _ = tokio::time::timeout(self.patience, self.connection.closed()).await;
                        Ok(())
                    }
                }
            }
        }
    }

    async fn serve_device(&self, mut reader: MessageReader) -> Result<(), StreamError> {
        let mut quota = requests();
        loop {
            let request = reader.read().await?;
            let answer = match request {
                _ if !quota.take(1.0, clock::now()) => ToClient::Refused(Refusal::Quota),
                ToServer::Register { chain } => self.state.register(&self.key, &chain),
                _ => return Err(StreamError::Malformed),
            };
            self.send(answer)?;
        }
    }

    async fn serve_courier(&self, mut reader: MessageReader) -> Result<(), StreamError> {
        let mut quota = requests();
        loop {
            let request = tokio::time::timeout(self.patience, reader.read()).await.map_err(|_| StreamError::Lost)??;
            let cost = if let ToServer::Presence { names } = &request { names.len().max(1) } else { 1 };
            let answer = match request {
                _ if !quota.take(cost as f64, clock::now()) => ToClient::Refused(Refusal::Quota),
                ToServer::Presence { names } => self.state.presence(&names),
                ToServer::LookUp { name } => self.state.look_up(&name),
                ToServer::Deliver { device, envelope } => self.state.deliver(device, envelope),
                _ => return Err(StreamError::Malformed),
            };
            self.send(answer)?;
        }
    }

    async fn serve_room(&self, mut reader: MessageReader, member: &Membership) -> Result<(), StreamError> {
        let mut quota = requests();
        loop {
            let request = reader.read().await?;
            if !quota.take(1.0, clock::now()) {
                return Err(StreamError::Malformed);
            }
            let message = match request {
                ToServer::Room { message } if message.len() <= MAX_ROOM_MESSAGE_BYTES => message,
                ToServer::Observe => {
                    self.send(ToClient::Observed(self.connection.remote_address()))?;
                    continue;
                }
                _ => return Err(StreamError::Malformed),
            };
            for other in member.others().ok_or(StreamError::Lost)? {
                let message = ToClient::Room { leaf: member.leaf(), message: message.clone() };
                if other.outbox.try_send(message).is_err() {
                    other.connection.close(TOO_SLOW, b"");
                }
            }
        }
    }

    /// Passes packets on, straight from this connection to the others'.
    async fn forward(&self, member: &Membership) -> Result<(), StreamError> {
        let now = clock::now();
        let mut bytes = TokenBucket::new(BYTES_PER_S, BYTES_PER_S, now);
        let mut packets = TokenBucket::new(PACKETS_PER_S, PACKETS_PER_S, now);
        loop {
            let packet = self.connection.read_datagram().await.map_err(|_| StreamError::Lost)?;
            let now = clock::now();
            if !relay::may_pass(member.leaf(), &packet)
                || !packets.take(1.0, now)
                || !bytes.take(packet.len() as f64, now)
            {
                continue;
            }
            for other in member.others().ok_or(StreamError::Lost)? {
                // A full buffer drops the oldest packets: late media is worthless.
                let _ = other.connection.send_datagram(packet.clone());
            }
        }
    }

    fn send(&self, message: ToClient) -> Result<(), StreamError> {
        self.outbox.try_send(message).map_err(|_| StreamError::Lost)
    }
}

const fn requests() -> TokenBucket {
    TokenBucket::new(REQUESTS_PER_S, REQUESTS_BURST, crate::media::Timestamp::ZERO)
}
