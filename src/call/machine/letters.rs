//! What letters do to a call: invitations and the answers to them, and what is learnt of who may write them.

use std::time::Duration;

use super::{CONNECT, Machine};
use crate::call::state::{Accepted, Parties, Ringing};
use crate::call::{Outcome, Output, State};
use crate::crypto::chain::{DeviceCard, VerifiedChain};
use crate::crypto::group::GroupError;
use crate::crypto::letter::{CallId, Content, Opened, RING_S};
use crate::crypto::ready::Role;
use crate::media::Timestamp;
use crate::wire::call::CallMessage;

impl Machine {
    /// An envelope was opened while the person is about to ring somebody else: an invitation is told that we are busy.
    pub fn handle_letter_while_dialling(&mut self, letter: Opened, now: Timestamp) {
        let Opened { chain, device, call, content, .. } = letter;
        if !matches!(content, Content::Invitation { .. }) {
            return self.handle_letter(Opened { chain, device, call, content, ..letter }, now);
        }
        if self.seen.note(device.signing, call, now) {
            self.answer_busy(&chain, device, call, now);
        }
    }

    /// An envelope was opened.
    pub fn handle_letter(&mut self, letter: Opened, now: Timestamp) {
        let Opened { chain, device, call, content, .. } = letter;
        match content {
            Content::Invitation { video, room, path_key } => {
                if !self.seen.note(device.signing, call, now) {
                    return;
                }
                let parties = Parties { call, role: Role::Callee, video, room, peer: chain };
                self.handle_invitation(Ringing { parties, device, path_key }, now);
            }
            Content::Accept { key_package, path_key } => match self.take() {
                State::Calling(calling) if is_party(&calling.parties, call, &chain) => {
                    let own = self.own.clone();
                    let peer = calling.parties.peer.clone();
                    match calling.accepted(&own, device, path_key, &key_package) {
                        Ok((keyed, welcome)) => {
                            self.stop_others(&peer, &device, call);
                            self.join(&keyed.accepted.parties, path_key);
                            self.outputs.push_back(Output::Message(CallMessage::Welcome(welcome)));
                            self.keyed(keyed, now);
                        }
                        Err(failed) => self.fault_in(State::Calling(failed.0), &failed.1, now),
                    }
                }
                other => self.state = other,
            },
            Content::Decline | Content::Busy => self.handle_refusal(&chain, &device, call, &content, now),
            // Between the devices of one account: not about a call.
            Content::Linked { .. } | Content::Household(_) => {}
            Content::Cancel | Content::TakenElsewhere => {
                // Should it have overtaken its invitation, that will not ring.
                self.seen.note(device.signing, call, now);
                self.handle_cancel(&chain, &device, call, &content, now);
            }
        }
    }

    /// The other side takes the call back, or says that another device of ours has it. Believed only of the device that the
    /// call is with; while we ring, of each that may answer, since its yes may come behind.
    fn handle_cancel(
        &mut self,
        chain: &VerifiedChain,
        device: &DeviceCard,
        call: CallId,
        content: &Content,
        now: Timestamp,
    ) {
        let outcome = match (&self.state, content) {
            (State::Ringing(_), Content::Cancel) => Outcome::Missed,
            (State::Ringing(_) | State::Accepted(_), Content::TakenElsewhere) => Outcome::TakenElsewhere,
            (State::Accepted(_) | State::Keyed(_), Content::Cancel) => Outcome::Cancelled,
            // It was connecting still when it hung up, and the path may never have come about.
            (State::Active(_), Content::Cancel) => Outcome::PeerHungUp,
            (State::Calling(calling), Content::Cancel) if calling.parties.peer.cards().contains(device) => {
                Outcome::Cancelled
            }
            _ => return,
        };
        let is_with = self.state.peer_device().is_none_or(|with| with.signing == device.signing);
        if !is_with || !self.state.parties().is_some_and(|parties| is_party(parties, call, chain)) {
            return;
        }
        if let State::Calling(calling) = &self.state {
            let peer = calling.parties.peer.clone();
            self.stop_others(&peer, device, call);
        }
        self.end(outcome, now);
    }

