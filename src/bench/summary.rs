//! Distributions of durations: percentiles for tables and JSON, and the stages of a frame's way.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::media::{Stage, Stamps};

/// Percentiles of a duration in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half are below.
    pub p50: f64,
    /// 95 of 100 are below.
    pub p95: f64,
    /// 99 of 100 are below.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// Durations up to a minute with three significant digits.
#[derive(Clone, Debug)]
pub struct Durations(Histogram<u64>);

impl Default for Durations {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, 60_000_000, 3).expect("bounds are constant and valid");
        Self(histogram)
    }
}

impl Durations {
    /// Adds one, in milliseconds; below zero (clocks that disagree) counts as zero.
    pub fn add(&mut self, millis: f64) {
        self.0.saturating_record((millis * 1_000.0).max(0.0) as u64);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Percentiles; zeros if there are none.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        let at = |quantile| self.0.value_at_quantile(quantile) as f64 / 1_000.0;
        Percentiles { p50: at(0.50), p95: at(0.95), p99: at(0.99), max: self.0.max() as f64 / 1_000.0 }
    }
}

/// A part of a frame's way that reports show: its name, where it begins and where it ends.
pub struct Leg {
    /// Name in JSON and tables.
    pub name: &'static str,
    /// First stage.
    pub from: Stage,
    /// Last stage.
    pub to: Stage,
}

/// The legs of the whole way, end to end and without overlap, and the whole itself first. The last stands for the two before
/// it where they cannot be told apart: a window's toolkit submits everything at once, at a time of its own.
pub const LEGS: [Leg; 13] = [
    Leg { name: "capture_to_gpu_done", from: Stage::Captured, to: Stage::GpuDone },
    Leg { name: "convert", from: Stage::Captured, to: Stage::Converted },
    Leg { name: "wait_encode", from: Stage::Converted, to: Stage::EncodeStart },
    Leg { name: "encode", from: Stage::EncodeStart, to: Stage::Encoded },
    Leg { name: "seal", from: Stage::Encoded, to: Stage::Sealed },
    Leg { name: "send", from: Stage::Sealed, to: Stage::LastPacketSent },
    Leg { name: "network", from: Stage::LastPacketSent, to: Stage::Complete },
    Leg { name: "open", from: Stage::Complete, to: Stage::Opened },
    Leg { name: "wait_decode", from: Stage::Opened, to: Stage::DecodeStart },
    Leg { name: "decode", from: Stage::DecodeStart, to: Stage::Decoded },
    Leg { name: "upload", from: Stage::Decoded, to: Stage::Submitted },
    Leg { name: "gpu", from: Stage::Submitted, to: Stage::GpuDone },
    Leg { name: UPLOAD_AND_GPU, from: Stage::Decoded, to: Stage::GpuDone },
];

const UPLOAD_AND_GPU: &str = "upload_and_gpu";

/// The distribution of each leg over these frames, in the order of [`LEGS`].
#[must_use]
pub fn legs<'a>(frames: impl IntoIterator<Item = &'a Stamps>) -> [Durations; LEGS.len()] {
    let mut durations: [Durations; LEGS.len()] = std::array::from_fn(|_| Durations::default());
    for stamps in frames {
        for (durations, leg) in durations.iter_mut().zip(&LEGS) {
            let is_split = leg.name == UPLOAD_AND_GPU && stamps.get(Stage::Submitted).is_some();
            if let Some(millis) = stamps.millis(leg.from, leg.to).filter(|_| !is_split) {
                durations.add(millis);
            }
        }
    }
    durations
}

/// Signal delay as Salsify (NSDI 2018) counts it: each sent frame is charged until the next frame that was shown,
/// whichever that is; where none follows, until `end`. `sent` are capture times, `shown` pairs of (capture time, time shown), all
/// in milliseconds and in order.
#[must_use]
pub fn signal_delay(sent: &[f64], shown: &[(f64, f64)], end: f64) -> Durations {
    let mut durations = Durations::default();
    let mut next = 0;
    for &captured in sent {
        while shown.get(next).is_some_and(|(shown_capture, _)| *shown_capture < captured) {
            next += 1;
        }
        let seen = shown.get(next).map_or(end, |(_, at)| *at);
        durations.add(seen - captured);
    }
    durations
}

/// To three decimals.
#[must_use]
pub fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Timestamp;

    #[test]
    fn percentiles_of_a_ramp() {
        let mut durations = Durations::default();
        (1..=100).for_each(|millis| durations.add(f64::from(millis)));
        let percentiles = durations.percentiles();
        assert!((percentiles.p50 - 50.0).abs() < 0.1, "{percentiles:?}");
        assert!((percentiles.p95 - 95.0).abs() < 0.1, "{percentiles:?}");
        assert!((percentiles.max - 100.0).abs() < 0.1, "{percentiles:?}");
    }

    #[test]
    fn the_legs_join_up_from_capture_to_gpu_done() {
        let [whole, legs @ .., upload_and_gpu] = &LEGS;
        for pair in legs.windows(2) {
            assert_eq!(pair[0].to, pair[1].from);
        }
        let [.., upload, gpu] = legs;
        assert_eq!((legs[0].from, gpu.to), (whole.from, whole.to));
        assert_eq!((upload_and_gpu.from, upload_and_gpu.to), (upload.from, gpu.to));
    }

    #[test]
    fn upload_and_gpu_are_one_leg_only_where_nobody_knows_the_time_between_them() {
        let mut stamps = Stamps::new();
        for (millis, stage) in [(1, Stage::Decoded), (3, Stage::GpuDone)] {
            stamps.set(stage, Timestamp::from_nanos(millis * 1_000_000));
        }
        let counts =
            |stamps: &Stamps| legs([stamps]).iter().skip(LEGS.len() - 3).map(Durations::count).collect::<Vec<_>>();
        assert_eq!(counts(&stamps), [0, 0, 1]);
        stamps.set(Stage::Submitted, Timestamp::from_nanos(2_000_000));
        assert_eq!(counts(&stamps), [1, 1, 0]);
    }

    #[test]
    fn a_lost_frame_is_charged_until_the_next_one_shown() {
        let delays = signal_delay(&[0.0, 33.0, 66.0], &[(0.0, 10.0), (66.0, 80.0)], 1_000.0);
        assert_eq!(delays.count(), 3);
        let percentiles = delays.percentiles();
        assert!((percentiles.max - 47.0).abs() < 0.1, "{percentiles:?}");
    }

    #[test]
    fn a_frame_that_none_follows_is_charged_until_the_end() {
        let percentiles = signal_delay(&[0.0, 33.0], &[(0.0, 10.0)], 533.0).percentiles();
        assert!((percentiles.max - 500.0).abs() < 0.5, "{percentiles:?}");
    }
}
