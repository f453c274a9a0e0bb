//! How much the path carries, from one-way delays: capacity by how fast packets leave the queue behind each other, and the
//! standing queue by how much later than ever they come.
//!
//! Two packets sent together leave the bottleneck one packet's time apart, also when the link is used in part only: so every
//! frame measures it, and no packet is sent for that alone. The delay says when to fall, and what arrives meanwhile how far;
//! the measured capacity says how far to rise, which is why a rate that comes back is found at once. Who keeps finding a queue
//! although little of what passes is its own stands beside others that fill it, and then goes by loss, as they do. That frames
//! measure a link is Pudica's idea (NSDI 2024), that the queue's delay drives the rate SCReAM's (RFC 8298), that others'
//! queues are recognised Copa's (NSDI 2018).

use std::collections::VecDeque;
use std::time::Duration;

use super::RateLimits;
use super::sent::{Arrival, News};
use super::video::BESIDE_BPS;
use crate::media::Timestamp;

/// Share of the capacity that is asked for.
pub const SHARE: f64 = 0.96;
/// Standing queue that is left alone.
const QUEUE_S: f64 = 0.015;
/// What is left alone beyond that by who has next to nothing of a shared link.
const SHARED_QUEUE_S: f64 = 0.025;
/// From here on what arrives is all that passes: the link is busy without a pause.
const SURE_QUEUE_S: f64 = 0.025;
/// A queue is to be gone after this long, at most at [`MOST_DRAIN`] of the capacity.
const DRAIN_S: f64 = 0.25;
const MOST_DRAIN: f64 = 0.85;
/// So long after it was drained the rate is not yet back where it may be.
const DRAINED: Duration = Duration::from_millis(800);
/// Memory of the pairs that measure the capacity, and how long the result is good for when no more come.
const MEMORY_S: f64 = 0.15;
const REMEMBERED: Duration = Duration::from_secs(30);
/// From this age on it is an old one.
const OLD: Duration = Duration::from_millis(500);
/// Bits of pairs that make a measurement.
const ENOUGH_BITS: f64 = 4_000.0;
/// Packets sent within this time of each other are a pair.
const PAIR: Duration = Duration::from_millis(1);
/// Over how long the smallest queue is the standing one: more than a frame.
const STANDING: Duration = Duration::from_millis(80);
/// Over how long the arriving rate is taken, and from how much on there is one.
const ARRIVING: Duration = Duration::from_millis(120);
const LEAST_ARRIVING: Duration = Duration::from_millis(30);
/// Most packets remembered of either kind, whatever the receiver's clock says: 120 ms at 100 Mb/s.
const MOST_ARRIVALS: usize = 1_024;
/// Growth: at most e-fold in this time, by this part of the way to the capacity in a second, and by a step a second that gives
/// more, in proportion, to who has less.
const GROWTH_S: f64 = 0.25;
const APPROACH: f64 = 4.0;
const STEP_BPS: f64 = 80_000.0;
/// Growth a second up to the first rate while no pair measures anything.
const BLIND_GROWTH: f64 = 0.7;
/// Such growth ends where the rate is this many times what arrives.
const USED: f64 = 1.5;
/// A link that is shared: a sure queue although less than this share of the capacity arrives here. For so long growth is quick up to
/// what arrived then, and by the step alone beyond it: who grew towards the whole of the link would only fill it again.
const CONTENDED_SHARE: f64 = 0.85;
const CONTENDED: Duration = Duration::from_secs(8);
/// It is sure when the mean of that share is as low, in which the newest has this weight: a rate that falls looks shared once or
/// twice, and so does a receiver that stalls for 20 ms.
const NEWEST: f64 = 0.2;
/// A link that lets so many times as much through as then is another one.
const FASTER: f64 = 2.0;
/// What is given up at most in one such episode, so that whoever is pressed most does not give up all.
const EPISODE: Duration = Duration::from_millis(300);
const MAKING_WAY: f64 = 0.25;
/// How lately the capacity has to have been reported for that, and for how long nothing may have arrived.
const FRESH: Duration = Duration::from_millis(100);
const STALL: Duration = Duration::from_millis(45);
/// A queue of others: there surely is one although less than this share of the capacity arrives here, for this long.
const FOREIGN_SHARE: f64 = 0.7;
const FOREIGN: Duration = Duration::from_millis(700);
/// Beside others: growth a second, and what is left after a loss, once in each pause.
const BESIDE_STEP_BPS: f64 = 400_000.0;
const BESIDE_CUT: f64 = 0.85;
const BESIDE_PAUSE: Duration = Duration::from_millis(300);
/// Loss over a second above which the rate follows what arrives: a queue so short that it shows no delay. From how many on.
const HEAVY_LOSS: f64 = 0.12;
const HEAVY_LOST: usize = 5;
/// Longest time between two reports that counts as time passed.
const GAP_S: f64 = 0.09;

