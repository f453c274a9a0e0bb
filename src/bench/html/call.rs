//! The page of `bench call --html`: latency over time, the way of a picture stage by stage, how latencies are spread, the rate
//! beside what the link lets through, and all figures.

use super::svg::{Axis, Layer, MOST_POINTS, plot, rows};
use super::{columns, escape, page, pairs};
use crate::bench::call::{Measured, WARM_UP};
use crate::bench::figures::Timeline;
use crate::bench::machine::Machine;
use crate::bench::report::CallReport;
use crate::bench::summary::{LEGS, Percentiles};
use crate::media::Stage;
use crate::sim::BIN;

/// Stretches of the rate's plot: half a second at the least.
const RATE_BINS: usize = 5;
/// Bars of the histogram.
const BARS: usize = 40;
/// A plot shows capacities up to so many times the highest rate that was shown: beyond that they only flatten it.
const HEADROOM: f64 = 3.0;

/// The whole page.
#[must_use]
pub fn call_page(report: &CallReport, timeline: &Timeline, measured: &Measured) -> String {
    let config = &report.config;
    let title = format!("Visavis: a call at {}x{}, {} pictures a second", config.width, config.height, config.fps);
    page(&title, &(machine(report) + &section(report, timeline, measured)))
}

/// What it was measured on, in a line.
#[must_use]
pub fn machine(report: &CallReport) -> String {
    let Machine { cpu, cores, gpu, backend, os } = &report.machine;
    let line = format!("Visavis {}; {cpu}, {cores} cores, {gpu} ({backend}), {os}", report.version);
    format!("<p class=\"dim\">{}</p>\n", escape(&line))
}

/// Plots and figures of a call, as a part of a page.
#[must_use]
pub fn section(report: &CallReport, timeline: &Timeline, measured: &Measured) -> String {
    let mut html = String::from("<div class=\"plots\">\n");
    html += &figure(
        "Capture to the showing of that picture or a later one, along the call. Shaded: the slowest of each moment.",
        "",
        &latency(timeline),
    );
    html += &figure(
        "Rate of the pictures that were shown, beside what the link let through.",
        &keys(timeline.capacity_bits.is_some()),
        &rate(report, timeline),
    );
    html += &figure(
        "The way of a picture: the median of each stage, one after the other; behind it p50 / p95.",
        "",
        &stages(report),
    );
    html += &figure(
        "How capture to gpu_done is spread: pictures in each span; the last one holds all that took longer.",
        "",
        &histogram(measured),
    );
    html += "</div>\n<h3>Milliseconds</h3>\n";
    html += &percentiles(report);
    html += "<h3>Figures</h3>\n";
    html + &pairs(&figures(report)) + "<h3>What was asked for</h3>\n" + &pairs(&asked(report))
}

fn figure(caption: &str, keys: &str, svg: &str) -> String {
    format!("<figure>\n{svg}<figcaption>{} {keys}</figcaption>\n</figure>\n", escape(caption))
}

fn keys(has_link: bool) -> String {
    let mut keys = String::from(
        "<br/><span class=\"key one\"></span>shown &#160; <span class=\"key two\"></span>asked of the encoder",
    );
    if has_link {
        keys += " &#160; <span class=\"key soft\"></span>link";
    }
    keys
}

fn latency(timeline: &Timeline) -> String {
    let width = timeline.delays_ms.len().div_ceil(MOST_POINTS).max(1);
    let mut worst = Vec::new();
    let mut usual = Vec::new();
    for moment in timeline.delays_ms.chunks(width) {
        let at = moment[moment.len() / 2].0 / 1_000.0;
        let mut delays: Vec<f64> = moment.iter().filter_map(|(_, delay)| *delay).collect();
        delays.sort_by(f64::total_cmp);
        worst.push((at, delays.last().copied().unwrap_or_default()));
        usual.push((at, delays.get(delays.len() / 2).copied()));
    }
    let largest = worst.iter().map(|(_, delay)| *delay).fold(0.0, f64::max);
    let layers = [Layer::Area("fill-soft", worst), Layer::Line("one", usual)];
    plot(&Axis::until("seconds", timeline.end_s().max(0.1)), &Axis::from_zero("ms", largest), &layers)
}

