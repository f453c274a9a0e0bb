//! The two video threads between slots and rings: encode on the sender's side, decode on the receiver's.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::clock;
use super::counters::{CallCounters, SendSwitches};
use crate::codec::{CodecError, FrameRequest, VideoDecoder, VideoEncoder, VideoEncoderConfig};
use crate::media::{
    Doorbell, EncodedVideo, FrameId, Picture, RingReceiver, RingSender, SlotReader, SlotWriter, Stage, VideoFrame,
};

/// How long a thread sleeps at most before it looks whether the call is over.
const NAP: Duration = Duration::from_millis(200);

/// Encoded frames that may wait for the sealing thread before no more are made.
pub const MOST_WAITING: usize = 2;

/// Encoded video that waited longer than this before decoding is still decoded (later frames need it) but never shown
/// if a newer one waits behind it.
pub type MakeEncoder = Box<dyn FnMut(&Picture, u32) -> Result<Box<dyn VideoEncoder>, CodecError> + Send>;

/// Opens a decoder.
pub type MakeDecoder = Box<dyn FnMut() -> Result<Box<dyn VideoDecoder>, CodecError> + Send>;

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

/// The encoding thread: newest picture in, bitstream out.
pub struct EncodeThread {
    /// Pictures.
    pub frames: SlotReader<VideoFrame>,
    /// Rung with each picture.
    pub bell: Arc<Doorbell>,
    /// To the sealing thread.
    pub out: RingSender<EncodedVideo>,
    /// Makes an encoder for a picture's size and a rate.
    pub make_encoder: MakeEncoder,
    /// What control asks.
    pub switches: Arc<SendSwitches>,
    /// What happened.
    pub counters: Arc<CallCounters>,
}

impl EncodeThread {
    /// Runs until the call is over.
    pub fn run(mut self) {
        self.bell.attend();
        let mut encoder: Option<(Box<dyn VideoEncoder>, (u32, u32))> = None;
        let mut waiting = VecDeque::with_capacity(16);
        let mut expected = FrameId(0);
        let mut coded = Vec::with_capacity(2);
        while !self.switches.stopped() {
            let Some(frame) = self.frames.take() else {
                self.bell.wait(Some(NAP));
                continue;
            };
            // Pictures that a newer one replaced in the slot.
            self.counters.skipped.add(u64::from(frame.id.0.wrapping_sub(expected.0)));
            expected = frame.id.next();
            if self.out.waiting() >= MOST_WAITING {
                // Encoding a frame that cannot leave would break the chain of references behind it.
                self.counters.skipped.count();
                continue;
            }
            let size = (frame.picture.width(), frame.picture.height());
            let bitrate_kbps = self.switches.bitrate_kbps.load(Ordering::Relaxed);
            if encoder.as_ref().is_none_or(|(_, made_for)| *made_for != size) {
                waiting.clear();
                match (self.make_encoder)(&frame.picture, bitrate_kbps) {
                    Ok(made) => encoder = Some((made, size)),
                    Err(error) => {
                        tracing::error!(%error, "no encoder");
                        self.counters.encode_errors.count();
                        continue;
                    }
                }
            }
            let Some((encoder, _)) = &mut encoder else { continue };
            self.encode(encoder.as_mut(), frame, bitrate_kbps, &mut waiting, &mut coded);
        }
    }

    fn encode(
        &mut self,
        encoder: &mut dyn VideoEncoder,
        frame: VideoFrame,
        bitrate_kbps: u32,
        waiting: &mut VecDeque<(FrameId, crate::media::Stamps)>,
        coded: &mut Vec<crate::codec::CodedFrame>,
    ) {
        let VideoFrame { id, mut stamps, picture } = frame;
        let start = clock::now();
        stamps.set(Stage::EncodeStart, start);
        waiting.push_back((id, stamps));
        let keyframe = self.switches.keyframe.swap(false, Ordering::AcqRel);
        let result = encoder.encode(id, &picture, FrameRequest { bitrate_kbps, keyframe }, coded);
        drop(picture);
        let now = clock::now();
        self.counters.encode_time.sample(now.since(start));
        self.counters.encoder_depth.store(encoder.held_frames() as u32, Ordering::Relaxed);
        if let Err(error) = result {
            tracing::warn!(%error, "picture not encoded");
            self.counters.encode_errors.count();
            self.switches.keyframe.store(true, Ordering::Release);
            waiting.pop_back();
            return;
        }
        for frame in coded.drain(..) {
            let Some(at) = waiting.iter().position(|(id, _)| *id == frame.id) else { continue };
            let (_, mut stamps) = waiting[at];
            waiting.drain(..=at);
            stamps.set(Stage::Encoded, now);
            self.counters.encoded.count();
            self.counters.encoded_bytes.add(frame.data.len() as u64);
            let encoded = EncodedVideo { id: frame.id, keyframe: frame.keyframe, stamps, data: frame.data };
            if self.out.push(encoded).is_err() {
                self.counters.skipped.count();
                self.switches.keyframe.store(true, Ordering::Release);
            }
        }
    }
}

