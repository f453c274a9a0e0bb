//! What has become of the video that was sent, and what mends a loss.
//!
//! A lost packet is sent again if it can still be in time, and where it pays parity goes with what is sent ([`policy`]).
//! Otherwise its frame is given up, and with it what is predicted from it: the next frame is to be predicted from the newest
//! one that the other side can predict from, which has all its packets and had its own reference. Only where there is none, a
//! keyframe is needed.
//!
//! What is known comes from the peer's feedback on packet numbers, and a relay may change those. Whoever lies about them spoils
//! the picture, but does not make this side send more: numbers that were not given yet mean nothing, each part is sent again
//! twice at most and not before news of it can have come, and all of it together takes its share of what is sent and no more.

pub mod policy;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use self::policy::{COPY_AFTER, LossMeter, Plan, Remedies};
use super::parity::{MOST_WAITING, ParityMaker};
use super::rate::sent::REORDERED;
use super::reassemble::MAX_AGE;
use crate::media::{FrameId, RecentFrames, Timestamp};
use crate::wire::feedback::{Feedback, TICK};
use crate::wire::parity::{Parity, Part};

/// Most packets that are remembered: more than are in flight over a second.
const MOST_PACKETS: usize = 1024;
/// Most frames that are remembered.
const MOST_FRAMES: usize = 128;
/// Most packets that wait to be sent to mend something. Full: the newest is refused, and is lost once more.
const MOST_MENDING: usize = 256;
/// A packet is not sent again if it would come later than this after the first of its frame: the other side holds frames
/// for [`MAX_AGE`], and nobody wants a picture to stand still for longer.
const IN_TIME: Duration = Duration::from_millis(250);
const _: () = assert!(IN_TIME.as_millis() < MAX_AGE.as_millis());

/// Times that a part is sent again, each perhaps with a second copy.
const MOST_AGAIN: u8 = 2;
/// All that mends takes at most this share of what is sent, and so many bytes at once.
const BUDGET_SHARE: f64 = 0.25;
const BUDGET_BYTES: f64 = 24_000.0;

/// So long after the first later one has come a packet is missing, however few came since.
const LATE: Duration = Duration::from_millis(8);

/// A packet of a frame that goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Which it is.
    pub part: Part,
    /// The whole packet.
    pub packet: Bytes,
}

/// What is sent to mend a loss, or before there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mending {
    /// A packet once more.
    Again(Outgoing),
    /// Parity over several.
    Parity(Parity),
}

#[derive(Debug)]
enum Sent {
    Part(Outgoing),
    Parity(Vec<Part>),
}

/// A part of a frame.
#[derive(Clone, Copy, Debug, Default)]
struct PartState {
    sent: bool,
    arrived: bool,
    /// How many of it are neither known to have arrived nor to be lost.
    on_way: u8,
    /// How often it was sent again, and when last.
    again: u8,
    again_at: Option<Timestamp>,
}

struct SentFrame {
    id: FrameId,
    reference: Option<FrameId>,
    first_sent: Timestamp,
    parts: Vec<PartState>,
    /// It will not be decoded there: a part of it, or what it is predicted from, was given up.
    doomed: bool,
    /// A part of it was lost, though it may have come since.
    torn: bool,
    /// A later frame needs nothing of it. If it is torn, that one may come out first, and then this one never does.
    passed: bool,
}

impl SentFrame {
    fn is_whole(&self) -> bool {
        self.parts.iter().all(|part| part.arrived)
    }
}

/// The ledger of one stream.
pub struct Repair {
    remedies: Remedies,
    losses: LossMeter,
    plan: Plan,
    maker: ParityMaker,
    /// By number, which is not without gaps; of those that are neither known to have arrived nor to be lost.
    packets: VecDeque<(u32, Sent)>,
    /// What the parity covers that arrived and has not been of use yet.
    parity: VecDeque<Vec<Part>>,
    /// What is to be sent, and from when on.
    mending: VecDeque<(Timestamp, Mending)>,
    /// The newest last.
    frames: VecDeque<SentFrame>,
    /// What the other side can predict from.
    usable: RecentFrames,
    acknowledged: Option<FrameId>,
    /// Something is missing there that what was sent last needs, though it may still come.
    in_doubt: bool,
    /// Frames since the last one that was not predicted from the one before it.
    since_anchor: u32,
    /// Bytes that what mends may take.
    budget: f64,
}

impl Default for Repair {
    fn default() -> Self {
        Self::new(Remedies::default())
    }
}

impl Repair {
    /// A ledger that uses these remedies.
    #[must_use]
    pub fn new(remedies: Remedies) -> Self {
        Self {
            remedies,
            losses: LossMeter::default(),
            plan: Plan::default(),
            maker: ParityMaker::default(),
            packets: VecDeque::new(),
            parity: VecDeque::new(),
            mending: VecDeque::new(),
            frames: VecDeque::new(),
            usable: RecentFrames::new(),
            acknowledged: None,
            in_doubt: false,
            since_anchor: 0,
            budget: BUDGET_BYTES,
        }
    }

