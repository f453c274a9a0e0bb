//! The beat: once a second each side says, under its signature, which frames it has sent and in which epoch it stands.
//!
//! Everybody in a group holds the keys of all its frames, so a seal alone does not show which member made it. What was opened
//! in another's name is held against that other's beats: a frame that they contradict or leave out was forged by an insider.
//! An epoch authenticator that differs means that the members were led into different groups. Both are found a beat or two
//! late.
//!
//! Frames and beats travel on different ways, and either may come first. Beats are numbered and come all and in order, and each
//! tells how many of the other's its sender had: one that had ours knows of every frame that we had opened before.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Machine, State};
use crate::crypto::sframe::FrameMark;
use crate::media::{Stream, Timestamp};
use crate::wire::call::{Beat, Note, Run};

/// Time between two beats.
const BEAT: Duration = Duration::from_secs(1);
/// Most frames of a beat: four seconds of picture and sound.
const MAX_MARKS: usize = 400;
/// Most frames that wait for their beat.
const MAX_HELD: usize = 2048;
/// Beats that late frames are looked up in.
const MAX_LISTED: usize = 32;
/// Beats for which nothing unlisted is held against a peer that could not list all: later than that no packet of before comes.
const BLIND: u32 = 30;
/// Epochs whose authenticators are remembered: a beat may come from the one before.
const EPOCHS: usize = 4;

/// Most keys that beats are remembered under: those of all streams in all epochs that are.
const MAX_FORGOTTEN: usize = EPOCHS * Stream::ALL.len();

/// What an insider did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Treason {
    /// A frame in the peer's name that the peer did not send.
    #[error("somebody in the call sent pictures or sound in the other's name")]
    Forged,
    /// The peer stands in another group than we.
    #[error("the two sides were led into different groups")]
    Forked,
    /// A beat that names more than anybody sends, to keep us busy with it.
    #[error("the other side named more pictures and sounds than it can have sent")]
    Excessive,
}

/// What each side of a call keeps for its beats.
#[derive(Debug, Default)]
pub struct Heart {
    /// Own beats so far.
    number: u32,
    sent: Vec<FrameMark>,
    /// A frame that was sent is missing from `sent`.
    incomplete: bool,
    /// Opened, not listed yet, with the number of the own beat before.
    held: VecDeque<(FrameMark, u32)>,
    /// The peer's beats so far.
    heard: u32,
    /// Frames opened before this own beat accuse nobody by not being listed: a beat of the peer's was not complete.
    blind_until: u32,
    /// What the last of them list.
    listed: VecDeque<Vec<Run>>,
    /// What earlier ones listed: key id and the counter behind the last.
    forgotten: Vec<(u64, u64)>,
    authenticators: VecDeque<(u64, Vec<u8>)>,
}

impl Heart {
    /// We have sent this frame.
    pub fn note_sent(&mut self, mark: FrameMark) {
        if self.sent.len() < MAX_MARKS {
            self.sent.push(mark);
        } else {
            self.incomplete = true;
        }
    }

    /// We have sent frames that nobody can list any more.
    pub const fn note_unlisted(&mut self) {
        self.incomplete = true;
    }

    /// We have opened this frame in the peer's name. Above a bound the oldest is believed unseen.
    pub fn note_opened(&mut self, mark: FrameMark) {
        if self.held.len() >= MAX_HELD {
            self.held.pop_front();
        }
        self.held.push_back((mark, self.number));
    }

    /// We stand in this epoch.
    pub fn note_epoch(&mut self, epoch: u64, authenticator: Vec<u8>) {
        if self.authenticators.len() >= EPOCHS {
            self.authenticators.pop_front();
        }
        self.authenticators.push_back((epoch, authenticator));
        // Key ids come again after sixteen epochs.
        let known = self.authenticators.iter().map(|(epoch, _)| epoch & 0x0f).collect::<Vec<_>>();
        self.forgotten.retain(|(kid, _)| known.contains(&(kid & 0x0f)));
    }

    /// The next beat: everything since the last one.
    pub fn beat(&mut self) -> Option<Beat> {
        let (epoch, authenticator) = self.authenticators.back()?.clone();
        let mut runs: Vec<Run> = Vec::new();
        for FrameMark { kid, counter, digest } in self.sent.drain(..) {
            match runs.iter_mut().find(|run| run.kid == kid && run.end() == counter) {
                Some(run) => run.digests.push(digest),
                None => runs.push(Run { kid, first: counter, digests: vec![digest] }),
            }
        }
        self.number += 1;
        let complete = !std::mem::take(&mut self.incomplete);
        Some(Beat { number: self.number, heard: self.heard, epoch, authenticator, complete, runs })
    }

