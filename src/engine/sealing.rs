//! The two threads between codecs and network: seal and cut on the sender's side, open on the receiver's.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::clock;
use super::counters::{CallCounters, SendSwitches};
use super::handle::{LateStamps, SentFrame};
use super::outbox::{Outbox, SendWay};
use super::sound::ReceivedAudio;
use crate::crypto::sframe::{BaseKey, FrameMark, Opener, Sealer};
use crate::media::{
    Doorbell, EncodedAudio, EncodedVideo, FrameId, KeyEpoch, LeafIndex, RingReceiver, RingSender, Stage, Stream,
    Timestamp,
};
use crate::transport::numbering::Numbering;
use crate::transport::reassemble::Frame;
use crate::wire;
use crate::wire::feedback::Feedback;
use crate::wire::packet::FrameHeader;
use crate::wire::padding;
use crate::wire::record::SenderRecord;

/// Least time between two frames that are asked for to mend a loss: an encoder that holds frames back answers late.
const MEND_PAUSE: Duration = Duration::from_millis(200);
/// Frames of which a later one may still tell something.
const TOLD_BACK: usize = 16;
const NAP: Duration = Duration::from_millis(200);

/// From control to the sealing thread.
pub enum SealCommand {
    /// Seal in this epoch from now on.
    Epoch {
        /// Key of the epoch.
        base: BaseKey,
        /// The epoch.
        epoch: KeyEpoch,
        /// Own leaf.
        leaf: LeafIndex,
    },
    /// Send this way from now on.
    Way {
        /// None: there is none.
        way: Option<SendWay>,
        /// What was sent last has probably not arrived.
        lossy: bool,
    },
}

/// From control to the opening thread.
pub enum OpenCommand {
    /// Open frames of this epoch from now on.
    Epoch {
        /// Key of the epoch.
        base: BaseKey,
        /// The epoch.
        epoch: KeyEpoch,
        /// Who may send.
        members: Vec<LeafIndex>,
    },
    /// Forget earlier epochs.
    DropBefore(KeyEpoch),
}

/// The sealing thread. There is no way past it: what cannot be sealed is dropped and counted.
pub struct SealThread {
    /// From the microphone's thread; goes first.
    pub sound: RingReceiver<EncodedAudio>,
    /// What arrived of the peer, to be told to it.
    pub reports: RingReceiver<Feedback>,
    /// What the peer tells of what arrived, and when it told it.
    pub peer_reports: RingReceiver<(Feedback, Timestamp)>,
    /// From the encoder.
    pub video: RingReceiver<EncodedVideo>,
    /// From control.
    pub commands: RingReceiver<SealCommand>,
    /// Rung by all.
    pub bell: Arc<Doorbell>,
    /// Names of what was sent, for the beat. Full: the beat says that it is not complete.
    pub marks: RingSender<FrameMark>,
    /// Stamps of what was sent, for logs.
    pub sent: RingSender<SentFrame>,
    /// To the network.
    pub outbox: Outbox,
    /// What control asks.
    pub switches: Arc<SendSwitches>,
    /// What happened.
    pub counters: Arc<CallCounters>,
}

/// What the thread keeps from frame to frame.
struct Sealing {
    sealer: Option<(Sealer, LeafIndex)>,
    numbering: Numbering,
    /// The newest video frame that has left.
    left: Option<SentFrame>,
    /// Number of the next report.
    report: FrameId,
    plaintext: Vec<u8>,
    /// When a frame was asked for that needs nothing of what was lost.
    mending: Option<Timestamp>,
}

impl SealThread {
    /// Runs until the call is over; gives the log ring back.
    pub fn run(mut self) -> RingSender<SentFrame> {
        self.bell.attend();
        let mut state = Sealing {
            sealer: None,
            numbering: Numbering::default(),
            left: None,
            report: FrameId::default(),
            plaintext: Vec::new(),
            mending: None,
        };
        while !self.switches.stopped() {
            while let Some(command) = self.commands.pop() {
                match command {
                    SealCommand::Epoch { base, epoch, leaf } => {
                        state.sealer = Some((Sealer::new(&base, epoch, leaf), leaf));
                    }
                    SealCommand::Way { way, lossy } => {
                        // Whatever was lost, a keyframe lets the peer begin afresh; without loss it goes on.
                        self.switches.keyframe.fetch_or(lossy, Ordering::Release);
                        self.outbox.set_way(way);
                    }
                }
            }
            while let Some(block) = self.sound.pop() {
                self.send_sound(&mut state, &block);
            }
            while let Some((report, arrived)) = self.peer_reports.pop() {
                self.outbox.handle_report(&report, arrived, clock::now());
                self.mend(&mut state);
            }
            while let Some(report) = self.reports.pop() {
                self.send_report(&mut state, &report);
            }
            let frame = self.video.pop();
            if let Some(frame) = &frame {
                self.send_video(&mut state, frame);
            }
            self.outbox.run(|left| {
                state.left = Some(left);
                let _ = self.sent.push(left);
            });
            if frame.is_none() {
                self.bell.wait(Some(self.outbox.pause().map_or(NAP, |pause| pause.min(NAP))));
            }
        }
        self.sent
    }

