//! Which sound system is asked for devices.
//!
//! On Linux PulseAudio, or PipeWire in its place, comes before ALSA, and ALSA is asked only if it has a sound card or
//! somebody has configured it. Without both it knows only devices that hear and play nothing, and the libraries that it
//! tries for them (JACK, OSS, PulseAudio again) complain on standard error, each time, past every log filter.

use cpal::Host;

#[cfg(not(target_os = "linux"))]
pub(super) fn host() -> Option<Host> {
    Some(cpal::default_host())
}

#[cfg(target_os = "linux")]
pub(super) use linux::host;

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    use super::Host;

    /// Where ALSA lists the cards.
    const CARDS: &str = "/proc/asound";
    /// Configuration of the machine; not the one that comes with the library.
    const CONFIGURATION: &str = "/etc/asound.conf";

    /// The sound system; none if nothing can come of any.
    pub fn host() -> Option<Host> {
        let pulse = cpal::host_from_id(cpal::HostId::PulseAudio).ok();
        pulse.or_else(|| {
            let home = std::env::var_os("HOME");
            is_alsa_of_use(Path::new(CARDS), Path::new(CONFIGURATION), home).then(cpal::default_host)
        })
    }

    fn is_alsa_of_use(cards: &Path, configuration: &Path, home: Option<OsString>) -> bool {
        let is_card = |name: OsString| {
            let number = name.to_str().and_then(|name| name.strip_prefix("card")).map(str::to_owned);
            number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let has_card = cards.read_dir().is_ok_and(|all| all.flatten().any(|entry| is_card(entry.file_name())));
        has_card || configuration.exists() || home.is_some_and(|home| PathBuf::from(home).join(".asoundrc").exists())
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::fs;

        #[test]
        fn alsa_is_asked_where_there_is_a_card_or_a_configuration() {
            let folder = tempfile::tempdir().unwrap();
            let (proc, configuration) = (folder.path().join("asound"), folder.path().join("asound.conf"));
            let is_of_use = || is_alsa_of_use(&proc, &configuration, Some(folder.path().into()));
            assert!(!is_of_use());
            fs::create_dir(&proc).unwrap();
            fs::write(proc.join("cards"), "--- no soundcards ---").unwrap();
            assert!(!is_of_use());
            for name in ["asound/card0", "asound.conf", ".asoundrc"] {
                fs::write(folder.path().join(name), "").unwrap();
                assert!(is_of_use(), "{name}");
                fs::remove_file(folder.path().join(name)).unwrap();
            }
        }
    }
}
