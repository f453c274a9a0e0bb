//! The server's database: its own secrets, each account's device chain and second factor, the day it was last seen, and
//! whose each device is. Nothing else outlives a connection.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{
    Database, Key, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
    TableHandle, Value, WriteTransaction,
};
use zeroize::Zeroizing;

use crate::directory::second_factor::SecondFactor;
use crate::wire::signal::DeviceId;

const ACCOUNTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("accounts");
/// The account that each device has registered.
const DEVICES: TableDefinition<'_, &[u8; 32], &str> = TableDefinition::new("devices");
/// The day that a device of each account registered last, in days since 1970.
const SEEN: TableDefinition<'_, &str, u32> = TableDefinition::new("seen");
const SECOND_FACTORS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("second_factors");
const SECRETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("secrets");
/// File name inside the data directory.
const FILE: &str = "visavis-server.redb";

/// What a server keeps. Every implementation passes the same tests. Days are counted since 1970.
pub trait ServerDb: Send + Sync {
    /// How many accounts there are.
    fn accounts(&self) -> Result<u64, DbError>;
    /// The chain of the account `name`.
    fn account(&self, name: &str) -> Result<Option<Vec<u8>>, DbError>;
    /// Keeps the chain of the account `name`, as `device` has registered it today, and forgets whose the `revoked` devices
    /// were.
    fn put_account(
        &self,
        name: &str,
        chain: &[u8],
        device: &DeviceId,
        revoked: &[DeviceId],
        today: u32,
    ) -> Result<(), DbError>;
    /// The day that the account was last seen.
    fn seen(&self, name: &str) -> Result<Option<u32>, DbError>;
    /// The account is seen today.
    fn put_seen(&self, name: &str, today: u32) -> Result<(), DbError>;
    /// The second factor of an account.
    fn second_factor(&self, name: &str) -> Result<Option<SecondFactor>, DbError>;
    /// Keeps the second factor of an account, or forgets it.
    fn put_second_factor(&self, name: &str, factor: Option<&SecondFactor>) -> Result<(), DbError>;
    /// Forgets an account with all that belongs to it. Gives its devices.
    fn delete_account(&self, name: &str) -> Result<Vec<DeviceId>, DbError>;
    /// Forgets the accounts that were not seen for so many days. Gives how many there were. Done once a day, it also sees to
    /// it that nothing is left of what was replaced on the day before.
    fn expire(&self, today: u32, kept_days: u32) -> Result<usize, DbError>;
    /// Makes sure that nothing is left in the file of what was forgotten.
    fn tidy(&mut self) -> Result<(), DbError>;
    /// Every row of every table that belongs to an account.
    fn rows_of(&self, name: &str) -> Result<Vec<Row>, DbError>;
    /// The account that `device` has registered.
    fn account_of(&self, device: &DeviceId) -> Result<Option<String>, DbError>;
    /// A secret of the server.
    fn secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, DbError>;
    /// Keeps a secret of the server.
    fn put_secret(&self, name: &str, value: &[u8]) -> Result<(), DbError>;
}

/// A row as it stands in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Name of its table.
    pub table: String,
    /// As it is kept.
    pub key: Vec<u8>,
    /// As it is kept.
    pub value: Vec<u8>,
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
    /// The file may hold what was forgotten: pages are not overwritten, only left.
    has_old: AtomicBool,
}

impl EmbeddedDb {
    /// Opens (or makes) the database in `folder`.
    pub fn open(folder: &Path) -> Result<Self, DbError> {
        let path = folder.join(FILE);
        match std::fs::create_dir_all(folder).map_err(redb::Error::from).and_then(|()| create(&path)) {
            Ok(database) => Ok(Self { path, database, has_old: AtomicBool::new(true) }),
            Err(error) => Err(DbError { path, why: error.to_string() }),
        }
    }

    /// Opens the database that is in `folder` already.
    pub fn open_existing(folder: &Path) -> Result<Self, DbError> {
        let path = folder.join(FILE);
        if path.exists() { Self::open(folder) } else { Err(DbError { path, why: "there is no such file".into() }) }
    }

    fn read<T>(&self, ask: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>) -> Result<T, DbError> {
        let read = || ask(&self.database.begin_read()?);
        read().map_err(|error| self.failed(&error))
    }

    /// Writes all that is there into a new file, and puts that in place of the old one. A crash leaves one of the two.
    fn rewrite(&mut self) -> Result<(), redb::Error> {
        let beside = self.path.with_extension("redb.new");
        let _ = std::fs::remove_file(&beside);
        let fresh = create(&beside)?;
        let (read, write) = (self.database.begin_read()?, fresh.begin_write()?);
        copy(&read, &write, ACCOUNTS)?;
        copy(&read, &write, DEVICES)?;
        copy(&read, &write, SEEN)?;
        copy(&read, &write, SECOND_FACTORS)?;
        copy(&read, &write, SECRETS)?;
        write.commit()?;
        drop(read);
        std::fs::rename(&beside, &self.path)?;
        self.database = fresh;
        Ok(())
    }

