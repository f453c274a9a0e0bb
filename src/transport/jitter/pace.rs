//! How fast to play, so that packets lie in the jitter buffer as long as they must and no longer.

use std::collections::VecDeque;
use std::time::Duration;

/// Slack that all packets but one in a hundred have.
pub const MARGIN: Duration = Duration::from_millis(5);

/// Packets whose slack is remembered: ten seconds.
const WINDOW: usize = 500;
/// More slack than the margin by this is taken away by stretching.
const TOO_MUCH_MS: f32 = 8.0;
/// Less slack than the margin by this is made up by stretching.
const TOO_LITTLE_MS: f32 = 3.0;
/// Blocks between two shortenings: a speech that runs 10 % faster is still natural.
const PAUSE_SHORTEN: u32 = 5;
/// Blocks between two lengthenings: what comes late is heard as a gap, so this may be quicker.
const PAUSE_LENGTHEN: u32 = 2;
/// Latest that a packet counts.
const LATEST_MS: f32 = 200.0;

/// Trim for each millisecond of error: a time constant of 25 s.
const PROPORTIONAL_PPM: f32 = 40.0;
/// Growth of the trim with each block and millisecond of error: critically damped with the above.
const INTEGRAL_PPM: f32 = 0.008;
/// Largest trim: less than a hundredth of a semitone, and twice what two bad crystals differ.
pub const MAX_TRIM_PPM: f32 = 500.0;

/// How to play a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Shorten or lengthen it.
    pub stretch: Stretch,
    /// Play it faster (slower if negative) by so many millionths.
    pub trim_ppm: f32,
}

/// What to do to the length of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// Nothing.
    None,
    /// Shorten it by as much as sounds well, but no more than this.
    Shorten(Duration),
    /// Lengthen it by as much as sounds well, but no more than this.
    Lengthen(Duration),
}

/// Remembers slack and decides.
#[derive(Debug, Default)]
pub struct Pacer {
    /// Milliseconds that packets lay here before they were wanted; negative for those that came too late.
    slack_ms: VecDeque<f32>,
    sorted: Vec<f32>,
    learnt_ppm: f32,
    trim_ppm: f32,
    since_stretch: u32,
    extra_ms: f32,
}

impl Pacer {
    /// More slack than the margin is wanted, by so much.
    pub fn set_extra(&mut self, extra: Duration) {
        self.extra_ms = extra.as_secs_f32() * 1_000.0;
    }

    /// A packet lay here for so long before it was wanted; less than zero: it was wanted before it came, and was in time since
    /// nobody had asked yet.
    pub fn note(&mut self, slack_ms: f32) {
        self.push(slack_ms.max(-LATEST_MS));
    }

    /// A packet came `lateness` after it was wanted.
    pub fn note_late(&mut self, lateness: Duration) {
        self.push(-(lateness.as_secs_f32() * 1_000.0).min(LATEST_MS));
    }

    /// Everything from now on is wanted earlier by `by`.
    pub fn shift_earlier(&mut self, by: Duration) {
        self.shift(-by.as_secs_f32() * 1_000.0);
    }

    /// Everything from now on is wanted later by `by`.
    pub fn shift_later(&mut self, by: Duration) {
        self.shift(by.as_secs_f32() * 1_000.0);
    }

    /// What was known of the path is old; what was learnt of the clocks stays.
    pub fn forget(&mut self) {
        self.slack_ms.clear();
        self.trim_ppm = self.learnt_ppm;
    }

    /// As before, for blocks that cannot be stretched.
    pub const fn steady(&self) -> Pace {
        Pace { stretch: Stretch::None, trim_ppm: self.trim_ppm }
    }

    /// How to play the block whose slack was noted last.
    pub fn decide(&mut self) -> Pace {
        self.since_stretch = self.since_stretch.saturating_add(1);
        let error_ms = self.least_slack_ms() - MARGIN.as_secs_f32() * 1_000.0 - self.extra_ms;
        let small = (-TOO_LITTLE_MS..=TOO_MUCH_MS).contains(&error_ms);
        if small {
            let learnt = self.learnt_ppm + INTEGRAL_PPM * error_ms;
            self.learnt_ppm = learnt.clamp(-MAX_TRIM_PPM, MAX_TRIM_PPM);
        }
        self.trim_ppm = (self.learnt_ppm + PROPORTIONAL_PPM * error_ms).clamp(-MAX_TRIM_PPM, MAX_TRIM_PPM);
        let by = Duration::from_secs_f32(error_ms.abs() / 1_000.0);
        let stretch = if error_ms > TOO_MUCH_MS && self.since_stretch >= PAUSE_SHORTEN {
            Stretch::Shorten(by)
        } else if error_ms < -TOO_LITTLE_MS && self.since_stretch >= PAUSE_LENGTHEN {
            Stretch::Lengthen(by)
        } else {
            Stretch::None
        };
        if stretch != Stretch::None {
            self.since_stretch = 0;
        }
        Pace { stretch, trim_ppm: self.trim_ppm }
    }

    fn push(&mut self, slack_ms: f32) {
        if self.slack_ms.len() == WINDOW {
            self.slack_ms.pop_front();
        }
        self.slack_ms.push_back(slack_ms);
    }

    fn shift(&mut self, by_ms: f32) {
        self.slack_ms.iter_mut().for_each(|slack_ms| *slack_ms += by_ms);
    }

    /// The slack that 99 of 100 packets have.
    fn least_slack_ms(&mut self) -> f32 {
        self.sorted.clear();
        self.sorted.extend(&self.slack_ms);
        if self.sorted.is_empty() {
            return MARGIN.as_secs_f32() * 1_000.0;
        }
        let rank = self.sorted.len() / 100;
        let (_, least, _) = self.sorted.select_nth_unstable_by(rank, f32::total_cmp);
        *least
    }
}
