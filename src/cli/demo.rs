//! `visavis demo`: an embedded server and a call with Mirror, a bot that answers. In the window where there is a screen;
//! else the same window offscreen, photographed and measured.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::Duration;

use super::args::DemoArgs;
use super::checks::{check_apart, check_outputs};
use super::exit::{CliError, Exit};
use super::interrupt::Interrupt;
use super::{bench, output};
use crate::bench::call::{CallBench, Measured, Present};
use crate::bench::pair::{Endpoint, Pair, PairError};
use crate::bench::report::CallReport;
use crate::bench::trace::write_trace;
use crate::bench::viewer::Viewer;
use crate::call::UserConsent;
use crate::capture::camera::CameraSystem;
use crate::capture::camera::native::NativeCameras;
use crate::engine::config::{Adaptation, EngineConfig, SoundChoice, VideoChoice, VideoSettings};
use crate::engine::handle::{CallView, Command, Snapshot};
use crate::media::SAMPLE_RATE_HZ;
use crate::net::PathPolicy;
use crate::render::Gpu;
use crate::ui::{self, HudSize, WindowError};

/// Size of the offscreen window in pixels.
const WINDOW: (u32, u32) = (1280, 760);
/// How often Mirror looks whether it is still wanted.
const NAP: Duration = Duration::from_millis(200);
/// Mirror's melody: A4, C sharp 5, E5, A5, half a second each.
const MELODY_HZ: [f32; 4] = [440.0, 554.37, 659.26, 880.0];

/// Shows a call.
pub fn demo(arguments: &DemoArgs) -> Result<(), CliError> {
    let is_offscreen = arguments.offscreen || !has_screen();
    if is_offscreen {
        let outputs = [
            ("--picture", Some(arguments.picture.as_path())),
            ("--json", arguments.json.as_deref()),
            ("--trace", arguments.trace.as_deref()),
        ];
        check_outputs(outputs)?;
        check_apart(&[], &outputs)?;
    }
    let folder = tempfile::Builder::new().prefix("visavis-demo-").tempdir().map_err(CliError::failure)?;
    let melody = folder.path().join("mirror.wav");
    write_melody(&melody).map_err(|error| CliError::failure(format!("{}: {error}", melody.display())))?;
    let mirror = EngineConfig {
        video_source: Some(VideoChoice::Pattern),
        microphone: Some(SoundChoice::File(melody)),
        speaker: Some(SoundChoice::None),
        ..EngineConfig::default()
    };
    if is_offscreen { offscreen(arguments, mirror) } else { in_window(mirror) }
}

fn in_window(mirror: EngineConfig) -> Result<(), CliError> {
    let you = EngineConfig { video_source: Some(own_picture()), ..EngineConfig::default() };
    eprintln!("A server, you and Mirror are starting. Mirror answers; close the window to end.");
    let mut pair = start(you, mirror)?;
    let handle = pair.caller.handle.give_pictures();
    let bell = Arc::clone(&handle.snapshot_bell);
    let interrupt = Interrupt::watch(move || bell.ring())?;
    let over = AtomicBool::new(false);
    let callee = pair.callee_handle().to_owned();
    let shown = std::thread::scope(|scope| {
        let answering = &mut pair.callee;
        let over = &over;
        Builder::new().name("mirror".into()).spawn_scoped(scope, move || answer_all(answering, over))?;
        // Who asked for the demonstration asked for this call.
        let dial = Command::Dial { handle: callee, video: true, consent: UserConsent::given_by_person() };
        let dialled = handle.send(dial);
        debug_assert!(dialled, "the queue of a fresh engine has room");
        let shown = ui::run(handle, None, interrupt.switch());
        over.store(true, Ordering::Release);
        Ok::<_, std::io::Error>(shown)
    });
    pair.shutdown();
    match shown {
        Ok(Ok(())) => interrupt.check(),
        // Offscreen it is drawn by the same GPU.
        Ok(Err(error @ WindowError::NoGpu(_))) => Err(CliError::new(Exit::NoDevice, error)),
        Ok(Err(error)) => Err(CliError::new(
            Exit::NoDevice,
            format!("{error}. `visavis demo --offscreen` shows the same call without a window"),
        )),
        Err(error) => Err(CliError::failure(error)),
    }
}

