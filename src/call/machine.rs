//! The call as a state machine.
//!
//! Inputs: from the person `dial`, `accept`, `decline`, `hang_up`, `set_switches`; from the directory `handle_letter`,
//! `handle_reached`, `handle_unreachable`; from the peer over the call's path `handle_message`; from the path
//! `handle_path`; from the clock `handle_timeout`. Outputs, by [`Machine::poll`]: letters and messages to send, a room
//! to join, keys for the sealing and opening threads, the start of media, the end.
//!
//! An unexpected message ends the call with a named fault. Ringing has no output but letters, and those only when the
//! person answers, the caller gives up or the time is over.

mod beat;
mod busy;
mod keys;
mod letters;
pub(super) mod seen;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use beat::Heart;
use busy::BusySaid;
use ed25519_dalek::SigningKey;
use keys::Rekey;
use seen::Seen;

use super::state::{Accepted, Active, Calling, Keyed, Parties, Ringing};
use super::{Outcome, Output, UserConsent};
use crate::crypto::chain::{DeviceCard, VerifiedChain};
use crate::crypto::letter::{CallId, Content, RING_S};
use crate::crypto::ready::Role;
use crate::media::{LeafIndex, Timestamp};
use crate::wire::call::{self, CallMessage, Note};

/// Time between two refreshes of the keys.
pub const REFRESH: Duration = Duration::from_mins(2);
/// Longest time that a sender waits for the others before it seals in a new epoch.
pub const SWITCH_AFTER: Duration = Duration::from_millis(500);
/// How long frames of an old epoch are still opened.
pub const KEEP_OLD: Duration = Duration::from_secs(2);
/// Time for agreeing on keys after the accept.
pub const CONNECT: Duration = Duration::from_secs(15);
/// How long a call without any path is kept.
pub const RECONNECT: Duration = Duration::from_secs(30);
/// Least time between two wishes for a keyframe, on the side that has them and on the side that grants them.
pub const KEYFRAME_PAUSE: Duration = Duration::from_millis(300);

/// Where the call stands, for showing it.
#[derive(Debug)]
pub enum State {
    /// No call.
    Idle,
    /// We ring.
    Calling(Calling),
    /// We are rung.
    Ringing(Ringing),
    /// Both said yes, the welcome is awaited.
    Accepted(Accepted),
    /// In the group, the peer's readiness is awaited.
    Keyed(Keyed),
    /// Face to face.
    Active(Active),
}

impl State {
    /// Whose call it is and which; none if there is none.
    #[must_use]
    pub const fn parties(&self) -> Option<&Parties> {
        match self {
            Self::Idle => None,
            Self::Calling(calling) => Some(&calling.parties),
            Self::Ringing(ringing) => Some(&ringing.parties),
            Self::Accepted(accepted) | Self::Keyed(Keyed { accepted, .. }) | Self::Active(Active { accepted, .. }) => {
                Some(&accepted.parties)
            }
        }
    }

    /// The device on the other side, once there is one: it rings us, or the call was accepted.
    const fn peer_device(&self) -> Option<&DeviceCard> {
        match self {
            Self::Idle | Self::Calling(_) => None,
            Self::Ringing(ringing) => Some(&ringing.device),
            Self::Accepted(accepted) | Self::Keyed(Keyed { accepted, .. }) | Self::Active(Active { accepted, .. }) => {
                Some(&accepted.device)
            }
        }
    }
}

/// One call at a time.
pub struct Machine {
    own: SigningKey,
    /// Public half of the call's path key; the engine keeps the other.
    path_key: [u8; 32],
    state: State,
    outputs: VecDeque<Output>,
    deadline: Option<Timestamp>,
    /// When the state was entered.
    since: Timestamp,
    reached: bool,
    /// Devices of the callee that are in another call.
    busy: Vec<[u8; 32]>,
    refresh_at: Option<Timestamp>,
    refreshed: Timestamp,
    rekey: Option<Rekey>,
    heart: Heart,
    beat_at: Option<Timestamp>,
    path_lost: Option<Timestamp>,
    switches: (bool, bool),
    peer_switches: (bool, bool),
    /// When the peer was last granted a keyframe.
    keyframe_granted: Option<Timestamp>,
    seen: Seen,
    busy_said: BusySaid,
}

