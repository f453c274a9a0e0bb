//! The device chain: which devices speak for an account, as a hash-linked list of signed entries with a fresh head.
//!
//! The root adds devices; the root or any active device revokes one. An active device signs the head anew each day, and
//! a head older than [`MAX_HEAD_AGE_S`] is refused, so that a directory cannot hide a revocation for longer.
//!
//! The root outranks devices, in two ways. What a device has revoked, the root may add again, so that a thief who throws out
//! the owner's devices has won nothing for good; what the root has revoked stays so. And of two chains that part, the one
//! whose first entry of its own is the root's goes on, if the other's is a device's ([`VerifiedChain::succeeds`]).

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Most entries in a chain.
pub const MAX_ENTRIES: usize = 64;
/// Most bytes of an encoded chain: room for [`MAX_ENTRIES`], and for the padding of look-ups.
pub const MAX_CHAIN_BYTES: usize = 16 * 1024 - 2;
/// Oldest head that is believed, seconds.
pub const MAX_HEAD_AGE_S: u64 = 48 * 3600;
/// How far ahead of ours the signer's clock may be, seconds.
pub const MAX_CLOCK_AHEAD_S: u64 = 3600;

/// The public keys of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DeviceCard {
    /// Ed25519: its QUIC identity, its MLS leaf, its number everywhere.
    pub signing: [u8; 32],
    /// X25519: what invitations are sealed to.
    pub sealing: [u8; 32],
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Action {
    Add(DeviceCard),
    Revoke([u8; 32]),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Body {
    previous: [u8; 32],
    time: u64,
    /// Signing key: the root's or a device's.
    by: [u8; 32],
    action: Action,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    body: Body,
    signature: Signature,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    last: [u8; 32],
    time: u64,
    by: [u8; 32],
    signature: Signature,
}

/// A chain as it is sent and stored: nothing in it is believed before [`Chain::verify`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    handle: String,
    root: [u8; 32],
    entries: Vec<Entry>,
    head: Head,
}

/// Something that happened to an account's devices, as its chain claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, seconds since 1970.
    pub unix_s: u64,
    /// The signer's key.
    pub by: [u8; 32],
    /// A device that was added.
    pub added: Option<DeviceCard>,
    /// A device that was revoked.
    pub revoked: Option<[u8; 32]>,
}

/// Why a chain is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Not the bytes of a chain.
    #[error("the device list cannot be read")]
    Malformed,
    /// No entry, or too many.
    #[error("the device list has no entry, or more than there is room for: an account adds some {} devices in its life", MAX_ENTRIES / 2)]
    Length,
    /// An entry does not follow from the one before it.
    #[error("the device list is broken between two entries")]
    Link,
    /// A signature is not the signer's.
    #[error("a signature in the device list is wrong")]
    Signature,
    /// The signer may not do this.
    #[error("an entry of the device list is signed by a key that may not do so")]
    Unauthorised,
    /// The head is too old to be believed.
    #[error("the device list has not been renewed for two days: the other device must be online once")]
    Stale,
    /// The head comes from the future.
    #[error("the device list is dated in the future: check this computer's clock")]
    Future,
}

/// A chain whose every signature and link has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedChain {
    chain: Chain,
    active: Vec<DeviceCard>,
    revoked: Vec<[u8; 32]>,
}

/// What became of a device that was added.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Active,
    RevokedByDevice,
    RevokedByRoot,
}

impl Chain {
    /// A chain that begins with one device, signed at `unix_now` (seconds since 1970).
    #[must_use]
    pub fn create(handle: &str, root: &SigningKey, device: DeviceCard, signer: &SigningKey, unix_now: u64) -> Self {
        let root_key = root.verifying_key().to_bytes();
        let entries = vec![sign_entry(origin(handle, &root_key), Action::Add(device), root, unix_now)];
        let head = sign_head(entry_hash(&entries[0]), signer, unix_now);
        Self { handle: handle.to_owned(), root: root_key, entries, head }
    }

    /// The handle it claims.
    #[must_use]
    pub fn handle(&self) -> &str {
        &self.handle
    }

    /// The root key it claims.
    #[must_use]
    pub const fn root(&self) -> [u8; 32] {
        self.root
    }

