//! libaom in real-time mode: one picture in, one frame out, nothing held back; the rate changes with any frame.
//!
//! Settings after libaom's own real-time guidance: constant bit rate, no lookahead, no frame dropping, keyframes only on
//! request, any of the last frames as reference, and none of the tools that cost more time than they save bits at these speeds.

mod ffi;
mod references;

use references::{Plan, References};

use super::{CodecError, CodedFrame, FrameRequest, VideoEncoder, VideoEncoderConfig};
use crate::media::{FrameId, MAX_DIMENSION, Picture};

const NAME: &str = "aom";
/// Sides that it takes.
const SIDES: std::ops::RangeInclusive<u32> = 16..=MAX_DIMENSION;

/// A libaom encoder.
pub struct AomEncoder {
    context: ffi::Context,
    config: VideoEncoderConfig,
    /// The size that it was opened for, which is the largest it can do.
    largest: (u32, u32),
    bitrate_kbps: u32,
    frames: i64,
    references: References,
}

impl AomEncoder {
    /// Opens an encoder for pictures of one size.
    pub fn open(config: &VideoEncoderConfig) -> Result<Self, CodecError> {
        if !SIDES.contains(&config.width) || !SIDES.contains(&config.height) || config.fps == 0 {
            return Err(CodecError::Open { codec: NAME, why: "size or frame rate out of range".into() });
        }
        let context = ffi::Context::open(config).map_err(|why| CodecError::Open { codec: NAME, why })?;
        Ok(Self {
            context,
            config: *config,
            largest: (config.width, config.height),
            bitrate_kbps: config.bitrate_kbps,
            frames: 0,
            references: References::default(),
        })
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
        let size = (self.config.width, self.config.height);
        let FrameRequest { acknowledged, from_acknowledged, prefer_acknowledged, .. } = request;
        let planned = self.references.plan(acknowledged, from_acknowledged, prefer_acknowledged, size);
        let plan = if request.keyframe { Plan::Key } else { planned };
        // Whatever goes wrong, the slots are not as planned.
        let mut references = std::mem::take(&mut self.references);
        let coded = self.context.encode(picture, time, plan).map_err(failed)?;
        let (data, keyframe) = coded.ok_or_else(|| failed("no frame came out".into()))?;
        let plan = if keyframe { Plan::Key } else { plan };
        references.note(id, plan, size);
        self.references = references;
        let reference = match plan {
            Plan::Key => None,
            Plan::Inter { reference, .. } => Some(reference),
        };
        let quantiser = self.context.quantiser().map_err(failed)?;
        out.push(CodedFrame { id, keyframe, reference, quantiser, data });
        Ok(())
    }

    fn resize(&mut self, width: u32, height: u32) -> Result<bool, CodecError> {
        let (largest_width, largest_height) = self.largest;
        if !(SIDES.contains(&width) && SIDES.contains(&height) && width <= largest_width && height <= largest_height) {
            return Ok(false);
        }
        let config = VideoEncoderConfig { width, height, bitrate_kbps: self.bitrate_kbps, ..self.config };
        self.context.resize(&config).map_err(|why| CodecError::Failed { codec: NAME, why })?;
        self.config = config;
        Ok(true)
    }

    fn held_frames(&self) -> usize {
        0
    }
}
