//! Whose letters reach a device past the limits for strangers: those that show a token which the device has announced. Only
//! hashes are kept, in memory; a device announces its tokens anew with each connection. Sans-IO.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::media::Timestamp;
use crate::wire::signal::{DeviceId, MAX_TOKENS, Refusal};
use crate::wire::token::{Token, TokenHash};

/// How long answers to a letter are waited for.
pub const REPLY_TIME: Duration = Duration::from_mins(1);
/// Answers that one reply token lets through: one of each of the callee's devices.
const REPLIES: u32 = 8;
/// Letters to which a device may await answers at one time; one more takes the place of the first.
const MAX_AWAITED: usize = 8;
/// Devices whose tokens are kept; further ones are rung by strangers only, until the server is started anew.
const MAX_DEVICES: usize = 1 << 17;

/// A letter to which answers are awaited.
#[derive(Debug)]
struct Awaited {
    token: TokenHash,
    until: Timestamp,
    left: u32,
}

/// What the devices have announced.
#[derive(Debug, Default)]
pub struct Doors {
    standing: HashMap<DeviceId, Vec<TokenHash>>,
    awaited: HashMap<DeviceId, VecDeque<Awaited>>,
}

impl Doors {
    /// Whoever shows one of these may reach the device, until it says otherwise.
    pub fn set_tokens(&mut self, device: DeviceId, tokens: Vec<TokenHash>) -> Result<(), Refusal> {
        if tokens.len() > MAX_TOKENS {
            return Err(Refusal::Invalid);
        }
        if self.standing.len() >= MAX_DEVICES && !self.standing.contains_key(&device) {
            return Err(Refusal::Quota);
        }
        self.standing.insert(device, tokens);
        Ok(())
    }

    /// The device awaits answers that show this, for [`REPLY_TIME`].
    pub fn await_replies(&mut self, device: DeviceId, token: TokenHash, now: Timestamp) {
        self.expire(now);
        let awaited = self.awaited.entry(device).or_default();
        if awaited.len() >= MAX_AWAITED {
            awaited.pop_front();
        }
        awaited.push_back(Awaited { token, until: now + REPLY_TIME, left: REPLIES });
    }

    /// Whether a letter to the device that shows this is no stranger's.
    pub fn admits(&mut self, device: &DeviceId, shown: &Token, now: Timestamp) -> bool {
        let hash = shown.hash();
        if self.standing.get(device).is_some_and(|tokens| tokens.contains(&hash)) {
            return true;
        }
        let awaited = self.awaited.get_mut(device).into_iter().flatten();
        let fits = |awaited: &&mut Awaited| awaited.token == hash && awaited.left > 0 && now < awaited.until;
        awaited.into_iter().find(fits).map(|awaited| awaited.left -= 1).is_some()
    }

    /// How many hashes of tokens are kept for the device.
    #[must_use]
    pub fn count(&self, device: &DeviceId) -> usize {
        self.standing.get(device).map_or(0, Vec::len) + self.awaited.get(device).map_or(0, VecDeque::len)
    }

    /// Forgets the device, which was revoked.
    pub fn forget(&mut self, device: &DeviceId) {
        self.standing.remove(device);
        self.awaited.remove(device);
    }

    /// Forgets what is not awaited any more.
    pub fn expire(&mut self, now: Timestamp) {
        self.awaited.retain(|_, awaited| {
            awaited.retain(|awaited| now < awaited.until);
            !awaited.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: DeviceId = [1; 32];
    const BOB: DeviceId = [2; 32];

    fn token() -> Token {
        Token::random(&mut rand::rng())
    }

    #[test]
    fn a_token_admits_to_the_device_that_announced_it_until_it_is_taken_back() {
        let (mut doors, now, old, new) = (Doors::default(), Timestamp::from_nanos(1), token(), token());
        doors.set_tokens(ALICE, vec![old.hash()]).unwrap();
        assert!(doors.admits(&ALICE, &old, now) && !doors.admits(&ALICE, &new, now) && !doors.admits(&BOB, &old, now));
        doors.set_tokens(ALICE, vec![new.hash()]).unwrap();
        assert!(!doors.admits(&ALICE, &old, now) && doors.admits(&ALICE, &new, now));
        assert_eq!(doors.set_tokens(ALICE, vec![[0; 32]; MAX_TOKENS + 1]), Err(Refusal::Invalid));
        doors.forget(&ALICE);
        assert!(!doors.admits(&ALICE, &new, now));
    }

    #[test]
    fn answers_are_let_through_for_a_minute_and_not_in_any_number() {
        let (mut doors, now, first, second) = (Doors::default(), Timestamp::from_nanos(1), token(), token());
        doors.await_replies(ALICE, first.hash(), now);
        doors.await_replies(ALICE, second.hash(), now);
        for _ in 0..REPLIES {
            assert!(doors.admits(&ALICE, &first, now));
        }
        assert!(!doors.admits(&ALICE, &first, now) && doors.admits(&ALICE, &second, now));
        assert!(!doors.admits(&BOB, &second, now) && !doors.admits(&ALICE, &second, now + REPLY_TIME));
        doors.expire(now + REPLY_TIME);
        assert!(doors.awaited.is_empty());
        for _ in 0..100 {
            doors.await_replies(ALICE, token().hash(), now);
        }
        assert_eq!(doors.awaited[&ALICE].len(), MAX_AWAITED);
    }
}
