//! The only place that reads a clock.

use std::time::Duration;

use crate::media::Timestamp;

/// Now on the monotonic clock: `CLOCK_MONOTONIC` on Unix, so that logs of several processes of one machine compare;
/// elsewhere since the first call.
#[must_use]
pub fn now() -> Timestamp {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        Timestamp::from_nanos(time.tv_sec * 1_000_000_000 + time.tv_nsec)
    }
    #[cfg(not(unix))]
    {
        use std::sync::OnceLock;
        use std::time::Instant;
        static START: OnceLock<Instant> = OnceLock::new();
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
        let instant = Instant::now();
        let elapsed = instant.duration_since(*START.get_or_init(|| instant));
        Timestamp::ZERO + elapsed + Duration::from_nanos(1)
    }
}

/// Time since the Unix epoch, for devices that stamp their frames with it. It may jump.
#[must_use]
pub fn unix_time() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

/// Seconds since the Unix epoch, for what outlives the process (signatures, history).
#[must_use]
pub fn unix_now() -> u64 {
    unix_time().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_run_backwards() {
        let first = now();
        assert!(now() >= first);
        assert!(unix_now() > 1_700_000_000);
    }
}
