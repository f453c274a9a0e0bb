//! The recovery kit: the account's root as 24 words (BIP-39, English), with the handle and the server, to be printed or kept
//! as a file. Who has it is the account's owner.

use std::fmt::Write;

use bip39::Mnemonic;
use data_encoding::BASE32_NOPAD;
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::wire::address::{Handle, ServerAddress};

/// First line.
const TITLE: &str = "Visavis recovery kit 1";
/// Longest text that is looked at.
const MAX_TEXT_BYTES: usize = 4096;
/// Words on a line.
const PER_LINE: usize = 6;
/// The bytes of the checksum over handle, server and root.
const CHECK_LEN: usize = 5;

/// What brings an account back.
pub struct Kit {
    /// The account.
    pub handle: Handle,
    /// Where it is registered.
    pub server: ServerAddress,
    root: SigningKey,
}

/// Why a text is no kit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KitError {
    /// A part is missing.
    #[error("this is not a whole recovery kit: it has a handle, a server, 24 words and a check")]
    Incomplete,
    /// Handle or server.
    #[error("the handle or the server of the recovery kit cannot be read; compare them with the print")]
    Place,
    /// The words.
    #[error("the words of the recovery kit are not right; compare each with the print")]
    Words,
    /// All can be read, but does not belong together.
    #[error("something in the recovery kit is mistyped: its check does not fit")]
    Check,
}

impl std::fmt::Debug for Kit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kit")
    }
}

impl Kit {
    /// The kit of an account.
    #[must_use]
    pub const fn new(handle: Handle, server: ServerAddress, root: SigningKey) -> Self {
        Self { handle, server, root }
    }

    /// The account's root.
    #[must_use]
    pub const fn root(&self) -> &SigningKey {
        &self.root
    }

    /// The text to be printed or kept.
    ///
    /// # Panics
    /// Never: 32 bytes make 24 words.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut seed = Zeroizing::new(self.root.to_bytes());
        let mut words = Mnemonic::from_entropy(seed.as_slice()).expect("32 bytes are 24 words");
        // One piece, so that no half-grown copy stays behind.
        let mut text = Zeroizing::new(String::with_capacity(MAX_TEXT_BYTES));
        let _ = write!(text, "{TITLE}\nHandle: {}\nServer: {}\nWords:", self.handle, self.server);
        for (index, word) in words.words().enumerate() {
            text.push_str(if index % PER_LINE == 0 { "\n  " } else { " " });
            text.push_str(word);
        }
        let _ = write!(text, "\nCheck: {}\n", BASE32_NOPAD.encode(&self.check()));
        words.zeroize();
        seed.zeroize();
        text
    }

    /// Reads a kit as it was printed, with whatever spaces, lines and letters somebody types.
    pub fn from_text(text: &str) -> Result<Self, KitError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(KitError::Incomplete);
        }
        let text = Zeroizing::new(text.to_lowercase());
        let part = |from: &str, to: Option<&str>| {
            let (_, rest) = text.split_once(from)?;
            let part = match to {
                Some(to) => rest.split_once(to)?.0,
                None => rest,
            };
            Some(part.trim())
        };
        let handle = part("handle:", Some("server:")).ok_or(KitError::Incomplete)?;
        let server = part("server:", Some("words:")).ok_or(KitError::Incomplete)?;
        let words = part("words:", Some("check:")).ok_or(KitError::Incomplete)?;
        let check = part("check:", None).ok_or(KitError::Incomplete)?.to_uppercase();
        let handle = handle.parse().map_err(|_| KitError::Place)?;
        let server = server.split_whitespace().collect::<String>().parse().map_err(|_| KitError::Place)?;
        let words = Zeroizing::new(words.split_whitespace().collect::<Vec<_>>().join(" "));
        let mut mnemonic = Mnemonic::parse_normalized(&words).map_err(|_| KitError::Words)?;
        let (mut entropy, length) = mnemonic.to_entropy_array();
        mnemonic.zeroize();
        let seed = entropy.first_chunk::<32>().filter(|_| length == 32).map(SigningKey::from_bytes);
        entropy.zeroize();
        let kit = Self { handle, server, root: seed.ok_or(KitError::Words)? };
        let right = BASE32_NOPAD.encode(&kit.check());
        if check.split_whitespace().eq([right.as_str()]) { Ok(kit) } else { Err(KitError::Check) }
    }

    fn check(&self) -> [u8; CHECK_LEN] {
        let digest = Sha256::new()
            .chain_update(b"visavis recovery kit 1\0")
            .chain_update(self.root.verifying_key().as_bytes())
            .chain_update(format!("{}\0{}", self.handle, self.server))
            .finalize();
        std::array::from_fn(|index| digest[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kit() -> Kit {
        let server = ServerAddress { host: "example.org".into(), port: 4474, key: [7; 32] };
        Kit::new("alice@example.org".parse().unwrap(), server, SigningKey::from_bytes(&[5; 32]))
    }

    #[test]
    fn a_kit_survives_print_and_typing() {
        let text = kit().to_text();
        assert_eq!(text.split_once("Words:").unwrap().1.split_once("Check:").unwrap().0.split_whitespace().count(), 24);
        let typed = text.replace("  ", "").replace('\n', "  \r\n ").to_uppercase();
        for text in [text.as_str(), &typed, &text.replace(TITLE, "")] {
            let again = Kit::from_text(text).unwrap();
            assert_eq!((&again.handle, &again.server), (&kit().handle, &kit().server));
            assert_eq!(again.root().to_bytes(), kit().root().to_bytes());
        }
        assert!(text.len() < MAX_TEXT_BYTES, "written in one piece");
        assert_eq!(format!("{:?}", kit()), "Kit");
    }

    #[test]
    fn what_is_mistyped_is_named() {
        let text = kit().to_text();
        let error = |text: &str| Kit::from_text(text).unwrap_err();
        assert_eq!(error(&text.replace("alice", "alicia")), KitError::Check);
        assert_eq!(error(&text.replace("4474", "4475")), KitError::Check);
        assert_eq!(error(&text.replace("alice@", "alice")), KitError::Place);
        assert_eq!(error(&text.replace("Check", "Chick")), KitError::Incomplete);
        assert_eq!(error(""), KitError::Incomplete);
        assert_eq!(error(&"x".repeat(MAX_TEXT_BYTES + 1)), KitError::Incomplete);
        let words = text.split_once("Words:").unwrap().1.split_once("Check:").unwrap().0;
        let last = words.split_whitespace().last().unwrap();
        assert_eq!(error(&text.replace(last, "xylophone")), KitError::Words);
        let other = Mnemonic::from_entropy(&[6; 32]).unwrap().to_string();
        assert_eq!(error(&text.replace(words, &format!(" {other} "))), KitError::Check);
        let short = Mnemonic::from_entropy(&[6; 16]).unwrap().to_string();
        assert_eq!(error(&text.replace(words, &format!(" {short} "))), KitError::Words);
    }

    proptest! {
        #[test]
        fn any_text_gives_a_kit_or_an_error(text in "(?s).{0,200}") {
            let _ = Kit::from_text(&text);
            let _ = Kit::from_text(&format!("handle: {text} server: words: check:"));
            let _ = Kit::from_text(&format!("handle: a@b server: {text} words: {text} check: {text}"));
        }
    }
}
