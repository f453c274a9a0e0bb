//! What is heard before a call: the bell of somebody who is called, the ring-back tone of somebody who calls, and the
//! tone that tries a speaker.

use std::f32::consts::TAU;
use std::time::Duration;

use super::{PIECE_SAMPLES, Piece};
use crate::media::SAMPLE_RATE_HZ;

/// Which tone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Somebody calls: two soft strokes of a bell every three seconds.
    Bell,
    /// It rings over there: 425 Hz, one second of every five (ITU-T E.180).
    RingBack,
    /// For trying a speaker: three rising strokes of a bell, within [`TEST_LENGTH`].
    Test,
}

/// The test tone, to be played once.
pub const TEST_LENGTH: Duration = Duration::from_secs(2);

/// A stroke: when it begins, how long it takes, its pitch.
struct Stroke {
    start_s: f32,
    length_s: f32,
    pitch_hz: f32,
}

const BELL: [Stroke; 2] = [
    Stroke { start_s: 0.0, length_s: 0.7, pitch_hz: 659.25 },
    Stroke { start_s: 0.35, length_s: 1.2, pitch_hz: 523.25 },
];
const BELL_PERIOD_S: f32 = 3.0;
const RING_BACK: [Stroke; 1] = [Stroke { start_s: 0.0, length_s: 1.0, pitch_hz: 425.0 }];
const RING_BACK_PERIOD_S: f32 = 5.0;
const TEST: [Stroke; 3] = [
    Stroke { start_s: 0.05, length_s: 0.9, pitch_hz: 523.25 },
    Stroke { start_s: 0.4, length_s: 0.9, pitch_hz: 659.25 },
    Stroke { start_s: 0.75, length_s: 1.1, pitch_hz: 783.99 },
];
/// Time in which a tone comes and goes, so that it does not click.
const EDGE_S: f32 = 0.01;

/// A tone that goes on for as long as it is asked.
#[derive(Debug)]
pub struct Player {
    tone: Tone,
    sample: u64,
}

impl Player {
    /// From the beginning.
    #[must_use]
    pub const fn new(tone: Tone) -> Self {
        Self { tone, sample: 0 }
    }

    /// The next 10 ms.
    pub fn piece(&mut self) -> Piece {
        let mut piece = [0.0; PIECE_SAMPLES];
        for sample in &mut piece {
            *sample = self.at(self.sample);
            self.sample += 1;
        }
        piece
    }

    fn at(&self, sample: u64) -> f32 {
        let period_s = match self.tone {
            Tone::Bell => BELL_PERIOD_S,
            Tone::RingBack => RING_BACK_PERIOD_S,
            Tone::Test => TEST_LENGTH.as_secs_f32(),
        };
        let period = (period_s * SAMPLE_RATE_HZ as f32) as u64;
        let t = (sample % period) as f32 / SAMPLE_RATE_HZ as f32;
        match self.tone {
            Tone::Bell => BELL.iter().map(|stroke| 0.16 * stroke.bell(t)).sum(),
            Tone::RingBack => RING_BACK.iter().map(|stroke| 0.08 * stroke.steady(t)).sum(),
            Tone::Test => TEST.iter().map(|stroke| 0.16 * stroke.bell(t)).sum(),
        }
    }
}

impl Stroke {
    fn steady(&self, t: f32) -> f32 {
        let t = t - self.start_s;
        let edge = (t / EDGE_S).min((self.length_s - t) / EDGE_S).clamp(0.0, 1.0);
        edge * (TAU * self.pitch_hz * t).sin()
    }

    /// Dies away, with overtones that die sooner.
    fn bell(&self, t: f32) -> f32 {
        let t = t - self.start_s;
        let edge = (t / EDGE_S).min((self.length_s - t) / EDGE_S).clamp(0.0, 1.0);
        let decay = |speed: f32| (-speed * t.max(0.0)).exp();
        let partial = |times: f32, speed: f32| decay(speed) * (TAU * times * self.pitch_hz * t).sin();
        edge * (partial(1.0, 3.5) + 0.4 * partial(2.0, 6.0) + 0.15 * partial(3.0, 9.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::level::level_dbfs;

    #[test]
    fn tones_are_audible_soft_and_free_of_clicks() {
        let test_s = TEST_LENGTH.as_secs_f32();
        for (tone, period_s) in
            [(Tone::Bell, BELL_PERIOD_S), (Tone::RingBack, RING_BACK_PERIOD_S), (Tone::Test, test_s)]
        {
            let mut player = Player::new(tone);
            let pieces = (period_s * 200.0) as usize;
            let sound: Vec<f32> = (0..pieces).flat_map(|_| player.piece()).collect();
            let first_second = level_dbfs(&sound[..SAMPLE_RATE_HZ as usize]);
            assert!((-35.0..-15.0).contains(&first_second), "{tone:?}: {first_second} dBFS");
            let step = sound.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
            assert!(step < 0.06, "{tone:?}: a step of {step}");
            let half = sound.len() / 2;
            assert_eq!(sound[..half], sound[half..], "it repeats");
        }
    }
}
