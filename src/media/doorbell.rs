//! How a producer wakes the one thread (or task) that waits for its work.

use std::sync::OnceLock;
use std::thread::{self, Thread};
use std::time::Duration;

/// One bell for each waiting thread; all rings and slots that the thread reads share it.
///
/// Ringing is wait-free apart from the wake-up itself, never allocates, and is remembered: a bell rung before
/// the thread waits makes the next wait return at once. Rung before anybody attends, it does nothing, so
/// an attendant looks at its rings between attending and its first wait.
#[derive(Default)]
pub struct Doorbell {
    attendant: OnceLock<Attendant>,
}

enum Attendant {
    Thread(Thread),
    Callback(Box<dyn Fn() + Send + Sync>),
}

impl Doorbell {
    /// A bell that nobody attends yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { attendant: OnceLock::new() }
    }

    /// Makes the calling thread the one that is woken. A bell has one attendant for its life; later ones are ignored.
    pub fn attend(&self) {
        let _ = self.attendant.set(Attendant::Thread(thread::current()));
    }

    /// Makes `callback` run at each ring, on the ringing thread: it must be short and must not block.
    pub fn attend_with(&self, callback: impl Fn() + Send + Sync + 'static) {
        let _ = self.attendant.set(Attendant::Callback(Box::new(callback)));
    }

    /// Wakes the attendant.
    pub fn ring(&self) {
        match self.attendant.get() {
            Some(Attendant::Thread(thread)) => thread.unpark(),
            Some(Attendant::Callback(callback)) => callback(),
            None => {}
        }
    }

    /// Waits until the bell rings or `timeout` has passed; may return early. Only for the attending thread.
    pub fn wait(&self, timeout: Option<Duration>) {
        match timeout {
            Some(timeout) => thread::park_timeout(timeout),
            None => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_ring_before_the_wait_is_remembered() {
        let bell = Doorbell::new();
        bell.attend();
        bell.ring();
        bell.wait(None); // would hang if the ring were lost
    }

    #[test]
    fn every_handoff_arrives_though_the_reader_sleeps_between() {
        let bell = Arc::new(Doorbell::new());
        let (mut tx, mut rx) = crate::media::ring::<u32>("test", 4, Arc::clone(&bell));
        let reader = thread::Builder::new()
            .name("reader".into())
            .spawn(move || {
                bell.attend();
                let mut sum = 0;
                let mut seen = 0;
                while seen < 10_000 {
                    while let Some(value) = rx.pop() {
                        sum += value;
                        seen += 1;
                    }
                    if seen < 10_000 {
                        bell.wait(None);
                    }
                }
                sum
            })
            .unwrap();
        for value in 0..10_000 {
            let mut value = value;
            while let Err(back) = tx.push(value) {
                value = back;
                thread::yield_now();
            }
        }
        assert_eq!(reader.join().unwrap(), (0..10_000).sum::<u32>());
    }

    #[test]
    fn a_callback_runs_once_for_each_ring() {
        let bell = Doorbell::new();
        let count = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&count);
        bell.attend_with(move || {
            seen.fetch_add(1, Ordering::Relaxed);
        });
        bell.ring();
        bell.ring();
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }
}
