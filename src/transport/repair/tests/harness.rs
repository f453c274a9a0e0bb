//! A call's picture over a modelled link on virtual time: frames of a source through the real packets, pacer, controller, repair
//! and reassembly, with sound beside them and reports on the way back.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::policy::Remedies;
use super::super::{Mending, Outgoing, Repair};
use super::source::{Recorded, Source, Wanted};
use crate::media::{FrameId, LeafIndex, RecentFrames, Stream, Timestamp};
use crate::sim::{Link, LinkConfig, spec};
use crate::transport::packetise::{PacketNumbers, packetise};
use crate::transport::parity::Rebuilder;
use crate::transport::rate::pacer::{Pacer, Waiting};
use crate::transport::rate::recorder::ArrivalRecorder;
use crate::transport::rate::video::{call_bps, video_kbps};
use crate::transport::rate::{RateController, RateLimits};
use crate::transport::reassemble::Reassembler;
use crate::wire::feedback::Feedback;
use crate::wire::packet::{FrameHeader, PacketHeader};
use crate::wire::parity::{Parity, Part};

/// From one capture to the next.
pub const FRAME: Duration = Duration::from_nanos(33_333_333);
const SOUND: Duration = Duration::from_millis(20);
const SOUND_BYTES: usize = 145;
const MAX_LEN: usize = 1_200;
const OVERHEAD: usize = 58;
const DEADLINE: Duration = Duration::from_millis(400);
const SOUND_DEADLINE: Duration = Duration::from_millis(150);
/// As the sealing thread has it.
const MEND_PAUSE: Duration = Duration::from_millis(200);
/// From one request for a keyframe to the next.
const REQUESTS: Duration = Duration::from_millis(200);
pub fn start() -> Timestamp {
    Timestamp::from_nanos(100_000_000_000)
}

enum Content {
    Small,
    Part(Part),
    Parity(Vec<Part>),
}

struct Packet {
    content: Content,
    bytes: Vec<u8>,
    repairs: bool,
}

#[derive(Clone)]
enum Back {
    Report(Vec<u8>),
    Keyframe,
}

/// What became of a call.
#[derive(Default)]
pub struct Outcome {
    /// Frames that were sent, and when they were captured.
    pub captured: Vec<(FrameId, Timestamp)>,
    /// Frames that were decoded, and when.
    pub shown: Vec<(FrameId, Timestamp)>,
    /// Pictures for which the path had nothing.
    pub skipped: usize,
    /// Those that the source did without.
    pub left_out: usize,
    pub keyframes: usize,
    pub rebuilt: usize,
    /// Every packet: when it left, and its bytes.
    pub sent: Vec<(Timestamp, usize)>,
    video_bytes: usize,
    repair_bytes: usize,
}

impl Outcome {
    /// Each frame that was sent is charged until it or a later one is shown, in milliseconds.
    pub fn delays_ms(&self) -> Vec<f64> {
        let (mut delays, mut next) = (Vec::new(), 0);
        for (frame, captured) in &self.captured {
            while self.shown.get(next).is_some_and(|(shown, _)| shown < frame) {
                next += 1;
            }
            let Some((_, at)) = self.shown.get(next) else { break };
            delays.push(at.millis_since(*captured));
        }
        delays.sort_by(f64::total_cmp);
        delays
    }

    /// How long pictures stood still, where that was longer than 200 ms.
    pub fn freezes_ms(&self) -> Vec<f64> {
        let gaps = self.shown.windows(2).map(|pair| pair[1].1.millis_since(pair[0].1));
        gaps.filter(|gap| *gap > 200.0).collect()
    }

    /// What repair sent over what was sent first.
    pub fn overhead(&self) -> f64 {
        self.repair_bytes as f64 / self.video_bytes as f64
    }
}

/// The call.
pub struct Call {
    link: Link<Vec<u8>, Back>,
    round_trip: Duration,
    video_kbps: f64,
    max_bps: f64,
    controller: RateController,
    pacer: Pacer<Packet>,
    numbers: PacketNumbers,
    repair: Repair,
    broken: Option<FrameId>,
    // The encoder.
    source: Box<dyn Source>,
    next: FrameId,
    from_acknowledged: bool,
    keyframe: bool,
    mending: Option<Timestamp>,
    // The other side.
    recorder: ArrivalRecorder,
    rebuilder: Rebuilder,
    reassembler: Reassembler,
    decoded: RecentFrames,
    requested: Timestamp,
    pub outcome: Outcome,
}

impl Call {
    /// A call with frames of recorded sizes.
    pub fn new(link: &str, video_kbps: f64, remedies: Remedies) -> Self {
        Self::of(link, video_kbps, remedies, Box::new(Recorded::new(call_bps(video_kbps))))
    }

