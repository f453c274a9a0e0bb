//! Linking a second device: the code that the new one shows, the number that both show, and the proof that whoever takes it
//! in has seen the code.
//!
//! The code goes from screen to screen, as a picture or by hand. A code that somebody put in its place gives another number;
//! to find one with the same number takes a hundred million runs of Argon2id within the code's ten minutes.

use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::BASE32_NOPAD;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::chain::DeviceCard;

/// How long a code holds, seconds.
pub const CODE_LIFE_S: u64 = 600;
/// What the code of a new device begins with.
pub const PREFIX: &str = "visavis-link:";
/// Longest text that is looked at.
const MAX_TEXT_BYTES: usize = 512;
const SUM_LEN: usize = 4;
/// Memory and passes of the number: a quarter of a second on a slow machine.
const MEMORY_KIB: u32 = 32 * 1024;
const PASSES: u32 = 3;

/// What the new device shows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct LinkCode {
    /// Its public keys.
    #[zeroize(skip)]
    pub card: DeviceCard,
    /// The server it waits at: the server's key.
    #[zeroize(skip)]
    pub server: [u8; 32],
    secret: [u8; 16],
}

/// Why a text is no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Not a code, or a mistyped one.
    #[error("this is not the code of a new device, or a part of it is missing; copy all that the new device shows")]
    Malformed,
    /// The system gives no memory for the number.
    #[error("there is not enough memory to work out the number; close other programs")]
    Memory,
}

impl std::fmt::Debug for LinkCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkCode")
    }
}

impl LinkCode {
    /// A code for a new device that waits at the server with this key.
    #[must_use]
    pub fn new(card: DeviceCard, server: [u8; 32], rng: &mut impl CryptoRng) -> Self {
        let mut secret = [0; 16];
        rng.fill_bytes(&mut secret);
        Self { card, server, secret }
    }

    /// As it is shown.
    ///
    /// # Panics
    /// Never: a code is plain data.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(postcard::to_stdvec(self).expect("a code is plain data"));
        let check = sum(&bytes);
        bytes.extend(check);
        Zeroizing::new(format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()))
    }

    /// Reads a code as it was scanned or typed.
    pub fn from_text(text: &str) -> Result<Self, LinkError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(LinkError::Malformed);
        }
        let text: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
        let text = Zeroizing::new(text.to_ascii_lowercase());
        let code = Zeroizing::new(text.strip_prefix(PREFIX).ok_or(LinkError::Malformed)?.to_ascii_uppercase());
        let bytes = Zeroizing::new(BASE32_NOPAD.decode(code.as_bytes()).map_err(|_| LinkError::Malformed)?);
        let (body, check) = bytes.split_last_chunk::<SUM_LEN>().ok_or(LinkError::Malformed)?;
        match postcard::take_from_bytes::<Self>(body) {
            Ok((code, [])) if sum(body) == *check => Ok(code),
            _ => Err(LinkError::Malformed),
        }
    }

    /// Eight digits that both devices show.
    pub fn number(&self) -> Result<String, LinkError> {
        let params = Params::new(MEMORY_KIB, PASSES, 1, Some(8)).map_err(|_| LinkError::Memory)?;
        let mut digest = [0; 8];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(self.to_text().as_bytes(), b"visavis link 1\0\0", &mut digest)
            .map_err(|_| LinkError::Memory)?;
        let number = u64::from_be_bytes(digest) % 100_000_000;
        Ok(format!("{:04} {:04}", number / 10_000, number % 10_000))
    }

    /// Shows the new device that whoever takes it into the account with this `root` has seen its code.
    #[must_use]
    pub fn proof(&self, root: &[u8; 32]) -> [u8; 32] {
        let digest = Sha256::new().chain_update(b"visavis link proof 1\0").chain_update(self.secret);
        digest.chain_update(root).chain_update(self.card.signing).chain_update(self.card.sealing).finalize().into()
    }

    /// Whether `proof` is that.
    #[must_use]
    pub fn is_proved(&self, root: &[u8; 32], proof: &[u8; 32]) -> bool {
        self.proof(root).ct_eq(proof).into()
    }
}

fn sum(bytes: &[u8]) -> [u8; SUM_LEN] {
    let digest = Sha256::new().chain_update(b"visavis link sum 1\0").chain_update(bytes).finalize();
    std::array::from_fn(|index| digest[index])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(number: u8) -> LinkCode {
        LinkCode { card: DeviceCard { signing: [1; 32], sealing: [2; 32] }, server: [3; 32], secret: [number; 16] }
    }

    #[test]
    fn a_code_survives_its_text_and_both_devices_show_one_number() {
        let text = code(7).to_text();
        for typed in [text.to_string(), text.to_uppercase(), format!(" {}\n{}", &text[..40], &text[40..])] {
            let again = LinkCode::from_text(&typed).unwrap();
            assert_eq!(again, code(7));
            assert_eq!(again.number(), code(7).number());
        }
        assert_ne!(code(7).number(), code(8).number());
        assert_eq!(code(7).number().unwrap().bytes().filter(u8::is_ascii_digit).count(), 8);
        assert_eq!(format!("{:?}", code(7)), "LinkCode");
    }

    #[test]
    fn only_whoever_has_seen_the_code_can_prove_it_and_for_one_account_only() {
        let proof = code(7).proof(&[9; 32]);
        assert!(code(7).is_proved(&[9; 32], &proof));
        assert!(!code(7).is_proved(&[8; 32], &proof) && !code(8).is_proved(&[9; 32], &proof));
    }

    proptest! {
        #[test]
        fn any_text_gives_a_code_or_an_error(text in "(?s).{0,200}") {
            prop_assert!(LinkCode::from_text(&text).is_err());
            let prefixed = [PREFIX, &text].concat();
            prop_assert!(LinkCode::from_text(&prefixed).is_err());
        }

        #[test]
        fn a_mistyped_letter_is_noticed(at in any::<prop::sample::Index>(), letter in "[a-z2-7]") {
            let mut text = code(7).to_text().to_string();
            let place = PREFIX.len() + at.index(text.len() - PREFIX.len());
            prop_assume!(text[place..=place] != letter);
            text.replace_range(place..=place, &letter);
            prop_assert!(LinkCode::from_text(&text).is_err());
        }
    }
}
