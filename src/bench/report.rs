//! What `bench call` says: one JSON document for programs, one table for people, one line for each frame as CSV.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

use super::call::{CallBench, Measured, Present, WARM_UP};
use super::machine::Machine;
use super::summary::{Durations, LEGS, Percentiles, legs, signal_delay};
use crate::engine::config::{EncoderChoice, VideoChoice};
use crate::engine::handle::PathView;
use crate::media::{FrameId, STAGES, Stage, Stamps, Timestamp};
use crate::net::PathPolicy;

/// A picture that stands still for longer counts as frozen.
const FROZEN_MS: f64 = 200.0;

/// The figures of one run. Programs rely on the names; a change of meaning raises `schema`.
#[derive(Debug, Serialize)]
pub struct CallReport {
    /// Version of this document.
    pub schema: u32,
    /// Version of the program.
    pub version: &'static str,
    /// What it was measured on.
    pub machine: Machine,
    /// What was asked for.
    pub config: Config,
    /// Where the latency ends: `gpu_done`. It begins with the source's handing over of the picture.
    pub boundary: &'static str,
    /// The way that the packets went in the end: `relay` or `direct`.
    pub path: &'static str,
    /// What became of the pictures, over the whole call.
    pub frames: Frames,
    /// From the capture to the boundary, and as signal delay.
    pub latency_ms: BTreeMap<&'static str, Percentiles>,
    /// The parts of that, as far as they are known: what a window's toolkit submits has no time of its own.
    pub stages_ms: BTreeMap<&'static str, Percentiles>,
    /// Most frames held back.
    pub depth_frames: Depth,
    /// Rate that came out of the encoder.
    pub bitrate_kbps: f64,
    /// Shown pictures against captured ones; nothing if the source cannot be repeated.
    pub quality: Option<Quality>,
    /// Processor time of both clients and the server.
    pub cpu_s_per_s: f64,
    /// The same by thread, the busiest first.
    pub cpu_s_per_s_by_thread: Vec<(String, f64)>,
    /// Resident memory of both clients and the server.
    pub rss_mb: f64,
    /// The part of it that is data; the rest are pages of programs and libraries.
    pub own_mb: f64,
    /// What was heard.
    pub audio: Audio,
}

/// What the callee heard of the caller.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Audio {
    /// From the microphone (or file) to the speaker (or file), smoothed; nothing without both.
    pub mouth_to_ear_ms: Option<f64>,
}

/// What was asked for.
#[derive(Debug, Serialize)]
pub struct Config {
    /// One side sends only.
    pub one_way: bool,
    /// Length of the talk.
    pub seconds: u64,
    /// Seconds at the beginning that latencies and processor time leave out.
    pub warm_up_s: f64,
    /// Width of the pictures.
    pub width: u32,
    /// Height of the pictures.
    pub height: u32,
    /// Pictures a second.
    pub fps: u32,
    /// Where they come from.
    pub source: String,
    /// Encoder that was asked for.
    pub encoder: &'static str,
    /// Rate that was asked for.
    pub bitrate_kbps: u32,
    /// Path that was asked for.
    pub path: &'static str,
    /// Where the pictures were shown: `offscreen` at their own size, or in the `window`.
    pub present: &'static str,
}

/// What became of the caller's pictures.
#[derive(Debug, Serialize)]
pub struct Frames {
    /// Handed over by the source.
    pub captured: u64,
    /// Not encoded.
    pub skipped: u64,
    /// Sealed and sent.
    pub sent: u64,
    /// Arrived whole and opened.
    pub received: u64,
    /// Decoded.
    pub decoded: u64,
    /// Drawn by the GPU.
    pub presented: u64,
    /// Time in which a picture stood still for more than 200 ms, what is above that.
    pub frozen_ms: f64,
}

/// Most frames held back.
#[derive(Debug, Serialize)]
pub struct Depth {
    /// By the encoder.
    pub encoder: u32,
    /// By the decoder.
    pub decoder: u32,
}

/// Mean likeness of shown and captured luma.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Quality {
    /// Peak signal-to-noise ratio in dB.
    pub psnr_y: f64,
    /// Structural similarity, 0 to 1.
    pub ssim_y: f64,
    /// How many pictures were compared.
    pub pictures: usize,
}

