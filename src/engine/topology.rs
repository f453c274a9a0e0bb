//! All threads and rings of a call, in one function.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{Builder, JoinHandle};

use super::capture::{CaptureThread, SourceShare};
use super::config::{Adaptation, SoundChoice, VideoChoice, VideoSettings};
use super::counters::{CallCounters, SendSwitches};
use super::encoding::{EncodeThread, encoder_config};
use super::handle::{DeviceOpens, LateStamps, SentFrame};
use super::outbox::Outbox;
use super::queues::{MEDIA_RINGS, QueueCounts};
use super::receive::ReceiveTask;
use super::sealing::{OpenCommand, OpenThread, SealCommand, SealThread};
use super::sound::{SoundReceiveThread, SoundSendThread};
use super::video::{DecodeThread, MakeDecoder};
use crate::call::{CaptureGrant, Machine};
use crate::capture::camera::CameraSystem;
use crate::codec::dav1d::Dav1dDecoder;
use crate::codec::opus::{OpusDecoder, OpusEncoder};
use crate::codec::{CodecError, EncoderKind};
use crate::crypto::sframe::FrameMark;
use crate::media::{Doorbell, RingReceiver, RingSender, RingStats, SlotReader, SlotWriter, VideoFrame, ring, slot};
use crate::transport::ways::Way;

/// Encoded frames that wait for the sealing thread: it is always faster, so [`MOST_WAITING`](super::encoding::MOST_WAITING)
/// are one too many already and the next picture is not encoded; the rest is for what a deep encoder gives at once when
/// its stream ends.
const ENCODED: usize = 8;
/// Whole frames that wait for the opening thread: a burst after a stall of the network. Full: newest dropped, keyframe.
const RECEIVED: usize = 32;
/// Opened frames that wait for the decoder. Full: newest dropped, keyframe.
const OPENED: usize = 16;
/// Sound packets that wait for the sealing thread: more than the half second that a microphone keeps for a thread that is late,
/// which then come at once. Full: newest dropped and counted.
const SOUND_ENCODED: usize = 32;
/// Sound packets that wait for the speaker's thread: more than its jitter buffer keeps. Full: newest dropped.
const SOUND_OPENED: usize = 32;
/// Newly opened speakers that wait to be heard by the echo canceller.
const REFERENCES: usize = 4;
/// Chosen microphones or speakers that wait for their thread: clicks of a person. Full: newest dropped.
const CHOICES: usize = 8;
/// Key changes that wait for a media thread: one every two minutes comes.
const COMMANDS: usize = 8;
/// Reports of arrivals that wait for the sealing thread: fifty come in a second. Full: newest dropped, the next one repeats it.
const REPORTS: usize = 16;
/// Names of sent or opened frames that wait for control, which looks ten times a second: four seconds of them. Full: newest
/// dropped and counted.
const MARKS: usize = 512;
/// Stamps of sent frames that wait for a log. Full: newest dropped.
const SENT: usize = 256;

/// What flows into and out of the threads of a call.
pub struct CallIo {
    /// Where pictures come from.
    pub source: VideoChoice,
    /// Microphone and camera, as the person wants them from the first moment.
    pub on: (bool, bool),
    /// The cameras that can be chosen.
    pub cameras: Arc<dyn CameraSystem>,
    /// How they are made.
    pub video: VideoSettings,
    /// By which encoder.
    pub encoder: EncoderKind,
    /// Where sound comes from.
    pub microphone: SoundChoice,
    /// Leave the microphone's sound as it is.
    pub raw_microphone: bool,
    /// How sending follows the path.
    pub adaptation: Adaptation,
    /// Where sound goes.
    pub speaker: SoundChoice,
    /// Where pictures and stamps go.
    pub ends: Ends,
    /// Counts what is opened.
    pub opens: Arc<DeviceOpens>,
    /// Runs the network.
    pub runtime: tokio::runtime::Handle,
}

/// The threads of a running call, as control holds them.
pub struct CallThreads {
    /// To the sealing thread.
    pub seal: RingSender<SealCommand>,
    /// To the opening thread.
    pub open: RingSender<OpenCommand>,
    /// Connections to receive from, the newest of each way counting.
    pub ways: tokio::sync::mpsc::Sender<(Way, quinn::Connection)>,
    /// To the microphone's thread: another microphone.
    pub microphone: RingSender<SoundChoice>,
    /// To the speaker's thread: another speaker.
    pub speaker: RingSender<SoundChoice>,
    /// What control asks.
    pub switches: Arc<SendSwitches>,
    /// What happened.
    pub counters: Arc<CallCounters>,
    /// Names of frames that were sent.
    sent_marks: RingReceiver<FrameMark>,
    /// How many of them found the ring full so far.
    unlisted: u64,
    /// Names of frames that were opened.
    opened_marks: RingReceiver<FrameMark>,
    /// Of the rings that media pass.
    rings: [Arc<RingStats>; MEDIA_RINGS],
    /// What encodes.
    pub encoder: EncoderKind,
    /// Which source is wanted, and how it is.
    pub share: Arc<SourceShare>,
    bells: [Arc<Doorbell>; 6],
    capture: JoinHandle<SlotWriter<VideoFrame>>,
    decode: JoinHandle<SlotWriter<VideoFrame>>,
    sealing: JoinHandle<RingSender<SentFrame>>,
    opening: JoinHandle<RingSender<LateStamps>>,
    others: Vec<JoinHandle<()>>,
}

