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
    /// Where the sender may be reached directly.
    Candidates {
        /// Unchecked: see [`crate::transport::candidates`].
        addresses: Vec<SocketAddr>,
        /// It answers an offer.
        answer: bool,
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
