//! The networks of `bench network`: one table that fixes all of each, so that a figure means the same in every report.
//!
//! What the caller sends is impaired, since that way the pictures go; the other way only takes as long. Recordings belong to
//! whoever made them: a scenario names the file, the folder is given by whoever runs it.

use serde::Serialize;

use super::targets::{Figure, Target};
use crate::bench::company::{Company, Who};
use crate::sim::LinkConfig;
use crate::sim::spec::{SpecError, parse};

/// Which way is impaired.
pub const DIRECTION: &str = "what the caller sends; the other way is delayed only";
/// Where steps, outages and recordings begin.
pub const OFFSET: &str =
    "from its beginning, when the call's socket opens; each run says how long that is before the first picture";
/// How every run here differs from those of Salsify's paper.
pub const PAPER: &str = "Salsify (NSDI 2018) filmed 60 pictures a second of 1280x720 through HDMI and ran both ways through an \
emulator between two machines; here a pattern of the size that is named goes to one machine's GPU, the encoder has a highest rate, \
and queues are as the table says";

/// One network.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Scenario {
    /// Name on the command line.
    pub name: &'static str,
    /// In words.
    pub what: &'static str,
    /// Each way, in milliseconds: half of the round trip without queues.
    pub delay_ms: u32,
    /// Rate of the impaired direction, as `--link` has it, or the file of a recording; nothing: no limit.
    pub rate: Option<Service>,
    /// What may wait for that rate.
    pub queue: Option<&'static str>,
    /// Losses of the impaired direction.
    pub loss: Option<&'static str>,
    /// When nothing passes.
    pub outages: Option<&'static str>,
    /// Who joins on that link.
    pub company: Option<Company>,
    /// The encoder's highest rate in kilobits a second, where the size's usual one would not fill the link.
    pub bitrate_kbps: Option<u32>,
    /// Of everything random.
    pub seed: u64,
    /// Length of the talk.
    pub seconds: u64,
    /// When the rate is back that was taken away, in seconds since the link's start.
    pub restored_s: Option<u64>,
    /// What the paper has for such a network: its best, p95 of signal delay in milliseconds, and how this one differs.
    pub paper: Option<(u32, &'static str)>,
    /// What is to be reached.
    pub targets: &'static [Target],
}

/// What serves the queue of a link.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// A rate, with its changes.
    Rate(&'static str),
    /// The file of a recording in mahimahi's format.
    Recording(&'static str),
}

const fn at_most(figure: Figure, limit: f64) -> Target {
    Target { figure, limit }
}

const PLAIN: Scenario = Scenario {
    name: "",
    what: "",
    delay_ms: 20,
    rate: None,
    queue: None,
    loss: None,
    outages: None,
    company: None,
    bitrate_kbps: None,
    seed: 1,
    seconds: 30,
    restored_s: None,
    paper: None,
    targets: &[],
};

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "clean", what: "nothing but distance", ..PLAIN },
    Scenario { name: "loss", what: "2 % of packets lost at random", loss: Some("up.loss=2%"), seconds: 60, ..PLAIN },
    Scenario {
        name: "burst",
        what: "5 % of packets lost, three in a row on average, 80 ms there and back",
        delay_ms: 40,
        loss: Some("up.loss=5%,up.burst=3"),
        seconds: 60,
        targets: &[at_most(Figure::FreezesPerMinute, 1.0), at_most(Figure::RepairAndPadding, 0.15)],
        ..PLAIN
    },
    Scenario {
        name: "step",
        what: "2 Mb/s, a quarter of it from 10 to 20 s",
        rate: Some(Service::Rate("2mbit/10s:500kbit/20s:2mbit")),
        queue: Some("100kB"),
        restored_s: Some(20),
        targets: &[at_most(Figure::RateBack, 2.0), at_most(Figure::StandingQueue, 33.4)],
        ..PLAIN
    },
    Scenario {
        name: "on-off",
        what: "12 Mb/s, on for 5 s and off for 0.2 s on average",
        rate: Some(Service::Rate("12mbit")),
        queue: Some("250ms"),
        outages: Some("up.on-off=5s:200ms:random"),
        seconds: 60,
        paper: Some((169, "what comes while it is off is lost here; times on and off are drawn anew by the seed")),
        targets: &[at_most(Figure::SignalDelay, 135.0)],
        ..PLAIN
    },
    Scenario {
        name: "blackout",
        what: "2 Mb/s, nothing at all from 10 to 20 s",
        rate: Some(Service::Rate("2mbit")),
        queue: Some("250ms"),
        outages: Some("blackout=10s+10s"),
        seconds: 40,
        restored_s: Some(20),
        targets: &[at_most(Figure::PictureBack, 1.0), at_most(Figure::RateBack, 2.0)],
        ..PLAIN
    },
    Scenario {
        name: "two-calls",
        what: "2 Mb/s, which a second call shares from 20 s on",
        rate: Some(Service::Rate("2mbit")),
        queue: Some("250ms"),
        company: Some(Company { who: Who::Call, after_s: 20 }),
        bitrate_kbps: Some(2_000),
        seconds: 60,
        targets: &[at_most(Figure::OwnShare, 0.6), at_most(Figure::OthersShare, 0.6)],
        ..PLAIN
    },
    Scenario {
        name: "bulk",
        what: "2 Mb/s with a queue of one round trip, which a QUIC connection with Cubic fills from 20 s on",
        rate: Some(Service::Rate("2mbit")),
        queue: Some("40ms"),
        company: Some(Company { who: Who::Flow, after_s: 20 }),
        bitrate_kbps: Some(2_000),
        seconds: 60,
        targets: &[at_most(Figure::OthersShare, 0.75), at_most(Figure::DelayBeside, 2.0)],
        ..PLAIN
    },
    Scenario {
        name: "bulk-deep",
        what: "the same with a queue of 250 ms: what the others let stand there nobody behind them can avoid",
        rate: Some(Service::Rate("2mbit")),
        queue: Some("250ms"),
        company: Some(Company { who: Who::Flow, after_s: 20 }),
        bitrate_kbps: Some(2_000),
        seconds: 60,
        targets: &[at_most(Figure::OthersShare, 0.75)],
        ..PLAIN
    },
    Scenario {
        name: "att-lte",
        what: "recorded uplink of AT&T's LTE from a moving car, all of it",
        rate: Some(Service::Recording("ATT-LTE-driving.up")),
        queue: Some("400kB"),
        seconds: 1012,
        paper: Some((362, "the paper does not say which part it played; the queue is ours")),
        targets: &[at_most(Figure::SignalDelay, 290.0)],
        ..PLAIN
    },
    Scenario {
        name: "verizon-lte",
        what: "recorded uplink of Verizon's LTE, all of it",
        rate: Some(Service::Recording("Verizon-LTE-short.up")),
        queue: Some("400kB"),
        seconds: 140,
        ..PLAIN
    },
];

