//! How long the head of a direction's queue takes to leave: at a rate that may change by steps, or at a trace's opportunities.
//! First in, first out, so that a packet's departure is known when it comes.

use super::config::Rate;
use super::outage::{NEVER, OutageClock};
use super::trace::{OPPORTUNITY_BYTES, Trace};

/// Whatever serves the queue; times are nanoseconds since the link's start.
#[derive(Debug)]
pub(super) enum Service {
    Unlimited,
    Steps(Steps),
    Trace(Opportunities),
}

impl Service {
    pub(super) fn new(rate: &Rate) -> Self {
        match rate {
            Rate::Unlimited => Self::Unlimited,
            Rate::Steps { steps, repeat } => Self::Steps(Steps {
                changes: steps.iter().map(|(from, bps)| (from.as_nanos() as u64, *bps)).collect(),
                repeat: repeat.map(|repeat| repeat.as_nanos() as u64),
                free_at: 0,
            }),
            Rate::Trace(trace) => {
                Self::Trace(Opportunities { trace: trace.clone(), round: 0, at: 0, left: OPPORTUNITY_BYTES })
            }
        }
    }

    /// When a packet that came at `arrival`, behind all earlier ones, has left. `holding`: nothing leaves while it is off.
    pub(super) fn departure(&mut self, arrival: u64, bytes: u64, mut holding: Option<&mut OutageClock>) -> u64 {
        match self {
            Self::Unlimited => holding.map_or(arrival, |outages| outages.next_on(arrival)),
            Self::Steps(steps) => steps.departure(arrival, bytes, &mut holding),
            Self::Trace(opportunities) => opportunities.departure(arrival, bytes, &mut holding),
        }
    }
}

/// A rate that changes at times.
#[derive(Debug)]
pub(super) struct Steps {
    changes: Vec<(u64, u64)>,
    repeat: Option<u64>,
    free_at: u64,
}

impl Steps {
    fn departure(&mut self, arrival: u64, bytes: u64, holding: &mut Option<&mut OutageClock>) -> u64 {
        let mut at = self.free_at.max(arrival);
        // In bits times nanoseconds a second, so that nothing is rounded on the way.
        let mut work = u128::from(bytes) * 8 * 1_000_000_000;
        loop {
            let mut until = NEVER;
            if let Some(outages) = holding {
                at = outages.next_on(at);
                until = outages.next_off(at);
            }
            let (bps, step_until) = self.rate_at(at);
            until = until.min(step_until);
            let needed = u64::try_from(work.div_ceil(u128::from(bps))).unwrap_or(NEVER);
            if at.saturating_add(needed) <= until {
                self.free_at = at.saturating_add(needed);
                return self.free_at;
            }
            work -= u128::from(bps) * u128::from(until - at);
            at = until;
        }
    }

    /// The rate at a time, and until when it is that.
    fn rate_at(&self, at: u64) -> (u64, u64) {
        let (round, within) = self.repeat.map_or((0, at), |repeat| (at - at % repeat, at % repeat));
        let next = self.changes.partition_point(|(from, _)| *from <= within);
        let bps = self.changes[next.saturating_sub(1)].1;
        let until = self.changes.get(next).map(|(from, _)| *from).or(self.repeat).unwrap_or(NEVER);
        (bps, round.saturating_add(until))
    }
}

/// The opportunities of a trace, round after round.
#[derive(Debug)]
pub(super) struct Opportunities {
    trace: Trace,
    round: u64,
    at: usize,
    /// Of the present opportunity.
    left: u64,
}

impl Opportunities {
    fn departure(&mut self, arrival: u64, bytes: u64, holding: &mut Option<&mut OutageClock>) -> u64 {
        self.skip_to(arrival);
        let mut needed = bytes;
        loop {
            let now = self.time();
            let on = holding.as_mut().map_or(now, |outages| outages.next_on(now));
            if on > now {
                self.skip_to(on);
                continue;
            }
            let taken = needed.min(self.left);
            needed -= taken;
            self.left -= taken;
            if needed == 0 {
                return now;
            }
            self.advance();
        }
    }

