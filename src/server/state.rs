//! What the connections of a server share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, mpsc};

use zeroize::Zeroizing;

use super::account;
use super::metrics::{Counters, Figures};
use super::store::{Fault, Store};
use crate::crypto::chain::{Chain, MAX_CHAIN_BYTES};
use crate::directory::{self, Doors, Mailbox};
use crate::engine::clock;
use crate::media::Timestamp;
use crate::relay::Rooms;
use crate::store::server_db::ServerDb;
use crate::wire::address::Handle;
use crate::wire::signal::{
    DeviceId, ENVELOPE_LEN, MAX_PRESENCE_NAMES, PADDED_CHAIN_LEN, PaddedChain, Refusal, ToClient, link_address,
};
use crate::wire::token::{Token, TokenHash};

const _: () = assert!(MAX_CHAIN_BYTES + 2 <= PADDED_CHAIN_LEN, "every chain fits into the answer to a look-up");

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
    /// Accounts.
    pub(super) store: Store,
    /// Host part of the handles.
    pub domain: String,
    /// For monitoring.
    pub(super) counters: Counters,
    shared: Mutex<Shared>,
}

/// A device with a connection.
struct Connected {
    ticket: u64,
    outbox: mpsc::Sender<ToClient>,
    /// Its account, once it has registered.
    name: Option<String>,
    /// Told when the device is revoked.
    revoked: Arc<Notify>,
    /// It was given what waited for it.
    has_waiting: bool,
    /// Under this address a device that is in no account waits for the letters of the one that takes it in.
    awaits_link: bool,
}

impl Connected {
    const fn may_receive(&self) -> bool {
        self.name.is_some() || self.awaits_link
    }
}

#[derive(Default)]
struct Shared {
    devices: HashMap<DeviceId, Connected>,
    /// Connected devices of each account, those that have registered.
    present: HashMap<String, usize>,
    next: u64,
    mailbox: Mailbox,
    doors: Doors,
    rooms: Rooms<Way>,
}

impl State {
    /// An empty state over a database.
    pub fn new(store: Store, domain: String) -> Self {
        Self { store, domain, counters: Counters::default(), shared: Mutex::default() }
    }

