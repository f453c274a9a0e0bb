//! Sealed envelopes of one size: HPKE (RFC 9180, DHKEM X25519 / HKDF-SHA256 / AES-128-GCM) to a device's sealing key.
//!
//! Whoever carries an envelope learns neither its sender nor its kind nor its length.

use hpke::aead::AesGcm128;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand::CryptoRng;
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

/// Bytes of every envelope.
pub const ENVELOPE_LEN: usize = 8192;
/// Most bytes that fit into one: encapsulated key, tag and length take the rest.
pub const MAX_LETTER_LEN: usize = ENVELOPE_LEN - 32 - 16 - 2;

pub(super) const INFO: &[u8] = b"visavis envelope 1";

/// Why an envelope cannot be made or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// More than [`MAX_LETTER_LEN`] bytes.
    #[error("the message is too long for an envelope")]
    TooLong,
    /// The recipient's key is no X25519 key that gives a secret.
    #[error("the recipient's key cannot be used")]
    BadKey,
    /// Not sealed to this device, or changed on the way.
    #[error("the envelope cannot be opened")]
    NotForUs,
}

/// Seals `letter` to a device's public sealing key. Always [`ENVELOPE_LEN`] bytes.
pub fn seal(recipient: &[u8; 32], letter: &[u8], rng: &mut impl CryptoRng) -> Result<Vec<u8>, EnvelopeError> {
    let length = u16::try_from(letter.len()).ok().filter(|_| letter.len() <= MAX_LETTER_LEN);
    let length = length.ok_or(EnvelopeError::TooLong)?;
    let recipient = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(recipient).map_err(|_| EnvelopeError::BadKey)?;
    let mut padded = Zeroizing::new(vec![0; MAX_LETTER_LEN + 2]);
    padded[..2].copy_from_slice(&length.to_be_bytes());
    padded[2..2 + letter.len()].copy_from_slice(letter);
    let (key, ciphertext) = hpke::single_shot_seal_with_rng::<AesGcm128, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &recipient,
        INFO,
        &padded,
        &[],
        rng,
    )
    .map_err(|_| EnvelopeError::BadKey)?;
    Ok([key.to_bytes().as_slice(), &ciphertext].concat())
}

/// Opens an envelope with this device's sealing key.
pub fn open(own: &StaticSecret, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    if envelope.len() != ENVELOPE_LEN {
        return Err(EnvelopeError::NotForUs);
    }
    let (key, ciphertext) = envelope.split_at(32);
    let own = Zeroizing::new(own.to_bytes());
    let private =
        <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(own.as_slice()).map_err(|_| EnvelopeError::BadKey)?;
    let key = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(key).map_err(|_| EnvelopeError::NotForUs)?;
    let padded = Zeroizing::new(
        hpke::single_shot_open::<AesGcm128, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &private,
            &key,
            INFO,
            ciphertext,
            &[],
        )
        .map_err(|_| EnvelopeError::NotForUs)?,
    );
    let (length, rest) = padded.split_first_chunk::<2>().ok_or(EnvelopeError::NotForUs)?;
    let letter = rest.get(..usize::from(u16::from_be_bytes(*length))).ok_or(EnvelopeError::NotForUs)?;
    Ok(Zeroizing::new(letter.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use x25519_dalek::PublicKey;

    fn keys() -> (StaticSecret, [u8; 32]) {
        let secret = StaticSecret::from([5; 32]);
        let public = PublicKey::from(&secret).to_bytes();
        (secret, public)
    }

    #[test]
    fn every_envelope_has_one_size_and_opens_with_the_right_key_only() {
        let (secret, public) = keys();
        for letter in [Vec::new(), b"ring".to_vec(), vec![1; MAX_LETTER_LEN]] {
            let envelope = seal(&public, &letter, &mut rand::rng()).unwrap();
            assert_eq!(envelope.len(), ENVELOPE_LEN);
            assert_eq!(*open(&secret, &envelope).unwrap(), letter);
            assert_eq!(open(&StaticSecret::from([6; 32]), &envelope), Err(EnvelopeError::NotForUs));
        }
        assert_eq!(seal(&public, &[0; MAX_LETTER_LEN + 1], &mut rand::rng()), Err(EnvelopeError::TooLong));
    }

    #[test]
    fn a_key_that_gives_no_secret_is_refused() {
        assert_eq!(seal(&[0; 32], b"x", &mut rand::rng()), Err(EnvelopeError::BadKey));
    }

    #[test]
    fn no_changed_byte_passes() {
        let (secret, public) = keys();
        let envelope = seal(&public, b"ring", &mut rand::rng()).unwrap();
        for at in (0..ENVELOPE_LEN).step_by(97) {
            let mut changed = envelope.clone();
            changed[at] ^= 1;
            assert!(open(&secret, &changed).is_err(), "byte {at}");
        }
        assert!(open(&secret, &envelope[1..]).is_err());
    }
}