    /// Holds what was opened against the peer's next beat.
    pub fn check(&mut self, beat: Beat) -> Result<(), Treason> {
        let named = beat.runs.iter().map(|run| run.digests.len()).sum::<usize>();
        if named > MAX_MARKS || beat.runs.iter().any(|run| run.digests.is_empty()) {
            return Err(Treason::Excessive);
        }
        // An epoch that is not known here (any more) was judged when its commit came.
        let known = self.authenticators.iter().find(|(epoch, _)| *epoch == beat.epoch);
        if known.is_some_and(|(_, authenticator)| *authenticator != beat.authenticator) {
            return Err(Treason::Forked);
        }
        self.heard = beat.number;
        if !beat.complete {
            self.blind_until = self.number + BLIND;
        }
        let blind_until = self.blind_until;
        self.list(beat.runs);
        let (listed, forgotten) = (&self.listed, &self.forgotten);
        let mut forged = false;
        self.held.retain(|(mark, before)| {
            let verdict = verdict(listed.iter().flatten(), forgotten, mark);
            let is_due = beat.heard > *before;
            forged |=
                verdict == Verdict::Contradicted || (verdict == Verdict::Unlisted && is_due && *before >= blind_until);
            verdict == Verdict::Unlisted && !is_due
        });
        if forged { Err(Treason::Forged) } else { Ok(()) }
    }

