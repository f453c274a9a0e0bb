//! A database that counts what it is asked, and that can be held up as a slow disk would.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use zeroize::Zeroizing;

use crate::directory::second_factor::SecondFactor;
use crate::store::server_db::{DbError, EmbeddedDb, Row, ServerDb};
use crate::wire::signal::DeviceId;

/// What the test sees of the database.
#[derive(Default)]
pub struct Watch {
    reads: AtomicUsize,
    writes: AtomicUsize,
    held_up: Mutex<bool>,
    freed: Condvar,
}

/// While this is there, no write ends.
pub struct HeldUp(Arc<Watch>);

impl Drop for HeldUp {
    fn drop(&mut self) {
        *self.0.held_up.lock().unwrap() = false;
        self.0.freed.notify_all();
    }
}

impl Watch {
    /// Reads so far.
    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    /// Writes that have begun.
    pub fn writes(&self) -> usize {
        self.writes.load(Ordering::Relaxed)
    }

    /// No write ends until what this gives is dropped.
    pub fn hold_up(self: &Arc<Self>) -> HeldUp {
        *self.held_up.lock().unwrap() = true;
        HeldUp(Arc::clone(self))
    }

    fn wait(&self) {
        drop(self.freed.wait_while(self.held_up.lock().unwrap(), |held_up| *held_up).unwrap());
    }
}

/// The embedded database under watch.
pub struct WatchedDb {
    db: EmbeddedDb,
    watch: Arc<Watch>,
}

impl WatchedDb {
    /// Watches `db`.
    pub const fn new(db: EmbeddedDb, watch: Arc<Watch>) -> Self {
        Self { db, watch }
    }

    fn read(&self) -> &EmbeddedDb {
        self.watch.reads.fetch_add(1, Ordering::Relaxed);
        &self.db
    }

    fn write(&self) -> &EmbeddedDb {
        self.watch.writes.fetch_add(1, Ordering::Relaxed);
        self.watch.wait();
        &self.db
    }
}

impl ServerDb for WatchedDb {
    fn accounts(&self) -> Result<u64, DbError> {
        self.read().accounts()
    }

    fn account(&self, name: &str) -> Result<Option<Vec<u8>>, DbError> {
        self.read().account(name)
    }

    fn put_account(
        &self,
        name: &str,
        chain: &[u8],
        device: &DeviceId,
        revoked: &[DeviceId],
        today: u32,
    ) -> Result<(), DbError> {
        self.write().put_account(name, chain, device, revoked, today)
    }

    fn seen(&self, name: &str) -> Result<Option<u32>, DbError> {
        self.read().seen(name)
    }

    fn put_seen(&self, name: &str, today: u32) -> Result<(), DbError> {
        self.write().put_seen(name, today)
    }

    fn second_factor(&self, name: &str) -> Result<Option<SecondFactor>, DbError> {
        self.read().second_factor(name)
    }

    fn put_second_factor(&self, name: &str, factor: Option<&SecondFactor>) -> Result<(), DbError> {
        self.write().put_second_factor(name, factor)
    }

    fn delete_account(&self, name: &str) -> Result<Vec<DeviceId>, DbError> {
        self.write().delete_account(name)
    }

    fn expire(&self, today: u32, kept_days: u32) -> Result<usize, DbError> {
        self.write().expire(today, kept_days)
    }

    fn tidy(&mut self) -> Result<(), DbError> {
        self.db.tidy()
    }

    fn rows_of(&self, name: &str) -> Result<Vec<Row>, DbError> {
        self.read().rows_of(name)
    }

    fn account_of(&self, device: &DeviceId) -> Result<Option<String>, DbError> {
        self.read().account_of(device)
    }

    fn secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, DbError> {
        self.read().secret(name)
    }

    fn put_secret(&self, name: &str, value: &[u8]) -> Result<(), DbError> {
        self.write().put_secret(name, value)
    }
}
