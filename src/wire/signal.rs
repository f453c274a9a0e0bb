//! What client and server say to each other, on the one stream that a client opens: first [`Hello`], then requests of the
//! connection's role, answered in order, with pushes in between.
//!
//! Each message is four bytes of length (big-endian) and that many bytes of postcard, at most [`MAX_MESSAGE_BYTES`].

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Version of this protocol; a server refuses others.
pub const VERSION: u16 = 1;
/// Most bytes of one message.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Bytes of every sealed envelope.
pub const ENVELOPE_LEN: usize = 8192;
/// Most names of one question about presence.
pub const MAX_PRESENCE_NAMES: usize = 32;
/// Most bytes of a message to a room.
pub const MAX_ROOM_MESSAGE_BYTES: usize = 20 * 1024;

/// A device's public signing key, which is its number.
pub type DeviceId = [u8; 32];

/// First message of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`].
    pub version: u16,
    /// What the connection is for.
    pub role: Role,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// A device: the TLS key is its signing key. Registers, is present, receives envelopes.
    Device,
    /// Looks up and delivers, under a throw-away key.
    Courier,
    /// Enters one room, under a key made for the call.
    Relay {
        /// Name of the room: who knows it may enter.
        room: [u8; 32],
        /// Leaf of this member; its packets must carry it.
        leaf: u8,
    },
}

/// First answer of the server, and its answer to each request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToClient {
    /// The connection is accepted.
    Welcome {
        /// Host part of this server's handles.
        domain: String,
    },
    /// Done.
    Done,
    /// What was asked for cannot be had.
    Refused(Refusal),
    /// The account's device chain.
    Found {
        /// As the account registered it.
        chain: Vec<u8>,
    },
    /// The envelope was handed to the connected device.
    Delivered,
    /// The device is not connected; the envelope waits, at most 45 seconds.
    Held,
    /// Push to a device: an envelope for it.
    Envelope(Vec<u8>),
    /// Push to a member of a room: another member says this.
    Room {
        /// Who.
        leaf: u8,
        /// What.
        message: Vec<u8>,
    },
    /// Push to a member of a room: another member is there.
    Arrived {
        /// Who.
        leaf: u8,
    },
    /// Push to a member of a room: another member has gone.
    Left {
        /// Who.
        leaf: u8,
    },
    /// Whether a device of each account is connected, in the order of the names.
    Presence {
        /// One for each name; false also for names that nobody has.
        online: Vec<bool>,
    },
    /// The address that the server sees this connection come from.
    Observed(SocketAddr),
}

/// Requests of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToServer {
    /// Device: this is my account's chain; the handle in it is free or mine.
    Register {
        /// The chain.
        chain: Vec<u8>,
    },
    /// Courier: the chain of an account.
    LookUp {
        /// Name part of its handle.
        name: String,
    },
    /// Courier: pass this on.
    Deliver {
        /// To which device.
        device: DeviceId,
        /// Exactly [`ENVELOPE_LEN`] bytes.
        envelope: Vec<u8>,
    },
    /// Relay: say this to the other members. Not answered.
    Room {
        /// At most [`MAX_ROOM_MESSAGE_BYTES`].
        message: Vec<u8>,
    },
    /// Courier: whether somebody can be reached at once. Each name counts as a request.
    Presence {
        /// Name parts of handles, at most [`MAX_PRESENCE_NAMES`].
        names: Vec<String>,
    },
    /// Relay: from which address do I come?
    Observe,
}

/// Why the server says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// Another protocol version.
    #[error("this program and the server speak different versions; update the older one")]
    Version,
    /// Not of the connection's role, or not valid.
    #[error("the server does not understand the request")]
    Invalid,
    /// No such account.
    #[error("the server knows no such handle")]
    Unknown,
    /// The handle belongs to somebody else.
    #[error("this name is taken on the server; choose another")]
    Taken,
    /// The chain is not a valid continuation.
    #[error("the server does not accept the account's device list")]
    Chain,
    /// Too many requests or too much waiting.
    #[error("the server is busy or asks for a pause; try again in a minute")]
    Quota,
    /// The room is full or the leaf is not free.
    #[error("the server has no place in this room")]
    Room,
}

/// The message in `bytes`; nothing if it is none, or too long.
#[must_use]
pub fn decode<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Option<T> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return None;
    }
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Some(message),
        _ => None,
    }
}

/// The message with its length in front.
///
/// # Panics
/// Never: the messages are plain data.
#[must_use]
pub fn encode(message: &impl Serialize) -> Vec<u8> {
    let mut bytes = postcard::to_extend(message, vec![0; 4]).expect("a message is plain data");
    let length = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_survives_its_bytes_but_not_a_byte_more() {
        let message = ToServer::Deliver { device: [1; 32], envelope: vec![2; ENVELOPE_LEN] };
        let mut bytes = encode(&message);
        assert_eq!(bytes[..4], (bytes.len() as u32 - 4).to_be_bytes());
        assert_eq!(decode::<ToServer>(&bytes[4..]), Some(message));
        bytes.push(0);
        assert_eq!(decode::<ToServer>(&bytes[4..]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_message_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<Hello>(&bytes);
            let _ = decode::<ToServer>(&bytes);
            let _ = decode::<ToClient>(&bytes);
        }
    }
}
