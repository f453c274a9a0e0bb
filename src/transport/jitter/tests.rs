//! The jitter buffer on virtual time: a sender, a network and a speaker whose clocks are all chosen by the test.

use super::*;
use proptest::prelude::*;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_nanos(1_000_000_000 + micros * 1_000)
}

/// A player that takes 20 ms whenever its own clock says so, stretches by exactly what is asked, and obeys the trim.
struct Player {
    buffer: JitterBuffer<u32>,
    now_us: f64,
    /// How much faster than true its clock runs.
    fast_ppm: f64,
    played: Vec<(u32, f64)>,
    stretched: u32,
}

impl Player {
    fn new(fast_ppm: f64) -> Self {
        Self { buffer: JitterBuffer::default(), now_us: 0.0, fast_ppm, played: Vec::new(), stretched: 0 }
    }

    fn step(&mut self) -> Playout<u32> {
        let (playout, pace) = self.buffer.poll(at(self.now_us as i64));
        let mut length_us = 20_000.0 * (1.0 - f64::from(pace.trim_ppm) * 1e-6);
        match (playout, pace.stretch) {
            (Playout::Play(_), Stretch::Shorten(by)) => {
                let by = by.min(Duration::from_millis(15));
                self.buffer.handle_stretched(by, false);
                length_us -= by.as_secs_f64() * 1e6;
                self.stretched += 1;
            }
            (Playout::Play(_), Stretch::Lengthen(by)) => {
                let by = by.min(Duration::from_millis(15));
                self.buffer.handle_stretched(by, true);
                length_us += by.as_secs_f64() * 1e6;
                self.stretched += 1;
            }
            _ => assert_eq!(pace.stretch, Stretch::None, "only played blocks are stretched"),
        }
        if let Playout::Play(number) = playout {
            self.played.push((number, self.now_us));
        }
        self.now_us += length_us / (1.0 + self.fast_ppm * 1e-6);
        playout
    }

    /// Plays `count` packets that were sent every 20 ms and took `delay_us(number)` each; `None` are lost.
    fn play(&mut self, count: u32, delay_us: impl Fn(u32) -> Option<i64>) {
        let mut arrivals: Vec<(i64, u32)> = (0..count)
            .filter_map(|number| delay_us(number).map(|delay| (i64::from(number) * 20_000 + delay, number)))
            .collect();
        arrivals.sort_unstable();
        let mut arrivals = arrivals.into_iter().peekable();
        while self.now_us < f64::from(count) * 20_000.0 {
            while let Some((time, number)) = arrivals.next_if(|(time, _)| *time as f64 <= self.now_us) {
                self.buffer.handle_packet(FrameId(number), number, at(time));
            }
            self.step();
        }
    }

    /// Milliseconds from sending to playing, for the packets from `from` on: least and most.
    fn delay_ms(&self, from: u32) -> (f64, f64) {
        let delays = self
            .played
            .iter()
            .filter(|(number, _)| *number >= from)
            .map(|(number, at)| (at - f64::from(*number) * 20_000.0) / 1_000.0);
        delays.fold((f64::MAX, f64::MIN), |(least, most), delay| (least.min(delay), most.max(delay)))
    }
}

/// A number from a small generator, equally spread over `0..below`.
fn spread(number: u32, below: i64) -> i64 {
    let mixed = u64::from(number).wrapping_add(0x9e37_79b9).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ mixed >> 29).wrapping_mul(0x94d0_49bb_1331_11eb) >> 33) as i64 % below
}

#[test]
fn a_steady_network_costs_the_margin_and_nothing_more() {
    let mut player = Player::new(0.0);
    player.play(1_000, |_| Some(30_000));
    assert_eq!(player.buffer.counts().concealed, 0);
    let (least, most) = player.delay_ms(250);
    assert!(least >= 30.0 && most <= 30.0 + 5.0 + 8.5, "{least} to {most} ms");
}

#[test]
fn jitter_is_covered_and_the_delay_comes_down_when_it_ends() {
    let mut player = Player::new(0.0);
    let rough = 0..1_500;
    player.play(4_000, |number| Some(30_000 + if rough.contains(&number) { spread(number, 60_000) } else { 0 }));
    let counts = player.buffer.counts();
    assert!(counts.concealed + counts.late < 60, "{counts:?}");
    let (_, worst) = player.delay_ms(500);
    assert!(worst < 30.0 + 60.0 + 35.0, "{worst} ms");
    let (_, calm) = player.delay_ms(3_000);
    assert!(calm <= 30.0 + 5.0 + 8.5, "{calm} ms");
}

