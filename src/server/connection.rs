//! One connection from its handshake to its end: greeting, requests by role, packets of a room.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::VarInt;
use tokio::sync::mpsc;

use super::gate::{Gate, Limits};
use super::state::{Membership, OUTBOX, State, Way};
use crate::engine::clock;
use crate::net::streams::{MessageReader, StreamError, write_message};
use crate::net::tls;
use crate::relay::{self, Rate, TokenBucket};
use crate::wire::signal::{
    Hello, MAX_HELLO_BYTES, MAX_REQUEST_BYTES, MAX_ROOM_MESSAGE_BYTES, Refusal, Role, ToClient, ToServer, VERSION,
};

/// Close code: the server goes away.
pub const GOING_AWAY: VarInt = VarInt::from_u32(1);
/// Close code: the client broke the protocol.
pub const BROKEN: VarInt = VarInt::from_u32(2);
/// Close code: the client does not read what is sent to it.
pub const TOO_SLOW: VarInt = VarInt::from_u32(3);

/// A new device may wait this long for the one that takes it in.
const LINK: Duration = Duration::from_mins(10);
/// A device that was revoked has this long to read it.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// 24 Mb/s: more than any call of two sends.
const BYTES: Rate = Rate { per_second: 3.0 * 1024.0 * 1024.0, burst: 3.0 * 1024.0 * 1024.0 };
const PACKETS: Rate = Rate { per_second: 6000.0, burst: 6000.0 };

/// Serves a connection until it ends, or takes longer than its role is given.
pub async fn serve(incoming: quinn::Incoming, state: Arc<State>, gate: Arc<Gate>) {
    let greeting = async {
        let connection = incoming.await.map_err(|_| StreamError::Lost)?;
        let key = tls::peer_key(&connection).ok_or(StreamError::Lost)?;
        let source = connection.remote_address().ip();
        let place = gate.enter(source, key, clock::now());
        let (writer, stream) = connection.accept_bi().await.map_err(|_| StreamError::Lost)?;
        let mut reader = MessageReader::new(stream).with_max_bytes(MAX_HELLO_BYTES);
        let hello: Hello = reader.read().await?;
        let refusal = match place {
            _ if hello.version != VERSION => Some(Refusal::Version),
            None => Some(Refusal::Quota),
            Some(_) => None,
        };
        Ok::<_, StreamError>((connection, writer, reader, hello, source, key, place, refusal))
    };
    let Ok(Ok(greeted)) = tokio::time::timeout(gate.limits().greeting, greeting).await else { return };
    let (connection, mut writer, reader, hello, source, key, place, refusal) = greeted;
    if let Some(refusal) = refusal {
        state.counters.refused(refusal);
        let _ = write_message(&mut writer, &ToClient::Refused(refusal)).await;
        let _ = writer.finish();
        let _ = tokio::time::timeout(gate.limits().greeting, writer.stopped()).await;
        return;
    }
    let (outbox, messages) = mpsc::channel(OUTBOX);
    let session = Session { connection: connection.clone(), state, gate, outbox, source, key };
    tokio::select! {
        result = session.run(reader.with_max_bytes(MAX_REQUEST_BYTES), hello.role) => {
            if result == Err(StreamError::Malformed) {
                connection.close(BROKEN, b"");
            }
        }
        () = write_all(writer, messages) => {}
    }
    connection.close(GOING_AWAY, b"");
    drop(place);
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
    gate: Arc<Gate>,
    outbox: mpsc::Sender<ToClient>,
    source: IpAddr,
    key: [u8; 32],
}

