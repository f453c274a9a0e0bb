//! The one line of figures: pictures a second, time from the camera to the screen, rate, path, losses.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::handle::{ActiveView, PathView};
use crate::media::{Stage, Stamps, Timestamp};

/// The line is made anew so often, and over so long a time.
pub const REFRESH: Duration = Duration::from_millis(100);
const WINDOW: Duration = Duration::from_secs(1);
/// Longer than this is no delay but two clocks that do not agree.
const PLAUSIBLE_MS: f64 = 5_000.0;

/// Watches the pictures that are shown.
#[derive(Debug, Default)]
pub struct Hud {
    shown: VecDeque<(Timestamp, Option<f64>)>,
    bytes: VecDeque<(Timestamp, u64)>,
    line: String,
    made: Timestamp,
}

impl Hud {
    /// A picture with these stamps was shown.
    pub fn picture(&mut self, stamps: &Stamps, now: Timestamp) {
        let last = if stamps.get(Stage::PresentRequested).is_some() { Stage::PresentRequested } else { Stage::GpuDone };
        let latency_ms = stamps.millis(Stage::Captured, last).filter(|ms| (0.0..PLAUSIBLE_MS).contains(ms));
        self.shown.push_back((now, latency_ms));
        while self.shown.front().is_some_and(|(at, _)| now.since(*at) > WINDOW) {
            self.shown.pop_front();
        }
    }

    /// The line, made anew at most ten times a second.
    pub fn line(&mut self, view: &ActiveView, now: Timestamp) -> &str {
        if self.line.is_empty() || now.since(self.made) >= REFRESH {
            self.made = now;
            self.line = self.make(view, now);
        }
        &self.line
    }

    fn make(&mut self, view: &ActiveView, now: Timestamp) -> String {
        let recent = self.shown.iter().filter(|(at, _)| now.since(*at) <= WINDOW);
        let mut latencies: Vec<f64> = recent.clone().filter_map(|(_, latency_ms)| *latency_ms).collect();
        latencies.sort_by(f64::total_cmp);
        let latency = latencies.get(latencies.len() / 2).map_or_else(|| "– ms".into(), |ms| format!("{ms:.1} ms"));
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
            "{:2} fps · {latency} capture→shown · {kbps:4.0} kb/s · {path} · dropped: {} not decoded, {} not opened, {} \
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
        let mut view = ActiveView::default();
        for number in 0..60_u32 {
            let now = start + Duration::from_millis(33) * number;
            let mut stamps = Stamps::new();
            stamps.set(Stage::Captured, now - Duration::from_millis(7));
            stamps.set(Stage::GpuDone, now);
            hud.picture(&stamps, now);
            view.frames.received_bytes += 2_500;
            hud.line(&view, now);
        }
        let now = start + Duration::from_millis(33 * 60);
        let line = hud.line(&view, now + Duration::from_millis(100)).to_owned();
        assert!(line.contains("7.0 ms") && line.contains("relay"), "{line}");
        let fps: usize = line.split_whitespace().next().unwrap().parse().unwrap();
        assert!((27..=31).contains(&fps), "{line}");
        let kbps: f64 = line.split('·').nth(2).unwrap().split_whitespace().next().unwrap().parse().unwrap();
        assert!((500.0..650.0).contains(&kbps), "{line}");
        view.path = PathView::Direct;
        assert_eq!(hud.line(&view, now + Duration::from_millis(150)), line, "not before a tenth of a second");
        assert!(hud.line(&view, now + Duration::from_millis(201)).contains("direct"));
    }

    #[test]
    fn clocks_that_do_not_agree_give_no_latency() {
        let mut hud = Hud::default();
        let now = Timestamp::from_nanos(90_000_000_000);
        let mut stamps = Stamps::new();
        stamps.set(Stage::Captured, Timestamp::from_nanos(1_000_000));
        stamps.set(Stage::GpuDone, now);
        hud.picture(&stamps, now);
        assert!(hud.line(&ActiveView::default(), now).contains("– ms"));
    }
}
