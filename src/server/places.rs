//! How many connections each source address, or each key, has at one time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections by what they have in common.
#[derive(Clone, Debug)]
pub struct Places<K: Copy + Eq + Hash> {
    counts: Arc<Mutex<HashMap<K, usize>>>,
}

/// A connection that counts until this is dropped.
#[derive(Debug)]
pub struct Place<K: Copy + Eq + Hash> {
    places: Places<K>,
    key: K,
}

impl<K: Copy + Eq + Hash> Default for Places<K> {
    fn default() -> Self {
        Self { counts: Arc::default() }
    }
}

impl<K: Copy + Eq + Hash> Places<K> {
    /// Connections with this in common.
    pub fn count(&self, key: K) -> usize {
        self.with(|counts| counts.get(&key).copied().unwrap_or_default())
    }

    /// One more of them, unless there are `most` already.
    pub fn enter(&self, key: K, most: usize) -> Option<Place<K>> {
        self.with(|counts| {
            let count = counts.get(&key).copied().unwrap_or_default();
            (count < most).then(|| counts.insert(key, count + 1))
        })?;
        Some(Place { places: self.clone(), key })
    }

    fn with<T>(&self, action: impl FnOnce(&mut HashMap<K, usize>) -> T) -> T {
        action(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<K: Copy + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        self.places.with(|counts| {
            if let Some(count) = counts.get_mut(&self.key) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&self.key);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_may_enter_and_others_when_they_have_gone() {
        let places = Places::default();
        let first = places.enter(1, 2).unwrap();
        let second = places.enter(1, 2).unwrap();
        assert!(places.enter(1, 2).is_none() && places.enter(2, 2).is_some());
        drop(first);
        assert_eq!([1, 2].map(|key| places.count(key)), [1, 0]);
        assert!(places.enter(1, 2).is_some());
        drop(second);
        assert!(places.with(|counts| counts.is_empty()), "nothing is kept of who has gone");
    }
}
