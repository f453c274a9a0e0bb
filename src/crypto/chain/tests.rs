//! Chains that grow, shrink and fork, and those that somebody has changed.

use super::*;
use proptest::prelude::*;

const NOW: u64 = 1_800_000_000;

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn card(number: u8) -> DeviceCard {
    DeviceCard { signing: key(number).verifying_key().to_bytes(), sealing: [number; 32] }
}

fn chain() -> VerifiedChain {
    Chain::create("alice@example.org", &key(1), card(2), &key(2), NOW).verify(NOW).unwrap()
}

#[test]
fn a_chain_survives_its_bytes_and_names_its_device() {
    let decoded = Chain::decode(&chain().chain().encode()).unwrap().verify(NOW).unwrap();
    assert_eq!(decoded, chain());
    assert_eq!(decoded.devices().collect::<Vec<_>>(), [card(2).signing]);
}

#[test]
fn a_revoked_device_is_no_longer_active_and_cannot_sign_the_head() {
    let two = chain().with_device(card(3), &key(1), NOW).verify(NOW).unwrap();
    assert_eq!(two.devices().count(), 2);
    let one = two.without_device(card(2).signing, &key(3), NOW).verify(NOW).unwrap();
    assert_eq!(one.cards(), [card(3)]);
    assert!(one.extends(&two) && !two.extends(&one));
    assert_eq!(one.with_fresh_head(&key(2), NOW).verify(NOW), Err(ChainError::Unauthorised));
}

#[test]
fn only_the_root_adds_devices() {
    let forged = chain().with_device(card(3), &key(2), NOW);
    assert_eq!(forged.verify(NOW), Err(ChainError::Unauthorised));
    let stranger = chain().without_device(card(2).signing, &key(9), NOW);
    assert_eq!(stranger.verify(NOW), Err(ChainError::Unauthorised));
}

#[test]
fn what_a_device_has_revoked_the_root_may_bring_back_and_what_the_root_has_revoked_nobody() {
    let two = chain().with_device(card(3), &key(1), NOW).verify(NOW).unwrap();
    // The device 3 is stolen, and throws the owner's out.
    let stolen = two.without_device(card(2).signing, &key(3), NOW).verify(NOW).unwrap();
    assert_eq!(stolen.revoked(), [card(2).signing]);
    let back = stolen.with_device(card(2), &key(1), NOW).verify(NOW).unwrap();
    let mended = back.without_device(card(3).signing, &key(1), NOW).verify(NOW).unwrap();
    assert_eq!((mended.cards(), mended.revoked()), (&[card(2)][..], &[card(3).signing][..]));
    let again = mended.with_device(card(3), &key(1), NOW);
    assert_eq!(again.verify(NOW), Err(ChainError::Unauthorised), "what the root has revoked stays so");
    let other_seal = DeviceCard { sealing: [9; 32], ..card(2) };
    assert_eq!(stolen.with_device(other_seal, &key(1), NOW).verify(NOW), Err(ChainError::Unauthorised));
    // The root's word about a device that another one had revoked is the last one.
    let final_word = stolen.without_device(card(2).signing, &key(1), NOW).verify(NOW).unwrap();
    assert_eq!(final_word.with_device(card(2), &key(1), NOW).verify(NOW), Err(ChainError::Unauthorised));
}

#[test]
fn nobody_is_revoked_twice_so_that_no_device_fills_the_chain() {
    let two = chain().with_device(card(3), &key(1), NOW).verify(NOW).unwrap();
    let one = two.without_device(card(2).signing, &key(3), NOW).verify(NOW).unwrap();
    for device in [card(2).signing, card(9).signing] {
        assert_eq!(one.without_device(device, &key(3), NOW).verify(NOW), Err(ChainError::Unauthorised));
    }
}

