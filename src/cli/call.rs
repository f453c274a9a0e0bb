//! `visavis call` and `visavis answer`: one side of a call without a window.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use serde::Serialize;

use super::args::{AnswerArgs, CallArgs, MediaArgs, ProfileArgs};
use super::checks::{NewIdentity, check_identity, check_outputs, check_sound, check_video};
use super::exit::{CliError, Exit};
use super::interrupt::Interrupt;
use super::output;
use super::witness::{Witness, open_gpu};
use crate::call::{Outcome, UserConsent};
use crate::engine::config::{EngineConfig, VideoChoice, VideoSettings};
use crate::engine::handle::{
    ActiveView, CallView, Command, DeviceState, EngineHandle, FrameCounts, PathView, ServerStatus, Snapshot,
    SoundCounts, SoundView,
};
use crate::engine::standing::Standing;
use crate::engine::{Engine, clock};
use crate::media::Timestamp;
use crate::net::PathPolicy;
use crate::render::Gpu;
use crate::wire::address::Handle;

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
    /// The way that was used last, and how often it had changed.
    path: PathView,
    path_changes: u32,
    frames: FrameCounts,
    audio: SoundCounts,
}

/// Rings somebody and stays until the call is over.
pub fn call(profile: &ProfileArgs, arguments: &CallArgs) -> Result<(), CliError> {
    let interrupt = Interrupt::watch(|| {})?;
    let Side { engine, mut handle, video, gpu } = start(profile, &arguments.media, Some(&arguments.handle))?;
    let watch = Watch::new(&arguments.media, gpu.as_ref(), &handle)?;
    let consent = UserConsent::given_by_person();
    let dialled = Command::Dial { handle: arguments.handle.to_string(), video, consent };
    send(&handle, dialled)?;
    let result = watch.until_over(&mut handle, &arguments.media, &interrupt);
    drop(engine);
    result
}

