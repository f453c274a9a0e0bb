//! The sender's memory of its packets: what is on its way, what has arrived and when, what is lost.
//!
//! Holds at most [`MAX_SENT`] packets; the oldest make room.

use std::collections::VecDeque;
use std::time::Duration;

use crate::media::Timestamp;
use crate::wire::feedback::{Feedback, TICK};

/// Most packets remembered: four seconds at 12 Mb/s.
pub const MAX_SENT: usize = 4_096;
/// A report whose clock is further from the last one's than this is none: reports come fifty times a second, and the longest
/// silence that a call outlives is half a minute.
const MOST_TICKS: i64 = (60_000_000 / TICK.as_micros()) as i64;
/// A third of what a timestamp can hold.
const MOST_TOTAL_TICKS: i64 = i64::MAX / 3 / TICK.as_nanos() as i64;
/// Packets sent after one that arrived before it counts as lost.
pub const REORDERED: u32 = 3;
/// What nobody has spoken of for this long, and for three round trips, is taken to be gone.
const GONE: Duration = Duration::from_secs(1);

/// A packet that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When it was sent.
    pub sent: Timestamp,
    /// When it arrived, on the receiver's clock, whose zero is unknown.
    pub arrived: Timestamp,
    /// Its bytes.
    pub bytes: usize,
}

/// What a report said that was new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Packets that have arrived, in that order.
    pub arrivals: Vec<Arrival>,
    /// Packets that are lost.
    pub lost: usize,
    /// Round trip of the newest, without the time for which the report was held back.
    pub round_trip: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Timestamp,
    bytes: usize,
    /// Neither arrived nor lost.
    open: bool,
    arrived: bool,
}

/// Packets sent, by number.
#[derive(Debug, Default)]
pub struct SentLog {
    first: u32,
    packets: VecDeque<Sent>,
    in_flight_bytes: usize,
    /// The receiver's clock, unwrapped: its newest tick.
    tick: Option<i64>,
}

impl SentLog {
    /// The packet of this number is sent; numbers follow each other.
    pub fn handle_sent(&mut self, number: u32, bytes: usize, now: Timestamp) {
        if number != self.first.wrapping_add(self.packets.len() as u32) {
            // Another numbering: what was sent under the old one cannot be spoken of any more.
            *self = Self { first: number, ..Self::default() };
        }
        if self.packets.len() == MAX_SENT {
            self.drop_first();
        }
        self.packets.push_back(Sent { at: now, bytes, open: true, arrived: false });
        self.in_flight_bytes += bytes;
    }

    /// A report has come.
    pub fn handle_feedback(&mut self, feedback: &Feedback, now: Timestamp) -> News {
        let mut news = News::default();
        let Some(earliest) = self.unwrap(feedback.earliest as u32) else { return news };
        let begin = feedback.first.wrapping_sub(self.first) as i32;
        let mut newest = None;
        for (at, arrival) in (i64::from(begin)..).zip(&feedback.arrivals) {
            let (Ok(at), Some(ticks)) = (usize::try_from(at), arrival) else { continue };
            let Some(sent) = self.packets.get_mut(at) else { break };
            newest = Some(at);
            if std::mem::replace(&mut sent.arrived, true) {
                continue;
            }
            if std::mem::take(&mut sent.open) {
                self.in_flight_bytes -= sent.bytes;
            }
            let arrived = Timestamp::from_nanos((earliest + i64::from(*ticks)) * TICK.as_nanos() as i64);
            news.arrivals.push(Arrival { sent: sent.at, arrived, bytes: sent.bytes });
        }
        news.arrivals.sort_by_key(|arrival| arrival.arrived);
        let Some(newest) = newest else { return news };
        if !news.arrivals.is_empty() {
            let held = TICK * u32::from(feedback.held);
            news.round_trip = Some(now.since(self.packets[newest].at).saturating_sub(held));
        }
        let settled = (newest + 1).saturating_sub(REORDERED as usize);
        for sent in self.packets.iter_mut().take(settled).filter(|sent| sent.open) {
            sent.open = false;
            self.in_flight_bytes -= sent.bytes;
            news.lost += 1;
        }
        self.forget_closed();
        news
    }

    /// Gives up packets that nobody has spoken of for too long.
    pub fn handle_timeout(&mut self, now: Timestamp, round_trip: Duration) {
        let patience = GONE.max(round_trip * 3);
        for sent in self.packets.iter_mut().take_while(|sent| now.since(sent.at) > patience) {
            if std::mem::take(&mut sent.open) {
                self.in_flight_bytes -= sent.bytes;
            }
        }
    }

    /// Gives up everything: it went another way.
    pub fn forget(&mut self) {
        while !self.packets.is_empty() {
            self.drop_first();
        }
    }

