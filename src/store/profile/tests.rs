//! The profile on disk: what is kept, sealed, taken over and wiped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::*;

fn contact() -> StoredContact {
    StoredContact {
        handle: "bob@example.org".into(),
        name: Some("Bob".into()),
        root: Some("AAAA".into()),
        verified: true,
        token: None,
        chain_length: 1,
        chain_link: Some("BBBB".into()),
        root_length: 1,
        root_link: Some("BBBB".into()),
        key_changed: false,
        new_root: None,
        silent: false,
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
    for name in ["identity.sealed", "vault"] {
        assert_eq!(mode(&profile.folder().join(name)), 0o600);
    }
}

const PASSPHRASE: &str = "correct horse battery";

/// A keyring that forgets with the test.
#[derive(Clone, Default)]
struct TestKeyring(Arc<Mutex<HashMap<String, Vec<u8>>>>);

impl KeyStore for TestKeyring {
    fn get(&self, entry: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        Ok(self.0.lock().unwrap().get(entry).cloned().map(Zeroizing::new))
    }

    fn put(&self, entry: &str, key: &[u8]) -> Result<(), String> {
        self.0.lock().unwrap().insert(entry.into(), key.into());
        Ok(())
    }

    fn remove(&self, entry: &str) -> Result<(), String> {
        self.0.lock().unwrap().remove(entry);
        Ok(())
    }
}

/// A keyring that the person has not unlocked.
struct Closed;

impl KeyStore for Closed {
    fn get(&self, _: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        Err("locked".into())
    }

    fn put(&self, _: &str, _: &[u8]) -> Result<(), String> {
        Err("locked".into())
    }

    fn remove(&self, _: &str) -> Result<(), String> {
        Err("locked".into())
    }
}

/// Every byte of every file of a profile.
fn bytes_of(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    files.collect::<Vec<_>>().concat()
}

fn holds(folder: &Path, word: &str) -> bool {
    bytes_of(folder).windows(word.len()).any(|window| window == word.as_bytes())
}

#[test]
fn nothing_private_lies_on_disk_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let profile = Profile::open(folder.path()).unwrap();
    profile.save_identity(b"canary-identity").unwrap();
    profile.save_contacts(&[StoredContact { name: Some("canary-contact".into()), ..contact() }]).unwrap();
    profile.change_settings(|settings| settings.handle = Some("canary-settings@example.org".into())).unwrap();
    assert!(holds(folder.path(), "canary-settings"), "the search finds what is not sealed");
    assert!(!holds(folder.path(), "canary-identity") && !holds(folder.path(), "canary-contact"));
}

#[test]
fn a_passphrase_is_asked_for_and_a_wrong_one_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut profile = Profile::open(folder.path()).unwrap();
    profile.save_identity(b"secret").unwrap();
    let key = *profile.key.as_ref().unwrap().as_bytes();
    assert!(bytes_of(folder.path()).windows(32).any(|window| window == key), "in the file, as it says");
    profile.protect_by_passphrase(PASSPHRASE).unwrap();
    assert!(!bytes_of(folder.path()).windows(32).any(|window| window == key), "and then no more");
    drop(profile);
    let mut profile = Profile::open(folder.path()).unwrap();
    assert!(profile.is_locked() && profile.protection() == Protection::Passphrase);
    assert!(matches!(profile.identity(), Err(ProfileError::Locked)));
    assert!(matches!(profile.save_identity(b"other"), Err(ProfileError::Locked)));
    let wrong = profile.unlock("another horse battery").unwrap_err();
    assert!(wrong.to_string().contains("the passphrase is wrong"), "{wrong}");
    profile.unlock(PASSPHRASE).unwrap();
    assert_eq!(profile.identity().unwrap().unwrap().as_slice(), b"secret");
    profile.protect_by_file().unwrap();
    drop(profile);
    assert_eq!(Profile::open(folder.path()).unwrap().identity().unwrap().unwrap().as_slice(), b"secret");
}

