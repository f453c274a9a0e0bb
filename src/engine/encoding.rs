//! The encoding thread: the newest picture in, made as large as is worth it at the moment, bitstream out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::clock;
use super::config::VideoSettings;
use super::counters::{CallCounters, SendSwitches};
use crate::codec::{CodecError, CodedFrame, FrameRequest, VideoEncoder, VideoEncoderConfig};
use crate::media::{
    Doorbell, EncodedVideo, FrameId, Picture, RingSender, Scaler, SlotReader, Stage, Stamps, VideoFrame,
};
use crate::transport::rate::ladder::{Coded, Ladder, Limit, Step};

/// How long the thread sleeps at most before it looks whether the call is over.
const NAP: Duration = Duration::from_millis(200);
/// Encoded frames that may wait for the sealing thread before no more are made.
pub const MOST_WAITING: usize = 2;
/// Smaller pictures in use: the encoder copies each before the next is made.
const SCALED: usize = 1;

/// Makes an encoder for a picture's size and a rate.
pub type MakeEncoder = Box<dyn FnMut(&Picture, u32) -> Result<Box<dyn VideoEncoder>, CodecError> + Send>;

/// Encoder settings for a picture.
#[must_use]
pub fn encoder_config(picture: &Picture, fps: u32, bitrate_kbps: u32, threads: usize) -> VideoEncoderConfig {
    VideoEncoderConfig {
        width: picture.width(),
        height: picture.height(),
        fps,
        bitrate_kbps,
        threads,
        colour: picture.colour(),
    }
}

/// The encoding thread.
pub struct EncodeThread {
    /// Pictures.
    pub frames: SlotReader<VideoFrame>,
    /// Rung with each picture.
    pub bell: Arc<Doorbell>,
    /// To the sealing thread.
    pub out: RingSender<EncodedVideo>,
    /// Makes an encoder for a picture's size and a rate.
    pub make_encoder: MakeEncoder,
    /// How pictures are wanted.
    pub video: VideoSettings,
    /// They may be smaller and fewer than that.
    pub ladder: bool,
    /// What control asks.
    pub switches: Arc<SendSwitches>,
    /// What happened.
    pub counters: Arc<CallCounters>,
}

/// What the thread keeps from picture to picture.
struct Encoding {
    ladder: Option<Ladder>,
    scaler: Scaler,
    /// An encoder, and the size that it is at.
    encoder: Option<(Box<dyn VideoEncoder>, (u32, u32))>,
    /// What was put into it and has not come out.
    waiting: VecDeque<(FrameId, Stamps)>,
    coded: Vec<CodedFrame>,
}

impl EncodeThread {
    /// Runs until the call is over.
    pub fn run(mut self) {
        self.bell.attend();
        let mut expected = FrameId(0);
        let mut state = Encoding {
            ladder: None,
            scaler: Scaler::new(SCALED),
            encoder: None,
            waiting: VecDeque::with_capacity(16),
            coded: Vec::with_capacity(2),
        };
        while !self.switches.stopped() {
            let Some(frame) = self.frames.take() else {
                self.bell.wait(Some(NAP));
                continue;
            };
            // Pictures that a newer one replaced in the slot.
            self.counters.skipped.add(u64::from(frame.id.0.wrapping_sub(expected.0)));
            expected = frame.id.next();
            let is_wanted = self.climb(&mut state, &frame);
            let bitrate_kbps = self.switches.bitrate_kbps.load(Ordering::Relaxed);
            if !is_wanted || self.out.waiting() >= MOST_WAITING || bitrate_kbps == 0 {
                // Encoding a frame that cannot leave would break the chain of references behind it.
                self.counters.skipped.count();
                continue;
            }
            if let Err(error) = self.encode(&mut state, frame, bitrate_kbps) {
                tracing::warn!(%error, "picture not encoded");
                self.counters.encode_errors.count();
                self.switches.keyframe.store(true, Ordering::Release);
                state.waiting.pop_back();
            }
        }
    }

