//! What the devices of the own account tell each other about contacts, tokens and who is shut out.

use super::Control;
use crate::crypto::chain::DeviceCard;
use crate::crypto::letter::{self, CallId, Content, Pass};
use crate::engine::clock;
use crate::engine::household::{Compare, Message, portions};

impl Control {
    /// Tells the other devices of the account what has been decided on this one since the last time. Cheap if nothing was.
    pub(super) fn share(&mut self) {
        let news = self.observe();
        if !news.is_empty() {
            self.write_to_devices(&self.other_devices(), &news);
        }
    }

    /// This device has come online: were decisions made while it was away, or while the others were?
    pub(super) fn compare_households(&mut self) {
        self.share();
        self.write_to_devices(&self.other_devices(), &self.household.question());
    }

    /// Something from another device of the account; from `None` right after this one was taken in.
    pub(super) fn household_came(&mut self, bytes: &[u8], from: Option<DeviceCard>) {
        let Some(message) = Message::decode(bytes) else {
            return tracing::warn!("a message of another device of the account was not understood");
        };
        self.share();
        let compare = message.compare;
        let taken = self.household.take_over(&self.profile, &mut self.contacts, &mut self.door, message);
        self.tell_error(taken);
        self.announce_tokens();
        for request in &*self.door.requests() {
            if self.contacts.has(&request.handle) {
                self.dismiss_request(&request.handle);
            }
        }
        if let (Some(from), Compare::Answer(_) | Compare::AnswerOnce(_)) = (from, compare) {
            self.write_to_devices(&[from], &self.household.answer(compare));
        }
    }

    /// Facts of what was decided here, as messages.
    fn observe(&mut self) -> Vec<Vec<u8>> {
        let Some(identity) = &self.identity else { return Vec::new() };
        let chain = identity.chain();
        let founding = chain.revoked().is_empty()
            && chain.cards().first().is_some_and(|card| card.signing == identity.device_id());
        let now = clock::unix_now();
        match self.household.observe(&self.profile, &self.contacts, &self.door, founding, now) {
            Ok(news) if news.is_empty() => Vec::new(),
            Ok(news) => portions(news, Compare::No),
            Err(error) => {
                self.tell(&error.to_string());
                Vec::new()
            }
        }
    }

    fn other_devices(&self) -> Vec<DeviceCard> {
        let Some(identity) = &self.identity else { return Vec::new() };
        let own = identity.device_id();
        identity.chain().cards().iter().filter(|card| card.signing != own).copied().collect()
    }

    /// Letters within the account: they ring nobody and are no calls.
    fn write_to_devices(&mut self, to: &[DeviceCard], messages: &[Vec<u8>]) {
        let (Some(identity), Some(leave)) = (&self.identity, self.door.contacts_token()) else { return };
        let now = clock::unix_now();
        let write = |card: &DeviceCard, message: &Vec<u8>| {
            let (call, content) = (CallId([0; 16]), Content::Household(message.clone()));
            let envelope = letter::write(identity, card, call, content, Pass::default(), now, &mut rand::rng());
            envelope.ok().map(|envelope| (card.signing, envelope))
        };
        let envelopes = to.iter().flat_map(|card| messages.iter().filter_map(move |message| write(card, message)));
        let envelopes: Vec<_> = envelopes.collect();
        if !envelopes.is_empty() {
            self.post(envelopes, leave, None);
        }
    }
}
