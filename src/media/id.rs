//! Small numbers that name things, as types, so that a leaf is never taken for an epoch.

use serde::{Deserialize, Serialize};

/// Number of a frame within its stream and sender, counted from 0 for the life of the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FrameId(pub u32);

impl FrameId {
    /// The frame after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// A sender's place in the MLS tree of the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LeafIndex(pub u8);

/// Epoch of the MLS group; media keys change with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyEpoch(pub u64);

/// One of a sender's streams. The number is on the wire and in the key id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Stream {
    /// Opus, one packet a block.
    Audio = 0,
    /// AV1 from the camera.
    Video = 1,
    /// What the receiver tells the sender: losses, arrival times, keyframe requests.
    Feedback = 2,
}

impl Stream {
    /// Every stream, in the order of its number.
    pub const ALL: [Self; 3] = [Self::Audio, Self::Video, Self::Feedback];

    /// The stream with this number on the wire.
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Audio),
            1 => Some(Self::Video),
            2 => Some(Self::Feedback),
            _ => None,
        }
    }
}
