//! How far the peer's clock is ahead of ours, from the reports of arrivals that there are anyway. Sans-IO.
//!
//! A packet cannot arrive before it was sent. By the peer's report every packet that it received says "at most", and by its own
//! arrival here each report says "at least"; the two bounds lie as far apart as the shortest way there and the shortest way back
//! take together, whatever the ways are like. Between packets the bounds give way by what two clocks can run apart. So the truth
//! is always inside, however unlike the two ways are, and the error is half the least round trip.

use crate::media::Timestamp;
use crate::media::clock_offset::{ClockOffset, drift};
use crate::wire::feedback::{Feedback, TICK};

/// Packets whose sending is remembered: more than are spoken of in a report, and than leave in the longest round trip.
const SENT: usize = 1024;

/// Works the offset out. One for each call.
#[derive(Debug)]
pub struct ClockEstimator {
    /// Number and time by number, modulo the length.
    sent: Box<[Option<(u32, Timestamp)>]>,
    least: Option<Bound>,
    most: Option<Bound>,
}

/// A bound, and when it was that.
#[derive(Clone, Copy, Debug)]
struct Bound {
    ahead_ns: i64,
    at: Timestamp,
}

impl Bound {
    /// Where it has given way to by `now`, as a lower bound.
    fn down_to(self, now: Timestamp) -> i64 {
        self.ahead_ns.saturating_sub(drift(now.since(self.at)).as_nanos() as i64)
    }

    /// The same as an upper one.
    fn up_to(self, now: Timestamp) -> i64 {
        self.ahead_ns.saturating_add(drift(now.since(self.at)).as_nanos() as i64)
    }
}

impl Default for ClockEstimator {
    fn default() -> Self {
        Self { sent: vec![None; SENT].into_boxed_slice(), least: None, most: None }
    }
}

impl ClockEstimator {
    /// The packet of this number leaves.
    pub fn handle_sent(&mut self, number: u32, now: Timestamp) {
        self.sent[number as usize % SENT] = Some((number, now));
    }

    /// A report has arrived, at `arrived`.
    pub fn handle_report(&mut self, report: &Feedback, arrived: Timestamp) {
        let tick_ns = TICK.as_nanos() as i64;
        let Some(earliest_ns) = i64::try_from(report.earliest).ok().and_then(|ticks| ticks.checked_mul(tick_ns)) else {
            return;
        };
        let mut newest_ticks = None;
        for (offset, ticks) in (0..).zip(&report.arrivals) {
            let Some(ticks) = ticks else { continue };
            newest_ticks = newest_ticks.max(Some(*ticks));
            let number = report.first.wrapping_add(offset);
            let Some((_, sent)) = self.sent[number as usize % SENT].filter(|(logged, _)| *logged == number) else {
                continue;
            };
            // Both parts of the time were cut to whole ticks.
            let received_ns = earliest_ns.saturating_add((i64::from(*ticks) + 2) * tick_ns);
            self.at_most(received_ns.saturating_sub(sent.as_nanos()), arrived);
        }
        if let Some(newest) = newest_ticks.filter(|_| report.held != u16::MAX) {
            let told_ns = earliest_ns.saturating_add((i64::from(newest) + i64::from(report.held)) * tick_ns);
            self.at_least(told_ns.saturating_sub(arrived.as_nanos()), arrived);
        }
    }

    /// What is known by `now`.
    #[must_use]
    pub fn offset(&self, now: Timestamp) -> Option<ClockOffset> {
        ClockOffset::between(self.least?.down_to(now), self.most?.up_to(now))
    }

    fn at_most(&mut self, ahead_ns: i64, now: Timestamp) {
        if self.most.is_none_or(|most| ahead_ns <= most.up_to(now)) {
            self.most = Some(Bound { ahead_ns, at: now });
            // A clock that was set or stood still: what was known of it before is wrong.
            self.least = self.least.filter(|least| least.down_to(now) <= ahead_ns);
        }
    }

