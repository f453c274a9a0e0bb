//! Control: runs the call machine, keeps the identity, starts and stops the threads of a call, publishes snapshots.

mod account;
mod account_devices;
mod app_lock;
mod devices;
mod dialing;
mod events;
mod household;
mod letters;
mod linking;
mod media;
mod numbering;
mod people;
mod settings;
mod sound;
#[cfg(test)]
mod tests;
mod vault;
mod view;
mod ways;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use account_devices::Recovering;
use dialing::Dialing;
use ed25519_dalek::SigningKey;
use letters::Letters;
use linking::Linking;
use numbering::Numbering;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::account::AccountView;
use super::clock;
use super::config::EngineConfig;
use super::contacts::Contacts;
use super::devices::DeviceList;
use super::door::Door;
use super::encoder;
use super::handle::{
    Appearance, CallNumber, CallView, Command, Comparison, DeviceChoice, DeviceOpens, ServerStatus, Snapshot, Zoom,
};
use super::household::Household;
use super::path::CallPath;
use super::preview::Preview;
use super::secret::Secret;
use super::seen::Seen;
use super::session::{self, Announcements, Event, Events};
use super::sound::{Ringer, SoundCheck};
use super::topology::{CallThreads, Ends};
use crate::call::{KEYFRAME_PAUSE, Machine, Outcome, State};
use crate::capture::camera::CameraSystem;
use crate::capture::camera::native::NativeCameras;
use crate::crypto::identity::{Identity, ephemeral_key};
use crate::media::{Doorbell, Timestamp};
use crate::net::PathPolicy;
use crate::store::profile::{Profile, ProfileError, StoredTrial};
use crate::wire::address::{Handle, ServerAddress};
use crate::wire::token::TokenHash;

/// Events that may wait for control.
const EVENTS: usize = 64;
/// How often a running call is looked at: figures, wishes for keyframes.
const TICK: Duration = Duration::from_millis(100);
/// How often the server is asked who is there.
const PRESENCE: Duration = Duration::from_secs(15);
/// How often the peer's chain is looked up in a call: a device that was revoked is talked to no longer than that.
const PEER_CHECK: Duration = Duration::from_secs(30);
/// A device signs its chain's head anew after this time.
const RENEW_S: u64 = 12 * 3600;
/// Letters to which answers are awaited that the server may not know of yet; one more loses its precedence.
const ANNOUNCED: usize = 16;
/// Longest sleep when nothing is due.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// The state of an engine. Lives on the control thread.
#[expect(clippy::struct_excessive_bools, reason = "they say different things")]
pub struct Control {
    profile: Profile,
    config: EngineConfig,
    policy: PathPolicy,
    hide_address: bool,
    /// To the relay, and directly.
    last_round_trips_ms: (Option<f32>, Option<f32>),
    identity: Option<Identity>,
    /// The server has taken the identity's handle.
    registered: bool,
    appearance: Appearance,
    zoom: Zoom,
    /// Minutes without a touch after which the window locks itself.
    lock_after_min: Option<u32>,
    /// The window shows nothing of the profile.
    is_app_locked: bool,
    server: Option<ServerAddress>,
    status: ServerStatus,
    machine: Option<Machine>,
    contacts: Contacts,
    door: Door,
    household: Household,
    comparison: Option<Comparison>,
    letters: Letters,
    /// Hashes of the tokens that are valid, for the server.
    tokens: watch::Sender<Vec<TokenHash>>,
    /// Tells the server to which letters answers are awaited.
    announce_replies: Option<mpsc::Sender<TokenHash>>,
    trials: Vec<StoredTrial>,
    trying_encoders: bool,
    call: CallView,
    numbering: Numbering,
    notice: Option<(u64, Arc<str>)>,
    presence: Option<JoinHandle<()>>,
    seen: Seen,
    account: AccountView,
    /// Goes with the next registration.
    code: Option<Secret>,
    dialing: Option<Dialing>,
    recovering: Option<Recovering>,
    /// The recovery kit, while it is shown.
    kit: Option<Secret>,
    linking: Linking,
    /// When the peer's chain was last looked up.
    peer_checked: Timestamp,
    /// How often the person has dialled.
    dials: u64,
    path: Option<CallPath>,
    /// How many paths there have been.
    paths: u64,
    /// Letters on their way.
    deliveries: JoinSet<()>,
    /// Says the last words of the call that ended last.
    leaving: Option<JoinHandle<()>>,
    threads: Option<CallThreads>,
    ends: Option<Ends>,
    path_key: Option<Arc<SigningKey>>,
    switches: (bool, bool),
    speaker_on: bool,
    ringer: Option<Ringer>,
    keyframe_asked: Timestamp,
    devices: DeviceChoice,
    device_list: Option<Arc<DeviceList>>,
    preview: Option<Preview>,
    sound_check: SoundCheck,
    opens: Arc<DeviceOpens>,
    cameras: Arc<dyn CameraSystem>,
    snapshots: watch::Sender<Snapshot>,
    snapshot_bell: Arc<Doorbell>,
    events: Events,
    media: tokio::runtime::Handle,
}

