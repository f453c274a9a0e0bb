//! `visavis call` and `visavis answer`: one side of a call without a window.

use std::time::Duration;

use serde::Serialize;

use super::args::{AnswerArgs, CallArgs, MediaArgs, ProfileArgs};
use super::checks::{
    NewIdentity, check_apart, check_identity, check_keys, check_name, check_outputs, check_sound, check_video,
};
use super::exit::{CliError, Exit};
use super::interrupt::Interrupt;
use super::one_way::OneWayStats;
use super::output;
use super::terminal::Terminal;
use super::witness::{Witness, open_gpu};
use crate::call::{Outcome, UserConsent};
use crate::engine::config::{Adaptation, EngineConfig, SoundChoice, VideoChoice, VideoSettings};
use crate::engine::handle::{
    ActiveView, CallNumber, CallView, Command, DeviceState, EngineHandle, FrameCounts, PathView, QueueCounts,
    SendingView, ServerStatus, Snapshot, SoundCounts, SoundView, TrafficCounts,
};
use crate::engine::standing::Standing;
use crate::engine::{Engine, clock};
use crate::media::Timestamp;
use crate::net::PathPolicy;
use crate::net::impair::Impairment;
use crate::render::Gpu;
use crate::wire::address::Handle;
use crate::wire::link::ContactLink;

/// Longest time for coming online.
const ONLINE: Duration = Duration::from_secs(10);
/// How often logs and recordings are served between two pictures.
const NAP: Duration = Duration::from_millis(20);

/// Figures of a call, for `--stats`.
#[derive(Serialize)]
struct Stats {
    schema: u32,
    version: &'static str,
    outcome: String,
    talked_s: u64,
    epoch: u64,
    encoder: &'static str,
    /// The way that was used last, and how often it had changed; none, if the call was never held.
    path: Option<PathView>,
    path_changes: u32,
    /// What went which way.
    traffic: TrafficCounts,
    /// How the own picture was sent in the end.
    sending: SendingView,
    frames: FrameCounts,
    /// How long the peer's pictures took to here.
    one_way_ms: OneWayStats,
    audio: SoundCounts,
    /// How the queues between the threads were used in the end, and (if the call was longer) after its first minute.
    queues: Option<QueueCounts>,
    queues_after_a_minute: Option<QueueCounts>,
}

/// Rings somebody and stays until the call is over.
pub fn call(profile: &ProfileArgs, arguments: &CallArgs) -> Result<(), CliError> {
    let interrupt = Interrupt::watch(|| {})?;
    let Side { engine, mut handle, video, gpu } =
        start(profile, &arguments.media, Some(&arguments.whom.handle), false, &interrupt)?;
    let watch = Watch::new(&arguments.media, gpu.as_ref(), &handle)?;
    let consent = UserConsent::given_by_person();
    let handle_of_callee = arguments.whom.handle.to_string();
    if let Some(link) = &arguments.whom.link {
        add_by_link(&mut handle, link, &interrupt)?;
    }
    let before = handle.snapshot();
    send(&handle, Command::Dial { handle: handle_of_callee, video, consent })?;
    let decided = |now: &Snapshot| now.dialled != before.dialled || now.notice != before.notice;
    let now = wait_for(&mut handle, Some(ONLINE), decided)?;
    if now.dialled == before.dialled {
        let why = now.notice.filter(|notice| Some(notice) != before.notice.as_ref());
        return Err(CliError::failure(why.map_or("the engine does not answer".into(), |(_, why)| why)));
    }
    let noticed = before.notice.map(|(number, _)| number);
    let result = watch.until_over(now.dialled, noticed, &mut handle, &arguments.media, &interrupt);
    drop(engine);
    result
}

/// Keeps whoever the link is of as a contact: only their key is believed from now on.
fn add_by_link(handle: &mut EngineHandle, link: &ContactLink, interrupt: &Interrupt) -> Result<(), CliError> {
    let (whom, before) = (link.handle.to_string(), handle.snapshot().notice);
    send(handle, Command::AddContact { whom: link.to_string() })?;
    let is_known = |now: &Snapshot| now.contacts.iter().any(|contact| contact.handle == whom && contact.verified);
    let now = wait_for(handle, Some(ONLINE), |now| is_known(now) || now.notice != before || interrupt.came())?;
    interrupt.check()?;
    match now.notice {
        _ if is_known(&now) => Ok(()),
        Some((_, notice)) => Err(CliError::failure(notice)),
        None => Err(CliError::failure("the engine did not answer in time; try again")),
    }
}

