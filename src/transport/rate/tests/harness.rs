//! Calls that share a modelled link on virtual time: frames of recorded sizes, sound, reports on the way back, and beside them,
//! if wanted, a flow that behaves like TCP.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use super::super::pacer::{MAX_WAITING, Pacer, Waiting};
use super::super::recorder::ArrivalRecorder;
use super::super::{RateController, RateLimits};
use super::bulk::{BULK_BYTES, Bulk};
use crate::media::{FrameId, Timestamp};
use crate::sim::{Direction, DirectionConfig, Link, LinkConfig, Loss, QueueLimit, spec};
use crate::wire::feedback::Feedback;

/// From one capture to the next.
pub const FRAME: Duration = Duration::from_nanos(33_333_333);
const SOUND: Duration = Duration::from_millis(20);
/// Headers of a packet: IPv4, UDP, QUIC with its tag, our own.
const OVERHEAD: usize = 28 + 30 + 16;
/// Opus at 32 kb/s.
const SOUND_BYTES: usize = 80 + OVERHEAD;
const PAYLOAD: usize = 1_130;
const DEADLINE: Duration = Duration::from_millis(300);
/// What the encoder can use.
pub const CAP_BPS: f64 = 2_500_000.0;
pub const MIN_BPS: f64 = 150_000.0;

/// Recorded sizes over their mean; the keyframe first.
static SIZES: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let lines = include_str!("aom-360p-600kbps.txt").lines().filter(|line| !line.starts_with('#'));
    let sizes: Vec<f64> = lines.map(|line| line.parse().unwrap()).collect();
    let mean = sizes[1..].iter().sum::<f64>() / (sizes.len() - 1) as f64;
    sizes.iter().map(|size| size / mean).collect()
});

/// When everything begins: not at the clock's zero.
pub fn start() -> Timestamp {
    Timestamp::from_nanos(100_000_000_000)
}

pub const fn limits(start_bps: f64) -> RateLimits {
    RateLimits { min_bps: MIN_BPS, start_bps, max_bps: CAP_BPS }
}

pub fn after(seconds: f64) -> Timestamp {
    start() + Duration::from_secs_f64(seconds)
}

pub fn link(text: &str) -> LinkConfig {
    spec::parse(text, |_| Err("no file".into())).unwrap()
}

#[derive(Clone, Debug)]
enum Packet {
    Media { call: usize, number: u32, part: Option<(u32, u16)>, bytes: usize },
    Bulk(u64),
    Report { call: usize, feedback: Feedback },
    BulkAck(u64),
}

/// One side's sending of a call, and its receiver.
pub struct Call {
    pub controller: RateController,
    pacer: Pacer<Option<(u32, u16)>>,
    recorder: ArrivalRecorder,
    number: u32,
    next_frame: Timestamp,
    next_sound: Timestamp,
    encoded: usize,
    /// Bytes by which frames were larger than they should have been.
    owed: f64,
    /// Parts still missing of frames.
    missing: BTreeMap<u32, u16>,
    /// Captures, and whether they were encoded.
    pub captured: Vec<(Timestamp, bool)>,
    /// Frames that arrived whole.
    pub shown: Vec<(u32, Timestamp)>,
    pub sent: Vec<(Timestamp, usize)>,
    pub arrived: Vec<(Timestamp, usize)>,
    pub sound_arrived: Vec<Timestamp>,
    /// What waited in the link's queue at each capture, in milliseconds, where its rate is known.
    pub queue_ms: Vec<f64>,
    /// The rate at each capture.
    pub rates: Vec<(Timestamp, f64)>,
    /// The rate at each capture for which pictures are worth being made.
    pub prospects: Vec<(Timestamp, f64)>,
}

impl Call {
    pub fn starting(at: Timestamp) -> Self {
        Self::starting_at(at, 600_000.0)
    }

    pub fn starting_at(at: Timestamp, start_bps: f64) -> Self {
        let controller = RateController::new(limits(start_bps));
        Self {
            pacer: Pacer::new(controller.pace_bps()),
            controller,
            recorder: ArrivalRecorder::default(),
            number: 0,
            next_frame: at,
            next_sound: at,
            encoded: 0,
            owed: 0.0,
            missing: BTreeMap::new(),
            captured: Vec::new(),
            shown: Vec::new(),
            sent: Vec::new(),
            arrived: Vec::new(),
            sound_arrived: Vec::new(),
            queue_ms: Vec::new(),
            rates: Vec::new(),
            prospects: Vec::new(),
        }
    }

