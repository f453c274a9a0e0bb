//! What `bench optical` says: one JSON document for programs, some lines for people, and why there is nothing to say.

use std::fmt;

use serde::Serialize;

use super::run::{HOLD, LONGEST_HOLD, OpticalMeasured, Pictures};
use super::sightings::Sighted;
use crate::bench::machine::Machine;
use crate::bench::summary::{Durations, Percentiles, round};

/// The figures of one run. Programs rely on the names; a change of meaning raises `schema`.
#[derive(Debug, Serialize)]
pub struct OpticalReport {
    /// Version of this document.
    pub schema: u32,
    /// Version of the program.
    pub version: &'static str,
    /// What it was measured on.
    pub machine: Machine,
    /// What looked at the window: `camera`, or `file`.
    pub source: &'static str,
    /// Its name.
    pub name: String,
    /// Width of its pictures.
    pub width: u32,
    /// Height of its pictures.
    pub height: u32,
    /// Light went from the screen to the camera. If not, `shown_to_seen_ms` says nothing of screen and camera.
    pub light: bool,
    /// Where the times begin: `present_requested`, the hand-over of the label to the window system.
    pub from: &'static str,
    /// Where they end: `camera_timestamp` of the first picture with the label, as the driver tells it, or, if it tells none, when
    /// that picture was handed over; or `file_read`.
    pub to: &'static str,
    /// These times; nothing if there are none.
    pub shown_to_seen_ms: Option<Percentiles>,
    /// How many there are.
    pub samples: u64,
    /// How finely they can be known.
    pub resolution_ms: Resolution,
    /// What became of the labels.
    pub labels: Sighted,
    /// What was seen in the pictures since the first label was read.
    pub pictures: Pictures,
}

/// What the times can be wrong by.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Resolution {
    /// Median time between two pictures of the camera: a label is seen up to so much later than its light was there.
    pub camera_interval: Option<f64>,
    /// Median time of a frame of the window, drawn as fast as it goes: the screen's refresh, where the window system keeps to it.
    /// Light may be so much later than the hand-over; that is part of what is measured.
    pub window_frame: Option<f64>,
    /// Shortest and longest time that a label stands.
    pub label_stands: [f64; 2],
}

/// Why there is no time, and what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoTime {
    /// The camera gave nothing.
    #[error("the camera gave no picture: {0}")]
    NoPictures(String),
    /// The window was never drawn.
    #[error("no label was shown: keep the window in the foreground, and not minimised")]
    NotShown,
    /// Labels were over before it looked.
    #[error(
        "the camera gives a picture only every {0:.0} ms, too few for labels that stand for {hold} ms: add light, choose a \
         smaller picture with --size, or another camera",
        hold = HOLD.as_millis()
    )]
    TooSlow(f64),
    /// A recording that is ahead of the window.
    #[error(
        "every label was seen before it was shown, which no light is: the camera's times are wrong, or it is no camera. A \
         recording has to begin with half a second without labels"
    )]
    BeforeShown,
    /// Somebody else's labels.
    #[error(
        "labels were read that this window has not shown: close other windows of the test, and point the camera at this one"
    )]
    Foreign,
    /// There, but not to be read.
    #[error(
        "the barcode was in view in {0} pictures and could not be read in one: bring the camera closer, let it focus, keep it \
         still, and keep reflections off the screen"
    )]
    Unreadable(u64),
    /// Not there.
    #[error(
        "the barcode was in none of {0} pictures: point the camera at the window so that all of its light frame is in view, \
         nearly upright and a quarter of the picture wide at least; a laptop's own camera sees it in a mirror"
    )]
    NotInView(u64),
}

impl OpticalReport {
    /// Sums a run up.
    #[must_use]
    pub fn new(measured: &OpticalMeasured) -> Self {
        let OpticalMeasured { times, is_camera, .. } = measured;
        let millis = |time: std::time::Duration| round(time.as_secs_f64() * 1_000.0);
        let median = |times: &Durations| (times.count() > 0).then(|| times.percentiles().p50);
        Self {
            schema: 1,
            version: crate::VERSION,
            machine: Machine::this(measured.gpu.0.clone(), measured.gpu.1.clone()),
            source: if *is_camera { "camera" } else { "file" },
            name: measured.source.clone(),
            width: measured.size.0,
            height: measured.size.1,
            light: *is_camera,
            from: "present_requested",
            to: if *is_camera { "camera_timestamp" } else { "file_read" },
            shown_to_seen_ms: (times.count() > 0).then(|| times.percentiles()),
            samples: times.count(),
            resolution_ms: Resolution {
                camera_interval: median(&measured.intervals),
                window_frame: measured.window_frame.map(millis),
                label_stands: [HOLD, LONGEST_HOLD].map(millis),
            },
            labels: measured.labels,
            pictures: measured.pictures,
        }
    }

    /// Why there is no time, if there is none; `trouble` is what the camera says of itself.
    pub fn check(&self, trouble: Option<&str>) -> Result<(), NoTime> {
        let Pictures { seen, read, unreadable } = self.pictures;
        let slow = self.resolution_ms.camera_interval.filter(|interval| *interval > HOLD.as_secs_f64() * 1_000.0);
        match (self.samples, slow) {
            (1.., _) => Ok(()),
            _ if seen == 0 => Err(NoTime::NoPictures(trouble.unwrap_or("it is silent; plug it in again").to_owned())),
            _ if self.labels.labels_shown == 0 => Err(NoTime::NotShown),
            (_, Some(interval)) => Err(NoTime::TooSlow(interval)),
            _ if self.labels.seen_before_shown > 0 => Err(NoTime::BeforeShown),
            _ if read > 0 => Err(NoTime::Foreign),
            _ if unreadable > 0 => Err(NoTime::Unreadable(unreadable)),
            _ => Err(NoTime::NotInView(seen)),
        }
    }
}