/// Waits for a call, answers it as told, and stays until it is over.
pub fn answer(profile: &ProfileArgs, arguments: &AnswerArgs) -> Result<(), CliError> {
    let interrupt = Interrupt::watch(|| {})?;
    // Before anything can ring: what is typed until then answers nothing.
    let asks = !arguments.decline && !arguments.auto_accept;
    let terminal = asks.then(Terminal::open).transpose().map_err(CliError::failure)?;
    let Side { engine, mut handle, video, gpu } =
        start(profile, &arguments.media, None, arguments.accept_strangers, &interrupt)?;
    if let Some(me) = handle.snapshot().me {
        output::say(&format!("{}\n", me.handle))?;
    }
    if let Some(link) = handle.snapshot().link {
        output::say(&format!("{link}\n"))?;
    }
    loop {
        let rings = |now: &Snapshot| matches!(now.call, CallView::Incoming { .. });
        let now = wait_for(&mut handle, None, |now| rings(now) || interrupt.came())?;
        interrupt.check()?;
        let (call, noticed) = (now.call_number, now.notice.map(|(number, _)| number));
        let CallView::Incoming { peer, .. } = now.call else { continue };
        let watch = Watch::new(&arguments.media, gpu.as_ref(), &handle)?;
        let answer = match &terminal {
            None => {
                eprintln!("{} calls", peer.handle);
                Some(!arguments.decline)
            }
            // One question: whoever has read the name may answer.
            Some(terminal) => terminal.ask(&format!("{} calls\naccept?", peer.handle), || {
                let now = handle.snapshot();
                rings(&now) && now.call_number == call && !interrupt.came()
            }),
        };
        match answer {
            // `--auto-accept` or the typed answer is the act of the person.
            Some(true) => send(&handle, Command::Accept { call, video, consent: UserConsent::given_by_person() })?,
            Some(false) => send(&handle, Command::Decline { call })?,
            // Silence is not no: it rings until the caller gives up.
            None => {}
        }
        let result = watch.until_over(call, noticed, &mut handle, &arguments.media, &interrupt);
        if arguments.once || interrupt.came() {
            drop(engine);
            return result;
        }
        if let Err(error) = result {
            eprintln!("{error}");
        }
        send(&handle, Command::Dismiss)?;
        wait_for(&mut handle, None, |now| !matches!(now.call, CallView::Ended { .. }))?;
    }
}

/// One side that is online.
struct Side {
    engine: Engine,
    handle: EngineHandle,
    /// It has a picture to show.
    video: bool,
    /// What the peer's pictures are drawn with, if they are.
    gpu: Option<Gpu>,
}

/// Checks what was asked for, opens the profile, starts the engine, makes the identity if there is none, and waits until
/// the server is reached.
fn start(
    profile: &ProfileArgs,
    media: &MediaArgs,
    whom: Option<&Handle>,
    accept_strangers: bool,
    interrupt: &Interrupt,
) -> Result<Side, CliError> {
    let outputs = [
        ("--frame-log", &media.frame_log),
        ("--trace", &media.trace),
        ("--record", &media.record),
        ("--stats", &media.stats),
    ];
    let outputs = outputs.map(|(option, path)| (option, path.as_deref()));
    check_outputs(outputs)?;
    check_sound(media.mic.as_ref(), media.speaker.as_ref())?;
    let speaker = ("--speaker", media.speaker.as_ref().and_then(SoundChoice::file));
    let mic = ("--mic", media.mic.as_ref().and_then(SoundChoice::file));
    let clip = ("--video-source", media.video_source.as_ref().and_then(VideoChoice::file));
    check_apart(&[clip, mic], &[&outputs[..], &[speaker]].concat())?;
    check_name(media)?;
    let profile = profile.open()?;
    let settings = profile.settings().map_err(CliError::failure)?;
    let new = check_identity(media, &settings, whom)?;
    check_keys(&profile, &settings)?;
    let (width, height) = media.size;
    let mut video = VideoSettings::new(width, height, media.fps);
    video.encoder = media.encoder.into();
    video.bitrate_kbps = media.bitrate.unwrap_or(video.bitrate_kbps);
    let chosen = settings.devices.camera.as_deref().map(|name| VideoChoice::from_setting(Some(name)));
    let source = media.video_source.clone().or(chosen).unwrap_or(VideoChoice::Pattern);
    check_video("--video-source", &source, video)?;
    let gpu = open_gpu(media)?;
    let has_picture = source != VideoChoice::None;
    let config = EngineConfig {
        video,
        video_source: Some(source),
        microphone: media.mic.clone(),
        speaker: media.speaker.clone(),
        raw_microphone: media.raw_mic,
        accept_strangers,
        path: media.path.map(PathPolicy::from),
        link: media.link.clone().map(|link| Impairment::new(link, clock::now)),
        adaptation: Adaptation::default(),
    };
    let (engine, mut handle) = Engine::start(profile, config).map_err(CliError::failure)?;
    if let Some(NewIdentity { name, server }) = new {
        send(&handle, Command::CreateProfile { name, server: server.to_string() })?;
    }
    let arrived = |now: &Snapshot| {
        let fatal = matches!(now.server, ServerStatus::Offline { fatal: true, .. });
        now.server == ServerStatus::Online || fatal || now.notice.is_some() || interrupt.came()
    };
    let Some(snapshot) = handle.wait_for(Some(ONLINE), arrived) else {
        return Err(stopped(engine));
    };
    interrupt.check()?;
    if let Some((_, notice)) = &snapshot.notice {
        return Err(CliError::failure(notice));
    }
    match &snapshot.server {
        ServerStatus::Online => Ok(Side { engine, handle, video: has_picture, gpu }),
        ServerStatus::Offline { why, .. } => Err(CliError::new(Exit::NoNetwork, why)),
        _ => Err(CliError::new(Exit::NoNetwork, "the server does not answer; check the address and the network")),
    }
}

