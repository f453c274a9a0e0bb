//! When a direct way is tried: the exchange of candidates and the rounds of knocking and dialling.
//!
//! Inputs: `handle_peer` with what the peer offers, `handle_direct` when a direct way opens or ends, `handle_moved` when
//! this machine's addresses have changed, `handle_timeout`. Outputs, by [`Punch::poll`]: offer the own candidates, try
//! the peer's.
//!
//! Both sides run rounds until a direct way is open, ever less often and [`MAX_ROUNDS`] times; an offer that is no answer
//! is answered, at most once a second, so that both try at the same time and open their address translators for each
//! other. A change of addresses or the loss of the direct way begins afresh.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use crate::media::Timestamp;

/// Rounds without success before a side gives up, until something changes.
pub const MAX_ROUNDS: u32 = 20;
/// Longest pause between two rounds.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Pause after the first round; doubles. Longer than a round takes.
const FIRST_PAUSE: Duration = Duration::from_secs(4);
/// The side that is dialled begins later, so that usually the other's offer comes first.
const LATER: Duration = Duration::from_secs(2);
/// Least time between two answers.
const ANSWER_PAUSE: Duration = Duration::from_secs(1);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PunchOutput {
    /// Gather the own candidates and send them.
    Offer {
        /// It answers an offer of the peer.
        answer: bool,
    },
    /// Try these: dial them, or knock so that their packets come in.
    Try(Vec<SocketAddr>),
}

/// One side's attempts.
#[derive(Debug)]
pub struct Punch {
    theirs: Vec<SocketAddr>,
    open: bool,
    rounds: u32,
    next: Option<Timestamp>,
    answered: Option<Timestamp>,
    /// An offer of ours is out, and its answer is worth an attempt: one, so that nobody makes us knock anywhere at will.
    awaits_answer: bool,
    outputs: VecDeque<PunchOutput>,
}

impl Punch {
    /// Begins; the side that `dials` at once, the other a little later.
    #[must_use]
    pub fn new(dials: bool, now: Timestamp) -> Self {
        let next = Some(if dials { now } else { now + LATER });
        Self {
            theirs: Vec::new(),
            open: false,
            rounds: 0,
            next,
            answered: None,
            awaits_answer: false,
            outputs: VecDeque::new(),
        }
    }

    /// The peer offers these candidates (already sifted), in answer to ours or not.
    pub fn handle_peer(&mut self, candidates: Vec<SocketAddr>, answer: bool, now: Timestamp) {
        self.theirs = candidates;
        if self.open {
            return;
        }
        if answer {
            if !std::mem::take(&mut self.awaits_answer) {
                return;
            }
        } else {
            if self.answered.is_some_and(|at| now.since(at) < ANSWER_PAUSE) {
                return;
            }
            self.answered = Some(now);
            self.outputs.push_back(PunchOutput::Offer { answer: true });
        }
        self.attempt();
    }

    /// A direct way has opened or ended.
    pub fn handle_direct(&mut self, open: bool, now: Timestamp) {
        self.open = open;
        self.outputs.clear();
        self.begin_afresh(now);
    }

    /// This machine's addresses are others than before.
    pub fn handle_moved(&mut self, now: Timestamp) {
        self.begin_afresh(now);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        self.outputs.push_back(PunchOutput::Offer { answer: false });
        self.awaits_answer = true;
        // Should the offer not get through, what is known is tried.
        self.attempt();
        self.rounds += 1;
        let pause = FIRST_PAUSE.saturating_mul(1 << (self.rounds - 1).min(8)).min(LONGEST_PAUSE);
        self.next = (self.rounds < MAX_ROUNDS).then(|| now + pause);
    }

    /// When [`Punch::handle_timeout`] has to be called: the next round is due.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Timestamp> {
        self.next
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<PunchOutput> {
        self.outputs.pop_front()
    }

    fn begin_afresh(&mut self, now: Timestamp) {
        self.rounds = 0;
        self.next = (!self.open).then_some(now);
    }

