//! Latest-value cell: one writer, one reader, newest wins, what was never looked at is counted.
//!
//! Capacity: one value that counts, plus the one being read and the one being written. When full: the waiting
//! value is replaced, because a picture that waited is worth less than the one that just came.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Doorbell;

/// Makes an empty slot; every write rings `bell`.
#[must_use]
pub fn slot<T: Send>(bell: Arc<Doorbell>) -> (SlotWriter<T>, SlotReader<T>) {
    let (input, output) = triple_buffer::TripleBuffer::<Option<T>>::default().split();
    let stats = Arc::new(SlotStats::default());
    (SlotWriter { input, bell, stats: Arc::clone(&stats) }, SlotReader { output, stats })
}

/// How often a slot was written and how many values nobody took.
#[derive(Debug, Default)]
pub struct SlotStats {
    written: AtomicU64,
    overwritten: AtomicU64,
}

impl SlotStats {
    /// Values put in.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Values replaced before the reader came.
    #[must_use]
    pub fn overwritten(&self) -> u64 {
        self.overwritten.load(Ordering::Relaxed)
    }
}

/// The writing end of a slot.
pub struct SlotWriter<T: Send> {
    input: triple_buffer::Input<Option<T>>,
    bell: Arc<Doorbell>,
    stats: Arc<SlotStats>,
}

impl<T: Send> SlotWriter<T> {
    /// Puts the newest value in place of whatever waits. Wait-free.
    pub fn write(&mut self, value: T) {
        // Drops the value that has been out of use the longest, on this thread, not on the reader's.
        *self.input.input_buffer_mut() = Some(value);
        if self.input.publish() {
            self.stats.overwritten.fetch_add(1, Ordering::Relaxed);
        }
        self.stats.written.fetch_add(1, Ordering::Relaxed);
        self.bell.ring();
    }

    /// The slot's counters.
    #[must_use]
    pub fn stats(&self) -> Arc<SlotStats> {
        Arc::clone(&self.stats)
    }
}

/// The reading end of a slot.
pub struct SlotReader<T: Send> {
    output: triple_buffer::Output<Option<T>>,
    stats: Arc<SlotStats>,
}

impl<T: Send> SlotReader<T> {
    /// Takes the newest value, if there is one that was not taken yet. Wait-free.
    pub fn take(&mut self) -> Option<T> {
        if self.output.update() { self.output.output_buffer_mut().take() } else { None }
    }

    /// The slot's counters.
    #[must_use]
    pub fn stats(&self) -> Arc<SlotStats> {
        Arc::clone(&self.stats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_wins_and_the_overwritten_are_counted() {
        let (mut writer, mut reader) = slot(Arc::default());
        assert_eq!(reader.take(), None);
        writer.write(1);
        writer.write(2);
        writer.write(3);
        assert_eq!(reader.take(), Some(3));
        assert_eq!(reader.take(), None);
        assert_eq!((writer.stats().written(), writer.stats().overwritten()), (3, 2));
    }

    #[test]
    fn taken_values_do_not_count_as_overwritten() {
        let (mut writer, mut reader) = slot(Arc::default());
        for value in 0..10 {
            writer.write(value);
            assert_eq!(reader.take(), Some(value));
        }
        assert_eq!(reader.stats().overwritten(), 0);
    }

    #[test]
    fn the_reader_sees_values_only_in_order_and_at_last_the_newest() {
        let (mut writer, mut reader) = slot(Arc::default());
        let writing = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || (1..=50_000_u32).for_each(|value| writer.write(value)))
            .unwrap();
        let mut last = 0;
        while last < 50_000 {
            if let Some(value) = reader.take() {
                assert!(value > last, "{value} after {last}");
                last = value;
            }
        }
        writing.join().unwrap();
    }
}