    fn get(&self, table: TableDefinition<'_, &str, &[u8]>, name: &str) -> Result<Option<Vec<u8>>, DbError> {
        self.read(|read| Ok(read.open_table(table)?.get(name)?.map(|value| value.value().to_vec())))
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

/// Opens or makes a database with all its tables.
fn create(path: &Path) -> Result<Database, redb::Error> {
    let database = Database::create(path)?;
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let write = database.begin_write()?;
    write.open_table(ACCOUNTS)?;
    write.open_table(DEVICES)?;
    write.open_table(SEEN)?;
    write.open_table(SECOND_FACTORS)?;
    write.open_table(SECRETS)?;
    write.commit()?;
    Ok(database)
}

fn copy<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<'_, K, V>,
) -> Result<(), redb::Error> {
    let mut copied = to.open_table(table)?;
    for row in from.open_table(table)?.iter()? {
        let (key, value) = row?;
        copied.insert(key.value(), value.value())?;
    }
    Ok(())
}

/// The rows of a table that `is_wanted`, as bytes.
fn rows<K: Key + 'static, V: Value + 'static>(
    read: &ReadTransaction,
    table: TableDefinition<'_, K, V>,
    is_wanted: impl Fn(&K::SelfType<'_>, &V::SelfType<'_>) -> bool,
) -> Result<Vec<Row>, redb::Error> {
    let mut found = Vec::new();
    for row in read.open_table(table)?.iter()? {
        let (key, value) = row?;
        let (key, value) = (key.value(), value.value());
        if is_wanted(&key, &value) {
            let (key, value) = (K::as_bytes(&key).as_ref().to_vec(), V::as_bytes(&value).as_ref().to_vec());
            found.push(Row { table: table.name().to_owned(), key, value });
        }
    }
    Ok(found)
}

/// Forgets an account. Gives its devices.
fn delete(write: &WriteTransaction, name: &str) -> Result<Vec<DeviceId>, redb::Error> {
    write.open_table(ACCOUNTS)?.remove(name)?;
    write.open_table(SEEN)?.remove(name)?;
    write.open_table(SECOND_FACTORS)?.remove(name)?;
    let mut devices = Vec::new();
    write.open_table(DEVICES)?.retain(|device, account| {
        let is_another = account != name;
        if !is_another {
            devices.push(*device);
        }
        is_another
    })?;
    Ok(devices)
}

impl ServerDb for EmbeddedDb {
    fn accounts(&self) -> Result<u64, DbError> {
        self.read(|read| Ok(read.open_table(ACCOUNTS)?.len()?))
    }

    fn account(&self, name: &str) -> Result<Option<Vec<u8>>, DbError> {
        self.get(ACCOUNTS, name)
    }

    fn put_account(
        &self,
        name: &str,
        chain: &[u8],
        device: &DeviceId,
        revoked: &[DeviceId],
        today: u32,
    ) -> Result<(), DbError> {
        self.write(|write| {
            write.open_table(ACCOUNTS)?.insert(name, chain)?;
            write.open_table(SEEN)?.insert(name, today)?;
            let mut devices = write.open_table(DEVICES)?;
            for gone in revoked {
                // A key that has meanwhile become another account's stays theirs.
                let is_ours = devices.get(gone)?.is_some_and(|account| account.value() == name);
                if is_ours {
                    devices.remove(gone)?;
                }
            }
            devices.insert(device, name)?;
            Ok(())
        })
    }

    fn account_of(&self, device: &DeviceId) -> Result<Option<String>, DbError> {
        self.read(|read| Ok(read.open_table(DEVICES)?.get(device)?.map(|name| name.value().to_owned())))
    }

    fn seen(&self, name: &str) -> Result<Option<u32>, DbError> {
        self.read(|read| Ok(read.open_table(SEEN)?.get(name)?.map(|day| day.value())))
    }

    fn put_seen(&self, name: &str, today: u32) -> Result<(), DbError> {
        self.write(|write| {
            write.open_table(SEEN)?.insert(name, today)?;
            Ok(())
        })
    }

    fn second_factor(&self, name: &str) -> Result<Option<SecondFactor>, DbError> {
        let Some(bytes) = self.get(SECOND_FACTORS, name)?.map(Zeroizing::new) else { return Ok(None) };
        // What cannot be read does not pass for nothing.
        let damaged = |_| DbError { path: self.path.clone(), why: "a second factor in it is damaged".into() };
        postcard::from_bytes(&bytes).map(Some).map_err(damaged)
    }

