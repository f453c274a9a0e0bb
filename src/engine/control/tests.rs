//! Control by itself: what must hold over days, and between one call and the next.

#[cfg(feature = "server")]
mod account;

use super::*;
use crate::call::{AddressGrant, CaptureGrant, State, UserConsent};
use crate::crypto::chain::MAX_HEAD_AGE_S;
use crate::crypto::letter::{self, CallId, Content, Opened, Pass};
use crate::engine::session::PathEvent;
use crate::media::LeafIndex;
use crate::net::client::ConnectError;
use crate::store::profile::Settings;
use crate::transport::ways::Way;
use crate::wire::token::Token;

/// Control with an identity and a server that nobody runs.
struct Bench {
    control: Control,
    _incoming: mpsc::Receiver<Event>,
    _folder: tempfile::TempDir,
}

fn bench() -> Bench {
    bench_with(EngineConfig::default(), &Settings::default())
}

fn bench_with(config: EngineConfig, settings: &Settings) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let profile = Profile::open(folder.path()).unwrap();
    profile.save_settings(settings).unwrap();
    let identity = Identity::create("alice@localhost", clock::unix_now(), &mut rand::rng());
    profile.save_identity(&identity.to_bytes()).unwrap();
    let (events, incoming) = mpsc::channel(EVENTS);
    let parts = Parts {
        profile,
        config,
        ends: Ends::new(Arc::default(), Arc::default()).0,
        opens: Arc::default(),
        snapshots: watch::channel(Snapshot::default()).0,
        snapshot_bell: Arc::default(),
        media: tokio::runtime::Handle::current(),
    };
    let mut control = Control::new(parts, events).unwrap();
    control.server = Some(ServerAddress { host: "localhost".into(), port: 9, key: [1; 32] });
    Bench { control, _incoming: incoming, _folder: folder }
}

#[tokio::test]
async fn the_own_proof_never_grows_too_old_to_be_believed() {
    let Bench { mut control, .. } = bench();
    let start = clock::unix_now();
    let mut registrations = 0;
    for hour in 0..72 {
        let now = start + hour * 3600;
        control.presence.take().into_iter().for_each(|task| task.abort());
        control.renew(now);
        registrations += usize::from(control.presence.is_some());
        let head = control.identity.as_ref().unwrap().chain().head_time();
        assert!(now - head < RENEW_S && RENEW_S < MAX_HEAD_AGE_S, "hour {hour}");
    }
    assert_eq!(registrations, 5, "at hours 12, 24, 36, 48 and 60");
}

#[tokio::test]
async fn events_of_an_earlier_calls_path_do_not_reach_the_next_call() {
    let Bench { mut control, .. } = bench();
    let way = |control: &Control| control.path.as_ref().and_then(CallPath::way);
    for room in [1, 2] {
        control.fresh_path_key();
        control.leave_room();
        control.enter_room([room; 32], LeafIndex(0), [3; 32]);
    }
    control.handle_event(Event::Path(1, PathEvent::PeerArrived));
    assert_eq!(way(&control), None);
    control.handle_event(Event::Path(2, PathEvent::PeerArrived));
    assert_eq!(way(&control), Some(Way::Relay));
    control.handle_event(Event::Path(1, PathEvent::PeerLeft));
    assert_eq!(way(&control), Some(Way::Relay));
}

/// Whether control offers its addresses in a call, and looks for a way to the peer's.
fn shows_its_address(hidden_by_settings: bool, path: Option<PathPolicy>) -> bool {
    let config = EngineConfig { path, ..EngineConfig::default() };
    let settings = Settings { hide_address: hidden_by_settings, ..Settings::default() };
    let Bench { mut control, _folder, .. } = bench_with(config, &settings);
    control.fresh_path_key();
    control.enter_room([1; 32], LeafIndex(0), [3; 32]);
    control.find_direct(AddressGrant::for_test());
    let path = control.path.as_mut().unwrap();
    let later = clock::now() + Duration::from_mins(1);
    path.handle_timeout(later);
    let offered = path.handle_observed(([203, 0, 113, 1], 5000).into()).is_some();
    path.handle_candidates(vec![([203, 0, 113, 2], 5000).into()], false, later);
    assert_eq!(offered, path.poll_timeout().is_some(), "who offers nothing tries nothing either");
    offered
}

