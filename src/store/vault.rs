//! The vault: what is private in a profile, sealed at rest (AES-256-GCM) under one random key, and the lock of that key.
//!
//! The key lies in the system's keyring, or in the vault's file wrapped under a passphrase (Argon2id, RFC 9106), or, where
//! there is neither, in the vault's file as it is, which only the file's mode protects. Bytes only: files are the profile's.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Fewest characters of a passphrase.
pub const MIN_PASSPHRASE: usize = 8;
/// Most bytes of one: a longer one is a mistake.
pub const MAX_PASSPHRASE_BYTES: usize = 1024;

/// Begins the vault's file.
const MAGIC: &[u8] = b"visavis vault 1\n";
/// Begins a sealed file.
const SEALED: &[u8] = b"visavis sealed 1\n";
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
/// Most memory that a vault's file may ask for: a damaged one must not take the machine down.
const MAX_MEMORY_KIB: u32 = 1 << 20;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 8;

/// What protects the vault's key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// The system's keyring, which opens with the person's session.
    Keyring,
    /// A passphrase, asked for at each start.
    Passphrase,
    /// Nothing but the mode of a file that only its owner can read.
    #[default]
    File,
}

/// Why a vault does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Not the bytes of a vault, or damaged ones.
    #[error("it is damaged")]
    Damaged,
    /// Sealed under another key, or changed.
    #[error("it does not open with this profile's key")]
    NotOurs,
    /// Another passphrase.
    #[error("the passphrase is wrong; nothing was changed, try again")]
    WrongPassphrase,
    /// Too short or too long to be one.
    #[error("a passphrase has at least {MIN_PASSPHRASE} characters; take four words or more")]
    BadPassphrase,
    /// The system gives no memory for the derivation.
    #[error("there is not enough memory to try the passphrase; close other programs")]
    Memory,
}

/// How much work a try of a passphrase is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Memory.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Cost {
    /// The second choice of RFC 9106, with one lane: 64 MiB, three passes; more than OWASP asks for (19 MiB, two).
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 }
    }
}

/// The key of a vault. Never shown.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct VaultKey([u8; 32]);

/// Where the key of a vault is: what its file says.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub enum Lock {
    /// In the system's keyring.
    Keyring {
        /// Under which name.
        entry: [u8; 16],
    },
    /// Here, wrapped.
    Passphrase {
        /// Random.
        salt: [u8; 16],
        /// Work of a try.
        #[zeroize(skip)]
        cost: Cost,
        /// Random.
        nonce: [u8; NONCE_LEN],
        /// The sealed key.
        wrapped: Vec<u8>,
    },
    /// Here, as it is.
    File {
        /// The key.
        key: [u8; 32],
    },
}

impl std::fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VaultKey")
    }
}

impl std::fmt::Debug for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lock({:?})", self.protection())
    }
}

impl VaultKey {
    /// A fresh key.
    #[must_use]
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        Self(key)
    }

    /// A key from the keyring's bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, VaultError> {
        bytes.try_into().map(Self).map_err(|_| VaultError::Damaged)
    }

    /// For the keyring.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals the contents of the file `name`: what is sealed for one file does not open as another.
    ///
    /// # Panics
    /// Never: no file of a profile is too long for the cipher.
    #[must_use]
    pub fn seal(&self, name: &str, contents: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        let payload = Payload { msg: contents, aad: name.as_bytes() };
        let sealed = self.cipher().encrypt(&Nonce::from(nonce), payload).expect("files are short");
        [SEALED, &nonce, &sealed].concat()
    }

    /// Opens what [`VaultKey::seal`] sealed for the file `name`.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let rest = sealed.strip_prefix(SEALED).ok_or(VaultError::Damaged)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or(VaultError::Damaged)?;
        let payload = Payload { msg: sealed, aad: name.as_bytes() };
        let contents = self.cipher().decrypt(&Nonce::from(*nonce), payload);
        contents.map(Zeroizing::new).map_err(|_| VaultError::NotOurs)
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&self.0.into())
    }
}

