//! What a call looks like to whoever shows it: from the first ring to how it ended, with its figures.

use std::sync::Arc;

use super::queues::QueueCounts;
use super::sound::{SoundCounts, SoundView};
use crate::call::Outcome;
use crate::media::{ClockOffset, Timestamp};
use crate::transport::rate::ladder::Limit;

/// The call as a person sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum CallView {
    /// None.
    #[default]
    Idle,
    /// Our invitation is out.
    Outgoing {
        /// Whom.
        peer: Peer,
        /// With picture.
        video: bool,
        /// Whether a device of theirs has been reached.
        ringing: bool,
        /// When it began.
        since: Timestamp,
    },
    /// Somebody rings. Nothing has been opened or sent.
    Incoming {
        /// Who.
        peer: Peer,
        /// With picture.
        video: bool,
        /// When it began.
        since: Timestamp,
    },
    /// Accepted; keys and path are being made.
    Connecting {
        /// With whom.
        peer: Peer,
        /// When it began.
        since: Timestamp,
    },
    /// Face to face.
    Active(Box<ActiveView>),
    /// Over.
    Ended {
        /// With whom.
        peer: Peer,
        /// How.
        outcome: Outcome,
        /// Seconds of talk.
        talked_s: u64,
    },
}

/// Number of a call, counted from the engine's start; zero is none. Answers name the call that they are meant for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallNumber(pub u64);

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedCall {
    /// Which.
    pub number: CallNumber,
    /// How.
    pub outcome: Outcome,
    /// Seconds of talk.
    pub talked_s: u64,
    /// What went through its threads until the last of them stood still; none if it had none.
    pub counts: Option<Box<CallCounts>>,
}

/// The other side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// `name@host`.
    pub handle: String,
    /// What the person calls them; the name part of the handle if nothing else.
    pub name: String,
    /// Known to be the right one.
    pub verified: bool,
    /// They show another key than the first time: they may be somebody else.
    pub key_changed: bool,
    /// One of the contacts, with the key that is known of them.
    pub is_contact: bool,
}

/// A call that runs.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a lamp of its own on the screen")]
pub struct ActiveView {
    /// With whom.
    pub peer: Peer,
    /// When both sides were ready.
    pub since: Timestamp,
    /// Direct or by relay.
    pub path: PathView,
    /// How often the way has changed.
    pub path_changes: u32,
    /// Own microphone is on.
    pub microphone_on: bool,
    /// Own speaker is on.
    pub speaker_on: bool,
    /// Own camera is on.
    pub camera_on: bool,
    /// Peer says its microphone is on.
    pub peer_microphone_on: bool,
    /// Peer says its camera is on.
    pub peer_camera_on: bool,
    /// 60 digits, the same on both sides.
    pub safety_number: Arc<str>,
    /// Digits of the MLS epoch authenticator, to be read aloud.
    pub in_call_code: Arc<str>,
    /// MLS epoch.
    pub epoch: u64,
    /// Seconds since the keys were last refreshed.
    pub key_age_s: u64,
    /// Name of the encoder of the own picture.
    pub encoder: &'static str,
    /// How the own picture is sent at the moment.
    pub sending: SendingView,
    /// Frames so far: captured, skipped, sent, received, decoded, not opened.
    pub frames: FrameCounts,
    /// What went by relay and what directly.
    pub traffic: TrafficCounts,
    /// The peer is told no address of this computer.
    pub address_hidden: bool,
    /// To the relay and back, and to the peer directly and back, milliseconds; as far as there are such ways.
    pub round_trips_ms: (Option<f32>, Option<f32>),
    /// The peer's clock against ours, once it is known.
    pub clock: Option<ClockOffset>,
    /// How the queues between the threads are used.
    pub queues: QueueCounts,
    /// Devices, levels and packets of sound.
    pub sound: SoundView,
}

/// What a call has sent, received and shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CallCounts {
    /// Frames.
    pub frames: FrameCounts,
    /// Packets by the way they went.
    pub traffic: TrafficCounts,
    /// Sound; what is measured of it as it stood in the end.
    pub sound: SoundCounts,
}

/// Frames since the call began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct FrameCounts {
    /// Pictures that the own source gave.
    pub captured: u64,
    /// Frames of the own camera that were damaged and left out.
    pub damaged: u64,
    /// Pictures that were not encoded.
    pub skipped: u64,
    /// Frames sealed and sent.
    pub sent: u64,
    /// Of those, keyframes.
    pub keyframes: u64,
    /// Packets of video that were lost on their way and sent again.
    pub resent: u64,
    /// Bytes in them, with all headers.
    pub resent_bytes: u64,
    /// Parity packets that were sent.
    pub parity: u64,
    /// Packets of the peer's video that were lost and rebuilt from parity.
    pub rebuilt: u64,
    /// Bytes of everything that was sent to the peer, with all headers.
    pub wire_bytes: u64,
    /// Bytes of video that came out of the encoder.
    pub encoded_bytes: u64,
    /// Bytes added to them, so that their sizes tell little.
    pub padding_bytes: u64,
    /// Frames not sent, since they could not be sealed or there was no path.
    pub unsealed: u64,
    /// Frames of the peer that came whole and opened.
    pub received: u64,
    /// Bytes of video in them.
    pub received_bytes: u64,
    /// Frames that did not open.
    pub unopened: u64,
    /// Pictures of the peer.
    pub decoded: u64,
    /// Frames that the encoder holds back at the moment.
    pub encoder_depth: u32,
    /// Frames that the decoder holds back at the moment.
    pub decoder_depth: u32,
}

/// How large, how many and how fast pictures are sent at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SendingView {
    /// Width of what is encoded.
    pub width: u32,
    /// Height of what is encoded.
    pub height: u32,
    /// Pictures a second of what is encoded.
    pub fps: u32,
    /// What keeps them from being as large and as many as the settings say.
    pub limited_by: Limit,
    /// How often size or number have changed so far.
    pub changes: u64,
    /// Kilobits a second of video that the path takes, no more than the settings say.
    pub allowed_kbps: u32,
    /// Packets so far that waited too long for their turn and were not sent.
    pub late_packets: u64,
}

/// Sealed packets of a call, sent and received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct TrafficCounts {
    /// By way of the relay.
    pub relay_packets: u64,
    /// Bytes in them, without the bytes of the network below.
    pub relay_bytes: u64,
    /// Between the two devices.
    pub direct_packets: u64,
    /// Bytes in them.
    pub direct_bytes: u64,
}

/// Which way the packets go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PathView {
    /// Through the server's relay.
    #[default]
    Relay,
    /// Between the two devices.
    Direct,
    /// Nowhere at the moment: the last picture is old.
    Reconnecting,
}
