//! Between the yes and the first picture: who ends it, who may end it, and proofs that do not come or are false.

use super::*;

/// Alice rings bob, who has accepted: his answer is on its way.
fn accepted() -> (Side, Side) {
    let (mut alice, mut bob) = pair();
    alice.dial(&bob, 5, at(0.0));
    carry(&mut alice, &mut bob, at(0.1));
    bob.accept(at(1.0));
    bob.work();
    (alice, bob)
}

/// Only letters arrive: there is no path yet.
fn carry_letters(from: &mut Side, to: &mut Side, now: Timestamp) {
    from.work();
    from.messages.clear();
    carry_from(from, to, now);
    to.work();
}

#[test]
fn whoever_hangs_up_while_connecting_tells_the_other_side_at_once_without_any_path() {
    // The callee, before and after the caller has its yes; also with the two letters in the other order.
    for order in 0..3 {
        let (mut alice, mut bob) = accepted();
        if order == 0 {
            carry_letters(&mut bob, &mut alice, at(1.1));
            assert!(matches!(alice.machine.state().0, State::Keyed(_)));
        }
        bob.machine.hang_up(at(1.2));
        bob.work();
        if order == 2 {
            bob.letters.reverse();
        }
        carry_letters(&mut bob, &mut alice, at(1.3));
        assert_eq!((&alice.ended[..], &bob.ended[..]), (&[Outcome::Cancelled][..], &[Outcome::HungUp][..]), "{order}");
        assert!(alice.is_idle() && alice.grants == 0);
    }
    // The caller, while the callee waits for the welcome.
    let (mut alice, mut bob) = accepted();
    carry_letters(&mut bob, &mut alice, at(1.1));
    alice.machine.hang_up(at(1.2));
    carry_letters(&mut alice, &mut bob, at(1.3));
    assert_eq!((&alice.ended[..], &bob.ended[..]), (&[Outcome::HungUp][..], &[Outcome::Cancelled][..]));
}

#[test]
fn a_cancellation_of_somebody_else_or_of_another_call_ends_nothing() {
    let (mut alice, mut bob) = accepted();
    carry_letters(&mut bob, &mut alice, at(1.1));
    let mallory = Side::new("bob");
    for (sender, call) in [(&mallory, CallId([5; 16])), (&bob, CallId([6; 16]))] {
        let (chain, device) = (sender.identity.chain().clone(), sender.card());
        let letter = Opened { chain, device, call, content: Content::Cancel, pass: Pass::default() };
        alice.machine.handle_letter(letter, at(1.2));
        alice.work();
        assert!(matches!(alice.machine.state().0, State::Keyed(_)) && alice.ended.is_empty());
    }
}

#[test]
fn a_device_that_the_call_is_not_with_cannot_cancel_it() {
    let (mut alice, mut bob) = pair();
    let second = Side::new("second");
    let (root, own) = (ephemeral_key(&mut rand::rng()), bob.identity.device());
    let chain = Chain::create("bob@example.org", &root, bob.card(), own, UNIX).verify(UNIX).unwrap();
    let both = chain.with_device(second.card(), &root, UNIX).verify(UNIX).unwrap();
    let dial = Dial { call: CallId([5; 16]), room: [5; 32], path_key: [1; 32], peer: both.clone(), video: true };
    assert!(alice.machine.dial(dial, UserConsent::given_by_person(), at(0.0)));
    carry_from(&mut alice, &mut bob, at(0.0));
    alice.work();
    carry_from(&mut alice, &mut bob, at(0.1));
    bob.accept(at(1.0));
    bob.work();
    let from = |device: DeviceCard, content| Opened {
        chain: both.clone(),
        device,
        call: CallId([5; 16]),
        content,
        pass: Pass::default(),
    };
    let (_, yes) = bob.letters.pop().unwrap();
    alice.machine.handle_letter(from(bob.card(), yes), at(1.1));
    alice.machine.handle_letter(from(second.card(), Content::Cancel), at(1.2));
    assert!(matches!(alice.machine.state().0, State::Keyed(_)));
    alice.machine.handle_letter(from(bob.card(), Content::Cancel), at(1.3));
    alice.work();
    assert_eq!(alice.ended, [Outcome::Cancelled]);
}

#[test]
fn whoever_finds_a_fault_while_connecting_tells_the_other_side() {
    // A key package that is none.
    let (mut alice, mut bob) = accepted();
    for (_, content) in &mut bob.letters {
        if let Content::Accept { key_package, .. } = content {
            key_package.truncate(5);
        }
    }
    carry_letters(&mut bob, &mut alice, at(1.1));
    assert!(matches!(alice.ended[..], [Outcome::Fault(_)]));
    carry_letters(&mut alice, &mut bob, at(1.2));
    assert_eq!(bob.ended, [Outcome::Cancelled]);

    // A welcome that is none.
    let (mut alice, mut bob) = accepted();
    carry_letters(&mut bob, &mut alice, at(1.1));
    bob.machine.handle_message(CallMessage::Welcome(vec![1; 9]), at(1.2));
    carry_letters(&mut bob, &mut alice, at(1.3));
    assert!(matches!(bob.ended[..], [Outcome::Fault(_)]));
    assert_eq!(alice.ended, [Outcome::Cancelled]);

    // A false proof of readiness: to a callee that is connected already it is said over the path.
    let (mut alice, mut bob) = accepted();
    carry_from(&mut bob, &mut alice, at(1.1));
    alice.work();
    carry_from(&mut alice, &mut bob, at(1.2));
    bob.work();
    assert!(bob.is_active());
    alice.machine.handle_message(CallMessage::Ready([7; 32]), at(1.3));
    alice.work();
    assert!(matches!(alice.ended[..], [Outcome::Fault(_)]));
    alice.letters.clear();
    carry_from(&mut alice, &mut bob, at(1.4));
    bob.work();
    assert_eq!(bob.ended, [Outcome::PeerFault]);
}

#[test]
fn a_false_proof_of_readiness_starts_nothing() {
    let (mut alice, mut bob) = accepted();
    carry_from(&mut bob, &mut alice, at(1.1));
    alice.work();
    assert!(matches!(alice.machine.state().0, State::Keyed(_)));
    alice.machine.handle_message(CallMessage::Ready([7; 32]), at(1.2));
    alice.work();
    assert!(matches!(&alice.ended[..], [Outcome::Fault(_)]));
    assert_eq!((alice.grants, alice.sealing.len()), (0, 0));
}

#[test]
fn without_a_proof_of_readiness_nothing_starts_and_the_call_is_given_up() {
    let (mut alice, mut bob) = accepted();
    carry_from(&mut bob, &mut alice, at(1.1));
    alice.work();
    // A relay keeps back the proofs, and nothing else.
    alice.messages.retain(|message| !matches!(message, CallMessage::Ready(_)));
    carry_from(&mut alice, &mut bob, at(1.2));
    bob.work();
    for side in [&mut alice, &mut bob] {
        assert!(matches!(side.machine.state().0, State::Keyed(_)));
        for second in 0..CONNECT.as_secs() {
            side.machine.handle_timeout(at(1.3 + second as f64 * 0.9));
            side.work();
        }
        side.machine.handle_timeout(at(1.2) + CONNECT);
        side.work();
        assert_eq!(side.ended, [Outcome::Lost]);
        assert_eq!((side.grants, side.address_grants, side.sealing.len(), side.opening.len()), (0, 0, 0, 0));
    }
}
