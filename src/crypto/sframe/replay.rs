//! The replay window: which of the last 1024 counters of a key have been seen.

/// Counters that may come late.
pub const WINDOW: u64 = 1024;

/// The window of one key id. Moved only after a frame has been authenticated.
#[derive(Clone)]
pub struct ReplayWindow {
    /// One above the newest counter seen.
    next: u64,
    seen: [u64; (WINDOW / 64) as usize],
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self { next: 0, seen: [0; (WINDOW / 64) as usize] }
    }
}

impl ReplayWindow {
    /// Whether `counter` is neither seen nor too old.
    #[must_use]
    pub const fn is_fresh(&self, counter: u64) -> bool {
        if counter >= self.next {
            return true;
        }
        if self.next - counter > WINDOW {
            return false;
        }
        let (word, bit) = Self::place(counter);
        self.seen[word] & bit == 0
    }

    /// Notes an authenticated counter.
    pub fn note(&mut self, counter: u64) {
        if counter >= self.next {
            if counter - self.next >= WINDOW {
                self.seen.fill(0);
            } else {
                for skipped in self.next..counter {
                    let (word, bit) = Self::place(skipped);
                    self.seen[word] &= !bit;
                }
            }
            self.next = counter.saturating_add(1);
        }
        let (word, bit) = Self::place(counter);
        self.seen[word] |= bit;
    }

    const fn place(counter: u64) -> (usize, u64) {
        ((counter % WINDOW / 64) as usize, 1 << (counter % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn too_old_is_not_fresh() {
        let mut window = ReplayWindow::default();
        window.note(5000);
        assert!(window.is_fresh(5000 - WINDOW + 1));
        assert!(!window.is_fresh(5000 - WINDOW));
        assert!(!window.is_fresh(5000));
    }

    proptest! {
        #[test]
        fn nothing_passes_twice_and_nothing_young_is_refused(steps in proptest::collection::vec(0_u64..3000, 1..400)) {
            let mut window = ReplayWindow::default();
            let mut seen = HashSet::new();
            let mut newest = 0;
            for counter in steps {
                let fresh = window.is_fresh(counter);
                let young = counter + WINDOW > newest;
                prop_assert_eq!(fresh, !seen.contains(&counter) && young, "{} newest {}", counter, newest);
                if fresh {
                    window.note(counter);
                    seen.insert(counter);
                    newest = newest.max(counter);
                }
            }
        }
    }
}
