//! What an engine is started with.

use std::path::{Path, PathBuf};

use crate::net::PathPolicy;
use crate::net::ceiling::ControllerChoice;
use crate::net::impair::Impairment;

/// What a file is called where device names stand: it is shown there, and cannot be chosen.
pub const FILE_SETTING: &str = "file ";

/// Where pictures come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VideoChoice {
    /// The moving test pattern.
    Pattern,
    /// A y4m file, from its beginning each time it is opened, repeated.
    File(PathBuf),
    /// A camera by name, or the system's default.
    Device(Option<String>),
    /// No picture.
    None,
}

/// Where sound comes from, or where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SoundChoice {
    /// A WAV file.
    File(PathBuf),
    /// A device by name, or the system's default.
    Device(Option<String>),
    /// Silence.
    None,
}

impl VideoChoice {
    /// `pattern`, `none`, `device`, `device:NAME` or a file.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "pattern" => Self::Pattern,
            "none" => Self::None,
            "device" => Self::Device(None),
            _ => match text.strip_prefix("device:") {
                Some(name) => Self::Device(Some(name.to_owned())),
                None => Self::File(text.into()),
            },
        }
    }

    /// A device name as the settings have it: `none` is no device.
    #[must_use]
    pub fn from_setting(name: Option<&str>) -> Self {
        match name {
            Some("none") => Self::None,
            Some("pattern") => Self::Pattern,
            name => Self::Device(name.map(str::to_owned)),
        }
    }

    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        if let Self::File(path) = self { Some(path) } else { None }
    }

    /// The name that it has in the settings; a file has one for showing only.
    #[must_use]
    pub fn setting(&self) -> Option<String> {
        match self {
            Self::Pattern => Some("pattern".into()),
            Self::File(path) => Some(format!("{FILE_SETTING}{}", path.display())),
            Self::Device(name) => name.clone(),
            Self::None => Some("none".into()),
        }
    }
}

impl SoundChoice {
    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        if let Self::File(path) = self { Some(path) } else { None }
    }

    /// `none`, `device`, `device:NAME` or a file.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match VideoChoice::parse(text) {
            VideoChoice::None => Self::None,
            VideoChoice::Device(name) => Self::Device(name),
            VideoChoice::Pattern => Self::File("pattern".into()),
            VideoChoice::File(path) => Self::File(path),
        }
    }

    /// A device name as the settings have it: `none` is no device.
    #[must_use]
    pub fn from_setting(name: Option<&str>) -> Self {
        match name {
            Some("none") => Self::None,
            name => Self::Device(name.map(str::to_owned)),
        }
    }

    /// The name that it has in the settings; a file has one for showing only.
    #[must_use]
    pub fn setting(&self) -> Option<String> {
        match self {
            Self::File(path) => Some(format!("{FILE_SETTING}{}", path.display())),
            Self::Device(name) => name.clone(),
            Self::None => Some("none".into()),
        }
    }
}

/// Which AV1 encoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EncoderChoice {
    /// The faster one, by a short trial.
    #[default]
    Auto,
    /// libaom.
    Aom,
    /// rav1e.
    Rav1e,
}

impl EncoderChoice {
    /// Its name on the command line and in documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Aom => "aom",
            Self::Rav1e => "rav1e",
        }
    }
}

/// How pictures are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoSettings {
    /// Width asked of the source.
    pub width: u32,
    /// Height asked of the source.
    pub height: u32,
    /// Pictures a second asked of the source.
    pub fps: u32,
    /// Rate.
    pub bitrate_kbps: u32,
    /// Encoder.
    pub encoder: EncoderChoice,
}

impl VideoSettings {
    /// Settings for a size, at the rate that suits it.
    #[must_use]
    pub fn new(width: u32, height: u32, fps: u32) -> Self {
        let bitrate_kbps = default_bitrate_kbps(width, height, fps);
        Self { width, height, fps, bitrate_kbps, encoder: EncoderChoice::Auto }
    }
}

