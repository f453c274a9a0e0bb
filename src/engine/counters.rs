//! Counters and switches that the threads of one call share; plain atomics, so that looking never waits.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::config::VideoSettings;
use super::peer_clock::PeerClock;
use super::sound::counters::SoundCounters;
use crate::media::{FrameId, PoolCounts};
use crate::transport::rate::ladder::{Limit, Step};

/// One number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn count(&self) {
        self.add(1);
    }

    /// `amount` more.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// So far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A duration in microseconds, smoothed over about sixteen samples.
#[derive(Debug, Default)]
pub struct Smoothed(AtomicU64);

impl Smoothed {
    /// Takes a sample. One writer.
    pub fn sample(&self, duration: std::time::Duration) {
        let sample = duration.as_micros() as u64 * 16;
        let old = self.0.load(Ordering::Relaxed);
        let new = if old == 0 { sample } else { old - old / 16 + sample / 16 };
        self.0.store(new, Ordering::Relaxed);
    }

    /// Milliseconds, once there is a sample.
    #[must_use]
    pub fn millis(&self) -> Option<f32> {
        let smoothed = self.0.load(Ordering::Relaxed);
        (smoothed > 0).then_some(smoothed as f32 / 16_000.0)
    }
}

/// What went one way, there and back.
#[derive(Debug, Default)]
pub struct Traffic {
    packets: Counter,
    bytes: Counter,
}

impl Traffic {
    /// A packet of so many bytes.
    pub fn count(&self, bytes: usize) {
        self.packets.count();
        self.bytes.add(bytes as u64);
    }

    /// Packets and bytes so far.
    #[must_use]
    pub fn get(&self) -> (u64, u64) {
        (self.packets.get(), self.bytes.get())
    }
}

/// What happened to frames on this side of a call so far.
#[derive(Debug, Default)]
pub struct CallCounters {
    /// Pictures that the source handed over.
    pub captured: Counter,
    /// Frames of the own camera that were damaged and left out.
    pub damaged: Counter,
    /// Pictures not encoded: a newer one came first, or the way ahead was full.
    pub skipped: Counter,
    /// Frames that came out of the encoder.
    pub encoded: Counter,
    /// Bytes that came out of the encoder.
    pub encoded_bytes: Counter,
    /// Bytes added to them, so that sizes tell little.
    pub padding_bytes: Counter,
    /// Times the encoder gave an error.
    pub encode_errors: Counter,
    /// Packets that waited too long for their turn and were not sent.
    pub late: Counter,
    /// Video frames that were sealed.
    pub sealed: Counter,
    /// Of those, the keyframes.
    pub keyframes: Counter,
    /// Packets of video that were lost and sent again, each time counted.
    pub resent: Counter,
    /// Bytes of them and of parity, with all headers.
    pub resent_bytes: Counter,
    /// Bytes of sealed packets that left, with all headers.
    pub wire_bytes: Counter,
    /// Parity packets that were sent.
    pub parity: Counter,
    /// Packets of the peer's video that were lost and rebuilt from parity.
    pub rebuilt: Counter,
    /// Frames that could not be sealed and so were not sent.
    pub unsealed: Counter,
    /// Whole video frames that came in.
    pub received: Counter,
    /// Bytes of video in them.
    pub received_bytes: Counter,
    /// Frames that did not open: forged, replayed, or under an unknown key. Never shown.
    pub unopened: Counter,
    /// Pictures that came out of the decoder.
    pub decoded: Counter,
    /// Times the decoder refused a bitstream.
    pub decode_errors: Counter,
    /// Buffers in the pool of the own source.
    pool_buffers: AtomicU32,
    /// Captures left out, since all of them were in use.
    pool_exhausted: AtomicU64,
    /// Sealed packets by way of the relay, sent and received.
    pub relayed: Traffic,
    /// Those between the two devices.
    pub direct: Traffic,
    /// What is known of the peer's clock.
    pub peer_clock: PeerClock,
    /// What happened to sound.
    pub sound: SoundCounters,
    /// Frames the encoder holds back now.
    pub encoder_depth: AtomicU32,
    /// Frames the decoder holds back now.
    pub decoder_depth: AtomicU32,
    /// Time for encoding.
    pub encode_time: Smoothed,
    /// Time for decoding.
    pub decode_time: Smoothed,
    /// Width and height of the received picture, 16 bits each.
    size: AtomicU32,
    /// Changes of the size or number of the pictures that are sent.
    pub step_changes: Counter,
    /// Those, and what keeps them from being more: width, height, pictures a second and the limit, 16 bits each.
    step: AtomicU64,
}

impl CallCounters {
    /// The traffic of one way.
    #[must_use]
    pub const fn traffic(&self, direct: bool) -> &Traffic {
        if direct { &self.direct } else { &self.relayed }
    }

    /// Notes how the pool of the own source is used.
    pub fn set_pool(&self, counts: PoolCounts) {
        self.pool_buffers.store(counts.buffers as u32, Ordering::Relaxed);
        self.pool_exhausted.store(counts.exhausted, Ordering::Relaxed);
    }

