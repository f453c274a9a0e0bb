//! The microphone's thread: echo cancellation, noise suppression, gain, Opus. A packet every 20 ms, whether the
//! microphone is on, off or missing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::input::Input;
use crate::codec::opus::OpusEncoder;
use crate::engine::clock;
use crate::engine::config::SoundChoice;
use crate::engine::counters::{CallCounters, SendSwitches};
use crate::engine::handle::DeviceOpens;
use crate::media::{
    AUDIO_BLOCK_SAMPLES, AudioBlock, Doorbell, EncodedAudio, FrameId, RingReceiver, RingSender, SAMPLE_RATE_HZ,
    Timestamp,
};
use crate::sound::level::{Meter, SpeechDetector};
use crate::sound::processing::Processing;
use crate::sound::resample::Resampler;
use crate::sound::speaker::Reference;
use crate::sound::{PIECE_SAMPLES, Piece};

/// The thread `audio-send`.
pub struct SoundSendThread {
    /// Where sound comes from.
    pub source: SoundChoice,
    /// Other microphones that are chosen later.
    pub choices: RingReceiver<SoundChoice>,
    /// Leave the microphone's sound as it is.
    pub raw: bool,
    /// The codec.
    pub encoder: OpusEncoder,
    /// To the sealing thread. Full: the newest packet is dropped and counted.
    pub out: RingSender<EncodedAudio>,
    /// What each newly opened speaker plays.
    pub references: RingReceiver<Reference>,
    /// Rung by the microphone.
    pub bell: Arc<Doorbell>,
    /// Counts openings.
    pub opens: Arc<DeviceOpens>,
    /// What control asks.
    pub switches: Arc<SendSwitches>,
    /// What happened.
    pub counters: Arc<CallCounters>,
}

impl SoundSendThread {
    /// Runs until the call is over; then the microphone is closed.
    pub fn run(mut self) {
        self.bell.attend();
        let mut input = Input::new(self.source.clone(), Arc::clone(&self.bell), Arc::clone(&self.opens));
        let mut cleaner = (!self.raw).then(Cleaner::default);
        let mut block = AudioBlock { at: Timestamp::ZERO, samples: [0.0; AUDIO_BLOCK_SAMPLES] };
        let mut filled = 0;
        let mut next = FrameId(0);
        let (mut meter, mut speech) = (Meter::default(), SpeechDetector::default());
        let counters = Arc::clone(&self.counters);
        let sound = &counters.sound;
        while !self.switches.stopped() {
            let now = clock::now();
            while let Some(choice) = self.choices.pop() {
                input.choose(choice, now, sound);
            }
            input.tend(now, sound);
            if let Some(cleaner) = &mut cleaner {
                cleaner.hear_speaker(&mut self.references);
            }
            let mut piece = [0.0; PIECE_SAMPLES];
            while let Some(at) = input.read(&mut piece, now, sound) {
                if let Some(cleaner) = cleaner.as_mut().filter(|_| input.is_acoustic()) {
                    cleaner.clean(&mut piece, input.latency());
                    let rebuilt = cleaner.processing.rebuilt();
                    sound.processing_rebuilt.add(rebuilt - sound.processing_rebuilt.get());
                }
                sound.set_own_level(meter.measure(&piece));
                let on = self.switches.microphone.load(Ordering::Acquire);
                sound.set_speaking_while_muted(speech.hear(&piece) && !on);
                if !on {
                    piece.fill(0.0);
                }
                if filled == 0 {
                    // Silence in place of a microphone comes from no mouth.
                    block.at = if input.is_there() { at } else { Timestamp::ZERO };
                }
                block.samples[filled..filled + PIECE_SAMPLES].copy_from_slice(&piece);
                filled += PIECE_SAMPLES;
                if filled == AUDIO_BLOCK_SAMPLES {
                    filled = 0;
                    self.send(&block, next);
                    next = next.next();
                }
            }
            self.bell.wait(Some(input.due(now)));
        }
    }

    fn send(&mut self, block: &AudioBlock, id: FrameId) {
        match self.encoder.encode(&block.samples) {
            Ok(data) => {
                if self.out.push(EncodedAudio { id, captured: block.at, ready: clock::now(), data }).is_err() {
                    self.counters.sound.unsent.count();
                }
            }
            Err(error) => {
                tracing::warn!(%error, "20 ms of sound not encoded");
                self.counters.encode_errors.count();
            }
        }
    }
}

/// The chain that cleans the microphone, with what the speaker plays.
#[derive(Default)]
struct Cleaner {
    processing: Processing,
    speaker: Option<(Reference, Resampler)>,
    /// 48 kHz of the speaker, less than a piece.
    played: Vec<f32>,
}

impl Cleaner {
    /// Takes in what the speaker has played since.
    fn hear_speaker(&mut self, references: &mut RingReceiver<Reference>) {
        while let Some(reference) = references.pop() {
            self.speaker = Resampler::new(reference.rate_hz, SAMPLE_RATE_HZ).ok().map(|made| (reference, made));
        }
        let Some((reference, resampler)) = &mut self.speaker else { return };
        let waiting = reference.samples.slots();
        if let Ok(chunk) = reference.samples.read_chunk(waiting) {
            let (first, second) = chunk.as_slices();
            for part in [first, second] {
                resampler.process(part, |made| self.played.extend_from_slice(made));
            }
            chunk.commit_all();
        }
        let (pieces, rest) = self.played.as_chunks::<PIECE_SAMPLES>();
        for piece in pieces {
            self.processing.hear_far_end(piece);
        }
        let rest = rest.len();
        self.played.drain(..self.played.len() - rest);
    }

    fn clean(&mut self, piece: &mut Piece, latency: Duration) {
        let speaker = self.speaker.as_ref().map_or(Duration::ZERO, |(reference, _)| reference.gauge.latency());
        self.processing.clean(piece, speaker + latency);
    }
}
