//! Where sealed frames go: cut into packets that wait their turn and leave at the pace that the path takes; those of the picture
//! are remembered until the peer has said what arrived. What the path can take is told to the encoder before it makes the next
//! frame, and to QUIC.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;

use super::clock;
use super::config::{Adaptation, VideoSettings};
use super::counters::{CallCounters, SendSwitches};
use super::handle::SentFrame;
use crate::media::{FrameId, Stage, Timestamp};
use crate::net::ceiling::{Ceiling, ControllerChoice, SILENT_BYTES};
use crate::net::knobs::{DATAGRAM_LEN, DATAGRAM_SEND_BYTES};
use crate::transport::clock::ClockEstimator;
use crate::transport::packetise::{PacketNumbers, packetise};
use crate::transport::rate::pacer::{Pacer, Waiting};
use crate::transport::rate::{RateController, RateLimits, video};
use crate::transport::repair::policy::Remedies;
use crate::transport::repair::{Mending, Outgoing, Repair};
use crate::wire::feedback::Feedback;
use crate::wire::packet::FrameHeader;
use crate::wire::parity::Part;

/// Largest packet, however much a way lets through.
const MAX_PACKET_LEN: usize = 1400;
/// What UDP, IPv4 and QUIC with its tag put before a packet.
const OVERHEAD_BYTES: usize = 58;
/// Lowest rate of a call, which leaves something for video whatever repair takes, and that of its first moments unless the video
/// wants less.
const MIN_BPS: f64 = 150_000.0;
const START_BPS: f64 = 1_200_000.0;
/// Most bytes that QUIC may hold back before it is given no more: a second of sound.
const MOST_HELD_BYTES: usize = 8 * 1024;
/// For so long it may hold more: a large frame is handed over faster than QUIC's task sends it.
const HELD: Duration = Duration::from_millis(20);
/// Pace where QUIC's own controller says when packets leave.
const UNPACED_BPS: f64 = 1e9;
/// How long a packet may wait before it is worth nothing: sound has a jitter buffer to catch, a picture a face to show.
const SOUND_DEADLINE: Duration = Duration::from_millis(150);
const VIDEO_DEADLINE: Duration = Duration::from_millis(400);
/// Most frames whose packets are leaving; one a picture, and a picture is late after twelve.
const LEAVING: usize = 64;

/// Where packets go.
pub struct SendWay {
    /// Over this connection.
    pub connection: quinn::Connection,
    /// It ends at the peer: its largest packet is the largest that may be sent. Behind a relay there is another
    /// connection, of which only the least is known.
    pub direct: bool,
    /// What may be on its way over it.
    pub ceiling: Ceiling,
}

impl SendWay {
    fn max_packet_len(&self) -> usize {
        let max = self.direct.then(|| self.connection.max_datagram_size()).flatten();
        max.map_or(DATAGRAM_LEN, |max| max.min(MAX_PACKET_LEN))
    }

    /// To the peer and back; of a way by relay as if both halves were alike.
    fn round_trip(&self) -> Duration {
        self.connection.rtt() * if self.direct { 1 } else { 2 }
    }

    /// Bits a second that QUIC's own controller lets through.
    fn quic_bps(&self) -> f64 {
        let path = self.connection.stats().path;
        path.cwnd as f64 * 8.0 / path.rtt.as_secs_f64().max(1e-3)
    }

    /// Bytes that QUIC does not let out yet.
    fn held_bytes(&self) -> usize {
        DATAGRAM_SEND_BYTES.saturating_sub(self.connection.datagram_send_buffer_space())
    }
}

/// What a packet is that waits.
enum Content {
    /// Sound, or a report.
    Small,
    /// A part of a video frame.
    Part(Part),
    /// Parity over such parts.
    Parity(Vec<Part>),
}

struct Packet {
    content: Content,
    bytes: Vec<u8>,
}

/// A video frame whose packets are leaving.
struct Leaving {
    frame: SentFrame,
    packets: u16,
}

/// The sending end.
pub struct Outbox {
    way: Option<SendWay>,
    numbers: PacketNumbers,
    repair: Repair,
    controller: RateController,
    clock: ClockEstimator,
    pacer: Pacer<Packet>,
    leaving: VecDeque<Leaving>,
    /// Packets that the pacer had dropped, and the frame that was broken by it, when they were last looked at.
    dropped: u64,
    broken: Option<FrameId>,
    /// Since when QUIC has held back more than it should.
    held_since: Option<Timestamp>,
    video_kbps: u32,
    max_bps: f64,
    adaptation: Adaptation,
    switches: Arc<SendSwitches>,
    counters: Arc<CallCounters>,
}