#[tokio::test]
async fn who_hides_the_own_address_offers_none_and_tries_none_and_a_path_that_was_asked_for_outranks_that() {
    assert!(shows_its_address(false, None));
    assert!(!shows_its_address(true, None));
    assert!(!shows_its_address(false, Some(PathPolicy::RelayOnly)));
    assert!(shows_its_address(true, Some(PathPolicy::Direct)));
}

#[tokio::test]
async fn hiding_the_address_is_chosen_for_the_next_call_and_kept() {
    let Bench { mut control, _folder, .. } = bench();
    let enter = |control: &mut Control| {
        control.fresh_path_key();
        control.enter_room([1; 32], LeafIndex(0), [3; 32]);
        control.hides_address()
    };
    assert!(!enter(&mut control));
    control.handle_command(Command::SetHideAddress { hide: true });
    assert!(!control.hides_address(), "the call that runs stays as it is");
    control.leave_room();
    assert!(enter(&mut control) && control.profile.settings().unwrap().hide_address);
    control.leave_room();
    control.handle_command(Command::SetHideAddress { hide: false });
    assert!(!enter(&mut control) && !control.profile.settings().unwrap().hide_address);
}

#[tokio::test]
async fn oneself_and_people_of_other_servers_are_not_rung_and_it_is_said_why() {
    for (handle, words) in [("Alice@localhost", "your own handle"), ("bob@elsewhere.example", "another server")] {
        let Bench { mut control, .. } = bench();
        let consent = UserConsent::given_by_person();
        control.handle_command(Command::Dial { handle: handle.into(), video: true, consent });
        assert!(control.dialing.is_none() && control.call == CallView::Idle);
        assert!(control.notice.is_some_and(|(_, text)| text.contains(words)), "{handle}");
    }
}

#[tokio::test]
async fn a_late_answer_to_an_earlier_attempt_does_not_end_the_next() {
    let Bench { mut control, .. } = bench();
    let dial =
        || Command::Dial { handle: "bob@localhost".into(), video: true, consent: UserConsent::given_by_person() };
    control.handle_command(dial());
    control.handle_command(Command::HangUp { call: control.numbering.current() });
    control.handle_command(Command::Dismiss);
    control.handle_command(dial());
    control.handle_event(Event::LookedUp(1, Err(ConnectError::Unreachable)));
    assert!(control.dialing.is_some() && matches!(control.call, CallView::Outgoing { .. }));
    control.handle_event(Event::LookedUp(2, Err(ConnectError::Unreachable)));
    assert!(control.dialing.is_none() && matches!(control.call, CallView::Ended { .. }));
}

#[tokio::test]
async fn a_call_after_a_thread_died_says_so_instead_of_staying_dark() {
    let Bench { mut control, .. } = bench();
    control.ends = None;
    control.start_media(CaptureGrant::for_preview(UserConsent::given_by_person()));
    assert!(control.threads.is_none());
    assert!(control.notice.is_some_and(|(_, text)| text.contains("restart Visavis")));
}

/// Somebody who rings, and his account as the server gives it.
fn caller(name: &str) -> (Opened, Vec<u8>) {
    let identity = Identity::create(&format!("{name}@localhost"), clock::unix_now(), &mut rand::rng());
    let (chain, device) = (identity.chain().clone(), identity.chain().cards()[0]);
    let account = chain.with_fresh_head(identity.device(), clock::unix_now()).encode();
    let content = Content::Invitation { video: true, room: [4; 32], path_key: [5; 32] };
    (Opened { chain, device, call: CallId([6; 16]), content, pass: Pass::default() }, account)
}

