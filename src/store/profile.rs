//! The client's profile: one folder with the identity's secrets, the contacts and the settings.
//!
//! `vault` (where the key is), `identity.sealed`, `contacts.sealed` and `door.sealed` (under that key), `settings.toml` (or another file in
//! its place), all 0600. Every file is replaced whole: written beside, flushed, renamed; a crash leaves the old one. A lock
//! keeps a second process out. What earlier versions kept in the clear is taken over once and overwritten.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::door::StoredDoor;
use super::keyring::{KeyStore, OsKeyring};
use super::vault::{Cost, Lock, Protection, VaultError, VaultKey};
use crate::codec::EncoderKind;
use crate::engine::handle::{Appearance, DeviceChoice, Zoom};

/// No file of a profile is longer.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Where the vault's key is.
const VAULT: &str = "vault";
/// Sealed files, each with what it was called when it lay in the clear.
const IDENTITY: (&str, &str) = ("identity.sealed", "identity.key");
const CONTACTS: (&str, &str) = ("contacts.sealed", "contacts.toml");
/// Sealed, and never in the clear: who may ring.
const DOOR: &str = "door.sealed";
/// Sealed: what the devices of the account have agreed about.
const HOUSEHOLD: &str = "household.sealed";
/// What is not sealed: settings and what was found out about the machine.
const TRIALS: &str = "encoders.toml";
const SETTINGS: &str = "settings.toml";

/// An open profile; nobody else can open it meanwhile. Its vault may still be locked.
pub struct Profile {
    folder: PathBuf,
    settings: PathBuf,
    keyring: Option<Box<dyn KeyStore>>,
    lock: Lock,
    /// Nothing while a passphrase is missing.
    key: Option<VaultKey>,
    _in_use: File,
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile").field("folder", &self.folder).field("lock", &self.lock).finish_non_exhaustive()
    }
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
    /// Minutes without a touch after which the window asks for the passphrase, if there is one.
    pub lock_after_min: Option<u32>,
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
    /// Entries of the longest device chain seen; a shorter one is refused.
    pub chain_length: usize,
    /// What they hash to; another one is refused.
    #[serde(default)]
    pub chain_link: Option<String>,
    /// Entries of it up to the last that the root has signed.
    #[serde(default)]
    pub root_length: usize,
    /// What those hash to.
    #[serde(default)]
    pub root_link: Option<String>,
    /// The server serves another root than the one pinned.
    pub key_changed: bool,
    /// The root that it serves.
    #[serde(default)]
    pub new_root: Option<String>,
    /// Their calls are shown, but not heard.
    #[serde(default)]
    pub silent: bool,
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
    /// The passphrase has not been given yet.
    #[error("this profile is locked; give its passphrase")]
    Locked,
    /// What was typed.
    #[error(transparent)]
    Passphrase(VaultError),
    /// A file of the vault.
    #[error("{path}: {why}; put a copy of the whole profile folder in its place, or move it away to begin anew")]
    Vault {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: VaultError,
    },
    /// The key is in the keyring, which does not give it.
    #[error(
        "the key of this profile is in the system's keyring, which does not give it ({0}); log in to the desktop and \
         unlock the keyring, then try again"
    )]
    Keyring(String),
    /// A keyring was asked for by name.
    #[error("the system's keyring cannot be used ({0}); set a passphrase instead")]
    NoKeyring(String),
}

impl Profile {
    /// Opens (or makes) the profile `name`: a name below the user's data folder, or a path if it has a separator. With
    /// `keyring`, the key of a new profile goes to the system's keyring, if there is one.
    pub fn open_named(name: &str, keyring: bool) -> Result<Self, ProfileError> {
        let keyring = keyring.then(|| Box::new(OsKeyring) as Box<dyn KeyStore>);
        Self::open_with(&Self::folder_of(name)?, keyring)
    }

    /// Where the profile `name` lies, whether there is one or not; a path is the folder itself.
    pub fn folder_of(name: &str) -> Result<PathBuf, ProfileError> {
        if name.contains(std::path::MAIN_SEPARATOR) {
            return Ok(PathBuf::from(name));
        }
        let folders = directories::ProjectDirs::from("", "", "visavis").ok_or(ProfileError::NoHome)?;
        Ok(folders.data_dir().join("profiles").join(name))
    }

    /// Opens (or makes) the profile in `folder`, without a keyring.
    pub fn open(folder: &Path) -> Result<Self, ProfileError> {
        Self::open_with(folder, None)
    }