    /// What happened to the account's devices, oldest first: when, by which key, and what. Checks nothing.
    pub fn history(&self) -> impl Iterator<Item = Event> {
        self.entries.iter().map(|entry| {
            let (added, revoked) = match &entry.body.action {
                Action::Add(card) => (Some(*card), None),
                Action::Revoke(device) => (None, Some(*device)),
            };
            Event { unix_s: entry.body.time, by: entry.body.by, added, revoked }
        })
    }

    /// When the head says that it was signed, seconds since 1970.
    #[must_use]
    pub const fn claimed_head_time(&self) -> u64 {
        self.head.time
    }

    /// Reads a chain; checks no signature.
    pub fn decode(bytes: &[u8]) -> Result<Self, ChainError> {
        if bytes.len() > MAX_CHAIN_BYTES {
            return Err(ChainError::Malformed);
        }
        match postcard::take_from_bytes::<Self>(bytes) {
            Ok((chain, [])) => Ok(chain),
            _ => Err(ChainError::Malformed),
        }
    }

    /// The bytes that [`Chain::decode`] reads.
    ///
    /// # Panics
    /// Never: the parts of a chain can always be written.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("a chain is plain data")
    }

    /// The same chain with a head signed at `unix_now` by `signer`, who has to be an active device or the root. Never older
    /// than the one before, whose signer's clock may have been ahead.
    #[must_use]
    pub fn with_head(mut self, signer: &SigningKey, unix_now: u64) -> Self {
        self.head = sign_head(self.head.last, signer, unix_now.max(self.head.time));
        self
    }

    /// As [`Chain::verify`], whatever the age of the head: for the own chain, whose entries do not lapse.
    pub fn verify_entries(self, unix_now: u64) -> Result<VerifiedChain, ChainError> {
        let time = self.head.time;
        self.verify(unix_now.min(time.saturating_add(MAX_HEAD_AGE_S)))
    }

    /// Checks every link and signature and the age of the head.
    pub fn verify(self, unix_now: u64) -> Result<VerifiedChain, ChainError> {
        if self.entries.is_empty() || self.entries.len() > MAX_ENTRIES {
            return Err(ChainError::Length);
        }
        let mut last = origin(&self.handle, &self.root);
        let mut fates: Vec<(DeviceCard, Fate)> = Vec::new();
        for (before, entry) in self.entries.iter().enumerate() {
            let body = &entry.body;
            if body.previous != last {
                return Err(ChainError::Link);
            }
            let is_root = body.by == self.root;
            let is_active = fates.iter().any(|(card, fate)| card.signing == body.by && *fate == Fate::Active);
            match &body.action {
                Action::Add(card) => {
                    let known = fates.iter_mut().find(|(earlier, _)| earlier.signing == card.signing);
                    match known {
                        _ if !is_root => return Err(ChainError::Unauthorised),
                        None => fates.push((*card, Fate::Active)),
                        Some((earlier, fate)) if *fate == Fate::RevokedByDevice && earlier == card => {
                            *fate = Fate::Active;
                        }
                        Some(_) => return Err(ChainError::Unauthorised),
                    }
                    // There is room left to shut each of them out.
                    let active = fates.iter().filter(|(_, fate)| *fate == Fate::Active).count();
                    if before + 1 + active > MAX_ENTRIES {
                        return Err(ChainError::Length);
                    }
                }
                Action::Revoke(device) => {
                    let fate = fates.iter_mut().find(|(card, _)| card.signing == *device).map(|(_, fate)| fate);
                    // Whoever is revoked already cannot be once more: no device fills the chain with that.
                    match fate {
                        Some(fate) if is_root && *fate != Fate::RevokedByRoot => *fate = Fate::RevokedByRoot,
                        Some(fate) if is_active && *fate == Fate::Active => *fate = Fate::RevokedByDevice,
                        _ => return Err(ChainError::Unauthorised),
                    }
                }
            }
            check(&body.by, &entry_message(body), &entry.signature)?;
            last = entry_hash(entry);
        }
        if self.head.last != last {
            return Err(ChainError::Link);
        }
        let of = |wanted: bool| fates.iter().filter(move |(_, fate)| (*fate == Fate::Active) == wanted);
        let active: Vec<DeviceCard> = of(true).map(|(card, _)| *card).collect();
        let revoked = of(false).map(|(card, _)| card.signing).collect();
        if self.head.by != self.root && !active.iter().any(|card| card.signing == self.head.by) {
            return Err(ChainError::Unauthorised);
        }
        check(&self.head.by, &head_message(&self.head.last, self.head.time), &self.head.signature)?;
        if self.head.time > unix_now.saturating_add(MAX_CLOCK_AHEAD_S) {
            return Err(ChainError::Future);
        }
        if unix_now > self.head.time.saturating_add(MAX_HEAD_AGE_S) {
            return Err(ChainError::Stale);
        }
        Ok(VerifiedChain { chain: self, active, revoked })
    }
}

