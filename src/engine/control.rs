//! Control: runs the call machine, keeps the identity, starts and stops the threads of a call, publishes snapshots.

mod devices;
mod dialing;
mod settings;
mod sound;
#[cfg(test)]
mod tests;
mod view;
mod ways;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use dialing::Dialing;
use ed25519_dalek::SigningKey;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::clock;
use super::config::EngineConfig;
use super::contacts::Contacts;
use super::devices::DeviceList;
use super::encoder;
use super::handle::{Appearance, CallView, Command, DeviceChoice, DeviceOpens, ServerStatus, Snapshot, Zoom};
use super::path::CallPath;
use super::preview::Preview;
use super::sealing::{OpenCommand, SealCommand};
use super::session::{self, Event, Events};
use super::sound::{Ringer, SoundCheck};
use super::topology::{CallIo, CallThreads, Ends, start_call};
use crate::call::{CaptureGrant, KEYFRAME_PAUSE, Machine, Outcome, Output};
use crate::capture::camera::CameraSystem;
use crate::capture::camera::native::NativeCameras;
use crate::crypto::chain::DeviceCard;
use crate::crypto::identity::{Identity, ephemeral_key};
use crate::crypto::letter::{self, CallId, Content};
use crate::media::{Doorbell, Timestamp};
use crate::net::PathPolicy;
use crate::store::profile::{Profile, ProfileError, StoredTrial};
use crate::wire::address::{Handle, ServerAddress};

/// Events that may wait for control.
const EVENTS: usize = 64;
/// How often a running call is looked at: figures, wishes for keyframes.
const TICK: Duration = Duration::from_millis(100);
/// How often the server is asked who is there.
const PRESENCE: Duration = Duration::from_secs(15);
/// A device signs its chain's head anew after this time.
const RENEW_S: u64 = 12 * 3600;
/// Longest sleep when nothing is due.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// The state of an engine. Lives on the control thread.
pub struct Control {
    profile: Profile,
    config: EngineConfig,
    policy: PathPolicy,
    identity: Option<Identity>,
    /// The server has taken the identity's handle.
    registered: bool,
    appearance: Appearance,
    zoom: Zoom,
    server: Option<ServerAddress>,
    status: ServerStatus,
    machine: Option<Machine>,
    contacts: Contacts,
    trials: Vec<StoredTrial>,
    trying_encoders: bool,
    call: CallView,
    notice: Option<(u64, Arc<str>)>,
    presence: Option<JoinHandle<()>>,
    dialing: Option<Dialing>,
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
        if let Some(machine) = &mut control.machine {
            machine.handle_timeout(clock::now());
        }
        control.perform();
        control.follow_path();
        control.perform();
        control.publish();
    }
    if let Some(machine) = &mut control.machine {
        machine.hang_up(clock::now());
    }
    control.perform();
    control.stop_preview();
    control.say_goodbye(incoming).await;
    Ok(())
}