#[test]
fn the_keyring_comes_first_and_without_it_its_profile_stays_shut() {
    let folder = tempfile::tempdir().unwrap();
    let keyring = TestKeyring::default();
    let open = |keyring: Option<TestKeyring>| {
        Profile::open_with(folder.path(), keyring.map(|keyring| Box::new(keyring) as Box<dyn KeyStore>))
    };
    let profile = open(Some(keyring.clone())).unwrap();
    assert_eq!(profile.protection(), Protection::Keyring);
    profile.save_identity(b"secret").unwrap();
    drop(profile);
    assert!(matches!(open(None), Err(ProfileError::Keyring(_))));
    assert!(matches!(open(Some(TestKeyring::default())), Err(ProfileError::Keyring(_))));
    assert!(matches!(Profile::open_with(folder.path(), Some(Box::new(Closed))), Err(ProfileError::Keyring(_))));
    let mut profile = open(Some(keyring.clone())).unwrap();
    assert_eq!(profile.identity().unwrap().unwrap().as_slice(), b"secret");
    profile.protect_by_passphrase(PASSPHRASE).unwrap();
    assert!(keyring.0.lock().unwrap().is_empty(), "what is no longer used is no longer kept");
    profile.protect_by_keyring().unwrap();
    drop(profile);
    open(Some(keyring.clone())).unwrap().wipe().unwrap();
    assert!(keyring.0.lock().unwrap().is_empty());
}

#[test]
fn a_locked_keyring_is_no_reason_not_to_begin() {
    let folder = tempfile::tempdir().unwrap();
    let mut profile = Profile::open_with(folder.path(), Some(Box::new(Closed))).unwrap();
    assert_eq!(profile.protection(), Protection::File);
    assert!(matches!(profile.protect_by_keyring(), Err(ProfileError::NoKeyring(_))));
    assert_eq!(profile.protection(), Protection::File, "nothing has changed");
}

#[test]
fn what_an_earlier_version_left_in_the_clear_is_sealed_once_and_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("identity.key");
    fs::write(&plain, "canary-secret").unwrap();
    fs::write(
        folder.path().join("contacts.toml"),
        toml::to_string(&ContactsFile { contacts: vec![contact()] }).unwrap(),
    )
    .unwrap();
    // Somebody who has the old file open sees that it was overwritten, not only removed.
    let mut old = File::open(&plain).unwrap();
    let profile = Profile::open(folder.path()).unwrap();
    assert_eq!(profile.identity().unwrap().unwrap().as_slice(), b"canary-secret");
    assert_eq!(profile.contacts().unwrap(), [contact()]);
    assert!(!plain.exists() && !holds(folder.path(), "canary-secret"));
    let mut left = Vec::new();
    old.read_to_end(&mut left).unwrap();
    assert_eq!(left, [0; 13]);
    drop(profile);
    // A crash came between sealing and overwriting: what is sealed stands.
    fs::write(&plain, "an older one").unwrap();
    let profile = Profile::open(folder.path()).unwrap();
    assert_eq!(profile.identity().unwrap().unwrap().as_slice(), b"canary-secret");
    assert!(!plain.exists());
}

#[test]
fn a_damaged_vault_is_an_error_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    drop(Profile::open(folder.path()).unwrap());
    let path = folder.path().join("vault");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 40;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = Profile::open(folder.path()).unwrap_err();
    assert!(matches!(error, ProfileError::Vault { why: VaultError::Damaged, .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_wiped_profile_is_empty_and_its_key_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let mut profile = Profile::open(folder.path()).unwrap();
    profile.save_identity(b"secret").unwrap();
    profile.save_contacts(&[contact()]).unwrap();
    profile.save_settings(&Settings::default()).unwrap();
    let mut vault = File::open(folder.path().join("vault")).unwrap();
    profile.wipe().unwrap();
    let mut left = Vec::new();
    vault.read_to_end(&mut left).unwrap();
    assert!(left.iter().all(|&byte| byte == 0) && !left.is_empty());
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["lock"]);
    profile.begin_anew().unwrap();
    assert!(profile.identity().unwrap().is_none());
    drop(profile);
    assert!(Profile::open(folder.path()).unwrap().identity().unwrap().is_none());
}