/// Control that knows this caller and dials bob without a picture, before or after it is rung.
fn dial_bob_and_be_rung(control: &mut Control, ringing: Opened, rung_first: bool) {
    let dial = Command::Dial { handle: "bob@localhost".into(), video: false, consent: UserConsent::given_by_person() };
    if rung_first {
        control.admit(ringing, clock::now());
        control.publish();
        assert!(matches!(control.call, CallView::Incoming { .. }));
        control.handle_command(dial);
    } else {
        control.handle_command(dial);
        control.admit(ringing, clock::now());
    }
    control.perform();
    control.publish();
    assert!(control.dialing.is_some() && matches!(control.call, CallView::Outgoing { .. }));
}

#[tokio::test]
async fn who_calls_somebody_that_is_calling_already_has_answered() {
    for rung_first in [false, true] {
        let mut bench = bench();
        let control = &mut bench.control;
        let (ringing, account) = caller("bob");
        dial_bob_and_be_rung(control, ringing, rung_first);
        let dialled = control.numbering.dialled();
        control.handle_event(Event::LookedUp(1, Ok(account)));
        control.perform();
        control.publish();
        assert!(matches!(control.call, CallView::Connecting { .. }));
        assert_eq!(control.numbering.current(), dialled, "it is the call that was dialled");
        assert!(control.path.is_some() && control.deliveries.len() == 1, "enters the caller's room and says yes");
        assert_eq!(control.machine.as_ref().unwrap().switches(), (true, false), "with the picture as it was dialled");
    }
}

#[tokio::test]
async fn who_dials_goes_on_with_it_when_somebody_else_rings_who_is_told_busy() {
    let (_, of_bob) = caller("bob");
    for found in [Ok(of_bob), Err(ConnectError::Unreachable)] {
        for rung_first in [false, true] {
            let mut bench = bench();
            let control = &mut bench.control;
            dial_bob_and_be_rung(control, caller("carol").0, rung_first);
            assert_eq!(control.deliveries.len(), 1, "carol is told");
            assert_eq!(control.notice.is_some(), rung_first, "and so is the person, who saw her ring");
            control.handle_event(Event::LookedUp(1, found.clone()));
            control.perform();
            control.publish();
            let (state, dialled) = (control.machine.as_ref().unwrap().state().0, control.numbering.dialled());
            assert_eq!(control.numbering.current(), dialled);
            if found.is_ok() {
                assert!(matches!(state, State::Calling(_)) && matches!(control.call, CallView::Outgoing { .. }));
            } else {
                assert!(matches!(state, State::Idle) && matches!(control.call, CallView::Ended { .. }));
                assert_eq!(control.numbering.ended().map(|ended| ended.number), Some(dialled));
            }
        }
    }
}

#[tokio::test]
async fn an_own_call_that_comes_to_nothing_uncovers_the_callees_that_rings_by_then() {
    for given_up in [false, true] {
        let mut bench = bench();
        let control = &mut bench.control;
        dial_bob_and_be_rung(control, caller("bob").0, false);
        let dialled = control.numbering.dialled();
        if given_up {
            control.handle_command(Command::HangUp { call: dialled });
        } else {
            control.handle_event(Event::LookedUp(1, Err(ConnectError::Unreachable)));
        }
        assert!(rings(control) && control.deliveries.is_empty());
        assert!(control.numbering.current() > dialled);
        assert_eq!(control.numbering.ended().map(|ended| ended.number), Some(dialled));
    }
}

#[tokio::test]
async fn an_answer_is_for_the_call_that_it_names_and_for_no_other() {
    let answers: [fn(CallNumber) -> Command; 3] = [
        |call| Command::Accept { call, video: true, consent: UserConsent::given_by_person() },
        |call| Command::Decline { call },
        |call| Command::HangUp { call },
    ];
    for answer in answers {
        let mut bench = bench();
        let control = &mut bench.control;
        let now = clock::now();
        let (carol, _) = caller("carol");
        control.admit(carol.clone(), now);
        assert!(rings(control));
        let seen = control.numbering.current();
        // She gives up, and somebody else rings before the person's answer is there.
        control.admit(Opened { content: Content::Cancel, ..carol }, now);
        control.perform();
        control.admit(caller("zed").0, now);
        assert!(rings(control));
        control.handle_command(answer(seen));
        assert!(rings(control) && control.deliveries.is_empty() && control.path.is_none());
        assert!(control.notice.take().is_some_and(|(_, text)| text.contains("nothing was done")));
        assert_eq!(
            control.numbering.ended().map(|ended| (ended.number, &ended.outcome)),
            Some((seen, &Outcome::Missed))
        );
        // The control: named rightly, it is answered.
        control.handle_command(answer(control.numbering.current()));
        assert!(!rings(control) && control.deliveries.len() == 1 && control.notice.is_none());
    }
}

