//! When a camera is opened, given up and tried again; on any clock.

use std::time::Duration;

use crate::media::Timestamp;

/// A camera that delivered and then nothing for this long is opened again.
pub const SILENCE: Duration = Duration::from_secs(2);
/// A camera may take this long for its first frame: opening can mean power-up, and a question to the person.
pub const FIRST_FRAME: Duration = Duration::from_secs(10);
/// Pause before the next try; how fast a camera that was plugged in again comes back.
pub const PAUSE: Duration = Duration::from_secs(1);

/// What is to be done with a camera now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Wait for its next frame.
    Read,
    /// Leave it, it has gone silent.
    GiveUp,
    /// Open it.
    Open,
    /// Nothing until later.
    Pause,
}

/// The watchdog over one camera.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { again: Timestamp },
    Open { patience_until: Timestamp },
}

impl Default for Watch {
    /// Over a camera that was not opened yet.
    fn default() -> Self {
        Self { state: State::Closed { again: Timestamp::ZERO } }
    }
}

impl Watch {
    /// What is to be done at `now`.
    #[must_use]
    pub fn poll(&self, now: Timestamp) -> Wish {
        match self.state {
            State::Closed { again } if now >= again => Wish::Open,
            State::Closed { .. } => Wish::Pause,
            State::Open { patience_until } if now >= patience_until => Wish::GiveUp,
            State::Open { .. } => Wish::Read,
        }
    }

    /// It is being opened.
    pub fn handle_opening(&mut self, now: Timestamp) {
        self.state = State::Open { patience_until: now + FIRST_FRAME };
    }

    /// It gave a frame, whole or not.
    pub fn handle_frame(&mut self, now: Timestamp) {
        self.state = State::Open { patience_until: now + SILENCE };
    }

    /// It was closed: it failed, or was given up.
    pub fn handle_closed(&mut self, now: Timestamp) {
        self.state = State::Closed { again: now + PAUSE };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn a_camera_that_goes_silent_is_given_up_after_two_seconds_and_tried_again() {
        let mut watch = Watch::default();
        assert_eq!(watch.poll(at(1)), Wish::Open);
        watch.handle_opening(at(1));
        watch.handle_frame(at(500));
        assert_eq!(watch.poll(at(2_499)), Wish::Read);
        assert_eq!(watch.poll(at(2_500)), Wish::GiveUp);
        watch.handle_closed(at(2_500));
        assert_eq!(watch.poll(at(3_499)), Wish::Pause);
        assert_eq!(watch.poll(at(3_500)), Wish::Open);
    }

    #[test]
    fn the_first_frame_may_take_longer() {
        let mut watch = Watch::default();
        watch.handle_opening(at(0));
        assert_eq!(watch.poll(at(9_999)), Wish::Read);
        assert_eq!(watch.poll(at(10_000)), Wish::GiveUp);
    }
}
