//! What `bench network` says: one JSON document for programs, one table for people.

use std::fmt;

use serde::Serialize;

use super::Run;
use super::scenarios::{DIRECTION, OFFSET, PAPER, Scenario};
use super::targets::{Recovery, Verdict, freezes_per_minute};
use crate::bench::report::{CallReport, left_out};
use crate::bench::summary::{Percentiles, round};
use crate::net::ceiling::ControllerChoice;

/// All runs. Programs rely on the names; a change of meaning raises `schema`.
#[derive(Debug, Serialize)]
pub struct NetworkReport {
    /// Version of this document.
    pub schema: u32,
    /// Version of the program.
    pub version: &'static str,
    /// Which direction is impaired.
    pub direction: &'static str,
    /// Where steps, outages and recordings begin.
    pub offset: &'static str,
    /// How all runs differ from those of the paper whose figures stand beside some.
    pub paper: &'static str,
    /// All that was asked for was run.
    pub complete: bool,
    /// The networks that were run, in full.
    pub scenarios: Vec<&'static Scenario>,
    /// The runs, in their order.
    pub cells: Vec<Cell>,
}

/// One run.
#[derive(Debug, Serialize)]
pub struct Cell {
    /// What it is, in a line.
    pub title: String,
    /// Name of the network.
    pub scenario: &'static str,
    /// It as `bench call --link` takes it.
    pub link: String,
    /// Width and height of the source's pictures.
    pub size: (u32, u32),
    /// Encoder that was asked for.
    pub encoder: &'static str,
    /// Who said how fast to send.
    pub controller: ControllerChoice,
    /// What was left out.
    pub without: Vec<&'static str>,
    /// Length of the talk.
    pub seconds: u64,
    /// Less than the scenario lasts: not to be held against others.
    pub shortened: bool,
    /// Pictures that stood for more than 200 ms, a minute.
    pub freezes_per_minute: Option<f64>,
    /// How soon rate and picture were back.
    #[serde(flatten)]
    pub recovery: Recovery,
    /// The limits, and whether they were kept; none of a shortened run or one without a part.
    pub targets: Vec<Verdict>,
    /// The figures of the call, as `bench call` has them.
    pub call: Option<CallReport>,
    /// Why there are none.
    pub error: Option<String>,
}

impl Cell {
    /// Of a run, and what came of it.
    #[must_use]
    pub fn new(run: &Run, call: Result<CallReport, String>, recovery: Recovery) -> Self {
        let without = left_out(run.adaptation);
        let controller = run.adaptation.controller;
        let is_judged = !run.is_shortened() && without.is_empty() && controller == ControllerChoice::Ours;
        let targets = if is_judged { run.scenario.targets } else { &[] };
        let (call, error) = match call {
            Ok(call) => (Some(call), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            title: run.title(),
            scenario: run.scenario.name,
            link: run.scenario.link_text(),
            size: (run.video.width, run.video.height),
            encoder: run.video.encoder.name(),
            controller,
            without,
            seconds: run.seconds,
            shortened: run.is_shortened(),
            freezes_per_minute: call.as_ref().map(|call| round(freezes_per_minute(call))),
            recovery,
            targets: call.iter().flat_map(|call| targets.iter().map(|target| target.judge(call, recovery))).collect(),
            call,
            error,
        }
    }

    /// The values of [`COLUMNS`].
    #[must_use]
    pub fn values(&self) -> [String; COLUMNS.len()] {
        let number = |value: Option<f64>, decimals: usize| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
        };
        let Some(call) = &self.call else { return std::array::from_fn(|_| "-".to_owned()) };
        let delay = |name| call.latency_ms.get(name).copied().unwrap_or_default();
        let pair = |at: Percentiles| format!("{:.0} / {:.0}", at.p50, at.p95);
        [
            pair(delay("signal_delay")),
            pair(delay("signal_delay_captured")),
            number(call.quality.map(|quality| quality.ssim_y_db), 1),
            number(call.used.map(|used| used.share * 100.0), 0),
            format!("{}, {:.1} s", call.freezes.count, call.freezes.total_ms / 1_000.0),
            number(call.overhead.map(|overhead| overhead.repair_and_padding * 100.0), 1),
            number(call.link.map(|link| link.standing_queue_ms.p95), 0),
            number(self.recovery.rate_back_s, 1),
            number(self.recovery.picture_back_s, 2),
            number(call.company.map(|company| company.own_share * 100.0), 0),
        ]
    }

    /// Whether no limit was missed.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.error.is_none() && self.targets.iter().all(|verdict| verdict.met)
    }
}

/// The columns of the table: a short name, and what it means.
pub const COLUMNS: [(&str, &str); 10] = [
    ("delay ms", "signal delay p50 / p95: each frame that was sent is charged until the next that is shown"),
    ("of all", "the same of all pictures that were captured, skipped ones included, as the paper counts"),
    ("SSIM dB", "likeness of shown and captured luma; 10 is 0.9, 20 is 0.99"),
    ("used %", "bytes of the pictures that were shown, of the lesser of link and encoder's rate"),
    ("freezes", "pictures that stood for more than 200 ms: how many, how long altogether"),
    ("repair %", "padding and repair, of the encoder's bytes"),
    ("queue ms", "standing queue p95: what a new picture finds in the link"),
    ("rate s", "from the restoring of the rate until 90 % of it are used"),
    ("picture s", "from the restoring of the link until a picture is shown that was taken after it"),
    ("own %", "what the link carried of the call, of that and what it carried of whoever joined"),
];

impl NetworkReport {
    /// Of these runs.
    #[must_use]
    pub fn new(cells: Vec<Cell>, complete: bool) -> Self {
        let ran = |scenario: &&Scenario| cells.iter().any(|cell| cell.scenario == scenario.name);
        Self {
            schema: 1,
            version: crate::VERSION,
            direction: DIRECTION,
            offset: OFFSET,
            paper: PAPER,
            complete,
            scenarios: super::scenarios::SCENARIOS.iter().filter(ran).collect(),
            cells,
        }
    }

    /// The runs that broke or missed a limit.
    #[must_use]
    pub fn missed(&self) -> Vec<&Cell> {
        self.cells.iter().filter(|cell| !cell.holds()).collect()
    }
}

impl fmt::Display for NetworkReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles: Vec<&str> = self.cells.iter().map(|cell| cell.title.as_str()).collect();
        let width = titles.iter().map(|title| title.len()).max().unwrap_or_default();
        write!(f, "{:<width$}", "")?;
        for (name, _) in COLUMNS {
            write!(f, " {name:>11}")?;
        }
        writeln!(f)?;
        for (cell, title) in self.cells.iter().zip(&titles) {
            write!(f, "{title:<width$}")?;
            for value in cell.values() {
                write!(f, " {value:>11}")?;
            }
            writeln!(f)?;
        }
        for (name, meaning) in COLUMNS {
            writeln!(f, "{name}: {meaning}")?;
        }
        for cell in &self.cells {
            let title = &cell.title;
            cell.targets.iter().try_for_each(|verdict| writeln!(f, "{title}: {verdict}"))?;
            cell.error.iter().try_for_each(|error| writeln!(f, "{title}: the call broke: {error}"))?;
        }
        if self.cells.iter().any(|cell| cell.shortened) {
            writeln!(f, "Shortened runs are no figures of their scenario, and no limit is held against them.")?;
        }
        if !self.complete {
            writeln!(f, "Not all that was asked for was run.")?;
        }
        Ok(())
    }
}
