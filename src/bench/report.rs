//! What `bench call` says: one JSON document for programs, one table for people, one line for each frame as CSV.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

use super::call::{CallBench, Measured, Present, WARM_UP};
use super::company::CompanyFigures;
use super::figures::{Freezes, LinkFigures, Overhead, Timeline, Used, freezes};
use super::machine::Machine;
use super::summary::{LEGS, Percentiles, legs, round};
use super::window_frames::{WHOLE, WindowFrames};
use crate::engine::config::{Adaptation, VideoChoice};
use crate::engine::handle::{PathView, SendingView};
use crate::media::{FrameId, STAGES, Stage, Stamps};
use crate::net::PathPolicy;
use crate::net::ceiling::ControllerChoice;

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
    /// Round trip of that way at the end, as QUIC measures it: to the peer, or to the relay only.
    pub round_trip_ms: Option<f64>,
    /// What became of the pictures, over the whole call.
    pub frames: Frames,
    /// How large, how many and how fast they were sent in the end, and why.
    pub sending: SendingView,
    /// How often and how long a picture stood still for more than 200 ms.
    pub freezes: Freezes,
    /// From the capture to the boundary; and as Salsify (NSDI 2018) counts it, each picture until the next one that is shown: of
    /// those that were sent (`signal_delay`), and of all that were captured (`signal_delay_captured`).
    pub latency_ms: BTreeMap<&'static str, Percentiles>,
    /// The parts of that. A window's toolkit submits at a time of its own: there `upload_and_gpu` stands for `upload` and
    /// `gpu`.
    pub stages_ms: BTreeMap<&'static str, Percentiles>,
    /// Most frames held back.
    pub depth_frames: Depth,
    /// Rate that came out of the encoder.
    pub bitrate_kbps: f64,
    /// How much of the lesser of link and encoder was used; nothing without a modelled link.
    pub used: Option<Used>,
    /// What the modelled link saw.
    pub link: Option<LinkFigures>,
    /// How it got on with whoever shared the link.
    pub company: Option<CompanyFigures>,
    /// What was sent beside the pictures, in shares of their bytes.
    pub overhead: Option<Overhead>,
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
    /// What following a frame took by itself: stamps at all stages and the records' way to the bench, in microseconds.
    pub ledger_us_per_frame: f64,
    /// What was heard.
    pub audio: Audio,
    /// The frames of the window in which the pictures were shown; offscreen there are none, since each picture is drawn by
    /// itself, except in the demonstration, which draws the whole window there.
    pub window_frames: WindowFrames,
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
    /// Modelled link before the caller's socket, as it was asked for.
    pub link: Option<String>,
    /// Who said how fast to send: `ours`, or quinn's `cubic` or `bbr`.
    pub controller: ControllerChoice,
    /// Parts that were left out, to see what they are worth.
    pub without: Vec<&'static str>,
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
    /// The same in decibels: 10 for 0.9, 20 for 0.99.
    pub ssim_y_db: f64,
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
        let timeline = Timeline::new(bench.link.as_deref(), measured);
        let (of_sent, of_captured) = timeline.signal_delays(measured);
        let latency_ms = BTreeMap::from([
            (LEGS[0].name, whole.percentiles()),
            ("signal_delay", of_sent.percentiles()),
            ("signal_delay_captured", of_captured.percentiles()),
        ]);
        let (freezes, frozen_ms) = freezes(&sent, &shown);
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
            version: crate::VERSION,
            machine: Machine::this(measured.gpu.0.clone(), measured.gpu.1.clone()),
            config: Config::new(bench),
            boundary: Stage::GpuDone.name(),
            path: match measured.path {
                PathView::Direct => "direct",
                PathView::Relay => "relay",
                PathView::Reconnecting => "none",
            },
            round_trip_ms: measured.round_trip_ms.map(|millis| round(millis.into())),
            frames: Frames {
                captured: measured.caller.captured,
                skipped: measured.caller.skipped,
                sent: measured.sent.len() as u64,
                received: measured.callee.received,
                decoded: measured.callee.decoded,
                presented: measured.shown.len() as u64,
                frozen_ms,
            },
            sending: measured.sending,
            freezes,
            latency_ms,
            stages_ms,
            depth_frames: Depth { encoder: measured.depth.0, decoder: measured.depth.1 },
            bitrate_kbps: round(measured.caller.encoded_bytes as f64 * 8.0 / 1000.0 / bench.seconds.max(1) as f64),
            used: timeline.used(bench.video.bitrate_kbps),
            link: timeline.link_figures(measured),
            company: CompanyFigures::new(&timeline, measured),
            overhead: Overhead::new(&measured.caller),
            quality: measured.quality,
            cpu_s_per_s: round(spent.cpu_s_per_s),
            cpu_s_per_s_by_thread: by_thread.filter(|(_, cpu)| *cpu > 0.0).collect(),
            rss_mb: round(spent.rss_mib),
            own_mb: round(spent.own_mib),
            ledger_us_per_frame: round(measured.ledger.as_secs_f64() * 1e6),
            audio: Audio { mouth_to_ear_ms: measured.mouth_to_ear_ms.map(|millis| round(millis.into())) },
            window_frames: match (&measured.ui_frames[..], bench.present) {
                ([], Present::Offscreen) => {
                    WindowFrames::none("offscreen each picture is drawn by itself, in no window")
                }
                ([], Present::Window) => WindowFrames::none("not recorded: ask for a trace"),
                (frames, _) => WindowFrames::of(frames),
            },
        }
    }

    fn write_link(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Used { capacity_kbps, usable_kbps, goodput_kbps, share }) = &self.used {
            let capacity = capacity_kbps.map_or_else(|| "without a limit".to_owned(), |kbps| format!("{kbps:.0} kb/s"));
            writeln!(
                f,
                "link {capacity}, {usable_kbps:.0} kb/s of it usable, {goodput_kbps:.0} kb/s shown: {:.0} % used",
                share * 100.0
            )?;
        }
        if let Some(LinkFigures { carried_kbps, standing_queue_ms, packets, overflowed, .. }) = &self.link {
            writeln!(
                f,
                "carried {carried_kbps:.0} kb/s, {packets} packets, {overflowed} of them found its queue full; standing queue \
                 {:.1} ms p50, {:.1} ms p95",
                standing_queue_ms.p50, standing_queue_ms.p95
            )?;
        }
        if let Some(Overhead { padding, resent, wire, .. }) = &self.overhead {
            let [padding, resent, wire] = [padding, resent, wire].map(|share| share * 100.0);
            writeln!(f, "overhead: padding {padding:.1} %, repair {resent:.1} %, all on the wire {wire:.1} %")?;
        }
        Ok(())
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
            encoder: bench.video.encoder.name(),
            bitrate_kbps: bench.video.bitrate_kbps,
            path: if bench.path == PathPolicy::Direct { "direct" } else { "relay" },
            link: bench.link.as_ref().map(|link| link.name.clone()),
            controller: bench.adaptation.controller,
            without: left_out(bench.adaptation),
            present: if bench.present == Present::Window { "window" } else { "offscreen" },
        }
    }
}

