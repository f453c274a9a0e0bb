//! All that the operator of a server holds about a handle: what a legal request could get, and the proof that it is little.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::state::State;
use super::store::Fault;
use crate::crypto::chain::Chain;
use crate::store::server_db::{DbError, Row, ServerDb};
use crate::wire::signal::{DeviceId, Refusal};

/// In place of what would let its reader pass for the person.
const WITHHELD: &str = "not printed: with it one could make the account's codes";

/// All that is held about a handle. Keys in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disclosure {
    /// Version of this form.
    pub schema: u32,
    /// Name part of the handle.
    pub name: String,
    /// Whether there is such an account.
    pub is_known: bool,
    /// The account's public root key.
    pub root: Option<String>,
    /// Day that a device of it registered last, in days since 1970.
    pub last_seen_day: Option<u32>,
    /// When the device list was last signed anew, seconds since 1970.
    pub head_signed_unix_s: Option<u64>,
    /// What happened to its devices.
    pub devices: Vec<DeviceEvent>,
    /// Its second factor, if it has one.
    pub second_factor: Option<SecondFactorState>,
    /// What is in memory, if the server runs.
    pub in_memory: Option<InMemory>,
    /// Every row of the database that belongs to it, as it is kept.
    pub rows: Vec<RawRow>,
}

/// An entry of the device list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceEvent {
    /// When, by the signer's clock, seconds since 1970.
    pub unix_s: u64,
    /// Signing key that was added or revoked.
    pub device: String,
    /// Key that invitations are sealed to, if the device was added.
    pub sealing: Option<String>,
    /// Whether it was added; else it was revoked.
    pub is_added: bool,
    /// Who signed.
    pub signed_by: String,
}

/// The state of a second factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactorState {
    /// Hashes of recovery codes that were not used.
    pub recovery_codes_left: u8,
    /// Wrong codes since the last right one.
    pub wrong_codes: u32,
    /// No code is looked at until then, seconds since 1970.
    pub locked_until_unix_s: u64,
}

/// What a running server has in memory about an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InMemory {
    /// Devices that are connected. While they are, the server's socket knows their addresses, which are written nowhere.
    pub devices_connected: usize,
    /// Sealed envelopes that wait, for 45 seconds at most.
    pub envelopes_waiting: usize,
    /// Hashes of the tokens with which people may write to its devices.
    pub token_hashes: usize,
}

/// A row of the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawRow {
    /// Its table.
    pub table: String,
    /// In hexadecimal.
    pub key: String,
    /// In hexadecimal.
    pub value: String,
}

impl State {
    /// What this running server holds about the account `name`.
    pub async fn disclose(&self, name: String) -> Result<Disclosure, Refusal> {
        let found = self.store.ask(move |db| {
            let devices = devices_of(db, &name)?;
            Ok((disclose(db, &name)?, devices))
        });
        let (mut disclosure, devices) = found.await?;
        let (devices_connected, envelopes_waiting, token_hashes) = self.presence_of(&devices);
        disclosure.in_memory = Some(InMemory { devices_connected, envelopes_waiting, token_hashes });
        Ok(disclosure)
    }
}

fn devices_of(db: &dyn ServerDb, name: &str) -> Result<Vec<DeviceId>, Fault> {
    let devices = db.rows_of(name)?.into_iter().filter(|row| row.table == "devices");
    Ok(devices.filter_map(|row| row.key.try_into().ok()).collect())
}

/// What a database holds about the account `name`.
pub fn disclose(db: &dyn ServerDb, name: &str) -> Result<Disclosure, DbError> {
    let kept = db.account(name)?;
    let chain = kept.as_deref().and_then(|chain| Chain::decode(chain).ok());
    let devices = chain.iter().flat_map(Chain::history).map(|event| DeviceEvent {
        unix_s: event.unix_s,
        device: HEXLOWER.encode(&event.added.map(|card| card.signing).or(event.revoked).unwrap_or_default()),
        sealing: event.added.map(|card| HEXLOWER.encode(&card.sealing)),
        is_added: event.added.is_some(),
        signed_by: HEXLOWER.encode(&event.by),
    });
    let second_factor = db.second_factor(name)?.map(|factor| SecondFactorState {
        recovery_codes_left: factor.recovery_left(),
        wrong_codes: factor.failures(),
        locked_until_unix_s: factor.locked_until(),
    });
    Ok(Disclosure {
        schema: 1,
        name: name.to_owned(),
        is_known: kept.is_some(),
        root: chain.as_ref().map(|chain| HEXLOWER.encode(&chain.root())),
        last_seen_day: db.seen(name)?,
        head_signed_unix_s: chain.as_ref().map(Chain::claimed_head_time),
        devices: devices.collect(),
        second_factor,
        in_memory: None,
        rows: db.rows_of(name)?.into_iter().map(show).collect(),
    })
}

