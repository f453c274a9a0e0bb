//! Control by itself: what must hold over days, and between one call and the next.

use super::*;
use crate::call::AddressGrant;
use crate::call::{State, UserConsent};
use crate::crypto::chain::MAX_HEAD_AGE_S;
use crate::crypto::letter::Opened;
use crate::engine::session::PathEvent;
use crate::media::LeafIndex;
use crate::net::client::ConnectError;
use crate::store::profile::Settings;
use crate::transport::ways::Way;

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
    control.handle_command(Command::HangUp);
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
    (Opened { chain, device, call: CallId([6; 16]), content }, account)
}

/// Control that dials bob without a picture and is rung, before or after, while he is looked up.
fn dial_bob_and_be_rung(control: &mut Control, ringing: Opened, rung_first: bool) {
    let dial = Command::Dial { handle: "bob@localhost".into(), video: false, consent: UserConsent::given_by_person() };
    if rung_first {
        control.machine.as_mut().unwrap().handle_letter(ringing, clock::now());
        control.handle_command(dial);
    } else {
        control.handle_command(dial);
        control.machine.as_mut().unwrap().handle_letter(ringing, clock::now());
    }
    control.publish();
    assert!(control.dialing.is_some() && matches!(control.call, CallView::Incoming { .. }));
}

#[tokio::test]
async fn who_calls_somebody_that_is_calling_already_has_answered() {
    for rung_first in [false, true] {
        let mut bench = bench();
        let control = &mut bench.control;
        let (ringing, account) = caller("bob");
        dial_bob_and_be_rung(control, ringing, rung_first);
        control.handle_event(Event::LookedUp(1, Ok(account)));
        control.perform();
        control.publish();
        assert!(matches!(control.call, CallView::Connecting { .. }));
        assert!(control.path.is_some() && control.deliveries.len() == 1, "enters the caller's room and says yes");
        assert_eq!(control.machine.as_ref().unwrap().switches(), (true, false), "with the picture as it was dialled");
    }
}

#[tokio::test]
async fn who_is_called_by_somebody_else_meanwhile_is_told_and_calls_nobody() {
    let (_, of_bob) = caller("bob");
    for found in [Ok(of_bob), Err(ConnectError::Unreachable)] {
        for rung_first in [false, true] {
            let mut bench = bench();
            let control = &mut bench.control;
            dial_bob_and_be_rung(control, caller("carol").0, rung_first);
            control.handle_event(Event::LookedUp(1, found.clone()));
            control.perform();
            control.publish();
            assert!(matches!(control.machine.as_ref().unwrap().state().0, State::Ringing(_)));
            assert!(matches!(control.call, CallView::Incoming { .. }));
            assert!(control.path.is_none() && control.deliveries.is_empty());
            assert!(
                control.notice.as_ref().is_some_and(|(_, text)| text.starts_with("carol@localhost is calling you"))
            );
        }
    }
}

#[tokio::test]
async fn the_persons_answer_to_a_call_takes_the_place_of_the_own_dial() {
    for answer in [Command::Decline, Command::Accept { video: true, consent: UserConsent::given_by_person() }] {
        let mut bench = bench();
        let control = &mut bench.control;
        let (ringing, account) = caller("bob");
        dial_bob_and_be_rung(control, ringing, false);
        control.handle_command(answer);
        control.perform();
        let letters = control.deliveries.len();
        control.handle_event(Event::LookedUp(1, Ok(account)));
        control.perform();
        assert!(letters == 1 && control.deliveries.len() == 1);
    }
}
