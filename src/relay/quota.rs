//! Token buckets with the clock as an argument, alone and by key.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use crate::media::Timestamp;

/// Keys that are counted at one time; with more, new ones are refused until old ones have their quota back.
const MAX_KEYS: usize = 1 << 16;

/// So much a second on average, and so much at once.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// A second.
    pub per_second: f64,
    /// At once.
    pub burst: f64,
}

/// Lets an average rate through, and bursts up to its size.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    rate: Rate,
    tokens: f64,
    at: Timestamp,
}

impl TokenBucket {
    /// A full bucket.
    #[must_use]
    pub const fn new(rate: Rate, now: Timestamp) -> Self {
        Self { rate, tokens: rate.burst, at: now }
    }

    /// Takes `amount` tokens if they are there.
    pub fn take(&mut self, amount: f64, now: Timestamp) -> bool {
        self.tokens = self.tokens_at(now);
        self.at = self.at.max(now);
        let enough = self.tokens >= amount;
        if enough {
            self.tokens -= amount;
        }
        enough
    }

    fn tokens_at(&self, now: Timestamp) -> f64 {
        (self.tokens + now.since(self.at).as_secs_f64() * self.rate.per_second).min(self.rate.burst)
    }
}

/// A bucket for each key that has taken something lately.
#[derive(Debug)]
pub struct Quotas<K> {
    rate: Rate,
    buckets: Mutex<HashMap<K, TokenBucket>>,
}

impl<K: Eq + Hash> Quotas<K> {
    /// Every key may take this much.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::default() }
    }

    /// Takes `amount` from what `key` may take.
    pub fn take(&self, key: K, amount: f64, now: Timestamp) -> bool {
        self.with(|buckets| {
            if buckets.len() >= MAX_KEYS && !buckets.contains_key(&key) {
                return false;
            }
            buckets.entry(key).or_insert_with(|| TokenBucket::new(self.rate, now)).take(amount, now)
        })
    }

    /// Whether `key` may take `amount`. Takes nothing.
    pub fn has(&self, key: &K, amount: f64, now: Timestamp) -> bool {
        self.with(|buckets| buckets.get(key).is_none_or(|bucket| bucket.tokens_at(now) >= amount))
    }

    /// Forgets the keys that have all their quota back.
    pub fn sweep(&self, now: Timestamp) {
        self.with(|buckets| buckets.retain(|_, bucket| bucket.tokens_at(now) < bucket.rate.burst));
    }

    fn with<T>(&self, action: impl FnOnce(&mut HashMap<K, TokenBucket>) -> T) -> T {
        action(&mut self.buckets.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const RATE: Rate = Rate { per_second: 10.0, burst: 5.0 };
    const START: Timestamp = Timestamp::from_nanos(1);

    #[test]
    fn a_burst_passes_then_the_rate() {
        let mut bucket = TokenBucket::new(RATE, START);
        assert_eq!((0..20).filter(|_| bucket.take(1.0, START)).count(), 5);
        let later = START + Duration::from_millis(300);
        assert_eq!((0..20).filter(|_| bucket.take(1.0, later)).count(), 3);
        let long_after = START + Duration::from_mins(1);
        assert_eq!((0..20).filter(|_| bucket.take(1.0, long_after)).count(), 5);
    }

    #[test]
    fn each_key_has_its_own_quota_and_is_forgotten_when_it_is_full_again() {
        let quotas = Quotas::new(RATE);
        let taken = |key, now| (0..20).filter(|_| quotas.take(key, 1.0, now)).count();
        assert_eq!([taken(1, START), taken(2, START), taken(1, START)], [5, 5, 0]);
        assert!(!quotas.has(&1, 1.0, START) && quotas.has(&3, 5.0, START));
        quotas.sweep(START + Duration::from_millis(300));
        assert_eq!(quotas.with(|buckets| buckets.len()), 2);
        quotas.sweep(START + Duration::from_secs(1));
        assert_eq!(quotas.with(|buckets| buckets.len()), 0);
    }

    #[test]
    fn endless_keys_do_not_fill_the_memory() {
        let quotas = Quotas::new(RATE);
        for key in 0..MAX_KEYS {
            assert!(quotas.take(key, 1.0, START));
        }
        assert!(!quotas.take(MAX_KEYS, 1.0, START));
        quotas.sweep(START + Duration::from_secs(1));
        assert!(quotas.take(MAX_KEYS, 1.0, START + Duration::from_secs(1)));
    }
}
