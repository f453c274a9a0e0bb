//! Which way a side sends: direct when that works, else by relay. Each side decides for itself.
//!
//! Inputs: `handle_up` and `handle_down` when a connection opens or ends, `handle_heard` when the other end of one has
//! acknowledged something of ours (what we merely receive proves nothing about what we send), `handle_timeout`. Output:
//! [`WayChooser::poll_choice`] after each change.
//!
//! A way on which nothing has been acknowledged for a while is silent. Nobody sends on a silent way while there is
//! another; a direct way that was silent has to be heard for a while before it is used again, so that a bad one does not
//! make the call flap.

use std::time::Duration;

use crate::media::Timestamp;

/// A direct way without an acknowledgement for this long is silent (packets go out at least every 250 ms).
pub const DIRECT_SILENT: Duration = Duration::from_millis(700);
/// A relay without an acknowledgement for this long is silent (packets go out at least every second).
pub const RELAY_SILENT: Duration = Duration::from_millis(2500);
/// A direct way that was silent is used again after it has been heard for this long.
pub const STEADY: Duration = Duration::from_secs(1);

/// One of the two ways between the sides of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through the server's relay.
    Relay,
    /// Between the two devices.
    Direct,
}

/// What is to be done from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Send on this way; none: there is no way.
    pub way: Option<Way>,
    /// What was sent last has probably not arrived.
    pub lossy: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    up: bool,
    heard: Timestamp,
    /// Not silent since; none: silent.
    steady_since: Option<Timestamp>,
}

/// One side's choice.
#[derive(Debug, Default)]
pub struct WayChooser {
    relay: Line,
    direct: Line,
    chosen: Option<Way>,
    silent: bool,
    pending: Option<Choice>,
    changes: u32,
}

impl WayChooser {
    /// A connection to the peer is open: by relay only when the peer is there too.
    pub fn handle_up(&mut self, way: Way, now: Timestamp) {
        let lossy = self.line(way).up && self.chosen == Some(way);
        // It has just been proved to work, so it need not prove itself again.
        let steady_since = Some(Timestamp::ZERO);
        *self.line_mut(way) = Line { up: true, heard: now, steady_since };
        self.choose(now);
        if lossy {
            // Another connection took the place of the one in use.
            self.pending = Some(Choice { way: self.chosen, lossy });
        }
    }

    /// It is gone.
    pub fn handle_down(&mut self, way: Way, now: Timestamp) {
        *self.line_mut(way) = Line::default();
        self.choose(now);
    }

    /// Something of ours was acknowledged on it.
    pub fn handle_heard(&mut self, way: Way, now: Timestamp) {
        self.note_silence(now);
        let line = self.line_mut(way);
        if line.up {
            line.heard = now;
            line.steady_since.get_or_insert(now);
        }
        self.choose(now);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.choose(now);
    }

