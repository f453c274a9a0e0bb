//! A million sequences of whatever a hostile peer, a stranger or the network can put before a machine that rings: before
//! the person's yes it opens nothing, joins nothing, makes no key and says nothing but that it is busy.
//!
//! Each sequence comes from its number alone, which a failure names.

use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};

use super::*;
use crate::call::machine::seen::Seen;
use crate::crypto::group;
use crate::wire::call;

/// Sequences that are played to a ringing machine.
const SEQUENCES: u64 = 1_000_000;
/// Most steps of one sequence.
const MAX_STEPS: u32 = 12;
/// The call that rings first.
const RINGING: CallId = CallId([1; 16]);
/// A call that was held and ended before, whose every letter and message the attacker has kept.
const EARLIER: CallId = CallId([5; 16]);

/// Everything that an attacker has in hand.
struct Attacker {
    /// Whom it attacks.
    victim: Identity,
    /// Who may sign a letter: the caller, a stranger, another account under the caller's handle, the victim itself.
    senders: [Identity; 4],
    /// What was said in the earlier call, the key package and the welcome of this very victim among it.
    letters: Vec<Content>,
    messages: Vec<CallMessage>,
}

/// One thing that happens to the machine.
#[derive(Debug)]
enum Step {
    Letter(Box<Opened>),
    Message(CallMessage),
    Path(bool),
    /// A report of the directory about this call.
    Report(CallId, bool),
    /// What other parts of the program ask for whenever it suits them.
    Engine(u8),
    Pass(Duration),
}

/// Kinds of [`Step`].
const KINDS: usize = 6;

/// What a machine did that needs the person's yes, and what it did that does not.
#[derive(Debug, Default)]
struct Tally {
    /// Devices that may be opened.
    capture_grants: usize,
    /// Leave to look for own addresses.
    address_grants: usize,
    joined: usize,
    messages: Vec<CallMessage>,
    /// All but [`Content::Busy`] to the device whose second call it refuses.
    letters: Vec<(CallId, Content)>,
    /// Keys handed to the sealing and opening threads.
    keys: usize,
    /// Key packages and groups that were begun.
    begun: usize,
    /// Anything else that only a call has.
    other: usize,
    busy: usize,
    ended: usize,
    /// Steps that met a machine that rang, by kind.
    while_ringing: [usize; KINDS],
}

impl Tally {
    /// All that must not happen before the person's yes.
    const fn needs_consent(&self) -> [usize; 8] {
        let Self { capture_grants, address_grants, joined, messages, letters, keys, begun, other, .. } = self;
        [*capture_grants, *address_grants, *joined, messages.len(), letters.len(), *keys, *begun, *other]
    }

    /// Lets something happen to the machine and notes all that it does. `refused`: the second invitation that this is.
    fn watch(&mut self, machine: &mut Machine, mut refused: Option<Opened>, happen: impl FnOnce(&mut Machine)) {
        let begun = group::begun();
        happen(machine);
        self.begun += group::begun() - begun;
        while let Some(output) = machine.poll() {
            match output {
                Output::Letter { to, handle, call, content: Content::Busy }
                    if refused.take().is_some_and(|letter| {
                        to == [letter.device] && handle == letter.chain.handle() && call == letter.call
                    }) =>
                {
                    self.busy += 1;
                }
                Output::Letter { call, content, .. } => self.letters.push((call, content)),
                Output::Message(message) => self.messages.push(message),
                Output::Join { .. } => self.joined += 1,
                Output::StartMedia(_) => self.capture_grants += 1,
                Output::FindDirect(_) => self.address_grants += 1,
                Output::OpenEpoch { .. } | Output::SealEpoch { .. } => self.keys += 1,
                Output::DropBefore(_) | Output::Candidates { .. } | Output::Keyframe => self.other += 1,
                Output::Changed => {}
                Output::Ended(_) => self.ended += 1,
            }
        }
    }
}

fn opened(sender: &Identity, call: CallId, content: Content) -> Opened {
    Opened { chain: sender.chain().clone(), device: sender.chain().cards()[0], call, content, pass: Pass::default() }
}

