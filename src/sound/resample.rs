//! One sample rate to another, in pieces of any length, with a trim for clocks that do not run alike.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Adjustable, Async, FixedAsync, Resampler as _, SincInterpolationParameters, WindowFunction};

use super::SoundError;

/// Samples that are converted at one time: 5 ms at 48 kHz.
const CHUNK: usize = 240;
/// Length of the filter: 0.7 ms of delay at 48 kHz, flat to 20 kHz within a decibel.
const FILTER: usize = 64;
/// Largest trim; more is a fault of whoever asks.
const MAX_TRIM: f64 = 1.002;

/// A converter for one mono stream.
pub struct Resampler {
    converter: Option<Async<f32>>,
    waiting: Vec<f32>,
    converted: Vec<f32>,
}

impl Resampler {
    /// From one rate to another; equal rates cost nothing.
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, SoundError> {
        let converter = if from_hz == to_hz { None } else { Some(converter(from_hz, to_hz)?) };
        Ok(Self::around(converter))
    }

    /// From one rate to another, possibly the same, with a trim.
    pub fn with_trim(from_hz: u32, to_hz: u32) -> Result<Self, SoundError> {
        Ok(Self::around(Some(converter(from_hz, to_hz)?)))
    }

    fn around(converter: Option<Async<f32>>) -> Self {
        let room = converter.as_ref().map_or(0, rubato::Resampler::output_frames_max);
        Self { converter, waiting: Vec::with_capacity(CHUNK), converted: vec![0.0; room] }
    }

    /// Makes what comes out shorter by so many millionths (longer if negative) from the next chunk on.
    pub fn set_trim_ppm(&mut self, ppm: f32) {
        if let Some(converter) = &mut self.converter {
            let ratio = (1.0 - f64::from(ppm) * 1e-6).clamp(2.0 - MAX_TRIM, MAX_TRIM - 1e-4);
            // Within the bounds that the converter was made with, so that this cannot fail.
            let _ = converter.set_resample_ratio_relative(ratio, true);
        }
    }

    /// Takes samples and hands on what they make.
    pub fn process(&mut self, mut samples: &[f32], mut take: impl FnMut(&[f32])) {
        let Some(converter) = &mut self.converter else {
            return take(samples);
        };
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(CHUNK - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            samples = later;
            if self.waiting.len() < CHUNK {
                return;
            }
            let room = self.converted.len();
            let input = InterleavedSlice::new(self.waiting.as_slice(), 1, CHUNK);
            let output = InterleavedSlice::new_mut(self.converted.as_mut_slice(), 1, room);
            if let (Ok(input), Ok(mut output)) = (input, output)
                && let Ok((_, made)) = converter.process_into_buffer(&input, &mut output, None)
            {
                take(&self.converted[..made]);
            }
            self.waiting.clear();
        }
    }
}

fn converter(from_hz: u32, to_hz: u32) -> Result<Async<f32>, SoundError> {
    let unusable = |why: String| SoundError::Unusable { name: format!("{from_hz} to {to_hz} Hz"), why };
    if !(4_000..=384_000).contains(&from_hz) || !(4_000..=384_000).contains(&to_hz) {
        return Err(unusable("a sample rate that no sound device has".into()));
    }
    let filter = SincInterpolationParameters::new(FILTER, WindowFunction::Hann2);
    let ratio = f64::from(to_hz) / f64::from(from_hz);
    Async::new_sinc(ratio, MAX_TRIM, &filter, CHUNK, 1, FixedAsync::Input).map_err(|error| unusable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn tone(rate_hz: u32, pitch_hz: f32, samples: usize) -> Vec<f32> {
        (0..samples).map(|n| 0.5 * (TAU * pitch_hz * n as f32 / rate_hz as f32).sin()).collect()
    }

    /// Amplitude of `pitch_hz` in `samples`.
    fn amplitude(samples: &[f32], rate_hz: u32, pitch_hz: f32) -> f32 {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let phase = f64::from(TAU * pitch_hz) * n as f64 / f64::from(rate_hz);
            re += f64::from(*sample) * phase.cos();
            im += f64::from(*sample) * phase.sin();
        }
        (re.hypot(im) * 2.0 / samples.len() as f64) as f32
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_loudness_between_rates() {
        for (from, to) in [(44_100, 48_000), (48_000, 44_100), (16_000, 48_000), (96_000, 48_000)] {
            let mut resampler = Resampler::new(from, to).unwrap();
            let mut out = Vec::new();
            for piece in tone(from, 1_000.0, from as usize).chunks(441) {
                resampler.process(piece, |made| out.extend_from_slice(made));
            }
            assert!((out.len() as i64 - i64::from(to)).abs() < 1_000, "{from} to {to}: {} samples", out.len());
            let heard = amplitude(&out[2_000..out.len() - 2_000], to, 1_000.0);
            assert!((heard - 0.5).abs() < 0.02, "{from} to {to}: {heard}");
        }
    }

    #[test]
    fn the_trim_changes_the_length_by_what_it_says() {
        let mut resampler = Resampler::with_trim(48_000, 48_000).unwrap();
        for ppm in [-300.0, 300.0] {
            resampler.set_trim_ppm(ppm);
            let mut made = 0;
            for piece in tone(48_000, 440.0, 480_000).chunks(960) {
                resampler.process(piece, |samples| made += samples.len());
            }
            let change_ppm = (made as f32 / 480_000.0 - 1.0) * 1e6;
            assert!((change_ppm + ppm).abs() < 30.0, "{ppm} ppm made {change_ppm}");
        }
    }

    #[test]
    fn equal_rates_pass_untouched_and_impossible_ones_are_refused() {
        let samples = tone(48_000, 300.0, 777);
        let mut out = Vec::new();
        Resampler::new(48_000, 48_000).unwrap().process(&samples, |made| out.extend_from_slice(made));
        assert_eq!(out, samples);
        assert!(Resampler::new(0, 48_000).is_err());
    }
}
