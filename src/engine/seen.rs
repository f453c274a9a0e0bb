//! Which envelopes have come already: the server gives one again when it cannot know that it arrived.

use std::collections::VecDeque;

/// More than a server keeps for a device in the time that it keeps them.
const KEPT: usize = 256;

/// The numbers of the latest envelopes.
#[derive(Debug, Default)]
pub struct Seen {
    numbers: VecDeque<u64>,
}

impl Seen {
    /// Whether the envelope with this number has not come before; from now on it has.
    pub fn is_new(&mut self, number: u64) -> bool {
        if self.numbers.contains(&number) {
            return false;
        }
        if self.numbers.len() == KEPT {
            self.numbers.pop_front();
        }
        self.numbers.push_back(number);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_counts_once_and_old_numbers_are_forgotten() {
        let mut seen = Seen::default();
        assert!(seen.is_new(7) && !seen.is_new(7));
        assert!((1000..1000 + KEPT as u64).all(|number| seen.is_new(number)));
        assert_eq!(seen.numbers.len(), KEPT);
        assert!(seen.is_new(7));
    }
}