    fn at_least(&mut self, ahead_ns: i64, now: Timestamp) {
        if self.least.is_none_or(|least| ahead_ns >= least.down_to(now)) {
            self.least = Some(Bound { ahead_ns, at: now });
            self.most = self.most.filter(|most| most.up_to(now) >= ahead_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sim::random::Random;
    use crate::transport::rate::recorder::ArrivalRecorder;

    /// Two clocks, and a way each way.
    struct World {
        /// The peer's clock less ours at the beginning.
        ahead_ns: i64,
        drift_ppm: i64,
        there: Duration,
        back: Duration,
        jitter_us: u64,
    }

    impl World {
        fn ahead_ns(&self, ours: Timestamp) -> i64 {
            self.ahead_ns + ours.as_nanos() / 1_000_000 * self.drift_ppm
        }

        fn theirs(&self, ours: Timestamp) -> Timestamp {
            Timestamp::from_nanos(ours.as_nanos() + self.ahead_ns(ours))
        }

        /// Sends a packet every 10 ms for so long; `see` is told what is known after each report.
        fn run(
            &self,
            from: Timestamp,
            during: Duration,
            estimator: &mut ClockEstimator,
            mut see: impl FnMut(Timestamp, Option<ClockOffset>),
        ) {
            let mut random = Random::new(7);
            let mut recorder = ArrivalRecorder::default();
            let mut jitter = || Duration::from_micros(random.below(self.jitter_us + 1));
            for number in 0..(during.as_millis() / 10) as u32 {
                let sent = from + Duration::from_millis(10) * number;
                estimator.handle_sent(number, sent);
                let received = sent + self.there + jitter();
                recorder.handle_packet(number, true, self.theirs(received));
                if let Some(report) = recorder.poll_feedback(self.theirs(received)) {
                    let arrived = received + self.back + jitter();
                    estimator.handle_report(&report, arrived);
                    see(arrived, estimator.offset(arrived));
                }
            }
        }

        fn holds(&self, at: Timestamp, known: ClockOffset) {
            let (least, most) = known.bounds_ns();
            let truth = self.ahead_ns(at);
            assert!(least <= truth && truth <= most, "{truth} is not within {least} and {most} at {at:?}");
        }
    }

    const START: Timestamp = Timestamp::from_nanos(50_000_000_000);

    #[test]
    fn the_truth_is_within_half_the_round_trip_for_ten_minutes_however_unlike_the_ways_and_the_crystals_are() {
        for drift_ppm in [-200, 0, 200] {
            for (there_ms, back_ms) in [(10, 60), (60, 10), (35, 35)] {
                let [there, back] = [there_ms, back_ms].map(Duration::from_millis);
                let world = World { ahead_ns: 123_456_789_000, drift_ppm, there, back, jitter_us: 5_000 };
                let mut reports = 0;
                world.run(START, Duration::from_mins(10), &mut ClockEstimator::default(), |at, known| {
                    reports += 1;
                    let known = known.expect("the first report says both bounds");
                    world.holds(at, known);
                    let settled = reports > 100;
                    assert!(!settled || known.error < Duration::from_millis(36), "{known:?} at {at:?}");
                });
                assert!(reports > 10_000);
            }
        }
    }

    #[test]
    fn a_standing_queue_widens_nothing_but_what_the_clocks_can_drift() {
        let mut estimator = ClockEstimator::default();
        let [near, far] = [5, 400].map(Duration::from_millis);
        let quiet = World { ahead_ns: -9_000_000_000, drift_ppm: 100, there: near, back: near, jitter_us: 0 };
        quiet.run(START, Duration::from_secs(5), &mut estimator, |_, _| ());
        let full = World { there: far, ..quiet };
        full.run(START + Duration::from_secs(6), Duration::from_secs(20), &mut estimator, |at, known| {
            let known = known.unwrap();
            full.holds(at, known);
            assert!(known.error < Duration::from_millis(5) + drift(Duration::from_secs(30)), "{known:?}");
        });
    }

    #[test]
    fn a_clock_that_jumps_is_known_anew_with_the_next_report() {
        let mut estimator = ClockEstimator::default();
        let way = Duration::from_millis(20);
        for ahead_ns in [0, 4_000_000_000, -4_000_000_000] {
            let world = World { ahead_ns, drift_ppm: 0, there: way, back: way, jitter_us: 100 };
            let mut reports = 0;
            world.run(START, Duration::from_secs(2), &mut estimator, |at, known| {
                reports += 1;
                if let Some(known) = known.filter(|_| reports > 1) {
                    world.holds(at, known);
                }
            });
            let known = estimator.offset(START + Duration::from_secs(2)).unwrap();
            assert_eq!(known.is_one_clock(), ahead_ns == 0, "{known:?}");
        }
    }

    #[test]
    fn whatever_a_peer_reports_there_is_an_offset_or_none() {
        let mut random = Random::new(1);
        let mut estimator = ClockEstimator::default();
        for number in 0..20_000_u32 {
            estimator.handle_sent(number, START + Duration::from_millis(u64::from(number)));
            let count = 1 + random.below(5);
            let arrivals = (0..count).map(|_| (random.below(3) > 0).then(|| random.below(65_535) as u16)).collect();
            let (first, earliest) = (number.wrapping_sub(random.below(8) as u32), random.next() >> random.below(64));
            let report = Feedback { first, earliest, held: random.next() as u16, arrivals };
            let now = START + Duration::from_millis(u64::from(number));
            estimator.handle_report(&report, now);
            if let Some(known) = estimator.offset(now) {
                let (least, most) = known.bounds_ns();
                assert!(least <= most);
            }
        }
    }
}