    /// How the pool of the own source is used.
    #[must_use]
    pub fn pool(&self) -> PoolCounts {
        let buffers = self.pool_buffers.load(Ordering::Relaxed) as usize;
        PoolCounts { buffers, exhausted: self.pool_exhausted.load(Ordering::Relaxed) }
    }

    /// Notes how large and how many the pictures are that are sent, and why.
    pub fn set_step(&self, step: Step, limit: Limit) {
        let parts = [step.width, step.height, step.fps, limit as u32];
        let packed = parts.into_iter().fold(0, |packed, part| packed << 16 | u64::from(part & 0xffff));
        self.step.store(packed, Ordering::Relaxed);
    }

    /// How large and how many the pictures are that are sent, and why.
    #[must_use]
    pub fn step(&self) -> (Step, Limit) {
        let packed = self.step.load(Ordering::Relaxed);
        let part = |at: u32| (packed >> (16 * at)) as u32 & 0xffff;
        let limit = Limit::ALL.into_iter().find(|limit| *limit as u32 == part(0)).unwrap_or_default();
        (Step { width: part(3), height: part(2), fps: part(1) }, limit)
    }

    /// Notes the size of the received picture.
    pub fn set_size(&self, width: u32, height: u32) {
        self.size.store(width << 16 | height, Ordering::Relaxed);
    }

    /// Size of the received picture.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        let size = self.size.load(Ordering::Relaxed);
        (size >> 16, size & 0xffff)
    }
}

/// What control asks of the sending threads.
#[derive(Debug)]
pub struct SendSwitches {
    /// The call is over.
    pub stop: AtomicBool,
    /// The next frame is to be a keyframe.
    pub keyframe: AtomicBool,
    /// The camera is on.
    pub camera: AtomicBool,
    /// The microphone is on.
    pub microphone: AtomicBool,
    /// The speaker is on.
    pub speaker: AtomicBool,
    /// Rate of the next video frame; zero: the path takes none now.
    pub bitrate_kbps: AtomicU32,
    /// What the path takes of video, whatever is on its way.
    pub allowed_kbps: AtomicU32,
    /// Pictures a second that are encoded.
    pub fps: AtomicU32,
    /// The newest picture that the peer can predict from, plus one; zero: none is known.
    acknowledged: AtomicU64,
    /// The next frame is to be predicted from that one.
    pub from_acknowledged: AtomicBool,
    /// The same, where the encoder can do so without a keyframe.
    pub prefer_acknowledged: AtomicBool,
    /// The peer wants a keyframe of ours, or rather: we want one of the peer's and its request is still to be sent.
    pub request_keyframe: AtomicBool,
}

impl SendSwitches {
    /// As a call begins.
    #[must_use]
    pub const fn new((microphone, camera): (bool, bool), video: &VideoSettings) -> Self {
        Self {
            stop: AtomicBool::new(false),
            keyframe: AtomicBool::new(false),
            camera: AtomicBool::new(camera),
            microphone: AtomicBool::new(microphone),
            speaker: AtomicBool::new(true),
            bitrate_kbps: AtomicU32::new(video.bitrate_kbps),
            allowed_kbps: AtomicU32::new(video.bitrate_kbps),
            fps: AtomicU32::new(video.fps),
            acknowledged: AtomicU64::new(0),
            from_acknowledged: AtomicBool::new(false),
            prefer_acknowledged: AtomicBool::new(false),
            request_keyframe: AtomicBool::new(false),
        }
    }

    /// Notes the newest picture that the peer can predict from.
    pub fn set_acknowledged(&self, picture: Option<FrameId>) {
        self.acknowledged.store(picture.map_or(0, |id| u64::from(id.0) + 1), Ordering::Release);
    }

    /// The newest picture that the peer can predict from, if that is known.
    #[must_use]
    pub fn acknowledged(&self) -> Option<FrameId> {
        self.acknowledged.load(Ordering::Acquire).checked_sub(1).map(|id| FrameId(id as u32))
    }

    /// Whether the call is over.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn smoothing_settles_on_a_steady_value() {
        let smoothed = Smoothed::default();
        assert_eq!(smoothed.millis(), None);
        smoothed.sample(Duration::from_millis(10));
        for _ in 0..200 {
            smoothed.sample(Duration::from_millis(4));
        }
        assert!(smoothed.millis().is_some_and(|millis| (millis - 4.0).abs() < 0.05), "{:?}", smoothed.millis());
    }

    #[test]
    fn a_step_survives_its_packing() {
        let counters = CallCounters::default();
        for limit in Limit::ALL {
            let step = Step { width: 4096, height: 1081, fps: 60 };
            counters.set_step(step, limit);
            assert_eq!(counters.step(), (step, limit));
        }
    }

    #[test]
    fn a_size_survives_its_packing() {
        let counters = CallCounters::default();
        counters.set_size(4096, 1081);
        assert_eq!(counters.size(), (4096, 1081));
    }
}