pub(super) fn send(handle: &EngineHandle, command: Command) -> Result<(), CliError> {
    if handle.send(command) { Ok(()) } else { Err(CliError::failure("the engine has stopped")) }
}

/// Why an engine has stopped by itself.
pub(super) fn stopped(engine: Engine) -> CliError {
    match engine.shutdown() {
        Ok(()) => CliError::failure("the engine has stopped"),
        Err(error) => CliError::failure(error),
    }
}

pub(super) fn wait_for(
    handle: &mut EngineHandle,
    patience: Option<Duration>,
    holds: impl Fn(&Snapshot) -> bool,
) -> Result<Snapshot, CliError> {
    handle.wait_for(patience, holds).ok_or_else(|| CliError::failure("the engine has stopped"))
}

/// What is written down about a call while it runs.
struct Watch {
    witness: Witness,
    began: Option<Timestamp>,
    hung_up: bool,
    /// Number of the notice that was said last.
    noticed: Option<u64>,
    /// What could not be written down: the first of it is the result.
    failed: Option<CliError>,
    epoch: u64,
    encoder: &'static str,
    path: (PathView, u32),
    traffic: TrafficCounts,
    frames: FrameCounts,
    sending: SendingView,
    queues: QueueCounts,
    queues_after_a_minute: Option<QueueCounts>,
    sound: SoundView,
    /// What is wrong with the own camera, as it was said last.
    camera: DeviceState,
}

impl Watch {
    fn new(media: &MediaArgs, gpu: Option<&Gpu>, handle: &EngineHandle) -> Result<Self, CliError> {
        Ok(Self {
            witness: Witness::new(media, gpu, &handle.remote_bell)?,
            began: None,
            hung_up: false,
            noticed: None,
            failed: None,
            epoch: 0,
            encoder: "",
            path: (PathView::default(), 0),
            traffic: TrafficCounts::default(),
            frames: FrameCounts::default(),
            sending: SendingView::default(),
            queues: QueueCounts::default(),
            queues_after_a_minute: None,
            sound: SoundView::default(),
            camera: DeviceState::default(),
        })
    }

