//! Which devices there are, as plain data. Asking the system blocks: it is done on a thread of its own.

use std::sync::Arc;
use std::thread::Builder;

use serde::Serialize;

use super::session::{Event, Events};
use crate::capture::camera::CameraSystem;
use crate::sound::devices::{self as sound, SoundKind};

/// The devices of this machine by name, the system's own choice first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeviceList {
    /// Cameras.
    pub cameras: Vec<String>,
    /// Microphones.
    pub microphones: Vec<String>,
    /// Speakers.
    pub speakers: Vec<String>,
    /// What the system did not tell, and why, in words for the person.
    pub problems: Vec<String>,
}

/// Asks the system. Blocks for as long as the system takes.
#[must_use]
pub fn list(cameras: &dyn CameraSystem) -> DeviceList {
    let mut list = DeviceList::default();
    match cameras.names() {
        Ok(names) => list.cameras = names,
        Err(error) => list.problems.push(error.to_string()),
    }
    for device in sound::devices() {
        match device.kind {
            SoundKind::Microphone => list.microphones.push(device.name),
            SoundKind::Speaker => list.speakers.push(device.name),
        }
    }
    list
}

/// Asks the system on a thread of its own; the answer comes by `events`.
///
/// The thread is not waited for: it opens nothing, and ends when the system has answered.
pub fn start_listing(cameras: Arc<dyn CameraSystem>, events: Events) -> std::io::Result<()> {
    let ask = move || {
        // Nobody listens any more when the engine has ended meanwhile.
        let _ = events.blocking_send(Event::Devices(list(cameras.as_ref())));
    };
    Builder::new().name("devices".into()).spawn(ask).map(drop)
}
