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