    fn with<T>(&self, action: impl FnOnce(&mut Shared) -> T) -> T {
        action(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A device has connected, until what this gives is dropped. It gets nothing before it has registered, which a revoked
    /// one cannot: it learns that it is.
    pub fn connect(self: &Arc<Self>, device: DeviceId, outbox: mpsc::Sender<ToClient>) -> Connection {
        let revoked = Arc::new(Notify::new());
        let ticket = self.with(|shared| {
            shared.next += 1;
            let ticket = shared.next;
            shared.set_account(&device, None);
            let revoked = Arc::clone(&revoked);
            shared.devices.insert(
                device,
                Connected { ticket, outbox, name: None, revoked, has_waiting: false, awaits_link: false },
            );
            ticket
        });
        Connection { state: Arc::clone(self), device, ticket, revoked }
    }

    /// The device has registered: what waits for it goes out, once for each connection.
    pub fn give_waiting(&self, device: &DeviceId) {
        self.with(|shared| {
            let Some(connected) = shared.devices.get_mut(device).filter(|connected| !connected.has_waiting) else {
                return;
            };
            connected.has_waiting = true;
            for (number, envelope) in shared.mailbox.waiting(device, clock::now()) {
                let _ = connected.outbox.try_send(ToClient::Envelope { number, envelope });
            }
        });
    }

    /// The device has this envelope. False if none with this number waits for it.
    pub fn received(&self, device: &DeviceId, number: u64) -> bool {
        let links = link_address(device);
        self.with(|shared| shared.mailbox.acknowledge(device, number) || shared.mailbox.acknowledge(&links, number))
    }

    /// A device that is in no account waits for letters from the one that is to take it in, under an address of its own: a
    /// device that was revoked gets in this way nothing that is meant for its old place.
    pub fn await_link(&self, device: &DeviceId) -> ToClient {
        self.with(|shared| {
            let Some(connected) = shared.devices.get(device) else { return ToClient::Refused(Refusal::Invalid) };
            let waits = Connected {
                ticket: connected.ticket,
                outbox: connected.outbox.clone(),
                name: None,
                revoked: Arc::new(Notify::new()),
                has_waiting: true,
                awaits_link: true,
            };
            shared.devices.insert(link_address(device), waits);
            ToClient::Done
        })
    }

    /// Forgets what has waited for too long.
    pub fn expire(&self, now: Timestamp) {
        self.with(|shared| {
            shared.mailbox.expire(now);
            shared.doors.expire(now);
        });
    }

    fn disconnect(&self, device: &DeviceId, ticket: u64) {
        self.with(|shared| {
            for place in [*device, link_address(device)] {
                if shared.devices.get(&place).is_some_and(|current| current.ticket == ticket) {
                    shared.set_account(&place, None);
                    shared.devices.remove(&place);
                }
            }
        });
    }

    /// Registers an account or renews its chain. A device that adds itself may need a code of the second factor.
    pub async fn register(&self, device: DeviceId, chain: Vec<u8>, code: Option<String>) -> ToClient {
        if chain.len() > MAX_CHAIN_BYTES {
            return ToClient::Refused(Refusal::Invalid);
        }
        // The name is read before anything is checked, only to find the account's earlier chain.
        let name = Chain::decode(&chain)
            .ok()
            .and_then(|chain| chain.handle().parse::<Handle>().ok())
            .map(|handle| handle.name().to_owned());
        let Some(name) = name else { return ToClient::Refused(Refusal::Invalid) };
        let (domain, account) = (self.domain.clone(), name.clone());
        let kept = self.store.ask(move |db| keep(db, &device, &account, chain, &domain, code.as_deref())).await;
        match kept {
            Ok(Kept::AsRegistered { chain, revoked, has_grown }) => {
                self.with(|shared| {
                    if has_grown {
                        shared.tell_devices(&device, &name, &chain, &revoked);
                    }
                    shared.set_account(&device, Some(name));
                });
                ToClient::Done
            }
            Ok(Kept::Ahead(chain)) => ToClient::Chain(chain),
            Err(refusal) => ToClient::Refused(refusal),
        }
    }

    /// How many accounts there are, if the database answers.
    pub(super) async fn accounts(&self) -> Option<u64> {
        self.store.ask(|db| Ok(db.accounts()?)).await.ok()
    }

    /// How much there is in memory.
    pub(super) fn figures(&self) -> Figures {
        let store_queue = self.store.waiting();
        self.with(|shared| Figures {
            devices: shared.devices.values().filter(|connected| connected.name.is_some()).count(),
            envelopes: shared.mailbox.expire(clock::now()),
            rooms: shared.rooms.count(),
            store_queue,
            ..Figures::default()
        })
    }

    /// Whether this device is in an account.
    pub async fn knows(&self, device: DeviceId) -> Result<bool, Refusal> {
        self.store.ask(move |db| Ok(db.account_of(&device)?.is_some())).await
    }

    /// Which of these accounts have a device here.
    pub fn presence(&self, names: &[String]) -> ToClient {
        if names.len() > MAX_PRESENCE_NAMES {
            return ToClient::Refused(Refusal::Invalid);
        }
        let online = self.with(|shared| names.iter().map(|name| shared.present.contains_key(name)).collect());
        ToClient::Presence { online }
    }

    /// What is known of an account. Known or not, it takes one read and gives an answer of one size.
    pub async fn look_up(&self, name: String) -> ToClient {
        match self.store.ask(move |db| Ok(db.account(&name)?)).await {
            Ok(chain) => ToClient::LookedUp(PaddedChain::new(chain.as_deref())),
            Err(refusal) => ToClient::Refused(refusal),
        }
    }

    /// Keeps an envelope for a while if it is for a device of an account, and hands it over at once if that is here: its
    /// connection may be dead, so it is kept until the device says that it has it.
    pub async fn deliver(&self, device: DeviceId, envelope: Vec<u8>, of_stranger: bool) -> ToClient {
        let envelope = Zeroizing::new(envelope);
        if envelope.len() != ENVELOPE_LEN {
            return ToClient::Refused(Refusal::Invalid);
        }
        if !self.with(|shared| shared.is_reachable(&device)) {
            match self.store.ask(move |db| Ok(db.account_of(&device)?)).await {
                Ok(Some(_)) => {}
                Ok(None) => return ToClient::Refused(Refusal::Unknown),
                Err(refusal) => return ToClient::Refused(refusal),
            }
        }
        self.with(|shared| {
            let number = rand::random();
            let message = ToClient::Envelope { number, envelope: envelope.to_vec() };
            if let Err(refusal) = shared.mailbox.hold(device, number, envelope, of_stranger, clock::now()) {
                return ToClient::Refused(refusal);
            }
            let here = shared.devices.get(&device).filter(|connected| connected.may_receive());
            match here.map(|connected| connected.outbox.try_send(message)) {
                Some(Ok(())) => ToClient::Delivered,
                Some(Err(_)) | None => ToClient::Held,
            }
        })
    }

    /// The account of these devices is no more: they are not there, and nothing waits for them.
    pub(super) fn forget_devices(&self, devices: &[DeviceId]) {
        self.with(|shared| {
            for device in devices {
                if let Some(connected) = shared.devices.get(device) {
                    let _ = connected.outbox.try_send(ToClient::Refused(Refusal::Deleted));
                }
                shared.throw_out(device);
                shared.mailbox.empty(device);
                shared.doors.forget(device);
            }
        });
    }

    /// How many of these devices are connected, how many envelopes wait for them, and how many hashes of tokens they have
    /// announced.
    pub(super) fn presence_of(&self, devices: &[DeviceId]) -> (usize, usize, usize) {
        self.with(|shared| {
            let connected = devices.iter().filter(|device| shared.is_present(device)).count();
            let waiting = devices.iter().map(|device| shared.mailbox.waiting(device, clock::now()).len()).sum();
            let tokens = devices.iter().map(|device| shared.doors.count(device)).sum();
            (connected, waiting, tokens)
        })
    }

    /// A device announces whose letters reach it past the limits for strangers.
    pub fn set_tokens(&self, device: DeviceId, tokens: Vec<TokenHash>) -> ToClient {
        self.with(|shared| match shared.doors.set_tokens(device, tokens) {
            Ok(()) => ToClient::Done,
            Err(refusal) => ToClient::Refused(refusal),
        })
    }

    /// A device awaits answers to a letter.
    pub fn await_replies(&self, device: DeviceId, token: TokenHash) -> ToClient {
        self.with(|shared| shared.doors.await_replies(device, token, clock::now()));
        ToClient::Done
    }

    /// Whether a letter to the device that shows this is no stranger's. Whoever knows the address under which a new device
    /// waits has seen its code. Reads nothing from the database.
    pub fn admits(&self, device: &DeviceId, shown: &Token, now: Timestamp) -> bool {
        self.with(|shared| {
            let awaits_link = shared.devices.get(device).is_some_and(|connected| connected.awaits_link);
            awaits_link || shared.doors.admits(device, shown, now)
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

/// What became of a chain that was to be registered.
enum Kept {
    /// It stands.
    AsRegistered {
        /// As it came.
        chain: Vec<u8>,
        /// The account's revoked devices.
        revoked: Vec<DeviceId>,
        /// Devices were added or revoked since the last time.
        has_grown: bool,
    },
    /// The kept one says more, and here it is.
    Ahead(Vec<u8>),
}

/// A device's connection. Dropped in whatever way the connection ends, it takes the device out of the directory.
pub struct Connection {
    state: Arc<State>,
    device: DeviceId,
    ticket: u64,
    revoked: Arc<Notify>,
}

impl Connection {
    /// Waits until the device is revoked.
    pub async fn revoked(&self) {
        self.revoked.notified().await;
    }
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
    /// The chain of an account has grown: its connected devices learn of it, other than the one that said so. Those that
    /// are revoked learn of it too, and are not there any more.
    fn tell_devices(&mut self, by: &DeviceId, name: &str, chain: &[u8], revoked: &[DeviceId]) {
        let of_account = |(device, connected): &(&DeviceId, &Connected)| {
            *device != by && (connected.name.as_deref() == Some(name) || revoked.contains(device))
        };
        let told: Vec<DeviceId> = self.devices.iter().filter(of_account).map(|(device, _)| *device).collect();
        for device in told {
            if let Some(connected) = self.devices.get(&device) {
                let _ = connected.outbox.try_send(ToClient::Chain(chain.to_vec()));
            }
            if revoked.contains(&device) {
                self.throw_out(&device);
            }
        }
        for device in revoked {
            self.mailbox.empty(device);
            self.doors.forget(device);
        }
    }

    fn throw_out(&mut self, device: &DeviceId) {
        self.set_account(device, None);
        if let Some(connected) = self.devices.remove(device) {
            connected.revoked.notify_one();
        }
    }

    fn is_present(&self, device: &DeviceId) -> bool {
        self.devices.get(device).is_some_and(|connected| connected.name.is_some())
    }

    fn is_reachable(&self, device: &DeviceId) -> bool {
        self.devices.get(device).is_some_and(Connected::may_receive)
    }

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

/// Keeps a chain if the device may register it, and if it says more than the one that is kept: writes cost.
fn keep(
    db: &mut dyn ServerDb,
    device: &DeviceId,
    name: &str,
    chain: Vec<u8>,
    domain: &str,
    code: Option<&str>,
) -> Result<Kept, Fault> {
    let owner = db.account_of(device)?;
    if owner.as_ref().is_some_and(|owner| owner != name) {
        // One account for a device key: names are not to be hoarded.
        return Err(Refusal::Taken.into());
    }
    let (old, now) = (db.account(name)?, clock::unix_now());
    if let Some(kept) = old.as_ref().filter(|kept| directory::is_behind(&chain, kept, now)) {
        return Ok(Kept::Ahead(kept.clone()));
    }
    let checked = directory::check_registration(device, &chain, old.as_deref(), domain, now)?;
    if checked.adds_itself {
        account::pass(db, name, code, now)?;
    }
    let today = account::day(now);
    if checked.is_news || owner.is_none() {
        db.put_account(&checked.name, &chain, device, &checked.revoked, today)?;
    } else if db.seen(name)? != Some(today) {
        db.put_seen(name, today)?;
    }
    Ok(Kept::AsRegistered { chain, revoked: checked.revoked, has_grown: checked.has_grown })
}

#[cfg(test)]
mod tests;
