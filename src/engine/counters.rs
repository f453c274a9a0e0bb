//! Counters and switches that the threads of one call share; plain atomics, so that looking never waits.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::sound::counters::SoundCounters;

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
    /// Times the encoder gave an error.
    pub encode_errors: Counter,
    /// Video frames that were sealed.
    pub sealed: Counter,
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
}

impl CallCounters {
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
    /// Rate of the next video frame.
    pub bitrate_kbps: AtomicU32,
    /// The peer wants a keyframe of ours, or rather: we want one of the peer's and its request is still to be sent.
    pub request_keyframe: AtomicBool,
}

impl SendSwitches {
    /// As a call begins.
    #[must_use]
    pub const fn new((microphone, camera): (bool, bool), bitrate_kbps: u32) -> Self {
        Self {
            stop: AtomicBool::new(false),
            keyframe: AtomicBool::new(false),
            camera: AtomicBool::new(camera),
            microphone: AtomicBool::new(microphone),
            speaker: AtomicBool::new(true),
            bitrate_kbps: AtomicU32::new(bitrate_kbps),
            request_keyframe: AtomicBool::new(false),
        }
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
    fn a_size_survives_its_packing() {
        let counters = CallCounters::default();
        counters.set_size(4096, 1081);
        assert_eq!(counters.size(), (4096, 1081));
    }
}
