//! Control and the threads of a call: they start when it was accepted, and are switched.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Control;
use crate::call::CaptureGrant;
use crate::engine::topology::{CallIo, start_call};
use crate::engine::{clock, encoder};

impl Control {
    /// Tells the call which frames went out and came in: before each of its beats, which have to name all that were sent before
    /// the peer's last beat.
    pub(super) fn tell_marks(&mut self) {
        if let (Some(threads), Some(machine)) = (&mut self.threads, &mut self.machine) {
            threads.tell_marks(machine);
        }
    }

    /// Everything of a call's pictures and sound starts: the person has accepted.
    pub(super) fn start_media(&mut self, grant: CaptureGrant) {
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
            adaptation: self.config.adaptation,
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

    /// Microphone and camera are switched on or off.
    pub(super) fn set_switches(&mut self, microphone: bool, camera: bool) {
        self.switches = (microphone, camera);
        if let Some(threads) = &self.threads {
            threads.switches.microphone.store(microphone, Ordering::Release);
            threads.switches.camera.store(camera, Ordering::Release);
        }
        if let Some(machine) = &mut self.machine {
            machine.set_switches(microphone, camera);
        }
    }
}