/// The delay-based estimator.
#[derive(Debug)]
pub struct Estimator {
    limits: RateLimits,
    target_bps: f64,
    /// Delay of the empty path, clock difference included, in seconds; and its round trip.
    base: WindowedMin,
    round_trip: WindowedMin,
    /// Queueing delays of the newest packets, by arrival.
    queues: VecDeque<(Timestamp, f64)>,
    /// The newest arrivals and their bytes.
    arrivals: VecDeque<(Timestamp, usize)>,
    /// When the packet before was sent.
    last_sent: Timestamp,
    /// Second packets of pairs: their bits, and the time that the link took for them, fading.
    pair_bits: f64,
    pair_s: f64,
    capacity: Option<(Timestamp, f64)>,
    /// Packets that arrived and that were lost in each report of the last second, and the bytes that arrived.
    reports: VecDeque<(Timestamp, usize, usize, usize)>,
    updated: Option<Timestamp>,
    /// When a queue was last drained, and the rate at which there would have been none.
    drained: Option<(Timestamp, f64)>,
    contended: Option<Contended>,
    /// Share of what the link lets through that is ours, while a queue surely stands: a mean.
    own: f64,
    foreign: Option<Foreign>,
    cut: Timestamp,
}

/// A link that seems to be shared.
#[derive(Clone, Copy, Debug)]
struct Contended {
    /// When it last did, and what arrived then and might have, in bits a second.
    at: Timestamp,
    bps: f64,
    capacity_bps: f64,
}

/// A queue that seems to be one of others.
#[derive(Clone, Copy, Debug)]
struct Foreign {
    /// Since when, and when last.
    since: Timestamp,
    seen: Timestamp,
    /// The rate before it.
    before_bps: f64,
    /// It has lasted for long enough.
    sure: bool,
}

impl Estimator {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(limits: RateLimits) -> Self {
        Self {
            limits,
            target_bps: limits.start_bps,
            base: WindowedMin::default(),
            round_trip: WindowedMin::default(),
            queues: VecDeque::new(),
            arrivals: VecDeque::new(),
            last_sent: Timestamp::ZERO,
            pair_bits: 0.0,
            pair_s: 0.0,
            capacity: None,
            reports: VecDeque::new(),
            updated: None,
            drained: None,
            contended: None,
            own: 1.0,
            foreign: None,
            cut: Timestamp::ZERO,
        }
    }

    /// What a report said.
    pub fn handle_news(&mut self, news: &News, now: Timestamp) {
        let mut is_paired = false;
        for arrival in &news.arrivals {
            is_paired |= self.handle_arrival(arrival);
        }
        if let Some(round_trip) = news.round_trip {
            self.round_trip.take(now, round_trip.as_secs_f64());
        }
        if is_paired && self.pair_bits > ENOUGH_BITS {
            self.capacity = Some((now, (self.pair_bits / self.pair_s.max(1e-6)).min(1e9)));
        }
        let elapsed_s = self.updated.replace(now).map_or(0.0, |before| now.since(before).as_secs_f64());
        let bytes = news.arrivals.iter().map(|arrival| arrival.bytes).sum();
        self.reports.push_back((now, news.arrivals.len(), news.lost, bytes));
        keep(&mut self.reports, |(at, ..)| now.since(*at) <= Duration::from_secs(1));
        if !news.arrivals.is_empty() {
            self.adjust(elapsed_s, news.lost, now);
        }
    }

    /// Nothing has been heard for a while although something should have been.
    pub fn handle_silence(&mut self) {
        self.target_bps = (self.target_bps / 2.0).max(self.limits.min_bps);
    }

    /// Something has been heard again: at least this much is tried, since the silence was the link's and not a queue's.
    pub fn handle_end_of_silence(&mut self, bps: f64) {
        self.target_bps = self.target_bps.max(bps).min(self.limits.max_bps);
    }

