//! Two machines and what lies between them: every way a call can begin and end, and silence before the person's yes.

mod connecting;
mod fork;
mod hostile;
mod shut_out;

use std::net::SocketAddr;
use std::time::Duration;

use super::machine::{CONNECT, KEEP_OLD, KEYFRAME_PAUSE, RECONNECT, REFRESH, SWITCH_AFTER};
use super::*;
use crate::crypto::chain::{Chain, DeviceCard, VerifiedChain};
use crate::crypto::identity::{Identity, ephemeral_key};
use crate::crypto::letter::{CallId, Content, Opened, Pass, RING_S};
use crate::crypto::sframe::FrameMark;
use crate::media::{KeyEpoch, Timestamp};
use crate::wire::call::CallMessage;

const UNIX: u64 = 1_800_000_000;
const RING: Duration = Duration::from_secs(RING_S);

/// A machine with an identity, and what it has done.
struct Side {
    identity: Identity,
    machine: Machine,
    letters: Vec<(CallId, Content)>,
    messages: Vec<CallMessage>,
    joined: usize,
    grants: usize,
    address_grants: usize,
    candidates: Vec<(Vec<SocketAddr>, bool)>,
    sealing: Vec<KeyEpoch>,
    opening: Vec<KeyEpoch>,
    forgot_before: Vec<KeyEpoch>,
    keyframes: usize,
    ended: Vec<Outcome>,
}

impl Side {
    fn new(name: &str) -> Self {
        let identity = Identity::create(&format!("{name}@example.org"), UNIX, &mut rand::rng());
        let machine = Machine::new(identity.device().clone());
        Self {
            identity,
            machine,
            letters: Vec::new(),
            messages: Vec::new(),
            joined: 0,
            grants: 0,
            address_grants: 0,
            candidates: Vec::new(),
            sealing: Vec::new(),
            opening: Vec::new(),
            forgot_before: Vec::new(),
            keyframes: 0,
            ended: Vec::new(),
        }
    }

    fn card(&self) -> DeviceCard {
        self.identity.chain().cards()[0]
    }

    fn work(&mut self) {
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Letter { call, content, .. } => self.letters.push((call, content)),
                Output::Message(message) => self.messages.push(message),
                Output::Join { .. } => self.joined += 1,
                Output::StartMedia(_) => self.grants += 1,
                Output::FindDirect(_) => self.address_grants += 1,
                Output::Candidates { addresses, answer } => self.candidates.push((addresses, answer)),
                Output::SealEpoch { epoch, .. } => self.sealing.push(epoch),
                Output::OpenEpoch { epoch, .. } => self.opening.push(epoch),
                Output::DropBefore(epoch) => self.forgot_before.push(epoch),
                Output::Keyframe => self.keyframes += 1,
                Output::Changed => {}
                Output::Ended(outcome) => self.ended.push(outcome),
            }
        }
    }

    fn dial(&mut self, whom: &Self, number: u8, now: Timestamp) {
        assert!(self.try_dial(whom, number, now));
    }

    fn try_dial(&mut self, whom: &Self, number: u8, now: Timestamp) -> bool {
        let peer = whom.identity.chain().clone();
        let dial = Dial { call: CallId([number; 16]), room: [number; 32], path_key: [1; 32], peer, video: true };
        self.machine.dial(dial, UserConsent::given_by_person(), now)
    }

    fn accept(&mut self, now: Timestamp) {
        self.machine.accept(UserConsent::given_by_person(), true, [2; 32], now);
    }

    fn is_active(&self) -> bool {
        matches!(self.machine.state().0, State::Active(_))
    }

    fn is_idle(&self) -> bool {
        matches!(self.machine.state().0, State::Idle)
    }

    /// Nothing was opened, sent to the peer or prepared for it.
    fn is_silent(&self) -> bool {
        (self.joined, self.grants, self.messages.len(), self.sealing.len(), self.opening.len()) == (0, 0, 0, 0, 0)
            && self.letters.is_empty()
            && self.address_grants == 0
    }
}

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_nanos(1_000_000_000) + Duration::from_secs_f64(seconds)
}

/// Carries letters and messages both ways until nothing moves any more.
fn carry(one: &mut Side, other: &mut Side, now: Timestamp) {
    loop {
        one.work();
        other.work();
        let moved = carry_from(one, other, now) | carry_from(other, one, now);
        if !moved {
            return;
        }
    }
}

