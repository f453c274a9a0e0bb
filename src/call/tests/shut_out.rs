//! A device that its owner has shut out: what it rings, answers and may still say.

use super::*;

#[test]
fn a_device_that_was_shut_out_accepts_nothing() {
    let (mut alice, mut bob) = pair();
    let root = ephemeral_key(&mut rand::rng());
    let second = Side::new("second");
    let old = Chain::create("bob@example.org", &root, bob.card(), bob.identity.device(), UNIX).verify(UNIX).unwrap();
    let old = old.with_device(second.card(), &root, UNIX).verify(UNIX).unwrap();
    let new = old.without_device(bob.card().signing, &root, UNIX).verify(UNIX).unwrap();
    // Both rang before one was shut out; the server, or the thief, passes the letter on all the same.
    for (chain, is_taken) in [(&new, false), (&old, true)] {
        let dial = Dial { call: CallId([1; 16]), room: [1; 32], path_key: [1; 32], peer: chain.clone(), video: true };
        assert!(alice.machine.dial(dial, UserConsent::given_by_person(), at(0.0)));
        bob.machine = Machine::new(bob.identity.device().clone());
        carry_from(&mut alice, &mut bob, at(0.1));
        alice.work();
        carry_from(&mut alice, &mut bob, at(0.1));
        bob.accept(at(1.0));
        bob.work();
        for (call, content) in std::mem::take(&mut bob.letters) {
            alice.machine.handle_letter(
                Opened { chain: old.clone(), device: bob.card(), call, content, pass: Pass::default() },
                at(1.1),
            );
        }
        assert_eq!(matches!(alice.machine.state().0, State::Keyed(_)), is_taken);
        alice.machine.hang_up(at(2.0));
        alice.work();
        alice.letters.clear();
    }
}

/// Bob's account with a second device, before and after his first was shut out, and a letter of the first that rings alice.
fn shut_out(bob: &Side) -> (VerifiedChain, VerifiedChain, Opened) {
    let root = ephemeral_key(&mut rand::rng());
    let second = Side::new("second");
    let old = Chain::create("bob@example.org", &root, bob.card(), bob.identity.device(), UNIX).verify(UNIX).unwrap();
    let old = old.with_device(second.card(), &root, UNIX).verify(UNIX).unwrap();
    let new = old.without_device(bob.card().signing, &root, UNIX).verify(UNIX).unwrap();
    let content = Content::Invitation { video: true, room: [9; 32], path_key: [9; 32] };
    let (chain, call) = (old.clone(), CallId([0; 16]));
    let rings = Opened { chain, device: bob.card(), call, content, pass: Pass::default() };
    (old, new, rings)
}

#[test]
fn a_device_that_was_shut_out_is_not_answered_by_calling_its_owner() {
    let (_, bob) = pair();
    let (old, new, rings) = shut_out(&bob);
    for (found, is_answered) in [(&new, false), (&old, true)] {
        for rings_first in [false, true] {
            let mut alice = Side::new("alice");
            let dial =
                Dial { call: CallId([1; 16]), room: [1; 32], path_key: [1; 32], peer: found.clone(), video: true };
            if rings_first {
                alice.machine.handle_letter(rings.clone(), at(0.0));
            }
            assert!(alice.machine.dial(dial, UserConsent::given_by_person(), at(0.1)));
            if !rings_first {
                alice.machine.handle_letter(rings.clone(), at(0.2));
            }
            alice.work();
            let has_said_yes = alice.letters.iter().any(|(_, content)| matches!(content, Content::Accept { .. }));
            let state = alice.machine.state().0;
            assert_eq!((has_said_yes, alice.joined == 1), (is_answered, is_answered), "{rings_first} {state:?}");
            assert_eq!(matches!(state, State::Calling(_)), !is_answered, "it rings the device that is left");
        }
    }
}

#[test]
fn a_device_that_was_shut_out_stops_ringing_when_that_is_heard_of() {
    let (mut alice, bob) = pair();
    let (old, new, rings) = shut_out(&bob);
    alice.machine.handle_letter(rings, at(0.0));
    for (chain, rings_on) in [(&old, true), (&new, false)] {
        alice.machine.handle_peer_chain(chain, at(1.0));
        assert_eq!(matches!(alice.machine.state().0, State::Ringing(_)), rings_on);
    }
}
