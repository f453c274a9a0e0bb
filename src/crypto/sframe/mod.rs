//! SFrame (RFC 9605, suite AES_128_GCM_SHA256_128): seals each media frame whole, end to end.
//!
//! Key id = stream ‖ leaf (8 bits) ‖ epoch (4 low bits): one id names exactly one key, so nothing is ever tried. The
//! counter starts at 0 for each stream and epoch and lives in memory only.

pub mod header;
mod key;
mod mark;
mod replay;

pub use key::{BaseKey, TAG_LEN};
pub use mark::{DIGEST_LEN, FrameMark};

use self::header::MAX_HEADER_LEN;
use self::key::FrameKey;
use self::replay::ReplayWindow;
use crate::media::{KeyEpoch, LeafIndex, Stream};

/// Most epochs whose frames are opened at one time: an old one, the current one and an early new one, and one spare.
pub const MAX_EPOCHS: usize = 4;
/// Most bytes of authenticated metadata.
pub const MAX_METADATA_LEN: usize = 64 - MAX_HEADER_LEN;
/// Bytes that sealing adds at most.
pub const MAX_OVERHEAD: usize = MAX_HEADER_LEN + TAG_LEN;

/// Why a frame was not sealed or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SframeError {
    /// The counter or the lengths are used up; the frame must not be sent.
    #[error("the frame cannot be sealed under this key any more")]
    Exhausted,
    /// Not an SFrame header.
    #[error("the frame has no valid header")]
    Malformed,
    /// Sealed by another leaf or for another stream than its packets claim.
    #[error("the frame claims another sender or stream than its seal")]
    Misattributed,
    /// Under a key that is not (or no longer) held.
    #[error("the frame is sealed under a key that is not held")]
    UnknownKey,
    /// Seen before, or too old to tell.
    #[error("the frame was seen before or is too old")]
    Replayed,
    /// The tag is wrong.
    #[error("the frame is not authentic")]
    Forged,
}

/// The key id of a stream of a leaf in an epoch.
#[must_use]
pub const fn key_id(stream: Stream, leaf: LeafIndex, epoch: KeyEpoch) -> u64 {
    (stream as u64) << 12 | (leaf.0 as u64) << 4 | epoch.0 & 0x0f
}

/// Seals one leaf's frames in one epoch. A new epoch needs a new sealer; nothing can reset a counter.
pub struct Sealer {
    epoch: KeyEpoch,
    leaf: LeafIndex,
    streams: [(FrameKey, u64); Stream::ALL.len()],
}

impl Sealer {
    /// A sealer for `leaf` in `epoch`.
    #[must_use]
    pub fn new(base: &BaseKey, epoch: KeyEpoch, leaf: LeafIndex) -> Self {
        Self {
            epoch,
            leaf,
            streams: Stream::ALL.map(|stream| (FrameKey::derive(base, key_id(stream, leaf, epoch)), 0)),
        }
    }

    /// The epoch it seals in.
    #[must_use]
    pub const fn epoch(&self) -> KeyEpoch {
        self.epoch
    }

    /// Seals `plaintext`; `metadata` (at most [`MAX_METADATA_LEN`] bytes) travels in the clear and is authenticated.
    pub fn seal(&mut self, stream: Stream, metadata: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SframeError> {
        let (key, counter) = &mut self.streams[stream as usize];
        if metadata.len() > MAX_METADATA_LEN || *counter == u64::MAX {
            return Err(SframeError::Exhausted);
        }
        let mut sealed = Vec::with_capacity(plaintext.len() + MAX_OVERHEAD);
        header::write(key_id(stream, self.leaf, self.epoch), *counter, &mut sealed);
        let header_len = sealed.len();
        sealed.extend_from_slice(plaintext);
        let this = *counter;
        *counter += 1;
        key.seal(this, metadata, header_len, &mut sealed).ok_or(SframeError::Exhausted)?;
        Ok(sealed)
    }
}

struct OpeningEpoch {
    epoch: KeyEpoch,
    base: BaseKey,
    /// Made when a leaf's stream is first heard.
    keys: Vec<(u64, FrameKey, ReplayWindow)>,
}

/// Opens frames of the other members, under the keys of the epochs it holds.
#[derive(Default)]
pub struct Opener {
    epochs: Vec<OpeningEpoch>,
    members: Vec<LeafIndex>,
}

impl Opener {
    /// Holds `epoch` from now on; frames of `members` only are opened. The oldest is dropped above [`MAX_EPOCHS`].
    pub fn add_epoch(&mut self, base: BaseKey, epoch: KeyEpoch, members: &[LeafIndex]) {
        self.members = members.to_vec();
        self.epochs.retain(|held| held.epoch.0 & 0x0f != epoch.0 & 0x0f);
        if self.epochs.len() >= MAX_EPOCHS {
            self.epochs.remove(0);
        }
        self.epochs.push(OpeningEpoch { epoch, base, keys: Vec::new() });
    }