impl CallReport {
    /// Sums a run up.
    #[must_use]
    pub fn new(bench: &CallBench, measured: &Measured) -> Self {
        let began = measured.sent.first().and_then(|frame| frame.stamps.get(Stage::Captured)).unwrap_or_default();
        let settled = |stamps: &Stamps| stamps.get(Stage::Captured).is_some_and(|at| at.since(began) >= WARM_UP);
        let shown: Vec<&Stamps> = measured.shown.iter().map(|(_, stamps)| stamps).filter(|s| settled(s)).collect();
        let sent: Vec<&Stamps> = measured.sent.iter().map(|frame| &frame.stamps).filter(|s| settled(s)).collect();
        let distributions = legs(shown.iter().copied());
        let [whole, ..] = &distributions;
        let latency_ms = BTreeMap::from([
            (LEGS[0].name, whole.percentiles()),
            ("signal_delay", delay(measured, began).percentiles()),
        ]);
        let stages_ms = LEGS
            .iter()
            .zip(&distributions)
            .skip(1)
            .filter(|(_, durations)| durations.count() > 0)
            .map(|(leg, durations)| (leg.name, durations.percentiles()))
            .collect();
        let spent = &measured.spent;
        let by_thread = spent.by_thread.iter().map(|(name, cpu)| (name.clone(), round(*cpu)));
        Self {
            schema: 1,
            version: env!("CARGO_PKG_VERSION"),
            machine: Machine::this(measured.gpu.0.clone(), measured.gpu.1.clone()),
            config: Config::new(bench),
            boundary: Stage::GpuDone.name(),
            path: match measured.path {
                PathView::Direct => "direct",
                PathView::Relay => "relay",
                PathView::Reconnecting => "none",
            },
            frames: Frames {
                captured: measured.caller.captured,
                skipped: measured.caller.skipped,
                sent: measured.sent.len() as u64,
                received: measured.callee.received,
                decoded: measured.callee.decoded,
                presented: measured.shown.len() as u64,
                frozen_ms: round(frozen_ms(&sent, &shown)),
            },
            latency_ms,
            stages_ms,
            depth_frames: Depth { encoder: measured.depth.0, decoder: measured.depth.1 },
            bitrate_kbps: round(measured.caller.encoded_bytes as f64 * 8.0 / 1000.0 / bench.seconds.max(1) as f64),
            quality: measured.quality,
            cpu_s_per_s: round(spent.cpu_s_per_s),
            cpu_s_per_s_by_thread: by_thread.filter(|(_, cpu)| *cpu > 0.0).collect(),
            rss_mb: round(spent.rss_mib),
            own_mb: round(spent.own_mib),
            audio: Audio { mouth_to_ear_ms: measured.mouth_to_ear_ms.map(|millis| round(millis.into())) },
        }
    }

    /// Capture to boundary, 95 of 100.
    #[must_use]
    pub fn p95_ms(&self) -> f64 {
        self.latency_ms[LEGS[0].name].p95
    }
}

impl Config {
    fn new(bench: &CallBench) -> Self {
        Self {
            one_way: bench.one_way,
            seconds: bench.seconds,
            warm_up_s: WARM_UP.as_secs_f64(),
            width: bench.video.width,
            height: bench.video.height,
            fps: bench.video.fps,
            source: match &bench.source {
                VideoChoice::Pattern => "pattern".into(),
                VideoChoice::File(_) => "file".into(),
                VideoChoice::Device(_) => "device".into(),
                VideoChoice::None => "none".into(),
            },
            encoder: match bench.video.encoder {
                EncoderChoice::Auto => "auto",
                EncoderChoice::Aom => "aom",
                EncoderChoice::Rav1e => "rav1e",
            },
            bitrate_kbps: bench.video.bitrate_kbps,
            path: if bench.path == PathPolicy::Direct { "direct" } else { "relay" },
            present: if bench.present == Present::Window { "window" } else { "offscreen" },
        }
    }
}

impl fmt::Display for CallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Config { width, height, fps, .. } = &self.config;
        let Machine { cpu, cores, gpu, backend, os } = &self.machine;
        let Config { source, encoder, .. } = &self.config;
        writeln!(f, "{width}x{height}@{fps}, {source} by {encoder}, {} path, {}", self.path, self.config.present)?;
        writeln!(f, "{cpu}, {cores} cores, {gpu} ({backend}), {os}")?;
        writeln!(f, "{:<20} {:>8} {:>8} {:>8} {:>8}", "milliseconds", "p50", "p95", "p99", "max")?;
        let stages = LEGS.iter().filter_map(|leg| Some((leg.name, self.stages_ms.get(leg.name)?)));
        for (name, at) in stages.chain(self.latency_ms.iter().map(|(name, at)| (*name, at))) {
            writeln!(f, "{name:<20} {:>8.2} {:>8.2} {:>8.2} {:>8.2}", at.p50, at.p95, at.p99, at.max)?;
        }
        let Frames { captured, skipped, sent, presented, frozen_ms, .. } = &self.frames;
        let share = *presented as f64 * 100.0 / (*captured).max(1) as f64;
        writeln!(
            f,
            "frames: {captured} captured, {skipped} skipped, {sent} sent, {presented} presented ({share:.1} %); \
             held back: encoder {}, decoder {}; frozen {frozen_ms} ms",
            self.depth_frames.encoder, self.depth_frames.decoder
        )?;
        write!(f, "{:.0} kb/s", self.bitrate_kbps)?;
        if let Some(Quality { psnr_y, ssim_y, .. }) = &self.quality {
            write!(f, ", luma PSNR {psnr_y:.1} dB, SSIM {ssim_y:.3}")?;
        }
        if let Some(mouth_to_ear_ms) = self.audio.mouth_to_ear_ms {
            write!(f, ", mouth to ear {mouth_to_ear_ms:.0} ms")?;
        }
        writeln!(
            f,
            "; processor {:.2} s per second, memory {:.0} MiB, {:.0} of it data (two clients and server)",
            self.cpu_s_per_s, self.rss_mb, self.own_mb
        )
    }
}