    /// Packets go another way from now on: what was measured is another link's, the rate is a good first guess.
    pub fn handle_path(&mut self) {
        *self = Self { target_bps: self.target_bps, ..Self::new(self.limits) };
    }

    /// Bits a second to send at.
    #[must_use]
    pub const fn target_bps(&self) -> f64 {
        self.target_bps
    }

    /// Bits a second that the path has for us beyond this moment: the rate, or what it will be again when a queue has been drained.
    #[must_use]
    pub fn lasting_bps(&self) -> f64 {
        let drained = self.drained.zip(self.updated).filter(|((at, _), now)| now.since(*at) < DRAINED);
        let capacity_bps = self.capacity_bps().unwrap_or(f64::INFINITY);
        drained.map_or(self.target_bps, |((_, bps), _)| self.target_bps.max(bps.min(capacity_bps * SHARE)))
    }

    /// Bits a second that the bottleneck lets through, if it was measured lately.
    #[must_use]
    pub fn capacity_bps(&self) -> Option<f64> {
        self.capacity_of_last(REMEMBERED)
    }

    /// The standing queue.
    #[must_use]
    pub fn queue(&self) -> Duration {
        let queue_s = self.queues.iter().map(|(_, queue_s)| *queue_s).reduce(f64::min);
        Duration::from_secs_f64(queue_s.unwrap_or(0.0).clamp(0.0, 60.0))
    }

