//! AV1 and Opus behind blocking traits: no threads of ours, no rings. The engine gives each codec its thread.

pub mod aom;
pub mod dav1d;
mod kind;
pub mod opus;
pub mod probe;
pub mod rav1e;
#[cfg(any(test, not(feature = "rust-dav1d")))]
mod sequence;
#[cfg(test)]
mod tests;

pub use kind::EncoderKind;

use crate::media::{Colour, FrameId, Picture};

/// What an encoder is made for. A new size needs a new encoder; the rate is set with every frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoEncoderConfig {
    /// Width in luma samples, 16 to [`crate::media::MAX_DIMENSION`].
    pub width: u32,
    /// Height in luma samples, 16 to [`crate::media::MAX_DIMENSION`].
    pub height: u32,
    /// Frames a second that the rate control plans for.
    pub fps: u32,
    /// Rate to begin with.
    pub bitrate_kbps: u32,
    /// Threads that the encoder may use, its caller's included.
    pub threads: usize,
    /// Colour description written into the stream.
    pub colour: Colour,
}

impl VideoEncoderConfig {
    /// Refuses a picture of another size.
    pub fn check_size(&self, picture: &Picture) -> Result<(), CodecError> {
        if (picture.width(), picture.height()) == (self.width, self.height) {
            return Ok(());
        }
        Err(CodecError::WrongSize {
            expected_width: self.width,
            expected_height: self.height,
            width: picture.width(),
            height: picture.height(),
        })
    }
}

/// What is wanted of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRequest {
    /// Target rate from this frame on.
    pub bitrate_kbps: u32,
    /// Make this one a keyframe.
    pub keyframe: bool,
    /// The newest frame that the other side is known to be able to predict from, which is kept for that; none: not known.
    pub acknowledged: Option<FrameId>,
    /// What came after the acknowledged frame may be lost: predict from that one. An encoder that cannot makes a keyframe.
    pub from_acknowledged: bool,
    /// The same, but nothing is lost for certain: an encoder that cannot goes on as usual.
    pub prefer_acknowledged: bool,
}

impl FrameRequest {
    /// The next frame at a rate, predicted from the one before it.
    #[must_use]
    pub const fn at(bitrate_kbps: u32) -> Self {
        Self { bitrate_kbps, keyframe: false, acknowledged: None, from_acknowledged: false, prefer_acknowledged: false }
    }
}

/// A frame that came out of an encoder.
#[derive(Clone, Debug)]
pub struct CodedFrame {
    /// Number it was put in with.
    pub id: FrameId,
    /// Whether decoding can start here.
    pub keyframe: bool,
    /// The frame that it is predicted from; none for a keyframe.
    pub reference: Option<FrameId>,
    /// How coarse it is: AV1's base quantiser index, 0 to 255.
    pub quantiser: u8,
    /// One temporal unit, low-overhead OBU format.
    pub data: Vec<u8>,
}

/// A blocking AV1 encoder.
pub trait VideoEncoder: Send {
    /// Its name on the command line and in reports.
    fn name(&self) -> &'static str;

    /// Encodes one picture; what is finished (this one, or with a deep encoder an earlier one) is appended to `out`.
    fn encode(
        &mut self,
        id: FrameId,
        picture: &Picture,
        request: FrameRequest,
        out: &mut Vec<CodedFrame>,
    ) -> Result<(), CodecError>;

    /// Goes on with pictures of another size, without a keyframe where the format allows it. False: it cannot, and a new
    /// encoder is needed.
    fn resize(&mut self, width: u32, height: u32) -> Result<bool, CodecError>;

    /// Frames put in that have not come out: the depth it holds back, 0 for a live encoder.
    fn held_frames(&self) -> usize;
}

/// A blocking AV1 decoder.
pub trait VideoDecoder: Send {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// Decodes one temporal unit and gives the picture it shows, if the decoder has it already.
    ///
    /// After an error the decoder stays usable: the next keyframe heals it.
    fn decode(&mut self, data: &[u8]) -> Result<Option<Picture>, CodecError>;

    /// Temporal units put in whose picture has not come out.
    fn held_frames(&self) -> usize;
}

/// What can go wrong in a codec.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The configuration cannot be served.
    #[error("{codec} cannot be opened: {why}")]
    Open {
        /// Which codec.
        codec: &'static str,
        /// The library's reason.
        why: String,
    },
    /// A picture of another size than the encoder was made for.
    #[error("the encoder is for {expected_width}×{expected_height}, the picture has {width}×{height}")]
    WrongSize {
        /// The encoder's width.
        expected_width: u32,
        /// The encoder's height.
        expected_height: u32,
        /// The picture's width.
        width: u32,
        /// The picture's height.
        height: u32,
    },
    /// The library gave up on this input.
    #[error("{codec} failed: {why}")]
    Failed {
        /// Which codec.
        codec: &'static str,
        /// The library's reason.
        why: String,
    },
    /// The bitstream is not valid AV1 or Opus, or not of a kind that calls use (8-bit 4:2:0, bounded size).
    #[error("bitstream refused: {0}")]
    Bitstream(String),
}
