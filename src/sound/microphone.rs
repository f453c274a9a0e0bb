//! A microphone of the system.

use std::sync::Arc;
use std::time::Duration;

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{FromSample, InputCallbackInfo, Sample, SampleFormat, SizedSample, Stream, StreamConfig};
use rtrb::{Consumer, RingBuffer};

use super::devices::{BUILD, Found, SoundKind, build_stream, find, on_loss};
use super::resample::Resampler;
use super::speaker::STALL;
use super::tap::{CaptureTap, Gauge, Mark};
use super::{Microphone, PIECE_SAMPLES, Piece, SoundError};
use crate::engine::clock;
use crate::media::{Doorbell, SAMPLE_RATE_HZ, Timestamp};

/// Callbacks whose times wait for the reader.
const MARKS: usize = 64;

/// An open microphone; dropping it closes it.
pub struct DeviceMicrophone {
    name: String,
    samples: Consumer<f32>,
    marks: Consumer<Mark>,
    mark: Mark,
    rate_hz: u32,
    /// Samples taken out of the ring so far.
    taken: u64,
    resampler: Resampler,
    /// 48 kHz, not yet read.
    ready: Vec<f32>,
    gauge: Arc<Gauge>,
    alive: Timestamp,
    calls: u64,
    _stream: Stream,
}

impl DeviceMicrophone {
    /// Opens a microphone by id or name, or the system's choice. `bell` is rung whenever there is something to read.
    pub fn open(wanted: Option<&str>, bell: &Arc<Doorbell>) -> Result<Self, SoundError> {
        let found = find(SoundKind::Microphone, wanted)?;
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

    fn start<T>(found: Found, bell: &Arc<Doorbell>) -> Result<Self, SoundError>
    where
        T: Sample + SizedSample,
        f32: FromSample<T>,
    {
        let Found { device, name, config, .. } = found;
        let rate_hz = config.sample_rate;
        let gauge = Arc::new(Gauge::default());
        let build = |config: StreamConfig| {
            // Half a second: the reader is woken every 10 ms.
            let (samples, samples_out) = RingBuffer::new(rate_hz as usize / 2);
            let (marks, marks_out) = RingBuffer::new(MARKS);
            let channels = usize::from(config.channels);
            let (shared, bell) = (Arc::clone(&gauge), Arc::clone(bell));
            let mut tap = CaptureTap { samples, marks, channels, written: 0, gauge: shared, bell };
            let body = move |data: &[T], info: &InputCallbackInfo| {
                let times = info.timestamp();
                tap.take(data, clock::now(), times.callback.duration_since(times.capture));
            };
            let stream = device.build_input_stream(config, body, on_loss(&gauge, &name), Some(BUILD))?;
            stream.play()?;
            Ok((stream, samples_out, marks_out))
        };
        let (stream, samples, marks) = build_stream(&name, config, build)?;
        Ok(Self {
            name,
            samples,
            marks,
            mark: Mark { sample: 0, at: clock::now() },
            rate_hz,
            taken: 0,
            resampler: Resampler::new(rate_hz, SAMPLE_RATE_HZ)?,
            ready: Vec::with_capacity(8 * PIECE_SAMPLES),
            gauge,
            alive: clock::now(),
            calls: 0,
            _stream: stream,
        })
    }

    fn take_in(&mut self) {
        let waiting = self.samples.slots();
        if let Ok(chunk) = self.samples.read_chunk(waiting) {
            let (first, second) = chunk.as_slices();
            for part in [first, second] {
                self.resampler.process(part, |made| self.ready.extend_from_slice(made));
            }
            chunk.commit_all();
            self.taken += waiting as u64;
        }
        while let Ok(mark) = self.marks.pop() {
            self.mark = mark;
        }
    }

    /// When the first sample of `ready` was at the microphone.
    fn time_of_ready(&self) -> Timestamp {
        let ready = self.ready.len() as u64 * u64::from(self.rate_hz) / u64::from(SAMPLE_RATE_HZ);
        let first = self.taken.saturating_sub(ready);
        let time = |samples: u64| Duration::from_nanos(samples * 1_000_000_000 / u64::from(self.rate_hz));
        if first >= self.mark.sample {
            self.mark.at + time(first - self.mark.sample)
        } else {
            self.mark.at - time(self.mark.sample - first)
        }
    }
}

impl Microphone for DeviceMicrophone {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(&mut self, piece: &mut Piece, now: Timestamp) -> Result<Option<Timestamp>, SoundError> {
        if let Some(fault) = self.gauge.fault() {
            return Err(fault);
        }
        let calls = self.gauge.calls();
        if calls != self.calls {
            (self.calls, self.alive) = (calls, now);
        } else if now.since(self.alive) > STALL {
            return Err(SoundError::Gone { name: self.name.clone(), why: "it delivers no sound".into() });
        }
        self.take_in();
        if self.ready.len() < PIECE_SAMPLES {
            return Ok(None);
        }
        let at = self.time_of_ready();
        piece.copy_from_slice(&self.ready[..PIECE_SAMPLES]);
        self.ready.drain(..PIECE_SAMPLES);
        Ok(Some(at))
    }

    fn latency(&self) -> Duration {
        self.gauge.latency()
    }

    fn due(&self, _now: Timestamp) -> Duration {
        STALL
    }

    fn lost(&self) -> u64 {
        self.gauge.missed()
    }

    fn is_acoustic(&self) -> bool {
        true
    }
}