    /// What may be used.
    #[must_use]
    pub const fn remedies(&self) -> Remedies {
        self.remedies
    }

    /// Bytes that video packets are to leave of the largest packet, so that parity over them fits.
    #[must_use]
    pub fn reserve(&self) -> usize {
        self.plan.parity.map_or(0, |spread| Parity::len(spread.each, 0))
    }

    /// A frame of so many packets goes out; frames come in order.
    pub fn note_frame(&mut self, id: FrameId, reference: Option<FrameId>, packets: u16, now: Timestamp) {
        let doomed = reference.is_some_and(|reference| self.frame(reference).is_some_and(|frame| frame.doomed));
        if self.frames.len() == MOST_FRAMES {
            self.frames.pop_front();
        }
        self.since_anchor += 1;
        if reference.is_none_or(|reference| reference.next() != id) {
            self.since_anchor = 0;
            self.in_doubt = false;
            for frame in &mut self.frames {
                frame.passed |= !self.usable.contains(frame.id);
            }
        }
        let parts = vec![PartState::default(); usize::from(packets)];
        self.frames.push_back(SentFrame { id, reference, first_sent: now, parts, doomed, torn: false, passed: false });
    }

    /// A packet of it goes out under this number; numbers grow. `max_len`: longest packet of the way.
    pub fn note_packet(&mut self, number: u32, outgoing: Outgoing, max_len: usize, now: Timestamp) {
        if let Some(part) = self.part(outgoing.part)
            && !std::mem::replace(&mut part.sent, true)
        {
            part.on_way = 1;
            self.losses.handle_sent(now);
            self.budget = (self.budget + outgoing.packet.len() as f64 * BUDGET_SHARE).min(BUDGET_BYTES);
            let packet = outgoing.packet.clone();
            let parity = self.maker.handle_packet(outgoing.part, packet, self.plan.parity, max_len);
            if let Some(parity) = parity {
                let bytes = parity.sum.len();
                self.mend(now, bytes, Mending::Parity(parity));
            }
        }
        self.note(number, Sent::Part(outgoing));
    }

    /// Parity goes out under this number.
    pub fn note_parity(&mut self, number: u32, covered: Vec<Part>) {
        self.note(number, Sent::Parity(covered));
    }

    /// The other side has told what arrived, of packets up to number `last`: what is missing though [`REORDERED`] later ones arrived is lost. Packets of other
    /// streams are no matter.
    pub fn handle_report(&mut self, report: &Feedback, last: u32, round_trip: Duration, now: Timestamp) {
        let mut newest = None;
        for (ahead, _) in (0..).zip(&report.arrivals).filter(|(_, arrival)| arrival.is_some()) {
            let number = report.first.wrapping_add(ahead);
            if last.wrapping_sub(number).cast_signed() < 0 {
                break;
            }
            self.handle_arrived(number);
            newest = Some(number);
        }
        let Some(newest) = newest else { return };
        self.rebuild();
        self.acknowledge();
        self.plan = Plan::new(self.remedies, self.losses.conditions(round_trip));
        let is_lossy = self.plan.lossy;
        let is_lost = |number: u32| {
            let behind = newest.wrapping_sub(number).cast_signed();
            behind >= REORDERED.cast_signed() || (behind > 0 && is_lossy && overtaken(number, report) >= LATE)
        };
        while let Some(&(number, _)) = self.packets.front()
            && is_lost(number)
        {
            self.handle_lost(number, round_trip, now);
        }
    }

    /// What is to be sent by now, ahead of everything new, which may need it.
    pub fn poll_mending(&mut self, now: Timestamp) -> Option<Mending> {
        let at = self.mending.iter().position(|(due, _)| *due <= now)?;
        self.mending.remove(at).map(|(_, mending)| mending)
    }