    /// When [`WayChooser::handle_timeout`] has to be called: a way falls silent, or has been steady for long enough.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let silent = |line: &Line, after| (line.up && line.steady_since.is_some()).then_some(line.heard + after);
        let back = self.direct.steady_since.filter(|_| self.chosen != Some(Way::Direct)).map(|since| since + STEADY);
        [silent(&self.relay, RELAY_SILENT), silent(&self.direct, DIRECT_SILENT), back].into_iter().flatten().min()
    }

    /// The newest choice, if there is one that has not been asked for.
    pub fn poll_choice(&mut self) -> Option<Choice> {
        self.pending.take()
    }

    /// The way in use.
    #[must_use]
    pub const fn chosen(&self) -> Option<Way> {
        self.chosen
    }

    /// Whether nothing gets through at the moment, by any way.
    #[must_use]
    pub const fn is_cut_off(&self) -> bool {
        self.chosen.is_none() || self.silent
    }

    /// How often the way has changed, the first one not counted.
    #[must_use]
    pub const fn changes(&self) -> u32 {
        self.changes
    }

    fn note_silence(&mut self, now: Timestamp) {
        for (line, limit) in [(&mut self.relay, RELAY_SILENT), (&mut self.direct, DIRECT_SILENT)] {
            if now.since(line.heard) >= limit {
                line.steady_since = None;
            }
        }
    }

    fn choose(&mut self, now: Timestamp) {
        self.note_silence(now);
        let heard = |line: &Line| line.up && line.steady_since.is_some();
        let steady = |line: &Line| {
            line.up
                && line.steady_since.is_some_and(|since| self.chosen == Some(Way::Direct) || now.since(since) >= STEADY)
        };
        let way = if steady(&self.direct) {
            Some(Way::Direct)
        } else if heard(&self.relay) {
            Some(Way::Relay)
        } else if heard(&self.direct) {
            Some(Way::Direct)
        } else {
            // All are silent: stay where we are, if that still stands.
            let standing = [self.chosen, Some(Way::Direct), Some(Way::Relay)];
            standing.into_iter().flatten().find(|way| self.line(*way).up)
        };
        self.silent = way.is_some_and(|way| !heard(self.line(way)));
        if way != self.chosen {
            let lossy = self.chosen.is_none_or(|old| !heard(self.line(old)));
            self.changes += u32::from(self.chosen.is_some() && way.is_some());
            self.chosen = way;
            self.pending = Some(Choice { way, lossy });
        }
    }

    const fn line(&self, way: Way) -> &Line {
        match way {
            Way::Relay => &self.relay,
            Way::Direct => &self.direct,
        }
    }

    const fn line_mut(&mut self, way: Way) -> &mut Line {
        match way {
            Way::Relay => &mut self.relay,
            Way::Direct => &mut self.direct,
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

    fn both_up() -> WayChooser {
        let mut chooser = WayChooser::default();
        chooser.handle_up(Way::Relay, at(0));
        assert_eq!(chooser.poll_choice(), Some(Choice { way: Some(Way::Relay), lossy: true }));
        chooser.handle_up(Way::Direct, at(100));
        assert_eq!(chooser.poll_choice(), Some(Choice { way: Some(Way::Direct), lossy: false }));
        chooser
    }

    #[test]
    fn direct_takes_over_and_nothing_is_lost_by_that() {
        let mut chooser = both_up();
        assert_eq!((chooser.chosen(), chooser.changes(), chooser.is_cut_off()), (Some(Way::Direct), 1, false));
        assert_eq!(chooser.poll_choice(), None);
    }

    #[test]
    fn the_end_of_the_relay_is_not_noticed_while_direct_works() {
        let mut chooser = both_up();
        chooser.handle_down(Way::Relay, at(200));
        assert_eq!((chooser.poll_choice(), chooser.is_cut_off()), (None, false));
        chooser.handle_up(Way::Relay, at(300));
        assert_eq!((chooser.poll_choice(), chooser.chosen()), (None, Some(Way::Direct)));
    }

    #[test]
    fn a_silent_direct_way_is_left_and_taken_again_only_when_steady() {
        let mut chooser = both_up();
        for millis in (0..3).map(|step| 200 + step * 200) {
            chooser.handle_heard(Way::Relay, at(millis));
        }
        assert_eq!(chooser.poll_timeout(), Some(at(100) + DIRECT_SILENT));
        chooser.handle_timeout(at(800));
        assert_eq!(chooser.poll_choice(), Some(Choice { way: Some(Way::Relay), lossy: true }));
        for millis in (0..=10).map(|step| 1000 + step * 100) {
            assert_eq!(chooser.chosen(), Some(Way::Relay), "{millis}");
            chooser.handle_heard(Way::Relay, at(millis));
            chooser.handle_heard(Way::Direct, at(millis));
        }
        assert_eq!(chooser.poll_choice(), Some(Choice { way: Some(Way::Direct), lossy: false }));
    }

    #[test]
    fn without_any_way_the_first_that_comes_is_taken() {
        let mut chooser = both_up();
        chooser.handle_down(Way::Relay, at(200));
        chooser.handle_down(Way::Direct, at(300));
        assert_eq!(chooser.poll_choice(), Some(Choice { way: None, lossy: true }));
        assert!(chooser.is_cut_off());
        chooser.handle_up(Way::Direct, at(400));
        assert_eq!(chooser.poll_choice(), Some(Choice { way: Some(Way::Direct), lossy: true }));
    }

    #[test]
    fn a_lone_way_that_falls_silent_is_kept_but_counts_as_cut_off() {
        let mut chooser = WayChooser::default();
        chooser.handle_up(Way::Relay, at(0));
        chooser.handle_timeout(at(2600));
        assert_eq!((chooser.chosen(), chooser.is_cut_off()), (Some(Way::Relay), true));
        chooser.handle_heard(Way::Relay, at(2700));
        assert_eq!((chooser.chosen(), chooser.is_cut_off()), (Some(Way::Relay), false));
    }

    #[test]
    fn a_new_connection_of_the_way_in_use_is_told() {
        let mut chooser = both_up();
        chooser.handle_up(Way::Direct, at(200));
        assert_eq!(chooser.poll_choice(), Some(Choice { way: Some(Way::Direct), lossy: true }));
    }

    proptest! {
        #[test]
        fn what_is_chosen_is_up_and_a_way_that_is_heard_is_never_left_unused(
            steps in proptest::collection::vec((0_u8..8, 0_u64..900), 1..200),
        ) {
            let mut chooser = WayChooser::default();
            let mut up = [false; 2];
            let mut heard = [None; 2];
            let mut now = 0;
            for (step, pause) in steps {
                now += pause;
                let side = usize::from(step % 2);
                let way = [Way::Relay, Way::Direct][side];
                match step / 2 {
                    0 => { chooser.handle_up(way, at(now)); up[side] = true; heard[side] = Some(now); }
                    1 => { chooser.handle_down(way, at(now)); up[side] = false; heard[side] = None; }
                    2 => { chooser.handle_heard(way, at(now)); if up[side] { heard[side] = Some(now); } }
                    _ => chooser.handle_timeout(at(now)),
                }
                let limit = [RELAY_SILENT.as_millis() as u64, DIRECT_SILENT.as_millis() as u64];
                let alive = [0, 1].map(|side: usize| heard[side].is_some_and(|heard| now - heard < limit[side]));
                let chosen = chooser.chosen().map(|way| usize::from(way == Way::Direct));
                prop_assert_eq!(chosen.is_some(), up[0] || up[1]);
                prop_assert!(chosen.is_none_or(|side| up[side]));
                prop_assert!(chosen.is_none_or(|side| alive[side] || !(alive[0] || alive[1])));
                prop_assert_eq!(chooser.is_cut_off(), !(alive[0] || alive[1]));
            }
        }
    }
}
