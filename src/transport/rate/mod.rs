//! How fast to send: reports of arrivals in; a rate, a pace, and what the next frame may have out. Sans-IO.
//!
//! The receiver's [`recorder`] reports when packets arrived; the sender's [`sent`] log turns that into news, from which the
//! [`estimator`] gets its rate; the [`pacer`] holds what waits. Nothing is sent beyond what the path drains: a window over the
//! bytes on their way bounds what is lost to a link that stops, since without reports it is used up in a tenth of a second.

pub mod estimator;
pub mod ladder;
pub mod pacer;
pub mod recorder;
pub mod sent;
#[cfg(test)]
mod tests;
pub mod video;

use std::time::Duration;

use crate::media::Timestamp;
use crate::wire::feedback::Feedback;
use estimator::{Estimator, SHARE};
use sent::SentLog;

/// Pace of the first packets, before anything is known.
const FIRST_PACE_BPS: f64 = 4_000_000.0;
/// The pace is at least this many times the rate, and this share of the capacity.
const PACE: f64 = 1.25;
const PACE_SHARE: f64 = 0.9;
/// What may be on its way beyond a round trip's worth and a frame: until the next report.
const ALLOWANCE: Duration = Duration::from_millis(37);
/// The same when the encoder's limit is below the path's: there a late report must cost no picture.
const RELAXED_ALLOWANCE: Duration = Duration::from_millis(107);
/// No frame follows so many bytes before anything is heard: QUIC's own first window (RFC 9002, 7.2).
const FIRST_WINDOW: usize = 14_720;
/// Most that the round trip counts for in the window: the peer says what it is, by when it reports.
const MOST_ROUND_TRIP: Duration = Duration::from_millis(500);
/// Assumed before it is known.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(100);
/// Without a report for so long beyond a round trip, while there should be one, the rate is halved.
const SILENCE: Duration = Duration::from_millis(350);
/// The same on a way from which none has come yet: the peer may only now be there.
const FIRST_SILENCE: Duration = Duration::from_secs(1);
/// After so long without a frame one may go even if the window is used up, of the size that the lowest rate gives it. Without a
/// report for so long it may have so many times that: it is not known whether the way there has stopped, or that of the reports.
/// With reports it is known to be slow, and whatever goes beyond the lowest rate would keep its queue from ever being drained.
const PROBE: Duration = Duration::from_millis(150);
const PROBE_SIZE: f64 = 2.0;
/// But not when nothing has been heard for so long.
const GIVEN_UP: Duration = Duration::from_secs(2);
/// So long after a silence the rate is still coming back.
const COMING_BACK: Duration = Duration::from_millis(1_500);
/// It comes back with half of what it was, but no more than so many bits before it is known whether they pass.
const UNKNOWN_BITS: f64 = 150_000.0;
/// A frame that may have less than this share of its usual size is not worth encoding.
const LEAST_FRAME: f64 = 0.5;

/// Between which rates, in bits a second with all headers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimits {
    /// Never less.
    pub min_bps: f64,
    /// To begin with.
    pub start_bps: f64,
    /// Never more: what the encoder can use.
    pub max_bps: f64,
}

/// The controller of one sending direction.
#[derive(Debug)]
pub struct RateController {
    limits: RateLimits,
    sent: SentLog,
    estimator: Estimator,
    /// A report has come on this way.
    heard: bool,
    /// When the next report is missed.
    silent_at: Option<Timestamp>,
    last_frame: Option<Timestamp>,
    last_report: Option<Timestamp>,
    /// The last report that was due has not come.
    silent: bool,
    interruption: Option<Interruption>,
}

/// A silence, which says nothing about the rate of the path behind it.
#[derive(Clone, Copy, Debug)]
struct Interruption {
    /// Bits a second before it.
    before_bps: f64,
    /// When the next report came.
    ended: Option<Timestamp>,
}

impl RateController {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(limits: RateLimits) -> Self {
        let (sent, estimator) = (SentLog::default(), Estimator::new(limits));
        Self {
            limits,
            sent,
            estimator,
            heard: false,
            silent_at: None,
            last_frame: None,
            last_report: None,
            silent: false,
            interruption: None,
        }
    }

    /// A packet has been handed to the network; numbers follow each other.
    pub fn handle_sent(&mut self, number: u32, bytes: usize, now: Timestamp) {
        if self.sent.in_flight_bytes() == 0 {
            self.silent_at = Some(now + self.patience());
        }
        self.sent.handle_sent(number, bytes, now);
    }

    /// A video frame is to be sent.
    pub const fn handle_frame(&mut self, now: Timestamp) {
        self.last_frame = Some(now);
    }