/// The decoding thread: bitstream in, newest picture out.
pub struct DecodeThread {
    /// From the opening thread.
    pub frames: RingReceiver<EncodedVideo>,
    /// Rung with each frame.
    pub bell: Arc<Doorbell>,
    /// To whoever shows it.
    pub out: SlotWriter<VideoFrame>,
    /// The decoder.
    pub decoder: Box<dyn VideoDecoder>,
    /// Makes another one, should it panic.
    pub make_decoder: MakeDecoder,
    /// Where a keyframe is asked for.
    pub switches: Arc<SendSwitches>,
    /// What happened.
    pub counters: Arc<CallCounters>,
}

impl DecodeThread {
    /// Runs until the call is over; gives the slot back for the next call.
    pub fn run(mut self) -> SlotWriter<VideoFrame> {
        self.bell.attend();
        let mut broken = true;
        let mut expected = FrameId(0);
        while !self.switches.stopped() {
            let Some(mut frame) = self.frames.pop() else {
                self.bell.wait(Some(NAP));
                continue;
            };
            // Without the frame before it a picture would come out, but a wrong one.
            broken = !frame.keyframe && (broken || frame.id != expected);
            expected = frame.id.next();
            if broken {
                self.switches.request_keyframe.store(true, Ordering::Release);
                continue;
            }
            let start = clock::now();
            frame.stamps.set(Stage::DecodeStart, start);
            let result = self.decode(&frame.data);
            let now = clock::now();
            self.counters.decode_time.sample(now.since(start));
            self.counters.decoder_depth.store(self.decoder.held_frames() as u32, Ordering::Relaxed);
            match result {
                Ok(Some(picture)) => {
                    frame.stamps.set(Stage::Decoded, now);
                    self.counters.decoded.count();
                    self.counters.set_size(picture.width(), picture.height());
                    self.out.write(VideoFrame { id: frame.id, stamps: frame.stamps, picture });
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "frame not decoded");
                    self.counters.decode_errors.count();
                    broken = true;
                    self.switches.request_keyframe.store(true, Ordering::Release);
                }
            }
        }
        self.out
    }

    /// Decodes what a stranger sent. A decoder that panics over it is thrown away, and the next keyframe heals the picture;
    /// the thread lives on, since it holds what the next call needs.
    fn decode(&mut self, data: &[u8]) -> Result<Option<Picture>, CodecError> {
        let decoder = &mut self.decoder;
        catch_unwind(AssertUnwindSafe(|| decoder.decode(data))).unwrap_or_else(|_| {
            let broken = std::mem::replace(&mut self.decoder, (self.make_decoder)()?);
            let _ = catch_unwind(AssertUnwindSafe(|| drop(broken)));
            Err(CodecError::Bitstream("the decoder broke over it and was opened anew".into()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Colour, PicturePool, Stamps, ring, slot};

    /// Panics over the byte 0, and ever after.
    struct Fragile {
        broken: bool,
    }

    impl VideoDecoder for Fragile {
        fn name(&self) -> &'static str {
            "fragile"
        }

        fn decode(&mut self, data: &[u8]) -> Result<Option<Picture>, CodecError> {
            self.broken |= data == [0];
            assert!(!self.broken, "what a hostile bitstream may do");
            let mut pool = PicturePool::new(1);
            let picture = pool.acquire(16, 16, Colour::default()).unwrap();
            Ok(Some(pool.finish(picture)))
        }

        fn held_frames(&self) -> usize {
            0
        }
    }

    #[test]
    fn a_decoder_that_panics_is_opened_anew_and_the_next_keyframe_is_shown() {
        let bell = Arc::new(Doorbell::default());
        let (mut frames_in, frames) = ring("opened", 8, Arc::clone(&bell));
        let (out, mut shown) = slot(Arc::default());
        let switches = Arc::new(SendSwitches::new((true, true), 1000));
        let counters = Arc::new(CallCounters::default());
        let open = || Ok(Box::new(Fragile { broken: false }) as Box<dyn VideoDecoder>);
        let decoder = open().unwrap();
        let (s, c) = (Arc::clone(&switches), Arc::clone(&counters));
        let make_decoder = Box::new(open);
        let decode =
            DecodeThread { frames, bell: Arc::clone(&bell), out, decoder, make_decoder, switches: s, counters: c };
        let thread = std::thread::Builder::new().name("decode".into()).spawn(move || decode.run()).unwrap();
        for (id, keyframe, byte) in [(0, true, 1), (1, false, 0), (2, false, 1), (3, true, 1)] {
            let frame = EncodedVideo { id: FrameId(id), keyframe, stamps: Stamps::default(), data: vec![byte] };
            assert!(frames_in.push(frame).is_ok());
        }
        while counters.decoded.get() < 2 && !thread.is_finished() {
            std::thread::sleep(Duration::from_millis(1));
        }
        switches.stop.store(true, Ordering::Release);
        bell.ring();
        assert!(thread.join().is_ok(), "the thread gives its slot back");
        assert_eq!((counters.decoded.get(), counters.decode_errors.get()), (2, 1));
        assert!(switches.request_keyframe.load(Ordering::Acquire));
        assert_eq!(shown.take().map(|frame| frame.id), Some(FrameId(3)));
    }
}