/// What control is made of.
pub struct Parts {
    /// The open profile.
    pub profile: Profile,
    /// What was decided before.
    pub config: EngineConfig,
    /// Ends of what the engine's user reads.
    pub ends: Ends,
    /// Counts openings.
    pub opens: Arc<DeviceOpens>,
    /// Snapshots go here.
    pub snapshots: watch::Sender<Snapshot>,
    /// Rung with each of them.
    pub snapshot_bell: Arc<Doorbell>,
    /// Runs the media connections.
    pub media: tokio::runtime::Handle,
}

/// Runs an engine until it is told to shut down or nobody holds its handle. Inside a runtime of its own.
pub async fn run(parts: Parts, mut commands: mpsc::Receiver<Command>) -> Result<(), ProfileError> {
    let (events, mut incoming) = mpsc::channel(EVENTS);
    let mut control = Control::new(parts, events)?;
    control.go_online();
    control.publish();
    let mut presence = tokio::time::interval(PRESENCE);
    presence.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let machine = control.machine.as_ref().and_then(Machine::poll_timeout);
        let path = control.path.as_ref().and_then(CallPath::poll_timeout);
        let timeout = machine.into_iter().chain(path).min();
        let pause = timeout.map_or(LONGEST_SLEEP, |at| at.since(clock::now()));
        tokio::select! {
            command = commands.recv() => match command {
                None | Some(Command::Shutdown) => break,
                Some(command) => control.handle_command(command),
            },
            Some(event) = incoming.recv() => control.handle_event(event),
            () = tokio::time::sleep(pause) => {}
            _ = presence.tick() => {
                control.renew(clock::unix_now());
                control.ask_presence();
            }
            _ = tick.tick(), if control.is_to_be_looked_at() => control.look(),
        }
        control.share();
        control.tell_marks();
        if let Some(machine) = &mut control.machine {
            machine.handle_timeout(clock::now());
        }
        control.perform();
        control.follow_path();
        control.perform();
        control.publish();
    }
    if let Some(machine) = &mut control.machine {
        machine.leave(clock::now());
    }
    control.perform();
    control.stop_preview();
    control.say_goodbye(incoming).await;
    Ok(())
}

