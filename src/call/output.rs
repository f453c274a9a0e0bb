//! What the call machine wants done, as data: the engine does it.

use std::net::SocketAddr;

use super::Outcome;
use super::state::{AddressGrant, CaptureGrant};
use crate::crypto::chain::DeviceCard;
use crate::crypto::letter::{CallId, Content};
use crate::crypto::sframe::BaseKey;
use crate::media::{KeyEpoch, LeafIndex};
use crate::wire::call::CallMessage;

/// What the machine wants done.
#[derive(Debug)]
pub enum Output {
    /// Seal a letter to these devices and hand it to the directory.
    Letter {
        /// To whom.
        to: Vec<DeviceCard>,
        /// Of which account.
        handle: String,
        /// About which call.
        call: CallId,
        /// What it says.
        content: Content,
    },
    /// Enter the relay room with the call's path key.
    Join {
        /// Name of the room.
        room: [u8; 32],
        /// Our leaf.
        leaf: LeafIndex,
        /// The peer's TLS key, for the direct path.
        peer_path_key: [u8; 32],
    },
    /// Send over the call's path.
    Message(CallMessage),
    /// Open frames of `members` under this epoch from now on.
    OpenEpoch {
        /// Key of the epoch.
        base: BaseKey,
        /// The epoch.
        epoch: KeyEpoch,
        /// Who may send.
        members: Vec<LeafIndex>,
    },
    /// Seal in this epoch from now on.
    SealEpoch {
        /// Key of the epoch.
        base: BaseKey,
        /// The epoch.
        epoch: KeyEpoch,
        /// Our leaf.
        leaf: LeafIndex,
    },
    /// Forget the keys of earlier epochs.
    DropBefore(KeyEpoch),
    /// Start capturing, sending and showing.
    StartMedia(CaptureGrant),
    /// Look for a direct way; without leave for it, none is looked for.
    FindDirect(AddressGrant),
    /// The peer may be reached directly at these addresses, as it says.
    Candidates {
        /// Unchecked.
        addresses: Vec<SocketAddr>,
        /// They answer ours.
        answer: bool,
    },
    /// The peer asks for a keyframe.
    Keyframe,
    /// Something that is shown has changed.
    Changed,
    /// Over: leave the room, close every device.
    Ended(Outcome),
}
