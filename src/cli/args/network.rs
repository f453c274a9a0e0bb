//! Options of `bench network`.

use std::path::PathBuf;

use clap::Args;

use super::{EncoderArg, parse_picture, parse_size};
use crate::bench::network::scenarios::{SCENARIOS, Scenario};
use crate::engine::config::VideoChoice;

/// The same call over network after network: one table.
#[derive(Debug, Args)]
pub struct BenchNetworkArgs {
    /// Which networks; by default all, the recorded ones with --traces only.
    #[arg(long, value_delimiter = ',', value_name = "NAME[,NAME]", value_parser = parse_scenario)]
    pub scenario: Vec<&'static Scenario>,
    /// Folder with the recordings that some networks play: ATT-LTE-driving.up, Verizon-LTE-short.up (mahimahi's format).
    #[arg(long, value_name = "DIR")]
    pub traces: Option<PathBuf>,
    /// AV1 encoders.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ENCODER[,ENCODER]", default_value = "aom")]
    pub encoder: Vec<EncoderArg>,
    /// Picture sizes.
    #[arg(long, value_delimiter = ',', value_name = "WxH[,WxH]", default_value = "640x360", value_parser = parse_size)]
    pub size: Vec<(u32, u32)>,
    /// Pictures a second.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub fps: u32,
    /// Highest rate of the video; by default what the size asks for.
    #[arg(long, value_name = "KBPS", value_parser = clap::value_parser!(u32).range(30..=20_000))]
    pub bitrate: Option<u32>,
    /// What is shown: `pattern`, or a y4m file.
    #[arg(long, value_name = "pattern|FILE.y4m", default_value = "pattern", value_parser = parse_picture)]
    pub source: VideoChoice,
    /// At most so long for each; what is cut short is said to be.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=86_400))]
    pub seconds: Option<u64>,
    /// Instead: the whole call and then without each part of its adaptation, over three networks.
    #[arg(long, conflicts_with = "scenario")]
    pub ablation: bool,
    /// Fail with exit code 3 when a limit of a network is missed.
    #[arg(long)]
    pub strict: bool,
    /// All figures as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// A report with plots: one HTML file that needs nothing else.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

fn parse_scenario(name: &str) -> Result<&'static Scenario, String> {
    Scenario::named(name).ok_or_else(|| {
        let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        format!("there is no network '{name}'; there are {}", names.join(", "))
    })
}
