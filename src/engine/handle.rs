//! What the window and the command line hold of an engine: commands in, snapshots out, the newest picture beside them.
//!
//! The engine owns devices, keys and sockets; whoever holds the handle sees plain data only.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::clock;
use super::devices::DeviceList;
pub use super::sound::{DeviceState, SoundCheckView, SoundCounts, SoundView};
pub use super::zoom::Zoom;
use crate::call::UserConsent;
use crate::media::{Doorbell, FrameId, RingReceiver, SlotReader, Stamps, Timestamp, VideoFrame, ring, slot};

/// Commands that may wait for the engine; one more is refused, which no person's clicking reaches.
pub const COMMAND_QUEUE: usize = 64;

/// How often [`EngineHandle::wait_for`] looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What a person (or a script) asks of the engine. Nothing here blocks: the outcome shows in the next snapshots.
#[derive(Debug)]
pub enum Command {
    /// Make an identity and register it. `handle` is the part before the `@`; `server` the address with key.
    CreateProfile {
        /// Name part of the handle.
        name: String,
        /// Server address as the server prints it.
        server: String,
    },
    /// Ring somebody. Calling is itself the consent to show and speak once they accept.
    Dial {
        /// Whom.
        handle: String,
        /// With picture.
        video: bool,
        /// The act of the person.
        consent: UserConsent,
    },
    /// Answer the call that rings.
    Accept {
        /// Show the own picture.
        video: bool,
        /// The act of the person.
        consent: UserConsent,
    },
    /// Refuse the call that rings.
    Decline,
    /// Stop ringing out, or end the call.
    HangUp,
    /// Leave the "call ended" state.
    Dismiss,
    /// Microphone on or off (packets keep flowing either way).
    SetMicrophone {
        /// On.
        on: bool,
    },
    /// Speaker on or off; off, the device is closed.
    SetSpeaker {
        /// On.
        on: bool,
    },
    /// Camera on or off.
    SetCamera {
        /// On.
        on: bool,
    },
    /// Look at oneself, outside a call; a call ends it.
    StartPreview {
        /// The act of the person.
        consent: UserConsent,
    },
    /// Close the camera again.
    StopPreview,
    /// Listen to the microphone, outside a call, to show how loud it is; a call ends it, also one that only rings.
    StartMicrophoneCheck {
        /// The act of the person.
        consent: UserConsent,
    },
    /// Play a tone on the speaker once, outside a call.
    PlayTestTone,
    /// Close what the microphone's check and the tone have opened.
    StopSoundCheck,
    /// Ask the system for its devices; they show in [`Snapshot::devices`].
    ListDevices,
    /// Use these devices, now and in future.
    ChooseDevices(DeviceChoice),
    /// Light or dark, now and in future.
    SetAppearance(Appearance),
    /// Everything this large, now and in future.
    SetZoom(Zoom),
    /// Keep somebody as a contact. What is wrong with the handle is said in the notice.
    AddContact {
        /// `name@host`.
        handle: String,
    },
    /// Forget a contact.
    RemoveContact {
        /// Whom.
        handle: String,
    },
    /// Call a contact by another name.
    RenameContact {
        /// Whom.
        handle: String,
        /// The name; empty: the name part of the handle again.
        name: String,
    },
    /// Believe the key that a contact shows the next time.
    TrustNewKey {
        /// Whose.
        handle: String,
    },
    /// End everything.
    Shutdown,
}

/// Colours of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Appearance {
    /// As the rest of the desktop.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// Chosen devices by name; `None` is the system's default, `Some("none")` none at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeviceChoice {
    /// Camera.
    pub camera: Option<String>,
    /// Microphone.
    pub microphone: Option<String>,
    /// Speaker.
    pub speaker: Option<String>,
}

