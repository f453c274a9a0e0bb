//! An account over several devices, with real engines and a real server: recovery kit, linking, which device takes a call,
//! revoking, wiping.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::call::{Outcome, UserConsent};
use crate::engine::Engine;
use crate::engine::config::{EngineConfig, SoundChoice, VideoChoice, VideoSettings};
use crate::engine::handle::{CallView, Command, EngineHandle, LinkView, Secret, ServerStatus, Snapshot};
use crate::net::PathPolicy;
use crate::server::{RunningServer, ServerConfig};
use crate::store::profile::Profile;
use tempfile::TempDir;

/// Longest time for anything between engines on this machine, with room for a busy one.
const PATIENCE: Duration = Duration::from_mins(1);

struct World {
    folder: TempDir,
    server: RunningServer,
}

struct Device {
    handle: EngineHandle,
    engine: Engine,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let config = ServerConfig { listen, data: folder.path().join("server"), domain: None };
        Self { server: RunningServer::start(&config).unwrap(), folder }
    }

    /// A device over the profile `folder`, without sound.
    fn device(&self, folder: &str) -> Device {
        let profile = Profile::open(&self.folder.path().join(folder)).unwrap();
        let config = EngineConfig {
            video: VideoSettings::new(160, 96, 30),
            video_source: Some(VideoChoice::Pattern),
            microphone: Some(SoundChoice::None),
            speaker: Some(SoundChoice::None),
            path: Some(PathPolicy::RelayOnly),
            ..EngineConfig::default()
        };
        let (engine, handle) = Engine::start(profile, config).unwrap();
        Device { handle, engine }
    }

    /// The first device of a new account.
    fn person(&self, name: &str) -> Device {
        let mut device = self.device(name);
        device.ask(Command::CreateProfile { name: name.into(), server: self.address() });
        device.until("online", is_online);
        device
    }

    fn address(&self) -> String {
        self.server.address().to_string()
    }
}

impl Device {
    fn ask(&self, command: Command) {
        assert!(self.handle.send(command));
    }

    /// Waits for a snapshot that `holds`.
    fn until(&mut self, what: &str, holds: impl Fn(&Snapshot) -> bool) -> Snapshot {
        let snapshot = self.handle.wait_for(Some(PATIENCE), &holds).expect("the engine has stopped");
        assert!(holds(&snapshot), "{what} did not come about: {snapshot:?}");
        snapshot
    }

    fn told(&mut self, words: &str) {
        self.until(words, |now| now.notice.as_ref().is_some_and(|(_, notice)| notice.contains(words)));
    }

    /// The recovery kit; with it the root leaves this device.
    fn take_kit(&mut self) -> Secret {
        self.ask(Command::ShowKit);
        let kit = self.until("the kit", |now| now.own.kit.is_some()).own.kit.clone().unwrap();
        assert!(self.handle.snapshot().own.has_root, "it is not kept yet");
        self.ask(Command::KitIsKept);
        self.until("the root is gone", |now| !now.own.has_root && now.own.kit.is_none());
        kit
    }

    fn devices(&self) -> usize {
        self.handle.snapshot().own.devices.len()
    }
}

fn is_online(now: &Snapshot) -> bool {
    now.server == ServerStatus::Online && now.me.as_ref().is_some_and(|me| me.registered)
}

fn is_talking(now: &Snapshot) -> bool {
    matches!(now.call, CallView::Active(_))
}

fn has_ended(now: &Snapshot, how: &Outcome) -> bool {
    matches!(&now.call, CallView::Ended { outcome, .. } if outcome == how)
}

#[test]
fn a_kit_brings_an_account_to_a_second_device_and_a_lost_one_is_shut_out_of_its_call() {
    let world = World::new();
    let (mut first, mut bob) = (world.person("alice"), world.person("bob"));
    let kit = first.take_kit();
    first.ask(Command::ShowKit);
    first.told("made before");

    let mut second = world.device("second");
    second.ask(Command::ImportKit { text: Secret::new(kit.expose().replace("alice", "alicia")) });
    second.told("mistyped");
    second.ask(Command::ImportKit { text: kit.clone() });
    let me = second.until("online", is_online);
    assert_eq!(me.me.as_ref().unwrap().handle, "alice@127.0.0.1");
    assert!(!me.own.has_root && second.devices() == 2, "the root did not stay");
    first.told("ADDED");
    first.until("both devices", |now| now.own.devices.len() == 2);

    // Both ring, the first that accepts has it.
    for device in [&first, &second] {
        device.ask(Command::AddContact { whom: "bob@127.0.0.1".into() });
    }
    let consent = UserConsent::given_by_person();
    bob.ask(Command::Dial { handle: "alice@127.0.0.1".into(), video: false, consent });
    for device in [&mut first, &mut second] {
        device.until("it rings", |now| matches!(now.call, CallView::Incoming { .. }));
    }
    let call = second.handle.snapshot().call_number;
    second.ask(Command::Accept { call, video: false, consent: UserConsent::given_by_person() });
    first.until("taken elsewhere", |now| has_ended(now, &Outcome::TakenElsewhere));
    bob.until("face to face", is_talking);
    second.until("face to face", is_talking);

    // The second is lost: the first shuts it out, in the middle of its call.
    let lost = first.handle.snapshot().own.devices.iter().find(|device| !device.is_this).unwrap().id;
    first.ask(Command::RevokeDevice { device: lost, kit: None });
    first.until("one device", |now| now.own.devices.len() == 1);
    second.until("wiped", |now| now.me.is_none() && now.contacts.is_empty());
    second.told("removed from the account");
    bob.until("the call is over", |now| matches!(now.call, CallView::Ended { .. }));
    assert!(Profile::open(&world.folder.path().join("second")).is_err(), "still open");
    second.engine.shutdown().unwrap();
    let wiped = Profile::open(&world.folder.path().join("second")).unwrap();
    assert!(wiped.identity().unwrap().is_none() && wiped.settings().unwrap().handle.is_none());

    // Only the first rings from now on.
    bob.ask(Command::Dismiss);
    first.ask(Command::Dismiss);
    let consent = UserConsent::given_by_person();
    bob.ask(Command::Dial { handle: "alice@127.0.0.1".into(), video: false, consent });
    first.until("it rings", |now| matches!(now.call, CallView::Incoming { .. }));
    first.ask(Command::Decline { call: first.handle.snapshot().call_number });
    bob.until("declined", |now| has_ended(now, &Outcome::Declined));
}