impl Control {
    fn new(parts: Parts, events: Events) -> Result<Self, ProfileError> {
        let Parts { profile, config, ends, opens, snapshots, snapshot_bell, media } = parts;
        let damaged = |why: String| ProfileError::Damaged { path: profile.folder().join("identity.key"), why };
        let identity = match profile.identity()? {
            Some(bytes) => {
                let identity = Identity::from_bytes(&bytes, clock::unix_now());
                Some(identity.map_err(|error| damaged(error.to_string()))?)
            }
            None => None,
        };
        let contacts = Contacts::load(&profile)?;
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
            identity,
            registered,
            appearance,
            zoom,
            server,
            status: ServerStatus::Idle,
            machine,
            contacts,
            trials,
            trying_encoders,
            call: CallView::Idle,
            notice: None,
            presence: None,
            dialing: None,
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
        let now = clock::now();
        match command {
            Command::CreateProfile { name, server } => self.create_profile(&name, &server),
            Command::Dial { handle, video, consent } => self.dial(&handle, video, consent),
            Command::Accept { video, consent } => {
                self.dialing = None;
                let key = self.fresh_path_key();
                self.switches = (true, video);
                if let Some(machine) = &mut self.machine {
                    machine.accept(consent, video, key, now);
                }
            }
            Command::Decline => {
                self.dialing = None;
                if let Some(machine) = &mut self.machine {
                    machine.decline(now);
                }
            }
            Command::HangUp => {
                self.dialing = None;
                if let Some(machine) = &mut self.machine {
                    machine.hang_up(now);
                }
                if matches!(self.call, CallView::Outgoing { .. }) {
                    self.end_view(Outcome::Cancelled);
                }
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
            Command::AddContact { handle } => {
                let own = self.identity.as_ref().map_or("", Identity::handle);
                let added = self.contacts.add(&self.profile, &handle, own);
                self.tell_error(added);
                self.ask_presence();
            }
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
            Command::Shutdown => {}
        }
    }

    fn create_profile(&mut self, name: &str, server: &str) {
        if self.registered {
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
        if let Err(error) = self.profile.save_identity(&identity.to_bytes()) {
            return self.tell(&error.to_string());
        }
        self.machine = Some(Machine::new(identity.device().clone()));
        self.identity = Some(identity);
        self.server = Some(server);
        self.go_online();
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
        let (Some(identity), Some(server)) = (&self.identity, &self.server) else { return };
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
        self.presence =
            Some(tokio::spawn(session::stay_present(server.clone(), own, device, chain, self.events.clone())));
    }

    fn handle_event(&mut self, event: Event) {
        let now = clock::now();
        match event {
            Event::Online => {
                self.status = ServerStatus::Online;
                if !self.registered {
                    self.registered = true;
                    let kept = self.keep_registration();
                    self.tell_error(kept);
                }
                self.ask_presence();
            }
            Event::Offline(error) => {
                self.status = ServerStatus::Offline { why: error.to_string(), fatal: error.is_fatal() };
                self.contacts.forget_presence();
            }
            Event::Envelope(envelope) => {
                let (Some(identity), Some(machine)) = (&self.identity, &mut self.machine) else { return };
                match letter::read(identity, &envelope, clock::unix_now()) {
                    Ok(letter) => machine.handle_letter(letter, now),
                    Err(error) => tracing::warn!(%error, "an envelope was thrown away"),
                }
            }
            Event::Presence(answers) => {
                let Some(host) = self.server.as_ref().map(|server| server.host.clone()) else { return };
                for (name, online) in answers {
                    self.contacts.handle_presence(&format!("{name}@{host}"), online);
                }
            }
            Event::LookedUp(attempt, result) => self.looked_up(attempt, result),
            Event::Delivered(call, result) => {
                let Some(machine) = &mut self.machine else { return };
                match result {
                    Ok(true) => machine.handle_reached(call),
                    Ok(false) => machine.handle_unreachable(call, Outcome::Offline, now),
                    Err(error) => machine.handle_unreachable(call, Outcome::Server(error.to_string()), now),
                }
            }
            Event::Devices(list) => self.device_list = Some(Arc::new(list)),
            Event::EncoderTried(trial) => {
                self.trials.push(trial);
                self.trying_encoders = false;
                let kept = self.profile.save_trials(&self.trials);
                self.tell_error(kept);
            }
            Event::Path(number, event) => self.handle_path_event(number, event, now),
        }
    }

    /// Does what the machine wants done.
    fn perform(&mut self) {
        while let Some(output) = self.machine.as_mut().and_then(Machine::poll) {
            match output {
                Output::Letter { to, call, content, .. } => self.write_letters(&to, call, &content),
                Output::Join { room, leaf, peer_path_key } => self.enter_room(room, leaf, peer_path_key),
                Output::Message(message) => {
                    if let Some(path) = &mut self.path {
                        path.send(message);
                    }
                }
                Output::OpenEpoch { base, epoch, members } => {
                    if let Some(threads) = &mut self.threads {
                        let _ = threads.open.push(OpenCommand::Epoch { base, epoch, members });
                    }
                }
                Output::SealEpoch { base, epoch, leaf } => {
                    if let Some(threads) = &mut self.threads {
                        let _ = threads.seal.push(SealCommand::Epoch { base, epoch, leaf });
                    }
                }
                Output::DropBefore(epoch) => {
                    if let Some(threads) = &mut self.threads {
                        let _ = threads.open.push(OpenCommand::DropBefore(epoch));
                    }
                }
                Output::StartMedia(grant) => self.start_media(grant),
                Output::FindDirect(grant) => self.find_direct(grant),
                Output::Candidates { addresses, answer } => {
                    if let Some(path) = &mut self.path {
                        path.handle_candidates(addresses, answer, clock::now());
                    }
                }
                Output::Keyframe => {
                    if let Some(threads) = &self.threads {
                        threads.switches.keyframe.store(true, Ordering::Release);
                    }
                }
                Output::Changed => {}
                Output::Ended(outcome) => self.end_view(outcome),
            }
        }
        if let Some(path) = &mut self.path {
            path.flush();
        }
    }
}

impl Control {
    fn start_media(&mut self, grant: CaptureGrant) {
        self.stop_preview();
        let Some(ends) = self.ends.take() else {
            self.tell_threads_died();
            if let Some(machine) = &mut self.machine {
                machine.hang_up(clock::now());
            }
            return;
        };
        // No echo of the bell reaches the microphone.
        self.ringer = None;
        self.speaker_on = true;
        let source = self.video_source();
        let io = CallIo {
            source,
            on: self.switches,
            cameras: Arc::clone(&self.cameras),
            video: self.config.video,
            encoder: encoder::choose(&self.config.video, &self.trials),
            microphone: self.microphone(),
            raw_microphone: self.config.raw_microphone,
            speaker: self.speaker(),
            ends,
            opens: Arc::clone(&self.opens),
            runtime: self.media.clone(),
        };
        match start_call(grant, io) {
            Ok(threads) => {
                self.threads = Some(threads);
                self.connect_media();
            }
            Err(error) => {
                self.tell(&error.to_string());
                if let Some(machine) = &mut self.machine {
                    machine.hang_up(clock::now());
                }
            }
        }
    }

    fn set_switches(&mut self, microphone: bool, camera: bool) {
        self.switches = (microphone, camera);
        if let Some(threads) = &self.threads {
            threads.switches.microphone.store(microphone, Ordering::Release);
            threads.switches.camera.store(camera, Ordering::Release);
        }
        if let Some(machine) = &mut self.machine {
            machine.set_switches(microphone, camera);
        }
    }

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
        let (Some(threads), Some(machine)) = (&self.threads, &mut self.machine) else { return };
        if threads.switches.request_keyframe.load(Ordering::Acquire) && now.since(self.keyframe_asked) >= KEYFRAME_PAUSE
        {
            threads.switches.request_keyframe.store(false, Ordering::Release);
            self.keyframe_asked = now;
            machine.want_keyframe();
        }
    }

    fn write_letters(&mut self, to: &[DeviceCard], call: CallId, content: &Content) {
        let (Some(identity), Some(server)) = (&self.identity, self.server.clone()) else { return };
        let mut rng = rand::rng();
        let now = clock::unix_now();
        let write = |card: &DeviceCard| {
            let envelope = letter::write(identity, card, call, content.clone(), now, &mut rand::rng());
            envelope.ok().map(|envelope| (card.signing, envelope))
        };
        let envelopes: Vec<_> = to.iter().filter_map(write).collect();
        let invitation = matches!(content, Content::Invitation { .. }).then_some(call);
        let key = ephemeral_key(&mut rng);
        while self.deliveries.try_join_next().is_some() {}
        self.deliveries.spawn(session::deliver(server, key, envelopes, invitation, self.events.clone()));
    }

    /// The call is over: every device is closed, the room is left.
    fn end_view(&mut self, outcome: Outcome) {
        self.ringer = None;
        if let Some(threads) = self.threads.take() {
            self.ends = threads.stop();
        }
        self.leave_room();
        self.path_key = None;
        let (peer, talked_s) = match &self.call {
            CallView::Active(view) => (view.peer.clone(), clock::now().since(view.since).as_secs()),
            CallView::Outgoing { peer, .. } | CallView::Incoming { peer, .. } | CallView::Connecting { peer, .. } => {
                (peer.clone(), 0)
            }
            CallView::Idle | CallView::Ended { .. } => return,
        };
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
