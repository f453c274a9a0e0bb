//! Messages between the two sides of a running call: keys, readiness, and what is said under the group's seal.
//!
//! They travel numbered and in order over whichever path there is (see [`crate::transport::control`]).

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Most bytes of an encoded message.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// A message as the relay sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallMessage {
    /// Caller to callee, first of all: join the group.
    Welcome(Vec<u8>),
    /// Proof of standing in the group's first epoch; media may follow.
    Ready([u8; 32]),
    /// An MLS commit that refreshes the keys.
    Refresh(Vec<u8>),
    /// A [`Note`], as an MLS application message.
    Sealed(Vec<u8>),
}

/// What goes over the stream of a direct connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DirectMessage {
    /// First of all, from each side: proof of readiness, bound to this connection.
    Ready([u8; 32]),
    /// Numbered messages of the call, as they go over the relay too.
    Call(Vec<u8>),
}

/// What only the other side can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// What the sender shows and says.
    Switches {
        /// Its microphone is on.
        microphone: bool,
        /// Its camera is on.
        camera: bool,
    },
    /// The sender holds the keys of this epoch.
    EpochReached(u64),
    /// A keyframe is needed.
    KeyframeWanted,
    /// The sender hung up.
    HangUp,
    /// What the sender has sent lately, and where it stands.
    Beat(Beat),
    /// The sender ended the call because a rule was broken.
    Broken,
    /// Where the sender may be reached directly.
    Candidates {
        /// Unchecked: see [`crate::transport::candidates`].
        addresses: Vec<SocketAddr>,
        /// It answers an offer.
        answer: bool,
    },
}

/// Frames that somebody has sent, as they say under their signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Number of this beat, from 1.
    pub number: u32,
    /// Number of the receiver's last beat that the sender had.
    pub heard: u32,
    /// MLS epoch in which they stand.
    pub epoch: u64,
    /// Its authenticator: another one means another group.
    pub authenticator: Vec<u8>,
    /// Every frame since the beat before is listed.
    pub complete: bool,
    /// The frames.
    pub runs: Vec<Run>,
}

/// Frames under one key, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Key id.
    pub kid: u64,
    /// Counter of the first.
    pub first: u64,
    /// Of each whole sealed frame, SHA-256 cut to 128 bits.
    pub digests: Vec<[u8; 16]>,
}

impl Run {
    /// The counter behind the last one.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.first.saturating_add(self.digests.len() as u64)
    }
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

/// The bytes that [`decode`] reads.
///
/// # Panics
/// Never: the messages are plain data.
#[must_use]
pub fn encode(message: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(message).expect("a message is plain data")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_survive_their_bytes() {
        for message in [CallMessage::Welcome(vec![1; 5000]), CallMessage::Ready([2; 32]), CallMessage::Sealed(vec![])] {
            assert_eq!(decode::<CallMessage>(&encode(&message)), Some(message));
        }
        let mut long = encode(&Note::HangUp);
        long.push(0);
        assert_eq!(decode::<Note>(&long), None);
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_message_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode::<CallMessage>(&bytes);
            let _ = decode::<Note>(&bytes);
        }
    }
}
