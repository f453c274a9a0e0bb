//! What can be typed.

mod adaptation;
mod network;
mod optical;
mod profile;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub use adaptation::AdaptationArgs;
pub use network::BenchNetworkArgs;
pub use optical::BenchOpticalArgs;
pub use profile::ProfileArgs;

use super::link::parse_link;
use crate::engine::config::{EncoderChoice, SoundChoice, VideoChoice};
use crate::engine::contacts::ContactError;
use crate::net::PathPolicy;
use crate::sim::LinkConfig;
use crate::ui::HudSize;
use crate::wire::address::Handle;
use crate::wire::link::ContactLink;

/// Private face-to-face calls.
#[derive(Debug, Parser)]
#[command(name = "visavis", version = crate::VERSION, max_term_width = 100)]
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

impl Cli {
    /// What was typed. A variable that is set to nothing is not set.
    #[must_use]
    pub fn of_this_process() -> Self {
        let matches = without_empty_variables(Self::command()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let command = command.mut_args(|arg| {
        let is_unset = arg.get_env().is_some_and(is_empty);
        if is_unset { arg.env(None::<&'static str>) } else { arg }
    });
    command.mut_subcommands(without_empty_variables)
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// Call somebody.
    Call(CallArgs),
    /// Wait for a call and answer it.
    Answer(AnswerArgs),
    /// Your link, and the people you know or keep out.
    #[command(subcommand)]
    Contact(ContactCommand),
    /// List cameras, microphones and speakers.
    Devices(JsonArgs),
    /// What protects the keys of this profile, and how to change it.
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// The account at the server: its second factor, and its end.
    #[command(subcommand)]
    Account(AccountCliCommand),
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
    /// Put a modelled link before this side's call: a profile (perfect, home-wifi, bad-wifi, lte-driving, umts, satellite,
    /// blackout), a recorded trace in mahimahi's format for what is sent, or options such as rate=2mbit,delay=20ms,loss=2%.
    /// Each holds for both directions; up.delay=… for what is sent, down.delay=… for what is received.
    #[arg(long, value_name = "PROFILE|TRACE|OPTIONS", value_parser = parse_link)]
    pub link: Option<Arc<LinkConfig>>,
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
    /// is drawn offscreen for that; the boundary is `gpu_done`, or `decoded` where nothing can be drawn. Behind it
    /// `capture_to_present_ms,clock_offset_ms,clock_error_ms`: how long it took, by the peer's clock as far as that is known.
    #[arg(long, value_name = "FILE")]
    pub frame_log: Option<PathBuf>,
    /// Every frame on the threads it passes, for Perfetto or chrome://tracing (JSON): own frames until they have left, the peer's
    /// from their arrival to the GPU's completion (they are drawn offscreen for that), and before it what the peer's machine
    /// tells, by the measured offset of its clock. The last ten minutes.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
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
    /// Whom: their link, which makes them a contact, or `name@host`.
    #[arg(value_name = "LINK|HANDLE")]
    pub whom: Whom,
    /// Picture and sound.
    #[command(flatten)]
    pub media: MediaArgs,
}

/// Somebody who is to be called.
#[derive(Clone, Debug)]
pub struct Whom {
    /// Their handle.
    pub handle: Handle,
    /// Their link, if that was given.
    pub link: Option<ContactLink>,
}

impl FromStr for Whom {
    type Err = ContactError;

    fn from_str(text: &str) -> Result<Self, ContactError> {
        if ContactLink::is_meant(text) {
            let link: ContactLink = text.parse()?;
            return Ok(Self { handle: link.handle.clone(), link: Some(link) });
        }
        Ok(Self { handle: text.parse()?, link: None })
    }
}

/// The people this profile knows.
#[derive(Debug, Subcommand)]
pub enum ContactCommand {
    /// Print your link: whoever has it may call you, and knows that it is you.
    Link {
        /// Make another; the old one lets nobody call any more.
        #[arg(long)]
        renew: bool,
    },
    /// Keep somebody as a contact.
    Add {
        /// Their link, or `name@host`.
        #[arg(value_name = "LINK|HANDLE")]
        whom: String,
    },
    /// List contacts, strangers who called, and who is blocked.
    List(JsonArgs),
    /// Forget a contact.
    Remove {
        /// Whom: `name@host`.
        handle: Handle,
    },
    /// Shut somebody out: they never ring, and learn nothing. Your link is renewed if they were a contact.
    Block {
        /// Whom: `name@host`.
        handle: Handle,
    },
    /// Let somebody in again.
    Unblock {
        /// Whom: `name@host`.
        handle: Handle,
    },
}

/// Options of `answer`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub struct AnswerArgs {
    /// Accept whoever may call, without asking anybody. This is your consent.
    #[arg(long)]
    pub auto_accept: bool,
    /// Let strangers call too: neither contacts nor holders of your link. Otherwise they are written down only.
    #[arg(long)]
    pub accept_strangers: bool,
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
    /// Every frame of the offscreen call, and of its window, on the threads it passes: for Perfetto or chrome://tracing (JSON).
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
}

/// What can be done about an account.
#[derive(Debug, Subcommand)]
pub enum AccountDevicesCommand {
    /// List the devices of the account.
    Devices(JsonArgs),
    /// Write the recovery kit, which brings the account to a new device when all others are lost. The account's root leaves
    /// this device with it.
    ExportKit {
        /// A new file; `-` is standard output.
        file: PathBuf,
    },
    /// Bring an account to this new profile by its recovery kit.
    ImportKit {
        /// The file of the kit, or what was typed from its print; `-` is standard input.
        file: PathBuf,
    },
    /// Shut a lost device out of the account.
    Revoke {
        /// Its number as `devices` shows it, or the beginning.
        device: String,
        /// Sign with the recovery kit, whose word a thief's device cannot undo.
        #[arg(long, value_name = "FILE")]
        kit: Option<PathBuf>,
    },
    /// Make this new profile a device of an account: shows a code for `add-device`, and waits.
    Link {
        /// The server of the account, address with key.
        #[arg(long, env = "VISAVIS_SERVER", value_name = "ADDR")]
        server: String,
    },
    /// Take a new device into the account.
    AddDevice {
        /// What `link` shows on the new device.
        code: String,
        /// The recovery kit, if this device does not have the account's root any more.
        #[arg(long, value_name = "FILE")]
        kit: Option<PathBuf>,
    },
    /// Overwrite and remove the keys and all else of this profile.
    Wipe {
        /// Really.
        #[arg(long)]
        yes: bool,
    },
}

/// What can be done about the protection of a profile.
#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// Say who it is and what protects it.
    Status(JsonArgs),
    /// Ask for a passphrase at each start, from now on; or change it. `VISAVIS_PASSPHRASE` and `VISAVIS_NEW_PASSPHRASE` answer
    /// for a script.
    Passphrase,
    /// Put the key into the system's keyring.
    Keyring,
    /// Ask for no passphrase any more: the key lies in a file that only your user can read.
    NoPassphrase,
}

/// What can be done with the account at the server.
#[derive(Debug, Subcommand)]
pub enum AccountCliCommand {
    /// Its devices and its recovery kit.
    #[command(flatten)]
    Devices(AccountDevicesCommand),
    /// A second factor for what the server does with the account: codes of an authenticator app.
    #[command(subcommand)]
    Totp(TotpCommand),
    /// Delete the account at the server, and the keys of this profile. Asks first; with a second factor for a code too.
    Delete {
        /// Do not ask whether you mean it.
        #[arg(long)]
        yes: bool,
    },
}

/// What can be done with the second factor. Codes are read from standard input.
#[derive(Debug, Subcommand)]
pub enum TotpCommand {
    /// Say whether it is on.
    Status(JsonArgs),
    /// Show a secret for the app, ask for the first code, then print the recovery codes, once.
    Enable,
    /// Ask for a code, then do without a second factor.
    Disable,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// A whole call on this machine: two clients and a server through real sockets, every frame from capture to GPU.
    Call(Box<BenchCallArgs>),
    /// The same call over one bad network after the other: one table, with what is to be reached and a report with plots.
    Network(Box<BenchNetworkArgs>),
    /// Bringing a picture to the GPU and drawing it: planes by two ways of uploading against ready-made RGBA.
    Render(BenchRenderArgs),
    /// Glass to glass: opens a window with a barcode and the camera, which is to be pointed at it, and gives the time from the
    /// window's hand-over to the camera's picture. A laptop's own camera sees the screen in a mirror.
    Optical(BenchOpticalArgs),
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
    #[arg(long, value_name = "pattern|FILE.y4m", default_value = "pattern", value_parser = parse_picture)]
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
    /// Put a modelled link before the caller: see `call`.
    #[arg(long, value_name = "PROFILE|TRACE|OPTIONS", value_parser = parse_link)]
    pub link: Option<Arc<LinkConfig>>,
    /// What is left out.
    #[command(flatten)]
    pub adaptation: AdaptationArgs,
    /// Where the pictures are shown.
    #[arg(long, value_enum, default_value_t = PresentArg::Offscreen)]
    pub present: PresentArg,
    /// The figures over the call, with `--present window`: to measure what they cost.
    #[arg(long, value_enum, default_value_t = HudArg::Off)]
    pub hud: HudArg,
    /// Fail with exit code 3 when 95 of 100 frames are not shown in this time.
    #[arg(long, value_name = "X", value_parser = parse_limit)]
    pub max_p95_ms: Option<f64>,
    /// All figures as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// A report with plots: one HTML file that needs nothing else.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
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

/// How much is shown over a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HudArg {
    /// Nothing.
    Off,
    /// One line.
    Line,
    /// Everything, with graphs.
    Full,
}

impl From<HudArg> for HudSize {
    fn from(hud: HudArg) -> Self {
        match hud {
            HudArg::Off => Self::Off,
            HudArg::Line => Self::Line,
            HudArg::Full => Self::Full,
        }
    }
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

/// A source that gives pictures at all.
fn parse_picture(text: &str) -> Result<VideoChoice, String> {
    match parse_source(text)? {
        VideoChoice::None => {
            Err("without pictures nothing is measured: give 'pattern', a y4m file, or 'device'".into())
        }
        choice => Ok(choice),
    }
}

/// Milliseconds that can be held against a figure.
fn parse_limit(text: &str) -> Result<f64, String> {
    let limit = text.parse().map_err(|_| "give a number of milliseconds, such as 10".to_owned())?;
    if f64::is_finite(limit) && limit > 0.0 { Ok(limit) } else { Err("give a number above zero".into()) }
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
