//! The engine's conversations with the server, each a task of its own that reports to control.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use tokio::sync::{mpsc, watch};

use super::devices::DeviceList;
use super::direct::DirectEvent;
use super::secret::Secret;
use crate::crypto::letter::CallId;
use crate::crypto::link::CODE_LIFE_S;
use crate::net::client::{ConnectError, ServerLink, connect, connect_from};
use crate::net::direct::CallSocket;
use crate::net::streams::write_message;
use crate::store::profile::StoredTrial;
use crate::wire::address::{Handle, ServerAddress};
use crate::wire::signal::{DeviceId, Refusal, Role, ToClient, ToServer};
use crate::wire::token::{Token, TokenHash};

/// First pause before the server is tried again; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// How often a room that is lost is tried again after the end of the call, for the last words.
const LAST_TRIES: u32 = 3;
/// Longest time that the end of a call is told.
pub const LAST_WORDS: Duration = Duration::from_millis(500);
/// Longest time that the last letters are given when the program ends: three round trips of a bad network.
pub const LAST_LETTERS: Duration = Duration::from_secs(1);
/// Longest time that leaving the server is given when the program ends.
pub const GOODBYE: Duration = Duration::from_millis(200);

/// What a task reports to control.
pub enum Event {
    /// The device is registered and present.
    Online,
    /// What the server answered to this request about the account.
    Account(ToServer, Result<ToClient, ConnectError>),
    /// It is not, and why.
    Offline(ConnectError),
    /// An envelope for this device, by its number; it may come more than once.
    Envelope(u64, Vec<u8>),
    /// The own account's chain, which says more than ours.
    OwnChain(Vec<u8>),
    /// An envelope for the new device that waits to be linked.
    LinkEnvelope(Vec<u8>),
    /// The chain of the peer of a call, as the server has it now.
    PeerChain(Vec<u8>),
    /// An account's chain, or why there is none; for which attempt to call.
    LookedUp(u64, Result<Vec<u8>, ConnectError>),
    /// Whether accounts, by name, have a device at the server.
    Presence(Vec<(String, bool)>),
    /// What became of the invitation to a call: handed over, or held since no device is there.
    Delivered(CallId, Result<bool, ConnectError>),
    /// The system's devices.
    Devices(DeviceList),
    /// The encoders were tried.
    EncoderTried(StoredTrial),
    /// Something happened on the path with this number.
    Path(u64, PathEvent),
}

/// What happens on the path of a call.
pub enum PathEvent {
    /// The room is entered, over this connection.
    RoomOpen(quinn::Connection),
    /// The room is lost; it is tried again.
    RoomLost,
    /// The peer is in the room.
    PeerArrived,
    /// The peer is not there any more.
    PeerLeft,
    /// A message of the peer, over whichever way.
    CallMessage(Vec<u8>),
    /// The server sees the call's socket at this address.
    Observed(SocketAddr),
    /// Something about a direct connection.
    Direct(DirectEvent),
}

/// Reports to control; a full queue makes the tasks wait.
pub type Events = mpsc::Sender<Event>;

/// Nobody reads the reports any more.
pub struct Unread;

/// Reports of one call's path. They bear its number, since its tasks outlive it by their last words.
#[derive(Clone)]
pub struct PathEvents {
    number: u64,
    events: Events,
}

impl PathEvents {
    /// Reports of the path `number`.
    pub const fn new(number: u64, events: Events) -> Self {
        Self { number, events }
    }

    /// The path's number.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Reports; waits while the queue is full.
    pub async fn send(&self, event: PathEvent) -> Result<(), Unread> {
        self.events.send(Event::Path(self.number, event)).await.map_err(|_| Unread)
    }
}

/// What a device tells its server of whom it lets in.
pub struct Announcements {
    /// Hashes of the tokens that are valid now.
    pub tokens: watch::Receiver<Vec<TokenHash>>,
    /// Hash of the token that answers to a letter will show.
    pub replies: mpsc::Receiver<TokenHash>,
}

