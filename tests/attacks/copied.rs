//! Somebody has copied the whole memory of one side of a call, and sees every packet from then on: it lasts until that side's
//! own next refresh of the keys.

use ed25519_dalek::SigningKey;

use super::bare_member::{Bare, frame};

#[test]
fn a_copy_of_one_sides_memory_opens_frames_until_that_sides_own_refresh_and_none_from_then_on() {
    let keys = [1, 2].map(|number| SigningKey::from_bytes(&[number; 32]));
    let (mut ours, mut theirs) = Bare::called_by(&keys[0], &keys[1]);
    // Epoch 1 is theirs to end. Frames of before the copy are on record.
    let (first, before) = frame(&ours);
    ours.handle_refresh(&theirs.refresh()).unwrap();

    let mut thief = theirs.copy();
    let (epoch, sealed) = frame(&ours);
    assert!(thief.opens(epoch, &sealed), "the copy is a whole one");
    assert!(!thief.opens(first, &before), "what was said before it is not in it");

    // Our refresh alone shuts nobody out: it is sealed to the keys that were copied.
    let commit = ours.refresh().unwrap();
    assert!(theirs.follows(&commit) && thief.follows(&commit));
    let (epoch, sealed) = frame(&ours);
    assert!(theirs.opens(epoch, &sealed) && thief.opens(epoch, &sealed));

    // Theirs does, though the thief holds every key that they had and sees the commit.
    let commit = theirs.refresh();
    ours.handle_refresh(&commit).unwrap();
    assert!(!thief.follows(&commit));
    for _ in 0..4 {
        let (epoch, sealed) = frame(&ours);
        assert!(theirs.opens(epoch, &sealed) && !thief.opens(epoch, &sealed));
        let commit = if ours.is_committer() {
            let commit = ours.refresh().unwrap();
            assert!(theirs.follows(&commit));
            commit
        } else {
            let commit = theirs.refresh();
            ours.handle_refresh(&commit).unwrap();
            commit
        };
        assert!(!thief.follows(&commit));
    }
}