/// What dialling needs besides the person.
#[derive(Clone, Debug)]
pub struct Dial {
    /// Number of the call, random.
    pub call: CallId,
    /// Name of the room, random.
    pub room: [u8; 32],
    /// Public half of the call's path key.
    pub path_key: [u8; 32],
    /// Whom.
    pub peer: VerifiedChain,
    /// With picture.
    pub video: bool,
}

impl Machine {
    /// No call yet. `own` signs as this device.
    #[must_use]
    pub fn new(own: SigningKey) -> Self {
        Self {
            own,
            path_key: [0; 32],
            state: State::Idle,
            outputs: VecDeque::new(),
            deadline: None,
            since: Timestamp::ZERO,
            reached: false,
            busy: Vec::new(),
            refresh_at: None,
            refreshed: Timestamp::ZERO,
            rekey: None,
            heart: Heart::default(),
            beat_at: None,
            path_lost: None,
            switches: (true, true),
            peer_switches: (true, true),
            keyframe_granted: None,
            seen: Seen::default(),
            busy_said: BusySaid::default(),
        }
    }

    /// Where the call stands and since when.
    #[must_use]
    pub const fn state(&self) -> (&State, Timestamp) {
        (&self.state, self.since)
    }

    /// Whether a device of theirs has been reached.
    #[must_use]
    pub const fn reached(&self) -> bool {
        self.reached
    }

    /// When the keys were last refreshed.
    #[must_use]
    pub const fn refreshed(&self) -> Timestamp {
        self.refreshed
    }

    /// The peer's microphone and camera, as it says.
    #[must_use]
    pub const fn peer_switches(&self) -> (bool, bool) {
        self.peer_switches
    }