    fn put_second_factor(&self, name: &str, factor: Option<&SecondFactor>) -> Result<(), DbError> {
        let bytes = Zeroizing::new(factor.map(|factor| postcard::to_stdvec(factor).unwrap_or_default()));
        self.has_old.store(true, Ordering::Relaxed);
        self.write(|write| {
            let mut factors = write.open_table(SECOND_FACTORS)?;
            match bytes.as_deref() {
                Some(bytes) => drop(factors.insert(name, bytes)?),
                None => drop(factors.remove(name)?),
            }
            Ok(())
        })
    }

    fn delete_account(&self, name: &str) -> Result<Vec<DeviceId>, DbError> {
        self.has_old.store(true, Ordering::Relaxed);
        let mut devices = Vec::new();
        self.write(|write| {
            devices = delete(write, name)?;
            Ok(())
        })?;
        Ok(devices)
    }

    fn expire(&self, today: u32, kept_days: u32) -> Result<usize, DbError> {
        let mut gone = Vec::new();
        self.write(|write| {
            {
                let accounts = write.open_table(ACCOUNTS)?;
                let mut seen = write.open_table(SEEN)?;
                for account in accounts.iter()? {
                    let name = account?.0.value().to_owned();
                    let day = seen.get(name.as_str())?.map(|day| day.value());
                    match day {
                        Some(day) if today.saturating_sub(day) > kept_days => gone.push(name),
                        Some(_) => {}
                        // From before days were kept.
                        None => drop(seen.insert(name.as_str(), today)?),
                    }
                }
            }
            gone.iter().try_for_each(|name| delete(write, name).map(drop))
        })?;
        // What was replaced meanwhile, earlier days and heads above all, is not to be read out of the file either.
        self.has_old.store(true, Ordering::Relaxed);
        Ok(gone.len())
    }

    fn tidy(&mut self) -> Result<(), DbError> {
        if !self.has_old.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.rewrite().map_err(|error| self.failed(&error))?;
        self.has_old.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn rows_of(&self, name: &str) -> Result<Vec<Row>, DbError> {
        self.read(|read| {
            let mut found = rows(read, ACCOUNTS, |key, _| *key == name)?;
            found.extend(rows(read, DEVICES, |_, account| *account == name)?);
            found.extend(rows(read, SEEN, |key, _| *key == name)?);
            found.extend(rows(read, SECOND_FACTORS, |key, _| *key == name)?);
            Ok(found)
        })
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
        assert_eq!((db.account("alice").unwrap(), db.accounts().unwrap()), (None, 0));
        db.put_account("alice", b"one", &[1; 32], &[], 100).unwrap();
        db.put_account("bob", b"two", &[2; 32], &[], 100).unwrap();
        db.put_account("alice", b"three", &[3; 32], &[], 100).unwrap();
        db.put_account("carol", b"four", &[5; 32], &[], 100).unwrap();
        db.put_account("carol", b"five", &[6; 32], &[[5; 32], [2; 32], [9; 32]], 100).unwrap();
        db.put_secret("key", b"secret").unwrap();
        drop(db);
        let db = open();
        assert_eq!(db.account("alice").unwrap().unwrap(), b"three");
        assert_eq!(db.account("bob").unwrap().unwrap(), b"two");
        let accounts = [5, 6].map(|device| db.account_of(&[device; 32]).unwrap());
        assert_eq!(accounts.each_ref().map(Option::as_deref), [None, Some("carol")], "what was revoked is nobody's");
        assert_eq!(db.account_of(&[2; 32]).unwrap().as_deref(), Some("bob"), "another account's key stays theirs");
        let accounts = [1, 2, 3, 4].map(|device| db.account_of(&[device; 32]).unwrap());
        assert_eq!(accounts.each_ref().map(Option::as_deref), [Some("alice"), Some("bob"), Some("alice"), None]);
        assert_eq!(db.secret("key").unwrap().unwrap().as_slice(), b"secret");
        assert!(db.secret("alice").unwrap().is_none());

        assert_eq!((db.seen("bob").unwrap(), db.accounts().unwrap()), (Some(100), 3));
        db.put_seen("bob", 120).unwrap();
        assert_eq!(db.expire(465, 365).unwrap(), 0);
        assert_eq!(db.expire(466, 365).unwrap(), 2, "alice and carol");
        assert_eq!((db.account("carol").unwrap(), db.account_of(&[6; 32]).unwrap()), (None, None));
        assert!(db.second_factor("bob").unwrap().is_none());
        db.put_second_factor("bob", Some(&factor())).unwrap();
        assert_eq!(db.second_factor("bob").unwrap(), Some(factor()));
        db.put_second_factor("bob", None).unwrap();
        assert_eq!(db.second_factor("bob").unwrap(), None);
        db.put_second_factor("bob", Some(&factor())).unwrap();
        assert_eq!(db.rows_of("bob").unwrap().len(), 4);
        assert_eq!(db.delete_account("bob").unwrap(), [[2; 32]]);
        assert!(db.rows_of("bob").unwrap().is_empty() && db.second_factor("bob").unwrap().is_none());
        assert_eq!(db.secret("key").unwrap().unwrap().as_slice(), b"secret");
    }

    fn factor() -> SecondFactor {
        // The last six digits of a vector in RFC 6238, appendix B.
        SecondFactor::begin(*b"12345678901234567890", "287082", 59, &mut NoRandomness).unwrap().0
    }

    struct NoRandomness;

    impl rand::TryRng for NoRandomness {
        type Error = std::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(7)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(7)
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            bytes.fill(7);
            Ok(())
        }
    }

