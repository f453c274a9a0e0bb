//! Control and the call's path: events of relay and direct way, and what follows from them for machine and media.

use super::Control;
use crate::call::{AddressGrant, State};
use crate::engine::clock;
use crate::engine::direct::DirectEvent;
use crate::engine::handle::PathView;
use crate::engine::outbox::SendWay;
use crate::engine::path::{CallPath, Place};
use crate::engine::sealing::SealCommand;
use crate::engine::session::{PathEvent, PathEvents};
use crate::media::{LeafIndex, Timestamp};
use crate::net::PathPolicy;
use crate::transport::ways::{Choice, Way};

impl Control {
    /// Enters the call's room.
    pub(super) fn enter_room(&mut self, room: [u8; 32], leaf: LeafIndex, peer: [u8; 32]) {
        let (Some(server), Some(key)) = (self.server.clone(), self.path_key.clone()) else { return };
        let (link, controller) = (self.config.link.clone(), self.config.adaptation.controller);
        let place = Place { server, room, leaf, key, peer, link, controller };
        self.paths += 1;
        self.policy = self.config.path.unwrap_or(PathPolicy::hiding(self.hide_address));
        match CallPath::enter(place, &self.media, PathEvents::new(self.paths, self.events.clone())) {
            Ok(path) => self.path = Some(path),
            Err(error) => {
                self.tell(&format!("this machine gives the call no network socket: {error}"));
                if let Some(machine) = &mut self.machine {
                    machine.hang_up(clock::now());
                }
            }
        }
    }

    /// Looks for a direct way, if that is wanted.
    pub(super) fn find_direct(&mut self, grant: AddressGrant) {
        if self.hides_address() {
            return;
        }
        if let Some(path) = &mut self.path
            && !path.find_direct(grant, clock::now())
        {
            tracing::warn!("this side cannot listen for a direct connection; the call stays with the relay");
        }
    }

    /// Whether the other side of the call does not learn where this machine is: that was chosen, or they are no contact and no
    /// path was asked for.
    pub(super) fn hides_address(&self) -> bool {
        let Some(State::Active(active)) = self.machine.as_ref().map(|machine| machine.state().0) else {
            return self.policy == PathPolicy::RelayOnly;
        };
        let peer = &active.accepted.parties.peer;
        let is_stranger = self.config.path.is_none() && !self.contacts.knows(peer.handle(), &peer.root());
        self.policy == PathPolicy::RelayOnly || is_stranger
    }

    /// Something happened on the way to the peer. The last words of an earlier call do not touch the next.
    pub(super) fn handle_path_event(&mut self, number: u64, event: PathEvent, now: Timestamp) {
        let (Some(path), Some(machine)) = (&mut self.path, &mut self.machine) else { return };
        if path.number() != number {
            return;
        }
        match event {
            PathEvent::RoomOpen(connection) => {
                path.handle_room(connection);
                self.receive_from(Way::Relay);
            }
            PathEvent::RoomLost => path.handle_room_lost(now),
            // A room without the peer is no way: what is said there is lost.
            PathEvent::PeerArrived => path.handle_peer(true, now),
            PathEvent::PeerLeft => path.handle_peer(false, now),
            PathEvent::CallMessage(bytes) => match path.handle_bytes(&bytes) {
                Ok(Some(message)) => machine.handle_message(message, now),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "the call's messages broke");
                    machine.hang_up(now);
                }
            },
            PathEvent::Observed(address) => {
                if let Some((addresses, answer)) = path.handle_observed(address) {
                    machine.offer_candidates(addresses, answer);
                }
            }
            PathEvent::Direct(event) => self.handle_direct(event, now),
        }
    }

    fn handle_direct(&mut self, event: DirectEvent, now: Timestamp) {
        let (Some(path), Some(machine)) = (&mut self.path, &mut self.machine) else { return };
        match event {
            DirectEvent::Stands { channel, proof } => {
                if let Some(own) = machine.prove_direct(channel) {
                    let _ = proof.send(own);
                }
            }
            DirectEvent::Proved { link, channel, proof, taken } => {
                if !machine.check_direct(channel, &proof) {
                    tracing::warn!("a direct connection did not prove that it belongs to the call; it is not used");
                } else if taken.send(()).is_ok() {
                    path.take_direct(link, now);
                    self.receive_from(Way::Direct);
                }
            }
            DirectEvent::Lost(number) => path.handle_direct_lost(number, now),
        }
    }

    /// Does what the path's clocks and choices ask for.
    pub(super) fn follow_path(&mut self) {
        let now = clock::now();
        let (Some(path), Some(machine)) = (&mut self.path, &mut self.machine) else { return };
        path.handle_timeout(now);
        if path.is_cut_off() != machine.is_reconnecting() {
            machine.handle_path(!path.is_cut_off(), now);
        }
        if let Some(choice) = path.poll_choice() {
            path.flush();
            self.send_on(choice);
        }
    }

    /// Media have started: they come from and go to whatever ways there are.
    pub(super) fn connect_media(&mut self) {
        self.receive_from(Way::Relay);
        self.receive_from(Way::Direct);
        let way = self.path.as_ref().and_then(CallPath::way);
        self.send_on(Choice { way, lossy: true });
    }

    /// The call is over: leaves the room.
    pub(super) fn leave_room(&mut self) {
        if let Some(path) = self.path.take() {
            self.leaving = Some(path.leave());
        }
    }

    /// Which way the packets go, as it is shown, and how often that has changed.
    pub(super) fn view_path(&self, reconnecting: bool) -> (PathView, u32) {
        let Some(path) = &self.path else { return (PathView::Reconnecting, 0) };
        let view = match path.way() {
            _ if reconnecting => PathView::Reconnecting,
            None => PathView::Reconnecting,
            Some(Way::Direct) => PathView::Direct,
            Some(Way::Relay) => PathView::Relay,
        };
        (view, path.changes())
    }

    /// Round trips by relay and directly, as the connections measure them.
    pub(super) fn round_trips_ms(&self) -> (Option<f32>, Option<f32>) {
        let connection = |way| self.path.as_ref().and_then(|path| path.connection(way));
        let millis = |way| connection(way).map(|connection| connection.rtt().as_secs_f32() * 1000.0);
        (millis(Way::Relay), millis(Way::Direct))
    }

    fn send_on(&mut self, choice: Choice) {
        let (Some(threads), Some(path)) = (&mut self.threads, &self.path) else { return };
        let way = choice.way.and_then(|way| {
            let connection = path.connection(way)?.clone();
            Some(SendWay { connection, direct: way == Way::Direct, ceiling: path.ceiling() })
        });
        let _ = threads.seal.push(SealCommand::Way { way, lossy: choice.lossy });
    }

    fn receive_from(&mut self, way: Way) {
        let (Some(threads), Some(path)) = (&mut self.threads, &self.path) else { return };
        if let Some(connection) = path.connection(way) {
            let _ = threads.ways.try_send((way, connection.clone()));
        }
    }
}
