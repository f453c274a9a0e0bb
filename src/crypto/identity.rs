//! The secrets of an account on this device: signing key, sealing key, the chain that binds them, and the account's root, as
//! long as it has not gone into a recovery kit.

use ed25519_dalek::SigningKey;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::chain::{Chain, ChainError, DeviceCard, VerifiedChain};

/// Begins the bytes of an identity, since the root may be gone.
const MAGIC: &[u8] = b"visavis identity 2\0";

/// An account with this device, as the profile keeps it.
pub struct Identity {
    root: Option<SigningKey>,
    device: SigningKey,
    sealing: StaticSecret,
    chain: VerifiedChain,
}

/// What a device has of its own before an account has taken it in.
pub struct NewDevice {
    signing: SigningKey,
    sealing: StaticSecret,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Kept {
    root: Option<[u8; 32]>,
    device: [u8; 32],
    sealing: [u8; 32],
    #[zeroize(skip)]
    chain: Vec<u8>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

/// As before there were kits.
#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
struct KeptFirst {
    root: [u8; 32],
    device: [u8; 32],
    sealing: [u8; 32],
    #[zeroize(skip)]
    chain: Vec<u8>,
}

impl std::fmt::Debug for NewDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewDevice")
    }
}

impl NewDevice {
    /// Fresh keys.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self { signing: SigningKey::from_bytes(&random_key(rng)), sealing: StaticSecret::from(*random_key(rng)) }
    }

    /// The public halves.
    #[must_use]
    pub fn card(&self) -> DeviceCard {
        let sealing = PublicKey::from(&self.sealing).to_bytes();
        DeviceCard { signing: self.signing.verifying_key().to_bytes(), sealing }
    }

    /// Its signing key.
    #[must_use]
    pub const fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// What envelopes to it are opened with.
    #[must_use]
    pub const fn sealing(&self) -> &StaticSecret {
        &self.sealing
    }

    /// The account whose `chain` has taken this device in; nothing if it has not.
    #[must_use]
    pub fn into_identity(self, chain: VerifiedChain) -> Option<Identity> {
        let card = self.card();
        let belongs = chain.cards().contains(&card);
        belongs.then(|| Identity { root: None, device: self.signing, sealing: self.sealing, chain })
    }
}

impl Identity {
    /// A new account with this device as its first.
    ///
    /// # Panics
    /// Never: a chain signed here is valid.
    #[must_use]
    pub fn create(handle: &str, unix_now: u64, rng: &mut impl CryptoRng) -> Self {
        let root = SigningKey::from_bytes(&random_key(rng));
        let new = NewDevice::generate(rng);
        let chain = Chain::create(handle, &root, new.card(), &new.signing, unix_now);
        let chain = chain.verify(unix_now).expect("signed here");
        Self { root: Some(root), device: new.signing, sealing: new.sealing, chain }
    }

