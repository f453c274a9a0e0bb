//! What client and server say to each other, on the one stream that a client opens: first [`Hello`], then requests of the
//! connection's role, answered in order, with pushes in between.
//!
//! Each message is four bytes of length (big-endian) and that many bytes of postcard, at most [`MAX_MESSAGE_BYTES`].

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::token::{Token, TokenHash};

/// Version of this protocol; a server refuses others.
pub const VERSION: u16 = 3;
/// Most bytes of one message.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Most bytes of [`Hello`]: all that somebody unknown can make a server keep.
pub const MAX_HELLO_BYTES: usize = 64;
/// Most bytes of a request.
pub const MAX_REQUEST_BYTES: usize = 24 * 1024;
/// Bytes of the answer to every look-up, whether or not there is such an account.
pub const PADDED_CHAIN_LEN: usize = 16 * 1024;
/// Bytes of every sealed envelope.
pub const ENVELOPE_LEN: usize = 8192;
/// Most tokens that a device announces.
pub const MAX_TOKENS: usize = 16;
/// Most names of one question about presence.
pub const MAX_PRESENCE_NAMES: usize = 32;
/// Most bytes of a message to a room.
pub const MAX_ROOM_MESSAGE_BYTES: usize = 20 * 1024;

/// Bytes of the secret that codes are made with.
pub const TOTP_SECRET_LEN: usize = 20;

/// A device's public signing key, which is its number.
pub type DeviceId = [u8; 32];

/// Where the letters to a device go that waits to be taken into an account ([`ToServer::AwaitLink`]).
#[must_use]
pub fn link_address(device: &DeviceId) -> DeviceId {
    Sha256::new().chain_update(b"visavis link address 1\0").chain_update(device).finalize().into()
}

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
    /// Does something to the account of a registered device, whose signing key is the TLS key. Is not present.
    Account,
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
    /// What is known of an account: of one size for all, so that nobody who counts bytes learns whom somebody looks for.
    LookedUp(PaddedChain),
    /// Push to a device, or answer to a registration that is behind: its account's chain has gone on.
    Chain(Vec<u8>),
    /// The envelope was handed to the connected device.
    Delivered,
    /// The device is not connected; the envelope waits, at most 45 seconds.
    Held,
    /// Push to a device: an envelope for it. Comes again after a new connection until it is acknowledged.
    Envelope {
        /// Its number, for [`ToServer::Received`] and to know it again; random, so that it tells nothing.
        number: u64,
        /// What was delivered.
        envelope: Vec<u8>,
    },
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
    /// Whether the account has a second factor.
    SecondFactor {
        /// Recovery codes that were not used; nothing if there is no second factor.
        recovery_left: Option<u8>,
    },
    /// The account has a second factor from now on. These stand in for its codes, each once; they are never told again.
    RecoveryCodes(Vec<String>),
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
        /// The sender's leave to reach the device, or, so that all requests are of one size, any other.
        token: Token,
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
    /// Device: the envelope with this number has arrived and is to be forgotten. Not answered.
    Received {
        /// As it came.
        number: u64,
    },
    /// Device: with this code of the account's second factor the next registration may add this device. Not answered.
    Code {
        /// Six digits, or a recovery code.
        code: String,
    },
    /// Account: is there a second factor?
    AskSecondFactor,
    /// Account: ask for codes made with this secret from now on.
    EnableTotp {
        /// For RFC 6238 with SHA-1, six digits and 30 seconds.
        secret: [u8; TOTP_SECRET_LEN],
        /// Shows that the person's other device knows the secret.
        code: String,
    },
    /// Account: ask for no codes any more.
    DisableTotp {
        /// Six digits, or a recovery code.
        code: String,
    },
    /// Account: forget it, with all of its devices.
    Delete {
        /// Six digits, or a recovery code, if there is a second factor.
        code: Option<String>,
    },
    /// Device: in no account yet, it waits for letters from the one that is to take it in, to its [`link_address`].
    AwaitLink,
    /// Device: letters that show one of these are no strangers', in place of what was announced before.
    SetTokens {
        /// Hashes of the tokens, at most [`MAX_TOKENS`].
        tokens: Vec<TokenHash>,
    },
    /// Device: for a minute, answers that show this are no strangers'.
    AwaitReplies {
        /// Hash of the token.
        token: TokenHash,
    },
}

/// An account's device chain as it was registered, or nothing, in [`PADDED_CHAIN_LEN`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaddedChain(Vec<u8>);

impl PaddedChain {
    /// Hides whether there is a chain and how long it is; a chain that does not fit is treated as none.
    #[must_use]
    pub fn new(chain: Option<&[u8]>) -> Self {
        let chain = chain.filter(|chain| chain.len() <= PADDED_CHAIN_LEN - 2).unwrap_or_default();
        let mut bytes = vec![0; PADDED_CHAIN_LEN];
        bytes[..2].copy_from_slice(&(chain.len() as u16).to_be_bytes());
        bytes[2..2 + chain.len()].copy_from_slice(chain);
        Self(bytes)
    }

    /// The chain, if there is one.
    #[must_use]
    pub fn chain(&self) -> Option<&[u8]> {
        let (length, rest) = self.0.split_first_chunk::<2>()?;
        rest.get(..usize::from(u16::from_be_bytes(*length))).filter(|chain| !chain.is_empty())
    }
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
    /// The account is no more.
    #[error("the account was deleted at the server by one of its devices")]
    Deleted,
    /// The account has a second factor.
    #[error("the account asks for a code of your authenticator app, or a recovery code")]
    CodeNeeded,
    /// Not the code, or one that was used.
    #[error("the code is wrong or was used before; wait for the next one")]
    CodeWrong,
    /// Too many wrong codes.
    #[error("too many wrong codes; try again in {minutes} minutes")]
    CodeLocked {
        /// Until codes are looked at again.
        minutes: u16,
    },
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
        let message = ToServer::Deliver {
            device: [1; 32],
            envelope: vec![2; ENVELOPE_LEN],
            token: Token::random(&mut rand::rng()),
        };
        let mut bytes = encode(&message);
        assert_eq!(bytes[..4], (bytes.len() as u32 - 4).to_be_bytes());
        assert_eq!(decode::<ToServer>(&bytes[4..]), Some(message));
        bytes.push(0);
        assert_eq!(decode::<ToServer>(&bytes[4..]), None);
    }

    #[test]
    fn an_answer_to_a_look_up_has_one_size() {
        let chains = [None, Some(vec![1; 300]), Some(vec![2; PADDED_CHAIN_LEN - 2])];
        for chain in chains {
            let answer = encode(&ToClient::LookedUp(PaddedChain::new(chain.as_deref())));
            assert_eq!(answer.len(), encode(&ToClient::LookedUp(PaddedChain::new(None))).len());
            let Some(ToClient::LookedUp(padded)) = decode(&answer[4..]) else { panic!("another message") };
            assert_eq!(padded.chain(), chain.as_deref());
        }
        assert_eq!(PaddedChain::new(Some(&[3; PADDED_CHAIN_LEN - 1])).chain(), None);
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