    fn send_sound(&mut self, state: &mut Sealing, block: &EncodedAudio) {
        self.sound.note_wait(clock::now().since(block.ready));
        state.plaintext.clear();
        wire::sound::write(block.captured, &block.data, &mut state.plaintext);
        if self.send_small(state, Stream::Audio, block.id) {
            self.counters.sound.sent.count();
        } else {
            self.counters.sound.unsent.count();
        }
    }

    /// What does not go out is told by the next report again.
    fn send_report(&mut self, state: &mut Sealing, report: &Feedback) {
        state.plaintext.clear();
        report.write(&mut state.plaintext);
        if self.send_small(state, Stream::Feedback, state.report) {
            state.report = state.report.next();
        }
    }

    /// Seals the plaintext of a frame that is predicted from nothing, and sends it. False: there is no key, or no way.
    fn send_small(&mut self, state: &mut Sealing, stream: Stream, id: FrameId) -> bool {
        let Some((sealer, leaf)) = state.sealer.as_mut().filter(|_| self.outbox.has_way()) else { return false };
        let header = FrameHeader { leaf: *leaf, stream, back: 0, id };
        let Ok(sealed) = sealer.seal(stream, &header.metadata(), &state.plaintext) else { return false };
        mark(&mut self.marks, &sealed);
        self.outbox.take(header, &sealed, clock::now());
        true
    }

    fn send_video(&mut self, state: &mut Sealing, frame: &EncodedVideo) {
        let numbered = state.numbering.number(frame.reference);
        let sealer = state.sealer.as_mut().filter(|_| self.outbox.has_way());
        let (Some((sealer, leaf)), Some((id, back))) = (sealer, numbered) else {
            self.counters.unsealed.count();
            self.switches.keyframe.store(true, Ordering::Release);
            return;
        };
        let mut stamps = frame.stamps;
        self.video.note_wait(stamps.since(Stage::Encoded, clock::now()));
        let plaintext = &mut state.plaintext;
        plaintext.clear();
        let left = state.left.as_ref().map(|left| (left.id, &left.stamps));
        let clock = self.counters.peer_clock.offset(clock::now());
        SenderRecord::new(id, &stamps, left, clock).write(plaintext);
        plaintext.extend_from_slice(&frame.data);
        let bare = plaintext.len();
        padding::pad(plaintext);
        self.counters.padding_bytes.add((plaintext.len() - bare) as u64);
        let header = FrameHeader { leaf: *leaf, stream: Stream::Video, back, id };
        let Ok(sealed) = sealer.seal(Stream::Video, &header.metadata(), plaintext) else {
            self.counters.unsealed.count();
            return;
        };
        let now = clock::now();
        stamps.set(Stage::Sealed, now);
        self.counters.sealed.count();
        self.counters.keyframes.add(u64::from(back == 0));
        mark(&mut self.marks, &sealed);
        let sent = SentFrame { id, picture: frame.id, bytes: frame.data.len() as u32, stamps };
        self.outbox.take_video(header, &sealed, sent, now);
        state.numbering.note_sent(frame.id);
        if !self.outbox.repair().is_broken() {
            state.mending = None;
            self.switches.from_acknowledged.store(false, Ordering::Release);
        }
        self.switches.prefer_acknowledged.store(self.outbox.repair().prefers_acknowledged(), Ordering::Release);
    }

    /// Tells the encoder what the peer has, and whether the next frame must do with that, or had better.
    fn mend(&self, state: &mut Sealing) {
        let repair = self.outbox.repair();
        let picture = repair.acknowledged().and_then(|id| state.numbering.picture(id));
        self.switches.set_acknowledged(picture);
        self.switches.prefer_acknowledged.store(repair.prefers_acknowledged(), Ordering::Release);
        let now = clock::now();
        if repair.is_broken() && state.mending.is_none_or(|since| now.since(since) >= MEND_PAUSE) {
            state.mending = Some(now);
            let references = repair.remedies().references;
            let switch = if references { &self.switches.from_acknowledged } else { &self.switches.keyframe };
            switch.store(true, Ordering::Release);
        }
    }
}

