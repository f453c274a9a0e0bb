//! The decoding thread: bitstream in, the newest picture out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::clock;
use super::counters::{CallCounters, SendSwitches};
use super::queues::MAX_WAIT;
use crate::codec::{CodecError, VideoDecoder};
use crate::media::{Doorbell, EncodedVideo, Picture, RecentFrames, RingReceiver, SlotWriter, Stage, VideoFrame};

/// How long a thread sleeps at most before it looks whether the call is over.
const NAP: Duration = Duration::from_millis(200);

/// Opens a decoder.
pub type MakeDecoder = Box<dyn FnMut() -> Result<Box<dyn VideoDecoder>, CodecError> + Send>;

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
        let mut decoded = RecentFrames::new();
        while !self.switches.stopped() {
            let Some(mut frame) = self.frames.pop() else {
                self.bell.wait(Some(NAP));
                continue;
            };
            let waited = frame.stamps.since(Stage::Opened, clock::now());
            self.frames.note_wait(waited);
            self.hold(&frame);
            // Without the frame that it is predicted from a picture would come out, but a wrong one. What is too old is not
            // worth a decoder that is behind already: it catches up, and goes on with a keyframe.
            let decodable = frame.reference.is_none_or(|reference| decoded.contains(reference));
            if waited > MAX_WAIT || !decodable {
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
                    decoded.insert(frame.id);
                    if let Some(captured) = frame.stamps.get(Stage::Captured) {
                        self.counters.sound.lipsync.note_picture(captured, now);
                    }
                    self.counters.decoded.count();
                    self.counters.set_size(picture.width(), picture.height());
                    self.out.write(VideoFrame { id: frame.id, stamps: frame.stamps, picture });
                }
                Ok(None) => decoded.insert(frame.id),
                Err(error) => {
                    tracing::debug!(%error, "frame not decoded");
                    self.counters.decode_errors.count();
                    // Whatever it holds now, nothing is to be predicted from it.
                    decoded.clear();
                    self.switches.request_keyframe.store(true, Ordering::Release);
                }
            }
        }
        self.out
    }

    /// Waits until a picture is not too far ahead of the sound.
    fn hold(&self, frame: &EncodedVideo) {
        let stamp = |stage| frame.stamps.get(stage);
        let (Some(captured), Some(opened)) = (stamp(Stage::Captured), stamp(Stage::Opened)) else { return };
        let now = clock::now();
        let Some(due) = self.counters.sound.lipsync.picture_due(captured, opened, now) else { return };
        let mut left = due.since(now);
        while !left.is_zero() && !self.switches.stopped() {
            self.bell.wait(Some(left));
            left = due.since(clock::now());
        }
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
    use crate::engine::config::VideoSettings;
    use crate::media::{Colour, FrameId, PicturePool, Stamps, ring, slot};

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
        let switches = Arc::new(SendSwitches::new((true, true), &VideoSettings::default()));
        let counters = Arc::new(CallCounters::default());
        let open = || Ok(Box::new(Fragile { broken: false }) as Box<dyn VideoDecoder>);
        let decoder = open().unwrap();
        let (s, c) = (Arc::clone(&switches), Arc::clone(&counters));
        let make_decoder = Box::new(open);
        let decode =
            DecodeThread { frames, bell: Arc::clone(&bell), out, decoder, make_decoder, switches: s, counters: c };
        let thread = std::thread::Builder::new().name("decode".into()).spawn(move || decode.run()).unwrap();
        for (id, reference, byte) in [(0, None, 1), (1, Some(0), 0), (2, Some(1), 1), (3, None, 1)] {
            let frame = EncodedVideo {
                id: FrameId(id),
                reference: reference.map(FrameId),
                stamps: Stamps::default(),
                data: vec![byte],
            };
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
