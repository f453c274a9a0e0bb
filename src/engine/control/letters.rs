//! Letters out and in: which leave to ring goes with them, and whether an invitation rings.
//!
//! An invitation rings if its sender is a contact with the key that is known of them, or shows a token of ours and the
//! directory confirms that the handle is theirs. Everybody else is written down as a request: nothing rings, no device is
//! opened, nothing is answered.

use std::collections::VecDeque;

use super::Control;
use crate::call::State;
use crate::crypto::chain::{Chain, DeviceCard, VerifiedChain};
use crate::crypto::identity::{Identity, ephemeral_key};
use crate::crypto::letter::{self, CallId, Content, Opened, Pass};
use crate::engine::contacts::Standing;
use crate::engine::{clock, session};
use crate::media::Timestamp;
use crate::net::client::ConnectError;
use crate::wire::address::Handle;
use crate::wire::signal::DeviceId;
use crate::wire::token::Token;

/// Callers with a token, and contacts whose key is not known, who are looked up at one time; one more is not rung for.
const MAX_LOOKED_UP: usize = 8;
/// Strangers who are looked up at one time; one more is written down unconfirmed.
const MAX_STRANGERS_LOOKED_UP: usize = 2;
/// Calls whose leave to answer is kept in mind.
const MAX_REPLIES: usize = 16;

/// Why a caller is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// The handle is a contact's, but the key is not known, or another.
    Contact,
    /// A token of ours was shown, whoever calls is let in, or we are about to call them.
    Leave,
    /// None.
    Stranger,
}

/// An invitation whose sender is being looked up.
#[derive(Debug)]
struct Vetted {
    number: u64,
    claim: Claim,
    letter: Opened,
}

/// What control keeps in mind between letters.
#[derive(Debug, Default)]
pub(super) struct Letters {
    vetted: Vec<Vetted>,
    /// Leave to answer, by call.
    replies: VecDeque<(CallId, Token)>,
}

impl Control {
    /// Seals a letter to each of these devices of `handle` and sends them off.
    pub(super) fn write_letters(&mut self, to: &[DeviceCard], handle: &str, call: CallId, content: &Content) {
        let Some(identity) = &self.identity else { return };
        let mut rng = rand::rng();
        let now = clock::unix_now();
        let is_invitation = matches!(content, Content::Invitation { .. });
        let gives = (is_invitation || matches!(content, Content::Accept { .. })) && self.contacts.has(handle);
        let pass = Pass {
            shown: self.contacts.token_for(handle).filter(|_| is_invitation),
            given: self.door.contacts_token().filter(|_| gives),
            reply: is_invitation.then(|| Token::random(&mut rng)),
        };
        let answering = self.letters.replies.iter().find(|(known, _)| *known == call).map(|(_, token)| *token);
        // Without leave a letter shows a token that opens nothing: nobody on the way can tell.
        let shown = answering.or(self.contacts.token_for(handle)).unwrap_or_else(|| Token::random(&mut rng));
        if let (Some(reply), Some(announce)) = (&pass.reply, &self.announce_replies) {
            // A full queue costs only the precedence of the answers.
            let _ = announce.try_send(reply.hash());
        }
        let write = |card: &DeviceCard| {
            let envelope = letter::write(identity, card, call, content.clone(), pass.clone(), now, &mut rand::rng());
            envelope.ok().map(|envelope| (card.signing, envelope))
        };
        let envelopes: Vec<_> = to.iter().filter_map(write).collect();
        self.post(envelopes, shown, is_invitation.then_some(call));
    }

    /// Sends envelopes off under a key of their own, showing a token; what becomes of an `invitation` is reported.
    pub(super) fn post(&mut self, envelopes: Vec<(DeviceId, Vec<u8>)>, shown: Token, invitation: Option<CallId>) {
        let Some(server) = self.server.clone() else { return };
        let key = ephemeral_key(&mut rand::rng());
        while self.deliveries.try_join_next().is_some() {}
        self.deliveries.spawn(session::deliver(server, key, envelopes, shown, invitation, self.events.clone()));
    }

    /// An envelope came.
    pub(super) fn handle_envelope(&mut self, envelope: &[u8], now: Timestamp) {
        let Some(identity) = &self.identity else { return };
        let letter = match letter::read(identity, envelope, clock::unix_now()) {
            Ok(letter) => letter,
            Err(error) => return tracing::warn!(%error, "an envelope was thrown away"),
        };
        if let Content::Linked { household, .. } | Content::Household(household) = &letter.content {
            // One that was shut out shows an older list; ours counts.
            let is_own = identity.chain().devices().any(|device| device == letter.device.signing);
            if is_own && letter.chain.root() == identity.root() {
                self.household_came(household, Some(letter.device));
            }
            return;
        }
        self.handle_letter(letter, now);
    }

    /// A letter whose signature holds.
    pub(super) fn handle_letter(&mut self, letter: Opened, now: Timestamp) {
        if self.door.is_blocked(letter.chain.handle(), &letter.chain.root()) {
            return;
        }
        // A device that its owner has shut out may still write, and show an older list of devices.
        if self.contacts.judge_shown(&letter.chain) == Standing::Cut {
            return tracing::warn!("a letter of a contact's device that is none any more was thrown away");
        }
        match letter.content {
            Content::Invitation { .. } if !self.may_ring_at_once(&letter) => self.vet(letter, now),
            _ => self.admit(letter, now),
        }
    }

    /// Whether this invitation needs no question to the directory: it has shown us this very list of their devices.
    fn may_ring_at_once(&self, letter: &Opened) -> bool {
        let Opened { chain, device, .. } = letter;
        let is_rung = |peer: &VerifiedChain| {
            let same = peer.root() == chain.root() && peer.handle() == chain.handle();
            same && peer.cards().contains(device)
        };
        let we_ring_them = self.machine.as_ref().is_some_and(
            |machine| matches!(machine.state().0, State::Calling(calling) if is_rung(&calling.parties.peer)),
        );
        we_ring_them || self.contacts.has_seen(chain)
    }

