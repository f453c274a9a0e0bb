//! rav1e tuned for calls: fastest preset, no reordering, shortest lookahead, no scene detection.
//!
//! Limits of its interface, all of them shown by the instrument and none hidden: it looks four pictures ahead and so
//! holds four back; a running encoder takes no new rate, so a change of rate that matters ends its stream (what is held
//! back comes out) and begins another with a keyframe. A keyframe on request costs nothing but its bits.

use std::collections::VecDeque;
use std::fmt::Display;

use ::rav1e::config::{Config, EncoderConfig, SpeedSettings};
use ::rav1e::prelude::{
    ColorDescription, ColorPrimaries, Context, EncoderStatus, Frame, FrameParameters, FrameType, FrameTypeOverride,
    MatrixCoefficients, PixelRange, Rational, SceneDetectionSpeed, TransferCharacteristics,
};

use super::{CodecError, CodedFrame, FrameRequest, VideoEncoder, VideoEncoderConfig};
use crate::media::{FrameId, MAX_DIMENSION, Matrix, Picture, Plane, Range};

const NAME: &str = "rav1e";
/// Most threads (and tiles): beyond it the tiles of a call's picture get too small.
const MOST_THREADS: usize = 4;
/// A wanted rate below this share of the running one is followed at once.
const FOLLOW_DOWN: f64 = 0.85;
/// A wanted rate above this multiple of the running one is followed, but not more often than [`PATIENCE_S`].
const FOLLOW_UP: f64 = 1.25;
/// Least time between two streams for the sake of a higher rate: each costs a keyframe.
const PATIENCE_S: u32 = 2;
/// Shortest span over which rav1e's rate control averages, in frames.
const LEAST_RESERVOIR: i32 = 12;

/// A rav1e encoder.
pub struct Rav1eEncoder {
    context: Context<u8>,
    config: VideoEncoderConfig,
    /// Frames put into `context` so far.
    frames: u32,
    held: VecDeque<FrameId>,
    /// The frame that came out last.
    previous: Option<FrameId>,
}

impl Rav1eEncoder {
    /// Opens an encoder for pictures of one size.
    pub fn open(config: &VideoEncoderConfig) -> Result<Self, CodecError> {
        let sides = 16..=MAX_DIMENSION;
        if !sides.contains(&config.width) || !sides.contains(&config.height) || config.fps == 0 {
            return Err(CodecError::Open { codec: NAME, why: "size or frame rate out of range".into() });
        }
        Ok(Self {
            context: open_context(config)?,
            config: *config,
            frames: 0,
            held: VecDeque::with_capacity(8),
            previous: None,
        })
    }

    /// Ends the stream and begins another when the wanted rate is far enough from the running one.
    fn follow_rate(&mut self, wanted_kbps: u32, out: &mut Vec<CodedFrame>) -> Result<(), CodecError> {
        let ratio = f64::from(wanted_kbps) / f64::from(self.config.bitrate_kbps.max(1));
        let patient = self.frames >= PATIENCE_S * self.config.fps;
        if !(ratio < FOLLOW_DOWN || ratio > FOLLOW_UP && patient) {
            return Ok(());
        }
        self.context.flush();
        self.take(out)?;
        self.config.bitrate_kbps = wanted_kbps;
        self.context = open_context(&self.config)?;
        self.frames = 0;
        self.held.clear();
        Ok(())
    }

    /// Takes what is finished.
    fn take(&mut self, out: &mut Vec<CodedFrame>) -> Result<(), CodecError> {
        loop {
            match self.context.receive_packet() {
                Ok(packet) => {
                    // Without reordering packets come out as pictures went in.
                    let id = self.held.pop_front().ok_or_else(|| failed("a frame that was never put in"))?;
                    let keyframe = packet.frame_type == FrameType::KEY;
                    let reference = self.previous.filter(|_| !keyframe);
                    self.previous = Some(id);
                    out.push(CodedFrame { id, keyframe, reference, quantiser: packet.qp, data: packet.data });
                }
                Err(EncoderStatus::Encoded) => {}
                Err(EncoderStatus::NeedMoreData | EncoderStatus::LimitReached) => return Ok(()),
                Err(status) => return Err(failed(&status)),
            }
        }
    }
}

impl VideoEncoder for Rav1eEncoder {
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
        self.follow_rate(request.bitrate_kbps, out)?;
        let mut frame = self.context.new_frame();
        copy(picture, &mut frame);
        // It takes no reference of ours.
        let frame_type_override =
            if request.keyframe || request.from_acknowledged { FrameTypeOverride::Key } else { FrameTypeOverride::No };
        let parameters = FrameParameters { frame_type_override, ..FrameParameters::default() };
        self.context.send_frame((frame, parameters)).map_err(|status| failed(&status))?;
        self.frames = self.frames.saturating_add(1);
        self.held.push_back(id);
        self.take(out)
    }

    fn resize(&mut self, _: u32, _: u32) -> Result<bool, CodecError> {
        Ok(false)
    }

    fn held_frames(&self) -> usize {
        self.held.len()
    }
}

fn failed(why: &(impl Display + ?Sized)) -> CodecError {
    CodecError::Failed { codec: NAME, why: why.to_string() }
}

fn open_context(config: &VideoEncoderConfig) -> Result<Context<u8>, CodecError> {
    let threads = config.threads.clamp(1, MOST_THREADS);
    let mut speed = SpeedSettings::from_preset(10);
    speed.rdo_lookahead_frames = 1;
    speed.scene_detection_mode = SceneDetectionSpeed::None;
    let mut encoder = EncoderConfig { speed_settings: speed, ..EncoderConfig::with_speed_preset(10) };
    encoder.width = config.width as usize;
    encoder.height = config.height as usize;
    encoder.time_base = Rational::new(1, u64::from(config.fps));
    encoder.low_latency = true;
    encoder.bitrate = i32::try_from(u64::from(config.bitrate_kbps) * 1_000).unwrap_or(i32::MAX);
    // The coarsest that rate control may choose: all there is.
    encoder.quantizer = 255;
    encoder.reservoir_frame_delay = Some((config.fps as i32 / 2).max(LEAST_RESERVOIR));
    encoder.tiles = threads;
    // Zero is never: keyframes come on request only.
    encoder.set_key_frame_interval(0, 0);
    encoder.pixel_range = match config.colour.range {
        Range::Limited => PixelRange::Limited,
        Range::Full => PixelRange::Full,
    };
    encoder.color_description = Some(ColorDescription {
        color_primaries: ColorPrimaries::BT709,
        transfer_characteristics: TransferCharacteristics::BT709,
        matrix_coefficients: match config.colour.matrix {
            Matrix::Bt601 => MatrixCoefficients::BT601,
            Matrix::Bt709 => MatrixCoefficients::BT709,
        },
    });
    let opened = Config::new().with_encoder_config(encoder).with_threads(threads).new_context();
    opened.map_err(|error| CodecError::Open { codec: NAME, why: error.to_string() })
}

fn copy(picture: &Picture, frame: &mut Frame<u8>) {
    for plane in Plane::ALL {
        let target = &mut frame.planes[plane as usize];
        let stride = target.cfg.stride;
        for (row, target) in picture.rows(plane).zip(target.data_origin_mut().chunks_mut(stride)) {
            target[..row.len()].copy_from_slice(row);
        }
    }
}