    /// Finds how large and how many pictures are to be. False: this one is left out.
    fn climb(&self, state: &mut Encoding, frame: &VideoFrame) -> bool {
        let fps = self.video.fps;
        let source = Step { width: frame.picture.width(), height: frame.picture.height(), fps };
        if state.ladder.as_ref().is_none_or(|ladder| !ladder.is_for(source)) {
            state.ladder = Some(if self.ladder { Ladder::new(source) } else { Ladder::fixed(source) });
            self.counters.set_step(source, Limit::default());
        }
        let Some(ladder) = &mut state.ladder else { return false };
        let allowed_kbps = self.switches.allowed_kbps.load(Ordering::Relaxed);
        if let Some(step) = ladder.handle_rate(allowed_kbps, clock::now()) {
            tracing::debug!(?step, limit = ?ladder.limit(), allowed_kbps, "pictures are of another size or number");
            self.counters.step_changes.count();
            self.counters.set_step(step, ladder.limit());
            self.switches.fps.store(step.fps, Ordering::Relaxed);
        }
        ladder.take_picture()
    }

    fn encode(&mut self, state: &mut Encoding, frame: VideoFrame, bitrate_kbps: u32) -> Result<(), CodecError> {
        let VideoFrame { id, mut stamps, picture } = frame;
        let Encoding { ladder: Some(ladder), scaler, encoder, waiting, coded } = state else { return Ok(()) };
        let start = clock::now();
        stamps.set(Stage::EncodeStart, start);
        waiting.push_back((id, stamps));
        let Step { width, height, fps } = ladder.step();
        let missing = || CodecError::Failed { codec: "scaler", why: "no picture is free".into() };
        let picture = scaler.scale(&picture, (width, height)).ok_or_else(missing)?;
        // Its rate control counts all pictures of the source, also those that are left out.
        let bitrate_kbps = bitrate_kbps * self.video.fps / fps.max(1);
        let size = (width, height);
        let goes_on = match encoder {
            Some((_, made_for)) if *made_for == size => true,
            Some((encoder, _)) => encoder.resize(width, height)?,
            None => false,
        };
        if !goes_on {
            // What the old one held back is lost with it.
            let lost = waiting.len() - 1;
            self.counters.skipped.add(lost as u64);
            waiting.drain(..lost);
            *encoder = None;
            *encoder = Some(((self.make_encoder)(&picture, bitrate_kbps)?, size));
        }
        let Some((encoder, made_for)) = encoder else { return Ok(()) };
        *made_for = size;
        let request = FrameRequest {
            bitrate_kbps,
            keyframe: self.switches.keyframe.swap(false, Ordering::AcqRel),
            acknowledged: self.switches.acknowledged(),
            from_acknowledged: self.switches.from_acknowledged.swap(false, Ordering::AcqRel),
            prefer_acknowledged: self.switches.prefer_acknowledged.swap(false, Ordering::AcqRel),
        };
        encoder.encode(id, &picture, request, coded)?;
        let now = clock::now();
        self.counters.encode_time.sample(now.since(start));
        self.counters.encoder_depth.store(encoder.held_frames() as u32, Ordering::Relaxed);
        for frame in coded.drain(..) {
            let Some(at) = waiting.iter().position(|(id, _)| *id == frame.id) else { continue };
            let (_, mut stamps) = waiting[at];
            waiting.drain(..=at);
            stamps.set(Stage::Encoded, now);
            self.counters.encoded.count();
            self.counters.encoded_bytes.add(frame.data.len() as u64);
            let (bytes, quantiser, keyframe) = (frame.data.len(), frame.quantiser, frame.keyframe);
            ladder.handle_coded(Coded { bytes, quantiser, keyframe }, now.since(start));
            let encoded = EncodedVideo { id: frame.id, reference: frame.reference, stamps, data: frame.data };
            if self.out.push(encoded).is_err() {
                self.counters.skipped.count();
                self.switches.keyframe.store(true, Ordering::Release);
            }
        }
        Ok(())
    }
}
