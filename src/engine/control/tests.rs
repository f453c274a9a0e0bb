//! Control by itself: what must hold over days, and between one call and the next.

use super::*;
use crate::call::UserConsent;
use crate::crypto::chain::MAX_HEAD_AGE_S;
use crate::engine::session::PathEvent;
use crate::media::LeafIndex;
use crate::net::client::ConnectError;
use crate::transport::ways::Way;

/// Control with an identity and a server that nobody runs.
struct Bench {
    control: Control,
    _incoming: mpsc::Receiver<Event>,
    _folder: tempfile::TempDir,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let profile = Profile::open(folder.path()).unwrap();
    let identity = Identity::create("alice@localhost", clock::unix_now(), &mut rand::rng());
    profile.save_identity(&identity.to_bytes()).unwrap();
    let (events, incoming) = mpsc::channel(EVENTS);
    let parts = Parts {
        profile,
        config: EngineConfig::default(),
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
