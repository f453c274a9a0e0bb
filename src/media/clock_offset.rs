//! How far another machine's clock is ahead of this one's, and how well that is known: what a time of theirs needs before it can
//! be held against one of ours.

use std::time::Duration;

use super::Timestamp;

/// Most that two devices' clocks run apart, in millionths: a good crystal keeps 50, a poor one 100.
const DRIFT_PPM: u32 = 250;
/// Clocks that agree within this are taken for one: of two machines, which count from their start, it is not to be expected.
const ONE_CLOCK: Duration = Duration::from_millis(100);

/// The other clock is ahead by `ahead_ns`, give or take `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// Their clock less ours, nanoseconds.
    pub ahead_ns: i64,
    /// The truth is no further away than this.
    pub error: Duration,
}

impl ClockOffset {
    /// The offset that lies between two bounds; none between bounds that exclude each other.
    #[must_use]
    pub fn between(least_ns: i64, most_ns: i64) -> Option<Self> {
        let width = u64::try_from(most_ns.checked_sub(least_ns)?).ok()?;
        Some(Self {
            ahead_ns: least_ns.saturating_add_unsigned(width / 2),
            error: Duration::from_nanos(width.div_ceil(2)),
        })
    }

    /// Least and most that it can be.
    #[must_use]
    pub fn bounds_ns(self) -> (i64, i64) {
        let error = i64::try_from(self.error.as_nanos()).unwrap_or(i64::MAX);
        (self.ahead_ns.saturating_sub(error), self.ahead_ns.saturating_add(error))
    }

    /// What is still known of it after this time.
    #[must_use]
    pub fn aged(self, by: Duration) -> Self {
        Self { error: self.error.saturating_add(drift(by)), ..self }
    }

    /// What two ways of knowing it say together; nothing if they exclude each other.
    #[must_use]
    pub fn and(self, other: Self) -> Option<Self> {
        let ((a, b), (c, d)) = (self.bounds_ns(), other.bounds_ns());
        Self::between(a.max(c), b.min(d))
    }

    /// The same as the other side has to say it.
    #[must_use]
    pub const fn from_their_side(self) -> Self {
        Self { ahead_ns: self.ahead_ns.saturating_neg(), error: self.error }
    }

    /// Both read one clock, as two programs on one machine do.
    #[must_use]
    pub fn is_one_clock(self) -> bool {
        let (least, most) = self.bounds_ns();
        least <= 0 && most >= 0 && self.error < ONE_CLOCK
    }

    /// A time of theirs, on our clock.
    #[must_use]
    pub fn to_ours(self, theirs: Timestamp) -> Timestamp {
        let ahead_ns = if self.is_one_clock() { 0 } else { self.ahead_ns };
        Timestamp::from_nanos(theirs.as_nanos().saturating_sub(ahead_ns))
    }

    /// In words, never the offset without its error.
    #[must_use]
    pub fn words(self) -> String {
        let error_ms = self.error.as_secs_f64() * 1_000.0;
        if self.is_one_clock() {
            return format!("same clock (±{error_ms:.1} ms)");
        }
        let ahead_ms = self.ahead_ns as f64 / 1e6;
        format!("{ahead_ms:+.1} ms ±{error_ms:.1} ms")
    }
}

/// How far two clocks may have run apart.
#[must_use]
pub fn drift(during: Duration) -> Duration {
    during / 1_000_000 * DRIFT_PPM
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn two_ways_of_knowing_narrow_each_other_and_age() {
        let one = ClockOffset::between(10 * MS, 30 * MS).unwrap();
        assert_eq!((one.ahead_ns, one.error), (20 * MS, Duration::from_millis(10)));
        let other = ClockOffset::between(-25 * MS, -15 * MS).unwrap().from_their_side();
        assert_eq!(one.and(other), ClockOffset::between(15 * MS, 25 * MS));
        assert_eq!(one.and(ClockOffset::between(31 * MS, 32 * MS).unwrap()), None);
        assert_eq!(one.aged(Duration::from_secs(8)).error, Duration::from_millis(12));
        assert_eq!(ClockOffset::between(2, 1), None);
    }

    #[test]
    fn one_clock_is_told_from_two_and_the_error_is_always_said() {
        let same = ClockOffset::between(-MS, 20 * MS).unwrap();
        assert!(same.is_one_clock());
        let time = Timestamp::from_nanos(77);
        assert_eq!((same.to_ours(time), same.words()), (time, "same clock (±10.5 ms)".to_owned()));
        let other = ClockOffset::between(-3_000 * MS, -2_999 * MS).unwrap();
        assert_eq!(other.words(), "-2999.5 ms ±0.5 ms");
        assert_eq!(other.to_ours(time), time + Duration::from_micros(2_999_500));
        let unknown = ClockOffset::between(-2_000 * MS, 2_000 * MS).unwrap();
        assert!(!unknown.is_one_clock(), "what is hardly known is not known to be one");
    }
}
