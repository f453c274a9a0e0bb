//! What the window and the command line hold of an engine: commands in, snapshots out, the newest picture beside them.
//!
//! The engine owns devices, keys and sockets; whoever holds the handle sees plain data only.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

pub use super::account::{AccountCommand, AccountView, Offer};
pub use super::call_view::{
    ActiveView, CallCounts, CallNumber, CallView, EndedCall, FrameCounts, PathView, Peer, SendingView, TrafficCounts,
};
use super::clock;
pub use super::command::{Command, Protect};
use super::devices::DeviceList;
pub use super::queues::QueueCounts;
pub use super::secret::Secret;
pub use super::sound::{DeviceState, SoundCheckView, SoundCounts, SoundView};
pub use super::zoom::Zoom;
pub use crate::crypto::link::PREFIX as DEVICE_CODE_PREFIX;
use crate::media::{Doorbell, FrameId, RingReceiver, SlotReader, Stamps, VideoFrame, ring, slot};
pub use crate::store::vault::Protection;
pub use crate::transport::rate::ladder::Limit;
use crate::wire::link::ContactLink;

/// Commands that may wait for the engine; one more is refused, which no person's clicking reaches.
pub const COMMAND_QUEUE: usize = 64;

/// How often [`EngineHandle::wait_for`] looks.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

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
#[expect(clippy::struct_excessive_bools, reason = "they say different things")]
pub struct Snapshot {
    /// The engine has looked at its profile; before that nothing else here means anything.
    pub started: bool,
    /// A passphrase has to be given before there is anything to see.
    pub locked: bool,
    /// What protects the keys on disk.
    pub protection: Protection,
    /// The account at the server.
    pub account: AccountView,
    /// Own identity, once there is one.
    pub me: Option<Me>,
    /// The devices of the own account, its kit, and linking.
    pub own: Arc<OwnDevices>,
    /// Connection to the server.
    pub server: ServerStatus,
    /// The encoders are being tried; a call that begins meanwhile uses the usual one.
    pub trying_encoders: bool,
    /// The people this profile knows, by name.
    pub contacts: Arc<[Contact]>,
    /// Whoever has this may ring.
    pub link: Option<Arc<ContactLink>>,
    /// Strangers who called, newest first.
    pub requests: Arc<[Request]>,
    /// Handles of those who are shut out.
    pub blocked: Arc<[String]>,
    /// The safety number that is to be compared.
    pub comparison: Option<Comparison>,
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
    /// Minutes without a touch after which the window locks itself.
    pub lock_after_min: Option<u32>,
    /// Calls go by relay only, so that the other side does not learn this machine's network addresses.
    pub hide_address: bool,
    /// Round trips of the last call before it ended, in milliseconds: to the relay, and directly, where there was such a way.
    pub last_round_trips_ms: (Option<f32>, Option<f32>),
    /// How large everything in the window is.
    pub zoom: Zoom,
    /// The call, or how the last one ended.
    pub call: CallView,
    /// Which call that is; goes on standing for it when it is over.
    pub call_number: CallNumber,
    /// The call that was dialled last.
    pub dialled: CallNumber,
    /// How the call ended that ended last, also when another has taken its place since.
    pub ended: Option<EndedCall>,
    /// The last thing that went wrong outside a call, in words for the person, with a number that grows with each.
    pub notice: Option<(u64, Arc<str>)>,
}

/// A device's number.
pub type DeviceId = [u8; 32];

/// The devices of the own account, its kit, and linking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnDevices {
    /// Its active devices, in the order they were added.
    pub devices: Vec<AccountDevice>,
    /// The account's root is still on this device: no kit was kept yet.
    pub has_root: bool,
    /// The recovery kit, while it is shown.
    pub kit: Option<Secret>,
    /// Linking.
    pub link: LinkView,
}

/// A device of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountDevice {
    /// Its number.
    pub id: DeviceId,
    /// When it was added, seconds since 1970.
    pub added_unix_s: u64,
    /// It is this one.
    pub is_this: bool,
}

/// Where linking a device stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LinkView {
    /// Nowhere.
    #[default]
    None,
    /// This new device shows its code and waits.
    Waiting {
        /// To be shown.
        code: Secret,
        /// To be compared.
        number: String,
    },
    /// The code of a new device was read.
    Comparing {
        /// To be compared.
        number: String,
    },
    /// The new device is in.
    Done,
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
#[expect(clippy::struct_excessive_bools, reason = "each is shown by itself")]
pub struct Contact {
    /// `name@host`.
    pub handle: String,
    /// What the person calls them; the name part of the handle if nothing else.
    pub name: String,
    /// Whether they can be reached at once.
    pub presence: Presence,
    /// Known to be the right one.
    pub verified: bool,
    /// They showed another key than the first time: they are not rung before the person decides.
    pub key_changed: bool,
    /// The two keys, if they did.
    pub keys: Option<ChangedKeys>,
    /// Their key is known, so that there is something to compare.
    pub has_key: bool,
    /// Their calls are shown, but not heard.
    pub silent: bool,
}

/// The safety number with somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// With whom.
    pub handle: String,
    /// 60 digits in groups of five, the same on both sides.
    pub number: Arc<str>,
}

/// The key that is known of somebody and the one that they show now, as text to be compared by eye.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedKeys {
    /// The old one.
    pub known: String,
    /// The new one.
    pub new: String,
}

/// A stranger who called. Nothing rang, nothing was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// As they call themselves.
    pub handle: String,
    /// The directory says that the handle is theirs; if not, anybody may be behind it.
    pub confirmed: bool,
    /// Unix seconds of the first call.
    pub first_s: u64,
    /// Unix seconds of the last call.
    pub last_s: u64,
    /// How often they called.
    pub count: u32,
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
    /// What the peer told of its frames with the ones after them, for logs. Full: newest dropped.
    pub late: RingReceiver<LateStamps>,
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
    /// Bytes that came out of the encoder.
    pub bytes: u32,
    /// When it passed which stage on this side.
    pub stamps: Stamps,
}

/// When a received frame was sealed and when its first and its last packet left, on the sender's clock: known with a frame after
/// it, when it may have been shown already.
#[derive(Clone, Copy, Debug)]
pub struct LateStamps {
    /// Its number.
    pub id: FrameId,
    /// These stages and no others.
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
            late: ring("late stamps", 1, Arc::default()).1,
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
