//! What a call over a bad network is to reach, and whether it did.

use serde::Serialize;

use crate::bench::report::CallReport;

/// A delay counts only where at least this share of the usable rate was used: sending next to nothing is no art.
const LEAST_USED: f64 = 0.6;

/// A figure that has a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// 95 of 100 frames that were sent, in milliseconds; needs 60 % use.
    SignalDelay,
    /// Pictures that stood for more than 200 ms.
    FreezesPerMinute,
    /// Share of the encoder's bytes.
    RepairAndPadding,
    /// Seconds until nine tenths of a restored rate are used.
    RateBack,
    /// Seconds until a picture is shown that was taken after the link came back.
    PictureBack,
    /// 95 of 100, in milliseconds: one picture's time at 30 a second.
    StandingQueue,
    /// What the link carried of this call, of that and what it carried of whoever joined.
    OwnShare,
    /// The rest of that.
    OthersShare,
    /// 95 of 100 delays beside whoever joined, in shares of the same before.
    DelayBeside,
}

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Target {
    /// Of what.
    pub figure: Figure,
    /// At most so much.
    pub limit: f64,
}

/// A limit, and what was reached.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// What was to be reached.
    #[serde(flatten)]
    pub target: Target,
    /// What was; nothing if it never came, or was not measured.
    pub reached: Option<f64>,
    /// Whether that is enough.
    pub met: bool,
}

/// What a run gave beyond the figures of its call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Recovery {
    /// Seconds until nine tenths of the restored rate were used.
    pub rate_back_s: Option<f64>,
    /// Seconds until a picture was shown that was taken after the link came back.
    pub picture_back_s: Option<f64>,
}

impl Target {
    /// Whether a run reached it.
    #[must_use]
    pub fn judge(self, call: &CallReport, recovery: Recovery) -> Verdict {
        let used = call.used.map(|used| used.share);
        let reached = match self.figure {
            Figure::SignalDelay => call.latency_ms.get("signal_delay").map(|delay| delay.p95),
            Figure::FreezesPerMinute => Some(freezes_per_minute(call)),
            Figure::RepairAndPadding => call.overhead.map(|overhead| overhead.repair_and_padding),
            Figure::RateBack => recovery.rate_back_s,
            Figure::PictureBack => recovery.picture_back_s,
            Figure::StandingQueue => call.link.map(|link| link.standing_queue_ms.p95),
            Figure::OwnShare => call.company.map(|company| company.own_share),
            Figure::OthersShare => call.company.map(|company| 1.0 - company.own_share),
            Figure::DelayBeside => call.company.map(|company| company.beside_ms.p95 / company.alone_ms.p95.max(1.0)),
        };
        let counts = self.figure != Figure::SignalDelay || used.is_some_and(|share| share >= LEAST_USED);
        Verdict { target: self, reached, met: counts && reached.is_some_and(|reached| reached <= self.limit) }
    }
}

impl Figure {
    /// In words, with its unit.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::SignalDelay => ("signal delay p95", "ms"),
            Self::FreezesPerMinute => ("freezes a minute", ""),
            Self::RepairAndPadding => ("repair and padding", "of the pictures' bytes"),
            Self::RateBack => ("90 % of the rate back after", "s"),
            Self::PictureBack => ("picture back after", "s"),
            Self::StandingQueue => ("standing queue p95", "ms"),
            Self::OwnShare => ("own share", "of the link"),
            Self::OthersShare => ("the others' share", "of the link"),
            Self::DelayBeside => ("signal delay p95 beside them", "times that alone"),
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (what, unit) = self.target.figure.words();
        let reached = self.reached.map_or_else(|| "never".to_owned(), |reached| format!("{reached:.2}"));
        let verdict = if self.met { "met" } else { "missed" };
        write!(f, "{what} {reached} {unit}: limit {} {verdict}", self.target.limit)
    }
}

/// Pictures that stood for more than 200 ms, as if the run had lasted a minute. They are counted from the first picture on.
#[must_use]
pub fn freezes_per_minute(call: &CallReport) -> f64 {
    call.freezes.count as f64 * 60.0 / (call.config.seconds as f64).max(1.0)
}