    /// Next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Machine::handle_timeout`] has to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let rekey = self.rekey.as_ref().map(Rekey::timeout);
        let path = self.path_lost.map(|lost| lost + RECONNECT);
        [self.deadline, self.refresh_at, self.beat_at, rekey, path].into_iter().flatten().min()
    }

    /// The person rings somebody. Whoever rings us already is answered instead: calling was consent enough; but not a device that
    /// they have shut out. Gives whether either was done; not while there is any other call, which goes on untouched.
    #[must_use]
    pub fn dial(&mut self, dial: Dial, consent: UserConsent, now: Timestamp) -> bool {
        let Dial { call, room, path_key, peer, video } = dial;
        if matches!(self.state, State::Ringing(_)) {
            self.handle_peer_chain(&peer, now);
        }
        match &self.state {
            State::Idle => {}
            State::Ringing(ringing) if ringing.parties.peer.knows_all_of(&peer) => {
                self.accept(consent, video, path_key, now);
                return true;
            }
            _ => return false,
        }
        self.path_key = path_key;
        self.switches = (true, video);
        let to = peer.cards().to_vec();
        let handle = peer.handle().to_owned();
        let parties = Parties { call, role: Role::Caller, video, room, peer };
        self.enter(State::Calling(Calling::new(parties, consent)), now, Some(Duration::from_secs(RING_S)));
        self.letter(to, handle, call, Content::Invitation { video, room, path_key });
        true
    }

    /// The person accepts the call that rings, with or without the own picture. `path_key`: public half of a fresh one.
    pub fn accept(&mut self, consent: UserConsent, video: bool, path_key: [u8; 32], now: Timestamp) {
        match self.take() {
            State::Ringing(ringing) => {
                self.path_key = path_key;
                self.switches = (true, video);
                let own = self.own.clone();
                let accepted = ringing.accept(consent, &own);
                self.answer(accepted, now);
            }
            other => self.state = other,
        }
    }

    /// The person refuses the call that rings.
    pub fn decline(&mut self, now: Timestamp) {
        if let State::Ringing(ringing) = &self.state {
            let (to, handle, call) =
                (vec![ringing.device], ringing.parties.peer.handle().to_owned(), ringing.parties.call);
            self.letter(to, handle, call, Content::Decline);
            self.end(Outcome::DeclinedHere, now);
        }
    }

    /// The person turns to somebody else: who rings is told that we are busy.
    pub fn say_busy(&mut self, now: Timestamp) {
        if let State::Ringing(ringing) = &self.state {
            let (to, handle, call) =
                (vec![ringing.device], ringing.parties.peer.handle().to_owned(), ringing.parties.call);
            self.letter(to, handle, call, Content::Busy);
            self.end(Outcome::Missed, now);
        }
    }

    /// The program ends. Whoever rings is told nothing: other devices of the person may still answer.
    pub fn leave(&mut self, now: Timestamp) {
        match &self.state {
            State::Ringing(_) => self.end(Outcome::Missed, now),
            _ => self.hang_up(now),
        }
    }

    /// The person gives up or hangs up.
    pub fn hang_up(&mut self, now: Timestamp) {
        match &self.state {
            State::Idle => {}
            State::Ringing(_) => self.decline(now),
            State::Calling(_) => self.stop_calling(Outcome::Cancelled, now),
            State::Accepted(_) | State::Keyed(_) | State::Active(_) => {
                self.note(&Note::HangUp);
                self.take_back();
                self.end(Outcome::HungUp, now);
            }
        }
    }

    /// The person switched microphone or camera.
    pub fn set_switches(&mut self, microphone: bool, camera: bool) {
        self.switches = (microphone, camera);
        if matches!(self.state, State::Active(_)) {
            self.note(&Note::Switches { microphone, camera });
        }
    }

    /// What the peer was last told of microphone and camera.
    #[must_use]
    pub const fn switches(&self) -> (bool, bool) {
        self.switches
    }

    /// A picture cannot be decoded: ask the peer for a keyframe.
    pub fn want_keyframe(&mut self) {
        if matches!(self.state, State::Active(_)) {
            self.note(&Note::KeyframeWanted);
        }
    }

    /// Tells the peer where this machine may be reached directly.
    pub fn offer_candidates(&mut self, addresses: Vec<SocketAddr>, answer: bool) {
        if matches!(self.state, State::Active(_)) {
            self.note(&Note::Candidates { addresses, answer });
        }
    }

    /// Our proof for a direct connection with this TLS exporter value, once there are keys for it.
    #[must_use]
    pub fn prove_direct(&self, channel: [u8; 32]) -> Option<[u8; 32]> {
        let State::Active(active) = &self.state else { return None };
        active.prove_direct(channel).ok()
    }

    /// Whether the peer's proof for a direct connection holds: only then it may be used.
    #[must_use]
    pub fn check_direct(&self, channel: [u8; 32], proof: &[u8; 32]) -> bool {
        matches!(&self.state, State::Active(active) if active.check_direct(channel, proof).unwrap_or(false))
    }

    /// A message of the peer came over the call's path.
    pub fn handle_message(&mut self, message: CallMessage, now: Timestamp) {
        match (self.take(), message) {
            (State::Accepted(accepted), CallMessage::Welcome(welcome)) => match accepted.join(&welcome) {
                Ok(keyed) => self.keyed(keyed, now),
                Err(failed) => self.fault_in(State::Accepted(failed.0), &failed.1, now),
            },
            (State::Keyed(keyed), CallMessage::Ready(proof)) => match keyed.ready(&proof) {
                Ok(active) => self.activate(active, now),
                Err(failed) => self.fault_in(State::Keyed(failed.0), &failed.1, now),
            },
            (State::Keyed(mut keyed), CallMessage::Sealed(bytes)) => {
                // Only hanging up makes sense so early.
                let note = keyed.group.open_note(&bytes).ok().and_then(|note| call::decode(&note));
                self.state = State::Keyed(keyed);
                match note {
                    Some(Note::HangUp) => self.end(Outcome::PeerHungUp, now),
                    Some(Note::Broken) => self.end(Outcome::PeerFault, now),
                    _ => self.fault(&"a message before the proof of readiness", now),
                }
            }
            (State::Active(mut active), CallMessage::Refresh(commit)) => {
                let result = active.group.handle_refresh(&commit);
                self.state = State::Active(active);
                match result {
                    Ok(()) => self.new_epoch(now, false),
                    Err(error) => self.fault(&error, now),
                }
            }
            (State::Active(mut active), CallMessage::Sealed(bytes)) => {
                let note = active.group.open_note(&bytes).ok().and_then(|note| call::decode(&note));
                self.state = State::Active(active);
                match note {
                    Some(note) => self.handle_note(note, now),
                    None => self.fault(&"a message that cannot be read", now),
                }
            }
            (State::Idle, _) => self.state = State::Idle,
            (state, _) => {
                self.state = state;
                self.fault(&"a message out of turn", now);
            }
        }
    }

    /// Whether there is any path to the peer.
    pub fn handle_path(&mut self, open: bool, now: Timestamp) {
        let before = self.path_lost;
        self.path_lost = match (open, before) {
            (true, _) => None,
            (false, lost @ Some(_)) => lost,
            (false, None) => matches!(self.state, State::Active(_)).then_some(now),
        };
        if self.path_lost != before {
            self.outputs.push_back(Output::Changed);
        }
    }

    /// Whether the call runs without a path now.
    #[must_use]
    pub const fn is_reconnecting(&self) -> bool {
        self.path_lost.is_some()
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.deadline.is_some_and(|at| now >= at) {
            match &self.state {
                State::Calling(_) => self.stop_calling(Outcome::NoAnswer, now),
                State::Ringing(_) => self.end(Outcome::Missed, now),
                _ => self.end(Outcome::Lost, now),
            }
        }
        if self.path_lost.is_some_and(|lost| now >= lost + RECONNECT) {
            self.end(Outcome::Lost, now);
        }
        if self.refresh_at.is_some_and(|at| now >= at) {
            self.refresh(now);
        }
        if self.beat_at.is_some_and(|at| now >= at) {
            self.beat(now);
        }
        self.go_on_with_rekey(now);
    }

    fn keyed(&mut self, keyed: Keyed, now: Timestamp) {
        match keyed.prove(None) {
            Ok(proof) => {
                self.outputs.push_back(Output::Message(CallMessage::Ready(proof)));
                self.enter(State::Keyed(keyed), now, Some(CONNECT));
            }
            Err(error) => self.fault_in(State::Keyed(keyed), &error, now),
        }
    }

    fn activate(&mut self, active: Active, now: Timestamp) {
        let (grant, addresses) = (active.grant(), active.address_grant());
        let (epoch, leaf) = (active.group.epoch(), active.group.leaf());
        let base = active.group.base_key();
        self.enter(State::Active(active), now, None);
        match base {
            Ok(base) => {
                self.outputs.push_back(Output::StartMedia(grant));
                self.start_beating(now);
                self.open_epoch(base.clone());
                self.outputs.push_back(Output::SealEpoch { base, epoch, leaf });
                self.refreshed = now;
                self.schedule_refresh(now);
                let (microphone, camera) = self.switches;
                self.note(&Note::Switches { microphone, camera });
                self.outputs.push_back(Output::FindDirect(addresses));
            }
            Err(error) => self.fault(&error, now),
        }
    }

    fn handle_note(&mut self, note: Note, now: Timestamp) {
        match note {
            Note::Switches { microphone, camera } => {
                self.peer_switches = (microphone, camera);
                self.outputs.push_back(Output::Changed);
            }
            Note::EpochReached(epoch) => {
                if matches!(&self.state, State::Active(active) if active.group.epoch().0 == epoch) {
                    self.switch(now);
                }
            }
            Note::KeyframeWanted => {
                // A peer that still needs one asks again; one that asks all the time costs nothing.
                if self.keyframe_granted.is_none_or(|granted| now.since(granted) >= KEYFRAME_PAUSE) {
                    self.keyframe_granted = Some(now);
                    self.outputs.push_back(Output::Keyframe);
                }
            }
            Note::Candidates { addresses, answer } => {
                self.outputs.push_back(Output::Candidates { addresses, answer });
            }
            Note::Beat(beat) => self.handle_beat(beat, now),
            Note::HangUp => self.end(Outcome::PeerHungUp, now),
            Note::Broken => self.end(Outcome::PeerFault, now),
        }
    }

    fn note(&mut self, note: &Note) {
        let (State::Active(Active { group, .. }) | State::Keyed(Keyed { group, .. })) = &mut self.state else { return };
        if let Ok(sealed) = group.seal_note(&call::encode(note)) {
            self.outputs.push_back(Output::Message(CallMessage::Sealed(sealed)));
        }
    }

    const fn calling(&self) -> Option<&Parties> {
        if let State::Calling(calling) = &self.state { Some(&calling.parties) } else { None }
    }

    fn is_calling(&self, call: CallId) -> bool {
        self.calling().is_some_and(|parties| parties.call == call)
    }

    /// Gives up ringing: no device rings any longer, and none begins to.
    fn stop_calling(&mut self, outcome: Outcome, now: Timestamp) {
        if self.calling().is_some() {
            self.take_back();
            self.end(outcome, now);
        }
    }

    /// Tells the other side by letter that the call is over, while there may be no path to say it by: all devices that we
    /// ring, or the one that we connect with.
    fn take_back(&mut self) {
        if matches!(self.state, State::Ringing(_) | State::Active(_)) {
            return;
        }
        let Some(parties) = self.state.parties() else { return };
        let to = self.state.peer_device().map_or_else(|| parties.peer.cards().to_vec(), |device| vec![*device]);
        let (call, handle) = (parties.call, parties.peer.handle().to_owned());
        self.letter(to, handle, call, Content::Cancel);
    }

    fn join(&mut self, parties: &Parties, peer_path_key: [u8; 32]) {
        let leaf = LeafIndex(parties.role as u8);
        self.outputs.push_back(Output::Join { room: parties.room, leaf, peer_path_key });
    }

    fn letter(&mut self, to: Vec<DeviceCard>, handle: String, call: CallId, content: Content) {
        self.outputs.push_back(Output::Letter { to, handle, call, content });
    }

    fn enter(&mut self, state: State, now: Timestamp, patience: Option<Duration>) {
        self.state = state;
        self.since = now;
        self.deadline = patience.map(|patience| now + patience);
        self.outputs.push_back(Output::Changed);
    }

    fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Idle)
    }

    fn fault(&mut self, why: &dyn std::fmt::Display, now: Timestamp) {
        // The other side need not wait for a connection that does not come back.
        self.note(&Note::Broken);
        self.take_back();
        self.end(Outcome::Fault(why.to_string()), now);
    }

    /// The same in a state that was taken out of the machine.
    fn fault_in(&mut self, state: State, why: &dyn std::fmt::Display, now: Timestamp) {
        self.state = state;
        self.fault(why, now);
    }

    fn end(&mut self, outcome: Outcome, now: Timestamp) {
        self.enter(State::Idle, now, None);
        self.reached = false;
        self.busy.clear();
        self.refresh_at = None;
        self.rekey = None;
        self.beat_at = None;
        self.path_lost = None;
        self.peer_switches = (true, true);
        self.keyframe_granted = None;
        self.outputs.push_back(Output::Ended(outcome));
    }
}