    pub fn of(link: &str, video_kbps: f64, remedies: Remedies, source: Box<dyn Source>) -> Self {
        let config: LinkConfig = spec::parse(link, |_| Err("no file".into())).unwrap();
        let round_trip = config.up.delay + config.down.delay;
        let max_bps = call_bps(video_kbps);
        let limits = RateLimits { min_bps: 150_000.0, start_bps: max_bps.min(1_200_000.0), max_bps };
        let controller = RateController::new(limits);
        Self {
            link: Link::new(&config, start()),
            round_trip,
            video_kbps,
            max_bps,
            pacer: Pacer::new(controller.pace_bps()),
            controller,
            numbers: PacketNumbers::default(),
            repair: Repair::new(remedies),
            broken: None,
            source,
            next: FrameId(0),
            from_acknowledged: false,
            keyframe: false,
            mending: None,
            recorder: ArrivalRecorder::default(),
            rebuilder: Rebuilder::default(),
            reassembler: Reassembler::new((Duration::from_millis(60) + round_trip * 3).min(Duration::from_millis(350))),
            decoded: RecentFrames::new(),
            requested: Timestamp::ZERO,
            outcome: Outcome::default(),
        }
    }

    pub fn run(mut self, seconds: u64) -> Outcome {
        let (mut now, end) = (start(), start() + Duration::from_secs(seconds));
        let (mut next_frame, mut next_sound) = (now, now);
        while now < end {
            let timers = [
                self.link.poll_timeout(),
                self.pacer.poll_timeout(),
                self.controller.poll_timeout(),
                self.repair.poll_timeout(),
                self.recorder.poll_timeout(),
                self.reassembler.poll_timeout(),
                Some(next_frame),
                Some(next_sound),
            ];
            now = timers.into_iter().flatten().min().unwrap_or(end).max(now + Duration::from_micros(10));
            while let Some(packet) = self.link.up.poll_packet(now) {
                self.receive(&packet, now);
            }
            self.show(now);
            if let Some(feedback) = self.recorder.poll_feedback(now) {
                let mut bytes = Vec::new();
                feedback.write(&mut bytes);
                self.link.down.handle_packet(now, bytes.len() + OVERHEAD + 40, Back::Report(bytes));
            }
            while let Some(back) = self.link.down.poll_packet(now) {
                match back {
                    Back::Report(bytes) => self.handle_report(&Feedback::read(&bytes).unwrap(), now),
                    Back::Keyframe => self.keyframe = true,
                }
            }
            self.controller.handle_timeout(now);
            if now >= next_sound {
                next_sound = next_sound + SOUND;
                let header = FrameHeader { leaf: LeafIndex(0), stream: Stream::Audio, back: 0, id: FrameId(0) };
                self.cut(header, &[0; SOUND_BYTES], None, now + SOUND_DEADLINE);
            }
            if now >= next_frame {
                next_frame = next_frame + FRAME;
                self.capture(now);
            }
            self.leave(now);
        }
        self.outcome
    }

    fn handle_report(&mut self, report: &Feedback, now: Timestamp) {
        self.controller.handle_feedback(report, now);
        self.repair.handle_report(report, self.numbers.last(), self.round_trip, now);
        self.mend(now);
    }

    fn mend(&mut self, now: Timestamp) {
        if self.repair.is_broken() && self.mending.is_none_or(|since| now.since(since) >= MEND_PAUSE) {
            self.mending = Some(now);
            self.from_acknowledged = self.repair.remedies().references;
            self.keyframe |= !self.from_acknowledged;
        }
    }

    fn capture(&mut self, now: Timestamp) {
        let repair = if self.controller.target_bps() < self.max_bps { self.repair.share() } else { 0.0 };
        let allowed_kbps = video_kbps(self.controller.prospect_bps(now).min(self.max_bps), repair).unwrap_or(0.0);
        if !self.source.capture(allowed_kbps as u32, now) {
            self.outcome.left_out += 1;
            return;
        }
        let interval = self.source.interval();
        let frame_bytes = self.controller.frame_bytes(interval, self.pacer.video_bytes(), now) as f64;
        let Some(kbps) = video_kbps(frame_bytes * 8.0 / interval.as_secs_f64(), repair) else {
            self.outcome.skipped += 1;
            return;
        };
        self.controller.handle_frame(now);
        let id = self.next;
        self.next = id.next();
        let acknowledged = self.repair.acknowledged().filter(|known| id.0 - known.0 < 255);
        let from_acknowledged = std::mem::take(&mut self.from_acknowledged) || self.repair.prefers_acknowledged();
        let keyframe = std::mem::take(&mut self.keyframe);
        let kbps = kbps.min(self.video_kbps);
        let (reference, sealed) = self.source.encode(Wanted { id, kbps, keyframe, acknowledged, from_acknowledged });
        let back = reference.map_or(0, |reference| (id.0 - reference.0) as u8);
        self.outcome.keyframes += usize::from(back == 0);
        self.outcome.captured.push((id, now));
        let header = FrameHeader { leaf: LeafIndex(0), stream: Stream::Video, back, id };
        let packets = self.cut(header, &sealed, Some(id), now + DEADLINE);
        self.repair.note_frame(id, reference, packets, now);
        if !self.repair.is_broken() {
            self.mending = None;
            self.from_acknowledged = false;
        }
    }

