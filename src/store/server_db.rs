//! The server's database: its own secrets, each account's device chain, and whose each device is. Nothing else outlives
//! a connection.

use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, TableDefinition, WriteTransaction};
use zeroize::Zeroizing;

use crate::wire::signal::DeviceId;

const ACCOUNTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("accounts");
/// The account that each device has registered.
const DEVICES: TableDefinition<'_, &[u8; 32], &str> = TableDefinition::new("devices");
const SECRETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("secrets");
/// File name inside the data directory.
const FILE: &str = "visavis-server.redb";

/// What a server keeps. Every implementation passes the same tests.
pub trait ServerDb: Send + Sync {
    /// The chain of the account `name`.
    fn account(&self, name: &str) -> Result<Option<Vec<u8>>, DbError>;
    /// Keeps the chain of the account `name`, as `device` has registered it.
    fn put_account(&self, name: &str, chain: &[u8], device: &DeviceId) -> Result<(), DbError>;
    /// The account that `device` has registered.
    fn account_of(&self, device: &DeviceId) -> Result<Option<String>, DbError>;
    /// A secret of the server.
    fn secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, DbError>;
    /// Keeps a secret of the server.
    fn put_secret(&self, name: &str, value: &[u8]) -> Result<(), DbError>;
}

/// The database cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}; check that the directory is yours, has room, and no other server uses it")]
pub struct DbError {
    path: PathBuf,
    why: String,
}

/// The embedded database: one file in the data directory.
pub struct EmbeddedDb {
    path: PathBuf,
    database: Database,
}

impl EmbeddedDb {
    /// Opens (or makes) the database in `folder`.
    pub fn open(folder: &Path) -> Result<Self, DbError> {
        let path = folder.join(FILE);
        let open = || -> Result<Database, Box<dyn std::error::Error>> {
            std::fs::create_dir_all(folder)?;
            let database = Database::create(&path)?;
            #[cfg(unix)]
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
            let write = database.begin_write()?;
            write.open_table(ACCOUNTS)?;
            write.open_table(DEVICES)?;
            write.open_table(SECRETS)?;
            write.commit()?;
            Ok(database)
        };
        match open() {
            Ok(database) => Ok(Self { path, database }),
            Err(error) => Err(DbError { path, why: error.to_string() }),
        }
    }

    fn get(&self, table: TableDefinition<'_, &str, &[u8]>, name: &str) -> Result<Option<Vec<u8>>, DbError> {
        let get = || -> Result<_, redb::Error> {
            let read = self.database.begin_read()?;
            let value = read.open_table(table)?.get(name)?;
            Ok(value.map(|value| value.value().to_vec()))
        };
        get().map_err(|error| self.failed(&error))
    }

    /// Makes changes, all or none.
    fn write(&self, change: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>) -> Result<(), DbError> {
        let write = || -> Result<(), redb::Error> {
            let write = self.database.begin_write()?;
            change(&write)?;
            write.commit()?;
            Ok(())
        };
        write().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &redb::Error) -> DbError {
        DbError { path: self.path.clone(), why: error.to_string() }
    }
}

impl ServerDb for EmbeddedDb {
    fn account(&self, name: &str) -> Result<Option<Vec<u8>>, DbError> {
        self.get(ACCOUNTS, name)
    }

    fn put_account(&self, name: &str, chain: &[u8], device: &DeviceId) -> Result<(), DbError> {
        self.write(|write| {
            write.open_table(ACCOUNTS)?.insert(name, chain)?;
            write.open_table(DEVICES)?.insert(device, name)?;
            Ok(())
        })
    }

    fn account_of(&self, device: &DeviceId) -> Result<Option<String>, DbError> {
        let get = || -> Result<_, redb::Error> {
            let read = self.database.begin_read()?;
            let name = read.open_table(DEVICES)?.get(device)?;
            Ok(name.map(|name| name.value().to_owned()))
        };
        get().map_err(|error| self.failed(&error))
    }

    fn secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, DbError> {
        Ok(self.get(SECRETS, name)?.map(Zeroizing::new))
    }

    fn put_secret(&self, name: &str, value: &[u8]) -> Result<(), DbError> {
        self.write(|write| {
            write.open_table(SECRETS)?.insert(name, value)?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract(open: impl Fn() -> Box<dyn ServerDb>) {
        let db = open();
        assert_eq!(db.account("alice").unwrap(), None);
        db.put_account("alice", b"one", &[1; 32]).unwrap();
        db.put_account("bob", b"two", &[2; 32]).unwrap();
        db.put_account("alice", b"three", &[3; 32]).unwrap();
        db.put_secret("key", b"secret").unwrap();
        drop(db);
        let db = open();
        assert_eq!(db.account("alice").unwrap().unwrap(), b"three");
        assert_eq!(db.account("bob").unwrap().unwrap(), b"two");
        let accounts = [1, 2, 3, 4].map(|device| db.account_of(&[device; 32]).unwrap());
        assert_eq!(accounts.each_ref().map(Option::as_deref), [Some("alice"), Some("bob"), Some("alice"), None]);
        assert_eq!(db.secret("key").unwrap().unwrap().as_slice(), b"secret");
        assert!(db.secret("alice").unwrap().is_none());
    }

    #[test]
    fn the_embedded_database_keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        contract(|| Box::new(EmbeddedDb::open(folder.path()).unwrap()));
    }

    #[test]
    fn a_second_server_on_the_same_data_is_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let _first = EmbeddedDb::open(folder.path()).unwrap();
        let error = EmbeddedDb::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("visavis-server.redb") && error.contains("no other server"), "{error}");
    }
}