    /// An opportunity that finds nobody is gone, and so is what is left of one.
    fn skip_to(&mut self, arrival: u64) {
        if self.time() >= arrival {
            return;
        }
        let period = self.trace.period_ms() * 1_000_000;
        let round = (arrival.saturating_sub(1) / period).max(self.round);
        let within_ms = (arrival.saturating_sub(round * period)).div_ceil(1_000_000);
        let opportunities = self.trace.opportunities_ms();
        let at = opportunities.partition_point(|ms| u64::from(*ms) < within_ms);
        (self.round, self.at, self.left) = (round, at, OPPORTUNITY_BYTES);
        if at == opportunities.len() {
            (self.round, self.at) = (round + 1, 0);
        }
    }

    fn advance(&mut self) {
        self.left = OPPORTUNITY_BYTES;
        self.at += 1;
        if self.at == self.trace.opportunities_ms().len() {
            (self.round, self.at) = (self.round + 1, 0);
        }
    }

    fn time(&self) -> u64 {
        (self.round * self.trace.period_ms() + u64::from(self.trace.opportunities_ms()[self.at])) * 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_packet_that_spans_a_step_takes_both_rates() {
        let ms = Duration::from_millis;
        let rate = Rate::Steps { steps: vec![(ms(0), 8_000_000), (ms(10), 800_000)], repeat: None };
        let mut service = Service::new(&rate);
        assert_eq!(service.departure(0, 9_000, None), 9 * MS);
        assert_eq!(service.departure(0, 2_000, None), 20 * MS, "1 kB at the fast rate, 1 kB at the slow one");
        assert_eq!(service.departure(50 * MS, 100, None), 51 * MS);
    }

    #[test]
    fn steps_begin_again() {
        let ms = Duration::from_millis;
        let rate = Rate::Steps { steps: vec![(ms(0), 8_000_000), (ms(10), 80_000)], repeat: Some(ms(20)) };
        let mut service = Service::new(&rate);
        assert_eq!(service.departure(10 * MS, 100 + 1_000, None), 21 * MS);
        assert_eq!(service.departure(25 * MS, 1_000, None), 26 * MS);
    }

    #[test]
    fn an_opportunity_is_shared_and_what_nobody_takes_is_lost() {
        let mut service = Service::new(&Rate::Trace(Trace::parse("5\n5\n10").unwrap()));
        assert_eq!(service.departure(0, 1_000, None), 5 * MS);
        assert_eq!(service.departure(0, 504, None), 5 * MS, "the rest of the same opportunity");
        assert_eq!(service.departure(0, 2_000, None), 10 * MS, "one of 5, a part of that of 10");
        assert_eq!(service.departure(11 * MS, 100, None), 15 * MS, "the rest of that of 10 is gone");
        assert_eq!(service.departure(1_000_001, 1_404, None), 15 * MS);
        assert_eq!(service.departure(10_007 * MS, 1, None), 10_010 * MS, "a thousand rounds later");
    }

    #[test]
    fn what_is_held_by_an_outage_leaves_after_it() {
        use super::super::config::Outages;
        let periodic = Outages::Periodic { on: Duration::from_millis(10), off: Duration::from_millis(90) };
        let mut outages = OutageClock::new(periodic.clone(), 0);
        let mut service = Service::new(&Rate::constant(8_000_000));
        assert_eq!(service.departure(5 * MS, 8_000, Some(&mut outages)), 103 * MS);
        let mut outages = OutageClock::new(periodic, 0);
        let mut service = Service::new(&Rate::Trace(Trace::parse("1").unwrap()));
        assert_eq!(service.departure(9 * MS, 1_504, Some(&mut outages)), 9 * MS);
        assert_eq!(service.departure(9 * MS, 1_504, Some(&mut outages)), 100 * MS);
    }
}
