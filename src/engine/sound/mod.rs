//! Sound in a call: the two threads between devices and network, what is counted of them, the bell before a call,
//! and the check of microphone and speaker.

mod check;
pub mod counters;
mod input;
mod output;
mod receive;
mod ringer;
mod running;
mod send;

pub(super) use check::SoundCheck;
pub use check::SoundCheckView;
pub use counters::{DeviceState, SoundCounts, SoundView};
pub(super) use receive::{ReceivedAudio, SoundReceiveThread};
pub(super) use ringer::Ringer;
pub(super) use send::SoundSendThread;

use std::time::Duration;

/// A device that cannot be opened is tried again this often: it may have been plugged in.
const RETRY: Duration = Duration::from_secs(2);
/// How long a sound thread sleeps at most before it looks whether the call is over.
const NAP: Duration = Duration::from_millis(100);
