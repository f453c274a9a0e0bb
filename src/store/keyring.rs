//! The system's keyring (Secret Service, Keychain, Credential Manager) as a place for one key.

use zeroize::Zeroizing;

/// Under which name the keys of all profiles are.
const SERVICE: &str = "visavis";

/// A place for keys that the system protects.
pub trait KeyStore: Send {
    /// The key of `entry`; nothing if there is none.
    fn get(&self, entry: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String>;
    /// Keeps the key of `entry`.
    fn put(&self, entry: &str, key: &[u8]) -> Result<(), String>;
    /// Forgets the key of `entry`.
    fn remove(&self, entry: &str) -> Result<(), String>;
}

/// The keyring of the person's session.
#[derive(Debug)]
pub struct OsKeyring;

impl OsKeyring {
    fn entry(name: &str) -> Result<keyring::v1::Entry, String> {
        if let Err(error) = keyring::v1::Entry::store_status() {
            return Err(error.to_string());
        }
        keyring::v1::Entry::new(SERVICE, name).map_err(|error| error.to_string())
    }
}

impl KeyStore for OsKeyring {
    fn get(&self, entry: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        match Self::entry(entry)?.get_secret() {
            Ok(key) => Ok(Some(Zeroizing::new(key))),
            Err(keyring::v1::Error::NoEntry) => Ok(None),
            Err(error) => Err(words(&error)),
        }
    }

    fn put(&self, entry: &str, key: &[u8]) -> Result<(), String> {
        Self::entry(entry)?.set_secret(key).map_err(|error| words(&error))
    }

    fn remove(&self, entry: &str) -> Result<(), String> {
        match Self::entry(entry)?.delete_credential() {
            Ok(()) | Err(keyring::v1::Error::NoEntry) => Ok(()),
            Err(error) => Err(words(&error)),
        }
    }
}

/// The error without the secret that some of them carry.
fn words(error: &keyring::v1::Error) -> String {
    match error {
        keyring::v1::Error::BadEncoding(_) | keyring::v1::Error::BadDataFormat(..) => "its entry is damaged".into(),
        error => error.to_string(),
    }
}