    /// The letter goes to the call, with what it gives.
    pub(super) fn admit(&mut self, letter: Opened, now: Timestamp) {
        let (handle, root) = (letter.chain.handle(), letter.chain.root());
        if let (Some(given), true) = (letter.pass.given, self.contacts.knows(handle, &root)) {
            let kept = self.contacts.keep_token(&self.profile, handle, given);
            self.tell_error(kept);
        }
        let is_invitation = matches!(letter.content, Content::Invitation { .. });
        if let Some(reply) = letter.pass.reply.filter(|_| is_invitation) {
            if self.letters.replies.len() >= MAX_REPLIES {
                self.letters.replies.pop_front();
            }
            self.letters.replies.push_back((letter.call, reply));
        }
        let dials_another = self.dialing.as_ref().is_some_and(|dialing| !dialing.is_to(letter.chain.handle()));
        match &mut self.machine {
            Some(machine) if dials_another => machine.handle_letter_while_dialling(letter, now),
            Some(machine) => machine.handle_letter(letter, now),
            None => {}
        }
    }

    /// Callers who are being looked up.
    #[cfg(test)]
    pub(super) fn letters_waiting(&self) -> usize {
        self.letters.vetted.len()
    }

    /// Finds out who rings before anybody is disturbed: whoever writes can claim any handle.
    fn vet(&mut self, letter: Opened, now: Timestamp) {
        let (handle, root) = (letter.chain.handle(), letter.chain.root());
        let claim = if self.contacts.has(handle) {
            Claim::Contact
        } else if self.door.admits(letter.pass.shown.as_ref())
            || self.config.accept_strangers
            || self.dialing.as_ref().is_some_and(|dialing| dialing.is_to(handle))
        {
            Claim::Leave
        } else {
            Claim::Stranger
        };
        if claim == Claim::Stranger && self.door.is_confirmed(handle, &root) {
            return self.note_request(&letter, true);
        }
        let is_strange = claim == Claim::Stranger;
        let most = if is_strange { MAX_STRANGERS_LOOKED_UP } else { MAX_LOOKED_UP };
        let alike = self.letters.vetted.iter().filter(|vetted| (vetted.claim == Claim::Stranger) == is_strange);
        let name = handle.parse::<Handle>().ok().filter(|handle| self.is_at_own_server(handle));
        let (Some(name), Some(server), true) = (name, self.server.clone(), alike.count() < most) else {
            return self.decide(claim, letter, None, now);
        };
        self.dials += 1;
        let number = self.dials;
        let key = ephemeral_key(&mut rand::rng());
        tokio::spawn(session::look_up(server, key, name.name().to_owned(), number, self.events.clone()));
        self.letters.vetted.push(Vetted { number, claim, letter });
    }

    fn is_at_own_server(&self, handle: &Handle) -> bool {
        let own = self.identity.as_ref().map(Identity::handle).and_then(|own| own.split_once('@'));
        own.is_some_and(|(_, host)| host == handle.host())
    }

    /// The directory has answered who a caller is. False: this was no such question.
    pub(super) fn looked_up_caller(&mut self, number: u64, found: &Result<Vec<u8>, ConnectError>) -> bool {
        let Some(index) = self.letters.vetted.iter().position(|vetted| vetted.number == number) else { return false };
        let Vetted { claim, letter, .. } = self.letters.vetted.remove(index);
        let chain = found.as_ref().ok().and_then(|chain| Chain::decode(chain).ok());
        let chain = chain.and_then(|chain| chain.verify(clock::unix_now()).ok());
        // Theirs, and the device that wrote is one of it: one that was shut out shows an older list.
        let confirmed = chain.filter(|chain| {
            let is_theirs = chain.handle() == letter.chain.handle() && chain.root() == letter.chain.root();
            is_theirs && chain.devices().any(|device| device == letter.device.signing)
        });
        self.decide(claim, letter, confirmed.as_ref(), clock::now());
        true
    }

    /// Rings, or writes the caller down. `confirmed`: the account as the directory has it, if it is the caller's.
    fn decide(&mut self, claim: Claim, letter: Opened, confirmed: Option<&VerifiedChain>, now: Timestamp) {
        // Shut out meanwhile.
        if self.door.is_blocked(letter.chain.handle(), &letter.chain.root()) {
            return;
        }
        match (claim, confirmed) {
            (Claim::Leave, Some(_)) => self.admit(letter, now),
            (Claim::Contact, Some(chain)) => match self.contacts.check_found(&self.profile, chain) {
                Ok(Standing::Good) => self.admit(letter, now),
                Ok(Standing::OtherRoot) => {
                    let name = self.contacts.peer(letter.chain.handle(), None).name;
                    let words = "tried to call, but shows another key than the one you know; decide in your contacts";
                    self.tell(&format!("{name} {words}"));
                }
                Ok(Standing::Cut) => tracing::warn!("a caller's device is none of its account's any more"),
                Err(error) => self.tell(&error.to_string()),
            },
            (Claim::Stranger, confirmed) => self.note_request(&letter, confirmed.is_some()),
            (Claim::Contact | Claim::Leave, None) => self.note_request(&letter, false),
        }
    }

    fn note_request(&mut self, letter: &Opened, confirmed: bool) {
        let (handle, root) = (letter.chain.handle(), letter.chain.root());
        let noted = self.door.note_request(&self.profile, handle, &root, confirmed, clock::unix_now());
        self.tell_error(noted);
    }
}