/// Keeps the device of the account `own` present at its server for as long as `events` is read. A
/// `code` goes with the first registration only.
pub async fn stay_present(
    server: ServerAddress,
    own: Handle,
    device: SigningKey,
    chain: impl Fn() -> Vec<u8>,
    mut code: Option<Secret>,
    mut announcements: Announcements,
    events: Events,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        match connect(&server, &device, Role::Device).await {
            Ok(link) if link.domain != own.host() => {
                let other = ConnectError::OtherName { domain: link.domain.clone(), port: server.port, own };
                link.close().await;
                let _ = events.send(Event::Offline(other)).await;
                return;
            }
            Ok(mut link) => {
                let registered =
                    be_present(&mut link, chain(), code.take(), &mut announcements, &events, &mut pause).await;
                let Err(error) = registered else { return link.close().await };
                if events.send(Event::Offline(error.clone())).await.is_err() || error.is_fatal() {
                    return link.close().await;
                }
            }
            Err(error) => {
                let fatal = error.is_fatal();
                if events.send(Event::Offline(error)).await.is_err() || fatal {
                    return;
                }
            }
        }
        tokio::time::sleep(jittered(pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Between half of a pause and all of it: the clients of a server that was gone do not come back all at once.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.5..1.0))
}

/// `Ok`: nobody listens any more. Only a registration that is accepted makes the next pause a short one.
async fn be_present(
    link: &mut ServerLink,
    chain: Vec<u8>,
    code: Option<Secret>,
    announcements: &mut Announcements,
    events: &Events,
    pause: &mut Duration,
) -> Result<(), ConnectError> {
    if let Some(code) = code {
        write_message(&mut link.writer, &ToServer::Code { code: code.expose().to_owned() }).await?;
    }
    write_message(&mut link.writer, &ToServer::Register { chain }).await?;
    let Announcements { tokens, replies } = announcements;
    let mut registered = false;
    loop {
        let message = tokio::select! {
            message = link.reader.read() => message?,
            Ok(()) = tokens.changed(), if registered => {
                let request = ToServer::SetTokens { tokens: tokens.borrow_and_update().clone() };
                write_message(&mut link.writer, &request).await?;
                continue;
            }
            Some(token) = replies.recv(), if registered => {
                write_message(&mut link.writer, &ToServer::AwaitReplies { token }).await?;
                continue;
            }
            () = events.closed() => return Ok(()),
        };
        let event = match message {
            ToClient::Done if registered => continue,
            ToClient::Done => {
                *pause = FIRST_PAUSE;
                registered = true;
                tokens.mark_changed();
                Event::Online
            }
            ToClient::Refused(refusal) => return Err(refusal.into()),
            ToClient::Envelope { number, envelope } => Event::Envelope(number, envelope),
            ToClient::Chain(chain) => Event::OwnChain(chain),
            _ => continue,
        };
        let number = if let Event::Envelope(number, _) = event { Some(number) } else { None };
        if events.send(event).await.is_err() {
            return Ok(());
        }
        // Only now: until control has it, the server has to give it again.
        if let Some(number) = number {
            write_message(&mut link.writer, &ToServer::Received { number }).await?;
        }
    }
}

/// Looks an account up for this attempt to call, under a throw-away key.
pub async fn look_up(server: ServerAddress, key: SigningKey, name: String, attempt: u64, events: Events) {
    let result = async {
        let mut link = connect(&server, &key, Role::Courier).await?;
        match link.ask(&ToServer::LookUp { name }).await? {
            ToClient::LookedUp(found) => Ok(found.chain().ok_or(Refusal::Unknown)?.to_vec()),
            _ => Err(ConnectError::Lost),
        }
    };
    let result = result.await;
    let _ = events.send(Event::LookedUp(attempt, result)).await;
}

/// Looks up the peer of a call, under a throw-away key. What cannot be learnt is not reported: it is asked again soon.
pub async fn look_up_peer(server: ServerAddress, key: SigningKey, name: String, events: Events) {
    let Ok(mut link) = connect(&server, &key, Role::Courier).await else { return };
    if let Ok(ToClient::LookedUp(found)) = link.ask(&ToServer::LookUp { name }).await
        && let Some(chain) = found.chain()
    {
        let _ = events.send(Event::PeerChain(chain.to_vec())).await;
    }
}