    fn list(&mut self, runs: Vec<Run>) {
        self.listed.push_back(runs);
        if self.listed.len() <= MAX_LISTED {
            return;
        }
        for run in self.listed.pop_front().into_iter().flatten() {
            let has_room = self.forgotten.len() < MAX_FORGOTTEN;
            match self.forgotten.iter_mut().find(|(kid, _)| *kid == run.kid) {
                Some((_, end)) => *end = run.end().max(*end),
                None if has_room => self.forgotten.push((run.kid, run.end())),
                None => {}
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Confirmed,
    Contradicted,
    /// Listed too long ago to tell.
    Forgotten,
    Unlisted,
}

/// What the peer says of a frame in its name.
fn verdict<'a>(listed: impl Iterator<Item = &'a Run>, forgotten: &[(u64, u64)], mark: &FrameMark) -> Verdict {
    let at = |run: &Run| usize::try_from(mark.counter.checked_sub(run.first)?).ok();
    let mut runs = listed.filter(|run| run.kid == mark.kid);
    match runs.find_map(|run| run.digests.get(at(run)?)) {
        Some(digest) if *digest == mark.digest => Verdict::Confirmed,
        Some(_) => Verdict::Contradicted,
        None if forgotten.iter().any(|(kid, end)| *kid == mark.kid && mark.counter < *end) => Verdict::Forgotten,
        None => Verdict::Unlisted,
    }
}

impl Machine {
    /// Frames that were sealed and sent, and how many more that cannot be named.
    pub fn handle_sent(&mut self, marks: impl IntoIterator<Item = FrameMark>, unlisted: u64) {
        marks.into_iter().for_each(|mark| self.heart.note_sent(mark));
        if unlisted > 0 {
            self.heart.note_unlisted();
        }
    }

    /// Frames that were opened in the peer's name.
    pub fn handle_opened(&mut self, marks: impl IntoIterator<Item = FrameMark>) {
        marks.into_iter().for_each(|mark| self.heart.note_opened(mark));
    }

    pub(super) fn start_beating(&mut self, now: Timestamp) {
        self.heart = Heart::default();
        self.note_epoch();
        self.beat_at = Some(now + BEAT);
    }

    pub(super) fn note_epoch(&mut self) {
        if let State::Active(active) = &self.state {
            self.heart.note_epoch(active.group.epoch().0, active.group.authenticator());
        }
    }

    /// Says what was sent. Not while there is no path: the beats would only wait.
    pub(super) fn beat(&mut self, now: Timestamp) {
        self.beat_at = Some(now + BEAT);
        if self.path_lost.is_none()
            && let Some(beat) = self.heart.beat()
        {
            self.note(&Note::Beat(beat));
        }
    }

    pub(super) fn handle_beat(&mut self, beat: Beat, now: Timestamp) {
        if let Err(treason) = self.heart.check(beat) {
            self.fault(&treason, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KID: u64 = 0x13;

    fn mark(counter: u64, digest: u8) -> FrameMark {
        FrameMark { kid: KID, counter, digest: [digest; 16] }
    }

    fn hearts() -> (Heart, Heart) {
        let mut hearts = (Heart::default(), Heart::default());
        for heart in [&mut hearts.0, &mut hearts.1] {
            heart.note_epoch(3, b"three".to_vec());
        }
        hearts
    }

    /// Both sides' next beats reach the other.
    fn beat(sender: &mut Heart, receiver: &mut Heart) -> Result<(), Treason> {
        let back = receiver.beat().unwrap();
        sender.check(back).unwrap();
        receiver.check(sender.beat().unwrap())
    }

    #[test]
    fn what_was_sent_is_confirmed_whether_the_frame_or_its_beat_comes_first_or_the_frame_never() {
        let (mut sender, mut receiver) = hearts();
        let mut late = Vec::new();
        for counter in 0..500 {
            sender.note_sent(mark(counter, counter as u8));
            match counter % 5 {
                0 => {}
                1 => late.push(mark(counter, counter as u8)),
                _ => receiver.note_opened(mark(counter, counter as u8)),
            }
            if counter % 50 == 49 {
                assert_eq!(beat(&mut sender, &mut receiver), Ok(()));
                late.drain(..).for_each(|mark| receiver.note_opened(mark));
            }
        }
        for _ in 0..3 {
            assert_eq!(beat(&mut sender, &mut receiver), Ok(()));
        }
        assert!(receiver.held.is_empty());
    }

    #[test]
    fn beats_that_were_stuck_on_their_way_accuse_nobody() {
        let (mut sender, mut receiver) = hearts();
        let stuck: Vec<_> = (0..20).map(|_| sender.beat().unwrap()).collect();
        sender.note_sent(mark(0, 1));
        receiver.note_opened(mark(0, 1));
        for beat in stuck {
            assert_eq!(receiver.check(beat), Ok(()));
        }
        assert_eq!(beat(&mut sender, &mut receiver), Ok(()));
        assert!(receiver.held.is_empty());
    }

    #[test]
    fn a_frame_with_other_bytes_than_the_sender_sent_is_found_with_its_beat() {
        for first in [true, false] {
            let (mut sender, mut receiver) = hearts();
            sender.note_sent(mark(0, 1));
            if !first {
                assert_eq!(beat(&mut sender, &mut receiver), Ok(()));
            }
            receiver.note_opened(mark(0, 2));
            assert_eq!(beat(&mut sender, &mut receiver), Err(Treason::Forged));
        }
    }

    #[test]
    fn a_frame_that_the_sender_never_sent_is_found_as_soon_as_the_sender_must_have_listed_it() {
        let (mut sender, mut receiver) = hearts();
        receiver.note_opened(mark(1000, 1));
        assert_eq!(receiver.check(sender.beat().unwrap()), Ok(()), "the beat may be older than the frame");
        assert_eq!(beat(&mut sender, &mut receiver), Err(Treason::Forged));
    }

    #[test]
    fn frames_that_nobody_could_list_accuse_nobody() {
        let (mut sender, mut receiver) = hearts();
        receiver.note_opened(mark(1000, 1));
        sender.note_unlisted();
        for _ in 0..3 {
            assert_eq!(beat(&mut sender, &mut receiver), Ok(()));
        }
        assert!(receiver.held.is_empty());
        receiver.note_opened(mark(0, 1));
        sender.note_sent(mark(1, 1));
        for _ in 0..3 {
            assert_eq!(beat(&mut sender, &mut receiver), Ok(()), "nor frames that were late");
        }
    }

    #[test]
    fn a_frame_from_long_ago_accuses_nobody() {
        let (mut sender, mut receiver) = hearts();
        for counter in 0..=MAX_LISTED as u64 + 1 {
            sender.note_sent(mark(counter, counter as u8));
            assert_eq!(beat(&mut sender, &mut receiver), Ok(()));
        }
        receiver.note_opened(mark(0, 0));
        assert_eq!(beat(&mut sender, &mut receiver), Ok(()));
        assert!(receiver.held.is_empty());
    }

    #[test]
    fn another_group_behind_the_same_epoch_number_is_found() {
        let (mut sender, mut receiver) = hearts();
        sender.note_epoch(4, b"four".to_vec());
        assert_eq!(receiver.check(sender.beat().unwrap()), Ok(()), "an epoch that is still to come here");
        receiver.note_epoch(4, b"another four".to_vec());
        assert_eq!(receiver.check(sender.beat().unwrap()), Err(Treason::Forked));
    }

    #[test]
    fn everything_is_bounded() {
        let (mut sender, mut receiver) = hearts();
        for counter in 0..5000 {
            sender.note_sent(mark(counter, 0));
            receiver.note_opened(mark(counter, 0));
        }
        let beat = sender.beat().unwrap();
        assert_eq!((beat.runs[0].digests.len(), beat.complete, receiver.held.len()), (MAX_MARKS, false, MAX_HELD));
        for _ in 0..100 {
            let _ = receiver.check(sender.beat().unwrap());
        }
        assert_eq!(receiver.listed.len(), MAX_LISTED);
    }

    #[test]
    fn a_peer_that_names_what_it_cannot_have_sent_fills_no_memory_and_takes_no_time() {
        let (mut sender, mut receiver) = hearts();
        let mut beat = |runs| Beat { runs, ..sender.beat().unwrap() };
        let run = |kid, count| Run { kid, first: 0, digests: vec![[0; 16]; count] };
        for number in 0..1000 {
            // Under a new key each time, as many as are believed.
            let runs = (0..MAX_MARKS as u64).map(|at| run(number << 32 | at << 8 | KID, 1)).collect();
            assert_eq!(receiver.check(beat(runs)), Ok(()));
            assert!(receiver.forgotten.len() <= MAX_FORGOTTEN && receiver.listed.len() <= MAX_LISTED);
        }
        assert_eq!(receiver.check(beat(vec![run(KID, MAX_MARKS), run(KID, 1)])), Err(Treason::Excessive));
        assert_eq!(receiver.check(beat(vec![run(KID, 0); 5000])), Err(Treason::Excessive));
    }
}
