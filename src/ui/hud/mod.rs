//! Figures over a running call, in two sizes: one line of pictures a second, time from the camera to the screen, rate, path and
//! losses; or all of that with the time of each picture as a graph and the stages that it is made of.

mod full;

use std::collections::VecDeque;
use std::time::Duration;

pub use full::{Full, full_ui};

use crate::engine::handle::{ActiveView, PathView};
use crate::media::{ClockOffset, Stage, Stamps, Timestamp};
use crate::render::UiFrame;

/// The line is made anew so often, and over so long a time.
pub const REFRESH: Duration = Duration::from_millis(100);
const WINDOW: Duration = Duration::from_secs(1);

/// How much is shown over a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HudSize {
    /// Nothing.
    Off,
    /// One line.
    Line,
    /// Everything, with graphs.
    Full,
}

/// Watches the pictures that are shown.
#[derive(Debug, Default)]
pub struct Hud {
    shown: VecDeque<(Timestamp, Option<f64>)>,
    /// Up to where the newest picture's way is known: the window's is asked to be shown, others are drawn.
    boundary: Option<Stage>,
    bytes: VecDeque<(Timestamp, u64)>,
    figures: Figures,
    made: Timestamp,
    /// Nothing in the small size.
    history: Option<full::History>,
}

/// What is shown.
#[derive(Debug, Default)]
pub struct Figures {
    /// The one line.
    pub line: String,
    /// The rest, in the large size.
    pub full: Option<Full>,
}

impl Hud {
    /// Figures of this size.
    #[must_use]
    pub fn of_size(size: HudSize) -> Option<Self> {
        match size {
            HudSize::Off => None,
            HudSize::Line => Self::next(None),
            HudSize::Full => Self::next(Self::next(None)),
        }
    }

    /// The next size: none, one line, everything, none.
    #[must_use]
    pub fn next(before: Option<Self>) -> Option<Self> {
        match before {
            None => Some(Self::default()),
            Some(line) if line.history.is_none() => {
                Some(Self { history: Some(full::History::default()), made: Timestamp::ZERO, ..line })
            }
            Some(_) => None,
        }
    }

    /// A picture with these stamps was shown; `clock` is the one that its sender read.
    pub fn picture(&mut self, stamps: &Stamps, clock: Option<ClockOffset>, now: Timestamp) {
        let stamps = &stamps.on_our_clock(clock);
        let last = if stamps.get(Stage::PresentRequested).is_some() { Stage::PresentRequested } else { Stage::GpuDone };
        self.boundary = Some(last);
        let latency_ms = stamps.millis(Stage::Captured, last);
        self.shown.push_back((now, latency_ms));
        if let Some(history) = &mut self.history {
            history.picture(stamps, latency_ms, now);
        }
        while self.shown.front().is_some_and(|(at, _)| now.since(*at) > WINDOW) {
            self.shown.pop_front();
        }
    }

