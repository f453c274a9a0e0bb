//! One direction of a link: packets in at one end, out at the other, later or never.
//!
//! The queue holds the configured bytes (drop-tail); queue and way together at most [`MAX_PACKETS`]. What finds either full is
//! lost and counted as overflowed. Memory is bounded by both.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::config::{DirectionConfig, Loss};
use super::outage::OutageClock;
use super::random::{Chance, Random};
use super::service::Service;
use crate::media::Timestamp;

/// Most packets in queue and on the way: 64 Mb/s of large packets on a way of three seconds.
pub const MAX_PACKETS: usize = 16_384;

/// What became of packets so far. A duplicated one is counted once more among the delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectionCounts {
    /// Came in.
    pub entered: u64,
    /// Found the queue full.
    pub overflowed: u64,
    /// Lost on the way, outages included.
    pub lost: u64,
    /// Came twice.
    pub duplicated: u64,
    /// Were overtaken.
    pub reordered: u64,
    /// Came out.
    pub delivered: u64,
}

/// One direction; `P` is what a packet is to whoever uses it.
#[derive(Debug)]
pub struct Direction<P> {
    config: DirectionConfig,
    limit_bytes: u64,
    start: Timestamp,
    service: Service,
    outages: OutageClock,
    losses: Losses,
    random: Random,
    /// Departures and sizes of what waits.
    waiting: VecDeque<(u64, u64)>,
    waiting_bytes: u64,
    /// Everything that will come out, by the time at which it does and the order in which it came.
    flying: BTreeMap<(u64, u64), P>,
    order: u64,
    last_arrival: u64,
    now: u64,
    counts: DirectionCounts,
}

impl<P: Clone> Direction<P> {
    /// An empty direction whose trace, steps and outages begin at `start`.
    #[must_use]
    pub fn new(config: &DirectionConfig, seed: u64, start: Timestamp) -> Self {
        // Each kind of chance has dice of its own, so that asking for one more leaves the others as they fell.
        let mut seeds = Random::new(seed);
        Self {
            limit_bytes: config.queue.bytes(&config.rate),
            start,
            service: Service::new(&config.rate),
            outages: OutageClock::seeded(config, &mut seeds),
            losses: Losses::new(config.loss, seeds.next()),
            random: Random::new(seeds.next()),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            flying: BTreeMap::new(),
            order: 0,
            last_arrival: 0,
            now: 0,
            counts: DirectionCounts::default(),
            config: config.clone(),
        }
    }

    /// A packet of so many bytes, all headers included, comes in. Times must not fall. Says when it leaves the queue; nothing if
    /// the queue has no room for it.
    pub fn handle_packet(&mut self, now: Timestamp, bytes: usize, packet: P) -> Option<Timestamp> {
        self.advance(now);
        let bytes = bytes as u64;
        self.counts.entered += 1;
        if self.waiting_bytes + bytes > self.limit_bytes || self.flying.len() >= MAX_PACKETS {
            self.counts.overflowed += 1;
            return None;
        }
        let holding = (!self.config.outages_drop).then_some(&mut self.outages);
        let departure = self.service.departure(self.now, bytes, holding);
        if departure > self.now {
            self.waiting.push_back((departure, bytes));
            self.waiting_bytes += bytes;
        }
        let left = Some(self.start + Duration::from_nanos(departure));
        let cut = self.config.outages_drop && self.outages.is_off(departure);
        if self.losses.next_is_lost() || cut {
            self.counts.lost += 1;
            return left;
        }
        let jitter = self.random.below(self.config.jitter.as_nanos() as u64 + 1);
        let arrival = departure.saturating_add(self.config.delay.as_nanos() as u64).saturating_add(jitter);
        let arrival = if self.random.happens(self.config.reorder) {
            self.counts.reordered += 1;
            arrival.saturating_add(self.config.reorder_by.as_nanos() as u64)
        } else {
            self.last_arrival = self.last_arrival.max(arrival);
            self.last_arrival
        };
        if self.random.happens(self.config.duplicate) {
            self.counts.duplicated += 1;
            self.fly(arrival, packet.clone());
        }
        self.fly(arrival, packet);
        left
    }

    /// When the next packet comes out.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let ((arrival, _), _) = self.flying.first_key_value()?;
        Some(self.start + Duration::from_nanos(*arrival))
    }

    /// The next packet that has come out by now.
    pub fn poll_packet(&mut self, now: Timestamp) -> Option<P> {
        self.advance(now);
        let entry = self.flying.first_entry()?;
        if entry.key().0 > self.now {
            return None;
        }
        self.counts.delivered += 1;
        Some(entry.remove())
    }

    /// Bytes that wait for the rate, the one being sent included.
    pub fn queued_bytes(&mut self, now: Timestamp) -> u64 {
        self.advance(now);
        self.waiting_bytes
    }

    /// Most bytes that may wait.
    #[must_use]
    pub const fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// Packets in the queue and on the way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flying.len()
    }

    /// What happened so far.
    #[must_use]
    pub const fn counts(&self) -> DirectionCounts {
        self.counts
    }

    fn fly(&mut self, arrival: u64, packet: P) {
        self.flying.insert((arrival, self.order), packet);
        self.order += 1;
    }

    fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now.since(self.start).as_nanos() as u64);
        while let Some((departure, bytes)) = self.waiting.front().copied()
            && departure <= self.now
        {
            self.waiting.pop_front();
            self.waiting_bytes -= bytes;
        }
    }
}

/// Which packets are lost.
#[derive(Debug)]
struct Losses {
    random: Random,
    /// Chance of a loss after a packet that passed, and after one that was lost.
    chances: [Chance; 2],
    lost: bool,
}

impl Losses {
    fn new(loss: Loss, seed: u64) -> Self {
        let chances = match loss {
            Loss::None => [Chance::NEVER; 2],
            Loss::Random(chance) => [chance; 2],
            Loss::Bursts { share, mean_milli } => {
                let mean = u64::from(mean_milli.max(1_000));
                // In balance as many bursts begin as end: share / mean = (1 - share) * chance.
                let begin = Chance::ratio(share.parts() * 1_000, mean * share.complement().max(1));
                let go_on = if share == Chance::ALWAYS { share } else { Chance::ratio(mean - 1_000, mean) };
                [begin, go_on]
            }
        };
        Self { random: Random::new(seed), chances, lost: false }
    }

    fn next_is_lost(&mut self) -> bool {
        self.lost = self.random.happens(self.chances[usize::from(self.lost)]);
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_have_their_share_and_their_length() {
        let share = Chance::from_micro_percent(5_000_000);
        let mut losses = Losses::new(Loss::Bursts { share, mean_milli: 3_000 }, 7);
        let lost: Vec<bool> = (0..200_000).map(|_| losses.next_is_lost()).collect();
        let count = lost.iter().filter(|lost| **lost).count();
        let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        assert!((9_300..10_700).contains(&count), "{count}");
        let mean = count as f64 / bursts as f64;
        assert!((2.8..3.2).contains(&mean), "{mean}");
    }

    #[test]
    fn a_link_that_loses_everything_loses_everything() {
        for loss in [Loss::Random(Chance::ALWAYS), Loss::Bursts { share: Chance::ALWAYS, mean_milli: 2_000 }] {
            let mut losses = Losses::new(loss, 7);
            assert!((0..100).all(|_| losses.next_is_lost()), "{loss:?}");
        }
    }
}
