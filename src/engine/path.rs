//! The call's path as control sees it: the relay room, the direct way, which of them is used, and the numbered messages
//! that go over it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::direct::{self, DirectLink};
use super::session::{self, PathEvents};
use crate::call::AddressGrant;
use crate::media::{LeafIndex, Timestamp};
use crate::net::ceiling::{Ceiling, ControllerChoice};
use crate::net::direct::CallSocket;
use crate::net::impair::Impairment;
use crate::transport::candidates;
use crate::transport::control::{ControlError, ControlLink};
use crate::transport::punch::{Punch, PunchOutput};
use crate::transport::ways::{Choice, Way, WayChooser};
use crate::wire::address::ServerAddress;
use crate::wire::call::CallMessage;
use crate::wire::signal::ToServer;

/// Requests that may wait for the room. What does not fit is sent again when the path opens the next time.
const ROOM_REQUESTS: usize = 128;
/// How often it is looked whether this machine's addresses have changed.
const LOOK: Duration = Duration::from_secs(1);

/// Where the two meet.
pub struct Place {
    /// The relay.
    pub server: ServerAddress,
    /// Name of the room.
    pub room: [u8; 32],
    /// Own leaf; the caller has the first.
    pub leaf: LeafIndex,
    /// Own key of this call.
    pub key: Arc<SigningKey>,
    /// The peer's key of this call.
    pub peer: [u8; 32],
    /// A modelled link before the call's socket.
    pub link: Option<Impairment>,
    /// Who says how much may be on its way.
    pub controller: ControllerChoice,
}

/// The path of one call; dropping it leaves the room and closes the direct way once the last words are out.
pub struct CallPath {
    socket: CallSocket,
    dials: bool,
    media: tokio::runtime::Handle,
    events: PathEvents,
    requests: mpsc::Sender<ToServer>,
    /// Stays in the room; taken when the call is left.
    room: Option<JoinHandle<()>>,
    relay: Option<quinn::Connection>,
    direct: Option<DirectLink>,
    chooser: WayChooser,
    link: ControlLink,
    /// Acknowledgements that each connection had brought when it was last looked at.
    acknowledged: [u64; 2],
    search: Option<Search>,
}

/// The search for a direct way; there is none without leave for it.
struct Search {
    grant: AddressGrant,
    punch: Punch,
    /// An offer waits for the server's answer to "where do you see me"; whether it is an answer itself.
    offer: Option<bool>,
    interfaces: Vec<IpAddr>,
    looked: Timestamp,
    attempt: Option<JoinHandle<()>>,
    listening: Option<JoinHandle<()>>,
}

impl CallPath {
    /// Enters the room under the call's key and stays there, through losses of the connection; the connections' tasks
    /// run on `media` and report by `events`.
    pub fn enter(place: Place, media: &tokio::runtime::Handle, events: PathEvents) -> io::Result<Self> {
        let Place { server, room, leaf, key, peer, link, controller } = place;
        let socket = {
            let _inside = media.enter();
            CallSocket::open(Arc::clone(&key), peer, Ceiling::new(controller), link.as_ref())?
        };
        let (requests, waiting) = mpsc::channel(ROOM_REQUESTS);
        let stay = session::stay_in_room(socket.clone(), server, key, room, leaf.0, waiting, events.clone());
        let room = Some(media.spawn(stay));
        Ok(Self {
            socket,
            dials: leaf.0 == 0,
            media: media.clone(),
            events,
            requests,
            room,
            relay: None,
            direct: None,
            chooser: WayChooser::default(),
            link: ControlLink::default(),
            acknowledged: [0; 2],
            search: None,
        })
    }

    /// The room is entered, over this connection; it is a way only when the peer is there too.
    pub fn handle_room(&mut self, connection: quinn::Connection) {
        self.relay = Some(connection);
        self.acknowledged[0] = 0;
    }

    /// The room is lost.
    pub fn handle_room_lost(&mut self, now: Timestamp) {
        self.relay = None;
        self.chooser.handle_down(Way::Relay, now);
    }

    /// The peer is in the room, or has left it.
    pub fn handle_peer(&mut self, there: bool, now: Timestamp) {
        if there {
            self.chooser.handle_up(Way::Relay, now);
        } else {
            self.chooser.handle_down(Way::Relay, now);
        }
    }

    /// Looks for a direct way from now on. Gives false if this machine cannot.
    pub fn find_direct(&mut self, grant: AddressGrant, now: Timestamp) -> bool {
        let mut listening = None;
        if !self.dials {
            if self.socket.listen(&grant).is_err() {
                return false;
            }
            listening = Some(self.media.spawn(direct::listen(self.socket.clone(), self.events.clone())));
        }
        let interfaces = self.socket.interfaces(&grant);
        let punch = Punch::new(self.dials, now);
        self.search = Some(Search { grant, punch, offer: None, interfaces, looked: now, attempt: None, listening });
        true
    }

    /// The peer offers candidates. Ignored while no direct way is looked for.
    pub fn handle_candidates(&mut self, addresses: Vec<SocketAddr>, answer: bool, now: Timestamp) {
        let loopback = self.is_server_here();
        if let Some(search) = &mut self.search {
            search.punch.handle_peer(candidates::usable(addresses, loopback), answer, now);
        }
    }

    /// The server sees the call's socket at this address: gives the offer that waited for that, if one did.
    pub fn handle_observed(&mut self, address: SocketAddr) -> Option<(Vec<SocketAddr>, bool)> {
        let server_here = self.is_server_here();
        let search = self.search.as_mut()?;
        let answer = search.offer.take()?;
        Some((self.socket.candidates(&search.grant, Some(address), server_here), answer))
    }

