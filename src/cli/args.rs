//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::exit::{CliError, Exit};
use crate::engine::config::{EncoderChoice, SoundChoice, VideoChoice};
use crate::net::PathPolicy;
use crate::store::profile::Profile;
use crate::wire::address::Handle;

/// Private face-to-face calls.
#[derive(Debug, Parser)]
#[command(name = "visavis", version = VERSION, max_term_width = 100)]
pub struct Cli {
    /// Whose identity, contacts and settings.
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// Say more on standard error; twice for everything. `RUST_LOG` decides in detail.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// What to do; without one the window opens.
    #[command(subcommand)]
    pub command: Option<CliCommand>,
}

/// Whose identity, contacts and settings. An option outranks its variable, which outranks the settings.
#[derive(Clone, Debug, Args)]
pub struct ProfileArgs {
    /// Profile: a name, or the path of a folder.
    #[arg(long, global = true, env = "VISAVIS_PROFILE", default_value = "default", value_name = "NAME|DIR")]
    pub profile: String,
    /// Settings file (TOML) in place of the profile's own `settings.toml`.
    #[arg(long, global = true, env = "VISAVIS_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ProfileArgs {
    /// Opens the profile.
    pub fn open(&self) -> Result<Profile, CliError> {
        let profile = Profile::open_named(&self.profile).map_err(CliError::failure)?;
        match &self.config {
            Some(path) => profile.with_settings(path).map_err(|error| CliError::new(Exit::Usage, error)),
            None => Ok(profile),
        }
    }
}

const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (", env!("VISAVIS_COMMIT"), "; ", env!("VISAVIS_FEATURES"), ")");

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// Call somebody.
    Call(CallArgs),
    /// Wait for a call and answer it.
    Answer(AnswerArgs),
    /// List cameras, microphones and speakers.
    Devices(JsonArgs),
    /// Look at everything that a call needs, and say what is wrong and what to do.
    Doctor(DoctorArgs),
    /// See a call on this machine: a server, you, and Mirror, a bot that answers with a picture and sound of its own.
    Demo(DemoArgs),
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

/// Where picture and sound come from and go to, and how they are coded; shared by `call` and `answer`.
#[derive(Clone, Debug, Args)]
pub struct MediaArgs {
    /// Without a window: what this command always is. For scripts that like to say so.
    #[arg(long)]
    pub headless: bool,
    /// Server address with key, as the server prints it; remembered in the profile.
    #[arg(long, env = "VISAVIS_SERVER", value_name = "ADDR")]
    pub server: Option<String>,
    /// Name to register with the server when the profile is new.
    #[arg(long, env = "VISAVIS_NAME", value_name = "NAME")]
    pub name: Option<String>,
    /// What to show: the moving test pattern, a y4m file (repeated), the system's camera or one by name, or nothing. By
    /// default the camera of the settings; the pattern, if none is chosen there.
    #[arg(long, env = "VISAVIS_VIDEO_SOURCE", value_name = "pattern|FILE.y4m|device[:NAME]|none", value_parser = parse_source)]
    pub video_source: Option<VideoChoice>,
    /// Picture size; a file keeps its own, a camera gives what comes closest.
    #[arg(long, value_name = "WxH", default_value = "640x360", value_parser = parse_size)]
    pub size: (u32, u32),
    /// Pictures a second.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub fps: u32,
    /// Video rate; by default what the size asks for.
    #[arg(long, value_name = "KBPS", value_parser = clap::value_parser!(u32).range(30..=20_000))]
    pub bitrate: Option<u32>,
    /// AV1 encoder: the faster one by a short trial on this machine, or libaom, or rav1e.
    #[arg(long, value_enum, default_value_t = EncoderArg::Auto)]
    pub encoder: EncoderArg,
    /// Which way packets may go: between the two devices when that works, or by relay only, so that the other side never
    /// learns this machine's address. By default as `hide_address` of the settings says; direct, if it says nothing.
    #[arg(long, env = "VISAVIS_PATH", value_enum)]
    pub path: Option<PathArg>,
    /// What to say: a WAV file (repeated), the system's microphone or one by name, or nothing. By default the microphone
    /// of the settings; the system's, if none is chosen there.
    #[arg(long, env = "VISAVIS_MIC", value_name = "FILE.wav|device[:NAME]|none", value_parser = parse_sound)]
    pub mic: Option<SoundChoice>,
    /// Where to hear the other side: a WAV file to record to, the system's speaker or one by name, or nowhere. By default
    /// the speaker of the settings; the system's, if none is chosen there.
    #[arg(long, env = "VISAVIS_SPEAKER", value_name = "FILE.wav|device[:NAME]|none", value_parser = parse_sound)]
    pub speaker: Option<SoundChoice>,
    /// Leave the microphone's sound as it is: no echo cancellation, noise suppression or gain.
    #[arg(long)]
    pub raw_mic: bool,
    /// One line for each frame sent and shown: `side,frame_id,capture_time_s,present_time_s,boundary` (CSV). What is shown
    /// is drawn offscreen for that; the boundary is `gpu_done`, or `decoded` where nothing can be drawn.
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
    /// Whom: `name@host`.
    pub handle: Handle,
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

/// How a result is printed.
#[derive(Debug, Args)]
pub struct JsonArgs {
    /// Print JSON, for other programs.
    #[arg(long)]
    pub json: bool,
}

/// Options of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Server address with key, as the server prints it; by default the profile's.
    #[arg(long, env = "VISAVIS_SERVER", value_name = "ADDR")]
    pub server: Option<String>,
    /// How the findings are printed.
    #[command(flatten)]
    pub output: JsonArgs,
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Draw the call window offscreen, as on a machine without a screen.
    #[arg(long)]
    pub offscreen: bool,
    /// Length of the offscreen call.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(3..=3600))]
    pub seconds: u64,
    /// Where the picture of the offscreen call window goes.
    #[arg(long, value_name = "FILE.png", default_value = "visavis-demo.png")]
    pub picture: PathBuf,
    /// Figures of the offscreen call as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// A whole call on this machine: two clients and a server through real sockets, every frame from capture to GPU.
    Call(BenchCallArgs),
    /// Bringing a picture to the GPU and drawing it: planes by two ways of uploading against ready-made RGBA.
    Render(BenchRenderArgs),
}

