//! A flow that takes what it can get, as TCP does: slow start, a packet more a round trip, seven tenths after a loss (Cubic's
//! share), two packets after a time-out.

use std::collections::VecDeque;

use crate::media::Timestamp;

/// Bytes of its packets.
pub const BULK_BYTES: usize = 1_400;
/// Later packets acknowledged before one is lost.
const REORDERED: usize = 3;

/// The sender of such a flow.
pub struct Bulk {
    window: f64,
    threshold: f64,
    next: u64,
    /// Sent and not acknowledged: number and time.
    open: VecDeque<(u64, Timestamp)>,
    /// A loss among packets before this one has been answered already.
    recovering_until: u64,
    round_trip_s: f64,
    /// Bytes that arrived.
    pub arrived_bytes: usize,
}

impl Bulk {
    pub fn new() -> Self {
        let (window, threshold) = (10.0, f64::INFINITY);
        let (open, round_trip_s) = (VecDeque::new(), 0.2);
        Self { window, threshold, next: 0, open, recovering_until: 0, round_trip_s, arrived_bytes: 0 }
    }

    /// The packet of this number has arrived.
    pub fn handle_ack(&mut self, number: u64, now: Timestamp) {
        let Some(at) = self.open.iter().position(|(open, _)| *open == number) else { return };
        let sent = self.open[at].1;
        self.round_trip_s += (now.since(sent).as_secs_f64() - self.round_trip_s) / 8.0;
        if at < REORDERED {
            self.open.remove(at);
        } else {
            self.open.drain(..=at);
        }
        if at >= REORDERED && number >= self.recovering_until {
            self.threshold = (self.window * 0.7).max(2.0);
            self.window = self.threshold;
            self.recovering_until = self.next;
        } else if self.window < self.threshold {
            self.window += 1.0;
        } else {
            self.window += 1.0 / self.window;
        }
    }

    /// The next packet that may be sent.
    pub fn poll_packet(&mut self, now: Timestamp) -> Option<u64> {
        if let Some((_, sent)) = self.open.front()
            && now.since(*sent).as_secs_f64() > self.round_trip_s * 4.0 + 0.2
        {
            self.open.clear();
            self.threshold = (self.window * 0.5).max(2.0);
            self.window = 2.0;
        }
        if self.open.len() as f64 >= self.window {
            return None;
        }
        self.open.push_back((self.next, now));
        self.next += 1;
        Some(self.next - 1)
    }
}