fn rate(report: &CallReport, timeline: &Timeline) -> String {
    let width = timeline.shown_bits.len().div_ceil(MOST_POINTS).max(RATE_BINS);
    let kbps = |bits: &[f64]| -> Vec<(f64, f64)> {
        let middle = |number: usize, len: usize| {
            (number * width) as f64 * BIN.as_secs_f64() + len as f64 * BIN.as_secs_f64() / 2.0
        };
        let rate = |bits: &[f64]| bits.iter().sum::<f64>() / (bits.len() as f64 * BIN.as_secs_f64()) / 1_000.0;
        bits.chunks(width).enumerate().map(|(number, bits)| (middle(number, bits.len()), rate(bits))).collect()
    };
    let shown = kbps(&timeline.shown_bits);
    let asked = f64::from(report.config.bitrate_kbps);
    let highest = shown.iter().map(|(_, rate)| *rate).fold(asked, f64::max);
    let mut layers = Vec::new();
    let mut top = highest;
    if let Some(capacity) = &timeline.capacity_bits {
        let capacity = kbps(capacity);
        let most = capacity.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
        top = most.min(highest * HEADROOM).max(highest);
        layers.push(Layer::Area("fill-soft", capacity));
    }
    layers.push(Layer::Line("two", vec![(0.0, Some(asked)), (timeline.end_s(), Some(asked))]));
    layers.push(Layer::Line("one", shown.into_iter().map(|(at, rate)| (at, Some(rate))).collect()));
    plot(&Axis::until("seconds", timeline.end_s().max(0.1)), &Axis::from_zero("kb/s", top), &layers)
}

fn stages(report: &CallReport) -> String {
    let mut at = 0.0;
    let mut spans = Vec::new();
    for leg in LEGS.iter().skip(1) {
        let Some(Percentiles { p50, p95, .. }) = report.stages_ms.get(leg.name) else { continue };
        spans.push((leg.name, at, at + p50, format!("{p50:.2} / {p95:.2} ms")));
        at += p50;
    }
    rows(at, &spans)
}

