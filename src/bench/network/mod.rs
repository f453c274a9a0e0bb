//! `bench network`: the same call over network after network, by one encoder after the other; one table in the end.

pub mod report;
pub mod scenarios;
pub mod targets;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use self::report::Cell;
use self::scenarios::Scenario;
use self::targets::Recovery;
use super::call::{BenchError, CallBench, Present};
use super::figures::Timeline;
use super::html;
use super::report::{CallReport, left_out};
use crate::engine::config::{Adaptation, SoundChoice, VideoChoice, VideoSettings};
use crate::net::PathPolicy;
use crate::net::ceiling::ControllerChoice;
use crate::sim::LinkConfig;
use crate::ui::HudSize;

/// The networks over which the parts of the adaptation are left out one by one.
pub const ABLATION: [&str; 3] = ["burst", "step", "on-off"];

/// What the parts are compared with, and then without each of them.
#[must_use]
pub fn variants() -> Vec<Adaptation> {
    let whole = Adaptation::default();
    vec![
        whole,
        Adaptation { frame_budget: false, ..whole },
        Adaptation { ladder: false, ..whole },
        Adaptation { fec: false, ..whole },
        Adaptation { references: false, ..whole },
        Adaptation { controller: ControllerChoice::Cubic, ..whole },
        Adaptation { controller: ControllerChoice::Bbr, ..whole },
    ]
}

/// One call of the matrix.
pub struct Run {
    /// Over which network.
    pub scenario: &'static Scenario,
    /// The same, as a model.
    pub link: Arc<LinkConfig>,
    /// Pictures.
    pub video: VideoSettings,
    /// Where they come from.
    pub source: VideoChoice,
    /// What is left out.
    pub adaptation: Adaptation,
    /// Length of the talk.
    pub seconds: u64,
}

/// A call that was run: its figures, and its part of a page.
pub struct Done {
    /// For programs and tables.
    pub cell: Cell,
    /// For people: plots and figures, in HTML.
    pub section: String,
}

impl Run {
    /// Runs the call; `progress` is told the seconds that have passed. A call that breaks is a figure too; what would break the next
    /// one as well is an error.
    pub fn run(&self, stop: &Arc<AtomicBool>, progress: impl Fn(u64) + Send) -> Result<Done, BenchError> {
        let bench = CallBench {
            one_way: true,
            seconds: self.seconds,
            video: self.video,
            source: self.source.clone(),
            microphone: SoundChoice::None,
            speaker: SoundChoice::None,
            path: PathPolicy::Direct,
            link: Some(Arc::clone(&self.link)),
            company: self.scenario.company.filter(|company| company.after_s < self.seconds),
            adaptation: self.adaptation,
            present: Present::Offscreen,
            hud: HudSize::Off,
            trace: false,
            stop: Arc::clone(stop),
        };
        match bench.run(progress) {
            Ok(measured) => {
                let call = CallReport::new(&bench, &measured);
                let timeline = Timeline::new(bench.link.as_deref(), &measured);
                let restored = self.scenario.restored_s.filter(|at| *at < self.seconds).map(Duration::from_secs);
                let recovery = restored.map_or_else(Recovery::default, |restored| Recovery {
                    rate_back_s: timeline.rate_back_s(restored, self.video.bitrate_kbps),
                    picture_back_s: timeline.picture_back_s(restored, &measured),
                });
                let section = html::call::section(&call, &timeline, &measured);
                Ok(Done { cell: Cell::new(self, Ok(call), recovery), section })
            }
            Err(BenchError::Ended(why)) => Ok(self.broken(&why)),
            Err(error @ (BenchError::Pair(_) | BenchError::Company(..))) => Ok(self.broken(&error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// What it is, in a line.
    #[must_use]
    pub fn title(&self) -> String {
        let VideoSettings { width, height, .. } = self.video;
        let mut parts = vec![format!("{} {width}x{height} {}", self.scenario.name, self.video.encoder.name())];
        if self.adaptation.controller != ControllerChoice::Ours {
            parts.push(format!("controller {}", self.adaptation.controller.name()));
        }
        let without = left_out(self.adaptation);
        if !without.is_empty() {
            parts.push(format!("without {}", without.join(", ")));
        }
        if self.is_shortened() {
            parts.push(format!("shortened to {} s", self.seconds));
        }
        parts.join(", ")
    }

    /// Whether less was run than the scenario lasts.
    #[must_use]
    pub const fn is_shortened(&self) -> bool {
        self.seconds < self.scenario.seconds
    }

    fn broken(&self, why: &str) -> Done {
        let section = html::paragraph(&format!("The call broke: {why}"));
        Done { cell: Cell::new(self, Err(why.to_owned()), Recovery::default()), section }
    }
}