    /// An account that lives on in this new device: added to the chain that the directory has, by the root from the kit,
    /// which is not kept. However old that chain's head is: the root signs it anew.
    pub fn recover(
        root: &SigningKey,
        chain: Chain,
        unix_now: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, ChainError> {
        let new = NewDevice::generate(rng);
        let chain = chain.with_head(root, unix_now).verify(unix_now)?;
        let chain = chain.with_device(new.card(), root, unix_now).with_head(&new.signing, unix_now).verify(unix_now)?;
        new.into_identity(chain).ok_or(ChainError::Unauthorised)
    }

    /// Reads what [`Identity::to_bytes`] wrote; signs a fresh head, however old the kept one is.
    pub fn from_bytes(bytes: &[u8], unix_now: u64) -> Result<Self, ChainError> {
        let kept = match bytes.strip_prefix(MAGIC) {
            Some(bytes) => whole::<Kept>(bytes)?,
            None => whole::<KeptFirst>(bytes)?.into(),
        };
        let device = SigningKey::from_bytes(&kept.device);
        let chain = Chain::decode(&kept.chain)?.with_head(&device, unix_now).verify(unix_now)?;
        let root = kept.root.as_ref().map(SigningKey::from_bytes);
        if root.as_ref().is_some_and(|root| root.verifying_key().to_bytes() != chain.root()) {
            return Err(ChainError::Unauthorised);
        }
        Ok(Self { root, device, sealing: StaticSecret::from(kept.sealing), chain })
    }

    /// The bytes for the profile: secrets, to be kept where only their owner reads.
    ///
    /// # Panics
    /// Never: the parts can always be written.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let kept = Kept {
            root: self.root.as_ref().map(SigningKey::to_bytes),
            device: self.device.to_bytes(),
            sealing: self.sealing.to_bytes(),
            chain: self.chain.chain().encode(),
        };
        let kept = Zeroizing::new(postcard::to_stdvec(&kept).expect("an identity is plain data"));
        Zeroizing::new([MAGIC, &kept].concat())
    }

    /// Signs the chain's head anew.
    pub fn renew(&mut self, unix_now: u64) -> Result<(), ChainError> {
        self.chain = self.chain.with_fresh_head(&self.device, unix_now).verify(unix_now)?;
        Ok(())
    }

    /// The account's root, if it is still on this device.
    #[must_use]
    pub const fn root_key(&self) -> Option<&SigningKey> {
        self.root.as_ref()
    }

    /// Forgets the root: it is in a kit now.
    pub fn drop_root(&mut self) {
        self.root = None;
    }

    /// Takes over the account's chain as it has grown. False, and nothing done, if it is not that or this device is no
    /// longer in it.
    pub fn adopt(&mut self, chain: VerifiedChain) -> bool {
        let own = self.device_id();
        let good = chain.supersedes(self.chain.chain()) && chain.devices().any(|device| device == own);
        if good {
            self.chain = chain;
        }
        good
    }

    /// Whether `chain` is this account's own, gone on, and says that this device is no longer part of it.
    #[must_use]
    pub fn is_revoked_by(&self, chain: &VerifiedChain) -> bool {
        chain.supersedes(self.chain.chain()) && chain.revoked().contains(&self.device_id())
    }

    /// `name@host`.
    #[must_use]
    pub fn handle(&self) -> &str {
        self.chain.handle()
    }

    /// The account's public root key.
    #[must_use]
    pub const fn root(&self) -> [u8; 32] {
        self.chain.root()
    }

    /// The device's signing key: QUIC identity and MLS leaf.
    #[must_use]
    pub const fn device(&self) -> &SigningKey {
        &self.device
    }

    /// Public half of [`Identity::device`].
    #[must_use]
    pub fn device_id(&self) -> [u8; 32] {
        self.device.verifying_key().to_bytes()
    }

    /// What envelopes to this device are opened with.
    #[must_use]
    pub const fn sealing(&self) -> &StaticSecret {
        &self.sealing
    }

    /// The own chain.
    #[must_use]
    pub const fn chain(&self) -> &VerifiedChain {
        &self.chain
    }
}

/// A fresh Ed25519 key, for a connection that must not be linked to the device.
#[must_use]
pub fn ephemeral_key(rng: &mut impl CryptoRng) -> SigningKey {
    SigningKey::from_bytes(&random_key(rng))
}

fn whole<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, ChainError> {
    match postcard::take_from_bytes(bytes) {
        Ok((kept, [])) => Ok(kept),
        _ => Err(ChainError::Malformed),
    }
}

impl From<KeptFirst> for Kept {
    fn from(first: KeptFirst) -> Self {
        Self { root: Some(first.root), device: first.device, sealing: first.sealing, chain: first.chain.clone() }
    }
}

