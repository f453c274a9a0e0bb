//! A delivery token: whoever shows it may ring. 16 random bytes, made and taken back by the account that is rung. Its text
//! never reaches a log: it stands in links, sealed letters and the sealed profile only.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What the server keeps of a token.
pub type TokenHash = [u8; 32];

/// A delivery token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Token([u8; 16]);

/// The text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token has 26 characters a–z and 2–7")]
pub struct TokenError;

impl Token {
    /// A fresh one.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// What the server may know of it.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        Sha256::new_with_prefix(b"visavis delivery token 1\0").chain_update(self.0).finalize().into()
    }

    /// The secret text, for a link or the profile.
    #[must_use]
    pub fn text(&self) -> String {
        BASE32_NOPAD.encode(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).map_err(|_| TokenError)?;
        bytes.try_into().map(Self).map_err(|_| TokenError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_text_and_is_not_shown_by_accident() {
        let token = Token::random(&mut rand::rng());
        assert_eq!(token.text().parse(), Ok(token));
        assert_eq!(token.text().to_lowercase().parse(), Ok(token));
        assert!(!format!("{token:?}").contains(&token.text()));
        assert_ne!(token.hash(), Token::random(&mut rand::rng()).hash());
        for bad in ["", "abc", "1".repeat(26).as_str(), "a".repeat(27).as_str(), "é".repeat(13).as_str()] {
            assert_eq!(bad.parse::<Token>(), Err(TokenError), "{bad}");
        }
    }
}
