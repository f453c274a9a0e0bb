//! The people this profile knows: kept on disk, with the root key each was first seen with, and who of them is there.

use std::collections::HashMap;
use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};

use super::handle::{ChangedKeys, Contact, Peer, Presence};
use crate::crypto::chain::VerifiedChain;
use crate::store::profile::{Profile, ProfileError, StoredContact};
use crate::wire::address::{AddressError, Handle, ServerAddress};
use crate::wire::link::{ContactLink, LinkError};
use crate::wire::signal::MAX_PRESENCE_NAMES;
use crate::wire::token::Token;

/// Most contacts of a profile.
pub const MAX_CONTACTS: usize = 500;
/// Longest name that a contact can be given, in characters.
pub const MAX_NAME: usize = 64;

/// Why a contact is not kept.
#[derive(Debug, thiserror::Error)]
pub enum ContactError {
    /// Not a handle.
    #[error(transparent)]
    Handle(#[from] AddressError),
    /// Not a link, or not all of one.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// What the link says is not what is known.
    #[error(
        "the link of {0} shows another key than the one you know; ask them, and remove the contact if they have begun anew"
    )]
    OtherKey(String),
    /// One of the two is connected to a false server.
    #[error(
        "the link names another key for {0} than you use: one of you is connected to somebody who passes for it. Do not call; \
         ask its operator for the address"
    )]
    OtherServer(String),
    /// The person themselves.
    #[error("this is your own handle; ask the other person for theirs")]
    Oneself,
    /// There already.
    #[error("{0} is one of your contacts already")]
    Known(String),
    /// Too many.
    #[error("there is room for {MAX_CONTACTS} contacts; remove one first")]
    Full,
    /// Cannot be kept.
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

/// How a chain fits what is known of its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does, or nothing is known.
    Good,
    /// Another root key than the one that is kept.
    OtherRoot,
    /// Fewer or other devices than were seen: a revocation may be hidden.
    Cut,
}

/// What the person has decided about a contact, and what the contact has given them: the same on all of their devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    name: Option<String>,
    root: Option<String>,
    verified: bool,
    token: Option<Token>,
    silent: bool,
}

impl Person {
    #[cfg(test)]
    pub(super) fn for_test(name: Option<&str>, root: Option<String>, verified: bool) -> Self {
        Self { name: name.map(str::to_owned), root, verified, token: None, silent: false }
    }

    /// Whether a profile can hold this.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.name.as_ref().is_none_or(|name| clean_name(name).as_ref() == Some(name))
            && self.root.as_ref().is_none_or(|root| is_key(root))
            && (!self.verified || self.root.is_some())
    }
}

/// The contacts of an open profile.
#[derive(Debug, Default)]
pub struct Contacts {
    list: Vec<StoredContact>,
    revision: u64,
    presence: HashMap<String, bool>,
    /// The contact whose presence is asked for next.
    next: usize,
    view: Arc<[Contact]>,
}

impl Contacts {
    /// Those of `profile`.
    pub fn load(profile: &Profile) -> Result<Self, ProfileError> {
        let mut contacts = Self { list: profile.contacts()?, ..Self::default() };
        contacts.renew_view();
        Ok(contacts)
    }

    /// As the window shows them, by name. Cheap.
    #[must_use]
    pub fn view(&self) -> Arc<[Contact]> {
        Arc::clone(&self.view)
    }

    /// Somebody in a call, by the name they have here, with the root key they show. Keeps nothing: whoever rings can
    /// claim any handle, only the server's answer to a question of ours counts (see [`Contacts::check_found`]).
    #[must_use]
    pub fn peer(&self, handle: &str, root: Option<&[u8; 32]>) -> Peer {
        let contact = self.list.iter().find(|contact| contact.handle == handle);
        let kept = contact.and_then(|contact| contact.root.as_ref());
        let key_changed = kept.zip(root).is_some_and(|(kept, shown)| *kept != BASE32_NOPAD.encode(shown));
        Peer {
            handle: handle.to_owned(),
            name: contact.map_or_else(|| short_name(handle), shown_name),
            verified: contact.is_some_and(|contact| contact.verified) && kept.is_some() && !key_changed,
            key_changed,
            is_contact: kept.is_some() && kept == root.map(|root| BASE32_NOPAD.encode(root)).as_ref(),
        }
    }