impl Control {
    fn new(parts: Parts, events: Events) -> Result<Self, ProfileError> {
        let Parts { profile, config, ends, opens, snapshots, snapshot_bell, media } = parts;
        let vault::Private { identity, contacts, door, household } = vault::load_private(&profile)?;
        let trials = encoder::kept_trials(&profile);
        let trying_encoders = encoder::start_trial(config.video, &trials, events.clone());
        let settings = profile.settings()?;
        let registered = settings.handle.is_some();
        let (appearance, zoom) = (settings.appearance, settings.zoom);
        let policy = config.path.unwrap_or(PathPolicy::hiding(settings.hide_address));
        let server = settings.server.and_then(|text| text.parse().ok());
        let machine = identity.as_ref().map(|identity| Machine::new(identity.device().clone()));
        Ok(Self {
            profile,
            config,
            policy,
            hide_address: settings.hide_address,
            last_round_trips_ms: (None, None),
            identity,
            registered,
            appearance,
            zoom,
            lock_after_min: settings.lock_after_min,
            is_app_locked: false,
            server,
            status: ServerStatus::Idle,
            machine,
            contacts,
            door,
            household,
            comparison: None,
            letters: Letters::default(),
            tokens: watch::Sender::default(),
            announce_replies: None,
            trials,
            trying_encoders,
            call: CallView::Idle,
            numbering: Numbering::default(),
            notice: None,
            presence: None,
            seen: Seen::default(),
            account: AccountView::default(),
            code: None,
            dialing: None,
            recovering: None,
            kit: None,
            linking: Linking::None,
            peer_checked: Timestamp::ZERO,
            dials: 0,
            path: None,
            paths: 0,
            deliveries: JoinSet::new(),
            leaving: None,
            threads: None,
            ends: Some(ends),
            path_key: None,
            switches: (true, true),
            speaker_on: true,
            ringer: None,
            keyframe_asked: Timestamp::ZERO,
            devices: settings.devices,
            device_list: None,
            preview: None,
            sound_check: SoundCheck::new(Arc::clone(&opens)),
            opens,
            cameras: Arc::new(NativeCameras),
            snapshots,
            snapshot_bell,
            events,
            media,
        })
    }

    fn handle_command(&mut self, command: Command) {
        if !self.is_open_to(&command) {
            return self.tell("Visavis is locked; type your passphrase first");
        }
        let now = clock::now();
        match command {
            Command::CreateProfile { name, server } => self.create_profile(&name, &server),
            Command::Dial { handle, video, consent } => self.dial(&handle, video, consent),
            Command::Accept { call, video, consent } if self.is_meant(call) => {
                let key = self.fresh_path_key();
                self.switches = (true, video);
                if let Some(machine) = &mut self.machine {
                    machine.accept(consent, video, key, now);
                }
            }
            Command::Decline { call } if self.is_meant(call) => {
                if let Some(machine) = &mut self.machine {
                    machine.decline(now);
                }
            }
            Command::HangUp { call } if self.is_meant(call) => self.hang_up(now),
            Command::Accept { .. } | Command::Decline { .. } | Command::HangUp { .. } => {
                self.tell(
                    "the call that you answered or ended is over; nothing was done about the one that is here now",
                );
            }
            Command::Dismiss => {
                if matches!(self.call, CallView::Ended { .. }) {
                    self.call = CallView::Idle;
                }
            }
            Command::SetMicrophone { on } => self.set_switches(on, self.switches.1),
            Command::SetSpeaker { on } => self.set_speaker(on),
            Command::SetCamera { on } => self.set_switches(self.switches.0, on),
            Command::StartPreview { consent } => self.start_preview(consent),
            Command::StopPreview => self.stop_preview(),
            Command::StartMicrophoneCheck { consent } => self.start_microphone_check(consent),
            Command::PlayTestTone => self.play_test_tone(),
            Command::StopSoundCheck => self.sound_check.stop(),
            Command::ListDevices => self.list_devices(),
            Command::ChooseDevices(choice) => self.choose_devices(choice),
            Command::SetAppearance(appearance) => self.set_appearance(appearance),
            Command::SetZoom(zoom) => self.set_zoom(zoom),
            Command::AddContact { whom } => self.add_contact(&whom),
            Command::RemoveContact { handle } => {
                let removed = self.contacts.remove(&self.profile, &handle);
                self.tell_error(removed);
            }
            Command::RenameContact { handle, name } => {
                let renamed = self.contacts.rename(&self.profile, &handle, &name);
                self.tell_error(renamed);
            }
            Command::TrustNewKey { handle } => {
                let trusted = self.contacts.trust_new_key(&self.profile, &handle);
                self.tell_error(trusted);
            }
            Command::KeepOldKey { handle } => {
                let kept = self.contacts.keep_old_key(&self.profile, &handle);
                self.tell_error(kept);
            }
            Command::SetVerified { handle, verified } => {
                let kept = self.contacts.set_verified(&self.profile, &handle, verified);
                self.tell_error(kept);
            }
            Command::SetSilent { handle, silent } => {
                let kept = self.contacts.set_silent(&self.profile, &handle, silent);
                self.tell_error(kept);
            }
            Command::Compare { handle } => self.compare(handle),
            Command::RenewLink => self.renew_link(),
            Command::AcceptRequest { handle } => self.accept_request(&handle),
            Command::DismissRequest { handle } => self.dismiss_request(&handle),
            Command::Block { handle } => self.block(&handle),
            Command::Unblock { handle } => self.unblock(&handle),
            Command::Unlock { passphrase } => self.unlock(&passphrase),
            Command::Lock => self.lock_app(),
            Command::SetHideAddress { hide } => self.set_hide_address(hide),
            Command::SetLockAfter { minutes } => self.set_lock_after(minutes),
            Command::Account(command) => self.handle_account(command),
            Command::Protect(how) => self.protect(&how),
            Command::ShowKit => self.show_kit(),
            Command::KitIsKept => self.kit_is_kept(),
            Command::HideKit => self.kit = None,
            Command::ImportKit { text } => self.import_kit(&text),
            Command::RevokeDevice { device, kit } => self.revoke_device(device, kit.as_ref()),
            Command::StartLink { server } => self.start_link(&server),
            Command::ReadLink { code } => self.read_link(&code),
            Command::ConfirmLink { kit } => self.confirm_link(kit.as_ref()),
            Command::CancelLink => self.cancel_link(),
            Command::Wipe => self.wipe("everything of this profile has been wiped"),
            Command::Shutdown => {}
        }
    }

