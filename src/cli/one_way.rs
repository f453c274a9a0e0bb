//! How long the peer's pictures took, from the peer's camera to here: the figures of `call --stats` between two machines.
//!
//! The peer's times are brought to this machine's clock; the offset and its error stand beside the figures, and without them
//! there are none that span both machines. What the peer tells of a picture with a later one is waited for.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::bench::summary::{Durations, LEGS, Percentiles};
use crate::engine::handle::LateStamps;
use crate::media::{ClockOffset, FrameId, Stage, Stamps};

/// Pictures that wait for what the peer tells of them later.
const WAITING: usize = 16;

/// Collects the figures of one call.
#[derive(Debug, Default)]
pub struct OneWay {
    waiting: VecDeque<(FrameId, Stamps, Option<ClockOffset>)>,
    boundary: Option<Stage>,
    whole: Durations,
    legs: [Durations; LEGS.len()],
    clock: Option<ClockOffset>,
}

/// What is written down of it.
#[derive(Debug, Serialize)]
pub struct OneWayStats {
    /// Where the time of a picture ends; nothing if none was shown.
    boundary: Option<&'static str>,
    /// From the peer's capture to the boundary; nothing if the clocks could not be compared.
    capture_to_boundary: Option<Percentiles>,
    /// Its parts, those without a sample left out.
    stages: BTreeMap<&'static str, Percentiles>,
    /// How the peer's clock was known in the end.
    clock: Option<Clock>,
}

/// The peer's clock against ours, as documents say it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Clock {
    /// Both are programs on one machine: nothing is taken off.
    same: bool,
    /// Theirs less ours.
    offset_ms: f64,
    /// The truth is no further away than this, whatever the two ways are like.
    error_ms: f64,
}

impl From<ClockOffset> for Clock {
    fn from(clock: ClockOffset) -> Self {
        Self {
            same: clock.is_one_clock(),
            offset_ms: clock.ahead_ns as f64 / 1e6,
            error_ms: clock.error.as_secs_f64() * 1_000.0,
        }
    }
}

impl OneWay {
    /// A picture of the peer passed `boundary`.
    pub fn shown(&mut self, id: FrameId, stamps: Stamps, boundary: Stage, clock: Option<ClockOffset>) {
        (self.boundary, self.clock) = (Some(boundary), clock.or(self.clock));
        if self.waiting.len() == WAITING {
            self.settle_oldest();
        }
        self.waiting.push_back((id, stamps, clock));
    }

    /// The peer told more of one of its pictures.
    pub fn add(&mut self, late: &LateStamps) {
        if let Some((_, stamps, _)) = self.waiting.iter_mut().find(|(id, ..)| *id == late.id) {
            stamps.add(&late.stamps);
        }
    }

    /// Nothing more will come.
    pub fn finish(mut self) -> OneWayStats {
        while !self.waiting.is_empty() {
            self.settle_oldest();
        }
        let some = |durations: &Durations| (durations.count() > 0).then(|| durations.percentiles());
        let legs = LEGS.iter().zip(&self.legs).skip(1);
        OneWayStats {
            boundary: self.boundary.map(Stage::name),
            capture_to_boundary: some(&self.whole),
            stages: legs.filter_map(|(leg, durations)| Some((leg.name, some(durations)?))).collect(),
            clock: self.clock.map(Clock::from),
        }
    }

    fn settle_oldest(&mut self) {
        let (Some((_, stamps, clock)), Some(boundary)) = (self.waiting.pop_front(), self.boundary) else { return };
        // Parts within one machine need no clock of the other.
        let ours = stamps.on_our_clock(clock);
        if let Some(ms) = ours.millis(Stage::Captured, boundary) {
            self.whole.add(ms);
        }
        for (durations, leg) in self.legs.iter_mut().zip(&LEGS) {
            let from_theirs = leg.to <= Stage::LastPacketSent;
            if let Some(ms) = if from_theirs { &stamps } else { &ours }.millis(leg.from, leg.to) {
                durations.add(ms);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::media::Timestamp;

    fn shown(figures: &mut OneWay, clock: Option<ClockOffset>) {
        for number in 0..40_u32 {
            let at = |ms: i64| Timestamp::from_nanos((i64::from(number) * 33 + ms) * 1_000_000);
            let (mut stamps, mut late) = (Stamps::new(), Stamps::new());
            // The peer's clock is 5 s ahead of ours.
            for (stage, ms) in [
                (Stage::Captured, 5_000),
                (Stage::EncodeStart, 5_001),
                (Stage::Encoded, 5_004),
                (Stage::Complete, 26),
                (Stage::GpuDone, 30),
            ] {
                stamps.set(stage, at(ms));
            }
            for (stage, ms) in [(Stage::Sealed, 5_005), (Stage::LastPacketSent, 5_006)] {
                late.set(stage, at(ms));
            }
            figures.shown(FrameId(number), stamps, Stage::GpuDone, clock);
            figures.add(&LateStamps { id: FrameId(number), stamps: late });
        }
    }

    #[test]
    fn one_way_times_between_two_clocks_stand_beside_their_error() {
        let mut figures = OneWay::default();
        shown(&mut figures, Some(ClockOffset { ahead_ns: 5_000_000_000, error: Duration::from_millis(2) }));
        let stats = serde_json::to_value(figures.finish()).unwrap();
        let p50 = |value: &serde_json::Value| value["p50"].as_f64().unwrap().round() as i64;
        assert_eq!(p50(&stats["capture_to_boundary"]), 30);
        assert_eq!((stats["boundary"].as_str(), stats["clock"]["error_ms"].as_f64()), (Some("gpu_done"), Some(2.0)));
        assert_eq!(stats["clock"]["same"], false);
        assert_eq!(p50(&stats["stages"]["encode"]), 3);
        assert_eq!(p50(&stats["stages"]["network"]), 20);
    }

    #[test]
    fn without_the_offset_there_is_no_time_from_one_machine_to_the_other() {
        let mut figures = OneWay::default();
        shown(&mut figures, None);
        let stats = serde_json::to_value(figures.finish()).unwrap();
        assert!(stats["capture_to_boundary"].is_null() && stats["clock"].is_null(), "{stats}");
        assert!(stats["stages"]["network"].is_null() && stats["stages"]["encode"].is_object(), "{stats}");
    }
}
