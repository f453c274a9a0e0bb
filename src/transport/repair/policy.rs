//! Which remedy is used when: the one place where that is decided, by round trip and loss.
//!
//! A packet that is sent again comes a round trip later, which is the cheapest remedy and the first. On a path that loses much
//! it is sent twice, since it may be lost again, and every other frame is predicted from what has arrived for certain, so
//! that nobody has to wait for what is missing. Where the round trip is long, parity is there before what would be sent again,
//! if packets follow each other fast enough. A keyframe is for what none of these has mended.

use std::collections::VecDeque;
use std::time::Duration;

use crate::media::Timestamp;
use crate::transport::parity::Spread;

/// Nothing is done beforehand about less loss than this: one packet among the last few hundred.
const LEAST_LOSS: f64 = 0.004;
/// A second copy follows after this time: longer than most bursts last.
pub const COPY_AFTER: Duration = Duration::from_millis(25);
/// From this loss on, and this round trip, some frames are predicted from what has arrived; up to where an encoder holds it.
const ANCHORED_LOSS: f64 = 0.02;
const ANCHORED: [Duration; 2] = [Duration::from_millis(60), Duration::from_millis(300)];
const ANCHOR_EVERY: u32 = 2;
/// From this round trip on the picture would stand still visibly for what is sent again.
const LONG: Duration = Duration::from_millis(140);
/// Parity over so many packets, and how far apart: one in five more, and any burst of three is survived.
const SPREAD: Spread = Spread { each: 5, apart: 3 };

/// What may be used at all. Parts are left out to measure what they are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remedies {
    /// Parity, second copies of what is sent again, and haste about it.
    pub fec: bool,
    /// Prediction from an acknowledged frame, beforehand and after a loss; without, a keyframe after it.
    pub references: bool,
}

impl Default for Remedies {
    fn default() -> Self {
        Self { fec: true, references: true }
    }
}

/// What the path does to packets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditions {
    /// There and back.
    pub round_trip: Duration,
    /// Share of the packets that is lost.
    pub loss: f64,
    /// From one video packet to the next, on average.
    pub apart: Duration,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Plan {
    /// What is missing counts as lost soon, and is then sent twice.
    pub lossy: bool,
    /// Parity over what is sent.
    pub parity: Option<Spread>,
    /// One in so many frames is predicted from an acknowledged one.
    pub anchor_every: Option<u32>,
    /// Share of what is sent that this takes.
    pub share: f64,
}

impl Plan {
    /// The plan for a path.
    #[must_use]
    pub fn new(remedies: Remedies, conditions: Conditions) -> Self {
        let Conditions { round_trip, loss, apart } = conditions;
        if loss < LEAST_LOSS {
            return Self::default();
        }
        let is_anchored = loss >= ANCHORED_LOSS && (ANCHORED[0]..=ANCHORED[1]).contains(&round_trip);
        // Parity that comes later than the next such frame is of little use.
        let wait = if is_anchored && remedies.references { round_trip * 3 / 5 } else { round_trip };
        let is_soon = apart * (SPREAD.each * SPREAD.apart) as u32 <= wait;
        let parity = (remedies.fec && round_trip >= LONG && is_soon).then_some(SPREAD);
        let again = if remedies.fec { 2.0 } else { 1.0 } * loss;
        Self {
            lossy: remedies.fec,
            parity,
            anchor_every: (is_anchored && remedies.references).then_some(ANCHOR_EVERY),
            share: again + parity.map_or(0.0, |spread| 1.0 / (1 + spread.each) as f64),
        }
    }
}

/// Packets over which the memory of losses fades, and those over which their distance is taken.
const MEMORY: f64 = 500.0;
const DISTANCES: u32 = 64;
/// Losses that may turn out to be none.
const DOUBTFUL: usize = 32;

/// Measures the loss of the last packets, and how fast they follow each other.
#[derive(Debug, Default)]
pub struct LossMeter {
    packets: f64,
    lost: f64,
    /// The newest that count as lost.
    doubtful: VecDeque<u32>,
    last_sent: Option<Timestamp>,
    apart: Duration,
}

impl LossMeter {
    /// A packet is sent.
    pub fn handle_sent(&mut self, now: Timestamp) {
        if let Some(last) = self.last_sent.replace(now) {
            self.apart = (self.apart * (DISTANCES - 1) + now.since(last)) / DISTANCES;
        }
    }

    /// The packet of this number has arrived.
    pub fn handle_arrived(&mut self) {
        self.fade();
    }

    /// It counts as lost.
    pub fn handle_lost(&mut self, number: u32) {
        self.fade();
        self.lost += 1.0;
        if self.doubtful.len() == DOUBTFUL {
            self.doubtful.pop_front();
        }
        self.doubtful.push_back(number);
    }

    /// It has arrived after all, if it counted as lost.
    pub fn take_back(&mut self, number: u32) {
        if let Some(at) = self.doubtful.iter().position(|lost| *lost == number) {
            self.doubtful.remove(at);
            self.lost = (self.lost - 1.0).max(0.0);
        }
    }

    /// What the path does, with this round trip.
    #[must_use]
    pub fn conditions(&self, round_trip: Duration) -> Conditions {
        // As if the first packets of a call had all arrived: one loss among few means nothing.
        let loss = self.lost / self.packets.max(MEMORY / 2.0);
        Conditions { round_trip, loss, apart: self.apart }
    }

    fn fade(&mut self) {
        let kept = 1.0 - 1.0 / MEMORY;
        self.packets = self.packets * kept + 1.0;
        self.lost *= kept;
    }
}