/// The parts of the adaptation that a run is without, by the names that the command line has for them.
pub(super) fn left_out(adaptation: Adaptation) -> Vec<&'static str> {
    let Adaptation { frame_budget, ladder, fec, references, .. } = adaptation;
    [("budget", frame_budget), ("ladder", ladder), ("fec", fec), ("references", references)]
        .iter()
        .filter(|(_, there)| !there)
        .map(|(name, _)| *name)
        .collect()
}

impl fmt::Display for CallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Config { width, height, fps, .. } = &self.config;
        let Machine { cpu, cores, gpu, backend, os } = &self.machine;
        let Config { source, encoder, .. } = &self.config;
        write!(f, "{width}x{height}@{fps}, {source} by {encoder}, {} path, {}", self.path, self.config.present)?;
        if let Some(link) = &self.config.link {
            write!(f, ", link {link}")?;
        }
        if self.config.controller != ControllerChoice::Ours {
            write!(f, ", controller {}", self.config.controller.name())?;
        }
        if !self.config.without.is_empty() {
            write!(f, ", without {}", self.config.without.join(", "))?;
        }
        writeln!(f)?;
        writeln!(f, "{cpu}, {cores} cores, {gpu} ({backend}), {os}")?;
        writeln!(f, "{:<22} {:>8} {:>8} {:>8} {:>8}", "milliseconds", "p50", "p95", "p99", "max")?;
        let stages = LEGS.iter().filter_map(|leg| Some((leg.name, self.stages_ms.get(leg.name)?)));
        for (name, at) in stages.chain(self.latency_ms.iter().map(|(name, at)| (*name, at))) {
            writeln!(f, "{name:<22} {:>8.2} {:>8.2} {:>8.2} {:>8.2}", at.p50, at.p95, at.p99, at.max)?;
        }
        let Frames { captured, skipped, sent, presented, frozen_ms, .. } = &self.frames;
        let share = *presented as f64 * 100.0 / (*captured).max(1) as f64;
        writeln!(
            f,
            "frames: {captured} captured, {skipped} skipped, {sent} sent, {presented} presented ({share:.1} %); \
             held back: encoder {}, decoder {}; frozen {frozen_ms} ms in {} freezes",
            self.depth_frames.encoder, self.depth_frames.decoder, self.freezes.count
        )?;
        if let Some(Percentiles { p50, p95, .. }) = self.window_frames.parts_ms.get(WHOLE) {
            let WindowFrames { recorded, draw_calls_at_most, .. } = &self.window_frames;
            writeln!(
                f,
                "{recorded} frames of the window, {p50:.2} ms p50, {p95:.2} ms p95, {draw_calls_at_most} draw calls at most"
            )?;
        }
        self.write_link(f)?;
        write!(f, "{:.0} kb/s", self.bitrate_kbps)?;
        if let Some(Quality { psnr_y, ssim_y, ssim_y_db, pictures }) = &self.quality {
            write!(
                f,
                ", luma PSNR {psnr_y:.1} dB, SSIM {ssim_y:.3} = {ssim_y_db:.1} dB (mean of {pictures} pictures)"
            )?;
        }
        if let Some(mouth_to_ear_ms) = self.audio.mouth_to_ear_ms {
            write!(f, ", mouth to ear {mouth_to_ear_ms:.0} ms")?;
        }
        writeln!(
            f,
            "; processor {:.2} s per second, memory {:.0} MiB, {:.0} of it data (two clients and server); following a frame \
             {:.1} µs",
            self.cpu_s_per_s, self.rss_mb, self.own_mb, self.ledger_us_per_frame
        )
    }
}

/// One line for each frame that was sent: its number, the picture's, and the milliseconds from its capture to each
/// stage (empty: not reached), and the bytes that came out of the encoder.
pub fn write_csv(measured: &Measured, out: &mut impl Write) -> io::Result<()> {
    write!(out, "frame_id,picture_id,capture_time_s")?;
    for stage in &STAGES[1..] {
        write!(out, ",{}_ms", stage.name())?;
    }
    writeln!(out, ",bytes")?;
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
        writeln!(out, ",{}", frame.bytes)?;
    }
    out.flush()
}
