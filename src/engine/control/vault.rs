//! The profile's vault: opened by the person's passphrase, protected in another way.

use super::Control;
use crate::call::Machine;
use crate::crypto::identity::Identity;
use crate::engine::clock;
use crate::engine::contacts::Contacts;
use crate::engine::door::Door;
use crate::engine::handle::Protect;
use crate::engine::household::Household;
use crate::engine::secret::Secret;
use crate::store::profile::{Profile, ProfileError};

/// What is private in a profile: who it is, and whom it knows.
#[derive(Default)]
pub(super) struct Private {
    pub identity: Option<Identity>,
    pub contacts: Contacts,
    pub door: Door,
    pub household: Household,
}

/// What is private in `profile`: nothing while it is locked.
pub(super) fn load_private(profile: &Profile) -> Result<Private, ProfileError> {
    if profile.is_locked() {
        return Ok(Private::default());
    }
    let damaged = |why: String| ProfileError::Damaged { path: profile.folder().join("identity.sealed"), why };
    let identity = match profile.identity()? {
        Some(bytes) => {
            let identity = Identity::from_bytes(&bytes, clock::unix_now());
            Some(identity.map_err(|error| damaged(error.to_string()))?)
        }
        None => None,
    };
    Ok(Private {
        identity,
        contacts: Contacts::load(profile)?,
        door: Door::load(profile, &mut rand::rng())?,
        household: Household::load(profile)?,
    })
}

impl Control {
    /// The person gives the passphrase.
    pub(super) fn unlock(&mut self, passphrase: &Secret) {
        if !self.profile.is_locked() {
            return self.unlock_app(passphrase);
        }
        let opened = self.profile.unlock(passphrase.expose()).and_then(|()| load_private(&self.profile));
        match opened {
            Ok(Private { identity, contacts, door, household }) => {
                self.machine = identity.as_ref().map(|identity| Machine::new(identity.device().clone()));
                self.identity = identity;
                (self.contacts, self.door, self.household) = (contacts, door, household);
                self.go_online();
            }
            Err(error) => self.tell(&error.to_string()),
        }
    }

    /// The vault's key is protected in another way from now on. A passphrase takes a moment to be worked in, so not in a
    /// call.
    pub(super) fn protect(&mut self, how: &Protect) {
        if !self.is_idle() {
            return self.tell("the protection of the keys cannot be changed during a call");
        }
        let changed = match how {
            Protect::Passphrase(passphrase) => self.profile.protect_by_passphrase(passphrase.expose()),
            Protect::Keyring => self.profile.protect_by_keyring(),
            Protect::File => self.profile.protect_by_file(),
        };
        self.tell_error(changed);
    }
}