    /// Keeps somebody by handle or link; `own` is the handle of the profile. Whoever is added by handle is known by the key
    /// that the server gives first; by link, by the key in it.
    pub fn add(&mut self, profile: &Profile, whom: &str, own: &str) -> Result<String, ContactError> {
        if ContactLink::is_meant(whom) {
            return self.add_by_link(profile, &whom.parse()?, own);
        }
        let handle = whom.parse::<Handle>()?.to_string();
        if self.list.iter().any(|contact| contact.handle == handle) {
            return Err(ContactError::Known(handle));
        }
        self.keep(profile, handle, own, |_| {})
    }

    /// Keeps somebody whose root key the directory has confirmed.
    pub fn add_confirmed(
        &mut self,
        profile: &Profile,
        handle: &str,
        root: String,
        own: &str,
    ) -> Result<String, ContactError> {
        if self.list.iter().any(|contact| contact.handle == handle) {
            return Err(ContactError::Known(handle.to_owned()));
        }
        self.keep(profile, handle.to_owned(), own, |contact| contact.root = Some(root))
    }

    /// A link verifies at once, somebody known by handle so far too; it never replaces a key that is known.
    fn add_by_link(&mut self, profile: &Profile, link: &ContactLink, own: &str) -> Result<String, ContactError> {
        let (handle, root) = (link.handle.to_string(), BASE32_NOPAD.encode(&link.root));
        let known = self.list.iter().find(|contact| contact.handle == handle);
        if known.and_then(|contact| contact.root.as_ref()).is_some_and(|kept| *kept != root) {
            return Err(ContactError::OtherKey(handle));
        }
        let believe = |contact: &mut StoredContact| {
            (contact.root, contact.verified, contact.token) = (Some(root), true, Some(link.token.text()));
        };
        if known.is_some() {
            self.change_one(profile, &handle, believe)?;
            return Ok(handle);
        }
        self.keep(profile, handle, own, believe)
    }

    fn keep(
        &mut self,
        profile: &Profile,
        handle: String,
        own: &str,
        with: impl FnOnce(&mut StoredContact),
    ) -> Result<String, ContactError> {
        if handle == own {
            return Err(ContactError::Oneself);
        }
        if self.list.len() >= MAX_CONTACTS {
            return Err(ContactError::Full);
        }
        let mut contact = unknown(&handle);
        with(&mut contact);
        self.change(profile, |list| list.push(contact))?;
        Ok(handle)
    }

    /// Whether this is a contact with the root key that is known of them, and nothing is to be decided about it.
    #[must_use]
    pub fn knows(&self, handle: &str, root: &[u8; 32]) -> bool {
        let root = BASE32_NOPAD.encode(root);
        self.find(handle).is_some_and(|contact| contact.root.as_ref() == Some(&root) && !contact.key_changed)
    }

    /// Whether somebody of this handle is a contact, whatever their key.
    #[must_use]
    pub fn has(&self, handle: &str) -> bool {
        self.find(handle).is_some()
    }

    /// Whether a call of theirs is shown, but not heard.
    #[must_use]
    pub fn is_silent(&self, handle: &str) -> bool {
        self.find(handle).is_some_and(|contact| contact.silent)
    }

    /// The root key that is known of a contact; the outer `None`: not a contact.
    #[must_use]
    pub fn root_of(&self, handle: &str) -> Option<Option<String>> {
        self.find(handle).map(|contact| contact.root.clone())
    }

    /// Leave to ring a contact, if they have given it.
    #[must_use]
    pub fn token_for(&self, handle: &str) -> Option<Token> {
        self.find(handle)?.token.as_ref()?.parse().ok()
    }

    /// A contact gives leave to ring them at any time. Writes only what is new.
    pub fn keep_token(&mut self, profile: &Profile, handle: &str, token: Token) -> Result<(), ProfileError> {
        if self.token_for(handle) == Some(token) {
            return Ok(());
        }
        self.change_one(profile, handle, |contact| contact.token = Some(token.text()))
    }

