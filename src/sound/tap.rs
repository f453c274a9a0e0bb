//! The bodies of the audio callbacks. They touch atomics and lock-free rings only: no lock, no allocation, no log call,
//! no syscall but the wake-up. Debug builds abort on an allocation in them ([`realtime`]).

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use cpal::{FromSample, Sample};
use rtrb::{Consumer, Producer};

use super::SoundError;
use crate::media::{Doorbell, Timestamp};

/// Runs the body of an audio callback. A debug build of the program ends with a message if it allocates or frees.
#[inline]
pub fn realtime<T>(body: impl FnOnce() -> T) -> T {
    assert_no_alloc::assert_no_alloc(body)
}

/// What a callback and its reader know of each other.
#[derive(Debug, Default)]
pub struct Gauge {
    latency_us: AtomicU32,
    /// Samples lost (microphone) or missing (speaker).
    missed: AtomicU64,
    /// Longest callback since last asked, in frames.
    longest: AtomicU32,
    /// Callbacks so far.
    calls: AtomicU64,
    /// Set by the library's error callback, which is no real-time one.
    fault: Mutex<Option<SoundError>>,
}

impl Gauge {
    /// Time between the air and the callback, as the system says.
    #[must_use]
    pub fn latency(&self) -> Duration {
        Duration::from_micros(self.latency_us.load(Ordering::Relaxed).into())
    }

    /// Samples lost or missing so far.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Callbacks so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The longest callback since this was last asked, in frames.
    pub fn take_longest(&self) -> u32 {
        self.longest.swap(0, Ordering::Relaxed)
    }

    /// The longest callback so far, without forgetting it.
    #[must_use]
    pub fn longest(&self) -> u32 {
        self.longest.load(Ordering::Relaxed)
    }

    /// Notes that the device is lost.
    pub fn set_fault(&self, fault: SoundError) {
        if let Ok(mut slot) = self.fault.lock() {
            slot.get_or_insert(fault);
        }
    }

    /// Why the device is lost, if it is.
    #[must_use]
    pub fn fault(&self) -> Option<SoundError> {
        self.fault.lock().ok().and_then(|fault| fault.clone())
    }

    fn note_call(&self, frames: usize, latency: Duration) {
        /// A system that claims more is wrong.
        const LONGEST_LATENCY: Duration = Duration::from_secs(2);
        self.latency_us.store(latency.min(LONGEST_LATENCY).as_micros() as u32, Ordering::Relaxed);
        self.longest.fetch_max(frames as u32, Ordering::Relaxed);
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

/// When a sample was at the microphone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Number of the sample among those that went into the ring.
    pub sample: u64,
    /// When it was there.
    pub at: Timestamp,
}

/// Body of the microphone's callback.
pub struct CaptureTap {
    /// Mono samples at the device's rate. Full: the newest are lost and counted.
    pub samples: Producer<f32>,
    /// One for each callback. Full: the newest is lost, the reader goes by those before.
    pub marks: Producer<Mark>,
    /// Channels of the device.
    pub channels: usize,
    /// Samples that went in so far.
    pub written: u64,
    /// Shared with the reader.
    pub gauge: Arc<Gauge>,
    /// Wakes the reader.
    pub bell: Arc<Doorbell>,
}

impl CaptureTap {
    /// Takes what the device has captured up to `now` less `latency` (its first sample being that old).
    pub fn take<T>(&mut self, data: &[T], now: Timestamp, latency: Duration)
    where
        T: Sample,
        f32: FromSample<T>,
    {
        realtime(|| {
            let frames = data.len() / self.channels.max(1);
            self.gauge.note_call(frames, latency);
            let _ = self.marks.push(Mark { sample: self.written, at: now - latency });
            let room = frames.min(self.samples.slots());
            let mono = data.chunks_exact(self.channels.max(1)).map(mono);
            let written = self.samples.write_chunk_uninit(room).map_or(0, |chunk| chunk.fill_from_iter(mono));
            self.written += written as u64;
            self.gauge.missed.fetch_add((frames - written) as u64, Ordering::Relaxed);
            self.bell.ring();
        });
    }
}

/// Samples over which a speaker that ran dry comes back.
const FADE_SAMPLES: f32 = 96.0;
/// What remains of the last sample from one to the next after running dry.
const DECAY: f32 = 0.97;

/// Body of the speaker's callback.
pub struct PlaybackTap {
    samples: Consumer<f32>,
    reference: Producer<f32>,
    channels: usize,
    gauge: Arc<Gauge>,
    bell: Arc<Doorbell>,
    /// Loudness after running dry, 0 to 1.
    gain: f32,
    /// The last sample.
    last: f32,
    /// What remains of the sample before running dry.
    tail: f32,
    /// Whether anything has been played: before that nothing is missing.
    begun: bool,
}

impl PlaybackTap {
    /// Plays `samples` (mono, at the device's rate) on the first two of `channels`. What was played goes to `reference`
    /// for the echo canceller; when that is full, the newest is lost, for then nobody listens.
    #[must_use]
    pub const fn new(
        samples: Consumer<f32>,
        reference: Producer<f32>,
        channels: usize,
        gauge: Arc<Gauge>,
        bell: Arc<Doorbell>,
    ) -> Self {
        Self { samples, reference, channels, gauge, bell, gain: 0.0, last: 0.0, tail: 0.0, begun: false }
    }