/// One line for each frame that was sent: its number, the picture's, and the milliseconds from its capture to each
/// stage (empty: not reached).
pub fn write_csv(measured: &Measured, out: &mut impl Write) -> io::Result<()> {
    write!(out, "frame_id,picture_id,capture_time_s")?;
    for stage in &STAGES[1..] {
        write!(out, ",{}_ms", stage.name())?;
    }
    writeln!(out)?;
    let shown: BTreeMap<FrameId, &Stamps> = measured.shown.iter().map(|(id, stamps)| (*id, stamps)).collect();
    for frame in &measured.sent {
        let stamps = shown.get(&frame.id).copied().unwrap_or(&frame.stamps);
        let captured = frame.stamps.get(Stage::Captured).unwrap_or_default();
        write!(out, "{},{},{:.6}", frame.id.0, frame.picture.0, captured.as_secs_f64())?;
        for stage in &STAGES[1..] {
            match stamps.millis(Stage::Captured, *stage) {
                Some(millis) => write!(out, ",{millis:.3}")?,
                None => write!(out, ",")?,
            }
        }
        writeln!(out)?;
    }
    out.flush()
}

fn delay(measured: &Measured, began: Timestamp) -> Durations {
    let millis = |at: Timestamp| at.millis_since(began);
    let after = WARM_UP.as_secs_f64() * 1000.0;
    let sent: Vec<f64> = measured
        .sent
        .iter()
        .filter_map(|frame| frame.stamps.get(Stage::Captured).map(millis))
        .filter(|at| *at >= after)
        .collect();
    let shown: Vec<(f64, f64)> = measured
        .shown
        .iter()
        .filter_map(|(_, stamps)| Some((millis(stamps.get(Stage::Captured)?), millis(stamps.get(Stage::GpuDone)?))))
        .collect();
    signal_delay(&sent, &shown)
}

/// From the first capture to the last: a picture that never gives way to the next stands still until the end.
fn frozen_ms(sent: &[&Stamps], shown: &[&Stamps]) -> f64 {
    let (Some(first), Some(last)) = (sent.first(), sent.last()) else { return 0.0 };
    let (Some(begin), Some(end)) = (first.get(Stage::Captured), last.get(Stage::Captured)) else { return 0.0 };
    let done = shown.iter().filter_map(|stamps| stamps.get(Stage::GpuDone));
    let (frozen, newest) = done.fold((0.0, begin), |(frozen, before), at| (frozen + above_limit(before, at), at));
    frozen + above_limit(newest, end)
}

fn above_limit(from: Timestamp, to: Timestamp) -> f64 {
    (to.millis_since(from) - FROZEN_MS).max(0.0)
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(stage: Stage, millis: i64) -> Stamps {
        let mut stamps = Stamps::new();
        stamps.set(stage, Timestamp::from_nanos(millis * 1_000_000));
        stamps
    }

    fn frozen(captured: &[i64], done: &[i64]) -> f64 {
        let stamps = |stage, times: &[i64]| times.iter().map(|millis| at(stage, *millis)).collect::<Vec<_>>();
        let (sent, shown) = (stamps(Stage::Captured, captured), stamps(Stage::GpuDone, done));
        frozen_ms(&sent.iter().collect::<Vec<_>>(), &shown.iter().collect::<Vec<_>>())
    }

    #[test]
    fn only_what_is_above_200_ms_counts_as_frozen() {
        assert!((frozen(&[990, 1530], &[1000, 1150, 1500, 1533]) - 150.0).abs() < 1e-9);
    }

    #[test]
    fn pictures_that_never_come_count_until_the_last_one_was_captured() {
        assert!((frozen(&[1000, 2000], &[]) - 800.0).abs() < 1e-9);
        assert!((frozen(&[1000, 2000], &[1010, 1100]) - 700.0).abs() < 1e-9);
        assert!((frozen(&[1000, 2000], &[1900, 2010]) - 700.0).abs() < 1e-9);
    }
}
