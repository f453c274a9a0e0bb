//! The two threads between codecs and network: seal and cut on the sender's side, open on the receiver's.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::clock;
use super::counters::{CallCounters, SendSwitches};
use super::handle::SentFrame;
use super::sound::ReceivedAudio;
use crate::crypto::sframe::{BaseKey, Opener, Sealer};
use crate::media::{
    Doorbell, EncodedAudio, EncodedVideo, FrameId, KeyEpoch, LeafIndex, RingReceiver, RingSender, Stage, Stamps, Stream,
};
use crate::net::knobs::DATAGRAM_LEN;
use crate::transport::packetise::Packetiser;
use crate::transport::reassemble::Frame;
use crate::wire;
use crate::wire::packet::FrameHeader;
use crate::wire::record::SenderRecord;

/// Largest packet, however much a way lets through.
const MAX_PACKET_LEN: usize = 1400;
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

/// Where packets go.
pub struct SendWay {
    /// Over this connection.
    pub connection: quinn::Connection,
    /// It ends at the peer: its largest packet is the largest that may be sent. Behind a relay there is another
    /// connection, of which only the least is known.
    pub direct: bool,
}

impl SendWay {
    fn max_packet_len(&self) -> usize {
        let max = self.direct.then(|| self.connection.max_datagram_size()).flatten();
        max.map_or(DATAGRAM_LEN, |max| max.min(MAX_PACKET_LEN))
    }
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
    /// From the encoder.
    pub video: RingReceiver<EncodedVideo>,
    /// From control.
    pub commands: RingReceiver<SealCommand>,
    /// Rung by all.
    pub bell: Arc<Doorbell>,
    /// Stamps of what was sent, for logs.
    pub sent: RingSender<SentFrame>,
    /// What control asks.
    pub switches: Arc<SendSwitches>,
    /// What happened.
    pub counters: Arc<CallCounters>,
}

impl SealThread {
    /// Runs until the call is over; gives the log ring back.
    pub fn run(mut self) -> RingSender<SentFrame> {
        self.bell.attend();
        let mut sealer: Option<(Sealer, LeafIndex)> = None;
        let mut way: Option<SendWay> = None;
        let mut packetiser = Packetiser::default();
        let mut previous: Option<Stamps> = None;
        let mut plaintext = Vec::new();
        // Numbered here, without gaps: a picture that was skipped before it was encoded is not one that was lost.
        let mut next = FrameId(0);
        while !self.switches.stopped() {
            while let Some(command) = self.commands.pop() {
                match command {
                    SealCommand::Epoch { base, epoch, leaf } => sealer = Some((Sealer::new(&base, epoch, leaf), leaf)),
                    SealCommand::Way { way: new, lossy } => {
                        // Whatever was lost, a keyframe lets the peer begin afresh; without loss it goes on.
                        self.switches.keyframe.fetch_or(lossy, Ordering::Release);
                        way = new;
                    }
                }
            }
            while let Some(block) = self.sound.pop() {
                plaintext.clear();
                wire::sound::write(block.captured, &block.data, &mut plaintext);
                let sealed = sealer.as_mut().and_then(|(sealer, leaf)| {
                    let header = FrameHeader { leaf: *leaf, stream: Stream::Audio, keyframe: false, id: block.id };
                    let sealed = sealer.seal(Stream::Audio, &header.metadata(), &plaintext).ok()?;
                    Some((header, sealed))
                });
                let (Some((header, sealed)), Some(way)) = (sealed, &way) else {
                    self.counters.sound.unsent.count();
                    continue;
                };
                self.counters.sound.sent.count();
                packetiser.packetise(header, &sealed, way.max_packet_len(), |packet| {
                    let _ = way.connection.send_datagram(packet.into());
                });
            }
            let Some(frame) = self.video.pop() else {
                self.bell.wait(Some(NAP));
                continue;
            };
            let (Some((sealer, leaf)), Some(way)) = (&mut sealer, &way) else {
                self.counters.unsealed.count();
                self.switches.keyframe.store(true, Ordering::Release);
                continue;
            };
            let mut stamps = frame.stamps;
            plaintext.clear();
            SenderRecord::new(&stamps, previous.as_ref()).write(&mut plaintext);
            plaintext.extend_from_slice(&frame.data);
            let header = FrameHeader { leaf: *leaf, stream: Stream::Video, keyframe: frame.keyframe, id: next };
            let Ok(sealed) = sealer.seal(Stream::Video, &header.metadata(), &plaintext) else {
                self.counters.unsealed.count();
                continue;
            };
            stamps.set(Stage::Sealed, clock::now());
            self.counters.sealed.count();
            let max_len = way.max_packet_len();
            let mut first = true;
            packetiser.packetise(header, &sealed, max_len, |packet| {
                // quinn drops its oldest datagrams when the network does not keep up; the peer then asks for a keyframe.
                let _ = way.connection.send_datagram(packet.into());
                if std::mem::take(&mut first) {
                    stamps.set(Stage::FirstPacketSent, clock::now());
                }
            });
            stamps.set(Stage::LastPacketSent, clock::now());
            previous = Some(stamps);
            let _ = self.sent.push(SentFrame { id: next, picture: frame.id, stamps });
            next = next.next();
        }
        self.sent
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
    /// To the speaker's thread. Full: newest dropped, and made up for there.
    pub sound: RingSender<ReceivedAudio>,
    /// To the decoder.
    pub video: RingSender<EncodedVideo>,
    /// What control asks.
    pub switches: Arc<SendSwitches>,
    /// What happened.
    pub counters: Arc<CallCounters>,
}

impl OpenThread {
    /// Runs until the call is over.
    pub fn run(mut self) {
        self.bell.attend();
        let mut opener = Opener::default();
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
            let FrameHeader { leaf, stream, keyframe, id } = frame.header;
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
                let packet = EncodedAudio { id, captured, data: packet.to_vec() };
                let _ = self.sound.push(ReceivedAudio { packet, arrived: frame.complete });
                continue;
            }
            if stream != Stream::Video {
                continue;
            }
            let Some((record, data)) = SenderRecord::read(&plaintext) else {
                self.counters.unopened.count();
                continue;
            };
            self.counters.received.count();
            self.counters.received_bytes.add(data.len() as u64);
            let mut stamps = record.own;
            stamps.set(Stage::FirstPacketReceived, frame.first_packet);
            stamps.set(Stage::Complete, frame.complete);
            stamps.set(Stage::Opened, clock::now());
            let encoded = EncodedVideo { id, keyframe, stamps, data: data.to_vec() };
            if self.video.push(encoded).is_err() {
                // The decoder is far behind: what follows cannot be decoded without this one.
                self.switches.request_keyframe.store(true, Ordering::Release);
            }
        }
    }
}
