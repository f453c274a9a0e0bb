//! What the connections of a server share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::crypto::chain::MAX_CHAIN_BYTES;
use crate::directory::{self, Mailbox};
use crate::engine::clock;
use crate::relay::Rooms;
use crate::store::server_db::ServerDb;
use crate::wire::address::Handle;
use crate::wire::signal::{DeviceId, ENVELOPE_LEN, MAX_PRESENCE_NAMES, Refusal, ToClient};

/// Messages that wait to be written to one connection; one more closes it, since nobody reads there.
pub const OUTBOX: usize = 64;

/// How a member of a room is reached.
#[derive(Clone)]
pub struct Way {
    /// For packets.
    pub connection: quinn::Connection,
    /// For messages.
    pub outbox: mpsc::Sender<ToClient>,
}

/// Shared by all connections.
pub struct State {
    /// Accounts and secrets.
    db: Box<dyn ServerDb>,
    /// Host part of the handles.
    pub domain: String,
    shared: Mutex<Shared>,
}

/// A device with a connection.
struct Connected {
    ticket: u64,
    outbox: mpsc::Sender<ToClient>,
    /// Its account, once it has registered.
    name: Option<String>,
}

#[derive(Default)]
struct Shared {
    devices: HashMap<DeviceId, Connected>,
    /// Connected devices of each account, those that have registered.
    present: HashMap<String, usize>,
    next: u64,
    mailbox: Mailbox,
    rooms: Rooms<Way>,
}

impl State {
    /// An empty state over a database.
    pub fn new(db: Box<dyn ServerDb>, domain: String) -> Self {
        Self { db, domain, shared: Mutex::default() }
    }