/// A whole call with two changes of keys, the second of the two being rung: what each of them did.
fn hold_call(people: [&Identity; 2]) -> [Tally; 2] {
    let mut machines = people.map(|person| Machine::new(person.device().clone()));
    let mut tallies = [Tally::default(), Tally::default()];
    let mut carried = [(0, 0); 2];
    let peer = people[1].chain().clone();
    let dial = Dial { call: EARLIER, room: [5; 32], path_key: [1; 32], peer, video: true };
    let ring = |caller: &mut Machine| assert!(caller.dial(dial, UserConsent::given_by_person(), at(0.0)));
    tallies[0].watch(&mut machines[0], None, ring);
    let mut now = at(1.0);
    for round in 0..40 {
        let (from, to) = (round % 2, 1 - round % 2);
        let letters = tallies[from].letters[carried[from].0..].to_vec();
        let messages = tallies[from].messages[carried[from].1..].to_vec();
        carried[from] = (tallies[from].letters.len(), tallies[from].messages.len());
        tallies[to].watch(&mut machines[to], None, |machine| {
            for (call, content) in letters {
                machine.handle_letter(opened(people[from], call, content), now);
            }
            for message in messages {
                machine.handle_message(message, now);
            }
            if round == 0 {
                machine.accept(UserConsent::given_by_person(), true, [2; 32], now);
            }
            machine.want_keyframe();
            machine.handle_timeout(now);
        });
        if round == 10 || round == 20 {
            now = now + REFRESH;
        }
    }
    tallies
}

impl Attacker {
    fn new() -> Self {
        let [caller, victim, stranger] = ["alice", "bob", "mallory"].map(|name| Side::new(name).identity);
        let held = hold_call([&caller, &victim]);
        let letters = held.iter().flat_map(|tally| tally.letters.iter().map(|(_, content)| content.clone())).collect();
        let messages = held.iter().flat_map(|tally| tally.messages.clone()).collect();
        let impostor = Identity::create(caller.handle(), UNIX, &mut rand::rng());
        let itself = Identity::from_bytes(&victim.to_bytes(), UNIX).unwrap();
        Self { victim, senders: [caller, stranger, impostor, itself], letters, messages }
    }

    fn step(&self, rng: &mut SmallRng) -> Step {
        let call = [RINGING, RINGING, EARLIER, CallId([rng.random_range(0..8); 16])][rng.random_range(0..4)];
        match rng.random_range(0..16) {
            0..9 => {
                let content = match rng.random_range(0..10) {
                    0 | 1 => self.letters[rng.random_range(0..self.letters.len())].clone(),
                    2 | 3 => Content::Invitation { video: rng.random(), room: rng.random(), path_key: rng.random() },
                    4 | 5 => Content::Accept { key_package: junk(rng), path_key: rng.random() },
                    6 => Content::Decline,
                    7 => Content::Busy,
                    8 => Content::Cancel,
                    _ => Content::TakenElsewhere,
                };
                Step::Letter(Box::new(opened(&self.senders[rng.random_range(0..self.senders.len())], call, content)))
            }
            9 => Step::Message(match rng.random_range(0..8) {
                0..3 => self.messages[rng.random_range(0..self.messages.len())].clone(),
                3 => CallMessage::Welcome(junk(rng)),
                4 => CallMessage::Ready(rng.random()),
                5 => CallMessage::Refresh(junk(rng)),
                6 => CallMessage::Sealed(junk(rng)),
                _ => call::decode(&junk(rng)).unwrap_or(CallMessage::Sealed(Vec::new())),
            }),
            10 | 11 => Step::Path(rng.random()),
            12 => Step::Report(call, rng.random()),
            13 => Step::Engine(rng.random_range(0..3)),
            _ => Step::Pass(Duration::from_millis(rng.random_range(0..20_000))),
        }
    }
}