impl VerifiedChain {
    /// The account, `name@host`.
    #[must_use]
    pub fn handle(&self) -> &str {
        &self.chain.handle
    }

    /// The account's root key.
    #[must_use]
    pub const fn root(&self) -> [u8; 32] {
        self.chain.root
    }

    /// Signing keys of the active devices.
    pub fn devices(&self) -> impl Iterator<Item = [u8; 32]> {
        self.active.iter().map(|card| card.signing)
    }

    /// Both keys of the active devices.
    #[must_use]
    pub fn cards(&self) -> &[DeviceCard] {
        &self.active
    }

    /// Signing keys of the devices that were revoked.
    #[must_use]
    pub fn revoked(&self) -> &[[u8; 32]] {
        &self.revoked
    }

    /// When each active device was added (last), seconds since 1970.
    pub fn added(&self) -> impl Iterator<Item = (DeviceCard, u64)> {
        self.active.iter().map(|card| {
            let is_addition = |entry: &&Entry| matches!(&entry.body.action, Action::Add(added) if added == card);
            (*card, self.chain.entries.iter().rev().find(is_addition).map_or(0, |entry| entry.body.time))
        })
    }

    /// Entries in the chain.
    #[must_use]
    pub fn length(&self) -> usize {
        self.chain.entries.len()
    }

    /// Whether this is the chain of the same account with all entries of `known`, whichever head is newer.
    #[must_use]
    pub fn knows_all_of(&self, known: &Self) -> bool {
        let (chain, known) = (&self.chain, &known.chain);
        chain.handle == known.handle && chain.root == known.root && chain.entries.starts_with(&known.entries)
    }

    /// Entries up to the last that the root has signed.
    #[must_use]
    pub fn root_length(&self) -> usize {
        self.chain.entries.iter().rposition(|entry| entry.body.by == self.chain.root).map_or(0, |last| last + 1)
    }

    /// What the first `length` entries hash to: another chain with the same value begins with the same entries. Nothing if there
    /// are fewer.
    #[must_use]
    pub fn link(&self, length: usize) -> Option<[u8; 32]> {
        self.chain.entries.get(length.checked_sub(1)?).map(entry_hash)
    }

    /// When the head was signed, seconds since 1970.
    #[must_use]
    pub const fn head_time(&self) -> u64 {
        self.chain.head.time
    }

    /// Whether this is `old` or a continuation of it with a head no older: a shorter or forked chain is not.
    #[must_use]
    pub fn extends(&self, old: &Self) -> bool {
        self.continues(&old.chain)
    }

    /// As [`VerifiedChain::extends`], for a chain that was verified once and whose head may be stale by now.
    #[must_use]
    pub fn continues(&self, old: &Chain) -> bool {
        self.chain.handle == old.handle
            && self.chain.root == old.root
            && self.chain.entries.starts_with(&old.entries)
            && self.chain.head.time >= old.head.time
    }

    /// Whether this says more than `old`, which somebody still holds: goes on where it stood, whatever the heads say.
    #[must_use]
    pub fn has_passed(&self, old: &Chain) -> bool {
        let own = &self.chain;
        let longer = own.entries.len() > old.entries.len() && own.entries.starts_with(&old.entries);
        own.handle == old.handle && own.root == old.root && (longer || self.parts_by_root(old))
    }

    /// Whether this goes on where `old` stood: it continues it, or parts from it at an entry of the root where `old` has
    /// one of a device.
    #[must_use]
    pub fn succeeds(&self, old: &Chain) -> bool {
        let same_account = self.chain.handle == old.handle && self.chain.root == old.root;
        self.continues(old) || (same_account && self.parts_by_root(old))
    }

