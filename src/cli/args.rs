//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Private face-to-face calls.
///
/// Without a command: the window.
#[derive(Debug, Parser)]
#[command(name = "visavis", version = VERSION, max_term_width = 100)]
pub struct Cli {
    /// Profile: a name, or the path of a folder.
    #[arg(long, global = true, env = "VISAVIS_PROFILE", default_value = "default", value_name = "NAME|DIR")]
    pub profile: String,
    /// Settings file with defaults for the options below (TOML).
    #[arg(long, global = true, env = "VISAVIS_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Results as JSON on standard output.
    #[arg(long, global = true, num_args = 0..=1, default_missing_value = "-", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Say more on standard error; twice for everything. `RUST_LOG` decides in detail.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<CliCommand>,
}

const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (", env!("VISAVIS_COMMIT"), "; ", env!("VISAVIS_FEATURES"), ")");

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// A call between you and Mirror, a bot of its own, through a server of its own, all on this machine.
    Demo(DemoArgs),
    /// Call somebody.
    Call(CallArgs),
    /// Wait for a call and answer it.
    Answer(AnswerArgs),
    /// List cameras, microphones and speakers.
    Devices,
    /// Check GPU, devices, clock and network, and say what to do about what is wrong.
    Doctor(DoctorArgs),
    /// Measure.
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// End by itself after this long; without a screen 10 unless given.
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
    /// Do not open a window even if there is a screen.
    #[arg(long)]
    pub headless: bool,
    /// Where the picture of the call window goes when there is no screen.
    #[arg(long, value_name = "FILE", default_value = "visavis-demo.png")]
    pub picture: PathBuf,
}

/// Where picture and sound come from and go to, and how they are coded; shared by `call` and `answer`.
#[derive(Clone, Debug, Args)]
pub struct MediaArgs {
    /// No window: only this command line.
    #[arg(long)]
    pub headless: bool,
    /// Server address with key, as the server prints it; remembered in the profile.
    #[arg(long, env = "VISAVIS_SERVER", value_name = "ADDR")]
    pub server: Option<String>,
    /// Name to register with the server when the profile is new.
    #[arg(long, env = "VISAVIS_NAME", value_name = "NAME")]
    pub name: Option<String>,
    /// `pattern`, a `.y4m` file, `device`, `device:NAME`, or `none`.
    #[arg(long, value_name = "SOURCE", default_value = "device")]
    pub video_source: String,
    /// A `.wav` file, `device`, `device:NAME`, or `none`.
    #[arg(long, value_name = "SOURCE", default_value = "device")]
    pub mic: String,
    /// A `.wav` file to write, `device`, `device:NAME`, or `none`.
    #[arg(long, value_name = "SINK", default_value = "device")]
    pub speaker: String,
    /// Picture size.
    #[arg(long, value_name = "WxH", default_value = "640x360", value_parser = parse_size)]
    pub size: (u32, u32),
    /// Pictures a second.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub fps: u32,
    /// Video encoder.
    #[arg(long, value_enum, default_value_t = EncoderArg::Auto)]
    pub encoder: EncoderArg,
    /// Video rate; by default what the size asks for.
    #[arg(long, value_name = "KBPS", value_parser = clap::value_parser!(u32).range(30..=20_000))]
    pub bitrate: Option<u32>,
    /// Which way packets may go.
    #[arg(long, value_enum, default_value_t = PathArg::Direct)]
    pub path: PathArg,
    /// One line for each frame sent and shown: `side,frame_id,capture_time_s,present_time_s,boundary` (CSV).
    #[arg(long, value_name = "FILE")]
    pub frame_log: Option<PathBuf>,
    /// Write what is shown to a y4m file.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Hang up after this long.
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
    /// Figures of the call as JSON.
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,
}

/// Options of `call`.
#[derive(Debug, Args)]
pub struct CallArgs {
    /// Whom: `name@host`, or a `visavis:` link.
    pub handle: String,
    /// Sound only.
    #[arg(long)]
    pub audio_only: bool,
    /// Picture and sound.
    #[command(flatten)]
    pub media: MediaArgs,
}

