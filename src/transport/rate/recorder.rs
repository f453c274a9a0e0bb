//! The receiver's part: notes when packets arrive and says so every [`INTERVAL`].
//!
//! At most [`MAX_REPORTED`] packets are kept; older ones make room and go unreported. Each report repeats what the one before
//! it said.

use std::collections::VecDeque;
use std::time::Duration;

use crate::media::Timestamp;
use crate::wire::feedback::{Feedback, MAX_REPORTED, TICK};

/// Longest time from an arrival to the report of it.
pub const INTERVAL: Duration = Duration::from_millis(20);

/// The same where a packet is missing before it: whoever can mend that is to know soon, but what was only overtaken is to
/// have come by then.
pub const SOON: Duration = Duration::from_millis(8);

/// Arrivals that are still to be reported.
#[derive(Debug, Default)]
pub struct ArrivalRecorder {
    /// Number of the first packet kept.
    first: u32,
    arrivals: VecDeque<Option<Timestamp>>,
    /// How many of them have been reported already.
    reported: usize,
    due: Option<Timestamp>,
}

impl ArrivalRecorder {
    /// The packet of this number has arrived. `reports`: it makes a report due. Reports themselves must not, or two silent
    /// sides would answer each other for ever.
    pub fn handle_packet(&mut self, number: u32, reports: bool, now: Timestamp) {
        if self.arrivals.is_empty() {
            self.first = number;
        }
        let mut at = number.wrapping_sub(self.first) as i32;
        if !(-(MAX_REPORTED as i32)..2 * MAX_REPORTED as i32).contains(&at) {
            // A sender that began anew, or a long gap: what was before is not worth a report.
            *self = Self { first: number, ..Self::default() };
            at = 0;
        }
        // Late ones from before the last report are not spoken of any more.
        let Ok(at) = usize::try_from(at) else { return };
        let leaves_gap = self.arrivals.len() < at;
        while self.arrivals.len() <= at {
            self.arrivals.push_back(None);
        }
        self.arrivals[at].get_or_insert(now);
        self.drop_front(self.arrivals.len().saturating_sub(MAX_REPORTED));
        if reports {
            let due = now + if leaves_gap { SOON } else { INTERVAL };
            self.due = Some(self.due.map_or(due, |before| before.min(due)));
        }
    }

    /// When a report is due.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Timestamp> {
        self.due
    }

    /// The report that is due by now.
    pub fn poll_feedback(&mut self, now: Timestamp) -> Option<Feedback> {
        self.due.filter(|due| *due <= now)?;
        self.due = None;
        let arrived = self.arrivals.iter().flatten();
        let (earliest, newest) = (*arrived.clone().min()?, *arrived.max()?);
        let ticks = |time: Duration| u16::try_from(time.as_nanos() / TICK.as_nanos()).ok().filter(|it| *it < u16::MAX);
        let arrivals = self.arrivals.iter().map(|arrival| ticks(arrival.as_ref()?.since(earliest))).collect();
        let feedback = Feedback {
            first: self.first,
            earliest: (earliest.as_nanos() / TICK.as_nanos() as i64) as u64,
            held: ticks(now.since(newest)).unwrap_or(u16::MAX),
            arrivals,
        };
        self.drop_front(self.reported);
        self.reported = self.arrivals.len();
        Some(feedback)
    }

    fn drop_front(&mut self, count: usize) {
        self.arrivals.drain(..count);
        self.first = self.first.wrapping_add(count as u32);
        self.reported = self.reported.saturating_sub(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_nanos(1_000_000_000 + millis * 1_000_000)
    }

    fn numbers(feedback: &Feedback) -> Vec<u32> {
        let arrived = (feedback.first..).zip(&feedback.arrivals).filter(|(_, arrival)| arrival.is_some());
        arrived.map(|(number, _)| number).collect()
    }

    #[test]
    fn every_arrival_is_told_twice() {
        let mut recorder = ArrivalRecorder::default();
        assert_eq!(recorder.poll_timeout(), None);
        recorder.handle_packet(7, true, at(0));
        recorder.handle_packet(8, true, at(3));
        assert_eq!((recorder.poll_timeout(), recorder.poll_feedback(at(19))), (Some(at(20)), None));
        let feedback = recorder.poll_feedback(at(20)).unwrap();
        assert_eq!((feedback.first, numbers(&feedback)), (7, vec![7, 8]));
        assert_eq!((feedback.arrivals[1], feedback.held), (Some(93), 531));
        recorder.handle_packet(9, true, at(21));
        assert_eq!(numbers(&recorder.poll_feedback(at(41)).unwrap()), [7, 8, 9]);
        recorder.handle_packet(10, true, at(50));
        assert_eq!(numbers(&recorder.poll_feedback(at(70)).unwrap()), [9, 10]);
        assert_eq!(recorder.poll_timeout(), None, "silence is not reported");
        recorder.handle_packet(12, false, at(71));
        assert_eq!(recorder.poll_timeout(), None, "nor is a report");
    }

    #[test]
    fn a_gap_is_reported_soon() {
        let mut recorder = ArrivalRecorder::default();
        recorder.handle_packet(1, true, at(0));
        recorder.handle_packet(3, true, at(5));
        assert_eq!(recorder.poll_timeout(), Some(at(5) + SOON));
        recorder.handle_packet(2, true, at(6));
        assert_eq!(numbers(&recorder.poll_feedback(at(13)).unwrap()), [1, 2, 3]);
    }

    #[test]
    fn whatever_numbers_come_reports_stay_bounded() {
        let mut recorder = ArrivalRecorder::default();
        let mut random = crate::sim::random::Random::new(1);
        for millis in 0..20_000 {
            let number =
                if random.below(50) == 0 { random.next() as u32 } else { millis as u32 + random.below(600) as u32 };
            recorder.handle_packet(number, true, at(millis / 8));
            if let Some(feedback) = recorder.poll_feedback(at(millis / 8)) {
                assert!((1..=MAX_REPORTED).contains(&feedback.arrivals.len()));
                let mut bytes = Vec::new();
                feedback.write(&mut bytes);
                assert_eq!(Feedback::read(&bytes), Some(feedback));
            }
        }
    }
}