    /// Bytes that are neither known to have arrived nor to be lost.
    #[must_use]
    pub const fn in_flight_bytes(&self) -> usize {
        self.in_flight_bytes
    }

    /// The ticks of a report as a number that does not wrap; none for a clock that jumps.
    fn unwrap(&mut self, ticks: u32) -> Option<i64> {
        let before = self.tick.unwrap_or(i64::from(ticks));
        let step = i64::from(ticks.wrapping_sub(before as u32) as i32);
        if step.abs() > MOST_TICKS {
            return None;
        }
        let ticks = before + step;
        // Whoever turns the clock on by a minute with every report is not followed for longer than a clock has room.
        if ticks.abs() > MOST_TOTAL_TICKS {
            return None;
        }
        self.tick = Some(ticks);
        Some(ticks)
    }

    /// What is closed at the front is kept for a while, since it may have been closed too early.
    fn forget_closed(&mut self) {
        while self.packets.len() > MAX_SENT / 4 && self.packets.front().is_some_and(|sent| !sent.open) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(sent) = self.packets.pop_front() {
            self.first = self.first.wrapping_add(1);
            if sent.open {
                self.in_flight_bytes -= sent.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    fn report(first: u32, arrivals: &[Option<u16>]) -> Feedback {
        Feedback { first, earliest: u64::from(u32::MAX - 5), held: 0, arrivals: arrivals.to_vec() }
    }

    fn log(packets: u32) -> SentLog {
        let mut log = SentLog::default();
        (0..packets).for_each(|number| log.handle_sent(number, 100, at(i64::from(number))));
        log
    }

    #[test]
    fn arrivals_are_told_once_in_their_order_across_the_wrap_of_the_receivers_clock() {
        let mut log = log(4);
        let news = log.handle_feedback(&report(0, &[Some(10), Some(0)]), at(20));
        assert_eq!(news.arrivals.iter().map(|it| it.sent).collect::<Vec<_>>(), [at(1), at(0)]);
        assert_eq!((news.round_trip, log.in_flight_bytes()), (Some(Duration::from_millis(19)), 200));
        let later = Feedback { earliest: 20, ..report(0, &[Some(0), Some(1), Some(2)]) };
        let more = log.handle_feedback(&later, at(30));
        assert_eq!((more.arrivals.len(), more.lost), (1, 0));
        assert_eq!(more.arrivals[0].arrived.since(news.arrivals[0].arrived), TICK * 28);
    }

    #[test]
    fn what_three_later_ones_have_overtaken_is_lost_and_may_still_arrive() {
        let mut log = log(6);
        let news = log.handle_feedback(&report(0, &[None, Some(0), Some(1)]), at(10));
        assert_eq!((news.lost, log.in_flight_bytes()), (0, 400));
        let news = log.handle_feedback(&report(0, &[None, Some(0), Some(1), Some(2)]), at(11));
        assert_eq!((news.lost, log.in_flight_bytes()), (1, 200));
        let news = log.handle_feedback(&report(0, &[Some(3)]), at(12));
        assert_eq!((news.arrivals.len(), news.lost, log.in_flight_bytes()), (1, 0, 200));
    }

    #[test]
    fn what_nobody_speaks_of_is_given_up() {
        let mut log = log(6);
        log.handle_timeout(at(1_003), Duration::ZERO);
        assert_eq!(log.in_flight_bytes(), 300);
        log.handle_timeout(at(1_003), Duration::from_secs(1));
        log.forget();
        assert_eq!(log.in_flight_bytes(), 0);
    }

    #[test]
    fn whatever_is_reported_the_log_stays_bounded_and_adds_up() {
        let mut random = crate::sim::random::Random::new(3);
        let mut log = SentLog::default();
        let mut number = 0_u32;
        for round in 0..20_000_i64 {
            for _ in 0..random.below(4) {
                log.handle_sent(number, 1 + random.below(1_400) as usize, at(round));
                number = if random.below(5_000) == 0 { random.next() as u32 } else { number.wrapping_add(1) };
            }
            let count = 1 + random.below(100);
            let arrivals = (0..count).map(|_| (random.below(3) > 0).then(|| random.below(65_535) as u16)).collect();
            let first = number.wrapping_sub(random.below(200) as u32).wrapping_add(random.below(20) as u32);
            let (earliest, held) = (random.next(), random.next() as u16);
            let feedback = Feedback { first, earliest, held, arrivals };
            log.handle_feedback(&feedback, at(round));
            log.handle_timeout(at(round), Duration::from_millis(random.below(2_000)));
            assert!(log.packets.len() <= MAX_SENT);
            let open: usize = log.packets.iter().filter(|sent| sent.open).map(|sent| sent.bytes).sum();
            assert_eq!(log.in_flight_bytes(), open);
        }
    }
}