impl Lock {
    /// A place of its own in the keyring.
    #[must_use]
    pub fn in_keyring(rng: &mut impl CryptoRng) -> Self {
        let mut entry = [0; 16];
        rng.fill_bytes(&mut entry);
        Self::Keyring { entry }
    }

    /// The key as it is.
    #[must_use]
    pub const fn in_file(key: &VaultKey) -> Self {
        Self::File { key: key.0 }
    }

    /// The key under a passphrase.
    pub fn under_passphrase(
        key: &VaultKey,
        passphrase: &str,
        cost: Cost,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, VaultError> {
        if passphrase.chars().count() < MIN_PASSPHRASE || passphrase.len() > MAX_PASSPHRASE_BYTES {
            return Err(VaultError::BadPassphrase);
        }
        let (mut salt, mut nonce) = ([0; 16], [0; NONCE_LEN]);
        rng.fill_bytes(&mut salt);
        rng.fill_bytes(&mut nonce);
        let payload = Payload { msg: &key.0, aad: &salt };
        let wrapping = stretch(passphrase, &salt, cost)?;
        let wrapped = wrapping.cipher().encrypt(&Nonce::from(nonce), payload).map_err(|_| VaultError::Damaged)?;
        Ok(Self::Passphrase { salt, cost, nonce, wrapped })
    }

    /// The key, if it is wrapped under this passphrase.
    pub fn open_with(&self, passphrase: &str) -> Result<VaultKey, VaultError> {
        let Self::Passphrase { salt, cost, nonce, wrapped } = self else { return Err(VaultError::NotOurs) };
        if passphrase.len() > MAX_PASSPHRASE_BYTES {
            return Err(VaultError::WrongPassphrase);
        }
        let wrapping = stretch(passphrase, salt, *cost)?;
        let payload = Payload { msg: wrapped, aad: salt };
        let key = wrapping.cipher().decrypt(&Nonce::from(*nonce), payload).map_err(|_| VaultError::WrongPassphrase)?;
        VaultKey::from_bytes(&Zeroizing::new(key))
    }

    /// What protects the key.
    #[must_use]
    pub const fn protection(&self) -> Protection {
        match self {
            Self::Keyring { .. } => Protection::Keyring,
            Self::Passphrase { .. } => Protection::Passphrase,
            Self::File { .. } => Protection::File,
        }
    }

    /// The bytes of the vault's file. A checksum tells a damaged file from a wrong passphrase.
    ///
    /// # Panics
    /// Never: a lock is plain data.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let body = Zeroizing::new(postcard::to_stdvec(self).expect("a lock is plain data"));
        Zeroizing::new([MAGIC, &body, checksum(&body).as_slice()].concat())
    }

    /// Reads what [`Lock::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, VaultError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(VaultError::Damaged)?;
        let (body, sum) = rest.split_last_chunk::<32>().ok_or(VaultError::Damaged)?;
        if !bool::from(checksum(body).ct_eq(sum)) {
            return Err(VaultError::Damaged);
        }
        match postcard::take_from_bytes::<Self>(body) {
            Ok((lock, [])) if lock.is_bounded() => Ok(lock),
            _ => Err(VaultError::Damaged),
        }
    }

    fn is_bounded(&self) -> bool {
        let Self::Passphrase { cost, wrapped, .. } = self else { return true };
        let lanes = (1..=MAX_LANES).contains(&cost.lanes);
        let memory = lanes && (Params::MIN_M_COST * cost.lanes..=MAX_MEMORY_KIB).contains(&cost.memory_kib);
        memory && (1..=MAX_PASSES).contains(&cost.passes) && wrapped.len() == 32 + TAG_LEN
    }
}

fn checksum(body: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(MAGIC).chain_update(body).finalize().into()
}