    fn create_profile(&mut self, name: &str, server: &str) {
        if self.registered || self.profile.is_locked() {
            return self.tell("this profile has an identity already");
        }
        let server: ServerAddress = match server.parse() {
            Ok(server) => server,
            Err(error) => return self.tell(&error.to_string()),
        };
        // Handles end in the host of the address, which is the server's own name for itself.
        let handle = match Handle::new(name, &server.host) {
            Ok(handle) => handle,
            Err(error) => return self.tell(&error.to_string()),
        };
        // Tried again with the same name, the server may have taken it already, for the keys that were made then.
        let earlier = self.identity.take().filter(|identity| identity.handle() == handle.to_string());
        let create = || Identity::create(&handle.to_string(), clock::unix_now(), &mut rand::rng());
        let identity = earlier.unwrap_or_else(create);
        self.become_device(identity, server);
    }

    /// Whether an answer that names this call is about the one that is shown.
    fn is_meant(&mut self, call: CallNumber) -> bool {
        self.view_call();
        call == self.numbering.current()
    }

    fn hang_up(&mut self, now: Timestamp) {
        if self.dialing.take().is_some() {
            return self.end_view(Outcome::Cancelled);
        }
        if let Some(machine) = &mut self.machine {
            machine.hang_up(now);
        }
    }

    /// Whether no call runs or rings.
    fn is_idle(&self) -> bool {
        self.machine.as_ref().is_none_or(|machine| matches!(machine.state().0, State::Idle))
    }

    /// Signs the head of the own chain anew if it is half a day old, and registers it again: letters carry it, and a head
    /// of more than two days is refused. By the time of day, since a machine that sleeps ages too.
    fn renew(&mut self, unix_now: u64) {
        let Some(identity) = &mut self.identity else { return };
        if identity.chain().head_time().abs_diff(unix_now) < RENEW_S {
            return;
        }
        match identity.renew(unix_now) {
            Ok(()) => self.go_online(),
            Err(error) => self.tell(&format!("this device cannot renew its proof of identity: {error}")),
        }
    }

    fn go_online(&mut self) {
        let (Some(identity), Some(server)) = (&self.identity, self.server.clone()) else { return };
        let chain = identity.chain().clone();
        // A handle that is none would have been refused when the identity was made.
        let Ok(own) = identity.handle().parse() else { return };
        let device = identity.device().clone();
        let signer = device.clone();
        // Each time the device connects it shows a head signed just now.
        let chain = move || chain.with_fresh_head(&signer, clock::unix_now()).encode();
        self.status = ServerStatus::Connecting;
        if let Some(old) = self.presence.take() {
            old.abort();
        }
        self.announce_tokens();
        let (announce, replies) = mpsc::channel(ANNOUNCED);
        self.announce_replies = Some(announce);
        let announcements = Announcements { tokens: self.tokens.subscribe(), replies };
        let present =
            session::stay_present(server, own, device, chain, self.code.take(), announcements, self.events.clone());
        self.presence = Some(tokio::spawn(present));
    }
}

