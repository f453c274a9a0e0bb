//! What a modelled link did to the packets of its sending direction, kept for whoever measures: a record from inside the link,
//! beside what the two ends see of it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::media::Timestamp;

/// Most packets that are kept, the first ones: hours of a call. Those beyond are only counted.
const MOST_PACKETS: usize = 1 << 20;
/// Room from the start, so that keeping one takes no time: a minute of a call.
const ROOM: usize = 1 << 14;

/// A packet that came to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// When it came.
    pub entered: Timestamp,
    /// When it left the queue; nothing if it found no room there. It may still be lost on the way.
    pub left: Option<Timestamp>,
    /// With all headers.
    pub bytes: u32,
}

impl Passed {
    /// How long it waited, its own sending included.
    #[must_use]
    pub fn waited(&self) -> Option<Duration> {
        self.left.map(|left| left.since(self.entered))
    }
}

/// What came to a link.
#[derive(Clone, Debug, Default)]
pub struct LinkRecord {
    /// When its traces, steps and outages began; nothing before there was a link.
    pub start: Option<Timestamp>,
    /// What was sent over it, in the order of coming.
    pub packets: Vec<Passed>,
    /// Packets that came when no more were kept.
    pub left_out: u64,
}

/// Kept by a link, read by another thread.
#[derive(Debug, Default)]
pub struct LinkWatch(Mutex<LinkRecord>);

impl LinkWatch {
    /// A link begins. Only the first counts: a call has one.
    pub fn begin(&self, start: Timestamp) {
        let mut record = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if record.start.is_none() {
            record.start = Some(start);
            record.packets.reserve(ROOM);
        }
    }

    /// A packet came.
    pub fn note(&self, packet: Passed) {
        let mut record = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if record.packets.len() < MOST_PACKETS {
            record.packets.push(packet);
        } else {
            record.left_out += 1;
        }
    }

    /// What there is so far; it is empty afterwards.
    #[must_use]
    pub fn take(&self) -> LinkRecord {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_packets_are_kept_and_the_others_counted() {
        let watch = LinkWatch::default();
        watch.begin(Timestamp::from_nanos(5));
        watch.begin(Timestamp::from_nanos(9));
        let packet = Passed { entered: Timestamp::from_nanos(7), left: Some(Timestamp::from_nanos(9)), bytes: 100 };
        for _ in 0..MOST_PACKETS + 3 {
            watch.note(packet);
        }
        let record = watch.take();
        assert_eq!((record.start, record.left_out), (Some(Timestamp::from_nanos(5)), 3));
        assert_eq!((record.packets.len(), record.packets[0].waited()), (MOST_PACKETS, Some(Duration::from_nanos(2))));
        assert!(watch.take().packets.is_empty());
    }
}
