//! Ten minutes of a call's sound on virtual time: a tone as Opus over a modelled network, through the jitter buffer, the
//! decoder, the stretching and the resampler to a speaker whose clock is not the sender's.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::ops::Range;
use std::rc::Rc;

use super::*;
use crate::codec::opus::OpusEncoder;
use crate::media::{FrameId, ring};
use crate::sim::{Direction, spec};
use crate::sound::{SoundError, Speaker};
use crate::transport::jitter::{BLOCK, JitterCounts};

const MINUTES: u32 = 10;
/// The tone: whole periods in a block, so that a few encoded blocks of it can be sent over and over.
const TONE_HZ: f64 = 450.0;
const BLOCKS: usize = 100;
/// What is sent of a packet with all headers.
const PACKET: usize = 200;
/// The sound system asks this often, and the writer keeps so much beyond that, as a real speaker's does.
const CALLBACK: Duration = Duration::from_millis(10);
const CALLBACK_SAMPLES: usize = 480;
const MARGIN_SAMPLES: usize = 240;
/// Blocks around one that was made up in which a step is no fault.
const AROUND: u64 = 3 * AUDIO_BLOCK_SAMPLES as u64;
/// A step in the tone that could be heard as a click; the codec alone makes a tenth of it.
const CLICK: f64 = 0.004;

/// What somebody at the speaker would notice.
#[derive(Default)]
struct Ear {
    last: [f64; 2],
    heard: u64,
    /// Samples that were handed over.
    pushed: u64,
    dry: u64,
    /// Where sound was made up, in samples handed over.
    made_up: VecDeque<u64>,
    clicks: u64,
    loudest_step: f64,
}

impl Ear {
    /// A tone is told by any three of its samples: what differs from that is a step in it.
    fn hear(&mut self, sample: f32) {
        let sample = f64::from(sample);
        let expected = 2.0 * (TAU * TONE_HZ / f64::from(SAMPLE_RATE_HZ)).cos() * self.last[1] - self.last[0];
        self.last = [self.last[1], sample];
        self.heard += 1;
        self.made_up.pop_front_if(|at| *at + AROUND < self.heard);
        let excused = self.made_up.front().is_some_and(|at| self.heard + AROUND > *at);
        // The first second is that of the codec and of the buffer that fills.
        if self.heard > u64::from(SAMPLE_RATE_HZ) && !excused {
            let step = (sample - expected).abs();
            self.loudest_step = self.loudest_step.max(step);
            self.clicks += u64::from(step > CLICK);
        }
    }
}

/// A speaker that takes sound at a pace of its own.
struct DriftingSpeaker {
    /// From one callback to the next on the test's clock.
    period: Duration,
    next: Timestamp,
    queue: VecDeque<f32>,
    ear: Rc<RefCell<Ear>>,
}

impl Speaker for DriftingSpeaker {
    fn name(&self) -> &'static str {
        "drifting"
    }

    fn rate_hz(&self) -> u32 {
        SAMPLE_RATE_HZ
    }

    fn advance(&mut self, now: Timestamp) -> Result<(), SoundError> {
        if now >= self.next {
            self.next = self.next + self.period;
            let mut ear = self.ear.borrow_mut();
            for _ in 0..CALLBACK_SAMPLES {
                if let Some(sample) = self.queue.pop_front() {
                    ear.hear(sample);
                } else if ear.pushed > 0 {
                    ear.dry += 1;
                }
            }
        }
        Ok(())
    }

    fn wanted(&self) -> usize {
        (CALLBACK_SAMPLES + MARGIN_SAMPLES).saturating_sub(self.queue.len())
    }

    fn push(&mut self, samples: &[f32]) {
        self.ear.borrow_mut().pushed += samples.len() as u64;
        self.queue.extend(samples);
    }

    fn delay(&self) -> Duration {
        Duration::from_secs(1) * self.queue.len() as u32 / SAMPLE_RATE_HZ
    }

    fn due(&self, now: Timestamp) -> Duration {
        self.next.since(now)
    }

    fn dry(&self) -> u64 {
        self.ear.borrow().dry
    }
}

/// What came of a call.
struct Heard {
    /// From mouth to ear at the end of each second, milliseconds.
    delays_ms: Vec<f32>,
    /// What the jitter buffer had counted at the end of each minute.
    counts: Vec<JitterCounts>,
    sent: u64,
    /// Packets that the network lost.
    lost: u64,
    ear: Ear,
}

impl Heard {
    /// Least, mean and most delay of some seconds.
    fn delay_ms(&self, seconds: Range<usize>) -> [f32; 3] {
        let delays = &self.delays_ms[seconds];
        let [least, most] = [f32::min, f32::max].map(|pick| delays.iter().copied().reduce(pick).unwrap());
        [least, delays.iter().sum::<f32>() / delays.len() as f32, most]
    }
}

fn tone() -> Vec<Vec<u8>> {
    let mut encoder = OpusEncoder::open().unwrap();
    let packets = (0..2 * BLOCKS).map(|block| {
        let samples = std::array::from_fn(|n| {
            let at = (block * AUDIO_BLOCK_SAMPLES + n) as f64 / f64::from(SAMPLE_RATE_HZ);
            (0.4 * (TAU * TONE_HZ * at).sin()) as f32
        });
        encoder.encode(&samples).unwrap()
    });
    // The first of them are those of a codec that has heard nothing yet.
    packets.skip(BLOCKS).collect()
}