/// Everything that can be seen of an engine at one moment. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The engine has looked at its profile; before that nothing else here means anything.
    pub started: bool,
    /// Own identity, once there is one.
    pub me: Option<Me>,
    /// Connection to the server.
    pub server: ServerStatus,
    /// The encoders are being tried; a call that begins meanwhile uses the usual one.
    pub trying_encoders: bool,
    /// The people this profile knows, by name.
    pub contacts: Arc<[Contact]>,
    /// The devices that there were when [`Command::ListDevices`] was last answered.
    pub devices: Option<Arc<DeviceList>>,
    /// Chosen devices, or what the engine was started with in their place.
    pub chosen: DeviceChoice,
    /// Own camera, in a call or a preview.
    pub camera: DeviceState,
    /// Own microphone and speaker while they are checked outside a call.
    pub sound_check: SoundCheckView,
    /// Colours of the window.
    pub appearance: Appearance,
    /// How large everything in the window is.
    pub zoom: Zoom,
    /// The call, or how the last one ended.
    pub call: CallView,
    /// The last thing that went wrong outside a call, in words for the person, with a number that grows with each.
    pub notice: Option<(u64, Arc<str>)>,
}

/// Own identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// `name@host`.
    pub handle: String,
    /// The server has taken it; before that another name can be chosen.
    pub registered: bool,
}

/// Somebody whom this profile knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// `name@host`.
    pub handle: String,
    /// What the person calls them; the name part of the handle if nothing else.
    pub name: String,
    /// Whether they can be reached at once.
    pub presence: Presence,
    /// Known to be the right one.
    pub verified: bool,
    /// They showed another key than the first time.
    pub key_changed: bool,
}

/// Whether somebody can be reached at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// Not known (yet, or they are at another server).
    #[default]
    Unknown,
    /// A device of theirs is connected.
    Online,
    /// None is.
    Offline,
}

/// Connection to the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ServerStatus {
    /// No profile, nothing to connect to.
    #[default]
    Idle,
    /// Trying.
    Connecting,
    /// There.
    Online,
    /// Lost or refused; tried again on its own unless `fatal`.
    Offline {
        /// Why, in words for the person.
        why: String,
        /// Will not get better by waiting (wrong key, version too old).
        fatal: bool,
    },
}

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
        outcome: crate::call::Outcome,
        /// Seconds of talk.
        talked_s: u64,
    },
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
    /// Frames so far: captured, skipped, sent, received, decoded, not opened.
    pub frames: FrameCounts,
    /// Devices, levels and packets of sound.
    pub sound: SoundView,
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
    /// Bytes of video that came out of the encoder.
    pub encoded_bytes: u64,
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

/// An engine as its user holds it.
pub struct EngineHandle {
    /// Into the engine.
    pub commands: mpsc::Sender<Command>,
    /// Out of the engine.
    pub snapshots: watch::Receiver<Snapshot>,
    /// Newest picture of the peer.
    pub remote: SlotReader<VideoFrame>,
    /// Newest own picture, for the self-view and the preview.
    pub local: SlotReader<VideoFrame>,
    /// Stamps of the frames that were sent, for logs. Full: newest dropped.
    pub sent: RingReceiver<SentFrame>,
    /// Rung with each picture of the peer.
    pub remote_bell: Arc<Doorbell>,
    /// Rung with each own picture.
    pub local_bell: Arc<Doorbell>,
    /// Rung with each new snapshot.
    pub snapshot_bell: Arc<Doorbell>,
    /// How often devices were opened, counted by the handles; for the promise that nothing opens before consent.
    pub device_opens: Arc<DeviceOpens>,
}

/// What is known of a frame that was sent.
#[derive(Clone, Copy, Debug)]
pub struct SentFrame {
    /// Number it was sent with: without gaps.
    pub id: FrameId,
    /// Number of the picture at its source: those that were skipped are missing.
    pub picture: FrameId,
    /// When it passed which stage on this side.
    pub stamps: Stamps,
}

/// How often devices were opened since the engine began, and which are open now.
#[derive(Debug, Default)]
pub struct DeviceOpens {
    camera: DeviceCount,
    microphone: DeviceCount,
    speaker: DeviceCount,
}

