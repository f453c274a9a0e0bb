//! What is known of the peer's clock, as the threads that find it out leave it for those who show it.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use crate::media::{ClockOffset, Timestamp};

/// The offset of the peer's clock by both ways of knowing it.
#[derive(Debug, Default)]
pub struct PeerClock {
    /// By our own packets and the peer's reports of them; written by the sealing thread.
    measured: Cell,
    /// As the peer measures it by its packets; written by the opening thread.
    told: Cell,
}

impl PeerClock {
    /// We have measured it.
    pub fn note_measured(&self, offset: ClockOffset, now: Timestamp) {
        self.measured.set(offset, now);
    }

    /// The peer has told it, already seen from our side.
    pub fn note_told(&self, offset: ClockOffset, now: Timestamp) {
        self.told.set(offset, now);
    }

    /// What both say together; what we measure, should they contradict each other.
    #[must_use]
    pub fn offset(&self, now: Timestamp) -> Option<ClockOffset> {
        match (self.measured.get(now), self.told.get(now)) {
            (Some(measured), Some(told)) => measured.and(told).or(Some(measured)),
            (measured, told) => measured.or(told),
        }
    }
}

/// One offset and when it was that. One writer; whoever reads while it is written looks again.
#[derive(Debug, Default)]
struct Cell {
    /// Odd while it is written; zero before the first time.
    version: AtomicU32,
    ahead_ns: AtomicI64,
    error_ns: AtomicI64,
    at_ns: AtomicI64,
}

impl Cell {
    fn set(&self, offset: ClockOffset, now: Timestamp) {
        self.version.fetch_add(1, Ordering::SeqCst);
        self.ahead_ns.store(offset.ahead_ns, Ordering::SeqCst);
        self.error_ns.store(i64::try_from(offset.error.as_nanos()).unwrap_or(i64::MAX), Ordering::SeqCst);
        self.at_ns.store(now.as_nanos(), Ordering::SeqCst);
        self.version.fetch_add(1, Ordering::SeqCst);
    }

    fn get(&self, now: Timestamp) -> Option<ClockOffset> {
        loop {
            let version = self.version.load(Ordering::SeqCst);
            if version == 0 {
                return None;
            }
            let error = Duration::from_nanos(self.error_ns.load(Ordering::SeqCst).unsigned_abs());
            let offset = ClockOffset { ahead_ns: self.ahead_ns.load(Ordering::SeqCst), error };
            let at = Timestamp::from_nanos(self.at_ns.load(Ordering::SeqCst));
            if version.is_multiple_of(2) && self.version.load(Ordering::SeqCst) == version {
                return Some(offset.aged(now.since(at)));
            }
            std::hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_knowing_count_and_a_peer_that_contradicts_does_not() {
        let clock = PeerClock::default();
        let now = Timestamp::from_nanos(1_000_000_000);
        assert_eq!(clock.offset(now), None);
        clock.note_told(ClockOffset { ahead_ns: 500, error: Duration::from_nanos(500) }, now);
        assert_eq!(clock.offset(now).unwrap().ahead_ns, 500);
        clock.note_measured(ClockOffset { ahead_ns: 1_200, error: Duration::from_nanos(600) }, now);
        assert_eq!(clock.offset(now).unwrap().bounds_ns(), (600, 1_000));
        clock.note_told(ClockOffset { ahead_ns: -90_000, error: Duration::from_nanos(1) }, now);
        assert_eq!(clock.offset(now).unwrap().bounds_ns(), (600, 1_800));
        let (earlier, later) = (clock.offset(now).unwrap(), clock.offset(now + Duration::from_secs(4)).unwrap());
        assert!(later.error > earlier.error, "what is known grows old");
    }
}
