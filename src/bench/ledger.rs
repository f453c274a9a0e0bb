//! What it costs to follow a frame: the instrument's own part of what it measures.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::clock;
use crate::engine::handle::SentFrame;
use crate::media::{Doorbell, FrameId, STAGES, Stamps, ring};

/// Frames that are followed for it: a few milliseconds.
const FRAMES: u32 = 4_096;

/// Time for one frame: a stamp at each stage, and the record's way through a ring to whoever collects them, once for each side.
/// Measured on the calling thread, without a frame.
#[must_use]
pub fn cost() -> Duration {
    let (mut records, mut collected) = ring("ledger", 4, Arc::new(Doorbell::new()));
    let begin = clock::now();
    for number in 0..FRAMES {
        let mut stamps = Stamps::new();
        for stage in STAGES {
            stamps.set(stage, clock::now());
        }
        for _ in 0..2 {
            let _ = records.push(SentFrame { id: FrameId(number), picture: FrameId(number), bytes: 0, stamps });
            black_box(collected.pop());
        }
    }
    clock::now().since(begin) / FRAMES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn following_a_frame_takes_time_but_hardly_any_of_it() {
        let cost = cost();
        assert!(cost > Duration::ZERO && cost < Duration::from_millis(1), "{cost:?}");
    }
}