#[derive(Debug, Default)]
struct DeviceCount {
    opened: AtomicU64,
    open: AtomicU64,
}

/// A device that is open: kept beside it and dropped with it, so that the lamps of the window tell the truth.
#[derive(Debug)]
pub struct OpenDevice {
    opens: Arc<DeviceOpens>,
    kind: fn(&DeviceOpens) -> &DeviceCount,
}

impl Drop for OpenDevice {
    fn drop(&mut self) {
        (self.kind)(&self.opens).open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl DeviceOpens {
    /// Counts a camera (or file or pattern in its place).
    #[must_use]
    pub fn camera_opened(self: &Arc<Self>) -> OpenDevice {
        self.opened(|opens| &opens.camera)
    }

    /// Counts a microphone (or file in its place).
    #[must_use]
    pub fn microphone_opened(self: &Arc<Self>) -> OpenDevice {
        self.opened(|opens| &opens.microphone)
    }

    /// Counts a speaker.
    #[must_use]
    pub fn speaker_opened(self: &Arc<Self>) -> OpenDevice {
        self.opened(|opens| &opens.speaker)
    }

    /// Cameras, microphones and speakers opened so far.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        let count = |device: &DeviceCount| device.opened.load(Ordering::Relaxed);
        (count(&self.camera), count(&self.microphone), count(&self.speaker))
    }

    /// Whether a camera and a microphone are open at this moment.
    #[must_use]
    pub fn open_now(&self) -> (bool, bool) {
        let open = |device: &DeviceCount| device.open.load(Ordering::Relaxed) > 0;
        (open(&self.camera), open(&self.microphone))
    }

    fn opened(self: &Arc<Self>, kind: fn(&Self) -> &DeviceCount) -> OpenDevice {
        let device = kind(self);
        device.opened.fetch_add(1, Ordering::Relaxed);
        device.open.fetch_add(1, Ordering::Relaxed);
        OpenDevice { opens: Arc::clone(self), kind }
    }
}

impl EngineHandle {
    /// Asks the engine for something; false if it is gone or swamped.
    #[must_use]
    pub fn send(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// Another handle to the same engine, which takes the pictures; this one keeps the log of sent frames.
    #[must_use]
    pub fn give_pictures(&mut self) -> Self {
        Self {
            commands: self.commands.clone(),
            snapshots: self.snapshots.clone(),
            remote: std::mem::replace(&mut self.remote, slot(Arc::default()).1),
            local: std::mem::replace(&mut self.local, slot(Arc::default()).1),
            sent: ring("sent", 1, Arc::default()).1,
            remote_bell: Arc::clone(&self.remote_bell),
            local_bell: Arc::clone(&self.local_bell),
            snapshot_bell: Arc::clone(&self.snapshot_bell),
            device_opens: Arc::clone(&self.device_opens),
        }
    }

    /// Waits for a snapshot that `holds`, and gives it; after `patience` the newest one, whatever it says. `None` if the
    /// engine has stopped.
    pub fn wait_for(&mut self, patience: Option<Duration>, holds: impl Fn(&Snapshot) -> bool) -> Option<Snapshot> {
        let deadline = patience.map(|patience| clock::now() + patience);
        loop {
            let snapshot = self.snapshots.borrow_and_update().clone();
            if holds(&snapshot) || deadline.is_some_and(|deadline| clock::now() >= deadline) {
                return Some(snapshot);
            }
            self.snapshots.has_changed().ok()?;
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// The newest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshots.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_counts_as_open_until_its_handle_is_dropped() {
        let opens = Arc::new(DeviceOpens::default());
        let (first, second) = (opens.camera_opened(), opens.camera_opened());
        drop(first);
        assert_eq!(opens.open_now(), (true, false));
        drop(second);
        assert_eq!((opens.open_now(), opens.counts()), ((false, false), (2, 0, 0)));
    }
}
