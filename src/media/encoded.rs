//! The things that travel in rings and slots: pictures with their record, encoded frames, audio.

use super::{FrameId, Picture, Stamps, Timestamp};

/// Everything in a call runs at 48 kHz mono.
pub const SAMPLE_RATE_HZ: u32 = 48_000;

/// Samples in one audio block: 20 ms.
pub const AUDIO_BLOCK_SAMPLES: usize = 960;

/// A picture on its way, with its number and its record.
#[derive(Clone, Debug)]
pub struct VideoFrame {
    /// Number within the stream.
    pub id: FrameId,
    /// When it passed which stage.
    pub stamps: Stamps,
    /// The picture itself.
    pub picture: Picture,
}

/// One AV1 temporal unit (low-overhead OBU format) for one picture.
#[derive(Clone, Debug)]
pub struct EncodedVideo {
    /// Number of the picture it shows.
    pub id: FrameId,
    /// Number of the picture that it is predicted from; none: decoding can start here.
    pub reference: Option<FrameId>,
    /// When it passed which stage.
    pub stamps: Stamps,
    /// The bitstream.
    pub data: Vec<u8>,
}

/// 20 ms of sound: [`AUDIO_BLOCK_SAMPLES`] mono samples at [`SAMPLE_RATE_HZ`], each −1…1.
#[derive(Clone, Copy, Debug)]
pub struct AudioBlock {
    /// When its first sample was at the microphone (or is to be at the speaker).
    pub at: Timestamp,
    /// The samples.
    pub samples: [f32; AUDIO_BLOCK_SAMPLES],
}

/// One Opus packet for one audio block.
#[derive(Clone, Debug)]
pub struct EncodedAudio {
    /// Number of the block.
    pub id: FrameId,
    /// When its first sample was at the microphone; zero if there was none.
    pub captured: Timestamp,
    /// When it came out of the encoder, or from under its seal.
    pub ready: Timestamp,
    /// The Opus packet.
    pub data: Vec<u8>,
}
