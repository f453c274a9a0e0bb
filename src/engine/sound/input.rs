//! The microphone of a call through its ups and downs: opened when it is there, replaced by silence when it is not.

use std::sync::Arc;
use std::time::Duration;

use super::counters::{DeviceState, SoundCounters};
use super::{NAP, RETRY};
use crate::engine::config::SoundChoice;
use crate::engine::handle::{DeviceOpens, OpenDevice};
use crate::media::{Doorbell, Timestamp};
use crate::sound::microphone::DeviceMicrophone;
use crate::sound::opening::Opening;
use crate::sound::paced::PacedMicrophone;
use crate::sound::{Microphone, Piece, SoundError, wav};

/// What the microphone's thread reads.
pub struct Input {
    choice: SoundChoice,
    bell: Arc<Doorbell>,
    opens: Arc<DeviceOpens>,
    current: Box<dyn Microphone>,
    /// Held while a microphone or a file is open.
    open: Option<OpenDevice>,
    /// A device on its way.
    opening: Option<Opening<DeviceMicrophone>>,
    /// When the chosen one is to be opened; never, if it is open or none is chosen.
    open_at: Option<Timestamp>,
    lost_before: u64,
}

impl Input {
    /// Nothing is opened before the first [`Input::tend`].
    pub fn new(choice: SoundChoice, bell: Arc<Doorbell>, opens: Arc<DeviceOpens>) -> Self {
        let open_at = (choice != SoundChoice::None).then_some(Timestamp::ZERO);
        let current = Box::new(PacedMicrophone::silence());
        Self { choice, bell, opens, current, open: None, opening: None, open_at, lost_before: 0 }
    }

    /// Takes another microphone from now on.
    pub fn choose(&mut self, choice: SoundChoice, now: Timestamp, counters: &SoundCounters) {
        if choice == self.choice {
            return;
        }
        (self.current, self.open, self.opening) = (Box::new(PacedMicrophone::silence()), None, None);
        self.open_at = (choice != SoundChoice::None).then_some(now);
        self.choice = choice;
        counters.set_microphone(DeviceState::Off);
    }

    /// Opens what is due to be opened.
    pub fn tend(&mut self, now: Timestamp, counters: &SoundCounters) {
        if self.open_at.is_some_and(|open_at| now >= open_at) {
            self.open_at = None;
            match &self.choice {
                SoundChoice::Device(name) => {
                    let (name, bell) = (name.clone(), Arc::clone(&self.bell));
                    match Opening::start(move || DeviceMicrophone::open(name.as_deref(), &bell)) {
                        Ok(opening) => self.opening = Some(opening),
                        Err(error) => self.is_missing(&error, now, counters),
                    }
                }
                SoundChoice::File(path) => match wav::microphone(path) {
                    Ok(microphone) => self.is_open(Box::new(microphone), counters),
                    Err(error) => self.is_missing(&error, now, counters),
                },
                SoundChoice::None => {}
            }
        }
        match self.opening.as_ref().and_then(Opening::poll) {
            None => return,
            Some(Ok(microphone)) => self.is_open(Box::new(microphone), counters),
            Some(Err(error)) => self.is_missing(&error, now, counters),
        }
        self.opening = None;
    }

    /// The next 10 ms and when they were heard.
    pub fn read(&mut self, piece: &mut Piece, now: Timestamp, counters: &SoundCounters) -> Option<Timestamp> {
        let read = self.current.read(piece, now);
        let lost = self.current.lost();
        counters.samples_lost.add(lost.saturating_sub(self.lost_before));
        self.lost_before = lost;
        match read {
            Ok(at) => at,
            Err(error) => {
                self.is_missing(&error, now, counters);
                None
            }
        }
    }

    /// Time from the air to here.
    pub fn latency(&self) -> Duration {
        self.current.latency()
    }

    /// Whether there is something to hear with, a device or a file.
    pub const fn is_there(&self) -> bool {
        self.open.is_some()
    }

    /// Whether a room is heard.
    pub fn is_acoustic(&self) -> bool {
        self.current.is_acoustic()
    }

    /// How long nothing happens unless the bell rings.
    pub fn due(&self, now: Timestamp) -> Duration {
        self.current.due(now).min(NAP)
    }

    fn is_open(&mut self, microphone: Box<dyn Microphone>, counters: &SoundCounters) {
        self.open = Some(self.opens.microphone_opened());
        counters.set_microphone(DeviceState::open(microphone.name()));
        (self.current, self.lost_before) = (microphone, 0);
    }

    fn is_missing(&mut self, error: &SoundError, now: Timestamp, counters: &SoundCounters) {
        counters.set_microphone(DeviceState::missing(error));
        (self.current, self.open) = (Box::new(PacedMicrophone::silence()), None);
        self.open_at = Some(now + RETRY);
    }
}