fn show(row: Row) -> RawRow {
    let is_secret = row.table == "second_factors";
    let value = if is_secret { WITHHELD.to_owned() } else { HEXLOWER.encode(&row.value) };
    RawRow { table: row.table, key: HEXLOWER.encode(&row.key), value }
}

impl fmt::Display for Disclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return writeln!(f, "Nothing is held about {}.", self.name);
        }
        writeln!(f, "Account {}", self.name)?;
        if let (Some(root), Some(signed)) = (&self.root, self.head_signed_unix_s) {
            writeln!(f, "Root key {root}\nDevice list signed anew at {signed} (seconds since 1970)")?;
        }
        if let Some(day) = self.last_seen_day {
            writeln!(f, "Last seen on day {day} since 1970")?;
        }
        for DeviceEvent { unix_s, device, sealing, is_added, signed_by } in &self.devices {
            let what = if *is_added { "added" } else { "revoked" };
            write!(f, "Device {device} {what} at {unix_s}, signed by {signed_by}")?;
            match sealing {
                Some(sealing) => writeln!(f, ", sealing key {sealing}")?,
                None => writeln!(f)?,
            }
        }
        match &self.second_factor {
            Some(SecondFactorState { recovery_codes_left, wrong_codes, locked_until_unix_s }) => writeln!(
                f,
                "Second factor on: {recovery_codes_left} hashes of recovery codes, {wrong_codes} wrong codes, locked until \
                 {locked_until_unix_s}"
            )?,
            None => writeln!(f, "Second factor off")?,
        }
        match &self.in_memory {
            Some(InMemory { devices_connected, envelopes_waiting, token_hashes }) => writeln!(
                f,
                "In memory: {devices_connected} devices connected, {envelopes_waiting} sealed envelopes, {token_hashes} \
                 hashes of tokens"
            )?,
            None => writeln!(f, "The server does not run: nothing in memory")?,
        }
        writeln!(f, "Rows of the database, in hexadecimal:")?;
        self.rows.iter().try_for_each(|RawRow { table, key, value }| writeln!(f, "  {table} {key} = {value}"))
    }
}

#[cfg(all(test, feature = "client"))]
mod tests {
    use super::*;
    use crate::crypto::identity::Identity;
    use crate::store::server_db::EmbeddedDb;

    #[test]
    fn every_row_and_every_entry_of_the_device_list_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let db = EmbeddedDb::open(folder.path()).unwrap();
        let now = crate::engine::clock::unix_now();
        let alice = Identity::create("alice@example.org", now, &mut rand::rng());
        let second = Identity::recover(alice.root_key().unwrap(), alice.chain().chain().clone(), now, &mut rand::rng());
        let second = second.unwrap();
        let chain = second.chain().without_device(alice.device_id(), second.device(), now);
        db.put_account("alice", &chain.encode(), &second.device_id(), &[], 20_000).unwrap();
        db.put_account("bob", b"bob's", &[9; 32], &[], 20_000).unwrap();
        let disclosure = disclose(&db, "alice").unwrap();
        let (json, text) = (serde_json::to_string(&disclosure).unwrap(), disclosure.to_string());
        let rows = db.rows_of("alice").unwrap();
        assert_eq!(rows.len(), 3);
        for row in rows {
            for shown in [&json, &text] {
                assert!(shown.contains(&HEXLOWER.encode(&row.key)) && shown.contains(&HEXLOWER.encode(&row.value)));
            }
        }
        assert_eq!(disclosure.devices.len(), 3, "two added, one revoked");
        for key in [alice.root(), alice.device_id(), second.device_id(), second.chain().cards()[0].sealing] {
            assert!(text.contains(&HEXLOWER.encode(&key)));
        }
        assert!(text.contains("20000") && !text.contains("bob"));
        assert!(disclose(&db, "nobody").unwrap().to_string().starts_with("Nothing is held"));
    }
}