/// Starts every thread of a call. The grant is the proof that both sides said yes.
#[expect(clippy::too_many_lines, reason = "all threads and rings of a call are read in one place")]
pub fn start_call(grant: CaptureGrant, io: CallIo) -> Result<CallThreads, CodecError> {
    let CallIo { source, cameras, on, video, encoder, adaptation, .. } = io;
    let CallIo { microphone, raw_microphone, speaker, ends, opens, runtime, .. } = io;
    let Ends { remote, local, sent, late } = ends;
    let camera = on.1 && source != VideoChoice::None;
    let switches = Arc::new(SendSwitches::new((on.0, camera), &video));
    let counters = Arc::new(CallCounters::default());
    let bells: [Arc<Doorbell>; 6] = std::array::from_fn(|_| Arc::default());
    let [encode_bell, seal_bell, open_bell, decode_bell, microphone_bell, speaker_bell] = bells.clone();

    let (pictures, picture_slot) = slot(Arc::clone(&encode_bell));
    let (encoded_in, encoded_out) = ring("encoded", ENCODED, Arc::clone(&seal_bell));
    let (seal, seal_commands) = ring("seal commands", COMMANDS, Arc::clone(&seal_bell));
    let (received_in, received_out) = ring("received", RECEIVED, Arc::clone(&open_bell));
    let (open, open_commands) = ring("open commands", COMMANDS, Arc::clone(&open_bell));
    let (opened_in, opened_out) = ring("opened", OPENED, Arc::clone(&decode_bell));
    let (sound_encoded_in, sound_encoded_out) = ring("sound encoded", SOUND_ENCODED, Arc::clone(&seal_bell));
    let (sound_opened_in, sound_opened_out) = ring("sound opened", SOUND_OPENED, Arc::clone(&speaker_bell));
    let (microphone_choice, microphone_choices) = ring("microphones", CHOICES, Arc::clone(&microphone_bell));
    let (speaker_choice, speaker_choices) = ring("speakers", CHOICES, Arc::clone(&speaker_bell));
    let (references_in, references_out) = ring("references", REFERENCES, Arc::clone(&microphone_bell));
    let rings =
        [encoded_in.stats(), received_in.stats(), opened_in.stats(), sound_encoded_in.stats(), sound_opened_in.stats()];
    let (reports_in, reports_out) = ring("reports", REPORTS, Arc::clone(&seal_bell));
    let (peer_reports_in, peer_reports_out) = ring("peer's reports", REPORTS, Arc::clone(&seal_bell));
    let (sent_marks_in, sent_marks) = ring("sent marks", MARKS, Arc::default());
    let (opened_marks_in, opened_marks) = ring("opened marks", MARKS, Arc::default());
    let (ways, new_ways) = tokio::sync::mpsc::channel(4);

    let shared = || (Arc::clone(&switches), Arc::clone(&counters));
    let mut make_decoder: MakeDecoder = Box::new(|| Ok(Box::new(Dav1dDecoder::open()?)));
    let decoder = make_decoder()?;
    let (s, c) = shared();
    let share = Arc::new(SourceShare::new(source));
    let capture = CaptureThread {
        grant,
        share: Arc::clone(&share),
        cameras,
        video,
        pictures: Some(pictures),
        local,
        opens: Arc::clone(&opens),
        switches: s,
        counters: c,
    };
    let (s, c) = shared();
    let make_encoder = Box::new(move |picture: &_, bitrate_kbps| {
        encoder.open(&encoder_config(picture, video.fps, bitrate_kbps, encoder.threads()))
    });
    let encode = EncodeThread {
        frames: picture_slot,
        bell: encode_bell,
        out: encoded_in,
        make_encoder,
        video,
        ladder: adaptation.ladder,
        switches: s,
        counters: c,
    };
    let (s, c) = shared();
    let sealing = SealThread {
        sound: sound_encoded_out,
        outbox: Outbox::new(video, adaptation, Arc::clone(&s), Arc::clone(&c)),
        reports: reports_out,
        peer_reports: peer_reports_out,
        video: encoded_out,
        commands: seal_commands,
        bell: seal_bell,
        marks: sent_marks_in,
        sent,
        switches: s,
        counters: c,
    };
    let (s, c) = shared();
    let opening = OpenThread {
        frames: received_out,
        commands: open_commands,
        bell: open_bell,
        marks: opened_marks_in,
        sound: sound_opened_in,
        video: opened_in,
        late,
        peer_reports: peer_reports_in,
        switches: s,
        counters: c,
    };
    let (s, c) = shared();
    let decode = DecodeThread {
        frames: opened_out,
        bell: decode_bell,
        out: remote,
        decoder,
        make_decoder,
        switches: s,
        counters: c,
    };

    let (s, c) = shared();
    let speaking = SoundSendThread {
        source: microphone,
        choices: microphone_choices,
        raw: raw_microphone,
        encoder: OpusEncoder::open()?,
        out: sound_encoded_in,
        references: references_out,
        bell: microphone_bell,
        opens: Arc::clone(&opens),
        switches: s,
        counters: c,
    };
    let (s, c) = shared();
    let hearing = SoundReceiveThread {
        sink: speaker,
        choices: speaker_choices,
        decoder: OpusDecoder::open()?,
        packets: sound_opened_out,
        references: references_in,
        bell: speaker_bell,
        opens,
        switches: s,
        counters: c,
    };

    let (s, c) = shared();
    runtime
        .spawn(ReceiveTask { ways: new_ways, out: received_in, reports: reports_in, switches: s, counters: c }.run());
    let capture = spawn("capture", move || capture.run())?;
    let decode = spawn("decode", move || decode.run())?;
    let sealing = spawn("seal", move || sealing.run())?;
    let opening = spawn("open", move || opening.run())?;
    let others = vec![
        spawn("encode", move || encode.run())?,
        spawn("audio-send", move || speaking.run())?,
        spawn("audio-receive", move || hearing.run())?,
    ];
    Ok(CallThreads {
        seal,
        open,
        ways,
        microphone: microphone_choice,
        speaker: speaker_choice,
        switches,
        counters,
        sent_marks,
        unlisted: 0,
        opened_marks,
        rings,
        encoder,
        share,
        bells,
        capture,
        decode,
        sealing,
        opening,
        others,
    })
}