fn offscreen(arguments: &DemoArgs, mirror: EngineConfig) -> Result<(), CliError> {
    let you = EngineConfig {
        video_source: Some(own_picture()),
        microphone: Some(SoundChoice::None),
        speaker: Some(SoundChoice::None),
        ..EngineConfig::default()
    };
    let bench = CallBench {
        one_way: false,
        seconds: arguments.seconds,
        video: VideoSettings::default(),
        source: VideoChoice::Pattern,
        microphone: SoundChoice::None,
        speaker: SoundChoice::None,
        path: PathPolicy::Direct,
        link: None,
        company: None,
        adaptation: Adaptation::default(),
        present: Present::Offscreen,
        hud: HudSize::Off,
        trace: true,
        stop: Interrupt::watch(|| {})?.switch(),
    };
    eprintln!("No screen: the call window is drawn offscreen for {} seconds.", arguments.seconds);
    let gpu = Gpu::open().map_err(|error| bench::explain(error.into()))?;
    let mut pair = start(you, mirror)?;
    let (viewer, sight) = Viewer::call_window(&gpu, &mut pair.caller.handle, WINDOW).map_err(bench::explain)?;
    pair.talk(true).map_err(|error| bench::explain(error.into()))?;
    let bar = bench::progress(arguments.seconds);
    let half = arguments.seconds / 2;
    let progress = |second| {
        bar.set_position(second);
        if second == half {
            viewer.photograph();
        }
    };
    let measured = bench.measure(&mut pair.callee, &mut pair.caller, &sight, progress).map_err(bench::explain)?;
    bar.finish_and_clear();
    let photograph = viewer.finish().map_err(bench::explain)?;
    pair.shutdown();
    let gpu = (gpu.name().to_owned(), gpu.backend().to_owned());
    let measured = Measured { gpu, ..measured };
    let report = CallReport::new(&bench, &measured);
    output::tell(&report.to_string(), arguments.json.as_deref())?;
    if let Some(path) = &arguments.json {
        output::write_json(path, &report)?;
    }
    if let Some(path) = &arguments.trace {
        bench::write_file(path, |out| write_trace(&measured, out))?;
    }
    let photograph = photograph.ok_or_else(|| CliError::failure("the call window was not drawn"))?;
    photograph.save_png(&arguments.picture).map_err(CliError::failure)?;
    output::tell(&format!("The call window: {}\n", arguments.picture.display()), arguments.json.as_deref())?;
    if report.frames.presented == 0 {
        return Err(CliError::failure("no picture of Mirror was drawn"));
    }
    Ok(())
}

fn start(you: EngineConfig, mirror: EngineConfig) -> Result<Pair, CliError> {
    Pair::start(("you", you), ("mirror", mirror)).map_err(|error| bench::explain(error.into()))
}

/// Mirror: answers whoever calls, as often as it is called.
fn answer_all(mirror: &mut Endpoint, over: &AtomicBool) -> Result<(), PairError> {
    while !over.load(Ordering::Acquire) {
        let snapshot = mirror
            .handle
            .wait_for(Some(NAP), |now| matches!(now.call, CallView::Incoming { .. } | CallView::Ended { .. }));
        let snapshot = snapshot.ok_or(PairError::Stopped)?;
        let call = snapshot.call_number;
        match snapshot.call {
            CallView::Incoming { .. } => {
                mirror.send(Command::Accept { call, video: true, consent: UserConsent::given_by_person() })?;
                let answered =
                    |now: &Snapshot| !matches!(now.call, CallView::Incoming { .. }) || now.call_number != call;
                mirror.handle.wait_for(Some(NAP), answered).ok_or(PairError::Stopped)?;
            }
            CallView::Ended { .. } => mirror.send(Command::Dismiss)?,
            _ => {}
        }
    }
    Ok(())
}

/// Whether a window can be opened, as far as the environment tells.
fn has_screen() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(all(unix, not(target_os = "macos"))) || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

/// The camera if there is one, else the test pattern.
fn own_picture() -> VideoChoice {
    match NativeCameras.names() {
        Ok(names) if !names.is_empty() => VideoChoice::Device(None),
        // Without a list there is no camera to be had either; `visavis doctor` says more.
        Ok(_) | Err(_) => VideoChoice::Pattern,
    }
}

fn write_melody(path: &Path) -> hound::Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE_HZ,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec)?;
    let note_s = 0.5;
    for hz in MELODY_HZ {
        for sample in 0..(note_s * SAMPLE_RATE_HZ as f32) as u32 {
            let at_s = sample as f32 / SAMPLE_RATE_HZ as f32;
            let fade = (at_s / 0.02).min((note_s - at_s) / 0.2).clamp(0.0, 1.0);
            let value = (at_s * hz * std::f32::consts::TAU).sin() * fade * 0.25;
            wav.write_sample((value * f32::from(i16::MAX)) as i16)?;
        }
    }
    wav.finalize()
}
