//! `visavis bench`: measures, prints a table, writes JSON and CSV for other programs.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::args::{BenchCallArgs, BenchCommand, BenchRenderArgs, HudArg, PresentArg};
use super::bench_network::bench_network;
use super::bench_optical::bench_optical;
use super::checks::{check_apart, check_outputs, check_sound, check_video};
use super::exit::{CliError, Exit};
use super::interrupt::Interrupt;
use super::output;
use crate::bench::call::{BenchError, CallBench, Present};
use crate::bench::figures::Timeline;
use crate::bench::html::call::call_page;
use crate::bench::pair::PairError;
use crate::bench::render;
use crate::bench::report::{CallReport, write_csv};
use crate::bench::trace::write_trace;
use crate::engine::config::VideoSettings;
use crate::render::{Gpu, RenderError};

/// Runs a bench.
pub fn bench(command: &BenchCommand) -> Result<(), CliError> {
    match command {
        BenchCommand::Call(arguments) => bench_call(arguments),
        BenchCommand::Network(arguments) => bench_network(arguments),
        BenchCommand::Render(arguments) => bench_render(arguments),
        BenchCommand::Optical(arguments) => bench_optical(arguments),
    }
}

fn bench_call(arguments: &BenchCallArgs) -> Result<(), CliError> {
    let outputs = [
        ("--json", &arguments.json),
        ("--html", &arguments.html),
        ("--csv", &arguments.csv),
        ("--trace", &arguments.trace),
    ];
    check_outputs(outputs.map(|(option, path)| (option, path.as_deref())))?;
    check_sound(Some(&arguments.mic), Some(&arguments.speaker))?;
    let outputs = outputs.map(|(option, path)| (option, path.as_deref()));
    let inputs = [("--source", arguments.source.file()), ("--mic", arguments.mic.file())];
    check_apart(&inputs, &[&outputs[..], &[("--speaker", arguments.speaker.file())]].concat())?;
    if arguments.hud != HudArg::Off && arguments.present != PresentArg::Window {
        return Err(CliError::new(Exit::Usage, "--hud: only a window shows figures; add --present window"));
    }
    let (width, height) = arguments.size;
    let mut video = VideoSettings::new(width, height, arguments.fps);
    video.bitrate_kbps = arguments.bitrate.unwrap_or(video.bitrate_kbps);
    video.encoder = arguments.encoder.into();
    check_video("--source", &arguments.source, video)?;
    let bench = CallBench {
        one_way: arguments.one_way,
        seconds: arguments.seconds,
        video,
        source: arguments.source.clone(),
        microphone: arguments.mic.clone(),
        speaker: arguments.speaker.clone(),
        path: arguments.path.into(),
        link: arguments.link.clone(),
        company: None,
        adaptation: (&arguments.adaptation).into(),
        present: match arguments.present {
            PresentArg::Offscreen => Present::Offscreen,
            PresentArg::Window => Present::Window,
        },
        hud: arguments.hud.into(),
        trace: arguments.trace.is_some(),
        stop: Interrupt::watch(|| {})?.switch(),
    };
    let bar = progress(arguments.seconds);
    let progress = |second| bar.set_position(second);
    let measured = bench.run(progress).map_err(explain)?;
    bar.finish_and_clear();
    let report = CallReport::new(&bench, &measured);
    output::tell(&report.to_string(), arguments.json.as_deref())?;
    if let Some(path) = &arguments.csv {
        write_file(path, |out| write_csv(&measured, out))?;
    }
    if let Some(path) = &arguments.trace {
        write_file(path, |out| write_trace(&measured, out))?;
    }
    if let Some(path) = &arguments.json {
        output::write_json(path, &report)?;
    }
    if let Some(path) = &arguments.html {
        let timeline = Timeline::new(bench.link.as_deref(), &measured);
        write_text(path, &call_page(&report, &timeline, &measured))?;
    }
    if report.frames.presented == 0 {
        return Err(CliError::failure("no picture was shown, so nothing was measured"));
    }
    match arguments.max_p95_ms {
        Some(limit) if report.p95_ms() > limit => {
            let missed =
                format!("capture to gpu_done: p95 is {:.2} ms, above the {limit} ms asked for", report.p95_ms());
            Err(CliError::new(Exit::ThresholdMissed, missed))
        }
        _ => Ok(()),
    }
}

fn bench_render(arguments: &BenchRenderArgs) -> Result<(), CliError> {
    check_outputs([("--json", arguments.json.as_deref())])?;
    let (width, height) = arguments.size;
    let measure = || render::run(&Gpu::open()?, width, height, arguments.frames as usize);
    let report = measure().map_err(|error| explain(BenchError::Render(error)))?;
    output::tell(&report.to_string(), arguments.json.as_deref())?;
    arguments.json.as_deref().map_or(Ok(()), |path| output::write_json(path, &report))
}

/// Writes a document.
pub(super) fn write_text(path: &Path, text: &str) -> Result<(), CliError> {
    write_file(path, |out| out.write_all(text.as_bytes()))
}

/// Writes a file by a function.
pub(super) fn write_file(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), CliError> {
    let written = File::create(path).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()
    });
    written.map_err(|error| CliError::failure(format!("{}: {error}; choose another file", path.display())))
}

/// A bar on a terminal, nothing else where.
pub(super) fn progress(seconds: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(seconds);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} s") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// The exit code that fits.
pub(super) fn explain(error: BenchError) -> CliError {
    let exit = match &error {
        BenchError::Stopped => Exit::Interrupted,
        BenchError::Render(RenderError::NoAdapter { .. } | RenderError::NoDevice { .. }) | BenchError::Window(_) => {
            Exit::NoDevice
        }
        BenchError::Pair(PairError::Offline(_) | PairError::NoCall(_)) => Exit::NoNetwork,
        _ => Exit::Failure,
    };
    CliError::new(exit, error)
}
