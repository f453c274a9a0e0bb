//! The clear header of a media datagram: 16 bytes that the relay may read, in front of one fragment of a sealed frame.
//!
//! ```text
//! 0      version (high 4 bits) and kind (low 4 bits)
//! 1      leaf of the sender
//! 2      stream
//! 3      flags: bit 0 keyframe
//! 4–7    frame number
//! 8–9    fragment number      10–11  fragments of the frame
//! 12–15  packet number of the sender on this path
//! ```
//! All big-endian. Leaf, stream, flags and frame number are authenticated with the frame ([`FrameHeader::metadata`]).

use crate::media::{FrameId, LeafIndex, Stream};

/// Bytes of the header.
pub const HEADER_LEN: usize = 16;
/// Most fragments of a frame: 1 MiB and a half, more than any frame that calls send.
pub const MAX_FRAGMENTS: u16 = 1400;

const VERSION_AND_KIND: u8 = 1 << 4;
const KEYFRAME: u8 = 1;

/// What all fragments of a frame have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Sender.
    pub leaf: LeafIndex,
    /// Stream.
    pub stream: Stream,
    /// Decoding can start here.
    pub keyframe: bool,
    /// Number of the frame in its stream.
    pub id: FrameId,
}

impl FrameHeader {
    /// The bytes that are authenticated with the frame.
    #[must_use]
    pub const fn metadata(self) -> [u8; 7] {
        let [a, b, c, d] = self.id.0.to_be_bytes();
        [self.leaf.0, self.stream as u8, self.flags(), a, b, c, d]
    }

    const fn flags(self) -> u8 {
        if self.keyframe { KEYFRAME } else { 0 }
    }
}

/// The whole header of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketHeader {
    /// Which frame.
    pub frame: FrameHeader,
    /// Which part of it, from 0.
    pub fragment: u16,
    /// How many parts, 1 to [`MAX_FRAGMENTS`].
    pub fragments: u16,
    /// Number of the packet on its path.
    pub number: u32,
}

impl PacketHeader {
    /// The bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = VERSION_AND_KIND;
        bytes[1..8].copy_from_slice(&self.frame.metadata());
        bytes[8..10].copy_from_slice(&self.fragment.to_be_bytes());
        bytes[10..12].copy_from_slice(&self.fragments.to_be_bytes());
        bytes[12..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// Reads a packet: its header and the fragment behind it. `None` for what is not one.
    #[must_use]
    pub fn read(packet: &[u8]) -> Option<(Self, &[u8])> {
        let (header, payload) = packet.split_first_chunk::<HEADER_LEN>()?;
        let [first, leaf, stream, flags, i0, i1, i2, i3, f0, f1, c0, c1, n0, n1, n2, n3] = *header;
        let frame = FrameHeader {
            leaf: LeafIndex(leaf),
            stream: Stream::from_u8(stream)?,
            keyframe: flags & KEYFRAME != 0,
            id: FrameId(u32::from_be_bytes([i0, i1, i2, i3])),
        };
        let fragment = u16::from_be_bytes([f0, f1]);
        let fragments = u16::from_be_bytes([c0, c1]);
        let number = u32::from_be_bytes([n0, n1, n2, n3]);
        let valid = first == VERSION_AND_KIND
            && flags & !KEYFRAME == 0
            && fragment < fragments
            && fragments <= MAX_FRAGMENTS
            && !payload.is_empty();
        valid.then_some((Self { frame, fragment, fragments, number }, payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(leaf: u8, id: u32, keyframe: bool, fragment in 0..MAX_FRAGMENTS, number: u32) {
            for stream in Stream::ALL {
                let frame = FrameHeader { leaf: LeafIndex(leaf), stream, keyframe, id: FrameId(id) };
                let header = PacketHeader { frame, fragment, fragments: fragment + 1, number };
                let packet = [header.to_bytes().as_slice(), b"payload"].concat();
                prop_assert_eq!(PacketHeader::read(&packet), Some((header, b"payload".as_slice())));
            }
        }

        #[test]
        fn any_bytes_give_a_packet_or_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some((header, payload)) = PacketHeader::read(&bytes) {
                prop_assert_eq!([header.to_bytes().as_slice(), payload].concat(), bytes);
            }
        }
    }
}