    /// Round trip of the empty path.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip.get().map(|seconds| Duration::from_secs_f64(seconds.clamp(0.0, 60.0)))
    }

    /// Whether the queue is one that others fill.
    #[must_use]
    pub fn is_beside_others(&self) -> bool {
        self.foreign.is_some_and(|foreign| foreign.sure)
    }

    /// Entries in all that is kept of reports.
    #[cfg(test)]
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.queues.len() + self.arrivals.len() + self.reports.len()
    }

    /// Gives whether it measures the link, together with the one before it.
    fn handle_arrival(&mut self, arrival: &Arrival) -> bool {
        let mut is_pair = false;
        let Arrival { sent, arrived, bytes } = *arrival;
        let delay_s = arrived.millis_since(sent) / 1_000.0;
        let queue_s = delay_s - self.base.take(arrived, delay_s);
        if self.arrivals.back().is_some_and(|(last, _)| last.since(arrived) > ARRIVING) {
            // No packet is overtaken by so much: the receiver's clock went back, and nothing before it says anything.
            self.arrivals.clear();
            self.queues.clear();
        }
        if let Some((last, _)) = self.arrivals.back() {
            let apart_s = (arrived.millis_since(*last) / 1_000.0).max(0.0);
            let kept = (-apart_s / MEMORY_S).exp();
            self.pair_bits *= kept;
            self.pair_s *= kept;
            // It waited for the one before it, so the time between them is its own.
            is_pair = queue_s >= apart_s && sent.since(self.last_sent) < PAIR;
            if is_pair {
                self.pair_bits += bytes as f64 * 8.0;
                self.pair_s += apart_s;
            }
        }
        self.last_sent = sent;
        self.arrivals.push_back((arrived, bytes));
        keep(&mut self.arrivals, |(at, _)| arrived.since(*at) <= ARRIVING);
        self.queues.push_back((arrived, queue_s));
        keep(&mut self.queues, |(at, _)| arrived.since(*at) <= STANDING);
        is_pair
    }

    fn adjust(&mut self, elapsed_s: f64, lost: usize, now: Timestamp) {
        let (capacity, arriving) = (self.capacity_bps(), self.arriving_bps(ARRIVING));
        let queue_s = self.queue().as_secs_f64();
        let is_waiting = queue_s > self.tolerated_s(now);
        let few = self
            .capacity_of_last(OLD)
            .zip(arriving)
            .is_some_and(|(capacity, arriving)| arriving < FOREIGN_SHARE * capacity);
        // After a gap in the reports little arrived because little passed.
        let is_even = elapsed_s < GAP_S;
        let is_foreign = queue_s > SURE_QUEUE_S && few && is_even;
        self.look_for_others(is_foreign, now);
        let elapsed_s = elapsed_s.min(GAP_S);

        if self.is_beside_others() {
            self.target_bps += BESIDE_STEP_BPS * elapsed_s;
            if lost > 0 && now.since(self.cut) > BESIDE_PAUSE {
                self.cut = now;
                self.target_bps *= BESIDE_CUT;
            }
        } else if is_waiting {
            let sure = arriving.filter(|_| queue_s > SURE_QUEUE_S);
            if sure.is_some() && is_even {
                self.look_for_company(now);
            }
            if let Some(passing_bps) = [capacity, sure].into_iter().flatten().reduce(f64::min) {
                self.drain(queue_s, passing_bps, now);
            }
        } else {
            self.target_bps += self.growth_bps(capacity, elapsed_s);
        }
        if let Some(passing_bps) = self.under_heavy_loss_bps() {
            self.target_bps = self.target_bps.min(passing_bps);
        }
        self.target_bps = self.target_bps.clamp(self.limits.min_bps, self.limits.max_bps);
    }

    /// Others are believed in when their queue has stood without a break, and until it has been gone for as long: it has breaks
    /// then, since they make room after a loss. What was given up before it was known to be theirs is taken back.
    fn look_for_others(&mut self, is_foreign: bool, now: Timestamp) {
        match &mut self.foreign {
            None if is_foreign => {
                let before_bps = self.target_bps;
                self.foreign = Some(Foreign { since: now, seen: now, before_bps, sure: false });
            }
            Some(foreign) if is_foreign => {
                foreign.seen = now;
                if !foreign.sure && now.since(foreign.since) > FOREIGN {
                    foreign.sure = true;
                    self.target_bps = self.target_bps.max(foreign.before_bps * BESIDE_CUT);
                }
            }
            Some(foreign) if !foreign.sure || now.since(foreign.seen) > FOREIGN => self.foreign = None,
            _ => {}
        }
    }

    /// Whether a queue that is surely there is not ours alone: over the time in which it stood all of what passed is ours, if nobody
    /// else is there.
    fn look_for_company(&mut self, now: Timestamp) {
        // Who has made way already gets less because of that, not because there is less.
        if self.making_way_bps(now).is_some() || self.has_stalled() {
            return;
        }
        let Some((busy_bps, capacity_bps)) = self.arriving_bps(STANDING).zip(self.capacity_of_last(FRESH)) else {
            return;
        };
        let own = (busy_bps / capacity_bps).min(1.0);
        let before = if self.contended.is_some_and(|it| now.since(it.at) < CONTENDED) { self.own } else { 1.0 };
        self.own = before + (own - before) * NEWEST;
        if own < CONTENDED_SHARE {
            self.contended = Some(Contended { at: now, bps: busy_bps, capacity_bps });
        }
    }

    /// Standing queue that is left alone: on a shared link more of it by who has less of that, or whoever's frames come first each
    /// time, and so find the least queue, would take all.
    fn tolerated_s(&self, now: Timestamp) -> f64 {
        let share = self.shared(now).zip(self.capacity_bps()).map(|(_, capacity_bps)| self.target_bps / capacity_bps);
        QUEUE_S + share.map_or(0.0, |share| SHARED_QUEUE_S * (1.0 - share).clamp(0.0, 1.0))
    }

    /// What passed of ours when the link was found to be shared, in the episode that goes on.
    fn making_way_bps(&self, now: Timestamp) -> Option<f64> {
        self.contended.filter(|it| now.since(it.at) < EPISODE).map(|it| it.bps)
    }

    /// What last passed of ours on a link that is surely shared. One that has become faster has more for us, whoever else is there.
    fn shared(&self, now: Timestamp) -> Option<f64> {
        let contended = self.contended.filter(|it| self.own < CONTENDED_SHARE && now.since(it.at) < CONTENDED)?;
        let is_faster = self.capacity_bps().is_some_and(|bps| bps > FASTER * contended.capacity_bps);
        (!is_faster).then_some(contended.bps)
    }

    /// Falls to what passes, less what lets the queue go.
    fn drain(&mut self, queue_s: f64, passing_bps: f64, now: Timestamp) {
        let own_bps = self.making_way_bps(now).unwrap_or(0.0);
        let drain = ((queue_s - self.tolerated_s(now)) / DRAIN_S).min(MOST_DRAIN);
        self.drained = Some((now, self.lasting_bps().min(passing_bps.max(own_bps) * SHARE)));
        self.target_bps = self.target_bps.min((passing_bps * (SHARE - drain)).max(own_bps * MAKING_WAY));
    }

    fn growth_bps(&self, capacity: Option<f64>, elapsed_s: f64) -> f64 {
        let is_old = self.capacity.zip(self.updated).is_none_or(|((at, _), now)| now.since(at) > OLD);
        let known_bps = self.updated.and_then(|now| self.shared(now)).unwrap_or(f64::INFINITY);
        let wanted = match capacity.map(|capacity_bps| capacity_bps * SHARE) {
            Some(goal_bps) if goal_bps > self.target_bps => {
                let quickly = (goal_bps.min(known_bps) - self.target_bps).max(0.0);
                (quickly * APPROACH + STEP_BPS) * elapsed_s
            }
            // Frames of one packet measure nothing: up to where they have two again, as long as the rate is made use of.
            _ if is_old && self.target_bps < self.limits.start_bps && self.is_used() => {
                self.target_bps * BLIND_GROWTH * elapsed_s
            }
            _ => 0.0,
        };
        wanted.min(self.target_bps * elapsed_s / GROWTH_S)
    }

    /// Whether about as much arrives as may be sent, be there sound or not: what is not tried is not known to pass.
    fn is_used(&self) -> bool {
        self.arriving_bps(ARRIVING).is_none_or(|arriving_bps| self.target_bps < USED * arriving_bps + BESIDE_BPS)
    }

    /// Whether nothing arrived for a while, although sound comes all the time: then the link stood still.
    fn has_stalled(&self) -> bool {
        let mut gaps = self.arrivals.iter().zip(self.arrivals.iter().skip(1));
        gaps.any(|((before, _), (after, _))| after.since(*before) > STALL)
    }

    /// The capacity, if a report of the last so long told it.
    fn capacity_of_last(&self, age: Duration) -> Option<f64> {
        let (at, capacity_bps) = self.capacity?;
        self.updated.is_none_or(|now| now.since(at) < age).then_some(capacity_bps)
    }

    /// Bits a second that arrived over the last so long.
    fn arriving_bps(&self, over: Duration) -> Option<f64> {
        let last = self.arrivals.back()?.0;
        let within = self.arrivals.partition_point(|(at, _)| last.since(*at) > over);
        let first = self.arrivals.get(within)?.0;
        let bytes: usize = self.arrivals.iter().skip(within + 1).map(|(_, bytes)| bytes).sum();
        let span = last.since(first);
        (span >= LEAST_ARRIVING).then(|| bytes as f64 * 8.0 / span.as_secs_f64())
    }

    /// What arrived over the last second, if much of what was sent did not.
    fn under_heavy_loss_bps(&self) -> Option<f64> {
        let sum = |of: fn(&(Timestamp, usize, usize, usize)) -> usize| self.reports.iter().map(of).sum::<usize>();
        let (arrived, lost, bytes) = (sum(|it| it.1), sum(|it| it.2), sum(|it| it.3));
        let share = lost as f64 / (arrived + lost).max(1) as f64;
        (lost >= HEAVY_LOST && share > HEAVY_LOSS).then_some(bytes as f64 * 8.0)
    }
}

/// Drops from the front what is not to be kept, and what there is no room for.
fn keep<T>(values: &mut VecDeque<T>, wanted: impl Fn(&T) -> bool) {
    while values.len() > MOST_ARRIVALS || values.front().is_some_and(|value| !wanted(value)) {
        values.pop_front();
    }
}

/// For how long at least the smallest delay is that of the empty path.
const BASE: Duration = Duration::from_secs(5);

/// The smallest of the values of the last one to two [`BASE`]s.
#[derive(Debug, Default)]
struct WindowedMin {
    /// Since when there is the new one; the old one and the new one.
    halves: Option<(Timestamp, f64, f64)>,
}

impl WindowedMin {
    fn take(&mut self, now: Timestamp, value: f64) -> f64 {
        let (since, old, new) = self.halves.unwrap_or((now, value, value));
        self.halves = Some(if now.since(since) > BASE { (now, new, value) } else { (since, old, new.min(value)) });
        self.get().unwrap_or(value)
    }

    fn get(&self) -> Option<f64> {
        self.halves.map(|(_, old, new)| old.min(new))
    }
}