impl Outbox {
    /// Without a way yet; for such pictures at most.
    pub fn new(
        video: VideoSettings,
        adaptation: Adaptation,
        switches: Arc<SendSwitches>,
        counters: Arc<CallCounters>,
    ) -> Self {
        let max_bps = video::call_bps(video.bitrate_kbps.into());
        let limits = RateLimits { min_bps: MIN_BPS, start_bps: START_BPS.min(max_bps), max_bps };
        let controller = RateController::new(limits);
        Self {
            way: None,
            numbers: PacketNumbers::default(),
            repair: Repair::new(Remedies { fec: adaptation.fec, references: adaptation.references }),
            pacer: Pacer::new(controller.pace_bps()),
            controller,
            clock: ClockEstimator::default(),
            leaving: VecDeque::with_capacity(LEAVING),
            dropped: 0,
            broken: None,
            held_since: None,
            video_kbps: video.bitrate_kbps,
            max_bps,
            adaptation,
            switches,
            counters,
        }
    }

    /// Sends this way from now on; none: not at all.
    pub fn set_way(&mut self, way: Option<SendWay>) {
        self.way = way;
        self.controller.handle_path();
    }

    /// Whether there is a way.
    pub const fn has_way(&self) -> bool {
        self.way.is_some()
    }

    /// Takes a sealed frame of sound, or a report.
    pub fn take(&mut self, header: FrameHeader, sealed: &[u8], now: Timestamp) {
        self.cut(header, sealed, false, now + SOUND_DEADLINE);
    }

    /// Takes a sealed video frame, with what is known of it so far.
    pub fn take_video(&mut self, header: FrameHeader, sealed: &[u8], frame: SentFrame, now: Timestamp) {
        let packets = self.cut(header, sealed, true, now + VIDEO_DEADLINE);
        self.repair.note_frame(header.id, header.reference(), packets, now);
        self.controller.handle_frame(now);
        if self.leaving.len() == LEAVING {
            self.leaving.pop_front();
        }
        self.leaving.push_back(Leaving { frame, packets });
    }

    /// The peer has told what arrived.
    pub fn handle_report(&mut self, report: &Feedback, arrived: Timestamp, now: Timestamp) {
        self.clock.handle_report(report, arrived);
        if let Some(offset) = self.clock.offset(now) {
            self.counters.peer_clock.note_measured(offset, now);
        }
        self.controller.handle_feedback(report, now);
        let Some(way) = &self.way else { return };
        self.repair.handle_report(report, self.numbers.last(), way.round_trip(), now);
    }

    /// What the peer has, as far as it has told.
    pub const fn repair(&self) -> &Repair {
        &self.repair
    }

    /// Sends what may leave by now, and tells encoder and QUIC what the path takes. `left` is given each video frame whose last
    /// packet has left, or will not.
    pub fn run(&mut self, mut left: impl FnMut(SentFrame)) {
        self.controller.handle_timeout(clock::now());
        self.pacer.set_pace(if self.is_ours() { self.controller.pace_bps() } else { UNPACED_BPS });
        loop {
            self.mend();
            let Some(Waiting { packet, bytes, .. }) = self.pacer.poll_packet(clock::now()) else { break };
            self.send(packet, bytes, &mut left);
        }
        let (dropped, broken) = (self.pacer.dropped(), self.pacer.broken());
        self.counters.late.add(dropped - std::mem::replace(&mut self.dropped, dropped));
        if std::mem::replace(&mut self.broken, broken) != broken
            && let Some(frame) = broken
        {
            self.repair.give_up(frame);
        }
        self.tell();
    }

    /// How long nothing has to be done.
    pub fn pause(&self) -> Option<Duration> {
        let due = [self.pacer.poll_timeout(), self.controller.poll_timeout(), self.repair.poll_timeout()];
        Some(due.into_iter().flatten().min()?.since(clock::now()))
    }

    /// What mends a loss goes ahead of what is new, which may need it.
    fn mend(&mut self) {
        let now = clock::now();
        while let Some(mending) = self.repair.poll_mending(now) {
            let packet = match mending {
                Mending::Again(Outgoing { part, packet }) => {
                    self.counters.resent.count();
                    Packet { content: Content::Part(part), bytes: packet.to_vec() }
                }
                Mending::Parity(parity) => {
                    self.counters.parity.count();
                    let bytes = parity.to_bytes();
                    Packet { content: Content::Parity(parity.covered), bytes }
                }
            };
            let bytes = packet.bytes.len() + OVERHEAD_BYTES;
            self.counters.resent_bytes.add(bytes as u64);
            self.pacer.handle_packet(Waiting { packet, bytes, frame: None, deadline: now + SOUND_DEADLINE });
        }
    }

    fn cut(&mut self, header: FrameHeader, sealed: &[u8], video: bool, deadline: Timestamp) -> u16 {
        let Some(way) = &self.way else { return 0 };
        let max_len = way.max_packet_len() - if video { self.repair.reserve() } else { 0 };
        packetise(header, sealed, max_len, |fragment, packet| {
            let bytes = packet.len() + OVERHEAD_BYTES;
            let part = Part { frame: header.id, fragment };
            let packet = Packet { content: if video { Content::Part(part) } else { Content::Small }, bytes: packet };
            self.pacer.handle_packet(Waiting { packet, bytes, frame: video.then_some(header.id), deadline });
        })
    }

