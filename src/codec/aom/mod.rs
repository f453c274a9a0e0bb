//! libaom in real-time mode: one picture in, one frame out, nothing held back; the rate changes with any frame.
//!
//! Settings after libaom's own real-time guidance: constant bit rate, no lookahead, no frame dropping, keyframes only on
//! request, and none of the tools that cost more time than they save bits at these speeds.

mod ffi;

use super::{CodecError, CodedFrame, FrameRequest, VideoEncoder, VideoEncoderConfig};
use crate::media::{FrameId, MAX_DIMENSION, Picture};

const NAME: &str = "aom";

/// A libaom encoder.
pub struct AomEncoder {
    context: ffi::Context,
    config: VideoEncoderConfig,
    bitrate_kbps: u32,
    frames: i64,
}

impl AomEncoder {
    /// Opens an encoder for pictures of one size.
    pub fn open(config: &VideoEncoderConfig) -> Result<Self, CodecError> {
        let sides = 16..=MAX_DIMENSION;
        if !sides.contains(&config.width) || !sides.contains(&config.height) || config.fps == 0 {
            return Err(CodecError::Open { codec: NAME, why: "size or frame rate out of range".into() });
        }
        let context = ffi::Context::open(config).map_err(|why| CodecError::Open { codec: NAME, why })?;
        Ok(Self { context, config: *config, bitrate_kbps: config.bitrate_kbps, frames: 0 })
    }
}

impl VideoEncoder for AomEncoder {
    fn name(&self) -> &'static str {
        NAME
    }

    fn encode(
        &mut self,
        id: FrameId,
        picture: &Picture,
        request: FrameRequest,
        out: &mut Vec<CodedFrame>,
    ) -> Result<(), CodecError> {
        self.config.check_size(picture)?;
        let failed = |why| CodecError::Failed { codec: NAME, why };
        if request.bitrate_kbps != self.bitrate_kbps {
            self.context.set_bitrate(request.bitrate_kbps).map_err(failed)?;
            self.bitrate_kbps = request.bitrate_kbps;
        }
        let time = self.frames;
        self.frames += 1;
        let coded = self.context.encode(picture, time, request.keyframe).map_err(failed)?;
        let (data, keyframe) = coded.ok_or_else(|| failed("no frame came out".into()))?;
        out.push(CodedFrame { id, keyframe, data });
        Ok(())
    }

    fn held_frames(&self) -> usize {
        0
    }
}