#[test]
fn of_two_chains_that_part_the_roots_goes_on() {
    let two = chain().with_device(card(3), &key(1), NOW).verify(NOW).unwrap();
    let by_device = two.without_device(card(2).signing, &key(3), NOW).verify(NOW).unwrap();
    let by_root = two.without_device(card(3).signing, &key(1), NOW).verify(NOW).unwrap();
    assert!(by_root.succeeds(by_device.chain()) && !by_device.succeeds(by_root.chain()));
    let longer = by_device.without_device(card(3).signing, &key(3), NOW).with_head(&key(1), NOW);
    let longer = longer.verify(NOW).unwrap();
    assert!(by_root.succeeds(longer.chain()) && !longer.succeeds(by_root.chain()), "length does not outrank");
    let also_root = two.with_device(card(4), &key(1), NOW).verify(NOW).unwrap();
    assert!(!also_root.succeeds(by_root.chain()) && !by_root.succeeds(also_root.chain()));
    assert!(by_root.succeeds(two.chain()) && !two.succeeds(by_root.chain()));
    let other = Chain::create("alice@example.org", &key(7), card(2), &key(2), NOW).verify(NOW).unwrap();
    assert!(!by_root.succeeds(other.chain()) && !other.succeeds(by_root.chain()));
}

#[test]
fn a_head_is_never_signed_older_than_the_one_before() {
    let ahead = chain().with_fresh_head(&key(2), NOW + 100).verify(NOW).unwrap();
    assert_eq!(ahead.with_fresh_head(&key(2), NOW).verify(NOW).unwrap().head_time(), NOW + 100);
}

#[test]
fn the_entries_of_the_own_chain_do_not_lapse_but_its_future_is_not_believed() {
    let chain = chain().chain().clone();
    assert!(chain.clone().verify_entries(NOW + 10 * MAX_HEAD_AGE_S).is_ok());
    assert_eq!(chain.verify_entries(NOW - MAX_CLOCK_AHEAD_S - 1), Err(ChainError::Future));
}

#[test]
fn stale_and_future_heads_are_refused() {
    let chain = chain().chain().clone();
    assert!(chain.clone().verify(NOW + MAX_HEAD_AGE_S).is_ok());
    assert_eq!(chain.clone().verify(NOW + MAX_HEAD_AGE_S + 1), Err(ChainError::Stale));
    assert_eq!(chain.verify(NOW - MAX_CLOCK_AHEAD_S - 1), Err(ChainError::Future));
}

#[test]
fn there_is_always_room_to_shut_a_device_out() {
    let mut grown = chain();
    let mut added = 0;
    let refused = loop {
        match grown.with_device(card(100 + added), &key(1), NOW).verify(NOW) {
            Ok(longer) => grown = longer,
            Err(error) => break error,
        }
        added += 1;
    };
    assert_eq!((refused, grown.length()), (ChainError::Length, MAX_ENTRIES / 2));
    for device in grown.devices().collect::<Vec<_>>() {
        grown = grown.without_device(device, &key(1), NOW).with_head(&key(1), NOW).verify(NOW).unwrap();
    }
    assert_eq!((grown.length(), grown.devices().count()), (MAX_ENTRIES, 0));
}

#[test]
fn a_truncated_or_forked_chain_does_not_extend() {
    let two = chain().with_device(card(3), &key(1), NOW).verify(NOW).unwrap();
    let fork = chain().with_device(card(4), &key(1), NOW).verify(NOW).unwrap();
    assert!(!fork.extends(&two) && !chain().extends(&two) && two.extends(&chain()));
    assert_eq!((two.link(1), two.link(0), two.link(3)), (chain().link(1), None, None));
    assert_ne!(two.link(2), fork.link(2));
}

proptest! {
    #[test]
    fn any_bytes_give_a_chain_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Chain::decode(&bytes).map(|chain| chain.verify(NOW));
    }

    #[test]
    fn no_changed_byte_passes(at in 0_usize..300, flip in 1_u8..) {
        let mut bytes = chain().chain().encode();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        prop_assert!(Chain::decode(&bytes).and_then(|chain| chain.verify(NOW)).is_err());
    }
}
