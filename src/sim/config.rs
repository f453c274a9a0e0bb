//! What a link is like, as data: made by `spec` from words, or by a test.

use std::time::Duration;

use super::random::Chance;
use super::trace::Trace;

/// Most bytes that may wait, whatever is asked for.
pub const MAX_QUEUE_BYTES: u64 = 64_000_000;
/// Slowest rate, so that everything leaves some time.
pub const MIN_RATE_BPS: u64 = 8_000;
/// Fastest limited rate.
pub const MAX_RATE_BPS: u64 = 100_000_000_000;
/// Shortest step of a rate and shortest part of an outage.
pub const MIN_STEP: Duration = Duration::from_millis(1);

/// Both directions of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkConfig {
    /// As it was asked for, to be shown beside figures.
    pub name: String,
    /// Away from this end.
    pub up: DirectionConfig,
    /// Towards this end.
    pub down: DirectionConfig,
    /// Of everything random.
    pub seed: u64,
}

/// One direction of a link. By default it does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectionConfig {
    /// How fast it takes packets.
    pub rate: Rate,
    /// What may wait for that.
    pub queue: QueueLimit,
    /// Time on the way, after the queue.
    pub delay: Duration,
    /// Up to this much longer, at random; the order is kept.
    pub jitter: Duration,
    /// What is lost, after the queue: it has taken its share of the rate.
    pub loss: Loss,
    /// Packets that are overtaken.
    pub reorder: Chance,
    /// How much later those come.
    pub reorder_by: Duration,
    /// Packets that come twice.
    pub duplicate: Chance,
    /// When nothing passes.
    pub outages: Outages,
    /// What would pass then is lost; otherwise it waits.
    pub outages_drop: bool,
}

impl Default for DirectionConfig {
    fn default() -> Self {
        Self {
            rate: Rate::Unlimited,
            queue: QueueLimit::Time(Duration::from_millis(250)),
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: Loss::None,
            reorder: Chance::NEVER,
            reorder_by: Duration::from_millis(20),
            duplicate: Chance::NEVER,
            outages: Outages::None,
            outages_drop: true,
        }
    }
}

/// How fast packets leave the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rate {
    /// At once.
    Unlimited,
    /// So many bits a second from each of these times on. The first is zero; times rise.
    Steps {
        /// Times and rates.
        steps: Vec<(Duration, u64)>,
        /// Begins again after this long.
        repeat: Option<Duration>,
    },
    /// As a recorded link let them.
    Trace(Trace),
}

impl Rate {
    /// The same all the time.
    #[must_use]
    pub fn constant(bps: u64) -> Self {
        Self::Steps { steps: vec![(Duration::ZERO, bps)], repeat: None }
    }

    /// The rate at a time since the link's start, where it is one.
    #[must_use]
    pub fn bps_at(&self, at: Duration) -> Option<u64> {
        let Self::Steps { steps, repeat } = self else { return None };
        let at = repeat.map_or(at, |repeat| Duration::from_nanos((at.as_nanos() % repeat.as_nanos()) as u64));
        steps.iter().rev().find(|(from, _)| *from <= at).map(|(_, bps)| *bps)
    }

    /// The rate by which a queue limited in time is measured: the highest of the steps, the mean of a trace.
    #[must_use]
    pub fn nominal_bps(&self) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::Steps { steps, .. } => steps.iter().map(|(_, bps)| *bps).max(),
            Self::Trace(trace) => Some(trace.mean_bps()),
        }
    }
}

/// What may wait for the rate. What does not fit is lost (drop-tail).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueLimit {
    /// So many bytes.
    Bytes(u64),
    /// As many bytes as pass in this time at [`Rate::nominal_bps`].
    Time(Duration),
}

impl QueueLimit {
    /// In bytes, for this rate: at least one large packet, so that something passes.
    #[must_use]
    pub fn bytes(self, rate: &Rate) -> u64 {
        let bytes = match (self, rate.nominal_bps()) {
            (Self::Bytes(bytes), _) => bytes,
            (Self::Time(time), Some(bps)) => (u128::from(bps) * time.as_nanos() / 8_000_000_000) as u64,
            (Self::Time(_), None) => MAX_QUEUE_BYTES,
        };
        bytes.clamp(1_600, MAX_QUEUE_BYTES)
    }
}

/// How packets are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// None is.
    None,
    /// Each with this chance, whatever became of the others.
    Random(Chance),
    /// In bursts (Gilbert's model: everything is lost in the bad state, nothing in the good one).
    Bursts {
        /// Share of packets that are lost.
        share: Chance,
        /// Mean length of a burst in thousandths of a packet; at least one packet.
        mean_milli: u32,
    },
}

/// When nothing passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outages {
    /// Never.
    None,
    /// From each of these times for so long. They do not touch and times rise.
    Spans(Vec<(Duration, Duration)>),
    /// On, then off, again and again.
    Periodic {
        /// First.
        on: Duration,
        /// Then.
        off: Duration,
    },
    /// On and off for random times without memory.
    Random {
        /// On average.
        mean_on: Duration,
        /// On average.
        mean_off: Duration,
    },
}