    fn send(&mut self, packet: Packet, bytes: usize, left: &mut impl FnMut(SentFrame)) {
        let Some(way) = &self.way else { return };
        let Packet { content, bytes: mut packet } = packet;
        let now = clock::now();
        self.held_since = (way.held_bytes() > MOST_HELD_BYTES).then(|| self.held_since.unwrap_or(now));
        if self.held_since.is_some_and(|since| now.since(since) > HELD) {
            // QUIC has its own doubts about the path: what waits there grows old, and nobody can take it back.
            self.counters.late.count();
            if let Content::Part(part) = content {
                self.repair.give_up(part.frame);
            }
            return;
        }
        let number = self.numbers.stamp(&mut packet);
        let packet = Bytes::from(packet);
        let part = if let Content::Part(part) = content { Some(part) } else { None };
        if let Some(part) = part {
            self.repair.note_packet(number, Outgoing { part, packet: packet.clone() }, way.max_packet_len(), now);
        } else if let Content::Parity(covered) = content {
            self.repair.note_parity(number, covered);
        }
        self.counters.traffic(way.direct).count(packet.len());
        self.counters.wire_bytes.add(bytes as u64);
        let _ = way.connection.send_datagram(packet);
        self.clock.handle_sent(number, now);
        self.controller.handle_sent(number, bytes, now);
        if let Some(part) = part {
            self.note_leaving(part, now, left);
        }
    }

    fn note_leaving(&mut self, part: Part, now: Timestamp, left: &mut impl FnMut(SentFrame)) {
        let Some(at) = self.leaving.iter().position(|leaving| leaving.frame.id == part.frame) else { return };
        // Of frames before this one nothing leaves any more.
        self.leaving.drain(..at).for_each(|leaving| left(leaving.frame));
        let Some(leaving) = self.leaving.front_mut() else { return };
        if part.fragment == 0 {
            leaving.frame.stamps.set(Stage::FirstPacketSent, now);
        }
        leaving.packets = leaving.packets.saturating_sub(1);
        if leaving.packets == 0 {
            leaving.frame.stamps.set(Stage::LastPacketSent, now);
            self.leaving.pop_front().into_iter().for_each(|leaving| left(leaving.frame));
        }
    }

    /// Whether this side's own controller says how fast to send.
    fn is_ours(&self) -> bool {
        self.adaptation.controller == ControllerChoice::Ours
    }

    fn tell(&self) {
        let Some(way) = &self.way else {
            self.switches.allowed_kbps.store(self.video_kbps, Ordering::Relaxed);
            self.switches.bitrate_kbps.store(self.video_kbps, Ordering::Relaxed);
            return;
        };
        let frame_time = Duration::from_secs(1) / self.switches.fps.load(Ordering::Relaxed).max(1);
        let usual_bytes = |bps: f64| bps.min(self.max_bps) / 8.0 * frame_time.as_secs_f64();
        let (usual, prospect) = if self.is_ours() {
            (usual_bytes(self.controller.target_bps()), usual_bytes(self.controller.prospect_bps(clock::now())))
        } else {
            let usual = usual_bytes(way.quic_bps());
            (usual, usual)
        };
        let frame_bytes = self.frame_bytes(way, usual as usize, frame_time);
        // Where the path is what limits, repair takes its share of the video.
        let is_limited = self.controller.target_bps() < self.max_bps;
        let share = if is_limited { self.repair.share() } else { 0.0 };
        let kbps = |bytes: f64| self.video_kbps(bytes * 8.0 / frame_time.as_secs_f64(), share);
        let (allowed_kbps, kbps) = if self.adaptation.frame_budget {
            (kbps(prospect), kbps(frame_bytes as f64))
        } else {
            (self.video_kbps, self.video_kbps)
        };
        self.switches.allowed_kbps.store(allowed_kbps, Ordering::Relaxed);
        self.switches.bitrate_kbps.store(kbps, Ordering::Relaxed);
        // QUIC learns of arrivals later than we do: twice the window, so that ours is the one that counts.
        // In a silence nothing is acknowledged, and QUIC would only try now and then whether the path is back: sound, which goes on,
        // finds that out at once.
        let silent = if self.controller.is_silent() { SILENT_BYTES } else { 0 };
        way.ceiling.set(silent.max(2 * (self.controller.window_bytes(frame_time) as u64 + usual as u64)));
    }

    /// What the encoder may have of a rate of the call; zero: leave the frame out.
    fn video_kbps(&self, bps: f64, repair: f64) -> u32 {
        // One more, for the rounding: at the highest rate the encoder is to have what was asked for.
        video::video_kbps(bps, repair).map_or(0, |kbps| (kbps.round() as u32 + 1).min(self.video_kbps))
    }

    /// What the next frame may have, with all headers.
    fn frame_bytes(&self, way: &SendWay, usual: usize, frame_time: Duration) -> usize {
        if self.is_ours() {
            return self.controller.frame_bytes(frame_time, self.pacer.video_bytes(), clock::now());
        }
        if way.held_bytes() > usual { 0 } else { usual }
    }
}