    fn attempt(&mut self) {
        if !self.theirs.is_empty() {
            self.outputs.push_back(PunchOutput::Try(self.theirs.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_nanos(1_000_000_000) + Duration::from_millis(millis)
    }

    fn candidates() -> Vec<SocketAddr> {
        vec!["192.0.2.1:7".parse().unwrap()]
    }

    fn all(punch: &mut Punch) -> Vec<PunchOutput> {
        std::iter::from_fn(|| punch.poll()).collect()
    }

    #[test]
    fn an_offer_is_answered_and_both_try_at_once() {
        let (mut dials, mut dialled) = (Punch::new(true, at(0)), Punch::new(false, at(0)));
        dials.handle_timeout(at(0));
        dialled.handle_timeout(at(0));
        assert_eq!(all(&mut dials), [PunchOutput::Offer { answer: false }]);
        assert_eq!(all(&mut dialled), []);
        dialled.handle_peer(candidates(), false, at(50));
        assert_eq!(all(&mut dialled), [PunchOutput::Offer { answer: true }, PunchOutput::Try(candidates())]);
        dials.handle_peer(candidates(), true, at(100));
        assert_eq!(all(&mut dials), [PunchOutput::Try(candidates())]);
    }

    #[test]
    fn rounds_become_rare_and_end() {
        let mut punch = Punch::new(true, at(0));
        let mut last = at(0);
        let mut rounds = 0;
        while let Some(next) = punch.poll_timeout() {
            assert!(next.since(last) <= LONGEST_PAUSE);
            last = next;
            punch.handle_timeout(next);
            assert_eq!(all(&mut punch), [PunchOutput::Offer { answer: false }]);
            rounds += 1;
        }
        assert_eq!(rounds, MAX_ROUNDS);
        punch.handle_moved(last);
        assert_eq!(punch.poll_timeout(), Some(last));
    }

    #[test]
    fn an_open_way_ends_the_rounds_and_its_loss_begins_them_afresh() {
        let mut punch = Punch::new(true, at(0));
        punch.handle_timeout(at(0));
        punch.handle_peer(candidates(), true, at(10));
        punch.handle_direct(true, at(50));
        assert_eq!((punch.poll_timeout(), all(&mut punch)), (None, vec![]));
        punch.handle_peer(candidates(), false, at(60));
        assert_eq!(all(&mut punch), []);
        punch.handle_direct(false, at(9000));
        punch.handle_timeout(at(9000));
        assert_eq!(all(&mut punch), [PunchOutput::Offer { answer: false }, PunchOutput::Try(candidates())]);
    }

    proptest! {
        /// A peer that floods us with answers gets one attempt for each offer of ours.
        #[test]
        fn a_flood_of_answers_is_not_amplified(pauses in proptest::collection::vec(0_u64..1000, 1..300)) {
            let mut punch = Punch::new(true, at(0));
            let (mut now, mut offers, mut attempts) = (0, 0, 0);
            for pause in &pauses {
                now += pause;
                punch.handle_timeout(at(now));
                let before = all(&mut punch);
                offers += before.iter().filter(|out| matches!(out, PunchOutput::Offer { .. })).count();
                punch.handle_peer(candidates(), true, at(now));
                attempts += all(&mut punch).iter().filter(|out| matches!(out, PunchOutput::Try(_))).count();
            }
            prop_assert!(attempts <= offers);
        }

        /// A peer that floods us with offers gets one answer a second and as many attempts.
        #[test]
        fn a_flood_of_offers_is_not_amplified(pauses in proptest::collection::vec(0_u64..100, 1..300)) {
            let mut punch = Punch::new(false, at(0));
            let mut now = 0;
            let mut answers = 0;
            for pause in &pauses {
                now += pause;
                punch.handle_peer(candidates(), false, at(now));
                answers += all(&mut punch).iter().filter(|out| matches!(out, PunchOutput::Offer { .. })).count() as u64;
            }
            prop_assert!(answers <= now / 1000 + 1);
        }
    }
}
