//! Makes 20 ms of sound a few milliseconds longer or shorter without changing its pitch: one period of it is repeated or
//! left out where it resembles its neighbour most (waveform similarity overlap-add, Verhelst and Roelands 1993).

use crate::media::{AUDIO_BLOCK_SAMPLES, SAMPLE_RATE_HZ};

/// Shortest period: 2.5 ms, a voice of 400 Hz.
pub const SHORTEST: usize = SAMPLE_RATE_HZ as usize / 400;
/// Longest period: 15 ms, a voice of 67 Hz.
pub const LONGEST: usize = SAMPLE_RATE_HZ as usize * 15 / 1000;
/// Samples over which the two are blended: 5 ms.
const OVERLAP: usize = SAMPLE_RATE_HZ as usize / 200;
/// Below this likeness the sound has no period that could be taken out unheard.
const LEAST_LIKENESS: f32 = 0.5;
/// Below this level (square of the amplitude) nobody hears what is done.
const INAUDIBLE_POWER: f32 = 1e-6;

type Block = [f32; AUDIO_BLOCK_SAMPLES];

/// Leaves at most `at_most` samples out. Gives how many; 0 if no cut would go unheard.
pub fn shorten(block: &Block, at_most: usize, out: &mut Vec<f32>) -> usize {
    out.clear();
    let Some(period) = best_period(block, at_most) else {
        out.extend_from_slice(block);
        return 0;
    };
    blend(&block[..OVERLAP], &block[period..period + OVERLAP], out);
    out.extend_from_slice(&block[period + OVERLAP..]);
    period
}

/// Repeats at most `at_most` samples. Gives how many; 0 if no repetition would go unheard.
pub fn lengthen(block: &Block, at_most: usize, out: &mut Vec<f32>) -> usize {
    out.clear();
    let Some(period) = best_period(block, at_most) else {
        out.extend_from_slice(block);
        return 0;
    };
    out.extend_from_slice(&block[..period]);
    blend(&block[period..period + OVERLAP], &block[..OVERLAP], out);
    out.extend_from_slice(&block[OVERLAP..]);
    period
}

/// From `first` to `second` without a step.
fn blend(first: &[f32], second: &[f32], out: &mut Vec<f32>) {
    let pairs = first.iter().zip(second).enumerate();
    out.extend(pairs.map(|(n, (a, b))| {
        let share = (n as f32 + 0.5) / OVERLAP as f32;
        a * (1.0 - share) + b * share
    }));
}

/// The distance, up to `at_most`, at which the block resembles its beginning most.
fn best_period(block: &Block, at_most: usize) -> Option<usize> {
    let longest = at_most.min(LONGEST);
    if longest < SHORTEST {
        return None;
    }
    let start = &block[..OVERLAP];
    let power = |samples: &[f32]| samples.iter().map(|sample| sample * sample).sum::<f32>();
    let start_power = power(start);
    if power(block) < INAUDIBLE_POWER * AUDIO_BLOCK_SAMPLES as f32 {
        return Some(longest);
    }
    let likeness = |period: usize| {
        let there = &block[period..period + OVERLAP];
        let product: f32 = start.iter().zip(there).map(|(a, b)| a * b).sum();
        product / (start_power * power(there)).sqrt().max(1e-9)
    };
    // Every third sample finds the hill, its neighbourhood the top.
    let top = |candidates: &mut dyn Iterator<Item = usize>| {
        candidates.map(|period| (period, likeness(period))).max_by(|a, b| a.1.total_cmp(&b.1))
    };
    let (hill, _) = top(&mut (SHORTEST..=longest).step_by(3))?;
    let (period, likeness) = top(&mut (hill.saturating_sub(2).max(SHORTEST)..=(hill + 2).min(longest)))?;
    (likeness >= LEAST_LIKENESS).then_some(period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn vowel(pitch_hz: f32) -> Block {
        std::array::from_fn(|n| {
            let t = n as f32 / SAMPLE_RATE_HZ as f32;
            (1..8).map(|k| (TAU * pitch_hz * k as f32 * t).sin() / k as f32).sum::<f32>() * 0.3
        })
    }

    /// Largest step between neighbours.
    fn step(samples: &[f32]) -> f32 {
        samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_voice_loses_or_gains_whole_periods_without_a_click() {
        let mut out = Vec::new();
        for pitch_hz in [90.0, 140.0, 220.0, 350.0] {
            let block = vowel(pitch_hz);
            let usual = step(&block);
            for (change, sign) in [(shorten as fn(&Block, usize, &mut Vec<f32>) -> usize, -1_i64), (lengthen, 1)] {
                let by = change(&block, LONGEST, &mut out);
                let periods = by as f32 * pitch_hz / SAMPLE_RATE_HZ as f32;
                assert!(by > 0 && (periods - periods.round()).abs() < 0.03, "{periods} periods of {pitch_hz} Hz");
                assert_eq!(out.len() as i64, AUDIO_BLOCK_SAMPLES as i64 + sign * by as i64);
                assert!(step(&out) < 1.3 * usual, "{pitch_hz} Hz: step {} instead of {usual}", step(&out));
                // Both ends join the neighbours as before.
                assert!((out[0] - block[0]).abs() < 0.01);
                assert_eq!(out.last(), block.last());
            }
        }
    }

    #[test]
    fn no_more_is_taken_than_was_asked() {
        let mut out = Vec::new();
        assert!(shorten(&vowel(150.0), 400, &mut out) <= 400);
        assert_eq!(shorten(&vowel(150.0), SHORTEST - 1, &mut out), 0);
        assert_eq!(out, vowel(150.0));
    }

    #[test]
    fn silence_gives_all_that_is_asked_and_noise_nothing() {
        let mut out = Vec::new();
        assert_eq!(shorten(&[0.0; AUDIO_BLOCK_SAMPLES], 500, &mut out), 500);
        let mut seed = 9_u32;
        let noise: Block = std::array::from_fn(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1 << 23) as f32 - 1.0
        });
        assert_eq!(shorten(&noise, LONGEST, &mut out), 0);
    }
}