fn junk(rng: &mut SmallRng) -> Vec<u8> {
    let mut bytes = vec![0; rng.random_range(0..64)];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// Which call rings, and whose.
fn rings(machine: &Machine) -> Option<(CallId, [u8; 32])> {
    match machine.state().0 {
        State::Ringing(ringing) => Some((ringing.parties.call, ringing.parties.peer.root())),
        _ => None,
    }
}

/// What has to ring after this step: a call is taken back by its caller, by its end of time or by a breach of the rules,
/// never by anybody else, and no other takes its place.
fn rings_after(machine: &Machine, step: &Step, seen: &mut Seen, now: Timestamp) -> Option<(CallId, [u8; 32])> {
    let before = rings(machine);
    // What was heard of once rings never again.
    let is_new = match step {
        Step::Letter(letter) if is_remembered(&letter.content) => seen.note(letter.device.signing, letter.call, now),
        _ => true,
    };
    match (before, step) {
        (None, Step::Letter(letter)) if matches!(letter.content, Content::Invitation { .. }) => {
            is_new.then(|| (letter.call, letter.chain.root()))
        }
        (Some(ringing), Step::Letter(letter)) => {
            let takes_back = matches!(letter.content, Content::Cancel | Content::TakenElsewhere);
            before.filter(|_| !takes_back || (letter.call, letter.chain.root()) != ringing)
        }
        (Some(_), Step::Message(_)) => None,
        (Some(_), Step::Pass(_)) => before.filter(|_| now < machine.state().1 + RING),
        _ => before,
    }
}

const fn is_remembered(content: &Content) -> bool {
    matches!(content, Content::Invitation { .. } | Content::Cancel | Content::TakenElsewhere)
}

/// Plays one step and does what the machine then wants done.
fn play(machine: &mut Machine, step: Step, now: &mut Timestamp, tally: &mut Tally) {
    if rings(machine).is_some() {
        let kind = match &step {
            Step::Letter(_) => 0,
            Step::Message(_) => 1,
            Step::Path(_) => 2,
            Step::Report(..) => 3,
            Step::Engine(_) => 4,
            Step::Pass(_) => 5,
        };
        tally.while_ringing[kind] += 1;
    }
    let refused = match (&step, rings(machine)) {
        (Step::Letter(letter), Some((call, _)))
            if call != letter.call && matches!(letter.content, Content::Invitation { .. }) =>
        {
            Some((**letter).clone())
        }
        _ => None,
    };
    if let Step::Pass(time) = &step {
        *now = *now + *time;
    }
    let now = *now;
    tally.watch(machine, refused, |machine| match step {
        Step::Letter(letter) => machine.handle_letter(*letter, now),
        Step::Message(message) => machine.handle_message(message, now),
        Step::Path(open) => machine.handle_path(open, now),
        Step::Report(call, true) => machine.handle_reached(call),
        Step::Report(call, false) => machine.handle_unreachable(call, Outcome::Offline, now),
        Step::Engine(0) => machine.want_keyframe(),
        Step::Engine(1) => machine.offer_candidates(vec![([192, 0, 2, 1], 9).into()], true),
        Step::Engine(_) => machine.set_switches(true, true),
        Step::Pass(_) => machine.handle_timeout(now),
    });
}

#[test]
fn before_the_persons_yes_no_order_of_messages_opens_or_sends_anything() {
    let attacker = Attacker::new();
    let mut tally = Tally::default();
    for sequence in 0..SEQUENCES {
        let mut rng = SmallRng::seed_from_u64(sequence);
        let mut machine = Machine::new(attacker.victim.device().clone());
        let mut now = at(0.0);
        let ring = Content::Invitation { video: true, room: rng.random(), path_key: rng.random() };
        let ring = Step::Letter(Box::new(opened(&attacker.senders[0], RINGING, ring)));
        let mut seen = Seen::default();
        rings_after(&machine, &ring, &mut seen, now);
        play(&mut machine, ring, &mut now, &mut tally);
        for number in 0..rng.random_range(1..=MAX_STEPS) {
            let step = attacker.step(&mut rng);
            let later = if let Step::Pass(time) = &step { now + *time } else { now };
            let expected = rings_after(&machine, &step, &mut seen, later);
            play(&mut machine, step, &mut now, &mut tally);
            assert_eq!(rings(&machine), expected, "sequence {sequence}, step {number}");
            let state = machine.state().0;
            assert!(matches!(state, State::Idle | State::Ringing(_)), "sequence {sequence}, step {number}: {state:?}");
        }
        assert_eq!(tally.needs_consent(), [0; 8], "sequence {sequence}: {tally:?}");
        assert_eq!(machine.prove_direct([0; 32]), None, "sequence {sequence}");
    }
    // Every kind of step met a ringing machine many times, and what may be said was said.
    assert!(tally.while_ringing.iter().all(|&steps| steps > 100_000), "{tally:?}");
    assert!(tally.busy > 100_000 && tally.ended > 100_000, "{tally:?}");
}

#[test]
fn the_same_eyes_see_each_of_these_things_after_the_persons_yes() {
    let attacker = Attacker::new();
    let [_, callee] = hold_call([&attacker.senders[0], &attacker.victim]);
    assert!(callee.needs_consent().iter().all(|&count| count > 0), "{callee:?}");
    for sequence in 0..50 {
        let mut rng = SmallRng::seed_from_u64(sequence);
        let mut machine = Machine::new(attacker.victim.device().clone());
        let (mut now, mut tally) = (at(0.0), Tally::default());
        while rings(&machine).is_none() || rng.random_range(0..4) > 0 {
            play(&mut machine, attacker.step(&mut rng), &mut now, &mut tally);
        }
        assert_eq!(tally.needs_consent(), [0; 8], "sequence {sequence}: {tally:?}");
        tally.watch(&mut machine, None, |machine| {
            machine.accept(UserConsent::given_by_person(), true, [2; 32], now);
        });
        let said = matches!(tally.letters[..], [(_, Content::Accept { .. })]);
        assert!(said && (tally.joined, tally.begun) == (1, 1), "sequence {sequence}: {tally:?}");
    }
}
