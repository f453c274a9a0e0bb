//! The client's profile: one folder with the identity's secrets, the contacts and the settings.
//!
//! `identity.key` (secrets, 0600), `contacts.toml`, `settings.toml` (or another file in its place). Every file is replaced
//! whole: written beside, flushed, renamed; a crash leaves the old one. A lock keeps a second process out.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::codec::EncoderKind;
use crate::engine::handle::{Appearance, DeviceChoice, Zoom};

/// No file of a profile is longer.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// An open profile; nobody else can open it meanwhile.
#[derive(Debug)]
pub struct Profile {
    folder: PathBuf,
    settings: PathBuf,
    _lock: File,
}

/// What the person set. A key that is not one of these is an error, so that no misspelt wish is passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `name@host`, once registered.
    pub handle: Option<String>,
    /// Server address with key, once known.
    pub server: Option<String>,
    /// Chosen devices.
    pub devices: DeviceChoice,
    /// Colours of the window.
    pub appearance: Appearance,
    /// How large everything in the window is, in percent.
    pub zoom: Zoom,
    /// Never offer this machine's addresses to the other side: calls go by relay only.
    pub hide_address: bool,
}

/// A contact as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredContact {
    /// `name@host`.
    pub handle: String,
    /// What the person calls them.
    #[serde(default)]
    pub name: Option<String>,
    /// Fingerprint of the account's root key, once seen or given by a link.
    pub root: Option<String>,
    /// The root came by link or code, not from the server.
    pub verified: bool,
    /// Delivery token from their link.
    pub token: Option<String>,
    /// Hash and length of the newest device chain seen; a shorter one is refused.
    pub chain_length: u32,
    /// The server serves another root than the one pinned.
    pub key_changed: bool,
}

/// Which encoder was the fastest for pictures of a size on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredTrial {
    /// Version of the program that tried.
    pub version: String,
    /// Cores that it had.
    pub cores: usize,
    /// Binary logarithm of the number of pixels.
    pub size_class: u32,
    /// The fastest.
    pub encoder: EncoderKind,
}

#[derive(Default, Serialize, Deserialize)]
struct TrialsFile {
    #[serde(default)]
    trials: Vec<StoredTrial>,
}

#[derive(Default, Serialize, Deserialize)]
struct ContactsFile {
    #[serde(default)]
    contacts: Vec<StoredContact>,
}

