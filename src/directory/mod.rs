//! The directory's rules: whose name is whose, and envelopes that wait for a device. Sans-IO.

mod doors;
pub mod second_factor;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

pub use doors::Doors;
use zeroize::Zeroizing;

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
/// Strangers' envelopes that wait for one device; they take no room from others.
pub const MAX_HELD_OF_STRANGERS: usize = 4;
/// Strangers' envelopes that wait at all.
pub const MAX_HELD_OF_ALL_STRANGERS: usize = 1024;

/// A chain that differs from the kept one only by a head this much newer is not worth a write.
pub const RENEWAL_S: u64 = 3600;

/// What a device may register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Name part of the handle.
    pub name: String,
    /// Whether the chain says more than the one that is kept: it has to be kept instead.
    pub is_news: bool,
    /// Whether devices were added or revoked, so that the others have to learn of it.
    pub has_grown: bool,
    /// Whether the account is there and the device is new in it: nobody but whoever has the root brings it.
    pub adds_itself: bool,
    /// Signing keys of the account's devices that were revoked.
    pub revoked: Vec<DeviceId>,
}

/// Whether `chain` is no more than an earlier state of `kept`, or a branch that `kept` outranks: whoever registers it has to
/// learn how the account went on, above all if they are no longer part of it.
#[must_use]
pub fn is_behind(chain: &[u8], kept: &[u8], unix_now: u64) -> bool {
    let Ok(chain) = Chain::decode(chain) else { return false };
    let kept = Chain::decode(kept).and_then(|kept| kept.verify_entries(unix_now));
    kept.is_ok_and(|kept| kept.has_passed(&chain))
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
    let (mut is_news, mut has_grown, mut adds_itself) = (true, false, false);
    if let Some(old) = old {
        // The kept chain was checked when it came; its head may have grown old since.
        let old = Chain::decode(old).map_err(|_| Refusal::Chain)?;
        if old.root() != chain.root() {
            return Err(Refusal::Taken);
        }
        // The clocks of an account's devices differ: one may show the list that is kept under an earlier head.
        let is_same = chain.says_as_much_as(&old);
        if !is_same && !chain.succeeds(&old) {
            return Err(Refusal::Chain);
        }
        has_grown = !is_same;
        is_news = has_grown || chain.renewed_since_s(&old).is_some_and(|newer_s| newer_s >= RENEWAL_S);
        let old = old.verify_entries(unix_now).map_err(|_| Refusal::Chain)?;
        adds_itself = !old.devices().any(|known| known == *device);
    }
    let revoked = chain.revoked().to_vec();
    Ok(Registration { name: handle.name().to_owned(), is_news, has_grown, adds_itself, revoked })
}

/// Envelopes that their devices have not acknowledged yet. In memory only.
#[derive(Debug, Default)]
pub struct Mailbox {
    held: HashMap<DeviceId, VecDeque<Held>>,
    count: usize,
    /// Of them, strangers'.
    of_strangers: usize,
}

#[derive(Debug)]
struct Held {
    number: u64,
    since: Timestamp,
    envelope: Zeroizing<Vec<u8>>,
    of_stranger: bool,
}

impl Mailbox {
    /// Keeps an envelope until it is acknowledged, for at most [`HOLD`]. Its `number` is random.
    pub fn hold(
        &mut self,
        device: DeviceId,
        number: u64,
        envelope: Zeroizing<Vec<u8>>,
        of_stranger: bool,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if envelope.len() != ENVELOPE_LEN {
            return Err(Refusal::Invalid);
        }
        self.expire(now);
        let alike = |held: &&Held| held.of_stranger == of_stranger;
        let waiting = self.held.get(&device).map_or(0, |held| held.iter().filter(alike).count());
        let (count, most, most_at_all) = if of_stranger {
            (self.of_strangers, MAX_HELD_OF_STRANGERS, MAX_HELD_OF_ALL_STRANGERS)
        } else {
            (self.count - self.of_strangers, MAX_HELD_PER_DEVICE, MAX_HELD)
        };
        if count >= most_at_all || waiting >= most {
            return Err(Refusal::Quota);
        }
        self.held.entry(device).or_default().push_back(Held { number, since: now, envelope, of_stranger });
        self.count += 1;
        self.of_strangers += usize::from(of_stranger);
        Ok(())
    }

    /// What a device that has connected has not acknowledged, in the order it came. It stays here.
    pub fn waiting(&mut self, device: &DeviceId, now: Timestamp) -> Vec<(u64, Vec<u8>)> {
        self.expire(now);
        let held = self.held.get(device).into_iter().flatten();
        held.map(|held| (held.number, held.envelope.to_vec())).collect()
    }

    /// The device has this envelope: it is forgotten. False if there is none such.
    pub fn acknowledge(&mut self, device: &DeviceId, number: u64) -> bool {
        self.forget(device, |held| held.number == number) > 0
    }

