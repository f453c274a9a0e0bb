//! What a link could have carried, by the same seeds as the link itself: to be held against what it did carry.

use std::time::Duration;

use super::LinkConfig;
use super::config::Rate;
use super::outage::OutageClock;
use super::random::Random;
use super::trace::OPPORTUNITY_BYTES;

/// Capacities and traffic are given for stretches of this length.
pub const BIN: Duration = Duration::from_millis(100);

const MS_PER_BIN: u64 = BIN.as_millis() as u64;
const NANOS_PER_MS: u64 = 1_000_000;

/// Bits that the sending direction lets through in each of `bins` stretches of [`BIN`] since the link's start; infinite where
/// nothing but outages limits it. Steps of rates and outages count to the millisecond.
#[must_use]
pub fn capacity_bits(config: &LinkConfig, bins: usize) -> Vec<f64> {
    let direction = &config.up;
    let mut outages = OutageClock::seeded(direction, &mut Random::new(super::seeds(config).0));
    let mut bits = vec![0.0; bins];
    for (bin, bits) in (0_u64..).zip(&mut bits) {
        for ms in bin * MS_PER_BIN..(bin + 1) * MS_PER_BIN {
            if !outages.is_off(ms * NANOS_PER_MS) {
                *bits += bits_in(&direction.rate, ms);
            }
        }
    }
    bits
}

fn bits_in(rate: &Rate, ms: u64) -> f64 {
    match rate {
        Rate::Unlimited => f64::INFINITY,
        Rate::Steps { .. } => rate.bps_at(Duration::from_millis(ms)).unwrap_or_default() as f64 / 1_000.0,
        Rate::Trace(trace) => {
            let within_ms = ms % trace.period_ms();
            // The last opportunity of a round is at its end: at the beginning of the next, as milliseconds are counted here.
            let opportunities = trace.opportunities_at(within_ms)
                + if within_ms == 0 && ms > 0 { trace.opportunities_at(trace.period_ms()) } else { 0 };
            (opportunities as u64 * OPPORTUNITY_BYTES * 8) as f64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Timestamp;
    use crate::sim::{Link, spec};

    fn link(text: &str) -> LinkConfig {
        spec::parse(text, |_| Ok("1\n4\n4\n9\n300".into())).unwrap()
    }

    fn kbps(text: &str, bins: usize) -> Vec<u64> {
        capacity_bits(&link(text), bins).iter().map(|bits| (bits / 100.0).round() as u64).collect()
    }

    #[test]
    fn steps_and_outages_count_to_the_millisecond() {
        assert_eq!(kbps("up.rate=2mbit/150ms:500kbit", 3), [2_000, 1_250, 500]);
        assert_eq!(kbps("rate=1mbit,up.blackout=50ms+100ms", 3), [500, 500, 1_000]);
        assert!(capacity_bits(&link("down.rate=1mbit"), 2).iter().all(|bits| bits.is_infinite()));
    }

    #[test]
    fn a_recording_gives_all_its_opportunities_in_every_round() {
        let bits: f64 = capacity_bits(&link("up.trace=x"), 31).iter().sum();
        let packets = bits / 8.0 / OPPORTUNITY_BYTES as f64;
        assert!((packets - (10.0 * 5.0 + 4.0)).abs() < 1e-9, "{packets}");
    }

    #[test]
    fn what_a_filled_link_carries_is_what_was_foretold() {
        for text in ["up.rate=800kbit/3s:3mbit,seed=4", "up.trace=x", "up.rate=2mbit,on-off=400ms:200ms:random,seed=3"]
        {
            let config = link(text);
            let (start, mut link) = (Timestamp::ZERO, Link::<(), ()>::new(&config, Timestamp::ZERO));
            let mut left_bits = 0.0;
            for ms in 0..10_000 {
                let now = start + Duration::from_millis(ms);
                while link.up.queued_bytes(now) < 4_000 {
                    link.up.handle_packet(now, 200, ());
                }
                while link.up.poll_packet(now).is_some() {
                    left_bits += 1_600.0;
                }
            }
            let foretold: f64 = capacity_bits(&config, 100).iter().sum();
            assert!((0.98..1.02).contains(&(left_bits / foretold)), "{text}: {left_bits} of {foretold}");
        }
    }
}
