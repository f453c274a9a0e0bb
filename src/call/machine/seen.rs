//! Which invitations have come, so that none rings twice: a directory may deliver one again for as long as it is fresh, and a
//! cancellation may overtake it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::crypto::letter::{CallId, MAX_CLOCK_SKEW_S, RING_S};
use crate::media::Timestamp;

/// A letter is believed for this long before and after the time it gives.
const FRESH: Duration = Duration::from_secs(2 * (RING_S + MAX_CLOCK_SKEW_S));
/// Most that are remembered; above, the oldest is forgotten.
const MAX_SEEN: usize = 1024;

/// Calls that have been heard of lately, by the device that calls: nobody else can use up its numbers.
#[derive(Debug, Default)]
pub struct Seen(VecDeque<(Timestamp, [u8; 32], CallId)>);

impl Seen {
    /// Notes a call. False if it was noted before.
    pub fn note(&mut self, device: [u8; 32], call: CallId, now: Timestamp) -> bool {
        while self.0.front().is_some_and(|(at, ..)| now.since(*at) > FRESH) || self.0.len() >= MAX_SEEN {
            self.0.pop_front();
        }
        let is_new = !self.0.iter().any(|(_, known, number)| (*known, *number) == (device, call));
        if is_new {
            self.0.push_back((now, device, call));
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_new_once_and_each_device_has_numbers_of_its_own() {
        let start = Timestamp::from_nanos(1);
        let mut seen = Seen::default();
        let call = CallId([1; 16]);
        assert!(seen.note([1; 32], call, start));
        assert!(!seen.note([1; 32], call, start + FRESH));
        assert!(seen.note([2; 32], call, start));
        assert!(seen.note([1; 32], call, start + FRESH + Duration::from_secs(1)), "no letter is that old");
        for number in 0..5000_u32 {
            seen.note([3; 32], CallId([number.to_be_bytes(); 4].concat().try_into().unwrap()), start + FRESH);
        }
        assert_eq!(seen.0.len(), MAX_SEEN);
    }
}