fn random_key(rng: &mut impl CryptoRng) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    rng.fill_bytes(key.as_mut());
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::chain::MAX_HEAD_AGE_S;

    #[test]
    fn an_identity_survives_its_bytes_even_after_a_long_time() {
        let now = 1_800_000_000;
        let first = Identity::create("alice@example.org", now, &mut rand::rng());
        let later = now + 10 * MAX_HEAD_AGE_S;
        let again = Identity::from_bytes(&first.to_bytes(), later).unwrap();
        assert_eq!(
            (again.device_id(), again.root(), again.handle()),
            (first.device_id(), first.root(), first.handle())
        );
        assert_eq!(again.chain().head_time(), later);
        assert!(Identity::from_bytes(&first.to_bytes()[1..], now).is_err());
    }

    #[test]
    fn an_identity_of_before_there_were_kits_is_read_with_its_root() {
        let now = 1_800_000_000;
        let identity = Identity::create("alice@example.org", now, &mut rand::rng());
        let root = identity.root_key().unwrap().to_bytes();
        let parts =
            (root, identity.device().to_bytes(), identity.sealing().to_bytes(), identity.chain().chain().encode());
        let again = Identity::from_bytes(&postcard::to_stdvec(&parts).unwrap(), now).unwrap();
        assert_eq!((again.device_id(), again.root()), (identity.device_id(), identity.root()));
        assert!(again.root_key().is_some());
    }

    #[test]
    fn a_root_that_has_left_is_in_no_byte_that_is_kept() {
        let now = 1_800_000_000;
        let mut identity = Identity::create("alice@example.org", now, &mut rand::rng());
        let root = identity.root_key().unwrap().to_bytes();
        let holds = |identity: &Identity| identity.to_bytes().windows(32).any(|window| window == root);
        assert!(holds(&identity));
        identity.drop_root();
        assert!(!holds(&identity));
        assert!(Identity::from_bytes(&identity.to_bytes(), now).unwrap().root_key().is_none());
    }

    #[test]
    fn what_happened_while_a_device_was_away_counts_though_it_has_signed_its_head_anew_since() {
        let now = 1_800_000_000;
        let first = Identity::create("alice@example.org", now, &mut rand::rng());
        let root = first.root_key().unwrap();
        let second = Identity::recover(root, first.chain().chain().clone(), now + 60, &mut rand::rng()).unwrap();
        let without = second.chain().without_device(first.device_id(), second.device(), now + 120);
        let without = without.verify(now + 120).unwrap();
        let mut back = Identity::from_bytes(&first.to_bytes(), now + 3600).unwrap();
        assert!(back.chain().head_time() > without.head_time());
        assert!(back.is_revoked_by(&without) && !back.adopt(without));
        assert!(back.adopt(second.chain().clone()));
        assert_eq!(back.chain().length(), 2);
        let earlier = first.chain().clone();
        assert!(!back.adopt(earlier), "what says less does not");
    }

    #[test]
    fn the_kit_adds_a_device_however_old_the_head_is_and_both_go_on() {
        let now = 1_800_000_000;
        let mut first = Identity::create("alice@example.org", now, &mut rand::rng());
        let root = first.root_key().unwrap().clone();
        let later = now + 30 * MAX_HEAD_AGE_S;
        let second = Identity::recover(&root, first.chain().chain().clone(), later, &mut rand::rng()).unwrap();
        assert!(second.root_key().is_none() && second.chain().succeeds(first.chain().chain()));
        assert_eq!(second.chain().devices().collect::<Vec<_>>(), [first.device_id(), second.device_id()]);
        assert!(first.adopt(second.chain().clone()));
        let other = ephemeral_key(&mut rand::rng());
        let foreign = Identity::recover(&other, first.chain().chain().clone(), later, &mut rand::rng());
        assert_eq!(foreign.unwrap_err(), ChainError::Unauthorised);

        let without = second.chain().without_device(first.device_id(), second.device(), later).verify(later).unwrap();
        assert!(first.is_revoked_by(&without) && !second.is_revoked_by(&without) && !first.adopt(without));
    }
}