    /// When [`Repair::poll_mending`] has something.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.mending.iter().map(|(due, _)| *due).min()
    }

    /// The newest frame that the other side can predict from, as far as is known.
    #[must_use]
    pub const fn acknowledged(&self) -> Option<FrameId> {
        self.acknowledged
    }

    /// Whether the next frame had better be predicted from [`Repair::acknowledged`], though nothing is given up.
    #[must_use]
    pub fn prefers_acknowledged(&self) -> bool {
        let is_due = self.plan.anchor_every.is_some_and(|every| self.since_anchor + 1 >= every);
        self.remedies.references && self.acknowledged.is_some() && (self.in_doubt || is_due)
    }

    /// Share of what is sent that repair takes.
    #[must_use]
    pub const fn share(&self) -> f64 {
        self.plan.share.min(BUDGET_SHARE)
    }

    /// What was sent last will not be decoded: the next frame is to be predicted from [`Repair::acknowledged`].
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.frames.back().is_some_and(|frame| frame.doomed)
    }

    /// A frame will not arrive whole: neither it nor what is predicted from it will be decoded there.
    pub fn give_up(&mut self, id: FrameId) {
        let mut doomed = RecentFrames::new();
        for frame in &mut self.frames {
            frame.doomed |= frame.id == id || frame.reference.is_some_and(|reference| doomed.contains(reference));
            if frame.doomed {
                doomed.insert(frame.id);
            }
        }
    }

    /// The packet of this number arrived.
    fn handle_arrived(&mut self, number: u32) {
        let Some(sent) = self.take(number) else { return self.losses.take_back(number) };
        self.losses.handle_arrived();
        match sent {
            Sent::Part(outgoing) => {
                if let Some(part) = self.part(outgoing.part) {
                    part.arrived = true;
                }
            }
            Sent::Parity(covered) => {
                if self.parity.len() == MOST_WAITING {
                    self.parity.pop_front();
                }
                self.parity.push_back(covered);
            }
        }
    }

    /// What the other side can rebuild from the parity that arrived, it has.
    fn rebuild(&mut self) {
        let mut waiting = std::mem::take(&mut self.parity);
        loop {
            let before = waiting.len();
            waiting.retain_mut(|covered| {
                covered.retain(|part| self.part(*part).is_some_and(|part| !part.arrived));
                if let [missing] = covered.as_slice()
                    && let Some(part) = self.part(*missing)
                {
                    part.arrived = true;
                }
                covered.len() > 1
            });
            if waiting.len() == before {
                break;
            }
        }
        self.parity = waiting;
    }

    fn acknowledge(&mut self) {
        for frame in &self.frames {
            let has_reference = frame.reference.is_none_or(|reference| self.usable.contains(reference));
            if has_reference && !(frame.torn && frame.passed) && frame.is_whole() && !self.usable.contains(frame.id) {
                self.usable.insert(frame.id);
                self.acknowledged = Some(frame.id);
            }
        }
    }

    /// The packet of this number is lost. It is sent again, if that can be in time and no other of it is on its way.
    fn handle_lost(&mut self, number: u32, round_trip: Duration, now: Timestamp) {
        let Some(sent) = self.take(number) else { return };
        self.losses.handle_lost(number);
        let Sent::Part(outgoing) = sent else { return };
        let (id, bytes) = (outgoing.part.frame, outgoing.packet.len());
        let Some(frame) = self.frame(id) else { return };
        frame.torn = true;
        let (first_sent, doomed, passed) = (frame.first_sent, frame.doomed, frame.passed);
        let Some(part) = frame.parts.get_mut(usize::from(outgoing.part.fragment)) else { return };
        part.on_way = part.on_way.saturating_sub(1);
        if doomed || part.arrived || part.on_way > 0 {
            return;
        }
        let is_in_time = now.since(first_sent) + round_trip / 2 <= IN_TIME;
        // Nobody can know sooner that it was lost again.
        let is_credible = part.again_at.is_none_or(|at| now.since(at) >= round_trip / 2) && part.again < MOST_AGAIN;
        if !is_in_time || !is_credible || !self.mend(now, bytes, Mending::Again(outgoing.clone())) {
            self.give_up(id);
            return;
        }
        let twice = self.plan.lossy && self.mend(now + COPY_AFTER, bytes, Mending::Again(outgoing.clone()));
        self.in_doubt |= !passed && self.plan.lossy;
        if let Some(part) = self.part(outgoing.part) {
            part.on_way = 1 + u8::from(twice);
            part.again += 1;
            part.again_at = Some(now);
        }
    }

    /// Queues what is to be sent; false: that would be too much.
    fn mend(&mut self, due: Timestamp, bytes: usize, mending: Mending) -> bool {
        let may = self.mending.len() < MOST_MENDING && self.budget >= bytes as f64;
        if may {
            self.budget -= bytes as f64;
            self.mending.push_back((due, mending));
        }
        may
    }

    fn note(&mut self, number: u32, sent: Sent) {
        if self.packets.len() == MOST_PACKETS {
            self.packets.pop_front();
        }
        self.packets.push_back((number, sent));
    }

    fn frame(&mut self, id: FrameId) -> Option<&mut SentFrame> {
        let first = self.frames.front()?.id;
        // Without gaps, so the place follows from the number.
        self.frames.get_mut(id.0.wrapping_sub(first.0) as usize).filter(|frame| frame.id == id)
    }

    fn part(&mut self, part: Part) -> Option<&mut PartState> {
        self.frame(part.frame)?.parts.get_mut(usize::from(part.fragment))
    }

    fn take(&mut self, number: u32) -> Option<Sent> {
        let &(first, _) = self.packets.front()?;
        let at =
            self.packets.binary_search_by_key(&number.wrapping_sub(first), |(it, _)| it.wrapping_sub(first)).ok()?;
        self.packets.remove(at).map(|(_, sent)| sent)
    }
}

/// How long before the report was sent the first packet behind this one arrived.
fn overtaken(number: u32, report: &Feedback) -> Duration {
    let behind =
        report.arrivals.iter().skip(number.wrapping_sub(report.first).wrapping_add(1) as usize).flatten().min();
    let newest = report.arrivals.iter().flatten().max();
    let ticks = behind.zip(newest).map_or(0, |(behind, newest)| u32::from(newest - behind) + u32::from(report.held));
    TICK * ticks
}
