//! When a link lets nothing pass, span after span. Asked with rising times only.

use super::config::{DirectionConfig, Outages};
use super::random::Random;

/// Never.
pub(super) const NEVER: u64 = u64::MAX;

/// The outages of one direction; times are nanoseconds since the link's start.
#[derive(Debug)]
pub(super) struct OutageClock {
    config: Outages,
    random: Random,
    /// Spans taken from the list.
    taken: usize,
    /// The outage that goes on or comes next: from, until.
    next: (u64, u64),
}

impl OutageClock {
    /// Those of a direction, by the first of its seeds.
    pub(super) fn seeded(config: &DirectionConfig, seeds: &mut Random) -> Self {
        Self::new(config.outages.clone(), seeds.next())
    }

    pub(super) fn new(config: Outages, seed: u64) -> Self {
        let mut clock = Self { config, random: Random::new(seed), taken: 0, next: (0, 0) };
        clock.step();
        clock
    }

    /// The first moment from `at` on at which something passes.
    pub(super) fn next_on(&mut self, at: u64) -> u64 {
        let (from, until) = self.seek(at);
        if from <= at { until } else { at }
    }

    /// Until when something passes that passes at `at`.
    pub(super) fn next_off(&mut self, at: u64) -> u64 {
        self.seek(at).0
    }

    /// Whether nothing passes at `at`.
    pub(super) fn is_off(&mut self, at: u64) -> bool {
        self.seek(at).0 <= at
    }

    fn seek(&mut self, at: u64) -> (u64, u64) {
        while self.next.1 <= at {
            self.step();
        }
        self.next
    }

    fn step(&mut self) {
        let end = self.next.1;
        let (on, off) = match &self.config {
            Outages::None => (NEVER, 0),
            Outages::Spans(spans) => match spans.get(self.taken) {
                Some((from, length)) => ((from.as_nanos() as u64).saturating_sub(end), length.as_nanos() as u64),
                None => (NEVER, 0),
            },
            Outages::Periodic { on, off } => (on.as_nanos() as u64, off.as_nanos() as u64),
            Outages::Random { mean_on, mean_off } => {
                let mut lasts = |mean: u128| self.random.memoryless_ms(mean as u64) * 1_000_000;
                (lasts(mean_on.as_millis()), lasts(mean_off.as_millis()))
            }
        };
        self.taken += 1;
        let from = end.saturating_add(on);
        self.next = (from, if on == NEVER { NEVER } else { from.saturating_add(off) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const S: u64 = 1_000_000_000;

    #[test]
    fn spans_come_and_are_over() {
        let s = Duration::from_secs;
        let mut clock = OutageClock::new(Outages::Spans(vec![(s(1), s(2)), (s(5), s(1))]), 0);
        assert_eq!((clock.next_on(0), clock.next_off(0)), (0, S));
        assert_eq!((clock.next_on(S), clock.is_off(2 * S)), (3 * S, true));
        assert_eq!((clock.is_off(3 * S), clock.next_off(3 * S)), (false, 5 * S));
        assert_eq!((clock.next_on(7 * S), clock.next_off(7 * S)), (7 * S, NEVER));
    }

    #[test]
    fn a_periodic_outage_comes_again() {
        let mut clock =
            OutageClock::new(Outages::Periodic { on: Duration::from_secs(2), off: Duration::from_secs(1) }, 0);
        let off = (0..9).filter(|second| clock.is_off(second * S)).collect::<Vec<_>>();
        assert_eq!(off, [2, 5, 8]);
    }

    #[test]
    fn random_outages_take_the_share_that_their_means_say() {
        let config = Outages::Random { mean_on: Duration::from_millis(300), mean_off: Duration::from_millis(100) };
        let mut clock = OutageClock::new(config, 3);
        let off = (0..400_000_u64).filter(|ms| clock.is_off(ms * 1_000_000)).count();
        assert!((90_000..110_000).contains(&off), "{off}");
    }
}
