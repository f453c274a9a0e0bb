//! A token bucket with the clock as an argument.

use crate::media::Timestamp;

/// Lets an average rate through, and bursts up to its size.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    per_second: f64,
    size: f64,
    tokens: f64,
    at: Timestamp,
}

impl TokenBucket {
    /// A full bucket.
    #[must_use]
    pub const fn new(per_second: f64, size: f64, now: Timestamp) -> Self {
        Self { per_second, size, tokens: size, at: now }
    }

    /// Takes `amount` tokens if they are there.
    pub fn take(&mut self, amount: f64, now: Timestamp) -> bool {
        self.tokens = (self.tokens + now.since(self.at).as_secs_f64() * self.per_second).min(self.size);
        self.at = self.at.max(now);
        let enough = self.tokens >= amount;
        if enough {
            self.tokens -= amount;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_passes_then_the_rate() {
        let start = Timestamp::from_nanos(1);
        let mut bucket = TokenBucket::new(10.0, 5.0, start);
        assert_eq!((0..20).filter(|_| bucket.take(1.0, start)).count(), 5);
        let later = start + Duration::from_millis(300);
        assert_eq!((0..20).filter(|_| bucket.take(1.0, later)).count(), 3);
        let long_after = start + Duration::from_mins(1);
        assert_eq!((0..20).filter(|_| bucket.take(1.0, long_after)).count(), 5);
    }
}
