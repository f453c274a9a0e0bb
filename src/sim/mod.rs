//! A network link as a model: rate or recorded trace, queue, delay, loss, reordering, outages. Seeded and sans-IO: time is an
//! argument, nothing waits, and the same seed and packets give the same link to the bit. Tests run it on virtual time,
//! `net::impair` on the real one.

mod capacity;
pub mod config;
pub mod direction;
pub mod outage;
mod profiles;
pub mod random;
mod service;
pub mod spec;
#[cfg(test)]
mod tests;
pub mod trace;
mod watch;

pub use capacity::{BIN, capacity_bits};
pub use config::{DirectionConfig, LinkConfig, Loss, Outages, QueueLimit, Rate};
pub use direction::{Direction, DirectionCounts};
pub use profiles::PROFILES;
pub use trace::Trace;
pub use watch::{LinkRecord, LinkWatch, Passed};

use crate::media::Timestamp;

/// Both directions of a link, as one of its two ends sees them.
#[derive(Debug)]
pub struct Link<Up, Down = Up> {
    /// Away from this end.
    pub up: Direction<Up>,
    /// Towards this end.
    pub down: Direction<Down>,
}

impl<Up: Clone, Down: Clone> Link<Up, Down> {
    /// A link whose traces, steps and outages begin at `start`.
    #[must_use]
    pub fn new(config: &LinkConfig, start: Timestamp) -> Self {
        let (up, down) = seeds(config);
        Self { up: Direction::new(&config.up, up, start), down: Direction::new(&config.down, down, start) }
    }

    /// When the next packet comes out at either end.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        [self.up.poll_timeout(), self.down.poll_timeout()].into_iter().flatten().min()
    }
}

/// The seeds of the two directions.
fn seeds(config: &LinkConfig) -> (u64, u64) {
    let mut random = random::Random::new(config.seed);
    (random.next(), random.next())
}