impl Session {
    async fn run(&self, reader: MessageReader, role: Role) -> Result<(), StreamError> {
        let welcome = ToClient::Welcome { domain: self.state.domain.clone() };
        match role {
            Role::Device => {
                self.send(welcome)?;
                let connected = self.state.connect(self.key, self.outbox.clone());
                tokio::select! {
                    result = self.serve_device(reader) => result,
                    result = self.take_no_packet() => result,
                    () = connected.revoked() => {
                        // It may read why, but not stay.
                        let _ = tokio::time::timeout(LAST_LOOK, self.connection.closed()).await;
                        Ok(())
                    }
                }
            }
            Role::Courier => {
                self.send(welcome)?;
                tokio::select! {
                    result = self.serve_courier(reader) => result,
                    result = self.take_no_packet() => result,
                }
            }
            Role::Account => {
                self.send(welcome)?;
                tokio::select! {
                    result = self.serve_account(reader) => result,
                    result = self.take_no_packet() => result,
                }
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
                        let _ = tokio::time::timeout(self.limits().patience, self.connection.closed()).await;
                        Ok(())
                    }
                }
            }
        }
    }

    async fn serve_device(&self, mut reader: MessageReader) -> Result<(), StreamError> {
        let registration = tokio::time::sleep(self.limits().registration);
        tokio::pin!(registration);
        let mut is_registered = false;
        let mut given_code = None;
        loop {
            let request = tokio::select! {
                request = self.next(&mut reader) => request?,
                () = &mut registration, if !is_registered => return Err(StreamError::Lost),
            };
            let answer = match request {
                // One that is held may always be acknowledged: there are never many of them.
                ToServer::Received { number } => {
                    if !self.state.received(&self.key, number) && !self.may_ask(1) {
                        return Err(StreamError::Malformed);
                    }
                    continue;
                }
                ToServer::Code { code } if self.may_ask(1) => {
                    given_code = Some(code);
                    continue;
                }
                _ if !self.may_ask(1) => ToClient::Refused(Refusal::Quota),
                ToServer::Register { .. } if !is_registered && !self.may_register().await => {
                    ToClient::Refused(Refusal::Quota)
                }
                ToServer::Register { chain } => {
                    let answer = self.state.register(self.key, chain, given_code.take()).await;
                    is_registered |= answer == ToClient::Done;
                    answer
                }
                ToServer::AwaitLink => {
                    registration.set(tokio::time::sleep(LINK));
                    self.state.await_link(&self.key)
                }
                ToServer::SetTokens { tokens } if is_registered => self.state.set_tokens(self.key, tokens),
                ToServer::AwaitReplies { token } if is_registered => self.state.await_replies(self.key, token),
                _ => return Err(StreamError::Malformed),
            };
            self.send(answer)?;
            if is_registered {
                self.state.give_waiting(&self.key);
            }
        }
    }

    async fn serve_courier(&self, mut reader: MessageReader) -> Result<(), StreamError> {
        loop {
            let request = self.next_soon(&mut reader).await?;
            let cost = if let ToServer::Presence { names } = &request { names.len().max(1) } else { 1 };
            let answer = match request {
                _ if !self.may_ask(cost) => ToClient::Refused(Refusal::Quota),
                ToServer::Presence { names } => self.state.presence(&names),
                ToServer::LookUp { name } => self.state.look_up(name).await,
                ToServer::Deliver { .. } if !self.gate.may_deliver(self.source, clock::now()) => {
                    ToClient::Refused(Refusal::Quota)
                }
                ToServer::Deliver { device, envelope, token } => {
                    let now = clock::now();
                    let of_stranger = !self.state.admits(&device, &token, now);
                    if of_stranger && !self.gate.may_deliver_as_stranger(self.source, device, now) {
                        ToClient::Refused(Refusal::Quota)
                    } else {
                        self.state.deliver(device, envelope, of_stranger).await
                    }
                }
                _ => return Err(StreamError::Malformed),
            };
            self.send(answer)?;
        }
    }

    async fn serve_account(&self, mut reader: MessageReader) -> Result<(), StreamError> {
        loop {
            let request = self.next_soon(&mut reader).await?;
            let answer = match request {
                _ if !self.may_ask(1) => ToClient::Refused(Refusal::Quota),
                ToServer::AskSecondFactor => self.state.ask_second_factor(self.key).await,
                ToServer::EnableTotp { secret, code } => self.state.enable_totp(self.key, secret, code).await,
                ToServer::DisableTotp { code } => self.state.disable_totp(self.key, code).await,
                ToServer::Delete { code } => self.state.delete(self.key, code).await,
                _ => return Err(StreamError::Malformed),
            };
            self.send(answer)?;
        }
    }

    async fn serve_room(&self, mut reader: MessageReader, member: &Membership) -> Result<(), StreamError> {
        loop {
            let request = self.next(&mut reader).await?;
            if !self.may_ask(1) {
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
        let mut bytes = TokenBucket::new(BYTES, now);
        let mut packets = TokenBucket::new(PACKETS, now);
        loop {
            let packet = self.connection.read_datagram().await.map_err(|_| StreamError::Lost)?;
            let now = clock::now();
            if !relay::may_pass(member.leaf(), &packet)
                || !packets.take(1.0, now)
                || !bytes.take(packet.len() as f64, now)
            {
                self.state.counters.dropped();
                continue;
            }
            let others = member.others().ok_or(StreamError::Lost)?;
            self.state.counters.relayed(packet.len(), others.len());
            for other in others {
                // A full buffer drops the oldest packets: late media is worthless.
                let _ = other.connection.send_datagram(packet.clone());
            }
        }
    }

    /// Packets belong into rooms: one elsewhere breaks the protocol.
    async fn take_no_packet(&self) -> Result<(), StreamError> {
        match self.connection.read_datagram().await {
            Ok(_) => Err(StreamError::Malformed),
            Err(_) => Err(StreamError::Lost),
        }
    }

    /// The next request. It may begin at any time, but then has to come.
    async fn next(&self, reader: &mut MessageReader) -> Result<ToServer, StreamError> {
        reader.begun().await?;
        tokio::time::timeout(self.limits().message, reader.read()).await.map_err(|_| StreamError::Lost)?
    }

    /// The next request of a connection that is of no use to anybody else: it has to begin soon, too.
    async fn next_soon(&self, reader: &mut MessageReader) -> Result<ToServer, StreamError> {
        let next = tokio::time::timeout(self.limits().patience, self.next(reader));
        next.await.map_err(|_| StreamError::Lost)?
    }

    /// Whether this device may register: those that are known always, others in small numbers.
    async fn may_register(&self) -> bool {
        match self.state.knows(self.key).await {
            Ok(known) => known || self.gate.may_begin(self.source, clock::now()),
            Err(_) => false,
        }
    }

    fn may_ask(&self, cost: usize) -> bool {
        self.gate.may_ask(self.source, self.key, cost as f64, clock::now())
    }

    fn limits(&self) -> &Limits {
        self.gate.limits()
    }

    fn send(&self, message: ToClient) -> Result<(), StreamError> {
        if let ToClient::Refused(refusal) = message {
            self.state.counters.refused(refusal);
        }
        self.outbox.try_send(message).map_err(|_| StreamError::Lost)
    }
}
