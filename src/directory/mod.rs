//! The directory's rules: whose name is whose, and envelopes that wait for a device. Sans-IO.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::crypto::chain::Chain;
use crate::media::Timestamp;
use crate::wire::address::Handle;
use crate::wire::signal::{DeviceId, ENVELOPE_LEN, Refusal};

/// Longest time that an envelope waits.
pub const HOLD: Duration = Duration::from_secs(45);
/// Envelopes that wait for one device.
pub const MAX_HELD_PER_DEVICE: usize = 16;
/// Envelopes that wait at all.
pub const MAX_HELD: usize = 4096;

/// A chain that differs from the kept one only by a head this much newer is not worth a write.
pub const RENEWAL_S: u64 = 3600;

/// What a device may register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Name part of the handle.
    pub name: String,
    /// Whether the chain says more than the one that is kept: it has to be kept instead.
    pub is_news: bool,
}

/// Whether `device` may register `chain` on a server for handles `…@domain`, where the account had `old` before.
pub fn check_registration(
    device: &DeviceId,
    chain: &[u8],
    old: Option<&[u8]>,
    domain: &str,
    unix_now: u64,
) -> Result<Registration, Refusal> {
    let chain = Chain::decode(chain).and_then(|chain| chain.verify(unix_now)).map_err(|_| Refusal::Chain)?;
    let handle: Handle = chain.handle().parse().map_err(|_| Refusal::Invalid)?;
    if handle.host() != domain || handle.to_string() != chain.handle() {
        return Err(Refusal::Invalid);
    }
    if !chain.devices().any(|active| active == *device) {
        return Err(Refusal::Chain);
    }
    let mut is_news = true;
    if let Some(old) = old {
        // The kept chain was checked when it came; its head may have grown old since.
        let old = Chain::decode(old).map_err(|_| Refusal::Chain)?;
        if old.root() != chain.root() {
            return Err(Refusal::Taken);
        }
        if !chain.continues(&old) {
            return Err(Refusal::Chain);
        }
        is_news = chain.renewed_since_s(&old).is_none_or(|newer_s| newer_s >= RENEWAL_S);
    }
    Ok(Registration { name: handle.name().to_owned(), is_news })
}

/// Envelopes that wait for devices which are not connected. In memory only.
#[derive(Debug, Default)]
pub struct Mailbox {
    held: HashMap<DeviceId, VecDeque<(Timestamp, Vec<u8>)>>,
    count: usize,
}

impl Mailbox {
    /// Keeps an envelope for at most [`HOLD`].
    pub fn hold(&mut self, device: DeviceId, envelope: Vec<u8>, now: Timestamp) -> Result<(), Refusal> {
        if envelope.len() != ENVELOPE_LEN {
            return Err(Refusal::Invalid);
        }
        self.expire(now);
        let waiting = self.held.get(&device).map_or(0, VecDeque::len);
        if self.count >= MAX_HELD || waiting >= MAX_HELD_PER_DEVICE {
            return Err(Refusal::Quota);
        }
        self.held.entry(device).or_default().push_back((now, envelope));
        self.count += 1;
        Ok(())
    }

    /// The envelopes for a device that has connected, in the order they came.
    pub fn collect(&mut self, device: &DeviceId, now: Timestamp) -> Vec<Vec<u8>> {
        self.expire(now);
        let held = self.held.remove(device).unwrap_or_default();
        self.count -= held.len();
        held.into_iter().map(|(_, envelope)| envelope).collect()
    }

    /// Forgets what has waited for too long. Gives how many wait still.
    pub fn expire(&mut self, now: Timestamp) -> usize {
        self.held.retain(|_, held| {
            while held.front().is_some_and(|(at, _)| now.since(*at) >= HOLD) {
                held.pop_front();
                self.count -= 1;
            }
            !held.is_empty()
        });
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::chain::{DeviceCard, VerifiedChain};
    use ed25519_dalek::SigningKey;

    const NOW: u64 = 1_800_000_000;

    fn key(number: u8) -> SigningKey {
        SigningKey::from_bytes(&[number; 32])
    }

    fn card(number: u8) -> DeviceCard {
        DeviceCard { signing: key(number).verifying_key().to_bytes(), sealing: [number; 32] }
    }

    fn chain(root: u8, device: u8) -> VerifiedChain {
        Chain::create("alice@example.org", &key(root), card(device), &key(device), NOW).verify(NOW).unwrap()
    }

    fn check(device: u8, chain: &Chain, old: Option<&VerifiedChain>, domain: &str) -> Result<String, Refusal> {
        let old = old.map(|old| old.chain().encode());
        check_registration(&card(device).signing, &chain.encode(), old.as_deref(), domain, NOW).map(|known| known.name)
    }

    #[test]
    fn a_name_belongs_to_its_first_root() {
        let first = chain(1, 2);
        assert_eq!(check(2, first.chain(), None, "example.org"), Ok("alice".into()));
        assert_eq!(check(2, first.chain(), Some(&first), "example.org"), Ok("alice".into()));
        assert_eq!(check(4, chain(3, 4).chain(), Some(&first), "example.org"), Err(Refusal::Taken));
        assert_eq!(check(2, first.chain(), None, "example.net"), Err(Refusal::Invalid));
        assert_eq!(check(4, first.chain(), None, "example.org"), Err(Refusal::Chain));
    }

    #[test]
    fn a_chain_is_not_replaced_by_a_shorter_one() {
        let first = chain(1, 2);
        let longer = first.with_device(card(3), &key(1), NOW).verify(NOW).unwrap();
        assert_eq!(check(2, longer.chain(), Some(&first), "example.org"), Ok("alice".into()));
        assert_eq!(check(2, first.chain(), Some(&longer), "example.org"), Err(Refusal::Chain));
    }

    #[test]
    fn a_head_that_is_hardly_newer_is_no_news() {
        let first = chain(1, 2);
        let is_news = |chain: &Chain| {
            let old = first.chain().encode();
            let known = check_registration(&card(2).signing, &chain.encode(), Some(&old), "example.org", NOW + 7200);
            known.unwrap().is_news
        };
        assert!(!is_news(first.chain()));
        assert!(!is_news(&first.with_fresh_head(&key(2), NOW + RENEWAL_S - 1)));
        assert!(is_news(&first.with_fresh_head(&key(2), NOW + RENEWAL_S)));
        assert!(is_news(&first.with_device(card(3), &key(1), NOW)));
    }

    #[test]
    fn envelopes_wait_for_45_seconds_and_not_in_any_number() {
        let start = Timestamp::from_nanos(1);
        let mut mailbox = Mailbox::default();
        assert_eq!(mailbox.hold([1; 32], vec![0; 10], start), Err(Refusal::Invalid));
        for number in 0..MAX_HELD_PER_DEVICE {
            mailbox.hold([1; 32], vec![number as u8; ENVELOPE_LEN], start).unwrap();
        }
        assert_eq!(mailbox.hold([1; 32], vec![0; ENVELOPE_LEN], start), Err(Refusal::Quota));
        mailbox.hold([2; 32], vec![0; ENVELOPE_LEN], start + Duration::from_secs(1)).unwrap();
        assert_eq!(mailbox.collect(&[1; 32], start + Duration::from_secs(44)).len(), MAX_HELD_PER_DEVICE);
        assert_eq!(mailbox.expire(start + Duration::from_secs(46)), 0);
        assert!(mailbox.collect(&[2; 32], start + Duration::from_secs(46)).is_empty());
    }
}