#[test]
fn two_clocks_that_differ_are_followed_without_a_gap_or_a_stretch() {
    for fast_ppm in [-200.0, 200.0] {
        let mut player = Player::new(fast_ppm);
        player.play(30_000, |_| Some(20_000));
        let JitterCounts { concealed, late, dropped, .. } = player.buffer.counts();
        assert_eq!((concealed, late, dropped), (0, 0, 0));
        // Ten minutes at 200 ppm are 120 ms: only the trim can have kept the delay.
        let (least, most) = player.delay_ms(5_000);
        assert!(least >= 20.0 && most <= 20.0 + 20.0, "{fast_ppm} ppm: {least} to {most} ms");
        assert!(player.stretched < 12, "{fast_ppm} ppm: {} stretches", player.stretched);
        let trim = f64::from(player.buffer.pacer.steady().trim_ppm);
        assert!((trim + fast_ppm).abs() < 60.0, "a speaker {fast_ppm} ppm fast is played {trim} ppm faster");
    }
}

#[test]
fn single_losses_are_made_up_without_delaying_what_follows() {
    let mut player = Player::new(0.0);
    player.play(2_000, |number| (number % 20 != 7).then_some(25_000));
    let counts = player.buffer.counts();
    assert_eq!((counts.late, counts.dropped), (0, 0));
    assert!((99..=101).contains(&counts.concealed), "{counts:?}");
    let (_, most) = player.delay_ms(500);
    assert!(most <= 25.0 + 5.0 + 8.5, "{most} ms");
}

#[test]
fn a_long_silence_of_the_network_is_silence_and_then_live_again() {
    let mut player = Player::new(0.0);
    player.play(2_000, |number| (!(500..1_000).contains(&number)).then_some(25_000));
    assert!(player.buffer.counts().concealed <= u64::from(FADED) + 1, "{:?}", player.buffer.counts());
    let (_, most) = player.delay_ms(1_100);
    assert!(most <= 25.0 + 5.0 + 8.5 + 20.0, "{most} ms");
}

#[test]
fn a_burst_after_a_stall_is_cut_to_half_a_second() {
    let mut player = Player::new(0.0);
    // For two seconds everything is held up, then it comes at once.
    player.play(1_000, |number| {
        Some(if (200..300).contains(&number) { (300 - i64::from(number)) * 20_000 } else { 20_000 })
    });
    assert!(player.buffer.counts().dropped >= 70, "{:?}", player.buffer.counts());
    let (_, most) = player.delay_ms(800);
    assert!(most < 60.0, "{most} ms");
}

proptest! {
    #[test]
    fn whatever_comes_is_played_once_in_order_and_little_is_held(
        events in proptest::collection::vec((0_u32..80, 0_i64..60_000, any::<bool>(), any::<bool>()), 1..400),
        start: u32,
    ) {
        let mut player = Player::new(0.0);
        let mut time = 0;
        let mut last: Option<u32> = None;
        for (step, (offset, pause, duplicate, poll)) in events.into_iter().enumerate() {
            time += pause;
            player.now_us = player.now_us.max(time as f64);
            let number = start.wrapping_add(step as u32).wrapping_add(offset);
            for _ in 0..=u8::from(duplicate) {
                player.buffer.handle_packet(FrameId(number), number, at(time));
            }
            prop_assert!(player.buffer.held() <= MAX_HELD);
            if poll && let Playout::Play(number) = player.step() {
                prop_assert!(last.is_none_or(|last| number.wrapping_sub(last).cast_signed() > 0));
                last = Some(number);
            }
        }
        // What is held is played or made up for in bounded time.
        for _ in 0..MAX_HELD + MAX_HELD * LONGEST_GAP as usize {
            player.step();
        }
        prop_assert_eq!(player.buffer.held(), 0);
    }

    #[test]
    fn numbers_far_apart_do_not_make_the_player_hang(numbers in proptest::collection::vec(any::<u32>(), 1..60)) {
        let mut player = Player::new(0.0);
        for number in numbers {
            player.buffer.handle_packet(FrameId(number), number, at(player.now_us as i64));
            player.step();
        }
        for _ in 0..MAX_HELD * 12 {
            player.step();
        }
        prop_assert_eq!(player.buffer.held(), 0);
    }
}
