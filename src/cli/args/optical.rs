//! What can be typed after `bench optical`.

use std::path::PathBuf;

use clap::Args;

use super::parse_size;

/// Options of `bench optical`.
#[derive(Debug, Args)]
pub struct BenchOpticalArgs {
    /// Which camera looks at the screen; by default the system's first.
    #[arg(long, value_name = "NAME", conflicts_with = "source")]
    pub camera: Option<String>,
    /// A recording in place of the camera, to try the rest: no light is measured then.
    #[arg(long, value_name = "FILE.y4m")]
    pub source: Option<PathBuf>,
    /// Size of the camera's pictures; it gives what comes closest.
    #[arg(long, value_name = "WxH", default_value = "640x480", value_parser = parse_size)]
    pub size: (u32, u32),
    /// Pictures a second that are asked of the camera: the more, the finer the times.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=240))]
    pub fps: u32,
    /// Length of the measurement, from the first label that is read.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// How long to wait for the first label, while the camera is being pointed at the window.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub wait: u64,
    /// All figures as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