    /// Everything is shown.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.history.is_some()
    }

    /// The figures are to be made anew.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.figures.line.is_empty() || now.since(self.made) >= REFRESH
    }

    /// The window has drawn a frame.
    pub fn frame(&mut self, frame: &UiFrame) {
        if let Some(history) = &mut self.history {
            history.frame(frame);
        }
    }

    /// What is to be shown, made anew at most ten times a second.
    pub fn figures(&mut self, view: &ActiveView, now: Timestamp) -> &Figures {
        if self.is_due(now) {
            self.made = now;
            let line = self.make(view, now);
            self.figures = Figures { line, full: self.history.as_mut().map(|history| history.full(view, now)) };
        }
        &self.figures
    }

    fn make(&mut self, view: &ActiveView, now: Timestamp) -> String {
        let recent = self.shown.iter().filter(|(at, _)| now.since(*at) <= WINDOW);
        let mut latencies: Vec<f64> = recent.clone().filter_map(|(_, latency_ms)| *latency_ms).collect();
        latencies.sort_by(f64::total_cmp);
        let latency = latencies.get(latencies.len() / 2).map_or_else(|| "– ms".into(), |ms| format!("{ms:.1} ms"));
        let boundary = self.boundary.map_or("shown", Stage::name);
        let clock = view.clock.map_or_else(|| "clocks not compared yet".into(), ClockOffset::words);
        let frames = view.frames;
        self.bytes.push_back((now, frames.received_bytes));
        while self.bytes.len() > 1 && self.bytes.front().is_some_and(|(at, _)| now.since(*at) > WINDOW) {
            self.bytes.pop_front();
        }
        let kbps = self.bytes.front().map_or(0.0, |(at, bytes)| {
            let span_ms = now.millis_since(*at);
            if span_ms > 0.0 { frames.received_bytes.saturating_sub(*bytes) as f64 * 8.0 / span_ms } else { 0.0 }
        });
        let path = match view.path {
            PathView::Direct => "direct",
            PathView::Relay => "relay",
            PathView::Reconnecting => "no path",
        };
        let undecoded = frames.received.saturating_sub(frames.decoded);
        format!(
            "{:2} fps · {latency} captured→{boundary}, {clock} · {kbps:4.0} kb/s · {path} · dropped: {} not decoded, {} not opened, {} \
             not sent",
            recent.count(),
            undecoded,
            frames.unopened,
            frames.skipped + frames.unsealed,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_counts_the_last_second_and_changes_ten_times_a_second() {
        let mut hud = Hud::default();
        let start = Timestamp::from_nanos(1_000_000_000);
        let clock = ClockOffset { ahead_ns: 900_000_000_000, error: Duration::from_micros(300) };
        let mut view = ActiveView { clock: Some(clock), ..ActiveView::default() };
        for number in 0..60_u32 {
            let now = start + Duration::from_millis(33) * number;
            let mut stamps = Stamps::new();
            stamps.set(Stage::Captured, now + Duration::from_mins(15) - Duration::from_millis(7));
            stamps.set(Stage::GpuDone, now);
            hud.picture(&stamps, view.clock, now);
            view.frames.received_bytes += 2_500;
            hud.figures(&view, now);
        }
        let now = start + Duration::from_millis(33 * 60);
        let line = hud.figures(&view, now + Duration::from_millis(100)).line.clone();
        assert!(line.contains("7.0 ms captured→gpu_done, +900000.0 ms ±0.3 ms") && line.contains("relay"), "{line}");
        let fps: usize = line.split_whitespace().next().unwrap().parse().unwrap();
        assert!((27..=31).contains(&fps), "{line}");
        let kbps: f64 = line.split('·').nth(2).unwrap().split_whitespace().next().unwrap().parse().unwrap();
        assert!((500.0..650.0).contains(&kbps), "{line}");
        view.path = PathView::Direct;
        assert_eq!(hud.figures(&view, now + Duration::from_millis(150)).line, line, "not before a tenth of a second");
        assert!(hud.figures(&view, now + Duration::from_millis(201)).line.contains("direct"));
        let mut stamps = Stamps::new();
        stamps.set(Stage::Captured, now);
        stamps.set(Stage::PresentRequested, now + Duration::from_millis(9));
        hud.picture(&stamps, view.clock, now + Duration::from_millis(400));
        let line = &hud.figures(&view, now + Duration::from_millis(400)).line;
        assert!(line.contains("captured→present_requested"), "{line}");
    }

    #[test]
    fn clocks_that_were_not_compared_give_no_latency() {
        let mut hud = Hud::default();
        let now = Timestamp::from_nanos(90_000_000_000);
        let mut stamps = Stamps::new();
        stamps.set(Stage::Captured, Timestamp::from_nanos(1_000_000));
        stamps.set(Stage::GpuDone, now);
        hud.picture(&stamps, None, now);
        assert!(hud.figures(&ActiveView::default(), now).line.contains("– ms"));
    }

    #[test]
    fn the_key_goes_through_the_sizes() {
        let line = Hud::next(None).unwrap();
        assert!(line.history.is_none());
        let mut full = Hud::next(Some(line)).unwrap();
        assert!(full.figures(&ActiveView::default(), Timestamp::from_nanos(1)).full.is_some());
        assert!(Hud::next(Some(full)).is_none());
    }
}