fn carry_from(from: &mut Side, to: &mut Side, now: Timestamp) -> bool {
    let letters = std::mem::take(&mut from.letters);
    let messages = std::mem::take(&mut from.messages);
    let moved = !letters.is_empty() || !messages.is_empty();
    for (call, content) in letters {
        let letter =
            Opened { chain: from.identity.chain().clone(), device: from.card(), call, content, pass: Pass::default() };
        to.machine.handle_letter(letter, now);
    }
    for message in messages {
        to.machine.handle_message(message, now);
    }
    moved
}

fn pair() -> (Side, Side) {
    (Side::new("alice"), Side::new("bob"))
}

fn in_call() -> (Side, Side) {
    let (mut alice, mut bob) = pair();
    alice.dial(&bob, 5, at(0.0));
    carry(&mut alice, &mut bob, at(0.1));
    bob.accept(at(1.0));
    carry(&mut alice, &mut bob, at(1.1));
    assert!(alice.is_active() && bob.is_active());
    (alice, bob)
}

#[test]
fn ringing_does_nothing_until_the_person_accepts() {
    let (mut alice, mut bob) = pair();
    alice.dial(&bob, 5, at(0.0));
    carry(&mut alice, &mut bob, at(0.1));
    assert!(matches!(bob.machine.state().0, State::Ringing(_)));
    for tenth in 0..440 {
        bob.machine.handle_timeout(at(f64::from(tenth) / 10.0));
        bob.work();
    }
    assert!(bob.is_silent() && matches!(bob.machine.state().0, State::Ringing(_)));
    assert!(alice.joined == 0 && alice.grants == 0, "the caller waits as silently");

    bob.accept(at(44.0));
    carry(&mut alice, &mut bob, at(44.1));
    assert!(alice.is_active() && bob.is_active());
    assert_eq!((alice.joined, bob.joined, alice.grants, bob.grants), (1, 1, 1, 1));
}

#[test]
fn declining_cancelling_and_not_answering_are_told_apart() {
    let (mut alice, mut bob) = pair();
    alice.dial(&bob, 1, at(0.0));
    carry(&mut alice, &mut bob, at(0.1));
    bob.machine.decline(at(1.0));
    carry(&mut alice, &mut bob, at(1.1));
    assert_eq!((alice.ended.pop(), bob.ended.pop()), (Some(Outcome::Declined), Some(Outcome::DeclinedHere)));

    alice.dial(&bob, 2, at(2.0));
    carry(&mut alice, &mut bob, at(2.1));
    alice.machine.hang_up(at(3.0));
    carry(&mut alice, &mut bob, at(3.1));
    assert_eq!((alice.ended.pop(), bob.ended.pop()), (Some(Outcome::Cancelled), Some(Outcome::Missed)));

    alice.dial(&bob, 3, at(4.0));
    carry(&mut alice, &mut bob, at(4.1));
    alice.machine.handle_timeout(at(4.0) + RING);
    bob.machine.handle_timeout(at(4.1) + RING);
    alice.work();
    bob.work();
    assert_eq!((alice.ended.pop(), bob.ended.pop()), (Some(Outcome::NoAnswer), Some(Outcome::Missed)));
    assert_eq!(alice.letters.pop(), Some((CallId([3; 16]), Content::Cancel)), "the other devices stop ringing");
    assert!(alice.is_idle() && bob.is_idle());
}

#[test]
fn whoever_is_in_a_call_is_busy_for_others_and_stays_in_it() {
    let (mut alice, mut bob) = in_call();
    let mut carol = Side::new("carol");
    carol.dial(&bob, 9, at(2.0));
    carry(&mut carol, &mut bob, at(2.1));
    assert_eq!(carol.ended, [Outcome::Busy]);
    assert!(bob.is_active());
    carry(&mut alice, &mut bob, at(2.2));
    assert!(alice.is_active());
}

