//! Who was told lately that we are busy: whoever rings somebody all the time need not be told each time, and nobody can use up
//! the answer that is somebody else's.

use std::collections::VecDeque;
use std::time::Duration;

use crate::media::Timestamp;

/// Least time between two letters to one account that say "busy" by themselves.
const PAUSE: Duration = Duration::from_secs(2);
/// Most accounts that are told within this time; one more waits in vain, and is told when it rings again.
const MAX_TOLD: usize = 16;

/// Accounts that were told, oldest first.
#[derive(Debug, Default)]
pub(super) struct BusySaid(VecDeque<(Timestamp, [u8; 32])>);

impl BusySaid {
    /// Whether the account with this root may be told now; if so, that is noted.
    pub(super) fn may_say(&mut self, root: [u8; 32], now: Timestamp) -> bool {
        while self.0.front().is_some_and(|(at, _)| now.since(*at) >= PAUSE) {
            self.0.pop_front();
        }
        let may = self.0.len() < MAX_TOLD && !self.0.iter().any(|(_, told)| *told == root);
        if may {
            self.0.push_back((now, root));
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_account_is_told_once_in_a_while_and_the_memory_of_it_is_bounded() {
        let start = Timestamp::from_nanos(1);
        let mut said = BusySaid::default();
        assert!(said.may_say([1; 32], start) && said.may_say([2; 32], start));
        assert!(!said.may_say([1; 32], start) && !said.may_say([2; 32], start));
        let told = (0..=255).filter(|&root| said.may_say([root; 32], start)).count();
        assert_eq!((told, said.0.len()), (MAX_TOLD - 2, MAX_TOLD));
        assert!(said.may_say([1; 32], start + PAUSE) && said.0.len() == 1);
    }
}
