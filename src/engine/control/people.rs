//! What the person decides about people: whom they keep, who is shut out, whose key is believed, which link is valid.

use std::sync::Arc;

use data_encoding::BASE32_NOPAD;

use super::Control;
use crate::crypto::identity::Identity;
use crate::crypto::safety;
use crate::engine::contacts::{ContactError, check_server};
use crate::engine::handle::Comparison;
use crate::wire::link::ContactLink;

impl Control {
    fn own_handle(&self) -> String {
        self.identity.as_ref().map(|identity| identity.handle().to_owned()).unwrap_or_default()
    }

    /// Keeps somebody by link or handle. Whoever asked before is not asked about again.
    pub(super) fn add_contact(&mut self, whom: &str) {
        let own = self.own_handle();
        let fits = self.server.as_ref().map_or(Ok(()), |server| check_server(whom, server));
        match fits.and_then(|()| self.contacts.add(&self.profile, whom, &own)) {
            Ok(handle) => {
                let let_in = self.door.unblock(&self.profile, &handle);
                self.tell_error(let_in);
                self.dismiss_request(&handle);
                self.ask_presence();
            }
            Err(error) => self.tell(&error.to_string()),
        }
    }

    /// Keeps the stranger who asked, by the key that the directory has confirmed; without one, as by handle.
    pub(super) fn accept_request(&mut self, handle: &str) {
        let Some(root) = self.door.confirmed_root(handle) else { return self.add_contact(handle) };
        let own = self.own_handle();
        match self.contacts.add_confirmed(&self.profile, handle, root, &own) {
            Ok(_) | Err(ContactError::Known(_)) => {
                self.dismiss_request(handle);
                self.ask_presence();
            }
            Err(error) => self.tell(&error.to_string()),
        }
    }

    /// Forgets that a stranger asked.
    pub(super) fn dismiss_request(&mut self, handle: &str) {
        let dismissed = self.door.dismiss(&self.profile, handle);
        self.tell_error(dismissed);
    }

    /// Shuts somebody out. A contact is none any more, and the tokens they may have are taken back.
    pub(super) fn block(&mut self, handle: &str) {
        let contact = self.contacts.root_of(handle);
        let blocked = self.door.block(&self.profile, handle, contact, &mut rand::rng());
        let removed = blocked.and_then(|()| self.contacts.remove(&self.profile, handle));
        self.tell_error(removed);
        self.announce_tokens();
    }

    /// The safety number with a contact whose key is known, to be compared outside a call.
    pub(super) fn compare(&mut self, handle: Option<String>) {
        self.comparison = handle.and_then(|handle| {
            let root = BASE32_NOPAD.decode(self.contacts.root_of(&handle)??.as_bytes()).ok()?;
            let own = self.identity.as_ref()?.root();
            let number = safety::safety_number(&own, &root.try_into().ok()?).into();
            Some(Comparison { handle, number })
        });
    }

    /// Lets somebody in again.
    pub(super) fn unblock(&mut self, handle: &str) {
        let let_in = self.door.unblock(&self.profile, handle);
        self.tell_error(let_in);
    }

    /// Another link: whoever has the old one is a stranger from now on, unless they are a contact.
    pub(super) fn renew_link(&mut self) {
        let renewed = self.door.renew_link(&self.profile, &mut rand::rng());
        self.tell_error(renewed);
        self.announce_tokens();
    }

    /// Tells the server whom to let through, as far as it may know.
    pub(super) fn announce_tokens(&self) {
        let hashes = self.door.token_hashes();
        self.tokens.send_if_modified(|announced| std::mem::replace(announced, hashes.clone()) != hashes);
    }

    /// The own link, once there is an account.
    pub(super) fn own_link(&self) -> Option<Arc<ContactLink>> {
        let identity: &Identity = self.identity.as_ref().filter(|_| self.registered)?;
        let handle = identity.handle().parse().ok()?;
        ContactLink::new(handle, self.server.clone()?, identity.root(), self.door.link_token()?).map(Arc::new)
    }
}
