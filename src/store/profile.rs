//! The client's profile: one folder with the identity's secrets, the contacts and the settings.
//!
//! `identity.key` (secrets, 0600), `contacts.toml`, `settings.toml`. Every file is replaced whole: written beside,
//! flushed, renamed; a crash leaves the old one. A lock keeps a second process out.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::codec::EncoderKind;
use crate::engine::handle::{Appearance, DeviceChoice};

/// No file of a profile is longer.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// An open profile; nobody else can open it meanwhile.
#[derive(Debug)]
pub struct Profile {
    folder: PathBuf,
    _lock: File,
}

/// What the person set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `name@host`, once registered.
    pub handle: Option<String>,
    /// Server address with key, once known.
    pub server: Option<String>,
    /// Chosen devices.
    pub devices: DeviceChoice,
    /// Colours of the window.
    pub appearance: Appearance,
    /// Never offer this machine's addresses to the other side.
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
            Ok(()) => Ok(Self { folder: folder.to_path_buf(), _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => Err(ProfileError::InUse(folder.to_path_buf())),
            Err(fs::TryLockError::Error(source)) => Err(ProfileError::Io { path: lock_path, source }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The identity's secret bytes, if there is an identity.
    pub fn identity(&self) -> Result<Option<Zeroizing<Vec<u8>>>, ProfileError> {
        self.read("identity.key").map(|bytes| bytes.map(Zeroizing::new))
    }

    /// Keeps the identity's secret bytes.
    pub fn save_identity(&self, bytes: &[u8]) -> Result<(), ProfileError> {
        self.write("identity.key", bytes)
    }

    /// The settings; defaults if there are none.
    pub fn settings(&self) -> Result<Settings, ProfileError> {
        self.read_toml("settings.toml")
    }

    /// Keeps the settings.
    pub fn save_settings(&self, settings: &Settings) -> Result<(), ProfileError> {
        self.write_toml("settings.toml", settings)
    }

    /// The contacts in the order they were added.
    pub fn contacts(&self) -> Result<Vec<StoredContact>, ProfileError> {
        self.read_toml::<ContactsFile>("contacts.toml").map(|file| file.contacts)
    }

    /// Keeps the contacts.
    pub fn save_contacts(&self, contacts: &[StoredContact]) -> Result<(), ProfileError> {
        self.write_toml("contacts.toml", &ContactsFile { contacts: contacts.to_vec() })
    }

    /// What was found out about this machine's encoders.
    pub fn trials(&self) -> Result<Vec<StoredTrial>, ProfileError> {
        self.read_toml::<TrialsFile>("encoders.toml").map(|file| file.trials)
    }

    /// Keeps what was found out about this machine's encoders.
    pub fn save_trials(&self, trials: &[StoredTrial]) -> Result<(), ProfileError> {
        self.write_toml("encoders.toml", &TrialsFile { trials: trials.to_vec() })
    }

    fn read_toml<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T, ProfileError> {
        let Some(bytes) = self.read(name)? else { return Ok(T::default()) };
        let damaged = |why: String| ProfileError::Damaged { path: self.folder.join(name), why };
        let text = String::from_utf8(bytes).map_err(|_| damaged("not UTF-8".into()))?;
        toml::from_str(&text).map_err(|error| damaged(error.message().to_owned()))
    }

    fn write_toml(&self, name: &str, value: &impl Serialize) -> Result<(), ProfileError> {
        let text = toml::to_string_pretty(value)
            .map_err(|error| ProfileError::Damaged { path: self.folder.join(name), why: error.to_string() })?;
        self.write(name, text.as_bytes())
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ProfileError> {
        let path = self.folder.join(name);
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

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ProfileError> {
        let path = self.folder.join(name);
        let beside = self.folder.join(format!("{name}.new"));
        let attempt = || -> io::Result<()> {
            let mut file = private_file(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, &path)
        };
        attempt().map_err(|source| ProfileError::Io { path: path.clone(), source })
    }
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