#[test]
fn who_ring_each_other_at_once_get_one_call() {
    /// One step of two calls that cross.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// The look-up is done: the machine dials.
        Alice,
        Bob,
        /// What was sent arrives.
        ToBob,
        ToAlice,
    }
    use Step::{Alice, Bob, ToAlice, ToBob};
    let orders = [
        [Alice, Bob, ToBob, ToAlice],
        [Alice, Bob, ToAlice, ToBob],
        [Bob, Alice, ToBob, ToAlice],
        [Bob, Alice, ToAlice, ToBob],
        [Alice, ToBob, Bob, ToAlice],
        [Bob, ToAlice, Alice, ToBob],
    ];
    for (order, (of_alice, of_bob)) in orders.into_iter().flat_map(|order| [(order, (1, 2)), (order, (2, 1))]) {
        let (mut alice, mut bob) = pair();
        for step in order {
            match step {
                Alice => alice.dial(&bob, of_alice, at(0.0)),
                Bob => bob.dial(&alice, of_bob, at(0.0)),
                ToBob => _ = carry_from(&mut alice, &mut bob, at(0.1)),
                ToAlice => _ = carry_from(&mut bob, &mut alice, at(0.1)),
            }
            alice.work();
            bob.work();
        }
        carry(&mut alice, &mut bob, at(0.2));
        assert!(alice.is_active() && bob.is_active(), "{order:?}");
        assert_eq!((alice.grants, bob.grants, alice.joined, bob.joined), (1, 1, 1, 1), "{order:?}");
        assert!(alice.ended.is_empty() && bob.ended.is_empty(), "{order:?}");
    }
}

#[test]
fn who_is_rung_by_somebody_else_rings_nobody_and_answers_nobody() {
    let (mut alice, bob) = pair();
    let mut carol = Side::new("carol");
    carol.dial(&alice, 7, at(0.0));
    carry(&mut carol, &mut alice, at(0.1));
    assert!(!alice.try_dial(&bob, 1, at(0.2)));
    alice.work();
    assert!(alice.is_silent() && matches!(alice.machine.state().0, State::Ringing(_)));
    alice.accept(at(1.0));
    carry(&mut carol, &mut alice, at(1.1));
    assert!(alice.is_active() && !alice.try_dial(&carol, 2, at(2.0)) && alice.is_active());
}

#[test]
fn a_callee_that_cannot_be_reached_ends_the_call_and_does_not_ring_for_it_later() {
    let (mut alice, mut bob) = pair();
    alice.dial(&bob, 1, at(0.0));
    alice.machine.handle_unreachable(CallId([1; 16]), Outcome::Offline, at(0.1));
    alice.work();
    assert_eq!(alice.ended, [Outcome::Offline]);
    let held: Vec<_> = alice.letters.iter().map(|(call, content)| (*call, content.clone())).collect();
    assert!(matches!(held[..], [(CallId([1, ..]), Content::Invitation { .. }), (CallId([1, ..]), Content::Cancel)]));
    // He comes while the directory still has both letters.
    carry(&mut alice, &mut bob, at(10.0));
    assert!(bob.is_idle() && bob.ended == [Outcome::Missed]);
}

#[test]
fn what_became_of_an_earlier_invitation_does_not_touch_the_next_call() {
    let (mut alice, bob) = pair();
    alice.dial(&bob, 1, at(0.0));
    alice.machine.hang_up(at(0.1));
    alice.dial(&bob, 2, at(0.2));
    alice.machine.handle_reached(CallId([1; 16]));
    assert!(!alice.machine.reached());
    alice.machine.handle_unreachable(CallId([1; 16]), Outcome::Offline, at(0.3));
    alice.work();
    assert_eq!(alice.ended, [Outcome::Cancelled]);
    assert!(matches!(alice.machine.state().0, State::Calling(_)));
    alice.machine.handle_reached(CallId([2; 16]));
    assert!(alice.machine.reached());
}

#[test]
fn a_peer_that_always_wants_keyframes_gets_one_now_and_then() {
    let (mut alice, mut bob) = in_call();
    let start = at(2.0);
    for tenth in 0..100 {
        bob.machine.want_keyframe();
        carry(&mut alice, &mut bob, start + KEYFRAME_PAUSE * tenth / 10);
    }
    assert_eq!(alice.keyframes, 10);
}

#[test]
fn who_accepts_and_hears_nothing_more_gives_up() {
    let (mut alice, mut bob) = pair();
    alice.dial(&bob, 1, at(0.0));
    carry(&mut alice, &mut bob, at(0.1));
    bob.accept(at(1.0));
    bob.work();
    bob.machine.handle_timeout(at(1.0) + CONNECT);
    bob.work();
    assert_eq!(bob.ended, [Outcome::Lost]);
    assert_eq!(bob.grants, 0);
}

#[test]
fn hanging_up_ends_both_sides() {
    let (mut alice, mut bob) = in_call();
    bob.machine.hang_up(at(5.0));
    carry(&mut alice, &mut bob, at(5.1));
    assert_eq!((alice.ended.pop(), bob.ended.pop()), (Some(Outcome::PeerHungUp), Some(Outcome::HungUp)));
}