    /// Forgets every epoch before `epoch`.
    pub fn drop_before(&mut self, epoch: KeyEpoch) {
        self.epochs.retain(|held| held.epoch >= epoch);
    }

    /// Opens a frame that came in packets of `leaf` and `stream`. Nothing changes unless it is authentic.
    pub fn open(
        &mut self,
        leaf: LeafIndex,
        stream: Stream,
        metadata: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, SframeError> {
        let (kid, counter, header_len) = header::read(sealed).ok_or(SframeError::Malformed)?;
        if metadata.len() > MAX_METADATA_LEN {
            return Err(SframeError::Malformed);
        }
        if kid >> 4 != key_id(stream, leaf, KeyEpoch(0)) >> 4 {
            return Err(SframeError::Misattributed);
        }
        if !self.members.contains(&leaf) {
            return Err(SframeError::UnknownKey);
        }
        let epoch =
            self.epochs.iter_mut().find(|held| held.epoch.0 & 0x0f == kid & 0x0f).ok_or(SframeError::UnknownKey)?;
        let known = epoch.keys.iter().position(|(known, ..)| *known == kid);
        let index = known.unwrap_or(epoch.keys.len());
        if known.is_none() {
            epoch.keys.push((kid, FrameKey::derive(&epoch.base, kid), ReplayWindow::default()));
        }
        let (_, key, window) = &mut epoch.keys[index];
        if !window.is_fresh(counter) {
            return Err(SframeError::Replayed);
        }
        let plaintext = key.open(counter, metadata, header_len, sealed).ok_or(SframeError::Forged)?;
        window.note(counter);
        Ok(plaintext)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use std::collections::HashSet;

    const BASE: [u8; 16] = [7; 16];
    const META: &[u8] = b"meta";

    fn pair() -> (Sealer, Opener) {
        let sealer = Sealer::new(&BaseKey::new(BASE), KeyEpoch(1), LeafIndex(1));
        let mut opener = Opener::default();
        opener.add_epoch(BaseKey::new(BASE), KeyEpoch(1), &[LeafIndex(1)]);
        (sealer, opener)
    }

    fn vectors() -> serde_json::Value {
        serde_json::from_str(include_str!("../../../tests/vectors/rfc9605.json")).unwrap()
    }

    fn hex(value: &serde_json::Value) -> Vec<u8> {
        HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
    }

    #[test]
    fn headers_of_rfc_9605() {
        let vectors = vectors();
        let cases = vectors["header"].as_array().unwrap();
        // Each of 17 key ids with each of 17 counters: both ends of every length that either can have.
        let mut pairs = HashSet::new();
        for case in cases {
            let (kid, counter) = (case["kid"].as_u64().unwrap(), case["ctr"].as_u64().unwrap());
            let mut bytes = Vec::new();
            header::write(kid, counter, &mut bytes);
            assert_eq!(bytes, hex(&case["encoded"]));
            assert_eq!(header::read(&bytes), Some((kid, counter, bytes.len())));
            assert!((0..bytes.len()).all(|end| header::read(&bytes[..end]).is_none()), "{bytes:02x?} cut short");
            pairs.insert((kid, counter));
        }
        let ends: HashSet<_> =
            (1..8).flat_map(|bytes| [(1 << (8 * bytes)) - 1, 1 << (8 * bytes)]).chain([0, 1, u64::MAX]).collect();
        let grid: HashSet<_> = ends.iter().flat_map(|&kid| ends.iter().map(move |&counter| (kid, counter))).collect();
        assert_eq!((cases.len(), pairs), (289, grid));
    }

    #[test]
    fn frame_of_rfc_9605() {
        let vectors = vectors();
        let case = &vectors["sframe"][0];
        let base = BaseKey::new(hex(&case["base_key"]).try_into().unwrap());
        let (kid, counter) = (case["kid"].as_u64().unwrap(), case["ctr"].as_u64().unwrap());
        let key = FrameKey::derive(&base, kid);
        let mut sealed = Vec::new();
        header::write(kid, counter, &mut sealed);
        let header_len = sealed.len();
        sealed.extend(hex(&case["pt"]));
        key.seal(counter, &hex(&case["metadata"]), header_len, &mut sealed).unwrap();
        assert_eq!(sealed, hex(&case["ct"]));
        assert_eq!(key.open(counter, &hex(&case["metadata"]), header_len, &sealed), Some(hex(&case["pt"])));

        // Its key id happens to be one of ours: the sound of leaf 0x12 in epoch 3.
        let (leaf, metadata) = (LeafIndex(0x12), hex(&case["metadata"]));
        assert_eq!(kid, key_id(Stream::Audio, leaf, KeyEpoch(3)));
        let mut opener = Opener::default();
        opener.add_epoch(base, KeyEpoch(3), &[leaf]);
        assert_eq!(opener.open(leaf, Stream::Audio, &metadata, &sealed), Ok(hex(&case["pt"])));
        assert_eq!(opener.open(leaf, Stream::Audio, &metadata, &sealed), Err(SframeError::Replayed));
    }

    #[test]
    fn another_implementation_opens_what_is_sealed_here() {
        use sframe::CipherSuite;
        use sframe::frame::EncryptedFrameView;
        use sframe::key::DecryptionKey;
        let (mut sealer, _) = pair();
        let kid = key_id(Stream::Video, LeafIndex(1), KeyEpoch(1));
        let key = DecryptionKey::derive_from(CipherSuite::AesGcm128Sha256, kid, BASE).unwrap();
        for payload in [b"first".as_slice(), b"", &[9; 5000]] {
            let sealed = sealer.seal(Stream::Video, META, payload).unwrap();
            let frame = EncryptedFrameView::try_with_meta_data(&sealed, META).unwrap();
            assert_eq!(frame.decrypt(&key).unwrap().payload(), payload);
        }
    }

    #[test]
    fn a_frame_opens_once() {
        let (mut sealer, mut opener) = pair();
        let sealed = sealer.seal(Stream::Audio, META, b"hello").unwrap();
        assert_eq!(opener.open(LeafIndex(1), Stream::Audio, META, &sealed).unwrap(), b"hello");
        assert_eq!(opener.open(LeafIndex(1), Stream::Audio, META, &sealed), Err(SframeError::Replayed));
    }

    #[test]
    fn no_frame_passes_for_another_stream_leaf_epoch_or_metadata() {
        let (mut sealer, mut opener) = pair();
        let sealed = sealer.seal(Stream::Video, META, b"frame").unwrap();
        assert_eq!(opener.open(LeafIndex(1), Stream::Audio, META, &sealed), Err(SframeError::Misattributed));
        assert_eq!(opener.open(LeafIndex(0), Stream::Video, META, &sealed), Err(SframeError::Misattributed));
        assert_eq!(opener.open(LeafIndex(1), Stream::Video, b"beta", &sealed), Err(SframeError::Forged));
        let mut later = Sealer::new(&BaseKey::new(BASE), KeyEpoch(2), LeafIndex(1));
        let sealed = later.seal(Stream::Video, META, b"frame").unwrap();
        assert_eq!(opener.open(LeafIndex(1), Stream::Video, META, &sealed), Err(SframeError::UnknownKey));
        let mut ghost = Sealer::new(&BaseKey::new(BASE), KeyEpoch(1), LeafIndex(5));
        let sealed = ghost.seal(Stream::Video, META, b"frame").unwrap();
        assert_eq!(opener.open(LeafIndex(5), Stream::Video, META, &sealed), Err(SframeError::UnknownKey));
    }

    #[test]
    fn a_forged_frame_does_not_move_the_window() {
        let (mut sealer, mut opener) = pair();
        let sealed = sealer.seal(Stream::Video, META, b"frame").unwrap();
        let mut forged = sealed.clone();
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(opener.open(LeafIndex(1), Stream::Video, META, &forged), Err(SframeError::Forged));
        assert!(opener.open(LeafIndex(1), Stream::Video, META, &sealed).is_ok());
    }

    #[test]
    fn dropped_epochs_open_nothing() {
        let (mut sealer, mut opener) = pair();
        let sealed = sealer.seal(Stream::Video, META, b"frame").unwrap();
        opener.add_epoch(BaseKey::new([8; 16]), KeyEpoch(2), &[LeafIndex(1)]);
        opener.drop_before(KeyEpoch(2));
        assert_eq!(opener.open(LeafIndex(1), Stream::Video, META, &sealed), Err(SframeError::UnknownKey));
    }
}
