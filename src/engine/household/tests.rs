//! Devices that decide apart from each other, and agree afterwards.

use data_encoding::BASE32_NOPAD;

use super::*;

const OWN: &str = "alice@example.org";

/// What one device of an account has.
struct Device {
    profile: Profile,
    contacts: Contacts,
    door: Door,
    household: Household,
    founding: bool,
    _folder: tempfile::TempDir,
}

impl Device {
    fn new(founding: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let profile = Profile::open(folder.path()).unwrap();
        let door = Door::load(&profile, &mut rand::rng()).unwrap();
        let mut device = Self {
            contacts: Contacts::default(),
            door,
            household: Household::default(),
            profile,
            founding,
            _folder: folder,
        };
        device.observe(0);
        device
    }

    fn add(&mut self, handle: &str) {
        self.contacts.add(&self.profile, handle, OWN).unwrap();
    }

    fn observe(&mut self, unix_now: u64) -> Vec<Fact> {
        self.household.observe(&self.profile, &self.contacts, &self.door, self.founding, unix_now).unwrap()
    }

    fn take(&mut self, messages: Vec<Vec<u8>>) -> Compare {
        let mut compare = Compare::No;
        for message in messages {
            assert!(message.len() <= PORTION_BYTES + 100);
            let message = Message::decode(&message).unwrap();
            compare = message.compare;
            self.household.take_over(&self.profile, &mut self.contacts, &mut self.door, message).unwrap();
            assert_eq!(self.observe(u64::MAX - 1), [], "what was taken over is no decision of this device");
        }
        compare
    }

    fn handles(&self) -> Vec<String> {
        self.contacts.view().iter().map(|contact| contact.handle.clone()).collect()
    }
}

/// `back` comes online: how many letters that takes.
fn compare(back: &mut Device, there: &mut Device) -> usize {
    let question = there.take(back.household.question());
    let answer = there.household.answer(question);
    let asked_back = back.take(answer.clone());
    let last = back.household.answer(asked_back);
    assert_eq!(there.take(last.clone()), Compare::No);
    1 + answer.len() + last.len()
}

fn root(number: u8) -> String {
    BASE32_NOPAD.encode(&[number; 32])
}

#[test]
fn devices_that_were_both_away_hold_the_same_afterwards_and_the_later_decision_counts() {
    let (mut one, mut two) = (Device::new(true), Device::new(false));
    for number in 0..160 {
        one.add(&format!("friend-{number}@example.org"));
    }
    one.observe(10);
    two.add("zoe@example.org");
    two.add("friend-7@example.org");
    two.contacts.rename(&two.profile, "friend-7@example.org", "Seven").unwrap();
    two.observe(20);
    assert!(compare(&mut two, &mut one) > 4, "so many contacts do not fit into one letter");
    assert_eq!(one.household.digest(), two.household.digest());
    assert_eq!((one.handles().len(), one.contacts.view()), (161, two.contacts.view()));
    assert_eq!(one.contacts.peer("friend-7@example.org", None).name, "Seven", "decided later");
    assert_eq!(two.door.link_token(), one.door.link_token(), "the first device's link has been given away");
    assert_eq!(compare(&mut one, &mut two), 1, "nothing is left to say");

    // Removed here, renamed there before that.
    one.contacts.remove(&one.profile, "zoe@example.org").unwrap();
    two.contacts.rename(&two.profile, "zoe@example.org", "Aunt Zoe").unwrap();
    two.observe(30);
    one.observe(31);
    two.door.renew_link(&two.profile, &mut rand::rng()).unwrap();
    two.observe(32);
    compare(&mut one, &mut two);
    assert!(!one.contacts.has("zoe@example.org") && !two.contacts.has("zoe@example.org"));
    assert_eq!(one.door.token_hashes(), two.door.token_hashes());

    // A device that was closed meanwhile knows what it knew.
    one.household = Household::load(&one.profile).unwrap();
    assert_eq!(one.household.digest(), two.household.digest());
    assert_eq!(one.observe(40), []);
}

