//! What a registered device may do to its account: the second factor, and the end of it all.

use super::state::State;
use super::store::Fault;
use crate::directory::second_factor::SecondFactor;
use crate::engine::clock;
use crate::store::server_db::ServerDb;
use crate::wire::signal::{DeviceId, Refusal, TOTP_SECRET_LEN, ToClient};

/// An account that none of its devices has used for so long is forgotten.
pub const KEPT_DAYS: u32 = 365;
/// Longest code that is looked at, in bytes.
const MAX_CODE: usize = 64;

impl State {
    /// Whether the account of `device` has a second factor.
    pub async fn ask_second_factor(&self, device: DeviceId) -> ToClient {
        let asked = self.store.ask(move |db| {
            let name = account_of(db, &device)?;
            Ok(db.second_factor(&name)?.map(|factor| factor.recovery_left()))
        });
        answer(asked.await.map(|recovery_left| ToClient::SecondFactor { recovery_left }))
    }

    /// Asks for codes from now on. Who has a second factor already takes that away first, with one of its codes.
    pub async fn enable_totp(&self, device: DeviceId, secret: [u8; TOTP_SECRET_LEN], code: String) -> ToClient {
        let enabled = self.store.ask(move |db| {
            let name = account_of(db, &device)?;
            if db.second_factor(&name)?.is_some() {
                return Err(Refusal::Taken.into());
            }
            let code = bounded(&code)?;
            let (factor, codes) = SecondFactor::begin(secret, code, clock::unix_now(), &mut rand::rng())?;
            db.put_second_factor(&name, Some(&factor))?;
            Ok(codes)
        });
        answer(enabled.await.map(ToClient::RecoveryCodes))
    }

    /// Asks for no codes any more.
    pub async fn disable_totp(&self, device: DeviceId, code: String) -> ToClient {
        let disabled = self.store.ask(move |db| {
            let name = account_of(db, &device)?;
            pass(db, &name, Some(&code), clock::unix_now())?;
            Ok(db.put_second_factor(&name, None)?)
        });
        answer(disabled.await.map(|()| ToClient::Done))
    }

    /// Forgets the account of `device`. Its connections end.
    pub async fn delete(&self, device: DeviceId, code: Option<String>) -> ToClient {
        let deleted = self.store.ask(move |db| {
            let name = account_of(db, &device)?;
            pass(db, &name, code.as_deref(), clock::unix_now())?;
            Ok(db.delete_account(&name)?)
        });
        answer(deleted.await.map(|devices| {
            self.forget_devices(&devices);
            ToClient::Done
        }))
    }
}

/// Lets through who has a code of the account's second factor, or whose account has none.
pub fn pass(db: &mut dyn ServerDb, name: &str, code: Option<&str>, unix_now: u64) -> Result<(), Fault> {
    let Some(mut factor) = db.second_factor(name)? else { return Ok(()) };
    let code = bounded(code.ok_or(Refusal::CodeNeeded)?)?;
    let taken = factor.take(code, unix_now);
    // Before anything is answered: a code that was used, or was wrong, counts also after a crash.
    db.put_second_factor(name, Some(&factor))?;
    Ok(taken?)
}

/// Days since 1970: all that is kept of when somebody was here.
pub const fn day(unix_s: u64) -> u32 {
    (unix_s / 86_400) as u32
}

fn bounded(code: &str) -> Result<&str, Refusal> {
    if code.len() <= MAX_CODE { Ok(code) } else { Err(Refusal::CodeWrong) }
}

/// Revoked devices belong to no account.
fn account_of(db: &mut dyn ServerDb, device: &DeviceId) -> Result<String, Fault> {
    Ok(db.account_of(device)?.ok_or(Refusal::Unknown)?)
}

fn answer(result: Result<ToClient, Refusal>) -> ToClient {
    result.unwrap_or_else(ToClient::Refused)
}
