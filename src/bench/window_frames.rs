//! What the window's own frames took, summed up: for documents that have no room for each of them, as a trace has.

use std::collections::BTreeMap;

use serde::Serialize;

use super::summary::{Durations, Percentiles};
use crate::media::Timestamp;
use crate::render::UiFrame;

/// The parts of a window's frame, from where to where, and the whole.
pub(super) const PARTS: [Part; 7] = [
    Part { name: "layout", from: |frame| frame.began, to: |frame| frame.laid_out },
    Part { name: "triangles", from: |frame| frame.laid_out, to: |frame| frame.tessellated },
    Part { name: "upload", from: |frame| frame.tessellated, to: |frame| frame.uploaded },
    Part { name: "acquire", from: |frame| frame.uploaded, to: |frame| frame.acquired },
    Part { name: "record", from: |frame| frame.acquired, to: |frame| frame.recorded },
    Part { name: "submit and present", from: |frame| frame.recorded, to: |frame| frame.handed_over },
    Part { name: WHOLE, from: |frame| frame.began, to: |frame| frame.handed_over },
];

/// Name of the whole.
pub(super) const WHOLE: &str = "window frame";

/// A part of a window's frame.
pub(super) struct Part {
    /// Its name in documents and traces.
    pub name: &'static str,
    from: fn(&UiFrame) -> Timestamp,
    to: fn(&UiFrame) -> Timestamp,
}

impl Part {
    /// When it began and ended, where both are known.
    pub fn span(&self, frame: &UiFrame) -> Option<(Timestamp, Timestamp)> {
        let (from, to) = ((self.from)(frame), (self.to)(frame));
        (from != Timestamp::ZERO && to >= from).then_some((from, to))
    }
}

/// The window's frames in a document.
#[derive(Debug, Serialize)]
pub struct WindowFrames {
    /// How many were recorded.
    pub recorded: usize,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub none_because: Option<&'static str>,
    /// How many had which cause; a frame may have several.
    pub causes: BTreeMap<&'static str, u64>,
    /// What the parts took.
    pub parts_ms: BTreeMap<&'static str, Percentiles>,
    /// What the GPU took by its own clock, where it has timers within passes and is no rasteriser.
    pub gpu_ms: Option<Percentiles>,
    /// Most draw calls.
    pub draw_calls_at_most: u32,
}

impl WindowFrames {
    /// Of a run that drew each picture by itself, or whose window was not recorded.
    #[must_use]
    pub fn none(because: &'static str) -> Self {
        Self { none_because: Some(because), ..Self::of(&[]) }
    }

    /// Of these frames.
    #[must_use]
    pub fn of(frames: &[UiFrame]) -> Self {
        let mut causes = BTreeMap::new();
        let (mut parts, mut gpu) = ([(); PARTS.len()].map(|()| Durations::default()), Durations::default());
        for frame in frames {
            for cause in frame.causes.names() {
                *causes.entry(cause).or_default() += 1;
            }
            for (durations, part) in parts.iter_mut().zip(&PARTS) {
                if let Some((from, to)) = part.span(frame) {
                    durations.add(to.millis_since(from));
                }
            }
            if let Some(took) = frame.gpu {
                gpu.add(took.as_secs_f64() * 1_000.0);
            }
        }
        let some = |durations: &Durations| (durations.count() > 0).then(|| durations.percentiles());
        Self {
            recorded: frames.len(),
            none_because: None,
            causes,
            parts_ms: PARTS.iter().zip(&parts).filter_map(|(part, took)| Some((part.name, some(took)?))).collect(),
            gpu_ms: some(&gpu),
            draw_calls_at_most: frames.iter().map(|frame| frame.draw_calls).max().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::render::Cause;

    #[test]
    fn parts_causes_and_the_gpus_time_are_summed_up() {
        let at = |ms: i64| Timestamp::from_nanos((1_000 + ms) * 1_000_000);
        let frames: Vec<_> = (0..3_u32)
            .map(|number| {
                let mut frame =
                    UiFrame { number: number.into(), began: at(0), draw_calls: number, ..UiFrame::default() };
                (frame.laid_out, frame.tessellated, frame.uploaded) = (at(2), at(3), at(6));
                // Offscreen nobody waits for a surface.
                (frame.acquired, frame.recorded, frame.handed_over) = (at(6), at(7), at(9));
                frame.gpu = (number == 1).then_some(Duration::from_millis(4));
                if number > 0 {
                    frame.causes.add(Cause::Picture);
                }
                frame
            })
            .collect();
        let figures = WindowFrames::of(&frames);
        assert_eq!((figures.recorded, figures.none_because, figures.draw_calls_at_most), (3, None, 2));
        assert_eq!(figures.causes, BTreeMap::from([("picture", 2), ("timer", 1)]));
        let p50 = |name| figures.parts_ms[name].p50.round() as i64;
        assert_eq!(["layout", "upload", "acquire", WHOLE].map(p50), [2, 3, 0, 9]);
        assert_eq!(figures.gpu_ms.map(|gpu| gpu.p50.round() as i64), Some(4));
    }

    #[test]
    fn where_there_is_none_it_is_said_why() {
        let json = serde_json::to_value(WindowFrames::none("no window")).unwrap();
        assert_eq!((&json["recorded"], &json["none_because"]), (&0.into(), &"no window".into()));
        assert!(json["parts_ms"].as_object().unwrap().is_empty() && json["gpu_ms"].is_null(), "{json}");
    }
}