/// The opening thread.
pub struct OpenThread {
    /// Whole frames from the network.
    pub frames: RingReceiver<Frame>,
    /// From control.
    pub commands: RingReceiver<OpenCommand>,
    /// Rung by both.
    pub bell: Arc<Doorbell>,
    /// Names of what was opened, to be held against the peer's beat. Full: it is not.
    pub marks: RingSender<FrameMark>,
    /// To the speaker's thread. Full: newest dropped, and made up for there.
    pub sound: RingSender<ReceivedAudio>,
    /// To the decoder.
    pub video: RingSender<EncodedVideo>,
    /// What the sender told of a frame with one after it, for logs. Full: newest dropped.
    pub late: RingSender<LateStamps>,
    /// To the sealing thread: what the peer tells of what arrived. Full: newest dropped, the next one tells it again.
    pub peer_reports: RingSender<(Feedback, Timestamp)>,
    /// What control asks.
    pub switches: Arc<SendSwitches>,
    /// What happened.
    pub counters: Arc<CallCounters>,
}

impl OpenThread {
    /// Runs until the call is over; gives the log ring back.
    pub fn run(mut self) -> RingSender<LateStamps> {
        self.bell.attend();
        let mut opener = Opener::default();
        let mut captures = [(FrameId::default(), Timestamp::ZERO); TOLD_BACK];
        while !self.switches.stopped() {
            while let Some(command) = self.commands.pop() {
                match command {
                    OpenCommand::Epoch { base, epoch, members } => opener.add_epoch(base, epoch, &members),
                    OpenCommand::DropBefore(epoch) => opener.drop_before(epoch),
                }
            }
            let Some(frame) = self.frames.pop() else {
                self.bell.wait(Some(NAP));
                continue;
            };
            self.frames.note_wait(clock::now().since(frame.complete));
            let FrameHeader { leaf, stream, id, .. } = frame.header;
            let Ok(plaintext) = opener.open(leaf, stream, &frame.header.metadata(), &frame.sealed) else {
                self.counters.unopened.count();
                continue;
            };
            if stream == Stream::Audio {
                let Some((captured, packet)) = wire::sound::read(&plaintext) else {
                    self.counters.unopened.count();
                    continue;
                };
                self.counters.sound.received.count();
                let packet = EncodedAudio { id, captured, ready: clock::now(), data: packet.to_vec() };
                let _ = self.sound.push(ReceivedAudio { packet, arrived: frame.complete });
                mark(&mut self.marks, &frame.sealed);
                continue;
            }
            if stream == Stream::Feedback {
                match Feedback::read(&plaintext) {
                    Some(report) => drop(self.peer_reports.push((report, frame.first_packet))),
                    None => self.counters.unopened.count(),
                }
                mark(&mut self.marks, &frame.sealed);
                continue;
            }
            let Some((record, data)) = padding::unpad(&plaintext).and_then(SenderRecord::read) else {
                self.counters.unopened.count();
                continue;
            };
            self.counters.received.count();
            self.counters.received_bytes.add(data.len() as u64);
            let now = clock::now();
            if let Some(told) = record.clock {
                self.counters.peer_clock.note_told(told.from_their_side(), now);
            }
            let mut stamps = record.own;
            self.tell_late(&mut captures, id, &record);
            stamps.set(Stage::FirstPacketReceived, frame.first_packet);
            stamps.set(Stage::Complete, frame.complete);
            stamps.set(Stage::Opened, now);
            let reference = frame.header.reference();
            let encoded = EncodedVideo { id, reference, stamps, data: data.to_vec() };
            if self.video.push(encoded).is_err() {
                // The decoder is far behind: what follows cannot be decoded without this one.
                self.switches.request_keyframe.store(true, Ordering::Release);
            }
            mark(&mut self.marks, &frame.sealed);
        }
        self.late
    }

    /// Passes on what a frame's record tells of an earlier one.
    fn tell_late(&mut self, captures: &mut [(FrameId, Timestamp); TOLD_BACK], id: FrameId, record: &SenderRecord) {
        if let Some(earlier) = record.earlier {
            let id = FrameId(id.0.wrapping_sub(u32::from(earlier.back)));
            let (known, captured) = captures[id.0 as usize % TOLD_BACK];
            if known == id && captured != Timestamp::ZERO {
                let _ = self.late.push(LateStamps { id, stamps: earlier.stamps(captured) });
            }
        }
        captures[id.0 as usize % TOLD_BACK] = (id, record.own.get(Stage::Captured).unwrap_or_default());
    }
}

/// Notes a frame: a sent one before it goes on its way, since the peer's next beat may come back before anything else is done
/// here.
fn mark(marks: &mut RingSender<FrameMark>, sealed: &[u8]) {
    if let Some(mark) = FrameMark::of(sealed) {
        let _ = marks.push(mark);
    }
}
