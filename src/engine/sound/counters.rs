//! What is counted and measured of a call's sound, and how it is shown.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;

use crate::engine::counters::{Counter, Smoothed};
use crate::engine::lipsync::LipSync;
use crate::media::Timestamp;
use crate::sound::SoundError;
use crate::sound::level::SILENCE_DBFS;
use crate::transport::jitter::JitterCounts;

/// No sound for this long is worth a word.
const NO_SOUND: Duration = Duration::from_secs(1);

/// Whether a microphone or a speaker works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceState {
    /// Not wanted, or not yet opened.
    #[default]
    Off,
    /// Open. This is what the lamp on the screen shows.
    Open {
        /// Its name.
        name: Arc<str>,
    },
    /// Wanted, but not there; the call goes on without, and it is tried again.
    Missing {
        /// Cause and remedy, in words for the person.
        why: Arc<str>,
    },
}

/// Sound since the call began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct SoundCounts {
    /// Packets of 20 ms that were sealed and sent.
    pub sent: u64,
    /// Packets not sent, since there was no key or no path.
    pub unsent: u64,
    /// Packets of the peer that opened.
    pub received: u64,
    /// Blocks made up in place of packets that were lost or late.
    pub concealed: u64,
    /// Packets that came after their time.
    pub late: u64,
    /// Packets dropped because too many waited.
    pub dropped: u64,
    /// Milliseconds of sound left out or repeated to keep up with a network that changes; clocks are followed without that.
    pub stretched_ms: u64,
    /// Packets that were no Opus.
    pub undecodable: u64,
    /// Samples lost because the microphone was read too late.
    pub samples_lost: u64,
    /// Samples that the speaker had to do without.
    pub samples_missing: u64,
    /// Times that the echo canceller was built anew.
    pub processing_rebuilt: u64,
    /// From the peer's microphone to the own speaker, smoothed; right only if both read the same clock, as two programs
    /// on one machine do. Nothing if there was no microphone there, or no speaker (or file) here.
    pub mouth_to_ear_ms: Option<f32>,
    /// How much later the peer's sound comes than its picture, whole milliseconds; less than zero: earlier. Right whatever
    /// the clocks say; nothing unless both come.
    pub sound_after_picture_ms: Option<f32>,
}

/// The sound of a call as a person sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SoundView {
    /// Own microphone.
    pub microphone: DeviceState,
    /// Own speaker.
    pub speaker: DeviceState,
    /// How loud it is here, decibels below full scale; also while muted.
    pub own_level_dbfs: f32,
    /// How loud it is there.
    pub peer_level_dbfs: f32,
    /// Somebody speaks here, but the microphone is off.
    pub speaking_while_muted: bool,
    /// Since when nothing has come from the peer, if that is longer than a second: not even silence.
    pub no_sound_since: Option<Timestamp>,
    /// Packets so far.
    pub counts: SoundCounts,
}

/// A level that one thread writes and others read.
#[derive(Debug)]
struct Level(AtomicU32);

impl Default for Level {
    fn default() -> Self {
        Self(AtomicU32::new(SILENCE_DBFS.to_bits()))
    }
}

impl Level {
    /// To the half decibel, so that silence does not look like a change.
    fn set(&self, dbfs: f32) {
        self.0.store(((dbfs * 2.0).round() / 2.0).to_bits(), Ordering::Relaxed);
    }

    fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Ordering::Relaxed))
    }
}

/// What the sound threads of a call note.
#[derive(Debug, Default)]
pub struct SoundCounters {
    /// Packets that were sealed and sent.
    pub sent: Counter,
    /// Packets that were not.
    pub unsent: Counter,
    /// Packets that opened.
    pub received: Counter,
    /// Packets that were no Opus.
    pub undecodable: Counter,
    /// Samples that the microphone's reader lost.
    pub samples_lost: Counter,
    /// Samples that the speaker missed.
    pub samples_missing: Counter,
    /// Times that the echo canceller was built anew.
    pub processing_rebuilt: Counter,
    /// From the peer's microphone to the own speaker.
    pub mouth_to_ear: Smoothed,
    /// What keeps sound and picture together.
    pub lipsync: LipSync,
    jitter: Mutex<JitterCounts>,
    own_level: Level,
    peer_level: Level,
    speaking_while_muted: AtomicBool,
    /// When the last packet came, in nanoseconds; the call's beginning before the first.
    heard: AtomicI64,
    microphone: Mutex<DeviceState>,
    speaker: Mutex<DeviceState>,
}