    /// A direct connection is proved: it is the direct way from now on.
    pub fn take_direct(&mut self, link: DirectLink, now: Timestamp) {
        let Some(search) = &mut self.search else { return };
        search.punch.handle_direct(true, now);
        self.acknowledged[1] = 0;
        self.direct = Some(link);
        self.chooser.handle_up(Way::Direct, now);
    }

    /// A direct connection is gone.
    pub fn handle_direct_lost(&mut self, number: usize, now: Timestamp) {
        if self.direct.as_ref().is_some_and(|link| link.connection.stable_id() == number) {
            self.direct = None;
            self.chooser.handle_down(Way::Direct, now);
            if let Some(search) = &mut self.search {
                search.punch.handle_direct(false, now);
            }
        }
    }

    /// Looks at the connections: what was acknowledged, whether this machine has moved.
    pub fn look(&mut self, now: Timestamp) {
        let direct = self.direct.as_ref().map(|link| &link.connection);
        let ways = [(Way::Relay, self.relay.as_ref()), (Way::Direct, direct)];
        for ((way, connection), before) in ways.into_iter().zip(&mut self.acknowledged) {
            let Some(connection) = connection else { continue };
            let acknowledged = connection.stats().frame_rx.acks;
            if acknowledged != *before {
                *before = acknowledged;
                self.chooser.handle_heard(way, now);
            }
        }
        if let Some(search) = &mut self.search
            && now.since(search.looked) >= LOOK
        {
            search.looked = now;
            let interfaces = self.socket.interfaces(&search.grant);
            if interfaces != search.interfaces {
                search.interfaces = interfaces;
                search.punch.handle_moved(now);
            }
        }
    }

    /// Time passed: looks after silence and due attempts.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.chooser.handle_timeout(now);
        let Some(search) = &mut self.search else { return };
        search.punch.handle_timeout(now);
        while let Some(output) = search.punch.poll() {
            match output {
                PunchOutput::Offer { answer } => {
                    search.offer = Some(answer);
                    let _ = self.requests.try_send(ToServer::Observe);
                }
                PunchOutput::Try(candidates) => {
                    let (socket, events) = (self.socket.clone(), self.events.clone());
                    let attempt = if self.dials {
                        self.media.spawn(direct::dial(socket, candidates, events))
                    } else {
                        self.media.spawn(async move { socket.knock(candidates).await })
                    };
                    if let Some(old) = search.attempt.replace(attempt) {
                        old.abort();
                    }
                }
            }
        }
    }

    /// When [`CallPath::handle_timeout`] has to be called.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let search = self.search.as_ref().and_then(|search| search.punch.poll_timeout());
        [self.chooser.poll_timeout(), search].into_iter().flatten().min()
    }

    /// The way has changed: gives what to send on, once; what is unacknowledged goes out there first.
    pub fn poll_choice(&mut self) -> Option<Choice> {
        let choice = self.chooser.poll_choice()?;
        self.link.handle_path();
        Some(choice)
    }

    /// Bytes of the peer; gives the message in them if it is a new one.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<Option<CallMessage>, ControlError> {
        self.link.handle_bytes(bytes)
    }

    /// Sends a message, now or when there is a way again.
    pub fn send(&mut self, message: CallMessage) {
        let _ = self.link.send(message);
        self.flush();
    }

    /// Hands over what waits, if there is a way.
    pub fn flush(&mut self) {
        if let Some(way) = self.chooser.chosen() {
            self.flush_on(way);
        }
    }

    /// Leaves: whatever the peer has not acknowledged goes out on every way, and then the socket is closed. Gives the task
    /// that sees to it.
    pub fn leave(mut self) -> JoinHandle<()> {
        for way in [Way::Direct, Way::Relay] {
            self.link.handle_path();
            self.flush_on(way);
        }
        let socket = self.socket.clone();
        socket.stop_listening();
        let room = self.room.take();
        self.media.spawn(async move {
            if let Some(room) = room {
                let _ = room.await;
            }
            socket.close(session::LAST_WORDS).await;
        })
    }

    /// The number that this path's events bear.
    pub const fn number(&self) -> u64 {
        self.events.number()
    }

    /// The connection of a way.
    pub fn connection(&self, way: Way) -> Option<&quinn::Connection> {
        match way {
            Way::Relay => self.relay.as_ref(),
            Way::Direct => self.direct.as_ref().map(|link| &link.connection),
        }
    }

    /// What the call's connections may have on their way.
    pub fn ceiling(&self) -> Ceiling {
        self.socket.ceiling().clone()
    }

    /// The way in use.
    pub const fn way(&self) -> Option<Way> {
        self.chooser.chosen()
    }

    /// Whether nothing gets through at the moment.
    pub const fn is_cut_off(&self) -> bool {
        self.chooser.is_cut_off()
    }

    /// How often the way has changed.
    pub const fn changes(&self) -> u32 {
        self.chooser.changes()
    }

    fn flush_on(&mut self, way: Way) {
        while let Some(bytes) = self.link.poll_bytes() {
            let sent = match (way, &self.direct) {
                (Way::Direct, Some(link)) => link.messages.try_send(bytes).is_ok(),
                (Way::Direct, None) => false,
                (Way::Relay, _) => self.requests.try_send(ToServer::Room { message: bytes }).is_ok(),
            };
            if !sent {
                return;
            }
        }
    }

    fn is_server_here(&self) -> bool {
        self.relay.as_ref().is_some_and(|relay| relay.remote_address().ip().to_canonical().is_loopback())
    }
}

impl Drop for CallPath {
    fn drop(&mut self) {
        if let Some(search) = self.search.take() {
            search.attempt.into_iter().chain(search.listening).for_each(|task| task.abort());
        }
    }
}
