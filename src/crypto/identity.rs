//! The secrets of an account on this device: root, signing key, sealing key, and the chain that binds them.

use ed25519_dalek::SigningKey;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::chain::{Chain, ChainError, DeviceCard, VerifiedChain};

/// An account with its one device, as the profile keeps it.
pub struct Identity {
    root: SigningKey,
    device: SigningKey,
    sealing: StaticSecret,
    chain: VerifiedChain,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Kept {
    root: [u8; 32],
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

impl Identity {
    /// A new account with this device as its first.
    ///
    /// # Panics
    /// Never: a chain signed here is valid.
    #[must_use]
    pub fn create(handle: &str, unix_now: u64, rng: &mut impl CryptoRng) -> Self {
        let [root, device] = std::array::from_fn(|_| SigningKey::from_bytes(&random_key(rng)));
        let sealing = StaticSecret::from(*random_key(rng));
        let card =
            DeviceCard { signing: device.verifying_key().to_bytes(), sealing: PublicKey::from(&sealing).to_bytes() };
        let chain = Chain::create(handle, &root, card, &device, unix_now).verify(unix_now).expect("signed here");
        Self { root, device, sealing, chain }
    }

    /// Reads what [`Identity::to_bytes`] wrote; signs a fresh head, however old the kept one is.
    pub fn from_bytes(bytes: &[u8], unix_now: u64) -> Result<Self, ChainError> {
        let (kept, rest) = postcard::take_from_bytes::<Kept>(bytes).map_err(|_| ChainError::Malformed)?;
        if !rest.is_empty() {
            return Err(ChainError::Malformed);
        }
        let device = SigningKey::from_bytes(&kept.device);
        let chain = Chain::decode(&kept.chain)?.with_head(&device, unix_now).verify(unix_now)?;
        let root = SigningKey::from_bytes(&kept.root);
        Ok(Self { root, device, sealing: StaticSecret::from(kept.sealing), chain })
    }

    /// The bytes for the profile: secrets, to be kept where only their owner reads.
    ///
    /// # Panics
    /// Never: the parts can always be written.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let kept = Kept {
            root: self.root.to_bytes(),
            device: self.device.to_bytes(),
            sealing: self.sealing.to_bytes(),
            chain: self.chain.chain().encode(),
        };
        Zeroizing::new(postcard::to_stdvec(&kept).expect("an identity is plain data"))
    }

    /// Signs the chain's head anew.
    pub fn renew(&mut self, unix_now: u64) -> Result<(), ChainError> {
        self.chain = self.chain.with_fresh_head(&self.device, unix_now).verify(unix_now)?;
        Ok(())
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
}