    /// Shows the calls of a contact without the bell from now on, or with it again.
    pub fn set_silent(&mut self, profile: &Profile, handle: &str, silent: bool) -> Result<(), ProfileError> {
        self.change_one(profile, handle, |contact| contact.silent = silent)
    }

    /// The person has compared the safety number with a contact, or takes that back.
    pub fn set_verified(&mut self, profile: &Profile, handle: &str, verified: bool) -> Result<(), ProfileError> {
        self.change_one(profile, handle, |contact| contact.verified = verified && contact.root.is_some())
    }

    /// The new key of a contact is not believed: the one that was known stays the only right one.
    pub fn keep_old_key(&mut self, profile: &Profile, handle: &str) -> Result<(), ProfileError> {
        self.change_one(profile, handle, |contact| (contact.key_changed, contact.new_root) = (false, None))
    }

    fn find(&self, handle: &str) -> Option<&StoredContact> {
        self.list.iter().find(|contact| contact.handle == handle)
    }

    /// Which state of the contacts this is; another one after each change.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// What other devices of the account should know of the contacts.
    pub fn people(&self) -> impl Iterator<Item = (String, Person)> {
        self.list.iter().map(|contact| {
            let StoredContact { handle, name, root, verified, token, silent, .. } = contact.clone();
            let token = token.and_then(|text| text.parse().ok());
            (handle, Person { name, root, verified, token, silent })
        })
    }

    /// Whether somebody shows another key than the one that is known, and the person has not decided which is right.
    #[must_use]
    pub fn is_undecided(&self, handle: &str) -> bool {
        self.find(handle).is_some_and(|contact| contact.key_changed)
    }

    /// Takes over what another device of the account has decided: `None` removes. Another root key than the one that is
    /// known is not believed for that: the person decides here too. Returns for whom there was no room.
    pub fn take_over(
        &mut self,
        profile: &Profile,
        people: Vec<(String, Option<Person>)>,
    ) -> Result<Vec<String>, ProfileError> {
        let mut left_out = Vec::new();
        if people.is_empty() {
            return Ok(left_out);
        }
        self.change(profile, |list| {
            for (handle, person) in people {
                let Some(person) = person else {
                    list.retain(|contact| contact.handle != handle);
                    continue;
                };
                if let Some(contact) = list.iter_mut().find(|contact| contact.handle == handle) {
                    follow_person(contact, person);
                } else if list.len() < MAX_CONTACTS {
                    let mut contact = unknown(&handle);
                    follow_person(&mut contact, person);
                    list.push(contact);
                } else {
                    left_out.push(handle);
                }
            }
        })?;
        Ok(left_out)
    }

    /// Forgets somebody.
    pub fn remove(&mut self, profile: &Profile, handle: &str) -> Result<(), ProfileError> {
        self.presence.remove(handle);
        self.change(profile, |list| list.retain(|contact| contact.handle != handle))
    }

    /// Calls somebody by another name; an empty one takes the name away.
    pub fn rename(&mut self, profile: &Profile, handle: &str, name: &str) -> Result<(), ProfileError> {
        self.change_one(profile, handle, |contact| contact.name = clean_name(name))
    }

    /// Believes the new key that somebody showed.
    pub fn trust_new_key(&mut self, profile: &Profile, handle: &str) -> Result<(), ProfileError> {
        self.change_one(profile, handle, |contact| {
            contact.root = contact.new_root.take();
            (contact.chain_length, contact.chain_link) = (0, None);
            (contact.root_length, contact.root_link) = (0, None);
            contact.verified = false;
            contact.key_changed = false;
        })
    }

    /// The server says that this is the chain of somebody: the first root is kept, another one later is not believed.
    pub fn check_found(&mut self, profile: &Profile, chain: &VerifiedChain) -> Result<Standing, ProfileError> {
        let (handle, root) = (chain.handle(), BASE32_NOPAD.encode(&chain.root()));
        let Some(contact) = self.list.iter().find(|contact| contact.handle == handle) else {
            return Ok(Standing::Good);
        };
        let same = contact.root.as_ref().is_none_or(|kept| *kept == root);
        if !same && contact.new_root.as_ref() != Some(&root) {
            self.change_one(profile, handle, |contact| (contact.key_changed, contact.new_root) = (true, Some(root)))?;
            return Ok(Standing::OtherRoot);
        }
        if contact.key_changed {
            // Whoever showed another key once is not rung before the person has decided, whatever is shown now.
            return Ok(Standing::OtherRoot);
        }
        if contact.root.is_none() {
            self.change_one(profile, handle, |contact| contact.root = Some(root))?;
        }
        if same { self.follow(profile, chain) } else { Ok(Standing::OtherRoot) }
    }

