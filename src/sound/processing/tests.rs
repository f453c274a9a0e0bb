//! Echo, noise and speech in made-up rooms.

mod reverberation;

use super::*;
use crate::sound::level::level_dbfs;
use std::collections::VecDeque;
use std::f32::consts::TAU;

/// Something like speech: a buzz of changing pitch in syllables, with breath noise.
struct Talker {
    seed: u32,
    time: u64,
    pitch_hz: f32,
    phase: f32,
}

impl Talker {
    fn new(seed: u32, pitch_hz: f32) -> Self {
        Self { seed, time: 0, pitch_hz, phase: 0.0 }
    }

    fn say(&mut self) -> Piece {
        std::array::from_fn(|_| {
            let t = self.time as f32 / SAMPLE_RATE_HZ as f32;
            self.time += 1;
            self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let breath = (self.seed >> 8) as f32 / (1 << 23) as f32 - 1.0;
            let pitch_hz = self.pitch_hz * (1.0 + 0.2 * (TAU * 0.6 * t).sin());
            self.phase = (self.phase + pitch_hz / SAMPLE_RATE_HZ as f32).fract();
            let buzz: f32 = (1..16).map(|k| (TAU * k as f32 * self.phase).sin() / k as f32).sum();
            let syllable = (TAU * 3.5 * t).sin().max(0.0) * if (t * 0.4).fract() < 0.75 { 1.0 } else { 0.0 };
            syllable * (0.15 * buzz + 0.05 * breath)
        })
    }
}

/// A room: the speaker comes back after 45 ms, softer, with two reflections.
#[derive(Default)]
struct Room {
    past: VecDeque<f32>,
}

impl Room {
    fn echo(&mut self, far: &Piece) -> Piece {
        far.map(|sample| {
            self.past.push_front(sample);
            self.past.truncate(4_800);
            let tap = |delay: usize| self.past.get(delay).copied().unwrap_or(0.0);
            0.4 * tap(2_160) + 0.2 * tap(2_530) - 0.1 * tap(3_100)
        })
    }
}

#[test]
fn the_echo_of_the_far_end_is_cancelled() {
    let (mut processing, mut room) = (Processing::default(), Room::default());
    let mut far_end = Talker::new(3, 120.0);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for piece in 0..1_200 {
        let far = far_end.say();
        processing.hear_far_end(&far);
        let mut near = room.echo(&far);
        // After five seconds it should have learnt the room.
        if piece >= 500 {
            before.extend(near);
        }
        processing.clean(&mut near, Duration::from_millis(45));
        if piece >= 500 {
            after.extend(near);
        }
    }
    let erle_db = level_dbfs(&before) - level_dbfs(&after);
    assert!(erle_db > 20.0, "echo return loss enhancement {erle_db} dB");
    assert_eq!(processing.rebuilt(), 0);
}

#[test]
fn the_near_end_is_heard_while_the_far_end_is_silent() {
    let mut processing = Processing::default();
    let mut near_end = Talker::new(5, 180.0);
    let mut out = Vec::new();
    let mut said = Vec::new();
    for piece in 0..600 {
        processing.hear_far_end(&[0.0; PIECE_SAMPLES]);
        let mut near = near_end.say();
        if piece >= 300 {
            said.extend(near);
        }
        processing.clean(&mut near, Duration::from_millis(45));
        if piece >= 300 {
            out.extend(near);
        }
    }
    let (said, heard) = (level_dbfs(&said), level_dbfs(&out));
    assert!(heard > said - 6.0, "{heard} dBFS of {said}");
}

#[test]
fn steady_noise_is_suppressed() {
    let mut processing = Processing::default();
    let mut seed = 1_u32;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for piece in 0..800 {
        let mut near: Piece = std::array::from_fn(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            0.01 * ((seed >> 8) as f32 / (1 << 23) as f32 - 1.0)
        });
        if piece >= 400 {
            before.extend(near);
        }
        processing.clean(&mut near, Duration::ZERO);
        if piece >= 400 {
            after.extend(near);
        }
    }
    let less = level_dbfs(&before) - level_dbfs(&after);
    assert!(less > 5.0, "noise less by {less} dB");
}

#[test]
fn input_that_is_no_sound_does_no_lasting_harm() {
    let mut processing = Processing::default();
    for value in [f32::NAN, f32::INFINITY, -1e30, 1.0] {
        processing.hear_far_end(&[value; PIECE_SAMPLES]);
        let mut near = [value; PIECE_SAMPLES];
        processing.clean(&mut near, Duration::from_secs(9));
    }
    let mut talker = Talker::new(7, 150.0);
    let mut heard = Vec::new();
    for _ in 0..500 {
        let mut near = talker.say();
        processing.clean(&mut near, Duration::ZERO);
        assert!(near.iter().all(|sample| sample.abs() <= 1.0));
        heard.extend(near);
    }
    assert!(level_dbfs(&heard[24_000..]) > -50.0, "speech passes again");
}
