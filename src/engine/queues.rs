//! How the queues of a running call are used: what passes, what is refused, how many wait and for how long.

use std::time::Duration;

use serde::Serialize;

use crate::media::{PoolCounts, RingStats};

/// Rings that media pass.
pub const MEDIA_RINGS: usize = 5;

/// Longest time that anything waits in one of them. The decoder, the only reader that can be slower than its writer,
/// throws away what is older; the others are emptied by threads that do nothing else.
pub const MAX_WAIT: Duration = Duration::from_millis(500);

/// How one ring was used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RingCounts {
    /// Its name.
    pub name: &'static str,
    /// Items it can hold.
    pub capacity: usize,
    /// Items that went in.
    pub passed: u64,
    /// Items handed back because it was full.
    pub refused: u64,
    /// The most items that waited at once.
    pub longest: usize,
    /// The longest time that one waited, milliseconds.
    pub oldest_ms: u64,
}

/// How the queues of a call were used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QueueCounts {
    /// Those between the media threads, from the encoder to the decoder and from microphone to speaker.
    pub rings: [RingCounts; MEDIA_RINGS],
    /// What none of them may wait longer than, milliseconds.
    pub bound_ms: u64,
    /// Buffers in the pool of the own source.
    pub pool_buffers: usize,
    /// Captures left out, since all of them were in use.
    pub pool_exhausted: u64,
}

impl QueueCounts {
    /// The counts of these rings and this pool.
    #[must_use]
    pub fn new(rings: [&RingStats; MEDIA_RINGS], pool: PoolCounts) -> Self {
        Self {
            rings: rings.map(count),
            bound_ms: MAX_WAIT.as_millis() as u64,
            pool_buffers: pool.buffers,
            pool_exhausted: pool.exhausted,
        }
    }
}

fn count(ring: &RingStats) -> RingCounts {
    RingCounts {
        name: ring.name,
        capacity: ring.capacity,
        passed: ring.pushed(),
        refused: ring.refused(),
        longest: ring.longest(),
        oldest_ms: ring.oldest().as_millis() as u64,
    }
}
