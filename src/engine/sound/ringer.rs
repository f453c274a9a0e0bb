//! The bell before a call. It opens the speaker and nothing else, and is gone before a microphone is opened, so that no
//! echo of it is ever sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::NAP;
use super::running::Running;
use crate::engine::clock;
use crate::engine::handle::DeviceOpens;
use crate::media::{Doorbell, SAMPLE_RATE_HZ};
use crate::sound::opening::Opening;
use crate::sound::resample::Resampler;
use crate::sound::speaker::DeviceSpeaker;
use crate::sound::tone::{Player, Tone};
use crate::sound::{PIECE, SoundError, Speaker};

/// A tone that sounds until it is dropped.
pub struct Ringer {
    tone: Tone,
    _running: Running,
}

impl Ringer {
    /// Begins to sound on a speaker by id or name, or the system's choice. Without a speaker there is silence; the
    /// window shows that somebody calls all the same.
    pub fn start(tone: Tone, speaker: Option<String>, opens: Arc<DeviceOpens>) -> Result<Self, std::io::Error> {
        let running = Running::start("ringer", Arc::new(Doorbell::new()), move |stop, bell| {
            if let Err(error) = sound(tone, speaker.as_deref(), &opens, stop, bell) {
                tracing::info!(%error, "no ring tone");
            }
        })?;
        Ok(Self { tone, _running: running })
    }

    /// What sounds.
    pub const fn tone(&self) -> Tone {
        self.tone
    }
}

fn sound(
    tone: Tone,
    speaker: Option<&str>,
    opens: &Arc<DeviceOpens>,
    stop: &AtomicBool,
    bell: &Arc<Doorbell>,
) -> Result<(), SoundError> {
    let (name, rung) = (speaker.map(str::to_owned), Arc::clone(bell));
    let opening = Opening::start(move || DeviceSpeaker::open(name.as_deref(), &rung))?;
    let (mut speaker, _reference) = loop {
        if stop.load(Ordering::Acquire) {
            return Ok(());
        }
        match opening.poll() {
            Some(opened) => break opened?,
            None => bell.wait(Some(PIECE)),
        }
    };
    let _open = opens.speaker_opened();
    let mut resampler = Resampler::new(SAMPLE_RATE_HZ, speaker.rate_hz())?;
    let mut player = Player::new(tone);
    while !stop.load(Ordering::Acquire) {
        speaker.advance(clock::now())?;
        while speaker.wanted() > 0 {
            resampler.process(&player.piece(), |made| speaker.push(made));
        }
        bell.wait(Some(NAP));
    }
    Ok(())
}