/// Sends the tone over `link` to a speaker that runs `fast_ppm` millionths faster than the microphone.
fn call(link: &str, fast_ppm: f64) -> Heard {
    let start = Timestamp::from_nanos(100_000_000_000);
    let config = spec::parse(link, |_| Err("no file".into())).unwrap();
    let mut network = Direction::new(&config.up, 7, start);
    let packets = tone();
    let ear = Rc::new(RefCell::new(Ear::default()));
    let counters = CallCounters::default();
    let opens = Arc::new(DeviceOpens::default());
    let (references, _nobody) = ring("references", 1, Arc::default());
    let mut output = Output::new(SoundChoice::None, Arc::default(), Arc::clone(&opens), references);
    let period = CALLBACK.div_f64(1.0 + fast_ppm * 1e-6);
    let speaker = DriftingSpeaker { period, next: start, queue: VecDeque::new(), ear: Rc::clone(&ear) };
    output.replace(Box::new(speaker), Some(opens.speaker_opened()));
    let mut player = Player::new(OpusDecoder::open().unwrap(), &counters);

    let (mut now, mut next, mut sent) = (start, start, 0_u32);
    let mut heard = Heard { delays_ms: Vec::new(), counts: Vec::new(), sent: 0, lost: 0, ear: Ear::default() };
    while now.since(start) < Duration::from_mins(MINUTES.into()) {
        if now >= next {
            network.handle_packet(now, PACKET, (FrameId(sent), now));
            (next, sent) = (next + BLOCK, sent + 1);
            if sent.is_multiple_of(50) {
                heard.delays_ms.push(counters.sound.mouth_to_ear.millis().unwrap_or_default());
            }
            if sent.is_multiple_of(3_000) {
                heard.counts.push(player.buffer.counts());
            }
        }
        while let Some((id, ready)) = network.poll_packet(now) {
            let data = packets[id.0 as usize % BLOCKS].clone();
            player.buffer.handle_packet(id, EncodedAudio { id, captured: ready - BLOCK, ready, data }, now);
        }
        output.tend(true, now, &counters.sound);
        while output.is_hungry() {
            let made_up = player.buffer.counts().concealed;
            player.play(&mut output, now);
            if player.buffer.counts().concealed > made_up {
                let mut ear = ear.borrow_mut();
                let at = ear.pushed;
                ear.made_up.push_back(at);
            }
        }
        let due = [Some(now + output.due(now)), network.poll_timeout(), Some(next)];
        now = due.into_iter().flatten().min().unwrap().max(now + Duration::from_nanos(1));
    }
    drop(output);
    heard.sent = u64::from(sent);
    heard.lost = network.counts().lost;
    heard.ear = Rc::into_inner(ear).unwrap().into_inner();
    heard
}

/// Ten minutes at both ends of what two bad crystals differ.
fn clocks_are_followed(link: &str, most_ms: f32) {
    for fast_ppm in [200.0, -200.0] {
        let heard = call(link, fast_ppm);
        let last = *heard.counts.last().unwrap();
        let [least, _, most] = heard.delay_ms(60..600);
        let [[_, early, _], [_, late, _]] = [60..120, 540..600].map(|seconds| heard.delay_ms(seconds));
        let Ear { dry, clicks, loudest_step, .. } = heard.ear;
        println!(
            "{link}, {fast_ppm:+} ppm: mouth to ear {least:.1} to {most:.1} ms, {early:.1} in the second minute, {late:.1} in the tenth; \
             {} packets, {} lost, {} made up, {} late, {} dropped, {} ms stretched, {dry} samples missing, {clicks} clicks, largest \
             step {loudest_step:.4}",
            heard.sent,
            heard.lost,
            last.concealed,
            last.late,
            last.dropped,
            last.stretched.as_millis(),
        );
        assert!(
            most < most_ms && most - least < 10.0 && (late - early).abs() < 6.0,
            "{least} to {most}, {early}, {late} ms"
        );
        assert!(last.concealed <= heard.lost + 3 && last.late + last.dropped == 0, "{last:?}, {} lost", heard.lost);
        assert!(last.stretched < Duration::from_millis(150), "{last:?}");
        assert_eq!((dry, clicks), (0, 0));
        // What there was of it came while the clock was learnt.
        let minutes: Vec<u64> = heard.counts.iter().map(|counts| counts.stretched.as_millis() as u64).collect();
        assert!(minutes[9] - minutes[2] < 50, "{minutes:?}");
    }
}

#[test]
fn clocks_that_differ_by_200_ppm_for_ten_minutes_are_heard_as_one_in_spite_of_jitter() {
    // The packet, the way and its jitter, the codec's look-ahead, 15 to 25 ms at the speaker; the rest is the buffer.
    clocks_are_followed("delay=20ms,jitter=10ms", 82.0);
}

#[test]
fn clocks_that_differ_by_200_ppm_for_ten_minutes_are_heard_as_one_in_spite_of_losses() {
    clocks_are_followed("home-wifi", 62.0);
}
