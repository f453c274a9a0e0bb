//! What control decides about sound: when the bell rings, which devices a call uses, whether the speaker is on, and when
//! microphone and speaker are checked.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Control;
use crate::call::{CaptureGrant, UserConsent};
use crate::engine::config::SoundChoice;
use crate::engine::handle::CallView;
use crate::engine::sound::Ringer;
use crate::sound::tone::Tone;

impl Control {
    /// Begins or ends the tone that belongs to what is shown.
    pub(super) fn ring(&mut self) {
        let tone = match self.call {
            CallView::Incoming { ref peer, .. } if !self.contacts.is_silent(&peer.handle) => Some(Tone::Bell),
            CallView::Outgoing { ringing: true, .. } => Some(Tone::RingBack),
            _ => None,
        };
        // Not even a call that only rings is to find a microphone open.
        if self.call != CallView::Idle {
            self.sound_check.stop();
        }
        if tone == self.ringer.as_ref().map(Ringer::tone) {
            return;
        }
        self.ringer = None;
        // A recording begins with the call, and nowhere is nowhere to ring.
        if let (Some(tone), SoundChoice::Device(name)) = (tone, self.speaker()) {
            match Ringer::start(tone, name, Arc::clone(&self.opens)) {
                Ok(ringer) => self.ringer = Some(ringer),
                Err(error) => self.tell(&format!("it cannot ring: {error}")),
            }
        }
    }

    /// Where a call's sound comes from.
    pub(super) fn microphone(&self) -> SoundChoice {
        let chosen = || SoundChoice::from_setting(self.devices.microphone.as_deref());
        self.config.microphone.clone().unwrap_or_else(chosen)
    }

    /// Where a call's sound goes.
    pub(super) fn speaker(&self) -> SoundChoice {
        let chosen = || SoundChoice::from_setting(self.devices.speaker.as_deref());
        self.config.speaker.clone().unwrap_or_else(chosen)
    }

    /// Shows how loud it is until the check is stopped or somebody calls.
    pub(super) fn start_microphone_check(&mut self, consent: UserConsent) {
        if self.call == CallView::Idle {
            let microphone = self.microphone();
            let started = self.sound_check.listen(CaptureGrant::for_preview(consent), microphone);
            self.tell_no_thread(started);
        }
    }

    /// Plays the test tone once.
    pub(super) fn play_test_tone(&mut self) {
        if self.call == CallView::Idle {
            let speaker = self.speaker();
            let started = self.sound_check.play(speaker);
            self.tell_no_thread(started);
        }
    }

    /// The person wants to hear the peer, or not; for this call.
    pub(super) fn set_speaker(&mut self, on: bool) {
        self.speaker_on = on;
        if let Some(threads) = &self.threads {
            threads.switches.speaker.store(on, Ordering::Release);
        }
    }
}