    fn with<T>(&self, action: impl FnOnce(&mut Shared) -> T) -> T {
        action(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A device has connected: what waits for it goes out, what comes for it from now on too, until what this gives is
    /// dropped.
    pub fn connect(self: &Arc<Self>, device: DeviceId, outbox: mpsc::Sender<ToClient>) -> Connection {
        let ticket = self.with(|shared| {
            for envelope in shared.mailbox.collect(&device, clock::now()) {
                let _ = outbox.try_send(ToClient::Envelope(envelope));
            }
            shared.next += 1;
            let ticket = shared.next;
            shared.set_account(&device, None);
            shared.devices.insert(device, Connected { ticket, outbox, name: None });
            ticket
        });
        Connection { state: Arc::clone(self), device, ticket }
    }

    fn disconnect(&self, device: &DeviceId, ticket: u64) {
        self.with(|shared| {
            if shared.devices.get(device).is_some_and(|current| current.ticket == ticket) {
                shared.set_account(device, None);
                shared.devices.remove(device);
            }
        });
    }

    /// Registers an account or renews its chain.
    pub fn register(&self, device: &DeviceId, chain: &[u8]) -> ToClient {
        if chain.len() > MAX_CHAIN_BYTES {
            return ToClient::Refused(Refusal::Invalid);
        }
        // The name is read before anything is checked, only to find the account's earlier chain.
        let name = crate::crypto::chain::Chain::decode(chain)
            .ok()
            .and_then(|chain| chain.handle().parse::<Handle>().ok())
            .map(|handle| handle.name().to_owned());
        let Some(name) = name else { return ToClient::Refused(Refusal::Invalid) };
        match self.keep(device, &name, chain) {
            Ok(()) => {
                self.with(|shared| shared.set_account(device, Some(name)));
                ToClient::Done
            }
            Err(refusal) => ToClient::Refused(refusal),
        }
    }

    /// Keeps a chain if the device may register it, and if it says more than the one that is kept: each write holds up
    /// the whole server.
    fn keep(&self, device: &DeviceId, name: &str, chain: &[u8]) -> Result<(), Refusal> {
        let account = self.db.account_of(device).map_err(|error| failed(&error))?;
        if account.as_ref().is_some_and(|account| account != name) {
            // One account for a device key: names are not to be hoarded.
            return Err(Refusal::Taken);
        }
        let old = self.db.account(name).map_err(|error| failed(&error))?;
        let checked = directory::check_registration(device, chain, old.as_deref(), &self.domain, clock::unix_now())?;
        if checked.is_news || account.is_none() {
            self.db.put_account(&checked.name, chain, device).map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// Which of these accounts have a device here.
    pub fn presence(&self, names: &[String]) -> ToClient {
        if names.len() > MAX_PRESENCE_NAMES {
            return ToClient::Refused(Refusal::Invalid);
        }
        let online = self.with(|shared| names.iter().map(|name| shared.present.contains_key(name)).collect());
        ToClient::Presence { online }
    }

    /// The chain of an account.
    pub fn look_up(&self, name: &str) -> ToClient {
        match self.db.account(name) {
            Ok(Some(chain)) => ToClient::Found { chain },
            Ok(None) => ToClient::Refused(Refusal::Unknown),
            Err(error) => ToClient::Refused(failed(&error)),
        }
    }

    /// Hands an envelope to a device, or keeps it for a while if it is for a device of an account.
    pub fn deliver(&self, device: DeviceId, envelope: Vec<u8>) -> ToClient {
        if envelope.len() != ENVELOPE_LEN {
            return ToClient::Refused(Refusal::Invalid);
        }
        self.with(|shared| {
            let mut message = ToClient::Envelope(envelope);
            if let Some(connected) = shared.devices.get(&device) {
                match connected.outbox.try_send(message) {
                    Ok(()) => return ToClient::Delivered,
                    Err(mpsc::error::TrySendError::Full(back) | mpsc::error::TrySendError::Closed(back)) => {
                        message = back;
                    }
                }
            }
            let ToClient::Envelope(envelope) = message else { return ToClient::Refused(Refusal::Invalid) };
            match self.db.account_of(&device) {
                Ok(Some(_)) => {}
                Ok(None) => return ToClient::Refused(Refusal::Unknown),
                Err(error) => return ToClient::Refused(failed(&error)),
            }
            match shared.mailbox.hold(device, envelope, clock::now()) {
                Ok(()) => ToClient::Held,
                Err(refusal) => ToClient::Refused(refusal),
            }
        })
    }

    /// Lets a member into a room, until the membership is dropped; tells the others. Gives who is there, too.
    pub fn join(self: &Arc<Self>, room: [u8; 32], leaf: u8, way: Way) -> Result<(Membership, Vec<u8>), Refusal> {
        let (ticket, others) = self.with(|shared| {
            let (ticket, others) = shared.rooms.join(room, leaf, way)?;
            for (_, other) in &others {
                let _ = other.outbox.try_send(ToClient::Arrived { leaf });
            }
            Ok((ticket, others.into_iter().map(|(leaf, _)| leaf).collect()))
        })?;
        Ok((Membership { state: Arc::clone(self), room, leaf, ticket }, others))
    }

    fn leave(&self, room: &[u8; 32], leaf: u8, ticket: u64) {
        for other in self.with(|shared| shared.rooms.leave(room, ticket)).unwrap_or_default() {
            let _ = other.outbox.try_send(ToClient::Left { leaf });
        }
    }
}

/// A device's connection. Dropped in whatever way the connection ends, it takes the device out of the directory.
pub struct Connection {
    state: Arc<State>,
    device: DeviceId,
    ticket: u64,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.state.disconnect(&self.device, self.ticket);
    }
}

/// A place in a room. Dropped in whatever way the connection ends, it frees the place and tells the others.
pub struct Membership {
    state: Arc<State>,
    room: [u8; 32],
    leaf: u8,
    ticket: u64,
}

impl Membership {
    /// Its leaf.
    pub const fn leaf(&self) -> u8 {
        self.leaf
    }

    /// The other members; nothing if another connection has taken this place.
    pub fn others(&self) -> Option<Vec<Way>> {
        self.state.with(|shared| shared.rooms.others(&self.room, self.ticket))
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.state.leave(&self.room, self.leaf, self.ticket);
    }
}

impl Shared {
    /// A connected device belongs to this account from now on.
    fn set_account(&mut self, device: &DeviceId, name: Option<String>) {
        let Some(connected) = self.devices.get_mut(device) else { return };
        if let Some(name) = &name {
            *self.present.entry(name.clone()).or_default() += 1;
        }
        let Some(old) = std::mem::replace(&mut connected.name, name) else { return };
        if let Some(count) = self.present.get_mut(&old) {
            *count -= 1;
            if *count == 0 {
                self.present.remove(&old);
            }
        }
    }
}

fn failed(error: &crate::store::server_db::DbError) -> Refusal {
    tracing::error!(%error, "database");
    Refusal::Quota
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::identity::Identity;
    use crate::store::server_db::EmbeddedDb;

    fn state(folder: &std::path::Path) -> Arc<State> {
        Arc::new(State::new(Box::new(EmbeddedDb::open(folder).unwrap()), "example.org".into()))
    }

    fn online(state: &State, names: &[&str]) -> Vec<bool> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let ToClient::Presence { online } = state.presence(&names) else { panic!("refused") };
        online
    }

    #[test]
    fn an_account_is_present_while_one_of_its_devices_is_registered_and_connected() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(folder.path());
        let identity = Identity::create("alice@example.org", clock::unix_now(), &mut rand::rng());
        let device = identity.device_id();
        let chain = identity.chain().chain().encode();
        let connect = || state.connect(device, mpsc::channel(4).0);

        let first = connect();
        assert_eq!(online(&state, &["alice", "bob"]), [false, false], "connected, but not registered");
        assert_eq!(state.register(&device, &chain), ToClient::Done);
        assert_eq!(state.register(&device, &chain), ToClient::Done);
        assert_eq!(online(&state, &["alice", "bob"]), [true, false]);

        // The same device again, before the server has noticed that the old connection is dead.
        let second = connect();
        assert_eq!(state.register(&device, &chain), ToClient::Done);
        drop(first);
        assert_eq!(online(&state, &["alice"]), [true]);
        drop(second);
        assert_eq!(online(&state, &["alice"]), [false]);
    }

    #[test]
    fn a_device_has_one_name_and_envelopes_wait_only_for_such_devices() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(folder.path());
        let now = clock::unix_now();
        let identity = Identity::create("alice@example.org", now, &mut rand::rng());
        let device = identity.device_id();
        let envelope = || vec![0; ENVELOPE_LEN];
        assert_eq!(state.deliver(device, envelope()), ToClient::Refused(Refusal::Unknown));
        assert_eq!(state.register(&device, &identity.chain().chain().encode()), ToClient::Done);
        assert_eq!(state.deliver(device, envelope()), ToClient::Held);

        let card = crate::crypto::chain::DeviceCard { signing: device, sealing: [1; 32] };
        let root = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let second = crate::crypto::chain::Chain::create("bob@example.org", &root, card, identity.device(), now);
        assert_eq!(state.register(&device, &second.encode()), ToClient::Refused(Refusal::Taken));
        assert_eq!(state.look_up("bob"), ToClient::Refused(Refusal::Unknown));
    }

    #[test]
    fn a_chain_that_says_nothing_new_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(folder.path());
        let now = clock::unix_now();
        let identity = Identity::create("alice@example.org", now, &mut rand::rng());
        let device = identity.device_id();
        let kept = identity.chain().chain().encode();
        let renewed = |later_s| identity.chain().with_fresh_head(identity.device(), now + later_s).encode();
        for chain in [kept.clone(), renewed(60)] {
            assert_eq!(state.register(&device, &chain), ToClient::Done);
            assert_eq!(state.look_up("alice"), ToClient::Found { chain: kept.clone() });
        }
        assert_eq!(state.register(&device, &renewed(directory::RENEWAL_S)), ToClient::Done);
        assert_eq!(state.look_up("alice"), ToClient::Found { chain: renewed(directory::RENEWAL_S) });
    }

    #[test]
    fn a_question_about_too_many_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(folder.path());
        let names = vec![String::new(); MAX_PRESENCE_NAMES + 1];
        assert_eq!(state.presence(&names), ToClient::Refused(Refusal::Invalid));
    }
}