    /// A report has come.
    pub fn handle_feedback(&mut self, feedback: &Feedback, now: Timestamp) {
        let mut news = self.sent.handle_feedback(feedback, now);
        if news.arrivals.is_empty() {
            // Of nothing that went this way: it says neither that the way is open nor what passes there.
            return;
        }
        if let Some(Interruption { before_bps, ended: ended @ None }) = &mut self.interruption {
            *ended = Some(now);
            // Until a report has come of what follows: one may just have gone.
            let unknown_s = (self.estimator.round_trip().unwrap_or(FIRST_ROUND_TRIP) + ALLOWANCE * 2).as_secs_f64();
            self.estimator.handle_end_of_silence((*before_bps / 2.0).min(UNKNOWN_BITS / unknown_s));
            // What was lost in the silence says nothing about what passes now.
            news.lost = 0;
        }
        self.estimator.handle_news(&news, now);
        (self.heard, self.silent) = (true, false);
        self.last_report = Some(now);
        self.silent_at = Some(now + self.patience());
    }

    /// Packets go another way from now on.
    pub fn handle_path(&mut self) {
        self.estimator.handle_path();
        self.sent.forget();
        self.heard = false;
        self.silent_at = None;
        // A way that is left since it stopped says no more about the rate than a link that does.
        self.interruption = self.interruption.filter(|interruption| interruption.ended.is_none());
    }

    /// When a report will be missed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.silent_at.filter(|_| self.sent.in_flight_bytes() > 0)
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.poll_timeout().is_some_and(|at| at <= now) {
            if !self.silent {
                self.interruption = Some(Interruption { before_bps: self.prospect_bps(now), ended: None });
            }
            self.estimator.handle_silence();
            self.silent = true;
            self.silent_at = Some(now + self.patience());
        }
        self.sent.handle_timeout(now, self.round_trip());
    }

    /// Whether the other end says nothing, although it should.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        self.silent
    }

    /// Bits a second to send at, with all headers.
    #[must_use]
    pub const fn target_bps(&self) -> f64 {
        self.estimator.target_bps()
    }

    /// Bits a second for which pictures are worth being made, with all headers: the rate, but while a queue is drained what it will
    /// be again after that, and in a silence and shortly after it what it was before, as far as the path is known to carry that.
    /// Whoever went by the rate then would make pictures small for a moment's sake, and take seconds to make them large again.
    #[must_use]
    pub fn prospect_bps(&self, now: Timestamp) -> f64 {
        let lasting_bps = self.estimator.lasting_bps();
        match self.interruption {
            Some(Interruption { before_bps, ended }) if ended.is_none_or(|at| now.since(at) < COMING_BACK) => {
                let carried_bps = self.estimator.capacity_bps().map_or(before_bps, |capacity_bps| capacity_bps * SHARE);
                lasting_bps.max(before_bps.min(carried_bps))
            }
            _ => lasting_bps,
        }
    }

    /// Bits a second at which what waits leaves.
    #[must_use]
    pub fn pace_bps(&self) -> f64 {
        let least = self.target_bps() * PACE;
        self.estimator.capacity_bps().map_or(FIRST_PACE_BPS, |capacity_bps| capacity_bps * PACE_SHARE).max(least)
    }

    /// Most bytes that may be on their way, where a frame follows the one before it after `frame`.
    #[must_use]
    pub fn window_bytes(&self, frame: Duration) -> usize {
        let relaxed = self.target_bps() >= self.limits.max_bps;
        let allowance = frame + if relaxed { RELAXED_ALLOWANCE } else { ALLOWANCE };
        let mut time = self.round_trip().min(MOST_ROUND_TRIP) + allowance;
        if self.estimator.is_beside_others() {
            // What others put before our packets is not ours to drain.
            time += self.estimator.queue().min(MOST_ROUND_TRIP).mul_f64(1.5);
        }
        (self.target_bps() / 8.0 * time.as_secs_f64()) as usize
    }

    /// Bytes, with all headers, of the frame that is captured now and followed by the next after `frame`, while `waiting`
    /// bytes are still to be sent. Nothing: leave it out.
    #[must_use]
    pub fn frame_bytes(&self, frame: Duration, waiting: usize, now: Timestamp) -> usize {
        let usual = self.target_bps() / 8.0 * frame.as_secs_f64();
        let least = self.limits.min_bps / 8.0 * frame.as_secs_f64();
        let most = if self.last_report.is_some() { usize::MAX } else { FIRST_WINDOW };
        let window = self.window_bytes(frame).min(most);
        let free = window.saturating_sub(self.sent.in_flight_bytes() + waiting) as f64;
        // With less than the least the encoder could do nothing.
        if free >= least.max(usual * LEAST_FRAME) {
            return free.min(usual) as usize;
        }
        let is_quiet = self.last_frame.is_none_or(|at| now.since(at) > PROBE);
        let is_heard = self.last_report.is_none_or(|at| now.since(at) < GIVEN_UP);
        let is_open = self.last_report.is_some_and(|at| now.since(at) < PROBE);
        let probe = least * if is_open { 1.0 } else { PROBE_SIZE };
        if is_quiet && is_heard { probe as usize } else { 0 }
    }

    /// How much is remembered of what the peer has reported.
    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.estimator.remembered()
    }

    fn round_trip(&self) -> Duration {
        self.estimator.round_trip().unwrap_or(FIRST_ROUND_TRIP)
    }

    fn patience(&self) -> Duration {
        if self.heard { SILENCE + self.round_trip() } else { FIRST_SILENCE }
    }
}