impl Scenario {
    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// The recording that it needs.
    #[must_use]
    pub const fn recording(&self) -> Option<&'static str> {
        if let Some(Service::Recording(file)) = self.rate { Some(file) } else { None }
    }

    /// Its link as `bench call --link` has it; a recording by the name of its file.
    #[must_use]
    pub fn link_text(&self) -> String {
        let mut parts = vec![format!("delay={}ms", self.delay_ms)];
        parts.extend(self.rate.map(|rate| match rate {
            Service::Rate(rate) => format!("up.rate={rate}"),
            Service::Recording(file) => format!("up.trace={file}"),
        }));
        parts.extend(self.queue.map(|queue| format!("up.queue={queue}")));
        parts.extend([self.loss, self.outages].into_iter().flatten().map(str::to_owned));
        parts.push(format!("seed={}", self.seed));
        parts.join(",")
    }

    /// Its link. `read` gives the text of a recording, or says why it cannot.
    pub fn link(&self, read: impl FnMut(&str) -> Result<String, String>) -> Result<LinkConfig, SpecError> {
        parse(&self.link_text(), read)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sim::capacity_bits;

    #[test]
    fn every_scenario_is_a_link_and_impairs_what_is_sent_only() {
        for scenario in SCENARIOS {
            let link =
                scenario.link(|_| Ok("1\n2\n".into())).unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
            assert_eq!(link.down.delay, Duration::from_millis(scenario.delay_ms.into()), "{}", scenario.name);
            assert_eq!(link.down.rate.nominal_bps(), None, "{}", scenario.name);
            assert_eq!(link.seed, scenario.seed);
            assert_eq!(SCENARIOS.iter().filter(|other| other.name == scenario.name).count(), 1);
            assert!(scenario.restored_s.is_none_or(|restored| restored + 5 <= scenario.seconds));
        }
    }

    #[test]
    fn what_is_restored_is_restored_then() {
        for scenario in SCENARIOS.iter().filter(|scenario| scenario.restored_s.is_some()) {
            let bits = capacity_bits(&scenario.link(|_| Err(String::new())).unwrap(), 300);
            let at = scenario.restored_s.unwrap() as usize * 10;
            assert!(bits[at - 1] < bits[at] / 3.0, "{}", scenario.name);
        }
    }
}
