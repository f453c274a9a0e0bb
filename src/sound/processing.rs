//! Echo cancellation, noise suppression and gain: what a microphone in a room needs before anybody wants to hear it.
//!
//! The library is a port of a large body of signal processing; should it panic, it is built anew, the piece passes
//! untouched and the event is counted.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use sonora::config::{
    AdaptiveDigital, EchoCanceller, GainController2, HighPassFilter, MaxProcessingRate, NoiseSuppression, Pipeline,
};
use sonora::{AudioProcessing, Config, StreamConfig};

use super::{PIECE_SAMPLES, Piece};
use crate::media::SAMPLE_RATE_HZ;

/// Longest delay of the echo that the library takes.
const LONGEST_DELAY: Duration = Duration::from_millis(500);

/// The chain for one microphone.
pub struct Processing {
    chain: AudioProcessing,
    rebuilt: u64,
}

impl Default for Processing {
    fn default() -> Self {
        Self { chain: chain(), rebuilt: 0 }
    }
}

impl Processing {
    /// Takes 10 ms that the speaker plays. Comes before the pieces of the microphone in which they can be heard.
    pub fn hear_far_end(&mut self, piece: &Piece) {
        let mut unused = [0.0; PIECE_SAMPLES];
        let chain = &mut self.chain;
        let done = catch_unwind(AssertUnwindSafe(|| chain.process_render_f32(&[piece], &mut [&mut unused])));
        self.rebuild_unless(done.is_ok());
    }

    /// Cleans 10 ms of the microphone. `delay`: from the speaker's callback to the air and back to here.
    pub fn clean(&mut self, piece: &mut Piece, delay: Duration) {
        let mut cleaned = [0.0; PIECE_SAMPLES];
        let chain = &mut self.chain;
        let done = catch_unwind(AssertUnwindSafe(|| {
            // Only a warning when it had to be clamped, which it has not.
            let _ = chain.set_stream_delay_ms(delay.min(LONGEST_DELAY).as_millis() as i32);
            chain.process_capture_f32(&[piece.as_slice()], &mut [&mut cleaned])
        }));
        let sound = matches!(done, Ok(Ok(()))) && cleaned.iter().all(|sample| sample.is_finite());
        if sound {
            *piece = cleaned.map(|sample| sample.clamp(-1.0, 1.0));
        }
        self.rebuild_unless(sound);
    }

    /// How often the chain broke and was built anew.
    #[must_use]
    pub const fn rebuilt(&self) -> u64 {
        self.rebuilt
    }

    fn rebuild_unless(&mut self, sound: bool) {
        if !sound {
            self.chain = chain();
            self.rebuilt += 1;
        }
    }
}

fn chain() -> AudioProcessing {
    let pipeline = Pipeline { maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz, ..Pipeline::default() };
    // A gain that starts low: the first word of a call should not be the loudest.
    let adaptive = AdaptiveDigital { initial_gain_db: 6.0, max_gain_db: 30.0, ..AdaptiveDigital::default() };
    let config = Config {
        pipeline,
        high_pass_filter: Some(HighPassFilter::default()),
        echo_canceller: Some(EchoCanceller::default()),
        noise_suppression: Some(NoiseSuppression::default()),
        gain_controller2: Some(GainController2 { adaptive_digital: Some(adaptive), ..GainController2::default() }),
        ..Config::default()
    };
    let stream = StreamConfig::new(SAMPLE_RATE_HZ, 1);
    AudioProcessing::builder().config(config).capture_config(stream).render_config(stream).build()
}

#[cfg(test)]
mod tests;
