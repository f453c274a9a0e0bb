//! The call's path as control sees it: a relay room, and the numbered messages that travel over it.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use tokio::sync::mpsc;

use super::session::{self, Events};
use crate::media::LeafIndex;
use crate::transport::control::{ControlError, ControlLink};
use crate::wire::address::ServerAddress;
use crate::wire::call::CallMessage;

/// Messages that may wait for the room. What does not fit is sent again when the path opens the next time.
const ROOM_MESSAGES: usize = 128;

/// Where the two meet.
pub struct Place {
    /// The relay.
    pub server: ServerAddress,
    /// Name of the room.
    pub room: [u8; 32],
    /// Own leaf.
    pub leaf: LeafIndex,
}

/// The path of one call; dropping it leaves the room once the last words are out.
pub struct CallPath {
    messages: mpsc::Sender<Vec<u8>>,
    link: ControlLink,
    connection: Option<quinn::Connection>,
}

impl CallPath {
    /// Enters the room under the call's `key` and stays there, through losses of the connection; the connection's task
    /// runs on `media` and reports by `events`.
    pub fn enter(place: Place, key: Arc<SigningKey>, media: &tokio::runtime::Handle, events: Events) -> Self {
        let (messages, waiting) = mpsc::channel(ROOM_MESSAGES);
        media.spawn(session::stay_in_room(place.server, key, place.room, place.leaf.0, waiting, events));
        Self { messages, link: ControlLink::default(), connection: None }
    }

    /// The room is entered, over this connection.
    pub fn handle_open(&mut self, connection: quinn::Connection) {
        self.connection = Some(connection);
    }

    /// The room is lost.
    pub fn handle_lost(&mut self) {
        self.connection = None;
    }

    /// The peer is in the room: what it has not acknowledged goes out again.
    pub fn handle_peer(&mut self) {
        self.link.handle_path();
    }

    /// Bytes of the peer; gives the message in them if it is a new one.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<Option<CallMessage>, ControlError> {
        self.link.handle_bytes(bytes)
    }

    /// Sends a message, now or when there is a path again.
    pub fn send(&mut self, message: CallMessage) {
        let _ = self.link.send(message);
        self.flush();
    }

    /// Hands over what waits, if there is a path.
    pub fn flush(&mut self) {
        if self.connection.is_none() {
            return;
        }
        while let Some(bytes) = self.link.poll_bytes() {
            if self.messages.try_send(bytes).is_err() {
                return;
            }
        }
    }

    /// The connection that media go over, if there is one.
    pub fn connection(&self) -> Option<quinn::Connection> {
        self.connection.clone()
    }
}
