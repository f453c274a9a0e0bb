//! `visavis bench optical`: opens a window and, because the person has asked for it by this command, the camera.

use std::sync::Arc;
use std::time::Duration;

use super::args::BenchOpticalArgs;
use super::bench::{explain, progress};
use super::checks::{check_apart, check_outputs};
use super::exit::{CliError, Exit};
use super::interrupt::Interrupt;
use super::output;
use crate::bench::optical::report::{NoTime, OpticalReport};
use crate::bench::optical::run::OpticalBench;
use crate::call::{CaptureGrant, UserConsent};
use crate::capture::CaptureError;
use crate::capture::camera::CameraSystem;
use crate::capture::camera::native::NativeCameras;
use crate::engine::config::{VideoChoice, VideoSettings};
use crate::engine::handle::DeviceOpens;
use crate::engine::sources::{check_source, open_source};

/// Measures from the window to the camera.
pub fn bench_optical(arguments: &BenchOpticalArgs) -> Result<(), CliError> {
    let outputs = [("--json", arguments.json.as_deref())];
    check_outputs(outputs)?;
    check_apart(&[("--source", arguments.source.as_deref())], &outputs)?;
    let (width, height) = arguments.size;
    let video = VideoSettings::new(width, height, arguments.fps);
    let is_camera = arguments.source.is_none();
    let choice = match &arguments.source {
        Some(path) => VideoChoice::File(path.clone()),
        None => VideoChoice::Device(arguments.camera.clone()),
    };
    let missing = |error: CaptureError| {
        if is_camera {
            CliError::new(Exit::NoDevice, format!("{error}; or try the rest with a recording: --source FILE.y4m"))
        } else {
            CliError::failure(error)
        }
    };
    check_source(&choice, video, &NativeCameras).map_err(missing)?;
    let grant = CaptureGrant::for_preview(UserConsent::given_by_person());
    let cameras: Arc<dyn CameraSystem> = Arc::new(NativeCameras);
    let eye = open_source(&grant, &choice, video, &cameras, &Arc::new(DeviceOpens::default())).map_err(missing)?;
    if is_camera {
        eprintln!("Point the camera at the window, so that all of its light frame is in view, and hold it still.");
    }
    let (wait, stop) = (Duration::from_secs(arguments.wait), Interrupt::watch(|| {})?.switch());
    let bench = OpticalBench { eye, is_camera, seconds: arguments.seconds, wait, stop };
    let bar = progress(arguments.seconds);
    let measured = bench.run(|second| bar.set_position(second)).map_err(explain)?;
    bar.finish_and_clear();
    let report = OpticalReport::new(&measured);
    output::tell(&report.to_string(), arguments.json.as_deref())?;
    if let Some(path) = &arguments.json {
        output::write_json(path, &report)?;
    }
    report.check(measured.trouble.as_deref()).map_err(|error| match error {
        NoTime::NoPictures(_) => CliError::new(Exit::NoDevice, error),
        _ => CliError::failure(error),
    })
}