/// An invitation of somebody with this name, who shows this.
fn invitation(name: &str, call: u8, shown: Option<Token>) -> (Opened, Vec<u8>) {
    let (mut letter, account) = caller(name);
    (letter.call, letter.pass.shown) = (CallId([call; 16]), shown);
    (letter, account)
}

fn rings(control: &mut Control) -> bool {
    control.perform();
    control.publish();
    matches!(control.call, CallView::Incoming { .. })
}

/// The directory answers the newest question about a caller.
fn answer_look_up(control: &mut Control, account: Vec<u8>) {
    control.handle_event(Event::LookedUp(control.dials, Ok(account)));
}

#[tokio::test]
async fn strangers_in_any_number_ring_nowhere_and_are_written_down_and_a_contact_rings_among_them() {
    let Bench { mut control, _folder, .. } = bench();
    let now = clock::now();
    for number in 0..2000_u32 {
        let (letter, account) = invitation(&format!("stranger{}", number % 300), (number % 250) as u8, None);
        control.handle_letter(letter, now);
        if number % 3 == 0 {
            answer_look_up(&mut control, account);
        }
    }
    assert!(!rings(&mut control) && control.deliveries.is_empty(), "nothing rings, nothing is answered");
    assert!(control.letters_waiting() <= 2 + 8);
    let requests = control.door.requests();
    assert!(requests.iter().any(|request| request.confirmed) && requests.iter().any(|request| !request.confirmed));
    assert!(requests.len() <= crate::engine::door::MAX_REQUESTS);
    assert_eq!(control.opens.counts(), (0, 0, 0));

    control.contacts.add(&control.profile, "carol@localhost", "alice@localhost").unwrap();
    let (letter, account) = invitation("carol", 251, None);
    control.handle_letter(letter, now);
    assert!(!rings(&mut control), "the key is not known yet");
    answer_look_up(&mut control, account);
    assert!(rings(&mut control));
    // The control: whoever lets strangers in hears them.
    let config = EngineConfig { accept_strangers: true, ..EngineConfig::default() };
    let Bench { mut control, _folder, .. } = bench_with(config, &Settings::default());
    let (letter, account) = invitation("stranger", 1, None);
    control.handle_letter(letter, now);
    answer_look_up(&mut control, account);
    assert!(rings(&mut control));
}

#[tokio::test]
async fn whoever_shows_the_token_of_the_link_rings_once_the_directory_knows_them_and_whoever_is_blocked_never() {
    let Bench { mut control, _folder, .. } = bench();
    let now = clock::now();
    let token = control.door.link_token();
    let (letter, _) = invitation("eve", 1, token);
    let (_, other) = invitation("eve", 1, token);
    control.handle_letter(letter, now);
    answer_look_up(&mut control, other);
    assert!(!rings(&mut control), "the handle is another's");
    assert!(!control.door.requests()[0].confirmed);

    let (letter, account) = invitation("dora", 2, token);
    control.handle_letter(letter.clone(), now);
    answer_look_up(&mut control, account.clone());
    assert!(rings(&mut control));
    control.handle_command(Command::Decline { call: control.numbering.current() });
    control.perform();
    control.handle_command(Command::Dismiss);
    control.handle_command(Command::AddContact { whom: "dora@localhost".into() });
    control.handle_command(Command::Block { handle: "dora@localhost".into() });
    assert!(control.contacts.view().is_empty() && control.door.link_token() != token);
    let again = Opened { call: CallId([3; 16]), ..letter };
    control.handle_letter(again, now);
    answer_look_up(&mut control, account);
    assert!(!rings(&mut control) && control.door.requests().iter().all(|request| request.handle != "dora@localhost"));
}

