//! How loud it is, and whether somebody speaks.

use std::time::Duration;

use super::PIECE;

/// Level of silence.
pub const SILENCE_DBFS: f32 = -96.0;

/// A level meter as people know it: up at once, down slowly.
#[derive(Debug)]
pub struct Meter {
    dbfs: f32,
}

impl Default for Meter {
    fn default() -> Self {
        Self { dbfs: SILENCE_DBFS }
    }
}

impl Meter {
    /// Takes 10 or 20 ms of sound and gives the level that is to be shown, in decibels below full scale.
    pub fn measure(&mut self, samples: &[f32]) -> f32 {
        /// Fall from one measurement to the next.
        const FALL_DB: f32 = 1.0;
        self.dbfs = level_dbfs(samples).max(self.dbfs - FALL_DB);
        self.dbfs
    }
}

/// Root mean square in decibels below full scale (a full-scale sine has −3).
#[must_use]
pub fn level_dbfs(samples: &[f32]) -> f32 {
    let power = samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len().max(1) as f32;
    (10.0 * power.max(1e-12).log10()).max(SILENCE_DBFS)
}

/// Tells speech from background by its level: well above the quietest of the last seconds, for a syllable's time.
#[derive(Debug)]
pub struct SpeechDetector {
    floor_dbfs: f32,
    loud_for: Duration,
    quiet_for: Duration,
    speaking: bool,
}

/// Below this nobody speaks.
const FAINT_DBFS: f32 = -50.0;
/// Speech is above the background by this.
const ABOVE_DB: f32 = 12.0;
/// The background is taken to rise by this with every piece, so that it follows a room that grows louder.
const FLOOR_RISE_DB: f32 = 0.02;
/// Length of a syllable.
const SYLLABLE: Duration = Duration::from_millis(120);
/// Pauses between words are still speech.
const PAUSE: Duration = Duration::from_millis(800);

impl Default for SpeechDetector {
    fn default() -> Self {
        Self { floor_dbfs: FAINT_DBFS, loud_for: Duration::ZERO, quiet_for: PAUSE, speaking: false }
    }
}

impl SpeechDetector {
    /// Takes 10 ms of sound and says whether somebody speaks.
    pub fn hear(&mut self, piece: &[f32]) -> bool {
        let level = level_dbfs(piece);
        self.floor_dbfs = level.min(self.floor_dbfs + FLOOR_RISE_DB);
        if level > FAINT_DBFS.max(self.floor_dbfs + ABOVE_DB) {
            self.loud_for += PIECE;
            self.quiet_for = Duration::ZERO;
        } else {
            self.quiet_for += PIECE;
            // A gap as short as a consonant does not interrupt a syllable.
            if self.quiet_for > PIECE * 3 {
                self.loud_for = Duration::ZERO;
            }
        }
        if self.loud_for >= SYLLABLE {
            self.speaking = true;
        } else if self.quiet_for >= PAUSE {
            self.speaking = false;
        }
        self.speaking
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sound::PIECE_SAMPLES;

    fn tone(amplitude: f32) -> Vec<f32> {
        (0..PIECE_SAMPLES).map(|n| amplitude * (n as f32 * 0.1).sin()).collect()
    }

    #[test]
    fn levels_are_decibels_below_full_scale() {
        assert!((level_dbfs(&tone(1.0)) + 3.0).abs() < 0.2);
        assert!((level_dbfs(&tone(0.1)) + 23.0).abs() < 0.2);
        assert!((level_dbfs(&[]) - SILENCE_DBFS).abs() < 0.1);
    }

    #[test]
    fn the_meter_rises_at_once_and_falls_slowly() {
        let mut meter = Meter::default();
        let loud = meter.measure(&tone(0.5));
        assert!(loud > -10.0);
        let next = meter.measure(&[0.0; PIECE_SAMPLES]);
        assert!(next < loud && next > loud - 2.0);
    }

    #[test]
    fn speech_is_told_from_a_click_and_from_a_hum() {
        let mut detector = SpeechDetector::default();
        for _ in 0..200 {
            assert!(!detector.hear(&tone(0.001)), "a quiet room");
        }
        assert!(!detector.hear(&tone(0.5)), "a click");
        for _ in 0..100 {
            detector.hear(&tone(0.001));
        }
        let heard = (0..30).any(|_| detector.hear(&tone(0.1)));
        assert!(heard, "a syllable");
        let silent_again = (0..100).map(|_| detector.hear(&tone(0.001))).last();
        assert_eq!(silent_again, Some(false));
        // A fan that stays on is background after a while.
        let last = (0..6_000).map(|_| detector.hear(&tone(0.02))).last();
        assert_eq!(last, Some(false));
    }
}