/// A new device waits for whoever has seen its code, for as long as the code holds.
pub async fn wait_for_link(server: ServerAddress, device: SigningKey, events: Events) {
    let wait = async {
        loop {
            match connect(&server, &device, Role::Device).await {
                Ok(mut link) => {
                    let asked = write_message(&mut link.writer, &ToServer::AwaitLink).await;
                    while let (Ok(()), Ok(message)) = (&asked, link.reader.read().await) {
                        let ToClient::Envelope { number, envelope } = message else { continue };
                        if events.send(Event::LinkEnvelope(envelope)).await.is_err() {
                            return;
                        }
                        if write_message(&mut link.writer, &ToServer::Received { number }).await.is_err() {
                            break;
                        }
                    }
                }
                Err(error) => {
                    let fatal = error.is_fatal();
                    if events.send(Event::Offline(error)).await.is_err() || fatal {
                        return;
                    }
                }
            }
            tokio::time::sleep(jittered(LONGEST_PAUSE)).await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(CODE_LIFE_S), wait).await;
}

/// Asks who of these is there, under a throw-away key. What cannot be learnt is not reported: it is asked again soon.
pub async fn ask_presence(server: ServerAddress, key: SigningKey, names: Vec<String>, events: Events) {
    let Ok(mut link) = connect(&server, &key, Role::Courier).await else { return };
    if let Ok(ToClient::Presence { online }) = link.ask(&ToServer::Presence { names: names.clone() }).await {
        let _ = events.send(Event::Presence(names.into_iter().zip(online).collect())).await;
    }
}

/// Delivers envelopes, under a throw-away key, showing `token`. Only the fate of the `invitation` to a call is reported: a letter of another
/// kind that is lost changes nothing, since the other side then waits in vain and gives up.
pub async fn deliver(
    server: ServerAddress,
    key: SigningKey,
    envelopes: Vec<(DeviceId, Vec<u8>)>,
    token: Token,
    invitation: Option<CallId>,
    events: Events,
) {
    let result = async {
        let mut link = connect(&server, &key, Role::Courier).await?;
        let mut reached = false;
        for (device, envelope) in envelopes {
            reached |= match link.ask(&ToServer::Deliver { device, envelope, token }).await {
                // One device of several that never was here.
                Err(ConnectError::Refused(Refusal::Unknown)) => false,
                answer => answer? == ToClient::Delivered,
            };
        }
        Ok(reached)
    };
    let result = result.await;
    match (invitation, result) {
        (Some(call), result) => {
            let _ = events.send(Event::Delivered(call, result)).await;
        }
        (None, Err(error)) => tracing::warn!(%error, "a letter was not delivered"),
        (None, Ok(_)) => {}
    }
}

/// The call is over: what was said last goes out before the connection is closed.
pub async fn say_last_words(writer: &mut quinn::SendStream, connection: &quinn::Connection) {
    let _ = writer.finish();
    let _ = tokio::time::timeout(LAST_WORDS, writer.stopped()).await;
    connection.close(0_u32.into(), b"");
}

/// Stays in the call's room, through losses of the connection; what comes from `requests` is said there.
pub async fn stay_in_room(
    socket: CallSocket,
    server: ServerAddress,
    key: Arc<SigningKey>,
    room: [u8; 32],
    leaf: u8,
    mut requests: mpsc::Receiver<ToServer>,
    events: PathEvents,
) {
    let mut pause = FIRST_PAUSE;
    let mut last_tries = LAST_TRIES;
    loop {
        let role = Role::Relay { room, leaf };
        if let Ok(mut link) = connect_from(socket.endpoint(), socket.ceiling(), &server, &key, role).await {
            let mut refused = false;
            if events.send(PathEvent::RoomOpen(link.connection.clone())).await.is_err() {
                return;
            }
            loop {
                let event = tokio::select! {
                    request = requests.recv() => {
                        let Some(request) = request else {
                            say_last_words(&mut link.writer, &link.connection).await;
                            return;
                        };
                        if write_message(&mut link.writer, &request).await.is_err() {
                            break;
                        }
                        continue;
                    }
                    message = link.reader.read() => match message {
                        Ok(ToClient::Room { message, .. }) => PathEvent::CallMessage(message),
                        Ok(ToClient::Arrived { .. }) => PathEvent::PeerArrived,
                        Ok(ToClient::Left { .. }) => PathEvent::PeerLeft,
                        Ok(ToClient::Observed(address)) => PathEvent::Observed(address),
                        Ok(ToClient::Refused(_)) => {
                            refused = true;
                            break;
                        }
                        Err(_) => break,
                        Ok(_) => continue,
                    },
                };
                if events.send(event).await.is_err() {
                    return;
                }
            }
            if !refused {
                pause = FIRST_PAUSE;
            }
            if events.send(PathEvent::RoomLost).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(jittered(pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        if requests.is_closed() {
            last_tries -= 1;
            if requests.is_empty() || last_tries == 0 {
                return;
            }
        }
    }
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use super::*;
    use crate::crypto::identity::Identity;
    use crate::engine::clock;
    use crate::server::{RunningServer, ServerConfig};
    use crate::wire::signal::ENVELOPE_LEN;

    fn start_server(folder: &tempfile::TempDir) -> RunningServer {
        let listen = (std::net::Ipv4Addr::LOCALHOST, 0).into();
        let config = ServerConfig { listen, data: folder.path().into(), domain: None };
        RunningServer::start(&config).unwrap()
    }

    fn nothing_to_announce() -> Announcements {
        Announcements { tokens: watch::channel(Vec::new()).1, replies: mpsc::channel(1).1 }
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// Who only stops would be believed to be there for seconds, and calls would ring where nobody is.
    #[test]
    fn who_ends_while_letters_come_in_is_gone_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let server = start_server(&folder);
        let address = || server.address().clone();
        let identity = Identity::create("alice@127.0.0.1", clock::unix_now(), &mut rand::rng());
        let (own, device) = ("alice@127.0.0.1".parse().unwrap(), identity.device().clone());
        let (to, chain) = (device.verifying_key().to_bytes(), identity.chain().chain().encode());
        let courier = SigningKey::from_bytes(&[7; 32]);
        runtime().block_on(async {
            // One report waits to be read, the next one waits for room.
            let (events, mut reports) = mpsc::channel(1);
            let present = stay_present(address(), own, device, || chain.clone(), None, nothing_to_announce(), events);
            let letters = async {
                assert!(matches!(reports.recv().await, Some(Event::Online)));
                let mut link = connect(&address(), &courier, Role::Courier).await.unwrap();
                for _ in 0..2 {
                    let envelope = vec![0; ENVELOPE_LEN];
                    let asked = ToServer::Deliver { device: to, envelope, token: Token::random(&mut rand::rng()) };
                    assert_eq!(link.ask(&asked).await.unwrap(), ToClient::Delivered);
                }
                while reports.is_empty() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                // The second one has followed by then, or follows now: it finds nobody either way.
                tokio::time::sleep(Duration::from_millis(100)).await;
                drop(reports);
            };
            tokio::join!(present, letters);
        });
        // Long before the server gives up a connection that says nothing.
        let gone = runtime().block_on(async {
            let mut link = connect(&address(), &courier, Role::Courier).await.unwrap();
            for _ in 0..20 {
                let asked = ToServer::Presence { names: vec!["alice".into()] };
                if link.ask(&asked).await.unwrap() == (ToClient::Presence { online: vec![false] }) {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            false
        });
        assert!(gone);
    }

    #[test]
    fn a_server_that_refuses_is_asked_less_and_less_often_and_one_of_another_name_only_once() {
        let folder = tempfile::tempdir().unwrap();
        let server = start_server(&folder);
        let runtime = runtime();
        let present = |handle: &str, chain: Option<Vec<u8>>| {
            let identity = Identity::create(handle, clock::unix_now(), &mut rand::rng());
            let chain = chain.unwrap_or_else(|| identity.chain().chain().encode());
            runtime.block_on(async {
                let (events, mut reports) = mpsc::channel(100);
                let (own, device) = (handle.parse().unwrap(), identity.device().clone());
                let present = stay_present(
                    server.address().clone(),
                    own,
                    device,
                    || chain.clone(),
                    None,
                    nothing_to_announce(),
                    events,
                );
                let _ = tokio::time::timeout(Duration::from_secs(2), present).await;
                let report = |event| if let Event::Offline(error) = event { Some(error) } else { None };
                std::iter::from_fn(|| reports.try_recv().ok()).filter_map(report).collect::<Vec<_>>()
            })
        };
        // Refused, though waiting might help.
        let refused = present("alice@127.0.0.1", Some(vec![0; 8])).len();
        assert!((1..=6).contains(&refused), "{refused} times in two seconds");
        let other = present("alice@elsewhere.example", None);
        let port = server.address().port;
        let own = "alice@elsewhere.example".parse().unwrap();
        assert_eq!(other, [ConnectError::OtherName { domain: "127.0.0.1".into(), port, own }], "waiting does not help");
        let words = other[0].to_string();
        assert!(words.contains(&format!("127.0.0.1:{port}")) && words.contains("alice@127.0.0.1"), "{words}");
    }
}