    /// Opens (or makes) the profile in `folder`. The key of a new one goes to `keyring`, or else lies in a file.
    pub fn open_with(folder: &Path, keyring: Option<Box<dyn KeyStore>>) -> Result<Self, ProfileError> {
        let io_error = |path: &Path| {
            let path = path.to_path_buf();
            move |source| ProfileError::Io { path, source }
        };
        fs::create_dir_all(folder).map_err(io_error(folder))?;
        restrict(folder, 0o700).map_err(io_error(folder))?;
        let lock_path = folder.join("lock");
        let in_use = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(io_error(&lock_path))?;
        match in_use.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(ProfileError::InUse(folder.to_path_buf())),
            Err(fs::TryLockError::Error(source)) => return Err(ProfileError::Io { path: lock_path, source }),
        }
        let (folder, settings) = (folder.to_path_buf(), folder.join(SETTINGS));
        let (lock, key) = open_vault(&folder.join(VAULT), keyring.as_deref())?;
        let profile = Self { folder, settings, keyring, lock, key, _in_use: in_use };
        profile.take_over()?;
        Ok(profile)
    }

    /// Whether a passphrase has to be given before anything private can be read.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        self.key.is_none()
    }

    /// What protects the vault's key.
    #[must_use]
    pub const fn protection(&self) -> Protection {
        self.lock.protection()
    }

    /// Gives the passphrase. A wrong one changes nothing.
    pub fn unlock(&mut self, passphrase: &str) -> Result<(), ProfileError> {
        if self.key.is_none() {
            self.key = Some(self.lock.open_with(passphrase).map_err(|why| self.vault_error(VAULT, why))?);
            self.take_over()?;
        }
        Ok(())
    }

    /// Whether the vault's key is under this passphrase.
    pub fn check_passphrase(&self, passphrase: &str) -> Result<(), ProfileError> {
        self.lock.open_with(passphrase).map(drop).map_err(|why| self.vault_error(VAULT, why))
    }

    /// Protects the vault's key by a passphrase from now on.
    pub fn protect_by_passphrase(&mut self, passphrase: &str) -> Result<(), ProfileError> {
        let key = self.key.as_ref().ok_or(ProfileError::Locked)?;
        let lock = Lock::under_passphrase(key, passphrase, Cost::default(), &mut rand::rng());
        self.change_lock(lock.map_err(|why| self.vault_error(VAULT, why))?)
    }

    /// Puts the vault's key into the system's keyring.
    pub fn protect_by_keyring(&mut self) -> Result<(), ProfileError> {
        let key = self.key.as_ref().ok_or(ProfileError::Locked)?;
        let lock = match self.keyring.as_deref() {
            Some(keyring) => put_into(keyring, key).map_err(ProfileError::NoKeyring)?,
            None => return Err(ProfileError::NoKeyring("it is switched off".into())),
        };
        self.change_lock(lock)
    }

    /// Leaves the vault's key in a file: whoever can read the owner's files can read everything.
    pub fn protect_by_file(&mut self) -> Result<(), ProfileError> {
        let key = self.key.as_ref().ok_or(ProfileError::Locked)?;
        self.change_lock(Lock::in_file(key))
    }

    /// Keys and everything else of this profile are overwritten and removed, its key in the keyring too. The vault's key
    /// goes first: what cannot be removed after that is sealed for ever.
    pub fn wipe(&mut self) -> Result<(), ProfileError> {
        self.key = None;
        self.shred(VAULT)?;
        let forgotten = match (&self.lock, &self.keyring) {
            (Lock::Keyring { entry }, Some(keyring)) => keyring.remove(&entry_name(entry)),
            _ => Ok(()),
        };
        for name in [IDENTITY.0, IDENTITY.1, CONTACTS.0, CONTACTS.1, DOOR, HOUSEHOLD, TRIALS, SETTINGS] {
            self.shred(name)?;
        }
        if self.settings != self.folder.join(SETTINGS) {
            self.change_settings(|settings| (settings.handle, settings.server) = (None, None))?;
        }
        forgotten.map_err(ProfileError::Keyring)
    }

    /// Makes a fresh vault in a profile that was wiped.
    pub fn begin_anew(&mut self) -> Result<(), ProfileError> {
        (self.lock, self.key) = open_vault(&self.folder.join(VAULT), self.keyring.as_deref())?;
        Ok(())
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
        self.read_sealed(IDENTITY.0)
    }

    /// Keeps the identity's secret bytes.
    pub fn save_identity(&self, bytes: &[u8]) -> Result<(), ProfileError> {
        self.write_sealed(IDENTITY.0, bytes)
    }

    /// Forgets who this profile is: the identity's secrets are overwritten and removed. Contacts and other settings stay.
    pub fn forget_account(&self) -> Result<(), ProfileError> {
        self.shred(IDENTITY.0)?;
        self.change_settings(|settings| {
            settings.handle = None;
            settings.server = None;
        })
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
        let Some(bytes) = self.read_sealed(CONTACTS.0)? else { return Ok(Vec::new()) };
        parse_toml::<ContactsFile>(&self.folder.join(CONTACTS.0), &bytes).map(|file| file.contacts)
    }

    /// Keeps the contacts.
    pub fn save_contacts(&self, contacts: &[StoredContact]) -> Result<(), ProfileError> {
        let text = to_toml(&self.folder.join(CONTACTS.0), &ContactsFile { contacts: contacts.to_vec() })?;
        self.write_sealed(CONTACTS.0, text.as_bytes())
    }

    /// Who may ring.
    pub fn door(&self) -> Result<StoredDoor, ProfileError> {
        let Some(bytes) = self.read_sealed(DOOR)? else { return Ok(StoredDoor::default()) };
        parse_toml(&self.folder.join(DOOR), &bytes)
    }

    /// Keeps who may ring.
    pub fn save_door(&self, door: &StoredDoor) -> Result<(), ProfileError> {
        self.write_sealed(DOOR, to_toml(&self.folder.join(DOOR), door)?.as_bytes())
    }

    /// What the devices of the account have agreed about, as it was kept.
    pub fn household(&self) -> Result<Option<Zeroizing<Vec<u8>>>, ProfileError> {
        self.read_sealed(HOUSEHOLD)
    }

    /// Keeps what the devices of the account have agreed about.
    pub fn save_household(&self, bytes: &[u8]) -> Result<(), ProfileError> {
        self.write_sealed(HOUSEHOLD, bytes)
    }

    /// That which was kept is something else.
    #[must_use]
    pub fn damaged_household(&self) -> ProfileError {
        ProfileError::Damaged { path: self.folder.join(HOUSEHOLD), why: "it holds something else".into() }
    }

    /// What was found out about this machine's encoders.
    pub fn trials(&self) -> Result<Vec<StoredTrial>, ProfileError> {
        read_toml::<TrialsFile>(&self.folder.join(TRIALS)).map(|file| file.trials)
    }

    /// Keeps what was found out about this machine's encoders.
    pub fn save_trials(&self, trials: &[StoredTrial]) -> Result<(), ProfileError> {
        write_toml(&self.folder.join(TRIALS), &TrialsFile { trials: trials.to_vec() })
    }

    fn read_sealed(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, ProfileError> {
        let key = self.key.as_ref().ok_or(ProfileError::Locked)?;
        let Some(sealed) = read(&self.folder.join(name))? else { return Ok(None) };
        key.open(name, &sealed).map(Some).map_err(|why| self.vault_error(name, why))
    }

    fn write_sealed(&self, name: &str, contents: &[u8]) -> Result<(), ProfileError> {
        let key = self.key.as_ref().ok_or(ProfileError::Locked)?;
        write(&self.folder.join(name), &key.seal(name, contents, &mut rand::rng()))
    }

    /// Seals what an earlier version left in the clear, and overwrites that. A crash between the two is made good by the
    /// next start; what is sealed already is never replaced by what lies about in the clear.
    fn take_over(&self) -> Result<(), ProfileError> {
        if self.key.is_none() {
            return Ok(());
        }
        for (sealed, plain) in [IDENTITY, CONTACTS] {
            let Some(contents) = read(&self.folder.join(plain))?.map(Zeroizing::new) else { continue };
            if self.read_sealed(sealed)?.is_none() {
                self.write_sealed(sealed, &contents)?;
            }
            self.shred(plain)?;
        }
        Ok(())
    }

    fn change_lock(&mut self, lock: Lock) -> Result<(), ProfileError> {
        let path = self.folder.join(VAULT);
        // A key that lay there in the clear is overwritten, not only replaced: first the new file, then the old blocks.
        let old = File::options().write(true).open(&path).ok();
        write(&path, &lock.encode())?;
        let before = std::mem::replace(&mut self.lock, lock);
        if let (Lock::Keyring { entry }, Some(keyring)) = (&before, &self.keyring)
            && let Err(why) = keyring.remove(&entry_name(entry))
        {
            tracing::warn!(why, "the keyring keeps a key that is no longer used");
        }
        match old {
            Some(old) => overwrite(&old).map_err(|source| ProfileError::Io { path, source }),
            None => Ok(()),
        }
    }

    /// Overwrites and removes a file, if there is one.
    fn shred(&self, name: &str) -> Result<(), ProfileError> {
        let path = self.folder.join(name);
        let attempt = || match File::options().write(true).open(&path) {
            Ok(file) => overwrite(&file).and_then(|()| fs::remove_file(&path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        attempt().map_err(|source| ProfileError::Io { path: path.clone(), source })
    }

    fn vault_error(&self, name: &str, why: VaultError) -> ProfileError {
        match why {
            VaultError::Damaged | VaultError::NotOurs => ProfileError::Vault { path: self.folder.join(name), why },
            VaultError::WrongPassphrase | VaultError::BadPassphrase | VaultError::Memory => {
                ProfileError::Passphrase(why)
            }
        }
    }
}

/// Opens the vault whose key `path` tells, or makes a new one.
fn open_vault(path: &Path, keyring: Option<&dyn KeyStore>) -> Result<(Lock, Option<VaultKey>), ProfileError> {
    let Some(bytes) = read(path)?.map(Zeroizing::new) else {
        let key = VaultKey::random(&mut rand::rng());
        // No keyring is no fault: whoever asks what protects the key is told.
        let lock = keyring.and_then(|keyring| put_into(keyring, &key).ok()).unwrap_or_else(|| Lock::in_file(&key));
        write(path, &lock.encode())?;
        return Ok((lock, Some(key)));
    };
    let damaged = |why| ProfileError::Vault { path: path.to_path_buf(), why };
    let lock = Lock::decode(&bytes).map_err(damaged)?;
    let key = match &lock {
        Lock::File { key } => Some(VaultKey::from_bytes(key).map_err(damaged)?),
        Lock::Passphrase { .. } => None,
        Lock::Keyring { entry } => {
            let keyring = keyring.ok_or_else(|| ProfileError::Keyring("it is switched off".into()))?;
            let kept = keyring.get(&entry_name(entry)).map_err(ProfileError::Keyring)?;
            let kept = kept.ok_or_else(|| ProfileError::Keyring("it has no such key".into()))?;
            Some(VaultKey::from_bytes(&kept).map_err(damaged)?)
        }
    };
    Ok((lock, key))
}

/// Puts a key into the keyring, and looks whether it is there.
fn put_into(keyring: &dyn KeyStore, key: &VaultKey) -> Result<Lock, String> {
    let lock = Lock::in_keyring(&mut rand::rng());
    let Lock::Keyring { entry } = &lock else { return Err("it is damaged".into()) };
    let entry = entry_name(entry);
    keyring.put(&entry, key.as_bytes())?;
    match keyring.get(&entry)? {
        Some(kept) if kept.as_slice() == key.as_bytes() => Ok(lock),
        _ => Err("it does not give back what was put into it".into()),
    }
}

fn entry_name(entry: &[u8; 16]) -> String {
    HEXLOWER.encode(entry)
}

/// Zeros over everything that the file holds. Where the disk writes elsewhere, as many do, the old blocks stay until they
/// are used again: what is private was sealed in them, unless the key itself lay in this file.
fn overwrite(mut file: &File) -> io::Result<()> {
    let length = file.metadata()?.len().min(MAX_FILE_BYTES);
    file.write_all(&vec![0; length as usize])?;
    file.sync_all()
}

fn read_toml<T: DeserializeOwned + Default>(path: &Path) -> Result<T, ProfileError> {
    let Some(bytes) = read(path)? else { return Ok(T::default()) };
    parse_toml(path, &bytes)
}

fn parse_toml<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, ProfileError> {
    let damaged = |why: String| ProfileError::Damaged { path: path.to_path_buf(), why };
    let text = std::str::from_utf8(bytes).map_err(|_| damaged("not UTF-8".into()))?;
    toml::from_str(text).map_err(|error| damaged(error.message().to_owned()))
}

fn to_toml(path: &Path, value: &impl Serialize) -> Result<Zeroizing<String>, ProfileError> {
    let text = toml::to_string_pretty(value);
    text.map(Zeroizing::new).map_err(|error| ProfileError::Damaged { path: path.to_path_buf(), why: error.to_string() })
}

fn write_toml(path: &Path, value: &impl Serialize) -> Result<(), ProfileError> {
    write(path, to_toml(path, value)?.as_bytes())
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
mod tests;