impl fmt::Display for OpticalReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, width, height, samples, labels, pictures, .. } = self;
        let Machine { cpu, cores, gpu, backend, os } = &self.machine;
        if self.light {
            writeln!(f, "glass to glass, by the camera {name}, {width}x{height}")?;
            writeln!(
                f,
                "from present_requested (the window system has the picture) to the camera's time of its picture"
            )?;
        } else {
            writeln!(f, "NO LIGHT: {name} stood in for the camera, {width}x{height}")?;
            writeln!(f, "how far the file's pictures are behind the window's: nothing of screen and camera is in it")?;
        }
        writeln!(f, "{cpu}, {cores} cores, {gpu} ({backend}), {os}")?;
        if let Some(Percentiles { p50, p95, p99, max }) = self.shown_to_seen_ms {
            writeln!(f, "{:<22} {:>8} {:>8} {:>8} {:>8}", "milliseconds", "p50", "p95", "p99", "max")?;
            writeln!(f, "{:<22} {p50:>8.1} {p95:>8.1} {p99:>8.1} {max:>8.1}", "shown_to_seen")?;
        }
        let Resolution { camera_interval, window_frame, .. } = self.resolution_ms;
        let known =
            |millis: Option<f64>| millis.map_or_else(|| "unknown".to_owned(), |millis| format!("{millis:.1} ms"));
        writeln!(
            f,
            "resolution: {} from picture to picture of the {}, by up to which each time is too long; {} for a frame of the \
             window at its fastest",
            known(camera_interval),
            self.source,
            known(window_frame)
        )?;
        writeln!(
            f,
            "{samples} labels seen of {} shown, {} not readable in {} pictures; {} seen before they were shown, {} readings of \
             labels of others",
            labels.labels_shown, pictures.unreadable, pictures.seen, labels.seen_before_shown, labels.foreign
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn report(times: &[f64], interval_ms: f64, labels: Sighted, pictures: Pictures, is_camera: bool) -> OpticalReport {
        let durations = |times: &[f64]| {
            let mut durations = Durations::default();
            for time in times {
                durations.add(*time);
            }
            durations
        };
        OpticalReport::new(&OpticalMeasured {
            source: "Cam".into(),
            is_camera,
            size: (640, 480),
            times: durations(times),
            labels,
            pictures,
            intervals: durations(&[interval_ms; 3]),
            window_frame: Some(Duration::from_micros(16_667)),
            gpu: Default::default(),
            trouble: None,
        })
    }

    fn pictures(seen: u64, read: u64, unreadable: u64) -> Pictures {
        Pictures { seen, read, unreadable }
    }

    #[test]
    fn figures_stand_beside_their_resolution_and_a_file_is_never_called_light() {
        let labels = Sighted { labels_shown: 3, labels_seen: 3, ..Sighted::default() };
        for is_camera in [true, false] {
            let report = report(&[40.0, 50.0, 90.0], 33.3, labels, pictures(9, 9, 0), is_camera);
            assert_eq!(report.check(None), Ok(()));
            let (words, json) = (report.to_string(), serde_json::to_value(&report).unwrap());
            assert!(words.contains("50.0") && words.contains("33.3 ms") && words.contains("16.7 ms"), "{words}");
            assert_eq!((words.contains("glass to glass"), words.contains("NO LIGHT")), (is_camera, !is_camera));
            assert_eq!((&json["light"], &json["samples"]), (&is_camera.into(), &3.into()));
            assert!((json["shown_to_seen_ms"]["p50"].as_f64().unwrap() - 50.0).abs() < 0.1, "{json}");
            assert_eq!(json["resolution_ms"]["label_stands"], serde_json::json!([100.0, 133.0]));
        }
    }

    #[test]
    fn why_there_is_nothing_is_said_with_what_to_do() {
        let shown = Sighted { labels_shown: 50, ..Sighted::default() };
        let check = |interval_ms, labels, pictures, trouble| {
            let report = report(&[], interval_ms, labels, pictures, true);
            assert!(report.shown_to_seen_ms.is_none());
            let error = report.check(trouble).unwrap_err();
            assert!(error.to_string().contains(": "), "a cause and a remedy: {error}");
            error
        };
        assert_eq!(check(33.0, shown, pictures(0, 0, 0), Some("gone")), NoTime::NoPictures("gone".into()));
        assert_eq!(check(33.0, Sighted::default(), pictures(9, 0, 0), None), NoTime::NotShown);
        assert_eq!(check(33.0, shown, pictures(9, 0, 0), None), NoTime::NotInView(9));
        assert_eq!(check(33.0, shown, pictures(9, 0, 4), None), NoTime::Unreadable(4));
        assert!(matches!(check(200.0, shown, pictures(9, 0, 4), None), NoTime::TooSlow(ms) if ms > 199.0));
        let foreign = Sighted { foreign: 9, ..shown };
        assert_eq!(check(33.0, foreign, pictures(9, 9, 0), None), NoTime::Foreign);
        let before = Sighted { seen_before_shown: 9, ..shown };
        assert_eq!(check(33.0, before, pictures(9, 9, 0), None), NoTime::BeforeShown);
    }
}
