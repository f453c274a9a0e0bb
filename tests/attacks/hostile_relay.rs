//! A server that does its work for two real clients, and what it likes with what goes through the room of their call.

use std::collections::HashMap;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc::{Sender, channel};
use visavis::crypto::chain::Chain;
use visavis::net::streams::{MessageReader, StreamError, write_message};
use visavis::net::tls::{self, Accept};
use visavis::wire::signal::{Hello, PaddedChain, Role, ToClient, ToServer};

use super::false_server::{key, listen};
use super::support::{SILENT, Talker, online};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mischief {
    None,
    /// Every packet comes twice, once more much later, and back to whoever sent it.
    PlaysAgain,
    /// A bit of every packet is another.
    ChangesPackets,
    /// The proofs of readiness do not arrive.
    KeepsProofs,
    /// The welcome into the group is another.
    ChangesWelcome,
}

#[derive(Clone)]
struct Member {
    leaf: u8,
    connection: quinn::Connection,
    outbox: Sender<ToClient>,
}

struct World {
    mischief: Mischief,
    chains: Mutex<HashMap<String, Vec<u8>>>,
    devices: Mutex<HashMap<[u8; 32], Sender<ToClient>>>,
    rooms: Mutex<HashMap<[u8; 32], Vec<Member>>>,
}

impl World {
    /// A server with this in mind; gives its address.
    fn start(mischief: Mischief) -> String {
        let (chains, devices, rooms) = (Mutex::default(), Mutex::default(), Mutex::default());
        let world = Arc::new(Self { mischief, chains, devices, rooms });
        let config = tls::server_config(&key(), Accept::Any).unwrap();
        listen(config, move |connection| Arc::clone(&world).serve(connection))
    }

    async fn serve(self: Arc<Self>, connection: quinn::Connection) -> Result<(), StreamError> {
        let lost = |_| StreamError::Lost;
        let (mut writer, stream) = connection.accept_bi().await.map_err(lost)?;
        let mut reader = MessageReader::new(stream);
        let Hello { role, .. } = reader.read().await?;
        let (outbox, mut messages) = channel(64);
        let _ = outbox.send(ToClient::Welcome { domain: "127.0.0.1".into() }).await;
        let write = async {
            while let Some(message) = messages.recv().await {
                write_message(&mut writer, &message).await?;
            }
            Ok(())
        };
        let talk = async {
            match role {
                Role::Relay { room, leaf } => self.relay(room, Member { leaf, connection, outbox }, reader).await,
                _ => self.direct(tls::peer_key(&connection).ok_or(StreamError::Lost)?, outbox, reader).await,
            }
        };
        tokio::select! {
            result = write => result,
            result = talk => result,
        }
    }

    /// As a directory it is honest.
    async fn direct(
        &self,
        key: [u8; 32],
        outbox: Sender<ToClient>,
        mut reader: MessageReader,
    ) -> Result<(), StreamError> {
        loop {
            let answer = match reader.read().await? {
                ToServer::Register { chain } => {
                    let handle = Chain::decode(&chain).map_err(|_| StreamError::Malformed)?.handle().to_owned();
                    self.chains.lock().unwrap().insert(handle.split('@').next().unwrap().to_owned(), chain);
                    self.devices.lock().unwrap().insert(key, outbox.clone());
                    ToClient::Done
                }
                ToServer::LookUp { name } => {
                    let chains = self.chains.lock().unwrap();
                    ToClient::LookedUp(PaddedChain::new(chains.get(&name).map(Vec::as_slice)))
                }
                ToServer::Deliver { device, envelope, .. } => {
                    let device = self.devices.lock().unwrap().get(&device).cloned().ok_or(StreamError::Lost)?;
                    let _ = device.send(ToClient::Envelope { number: rand::random(), envelope }).await;
                    ToClient::Delivered
                }
                ToServer::Presence { names } => ToClient::Presence { online: vec![true; names.len()] },
                ToServer::Received { .. } | ToServer::Code { .. } => continue,
                _ => ToClient::Done,
            };
            outbox.send(answer).await.map_err(|_| StreamError::Lost)?;
        }
    }

    async fn relay(&self, room: [u8; 32], member: Member, mut reader: MessageReader) -> Result<(), StreamError> {
        let there = {
            let mut rooms = self.rooms.lock().unwrap();
            let members = rooms.entry(room).or_default();
            members.retain(|other| other.leaf != member.leaf);
            members.push(member.clone());
            others(members, member.leaf)
        };
        for other in there {
            let _ = other.outbox.send(ToClient::Arrived { leaf: member.leaf }).await;
            let _ = member.outbox.send(ToClient::Arrived { leaf: other.leaf }).await;
        }
        let mut before: Vec<bytes::Bytes> = Vec::new();
        loop {
            let request = tokio::select! {
                request = reader.read() => request?,
                packet = member.connection.read_datagram() => {
                    before.push(packet.map_err(|_| StreamError::Lost)?);
                    self.forward(&room, &member, &before);
                    continue;
                }
            };
            match request {
                ToServer::Observe => {
                    let seen = ToClient::Observed(member.connection.remote_address());
                    let _ = member.outbox.send(seen).await;
                }
                ToServer::Room { message } => {
                    let Some(message) = self.mischief.with_message(message) else { continue };
                    let there = others(&self.rooms.lock().unwrap()[&room], member.leaf);
                    for other in there {
                        let message = ToClient::Room { leaf: member.leaf, message: message.clone() };
                        let _ = other.outbox.send(message).await;
                    }
                }
                _ => return Err(StreamError::Malformed),
            }
        }
    }