fn histogram(measured: &Measured) -> String {
    let whole = measured.shown.iter().filter_map(|(_, stamps)| stamps.millis(Stage::Captured, Stage::GpuDone));
    let mut whole: Vec<f64> = whole.collect();
    whole.sort_by(f64::total_cmp);
    // The last of a thousand would squeeze all others into a corner: they are counted in the last bar.
    let Some(end) = whole.get((whole.len() * 995 / 1000).min(whole.len().saturating_sub(1))) else {
        return String::new();
    };
    let axis = Axis::from_zero("milliseconds", *end);
    let span = axis.range.1 / BARS as f64;
    let mut counts = [0_u32; BARS];
    for delay in &whole {
        counts[((delay / span) as usize).min(BARS - 1)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or_default();
    let bars = (0..)
        .zip(counts)
        .map(|(number, count)| (f64::from(number) * span, f64::from(number + 1) * span, f64::from(count)));
    let bars = Layer::Bars("fill-one", bars.collect());
    plot(&axis, &Axis::from_zero("pictures", most.into()), &[bars])
}

fn percentiles(report: &CallReport) -> String {
    let stages = LEGS.iter().filter_map(|leg| Some((leg.name, report.stages_ms.get(leg.name)?)));
    let all = report.latency_ms.iter().map(|(name, at)| (*name, at)).chain(stages);
    let row = |(name, at): (&str, &Percentiles)| {
        let numbers = [at.p50, at.p95, at.p99, at.max].map(|millis| format!("{millis:.2}"));
        std::iter::once(name.to_owned()).chain(numbers).collect()
    };
    columns(&["", "p50", "p95", "p99", "max"], &all.map(row).collect::<Vec<Vec<String>>>())
}

fn figures(report: &CallReport) -> Vec<(&'static str, String)> {
    let frames = &report.frames;
    let mut rows = vec![
        (
            "pictures",
            format!(
                "{} captured, {} skipped, {} sent, {} received, {} decoded, {} presented",
                frames.captured, frames.skipped, frames.sent, frames.received, frames.decoded, frames.presented
            ),
        ),
        (
            "freezes above 200 ms",
            format!(
                "{}, {:.0} ms altogether, the longest {:.0} ms",
                report.freezes.count, report.freezes.total_ms, report.freezes.longest_ms
            ),
        ),
        ("out of the encoder", format!("{:.0} kb/s", report.bitrate_kbps)),
    ];
    if let Some(quality) = &report.quality {
        rows.push((
            "likeness of luma",
            format!(
                "PSNR {:.1} dB, SSIM {:.4} = {:.1} dB, mean of {} pictures",
                quality.psnr_y, quality.ssim_y, quality.ssim_y_db, quality.pictures
            ),
        ));
    }
    if let Some(used) = &report.used {
        let capacity =
            used.capacity_kbps.map_or_else(|| "without a limit".to_owned(), |kbps| format!("{kbps:.0} kb/s"));
        rows.push((
            "link used",
            format!(
                "{:.1} %: {:.0} kb/s shown of {:.0} kb/s that encoder and link ({capacity}) both allow",
                used.share * 100.0,
                used.goodput_kbps,
                used.usable_kbps
            ),
        ));
    }
    if let Some(link) = &report.link {
        let queue = link.standing_queue_ms;
        rows.push(("standing queue", format!("{:.1} ms p50, {:.1} ms p95", queue.p50, queue.p95)));
        rows.push((
            "packets into the link",
            format!("{}, {} of them found its queue full", link.packets, link.overflowed),
        ));
        rows.push(("link's start", format!("{:.0} ms before the first picture", link.lead_ms)));
    }
    if let Some(overhead) = &report.overhead {
        let [padding, resent, wire] = [overhead.padding, overhead.resent, overhead.wire].map(|share| share * 100.0);
        rows.push(("overhead", format!("padding {padding:.1} %, repair {resent:.1} %, all on the wire {wire:.1} %")));
    }
    rows.push((
        "held back",
        format!("encoder {}, decoder {}", report.depth_frames.encoder, report.depth_frames.decoder),
    ));
    rows.push(("processor", format!("{:.2} s per second, two clients and server", report.cpu_s_per_s)));
    rows.push(("memory", format!("{:.0} MiB, {:.0} of it data", report.rss_mb, report.own_mb)));
    if let Some(mouth_to_ear_ms) = report.audio.mouth_to_ear_ms {
        rows.push(("mouth to ear", format!("{mouth_to_ear_ms:.0} ms")));
    }
    rows
}

fn asked(report: &CallReport) -> Vec<(&'static str, String)> {
    let config = &report.config;
    let mut without = config.without.join(", ");
    if without.is_empty() {
        without += "nothing";
    }
    let ends = format!("{} (from the source's handing over of the picture)", report.boundary);
    vec![
        ("pictures", format!("{}x{}, {} a second, from {}", config.width, config.height, config.fps, config.source)),
        ("encoder", format!("{}, {} kb/s", config.encoder, config.bitrate_kbps)),
        ("seconds", format!("{}, the first {:.0} left out of latencies", config.seconds, WARM_UP.as_secs_f64())),
        ("directions", if config.one_way { "one way".into() } else { "both ways".into() }),
        ("path", format!("{}; in the end {}", config.path, report.path)),
        ("link", config.link.clone().unwrap_or_else(|| "none modelled".into())),
        ("controller", config.controller.name().into()),
        ("left out", without),
        ("latency ends at", ends),
        ("shown", config.present.into()),
    ]
}