    /// Fills the device's buffer, which will be heard after `latency`. What is missing is a quick fade, not a click.
    pub fn fill<T>(&mut self, out: &mut [T], latency: Duration)
    where
        T: Sample + FromSample<f32>,
    {
        realtime(|| {
            let channels = self.channels.max(1);
            self.gauge.note_call(out.len() / channels, latency);
            let mut missing = 0;
            for frame in out.chunks_exact_mut(channels) {
                self.tail = if self.tail.abs() > 1e-5 { self.tail * DECAY } else { 0.0 };
                self.last = if let Ok(sample) = self.samples.pop() {
                    self.begun = true;
                    self.gain = (self.gain + 1.0 / FADE_SAMPLES).min(1.0);
                    sample * self.gain + self.tail
                } else {
                    if self.gain > 0.0 {
                        (self.gain, self.tail) = (0.0, self.last * DECAY);
                    }
                    missing += 1;
                    self.tail
                };
                let _ = self.reference.push(self.last);
                for (index, sample) in frame.iter_mut().enumerate() {
                    *sample = if index < 2 { T::from_sample(self.last) } else { T::EQUILIBRIUM };
                }
            }
            if self.begun {
                self.gauge.missed.fetch_add(missing, Ordering::Relaxed);
            }
            self.bell.ring();
        });
    }
}

/// The mean of a frame's channels, within full scale.
fn mono<T>(frame: &[T]) -> f32
where
    T: Sample,
    f32: FromSample<T>,
{
    let mean = frame.iter().map(|sample| sample.to_sample::<f32>()).sum::<f32>() / frame.len() as f32;
    if mean.is_finite() { mean.clamp(-1.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(channels: usize, room: usize) -> (CaptureTap, Consumer<f32>, Consumer<Mark>) {
        let (samples, samples_out) = rtrb::RingBuffer::new(room);
        let (marks, marks_out) = rtrb::RingBuffer::new(8);
        let (gauge, bell) = (Arc::default(), Arc::default());
        (CaptureTap { samples, marks, channels, written: 0, gauge, bell }, samples_out, marks_out)
    }

    fn playback(channels: usize, queued: &[f32]) -> (PlaybackTap, Producer<f32>, Consumer<f32>) {
        let (mut samples_in, samples) = rtrb::RingBuffer::new(4_096);
        samples_in.push_entire_slice(queued).unwrap();
        let (reference, reference_out) = rtrb::RingBuffer::new(4_096);
        let (gauge, bell) = (Arc::default(), Arc::default());
        let tap = PlaybackTap::new(samples, reference, channels, gauge, bell);
        (tap, samples_in, reference_out)
    }

    fn drain(consumer: &mut Consumer<f32>) -> Vec<f32> {
        std::iter::from_fn(|| consumer.pop().ok()).collect()
    }

    #[test]
    fn channels_become_one_and_formats_one_scale() {
        let (mut tap, mut samples, mut marks) = capture(2, 16);
        let now = Timestamp::from_nanos(5_000_000);
        tap.take(&[i16::MAX, i16::MAX, 0, i16::MIN], now, Duration::from_millis(2));
        tap.take(&[0.25_f32, 0.75, f32::NAN, 0.0, 9.0, 9.0], now, Duration::ZERO);
        tap.take(&[u8::MAX, u8::MIN], now, Duration::ZERO);
        let heard = drain(&mut samples);
        for (heard, expected) in heard.iter().zip([1.0, -0.5, 0.5, 0.0, 1.0, 0.0]) {
            assert!((heard - expected).abs() < 0.01, "{heard} for {expected}");
        }
        assert_eq!(heard.len(), 6);
        assert_eq!(marks.pop(), Ok(Mark { sample: 0, at: Timestamp::from_nanos(3_000_000) }));
        assert_eq!(marks.pop().map(|mark| mark.sample), Ok(2));
    }

    #[test]
    fn a_full_ring_loses_the_newest_and_counts_them() {
        let (mut tap, mut samples, _marks) = capture(1, 4);
        tap.take(&[0.1_f32, 0.2, 0.3, 0.4, 0.5, 0.6], Timestamp::ZERO, Duration::ZERO);
        assert_eq!(drain(&mut samples), [0.1, 0.2, 0.3, 0.4]);
        assert_eq!(tap.gauge.missed(), 2);
    }

    #[test]
    fn running_dry_is_a_fade_and_is_counted() {
        let (mut tap, mut samples, mut reference) = playback(2, &[0.5; 100]);
        let mut out = [0.0_f32; 400];
        tap.fill(&mut out, Duration::ZERO);
        assert_eq!(tap.gauge.missed(), 100);
        samples.push_entire_slice(&[0.5; 200]).unwrap();
        let mut again = [0.0_f32; 400];
        tap.fill(&mut again, Duration::ZERO);
        let left: Vec<f32> = out.iter().chain(&again).step_by(2).copied().collect();
        let leap = left.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        assert!(leap < 0.02, "a click of {leap}");
        assert_eq!(drain(&mut reference), left, "the echo canceller hears what is heard");
        assert!((left[399] - 0.5).abs() < 0.01, "full loudness is back");
    }

    #[test]
    fn silence_before_the_first_sample_is_not_missing() {
        let (mut tap, _samples, _reference) = playback(1, &[]);
        tap.fill(&mut [0_i16; 64], Duration::ZERO);
        assert_eq!(tap.gauge.missed(), 0);
        assert_eq!(tap.gauge.longest(), 64);
    }

    #[test]
    fn a_third_channel_stays_silent() {
        let (mut tap, _samples, _reference) = playback(3, &[0.5; 200]);
        let mut out = [7_u8; 600];
        tap.fill(&mut out, Duration::ZERO);
        assert_eq!(out[599], 128);
        assert!(out[597] > 180 && out[598] > 180);
    }
}