    /// Passes the last of these packets on.
    fn forward(&self, room: &[u8; 32], member: &Member, packets: &[bytes::Bytes]) {
        let Some(packet) = packets.last() else { return };
        let mut sent = vec![packet.clone()];
        match self.mischief {
            Mischief::PlaysAgain => {
                sent.push(packet.clone());
                sent.extend(packets.len().checked_sub(100).map(|long_ago| packets[long_ago].clone()));
                let _ = member.connection.send_datagram(packet.clone());
            }
            Mischief::ChangesPackets => {
                let mut changed = packet.to_vec();
                *changed.last_mut().unwrap() ^= 1;
                sent = vec![changed.into()];
            }
            Mischief::None | Mischief::KeepsProofs | Mischief::ChangesWelcome => {}
        }
        for other in others(&self.rooms.lock().unwrap()[room], member.leaf) {
            for packet in &sent {
                let _ = other.connection.send_datagram(packet.clone());
            }
        }
    }
}

fn others(members: &[Member], leaf: u8) -> Vec<Member> {
    members.iter().filter(|other| other.leaf != leaf).cloned().collect()
}

impl Mischief {
    /// What becomes of a numbered message of the call: kind and number stand in front, then what it is.
    fn with_message(self, mut message: Vec<u8>) -> Option<Vec<u8>> {
        const WELCOME: u8 = 0;
        const PROOF: u8 = 1;
        match (self, message.as_slice()) {
            (Self::KeepsProofs, [0, _, PROOF, ..]) => return None,
            (Self::ChangesWelcome, [0, _, WELCOME, ..]) => *message.last_mut()? ^= 1,
            _ => {}
        }
        Some(message)
    }
}

/// What the two sides of a call through such a server said, and what they counted.
struct Held {
    went_well: bool,
    caller: String,
    callee: String,
    sent: u64,
    decoded: u64,
    unopened: u64,
}

fn call_through(mischief: Mischief) -> Held {
    let folder = tempfile::tempdir().unwrap();
    let server = World::start(mischief);
    let client = |verb: &str, name: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_visavis"));
        command.env("VISAVIS_KEYRING", "off").args([verb, "--name", name, "--server", &server, "--profile"]);
        command.arg(folder.path().join(name)).args(SILENT).args(["--size", "160x96", "--path", "relay", "--stats"]);
        command.arg(folder.path().join(format!("{name}.json"))).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let callee =
        Talker::new(online(client("answer", "bob").args(["--once", "--auto-accept", "--accept-strangers"]), "bob"));
    let caller = client("call", "alice").args(["bob@127.0.0.1", "--seconds", "4"]).spawn().unwrap();
    let (went_well, said_by_caller) = Talker::new(caller).end();
    let (_, said_by_callee) = callee.end();
    let frames = |name: &str, what: &str| {
        let stats = std::fs::read(folder.path().join(format!("{name}.json"))).unwrap_or_default();
        let stats: serde_json::Value = serde_json::from_slice(&stats).unwrap_or_default();
        stats["frames"][what].as_u64().unwrap_or_default()
    };
    Held {
        went_well,
        caller: said_by_caller.join("\n"),
        callee: said_by_callee.join("\n"),
        sent: frames("alice", "sent"),
        decoded: frames("bob", "decoded"),
        unopened: frames("bob", "unopened"),
    }
}

#[test]
fn through_a_server_that_does_nothing_else_pictures_arrive() {
    let held = call_through(Mischief::None);
    assert!(held.went_well && held.callee.contains("in call, by relay"), "{} {}", held.caller, held.callee);
    assert!(held.decoded > 20 && held.unopened == 0, "{} {} {}", held.sent, held.decoded, held.unopened);
}

#[test]
fn packets_that_are_played_again_or_sent_back_show_nothing_twice_and_end_nothing() {
    let held = call_through(Mischief::PlaysAgain);
    assert!(held.went_well, "{} {}", held.caller, held.callee);
    assert!((20..=held.sent).contains(&held.decoded), "{} of {}", held.decoded, held.sent);
}

#[test]
fn of_packets_that_were_changed_nothing_is_shown() {
    let held = call_through(Mischief::ChangesPackets);
    assert!(held.callee.contains("in call, by relay"), "{} {}", held.caller, held.callee);
    assert!(held.decoded == 0 && held.unopened > 20, "{} {} {}", held.sent, held.decoded, held.unopened);
}

#[test]
fn without_the_proofs_of_readiness_there_is_no_call() {
    let held = call_through(Mischief::KeepsProofs);
    assert!(!held.went_well && held.sent == 0, "{} {}", held.caller, held.callee);
    assert!(![held.caller, held.callee].iter().any(|said| said.contains("in call")));
}

#[test]
fn with_another_welcome_there_is_no_call_and_it_is_said_why() {
    let held = call_through(Mischief::ChangesWelcome);
    assert!(!held.went_well && held.sent == 0, "{} {}", held.caller, held.callee);
    assert!(held.callee.contains("broke the rules"), "{}", held.callee);
    assert!(![held.caller, held.callee].iter().any(|said| said.contains("in call")));
}
