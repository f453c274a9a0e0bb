//! People are added, renamed, blocked and kept; their keys change, and their tokens come and go.

use super::*;
use crate::crypto::chain::{Chain, DeviceCard};
use ed25519_dalek::SigningKey;

const UNIX: u64 = 1_800_000_000;

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

/// Bob's account under this root.
fn bob(root: u8) -> VerifiedChain {
    let device = key(root + 100);
    let card = DeviceCard { signing: device.verifying_key().to_bytes(), sealing: [root; 32] };
    Chain::create("bob@example.org", &key(root), card, &device, UNIX).verify(UNIX).unwrap()
}

const OWN: &str = "alice@example.org";

fn empty() -> (tempfile::TempDir, Profile, Contacts) {
    let folder = tempfile::tempdir().unwrap();
    let profile = Profile::open(folder.path()).unwrap();
    let contacts = Contacts::load(&profile).unwrap();
    (folder, profile, contacts)
}

#[test]
fn contacts_are_kept_under_their_names() {
    let (_folder, profile, mut contacts) = empty();
    contacts.add(&profile, " Bob@Example.org ", OWN).unwrap();
    contacts.add(&profile, "zoe@example.org", OWN).unwrap();
    contacts.rename(&profile, "zoe@example.org", "  Aunt Zoë\n").unwrap();
    let again = Contacts::load(&profile).unwrap();
    for contacts in [&contacts, &again] {
        let names: Vec<_> = contacts.view().iter().map(|contact| contact.name.clone()).collect();
        assert_eq!(names, ["Aunt Zoë", "bob"]);
    }
    contacts.rename(&profile, "zoe@example.org", " ").unwrap();
    assert_eq!(contacts.peer("zoe@example.org", None).name, "zoe");
    contacts.remove(&profile, "bob@example.org").unwrap();
    assert_eq!(Contacts::load(&profile).unwrap().view().len(), 1);
}

#[test]
fn what_cannot_be_a_contact_is_said() {
    let (_folder, profile, mut contacts) = empty();
    let mut add = |handle: &str| contacts.add(&profile, handle, OWN);
    assert!(matches!(add("bob"), Err(ContactError::Handle(_))));
    assert!(matches!(add(OWN), Err(ContactError::Oneself)));
    add("bob@example.org").unwrap();
    assert!(matches!(add("BOB@example.org"), Err(ContactError::Known(_))));
}

#[test]
fn the_first_root_is_kept_and_another_one_is_not_believed() {
    let (_folder, profile, mut contacts) = empty();
    let [bob, other] = [1, 2].map(bob);
    let found = |contacts: &mut Contacts, chain| contacts.check_found(&profile, chain).unwrap();
    assert_eq!(found(&mut contacts, &other), Standing::Good, "a stranger has no kept key");
    contacts.add(&profile, "bob@example.org", OWN).unwrap();
    assert_eq!(contacts.judge_shown(&other), Standing::Good);
    assert_eq!(found(&mut contacts, &bob), Standing::Good, "what a letter shows is not kept");
    assert_eq!(contacts.judge_shown(&other), Standing::OtherRoot);
    assert!(!contacts.view()[0].key_changed, "anybody can write such a letter");
    assert_eq!(found(&mut contacts, &other), Standing::OtherRoot);
    let mut again = Contacts::load(&profile).unwrap();
    assert!(again.view()[0].key_changed);
    assert!(again.peer("bob@example.org", Some(&other.root())).key_changed);
    assert!(!again.peer("bob@example.org", Some(&bob.root())).key_changed);
    assert_eq!(found(&mut again, &other), Standing::OtherRoot);
    again.trust_new_key(&profile, "bob@example.org").unwrap();
    assert_eq!(found(&mut again, &other), Standing::Good);
    assert_eq!(found(&mut again, &bob), Standing::OtherRoot);
}

#[test]
fn a_chain_that_hides_an_entry_once_seen_is_not_believed() {
    let (_folder, profile, mut contacts) = empty();
    contacts.add(&profile, "bob@example.org", OWN).unwrap();
    let (old, root, device) = (bob(1), key(1), key(101));
    let card = DeviceCard { signing: key(9).verifying_key().to_bytes(), sealing: [9; 32] };
    let added = old.with_device(card, &root, UNIX).verify(UNIX).unwrap();
    let revoked = added.without_device(card.signing, &device, UNIX).verify(UNIX).unwrap();
    let fork = added.without_device(old.cards()[0].signing, &key(9), UNIX).verify(UNIX).unwrap();
    assert_eq!(contacts.check_found(&profile, &old).unwrap(), Standing::Good);
    assert_eq!(contacts.judge_shown(&revoked), Standing::Good);
    assert!(contacts.has_seen(&old) && !contacts.has_seen(&revoked), "a letter alone is no news");
    assert_eq!(contacts.check_found(&profile, &added).unwrap(), Standing::Good);
    assert_eq!(contacts.check_found(&profile, &revoked).unwrap(), Standing::Good);
    let mut again = Contacts::load(&profile).unwrap();
    for cut in [&old, &added, &fork] {
        assert_eq!(again.check_found(&profile, cut).unwrap(), Standing::Cut);
        assert_eq!(again.judge_shown(cut), Standing::Cut);
    }
    assert_eq!(again.check_found(&profile, &revoked).unwrap(), Standing::Good);
}

#[test]
fn a_thiefs_branch_once_seen_does_not_outlast_the_roots_word() {
    let (_folder, profile, mut contacts) = empty();
    contacts.add(&profile, "bob@example.org", OWN).unwrap();
    let (first, root, thief) = (bob(1), key(1), key(9));
    let card = DeviceCard { signing: thief.verifying_key().to_bytes(), sealing: [9; 32] };
    let both = first.with_device(card, &root, UNIX).verify(UNIX).unwrap();
    let stolen = both.without_device(first.cards()[0].signing, &thief, UNIX).verify(UNIX).unwrap();
    let mended = both.without_device(card.signing, &root, UNIX).verify(UNIX).unwrap();
    for (chain, standing) in [
        (&both, Standing::Good),
        (&stolen, Standing::Good),
        (&both, Standing::Cut),
        (&mended, Standing::Good),
        (&stolen, Standing::Cut),
        (&both, Standing::Cut),
        (&mended, Standing::Good),
    ] {
        assert_eq!(contacts.check_found(&profile, chain).unwrap(), standing);
    }
}

#[test]
fn presence_is_asked_for_in_turn_and_only_at_the_own_server() {
    let (_folder, profile, mut contacts) = empty();
    assert!(contacts.names_to_ask("example.org").is_empty());
    contacts.add(&profile, "far@example.net", OWN).unwrap();
    for number in 0..MAX_PRESENCE_NAMES + 5 {
        contacts.add(&profile, &format!("p{number}@example.org"), OWN).unwrap();
    }
    let first = contacts.names_to_ask("example.org");
    let second = contacts.names_to_ask("example.org");
    assert_eq!(first.len(), MAX_PRESENCE_NAMES);
    assert!(second.contains(&format!("p{}", MAX_PRESENCE_NAMES + 4)));
    assert!(!first.iter().chain(&second).any(|name| name == "far"));
    contacts.handle_presence("p1@example.org", true);
    contacts.handle_presence("stranger@example.org", true);
    let online = |contacts: &Contacts| contacts.view().iter().filter(|c| c.presence == Presence::Online).count();
    assert_eq!(online(&contacts), 1);
    contacts.forget_presence();
    assert_eq!(online(&contacts), 0);
}