#[test]
fn keys_are_refreshed_in_turn_and_old_ones_forgotten() {
    let (mut alice, mut bob) = in_call();
    let start = alice.sealing[0];
    let mut now = at(1.1);
    for round in 1..=4 {
        now = now + REFRESH;
        for side in [&mut alice, &mut bob] {
            side.machine.handle_timeout(now);
        }
        carry(&mut alice, &mut bob, now);
        now = now + SWITCH_AFTER + KEEP_OLD;
        for side in [&mut alice, &mut bob] {
            side.machine.handle_timeout(now);
            side.work();
            let epoch = KeyEpoch(start.0 + round);
            assert_eq!(side.sealing.last(), Some(&epoch));
            assert_eq!(side.opening.last(), Some(&epoch));
            assert_eq!(side.forgot_before.last(), Some(&epoch), "round {round}");
        }
    }
    assert!(alice.is_active() && bob.is_active() && alice.ended.is_empty());
}

#[test]
fn a_committer_seals_in_the_new_epoch_after_half_a_second_without_an_answer() {
    let (mut alice, mut bob) = in_call();
    let now = at(1.1) + REFRESH;
    for side in [&mut alice, &mut bob] {
        side.machine.handle_timeout(now);
        side.work();
    }
    let refreshes = |side: &Side| side.messages.iter().any(|message| matches!(message, CallMessage::Refresh(_)));
    let committer = if refreshes(&alice) { &mut alice } else { &mut bob };
    let old = *committer.sealing.last().unwrap();
    assert_eq!(committer.opening.last(), Some(&KeyEpoch(old.0 + 1)), "opens early frames of the new epoch");
    committer.machine.handle_timeout(now + SWITCH_AFTER);
    committer.work();
    assert_eq!(committer.sealing.last(), Some(&KeyEpoch(old.0 + 1)));
}

/// A frame that `side` sealed, as both sides know it.
fn mark(counter: u64, digest: u8) -> FrameMark {
    FrameMark { kid: 0x10, counter, digest: [digest; 16] }
}

/// Lets a call run for some seconds in which alice sends and bob opens what `forge` makes of it.
fn run_with_frames(alice: &mut Side, bob: &mut Side, seconds: u64, forge: impl Fn(FrameMark) -> FrameMark) {
    for second in 0..seconds {
        let now = at(2.0 + second as f64 * 1.01);
        let sent = mark(second, second as u8);
        alice.machine.handle_sent([sent], 0);
        bob.machine.handle_opened([forge(sent)]);
        for side in [&mut *alice, &mut *bob] {
            side.machine.handle_timeout(now);
        }
        carry(alice, bob, now);
    }
}

#[test]
fn what_one_side_sent_and_the_other_opened_keeps_the_call() {
    let (mut alice, mut bob) = in_call();
    run_with_frames(&mut alice, &mut bob, 100, |sent| sent);
    assert!(alice.is_active() && bob.is_active());
}

#[test]
fn a_frame_that_the_peer_did_not_send_ends_the_call_with_a_named_fault() {
    let forgeries: [fn(FrameMark) -> FrameMark; 2] =
        [|sent| FrameMark { digest: [99; 16], ..sent }, |sent| FrameMark { counter: sent.counter + 1000, ..sent }];
    for forge in forgeries {
        let (mut alice, mut bob) = in_call();
        run_with_frames(&mut alice, &mut bob, 5, forge);
        let [Outcome::Fault(why)] = &bob.ended[..] else { panic!("{:?}", bob.ended) };
        assert!(why.contains("in the other's name"), "{why}");
    }
}

#[test]
fn a_call_without_a_path_waits_and_then_ends() {
    let (mut alice, mut bob) = in_call();
    alice.machine.handle_path(false, at(5.0));
    alice.machine.handle_timeout(at(34.0));
    assert!(alice.is_active() && alice.machine.is_reconnecting());
    alice.machine.handle_path(true, at(34.5));
    assert!(!alice.machine.is_reconnecting());
    bob.machine.handle_path(false, at(40.0));
    bob.machine.handle_timeout(at(40.0) + RECONNECT);
    bob.work();
    assert_eq!(bob.ended, [Outcome::Lost]);
}

#[test]
fn a_message_out_of_turn_is_a_named_fault() {
    let (mut alice, mut bob) = in_call();
    alice.machine.handle_message(CallMessage::Ready([0; 32]), at(2.0));
    carry(&mut alice, &mut bob, at(2.0));
    assert!(matches!(&alice.ended[..], [Outcome::Fault(_)]), "{:?}", alice.ended);
}

