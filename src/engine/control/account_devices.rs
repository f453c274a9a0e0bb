//! The own account and its devices: its chain as it grows, recovery kits, revoking, wiping.

use super::{Control, PEER_CHECK};
use crate::call::{Machine, Outcome, State};
use crate::crypto::chain::{Chain, ChainError, VerifiedChain};
use crate::crypto::identity::{Identity, ephemeral_key};
use crate::crypto::kit::Kit;
use crate::engine::clock;
use crate::engine::contacts::Contacts;
use crate::engine::door::Door;
use crate::engine::handle::{AccountDevice, DeviceId, Secret, ServerStatus};
use crate::engine::household::Household;
use crate::engine::session;
use crate::net::client::ConnectError;
use crate::wire::address::{Handle, ServerAddress};

/// A kit whose account is being looked up.
pub(super) struct Recovering {
    /// Which look-up it is.
    pub attempt: u64,
    kit: Kit,
}

impl Control {
    /// The server shows a chain of this account that says more than ours. Whatever it is: only entries signed by the root or
    /// by an active device count.
    pub(super) fn own_chain_came(&mut self, bytes: &[u8]) {
        let Some(identity) = &mut self.identity else { return };
        let chain = match Chain::decode(bytes).and_then(|chain| chain.verify_entries(clock::unix_now())) {
            Ok(chain) if chain.supersedes(identity.chain().chain()) => chain,
            Ok(_) => return self.reject_own_chain("it is not a continuation of the one on this device"),
            Err(error) => return self.reject_own_chain(&error.to_string()),
        };
        if identity.is_revoked_by(&chain) {
            let words = "this device was removed from the account by another device or the recovery kit; its keys and \
                         contacts have been wiped";
            return self.wipe(words);
        }
        let news = changes(identity.chain(), &chain);
        if !identity.adopt(chain) {
            return self.reject_own_chain("this device is not in it");
        }
        self.keep_identity();
        if let Some(news) = news {
            self.tell(&news);
        }
        // A registration that was behind is made good; a push while it stands changes nothing there.
        if self.status != ServerStatus::Online {
            self.go_online();
        }
    }

    fn reject_own_chain(&mut self, why: &str) {
        self.tell(&format!(
            "the server shows a device list of your account that cannot be right ({why}); ask whoever runs the server"
        ));
    }

    /// The devices of the account, for showing.
    pub(super) fn account_devices(&self) -> Vec<AccountDevice> {
        let Some(identity) = &self.identity else { return Vec::new() };
        let own = identity.device_id();
        let show = |(card, added): (crate::crypto::chain::DeviceCard, u64)| AccountDevice {
            id: card.signing,
            added_unix_s: added,
            is_this: card.signing == own,
        };
        identity.chain().added().map(show).collect()
    }

    /// A device is shut out, by this one or by the kit, whose word a thief's device cannot undo.
    pub(super) fn revoke_device(&mut self, device: DeviceId, kit: Option<&Secret>) {
        let Some(identity) = &mut self.identity else { return };
        if device == identity.device_id() {
            return self.tell("this is the device you are using; wipe it instead");
        }
        let now = clock::unix_now();
        let root = match root_of(identity, kit) {
            Ok(root) => root,
            Err(why) => return self.tell(&why),
        };
        let signer = root.as_ref().unwrap_or(identity.device());
        let chain = identity.chain().without_device(device, signer, now).with_head(identity.device(), now);
        self.extend_chain(chain.verify(now));
    }

    /// The own chain has grown by our doing: it is kept, and registered.
    pub(super) fn extend_chain(&mut self, chain: Result<VerifiedChain, ChainError>) -> bool {
        let Some(identity) = &mut self.identity else { return false };
        match chain {
            Ok(chain) => {
                let grown = identity.adopt(chain);
                if grown {
                    self.keep_identity();
                    self.go_online();
                }
                grown
            }
            Err(error) => {
                self.tell(&format!("the device list cannot be changed: {error}"));
                false
            }
        }
    }

    /// Keeps the identity as it is now.
    pub(super) fn keep_identity(&mut self) {
        let Some(identity) = &self.identity else { return };
        let kept = self.profile.save_identity(&identity.to_bytes());
        self.tell_error(kept);
    }

    /// Shows the recovery kit. The root leaves this device only when the person says that the kit is kept.
    pub(super) fn show_kit(&mut self) {
        let (Some(identity), Some(server)) = (&self.identity, &self.server) else { return };
        let Ok(handle) = identity.handle().parse::<Handle>() else { return };
        match identity.root_key() {
            Some(root) => self.kit = Some(Kit::new(handle, server.clone(), root.clone()).to_text().into()),
            None => {
                self.tell("the recovery kit was made before; this device does not have the account's root any more");
            }
        }
    }

    /// The person has the kit: this device forgets the root.
    pub(super) fn kit_is_kept(&mut self) {
        if self.kit.take().is_some()
            && let Some(identity) = &mut self.identity
        {
            identity.drop_root();
            self.keep_identity();
        }
    }