    fn due(&self) -> Timestamp {
        let timers = [self.pacer.poll_timeout(), self.controller.poll_timeout(), self.recorder.poll_timeout()];
        timers.into_iter().flatten().fold(self.next_frame.min(self.next_sound), Timestamp::min)
    }

    fn run(&mut self, now: Timestamp) {
        self.controller.handle_timeout(now);
        if now >= self.next_sound {
            self.next_sound = self.next_sound + SOUND;
            let waiting = Waiting { packet: None, bytes: SOUND_BYTES, frame: None, deadline: now + DEADLINE };
            self.pacer.handle_packet(waiting);
        }
        if now >= self.next_frame {
            self.next_frame = self.next_frame + FRAME;
            self.capture(now);
        }
        assert!(self.pacer.waiting() <= MAX_WAITING);
        self.pacer.set_pace(self.controller.pace_bps());
    }

    fn capture(&mut self, now: Timestamp) {
        self.rates.push((now, self.controller.target_bps()));
        self.prospects.push((now, self.controller.prospect_bps(now)));
        let budget = self.controller.frame_bytes(FRAME, self.pacer.video_bytes(), now) as f64;
        // What earlier frames took too much is taken from this one.
        let paid = self.owed.min(budget * 0.5);
        let sound = SOUND_BYTES as f64 * FRAME.as_secs_f64() / SOUND.as_secs_f64();
        let budget = budget - sound - paid;
        let frame = self.captured.len() as u32;
        self.captured.push((now, budget >= 150.0));
        if budget < 150.0 {
            self.owed *= 0.8;
            return;
        }
        self.controller.handle_frame(now);
        let wanted = (budget / (1.0 + OVERHEAD as f64 / PAYLOAD as f64) - OVERHEAD as f64 * 0.5).max(100.0);
        let at = self.encoded % SIZES.len();
        let ratio = if self.encoded > 0 && at == 0 { 1.0 } else { SIZES[at] };
        self.encoded += 1;
        let size = (wanted * ratio).max(60.0) as usize;
        self.owed = (self.owed - paid + size as f64 - wanted).clamp(0.0, CAP_BPS / 80.0);
        let parts = size.div_ceil(PAYLOAD);
        let part = size.div_ceil(parts);
        for number in 0..parts {
            let bytes = part.min(size - number * part) + OVERHEAD;
            let (packet, frame) = (Some((frame, parts as u16)), Some(FrameId(frame)));
            self.pacer.handle_packet(Waiting { packet, bytes, frame, deadline: now + DEADLINE });
        }
    }

    fn receive(&mut self, number: u32, part: Option<(u32, u16)>, bytes: usize, now: Timestamp) {
        self.recorder.handle_packet(number, true, now);
        self.arrived.push((now, bytes));
        let Some((frame, parts)) = part else { return self.sound_arrived.push(now) };
        let missing = self.missing.entry(frame).or_insert(parts);
        *missing = missing.saturating_sub(1);
        if *missing == 0 && self.shown.last().is_none_or(|(shown, _)| *shown < frame) {
            self.shown.push((frame, now));
        }
    }

    /// Each frame that was sent is charged until the next one shown, whichever that is, in milliseconds.
    pub fn signal_delay_ms(&self, from: Timestamp) -> Vec<f64> {
        let (mut delays, mut next) = (Vec::new(), 0);
        for (frame, (captured, _)) in (0..).zip(&self.captured).filter(|(_, (at, encoded))| *encoded && *at >= from) {
            while self.shown.get(next).is_some_and(|(shown, _)| *shown < frame) {
                next += 1;
            }
            let end = self.captured.last().map_or(*captured, |(at, _)| *at);
            delays.push(self.shown.get(next).map_or(end, |(_, at)| *at).millis_since(*captured));
        }
        delays
    }

    pub fn arrived_bits(&self, from: Timestamp, to: Timestamp) -> f64 {
        bits(&self.arrived, from, to)
    }
}

pub fn bits(packets: &[(Timestamp, usize)], from: Timestamp, to: Timestamp) -> f64 {
    let begin = packets.partition_point(|(at, _)| *at < from);
    let within = packets[begin..].iter().take_while(|(at, _)| *at < to);
    within.map(|(_, bytes)| *bytes as f64 * 8.0).sum()
}

