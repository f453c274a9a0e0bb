//! Microphones and speakers, and what is done to sound between them and the codec.
//!
//! Everything here is 48 kHz mono. A microphone is read in pieces of 10 ms, a speaker says how much it wants; neither
//! ever blocks, and neither has a thread of the call's: sound libraries run the callbacks ([`tap`]) on threads of their
//! own, files and silence are paced by the clock ([`paced`]).

pub mod devices;
pub mod level;
pub mod microphone;
pub mod opening;
pub mod paced;
pub mod processing;
pub mod resample;
pub mod speaker;
pub mod stretch;
mod system;
pub mod tap;
pub mod tone;
pub mod wav;

use std::time::Duration;

use crate::media::{SAMPLE_RATE_HZ, Timestamp};

/// Samples in the 10 ms in which sound is read and cleaned.
pub const PIECE_SAMPLES: usize = SAMPLE_RATE_HZ as usize / 100;
/// Time in a piece.
pub const PIECE: Duration = Duration::from_millis(10);

/// 10 ms of sound.
pub type Piece = [f32; PIECE_SAMPLES];

/// Where sound comes from. Never blocks.
pub trait Microphone {
    /// Its name for people.
    fn name(&self) -> &str;

    /// Fills in the next 10 ms, if they are there, and gives the time when their first sample was at the microphone.
    /// An error is final: the microphone is gone.
    fn read(&mut self, piece: &mut Piece, now: Timestamp) -> Result<Option<Timestamp>, SoundError>;

    /// Time from the air to [`Microphone::read`], as far as the system knows.
    fn latency(&self) -> Duration;

    /// How long until there may be something to read without a ring of the bell.
    fn due(&self, now: Timestamp) -> Duration;

    /// Samples that were lost because nobody read in time.
    fn lost(&self) -> u64;

    /// Whether it hears a room, so that echo, noise and distance have to be dealt with.
    fn is_acoustic(&self) -> bool;
}

/// Where sound goes to. Never blocks.
pub trait Speaker {
    /// Its name for people.
    fn name(&self) -> &str;

    /// Samples a second that it takes.
    fn rate_hz(&self) -> u32;

    /// Lets it take what is due; more is due at once while [`Speaker::due`] is zero. An error is final: the speaker is gone.
    fn advance(&mut self, now: Timestamp) -> Result<(), SoundError>;

    /// Samples that it needs now so as not to run dry before it is asked again.
    fn wanted(&self) -> usize;

    /// Hands samples over; what exceeds half a second is dropped.
    fn push(&mut self, samples: &[f32]);

    /// Time from [`Speaker::push`] to the air, as far as the system knows.
    fn delay(&self) -> Duration;

    /// How long until [`Speaker::wanted`] may grow without a ring of the bell.
    fn due(&self, now: Timestamp) -> Duration;

    /// Samples that it had to do without.
    fn dry(&self) -> u64;
}

/// Why there is no sound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SoundError {
    /// The system has no microphone.
    #[error("there is no microphone: connect one, or check the system's sound settings")]
    NoMicrophone,
    /// The system has no speaker.
    #[error("there is no speaker: connect one, or check the system's sound settings")]
    NoSpeaker,
    /// The device that was asked for is not there.
    #[error("there is no sound device '{0}': `visavis devices` lists those there are")]
    NotFound(String),
    /// The device cannot be used.
    #[error("the sound device '{name}' cannot be used: {why}")]
    Unusable {
        /// Which.
        name: String,
        /// The system's reason.
        why: String,
    },
    /// The device went away.
    #[error("the sound device '{name}' is gone: {why}")]
    Gone {
        /// Which.
        name: String,
        /// The system's reason.
        why: String,
    },
    /// What is played cannot be recorded any further.
    #[error("{path}: {why}; make room, or name another file")]
    Recording {
        /// Where.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A sound file cannot be used.
    #[error("{path}: {why}; give a WAV file")]
    File {
        /// Which.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}