#[tokio::test]
async fn a_device_that_was_shut_out_rings_nowhere_with_the_token_that_it_still_has() {
    let now_s = clock::unix_now();
    let lost = Identity::create("bob@localhost", now_s, &mut rand::rng());
    let (root, first) = (lost.root_key().unwrap(), lost.chain().chain().clone());
    let kept = Identity::recover(root, first, now_s, &mut rand::rng()).unwrap();
    let both = kept.chain().clone();
    let without = both.without_device(lost.device_id(), kept.device(), now_s).encode();
    for (found, is_heard) in [(without, false), (both.chain().encode(), true)] {
        let Bench { mut control, _folder, .. } = bench();
        let pass = Pass { shown: control.door.link_token(), ..Pass::default() };
        let (ringing, _) = caller("bob");
        let device = lost.chain().cards()[0];
        control.handle_letter(Opened { chain: both.clone(), device, pass, ..ringing }, clock::now());
        answer_look_up(&mut control, found);
        assert_eq!(rings(&mut control), is_heard);
    }
}

#[tokio::test]
async fn a_device_that_was_shut_out_gives_its_former_account_no_contacts() {
    let now_s = clock::unix_now();
    let elsewhere = bench();
    let mut elsewhere = elsewhere.control;
    elsewhere.contacts.add(&elsewhere.profile, "eve@localhost", "alice@localhost").unwrap();
    elsewhere.share();
    let [household] = elsewhere.household.everything().try_into().unwrap();
    for is_shut_out in [true, false] {
        let Bench { mut control, _folder, .. } = bench();
        let own = control.identity.as_mut().unwrap();
        let root = own.root_key().unwrap().clone();
        let lost = Identity::recover(&root, own.chain().chain().clone(), now_s, &mut rand::rng()).unwrap();
        assert!(own.adopt(lost.chain().clone()));
        if is_shut_out {
            let without = own.chain().without_device(lost.device_id(), &root, now_s).verify(now_s).unwrap();
            assert!(own.adopt(without));
        }
        let card = *own.chain().cards().iter().find(|card| card.signing == own.device_id()).unwrap();
        let content = Content::Household(household.clone());
        let (call, pass) = (CallId([9; 16]), Pass::default());
        let envelope = letter::write(&lost, &card, call, content, pass, now_s, &mut rand::rng()).unwrap();
        control.handle_envelope(&envelope, clock::now());
        assert_eq!(control.contacts.has("eve@localhost"), !is_shut_out);
    }
}

/// A thief of the recovery kit signs a device in, and tells the contacts only.
#[tokio::test]
async fn a_device_that_the_directory_never_saw_rings_nobody_and_its_list_is_not_believed_later() {
    let Bench { mut control, _folder, .. } = bench();
    let (now, now_s) = (clock::now(), clock::unix_now());
    control.contacts.add(&control.profile, "bob@localhost", "alice@localhost").unwrap();
    let bob = Identity::create("bob@localhost", now_s, &mut rand::rng());
    let account = bob.chain().chain().encode();
    let calls = |from: &Identity, call: u8| Opened {
        chain: from.chain().clone(),
        device: *from.chain().cards().iter().find(|card| card.signing == from.device_id()).unwrap(),
        call: CallId([call; 16]),
        content: Content::Invitation { video: false, room: [1; 32], path_key: [2; 32] },
        pass: Pass::default(),
    };
    control.handle_letter(calls(&bob, 1), now);
    answer_look_up(&mut control, account.clone());
    assert!(rings(&mut control));
    control.handle_command(Command::Decline { call: control.numbering.current() });
    control.perform();
    control.handle_command(Command::Dismiss);

    let root = bob.root_key().unwrap();
    let thief = Identity::recover(root, bob.chain().chain().clone(), now_s, &mut rand::rng()).unwrap();
    control.handle_letter(calls(&thief, 2), now);
    answer_look_up(&mut control, account);
    assert!(!rings(&mut control), "the directory knows no such device");
    control.handle_letter(calls(&bob, 3), now);
    assert!(rings(&mut control), "without another question: nothing was learnt from the thief");
}

