//! Bounded single-producer single-consumer queue for small things (encoded frames, packets, audio blocks).
//!
//! Capacity: fixed at creation, a few items. When full: the newest is refused, handed back and counted, because
//! what already waits is older and the reader is about to take it; a reader drops what has grown too old.
//! Raw pictures never travel in a ring: late video is worthless, see [`super::slot`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::Doorbell;

/// Makes a ring of `capacity` items called `name`; every push rings `bell`.
#[must_use]
pub fn ring<T>(name: &'static str, capacity: usize, bell: Arc<Doorbell>) -> (RingSender<T>, RingReceiver<T>) {
    let (producer, consumer) = rtrb::RingBuffer::new(capacity);
    let stats = Arc::new(RingStats {
        name,
        capacity,
        pushed: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        longest: AtomicUsize::new(0),
        oldest_us: AtomicU64::new(0),
    });
    (RingSender { producer, bell, stats: Arc::clone(&stats) }, RingReceiver { consumer, stats })
}

/// What happened to a ring so far; shared with whoever watches.
#[derive(Debug)]
pub struct RingStats {
    /// The ring's name.
    pub name: &'static str,
    /// Items it can hold.
    pub capacity: usize,
    pushed: AtomicU64,
    refused: AtomicU64,
    longest: AtomicUsize,
    oldest_us: AtomicU64,
}

impl RingStats {
    /// Items that went in.
    #[must_use]
    pub fn pushed(&self) -> u64 {
        self.pushed.load(Ordering::Relaxed)
    }

    /// Items handed back because the ring was full.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// The most items that ever waited at once.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.longest.load(Ordering::Relaxed)
    }

    /// The longest time that an item ever waited, as far as the reader tells (see [`RingReceiver::note_wait`]).
    #[must_use]
    pub fn oldest(&self) -> Duration {
        Duration::from_micros(self.oldest_us.load(Ordering::Relaxed))
    }
}

/// The writing end of a ring.
pub struct RingSender<T> {
    producer: rtrb::Producer<T>,
    bell: Arc<Doorbell>,
    stats: Arc<RingStats>,
}

impl<T> RingSender<T> {
    /// Puts an item in and wakes the reader. Wait-free, no allocation.
    ///
    /// # Errors
    /// Gives the item back when the ring is full; the refusal is counted.
    pub fn push(&mut self, item: T) -> Result<(), T> {
        let result = self.producer.push(item);
        match &result {
            Ok(()) => {
                self.stats.pushed.fetch_add(1, Ordering::Relaxed);
                let waiting = self.stats.capacity - self.producer.slots();
                self.stats.longest.fetch_max(waiting, Ordering::Relaxed);
            }
            Err(_) => {
                self.stats.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.bell.ring();
        result.map_err(|rtrb::PushError::Full(item)| item)
    }

    /// Items that still fit.
    #[must_use]
    pub fn free(&self) -> usize {
        self.producer.slots()
    }

    /// Items that the reader has not taken yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.stats.capacity - self.producer.slots()
    }

    /// Whether the reader is gone.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.producer.is_abandoned()
    }

    /// The ring's counters.
    #[must_use]
    pub fn stats(&self) -> Arc<RingStats> {
        Arc::clone(&self.stats)
    }
}

/// The reading end of a ring.
pub struct RingReceiver<T> {
    consumer: rtrb::Consumer<T>,
    stats: Arc<RingStats>,
}

impl<T> RingReceiver<T> {
    /// Takes the oldest item. Wait-free, no allocation.
    pub fn pop(&mut self) -> Option<T> {
        self.consumer.pop().ok()
    }

    /// Tells the counters how long the item that was taken last had waited: a ring reads no clock. Wait-free.
    pub fn note_wait(&self, waited: Duration) {
        self.stats.oldest_us.fetch_max(waited.as_micros() as u64, Ordering::Relaxed);
    }

    /// Items that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.consumer.slots()
    }

    /// Whether the writer is gone (what it wrote may still wait).
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.consumer.is_abandoned()
    }

    /// The ring's counters.
    #[must_use]
    pub fn stats(&self) -> Arc<RingStats> {
        Arc::clone(&self.stats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_ring_hands_the_newest_back_and_counts_it() {
        let (mut tx, mut rx) = ring("test", 2, Arc::default());
        assert_eq!(tx.push(1), Ok(()));
        assert_eq!(tx.push(2), Ok(()));
        assert_eq!(tx.push(3), Err(3));
        assert_eq!((tx.stats().pushed(), tx.stats().refused(), tx.stats().longest()), (2, 1, 2));
        assert_eq!(rx.pop(), Some(1));
        rx.note_wait(Duration::from_millis(3));
        assert_eq!(rx.pop(), Some(2));
        rx.note_wait(Duration::from_millis(2));
        assert_eq!(rx.stats().oldest(), Duration::from_millis(3));
        assert_eq!(rx.pop(), None);
    }

    #[test]
    fn each_end_learns_that_the_other_is_gone() {
        let (tx, rx) = ring::<u8>("test", 2, Arc::default());
        drop(tx);
        assert!(rx.is_abandoned());
        let (tx, rx) = ring::<u8>("test", 2, Arc::default());
        drop(rx);
        assert!(tx.is_abandoned());
    }
}
