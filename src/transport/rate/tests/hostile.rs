//! What a peer may report that means harm: the sender stays within its memory and its limits.

use std::time::Duration;

use super::super::{RateController, RateLimits};
use super::harness::{FRAME, start};
use crate::sim::random::Random;
use crate::wire::feedback::{Feedback, MAX_REPORTED};

const LIMITS: RateLimits = RateLimits { min_bps: 150_000.0, start_bps: 600_000.0, max_bps: 2_500_000.0 };
/// What is sent between two reports.
const PACKETS: u32 = 6;

/// Reports for everything that is sent, with the clock and the times that `lie` makes; what is said is checked throughout.
fn run(reports: u32, every: Duration, mut lie: impl FnMut(u32) -> (u32, u16)) -> RateController {
    let mut controller = RateController::new(LIMITS);
    let mut now = start();
    for report in 0..reports {
        for packet in 0..PACKETS {
            controller.handle_sent(report * PACKETS + packet, 1_200, now);
        }
        now = now + every;
        let (earliest, ticks) = lie(report);
        let arrivals = vec![Some(ticks); MAX_REPORTED.min(PACKETS as usize)];
        controller
            .handle_feedback(&Feedback { first: report * PACKETS, earliest: earliest.into(), held: 0, arrivals }, now);
        controller.handle_timeout(now);
        let (target, pace) = (controller.target_bps(), controller.pace_bps());
        assert!((LIMITS.min_bps..=LIMITS.max_bps).contains(&target) && pace.is_finite(), "{target} {pace}");
        assert!(controller.remembered() <= 3 * 1_024 + 3, "{}", controller.remembered());
    }
    controller
}

#[test]
fn a_clock_that_stands_still_or_runs_backwards_fills_no_memory() {
    let every = Duration::from_millis(20);
    run(5_000, every, |_| (7, 0));
    run(5_000, every, |report| (u32::MAX - report * 600, 0));
    run(5_000, every, |report| (report * 600, u16::MAX - 1 - (report % 7) as u16));
    let mut random = Random::new(11);
    run(5_000, every, |_| (random.next() as u32, random.below(65_535) as u16));
}

#[test]
fn a_clock_that_jumps_as_far_as_it_can_with_each_report_does_not_run_over() {
    run(140_000, Duration::from_millis(1), |report| (report.wrapping_mul(i32::MAX as u32), 0));
    // The furthest that is believed, for long enough to run over if it were added up without end.
    run(140_000, Duration::from_millis(1), |report| (report.wrapping_mul(1_800_000), u16::MAX - 1));
}

#[test]
fn who_reports_late_gains_little_by_it() {
    let honest = run(300, Duration::from_millis(20), |report| (report * 625, 0)).window_bytes(FRAME);
    // Each report three seconds after what it speaks of.
    let late = run(300, Duration::from_secs(3), |report| (report * 93_750, 0));
    let most = late.target_bps() / 8.0 * (0.5 + 0.14) * 1.01;
    assert!(late.window_bytes(FRAME) as f64 <= most && honest > 0, "{} {most}", late.window_bytes(FRAME));
}