#[tokio::test]
async fn a_contact_with_another_key_is_put_through_neither_way_until_it_is_decided() {
    let Bench { mut control, _folder, .. } = bench();
    let now = clock::now();
    control.contacts.add(&control.profile, "bob@localhost", "alice@localhost").unwrap();
    let (letter, account) = invitation("bob", 1, None);
    control.handle_letter(letter, now);
    answer_look_up(&mut control, account);
    assert!(rings(&mut control), "the first key is kept");
    control.handle_command(Command::Decline { call: control.numbering.current() });
    control.perform();
    control.handle_command(Command::Dismiss);

    // Anybody can write a letter in bob's name: it changes nothing.
    let (forged, _) = invitation("bob", 2, None);
    let (_, real) = invitation("bob", 2, None);
    control.handle_letter(forged.clone(), now);
    control.handle_event(Event::LookedUp(control.dials, Err(ConnectError::Unreachable)));
    assert!(!rings(&mut control) && !control.contacts.view()[0].key_changed);
    // The directory says so too: an alarm.
    let (letter, account) = (Opened { call: CallId([3; 16]), ..forged }, real);
    control.handle_letter(letter, now);
    answer_look_up(&mut control, account.clone());
    assert!(!rings(&mut control) && !control.contacts.view()[0].key_changed, "neither letter nor directory agree");
    let consent = UserConsent::given_by_person();
    control.handle_command(Command::Dial { handle: "bob@localhost".into(), video: true, consent });
    answer_look_up(&mut control, account);
    assert!(matches!(&control.call, CallView::Ended { outcome: Outcome::KeyChanged, .. }));
    let shown = control.contacts.view()[0].clone();
    assert!(shown.key_changed && shown.keys.is_some_and(|keys| keys.known != keys.new));
}

#[tokio::test]
async fn behind_the_lock_a_call_can_be_answered_and_nothing_else_be_asked_or_seen() {
    let Bench { mut control, _folder, .. } = bench();
    control.handle_command(Command::Lock);
    assert!(!control.is_app_locked, "nothing would open it again");
    control.profile.protect_by_passphrase("correct horse battery").unwrap();
    control.contacts.add(&control.profile, "bob@localhost", "alice@localhost").unwrap();
    control.handle_command(Command::SetLockAfter { minutes: Some(0) });
    assert_eq!(control.profile.settings().unwrap().lock_after_min, Some(1));
    control.handle_command(Command::Lock);
    control.publish();
    let shown = control.snapshots.borrow().clone();
    assert!(shown.locked && shown.me.is_some() && shown.contacts.is_empty() && shown.own.devices.is_empty());

    let consent = UserConsent::given_by_person;
    for asked in [
        Command::Dial { handle: "bob@localhost".into(), video: true, consent: consent() },
        Command::RemoveContact { handle: "bob@localhost".into() },
        Command::StartPreview { consent: consent() },
        Command::ShowKit,
        Command::RenewLink,
        Command::SetLockAfter { minutes: None },
        Command::Wipe,
    ] {
        let before = control.notice.as_ref().map_or(0, |(number, _)| *number);
        control.handle_command(asked);
        let (number, words) = control.notice.clone().unwrap();
        assert!(number > before && words.contains("locked"), "{words}");
    }
    assert!(control.dialing.is_none() && control.contacts.has("bob@localhost") && control.kit.is_none());

    let (letter, account) = invitation("bob", 1, None);
    control.handle_letter(letter, clock::now());
    answer_look_up(&mut control, account);
    assert!(rings(&mut control));
    let call = control.numbering.current();
    control.handle_command(Command::Accept { call, video: false, consent: consent() });
    control.perform();
    control.publish();
    assert!(matches!(control.call, CallView::Connecting { .. }) && control.snapshots.borrow().contacts.is_empty());
    control.handle_command(Command::HangUp { call });
    control.perform();
    control.handle_command(Command::Unlock { passphrase: Secret::new("wrong horse battery".into()) });
    assert!(control.is_app_locked);
    control.handle_command(Command::Unlock { passphrase: Secret::new("correct horse battery".into()) });
    control.publish();
    assert!(!control.snapshots.borrow().locked && control.snapshots.borrow().contacts.len() == 1);
}