    /// One of their devices says no. A declining person speaks for all devices, which stop ringing; a busy device only for
    /// itself.
    fn handle_refusal(
        &mut self,
        chain: &VerifiedChain,
        device: &DeviceCard,
        call: CallId,
        content: &Content,
        now: Timestamp,
    ) {
        let State::Calling(calling) = &self.state else { return };
        if !is_party(&calling.parties, call, chain) {
            return;
        }
        let peer = calling.parties.peer.clone();
        if *content == Content::Decline {
            self.stop_others(&peer, device, call);
            return self.end(Outcome::Declined, now);
        }
        self.busy.push(device.signing);
        if peer.cards().iter().all(|card| self.busy.contains(&card.signing)) {
            self.end(Outcome::Busy, now);
        }
    }

    /// One of their devices has answered: the others stop ringing.
    fn stop_others(&mut self, peer: &VerifiedChain, device: &DeviceCard, call: CallId) {
        let others: Vec<_> = peer.cards().iter().filter(|card| *card != device).copied().collect();
        if !others.is_empty() {
            self.letter(others, peer.handle().to_owned(), call, Content::TakenElsewhere);
        }
    }

    /// The peer's chain, as it is now: if the device on the other side is no longer part of it, the call is over, and a call that
    /// rings rings no more.
    pub fn handle_peer_chain(&mut self, chain: &VerifiedChain, now: Timestamp) {
        let (Some(parties), Some(device)) = (self.state.parties(), self.state.peer_device()) else { return };
        let known = &parties.peer;
        let goes_on = chain.succeeds(known.chain()) || chain.knows_all_of(known);
        if goes_on && chain.revoked().contains(&device.signing) {
            self.end(Outcome::PeerRevoked, now);
        }
    }

    /// The directory handed the invitation of this call to a device.
    pub fn handle_reached(&mut self, call: CallId) {
        if self.is_calling(call) && !self.reached {
            self.reached = true;
            self.outputs.push_back(Output::Changed);
        }
    }

    /// The invitation of this call cannot be delivered, or the server cannot be used. The directory may hold it for a
    /// device that comes later, so it is taken back.
    pub fn handle_unreachable(&mut self, call: CallId, outcome: Outcome, now: Timestamp) {
        if self.is_calling(call) {
            self.stop_calling(outcome, now);
        }
    }

    fn handle_invitation(&mut self, ringing: Ringing, now: Timestamp) {
        match self.take() {
            State::Idle => {
                self.enter(State::Ringing(ringing), now, Some(Duration::from_secs(RING_S)));
            }
            State::Calling(calling) if ringing.parties.peer.knows_all_of(&calling.parties.peer) => {
                // Both ring each other: the lower number goes on, and calling was consent enough. Not for a device that was shut
                // out: it cannot show the entry that did so.
                if ringing.parties.call < calling.parties.call {
                    let own = self.own.clone();
                    let accepted = calling.yield_to(ringing, &own);
                    self.answer(accepted, now);
                } else {
                    self.state = State::Calling(calling);
                }
            }
            other => {
                let same = matches!(&other, State::Ringing(current) if current.parties.call == ringing.parties.call);
                self.state = other;
                if !same {
                    self.answer_busy(&ringing.parties.peer, ringing.device, ringing.parties.call, now);
                }
            }
        }
    }

    fn answer_busy(&mut self, peer: &VerifiedChain, device: DeviceCard, call: CallId, now: Timestamp) {
        if self.busy_said.may_say(peer.root(), now) {
            self.letter(vec![device], peer.handle().to_owned(), call, Content::Busy);
        }
    }

    pub(super) fn answer(&mut self, accepted: Result<(Accepted, Vec<u8>), GroupError>, now: Timestamp) {
        match accepted {
            Ok((accepted, key_package)) => {
                let content = Content::Accept { key_package, path_key: self.path_key };
                let (to, handle) = (vec![accepted.device], accepted.parties.peer.handle().to_owned());
                self.join(&accepted.parties, accepted.path_key);
                self.letter(to, handle, accepted.parties.call, content);
                self.enter(State::Accepted(accepted), now, Some(CONNECT));
            }
            Err(error) => self.fault(&error, now),
        }
    }
}

/// Whether a letter about `call`, whose sender shows `chain`, is the other side's: a device that its owner has shut out can
/// still sign, but not show the entry that shut it out.
fn is_party(parties: &Parties, call: CallId, chain: &VerifiedChain) -> bool {
    parties.call == call && chain.knows_all_of(&parties.peer)
}