#[test]
fn an_invitation_that_is_delivered_again_or_after_its_cancellation_does_not_ring() {
    let (mut alice, mut bob) = pair();
    alice.dial(&bob, 1, at(0.0));
    alice.work();
    let invitation = alice.letters.clone();
    carry(&mut alice, &mut bob, at(0.1));
    bob.machine.decline(at(1.0));
    carry(&mut alice, &mut bob, at(1.1));
    alice.letters = invitation;
    carry(&mut alice, &mut bob, at(2.0));
    assert!(bob.is_idle() && bob.letters.is_empty(), "a replay");

    alice.dial(&bob, 2, at(3.0));
    alice.machine.hang_up(at(3.1));
    alice.work();
    alice.letters.reverse();
    carry(&mut alice, &mut bob, at(3.2));
    assert!(bob.is_idle() && bob.ended == [Outcome::DeclinedHere], "overtaken: {:?}", bob.ended);
}

#[test]
fn whoever_is_rung_all_the_time_while_busy_says_so_now_and_then_only() {
    let (mut alice, mut bob) = in_call();
    let mut carol = Side::new("carol");
    for number in 0..100 {
        carol.dial(&alice, number, at(5.0));
        carol.machine.hang_up(at(5.0));
        carry_from(&mut carol, &mut alice, at(5.0));
        carol.work();
        carry_from(&mut carol, &mut alice, at(5.0));
    }
    alice.work();
    let busy = alice.letters.iter().filter(|(_, content)| *content == Content::Busy).count();
    assert_eq!(busy, 1);
    assert!(alice.is_active() && bob.is_active());
    bob.work();
}

#[test]
fn a_busy_answer_to_one_caller_does_not_keep_it_from_the_next() {
    let (mut alice, _bob) = in_call();
    for name in ["carol", "dora"] {
        let mut caller = Side::new(name);
        caller.dial(&alice, 9, at(5.0));
        carry(&mut caller, &mut alice, at(5.0));
        assert_eq!(caller.ended, [Outcome::Busy], "{name}");
    }
}

#[test]
fn the_end_of_the_program_is_no_answer_for_the_persons_other_devices() {
    let (mut alice, mut bob) = pair();
    alice.dial(&bob, 5, at(0.0));
    carry(&mut alice, &mut bob, at(0.1));
    bob.machine.leave(at(1.0));
    bob.work();
    assert!(bob.is_silent() && bob.ended == [Outcome::Missed]);
    let (mut alice, mut bob) = in_call();
    bob.machine.leave(at(5.0));
    carry(&mut alice, &mut bob, at(5.1));
    assert_eq!(alice.ended, [Outcome::PeerHungUp], "a call that is held is hung up");
}

#[test]
fn candidates_travel_under_the_seal_and_only_in_a_running_call() {
    let address = || vec!["203.0.113.77:4567".parse().unwrap()];
    let (mut alice, mut bob) = pair();
    alice.dial(&bob, 5, at(0.0));
    carry(&mut alice, &mut bob, at(0.1));
    alice.machine.offer_candidates(address(), false);
    alice.work();
    assert!(alice.messages.is_empty() && (alice.address_grants, bob.address_grants) == (0, 0));

    let (mut alice, mut bob) = in_call();
    assert_eq!((alice.address_grants, bob.address_grants), (1, 1));
    alice.machine.offer_candidates(address(), true);
    alice.work();
    let [CallMessage::Sealed(sealed)] = alice.messages.as_slice() else { panic!("{:?}", alice.messages) };
    assert!(!sealed.windows(4).any(|bytes| bytes == [203, 0, 113, 77]), "the relay reads no address");
    carry(&mut alice, &mut bob, at(2.0));
    assert_eq!(bob.candidates, [(address(), true)]);
}

#[test]
fn a_proof_for_a_direct_connection_holds_for_that_connection_and_side_only() {
    let (alice, bob) = in_call();
    let proof = alice.machine.prove_direct([1; 32]).unwrap();
    assert!(bob.machine.check_direct([1; 32], &proof));
    assert!(!bob.machine.check_direct([2; 32], &proof));
    assert!(!alice.machine.check_direct([1; 32], &proof), "nobody's own proof comes back to him");
    let (eve, _) = in_call();
    assert!(!eve.machine.check_direct([1; 32], &proof));
    assert_eq!(Side::new("nobody").machine.prove_direct([1; 32]), None);
}
