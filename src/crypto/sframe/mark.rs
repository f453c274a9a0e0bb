//! What names a sealed frame and nothing else: key id, counter, and a digest of all its bytes. A list of them, signed, says
//! which frames somebody has sent.

use sha2::{Digest, Sha256};

use super::header;

/// Bytes of a digest: SHA-256 cut to 128 bits, so that nobody finds a second frame for it.
pub const DIGEST_LEN: usize = 16;

/// A sealed frame as its sender or receiver knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameMark {
    /// Key id.
    pub kid: u64,
    /// Counter under that key.
    pub counter: u64,
    /// Of the whole sealed frame. A list of tags would not do: who knows the key finds other frames with the same tag.
    pub digest: [u8; DIGEST_LEN],
}

impl FrameMark {
    /// The mark of a sealed frame; nothing if it has no header.
    #[must_use]
    pub fn of(sealed: &[u8]) -> Option<Self> {
        let (kid, counter, _) = header::read(sealed)?;
        let hash: [u8; 32] = Sha256::digest(sealed).into();
        let digest = *hash.first_chunk()?;
        Some(Self { kid, counter, digest })
    }
}
