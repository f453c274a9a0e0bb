//! The speaker's thread: jitter buffer, concealment, Opus, clock drift, playout. It plays whenever the speaker has room,
//! so the speaker's clock sets the pace, and the jitter buffer follows the sender's.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::output::Output;
use crate::codec::opus::{self, OpusDecoder};
use crate::engine::clock;
use crate::engine::config::SoundChoice;
use crate::engine::counters::{CallCounters, SendSwitches};
use crate::engine::handle::DeviceOpens;
use crate::media::{AUDIO_BLOCK_SAMPLES, Doorbell, EncodedAudio, RingReceiver, RingSender, SAMPLE_RATE_HZ, Timestamp};
use crate::sound::level::Meter;
use crate::sound::speaker::Reference;
use crate::sound::stretch;
use crate::transport::jitter::{JitterBuffer, Playout, Stretch};

/// No path is longer than this; what claims to be has another clock.
const LONGEST_PATH: Duration = Duration::from_secs(10);

/// A packet of the peer, opened.
pub struct ReceivedAudio {
    /// The packet.
    pub packet: EncodedAudio,
    /// When it came.
    pub arrived: Timestamp,
}

/// The thread `audio-receive`.
pub struct SoundReceiveThread {
    /// Where sound goes.
    pub sink: SoundChoice,
    /// Other speakers that are chosen later.
    pub choices: RingReceiver<SoundChoice>,
    /// The codec.
    pub decoder: OpusDecoder,
    /// From the opening thread.
    pub packets: RingReceiver<ReceivedAudio>,
    /// To the echo canceller.
    pub references: RingSender<Reference>,
    /// Rung by both, and by the speaker.
    pub bell: Arc<Doorbell>,
    /// Counts openings.
    pub opens: Arc<DeviceOpens>,
    /// What control asks.
    pub switches: Arc<SendSwitches>,
    /// What happened.
    pub counters: Arc<CallCounters>,
}

impl SoundReceiveThread {
    /// Runs until the call is over; then the speaker is closed.
    pub fn run(self) {
        let Self { sink, mut choices, decoder, mut packets, references, bell, opens, switches, counters } = self;
        bell.attend();
        let sound = &counters.sound;
        sound.heard_at(clock::now());
        let mut output = Output::new(sink, Arc::clone(&bell), opens, references);
        let mut player = Player::new(decoder, &counters);
        while !switches.stopped() {
            while let Some(ReceivedAudio { packet, arrived }) = packets.pop() {
                packets.note_wait(clock::now().since(packet.ready));
                sound.heard_at(arrived);
                player.buffer.handle_packet(packet.id, packet, arrived);
            }
            while let Some(choice) = choices.pop() {
                output.choose(choice, sound);
            }
            let now = clock::now();
            loop {
                output.tend(switches.speaker.load(Ordering::Acquire), now, sound);
                while output.is_hungry() {
                    player.play(&mut output, now);
                }
                if output.due(now) > Duration::ZERO {
                    break;
                }
            }
            sound.set_jitter(player.buffer.counts());
            bell.wait(Some(output.due(now)));
        }
    }
}

/// Makes 20 ms after 20 ms.
struct Player<'a> {
    buffer: JitterBuffer<EncodedAudio>,
    decoder: OpusDecoder,
    counters: &'a CallCounters,
    meter: Meter,
    block: [f32; AUDIO_BLOCK_SAMPLES],
    stretched: Vec<f32>,
    /// For how long sound is kept for the sake of the picture.
    extra: Duration,
}

impl<'a> Player<'a> {
    fn new(decoder: OpusDecoder, counters: &'a CallCounters) -> Self {
        Self {
            buffer: JitterBuffer::default(),
            decoder,
            counters,
            meter: Meter::default(),
            block: [0.0; AUDIO_BLOCK_SAMPLES],
            stretched: Vec::with_capacity(2 * AUDIO_BLOCK_SAMPLES),
            extra: Duration::ZERO,
        }
    }

    fn play(&mut self, output: &mut Output, now: Timestamp) {
        self.extra = self.counters.sound.lipsync.sound_extra(self.extra, now);
        self.buffer.set_extra(self.extra);
        let (playout, pace) = self.buffer.poll(output.wanted_since(now));
        let decoded = match &playout {
            Playout::Silence => {
                self.block.fill(0.0);
                Ok(())
            }
            Playout::Conceal => self.conceal(),
            Playout::Play(packet) => {
                let heard = now + output.delay() + opus::DELAY;
                let path = heard.since(packet.captured);
                let from_mouth = packet.captured != Timestamp::ZERO && path < LONGEST_PATH;
                if from_mouth && output.is_there() {
                    self.counters.sound.mouth_to_ear.sample(path);
                }
                if packet.captured != Timestamp::ZERO && output.is_there() {
                    self.counters.sound.lipsync.note_sound(packet.captured, heard, now);
                }
                let decoded = self.decoder.decode(&packet.data, &mut self.block);
                decoded.or_else(|error| {
                    tracing::debug!(%error, "a sound packet is no Opus");
                    self.counters.sound.undecodable.count();
                    self.conceal()
                })
            }
        };
        if let Err(error) = decoded {
            tracing::warn!(%error, "no sound");
            self.block.fill(0.0);
        }
        self.counters.sound.set_peer_level(self.meter.measure(&self.block));
        let samples = |by: Duration| by.as_micros() as usize * SAMPLE_RATE_HZ as usize / 1_000_000;
        let time = |samples: usize| Duration::from_secs(1) * samples as u32 / SAMPLE_RATE_HZ;
        match pace.stretch {
            Stretch::None => output.play(&self.block, pace.trim_ppm),
            Stretch::Shorten(by) => {
                let by = stretch::shorten(&self.block, samples(by), &mut self.stretched);
                self.buffer.handle_stretched(time(by), false);
                output.play(&self.stretched, pace.trim_ppm);
            }
            Stretch::Lengthen(by) => {
                let by = stretch::lengthen(&self.block, samples(by), &mut self.stretched);
                self.buffer.handle_stretched(time(by), true);
                output.play(&self.stretched, pace.trim_ppm);
            }
        }
    }

    fn conceal(&mut self) -> Result<(), crate::codec::CodecError> {
        let following = self.buffer.following().map(|packet| packet.data.as_slice());
        // A copy that is nonsense is as good as none.
        match self.decoder.conceal(following, &mut self.block) {
            Err(_) if following.is_some() => self.decoder.conceal(None, &mut self.block),
            done => done,
        }
    }
}

#[cfg(test)]
mod busy;
#[cfg(test)]
mod tests;