    /// An account comes to this new profile by its kit: first its chain is fetched, so that none is forked.
    pub(super) fn import_kit(&mut self, text: &Secret) {
        if self.registered || self.profile.is_locked() {
            return self.tell("this profile has an identity already; import the kit into a new one");
        }
        let kit = match Kit::from_text(text.expose()) {
            Ok(kit) => kit,
            Err(error) => return self.tell(&error.to_string()),
        };
        self.cancel_link();
        self.dials += 1;
        let (server, name) = (kit.server.clone(), kit.handle.name().to_owned());
        let key = ephemeral_key(&mut rand::rng());
        tokio::spawn(session::look_up(server, key, name, self.dials, self.events.clone()));
        self.recovering = Some(Recovering { attempt: self.dials, kit });
    }

    /// The chain of the account in the kit is there, or is not.
    pub(super) fn recovered(&mut self, recovering: Recovering, result: Result<Vec<u8>, ConnectError>) {
        let kit = recovering.kit;
        let chain = match result.map(|bytes| Chain::decode(&bytes)) {
            Ok(Ok(chain)) => chain,
            Ok(Err(error)) => return self.tell(&error.to_string()),
            Err(error) => return self.tell(&format!("{} cannot be brought back: {error}", kit.handle)),
        };
        let root = kit.root().verifying_key().to_bytes();
        if chain.handle() != kit.handle.to_string() || chain.root() != root {
            return self.tell("the server has another account under the handle of this kit");
        }
        let identity = match Identity::recover(kit.root(), chain, clock::unix_now(), &mut rand::rng()) {
            Ok(identity) => identity,
            Err(error) => return self.tell(&format!("{} cannot be brought back: {error}", kit.handle)),
        };
        self.become_device(identity, kit.server);
    }

    /// This profile is a device of that account from now on, and goes to its server.
    pub(super) fn become_device(&mut self, identity: Identity, server: ServerAddress) {
        if let Err(error) = self.profile.save_identity(&identity.to_bytes()) {
            return self.tell(&error.to_string());
        }
        self.machine = Some(Machine::new(identity.device().clone()));
        self.identity = Some(identity);
        self.server = Some(server);
        self.go_online();
    }

    /// This is a profile without an account, as at the first start.
    pub(super) fn be_nobody(&mut self) {
        if let Some(presence) = self.presence.take() {
            presence.abort();
        }
        (self.identity, self.machine, self.server) = (None, None, None);
        (self.registered, self.status) = (false, ServerStatus::Idle);
    }

    /// Everything of this profile is overwritten and forgotten, whatever goes on.
    pub(super) fn wipe(&mut self, words: &str) {
        if self.dialing.take().is_some() {
            self.end_view(Outcome::Cancelled);
        }
        if let Some(machine) = &mut self.machine {
            machine.leave(clock::now());
        }
        self.perform();
        self.cancel_link();
        self.be_nobody();
        (self.recovering, self.kit) = (None, None);
        (self.contacts, self.door, self.comparison) = (Contacts::default(), Door::default(), None);
        self.household = Household::default();
        let anew = self.profile.wipe().and_then(|()| self.profile.begin_anew());
        match anew.and_then(|()| Door::load(&self.profile, &mut rand::rng())) {
            Ok(door) => {
                self.door = door;
                self.tell(words);
            }
            Err(error) => self.tell(&format!("{words}; not everything could be removed: {error}")),
        }
    }

    /// In a call: now and then the peer's chain is looked up, under a throw-away key. A device that was revoked meanwhile
    /// is not talked to any longer.
    pub(super) fn check_peer(&mut self) {
        let now = clock::now();
        let (Some(machine), Some(server)) = (&self.machine, &self.server) else { return };
        let State::Active(active) = machine.state().0 else { return };
        if now.since(self.peer_checked.max(machine.state().1)) < PEER_CHECK {
            return;
        }
        self.peer_checked = now;
        let Ok(handle) = active.accepted.parties.peer.handle().parse::<Handle>() else { return };
        let key = ephemeral_key(&mut rand::rng());
        let look_up = session::look_up_peer(server.clone(), key, handle.name().to_owned(), self.events.clone());
        tokio::spawn(look_up);
    }

    /// The peer's chain, as the server has it now.
    pub(super) fn peer_chain_came(&mut self, bytes: &[u8]) {
        let chain = Chain::decode(bytes).and_then(|chain| chain.verify_entries(clock::unix_now()));
        if let (Ok(chain), Some(machine)) = (chain, &mut self.machine) {
            machine.handle_peer_chain(&chain, clock::now());
        }
    }
}

/// The root: on this device, or in the kit that the person gives.
pub(super) fn root_of(identity: &Identity, kit: Option<&Secret>) -> Result<Option<ed25519_dalek::SigningKey>, String> {
    let Some(text) = kit else { return Ok(identity.root_key().cloned()) };
    let kit = Kit::from_text(text.expose()).map_err(|error| error.to_string())?;
    if kit.root().verifying_key().to_bytes() != identity.root() {
        return Err(format!("this is the recovery kit of {}, with another root than your account's", kit.handle));
    }
    Ok(Some(kit.root().clone()))
}

/// What has become other in the account, in words; nothing if only the head has.
fn changes(before: &VerifiedChain, now: &VerifiedChain) -> Option<String> {
    let came = now.devices().filter(|device| before.devices().all(|old| old != *device)).count();
    let went = before.devices().filter(|device| now.devices().all(|new| new != *device)).count();
    match (came, went) {
        (0, 0) => None,
        (0, _) => Some("a device was removed from your account".into()),
        _ => Some(
            "a device was ADDED to your account; if it was not you, remove it at once in the settings, with your recovery \
             kit"
            .into(),
        ),
    }
}