impl CallThreads {
    /// Tells the call which frames were sent and opened since.
    pub fn tell_marks(&mut self, machine: &mut Machine) {
        let refused = self.sent_marks.stats().refused();
        let unlisted = refused - std::mem::replace(&mut self.unlisted, refused);
        machine.handle_sent(std::iter::from_fn(|| self.sent_marks.pop()), unlisted);
        machine.handle_opened(std::iter::from_fn(|| self.opened_marks.pop()));
    }

    /// How the call's queues were used so far.
    #[must_use]
    pub fn queues(&self) -> QueueCounts {
        QueueCounts::new(self.rings.each_ref().map(AsRef::as_ref), self.counters.pool())
    }

    /// Ends all threads and waits for them; gives back what the next call needs. `None` if a thread died.
    pub fn stop(self) -> Option<Ends> {
        self.switches.stop.store(true, Ordering::Release);
        self.bells.iter().for_each(|bell| bell.ring());
        let local = self.capture.join().ok();
        let remote = self.decode.join().ok();
        let sent = self.sealing.join().ok();
        let late = self.opening.join().ok();
        for thread in self.others {
            let _ = thread.join();
        }
        Some(Ends { remote: remote?, local: local?, sent: sent?, late: late? })
    }
}

/// The engine's ends of what its user reads; they outlive a call.
pub struct Ends {
    /// Pictures of the peer.
    pub remote: SlotWriter<VideoFrame>,
    /// Own pictures.
    pub local: SlotWriter<VideoFrame>,
    /// Stamps of sent frames.
    pub sent: RingSender<SentFrame>,
    /// What the peer told of its frames with the ones after them.
    pub late: RingSender<LateStamps>,
}

impl Ends {
    /// Both ends of everything; the bells are rung with each picture of the peer and with each own one.
    #[must_use]
    pub fn new(remote_bell: Arc<Doorbell>, local_bell: Arc<Doorbell>) -> (Self, Readers) {
        let (remote, remote_out) = slot(remote_bell);
        let (local, local_out) = slot(local_bell);
        let (sent, sent_out) = ring("sent", SENT, Arc::default());
        let (late, late_out) = ring("late stamps", SENT, Arc::default());
        let readers = Readers { remote: remote_out, local: local_out, sent: sent_out, late: late_out };
        (Self { remote, local, sent, late }, readers)
    }
}

/// What the engine's user holds of [`Ends`].
pub struct Readers {
    /// Pictures of the peer.
    pub remote: SlotReader<VideoFrame>,
    /// Own pictures.
    pub local: SlotReader<VideoFrame>,
    /// Stamps of sent frames.
    pub sent: RingReceiver<SentFrame>,
    /// What the peer told of its frames with the ones after them.
    pub late: RingReceiver<LateStamps>,
}

fn spawn<T: Send + 'static>(
    name: &'static str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, CodecError> {
    let error = |error: std::io::Error| CodecError::Open { codec: name, why: error.to_string() };
    Builder::new().name(name.into()).spawn(body).map_err(error)
}