    /// Forgets all that waits for a device.
    pub fn empty(&mut self, device: &DeviceId) {
        self.forget(device, |_| true);
    }

    /// Forgets what has waited for too long. Gives how many wait still.
    pub fn expire(&mut self, now: Timestamp) -> usize {
        self.held.retain(|_, held| {
            while let Some(old) = held.pop_front_if(|held| now.since(held.since) >= HOLD) {
                self.count -= 1;
                self.of_strangers -= usize::from(old.of_stranger);
            }
            !held.is_empty()
        });
        self.count
    }

    fn forget(&mut self, device: &DeviceId, is_done: impl Fn(&Held) -> bool) -> usize {
        let Some(held) = self.held.get_mut(device) else { return 0 };
        let before = held.len();
        held.retain(|held| {
            let done = is_done(held);
            self.of_strangers -= usize::from(done && held.of_stranger);
            !done
        });
        let forgotten = before - held.len();
        self.count -= forgotten;
        if held.is_empty() {
            self.held.remove(device);
        }
        forgotten
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
    fn whoever_is_behind_is_told_and_a_fork_is_not() {
        let first = chain(1, 2);
        let longer = first.with_device(card(3), &key(1), NOW).verify(NOW).unwrap();
        let behind = |chain: &Chain, kept: &Chain| is_behind(&chain.encode(), &kept.encode(), NOW);
        assert!(behind(first.chain(), longer.chain()));
        assert!(behind(&first.with_fresh_head(&key(2), NOW + 60), longer.chain()), "a newer head is no newer chain");
        assert!(!behind(longer.chain(), first.chain()) && !behind(first.chain(), first.chain()));
        assert!(!behind(chain(3, 2).chain(), longer.chain()));
        let by_root = longer.without_device(card(3).signing, &key(1), NOW).verify(NOW).unwrap();
        let by_device = longer.without_device(card(2).signing, &key(3), NOW).verify(NOW).unwrap();
        assert!(behind(by_device.chain(), by_root.chain()) && !behind(by_root.chain(), by_device.chain()));
        assert_eq!(check(2, by_root.chain(), Some(&by_device), "example.org"), Ok("alice".into()));
        assert_eq!(check(3, by_device.chain(), Some(&by_root), "example.org"), Err(Refusal::Chain));
    }

    #[test]
    fn a_device_whose_clock_is_behind_is_let_in_and_changes_nothing() {
        let first = chain(1, 2);
        let ahead = first.with_fresh_head(&key(2), NOW + 1800).encode();
        let known = check_registration(&card(2).signing, &first.chain().encode(), Some(&ahead), "example.org", NOW);
        let known = known.unwrap();
        assert_eq!((known.is_news, known.has_grown, known.adds_itself), (false, false, false));
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

    fn envelope(fill: u8) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(vec![fill; ENVELOPE_LEN])
    }

    #[test]
    fn envelopes_wait_for_45_seconds_and_not_in_any_number() {
        let start = Timestamp::from_nanos(1);
        let mut mailbox = Mailbox::default();
        assert_eq!(mailbox.hold([1; 32], 0, Zeroizing::new(vec![0; 10]), false, start), Err(Refusal::Invalid));
        for number in 0..MAX_HELD_PER_DEVICE {
            mailbox.hold([1; 32], number as u64, envelope(number as u8), false, start).unwrap();
        }
        assert_eq!(mailbox.hold([1; 32], 99, envelope(0), false, start), Err(Refusal::Quota));
        mailbox.hold([2; 32], 100, envelope(0), false, start + Duration::from_secs(1)).unwrap();
        assert_eq!(mailbox.waiting(&[1; 32], start + Duration::from_secs(44)).len(), MAX_HELD_PER_DEVICE);
        assert!(mailbox.waiting(&[1; 32], start + HOLD).is_empty());
        assert_eq!(mailbox.expire(start + Duration::from_secs(46)), 0);
    }

    #[test]
    fn an_envelope_waits_until_its_own_device_has_it() {
        let start = Timestamp::from_nanos(1);
        let mut mailbox = Mailbox::default();
        for (number, device) in [(7, 1), (8, 1), (9, 2)] {
            mailbox.hold([device; 32], number, envelope(number as u8), false, start).unwrap();
        }
        assert!(!mailbox.acknowledge(&[2; 32], 7), "another device's");
        assert!(mailbox.acknowledge(&[1; 32], 7) && !mailbox.acknowledge(&[1; 32], 7));
        let numbers = |mailbox: &mut Mailbox, device| {
            mailbox.waiting(&[device; 32], start).into_iter().map(|(number, _)| number).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&mut mailbox, 1), [8]);
        assert_eq!(numbers(&mut mailbox, 1), [8], "looking does not take it away");
        mailbox.empty(&[1; 32]);
        assert_eq!((numbers(&mut mailbox, 1), numbers(&mut mailbox, 2), mailbox.expire(start)), (vec![], vec![9], 1));
    }
}
