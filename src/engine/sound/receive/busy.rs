//! Two threads of a call on a machine that is busy, on virtual time: silence in place of a microphone, nowhere in place of a
//! speaker, and both threads wake up later than they wanted to.

use std::collections::VecDeque;

use super::*;
use crate::codec::opus::OpusEncoder;
use crate::media::{FrameId, ring};
use crate::sim::random::{Chance, Random};
use crate::sound::paced::PacedMicrophone;
use crate::sound::{Microphone, PIECE_SAMPLES};
use crate::transport::jitter::JitterCounts;

/// From the microphone's thread to the speaker's.
const WAY: Duration = Duration::from_millis(1);
const LENGTH: Duration = Duration::from_mins(2);

/// How late threads wake up.
struct Lateness {
    random: Random,
    /// Of a hundred thousand times, so many are late by up to so many milliseconds.
    late: &'static [(u64, u64)],
}

impl Lateness {
    fn next(&mut self) -> Duration {
        let mut by = Duration::from_micros(60);
        for (times, most_ms) in self.late {
            if self.random.happens(Chance::ratio(*times, 100_000)) {
                by += Duration::from_micros(self.random.below(most_ms * 1_000));
            }
        }
        by
    }
}

/// What came of two minutes.
struct Outcome {
    /// Packets that were sent.
    sent: u32,
    /// Samples that the microphone lost.
    lost: u64,
    counts: JitterCounts,
}

fn call(late: &'static [(u64, u64)]) -> Outcome {
    let start = Timestamp::from_nanos(100_000_000_000);
    let mut lateness = Lateness { random: Random::new(11), late };
    let packet = OpusEncoder::open().unwrap().encode(&[0.0; AUDIO_BLOCK_SAMPLES]).unwrap();
    let counters = CallCounters::default();
    let (references, _nobody) = ring("references", 1, Arc::default());
    let mut output = Output::new(SoundChoice::None, Arc::default(), Arc::default(), references);
    let mut player = Player::new(OpusDecoder::open().unwrap(), &counters);
    let mut microphone = PacedMicrophone::silence();
    let (mut piece, mut pieces, mut sent) = ([0.0; PIECE_SAMPLES], 0, 0);
    let mut on_the_way = VecDeque::new();
    let [mut speak, mut play] = [start; 2];
    loop {
        let now = speak.min(play);
        if now.since(start) >= LENGTH {
            break;
        }
        if now == speak {
            while microphone.read(&mut piece, now).unwrap().is_some() {
                pieces += 1;
                if pieces % 2 == 0 {
                    on_the_way.push_back((now + WAY, FrameId(sent)));
                    sent += 1;
                    // The bell rings.
                    play = play.min(now + WAY + lateness.next());
                }
            }
            speak = now + microphone.due(now) + lateness.next();
            continue;
        }
        while let Some((arrived, id)) = on_the_way.pop_front_if(|(arrived, _)| *arrived <= now) {
            let data = packet.clone();
            let packet = EncodedAudio { id, captured: Timestamp::ZERO, ready: arrived, data };
            player.buffer.handle_packet(id, packet, arrived);
        }
        loop {
            output.tend(true, now, &counters.sound);
            while output.is_hungry() {
                player.play(&mut output, now);
            }
            if output.due(now) > Duration::ZERO {
                break;
            }
        }
        let due = now + output.due(now);
        let bell = on_the_way.front().map_or(due, |(arrived, _)| *arrived);
        play = due.min(bell).max(now) + lateness.next();
    }
    let outcome = Outcome { sent, lost: microphone.lost(), counts: player.buffer.counts() };
    println!("late {late:?}: {sent} sent, {} samples lost, {:?}", outcome.lost, outcome.counts);
    outcome
}

/// Packets of the whole time but for the last, which is not over.
const ALL: u32 = LENGTH.as_millis() as u32 / 20 - 1;

#[test]
fn threads_that_wake_up_a_little_late_leave_nothing_to_be_made_up() {
    for late in [&[][..], &[(5_000, 5)]] {
        let Outcome { sent, lost, counts } = call(late);
        assert_eq!((sent, lost), (ALL, 0));
        assert_eq!((counts.concealed, counts.late, counts.dropped), (0, 0, 0));
        assert!(counts.stretched < Duration::from_millis(20), "{counts:?}");
    }
    let Outcome { counts, .. } = call(&[(5_000, 20)]);
    assert!(counts.concealed <= 5 && counts.stretched < Duration::from_millis(150), "{counts:?}");
}

#[test]
fn no_sound_is_lost_before_half_a_second_and_what_is_lost_then_is_counted() {
    for late in [&[(100, 300)][..], &[(30, 450)]] {
        let Outcome { sent, lost, counts } = call(late);
        assert!(sent.abs_diff(ALL) <= 25 && lost == 0, "{sent} sent, {lost} samples lost");
        let [all, made_up] = [u64::from(sent), counts.concealed];
        assert!(made_up * 40 < all, "{counts:?}");
    }
    let Outcome { sent, lost, .. } = call(&[(30, 3_000)]);
    let all = u64::from(sent) * AUDIO_BLOCK_SAMPLES as u64 + lost;
    assert!(
        lost > 0 && all.abs_diff(u64::from(ALL) * AUDIO_BLOCK_SAMPLES as u64) <= 150 * PIECE_SAMPLES as u64,
        "{lost}"
    );
}