    fn cut(&mut self, header: FrameHeader, sealed: &[u8], frame: Option<FrameId>, deadline: Timestamp) -> u16 {
        let max_len = MAX_LEN - if frame.is_some() { self.repair.reserve() } else { 0 };
        packetise(header, sealed, max_len, |fragment, bytes| {
            let content = frame.map_or(Content::Small, |frame| Content::Part(Part { frame, fragment }));
            let packet = Packet { content, bytes, repairs: false };
            let bytes = packet.bytes.len() + OVERHEAD;
            self.pacer.handle_packet(Waiting { packet, bytes, frame, deadline });
        })
    }

    fn leave(&mut self, now: Timestamp) {
        self.pacer.set_pace(self.controller.pace_bps());
        loop {
            while let Some(mending) = self.repair.poll_mending(now) {
                let packet = match mending {
                    Mending::Again(Outgoing { part, packet }) => {
                        Packet { content: Content::Part(part), bytes: packet.to_vec(), repairs: true }
                    }
                    Mending::Parity(parity) => {
                        let bytes = parity.to_bytes();
                        Packet { content: Content::Parity(parity.covered), bytes, repairs: true }
                    }
                };
                let bytes = packet.bytes.len() + OVERHEAD;
                self.pacer.handle_packet(Waiting { packet, bytes, frame: None, deadline: now + SOUND_DEADLINE });
            }
            let Some(Waiting { packet: Packet { content, bytes: mut packet, repairs }, bytes, .. }) =
                self.pacer.poll_packet(now)
            else {
                break;
            };
            assert!(packet.len() <= MAX_LEN);
            let number = self.numbers.stamp(&mut packet);
            match content {
                Content::Small => {}
                Content::Part(part) => {
                    let packet = packet.clone().into();
                    self.repair.note_packet(number, Outgoing { part, packet }, MAX_LEN, now);
                    *(if repairs { &mut self.outcome.repair_bytes } else { &mut self.outcome.video_bytes }) += bytes;
                }
                Content::Parity(covered) => {
                    self.repair.note_parity(number, covered);
                    self.outcome.repair_bytes += bytes;
                }
            }
            self.outcome.sent.push((now, bytes));
            self.controller.handle_sent(number, bytes, now);
            self.link.up.handle_packet(now, bytes, packet);
        }
        let broken = self.pacer.broken();
        if std::mem::replace(&mut self.broken, broken) != broken
            && let Some(frame) = broken
        {
            self.repair.give_up(frame);
        }
    }

    fn receive(&mut self, packet: &[u8], now: Timestamp) {
        let mut whole = VecDeque::new();
        if let Some((header, payload)) = PacketHeader::read(packet) {
            self.recorder.handle_packet(header.number, true, now);
            if header.frame.stream == Stream::Video {
                whole.extend(self.rebuilder.handle_packet(&header, payload));
                self.reassembler.handle_packet(header, payload, now);
            }
        } else if let Some(parity) = Parity::read(packet) {
            self.recorder.handle_packet(parity.number, true, now);
            whole.extend(self.rebuilder.handle_parity(parity));
        }
        for rebuilt in whole {
            self.outcome.rebuilt += 1;
            self.reassembler.handle_packet(rebuilt.header, &rebuilt.payload, now);
        }
    }

    fn show(&mut self, now: Timestamp) {
        while let Some(frame) = self.reassembler.poll_frame(now) {
            let id = frame.header.id;
            if frame.header.reference().is_none_or(|reference| self.decoded.contains(reference)) {
                self.decoded.insert(id);
                self.source.show(id, &frame.sealed);
                self.outcome.shown.push((id, now));
            } else if now.since(self.requested) > REQUESTS {
                self.requested = now;
                self.link.down.handle_packet(now, 200, Back::Keyframe);
            }
        }
    }
}
