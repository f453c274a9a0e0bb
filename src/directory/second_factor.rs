//! The second factor of an account: codes by time (TOTP, RFC 6238), and recovery codes for when their maker is lost. Sans-IO.
//!
//! It guards what the server does with an account. No key is ever trusted because of it.

use data_encoding::BASE32_NOPAD;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use totp_rs::{Builder, Totp};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::wire::signal::{Refusal, TOTP_SECRET_LEN};

/// Recovery codes of an account.
pub const RECOVERY_CODES: usize = 10;
/// Random bytes of a recovery code: nobody guesses it, so that a plain hash of it can be kept.
const RECOVERY_LEN: usize = 10;
/// Wrong codes that cost nothing but themselves.
const FREE_TRIES: u32 = 5;
/// No code is looked at for this long after the fifth wrong one; for twice as long after each one more.
const FIRST_LOCK_S: u64 = 15 * 60;
const LONGEST_LOCK_S: u64 = 24 * 3600;

/// What a server keeps of a second factor.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct SecondFactor {
    secret: [u8; TOTP_SECRET_LEN],
    /// The step of the last code that was taken: neither it nor an earlier one is taken again.
    last_step: u64,
    /// Hashes of the recovery codes that were not used.
    recovery: Vec<[u8; 32]>,
    failures: u32,
    locked_until: u64,
}

impl std::fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecondFactor")
    }
}

impl SecondFactor {
    /// A second factor whose maker of codes has shown its first one, and its recovery codes.
    pub fn begin(
        secret: [u8; TOTP_SECRET_LEN],
        code: &str,
        unix_now: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Vec<String>), Refusal> {
        let last_step = totp(&secret)?.check(&plain(code), unix_now).ok_or(Refusal::CodeWrong)?;
        let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code(rng)).collect();
        let recovery = codes.iter().map(|code| recovery_hash(&secret, &plain(code))).collect();
        Ok((Self { secret, last_step, recovery, failures: 0, locked_until: 0 }, codes))
    }

    /// Takes a code, once. Whatever this gives, the second factor has changed and is to be kept.
    pub fn take(&mut self, code: &str, unix_now: u64) -> Result<(), Refusal> {
        if unix_now < self.locked_until {
            return Err(Refusal::CodeLocked { minutes: minutes(self.locked_until - unix_now) });
        }
        let code = plain(code);
        if let Some(step) = totp(&self.secret)?.check(&code, unix_now).filter(|step| *step > self.last_step) {
            self.last_step = step;
            self.failures = 0;
            return Ok(());
        }
        let hash = recovery_hash(&self.secret, &code);
        if let Some(at) = self.recovery.iter().position(|kept| bool::from(kept.ct_eq(&hash))) {
            self.recovery.swap_remove(at);
            self.failures = 0;
            return Ok(());
        }
        self.failures = self.failures.saturating_add(1);
        let Some(beyond) = self.failures.checked_sub(FREE_TRIES) else { return Err(Refusal::CodeWrong) };
        let lock_s = FIRST_LOCK_S.saturating_mul(1 << beyond.min(16)).min(LONGEST_LOCK_S);
        self.locked_until = unix_now.saturating_add(lock_s);
        Err(Refusal::CodeLocked { minutes: minutes(lock_s) })
    }

    /// Recovery codes that were not used.
    #[must_use]
    pub fn recovery_left(&self) -> u8 {
        self.recovery.len() as u8
    }

    /// Wrong codes since the last right one.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Until when no code is looked at, seconds since 1970.
    #[must_use]
    pub const fn locked_until(&self) -> u64 {
        self.locked_until
    }
}

fn totp(secret: &[u8; TOTP_SECRET_LEN]) -> Result<Totp, Refusal> {
    Builder::new().with_secret(*secret).build().map_err(|_| Refusal::Invalid)
}

/// As it is typed: in groups, in small letters.
fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).take(64).collect()
}

/// Four groups of four characters.
fn recovery_code(rng: &mut impl CryptoRng) -> String {
    let mut random = [0; RECOVERY_LEN];
    rng.fill_bytes(&mut random);
    let mut code = BASE32_NOPAD.encode(&random);
    for at in [12, 8, 4] {
        code.insert(at, '-');
    }
    code
}