impl Control {
    /// Whether something runs whose state changes by itself.
    const fn is_to_be_looked_at(&self) -> bool {
        self.path.is_some() || self.preview.is_some() || self.sound_check.is_running()
    }

    /// Looks at a running call or preview.
    fn look(&mut self) {
        self.announce_camera();
        self.sound_check.tend();
        let now = clock::now();
        if let Some(path) = &mut self.path {
            path.look(now);
        }
        self.check_peer();
        let (Some(threads), Some(machine)) = (&self.threads, &mut self.machine) else { return };
        if threads.switches.request_keyframe.load(Ordering::Acquire) && now.since(self.keyframe_asked) >= KEYFRAME_PAUSE
        {
            threads.switches.request_keyframe.store(false, Ordering::Release);
            self.keyframe_asked = now;
            machine.want_keyframe();
        }
    }

    /// The call is over: every device is closed, the room is left.
    fn end_view(&mut self, outcome: Outcome) {
        if self.dialing.is_some() {
            // It was somebody else's that rang meanwhile: the own call goes on.
            return;
        }
        self.ringer = None;
        let counts = self.threads.take().map(|threads| {
            let counters = Arc::clone(&threads.counters);
            self.ends = threads.stop();
            Box::new(view::call_counts(&counters))
        });
        self.leave_room();
        self.path_key = None;
        let (peer, talked_s) = match &self.call {
            CallView::Active(view) => {
                self.last_round_trips_ms = view.round_trips_ms;
                (view.peer.clone(), clock::now().since(view.since).as_secs())
            }
            CallView::Outgoing { peer, .. } | CallView::Incoming { peer, .. } | CallView::Connecting { peer, .. } => {
                (peer.clone(), 0)
            }
            CallView::Idle | CallView::Ended { .. } => return,
        };
        self.numbering.end(outcome.clone(), talked_s, counts);
        self.call = CallView::Ended { peer, outcome, talked_s };
    }

    /// Asks the server who of the contacts is there; not during a call, which has better uses for the time.
    fn ask_presence(&mut self) {
        let (Some(server), ServerStatus::Online, None) = (self.server.clone(), &self.status, &self.threads) else {
            return;
        };
        let names = self.contacts.names_to_ask(&server.host);
        if !names.is_empty() {
            let key = ephemeral_key(&mut rand::rng());
            tokio::spawn(session::ask_presence(server, key, names, self.events.clone()));
        }
    }

    /// The engine ends: what it has said last, and that it leaves, still goes out. Nothing ends later than that.
    async fn say_goodbye(mut self, incoming: mpsc::Receiver<Event>) {
        let letters = async { while self.deliveries.join_next().await.is_some() {} };
        let letters = tokio::time::timeout(session::LAST_LETTERS, letters);
        let last_words = async {
            if let Some(leaving) = self.leaving {
                let _ = tokio::time::timeout(session::LAST_WORDS, leaving).await;
            }
        };
        let _ = tokio::join!(letters, last_words);
        // Presence lasts for as long as its events are read.
        drop(incoming);
        if let Some(presence) = self.presence {
            let _ = tokio::time::timeout(session::GOODBYE, presence).await;
        }
    }

    fn tell_error<E: std::fmt::Display>(&mut self, result: Result<(), E>) {
        if let Err(error) = result {
            self.tell(&error.to_string());
        }
    }

    /// What pictures go through was lost with a thread that died in an earlier call or preview.
    fn tell_threads_died(&mut self) {
        self.tell("a part of the program has crashed, so that it can show no more pictures; restart Visavis");
    }

    fn tell(&mut self, text: &str) {
        let number = self.notice.as_ref().map_or(1, |(number, _)| number + 1);
        self.notice = Some((number, text.into()));
    }
}