/// What can go wrong with a profile; each names the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No home to put it in.
    #[error("no home folder is known; name a profile folder with --profile DIR")]
    NoHome,
    /// Another process has it open.
    #[error("the profile {0} is open in another Visavis; close that one or choose another with --profile")]
    InUse(PathBuf),
    /// The system refused.
    #[error("{path}: {source}; check that the folder is yours and has room, or choose another with --profile")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The settings file that was named.
    #[error(
        "the settings file {path} cannot be used: {source}; make it (it may be empty), or name another with --config"
    )]
    NoSettings {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is there but not readable as what it should be. Nothing is overwritten.
    #[error("{path} cannot be understood ({why}); mend it, or move it away to begin anew")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl Profile {
    /// Opens (or makes) the profile `name`: a name below the user's data folder, or a path if it has a separator.
    pub fn open_named(name: &str) -> Result<Self, ProfileError> {
        if name.contains(std::path::MAIN_SEPARATOR) {
            return Self::open(Path::new(name));
        }
        let folders = directories::ProjectDirs::from("", "", "visavis").ok_or(ProfileError::NoHome)?;
        Self::open(&folders.data_dir().join("profiles").join(name))
    }

    /// Opens (or makes) the profile in `folder`.
    pub fn open(folder: &Path) -> Result<Self, ProfileError> {
        let io_error = |path: &Path| {
            let path = path.to_path_buf();
            move |source| ProfileError::Io { path, source }
        };
        fs::create_dir_all(folder).map_err(io_error(folder))?;
        restrict(folder, 0o700).map_err(io_error(folder))?;
        let lock_path = folder.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(io_error(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {
                let (folder, settings) = (folder.to_path_buf(), folder.join("settings.toml"));
                Ok(Self { folder, settings, _lock: lock })
            }
            Err(fs::TryLockError::WouldBlock) => Err(ProfileError::InUse(folder.to_path_buf())),
            Err(fs::TryLockError::Error(source)) => Err(ProfileError::Io { path: lock_path, source }),
        }
    }

    /// Takes `path` for the settings, in place of the profile's own file: they are read there, and kept there when they
    /// change. The file must be there and right.
    pub fn with_settings(mut self, path: &Path) -> Result<Self, ProfileError> {
        let path = fs::canonicalize(path).map_err(|source| ProfileError::NoSettings { path: path.into(), source })?;
        self.settings = path;
        self.settings()?;
        Ok(self)
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The identity's secret bytes, if there is an identity.
    pub fn identity(&self) -> Result<Option<Zeroizing<Vec<u8>>>, ProfileError> {
        read(&self.folder.join("identity.key")).map(|bytes| bytes.map(Zeroizing::new))
    }

    /// Keeps the identity's secret bytes.
    pub fn save_identity(&self, bytes: &[u8]) -> Result<(), ProfileError> {
        write(&self.folder.join("identity.key"), bytes)
    }

    /// The settings; defaults if there are none.
    pub fn settings(&self) -> Result<Settings, ProfileError> {
        read_toml(&self.settings)
    }

    /// Keeps the settings.
    pub fn save_settings(&self, settings: &Settings) -> Result<(), ProfileError> {
        write_toml(&self.settings, settings)
    }

    /// Changes the settings and keeps them; what the change does not touch stays as the file has it.
    pub fn change_settings(&self, change: impl FnOnce(&mut Settings)) -> Result<(), ProfileError> {
        let mut settings = self.settings()?;
        change(&mut settings);
        self.save_settings(&settings)
    }

    /// The contacts in the order they were added.
    pub fn contacts(&self) -> Result<Vec<StoredContact>, ProfileError> {
        read_toml::<ContactsFile>(&self.folder.join("contacts.toml")).map(|file| file.contacts)
    }

    /// Keeps the contacts.
    pub fn save_contacts(&self, contacts: &[StoredContact]) -> Result<(), ProfileError> {
        write_toml(&self.folder.join("contacts.toml"), &ContactsFile { contacts: contacts.to_vec() })
    }

    /// What was found out about this machine's encoders.
    pub fn trials(&self) -> Result<Vec<StoredTrial>, ProfileError> {
        read_toml::<TrialsFile>(&self.folder.join("encoders.toml")).map(|file| file.trials)
    }

    /// Keeps what was found out about this machine's encoders.
    pub fn save_trials(&self, trials: &[StoredTrial]) -> Result<(), ProfileError> {
        write_toml(&self.folder.join("encoders.toml"), &TrialsFile { trials: trials.to_vec() })
    }
}

fn read_toml<T: DeserializeOwned + Default>(path: &Path) -> Result<T, ProfileError> {
    let Some(bytes) = read(path)? else { return Ok(T::default()) };
    let damaged = |why: String| ProfileError::Damaged { path: path.to_path_buf(), why };
    let text = String::from_utf8(bytes).map_err(|_| damaged("not UTF-8".into()))?;
    toml::from_str(&text).map_err(|error| damaged(error.message().to_owned()))
}

fn write_toml(path: &Path, value: &impl Serialize) -> Result<(), ProfileError> {
    let text = toml::to_string_pretty(value)
        .map_err(|error| ProfileError::Damaged { path: path.to_path_buf(), why: error.to_string() })?;
    write(path, text.as_bytes())
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, ProfileError> {
    let path = path.to_path_buf();
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ProfileError::Io { path, source }),
    };
    let mut bytes = Vec::new();
    match file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes) {
        Ok(read) if read as u64 > MAX_FILE_BYTES => Err(ProfileError::Damaged { path, why: "far too long".into() }),
        Ok(_) => Ok(Some(bytes)),
        Err(source) => Err(ProfileError::Io { path, source }),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ProfileError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let attempt = || -> io::Result<()> {
        let mut file = private_file(Path::new(&beside))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    attempt().map_err(|source| ProfileError::Io { path: path.to_path_buf(), source })
}

/// A new empty file that only its owner can read, from its first moment on.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg_attr(not(unix), expect(clippy::unnecessary_wraps, unused_variables, reason = "other systems have no mode bits"))]
fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact() -> StoredContact {
        StoredContact {
            handle: "bob@example.org".into(),
            name: Some("Bob".into()),
            root: Some("AAAA".into()),
            verified: true,
            token: None,
            chain_length: 1,
            key_changed: false,
        }
    }

    #[test]
    fn what_was_saved_is_there_after_opening_again() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { handle: Some("alice@example.org".into()), ..Settings::default() };
        {
            let profile = Profile::open(folder.path()).unwrap();
            assert!(profile.identity().unwrap().is_none());
            profile.save_identity(b"secret").unwrap();
            profile.save_settings(&settings).unwrap();
            profile.save_contacts(&[contact()]).unwrap();
        }
        let profile = Profile::open(folder.path()).unwrap();
        assert_eq!(profile.identity().unwrap().unwrap().as_slice(), b"secret");
        assert_eq!(profile.settings().unwrap(), settings);
        assert_eq!(profile.contacts().unwrap(), [contact()]);
    }

    #[test]
    fn settings_can_live_in_another_file_and_are_kept_there() {
        let folder = tempfile::tempdir().unwrap();
        let (own, other) = (folder.path().join("profile"), folder.path().join("other.toml"));
        let missing = Profile::open(&own).unwrap().with_settings(&other).unwrap_err();
        assert!(matches!(&missing, ProfileError::NoSettings { .. }), "{missing}");
        fs::write(&other, "hide_address = true\n[devices]\nmicrophone = \"none\"\n").unwrap();
        let profile = Profile::open(&own).unwrap().with_settings(&other).unwrap();
        let mut settings = profile.settings().unwrap();
        assert_eq!((settings.hide_address, settings.devices.microphone.as_deref()), (true, Some("none")));
        settings.hide_address = false;
        profile.save_settings(&settings).unwrap();
        drop(profile);
        assert!(!own.join("settings.toml").exists());
        assert_eq!(Profile::open(&own).unwrap().with_settings(&other).unwrap().settings().unwrap(), settings);
    }

    #[test]
    fn a_key_that_nobody_knows_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::open(folder.path()).unwrap();
        for (key, text) in [("hide_adress", "hide_adress = true"), ("mike", "[devices]\nmike = \"none\"")] {
            fs::write(folder.path().join("settings.toml"), text).unwrap();
            let error = profile.settings().unwrap_err();
            assert!(error.to_string().contains(&format!("`{key}`")), "{error}");
        }
    }

    #[test]
    fn a_second_process_is_kept_out() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Profile::open(folder.path()).unwrap();
        assert!(matches!(Profile::open(folder.path()), Err(ProfileError::InUse(_))));
    }

    #[test]
    fn a_damaged_file_is_named_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::open(folder.path()).unwrap();
        fs::write(folder.path().join("settings.toml"), "handle = [").unwrap();
        let error = profile.settings().unwrap_err();
        assert!(error.to_string().contains("settings.toml"), "{error}");
        assert_eq!(fs::read_to_string(folder.path().join("settings.toml")).unwrap(), "handle = [");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_secrets() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::open(&folder.path().join("deep/down")).unwrap();
        profile.save_identity(b"secret").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(profile.folder()), 0o700);
        assert_eq!(mode(&profile.folder().join("identity.key")), 0o600);
    }
}