impl Default for VideoSettings {
    fn default() -> Self {
        Self::new(640, 360, 30)
    }
}

/// 600 kb/s for 640×360 at 30 pictures a second; sublinear in size (1.5 Mb/s at 1280×720), linear in time.
#[must_use]
pub fn default_bitrate_kbps(width: u32, height: u32, fps: u32) -> u32 {
    let pixels = f64::from(width) * f64::from(height) / (640.0 * 360.0);
    let rate = 600.0 * pixels.powf(0.66) * f64::from(fps) / 30.0;
    (rate as u32).clamp(60, 12_000)
}

/// What makes the sending of pictures follow the network and the processor. All of it belongs together; parts are left out to
/// measure what they are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each part is there or left out, by itself")]
pub struct Adaptation {
    /// Who says how fast to send.
    pub controller: ControllerChoice,
    /// The encoder is told before each picture what its frame may have, and leaves it out if that is nothing. Without, it keeps
    /// the rate of the settings.
    pub frame_budget: bool,
    /// Pictures get smaller and fewer when the rate or the processor is not up to them.
    pub ladder: bool,
    /// Second copies, parity and haste on a path that loses much. Without, what is lost is sent again once.
    pub fec: bool,
    /// Prediction from acknowledged frames. Without, a loss that cannot be mended in time makes a keyframe.
    pub references: bool,
}

impl Default for Adaptation {
    fn default() -> Self {
        Self { controller: ControllerChoice::Ours, frame_budget: true, ladder: true, fec: true, references: true }
    }
}

/// Everything that is decided before an engine starts. Sources that are set here outrank the profile's devices.
#[derive(Clone, Debug, Default)]
pub struct EngineConfig {
    /// Pictures.
    pub video: VideoSettings,
    /// Where pictures come from; `None`: the device chosen in the profile.
    pub video_source: Option<VideoChoice>,
    /// Where sound comes from; `None`: the device chosen in the profile.
    pub microphone: Option<SoundChoice>,
    /// Where sound goes; `None`: the device chosen in the profile.
    pub speaker: Option<SoundChoice>,
    /// Leave the microphone's sound as it is: no echo cancellation, noise suppression or gain.
    pub raw_microphone: bool,
    /// Strangers ring as others do, instead of being written down as requests. For endpoints that nobody attends.
    pub accept_strangers: bool,
    /// Which way packets may go; `None`: as the profile's settings say.
    pub path: Option<PathPolicy>,
    /// A modelled link before the sockets of this side's calls; connections to the directory do without it.
    pub link: Option<Impairment>,
    /// How sending follows the path.
    pub adaptation: Adaptation,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_from_the_command_line() {
        assert_eq!(VideoChoice::parse("pattern"), VideoChoice::Pattern);
        assert_eq!(VideoChoice::parse("device:HD Webcam"), VideoChoice::Device(Some("HD Webcam".into())));
        assert_eq!(VideoChoice::parse("a.y4m"), VideoChoice::File("a.y4m".into()));
        assert_eq!(SoundChoice::parse("none"), SoundChoice::None);
        assert_eq!(SoundChoice::parse("device"), SoundChoice::Device(None));
    }

    #[test]
    fn what_the_settings_name_they_name_the_same_way_back() {
        for name in [None, Some("none"), Some("pattern"), Some("HD Webcam")] {
            assert_eq!(VideoChoice::from_setting(name).setting().as_deref(), name);
            assert_eq!(SoundChoice::from_setting(name).setting().as_deref(), name);
        }
        assert_eq!(SoundChoice::parse("a.wav").setting().as_deref(), Some("file a.wav"));
    }

    #[test]
    fn the_rate_grows_with_the_size_but_more_slowly() {
        assert_eq!(default_bitrate_kbps(640, 360, 30), 600);
        let large = default_bitrate_kbps(1280, 720, 30);
        assert!((1400..1600).contains(&large), "{large}");
    }
}
