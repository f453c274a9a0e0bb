//! When a label was shown, and when it was seen: the times between the two, and what went wrong with the others. Without a
//! clock, a camera or a window.

use std::collections::VecDeque;

use crate::bench::summary::Durations;
use crate::capture::barcode::Label;
use crate::media::{FrameId, Timestamp};

/// Labels that are remembered: half a minute of them, far more than any camera is behind.
const REMEMBERED: usize = 256;

/// Which labels count as ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// By number and time: what a camera sees now.
    Whole,
    /// By number only: a recording shows labels of another time.
    Number,
}

/// How many of what there was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Sighted {
    /// Labels that the window showed.
    pub labels_shown: u64,
    /// Those among them that were seen.
    pub labels_seen: u64,
    /// Readings of a label that had been seen before: it stood for longer than the camera needed.
    pub seen_again: u64,
    /// Readings of labels that this window has not shown: another window's, or a recording's.
    pub foreign: u64,
    /// Labels that were seen before they were shown, which no light is: a wrong time of the camera, or a recording.
    pub seen_before_shown: u64,
}

/// What was shown and seen so far.
pub struct Sightings {
    by: Match,
    entries: VecDeque<Entry>,
    /// The newest label that was read. An older one after it is a recording's, which has begun again.
    newest: Option<FrameId>,
    durations: Durations,
    counts: Sighted,
}

struct Entry {
    label: Label,
    shown: Option<Timestamp>,
    seen: Option<Timestamp>,
}

impl Sightings {
    /// Nothing yet.
    #[must_use]
    pub fn new(by: Match) -> Self {
        Self {
            by,
            entries: VecDeque::with_capacity(REMEMBERED),
            newest: None,
            durations: Durations::default(),
            counts: Sighted::default(),
        }
    }

    /// A label was drawn; it will be shown, if the window comes to it.
    pub fn drawn(&mut self, label: Label) {
        if self.entries.len() == REMEMBERED {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { label, shown: None, seen: None });
    }

    /// The window system was asked to show this label at `at`. That is known some time later, often after it was seen.
    pub fn shown(&mut self, id: FrameId, at: Timestamp) {
        let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.label.id == id) else { return };
        if entry.shown.replace(at).is_none() {
            self.counts.labels_shown += 1;
            let (shown, seen) = (entry.shown, entry.seen);
            self.settle(shown, seen);
        }
    }

    /// This label was read in a picture of the time `at`. The first picture counts.
    pub fn seen(&mut self, label: Label, at: Timestamp) {
        let is_meant = |entry: &Entry| match self.by {
            Match::Whole => {
                entry.label.id == label.id && entry.label.captured.as_micros() == label.captured.as_micros()
            }
            Match::Number => entry.label.id == label.id,
        };
        let Some(index) = self.entries.iter().rposition(is_meant) else {
            self.counts.foreign += 1;
            return;
        };
        let entry = &mut self.entries[index];
        if entry.seen.is_some() || self.newest.is_some_and(|newest| label.id < newest) {
            self.counts.seen_again += 1;
            return;
        }
        entry.seen = Some(at);
        self.newest = Some(label.id);
        let (shown, seen) = (entry.shown, entry.seen);
        self.settle(shown, seen);
    }

    /// Times from showing to seeing, in milliseconds.
    #[must_use]
    pub const fn durations(&self) -> &Durations {
        &self.durations
    }

    /// What there was.
    #[must_use]
    pub const fn counts(&self) -> Sighted {
        self.counts
    }

    fn settle(&mut self, shown: Option<Timestamp>, seen: Option<Timestamp>) {
        let Some((shown, seen)) = shown.zip(seen) else { return };
        if seen < shown {
            self.counts.seen_before_shown += 1;
        } else {
            self.counts.labels_seen += 1;
            self.durations.add(seen.millis_since(shown));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_nanos(1_000_000_000 + ms * 1_000_000)
    }

    fn label(number: u32) -> Label {
        Label { id: FrameId(number), captured: at(i64::from(number) * 100) }
    }

    fn p50(sightings: &Sightings) -> f64 {
        sightings.durations().percentiles().p50
    }

    #[test]
    fn the_first_picture_of_a_label_counts_whichever_is_known_first() {
        let mut sightings = Sightings::new(Match::Whole);
        for number in 0..10 {
            let begin = i64::from(number) * 100;
            sightings.drawn(label(number));
            if number % 2 == 0 {
                sightings.shown(FrameId(number), at(begin + 5));
            }
            for later in [42, 75, 108] {
                sightings.seen(label(number), at(begin + later));
            }
            if number % 2 == 1 {
                sightings.shown(FrameId(number), at(begin + 5));
                sightings.shown(FrameId(number), at(begin + 6));
            }
        }
        assert!((p50(&sightings) - 37.0).abs() < 0.1, "{}", p50(&sightings));
        let counts = Sighted { labels_shown: 10, labels_seen: 10, seen_again: 20, ..Sighted::default() };
        assert_eq!((sightings.counts(), sightings.durations().count()), (counts, 10));
    }

    #[test]
    fn another_windows_label_gives_no_time_and_a_recordings_only_where_one_is_asked_for() {
        let other = Label { captured: at(77_000), ..label(3) };
        for (by, seen, foreign) in [(Match::Whole, 0, 1), (Match::Number, 1, 0)] {
            let mut sightings = Sightings::new(by);
            sightings.drawn(label(3));
            sightings.shown(FrameId(3), at(300));
            sightings.seen(other, at(350));
            sightings.seen(label(4), at(350));
            let counts = sightings.counts();
            assert_eq!((counts.labels_seen, counts.foreign), (seen, foreign + 1), "{by:?}");
        }
    }

    #[test]
    fn a_recording_that_begins_again_gives_no_times_the_second_time() {
        let mut sightings = Sightings::new(Match::Number);
        for number in 0..4 {
            sightings.drawn(label(number));
            sightings.shown(FrameId(number), at(i64::from(number) * 100));
        }
        for (number, later) in [(1, 150), (3, 350), (0, 900), (2, 1_100), (3, 1_200)] {
            sightings.seen(label(number), at(later));
        }
        let counts = sightings.counts();
        assert_eq!((counts.labels_seen, counts.seen_again), (2, 3));
    }

    #[test]
    fn what_is_seen_before_it_is_shown_is_no_light() {
        let mut sightings = Sightings::new(Match::Number);
        for number in 0..2 {
            sightings.drawn(label(number));
            sightings.seen(label(number), at(10));
            sightings.shown(FrameId(number), at(20));
        }
        let counts = Sighted { labels_shown: 2, seen_before_shown: 2, ..Sighted::default() };
        assert_eq!((sightings.counts(), sightings.durations().count()), (counts, 0));
    }

    #[test]
    fn what_was_never_shown_is_never_counted_and_memory_is_bounded() {
        let mut sightings = Sightings::new(Match::Whole);
        for number in 0..3 * REMEMBERED as u32 {
            sightings.drawn(label(number));
            sightings.seen(label(number), at(i64::from(number) * 100));
        }
        sightings.shown(FrameId(0), at(1));
        sightings.shown(FrameId(1_000_000), at(1));
        assert_eq!(sightings.counts(), Sighted::default());
        assert_eq!((sightings.entries.len(), sightings.entries.capacity()), (REMEMBERED, REMEMBERED));
    }
}
