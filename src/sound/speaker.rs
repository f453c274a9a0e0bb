//! A speaker of the system.

use std::sync::Arc;
use std::time::Duration;

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{FromSample, OutputCallbackInfo, Sample, SampleFormat, SizedSample, Stream, StreamConfig};
use rtrb::{Consumer, Producer, RingBuffer};

use super::devices::{BUILD, Found, SoundKind, build_stream, find, on_loss};
use super::tap::{Gauge, PlaybackTap};
use super::{SoundError, Speaker};
use crate::engine::clock;
use crate::media::{Doorbell, Timestamp};

/// A device without a callback for this long is gone. Some sleep for two seconds before their first.
pub(super) const STALL: Duration = Duration::from_secs(3);
/// The longest callback is looked for anew this often.
const LOOK: Duration = Duration::from_secs(2);

/// What must lie ready besides one callback: the writer's own delay in waking up.
const LEAST_MARGIN: Duration = Duration::from_millis(5);
const MOST_MARGIN: Duration = Duration::from_millis(60);
/// Growth of the margin after running dry.
const MARGIN_STEP: Duration = Duration::from_millis(5);
/// Shrinking of the margin with each [`LOOK`] without running dry.
const MARGIN_DECAY: Duration = Duration::from_millis(1);

/// What a speaker plays, for the echo canceller.
pub struct Reference {
    /// Mono samples.
    pub samples: Consumer<f32>,
    /// Their rate.
    pub rate_hz: u32,
    /// The speaker's gauge; its latency is the time from there to the air.
    pub gauge: Arc<Gauge>,
}

/// An open speaker; dropping it closes it.
pub struct DeviceSpeaker {
    name: String,
    samples: Producer<f32>,
    rate_hz: u32,
    gauge: Arc<Gauge>,
    /// Longest callbacks of this and the last look.
    longest: [u32; 2],
    looked: Timestamp,
    margin: Duration,
    dry_seen: u64,
    alive: Timestamp,
    calls: u64,
    _stream: Stream,
}

impl DeviceSpeaker {
    /// Opens a speaker by id or name, or the system's choice. `bell` is rung whenever it has taken something.
    pub fn open(wanted: Option<&str>, bell: &Arc<Doorbell>) -> Result<(Self, Reference), SoundError> {
        let found = find(SoundKind::Speaker, wanted)?;
        match found.format {
            SampleFormat::I8 => Self::start::<i8>(found, bell),
            SampleFormat::I16 => Self::start::<i16>(found, bell),
            SampleFormat::I24 => Self::start::<cpal::I24>(found, bell),
            SampleFormat::I32 => Self::start::<i32>(found, bell),
            SampleFormat::U8 => Self::start::<u8>(found, bell),
            SampleFormat::U16 => Self::start::<u16>(found, bell),
            SampleFormat::U32 => Self::start::<u32>(found, bell),
            SampleFormat::F32 => Self::start::<f32>(found, bell),
            SampleFormat::F64 => Self::start::<f64>(found, bell),
            other => Err(SoundError::Unusable { name: found.name, why: format!("its samples are {other}") }),
        }
    }

    fn start<T>(found: Found, bell: &Arc<Doorbell>) -> Result<(Self, Reference), SoundError>
    where
        T: Sample + SizedSample + FromSample<f32>,
    {
        let Found { device, name, config, .. } = found;
        let rate_hz = config.sample_rate;
        let gauge = Arc::new(Gauge::default());
        let build = |config: StreamConfig| {
            // Half a second each: more is never wanted, and the echo canceller reads every 10 ms.
            let (samples_in, samples) = RingBuffer::new(rate_hz as usize / 2);
            let (reference, reference_out) = RingBuffer::new(rate_hz as usize / 2);
            let channels = usize::from(config.channels);
            let (shared, bell) = (Arc::clone(&gauge), Arc::clone(bell));
            let mut tap = PlaybackTap::new(samples, reference, channels, shared, bell);
            let body = move |data: &mut [T], info: &OutputCallbackInfo| {
                let times = info.timestamp();
                tap.fill(data, times.playback.duration_since(times.callback));
            };
            let stream = device.build_output_stream(config, body, on_loss(&gauge, &name), Some(BUILD))?;
            stream.play()?;
            Ok((stream, samples_in, reference_out))
        };
        let (stream, samples, reference) = build_stream(&name, config, build)?;
        let reference = Reference { samples: reference, rate_hz, gauge: Arc::clone(&gauge) };
        let now = clock::now();
        let speaker = Self {
            name,
            samples,
            rate_hz,
            gauge,
            longest: [rate_hz / 100, 0],
            looked: now,
            margin: LEAST_MARGIN,
            dry_seen: 0,
            alive: now,
            calls: 0,
            _stream: stream,
        };
        Ok((speaker, reference))
    }

    fn queued(&self) -> usize {
        self.samples.buffer().capacity() - self.samples.slots()
    }
}

impl Speaker for DeviceSpeaker {
    fn name(&self) -> &str {
        &self.name
    }

    fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    fn advance(&mut self, now: Timestamp) -> Result<(), SoundError> {
        if let Some(fault) = self.gauge.fault() {
            return Err(fault);
        }
        let calls = self.gauge.calls();
        if calls != self.calls {
            (self.calls, self.alive) = (calls, now);
        } else if now.since(self.alive) > STALL {
            return Err(SoundError::Gone { name: self.name.clone(), why: "it takes no sound".into() });
        }
        if now.since(self.looked) >= LOOK {
            self.looked = now;
            self.longest = [self.gauge.take_longest(), self.longest[0]];
            let dry = self.gauge.missed();
            self.margin = if dry > self.dry_seen {
                (self.margin + MARGIN_STEP).min(MOST_MARGIN)
            } else {
                self.margin.saturating_sub(MARGIN_DECAY).max(LEAST_MARGIN)
            };
            self.dry_seen = dry;
        }
        Ok(())
    }

    fn wanted(&self) -> usize {
        let longest = self.gauge.longest().max(self.longest[0]).max(self.longest[1]) as usize;
        let margin = self.margin.as_micros() as usize * self.rate_hz as usize / 1_000_000;
        (longest + margin).min(self.samples.buffer().capacity()).saturating_sub(self.queued())
    }

    fn push(&mut self, samples: &[f32]) {
        let _ = self.samples.push_partial_slice(samples);
    }

    fn delay(&self) -> Duration {
        let queued = Duration::from_secs(1) * self.queued() as u32 / self.rate_hz.max(1);
        queued + self.gauge.latency()
    }

    fn due(&self, _now: Timestamp) -> Duration {
        STALL
    }

    fn dry(&self) -> u64 {
        self.gauge.missed()
    }
}
