//! What a frame may have while packets are on their way.

use std::time::Duration;

use super::super::RateController;
use super::harness::{FRAME, MIN_BPS, limits, start};
use crate::media::Timestamp;
use crate::wire::feedback::Feedback;

/// From one frame to the next at the lowest step of the ladder.
const SLOW: Duration = Duration::from_millis(100);
const BYTES: usize = 1_200;

struct Sender {
    controller: RateController,
    now: Timestamp,
    sent: u32,
}

impl Sender {
    fn new(start_bps: f64) -> Self {
        Self { controller: RateController::new(limits(start_bps)), now: start(), sent: 0 }
    }

    fn send(&mut self, packets: u32) {
        for _ in 0..packets {
            self.controller.handle_sent(self.sent, BYTES, self.now);
            self.sent += 1;
        }
    }

    /// A report of the packet of this number, which took 20 ms.
    fn report(&mut self, number: u32) {
        self.now = self.now + Duration::from_millis(20);
        let earliest = self.now.as_nanos() as u64 / 32_000;
        let report = Feedback { first: number, earliest, held: 0, arrivals: vec![Some(0)] };
        self.controller.handle_feedback(&report, self.now);
    }
}

#[test]
fn before_anything_is_heard_little_follows_the_first_frame() {
    let mut sender = Sender::new(2_000_000.0);
    assert!(sender.controller.frame_bytes(FRAME, 0, sender.now) > 4_000);
    sender.controller.handle_frame(sender.now);
    sender.send(12);
    assert_eq!(sender.controller.frame_bytes(FRAME, 0, sender.now + FRAME), 0);
    sender.report(0);
    assert!(
        sender.controller.frame_bytes(FRAME, 0, sender.now) > 4_000,
        "it may be on its way, once that is seen to go"
    );
}

#[test]
fn frames_that_are_far_apart_find_room_as_well() {
    let mut sender = Sender::new(300_000.0);
    sender.send(1);
    sender.report(0);
    let usual = sender.controller.target_bps() / 8.0 * SLOW.as_secs_f64();
    sender.send(1);
    let whole = sender.controller.frame_bytes(SLOW, 0, sender.now) as f64;
    assert!(whole > 0.95 * usual, "{whole} of {usual} beside a packet of sound");
}

#[test]
fn while_reports_say_that_the_way_is_slow_no_more_goes_there_than_the_lowest_rate() {
    let mut sender = Sender::new(MIN_BPS);
    sender.send(20);
    sender.report(0);
    sender.controller.handle_frame(sender.now);
    let least = (MIN_BPS / 8.0 * SLOW.as_secs_f64()) as usize;
    assert_eq!(sender.controller.frame_bytes(SLOW, 0, sender.now + SLOW), 0);
    sender.now = sender.now + SLOW * 2;
    sender.report(1);
    assert_eq!(sender.controller.frame_bytes(SLOW, 0, sender.now), least);
    // Where none comes, it may be their way that has stopped.
    assert_eq!(sender.controller.frame_bytes(SLOW, 0, sender.now + SLOW * 2), 2 * least);
    assert_eq!(sender.controller.frame_bytes(SLOW, 0, sender.now + Duration::from_secs(3)), 0);
}