    /// Whether it has the entries of `other` and no others, whichever head is newer.
    #[must_use]
    pub fn says_as_much_as(&self, other: &Chain) -> bool {
        self.chain.handle == other.handle && self.chain.root == other.root && self.chain.entries == other.entries
    }

    /// Whether a device that holds `old` as its own chain has to go on with this one. The head does not count: a device that was
    /// away signs its own anew before it hears what the others did meanwhile.
    #[must_use]
    pub fn supersedes(&self, old: &Chain) -> bool {
        self.succeeds(old) || self.has_passed(old)
    }

    fn parts_by_root(&self, old: &Chain) -> bool {
        let root = self.chain.root;
        let parting = self.chain.entries.iter().zip(&old.entries).find(|(ours, theirs)| ours != theirs);
        parting.is_some_and(|(ours, theirs)| ours.body.by == root && theirs.body.by != root)
    }

    /// Seconds by which the head is newer than that of `old`, if the chains differ in nothing else.
    #[must_use]
    pub fn renewed_since_s(&self, old: &Chain) -> Option<u64> {
        let same = self.continues(old) && self.chain.entries.len() == old.entries.len();
        same.then(|| self.chain.head.time - old.head.time)
    }

    /// The chain to be sent or stored.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The same chain with a head signed at `unix_now` by an active device (or the root).
    #[must_use]
    pub fn with_fresh_head(&self, signer: &SigningKey, unix_now: u64) -> Chain {
        self.chain.clone().with_head(signer, unix_now)
    }

    /// The chain with one more device. The root signs.
    #[must_use]
    pub fn with_device(&self, device: DeviceCard, root: &SigningKey, unix_now: u64) -> Chain {
        self.with(Action::Add(device), root, unix_now)
    }

    /// The chain without `device`. The root or an active device signs.
    #[must_use]
    pub fn without_device(&self, device: [u8; 32], signer: &SigningKey, unix_now: u64) -> Chain {
        self.with(Action::Revoke(device), signer, unix_now)
    }

    fn with(&self, action: Action, signer: &SigningKey, unix_now: u64) -> Chain {
        let mut chain = self.chain.clone();
        chain.entries.push(sign_entry(chain.head.last, action, signer, unix_now));
        chain.head.last = chain.entries.last().map_or(chain.head.last, entry_hash);
        chain.with_head(signer, unix_now)
    }
}

fn origin(handle: &str, root: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(b"visavis chain origin 1\0").chain_update(root).chain_update(handle).finalize().into()
}

fn entry_message(body: &Body) -> Vec<u8> {
    let mut message = b"visavis chain entry 1\0".to_vec();
    message.extend(postcard::to_stdvec(body).expect("an entry is plain data"));
    message
}

fn entry_hash(entry: &Entry) -> [u8; 32] {
    Sha256::new().chain_update(entry_message(&entry.body)).chain_update(entry.signature.to_bytes()).finalize().into()
}

fn head_message(last: &[u8; 32], time: u64) -> Vec<u8> {
    [b"visavis chain head 1\0".as_slice(), last, &time.to_be_bytes()].concat()
}

fn sign_entry(previous: [u8; 32], action: Action, signer: &SigningKey, time: u64) -> Entry {
    let body = Body { previous, time, by: signer.verifying_key().to_bytes(), action };
    let signature = signer.sign(&entry_message(&body));
    Entry { body, signature }
}

fn sign_head(last: [u8; 32], signer: &SigningKey, time: u64) -> Head {
    let signature = signer.sign(&head_message(&last, time));
    Head { last, time, by: signer.verifying_key().to_bytes(), signature }
}

/// Whether `key` signed `message`. Strict: a key or a signature that holds for more than one message never passes.
pub(super) fn is_signed_by(key: &[u8; 32], message: &[u8], signature: &Signature) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(message, signature).is_ok())
}

fn check(key: &[u8; 32], message: &[u8], signature: &Signature) -> Result<(), ChainError> {
    if is_signed_by(key, message, signature) { Ok(()) } else { Err(ChainError::Signature) }
}

#[cfg(test)]
mod tests;