fn recovery_hash(secret: &[u8; TOTP_SECRET_LEN], plain: &str) -> [u8; 32] {
    Sha256::new().chain_update(b"visavis recovery code 1\0").chain_update(secret).chain_update(plain).finalize().into()
}

fn minutes(seconds: u64) -> u16 {
    u16::try_from(seconds.div_ceil(60)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B: the secret of its SHA-1 vectors.
    const SECRET: [u8; TOTP_SECRET_LEN] = *b"12345678901234567890";
    const NOW: u64 = 1_800_000_000;

    fn code_at(time: u64) -> String {
        totp(&SECRET).unwrap().generate(time).to_string()
    }

    fn factor() -> (SecondFactor, Vec<String>) {
        SecondFactor::begin(SECRET, &code_at(NOW), NOW, &mut rand::rng()).unwrap()
    }

    #[test]
    fn the_vectors_of_rfc_6238_hold() {
        let vectors = [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ];
        for (time, code) in vectors {
            let eight_digits = Builder::new().with_secret(SECRET).with_digits(8).build().unwrap();
            assert_eq!(eight_digits.generate(time).to_string(), code);
            // As we use it: the last six digits.
            assert_eq!(code_at(time), code[2..]);
            let begun = SecondFactor::begin(SECRET, &code[2..], time, &mut rand::rng());
            assert_eq!(begun.unwrap().0.last_step, time / 30);
        }
    }

    #[test]
    fn a_code_is_taken_once_and_none_before_it() {
        let (mut factor, _) = factor();
        assert_eq!(factor.take(&code_at(NOW), NOW), Err(Refusal::CodeWrong), "the first code was used to begin");
        assert_eq!(factor.take(&code_at(NOW + 60), NOW + 60), Ok(()));
        assert_eq!(factor.take(&code_at(NOW + 60), NOW + 60), Err(Refusal::CodeWrong), "replayed");
        assert_eq!(factor.take(&code_at(NOW + 30), NOW + 60), Err(Refusal::CodeWrong), "an earlier one");
        assert_eq!(factor.take(&code_at(NOW + 90), NOW + 60), Ok(()), "a clock that is half a minute ahead");
        assert_eq!(factor.take(&code_at(NOW + 300), NOW + 120), Err(Refusal::CodeWrong));
    }

    #[test]
    fn wrong_codes_lock_for_longer_and_longer_and_a_right_one_resets() {
        let (mut factor, codes) = factor();
        for _ in 1..FREE_TRIES {
            assert_eq!(factor.take("000000", NOW), Err(Refusal::CodeWrong));
        }
        assert_eq!(factor.take("000000", NOW), Err(Refusal::CodeLocked { minutes: 15 }));
        assert_eq!(factor.take(&code_at(NOW + 60), NOW + 60), Err(Refusal::CodeLocked { minutes: 14 }), "though right");
        assert_eq!(factor.take(&codes[0], NOW + 60), Err(Refusal::CodeLocked { minutes: 14 }));
        let mut now = NOW + FIRST_LOCK_S;
        for minutes in [30, 60, 120, 240, 480, 960, 1440, 1440] {
            assert_eq!(factor.take("000000", now), Err(Refusal::CodeLocked { minutes }));
            now = factor.locked_until();
        }
        assert_eq!(factor.take(&code_at(now), now), Ok(()));
        assert_eq!(factor.take("000000", now), Err(Refusal::CodeWrong));
    }

    #[test]
    fn each_recovery_code_works_once_as_it_may_be_typed_and_is_kept_as_a_hash() {
        let (mut factor, codes) = factor();
        assert_eq!((codes.len(), codes[0].len()), (RECOVERY_CODES, 19));
        let kept = postcard::to_stdvec(&factor).unwrap();
        for code in &codes {
            let bare = plain(code);
            assert!(!kept.windows(bare.len()).any(|window| window == bare.as_bytes()));
        }
        assert_eq!(factor.take(&codes[3].to_lowercase().replace('-', " "), NOW), Ok(()));
        assert_eq!(factor.take(&codes[3], NOW), Err(Refusal::CodeWrong));
        assert_eq!(factor.recovery_left(), 9);
    }

    #[test]
    fn nothing_begins_without_the_first_code() {
        let wrong = SecondFactor::begin(SECRET, &code_at(NOW + 3600), NOW, &mut rand::rng());
        assert_eq!(wrong.err(), Some(Refusal::CodeWrong));
    }
}