    /// Stays with `call` until it has ended; the outcome is the result. Says what comes up after the notice `noticed`.
    fn until_over(
        mut self,
        call: CallNumber,
        noticed: Option<u64>,
        handle: &mut EngineHandle,
        media: &MediaArgs,
        interrupt: &Interrupt,
    ) -> Result<(), CliError> {
        handle.remote_bell.attend();
        self.noticed = noticed;
        let mut said = "";
        loop {
            if self.failed.is_none()
                && let Err(error) = self.witness.serve(handle)
            {
                // The figures are still written when the call is over.
                self.failed = Some(error);
                self.hung_up = true;
                send(handle, Command::HangUp { call })?;
            }
            let snapshot = handle.snapshots.borrow_and_update().clone();
            if interrupt.came() && !self.hung_up {
                self.hung_up = true;
                send(handle, Command::HangUp { call })?;
            }
            if let Some((number, notice)) = snapshot.notice.as_ref().filter(|(number, _)| Some(*number) > self.noticed)
            {
                self.noticed = Some(*number);
                eprintln!("{notice}");
            }
            let words = match snapshot.standing_of(call) {
                None => {
                    interrupt.check()?;
                    return Err(CliError::failure("the call is over; others came before it was seen how it ended"));
                }
                Some(Standing::Before) => match &snapshot.call {
                    CallView::Outgoing { ringing: false, .. } => "calling",
                    CallView::Outgoing { ringing: true, .. } => "ringing",
                    CallView::Incoming { .. } => "incoming",
                    CallView::Connecting { .. } => "connecting",
                    _ => said,
                },
                Some(Standing::Talking(view)) => {
                    self.note(view, &snapshot.camera, media);
                    let began = *self.began.get_or_insert(view.since);
                    let over = media.seconds.is_some_and(|s| clock::now().since(began) >= Duration::from_secs(s));
                    if over && !self.hung_up {
                        self.hung_up = true;
                        send(handle, Command::HangUp { call })?;
                    }
                    match view.path {
                        PathView::Relay => "in call, by relay",
                        PathView::Direct => "in call, direct",
                        PathView::Reconnecting => "reconnecting",
                    }
                }
                Some(Standing::Over { outcome, talked_s }) => {
                    if outcome.exit_code() == 0 {
                        eprintln!("{}", outcome.sentence());
                    }
                    if let Some(counts) = snapshot.counts_of(call) {
                        (self.frames, self.traffic, self.sound.counts) = (counts.frames, counts.traffic, counts.sound);
                    }
                    let finished = self.finish(media, outcome, talked_s);
                    interrupt.check()?;
                    return finished;
                }
            };
            if words != said {
                eprintln!("{words}");
                said = words;
            }
            handle.snapshots.has_changed().map_err(|_| CliError::failure("the engine has stopped"))?;
            handle.remote_bell.wait(Some(NAP));
        }
    }

    /// Keeps what the call is like, and says once what of its devices is missing.
    fn note(&mut self, view: &ActiveView, camera: &DeviceState, media: &MediaArgs) {
        self.epoch = view.epoch;
        self.encoder = view.encoder;
        self.frames = view.frames;
        self.sending = view.sending;
        self.witness.clock = view.clock;
        self.traffic = view.traffic;
        self.queues = view.queues;
        if clock::now().since(view.since) >= Duration::from_mins(1) {
            self.queues_after_a_minute.get_or_insert(view.queues);
        }
        self.path = (view.path, view.path_changes);
        let sound = &view.sound;
        let records = media.speaker.as_ref().is_some_and(|speaker| speaker.file().is_some());
        if let (DeviceState::Missing { why }, true, true) = (&sound.speaker, records, self.failed.is_none()) {
            // The call goes on, but what was asked for is not whole: that is its result, and said with it.
            self.failed = Some(CliError::failure(why));
        }
        let pairs = [
            Some((&self.sound.microphone, &sound.microphone)),
            (!records).then_some((&self.sound.speaker, &sound.speaker)),
            Some((&self.camera, camera)),
        ];
        for (before, now) in pairs.into_iter().flatten() {
            if let (DeviceState::Missing { why }, true) = (now, before != now) {
                eprintln!("{why}");
            }
        }
        self.sound = sound.clone();
        self.camera = camera.clone();
    }

    fn finish(self, media: &MediaArgs, outcome: &Outcome, talked_s: u64) -> Result<(), CliError> {
        let (one_way_ms, written) = self.witness.finish();
        if let Some(path) = &media.stats {
            let stats = Stats {
                schema: 1,
                version: crate::VERSION,
                outcome: outcome.sentence(),
                talked_s,
                epoch: self.epoch,
                encoder: self.encoder,
                path: self.began.map(|_| self.path.0),
                path_changes: self.path.1,
                traffic: self.traffic,
                sending: self.sending,
                frames: self.frames,
                one_way_ms,
                audio: self.sound.counts,
                queues: self.began.map(|_| self.queues),
                queues_after_a_minute: self.queues_after_a_minute,
            };
            output::write_json(path, &stats)?;
        }
        let ended = if outcome.exit_code() == 0 { Ok(()) } else { Err(CliError::outcome(outcome)) };
        match (self.failed.map_or(written, Err), ended) {
            (Err(failed), Err(ended)) => {
                eprintln!("{ended}");
                Err(failed)
            }
            (written, ended) => written.and(ended),
        }
    }
}