    /// Somebody shows this chain in a letter. Nothing of it is kept: whoever writes can claim any handle, and whoever has the
    /// recovery kit can sign what the account's devices never see. What the directory shows to all is what counts.
    #[must_use]
    pub fn judge_shown(&self, chain: &VerifiedChain) -> Standing {
        let Some(contact) = self.find(chain.handle()) else { return Standing::Good };
        match &contact.root {
            None => Standing::Good,
            Some(kept) if *kept != BASE32_NOPAD.encode(&chain.root()) => Standing::OtherRoot,
            Some(_) if continues(contact, chain) || outranks(contact, chain) => Standing::Good,
            Some(_) => Standing::Cut,
        }
    }

    /// Whether the directory has shown exactly this chain of a contact, and nothing is to be decided about them.
    #[must_use]
    pub fn has_seen(&self, chain: &VerifiedChain) -> bool {
        self.knows(chain.handle(), &chain.root())
            && self
                .find(chain.handle())
                .is_some_and(|contact| contact.chain_length == chain.length() && continues(contact, chain))
    }

    /// The longest chain that was seen of a contact is kept in mind: one that does not continue it hides something, unless it
    /// is the root that has signed more in it. A root outranks devices, also one that a thief went on with.
    fn follow(&mut self, profile: &Profile, chain: &VerifiedChain) -> Result<Standing, ProfileError> {
        let Some(contact) = self.list.iter().find(|contact| contact.handle == chain.handle()) else {
            return Ok(Standing::Good);
        };
        let continues = continues(contact, chain);
        if !continues && !outranks(contact, chain) {
            return Ok(Standing::Cut);
        }
        if !continues || chain.length() > contact.chain_length {
            self.change_one(profile, chain.handle(), |contact| {
                (contact.chain_length, contact.chain_link) = (chain.length(), link(chain, chain.length()));
                (contact.root_length, contact.root_link) = (chain.root_length(), link(chain, chain.root_length()));
            })?;
        }
        Ok(Standing::Good)
    }

    /// Names at `host` whose presence is to be asked for now: each time the next few, in turn.
    pub fn names_to_ask(&mut self, host: &str) -> Vec<String> {
        let all: Vec<Handle> = self.list.iter().filter_map(|contact| contact.handle.parse().ok()).collect();
        let here: Vec<&Handle> = all.iter().filter(|handle| handle.host() == host).collect();
        let count = here.len().min(MAX_PRESENCE_NAMES);
        let start = self.next;
        self.next = if here.is_empty() { 0 } else { (start + count) % here.len() };
        (0..count).map(|offset| here[(start + offset) % here.len()].name().to_owned()).collect()
    }

    /// The answer about somebody.
    pub fn handle_presence(&mut self, handle: &str, online: bool) {
        if self.list.iter().any(|contact| contact.handle == handle) {
            self.presence.insert(handle.to_owned(), online);
            self.renew_view();
        }
    }

    /// Nothing is known about anybody's presence any more.
    pub fn forget_presence(&mut self) {
        self.presence.clear();
        self.renew_view();
    }

    fn change_one(
        &mut self,
        profile: &Profile,
        handle: &str,
        change: impl FnOnce(&mut StoredContact),
    ) -> Result<(), ProfileError> {
        self.change(profile, |list| {
            if let Some(contact) = list.iter_mut().find(|contact| contact.handle == handle) {
                change(contact);
            }
        })
    }

    /// What cannot be kept is not shown either.
    fn change(&mut self, profile: &Profile, change: impl FnOnce(&mut Vec<StoredContact>)) -> Result<(), ProfileError> {
        let mut changed = self.list.clone();
        change(&mut changed);
        profile.save_contacts(&changed)?;
        self.list = changed;
        self.revision += 1;
        self.renew_view();
        Ok(())
    }

