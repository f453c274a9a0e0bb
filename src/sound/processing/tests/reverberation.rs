//! Echo in rooms that ring, behind devices that are slow: how much of it goes back, and what becomes of somebody who speaks at
//! the same time. `cargo test --lib reverberation -- --nocapture` prints the figures.

use std::ops::Range;

use super::*;
use crate::sim::random::Random;

/// The echo is so much softer than what the speaker plays.
const ECHO_GAIN: f32 = 0.35;
/// Reflections a millisecond: from one and a half on a room sounds dense (velvet noise; Karjalainen and Järveläinen 2007).
const REFLECTIONS_A_MS: u64 = 2;
/// Noise of the room and the microphone, −63 dBFS.
const NOISE: f32 = 0.001_2;
const PIECES_A_SECOND: usize = 100;
/// By then the room is learnt.
const LEARNT_S: usize = 8;

/// A loudspeaker and a microphone in a room, with the devices' own delay.
struct Hall {
    /// Delays in samples, and gains.
    reflections: Vec<(usize, f32)>,
    past: Vec<f32>,
    at: usize,
    noise: Random,
}

impl Hall {
    /// Sixty decibels of the sound are gone after `ringing`.
    fn new(device: Duration, ringing: Duration) -> Self {
        let samples = |time: Duration| time.as_micros() as usize * SAMPLE_RATE_HZ as usize / 1_000_000;
        let mut random = Random::new(5);
        let first = samples(device) + samples(Duration::from_millis(2));
        let length = samples(ringing) as u64;
        let count = ringing.as_millis() as u64 * REFLECTIONS_A_MS;
        let mut reflections = vec![(first, 0.5)];
        reflections.extend((0..count).map(|reflection| {
            let after = (reflection * length + random.below(length)) / count;
            let sign = if random.below(2) == 0 { 1.0 } else { -1.0 };
            (first + after as usize, sign * 0.25 * 10.0_f32.powf(-3.0 * after as f32 / length as f32))
        }));
        let power: f32 = reflections.iter().map(|(_, gain)| gain * gain).sum();
        for (_, gain) in &mut reflections {
            *gain *= ECHO_GAIN / power.sqrt();
        }
        let longest = reflections.iter().map(|(delay, _)| *delay).max().unwrap_or(0);
        Self { reflections, past: vec![0.0; longest + 1], at: 0, noise: Random::new(9) }
    }

    /// What comes back of what is played.
    fn echo(&mut self, far: &Piece) -> Piece {
        far.map(|sample| {
            self.at = (self.at + 1) % self.past.len();
            self.past[self.at] = sample;
            let past = |delay: usize| self.past[(self.at + self.past.len() - delay) % self.past.len()];
            self.reflections.iter().map(|(delay, gain)| gain * past(*delay)).sum()
        })
    }

    fn noise(&mut self) -> f32 {
        NOISE * (self.noise.below(2_001) as f32 / 1_000.0 - 1.0)
    }
}

/// The far end talks for 24 seconds, and from the twelfth to the eighteenth somebody here as well.
const SECONDS: usize = 24;
const BOTH_S: Range<usize> = 12..18;

/// What goes into the chain and what comes out of it.
#[derive(Default)]
struct Sounds {
    echo: Vec<f32>,
    said: Vec<f32>,
    cleaned: Vec<f32>,
}

/// `told` is what the system says about its devices' delay.
fn run(hall: &mut Hall, told: Duration, with_far_end: bool) -> Sounds {
    let mut processing = Processing::default();
    let (mut far_end, mut near_end) = (Talker::new(3, 120.0), Talker::new(5, 190.0));
    let mut sounds = Sounds::default();
    for piece in 0..SECONDS * PIECES_A_SECOND {
        let far = if with_far_end { far_end.say() } else { [0.0; PIECE_SAMPLES] };
        processing.hear_far_end(&far);
        let echo = hall.echo(&far);
        let near = if BOTH_S.contains(&(piece / PIECES_A_SECOND)) { near_end.say() } else { [0.0; PIECE_SAMPLES] };
        let mut heard: Piece = std::array::from_fn(|n| echo[n] + near[n] + hall.noise());
        processing.clean(&mut heard, told);
        sounds.echo.extend(echo);
        sounds.said.extend(near);
        sounds.cleaned.extend(heard);
    }
    assert_eq!(processing.rebuilt(), 0);
    sounds
}

fn part(sound: &[f32], seconds: Range<usize>) -> &[f32] {
    &sound[seconds.start * SAMPLE_RATE_HZ as usize..seconds.end * SAMPLE_RATE_HZ as usize]
}

/// How much of `heard` is `said`, 0 to 1: the mean over tenths of a second, since the gain moves, wherever each fits best within
/// what the chain may delay it.
fn likeness(said: &[f32], heard: &[f32]) -> f32 {
    const TENTH: usize = SAMPLE_RATE_HZ as usize / 10;
    const MOST: usize = SAMPLE_RATE_HZ as usize / 50;
    let (mut sum, mut count) = (0.0, 0.0);
    for (at, said) in said.chunks_exact(TENTH).enumerate().filter(|(_, said)| level_dbfs(said) > -40.0) {
        let likeness_at = |delay: usize| {
            let Some(heard) = heard.get(at * TENTH + delay..at * TENTH + delay + TENTH) else { return 0.0 };
            let (mut product, mut a, mut b) = (0.0, 1e-9, 1e-9);
            for (x, y) in said.iter().zip(heard) {
                product += x * y;
                a += x * x;
                b += y * y;
            }
            product / f32::sqrt(a * b)
        };
        sum += (0..MOST).step_by(8).map(likeness_at).fold(0.0, f32::max);
        count += 1.0;
    }
    sum / count
}

#[test]
fn echo_behind_slow_devices_is_cancelled_and_whoever_speaks_meanwhile_is_heard() {
    let ms = Duration::from_millis;
    // The second in which the one here begins belongs to neither.
    let both = BOTH_S.start + 1..BOTH_S.end;
    let alone = run(&mut Hall::new(ms(20), ms(100)), ms(20), false);
    let likeness_alone = likeness(part(&alone.said, both.clone()), part(&alone.cleaned, both.clone()));
    println!("the near end alone: likeness {likeness_alone:.3}");
    for (device_ms, told_ms, ringing_ms) in
        [(20, 20, 100), (60, 60, 200), (120, 120, 100), (200, 200, 200), (200, 0, 100)]
    {
        let Sounds { echo, said, cleaned } = run(&mut Hall::new(ms(device_ms), ms(ringing_ms)), ms(told_ms), true);
        let erle_db =
            |seconds: Range<usize>| level_dbfs(part(&echo, seconds.clone())) - level_dbfs(part(&cleaned, seconds));
        let (before, after) = (erle_db(LEARNT_S..BOTH_S.start), erle_db(BOTH_S.end + 2..SECONDS));
        let near_db = level_dbfs(part(&cleaned, both.clone())) - level_dbfs(part(&alone.cleaned, both.clone()));
        let likeness = likeness(part(&said, both.clone()), part(&cleaned, both.clone()));
        println!(
            "room of {ringing_ms} ms, devices {device_ms} ms (said to be {told_ms}): echo less by {before:.1} dB, after double talk by \
             {after:.1} dB; the near end meanwhile {near_db:+.1} dB, likeness {likeness:.3}"
        );
        assert!(before > 25.0 && after > 25.0, "echo less by {before:.1} and {after:.1} dB");
        assert!(near_db > -5.0 && likeness > 0.7 * likeness_alone, "{near_db:.1} dB, likeness {likeness:.3}");
    }
}