#[test]
fn whoever_is_shut_out_on_one_device_is_shut_out_on_all_until_one_lets_them_in() {
    let (mut one, mut two) = (Device::new(true), Device::new(false));
    let eve = "eve@example.org";
    one.door.note_request(&one.profile, eve, &[5; 32], true, 10).unwrap();
    two.door.note_request(&two.profile, eve, &[5; 32], true, 10).unwrap();
    one.door.block(&one.profile, eve, None, &mut rand::rng()).unwrap();
    let news = one.observe(50);
    two.take(portions(news, Compare::No));
    assert!(two.door.is_blocked(eve, &[5; 32]) && two.door.requests().is_empty());
    two.door.unblock(&two.profile, eve).unwrap();
    let news = two.observe(50);
    one.take(portions(news, Compare::No));
    assert!(!one.door.is_blocked(eve, &[5; 32]), "a later decision, by a clock that says the same second");
}

#[test]
fn another_key_of_a_contact_is_not_believed_because_another_device_does() {
    let (mut one, mut two) = (Device::new(true), Device::new(false));
    let bob = "bob@example.org";
    one.contacts.add_confirmed(&one.profile, bob, root(1), OWN).unwrap();
    two.contacts.add_confirmed(&two.profile, bob, root(2), OWN).unwrap();
    one.observe(10);
    two.observe(20);
    compare(&mut one, &mut two);
    assert!(one.contacts.is_undecided(bob) && !two.contacts.is_undecided(bob));
    assert_eq!(one.contacts.root_of(bob), Some(Some(root(1))));
    // The person decides for the first key: now the other device asks, too.
    one.contacts.keep_old_key(&one.profile, bob).unwrap();
    let news = one.observe(30);
    two.take(portions(news, Compare::No));
    assert!(two.contacts.is_undecided(bob));
    two.contacts.trust_new_key(&two.profile, bob).unwrap();
    assert_eq!(two.observe(40), [], "both hold the same");
    assert_eq!(two.contacts.root_of(bob), Some(Some(root(1))));
}

#[test]
fn what_cannot_be_or_has_no_room_is_not_taken_over_and_undoes_nothing() {
    let (mut one, mut two) = (Device::new(true), Device::new(false));
    assert_eq!(Message::decode(b"\xff\xff\xff\xff\xff"), None);
    let person = |name: Option<&str>, key: Option<String>, verified| Person::for_test(name, key, verified);
    let good = Decision::Contact(person(None, None, false));
    for (about, decision) in [
        (Subject::Contact("not a handle".into()), good.clone()),
        (Subject::Contact("Bob@Example.org".into()), good.clone()),
        (Subject::Contact("bob@example.org".into()), Decision::ShutOut),
        (Subject::Contact("bob@example.org".into()), Decision::Contact(person(Some("a\u{1b}b"), None, false))),
        (Subject::Contact("bob@example.org".into()), Decision::Contact(person(None, Some("key".into()), false))),
        (Subject::Contact("bob@example.org".into()), Decision::Contact(person(None, None, true))),
        (Subject::Block("bob@example.org".into(), Some("key".into())), Decision::ShutOut),
        (Subject::Tokens, Decision::Nothing),
    ] {
        let before = two.household.digest();
        two.take(portions(vec![Fact { about: about.clone(), decided_s: 99, decision }], Compare::No));
        assert_eq!(two.household.digest(), before, "{about:?}");
    }

    for number in 0..MAX_CONTACTS {
        let about = Subject::Contact(format!("friend-{number}@example.org"));
        let fact = Fact { about, decided_s: 5, decision: good.clone() };
        one.household.facts.extend([entry(fact)]);
    }
    two.add("own@example.org");
    two.observe(6);
    two.take(one.household.everything());
    assert_eq!(two.handles().len(), MAX_CONTACTS);
    assert_eq!(two.observe(7), [], "nobody is removed elsewhere for want of room here");
}