/// A link and who shares its sending direction.
pub struct World {
    link: Link<Packet>,
    config: DirectionConfig,
    pub calls: Vec<Call>,
    pub bulk: Option<Bulk>,
    pub now: Timestamp,
    /// From then on no report arrives.
    pub reports_end: Option<Timestamp>,
}

impl World {
    pub fn new(config: &LinkConfig, calls: Vec<Call>) -> Self {
        let link = Link::new(config, start());
        Self { link, config: config.up.clone(), calls, bulk: None, now: start(), reports_end: None }
    }

    pub fn run_until(&mut self, end: Timestamp) {
        while self.now < end {
            let due = self.calls.iter().map(Call::due).chain(self.link.poll_timeout()).min();
            self.now = due.map_or(end, |due| due.max(self.now));
            let now = self.now;
            while let Some(packet) = self.link.up.poll_packet(now) {
                match packet {
                    Packet::Media { call, number, part, bytes } => self.calls[call].receive(number, part, bytes, now),
                    Packet::Bulk(number) => {
                        self.bulk.iter_mut().for_each(|bulk| bulk.arrived_bytes += BULK_BYTES);
                        self.link.down.handle_packet(now, 60, Packet::BulkAck(number));
                    }
                    Packet::Report { .. } | Packet::BulkAck(_) => {}
                }
            }
            while let Some(packet) = self.link.down.poll_packet(now) {
                match packet {
                    Packet::Report { call, feedback } => self.calls[call].controller.handle_feedback(&feedback, now),
                    Packet::BulkAck(number) => self.bulk.iter_mut().for_each(|bulk| bulk.handle_ack(number, now)),
                    Packet::Media { .. } | Packet::Bulk(_) => {}
                }
            }
            for call in 0..self.calls.len() {
                self.run_call(call);
            }
            while let Some(number) = self.bulk.as_mut().and_then(|bulk| bulk.poll_packet(now)) {
                self.link.up.handle_packet(now, BULK_BYTES, Packet::Bulk(number));
            }
        }
    }

    fn run_call(&mut self, at: usize) {
        let (now, call) = (self.now, &mut self.calls[at]);
        if let Some(feedback) = call.recorder.poll_feedback(now)
            && self.reports_end.is_none_or(|end| now < end)
        {
            let mut bytes = Vec::new();
            feedback.write(&mut bytes);
            let feedback = Feedback::read(&bytes).unwrap();
            self.link.down.handle_packet(now, bytes.len() + OVERHEAD, Packet::Report { call: at, feedback });
        }
        if let (true, Some(bps)) = (now >= call.next_frame, self.config.rate.bps_at(now.since(start()))) {
            call.queue_ms.push(self.link.up.queued_bytes(now) as f64 * 8_000.0 / bps as f64);
        }
        call.run(now);
        while let Some(Waiting { packet: part, bytes, .. }) = call.pacer.poll_packet(now) {
            let number = call.number;
            call.number += 1;
            call.sent.push((now, bytes));
            call.controller.handle_sent(number, bytes, now);
            self.link.up.handle_packet(now, bytes, Packet::Media { call: at, number, part, bytes });
        }
    }
}

pub fn percentile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

/// What a sender that never stops gets through a link in each tenth of a second, in bits.
pub fn capacity(config: &LinkConfig, seconds: usize) -> Vec<f64> {
    let rate = config.up.rate.clone();
    let (outages, outages_drop) = (config.up.outages.clone(), config.up.outages_drop);
    let queue = QueueLimit::Bytes(20_000);
    let bare = DirectionConfig { rate, outages, outages_drop, queue, loss: Loss::None, ..DirectionConfig::default() };
    let seed = crate::sim::random::Random::new(config.seed).next();
    let mut link = Direction::new(&bare, seed, start());
    let mut bits = vec![0.0; seconds * 10];
    for ms in 0..seconds * 1_000 {
        let now = start() + Duration::from_millis(ms as u64);
        for _ in 0..40 {
            if link.queued_bytes(now) + 1_200 <= link.limit_bytes() {
                link.handle_packet(now, 1_200, ());
            }
        }
        while link.poll_packet(now).is_some() {
            bits[ms / 100] += 9_600.0;
        }
    }
    bits
}