/// Options of `answer`.
#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// Accept whoever calls, without asking anybody. This is your consent.
    #[arg(long)]
    pub auto_accept: bool,
    /// Take one call, then end.
    #[arg(long)]
    pub once: bool,
    /// Refuse whoever calls.
    #[arg(long, conflicts_with = "auto_accept")]
    pub decline: bool,
    /// Picture and sound.
    #[command(flatten)]
    pub media: MediaArgs,
}

/// Options of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Server to reach; by default the profile's.
    #[arg(long, env = "VISAVIS_SERVER", value_name = "ADDR")]
    pub server: Option<String>,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// A whole call on loopback: two clients and a server, real sockets, real encoder, decoder and GPU.
    Call(BenchCallArgs),
    /// Upload and draw of a picture: planes against a naive RGBA texture, in one run.
    Render(BenchRenderArgs),
}

/// Options of `bench call`.
#[derive(Clone, Debug, Args)]
pub struct BenchCallArgs {
    /// A sends, B shows: the load of one side of a call. Otherwise both do both.
    #[arg(long)]
    pub one_way: bool,
    /// How long is measured.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub seconds: u64,
    /// Picture size.
    #[arg(long, value_name = "WxH", default_value = "640x360", value_parser = parse_size)]
    pub size: (u32, u32),
    /// Pictures a second.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub fps: u32,
    /// `pattern` or a `.y4m` file.
    #[arg(long, default_value = "pattern", value_name = "pattern|FILE.y4m")]
    pub source: String,
    /// Video encoder.
    #[arg(long, value_enum, default_value_t = EncoderArg::Auto)]
    pub encoder: EncoderArg,
    /// Video rate; by default what the size asks for.
    #[arg(long, value_name = "KBPS", value_parser = clap::value_parser!(u32).range(30..=20_000))]
    pub bitrate: Option<u32>,
    /// Which way packets go.
    #[arg(long, value_enum, default_value_t = PathArg::Direct)]
    pub path: PathArg,
    /// Where pictures end.
    #[arg(long, value_enum, default_value_t = PresentArg::Offscreen)]
    pub present: PresentArg,
    /// Every frame with all its stamps.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Exit with 3 if the 95th percentile of capture→gpu_done is above this.
    #[arg(long, value_name = "X")]
    pub max_p95_ms: Option<f64>,
}

/// Options of `bench render`.
#[derive(Clone, Debug, Args)]
pub struct BenchRenderArgs {
    /// Picture size.
    #[arg(long, value_name = "WxH", default_value = "1280x720", value_parser = parse_size)]
    pub size: (u32, u32),
    /// Pictures drawn each way.
    #[arg(long, default_value_t = 300)]
    pub frames: u32,
}

/// Video encoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EncoderArg {
    /// The faster one, by a short trial on this machine.
    Auto,
    /// libaom in real-time mode.
    Aom,
    /// rav1e, pure Rust; holds four frames back.
    Rav1e,
}

/// Ways for the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PathArg {
    /// Direct when that works, by relay until then.
    Direct,
    /// Only by relay: the other side never learns this machine's address.
    Relay,
}

/// Where pictures end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PresentArg {
    /// In a texture; the boundary is the GPU's completion.
    Offscreen,
    /// In a window.
    Window,
}

/// `WxH`, each 16 to 4096.
fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let parse = |part: &str| part.parse::<u32>().ok().filter(|side| (16..=crate::media::MAX_DIMENSION).contains(side));
    text.split_once('x')
        .and_then(|(width, height)| Some((parse(width)?, parse(height)?)))
        .ok_or_else(|| format!("'{text}' is not a size such as 640x360, each side 16 to 4096"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_are_bounded() {
        assert_eq!(parse_size("640x360"), Ok((640, 360)));
        for bad in ["640", "640x", "x360", "0x360", "99999x2", "640x360x2", "-1x16"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn json_may_stand_alone_or_name_a_file() {
        let cli = Cli::try_parse_from(["visavis", "devices", "--json"]).unwrap();
        assert_eq!(cli.json, Some("-".into()));
        let cli = Cli::try_parse_from(["visavis", "bench", "call", "--json", "out.json", "--one-way"]).unwrap();
        assert_eq!(cli.json, Some("out.json".into()));
    }
}