/// Waits for a call, answers it as told, and stays until it is over.
pub fn answer(profile: &ProfileArgs, arguments: &AnswerArgs) -> Result<(), CliError> {
    let interrupt = Interrupt::watch(|| {})?;
    let Side { engine, mut handle, video, gpu } = start(profile, &arguments.media, None)?;
    if let Some(me) = handle.snapshot().me {
        output::say(&format!("{}\n", me.handle))?;
    }
    loop {
        wait_for(&mut handle, None, |now| matches!(now.call, CallView::Incoming { .. }) || interrupt.came())?;
        interrupt.check()?;
        if let CallView::Incoming { peer, .. } = handle.snapshot().call {
            eprintln!("{} calls", peer.handle);
        }
        let watch = Watch::new(&arguments.media, gpu.as_ref(), &handle)?;
        if arguments.decline {
            send(&handle, Command::Decline)?;
        } else if arguments.auto_accept || asked_to_accept(&mut handle, &interrupt)? {
            // `--auto-accept` or the typed answer is the act of the person.
            send(&handle, Command::Accept { video, consent: UserConsent::given_by_person() })?;
        } else {
            send(&handle, Command::Decline)?;
        }
        let result = watch.until_over(&mut handle, &arguments.media, &interrupt);
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

/// Asks whoever sits at the terminal, for as long as it rings. No answer, or the end of the input, is no.
fn asked_to_accept(handle: &mut EngineHandle, interrupt: &Interrupt) -> Result<bool, CliError> {
    eprint!("accept? [y/N] ");
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let ask = move || {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        // Nobody listens when it has stopped ringing: then the line is lost, as on any door that nobody stands at.
        let _ = tell.try_send(read.is_ok() && line.trim().eq_ignore_ascii_case("y"));
    };
    std::thread::Builder::new().name("ask".into()).spawn(ask).map_err(CliError::failure)?;
    loop {
        let rings = |now: &Snapshot| matches!(now.call, CallView::Incoming { .. });
        match told.recv_timeout(NAP) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Timeout) if rings(&handle.snapshot()) && !interrupt.came() => {}
            Err(_) => return Ok(false),
        }
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
fn start(profile: &ProfileArgs, media: &MediaArgs, whom: Option<&Handle>) -> Result<Side, CliError> {
    let outputs = [("--frame-log", &media.frame_log), ("--record", &media.record), ("--stats", &media.stats)];
    check_outputs(outputs.map(|(option, path)| (option, path.as_deref())))?;
    check_sound(media.mic.as_ref(), media.speaker.as_ref())?;
    let profile = profile.open()?;
    let settings = profile.settings().map_err(CliError::failure)?;
    let new = check_identity(media, &settings, whom)?;
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
        path: media.path.map(PathPolicy::from),
    };
    let (engine, mut handle) = Engine::start(profile, config).map_err(CliError::failure)?;
    if let Some(NewIdentity { name, server }) = new {
        send(&handle, Command::CreateProfile { name, server: server.to_string() })?;
    }
    let arrived = |now: &Snapshot| {
        let fatal = matches!(now.server, ServerStatus::Offline { fatal: true, .. });
        now.server == ServerStatus::Online || fatal || now.notice.is_some()
    };
    let Some(snapshot) = handle.wait_for(Some(ONLINE), arrived) else {
        return Err(stopped(engine));
    };
    if let Some((_, notice)) = &snapshot.notice {
        return Err(CliError::failure(notice));
    }
    match &snapshot.server {
        ServerStatus::Online => Ok(Side { engine, handle, video: has_picture, gpu }),
        ServerStatus::Offline { why, .. } => Err(CliError::new(Exit::NoNetwork, why)),
        _ => Err(CliError::new(Exit::NoNetwork, "the server does not answer; check the address and the network")),
    }
}

fn send(handle: &EngineHandle, command: Command) -> Result<(), CliError> {
    if handle.send(command) { Ok(()) } else { Err(CliError::failure("the engine has stopped")) }
}

/// Why an engine has stopped by itself.
pub(super) fn stopped(engine: Engine) -> CliError {
    match engine.shutdown() {
        Ok(()) => CliError::failure("the engine has stopped"),
        Err(error) => CliError::failure(error),
    }
}

fn wait_for(
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
    epoch: u64,
    encoder: &'static str,
    path: (PathView, u32),
    frames: FrameCounts,
    sound: SoundView,
}

impl Watch {
    fn new(media: &MediaArgs, gpu: Option<&Gpu>, handle: &EngineHandle) -> Result<Self, CliError> {
        Ok(Self {
            witness: Witness::new(media, gpu, &handle.remote_bell)?,
            began: None,
            hung_up: false,
            epoch: 0,
            encoder: "",
            path: (PathView::default(), 0),
            frames: FrameCounts::default(),
            sound: SoundView::default(),
        })
    }

    /// Stays with the call until it has ended; the outcome is the result.
    fn until_over(
        mut self,
        handle: &mut EngineHandle,
        media: &MediaArgs,
        interrupt: &Interrupt,
    ) -> Result<(), CliError> {
        handle.remote_bell.attend();
        let mut said = "";
        loop {
            self.witness.serve(handle)?;
            let snapshot = handle.snapshots.borrow_and_update().clone();
            if interrupt.came() && !self.hung_up {
                self.hung_up = true;
                send(handle, Command::HangUp)?;
            }
            let words = match snapshot.call.standing() {
                Standing::Before => match &snapshot.call {
                    CallView::Outgoing { ringing: false, .. } => "calling",
                    CallView::Outgoing { ringing: true, .. } => "ringing",
                    CallView::Incoming { .. } => "incoming",
                    CallView::Connecting { .. } => "connecting",
                    _ => {
                        interrupt.check()?;
                        if let Some((_, notice)) = &snapshot.notice {
                            return Err(CliError::failure(notice));
                        }
                        said
                    }
                },
                Standing::Talking(view) => {
                    self.note(view);
                    let began = *self.began.get_or_insert(view.since);
                    let over = media.seconds.is_some_and(|s| clock::now().since(began) >= Duration::from_secs(s));
                    if over && !self.hung_up {
                        self.hung_up = true;
                        send(handle, Command::HangUp)?;
                    }
                    match view.path {
                        PathView::Relay => "in call, by relay",
                        PathView::Direct => "in call, direct",
                        PathView::Reconnecting => "reconnecting",
                    }
                }
                Standing::Over { outcome, talked_s } => {
                    if outcome.exit_code() == 0 {
                        eprintln!("{}", outcome.sentence());
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

    /// Keeps what the call is like, and says once what of sound is missing.
    fn note(&mut self, view: &ActiveView) {
        self.epoch = view.epoch;
        self.encoder = view.encoder;
        self.frames = view.frames;
        self.path = (view.path, view.path_changes);
        let sound = &view.sound;
        let pairs = [(&self.sound.microphone, &sound.microphone), (&self.sound.speaker, &sound.speaker)];
        for (before, now) in pairs {
            if let (DeviceState::Missing { why }, true) = (now, before != now) {
                eprintln!("{why}");
            }
        }
        self.sound = sound.clone();
    }

    fn finish(self, media: &MediaArgs, outcome: &Outcome, talked_s: u64) -> Result<(), CliError> {
        self.witness.finish()?;
        if let Some(path) = &media.stats {
            let stats = Stats {
                schema: 1,
                version: env!("CARGO_PKG_VERSION"),
                outcome: outcome.sentence(),
                talked_s,
                epoch: self.epoch,
                encoder: self.encoder,
                path: self.path.0,
                path_changes: self.path.1,
                frames: self.frames,
                audio: self.sound.counts,
            };
            output::write_json(path, &stats)?;
        }
        if outcome.exit_code() == 0 { Ok(()) } else { Err(CliError::outcome(outcome)) }
    }
}