/// Argon2id of a passphrase.
fn stretch(passphrase: &str, salt: &[u8; 16], cost: Cost) -> Result<VaultKey, VaultError> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(|_| VaultError::Damaged)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, key.as_mut())
        .map_err(|_| VaultError::Memory)?;
    Ok(VaultKey(*key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As little work as the derivation takes: the tests are about the vault, not about the work.
    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
    const PASSPHRASE: &str = "correct horse battery";

    fn key() -> VaultKey {
        VaultKey([7; 32])
    }

    fn lock() -> Lock {
        Lock::under_passphrase(&key(), PASSPHRASE, CHEAP, &mut rand::rng()).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_under_its_name_only() {
        let sealed = key().seal("identity", b"secret", &mut rand::rng());
        assert_eq!(key().open("identity", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(key().open("contacts", &sealed), Err(VaultError::NotOurs));
        assert_eq!(VaultKey([8; 32]).open("identity", &sealed), Err(VaultError::NotOurs));
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_ne!(sealed, key().seal("identity", b"secret", &mut rand::rng()), "no nonce twice");
    }

    #[test]
    fn a_passphrase_opens_its_lock_and_another_one_is_called_wrong() {
        let again = Lock::decode(&lock().encode()).unwrap();
        assert_eq!(again.open_with(PASSPHRASE).unwrap().0, [7; 32]);
        assert_eq!(again.open_with("correct horse batterz").unwrap_err(), VaultError::WrongPassphrase);
        assert_eq!(again.open_with(&"x".repeat(5000)).unwrap_err(), VaultError::WrongPassphrase);
        let short = Lock::under_passphrase(&key(), "seven77", CHEAP, &mut rand::rng());
        assert_eq!(short.unwrap_err(), VaultError::BadPassphrase);
    }

    #[test]
    fn the_usual_work_is_more_than_owasp_asks_for() {
        let cost = Cost::default();
        assert!(cost.memory_kib >= 19 * 1024 && cost.passes >= 2);
        let dear = Lock::under_passphrase(&key(), PASSPHRASE, cost, &mut rand::rng()).unwrap();
        assert_eq!(Lock::decode(&dear.encode()).unwrap().open_with(PASSPHRASE).unwrap().0, [7; 32]);
    }

    #[test]
    fn a_file_that_asks_for_all_the_memory_is_damaged() {
        for cost in [
            Cost { memory_kib: u32::MAX, ..CHEAP },
            Cost { passes: u32::MAX, ..CHEAP },
            Cost { lanes: 0, ..CHEAP },
            Cost { lanes: u32::MAX, ..CHEAP },
        ] {
            let mut greedy = lock();
            if let Lock::Passphrase { cost: asked, .. } = &mut greedy {
                *asked = cost;
            }
            assert_eq!(Lock::decode(&greedy.encode()).unwrap_err(), VaultError::Damaged, "{cost:?}");
        }
    }

    #[test]
    fn nothing_that_is_printed_for_debugging_holds_the_key() {
        let shown = format!("{:?} {:?} {:?}", key(), Lock::in_file(&key()), lock());
        assert_eq!(shown, "VaultKey Lock(File) Lock(Passphrase)");
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_lock_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Lock::decode(&bytes);
            let _ = Lock::decode(&[MAGIC, &bytes].concat());
            let _ = Lock::decode(&[MAGIC, &bytes, checksum(&bytes).as_slice()].concat());
            prop_assert!(key().open("identity", &bytes).is_err());
            prop_assert!(key().open("identity", &[SEALED, &bytes].concat()).is_err());
        }

        #[test]
        fn a_flipped_bit_never_opens(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let mut sealed = key().seal("identity", b"secret", &mut rand::rng());
            let position = at.index(sealed.len());
            sealed[position] ^= 1 << bit;
            prop_assert!(key().open("identity", &sealed).is_err());
            let mut file = lock().encode();
            let position = at.index(file.len());
            file[position] ^= 1 << bit;
            prop_assert!(Lock::decode(&file).is_err());
        }
    }
}