#[test]
fn a_device_that_was_away_when_it_was_shut_out_wipes_itself_when_it_comes_back() {
    let world = World::new();
    let mut first = world.person("alice");
    let kit = first.take_kit();
    first.engine.shutdown().unwrap();
    let mut second = world.device("second");
    second.ask(Command::ImportKit { text: kit.clone() });
    second.until("online", is_online);
    let lost = second.handle.snapshot().own.devices.iter().find(|device| !device.is_this).unwrap().id;
    second.ask(Command::RevokeDevice { device: lost, kit: Some(kit) });
    second.until("one device", |now| now.own.devices.len() == 1 && is_online(now));

    let mut back = world.device("alice");
    back.told("removed from the account");
    back.until("wiped", |now| now.me.is_none());
    // A device that was only away, and not shut out, comes back as it was.
    second.engine.shutdown().unwrap();
    let mut second = world.device("second");
    second.until("online", is_online);
}

#[test]
fn devices_of_one_account_agree_about_contacts_links_and_who_is_shut_out() {
    let world = World::new();
    let mut first = world.person("alice");
    let kit = first.take_kit();
    first.ask(Command::AddContact { whom: "bob@127.0.0.1".into() });
    let mut second = world.device("second");
    second.ask(Command::ImportKit { text: kit });
    second.until("online, with the contact and the link", |now| is_online(now) && now.contacts.len() == 1);
    let given = first.handle.snapshot().link.unwrap().to_string();
    second.until("the same link", |now| now.link.as_ref().is_some_and(|link| link.to_string() == given));

    second.ask(Command::Block { handle: "bob@127.0.0.1".into() });
    first.until("bob is shut out", |now| now.contacts.is_empty() && now.blocked.len() == 1);
    let renewed = second.until("another link", |now| now.link.as_ref().is_some_and(|link| link.to_string() != given));
    let renewed = renewed.link.unwrap().to_string();
    first.until("the same link", |now| now.link.as_ref().is_some_and(|link| link.to_string() == renewed));

    // What is decided while the other is away.
    second.engine.shutdown().unwrap();
    first.ask(Command::AddContact { whom: "carol@127.0.0.1".into() });
    first.ask(Command::Unblock { handle: "bob@127.0.0.1".into() });
    first.until("decided", |now| now.contacts.len() == 1 && now.blocked.is_empty());
    let mut second = world.device("second");
    second.until("told", |now| now.contacts.len() == 1 && now.blocked.is_empty());
}

#[test]
fn a_new_device_is_linked_by_its_code_and_gets_the_contacts() {
    let world = World::new();
    let mut first = world.person("alice");
    for number in 0..60 {
        first.ask(Command::AddContact { whom: format!("friend-{number}@127.0.0.1") });
        first.until("added", |now| now.contacts.len() == number + 1);
    }
    let mut tablet = world.device("tablet");
    tablet.ask(Command::StartLink { server: world.address() });
    let waiting = tablet.until("a code", |now| matches!(now.own.link, LinkView::Waiting { .. }));
    let LinkView::Waiting { code, number } = waiting.own.link.clone() else { unreachable!() };

    first.ask(Command::ReadLink { code: Secret::new("visavis-link:abc".into()) });
    first.told("not the code of a new device");
    first.ask(Command::ReadLink { code });
    let compared = first.until("a number", |now| matches!(now.own.link, LinkView::Comparing { .. }));
    assert_eq!(compared.own.link, LinkView::Comparing { number });
    assert_eq!((first.devices(), tablet.devices()), (1, 0), "nothing has happened before the person says yes");
    first.ask(Command::ConfirmLink { kit: None });
    let linked = tablet.until("online", is_online);
    assert_eq!(linked.me.as_ref().unwrap().handle, "alice@127.0.0.1");
    assert!(!linked.own.has_root && linked.own.link == LinkView::None);
    tablet.until("all contacts", |now| now.contacts.len() == 60);
    first.until("both devices", |now| now.own.devices.len() == 2 && now.own.link == LinkView::Done);
    assert!(first.handle.snapshot().own.has_root);

    // Without the root a device takes nobody in, unless the person gives the kit.
    let kit = first.take_kit();
    let mut third = world.device("third");
    third.ask(Command::StartLink { server: world.address() });
    let waiting = third.until("a code", |now| matches!(now.own.link, LinkView::Waiting { .. }));
    let LinkView::Waiting { code, .. } = waiting.own.link.clone() else { unreachable!() };
    tablet.ask(Command::ReadLink { code });
    tablet.until("a number", |now| matches!(now.own.link, LinkView::Comparing { .. }));
    tablet.ask(Command::ConfirmLink { kit: None });
    tablet.told("needs the recovery kit");
    tablet.ask(Command::ConfirmLink { kit: Some(kit) });
    third.until("online", is_online);
    first.told("ADDED");
    for device in [&mut first, &mut tablet, &mut third] {
        device.until("three devices", |now| now.own.devices.len() == 3);
    }
}
