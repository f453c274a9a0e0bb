//! The speaker of a call through its ups and downs: opened when it is there and wanted, replaced by nowhere when not.

use std::sync::Arc;
use std::time::Duration;

use super::counters::{DeviceState, SoundCounters};
use super::{NAP, RETRY};
use crate::engine::config::SoundChoice;
use crate::engine::handle::{DeviceOpens, OpenDevice};
use crate::media::{Doorbell, RingSender, SAMPLE_RATE_HZ, Timestamp};
use crate::sound::opening::Opening;
use crate::sound::paced::PacedSpeaker;
use crate::sound::resample::Resampler;
use crate::sound::speaker::{DeviceSpeaker, Reference};
use crate::sound::{SoundError, Speaker, wav};

/// What the speaker's thread plays on, from 48 kHz at the rate and pace that the speaker has.
pub struct Output {
    choice: SoundChoice,
    bell: Arc<Doorbell>,
    opens: Arc<DeviceOpens>,
    /// To the echo canceller.
    references: RingSender<Reference>,
    current: Box<dyn Speaker>,
    /// Held while a speaker or a file is open.
    open: Option<OpenDevice>,
    resampler: Option<Resampler>,
    /// A device on its way.
    opening: Option<Opening<(DeviceSpeaker, Reference)>>,
    open_at: Option<Timestamp>,
    wanted: bool,
    dry_before: u64,
}

impl Output {
    /// Nothing is opened before the first [`Output::tend`].
    pub fn new(
        choice: SoundChoice,
        bell: Arc<Doorbell>,
        opens: Arc<DeviceOpens>,
        references: RingSender<Reference>,
    ) -> Self {
        let current = Box::new(PacedSpeaker::nowhere());
        Self {
            choice,
            bell,
            opens,
            references,
            current,
            open: None,
            resampler: None,
            opening: None,
            open_at: None,
            wanted: false,
            dry_before: 0,
        }
    }

    /// Takes another speaker from now on.
    pub fn choose(&mut self, choice: SoundChoice, counters: &SoundCounters) {
        if choice == self.choice {
            return;
        }
        self.choice = choice;
        // The next look finds it closed though it is wanted.
        (self.wanted, self.opening, self.open_at) = (false, None, None);
        self.replace(Box::new(PacedSpeaker::nowhere()), None);
        counters.set_speaker(DeviceState::Off);
    }

    /// Opens what is due to be opened, closes what is not wanted, lets time pass.
    pub fn tend(&mut self, wanted: bool, now: Timestamp, counters: &SoundCounters) {
        let wanted = wanted && self.choice != SoundChoice::None;
        if wanted != self.wanted {
            self.wanted = wanted;
            self.open_at = wanted.then_some(now);
            if !wanted {
                self.opening = None;
                self.replace(Box::new(PacedSpeaker::nowhere()), None);
                counters.set_speaker(DeviceState::Off);
            }
        }
        if self.open_at.is_some_and(|open_at| now >= open_at) {
            self.open_at = None;
            match &self.choice {
                SoundChoice::Device(name) => {
                    let (name, bell) = (name.clone(), Arc::clone(&self.bell));
                    match Opening::start(move || DeviceSpeaker::open(name.as_deref(), &bell)) {
                        Ok(opening) => self.opening = Some(opening),
                        Err(error) => self.is_missing(&error, now, counters),
                    }
                }
                SoundChoice::File(path) => match wav::speaker(path) {
                    Ok(speaker) => self.is_open(Box::new(speaker), counters),
                    Err(error) => self.is_missing(&error, now, counters),
                },
                SoundChoice::None => {}
            }
        }
        match self.opening.as_ref().and_then(Opening::poll) {
            None => {}
            Some(Ok((speaker, reference))) => {
                self.opening = None;
                // Full: the microphone's thread is stuck, and nothing is cancelled in any case.
                let _ = self.references.push(reference);
                self.is_open(Box::new(speaker), counters);
            }
            Some(Err(error)) => {
                self.opening = None;
                self.is_missing(&error, now, counters);
            }
        }
        if let Err(error) = self.current.advance(now) {
            self.is_missing(&error, now, counters);
        }
        let dry = self.current.dry();
        counters.samples_missing.add(dry.saturating_sub(self.dry_before));
        self.dry_before = dry;
    }

    /// Whether there is something to hear it from, a device or a file.
    pub const fn is_there(&self) -> bool {
        self.open.is_some()
    }

    /// Whether more has to be played now.
    pub fn is_hungry(&self) -> bool {
        self.current.wanted() > 0
    }

    /// Since when more has to be played, had the speaker been looked at all the time: it is looked at when it takes something,
    /// and then it may lack anything from one sample to all that it took.
    pub fn wanted_since(&self, now: Timestamp) -> Timestamp {
        now - Duration::from_secs(1) * self.current.wanted() as u32 / self.current.rate_hz().max(1)
    }

    /// Plays 48 kHz sound, `trim_ppm` millionths faster than it is.
    pub fn play(&mut self, samples: &[f32], trim_ppm: f32) {
        let rate_hz = self.current.rate_hz();
        if self.resampler.is_none() {
            self.resampler = Resampler::with_trim(SAMPLE_RATE_HZ, rate_hz).ok();
        }
        match &mut self.resampler {
            Some(resampler) => {
                resampler.set_trim_ppm(trim_ppm);
                resampler.process(samples, |made| self.current.push(made));
            }
            // No rate of a real device is refused; should one be, the wrong pitch is heard and not nothing.
            None => self.current.push(samples),
        }
    }

    /// Time from [`Output::play`] to the air.
    pub fn delay(&self) -> Duration {
        self.current.delay()
    }

    /// How long nothing happens unless the bell rings.
    pub fn due(&self, now: Timestamp) -> Duration {
        self.current.due(now).min(NAP)
    }

    /// Plays on this speaker from now on.
    pub(super) fn replace(&mut self, speaker: Box<dyn Speaker>, open: Option<OpenDevice>) {
        self.current = speaker;
        self.open = open;
        self.resampler = None;
        self.dry_before = 0;
    }

    fn is_open(&mut self, speaker: Box<dyn Speaker>, counters: &SoundCounters) {
        counters.set_speaker(DeviceState::open(speaker.name()));
        self.replace(speaker, Some(self.opens.speaker_opened()));
    }

    fn is_missing(&mut self, error: &SoundError, now: Timestamp, counters: &SoundCounters) {
        counters.set_speaker(DeviceState::missing(error));
        self.replace(Box::new(PacedSpeaker::nowhere()), None);
        self.open_at = Some(now + RETRY);
    }
}
