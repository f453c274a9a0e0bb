//! A relay and a member of the call together lead the sides into different groups: two commits for one epoch, each shown to
//! one side. Nobody hears anybody any more, and the call ends: `src/call/tests/fork.rs`.

use ed25519_dalek::SigningKey;

use super::bare_member::{Bare, frame};

#[test]
fn of_two_commits_for_one_epoch_each_side_follows_one_and_neither_hears_the_other_any_more() {
    let keys = [1, 2].map(|number| SigningKey::from_bytes(&[number; 32]));
    for (forked, same) in [(true, false), (false, true)] {
        let (mut ours, mut theirs) = Bare::called_by(&keys[0], &keys[1]);
        let mut twin = theirs.copy();
        let shown = theirs.refresh();
        // The insider keeps another state of the same epoch than the one whose commit the relay shows to us.
        let insider = if forked { &mut twin } else { &mut theirs };
        if forked {
            insider.refresh();
        }
        ours.handle_refresh(&shown).unwrap();
        let (epoch, sealed) = frame(&ours);
        assert_eq!(insider.mls.epoch().as_u64(), epoch.0, "the same number");
        let agrees = insider.mls.epoch_authenticator().as_slice() == ours.authenticator().as_slice();
        assert_eq!([insider.opens(epoch, &sealed), agrees], [same; 2]);
        assert_eq!(ours.open_note(&insider.note(b"note")).is_ok(), same);
    }
}
