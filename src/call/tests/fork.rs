//! The relay shows the sides different changes of the keys, with the help of the member whose turn it is: both of them end the
//! call and say why, and until then neither opens what the other seals.

use super::*;

/// A call in which the keys were changed, alice's or bob's way; the one whose turn it was comes first.
fn after_a_change_of_keys(forked: bool) -> (Side, Side) {
    let (mut alice, mut bob) = in_call();
    let now = at(1.1) + REFRESH;
    for side in [&mut alice, &mut bob] {
        side.machine.handle_timeout(now - Duration::from_millis(1));
    }
    carry(&mut alice, &mut bob, now);
    let both = alice.machine.refresh_two_ways(now);
    let (mut committer, mut other, (own, another)) = if let Some(commits) = both {
        (alice, bob, commits)
    } else {
        let commits = bob.machine.refresh_two_ways(now).expect("it is the turn of one of them");
        (bob, alice, commits)
    };
    other.machine.handle_message(if forked { another } else { own }, now);
    for side in [&mut committer, &mut other] {
        side.work();
    }
    (committer, other)
}

/// Lets both go on for some seconds, with what they have to say to each other.
fn go_on(one: &mut Side, other: &mut Side) {
    for tenth in 0..40 {
        let now = at(1.2 + f64::from(tenth) / 10.0) + REFRESH;
        for side in [&mut *one, &mut *other] {
            side.machine.handle_timeout(now);
        }
        carry(one, other, now);
    }
}

#[test]
fn sides_that_were_led_into_different_groups_end_the_call_with_a_named_fault() {
    let (mut committer, mut other) = after_a_change_of_keys(true);
    let epochs = [&committer, &other].map(|side| *side.opening.last().unwrap());
    assert_eq!(epochs[0], epochs[1], "the numbers are the same");
    go_on(&mut committer, &mut other);
    for side in [&committer, &other] {
        assert!(matches!(&side.ended[..], [Outcome::Fault(_)]), "{:?}", side.ended);
    }
}

#[test]
fn sides_that_were_shown_the_same_change_go_on() {
    let (mut committer, mut other) = after_a_change_of_keys(false);
    go_on(&mut committer, &mut other);
    assert!(committer.is_active() && other.is_active(), "{:?} {:?}", committer.ended, other.ended);
    assert_eq!(committer.sealing.last(), other.sealing.last());
}