    impl rand::TryCryptoRng for NoRandomness {}

    fn holds(folder: &Path, needle: &[u8]) -> bool {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        files.into_iter().any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
    }

    #[test]
    fn what_was_deleted_is_not_in_the_file_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let (name, chain, device) = ("canary-name", [0xC5; 400], [0xD7; 32]);
        let mut db = EmbeddedDb::open(folder.path()).unwrap();
        db.put_account("other", b"stays here", &[1; 32], &[], 100).unwrap();
        for day in 0..20 {
            db.put_account(name, &chain, &device, &[], day).unwrap();
        }
        db.put_second_factor(name, Some(&factor())).unwrap();
        let secret = b"12345678901234567890".as_slice();
        let needles = [name.as_bytes(), &chain, &device, secret];
        assert!(needles.iter().all(|needle| holds(folder.path(), needle)), "the search finds what is there");
        db.delete_account(name).unwrap();
        assert!(needles.iter().any(|needle| holds(folder.path(), needle)), "a deletion alone leaves the bytes");
        db.tidy().unwrap();
        assert!(!needles.iter().any(|needle| holds(folder.path(), needle)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        drop(db);
        let db = EmbeddedDb::open(folder.path()).unwrap();
        assert_eq!(db.account("other").unwrap().unwrap(), b"stays here");
        assert!(EmbeddedDb::open(folder.path()).is_err(), "the new file is locked as the old one was");
    }

    #[test]
    fn what_has_expired_is_not_in_the_file_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = EmbeddedDb::open(folder.path()).unwrap();
        db.put_account("canary-name", &[0xC5; 400], &[0xD7; 32], &[], 100).unwrap();
        db.tidy().unwrap();
        assert!(holds(folder.path(), b"canary-name"));
        assert_eq!(db.expire(466, 365).unwrap(), 1);
        db.tidy().unwrap();
        assert!(!holds(folder.path(), b"canary-name") && !holds(folder.path(), &[0xD7; 32]));
    }

    #[test]
    fn what_was_replaced_is_not_in_the_file_after_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = EmbeddedDb::open(folder.path()).unwrap();
        db.tidy().unwrap();
        for fill in [0xC5, 0xC6, 0xC7] {
            db.put_account("alice", &[fill; 400], &[1; 32], &[], 100).unwrap();
        }
        db.tidy().unwrap();
        assert!(
            [0xC5, 0xC6].iter().any(|&fill| holds(folder.path(), &[fill; 400])),
            "not at once: each would cost a file"
        );
        assert_eq!(db.expire(101, 365).unwrap(), 0);
        db.tidy().unwrap();
        let held = [0xC5, 0xC6, 0xC7].map(|fill| holds(folder.path(), &[fill; 400]));
        assert_eq!(held, [false, false, true]);
    }

    #[test]
    fn every_table_is_known_to_what_shows_and_what_rewrites() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = EmbeddedDb::open(folder.path()).unwrap();
        db.put_account("alice", b"chain", &[1; 32], &[], 100).unwrap();
        db.put_second_factor("alice", Some(&factor())).unwrap();
        db.put_secret("key", b"secret").unwrap();
        let tables = |db: &EmbeddedDb| {
            let read = db.database.begin_read().unwrap();
            let mut names: Vec<_> = read.list_tables().unwrap().map(|table| table.name().to_owned()).collect();
            names.sort();
            names
        };
        let before = tables(&db);
        let mut shown: Vec<_> = db.rows_of("alice").unwrap().into_iter().map(|row| row.table).collect();
        // Of all the tables, this alone says nothing of accounts.
        shown.push("secrets".into());
        shown.sort();
        assert_eq!(shown, before);
        let rows = db.rows_of("alice").unwrap();
        db.tidy().unwrap();
        assert_eq!((tables(&db), db.rows_of("alice").unwrap()), (before, rows));
        assert_eq!(db.secret("key").unwrap().unwrap().as_slice(), b"secret");
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
