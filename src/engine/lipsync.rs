//! Picture and sound of one person reach the other together.
//!
//! Each stream is shown when it can be; both measure how long after its capture that is. The two captures are read from one
//! clock and the two ends from another, so each delay is off by what separates the clocks, and their difference is right. Where
//! the picture is ahead of the sound by more than [`TOLERANCE`] it is held back before it is decoded, where it is behind by
//! more the jitter buffer of the sound is told to keep more. Both are bounded, whatever the peer says about its captures.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::media::Timestamp;

/// So far apart is still together: 45 ms may be noticed (ITU-R BT.1359).
pub const TOLERANCE: Duration = Duration::from_millis(40);
/// Longest time that a picture is held back.
pub const LONGEST_HOLD: Duration = Duration::from_millis(200);
/// Longest time that sound is kept for the sake of the picture.
pub const LONGEST_EXTRA: Duration = Duration::from_millis(150);
/// A stream that nothing came of for so long is not waited for.
const FRESH: Duration = Duration::from_secs(1);
/// Sound that is to be kept longer or shorter by less than this is not stretched for it.
const WORTH: Duration = Duration::from_millis(5);

/// The delay of one stream from capture to person, smoothed over about sixteen samples. One writer.
#[derive(Debug, Default)]
struct Delay {
    nanos: AtomicI64,
    /// When it was sampled last; zero: never.
    sampled: AtomicI64,
}

impl Delay {
    fn sample(&self, captured: Timestamp, reached: Timestamp, now: Timestamp) {
        let sample = reached.as_nanos().saturating_sub(captured.as_nanos());
        let smoothed = self.get(now).map_or(sample, |old| old.saturating_add(sample.saturating_sub(old) / 16));
        self.nanos.store(smoothed, Ordering::Relaxed);
        self.sampled.store(now.as_nanos(), Ordering::Relaxed);
    }

    fn get(&self, now: Timestamp) -> Option<i64> {
        let sampled = self.sampled.load(Ordering::Relaxed);
        let fresh = sampled != 0 && now.since(Timestamp::from_nanos(sampled)) <= FRESH;
        fresh.then(|| self.nanos.load(Ordering::Relaxed))
    }
}

/// What the two receiving threads of a call tell each other.
#[derive(Debug, Default)]
pub struct LipSync {
    sound: Delay,
    picture: Delay,
}

impl LipSync {
    /// Sound that was captured then is heard then.
    pub fn note_sound(&self, captured: Timestamp, heard: Timestamp, now: Timestamp) {
        self.sound.sample(captured, heard, now);
    }

    /// A picture that was captured then can be shown now.
    pub fn note_picture(&self, captured: Timestamp, now: Timestamp) {
        self.picture.sample(captured, now, now);
    }

    /// When a picture that was captured then, and is there since `arrived`, is to be decoded, if that is not at once.
    #[must_use]
    pub fn picture_due(&self, captured: Timestamp, arrived: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let heard = captured.as_nanos().saturating_add(self.sound.get(now)?);
        let due = (Timestamp::from_nanos(heard) - TOLERANCE).min(arrived + LONGEST_HOLD);
        (due > now).then_some(due)
    }

    /// How long sound is to be kept beyond what its jitter asks for, which was `extra` up to now.
    #[must_use]
    pub fn sound_extra(&self, extra: Duration, now: Timestamp) -> Duration {
        let (Some(sound), Some(picture)) = (self.sound.get(now), self.picture.get(now)) else { return Duration::ZERO };
        let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        let own = sound.saturating_sub(nanos(extra));
        let behind = picture.saturating_sub(own).saturating_sub(nanos(TOLERANCE));
        let wanted = Duration::from_nanos(u64::try_from(behind).unwrap_or(0)).min(LONGEST_EXTRA);
        if wanted.abs_diff(extra) < WORTH && !wanted.is_zero() { extra } else { wanted }
    }

    /// How much later the sound comes than the picture, milliseconds; less than zero: earlier. Nothing unless both come.
    #[must_use]
    pub fn skew_ms(&self, now: Timestamp) -> Option<f32> {
        let skew = self.sound.get(now)?.saturating_sub(self.picture.get(now)?);
        Some((skew / 100_000) as f32 / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The peer's clock is an hour ahead of ours.
    const THERE: Duration = Duration::from_hours(1);

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_nanos(1_000_000_000) + Duration::from_millis(millis)
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Two seconds of both streams with these delays.
    fn settled(sound_ms: u64, picture_ms: u64) -> LipSync {
        let sync = LipSync::default();
        for step in 0..100 {
            let now = at(step * 20);
            sync.note_sound(now + THERE, now + ms(sound_ms), now);
            sync.note_picture(now + THERE - ms(picture_ms), now);
        }
        sync
    }

    #[test]
    fn a_picture_that_is_ahead_is_held_back_until_the_sound_is_near() {
        let (sync, now) = (settled(100, 10), at(1980));
        assert_eq!(sync.skew_ms(now), Some(90.0));
        // Captured 10 ms ago, heard 100 ms after that: to be seen from 60 ms after on.
        assert_eq!(sync.picture_due(now + THERE - ms(10), now, now), Some(now + ms(50)));
        assert_eq!(sync.picture_due(now + THERE - ms(61), now, now), None, "that one is late already");
        assert_eq!(settled(40, 10).picture_due(now + THERE - ms(10), now, now), None, "near enough");
    }

    #[test]
    fn sound_that_is_ahead_is_kept_longer_and_not_again_and_again() {
        let now = at(1980);
        let extra = settled(50, 130).sound_extra(Duration::ZERO, now);
        assert_eq!(extra, ms(40));
        assert_eq!(settled(90, 130).sound_extra(extra, now), extra, "with that it is settled");
        assert_eq!(settled(92, 130).sound_extra(extra, now), extra, "and stays so");
        assert_eq!(settled(90, 60).sound_extra(extra, now), Duration::ZERO, "the picture has caught up");
    }

    #[test]
    fn nobody_waits_for_a_stream_that_does_not_come_or_for_longer_than_the_bounds() {
        let now = at(1980);
        let sync = LipSync::default();
        assert_eq!(
            (sync.picture_due(now, now, now), sync.sound_extra(ms(9), now), sync.skew_ms(now)),
            (None, ms(0), None)
        );
        let sync = settled(100, 10);
        let later = now + FRESH + ms(1);
        assert_eq!((sync.picture_due(later, later, later), sync.skew_ms(later)), (None, None));
        let late = settled(9_000, 10);
        assert_eq!(late.picture_due(now + THERE, now, now), Some(now + LONGEST_HOLD));
        assert_eq!(
            late.picture_due(now + THERE, now - LONGEST_HOLD, now),
            None,
            "it has waited for long enough in the queue"
        );
        assert_eq!(settled(10, 9_000).sound_extra(Duration::ZERO, now), LONGEST_EXTRA);
        let hostile = LipSync::default();
        hostile.note_sound(Timestamp::from_nanos(i64::MIN), at(0), at(0));
        hostile.note_picture(Timestamp::from_nanos(i64::MAX), at(0));
        assert!(hostile.picture_due(Timestamp::from_nanos(i64::MAX), at(0), at(0)).is_some_and(|due| due <= at(200)));
        assert_eq!(hostile.sound_extra(LONGEST_EXTRA, at(0)), Duration::ZERO);
    }
}