/// Options of `bench call`.
#[derive(Debug, Args)]
pub struct BenchCallArgs {
    /// One side sends, the other shows: the load of one side of a call. By default both do both.
    #[arg(long)]
    pub one_way: bool,
    /// Length of the talk.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=86_400))]
    pub seconds: u64,
    /// Picture size.
    #[arg(long, value_name = "WxH", default_value = "640x360", value_parser = parse_size)]
    pub size: (u32, u32),
    /// Pictures a second.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub fps: u32,
    /// What is shown: `pattern`, or a y4m file.
    #[arg(long, value_name = "pattern|FILE.y4m", default_value = "pattern", value_parser = parse_source)]
    pub source: VideoChoice,
    /// AV1 encoder.
    #[arg(long, value_enum, default_value_t = EncoderArg::Auto)]
    pub encoder: EncoderArg,
    /// Video rate; by default what the size asks for.
    #[arg(long, value_name = "KBPS", value_parser = clap::value_parser!(u32).range(30..=20_000))]
    pub bitrate: Option<u32>,
    /// What the caller says: a WAV file (repeated), the system's microphone or one by name, or nothing.
    #[arg(long, value_name = "FILE.wav|device[:NAME]|none", default_value = "none", value_parser = parse_sound)]
    pub mic: SoundChoice,
    /// Where the callee hears it: a WAV file to record to, the system's speaker or one by name, or nowhere.
    #[arg(long, value_name = "FILE.wav|device[:NAME]|none", default_value = "none", value_parser = parse_sound)]
    pub speaker: SoundChoice,
    /// Which way the packets go.
    #[arg(long, value_enum, default_value_t = PathArg::Direct)]
    pub path: PathArg,
    /// Where the pictures are shown.
    #[arg(long, value_enum, default_value_t = PresentArg::Offscreen)]
    pub present: PresentArg,
    /// Fail with exit code 3 when 95 of 100 frames are not shown in this time.
    #[arg(long, value_name = "X")]
    pub max_p95_ms: Option<f64>,
    /// All figures as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Every frame as CSV.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Every frame on the threads it passes, for Perfetto or chrome://tracing (JSON).
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
}

/// Options of `bench render`.
#[derive(Debug, Args)]
pub struct BenchRenderArgs {
    /// Picture size.
    #[arg(long, value_name = "WxH", default_value = "640x360", value_parser = parse_size)]
    pub size: (u32, u32),
    /// Pictures drawn by each way.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(50..=100_000))]
    pub frames: u32,
    /// All figures as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Where pictures are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PresentArg {
    /// Each at its own size, without a window.
    Offscreen,
    /// In the call's window.
    Window,
}

/// Which AV1 encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EncoderArg {
    /// The faster one on this machine, by a short trial.
    Auto,
    /// libaom.
    Aom,
    /// rav1e.
    Rav1e,
}

impl From<EncoderArg> for EncoderChoice {
    fn from(encoder: EncoderArg) -> Self {
        match encoder {
            EncoderArg::Auto => Self::Auto,
            EncoderArg::Aom => Self::Aom,
            EncoderArg::Rav1e => Self::Rav1e,
        }
    }
}

/// Which way packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PathArg {
    /// Direct as soon as that works, by relay until then.
    Direct,
    /// Only by relay: the other side does not learn this machine's address.
    Relay,
}

impl From<PathArg> for PathPolicy {
    fn from(path: PathArg) -> Self {
        match path {
            PathArg::Direct => Self::Direct,
            PathArg::Relay => Self::RelayOnly,
        }
    }
}

/// See [`VideoChoice::parse`].
fn parse_source(text: &str) -> Result<VideoChoice, String> {
    match VideoChoice::parse(text) {
        VideoChoice::File(path) if path.as_os_str().is_empty() => {
            Err("give a y4m file, 'pattern', 'device', 'device:NAME' or 'none'".into())
        }
        choice => Ok(choice),
    }
}

/// `none`, `device`, `device:NAME` or a file.
fn parse_sound(text: &str) -> Result<SoundChoice, String> {
    match SoundChoice::parse(text) {
        SoundChoice::File(path) if path.as_os_str().is_empty() => {
            Err("give a WAV file, 'device', 'device:NAME' or 'none'".into())
        }
        choice => Ok(choice),
    }
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
}