    fn renew_view(&mut self) {
        let mut view: Vec<_> = self.list.iter().map(|contact| self.show(contact)).collect();
        view.sort_by_key(|contact| (contact.name.to_lowercase(), contact.handle.clone()));
        self.view = view.into();
    }

    fn show(&self, contact: &StoredContact) -> Contact {
        let presence = match self.presence.get(&contact.handle) {
            Some(true) => Presence::Online,
            Some(false) => Presence::Offline,
            None => Presence::Unknown,
        };
        Contact {
            handle: contact.handle.clone(),
            name: shown_name(contact),
            presence,
            verified: contact.verified && !contact.key_changed,
            key_changed: contact.key_changed,
            keys: contact.root.as_ref().zip(contact.new_root.as_ref()).map(|(known, new)| {
                let [known, new] = [known, new].map(|key| grouped(key));
                ChangedKeys { known, new }
            }),
            has_key: contact.root.is_some(),
            silent: contact.silent,
        }
    }
}

/// What the first `length` entries hash to, as it is kept.
fn link(chain: &VerifiedChain, length: usize) -> Option<String> {
    chain.link(length).map(|link| BASE32_NOPAD.encode(&link))
}

/// Whether a chain goes on from the longest that was seen of a contact.
fn continues(contact: &StoredContact, chain: &VerifiedChain) -> bool {
    contact.chain_length == 0 || link(chain, contact.chain_length) == contact.chain_link
}

/// Whether the root has signed more in it than in that.
fn outranks(contact: &StoredContact, chain: &VerifiedChain) -> bool {
    contact.root_length > 0
        && link(chain, contact.root_length) == contact.root_link
        && chain.root_length() > contact.root_length
}

/// A contact of whom nothing but the handle is known.
fn unknown(handle: &str) -> StoredContact {
    StoredContact {
        handle: handle.to_owned(),
        name: None,
        root: None,
        verified: false,
        token: None,
        chain_length: 0,
        chain_link: None,
        root_length: 0,
        root_link: None,
        key_changed: false,
        new_root: None,
        silent: false,
    }
}

/// Another device of the account says this of a contact.
fn follow_person(contact: &mut StoredContact, person: Person) {
    let Person { name, root, verified, token, silent } = person;
    (contact.name, contact.silent) = (name, silent);
    contact.token = token.map(|token| token.text()).or(contact.token.take());
    match (&contact.root, root) {
        (Some(known), Some(root)) if *known != root => (contact.key_changed, contact.new_root) = (true, Some(root)),
        (_, Some(root)) => {
            (contact.root, contact.verified) = (Some(root), verified);
            (contact.key_changed, contact.new_root) = (false, None);
        }
        (_, None) => {}
    }
}

/// Whether a link, if `whom` is one, goes with the server that this profile uses.
pub fn check_server(whom: &str, server: &ServerAddress) -> Result<(), ContactError> {
    match whom.parse::<ContactLink>() {
        Ok(link) if link.server.host == server.host && link.server.key != server.key => {
            Err(ContactError::OtherServer(link.server.host))
        }
        _ => Ok(()),
    }
}

/// Whether this is the text of a root key.
#[must_use]
pub fn is_key(text: &str) -> bool {
    BASE32_NOPAD.decode(text.as_bytes()).is_ok_and(|key| key.len() == 32)
}

/// A name as it is kept: nothing that does something where it is shown, and no name is none.
fn clean_name(name: &str) -> Option<String> {
    let name: String = name.chars().filter(|character| !character.is_control()).take(MAX_NAME).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// A key in groups of four, to be compared by eye.
fn grouped(key: &str) -> String {
    let groups: Vec<&str> = key.as_bytes().chunks(4).filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(" ")
}

fn shown_name(contact: &StoredContact) -> String {
    contact.name.clone().unwrap_or_else(|| short_name(&contact.handle))
}

/// The part before the `@`.
fn short_name(handle: &str) -> String {
    handle.split('@').next().unwrap_or(handle).to_owned()
}

#[cfg(test)]
mod tests;
