//! The people this profile knows: kept on disk, with the root key each was first seen with, and who of them is there.

use std::collections::HashMap;
use std::sync::Arc;

use data_encoding::BASE32_NOPAD;

use super::handle::{Contact, Peer, Presence};
use crate::store::profile::{Profile, ProfileError, StoredContact};
use crate::wire::address::{AddressError, Handle};
use crate::wire::signal::MAX_PRESENCE_NAMES;

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

/// The contacts of an open profile.
#[derive(Debug, Default)]
pub struct Contacts {
    list: Vec<StoredContact>,
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
    /// claim any handle, only the server's answer to a question of ours counts (see [`Contacts::check_root`]).
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
        }
    }

    /// Keeps somebody; `own` is the handle of the profile.
    pub fn add(&mut self, profile: &Profile, handle: &str, own: &str) -> Result<(), ContactError> {
        let handle = handle.parse::<Handle>()?.to_string();
        if handle == own {
            return Err(ContactError::Oneself);
        }
        if self.list.iter().any(|contact| contact.handle == handle) {
            return Err(ContactError::Known(handle));
        }
        if self.list.len() >= MAX_CONTACTS {
            return Err(ContactError::Full);
        }
        self.change(profile, |list| {
            list.push(StoredContact {
                handle,
                name: None,
                root: None,
                verified: false,
                token: None,
                chain_length: 0,
                key_changed: false,
            });
        })?;
        Ok(())
    }

    /// Forgets somebody.
    pub fn remove(&mut self, profile: &Profile, handle: &str) -> Result<(), ProfileError> {
        self.presence.remove(handle);
        self.change(profile, |list| list.retain(|contact| contact.handle != handle))
    }

    /// Calls somebody by another name; an empty one takes the name away.
    pub fn rename(&mut self, profile: &Profile, handle: &str, name: &str) -> Result<(), ProfileError> {
        let name: String = name.trim().chars().filter(|character| !character.is_control()).take(MAX_NAME).collect();
        let name = (!name.is_empty()).then_some(name);
        self.change_one(profile, handle, |contact| contact.name = name)
    }

    /// Believes whatever key somebody shows the next time.
    pub fn trust_new_key(&mut self, profile: &Profile, handle: &str) -> Result<(), ProfileError> {
        self.change_one(profile, handle, |contact| {
            contact.root = None;
            contact.verified = false;
            contact.key_changed = false;
        })
    }

    /// The server says that this is the root key of somebody: the first one is kept, another one later is not believed. False: another one.
    pub fn check_root(&mut self, profile: &Profile, handle: &str, root: &[u8; 32]) -> Result<bool, ProfileError> {
        let root = BASE32_NOPAD.encode(root);
        let Some(contact) = self.list.iter().find(|contact| contact.handle == handle) else { return Ok(true) };
        let same = contact.root.as_ref().is_none_or(|kept| *kept == root);
        if contact.root.is_none() || (!same && !contact.key_changed) {
            self.change_one(profile, handle, |contact| {
                contact.key_changed = !same;
                contact.root.get_or_insert(root);
            })?;
        }
        Ok(same)
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
        }
    }
}

fn shown_name(contact: &StoredContact) -> String {
    contact.name.clone().unwrap_or_else(|| short_name(&contact.handle))
}

/// The part before the `@`.
fn short_name(handle: &str) -> String {
    handle.split('@').next().unwrap_or(handle).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "alice@example.org";

    fn empty() -> (tempfile::TempDir, Profile, Contacts) {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::open(folder.path()).unwrap();
        let contacts = Contacts::load(&profile).unwrap();
        (folder, profile, contacts)
    }

    #[test]
    fn contacts_are_kept_under_their_names() {
        let (_folder, profile, mut contacts) = empty();
        contacts.add(&profile, " Bob@Example.org ", OWN).unwrap();
        contacts.add(&profile, "zoe@example.org", OWN).unwrap();
        contacts.rename(&profile, "zoe@example.org", "  Aunt Zoë\n").unwrap();
        let again = Contacts::load(&profile).unwrap();
        for contacts in [&contacts, &again] {
            let names: Vec<_> = contacts.view().iter().map(|contact| contact.name.clone()).collect();
            assert_eq!(names, ["Aunt Zoë", "bob"]);
        }
        contacts.rename(&profile, "zoe@example.org", " ").unwrap();
        assert_eq!(contacts.peer("zoe@example.org", None).name, "zoe");
        contacts.remove(&profile, "bob@example.org").unwrap();
        assert_eq!(Contacts::load(&profile).unwrap().view().len(), 1);
    }

    #[test]
    fn what_cannot_be_a_contact_is_said() {
        let (_folder, profile, mut contacts) = empty();
        let mut add = |handle: &str| contacts.add(&profile, handle, OWN);
        assert!(matches!(add("bob"), Err(ContactError::Handle(_))));
        assert!(matches!(add(OWN), Err(ContactError::Oneself)));
        add("bob@example.org").unwrap();
        assert!(matches!(add("BOB@example.org"), Err(ContactError::Known(_))));
    }

    #[test]
    fn the_first_root_is_kept_and_another_one_is_not_believed() {
        let (_folder, profile, mut contacts) = empty();
        assert!(contacts.check_root(&profile, "bob@example.org", &[9; 32]).unwrap(), "a stranger has no kept key");
        contacts.add(&profile, "bob@example.org", OWN).unwrap();
        assert!(contacts.check_root(&profile, "bob@example.org", &[1; 32]).unwrap());
        assert!(!contacts.check_root(&profile, "bob@example.org", &[2; 32]).unwrap());
        let mut again = Contacts::load(&profile).unwrap();
        assert!(again.view()[0].key_changed);
        assert!(again.peer("bob@example.org", Some(&[2; 32])).key_changed);
        assert!(!again.peer("bob@example.org", Some(&[1; 32])).key_changed);
        assert!(!again.check_root(&profile, "bob@example.org", &[2; 32]).unwrap());
        again.trust_new_key(&profile, "bob@example.org").unwrap();
        assert!(again.check_root(&profile, "bob@example.org", &[2; 32]).unwrap());
        assert!(!again.check_root(&profile, "bob@example.org", &[1; 32]).unwrap());
    }

    #[test]
    fn presence_is_asked_for_in_turn_and_only_at_the_own_server() {
        let (_folder, profile, mut contacts) = empty();
        assert!(contacts.names_to_ask("example.org").is_empty());
        contacts.add(&profile, "far@example.net", OWN).unwrap();
        for number in 0..MAX_PRESENCE_NAMES + 5 {
            contacts.add(&profile, &format!("p{number}@example.org"), OWN).unwrap();
        }
        let first = contacts.names_to_ask("example.org");
        let second = contacts.names_to_ask("example.org");
        assert_eq!(first.len(), MAX_PRESENCE_NAMES);
        assert!(second.contains(&format!("p{}", MAX_PRESENCE_NAMES + 4)));
        assert!(!first.iter().chain(&second).any(|name| name == "far"));
        contacts.handle_presence("p1@example.org", true);
        contacts.handle_presence("stranger@example.org", true);
        let online = |contacts: &Contacts| contacts.view().iter().filter(|c| c.presence == Presence::Online).count();
        assert_eq!(online(&contacts), 1);
        contacts.forget_presence();
        assert_eq!(online(&contacts), 0);
    }
}
