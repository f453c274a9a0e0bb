//! What control does about devices: lists them, keeps which are chosen, shows the camera outside a call, and tells the
//! peer when there is no picture though the camera is on.

use std::sync::Arc;

use super::Control;
use crate::call::{CaptureGrant, UserConsent};
use crate::engine::config::VideoChoice;
use crate::engine::devices::start_listing;
use crate::engine::handle::{CallView, DeviceChoice, DeviceState};
use crate::engine::preview::{Preview, PreviewIo};

impl Control {
    /// Where pictures of a call or a preview come from.
    pub(super) fn video_source(&self) -> VideoChoice {
        let chosen = || VideoChoice::from_setting(self.devices.camera.as_deref());
        self.config.video_source.clone().unwrap_or_else(chosen)
    }

    /// Asks the system for its devices; the answer comes as an event.
    pub(super) fn list_devices(&mut self) {
        let started = start_listing(Arc::clone(&self.cameras), self.events.clone());
        self.tell_error(started);
    }

    /// What is chosen: what the engine was started with, or else what the profile keeps.
    pub(super) fn chosen(&self) -> DeviceChoice {
        DeviceChoice {
            camera: self.video_source().setting(),
            microphone: self.microphone().setting(),
            speaker: self.speaker().setting(),
        }
    }

    /// Keeps what is chosen anew and uses it at once. There it outranks what the engine was started with; the rest stays
    /// as it is.
    pub(super) fn choose_devices(&mut self, choice: DeviceChoice) {
        let before = self.chosen();
        let camera_changed = choice.camera != before.camera;
        if camera_changed {
            (self.devices.camera, self.config.video_source) = (choice.camera, None);
        }
        if choice.microphone != before.microphone {
            (self.devices.microphone, self.config.microphone) = (choice.microphone, None);
        }
        if choice.speaker != before.speaker {
            (self.devices.speaker, self.config.speaker) = (choice.speaker, None);
        }
        let kept = self.profile.change_settings(|settings| settings.devices = self.devices.clone());
        self.tell_error(kept);
        let (microphone, speaker) = (self.microphone(), self.speaker());
        self.sound_check.choose(microphone.clone());
        if let Some(threads) = &mut self.threads {
            let _ = threads.microphone.push(microphone);
            let _ = threads.speaker.push(speaker);
        }
        if camera_changed {
            let source = self.video_source();
            let shares = [self.threads.as_ref().map(|it| &it.share), self.preview.as_ref().map(|it| &it.share)];
            shares.into_iter().flatten().for_each(|share| share.choose(source.clone()));
        }
    }

    /// Shows the person their own picture until the preview is stopped or a call begins; in a call they see it anyway.
    pub(super) fn start_preview(&mut self, consent: UserConsent) {
        if self.threads.is_some() || self.preview.is_some() {
            return;
        }
        let Some(ends) = self.ends.take() else { return self.tell_threads_died() };
        let io = PreviewIo {
            source: self.video_source(),
            cameras: Arc::clone(&self.cameras),
            video: self.config.video,
            opens: Arc::clone(&self.opens),
        };
        let started = Preview::start(CaptureGrant::for_preview(consent), io, ends);
        let started = started.map(|preview| self.preview = Some(preview));
        self.tell_no_thread(started);
    }

    /// Says that a thread of a preview or a check did not start.
    pub(super) fn tell_no_thread(&mut self, started: std::io::Result<()>) {
        self.tell_error(started.map_err(|error| format!("the program cannot start its threads: {error}")));
    }

    /// Closes the camera of a preview.
    pub(super) fn stop_preview(&mut self) {
        if let Some(preview) = self.preview.take() {
            self.ends = preview.stop();
        }
    }

    /// How the own camera is.
    pub(super) fn camera_state(&self) -> DeviceState {
        let call = self.threads.as_ref().map(|threads| &threads.share);
        let preview = self.preview.as_ref().map(|preview| &preview.share);
        call.or(preview).map(|share| share.state()).unwrap_or_default()
    }