impl SoundCounters {
    /// Notes the level here.
    pub fn set_own_level(&self, dbfs: f32) {
        self.own_level.set(dbfs);
    }

    /// Notes the level there.
    pub fn set_peer_level(&self, dbfs: f32) {
        self.peer_level.set(dbfs);
    }

    /// Notes whether somebody speaks in vain.
    pub fn set_speaking_while_muted(&self, speaking: bool) {
        self.speaking_while_muted.store(speaking, Ordering::Relaxed);
    }

    /// Notes that a packet came, or that the call begins.
    pub fn heard_at(&self, at: Timestamp) {
        self.heard.store(at.as_nanos(), Ordering::Relaxed);
    }

    /// Notes what the jitter buffer counts.
    pub fn set_jitter(&self, counts: JitterCounts) {
        if let Ok(mut jitter) = self.jitter.lock() {
            *jitter = counts;
        }
    }

    /// Notes the microphone: open under this name, or missing, or off.
    pub fn set_microphone(&self, state: DeviceState) {
        if let Ok(mut microphone) = self.microphone.lock() {
            *microphone = state;
        }
    }

    /// Notes the speaker.
    pub fn set_speaker(&self, state: DeviceState) {
        if let Ok(mut speaker) = self.speaker.lock() {
            *speaker = state;
        }
    }

    /// What is shown now.
    #[must_use]
    pub fn view(&self, now: Timestamp) -> SoundView {
        let heard = Timestamp::from_nanos(self.heard.load(Ordering::Relaxed));
        let state = |state: &Mutex<DeviceState>| state.lock().map_or(DeviceState::Off, |state| state.clone());
        SoundView {
            microphone: state(&self.microphone),
            speaker: state(&self.speaker),
            own_level_dbfs: self.own_level.get(),
            peer_level_dbfs: self.peer_level.get(),
            speaking_while_muted: self.speaking_while_muted.load(Ordering::Relaxed),
            no_sound_since: (heard != Timestamp::ZERO && now.since(heard) > NO_SOUND).then_some(heard),
            counts: self.counts(now),
        }
    }

    /// What has gone through so far.
    #[must_use]
    pub fn counts(&self, now: Timestamp) -> SoundCounts {
        let jitter = self.jitter.lock().map_or_else(|_| JitterCounts::default(), |jitter| *jitter);
        SoundCounts {
            sent: self.sent.get(),
            unsent: self.unsent.get(),
            received: self.received.get(),
            concealed: jitter.concealed,
            late: jitter.late,
            dropped: jitter.dropped,
            stretched_ms: jitter.stretched.as_millis() as u64,
            undecodable: self.undecodable.get(),
            samples_lost: self.samples_lost.get(),
            samples_missing: self.samples_missing.get(),
            processing_rebuilt: self.processing_rebuilt.get(),
            mouth_to_ear_ms: self.mouth_to_ear.millis().map(|millis| (millis * 10.0).round() / 10.0),
            sound_after_picture_ms: self.lipsync.skew_ms(now).map(f32::round),
        }
    }
}

impl DeviceState {
    pub(super) fn open(name: &str) -> Self {
        Self::Open { name: name.into() }
    }

    pub(super) fn missing(error: &SoundError) -> Self {
        Self::Missing { why: error.to_string().into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_without_packets_is_said_and_muted_silence_is_not() {
        let counters = SoundCounters::default();
        let at = |millis| Timestamp::ZERO + Duration::from_secs(5) + Duration::from_millis(millis);
        assert_eq!(counters.view(at(0)).no_sound_since, None, "before the call");
        counters.heard_at(at(0));
        assert_eq!(counters.view(at(900)).no_sound_since, None);
        assert_eq!(counters.view(at(1_500)).no_sound_since, Some(at(0)));
        counters.heard_at(at(1_600));
        assert_eq!(counters.view(at(1_700)).no_sound_since, None);
    }
}