    /// Tells the peer that the camera is off when it is on but missing, and on again when it is back.
    pub(super) fn announce_camera(&mut self) {
        if !matches!(self.call, CallView::Active(_)) {
            return;
        }
        let (microphone, camera) = self.switches;
        let showing = camera && !matches!(self.camera_state(), DeviceState::Missing { .. });
        if let Some(machine) = &mut self.machine
            && machine.switches() != (microphone, showing)
        {
            machine.set_switches(microphone, showing);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::Engine;
    use crate::engine::config::{EngineConfig, SoundChoice};
    use crate::engine::handle::{Command, EngineHandle, Snapshot};
    use crate::store::profile::Profile;

    const PATIENCE: Option<Duration> = Some(Duration::from_secs(20));

    fn start(folder: &std::path::Path) -> (Engine, EngineHandle) {
        Engine::start(Profile::open(folder).unwrap(), EngineConfig::default()).unwrap()
    }

    fn wait(handle: &mut EngineHandle, holds: impl Fn(&Snapshot) -> bool) -> Snapshot {
        let snapshot = handle.wait_for(PATIENCE, &holds).unwrap();
        assert!(holds(&snapshot), "in vain: {snapshot:?}");
        snapshot
    }

    fn with_camera(name: &str) -> DeviceChoice {
        DeviceChoice { camera: Some(name.into()), ..DeviceChoice::default() }
    }

    #[test]
    fn a_preview_shows_the_chosen_source_and_releases_it() {
        let folder = tempfile::tempdir().unwrap();
        let (engine, mut handle) = start(folder.path());
        assert!(handle.send(Command::ChooseDevices(with_camera("pattern"))));
        wait(&mut handle, |now| now.chosen.camera.is_some());
        assert_eq!(handle.device_opens.counts().0, 0, "nothing opens unasked");
        for round in 1..=2 {
            assert!(handle.send(Command::StartPreview { consent: UserConsent::given_by_person() }));
            wait(&mut handle, |now| now.camera == DeviceState::Open { name: "pattern".into() });
            assert!(handle.local.take().is_some());
            assert!(handle.send(Command::StopPreview));
            wait(&mut handle, |now| now.camera == DeviceState::Off);
            assert_eq!((handle.device_opens.counts().0, handle.device_opens.open_now().0), (round, false));
        }
        drop(engine);
    }

    #[test]
    fn a_preview_follows_a_new_choice_and_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let (engine, mut handle) = start(folder.path());
        assert!(handle.send(Command::ChooseDevices(with_camera("No Such Camera"))));
        assert!(handle.send(Command::StartPreview { consent: UserConsent::given_by_person() }));
        wait(&mut handle, |now| matches!(now.camera, DeviceState::Missing { .. }));
        assert!(handle.send(Command::ChooseDevices(with_camera("pattern"))));
        wait(&mut handle, |now| matches!(now.camera, DeviceState::Open { .. }));
        drop(engine);
        assert!(!handle.device_opens.open_now().0, "an engine that ends closes its devices");
    }

    #[test]
    fn a_choice_changes_nothing_that_was_not_chosen_anew() {
        let folder = tempfile::tempdir().unwrap();
        let config = EngineConfig {
            video_source: Some(VideoChoice::Pattern),
            microphone: Some(SoundChoice::File("voice.wav".into())),
            speaker: Some(SoundChoice::None),
            ..EngineConfig::default()
        };
        let (engine, mut handle) = Engine::start(Profile::open(folder.path()).unwrap(), config).unwrap();
        let started = wait(&mut handle, |now| now.started).chosen;
        let names = [&started.camera, &started.microphone, &started.speaker].map(|name| name.as_deref().unwrap());
        assert_eq!(names, ["pattern", "file voice.wav", "none"]);
        let other = DeviceChoice { camera: None, ..started.clone() };
        assert!(handle.send(Command::ChooseDevices(other.clone())));
        wait(&mut handle, |now| now.chosen == other);
        engine.shutdown().unwrap();
        // What was only started with is not kept for another time.
        let (_engine, mut handle) = start(folder.path());
        wait(&mut handle, |now| now.started && now.chosen == DeviceChoice::default());
    }

    #[test]
    fn a_choice_of_devices_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let choice = DeviceChoice { speaker: Some("none".into()), ..with_camera("HD Webcam") };
        let (engine, mut handle) = start(folder.path());
        assert!(handle.send(Command::ChooseDevices(choice.clone())));
        wait(&mut handle, |now| now.chosen == choice);
        engine.shutdown().unwrap();
        let (_engine, mut handle) = start(folder.path());
        wait(&mut handle, |now| now.started && now.chosen == choice);
    }

    #[test]
    fn the_devices_are_listed_when_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let (_engine, mut handle) = start(folder.path());
        assert_eq!(wait(&mut handle, |now| now.started).devices, None);
        assert!(handle.send(Command::ListDevices));
        wait(&mut handle, |now| now.devices.is_some());
    }
}
